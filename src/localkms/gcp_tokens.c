/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_tokens.c - who asks: access tokens, assertions that service accounts signed, and how one becomes the other.
 *
 * An access token is a record of itself with a MAC: nothing is stored, it survives a restart and dies with its account
 * (the account's unique id is in it). Assertions (RFC 7523) and self-signed tokens are verified against the public keys of
 * the account.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"
#include "localkms/audit.h"
#include "localkms/gcp_call.h"

enum {
    TOKEN_MAX = 8192,
    CLAIMS_MAX = 4096,
    DEPTH_MAX = 6,
    LIFETIME_S = 3600,
    SLACK_S = 300, /* how far the clocks of clients may be off */
    DELEGATES_MAX = 4,
};

static const char TOKEN_PREFIX[] = "ya29.", BEARER[] = "Bearer ";
static const char MEMBER[] = "serviceAccount:", RESOURCE[] = "projects/-/serviceAccounts/";

/* The node of an account that may act, or NULL. */
static const struct goog_node *live_account(struct realm *r, const char *email)
{
    char name[GOOG_NAME_BYTES];
    const struct goog_node *n = goog_account_name(email, name) ? goog_find(r, name) : NULL;

    return n && !json_is_true(json_object_get(n->doc, "disabled")) ? n : NULL;
}

/* --- access tokens --- */

ks_rc goog_make_token(struct realm *r, const char *email, int64_t lifetime_s, struct buf *ret)
{
    CLEANUP(buf_done) struct buf record = buf_init(CLAIMS_MAX);
    const struct goog_node *account = live_account(r, email);
    uint8_t mac[HASH_BYTES];

    ENSURE(account, KS_E_NOT_FOUND, "there is no service account %.200s", email);
    TRY(buf_printf(&record, "%lld %s %s", (long long)(realm_now_s(r) + lifetime_s),
                   goog_text(account, "uniqueId"), email));
    TRY(hash_hmac(goog_token_key(r), buf_view(&record), mac));
    TRY(buf_append(&record, view_of(mac, sizeof mac)));
    TRY(buf_append(ret, view_text(TOKEN_PREFIX)));
    return base64_write(buf_view(&record), BASE64_URL, ret);
}

/* The MAC stands behind the text; a right one is cut off. */
static bool check_mac(struct realm *r, struct buf *record)
{
    uint8_t mac[HASH_BYTES];

    if (record->len <= HASH_BYTES)
        return false;
    record->len -= HASH_BYTES;
    uint8_t *given = record->bytes + record->len;
    if (!ks_ok(hash_hmac(goog_token_key(r), buf_view(record), mac)) ||
        !secret_is_equal(view_of(mac, sizeof mac), view_of(given, sizeof mac)))
        return false;
    given[0] = 0;
    return true;
}

static bool open_token(struct goog_call *c, const char *token)
{
    CLEANUP(buf_done) struct buf record = buf_init(CLAIMS_MAX);
    char id[32], email[GOOG_EMAIL_BYTES], *rest;

    if (!ks_ok(base64_read(view_text(token + strlen(TOKEN_PREFIX)), BASE64_URL, &record)) ||
        !check_mac(c->realm, &record))
        return false;
    long long end_s = strtoll(buf_text(&record), &rest, 10);
    if (sscanf(rest, " %31s %127s", id, email) != 2 || c->now_s >= end_s)
        return false;
    const struct goog_node *account = live_account(c->realm, email);
    if (!account || strcmp(goog_text(account, "uniqueId"), id) != 0)
        return false;
    snprintf(c->caller, sizeof c->caller, "%s%s", MEMBER, email);
    return true;
}

/* --- assertions --- */

struct jwt {
    struct view signed_part;
    struct buf signature;
    json_t *header, *claims;
};

static void jwt_done(struct jwt *j)
{
    buf_done(&j->signature);
    json_decref(j->header);
    json_decref(j->claims);
}

static ks_rc read_part(const char *from, const char *to, json_t **ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(CLAIMS_MAX);

    TRY(base64_read(view_of(from, (size_t)(to - from)), BASE64_URL, &text));
    TRY(json_read(buf_view(&text), (struct json_limits){CLAIMS_MAX, DEPTH_MAX}, "JWT", ret));
    ENSURE(json_is_object(*ret), KS_E_USAGE, "a part of the JWT is no object");
    return KS_SUCCESS;
}

static ks_rc jwt_read(const char *text, struct jwt *ret)
{
    const char *first = strchr(text, '.'), *second = first ? strchr(first + 1, '.') : NULL;

    ENSURE(second && strlen(text) < TOKEN_MAX, KS_E_USAGE, "no JWT");
    ret->signed_part = view_of(text, (size_t)(second - text));
    ret->signature = buf_init(1024);
    TRY(read_part(text, first, &ret->header));
    TRY(read_part(first + 1, second, &ret->claims));
    return base64_read(view_text(second + 1), BASE64_URL, &ret->signature);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static ks_rc check_signature(struct realm *r, const struct jwt *j, const char *email)
{
    CLEANUP(rsa_freep) struct rsa *key = NULL;
    const char *kid = text_of(j->header, "kid");
    char name[GOOG_NAME_BYTES], key_name[2 * GOOG_NAME_BYTES];

    ENSURE(strcmp(text_of(j->header, "alg"), "RS256") == 0, KS_E_AUTH,
           "the algorithm is not RS256");
    ENSURE(goog_account_name(email, name) && live_account(r, email), KS_E_NOT_FOUND,
           "there is no such account");
    snprintf(key_name, sizeof key_name, "%s/keys/%s", name, kid);
    const struct goog_node *n = goog_find(r, key_name);
    const char *pem = n ? json_string_value(json_object_get(n->own, "public")) : NULL;
    ENSURE(pem, KS_E_AUTH, "the account has no such key");
    TRY(rsa_from_pem(view_text(pem), &key));
    return rsa_verify_rs256(key, j->signed_part, buf_view(&j->signature));
}

static ks_rc check_times(const struct jwt *j, int64_t now_s)
{
    int64_t iat, exp;

    TRY(json_get_int(j->claims, "iat", 0, INT64_MAX / 2, &iat));
    TRY(json_get_int(j->claims, "exp", 0, INT64_MAX / 2, &exp));
    ENSURE(iat <= now_s + SLACK_S && exp > now_s - SLACK_S && exp - iat <= LIFETIME_S && exp > iat,
           KS_E_USAGE,
           "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
           "timeframe. Check your iat and exp values in the JWT claim.");
    return KS_SUCCESS;
}

/* aud: of Google's own or as the client addressed us. */
static ks_rc check_audience(const struct jwt *j, const struct http_exchange *x,
                            const char *const *googles, const char *path)
{
    const char *aud = text_of(j->claims, "aud");
    char base[GOOG_NAME_BYTES], ours[GOOG_NAME_BYTES + 32];

    for (; *googles; googles++)
        if (strcmp(aud, *googles) == 0)
            return KS_SUCCESS;
    goog_base_url(x, base);
    snprintf(ours, sizeof ours, "%s%s", base, path);
    ENSURE(strcmp(aud, ours) == 0, KS_E_USAGE, "Invalid JWT: Failed audience check.");
    return KS_SUCCESS;
}

static ks_rc check_jwt(struct realm *r, const struct http_exchange *x, const struct jwt *j,
                       bool is_assertion)
{
    static const char *const for_tokens[] = {"https://oauth2.googleapis.com/token",
                                             "https://www.googleapis.com/oauth2/v4/token", NULL};
    static const char *const for_services[] = {"https://cloudkms.googleapis.com/",
                                               "https://iam.googleapis.com/",
                                               "https://iamcredentials.googleapis.com/", NULL};

    TRY(check_signature(r, j, text_of(j->claims, "iss")));
    TRY(check_times(j, realm_now_s(r)));
    /* google-auth leaves the audience out when it sends scopes in the token itself */
    if (!is_assertion && !json_object_get(j->claims, "aud") && json_object_get(j->claims, "scope"))
        return KS_SUCCESS;
    return check_audience(j, x, is_assertion ? for_tokens : for_services,
                          is_assertion ? "/token" : "/");
}

static bool open_self_signed(struct goog_call *c, const char *token)
{
    CLEANUP(jwt_done) struct jwt j = {0};

    if (!ks_ok(jwt_read(token, &j)) || !ks_ok(check_jwt(c->realm, c->x, &j, false)))
        return false;
    snprintf(c->caller, sizeof c->caller, "%s%s", MEMBER, text_of(j.claims, "iss"));
    return true;
}

bool goog_authenticate(struct goog_call *c)
{
    const char *header = http_header(c->x, "authorization");
    bool is_known = false;

    c->caller[0] = 0;
    if (!header || strncmp(header, BEARER, strlen(BEARER)) != 0)
        return goog_fail(c, GOOG_UNAUTHENTICATED,
                         "Request is missing required authentication credential. Expected OAuth "
                         "2 access token, login cookie or other valid authentication credential.");
    const char *token = header + strlen(BEARER);
    if (strncmp(token, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) == 0)
        is_known = strlen(token) < TOKEN_MAX && open_token(c, token);
    else
        is_known = open_self_signed(c, token);
    return is_known ||
           goog_fail(c, GOOG_UNAUTHENTICATED,
                     "Request had invalid authentication credentials. Expected OAuth 2 access "
                     "token, login cookie or other valid authentication credential.");
}

/* --- the token endpoint --- */

static int hex_value(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = strchr(digits, digit >= 'A' && digit <= 'F' ? digit + 32 : digit);

    return digit && at ? (int)(at - digits) : -1;
}

/* The decoded value of a field of a form; false when there is none or it does not fit. */
static bool form_field(struct view form, const char *name, char *room, size_t len)
{
    size_t used = 0, at = 0, width = strlen(name);

    while (at + width < form.len &&
           (memcmp(form.bytes + at, name, width) != 0 || form.bytes[at + width] != '=')) {
        const uint8_t *next = memchr(form.bytes + at, '&', form.len - at);
        at = next ? (size_t)(next - form.bytes) + 1 : form.len;
    }
    for (at += width + 1; at < form.len && form.bytes[at] != '&'; at++) {
        char ch = (char)form.bytes[at];
        if (ch == '%' && at + 2 < form.len) {
            int high = hex_value((char)form.bytes[at + 1]);
            int low = hex_value((char)form.bytes[at + 2]);
            ch = high >= 0 && low >= 0 ? (char)(high * 16 + low) : 0;
            at += 2;
        }
        if (!ch || used + 1 >= len)
            return false;
        room[used++] = ch;
    }
    room[used] = 0;
    return used > 0;
}

static void answer_json(struct http_exchange *x, int status, json_t *value)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(2 * TOKEN_MAX);

    if (value && ks_ok(json_write(value, false, &text)))
        http_answer(x, status, "application/json; charset=utf-8", buf_view(&text));
    else
        http_answer(x, 500, NULL, view_text(""));
    json_decref(value);
}

static ks_rc grant(struct realm *r, struct http_exchange *x, char email[GOOG_EMAIL_BYTES],
                   struct buf *ret)
{
    CLEANUP(jwt_done) struct jwt j = {0};
    char type[80], assertion[TOKEN_MAX];

    ENSURE(form_field(http_body(x), "grant_type", type, sizeof type) &&
               strcmp(type, "urn:ietf:params:oauth:grant-type:jwt-bearer") == 0,
           KS_E_UNSUPPORTED, "Invalid grant_type: only jwt-bearer is supported.");
    ENSURE(form_field(http_body(x), "assertion", assertion, sizeof assertion), KS_E_USAGE,
           "Missing assertion.");
    TRY(jwt_read(assertion, &j));
    snprintf(email, GOOG_EMAIL_BYTES, "%s", text_of(j.claims, "iss"));
    TRY(check_jwt(r, x, &j, true));
    return goog_make_token(r, email, LIFETIME_S, ret);
}

void goog_token_endpoint(struct realm *r, struct http_exchange *x)
{
    CLEANUP(buf_done) struct buf token = buf_init_wiping(TOKEN_MAX);
    char email[GOOG_EMAIL_BYTES] = "";

    realm_read(r);
    ks_rc rc = grant(r, x, email, &token);
    realm_unlock(r);
    struct lk_event event = {.principal = email[0] ? email : NULL,
                             .source = http_peer(x),
                             .operation = "oauth2:token",
                             .outcome = ks_ok(rc) ? "ok" : "invalid_grant"};
    if (!ks_ok(lk_audit_use(r->audit, realm_now_s(r), &event))) {
        http_answer(x, 503, NULL, view_text(""));
        return;
    }
    if (ks_ok(rc))
        answer_json(x, 200,
                    json_pack("{s:s,s:i,s:s}", "access_token", buf_text(&token), "expires_in",
                              LIFETIME_S - 1, "token_type", "Bearer"));
    else
        answer_json(
            x, 400,
            json_pack("{s:s,s:s}", "error",
                      ks_is(rc, KS_E_UNSUPPORTED) ? "unsupported_grant_type" : "invalid_grant",
                      "error_description",
                      rc.cls == KS_CLASS_USAGE ? ks_text(rc) : "Invalid JWT Signature."));
}

/* --- generateAccessToken --- */

/* Each hop must be allowed to act as the next; the first is the caller, the last the account in the name. */
static bool check_hops(struct goog_call *c)
{
    const json_t *delegates = goog_member(c, "delegates"), *value;
    char name[GOOG_NAME_BYTES], saved[sizeof c->caller];
    bool may = true;
    size_t i;

    if (json_array_size(delegates) > DELEGATES_MAX)
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "At most %d delegates.", DELEGATES_MAX);
    memcpy(saved, c->caller, sizeof saved);
    json_array_foreach(delegates, i, value)
    {
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        const char *email =
            strncmp(text, RESOURCE, strlen(RESOURCE)) == 0 ? text + strlen(RESOURCE) : text;
        may = may && goog_account_name(email, name) && live_account(c->realm, email) &&
              goog_may(c, name, "iam.serviceAccounts.getAccessToken");
        snprintf(c->caller, sizeof c->caller, "%s%.127s", MEMBER, email);
    }
    may = may && goog_may(c, c->name.text, "iam.serviceAccounts.getAccessToken");
    memcpy(c->caller, saved, sizeof saved);
    return may || goog_fail(c, GOOG_PERMISSION_DENIED,
                            "Permission 'iam.serviceAccounts.getAccessToken' denied on resource "
                            "(or it may not exist).");
}

/* "3600s"; 0 when it is none that is allowed. */
static int64_t lifetime_of(const char *text)
{
    char *end;
    long long s = strtoll(text, &end, 10);

    return end != text && strcmp(end, "s") == 0 && s > 0 && s <= LIFETIME_S ? s : 0;
}

bool goog_op_generate_token(struct goog_call *c)
{
    CLEANUP(buf_done) struct buf token = buf_init_wiping(TOKEN_MAX);
    const char *wanted = goog_body_text(c, "lifetime");
    int64_t lifetime_s = wanted ? lifetime_of(wanted) : LIFETIME_S;
    const char *email = strrchr(c->name.text, '/') + 1;

    if (!check_hops(c))
        return false;
    if (json_array_size(goog_member(c, "scope")) == 0)
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "Scope required.");
    if (!lifetime_s)
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "The lifetime must be at most %d seconds, as \"3600s\".", LIFETIME_S);
    if (!live_account(c->realm, email))
        return goog_fail(c, GOOG_FAILED_PRECONDITION, "The service account is disabled.");
    if (!goog_fail_rc(c, goog_make_token(c->realm, email, lifetime_s, &token)))
        return false;
    return goog_reply(c, json_pack("{s:s,s:o}", "accessToken", buf_text(&token), "expireTime",
                                   goog_time(c->now_s + lifetime_s)));
}
