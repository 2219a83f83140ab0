/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/rsa.c - RSA on OpenSSL's EVP: keys in and out, OAEP and RS256.
 *
 * Owns the key objects. Private keys leave only into guarded memory. What OpenSSL says about a failed unwrap or
 * signature is dropped: telling one reason from another is what attacks on padding live on.
 */
#include "crypto/rsa.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/mem.h"

enum { BITS_MIN = 2048, BITS_MAX = 8192, TEXT_MAX = 32 * 1024, SIGNATURE_MAX = BITS_MAX / 8 };

struct rsa {
    EVP_PKEY *pkey;
    bool is_private;
};

static void pkey_freep(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

static void pkey_ctx_freep(EVP_PKEY_CTX **p)
{
    EVP_PKEY_CTX_free(*p);
}

static void md_ctx_freep(EVP_MD_CTX **p)
{
    EVP_MD_CTX_free(*p);
}

static void bio_freep(BIO **p)
{
    BIO_free(*p);
}

static void pkcs8_freep(PKCS8_PRIV_KEY_INFO **p)
{
    PKCS8_PRIV_KEY_INFO_free(*p);
}

/* Takes *pkey, also when it fails. */
static ks_rc adopt(EVP_PKEY **pkey, bool is_private, struct rsa **ret)
{
    CLEANUP(pkey_freep) EVP_PKEY *mine = TAKE(*pkey);
    struct rsa *r;

    ENSURE(EVP_PKEY_is_a(mine, "RSA"), KS_E_USAGE, "the key is no RSA key");
    int bits = EVP_PKEY_get_bits(mine);
    ENSURE(bits >= BITS_MIN && bits <= BITS_MAX, KS_E_USAGE,
           "an RSA key of %d bits; %d to %d are possible", bits, BITS_MIN, BITS_MAX);
    TRY(mem_new(1, sizeof *r, &r));
    r->pkey = TAKE(mine);
    r->is_private = is_private;
    *ret = r;
    return KS_SUCCESS;
}

ks_rc rsa_generate(unsigned bits, struct rsa **ret)
{
    CLEANUP(pkey_freep) EVP_PKEY *pkey = NULL;

    ENSURE(bits == 2048 || bits == 3072 || bits == 4096, KS_E_USAGE,
           "an RSA key of %u bits; 2048, 3072 and 4096 are possible", bits);
    pkey = EVP_RSA_gen(bits);
    ENSURE(pkey, KS_E_NO_MEMORY, "OpenSSL cannot make an RSA key");
    return adopt(&pkey, true, ret);
}

/* Without this OpenSSL would ask on the terminal. */
static int no_passphrase(char *room, int len, int is_write, void *arg)
{
    (void)room;
    (void)len;
    (void)is_write;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_pem(struct view pem, bool is_private)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem.bytes, (int)pem.len);
    EVP_PKEY *pkey = NULL;

    if (!bio)
        return NULL;
    if (is_private)
        pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    else
        pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    ERR_clear_error();
    return pkey;
}

ks_rc rsa_from_pem(struct view pem, struct rsa **ret)
{
    CLEANUP(pkey_freep) EVP_PKEY *pkey = NULL;
    bool is_private = true;

    ENSURE(pem.len > 0 && pem.len <= TEXT_MAX, KS_E_USAGE, "a key in PEM of %zu bytes", pem.len);
    pkey = read_pem(pem, true);
    if (!pkey) {
        is_private = false;
        pkey = read_pem(pem, false);
    }
    ENSURE(pkey, KS_E_USAGE,
           "no unencrypted private key (PKCS#8, PKCS#1) or public key (SPKI) in PEM");
    return adopt(&pkey, is_private, ret);
}

ks_rc rsa_from_der(struct view der, struct rsa **ret)
{
    CLEANUP(pkcs8_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
    CLEANUP(pkey_freep) EVP_PKEY *pkey = NULL;
    const unsigned char *at = der.bytes;

    ENSURE(der.len > 0 && der.len <= TEXT_MAX, KS_E_USAGE, "a key in DER of %zu bytes", der.len);
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    if (info && at == der.bytes + der.len)
        pkey = EVP_PKCS82PKEY(info);
    ERR_clear_error();
    ENSURE(pkey, KS_E_USAGE, "no private key in PKCS#8");
    return adopt(&pkey, true, ret);
}

void rsa_free(struct rsa *r)
{
    if (!r)
        return;
    EVP_PKEY_free(r->pkey);
    mem_free(r);
}

void rsa_freep(struct rsa **r)
{
    rsa_free(*r);
}

ks_rc rsa_private_der(const struct rsa *r, struct secret **ret)
{
    CLEANUP(pkcs8_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
    CLEANUP(secret_freep) struct secret *der = NULL;

    ENSURE(r->is_private, KS_E_USAGE, "the key is a public one");
    info = EVP_PKEY2PKCS8(r->pkey);
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : 0;
    ENSURE(len > 0, KS_E_NO_MEMORY, "OpenSSL cannot write an RSA key");
    TRY(secret_new((size_t)len, &der));
    unsigned char *at = secret_bytes(der);
    ENSURE(i2d_PKCS8_PRIV_KEY_INFO(info, &at) == len, KS_E_BUG, "OpenSSL cannot write an RSA key");
    *ret = TAKE(der);
    return KS_SUCCESS;
}

static ks_rc append_bio(BIO *bio, int is_written, struct buf *ret)
{
    char *bytes = NULL;

    ENSURE(is_written == 1, KS_E_NO_MEMORY, "OpenSSL cannot write an RSA key");
    long len = BIO_get_mem_data(bio, &bytes);
    ENSURE(len > 0, KS_E_BUG, "OpenSSL wrote no key");
    return buf_append(ret, view_of(bytes, (size_t)len));
}

ks_rc rsa_public_der(const struct rsa *r, struct buf *ret)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

    ENSURE(bio, KS_E_NO_MEMORY, "no memory for a key");
    return append_bio(bio, i2d_PUBKEY_bio(bio, r->pkey), ret);
}

ks_rc rsa_public_pem(const struct rsa *r, struct buf *ret)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

    ENSURE(bio, KS_E_NO_MEMORY, "no memory for a key");
    return append_bio(bio, PEM_write_bio_PUBKEY(bio, r->pkey), ret);
}

unsigned rsa_bits(const struct rsa *r)
{
    return (unsigned)EVP_PKEY_get_bits(r->pkey);
}

static size_t hash_bytes(enum rsa_hash hash)
{
    return hash == RSA_SHA1 ? 20 : 32;
}

/* The default of both sides is an empty label. */
static ks_rc oaep_setup(EVP_PKEY_CTX *c, enum rsa_hash hash)
{
    const char *name = hash == RSA_SHA1 ? "SHA1" : "SHA256";

    ENSURE(EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_oaep_md_name(c, name, NULL) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md_name(c, name, NULL) == 1,
           KS_E_BUG, "OpenSSL has no OAEP with %s", name);
    return KS_SUCCESS;
}

ks_rc rsa_oaep_wrap(const struct rsa *r, enum rsa_hash hash, struct view plain, struct buf *ret)
{
    CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(r->pkey, NULL);
    uint8_t out[SIGNATURE_MAX];
    size_t len = sizeof out, room = rsa_bits(r) / 8 - 2 * hash_bytes(hash) - 2;

    ENSURE(plain.len <= room, KS_E_LIMIT, "%zu bytes for an RSA key that can wrap %zu", plain.len,
           room);
    ENSURE(c && EVP_PKEY_encrypt_init(c) == 1, KS_E_NO_MEMORY, "no memory for a wrap");
    TRY(oaep_setup(c, hash));
    ENSURE(EVP_PKEY_encrypt(c, out, &len, plain.bytes, plain.len) == 1, KS_E_BUG,
           "OpenSSL cannot wrap with OAEP");
    return buf_append(ret, view_of(out, len));
}

ks_rc rsa_oaep_unwrap(const struct rsa *r, enum rsa_hash hash, struct view wrapped,
                      struct secret **ret)
{
    CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *c = NULL;
    CLEANUP(secret_freep) struct secret *room = NULL;
    size_t len = rsa_bits(r) / 8;

    ENSURE(r->is_private, KS_E_USAGE, "unwrapping needs the private key");
    ENSURE(wrapped.len == len, KS_E_AUTH, "%zu wrapped bytes for an RSA key of %zu", wrapped.len,
           len);
    c = EVP_PKEY_CTX_new(r->pkey, NULL);
    ENSURE(c && EVP_PKEY_decrypt_init(c) == 1, KS_E_NO_MEMORY, "no memory to unwrap");
    TRY(oaep_setup(c, hash));
    TRY(secret_new(len, &room));
    bool is_open = EVP_PKEY_decrypt(c, secret_bytes(room), &len, wrapped.bytes, wrapped.len) == 1;
    ERR_clear_error();
    ENSURE(is_open && len > 0, KS_E_AUTH, "the wrapped bytes were not made for this key");
    return secret_copy(view_of(secret_bytes(room), len), ret);
}

ks_rc rsa_sign_rs256(const struct rsa *r, struct view data, struct buf *ret)
{
    CLEANUP(md_ctx_freep) EVP_MD_CTX *c = NULL;
    uint8_t out[SIGNATURE_MAX];
    size_t len = sizeof out;

    ENSURE(r->is_private, KS_E_USAGE, "signing needs the private key");
    c = EVP_MD_CTX_new();
    ENSURE(c, KS_E_NO_MEMORY, "no memory for a signature");
    ENSURE(EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, r->pkey, NULL) == 1 &&
               EVP_DigestSign(c, out, &len, data.bytes, data.len) == 1,
           KS_E_BUG, "OpenSSL cannot sign");
    return buf_append(ret, view_of(out, len));
}

ks_rc rsa_verify_rs256(const struct rsa *r, struct view data, struct view signature)
{
    CLEANUP(md_ctx_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();

    ENSURE(c, KS_E_NO_MEMORY, "no memory for a signature");
    ENSURE(EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, r->pkey, NULL) == 1, KS_E_BUG,
           "OpenSSL cannot verify");
    bool is_right = EVP_DigestVerify(c, signature.bytes, signature.len, data.bytes, data.len) == 1;
    ERR_clear_error();
    ENSURE(is_right, KS_E_AUTH, "the signature was not made with this key over this text");
    return KS_SUCCESS;
}
