/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/certificate_read.c - certificates from outside: what stands in them, and whether an authority gave them out.
 *
 * Any certificate can be read, one of an operator's own authority too. What is not ours to accept is AUTH.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "crypto/certificate_int.h"

static const char PEM_BEGIN[] = "-----BEGIN ";

static void store_freep(X509_STORE **p)
{
    X509_STORE_free(*p);
}

static void store_ctx_freep(X509_STORE_CTX **p)
{
    X509_STORE_CTX_free(*p);
}

static X509 *parse_pem(struct view text)
{
    CLEANUP(certificate_bio_freep) BIO *bio = BIO_new_mem_buf(text.bytes, (int)text.len);

    return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

static X509 *parse_der(struct view text)
{
    CLEANUP(certificate_x509_freep) X509 *x = NULL;
    const unsigned char *at = text.bytes;

    x = d2i_X509(NULL, &at, (long)text.len);
    return x && at == text.bytes + text.len ? TAKE(x) : NULL;
}

ks_rc certificate_parse(struct view text, X509 **ret)
{
    ENSURE(text.len > 0 && text.len <= CERTIFICATE_TEXT_MAX, KS_E_FORMAT,
           "a certificate of %zu bytes", text.len);
    X509 *x = memmem(text.bytes, text.len, PEM_BEGIN, sizeof PEM_BEGIN - 1) ? parse_pem(text)
                                                                            : parse_der(text);
    ERR_clear_error();
    ENSURE(x, KS_E_FORMAT, "no certificate in PEM or DER");
    *ret = x;
    return KS_SUCCESS;
}

/* The last one, which is the most specific; "" when there is none. */
static ks_rc read_name(const X509 *x, char *room, size_t room_bytes)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    int last = -1;
    unsigned char *text = NULL;

    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        last = at;
    room[0] = 0;
    if (last < 0)
        return KS_SUCCESS;
    int len =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
    ERR_clear_error();
    bool is_good = len >= 0 && (size_t)len < room_bytes && !memchr(text, 0, (size_t)len);
    if (is_good) {
        memcpy(room, text, (size_t)len);
        room[len] = 0;
    }
    OPENSSL_free(text);
    ENSURE(is_good, KS_E_FORMAT, "the common name of a certificate is no text");
    return KS_SUCCESS;
}

static ks_rc read_time(const ASN1_TIME *time, int64_t *ret)
{
    struct tm tm;

    bool is_read = time && ASN1_TIME_to_tm(time, &tm) == 1;
    ERR_clear_error();
    ENSURE(is_read, KS_E_FORMAT, "a time in a certificate cannot be read");
    *ret = timegm(&tm);
    return KS_SUCCESS;
}

static ks_rc read_fingerprint(const X509 *x, char room[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    ENSURE(X509_digest(x, EVP_sha256(), hash, &len) == 1 && len == 32, KS_E_NO_MEMORY,
           "no memory for a certificate");
    for (unsigned i = 0; i < len; i++) {
        room[2 * i] = digits[hash[i] >> 4];
        room[2 * i + 1] = digits[hash[i] & 15];
    }
    room[64] = 0;
    return KS_SUCCESS;
}

ks_rc certificate_read(struct view text, struct certificate_facts *ret)
{
    CLEANUP(certificate_x509_freep) X509 *x = NULL;
    struct certificate_facts facts;

    TRY(certificate_parse(text, &x));
    TRY(read_name(x, facts.name, sizeof facts.name));
    TRY(read_fingerprint(x, facts.fingerprint));
    TRY(read_time(X509_get0_notBefore(x), &facts.not_before));
    TRY(read_time(X509_get0_notAfter(x), &facts.not_after));
    *ret = facts;
    return KS_SUCCESS;
}

/* OpenSSL lets a certificate without purposes serve for all of them. */
static bool has_purpose(X509 *x, enum certificate_use use)
{
    uint32_t purposes = X509_get_extended_key_usage(x);

    if (purposes == UINT32_MAX)
        return false;
    return (purposes & (use == CERTIFICATE_SERVER ? XKU_SSL_SERVER : XKU_SSL_CLIENT)) != 0;
}

static void set_terms(X509_STORE_CTX *c, enum certificate_use use, int64_t now)
{
    X509_VERIFY_PARAM *terms = X509_STORE_CTX_get0_param(c);

    X509_VERIFY_PARAM_set_purpose(terms, use == CERTIFICATE_SERVER ? X509_PURPOSE_SSL_SERVER
                                                                   : X509_PURPOSE_SSL_CLIENT);
    X509_VERIFY_PARAM_set_flags(terms, X509_V_FLAG_X509_STRICT);
    if (now == 0)
        X509_VERIFY_PARAM_set_flags(terms, X509_V_FLAG_NO_CHECK_TIME);
    else
        X509_VERIFY_PARAM_set_time(terms, now);
}

ks_rc certificate_is_issued_by(struct view certificate, struct view authority,
                               enum certificate_use use, int64_t now)
{
    CLEANUP(certificate_x509_freep) X509 *x = NULL, *root = NULL;
    CLEANUP(store_freep) X509_STORE *store = X509_STORE_new();
    CLEANUP(store_ctx_freep) X509_STORE_CTX *c = X509_STORE_CTX_new();

    ENSURE(store && c, KS_E_NO_MEMORY, "no memory for a certificate");
    TRY(certificate_parse(certificate, &x));
    TRY(certificate_parse(authority, &root));
    ENSURE(has_purpose(x, use), KS_E_AUTH, "the certificate is not for a %s",
           use == CERTIFICATE_SERVER ? "server" : "client");
    ENSURE(X509_STORE_add_cert(store, root) == 1 && X509_STORE_CTX_init(c, store, x, NULL) == 1,
           KS_E_NO_MEMORY, "no memory for a certificate");
    set_terms(c, use, now);
    bool is_good = X509_verify_cert(c) == 1;
    const char *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(c));
    ERR_clear_error();
    ENSURE(is_good, KS_E_AUTH, "the certificate does not hold: %s", why);
    return KS_SUCCESS;
}
