/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/key_pair.c - P-256 key pairs, their signatures, and requests for certificates (RFC 2986).
 *
 * Owns the key objects. A private key leaves only as PEM into a wiping buffer.
 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "crypto/certificate_int.h"

enum { SIGNATURE_MAX = 128 };

static void pkey_freep(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

static void md_ctx_freep(EVP_MD_CTX **p)
{
    EVP_MD_CTX_free(*p);
}

/* Takes *pkey, also when it fails. */
static ks_rc adopt(EVP_PKEY **pkey, struct key_pair **ret)
{
    CLEANUP(pkey_freep) EVP_PKEY *mine = TAKE(*pkey);
    struct key_pair *k;

    TRY(mem_new(1, sizeof *k, &k));
    k->pkey = TAKE(mine);
    *ret = k;
    return KS_SUCCESS;
}

ks_rc key_pair_new(struct key_pair **ret)
{
    CLEANUP(pkey_freep) EVP_PKEY *pkey = EVP_EC_gen("P-256");

    ENSURE(pkey, KS_E_NO_MEMORY, "OpenSSL cannot make a P-256 key");
    return adopt(&pkey, ret);
}

bool certificate_is_p256(const EVP_PKEY *pkey)
{
    char group[32] = "";
    int is_explicit = 0;

    bool is = pkey && EVP_PKEY_is_a(pkey, "EC") &&
              EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 &&
              strcmp(group, "prime256v1") == 0 &&
              EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                     &is_explicit) == 1;
    ERR_clear_error();
    return is && !is_explicit;
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

ks_rc key_pair_read(struct view pem, struct key_pair **ret)
{
    CLEANUP(certificate_bio_freep) BIO *bio = NULL;
    CLEANUP(pkey_freep) EVP_PKEY *pkey = NULL;

    ENSURE(pem.len > 0 && pem.len <= CERTIFICATE_TEXT_MAX, KS_E_FORMAT, "a key in PEM of %zu bytes",
           pem.len);
    bio = BIO_new_mem_buf(pem.bytes, (int)pem.len);
    ENSURE(bio, KS_E_NO_MEMORY, "no memory for a key");
    pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    ERR_clear_error();
    ENSURE(certificate_is_p256(pkey), KS_E_FORMAT, "no unencrypted P-256 private key in PEM");
    return adopt(&pkey, ret);
}

ks_rc certificate_append(BIO *bio, int is_written, struct buf *ret)
{
    char *bytes = NULL;

    ERR_clear_error();
    ENSURE(is_written == 1, KS_E_NO_MEMORY, "OpenSSL cannot write PEM");
    long len = BIO_get_mem_data(bio, &bytes);
    ENSURE(len > 0, KS_E_BUG, "OpenSSL wrote nothing");
    return buf_append(ret, view_of(bytes, (size_t)len));
}

ks_rc key_pair_write(const struct key_pair *k, struct buf *ret)
{
    /* What it holds is wiped when it grows and when it is freed. */
    CLEANUP(certificate_bio_freep) BIO *bio = BIO_new(BIO_s_mem());

    ENSURE(ret->is_wiping, KS_E_BUG, "a private key into a buffer that is not wiped");
    ENSURE(bio, KS_E_NO_MEMORY, "no memory for a key");
    return certificate_append(
        bio, PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL), ret);
}

void key_pair_free(struct key_pair *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    mem_free(k);
}

void key_pair_freep(struct key_pair **k)
{
    key_pair_free(*k);
}

ks_rc key_pair_sign(const struct key_pair *k, struct view data, struct buf *ret)
{
    CLEANUP(md_ctx_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();
    uint8_t out[SIGNATURE_MAX];
    size_t len = sizeof out;

    ENSURE(c, KS_E_NO_MEMORY, "no memory for a signature");
    ENSURE(EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, k->pkey, NULL) == 1 &&
               EVP_DigestSign(c, out, &len, data.bytes, data.len) == 1,
           KS_E_BUG, "OpenSSL cannot sign");
    return buf_append(ret, view_of(out, len));
}

ks_rc certificate_verify(struct view certificate, struct view data, struct view signature)
{
    CLEANUP(certificate_x509_freep) X509 *x = NULL;
    CLEANUP(md_ctx_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();

    ENSURE(c, KS_E_NO_MEMORY, "no memory for a signature");
    TRY(certificate_parse(certificate, &x));
    EVP_PKEY *pkey = X509_get0_pubkey(x);
    ENSURE(certificate_is_p256(pkey), KS_E_AUTH, "the certificate is not for a P-256 key");
    ENSURE(EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, pkey, NULL) == 1, KS_E_BUG,
           "OpenSSL cannot verify");
    bool is_right = EVP_DigestVerify(c, signature.bytes, signature.len, data.bytes, data.len) == 1;
    ERR_clear_error();
    ENSURE(is_right, KS_E_AUTH, "the signature was not made by the certificate's key over this");
    return KS_SUCCESS;
}

ks_rc certificate_name_add(X509_NAME *name, const char *text)
{
    size_t len = strlen(text);

    ENSURE(len > 0 && len <= 64, KS_E_USAGE, "a common name has 1 to 64 bytes, not %zu", len);
    for (const char *at = text; *at; at++)
        ENSURE((unsigned char)*at >= 0x20 && *at != 0x7f, KS_E_USAGE,
               "a common name has no control characters");
    bool is_added = X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                               (const unsigned char *)text, (int)len, -1, 0) == 1;
    ERR_clear_error();
    ENSURE(is_added, KS_E_USAGE, "a common name is UTF-8");
    return KS_SUCCESS;
}

ks_rc certificate_request_make(const struct key_pair *k, const char *name, struct buf *ret)
{
    CLEANUP(certificate_req_freep) X509_REQ *req = X509_REQ_new();
    CLEANUP(certificate_bio_freep) BIO *bio = BIO_new(BIO_s_mem());

    ENSURE(req && bio, KS_E_NO_MEMORY, "no memory for a request");
    TRY(certificate_name_add(X509_REQ_get_subject_name(req), name));
    ENSURE(X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
               X509_REQ_set_pubkey(req, k->pkey) == 1 &&
               X509_REQ_sign(req, k->pkey, EVP_sha256()) > 0,
           KS_E_NO_MEMORY, "OpenSSL cannot make a request");
    return certificate_append(bio, PEM_write_bio_X509_REQ(bio, req), ret);
}
