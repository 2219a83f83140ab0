/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_call.c - what every request to Google's services has in common.
 *
 * Order: name, token, dialled faults, body, permission, existence, the operation, audit, answer. Who may not know
 * whether a resource exists is told the same in both cases. Nothing is answered that is not in the audit.
 */
#include "localkms/gcp_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "crypto/rsa.h"
#include "localkms/audit.h"

enum { DEPTH_MAX = 16, ANSWER_MAX = 4 << 20 };

static const char PREFIX[] = "/v1/", TOKEN_PATH[] = "/token";
static const char CONTENT_TYPE[] = "application/json; charset=UTF-8";

static const struct {
    int http;
    const char *status;
} codes[GOOG_CODES] = {
    [GOOG_OK] = {200, "OK"},
    [GOOG_INVALID_ARGUMENT] = {400, "INVALID_ARGUMENT"},
    [GOOG_FAILED_PRECONDITION] = {400, "FAILED_PRECONDITION"},
    [GOOG_UNAUTHENTICATED] = {401, "UNAUTHENTICATED"},
    [GOOG_PERMISSION_DENIED] = {403, "PERMISSION_DENIED"},
    [GOOG_NOT_FOUND] = {404, "NOT_FOUND"},
    [GOOG_ALREADY_EXISTS] = {409, "ALREADY_EXISTS"},
    [GOOG_ABORTED] = {409, "ABORTED"},
    [GOOG_RESOURCE_EXHAUSTED] = {429, "RESOURCE_EXHAUSTED"},
    [GOOG_INTERNAL] = {500, "INTERNAL"},
    [GOOG_UNAVAILABLE] = {503, "UNAVAILABLE"},
};

/* --- what run functions use --- */

void goog_refuse(struct goog_call *c, enum goog_code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(c->message, sizeof c->message, fmt, args);
    va_end(args);
    c->code = code;
}

bool goog_reply(struct goog_call *c, json_t *value)
{
    c->reply = value;
    return value || goog_fail(c, GOOG_INTERNAL, "no memory for the reply");
}

struct lk_event goog_event(struct goog_call *c)
{
    return (struct lk_event){
        .request_id = c->request_id,
        .principal = c->caller[0] ? c->caller : NULL,
        .account = c->name.project[0] ? c->name.project : NULL,
        .source = http_peer(c->x),
        .operation = c->route->permission ? c->route->permission : c->name.verb,
        .resource = c->name.text[0] ? c->name.text : NULL,
        .outcome = c->code ? codes[c->code].status : "ok",
    };
}

static struct dial_subject subject_of(const struct goog_call *c, char operation[64])
{
    snprintf(operation, 64, "cloudkms:%s", c->name.verb[0] ? c->name.verb : c->route->method);
    return (struct dial_subject){c->name.project, c->name.text, operation};
}

bool goog_save(struct goog_call *c, struct goog_node **nodes, size_t count)
{
    char operation[64];
    struct dial_subject subject = subject_of(c, operation);
    struct lk_event event = goog_event(c);

    return goog_fail_rc(
        c, goog_commit(c->realm, nodes, count, &event, dial_lag_ms(c->realm->dial, &subject)));
}

static bool is_allowed_at(struct goog_call *c, const char *name, const char *permission)
{
    const struct goog_node *n = goog_seen(c->realm, goog_find(c->realm, name));

    return n && goog_policy_allows(n->policy, c->caller, permission);
}

bool goog_may(struct goog_call *c, const char *name, const char *permission)
{
    char above[GOOG_NAME_BYTES];

    snprintf(above, sizeof above, "%s", name);
    do {
        if (is_allowed_at(c, above, permission))
            return true;
    } while (goog_name_parent(above));
    return false;
}

bool goog_permit(struct goog_call *c, const char *name, const char *permission)
{
    if (goog_may(c, name, permission))
        return true;
    json_decref(c->details);
    c->details = json_pack("[{s:s,s:s,s:s,s:{s:s,s:s}}]", "@type",
                           "type.googleapis.com/google.rpc.ErrorInfo", "reason",
                           "IAM_PERMISSION_DENIED", "domain", "cloudkms.googleapis.com", "metadata",
                           "permission", permission, "resource", name);
    return goog_fail(c, GOOG_PERMISSION_DENIED,
                     "Permission '%s' denied on resource '%s' (or it may not exist).", permission,
                     name);
}

/* --- the body --- */

/* "plaintext_crc32c" for "plaintextCrc32c": protocol buffers read both. */
static void snake(const char *name, char *out, size_t room)
{
    size_t used = 0;

    for (; *name && used + 2 < room; name++) {
        if (*name >= 'A' && *name <= 'Z')
            out[used++] = '_';
        out[used++] = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
    }
    out[used] = 0;
}

const json_t *goog_member(const struct goog_call *c, const char *name)
{
    char other[96];
    const json_t *value = json_object_get(c->body, name);

    snake(name, other, sizeof other);
    if (!value)
        value = json_object_get(c->body, other);
    return value && !json_is_null(value) ? value : NULL;
}

const char *goog_body_text(const struct goog_call *c, const char *name)
{
    return json_string_value(goog_member(c, name));
}

const char *goog_enum(const json_t *value, const char *const *names)
{
    for (int i = 0; !names[i] || names[i][0]; i++) {
        if (!names[i])
            continue;
        if (json_is_integer(value)
                ? json_integer_value(value) == i
                : json_is_string(value) && strcmp(json_string_value(value), names[i]) == 0)
            return names[i];
    }
    return NULL;
}

json_t *goog_time(int64_t s)
{
    char text[CLOCK_TEXT_BYTES];

    clock_format(s, text);
    return json_string(text);
}

static bool is_known(const char *members, const char *name)
{
    char word[96], other[96];

    for (const char *at = members; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        snprintf(word, sizeof word, "%.*s", (int)strcspn(at, "|"), at);
        snake(word, other, sizeof other);
        if (strcmp(word, name) == 0 || strcmp(other, name) == 0)
            return true;
    }
    return false;
}

/* Google's JavaScript client says "" where a message has no fields. */
static bool says_nothing(struct view text)
{
    return text.len == 0 || view_is_equal(text, view_text("\"\""));
}

static bool read_body(struct goog_call *c)
{
    struct view text = http_body(c->x);
    struct json_limits limits = {LK_BODY_BYTES_MAX, DEPTH_MAX};
    const char *name;
    json_t *value;

    if (!c->route->members)
        return true;
    if (!ks_ok(json_read(says_nothing(text) ? view_text("{}") : text, limits, "body", &c->body)) ||
        !json_is_object(c->body))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "Invalid JSON payload received. The body is no valid JSON object.");
    json_object_foreach(
        c->body, name,
        value) if (!is_known(c->route->members,
                             name)) return goog_fail(c, GOOG_INVALID_ARGUMENT,
                                                     "Invalid JSON payload received. Unknown name "
                                                     "\"%.100s\": Cannot find "
                                                     "field.",
                                                     name);
    return true;
}

/* --- doing it --- */

static bool meet_dial(struct goog_call *c)
{
    char operation[64];
    struct dial_subject subject = subject_of(c, operation);

    switch (dial_refusal(c->realm->dial, &subject)) {
    case DIAL_THROTTLE:
        return goog_fail(c, GOOG_RESOURCE_EXHAUSTED, "Quota exceeded, because it was dialled so.");
    case DIAL_ERROR:
        return goog_fail(c, GOOG_UNAVAILABLE, "The service is unavailable, as was dialled.");
    case DIAL_DENY:
        return goog_fail(c, GOOG_PERMISSION_DENIED,
                         "Permission '%s' denied on resource '%s', because it was dialled so.",
                         c->route->permission ? c->route->permission : "", c->name.text);
    case DIAL_NONE:
    case DIAL_LATENCY:
    case DIAL_HANG:
    case DIAL_RESET:
    case DIAL_GARBAGE:
    case DIAL_LAG:
    case DIAL_SKEW:
    case DIAL_EFFECT_COUNT:
        break;
    }
    return true;
}

/* A location is everywhere; a project is there when its node is. */
static bool check_exists(struct goog_call *c)
{
    struct goog_name above;

    c->node = goog_find(c->realm, c->name.text);
    if (c->node || (c->name.is_collection && c->name.kind == GOOG_KEY_RING))
        return true;
    above = c->name;
    enum goog_kind kind = c->name.kind;
    if (c->name.is_collection)
        kind = kind == GOOG_VERSION       ? GOOG_CRYPTO_KEY
               : kind == GOOG_ACCOUNT_KEY ? GOOG_ACCOUNT
               : kind == GOOG_ACCOUNT     ? GOOG_PROJECT
                                          : GOOG_KEY_RING;
    return goog_fail(c, GOOG_NOT_FOUND, "%s %s not found.", goog_kind_title(kind), above.text);
}

static bool admit(struct goog_call *c)
{
    if (!goog_authenticate(c))
        return false;
    if (c->route->permission && !goog_permit(c, c->name.text, c->route->permission))
        return false;
    return check_exists(c);
}

static bool admit_read(struct goog_call *c)
{
    realm_read(c->realm);
    bool is_done = admit(c);
    c->node = NULL;
    realm_unlock(c->realm);
    return is_done;
}

static bool run_read(struct goog_call *c)
{
    realm_read(c->realm);
    bool is_done = admit(c) && c->route->run(c);
    realm_unlock(c->realm);
    return is_done;
}

static bool run_turn(struct goog_call *c)
{
    if (c->route->prepare && (!admit_read(c) || !c->route->prepare(c)))
        return false;
    realm_turn(c->realm);
    bool is_done = goog_fail_rc(c, goog_settle(c->realm)) && admit(c) && c->route->run(c);
    realm_turn_end(c->realm);
    return is_done;
}

/* --- the answer --- */

static json_t *error_of(const struct goog_call *c)
{
    json_t *error = json_pack("{s:i,s:s,s:s}", "code", codes[c->code].http, "message", c->message,
                              "status", codes[c->code].status);

    if (error && c->details)
        IGNORE(goog_set(error, "details", json_incref(c->details))); /* less detail, no harm */
    return error ? json_pack("{s:o}", "error", error) : NULL;
}

static void send_json(struct goog_call *c, int http, const json_t *value)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(ANSWER_MAX);

    /* without it the answer is merely harder to find in the audit */
    IGNORE(http_answer_header(c->x, "x-goog-request-id", c->request_id));
    if (value && ks_ok(json_write(value, false, &text)))
        http_answer(c->x, http, CONTENT_TYPE, buf_view(&text));
    else
        http_answer(c->x, 500, NULL, view_text(""));
}

static void answer(struct goog_call *c, bool is_done)
{
    CLEANUP(json_decrefp) json_t *error = is_done ? NULL : error_of(c);

    if (is_done)
        send_json(c, 200, c->reply);
    else
        send_json(c, codes[c->code].http, error);
}

static void call_done(struct goog_call *c)
{
    json_decref(c->body);
    json_decref(c->reply);
    json_decref(c->details);
    rsa_free(c->prepared);
}

static void carry_on(struct realm *r, struct http_exchange *x);

static bool start(struct realm *r, struct http_exchange *x, struct goog_call *c)
{
    *c = (struct goog_call){.realm = r, .x = x, .now_s = realm_now_s(r)};
    if (!goog_fail_rc(c, realm_make_id(r, c->request_id)))
        return false;
    if (goog_name_parse(http_path(x) + strlen(PREFIX), &c->name))
        c->route = goog_route_find(http_method(x), &c->name);
    return c->route != NULL;
}

static void carry_on_call(struct goog_call *c)
{
    bool is_done =
        meet_dial(c) && read_body(c) && (c->route->lock == GOOG_READ ? run_read(c) : run_turn(c));
    struct lk_event event = goog_event(c);

    if (!ks_ok(lk_audit_use(c->realm->audit, c->now_s, &event)))
        is_done = goog_fail(c, GOOG_UNAVAILABLE, "The audit log cannot be written.");
    answer(c, is_done);
}

static void carry_on(struct realm *r, struct http_exchange *x)
{
    CLEANUP(call_done) struct goog_call c;

    if (start(r, x, &c))
        carry_on_call(&c);
    else
        http_answer(x, 500, NULL, view_text(""));
}

/* What Google answers to a path that it does not know. */
static void not_a_path(struct http_exchange *x)
{
    http_answer(x, 404, "text/html; charset=UTF-8",
                view_text("<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>\n"));
}

static void handle(struct realm *r, struct http_exchange *x)
{
    CLEANUP(call_done) struct goog_call c = {0};
    char operation[64];

    if (strcmp(http_path(x), TOKEN_PATH) == 0) {
        goog_token_endpoint(r, x);
        return;
    }
    if (!start(r, x, &c)) {
        not_a_path(x);
        return;
    }
    struct dial_subject subject = subject_of(&c, operation);
    if (!dial_intercept(r, x, &subject, carry_on))
        carry_on_call(&c);
}

static bool is_mine(const struct http_exchange *x)
{
    return strncmp(http_path(x), "/v1/projects/", 13) == 0 || strcmp(http_path(x), TOKEN_PATH) == 0;
}

const struct lk_wire goog_wire = {"google", is_mine, handle};
