/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_sign.c - Signature Version 4 of AWS, in header lines.
 *
 * The order of things is that of "Create a signed AWS API request" in the IAM user guide: canonical request, text to
 * sign, signing key, signature.
 */
#include "kms/aws_sign.h"

#include <kms_message/kms_message.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/hash.h"

enum { HEX_BYTES = 2 * HASH_BYTES + 1, NAMES_BYTES = 1024 };

#define ALGORITHM "AWS4-HMAC-SHA256"

/* What happens while the library makes the text to sign. */
struct hashing {
    struct view body;
    char names[NAMES_BYTES]; /* of the signed headers; "" when they do not fit */
};

/* The names stand in the last line but one of the canonical request; the last is a hash. */
static void keep_names(struct view canonical, struct hashing *h)
{
    const uint8_t *end = memrchr(canonical.bytes, '\n', canonical.len), *begin = end;

    while (begin && begin > canonical.bytes && begin[-1] != '\n')
        begin--;
    size_t len = (size_t)(end - begin);
    if (!end || len >= sizeof h->names)
        return;
    memcpy(h->names, begin, len);
    h->names[len] = '\0';
}

/* The library hashes two things: the payload, which was kept from it, and its canonical request. */
static bool hash_hook(void *arg, const char *input, size_t len, unsigned char *ret)
{
    struct hashing *h = arg;

    if (len == 0)
        return ks_ok(hash_sha256(h->body, ret));
    keep_names(view_of(input, len), h);
    return ks_ok(hash_sha256(view_of(input, len), ret));
}

/* It is never asked for a signature. */
static bool hmac_hook(void *arg, const char *key, size_t key_len, const char *input, size_t len,
                      unsigned char *ret)
{
    (void)arg, (void)key, (void)key_len, (void)input, (void)len, (void)ret;
    return false;
}

static void request_destroyp(kms_request_t **r)
{
    if (*r)
        kms_request_destroy(*r);
}

static void option_destroyp(kms_request_opt_t **o)
{
    if (*o)
        kms_request_opt_destroy(*o);
}

static void string_freep(char **s)
{
    kms_request_free_string(*s);
}

static bool add_headers(kms_request_t *r, const struct aws_to_sign *request,
                        const struct aws_credentials *credentials)
{
    bool is_good = kms_request_add_header_field(r, "Host", request->host);

    for (size_t i = 0; i < request->header_count; i++)
        is_good = is_good && kms_request_add_header_field(r, request->headers[i].name,
                                                          request->headers[i].value);
    if (credentials->token)
        is_good = is_good && kms_request_add_header_field(r, "X-Amz-Security-Token",
                                                          (char *)secret_bytes(credentials->token));
    return is_good;
}

static ks_rc failed(kms_request_t *r)
{
    const char *why = r ? kms_request_get_error(r) : NULL;

    return ks_fail(KS_E_USAGE, "the request cannot be signed: %s", why ? why : "no memory");
}

static ks_rc make(const struct aws_to_sign *request, const struct aws_credentials *credentials,
                  struct hashing *h, const struct tm *tm, kms_request_t **ret)
{
    CLEANUP(option_destroyp) kms_request_opt_t *option = kms_request_opt_new();
    CLEANUP(request_destroyp) kms_request_t *r = NULL;

    ENSURE(option, KS_E_NO_MEMORY, "no memory for a request");
    kms_request_opt_set_crypto_hooks(option, hash_hook, hmac_hook, h);
    r = kms_request_new(request->method, request->path, option);
    if (!r || !kms_request_set_date(r, tm) || !kms_request_set_region(r, request->region) ||
        !kms_request_set_service(r, request->service) || !add_headers(r, request, credentials))
        return failed(r);
    *ret = TAKE(r);
    return KS_SUCCESS;
}

/* kSecret -> kDate -> kRegion -> kService -> kSigning -> signature; key is overwritten with each step. */
static ks_rc derive(const struct aws_to_sign *request, const struct aws_credentials *credentials,
                    const char *date, const char *text, uint8_t ret[HASH_BYTES])
{
    uint8_t first[4 + AWS_SECRET_KEY_BYTES] = "AWS4", key[HASH_BYTES];
    struct view secret = secret_view(credentials->secret_key);
    struct view steps[] = {view_text(request->region), view_text(request->service),
                           view_text("aws4_request"), view_text(text)};

    memcpy(first + 4, secret.bytes, secret.len); /* bounded by aws_credentials_new */
    ks_rc rc = hash_hmac(view_of(first, 4 + secret.len), view_of(date, 8), key);
    for (size_t i = 0; ks_ok(rc) && i < sizeof steps / sizeof steps[0]; i++)
        rc = hash_hmac(view_of(key, sizeof key), steps[i], key);
    if (ks_ok(rc))
        memcpy(ret, key, sizeof key); /* by now a signature, and public */
    mem_wipe(first, sizeof first);
    mem_wipe(key, sizeof key);
    return rc;
}

static void to_hex(const uint8_t bytes[HASH_BYTES], char out[HEX_BYTES])
{
    for (int i = 0; i < HASH_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static ks_rc write_authorization(const struct aws_to_sign *request,
                                 const struct aws_credentials *credentials, const char *names,
                                 const char *signature, struct aws_signature *out)
{
    int n = snprintf(
        out->authorization, sizeof out->authorization,
        ALGORITHM " Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
        credentials->access_key, out->date, request->region, request->service, names, signature);

    ENSURE(n > 0 && (size_t)n < sizeof out->authorization, KS_E_LIMIT,
           "the request has too many headers to be signed");
    return KS_SUCCESS;
}

ks_rc aws_sign(const struct aws_to_sign *request, const struct aws_credentials *credentials,
               struct aws_signature *ret)
{
    CLEANUP(request_destroyp) kms_request_t *r = NULL;
    CLEANUP(string_freep) char *text = NULL;
    struct hashing hashing = {.body = request->body};
    struct aws_signature out;
    uint8_t signature[HASH_BYTES];
    char hex[HEX_BYTES];
    struct tm tm;
    time_t now = (time_t)request->now_s;

    ENSURE(gmtime_r(&now, &tm) && strftime(out.date, sizeof out.date, "%Y%m%dT%H%M%SZ", &tm),
           KS_E_USAGE, "the date of the request is out of range");
    TRY(make(request, credentials, &hashing, &tm, &r));
    text = kms_request_get_string_to_sign(r);
    if (!text)
        return failed(r);
    ENSURE(hashing.names[0], KS_E_LIMIT, "the request has too many headers to be signed");
    TRY(derive(request, credentials, out.date, text, signature));
    to_hex(signature, hex);
    TRY(write_authorization(request, credentials, hashing.names, hex, &out));
    *ret = out;
    return KS_SUCCESS;
}
