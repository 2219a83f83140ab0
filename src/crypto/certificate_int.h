/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/certificate_int.h - what key pairs and certificates share: the object of a key, PEM in and out.
 */
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/certificate.h"

enum { CERTIFICATE_TEXT_MAX = 64 * 1024 };

struct key_pair {
    EVP_PKEY *pkey;
};

static inline void certificate_bio_freep(BIO **p)
{
    BIO_free(*p);
}

static inline void certificate_x509_freep(X509 **p)
{
    X509_free(*p);
}

static inline void certificate_req_freep(X509_REQ **p)
{
    X509_REQ_free(*p);
}

/* certificate_is_p256(pkey): a key on the named curve; explicit parameters are another thing. */
bool certificate_is_p256(const EVP_PKEY *pkey);
/* certificate_append(bio, is_written, ret): what OpenSSL wrote, when it says that it did. */
ks_rc certificate_append(BIO *bio, int is_written, struct buf *ret) KS_MUST;
/* certificate_parse(text, ret): PEM (the first of several) or DER. FORMAT. */
ks_rc certificate_parse(struct view text, X509 **ret) KS_MUST;
/* certificate_name_add(name, text): one common name. USAGE for one that is empty, longer than 64 bytes or has control characters. */
ks_rc certificate_name_add(X509_NAME *name, const char *text) KS_MUST;
