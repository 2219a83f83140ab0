/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: whatever is wrong with a request is refused before its handler runs, in the right order, with the right status, in
 * the form of its dialect; calls wait and are woken; repeated requests are answered once. control/ is played by this file.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/error.h"
#include "api/serve.h"
#include "base/mem.h"
#include "check.h"

#define CLUSTER "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"
#define OTHER "2f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"
#define ORGANISATION "3f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"

enum { REPLY_BYTES = 1 << 16 };

/* ---- control/ as it is played ---- */

static struct {
    const char *secret;
    struct caller caller;
} const keys[] = {
    {"ksk_platform", {.key = "p", .role = ROLE_ADMIN}},
    {"ksk_admin", {.key = "a", .organisation = ORGANISATION, .role = ROLE_ADMIN}},
    {"ksk_viewer", {.key = "v", .organisation = ORGANISATION, .role = ROLE_VIEWER}},
    {"ksk_cluster",
     {.key = "c", .organisation = ORGANISATION, .cluster = CLUSTER, .role = ROLE_ADMIN}},
};

uint64_t control_version(struct control *c, const char *cluster)
{
    (void)c;
    (void)cluster;
    return 1;
}

ks_rc control_authenticate(struct control *c, const char *secret, struct caller *ret)
{
    (void)c;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i].secret, secret) == 0) {
            *ret = keys[i].caller;
            return KS_SUCCESS;
        }
    if (strcmp(secret, "ksk_broken_store") == 0)
        return ks_fail(KS_E_IO, "/var/lib/somewhere");
    return ks_fail(KS_E_PERMISSION, "no");
}

ks_rc control_node_authenticate(struct control *c, const char *fingerprint, struct node *ret)
{
    (void)c;
    (void)fingerprint;
    (void)ret;
    return ks_fail(KS_E_PERMISSION, "no");
}

static struct {
    char key[64];
    uint8_t hash[32];
    bool is_open;
    int status;
    char body[256];
} kept;

ks_rc control_repeat_find(struct control *c, const struct caller *by, const char *key,
                          const uint8_t hash[32], int *ret_status, struct buf *ret_body)
{
    (void)c;
    (void)by;
    if (strcmp(kept.key, key) != 0) {
        snprintf(kept.key, sizeof kept.key, "%s", key);
        memcpy(kept.hash, hash, 32);
        kept.is_open = true;
        return ks_fail(KS_E_NOT_FOUND, "new");
    }
    ENSURE(view_is_equal(view_of(kept.hash, 32), view_of(hash, 32)), KS_E_STATE, "other");
    ENSURE(!kept.is_open, KS_E_BUSY, "open");
    *ret_status = kept.status;
    return buf_append(ret_body, view_text(kept.body));
}

void control_repeat_keep(struct control *c, const struct caller *by, const char *key, int status,
                         struct view body)
{
    (void)c;
    (void)by;
    assert_string_equal(key, kept.key);
    kept.is_open = false;
    kept.status = status;
    snprintf(kept.body, sizeof kept.body, "%.*s", (int)body.len, (const char *)body.bytes);
    if (status == 0)
        kept.key[0] = 0;
}

/* ---- the dialect ---- */

static atomic_int handled, has_moved;

static ks_rc show(struct api_call *call)
{
    handled++;
    return api_reply(
        call, 200,
        json_pack("{s:s, s:i}", "role", role_name(call->caller.role), "handled", (int)handled));
}

static ks_rc fail_inside(struct api_call *call)
{
    handled++;
    (void)call;
    return ks_fail(KS_E_CORRUPT, "/var/lib/control.db is damaged");
}

static ks_rc fail_state(struct api_call *call)
{
    handled++;
    (void)call;
    return ks_fail(KS_E_STATE, "it is REVOKED");
}

static ks_rc await_move(struct api_call *call)
{
    handled++;
    TRY(api_watch(call, 'o', "op", 600));
    if (!has_moved && api_put_off(call))
        return KS_SUCCESS;
    return api_reply(call, 200, json_pack("{s:b}", "moved", (int)has_moved));
}

static ks_rc await_nothing(struct api_call *call)
{
    TRY(api_watch(call, 'o', "op", 0));
    assert_false(api_put_off(call));
    return api_reply_empty(call, 204);
}

#define PATH_MOST "/t/clusters/{cluster}"
static const struct api_route routes[] = {
    {"GET", "/t/public", "public", API_MAY(API_PUBLIC, ROLE_VIEWER), .handle = show},
    {"GET", PATH_MOST, "get", API_MAY(API_CUSTOMER, ROLE_VIEWER), .handle = show,
     .query = "wait,limit"},
    {"PUT", PATH_MOST, "put", API_MAY(API_CUSTOMER, ROLE_OPERATOR), .handle = show,
     .body_bytes_max = 64},
    {"POST", PATH_MOST, "post", API_MAY(API_ORGANISATION, ROLE_ADMIN), .handle = show,
     .body_bytes_max = 1024, .flags = API_REPEATABLE | API_BODY_MAY_MISS},
    {"DELETE", PATH_MOST, "delete", API_MAY(API_CUSTOMER, ROLE_ADMIN), .handle = fail_state},
    {"GET", "/t/nodes", "nodes", API_MAY(API_PLATFORM, ROLE_VIEWER), .handle = show},
    {"GET", "/t/inside", "inside", API_MAY(API_ANY_KEY, ROLE_VIEWER), .handle = fail_inside},
    {"GET", "/t/wait", "wait", API_MAY(API_ANY_KEY, ROLE_VIEWER), .handle = await_move},
    {"GET", "/t/nothing", "nothing", API_MAY(API_ANY_KEY, ROLE_VIEWER), .handle = await_nothing},
    {"GET", "/t/certified", "certified", API_MAY(API_NODE, ROLE_VIEWER), .handle = show},
};
static const struct api_dialect dialect = {.name = "test",
                                           .prefix = "/t/",
                                           .routes = routes,
                                           .route_count = sizeof routes / sizeof *routes,
                                           .is_strict = true,
                                           .error_body = problem_body,
                                           .error_type = "application/problem+json"};
static const struct api_dialect *const dialects[] = {&dialect};

struct fixture {
    struct clock_manual clock;
    struct api api;
    struct listener listener;
    struct http_server *http;
};
static struct fixture f;

static int setup(void **state)
{
    (void)state;
    handled = has_moved = 0;
    memset(&kept, 0, sizeof kept);
    memset(&f, 0, sizeof f);
    clock_manual_init(&f.clock, 1000, 1700000000);
    f.api.clock = &f.clock.clock;
    check_ok(limiter_new(50, f.api.clock, &f.api.keys));
    check_ok(limiter_new(75, f.api.clock, &f.api.organisations));
    check_ok(limiter_new(5, f.api.clock, &f.api.failures));
    check_ok(waiters_new(3, 2, &f.api.waiters));
    f.listener = (struct listener){.api = &f.api, .dialects = dialects, .dialect_count = 1};
    check_ok(router_new(dialects, 1, &f.listener.router));
    struct http_server_conf conf = {.address = "127.0.0.1",
                                    .threads = 2,
                                    .body_bytes_max = router_body_max(f.listener.router),
                                    .handle = api_serve,
                                    .too_large = api_serve_too_large,
                                    .arg = &f.listener};
    check_ok(http_server_start(&conf, &f.http));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_server_stop(f.http);
    assert_int_equal(waiters_count(f.api.waiters), 0);
    router_free(f.listener.router);
    limiter_free(f.api.keys);
    limiter_free(f.api.organisations);
    limiter_free(f.api.failures);
    waiters_free(f.api.waiters);
    return 0;
}

/* ---- asking ---- */

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f.http))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *request_line, const char *key, const char *headers,
                const char *body)
{
    char text[4096];
    int len = snprintf(text, sizeof text,
                       "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s%s%sContent-Length: "
                       "%zu\r\n\r\n%s",
                       request_line, key ? "Authorization: Bearer " : "", key ? key : "",
                       key ? "\r\n" : "", headers, strlen(body), body);

    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

static const char *hear(int fd)
{
    static char reply[REPLY_BYTES];
    size_t len = 0;
    ssize_t n;

    while ((n = recv(fd, reply + len, sizeof reply - 1 - len, 0)) > 0)
        len += (size_t)n;
    reply[len] = 0;
    close(fd);
    return reply;
}

static const char *ask(const char *request_line, const char *key, const char *headers,
                       const char *body)
{
    int fd = dial();

    say(fd, request_line, key, headers, body);
    return hear(fd);
}

static void check_reply(const char *reply, int status, const char *part)
{
    char line[32];

    snprintf(line, sizeof line, "HTTP/1.1 %d", status);
    if (strncmp(reply, line, strlen(line)) != 0 || !strcasestr(reply, part))
        fail_msg("wanted %s ... %s, got: %.1500s", line, part, reply);
}

static void check_refused(const char *reply, int status, const char *code)
{
    char part[64];

    snprintf(part, sizeof part, "\"code\":\"%s\"", code);
    check_reply(reply, status, part);
    check_reply(reply, status, "Content-Type: application/problem+json");
    check_reply(reply, status, "X-Request-Id: ");
    assert_int_equal(handled, 0);
}

#define GET_CLUSTER "GET /t/clusters/" CLUSTER
#define PUT_CLUSTER "PUT /t/clusters/" CLUSTER
#define POST_CLUSTER "POST /t/clusters/" CLUSTER
#define JSON "Content-Type: application/json\r\n"

/* ---- paths and verbs ---- */

static void path__unknown__404(void **state)
{
    (void)state;
    check_refused(ask("GET /t/none", "ksk_admin", "", ""), 404, "NO_SUCH_PATH");
    check_refused(ask("GET /", NULL, "", ""), 404, "NO_SUCH_PATH");
}

static void verb__wrong__405_names_the_right_ones(void **state)
{
    (void)state;
    const char *reply = ask("PATCH /t/clusters/" CLUSTER, "ksk_admin", JSON, "{}");
    check_refused(reply, 405, "METHOD_NOT_ALLOWED");
    check_reply(reply, 405, "Allow: GET, HEAD, POST, PUT, DELETE\r\n");
    check_refused(ask("OPTIONS /t/nodes", NULL, "Origin: https://e.example\r\n", ""), 405,
                  "METHOD_NOT_ALLOWED");
}

static void head__answered_as_get_without_body(void **state)
{
    (void)state;
    const char *reply = ask("HEAD /t/public", NULL, "", "");
    check_reply(reply, 200, "Content-Length: ");
    assert_null(strstr(reply, "\r\n\r\n{"));
}

static void reply__headers_of_every_reply__there(void **state)
{
    (void)state;
    const char *reply = ask("GET /t/public", NULL, "", "");
    check_reply(reply, 200, "Cache-Control: no-store");
    check_reply(reply, 200, "X-Content-Type-Options: nosniff");
    check_reply(reply, 200, "Content-Type: application/json");
    assert_null(strcasestr(reply, "Access-Control"));
}

/* ---- who asks ---- */

static void key__missing_or_wrong__401(void **state)
{
    (void)state;
    const char *reply = ask(GET_CLUSTER, NULL, "", "");
    check_refused(reply, 401, "UNAUTHENTICATED");
    check_reply(reply, 401, "WWW-Authenticate: Bearer");
    check_refused(ask(GET_CLUSTER, "ksk_nobody", "", ""), 401, "UNAUTHENTICATED");
    check_refused(ask(GET_CLUSTER, NULL, "Authorization: Basic a\r\n", ""), 401, "UNAUTHENTICATED");
    check_refused(ask(GET_CLUSTER, NULL, "Authorization: Bearer\r\n", ""), 401, "UNAUTHENTICATED");
}

static void key__twice__400(void **state)
{
    (void)state;
    check_refused(ask(GET_CLUSTER, "ksk_nobody", "Authorization: Bearer ksk_admin\r\n", ""), 400,
                  "BAD_REQUEST");
}

static void key__many_wrong__429_but_not_for_the_right_one(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        check_refused(ask(GET_CLUSTER, "ksk_nobody", "", ""), 401, "UNAUTHENTICATED");
    const char *reply = ask(GET_CLUSTER, "ksk_nobody", "", "");
    check_refused(reply, 429, "TOO_MANY_REQUESTS");
    check_reply(reply, 429, "Retry-After: 1\r\n");
    check_reply(ask(GET_CLUSTER, "ksk_admin", "", ""), 200, "ADMIN");
}

static void key__too_many_requests__429(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        check_reply(ask("GET /t/nothing", "ksk_admin", "", ""), 204, "");
    check_refused(ask(GET_CLUSTER, "ksk_admin", "", ""), 429, "TOO_MANY_REQUESTS");
    f.clock.now_ms += 1000;
    check_reply(ask(GET_CLUSTER, "ksk_admin", "", ""), 200, "ADMIN");
}

static void key__too_many_requests_of_its_organisation__429(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++)
        check_reply(ask("GET /t/nothing", i < 75 ? "ksk_admin" : "ksk_viewer", "", ""), 204, "");
    const char *reply = ask(GET_CLUSTER, "ksk_cluster", "", "");
    check_refused(reply, 429, "TOO_MANY_REQUESTS");
    check_reply(reply, 429, "Retry-After: 1\r\n");
    check_reply(ask("GET /t/nothing", "ksk_platform", "", ""), 204, ""); /* of none */
}

static void key__store_fails__500_says_nothing(void **state)
{
    (void)state;
    const char *reply = ask(GET_CLUSTER, "ksk_broken_store", "", "");
    check_refused(reply, 500, "INTERNAL");
    assert_null(strstr(reply, "/var/lib"));
}

static void certificate__none__401(void **state)
{
    (void)state;
    check_refused(ask("GET /t/certified", "ksk_platform", "", ""), 401, "UNAUTHENTICATED");
}

/* ---- what they may ---- */

static void permission__other_scope__403(void **state)
{
    (void)state;
    check_refused(ask("GET /t/nodes", "ksk_admin", "", ""), 403, "FORBIDDEN");
    check_refused(ask(GET_CLUSTER, "ksk_platform", "", ""), 403, "FORBIDDEN");
    check_refused(ask(POST_CLUSTER, "ksk_cluster", "", ""), 403, "FORBIDDEN");
}

static void permission__small_role__403(void **state)
{
    (void)state;
    check_refused(ask(PUT_CLUSTER, "ksk_viewer", JSON, "{}"), 403, "FORBIDDEN");
    check_reply(ask(GET_CLUSTER, "ksk_viewer", "", ""), 200, "VIEWER");
}

static void permission__other_cluster__404(void **state)
{
    (void)state;
    check_refused(ask("GET /t/clusters/" OTHER, "ksk_cluster", "", ""), 404, "NOT_FOUND");
    check_reply(ask(GET_CLUSTER, "ksk_cluster", "", ""), 200, "ADMIN");
}

/* ---- what they send ---- */

static void query__unknown_parameter__400(void **state)
{
    (void)state;
    check_refused(ask(GET_CLUSTER "?waits=1", "ksk_admin", "", ""), 400, "BAD_REQUEST");
    check_refused(ask(GET_CLUSTER "?limit=1&wai=2", "ksk_admin", "", ""), 400, "BAD_REQUEST");
    check_reply(ask(GET_CLUSTER "?limit=1&wait=2&", "ksk_admin", "", ""), 200, "ADMIN");
}

static void body__bad__400_with_position_and_without_quoting(void **state)
{
    (void)state;
    const char *reply = ask(PUT_CLUSTER, "ksk_admin", JSON, "{\"password\": hunter2}");
    check_refused(reply, 400, "BAD_REQUEST");
    check_reply(reply, 400, "line 1, column");
    assert_null(strstr(reply, "hunter2"));
    check_refused(ask(PUT_CLUSTER, "ksk_admin", JSON, "[1]"), 400, "BAD_REQUEST");
    check_refused(ask(PUT_CLUSTER, "ksk_admin", JSON, "{\"a\":1,\"a\":2}"), 400, "BAD_REQUEST");
    check_refused(ask(PUT_CLUSTER, "ksk_admin", JSON, ""), 400, "BAD_REQUEST");
    check_refused(ask("DELETE /t/clusters/" CLUSTER, "ksk_admin", JSON, "{}"), 400, "BAD_REQUEST");
}

static void body__deep__400(void **state)
{
    char body[1024] = "{\"a\":";

    (void)state;
    memset(body + 5, '[', API_JSON_DEPTH_MAX);
    check_refused(ask(POST_CLUSTER, "ksk_admin", JSON, body), 400, "BAD_REQUEST");
}

static void body__other_type__415(void **state)
{
    (void)state;
    check_refused(ask(PUT_CLUSTER, "ksk_admin", "", "{}"), 415, "MEDIA_TYPE");
    check_refused(ask(PUT_CLUSTER, "ksk_admin", "Content-Type: application/jsonx\r\n", "{}"), 415,
                  "MEDIA_TYPE");
    check_refused(ask(PUT_CLUSTER, "ksk_admin", JSON JSON, "{}"), 400, "BAD_REQUEST");
    check_reply(
        ask(PUT_CLUSTER, "ksk_admin", "Content-Type: Application/JSON; charset=utf-8\r\n", "{}"),
        200, "ADMIN");
}

static void body__too_large__413(void **state)
{
    char body[2048];

    (void)state;
    memset(body, ' ', sizeof body);
    body[sizeof body - 1] = 0;
    check_refused(ask(PUT_CLUSTER, "ksk_admin", JSON, body), 413, "TOO_LARGE"); /* of all routes */
    body[100] = 0;
    check_refused(ask(PUT_CLUSTER, "ksk_admin", JSON, body), 413, "TOO_LARGE"); /* of this one */
}

/* ---- what goes wrong in handlers ---- */

static void handler__fails__form_of_the_dialect(void **state)
{
    (void)state;
    const char *reply = ask("DELETE /t/clusters/" CLUSTER, "ksk_admin", "", "");
    check_reply(reply, 409, "\"code\":\"STATE\"");
    check_reply(reply, 409, "\"detail\":\"it is REVOKED\"");
    reply = ask("GET /t/inside", "ksk_admin", "", "");
    check_reply(reply, 500, "\"code\":\"INTERNAL\"");
    assert_null(strstr(reply, "/var/lib"));
}

/* ---- repeated requests ---- */

#define KEY "Idempotency-Key: one\r\n"

static void repeat__same_request__same_reply_and_done_once(void **state)
{
    (void)state;
    check_reply(ask(POST_CLUSTER, "ksk_admin", JSON KEY, "{\"a\":1}"), 200, "\"handled\":1}");
    check_reply(ask(POST_CLUSTER, "ksk_admin", JSON KEY, "{\"a\":1}"), 200, "\"handled\":1}");
    assert_int_equal(handled, 1);
}

static void repeat__other_request__422(void **state)
{
    (void)state;
    check_reply(ask(POST_CLUSTER, "ksk_admin", JSON KEY, "{\"a\":1}"), 200, "");
    check_reply(ask(POST_CLUSTER, "ksk_admin", JSON KEY, "{\"a\":2}"), 422, "REPEATED_OTHERWISE");
    assert_int_equal(handled, 1);
}

static void repeat__first_is_being_answered__409(void **state)
{
    (void)state;
    check_reply(ask(POST_CLUSTER, "ksk_admin", JSON KEY, "{}"), 200, "");
    kept.is_open = true;
    check_reply(ask(POST_CLUSTER, "ksk_admin", JSON KEY, "{}"), 409, "REPEATED_AT_ONCE");
}

static void repeat__route_without__400(void **state)
{
    char header[512] = "Idempotency-Key: ";

    (void)state;
    memset(header + 17, 'x', 300);
    memcpy(header + 317, "\r\n", 3);
    check_refused(ask(POST_CLUSTER, "ksk_admin", header, ""), 400, "BAD_REQUEST");
    check_refused(ask(POST_CLUSTER, "ksk_admin", KEY KEY, ""), 400, "BAD_REQUEST");
}

/* ---- waiting ---- */

static void await_waiters(size_t count)
{
    while (waiters_count(f.api.waiters) != count)
        sched_yield();
}

static void wait__told__answers(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /t/wait", "ksk_admin", "", "");
    await_waiters(1);
    waiters_tell(f.api.waiters, 'n', "op"); /* other news */
    waiters_tell(f.api.waiters, 'o', "other");
    has_moved = 1;
    waiters_tell(f.api.waiters, 'o', "op");
    check_reply(hear(fd), 200, "\"moved\":true");
}

static void wait__told_for_all__answers(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /t/wait", "ksk_admin", "", "");
    await_waiters(1);
    has_moved = 1;
    waiters_tell(f.api.waiters, 'o', "");
    check_reply(hear(fd), 200, "\"moved\":true");
}

static void wait__server_stops__answers(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /t/wait", "ksk_admin", "", "");
    await_waiters(1);
    http_server_stop(f.http);
    f.http = NULL;
    check_reply(hear(fd), 200, "\"moved\":false");
}

static void wait__client_goes_away__forgotten_when_told(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /t/wait", "ksk_admin", "", "");
    await_waiters(1);
    close(fd);
    has_moved = 1;
    waiters_tell(f.api.waiters, 'o', "op");
    await_waiters(0);
}

static void wait__too_many__503(void **state)
{
    int fds[2] = {dial(), dial()};

    (void)state;
    say(fds[0], "GET /t/wait", "ksk_admin", "", "");
    say(fds[1], "GET /t/wait", "ksk_admin", "", "");
    await_waiters(2);
    const char *reply = ask("GET /t/wait", "ksk_admin", "", "");
    check_reply(reply, 503, "TOO_MANY_WAIT");
    check_reply(reply, 503, "Retry-After: 1");
    int fd = dial(); /* those are of an organisation; this one is not held up */
    say(fd, "GET /t/wait", "ksk_platform", "", "");
    await_waiters(3);
    check_reply(ask("GET /t/wait", "ksk_platform", "", ""), 503, "TOO_MANY_WAIT");
    close(fds[0]);
    close(fds[1]);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(path__unknown__404),
        TEST(verb__wrong__405_names_the_right_ones),
        TEST(head__answered_as_get_without_body),
        TEST(reply__headers_of_every_reply__there),
        TEST(key__missing_or_wrong__401),
        TEST(key__twice__400),
        TEST(key__many_wrong__429_but_not_for_the_right_one),
        TEST(key__too_many_requests__429),
        TEST(key__too_many_requests_of_its_organisation__429),
        TEST(key__store_fails__500_says_nothing),
        TEST(certificate__none__401),
        TEST(permission__other_scope__403),
        TEST(permission__small_role__403),
        TEST(permission__other_cluster__404),
        TEST(query__unknown_parameter__400),
        TEST(body__bad__400_with_position_and_without_quoting),
        TEST(body__deep__400),
        TEST(body__other_type__415),
        TEST(body__too_large__413),
        TEST(handler__fails__form_of_the_dialect),
        TEST(repeat__same_request__same_reply_and_done_once),
        TEST(repeat__other_request__422),
        TEST(repeat__first_is_being_answered__409),
        TEST(repeat__route_without__400),
        TEST(wait__told__answers),
        TEST(wait__told_for_all__answers),
        TEST(wait__server_stops__answers),
        TEST(wait__client_goes_away__forgotten_when_told),
        TEST(wait__too_many__503),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
