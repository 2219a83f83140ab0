/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/siv.c - AES-256-SIV (RFC 5297) on OpenSSL's EVP.
 *
 * Owns a few cipher contexts behind one lock each, so that threads that encrypt names at the same
 * time seldom wait. OpenSSL's SIV context is good for one message, so the key is set before each.
 * An empty aad is left out of the computation, a non-empty one is its only component.
 */
#include "crypto/siv.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"

enum { SLOTS = 4 };

struct slot {
    pthread_mutex_t mutex;
    EVP_CIPHER_CTX *ctx;
};

struct siv {
    EVP_CIPHER *cipher;
    struct secret *key;
    struct slot slots[SLOTS];
    atomic_uint turn;
};

static void siv_freep(struct siv **s)
{
    siv_free(*s);
}

static ks_rc slots_setup(struct siv *s)
{
    for (int i = 0; i < SLOTS; i++) {
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        ENSURE(ctx, KS_E_NO_MEMORY, "no memory for a cipher context");
        s->slots[i].ctx = ctx;
    }
    return KS_SUCCESS;
}

ks_rc siv_new(struct view key, struct siv **ret)
{
    CLEANUP(siv_freep) struct siv *s = NULL;

    ENSURE(key.len == SIV_KEY_BYTES, KS_E_BUG, "an AES-SIV key of %zu bytes", key.len);
    TRY(mem_new(1, sizeof *s, &s));
    for (int i = 0; i < SLOTS; i++)
        pthread_mutex_init(&s->slots[i].mutex, NULL);
    TRY(secret_copy(key, &s->key));
    s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    ENSURE(s->cipher, KS_E_BUG, "OpenSSL has no AES-256-SIV");
    TRY(slots_setup(s));
    *ret = TAKE(s);
    return KS_SUCCESS;
}

void siv_free(struct siv *s)
{
    if (!s)
        return;
    for (int i = 0; i < SLOTS; i++) {
        EVP_CIPHER_CTX_free(s->slots[i].ctx); /* clears the key schedules */
        pthread_mutex_destroy(&s->slots[i].mutex);
    }
    EVP_CIPHER_free(s->cipher);
    secret_free(s->key);
    mem_free(s);
}

static struct slot *slot_take(struct siv *s)
{
    struct slot *slot = &s->slots[atomic_fetch_add(&s->turn, 1) % SLOTS];

    pthread_mutex_lock(&slot->mutex);
    return slot;
}

static void slot_give(struct slot **slot)
{
    pthread_mutex_unlock(&(*slot)->mutex);
}

static ks_rc check_lengths(struct view aad, struct view data, size_t least)
{
    ENSURE(data.len >= least, KS_E_FORMAT, "an encrypted name of %zu bytes", data.len);
    ENSURE(aad.len <= INT_MAX && data.len <= INT_MAX, KS_E_LIMIT, "a name of %zu bytes", data.len);
    return KS_SUCCESS;
}

ks_rc siv_seal(struct siv *s, struct view aad, struct view pt, uint8_t *ret)
{
    TRY(check_lengths(aad, pt, 1));
    CLEANUP(slot_give) struct slot *slot = slot_take(s);
    EVP_CIPHER_CTX *x = slot->ctx;
    const uint8_t *key = secret_view(s->key).bytes;
    int n = 0;

    bool is_done = EVP_EncryptInit_ex2(x, s->cipher, key, NULL, NULL) == 1 &&
                   (!aad.len || EVP_EncryptUpdate(x, NULL, &n, aad.bytes, (int)aad.len) == 1) &&
                   EVP_EncryptUpdate(x, ret + SIV_TAG_BYTES, &n, pt.bytes, (int)pt.len) == 1 &&
                   EVP_EncryptFinal_ex(x, ret + SIV_TAG_BYTES + pt.len, &n) == 1 &&
                   EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, SIV_TAG_BYTES, ret) == 1;
    ENSURE(is_done, KS_E_BUG, "OpenSSL cannot encrypt a name of %zu bytes", pt.len);
    return KS_SUCCESS;
}

/* SIV decrypts before it can check, so ret holds rubbish after AUTH. */
static ks_rc open_with(EVP_CIPHER_CTX *x, const struct siv *s, struct view aad, struct view ct,
                       uint8_t *ret)
{
    size_t len = ct.len - SIV_TAG_BYTES;
    uint8_t tag[SIV_TAG_BYTES];
    int n = 0;

    memcpy(tag, ct.bytes, sizeof tag); /* the call below takes no const pointer */
    bool is_ready = EVP_DecryptInit_ex2(x, s->cipher, secret_view(s->key).bytes, NULL, NULL) == 1 &&
                    EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, SIV_TAG_BYTES, tag) == 1 &&
                    (!aad.len || EVP_DecryptUpdate(x, NULL, &n, aad.bytes, (int)aad.len) == 1);
    ENSURE(is_ready, KS_E_BUG, "OpenSSL cannot decrypt a name of %zu bytes", ct.len);
    bool is_right = EVP_DecryptUpdate(x, ret, &n, ct.bytes + SIV_TAG_BYTES, (int)len) == 1 &&
                    EVP_DecryptFinal_ex(x, ret + len, &n) == 1;
    ENSURE(is_right, KS_E_AUTH, "an encrypted name fails authentication: damaged or tampered with");
    return KS_SUCCESS;
}

ks_rc siv_open(struct siv *s, struct view aad, struct view ct, uint8_t *ret)
{
    TRY(check_lengths(aad, ct, SIV_TAG_BYTES + 1));
    CLEANUP(slot_give) struct slot *slot = slot_take(s);
    ks_rc rc = open_with(slot->ctx, s, aad, ct, ret);

    if (!ks_ok(rc))
        mem_wipe(ret, ct.len - SIV_TAG_BYTES);
    return rc;
}
