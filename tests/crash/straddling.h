/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/straddling.h - a file as other file encryptors lay it out, to see that the oracle finds its losses.
 *
 * Blocks of 4096 bytes, each behind a nonce and a tag of 16 bytes, lie one behind the other with nothing between, so
 * that nearly every one of them lies on two pages; the last is as long as what it has. A change seals the whole block anew
 * and writes it over the old one. The size follows from the length of the backing file. That is sound as long as
 * the power stays, and gocryptfs, securefs and EncFS with authentication do about the same.
 */
#pragma once

#include "io/io.h"

struct straddling;

/* straddling_open(io, is_new, ret): the file "file" of the root, made when is_new. */
ks_rc straddling_open(struct io *io, bool is_new, struct straddling **ret) KS_MUST;
void straddling_close(struct straddling *s);

/* straddling_read(s, out, len, ret_len): from the start; CORRUPT or AUTH when any block cannot be opened. */
ks_rc straddling_read(struct straddling *s, uint8_t *out, size_t len, size_t *ret_len) KS_MUST;
ks_rc straddling_write(struct straddling *s, const uint8_t *in, size_t len, size_t at) KS_MUST;
ks_rc straddling_resize(struct straddling *s, size_t size) KS_MUST;
ks_rc straddling_sync(struct straddling *s) KS_MUST;
