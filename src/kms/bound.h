/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/bound.h - ciphertexts of services that are told little: an envelope around them, and the binding to a context for
 * services that cannot bind by themselves. Formats in docs/FORMAT.md are not touched: a wrap is opaque there.
 *
 * Envelope: format 1 | u16 length, reference of the key version | u16 length, ciphertext | sum 16. The sum is the
 * beginning of SHA-256 over the context and all before it: it tells damage, and a wrap that was copied
 * elsewhere, before the service is asked, so that what the service says about an envelope that is whole is about
 * its key. It proves nothing against an attacker; the service's own authentication does.
 *
 * Bound plaintext: format 1 | u8 length | SHA-256 of the context | plaintext | zeros to a multiple of 8 bytes.
 * For RSA and key wrap, which take no associated data.
 */
#pragma once

#include "base/buf.h"
#include "base/key_spec.h"
#include "base/rc.h"
#include "base/secret.h"

enum { ENVELOPE_REFERENCE_BYTES = 512, BOUND_BYTES_MAX = 104 };

struct envelope {
    char reference[ENVELOPE_REFERENCE_BYTES]; /* printable */
    struct view ciphertext;                   /* borrowed from the blob; not empty */
};

/* envelope_write(e, context, ret): appends a blob. LIMIT beyond KEY_BLOB_MAX. */
ks_rc envelope_write(const struct envelope *e, const struct key_context *context,
                     struct buf *ret) KS_MUST;
/* envelope_read(blob, context, ret): FORMAT, NEWER_VERSION; AUTH when it is damaged or of another context. */
ks_rc envelope_read(struct view blob, const struct key_context *context,
                    struct envelope *ret) KS_MUST;

/* bound_plain(context, plain, ret): USAGE unless plain has 1 to KEY_PLAIN_MAX bytes. */
ks_rc bound_plain(const struct key_context *context, const struct secret *plain,
                  struct secret **ret) KS_MUST;
/* bound_open(context, bound, ret): FORMAT; AUTH when it was bound to another context. */
ks_rc bound_open(const struct key_context *context, struct view bound, struct secret **ret) KS_MUST;
