/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/xaes.c - XAES-256-GCM (https://c2sp.org/XAES-256-GCM) on OpenSSL's EVP.
 *
 * For each message: the file key K and the first half of the nonce give a message key by two AES
 * blocks (CMAC as KDF, SP 800-108), which seals with AES-256-GCM under the second half of the nonce.
 * Owns the key schedules. Ciphers are fetched and contexts made once per xaes_ctx, so that a block
 * costs no allocation; the schedule of K is set up only when another key than last time is used.
 * Never keeps a message key outside of the contexts and never releases unauthenticated bytes.
 */
#include "crypto/xaes.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

enum { AES_BLOCK = 16, HALF_NONCE = 12 };

struct xaes_ctx {
    EVP_CIPHER *ecb, *gcm;
    EVP_CIPHER_CTX *derive;      /* AES-256-ECB with the schedule of the key `serial` */
    EVP_CIPHER_CTX *seal, *open; /* AES-256-GCM with the schedule of the last message key */
    uint64_t serial;             /* 0: no key yet */
};

/* A message key. Lives on the stack for the length of one call. */
struct message_key {
    uint8_t bytes[XAES_KEY_BYTES];
};

static void message_key_wipe(struct message_key *k)
{
    mem_wipe(k, sizeof *k);
}

static ks_rc ctx_setup(struct xaes_ctx *c)
{
    c->ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    c->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    ENSURE(c->ecb && c->gcm, KS_E_BUG, "OpenSSL has no AES-256");
    c->derive = EVP_CIPHER_CTX_new();
    c->seal = EVP_CIPHER_CTX_new();
    c->open = EVP_CIPHER_CTX_new();
    ENSURE(c->derive && c->seal && c->open, KS_E_NO_MEMORY, "no memory for a cipher context");
    ENSURE(EVP_EncryptInit_ex2(c->derive, c->ecb, NULL, NULL, NULL) == 1 &&
               EVP_CIPHER_CTX_set_padding(c->derive, 0) == 1 &&
               EVP_EncryptInit_ex2(c->seal, c->gcm, NULL, NULL, NULL) == 1 &&
               EVP_DecryptInit_ex2(c->open, c->gcm, NULL, NULL, NULL) == 1,
           KS_E_BUG, "OpenSSL cannot set up AES-256");
    return KS_SUCCESS;
}

ks_rc xaes_ctx_new(struct xaes_ctx **ret)
{
    CLEANUP(xaes_ctx_freep) struct xaes_ctx *c = NULL;

    TRY(mem_new(1, sizeof *c, &c));
    TRY(ctx_setup(c));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

void xaes_ctx_free(struct xaes_ctx *c)
{
    if (!c)
        return;
    /* The providers clear their contexts, key schedules and all, before they free them. */
    EVP_CIPHER_CTX_free(c->derive);
    EVP_CIPHER_CTX_free(c->seal);
    EVP_CIPHER_CTX_free(c->open);
    EVP_CIPHER_free(c->ecb);
    EVP_CIPHER_free(c->gcm);
    mem_free(c);
}

void xaes_ctx_freep(struct xaes_ctx **c)
{
    xaes_ctx_free(*c);
}

/* Sets up the schedule of key. A failure leaves a context that fits no key. */
static ks_rc load_key(struct xaes_ctx *c, const uint8_t *key, uint64_t serial)
{
    if (c->serial == serial)
        return KS_SUCCESS;
    c->serial = 0;
    ENSURE(EVP_EncryptInit_ex2(c->derive, NULL, key, NULL, NULL) == 1, KS_E_BUG,
           "OpenSSL cannot set up an AES key");
    c->serial = serial;
    return KS_SUCCESS;
}

static ks_rc encrypt_blocks(struct xaes_ctx *c, const uint8_t *in, uint8_t *out, int bytes)
{
    int n = 0;

    ENSURE(EVP_EncryptUpdate(c->derive, out, &n, in, bytes) == 1 && n == bytes, KS_E_BUG,
           "OpenSSL cannot encrypt a block");
    return KS_SUCCESS;
}

/* The CMAC subkey: a block of bits times x in GF(2^128), without a branch on secret bits. */
static void double_block(const uint8_t in[AES_BLOCK], uint8_t out[AES_BLOCK])
{
    uint8_t carry = in[0] >> 7;

    for (int i = 0; i < AES_BLOCK - 1; i++)
        out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
    out[AES_BLOCK - 1] = (uint8_t)(in[AES_BLOCK - 1] << 1 ^ (0x87 & -carry));
}

ks_rc xaes_key_init(struct xaes_key *key, struct xaes_ctx *c, struct view bytes)
{
    static atomic_uint_fast64_t serials;
    static const uint8_t zeros[AES_BLOCK];
    uint64_t serial = atomic_fetch_add(&serials, 1) + 1;
    uint8_t l[AES_BLOCK];

    ENSURE(bytes.len == XAES_KEY_BYTES, KS_E_BUG, "an AES key of %zu bytes", bytes.len);
    TRY(load_key(c, bytes.bytes, serial));
    TRY(encrypt_blocks(c, zeros, l, sizeof l));
    memcpy(key->key, bytes.bytes, sizeof key->key);
    double_block(l, key->k1);
    key->serial = serial;
    mem_wipe(l, sizeof l);
    return KS_SUCCESS;
}

/* Both derivation blocks (counter 1 and 2, label 'X', half of the nonce) go through AES at once. */
static ks_rc derive(struct xaes_ctx *c, const struct xaes_key *key, const uint8_t *nonce,
                    struct message_key *ret)
{
    uint8_t m[2 * AES_BLOCK] = {[1] = 1, [2] = 'X', [17] = 2, [18] = 'X'};

    memcpy(m + 4, nonce, HALF_NONCE);
    memcpy(m + 20, nonce, HALF_NONCE);
    for (int i = 0; i < AES_BLOCK; i++) {
        m[i] ^= key->k1[i];
        m[AES_BLOCK + i] ^= key->k1[i];
    }
    TRY(load_key(c, key->key, key->serial));
    ks_rc rc = encrypt_blocks(c, m, ret->bytes, sizeof m);
    mem_wipe(m, sizeof m);
    return rc;
}

/* EVP counts in int. */
static ks_rc check_lengths(struct view aad, struct view data)
{
    ENSURE(aad.len <= INT_MAX && data.len <= INT_MAX, KS_E_LIMIT, "a message of %zu bytes",
           data.len);
    return KS_SUCCESS;
}

ks_rc xaes_seal(struct xaes_ctx *c, const struct xaes_key *key,
                const uint8_t nonce[XAES_NONCE_BYTES], struct view aad, struct view pt,
                uint8_t *ret_ct, uint8_t ret_tag[XAES_TAG_BYTES])
{
    CLEANUP(message_key_wipe) struct message_key k = {{0}};
    EVP_CIPHER_CTX *x = c->seal;
    uint8_t none[AES_BLOCK];
    int n = 0;

    TRY(check_lengths(aad, pt));
    TRY(derive(c, key, nonce, &k));
    bool is_done = EVP_EncryptInit_ex2(x, NULL, k.bytes, nonce + HALF_NONCE, NULL) == 1 &&
                   (!aad.len || EVP_EncryptUpdate(x, NULL, &n, aad.bytes, (int)aad.len) == 1) &&
                   (!pt.len || EVP_EncryptUpdate(x, ret_ct, &n, pt.bytes, (int)pt.len) == 1) &&
                   EVP_EncryptFinal_ex(x, none, &n) == 1 &&
                   EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, XAES_TAG_BYTES, ret_tag) == 1;
    ENSURE(is_done, KS_E_BUG, "OpenSSL cannot seal %zu bytes", pt.len);
    return KS_SUCCESS;
}

static ks_rc open_unchecked(struct xaes_ctx *c, const struct xaes_key *key, const uint8_t *nonce,
                            struct view aad, struct view ct, const uint8_t *tag, uint8_t *ret_pt)
{
    CLEANUP(message_key_wipe) struct message_key k = {{0}};
    EVP_CIPHER_CTX *x = c->open;
    uint8_t wanted[XAES_TAG_BYTES], none[AES_BLOCK];
    int n = 0;

    TRY(check_lengths(aad, ct));
    TRY(derive(c, key, nonce, &k));
    memcpy(wanted, tag, sizeof wanted); /* the call below takes no const pointer */
    bool is_read = EVP_DecryptInit_ex2(x, NULL, k.bytes, nonce + HALF_NONCE, NULL) == 1 &&
                   (!aad.len || EVP_DecryptUpdate(x, NULL, &n, aad.bytes, (int)aad.len) == 1) &&
                   (!ct.len || EVP_DecryptUpdate(x, ret_pt, &n, ct.bytes, (int)ct.len) == 1) &&
                   EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, XAES_TAG_BYTES, wanted) == 1;
    ENSURE(is_read, KS_E_BUG, "OpenSSL cannot open %zu bytes", ct.len);
    ENSURE(EVP_DecryptFinal_ex(x, none, &n) == 1, KS_E_AUTH,
           "%zu bytes fail authentication: damaged or tampered with", ct.len);
    return KS_SUCCESS;
}

ks_rc xaes_open(struct xaes_ctx *c, const struct xaes_key *key,
                const uint8_t nonce[XAES_NONCE_BYTES], struct view aad, struct view ct,
                const uint8_t tag[XAES_TAG_BYTES], uint8_t *ret_pt)
{
    ks_rc rc = open_unchecked(c, key, nonce, aad, ct, tag, ret_pt);

    if (!ks_ok(rc) && ct.len)
        mem_wipe(ret_pt, ct.len);
    return rc;
}
