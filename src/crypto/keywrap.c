/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/keywrap.c - a key sealed under another key that we hold; reader and writer of its layout.
 *
 * XAES-256-GCM does not commit to its key: with a second key one can build a ciphertext that opens
 * under both. The commitment in front closes that and tells a wrong key from damage.
 */
#include "crypto/keywrap.h"

#include <string.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/xaes.h"

enum {
    KEK_BYTES = XAES_KEY_BYTES,
    AT_NONCE = KEYWRAP_COMMIT_BYTES,
    AT_TAG = AT_NONCE + XAES_NONCE_BYTES,
    AT_CIPHERTEXT = AT_TAG + XAES_TAG_BYTES,
};

_Static_assert((int)AT_CIPHERTEXT == (int)KEYWRAP_OVERHEAD, "layout and overhead agree");

static const char COMMIT_INFO[] = "keystead key commitment v1";

static void key_wipe(struct xaes_key *k)
{
    mem_wipe(k, sizeof *k);
}

static ks_rc commitment(struct view kek, const uint8_t *nonce, uint8_t *ret)
{
    return kdf_derive(kek, view_of(nonce, XAES_NONCE_BYTES), view_text(COMMIT_INFO), ret,
                      KEYWRAP_COMMIT_BYTES);
}

ks_rc keywrap_seal(struct view kek, struct view aad, struct view key, struct random *random,
                   uint8_t *ret)
{
    CLEANUP(xaes_ctx_freep) struct xaes_ctx *c = NULL;
    CLEANUP(key_wipe) struct xaes_key k = {{0}, {0}, 0};
    uint8_t head[KEYWRAP_OVERHEAD];

    ENSURE(kek.len == KEK_BYTES && key.len <= KEYWRAP_KEY_MAX, KS_E_BUG,
           "wrapping %zu bytes under %zu bytes", key.len, kek.len);
    TRY(random_fill(random, head + AT_NONCE, XAES_NONCE_BYTES));
    TRY(commitment(kek, head + AT_NONCE, head));
    TRY(xaes_ctx_new(&c));
    TRY(xaes_key_init(&k, c, kek));
    TRY(xaes_seal(c, &k, head + AT_NONCE, aad, key, ret + AT_CIPHERTEXT, head + AT_TAG));
    memcpy(ret, head, sizeof head);
    return KS_SUCCESS;
}

ks_rc keywrap_open(struct view kek, struct view aad, struct view blob, struct secret **ret)
{
    CLEANUP(xaes_ctx_freep) struct xaes_ctx *c = NULL;
    CLEANUP(key_wipe) struct xaes_key k = {{0}, {0}, 0};
    CLEANUP(secret_freep) struct secret *key = NULL;
    uint8_t wanted[KEYWRAP_COMMIT_BYTES];

    ENSURE(kek.len == KEK_BYTES, KS_E_BUG, "unwrapping under %zu bytes", kek.len);
    ENSURE(blob.len >= KEYWRAP_OVERHEAD && blob.len <= KEYWRAP_OVERHEAD + KEYWRAP_KEY_MAX,
           KS_E_FORMAT, "a wrapped key of %zu bytes", blob.len);
    TRY(commitment(kek, blob.bytes + AT_NONCE, wanted));
    ENSURE(secret_is_equal(view_of(wanted, sizeof wanted), view_of(blob.bytes, sizeof wanted)),
           KS_E_WRONG_KEY, "the wrapped key belongs to another key");
    TRY(xaes_ctx_new(&c));
    TRY(xaes_key_init(&k, c, kek));
    TRY(secret_new(blob.len - KEYWRAP_OVERHEAD, &key));
    TRY(xaes_open(c, &k, blob.bytes + AT_NONCE, aad,
                  view_of(blob.bytes + AT_CIPHERTEXT, blob.len - AT_CIPHERTEXT),
                  blob.bytes + AT_TAG, secret_bytes(key)));
    *ret = TAKE(key);
    return KS_SUCCESS;
}

ks_rc keywrap_commit(struct view key, struct view info, uint8_t ret[KEYWRAP_COMMIT_BYTES])
{
    return kdf_derive(key, view_of(NULL, 0), info, ret, KEYWRAP_COMMIT_BYTES);
}
