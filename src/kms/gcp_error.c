/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_error.c - the error table of Google's services.
 *
 * Invariant: DENIED only for an error in Google's own form whose HTTP status goes with it. A 403 of a proxy, a 404
 * of a wrong endpoint and an answer that nobody has described are no answers about a key.
 */
#include "kms/gcp_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { BODY_MAX = 256 * 1024, DEPTH_MAX = 16, DETAILS_MAX = 32, RETRY_S_MAX = 3600 };

#define KEY (1U << GCP_ASKED_KMS)
#define PRINCIPAL (1U << GCP_ASKED_PRINCIPAL)
#define OWN (1U << GCP_ASKED_OWN)
#define ALL (KEY | PRINCIPAL | OWN)

/* The first line that fits decides. part stands in reason, violation or message, in any case. */
static const struct rule {
    unsigned asked;
    int http;                  /* 0: any */
    const char *status, *part; /* NULL: any */
    enum ks_code code;
    const char *advice; /* NULL: none */
} rules[] = {
    {ALL, 429, NULL, NULL, KS_E_THROTTLED, NULL},
    {ALL, 0, "RESOURCE_EXHAUSTED", NULL, KS_E_THROTTLED, NULL},
    {ALL, 403, NULL, "RATE_LIMIT_EXCEEDED", KS_E_THROTTLED, NULL},
    {ALL, 504, NULL, NULL, KS_E_TIMEOUT, NULL},
    {ALL, 408, NULL, NULL, KS_E_TIMEOUT, NULL},
    {ALL, 0, "UNAVAILABLE", NULL, KS_E_UNREACHABLE, NULL},

    {ALL, 403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", KS_E_CREDENTIAL,
     "give the machine the scope https://www.googleapis.com/auth/cloud-platform"},
    {ALL, 401, NULL, NULL, KS_E_CREDENTIAL, NULL},
    {OWN, 400, NULL, "reasonable timeframe", KS_E_CREDENTIAL, "set the clock of this host"},
    {OWN, 400, NULL, NULL, KS_E_CREDENTIAL, NULL},
    {OWN, 403, NULL, NULL, KS_E_CREDENTIAL, NULL},
    {OWN, 404, NULL, NULL, KS_E_CREDENTIAL, NULL},

    {PRINCIPAL, 403, "PERMISSION_DENIED", "SERVICE_DISABLED", KS_E_CREDENTIAL,
     "enable iamcredentials.googleapis.com in the project of our own service account"},
    {PRINCIPAL, 403, "PERMISSION_DENIED", NULL, KS_E_DENIED,
     "our service account needs roles/iam.serviceAccountTokenCreator on it"},
    {PRINCIPAL, 404, "NOT_FOUND", NULL, KS_E_DENIED, "there is no such service account"},
    {PRINCIPAL, 400, "FAILED_PRECONDITION", NULL, KS_E_DENIED, NULL},
    {PRINCIPAL, 400, "INVALID_ARGUMENT", NULL, KS_E_USAGE, NULL},

    {KEY, 400, "FAILED_PRECONDITION", "DESTROY_SCHEDULED", KS_E_KEY_PENDING_DELETION, NULL},
    {KEY, 400, "FAILED_PRECONDITION", "DESTROYED", KS_E_KEY_DESTROYED, NULL},
    {KEY, 400, "FAILED_PRECONDITION", "DISABLED", KS_E_KEY_DISABLED, NULL},
    {KEY, 400, "FAILED_PRECONDITION", "not enabled", KS_E_KEY_DISABLED, NULL},
    {KEY, 400, "FAILED_PRECONDITION", "purpose", KS_E_USAGE,
     "use a key with purpose ENCRYPT_DECRYPT"},
    {KEY, 400, "FAILED_PRECONDITION", NULL, KS_E_DENIED, NULL},
    {KEY, 403, "PERMISSION_DENIED", NULL, KS_E_DENIED, NULL},
    {KEY, 404, "NOT_FOUND", NULL, KS_E_KEY_NOT_FOUND, NULL},
    /* damaged on its way to the service: no answer yet */
    {KEY, 400, "INVALID_ARGUMENT", "checksum", KS_E_BAD_REPLY, NULL},
    {KEY, 400, "INVALID_ARGUMENT", "crc32c", KS_E_BAD_REPLY, NULL},
    {KEY, 400, "INVALID_ARGUMENT", "correct CryptoKey", KS_E_WRONG_KEY, NULL},
    {KEY, 400, "INVALID_ARGUMENT", "Decryption failed", KS_E_AUTH, NULL},
    {KEY, 400, "INVALID_ARGUMENT", NULL, KS_E_USAGE, NULL},
};

/* Texts of a service go to people's terminals and into one line of a log. */
static void take_text(char *room, size_t len, const char *text)
{
    size_t used = 0;

    for (; *text && used + 1 < len; text++)
        room[used++] = *text >= ' ' && *text <= '~' ? *text : ' ';
    room[used] = 0;
}

static void take_member(const json_t *object, const char *name, char *room, size_t len)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (text)
        take_text(room, len, text);
}

/* "3s", "1.5s" (google.protobuf.Duration) or "3" (Retry-After). */
static uint32_t seconds_as_ms(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    bool is_number = end != text && (!*end || strcmp(end, "s") == 0);

    return is_number && seconds > 0 && seconds <= RETRY_S_MAX ? (uint32_t)(seconds * 1000) : 0;
}

static void take_detail(const json_t *detail, struct gcp_error *e)
{
    const json_t *violations = json_object_get(detail, "violations");
    const char *delay = json_string_value(json_object_get(detail, "retryDelay"));

    take_member(detail, "reason", e->reason, sizeof e->reason);
    take_member(detail, "requestId", e->request_id, sizeof e->request_id);
    take_member(json_array_get(violations, 0), "type", e->violation, sizeof e->violation);
    if (delay)
        e->retry_after_ms = seconds_as_ms(delay);
}

static void take_google(const json_t *error, struct gcp_error *e)
{
    const json_t *details = json_object_get(error, "details");

    take_member(error, "status", e->status, sizeof e->status);
    take_member(error, "message", e->message, sizeof e->message);
    for (size_t i = 0; i < json_array_size(details) && i < DETAILS_MAX; i++)
        take_detail(json_array_get(details, i), e);
}

void gcp_error_read(int http, struct view body, struct gcp_error *ret)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    struct json_limits limits = {BODY_MAX, DEPTH_MAX};

    *ret = (struct gcp_error){.http = http};
    /* what cannot be read is no error of Google's, which is what is_google says */
    IGNORE(json_read(body, limits, "error", &doc));
    const json_t *error = json_object_get(doc, "error");
    ret->is_google = json_is_object(error) || json_is_string(error);
    if (json_is_object(error)) {
        take_google(error, ret);
    } else if (json_is_string(error)) {
        take_text(ret->reason, sizeof ret->reason, json_string_value(error));
        take_member(doc, "error_description", ret->message, sizeof ret->message);
    }
}

static bool holds(const struct gcp_error *e, const char *part)
{
    return strcasestr(e->reason, part) || strcasestr(e->violation, part) ||
           strcasestr(e->message, part);
}

static bool fits(const struct rule *r, const struct gcp_error *e, enum gcp_asked asked)
{
    if (!(r->asked & 1U << asked) || (r->http && r->http != e->http))
        return false;
    if (r->status && strcmp(r->status, e->status) != 0)
        return false;
    return !r->part || holds(e, r->part);
}

static const struct rule *find_rule(const struct gcp_error *e, enum gcp_asked asked)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (fits(&rules[i], e, asked))
            return &rules[i];
    return NULL;
}

static ks_rc not_of_google(const struct gcp_error *e)
{
    if (e->http == 429)
        return ks_fail(KS_E_THROTTLED, "HTTP status 429");
    if (e->http == 408 || e->http == 504)
        return ks_fail(KS_E_TIMEOUT, "HTTP status %d", e->http);
    if (e->http >= 500)
        return ks_fail(KS_E_UNREACHABLE, "HTTP status %d", e->http);
    return ks_fail(KS_E_BAD_REPLY,
                   "HTTP status %d without an error of Google's; is there a proxy in between, or "
                   "is the endpoint wrong?",
                   e->http);
}

ks_rc gcp_error_rc(const struct gcp_error *e, enum gcp_asked asked)
{
    const char *kind = e->status[0] ? e->status : e->reason;

    if (!e->is_google)
        return not_of_google(e);
    const struct rule *r = find_rule(e, asked);
    if (!r)
        return ks_fail(e->http >= 500 ? KS_E_UNREACHABLE : KS_E_BAD_REPLY, "HTTP status %d %s: %s",
                       e->http, kind, e->message);
    return ks_fail(r->code, "%s: %s%s%s%s", kind, e->message, r->advice ? " (" : "",
                   r->advice ? r->advice : "", r->advice ? ")" : "");
}

ks_rc gcp_reply_rc(const struct http_reply *reply, enum gcp_asked asked, struct kms_note *note)
{
    char retry[32], id[128] = "";
    struct gcp_error e;

    if (!http_reply_header(reply, "x-goog-request-id", id, sizeof id))
        http_reply_header(reply, "x-request-id", id, sizeof id);
    if (note)
        take_text(note->request_id, sizeof note->request_id, id);
    if (reply->status >= 200 && reply->status < 300)
        return KS_SUCCESS;
    gcp_error_read(reply->status, buf_view(&reply->body), &e);
    if (!e.retry_after_ms && http_reply_header(reply, "retry-after", retry, sizeof retry))
        e.retry_after_ms = seconds_as_ms(retry);
    if (note && e.request_id[0])
        memcpy(note->request_id, e.request_id, sizeof note->request_id);
    if (note)
        note->retry_after_ms = e.retry_after_ms;
    return gcp_error_rc(&e, asked);
}
