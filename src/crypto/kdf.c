/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/kdf.c - HKDF-SHA-256, HMAC-SHA-256 and SHA-256 on OpenSSL's EVP.
 *
 * Keeps the fetched algorithms for the life of the process, because a fetch costs more than a
 * derivation; keeps no key.
 */
#include "crypto/kdf.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <pthread.h>

enum { HKDF_MAX = 255 * KDF_HASH_BYTES };

static EVP_KDF *hkdf;
static EVP_MD *sha256;

static void fetch(void)
{
    hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static ks_rc algorithms(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fetch);
    ENSURE(hkdf && sha256, KS_E_BUG, "OpenSSL has no HKDF or no SHA-256");
    return KS_SUCCESS;
}

static void kdf_ctx_freep(EVP_KDF_CTX **c)
{
    EVP_KDF_CTX_free(*c);
}

/* OSSL_PARAM carries inputs and outputs in the same non-const pointer; inputs are only read. */
static OSSL_PARAM input(const char *name, struct view v)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } p = {v.bytes};

    return OSSL_PARAM_construct_octet_string(name, p.out, v.len);
}

ks_rc kdf_derive(struct view key, struct view salt, struct view info, uint8_t *ret, size_t len)
{
    CLEANUP(kdf_ctx_freep) EVP_KDF_CTX *c = NULL;
    char digest[] = "SHA256";
    OSSL_PARAM params[5];
    size_t n = 0;

    ENSURE(key.len > 0 && len > 0 && len <= HKDF_MAX, KS_E_BUG,
           "HKDF of a key of %zu bytes for %zu bytes", key.len, len);
    TRY(algorithms());
    c = EVP_KDF_CTX_new(hkdf);
    ENSURE(c, KS_E_NO_MEMORY, "no memory for a key derivation");
    params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    params[n++] = input(OSSL_KDF_PARAM_KEY, key);
    if (salt.len)
        params[n++] = input(OSSL_KDF_PARAM_SALT, salt);
    if (info.len)
        params[n++] = input(OSSL_KDF_PARAM_INFO, info);
    params[n] = OSSL_PARAM_construct_end();
    ENSURE(EVP_KDF_derive(c, ret, len, params) == 1, KS_E_BUG, "OpenSSL cannot derive a key");
    return KS_SUCCESS;
}

ks_rc kdf_mac(struct view key, struct view data, uint8_t ret[KDF_HASH_BYTES])
{
    unsigned n = 0;

    ENSURE(key.len <= INT_MAX, KS_E_BUG, "a MAC key of %zu bytes", key.len);
    TRY(algorithms());
    ENSURE(HMAC(sha256, key.bytes, (int)key.len, data.bytes, data.len, ret, &n) &&
               n == KDF_HASH_BYTES,
           KS_E_BUG, "OpenSSL cannot compute a MAC");
    return KS_SUCCESS;
}

ks_rc kdf_hash(struct view data, uint8_t ret[KDF_HASH_BYTES])
{
    unsigned n = 0;

    TRY(algorithms());
    ENSURE(EVP_Digest(data.bytes, data.len, ret, &n, sha256, NULL) == 1 && n == KDF_HASH_BYTES,
           KS_E_BUG, "OpenSSL cannot compute a digest");
    return KS_SUCCESS;
}
