/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/admin.c - the service's own requests: one table of routes.
 */
#include "localkms/admin.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "localkms/dial.h"
#include "localkms/gcp_call.h"
#include "localkms/iam.h"

enum { ANSWER_BYTES_MAX = 8 << 20, DEPTH_MAX = 8, EVENTS_PRESET = 100, EVENTS_MAX = 1000 };
static const char PREFIX[] = "/keystead/v1/", TOKEN_FILE[] = "admin.token", BEARER[] = "Bearer ";

/* ---- the token ---- */

static ks_rc make_token(struct realm *r, struct buf *ret)
{
    uint8_t bytes[ADMIN_TOKEN_BYTES / 2];

    TRY(random_fill(r->random, bytes, sizeof bytes));
    TRY(hex_write(view_of(bytes, sizeof bytes), ret));
    mem_wipe(bytes, sizeof bytes);
    return atomic_file_write(r->io, r->dir, TOKEN_FILE, 0600, buf_view(ret));
}

ks_rc admin_open(struct realm *r, struct secret **ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(ADMIN_TOKEN_BYTES + 1);

    ks_rc rc = atomic_file_read(r->io, r->dir, TOKEN_FILE, ADMIN_TOKEN_BYTES + 1, &text);
    if (ks_is_os(rc, ENOENT))
        rc = make_token(r, &text);
    TRY(ks_wrap(rc, "%s", TOKEN_FILE));
    ENSURE(text.len >= ADMIN_TOKEN_BYTES, KS_E_FORMAT,
           "%s is too short; remove it to have another one made", TOKEN_FILE);
    rc = secret_copy(view_of(text.bytes, ADMIN_TOKEN_BYTES), ret);
    mem_wipe(text.bytes, text.len);
    return rc;
}

static bool has_token(struct realm *r, struct http_exchange *x)
{
    const char *given = http_header(x, "authorization");

    return given && strncmp(given, BEARER, strlen(BEARER)) == 0 &&
           secret_is_equal(view_text(given + strlen(BEARER)), secret_view(r->admin_token));
}

/* ---- requests; each makes the body of its reply ---- */

struct request {
    struct realm *realm;
    struct http_exchange *x;
    const char *rest; /* of the path, behind the route's */
    char request_id[REALM_ID_BYTES];
    struct lk_event event;
};

static ks_rc read_body(struct request *q, json_t **ret)
{
    return json_read(http_body(q->x), (struct json_limits){LK_BODY_BYTES_MAX, DEPTH_MAX}, "body",
                     ret);
}

static ks_rc get_health(struct request *q, json_t **ret)
{
    (void)q;
    *ret = json_pack("{s:s}", "status", "ok");
    return KS_SUCCESS;
}

static ks_rc get_dial(struct request *q, json_t **ret)
{
    json_t *rules;

    TRY(dial_list(q->realm->dial, &rules));
    *ret = json_pack("{s:o}", "rules", rules);
    return KS_SUCCESS;
}

static ks_rc post_dial(struct request *q, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *rule = NULL;
    int64_t id;

    TRY(read_body(q, &rule));
    TRY(dial_add(q->realm->dial, rule, &id));
    *ret = json_pack("{s:I}", "id", (json_int_t)id);
    return KS_SUCCESS;
}

static ks_rc delete_dial(struct request *q, json_t **ret)
{
    char *end = NULL;
    long long id = *q->rest ? strtoll(q->rest, &end, 10) : 0;

    ENSURE(!*q->rest || (*end == 0 && id > 0), KS_E_NOT_FOUND, "no rule %.20s", q->rest);
    TRY(dial_remove(q->realm->dial, id));
    *ret = json_object();
    return KS_SUCCESS;
}

static ks_rc add_account(void *arg, const char *account)
{
    return json_array_append_new(arg, json_string(account)) == 0
               ? KS_SUCCESS
               : ks_fail(KS_E_NO_MEMORY, "no memory for a list");
}

static ks_rc get_accounts(struct request *q, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *list = json_array();

    TRY(iam_account_each(q->realm->iam, add_account, list));
    *ret = json_pack("{s:O}", "accounts", list);
    return KS_SUCCESS;
}

static json_t *show_pair(const char *account, const struct iam_key_pair *pair)
{
    return json_pack("{s:s, s:s, s:s}", "account", account, "access_key_id", pair->id,
                     "secret_access_key", pair->secret);
}

static ks_rc post_accounts(struct request *q, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *body = NULL;
    CLEANUP(iam_key_pair_wipe) struct iam_key_pair pair = {0};
    const char *account;

    TRY(read_body(q, &body));
    TRY(json_get_text(body, "account", 12, &account));
    q->event.operation = "keystead:CreateAccount";
    q->event.resource = account;
    TRY(iam_account_add(q->realm->iam, account, &q->event, &pair));
    *ret = show_pair(account, &pair);
    return KS_SUCCESS;
}

static ks_rc post_account_key(struct request *q, json_t **ret)
{
    CLEANUP(iam_key_pair_wipe) struct iam_key_pair pair = {0};

    q->event.operation = "keystead:CreateAccountKey";
    q->event.resource = q->rest;
    TRY(iam_account_new_key(q->realm->iam, q->rest, &q->event, &pair));
    *ret = show_pair(q->rest, &pair);
    return KS_SUCCESS;
}

static ks_rc post_projects(struct request *q, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *body = NULL;
    char base_url[GOOG_NAME_BYTES];
    const char *project;

    TRY(read_body(q, &body));
    TRY(json_get_text(body, "project", GOOG_PROJECT_BYTES, &project));
    q->event.operation = "keystead:CreateProject";
    q->event.resource = project;
    goog_base_url(q->x, base_url);
    return goog_project_add(q->realm, project, base_url, &q->event, ret);
}

static ks_rc add_event(void *arg, int64_t seq, const char *event)
{
    json_t *value = json_loads(event, 0, NULL);

    ENSURE(value && json_array_append_new(
                        arg, json_pack("{s:I, s:o}", "seq", (json_int_t)seq, "event", value)) == 0,
           KS_E_NO_MEMORY, "no memory for a list");
    return KS_SUCCESS;
}

static ks_rc get_audit(struct request *q, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *list = json_array();
    const char *after = http_query(q->x, "after"), *limit = http_query(q->x, "limit");
    long long from = after ? strtoll(after, NULL, 10) : 0;
    long long count = limit ? strtoll(limit, NULL, 10) : EVENTS_PRESET;

    ENSURE(count >= 1 && count <= EVENTS_MAX, KS_E_USAGE, "limit must be from 1 to %d", EVENTS_MAX);
    TRY(lk_store_audit(q->realm->store, from, (unsigned)count, add_event, list));
    *ret = json_pack("{s:O}", "events", list);
    return KS_SUCCESS;
}

/* ---- routes ---- */

static const struct route {
    const char *method, *path; /* a path that ends with '/' takes a last part */
    ks_rc (*run)(struct request *q, json_t **ret);
    bool is_open; /* needs no token */
} routes[] = {
    {"GET", "health", get_health, true},        {"GET", "dial", get_dial, false},
    {"POST", "dial", post_dial, false},         {"DELETE", "dial", delete_dial, false},
    {"DELETE", "dial/", delete_dial, false},    {"GET", "accounts", get_accounts, false},
    {"POST", "accounts", post_accounts, false}, {"POST", "account-keys/", post_account_key, false},
    {"GET", "audit", get_audit, false},         {"POST", "projects", post_projects, false},
};

static const struct route *find_route(const struct http_exchange *x, const char **ret_rest)
{
    const char *path = http_path(x) + strlen(PREFIX);

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t len = strlen(routes[i].path);
        bool takes_rest = routes[i].path[len - 1] == '/';
        *ret_rest = path + (takes_rest ? len : strlen(path));
        if (strcmp(routes[i].method, http_method(x)) == 0 &&
            (takes_rest ? strncmp(routes[i].path, path, len) == 0 && **ret_rest
                        : strcmp(routes[i].path, path) == 0))
            return &routes[i];
    }
    return NULL;
}

static ks_rc run(struct request *q, json_t **ret)
{
    const struct route *route = find_route(q->x, &q->rest);

    ENSURE(route, KS_E_NOT_FOUND, "no such request: %.10s %.100s", http_method(q->x),
           http_path(q->x));
    ENSURE(route->is_open || has_token(q->realm, q->x), KS_E_PERMISSION,
           "this needs the admin token of the state directory");
    TRY(realm_make_id(q->realm, q->request_id));
    q->event.request_id = q->request_id;
    return route->run(q, ret);
}

static void handle(struct realm *r, struct http_exchange *x)
{
    struct request q = {.realm = r, .x = x, .rest = ""};
    CLEANUP(buf_done) struct buf text = buf_init_wiping(ANSWER_BYTES_MAX);
    CLEANUP(json_decrefp) json_t *reply = NULL;

    q.event =
        (struct lk_event){.principal = "the admin token", .source = http_peer(x), .outcome = "ok"};
    ks_rc rc = run(&q, &reply);
    if (!ks_ok(rc))
        reply = json_pack("{s:{s:s, s:s, s:s}}", "error", "class", ks_class_name(rc), "code",
                          ks_name(rc), "message", ks_text(rc));
    if (reply && ks_ok(json_write(reply, false, &text)))
        http_answer(x, ks_ok(rc) ? 200 : ks_http(rc), "application/json", buf_view(&text));
    else
        http_answer(x, 500, NULL, view_text(""));
}

static bool is_mine(const struct http_exchange *x)
{
    return strncmp(http_path(x), PREFIX, strlen(PREFIX)) == 0;
}

const struct lk_wire admin_wire = {"admin", is_mine, handle};
