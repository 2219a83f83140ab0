/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/wire_tls.c - a key, a certificate, a context.
 */
#include "wire_tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* assert may be compiled out, the calls in it may not. */
static void must(bool is_true)
{
    if (!is_true)
        abort();
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(e && X509_add_ext(certificate, e, -1));
    X509_EXTENSION_free(e);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *c = X509_new();

    must(c && X509_set_version(c, 2) && ASN1_INTEGER_set(X509_get_serialNumber(c), 1) &&
         X509_gmtime_adj(X509_getm_notBefore(c), -3600) &&
         X509_gmtime_adj(X509_getm_notAfter(c), 3600) && X509_set_pubkey(c, key));
    X509_NAME *name = X509_get_subject_name(c);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
                                    -1, -1, 0) &&
         X509_set_issuer_name(c, name));
    add_extension(c, NID_subject_alt_name, "DNS:localhost");
    add_extension(c, NID_basic_constraints, "CA:TRUE");
    must(X509_sign(c, key, EVP_sha256()) > 0);
    return c;
}

static void write_pem(X509 *certificate, char *ret_pem, size_t room)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *bytes;

    must(out && PEM_write_bio_X509(out, certificate));
    size_t len = (size_t)BIO_get_mem_data(out, &bytes);
    must(len < room);
    memcpy(ret_pem, bytes, len);
    ret_pem[len] = 0;
    BIO_free(out);
}

SSL_CTX *wire_tls_new(char *ret_pem, size_t room)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    must(key && context);
    X509 *certificate = make_certificate(key);
    must(SSL_CTX_use_certificate(context, certificate) == 1 &&
         SSL_CTX_use_PrivateKey(context, key) == 1);
    write_pem(certificate, ret_pem, room);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}
