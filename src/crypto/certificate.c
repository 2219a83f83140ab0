/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/certificate.c - making certificates: the authority's own, and those that it gives out (RFC 5280).
 *
 * Nothing that a request says of itself is taken over but its key. Serial numbers are random, 127 bits, so two
 * authorities that came from one backup do not repeat each other.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "crypto/certificate_int.h"

enum { SERIAL_BYTES = 16, HOST_MAX = 253, SKEW_SECONDS = 300 };

/* What goes into a certificate beside its key. */
struct plan {
    const X509_NAME *issuer;
    int64_t from, until;
};

static void general_names_freep(GENERAL_NAMES **p)
{
    GENERAL_NAMES_free(*p);
}

static void general_name_freep(GENERAL_NAME **p)
{
    GENERAL_NAME_free(*p);
}

static void bignum_freep(BIGNUM **p)
{
    BN_free(*p);
}

static ks_rc set_serial(X509 *x, struct random *random)
{
    CLEANUP(bignum_freep) BIGNUM *n = NULL;
    uint8_t bytes[SERIAL_BYTES];

    TRY(random_fill(random, bytes, sizeof bytes));
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always of the same length */
    n = BN_bin2bn(bytes, sizeof bytes, NULL);
    ENSURE(n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)), KS_E_NO_MEMORY,
           "no memory for a certificate");
    return KS_SUCCESS;
}

static ks_rc set_times(X509 *x, const struct plan *plan)
{
    ENSURE(plan->from < plan->until, KS_E_USAGE, "a certificate that is never valid");
    ENSURE(ASN1_TIME_set(X509_getm_notBefore(x), plan->from) &&
               ASN1_TIME_set(X509_getm_notAfter(x), plan->until),
           KS_E_USAGE, "a time that a certificate cannot hold");
    return KS_SUCCESS;
}

static ks_rc add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool is_added = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    ERR_clear_error();
    ENSURE(is_added, KS_E_NO_MEMORY, "OpenSSL cannot add to a certificate");
    return KS_SUCCESS;
}

/* Its subject has been set. */
static ks_rc fill(X509 *x, EVP_PKEY *subject_key, const struct plan *plan, struct random *random)
{
    ENSURE(X509_set_version(x, X509_VERSION_3) == 1 && X509_set_pubkey(x, subject_key) == 1 &&
               X509_set_issuer_name(x, plan->issuer) == 1,
           KS_E_NO_MEMORY, "no memory for a certificate");
    TRY(set_serial(x, random));
    return set_times(x, plan);
}

static ks_rc sign_and_write(X509 *x, const struct key_pair *k, struct buf *ret)
{
    CLEANUP(certificate_bio_freep) BIO *bio = BIO_new(BIO_s_mem());

    ENSURE(bio, KS_E_NO_MEMORY, "no memory for a certificate");
    ENSURE(X509_sign(x, k->pkey, EVP_sha256()) > 0, KS_E_BUG, "OpenSSL cannot sign");
    return certificate_append(bio, PEM_write_bio_X509(bio, x), ret);
}

ks_rc certificate_authority_make(const struct key_pair *k, const char *name, int64_t now,
                                 int64_t seconds, struct random *random, struct buf *ret)
{
    CLEANUP(certificate_x509_freep) X509 *x = X509_new();

    ENSURE(x, KS_E_NO_MEMORY, "no memory for a certificate");
    TRY(certificate_name_add(X509_get_subject_name(x), name));
    const struct plan plan = {X509_get_subject_name(x), now - SKEW_SECONDS, now + seconds};
    TRY(fill(x, k->pkey, &plan, random));
    TRY(add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    TRY(add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign"));
    TRY(add_extension(x, x, NID_subject_key_identifier, "hash"));
    return sign_and_write(x, k, ret);
}

/* ---- names of hosts ---- */

static bool is_host_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

    return len > 0 && len <= HOST_MAX && text[len] == 0 && text[0] != '.' && text[0] != '-';
}

/* The octets of an address, or the characters of a name. */
static ks_rc host_value(const char *text, int *ret_type, ASN1_STRING *value)
{
    uint8_t address[16];
    int type = GEN_IPADD, len = 4;

    if (inet_pton(AF_INET, text, address) != 1) {
        len = 16;
        if (inet_pton(AF_INET6, text, address) != 1)
            type = GEN_DNS;
    }
    ENSURE(type == GEN_IPADD || is_host_name(text), KS_E_USAGE,
           "\"%.64s\" is neither a host name nor an address", text);
    int is_set =
        type == GEN_DNS ? ASN1_STRING_set(value, text, -1) : ASN1_STRING_set(value, address, len);
    ENSURE(is_set == 1, KS_E_NO_MEMORY, "no memory for a certificate");
    *ret_type = type;
    return KS_SUCCESS;
}

static ks_rc add_host(GENERAL_NAMES *names, const char *text)
{
    CLEANUP(general_name_freep) GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_OCTET_STRING_new();
    int type = GEN_DNS;

    ks_rc rc = value ? host_value(text, &type, value) : ks_fail(KS_E_NO_MEMORY, "no memory");
    if (!ks_ok(rc) || !name) {
        ASN1_STRING_free(value);
        return ks_ok(rc) ? ks_fail(KS_E_NO_MEMORY, "no memory for a certificate") : rc;
    }
    if (type == GEN_DNS)
        value->type = V_ASN1_IA5STRING;
    GENERAL_NAME_set0_value(name, type, value);
    ENSURE(sk_GENERAL_NAME_push(names, name) > 0, KS_E_NO_MEMORY, "no memory for a certificate");
    name = NULL;
    return KS_SUCCESS;
}

static ks_rc add_hosts(X509 *x, const char *alternates)
{
    CLEANUP(general_names_freep) GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    CLEANUP(mem_freep) char *copy = NULL;
    char *rest, *save = NULL;

    ENSURE(names, KS_E_NO_MEMORY, "no memory for a certificate");
    ENSURE(strlen(alternates) <= CERTIFICATE_TEXT_MAX / 4, KS_E_LIMIT, "too many host names");
    TRY(mem_text(alternates, &copy));
    rest = copy;
    for (char *one = strtok_r(rest, ",", &save); one; one = strtok_r(NULL, ",", &save))
        TRY(add_host(names, one));
    if (sk_GENERAL_NAME_num(names) == 0)
        return KS_SUCCESS;
    ENSURE(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1,
           KS_E_NO_MEMORY, "no memory for a certificate");
    return KS_SUCCESS;
}

/* ---- certificates for requests ---- */

static ks_rc read_request(struct view pem, X509_REQ **ret)
{
    CLEANUP(certificate_bio_freep) BIO *bio = NULL;
    CLEANUP(certificate_req_freep) X509_REQ *req = NULL;

    ENSURE(pem.len > 0 && pem.len <= CERTIFICATE_TEXT_MAX, KS_E_FORMAT, "a request of %zu bytes",
           pem.len);
    bio = BIO_new_mem_buf(pem.bytes, (int)pem.len);
    ENSURE(bio, KS_E_NO_MEMORY, "no memory for a request");
    req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    ERR_clear_error();
    ENSURE(req, KS_E_FORMAT, "no certificate request (PKCS#10) in PEM");
    EVP_PKEY *pkey = X509_REQ_get0_pubkey(req);
    ENSURE(certificate_is_p256(pkey), KS_E_FORMAT, "the request is not for a P-256 key");
    bool is_signed = X509_REQ_verify(req, pkey) == 1;
    ERR_clear_error();
    ENSURE(is_signed, KS_E_FORMAT, "the request is not signed by its own key");
    *ret = TAKE(req);
    return KS_SUCCESS;
}

static ks_rc authority_end(X509 *authority, int64_t *ret)
{
    struct tm tm;

    ENSURE(ASN1_TIME_to_tm(X509_get0_notAfter(authority), &tm) == 1, KS_E_FORMAT,
           "the authority's certificate has no end");
    *ret = timegm(&tm);
    return KS_SUCCESS;
}

static ks_rc add_purpose(X509 *x, X509 *authority, const struct certificate_order *order)
{
    TRY(add_extension(x, authority, NID_basic_constraints, "critical,CA:FALSE"));
    TRY(add_extension(x, authority, NID_key_usage, "critical,digitalSignature"));
    TRY(add_extension(x, authority, NID_ext_key_usage,
                      order->use == CERTIFICATE_SERVER ? "serverAuth" : "clientAuth"));
    TRY(add_extension(x, authority, NID_subject_key_identifier, "hash"));
    TRY(add_extension(x, authority, NID_authority_key_identifier, "keyid:always"));
    return order->alternates ? add_hosts(x, order->alternates) : KS_SUCCESS;
}

ks_rc certificate_issue(const struct key_pair *authority_key, struct view authority_pem,
                        struct view request_pem, const struct certificate_order *order,
                        struct random *random, struct buf *ret)
{
    CLEANUP(certificate_x509_freep) X509 *authority = NULL;
    CLEANUP(certificate_req_freep) X509_REQ *req = NULL;
    CLEANUP(certificate_x509_freep) X509 *x = X509_new();
    int64_t end;

    ENSURE(x, KS_E_NO_MEMORY, "no memory for a certificate");
    TRY(certificate_parse(authority_pem, &authority));
    ENSURE(EVP_PKEY_eq(X509_get0_pubkey(authority), authority_key->pkey) == 1, KS_E_WRONG_KEY,
           "the authority's certificate is not for its key");
    TRY(read_request(request_pem, &req));
    TRY(authority_end(authority, &end));
    struct plan plan = {X509_get_subject_name(authority), order->now - SKEW_SECONDS,
                        order->now + order->seconds};
    if (plan.until > end)
        plan.until = end;
    TRY(certificate_name_add(X509_get_subject_name(x), order->name));
    TRY(fill(x, X509_REQ_get0_pubkey(req), &plan, random));
    TRY(add_purpose(x, authority, order));
    return sign_and_write(x, authority_key, ret);
}
