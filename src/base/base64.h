/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/base64.h - bytes as base64 text (RFC 4648) and as hexadecimal, and back.
 *
 * In constant time with respect to the bytes, because wrapped and plain keys pass through here.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"
#include "base/secret.h"

enum base64_form {
    BASE64_STANDARD, /* + and /, padded: AWS, Google, Vault */
    BASE64_URL,      /* - and _, without padding: JWT, Azure */
};

/* base64_write(bytes, form, ret): appends the text to ret. LIMIT, NO_MEMORY; ret as it was on failure. */
ks_rc base64_write(struct view bytes, enum base64_form form, struct buf *ret) KS_MUST;
/*
 * base64_read(text, form, ret): appends the bytes to ret. BASE64_STANDARD takes the other alphabet too,
 * padded, because Google's clients send both. USAGE for anything else, white space included; LIMIT when
 * ret cannot hold them. ret as it was on failure.
 */
ks_rc base64_read(struct view text, enum base64_form form, struct buf *ret) KS_MUST;
/* base64_read_secret(text, form, ret): the same into guarded memory; empty text is USAGE. */
ks_rc base64_read_secret(struct view text, enum base64_form form, struct secret **ret) KS_MUST;

/* hex_write(bytes, ret): appends lower-case digits. */
ks_rc hex_write(struct view bytes, struct buf *ret) KS_MUST;
/* hex_read(text, ret): appends the bytes; USAGE for an odd number of digits or other characters. */
ks_rc hex_read(struct view text, struct buf *ret) KS_MUST;
