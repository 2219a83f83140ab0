/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/base64.c - libsodium's codecs behind buffers with bounds.
 */
#include "base/base64.h"

#include <sodium.h>

static int variant_of(enum base64_form form, struct view text)
{
    if (form == BASE64_URL)
        return sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    for (size_t i = 0; i < text.len; i++)
        if (text.bytes[i] == '-' || text.bytes[i] == '_')
            return sodium_base64_VARIANT_URLSAFE;
    return sodium_base64_VARIANT_ORIGINAL;
}

ks_rc base64_write(struct view bytes, enum base64_form form, struct buf *ret)
{
    int variant = variant_of(form, view_of(NULL, 0));
    uint8_t *tail;
    size_t room;

    ENSURE(bytes.len <= ret->max_bytes, KS_E_LIMIT, "too many bytes to encode: %zu", bytes.len);
    room = sodium_base64_ENCODED_LEN(bytes.len, (unsigned)variant);
    TRY(buf_extend(ret, room, &tail));
    sodium_bin2base64((char *)tail, room, bytes.bytes, bytes.len, variant);
    buf_cut(ret, ret->len - (room - strlen((const char *)tail)));
    return KS_SUCCESS;
}

/* Decodes all of text into room bytes at to. */
static ks_rc decode(struct view text, enum base64_form form, uint8_t *to, size_t room,
                    size_t *ret_len)
{
    const char *end = NULL;
    int failed = sodium_base642bin(to, room, (const char *)text.bytes, text.len, NULL, ret_len,
                                   &end, variant_of(form, text));

    ENSURE(!failed && end == (const char *)text.bytes + text.len, KS_E_USAGE,
           "not base64 (%zu characters)", text.len);
    return KS_SUCCESS;
}

ks_rc base64_read(struct view text, enum base64_form form, struct buf *ret)
{
    size_t before = ret->len, room = text.len / 4 * 3 + 3, len;
    uint8_t *tail;

    if (text.len == 0)
        return KS_SUCCESS;
    TRY(buf_extend(ret, room, &tail));
    ks_rc rc = decode(text, form, tail, room, &len);
    buf_cut(ret, ks_ok(rc) ? before + len : before);
    return rc;
}

/* How many bytes text stands for, if it is base64 at all. */
static size_t decoded_len(struct view text)
{
    size_t digits = text.len;

    while (digits > 0 && text.bytes[digits - 1] == '=')
        digits--;
    return digits / 4 * 3 + digits % 4 * 3 / 4;
}

/* One piece of guarded memory of the right size: they cost more than the rest of a request to a key service. */
ks_rc base64_read_secret(struct view text, enum base64_form form, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *s = NULL;
    size_t want = decoded_len(text), len;

    ENSURE(want > 0, KS_E_USAGE, "empty base64");
    TRY(secret_new(want, &s));
    TRY(decode(text, form, secret_bytes(s), want, &len));
    ENSURE(len == want, KS_E_USAGE, "not base64 (%zu characters)", text.len);
    *ret = TAKE(s);
    return KS_SUCCESS;
}

ks_rc hex_write(struct view bytes, struct buf *ret)
{
    uint8_t *tail;

    ENSURE(bytes.len <= ret->max_bytes, KS_E_LIMIT, "too many bytes to encode: %zu", bytes.len);
    TRY(buf_extend(ret, bytes.len * 2 + 1, &tail));
    sodium_bin2hex((char *)tail, bytes.len * 2 + 1, bytes.bytes, bytes.len);
    ret->len--;
    return KS_SUCCESS;
}

ks_rc hex_read(struct view text, struct buf *ret)
{
    size_t before = ret->len, len = 0;
    const char *end = NULL;
    uint8_t *tail;

    if (text.len == 0)
        return KS_SUCCESS;
    TRY(buf_extend(ret, text.len / 2 + 1, &tail));
    int failed = sodium_hex2bin(tail, text.len / 2 + 1, (const char *)text.bytes, text.len, NULL,
                                &len, &end);
    bool is_whole = !failed && end == (const char *)text.bytes + text.len;
    buf_cut(ret, is_whole ? before + len : before);
    ENSURE(is_whole, KS_E_USAGE, "not hexadecimal (%zu characters)", text.len);
    return KS_SUCCESS;
}
