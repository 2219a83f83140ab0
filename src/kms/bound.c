/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/bound.c - the envelope of a ciphertext, and plaintexts that carry their context.
 *
 * Bounded before anything is used. Plaintexts stay in guarded memory.
 */
#include "kms/bound.h"

#include "base/codec.h"
#include "crypto/hash.h"

enum { VERSION = 1, SUM_BYTES = 16, BOUND_HEAD = 2 + HASH_BYTES };

static ks_rc sum(const struct key_context *context, struct view head, uint8_t ret[HASH_BYTES])
{
    CLEANUP(buf_done) struct buf all = buf_init((size_t)3 * KEY_BLOB_MAX);

    TRY(key_context_aad(context, &all));
    TRY(buf_append(&all, head));
    return hash_sha256(buf_view(&all), ret);
}

ks_rc envelope_write(const struct envelope *e, const struct key_context *context, struct buf *ret)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    struct wr w = wr_init(&blob);
    uint8_t digest[HASH_BYTES];

    wr_u8(&w, VERSION);
    wr_text16(&w, e->reference);
    wr_blob16(&w, e->ciphertext);
    TRY(wr_done(&w));
    TRY(sum(context, buf_view(&blob), digest));
    TRY(buf_append(&blob, view_of(digest, SUM_BYTES)));
    return buf_append(ret, buf_view(&blob));
}

ks_rc envelope_read(struct view blob, const struct key_context *context, struct envelope *ret)
{
    struct envelope e = {.reference = ""};
    struct rd r = rd_init(blob);
    uint8_t digest[HASH_BYTES];

    ENSURE(blob.len <= KEY_BLOB_MAX, KS_E_FORMAT, "is too long for a wrapped key");
    uint8_t version = rd_u8(&r);
    rd_text16(&r, e.reference, sizeof e.reference);
    e.ciphertext = rd_blob16(&r, KEY_BLOB_MAX);
    struct view stored = rd_view(&r, SUM_BYTES);
    rd_expect(&r, version != 0 && e.ciphertext.len, "is no wrapped key");
    ENSURE(!rd_ok(&r) || version == VERSION, KS_E_NEWER_VERSION,
           "the wrapped key has format %u, written by a newer version of keystead", version);
    TRY(rd_done(&r));
    TRY(sum(context, view_of(blob.bytes, blob.len - SUM_BYTES), digest));
    ENSURE(view_is_equal(stored, view_of(digest, SUM_BYTES)), KS_E_AUTH,
           "the wrapped key is damaged, or belongs to another volume or purpose");
    *ret = e;
    return KS_SUCCESS;
}

static ks_rc context_digest(const struct key_context *context, uint8_t ret[HASH_BYTES])
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX);

    TRY(key_context_aad(context, &aad));
    return hash_sha256(buf_view(&aad), ret);
}

ks_rc bound_plain(const struct key_context *context, const struct secret *plain,
                  struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *bound = NULL;
    struct view p = secret_view(plain);

    ENSURE(p.len >= 1 && p.len <= KEY_PLAIN_MAX, KS_E_USAGE, "%zu bytes; a key wraps 1 to %d",
           p.len, KEY_PLAIN_MAX);
    TRY(secret_new((BOUND_HEAD + p.len + 7) / 8 * 8, &bound));
    uint8_t *at = secret_bytes(bound);
    at[0] = VERSION;
    at[1] = (uint8_t)p.len;
    TRY(context_digest(context, at + 2));
    memcpy(at + BOUND_HEAD, p.bytes, p.len);
    *ret = TAKE(bound);
    return KS_SUCCESS;
}

ks_rc bound_open(const struct key_context *context, struct view bound, struct secret **ret)
{
    struct rd r = rd_init(bound);
    uint8_t digest[HASH_BYTES];
    uint8_t version = rd_u8(&r);
    size_t len = rd_u8(&r);
    struct view stored = rd_view(&r, HASH_BYTES);
    struct view plain = rd_view(&r, len);

    rd_expect(&r,
              version == VERSION && len >= 1 && len <= KEY_PLAIN_MAX && rd_left(&r) < 8 &&
                  bound.len % 8 == 0,
              "is no plaintext of ours");
    rd_zero(&r, rd_left(&r));
    TRY(rd_done(&r));
    TRY(context_digest(context, digest));
    ENSURE(secret_is_equal(stored, view_of(digest, sizeof digest)), KS_E_AUTH,
           "the wrapped key is bound to another volume or purpose");
    return secret_copy(plain, ret);
}
