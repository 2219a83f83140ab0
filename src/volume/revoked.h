/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/revoked.h - the record that a volume was revoked through our own interface.
 *
 * A file in the backing directory: its presence is the fact, whatever it holds; it should hold one line with
 * the time. Needs no key, so that a volume that its key service denies can be revoked as well. Nothing
 * authenticates it (docs/THREAT-MODEL.md). Not thread-safe for one directory.
 */
#pragma once

#include "io/io.h"

#define REVOKED_FILE "revoked"

/* revoked_set(io, dir, now_s): durable before it returns. Of an older record the time is kept; it is written
 * anew all the same, because nobody knows whether it was durable. */
ks_rc revoked_set(struct io *io, struct io_node *dir, int64_t now_s) KS_MUST;
/* revoked_clear(io, dir): durable before it returns; also when there is none. After a failure it may be gone or
 * not. */
ks_rc revoked_clear(struct io *io, struct io_node *dir) KS_MUST;
/* revoked_check(io, dir, ret): whether it is there. Whoever cannot find out gets an error, and must take the
 * volume for revoked. */
ks_rc revoked_check(struct io *io, struct io_node *dir, bool *ret) KS_MUST;
/* revoked_time(io, dir, ret_s): since when, for people; 0 = not revoked. The time of the file where its
 * contents do not say. */
ks_rc revoked_time(struct io *io, struct io_node *dir, int64_t *ret_s) KS_MUST;
