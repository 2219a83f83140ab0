/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/kwp.c - AES key wrap with padding (RFC 5649) on OpenSSL's EVP: the second half of imports (crypto/rsa.h).
 *
 * Owns nothing between calls. Unwrapped bytes exist in guarded memory only.
 */
#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto/rsa.h"

enum { PLAIN_MAX = 64 * 1024, HALF_BLOCK = 8, BLOCK = 16 };

static void cipher_ctx_freep(EVP_CIPHER_CTX **p)
{
    EVP_CIPHER_CTX_free(*p);
}

static void cipher_freep(EVP_CIPHER **p)
{
    EVP_CIPHER_free(*p);
}

static const char *cipher_name(size_t kek_bytes)
{
    if (kek_bytes == 16)
        return "AES-128-WRAP-PAD";
    return kek_bytes == 24 ? "AES-192-WRAP-PAD" : "AES-256-WRAP-PAD";
}

static ks_rc setup(struct view kek, bool is_wrap, EVP_CIPHER_CTX **ret)
{
    CLEANUP(cipher_freep) EVP_CIPHER *cipher = NULL;
    CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

    ENSURE(kek.len == 16 || kek.len == 24 || kek.len == 32, KS_E_USAGE,
           "an AES key of %zu bytes; 16, 24 and 32 are possible", kek.len);
    ENSURE(c, KS_E_NO_MEMORY, "no memory for a cipher context");
    cipher = EVP_CIPHER_fetch(NULL, cipher_name(kek.len), NULL);
    ENSURE(cipher, KS_E_BUG, "OpenSSL has no AES key wrap with padding");
    EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    ENSURE(EVP_CipherInit_ex2(c, cipher, kek.bytes, NULL, is_wrap, NULL) == 1, KS_E_BUG,
           "OpenSSL cannot set up the AES key wrap");
    *ret = TAKE(c);
    return KS_SUCCESS;
}

ks_rc kwp_wrap(struct view kek, struct view plain, struct buf *ret)
{
    CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = NULL;
    size_t before = ret->len;
    int len = 0;
    uint8_t *out;

    ENSURE(plain.len > 0 && plain.len <= PLAIN_MAX, KS_E_LIMIT,
           "%zu bytes to wrap; 1 to %d are possible", plain.len, PLAIN_MAX);
    TRY(setup(kek, true, &c));
    TRY(buf_extend(ret, (plain.len + HALF_BLOCK - 1) / HALF_BLOCK * HALF_BLOCK + HALF_BLOCK, &out));
    if (EVP_CipherUpdate(c, out, &len, plain.bytes, (int)plain.len) == 1 &&
        (size_t)len == ret->len - before)
        return KS_SUCCESS;
    ret->len = before;
    return ks_fail(KS_E_BUG, "OpenSSL cannot wrap a key");
}

ks_rc kwp_unwrap(struct view kek, struct view wrapped, struct secret **ret)
{
    CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = NULL;
    CLEANUP(secret_freep) struct secret *room = NULL;
    int len = 0;

    ENSURE(wrapped.len >= BLOCK && wrapped.len % HALF_BLOCK == 0 &&
               wrapped.len <= PLAIN_MAX + HALF_BLOCK,
           KS_E_AUTH, "%zu bytes are no wrapped key", wrapped.len);
    TRY(setup(kek, false, &c));
    TRY(secret_new(wrapped.len, &room));
    bool is_open =
        EVP_CipherUpdate(c, secret_bytes(room), &len, wrapped.bytes, (int)wrapped.len) == 1;
    ERR_clear_error();
    ENSURE(is_open && len > 0, KS_E_AUTH, "the wrapped bytes were not made under this key");
    return secret_copy(view_of(secret_bytes(room), (size_t)len), ret);
}
