/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a request in the dialect of CockroachDB Cloud becomes the right wish, and every failure the status that its clients act upon:
 * asked again, waited for, or given up. control/ is played by this file.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/crdb.h"
#include "api/serve.h"
#include "base/mem.h"
#include "check.h"

#define CLUSTER "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"
#define CHECK_ID "2f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"
#define PATH "/api/v1/clusters/" CLUSTER
#define SPEC(region, name)                                                                         \
    "{\"region\":\"" region "\",\"key_spec\":{\"type\":\"AWS_KMS\",\"uri\":\"arn:" name            \
    "\",\"auth_principal\":\"role\"}}"

enum { REPLY_BYTES = 1 << 16 };

/* ---- control/ as it is played: one cluster with the region "west", whose key is arn:one ---- */

static struct play {
    enum cluster_state state;
    enum cmek_status status;
    enum ks_code fails;         /* of every change */
    enum operation_state check; /* what becomes of a check */
    const char *check_class;
    enum ks_code check_fails;

    /* what was asked for */
    int asks, checks, changes, creations;
    enum cmek_verb verb;
    enum rotate_level level;
    size_t region_count;
    char region[NAME_BYTES], uri[KEY_URI_BYTES], engine[WORD_BYTES], name[NAME_BYTES];
    bool has_check, is_protected;
    struct slice slice;
    enum cluster_order order;
} play;
static atomic_int looks;

static ks_rc fail_if(enum ks_code code)
{
    return code == KS_E_OK ? KS_SUCCESS : ks_fail(code, "the reason");
}

static ks_rc make_view(struct cluster_view **ret)
{
    struct cluster_view *v;

    TRY(mem_new(1, sizeof *v, &v));
    TRY(mem_new(1, sizeof *v->regions, &v->regions));
    v->region_count = 1;
    v->cluster = (struct cluster){.id = CLUSTER,
                                  .name = "orders",
                                  .provider = "AWS",
                                  .state = play.state,
                                  .created = 1,
                                  .updated = 1};
    v->regions[0] = (struct region){
        .name = "west", .node_count = 1, .state = REGION_READY, .status = play.status};
    *ret = v;
    return KS_SUCCESS;
}

void cluster_view_free(struct cluster_view *v)
{
    if (v)
        mem_free(v->regions);
    mem_free(v);
}

void cluster_view_freep(struct cluster_view **v)
{
    cluster_view_free(*v);
}

void cluster_views_free(struct cluster_view **views, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cluster_view_free(views[i]);
    mem_free(views);
}

void cmek_view_free(struct cmek_view *v)
{
    if (v && v->regions)
        mem_free(v->regions[0].keys);
    if (v)
        mem_free(v->regions);
    mem_free(v);
}

void cmek_view_freep(struct cmek_view **v)
{
    cmek_view_free(*v);
}

void operation_view_free(struct operation_view *v)
{
    mem_free(v);
}

void operation_view_freep(struct operation_view **v)
{
    operation_view_free(*v);
}

ks_rc control_authenticate(struct control *c, const char *secret, struct caller *ret)
{
    (void)c;
    ENSURE(strcmp(secret, "ksk_admin") == 0, KS_E_PERMISSION, "no");
    *ret = (struct caller){.key = "k", .organisation = "o", .role = ROLE_ADMIN};
    return KS_SUCCESS;
}

ks_rc control_node_authenticate(struct control *c, const char *fingerprint, struct node *ret)
{
    (void)c;
    (void)fingerprint;
    (void)ret;
    return ks_fail(KS_E_PERMISSION, "no");
}

ks_rc control_repeat_find(struct control *c, const struct caller *by, const char *key,
                          const uint8_t hash[32], int *ret_status, struct buf *ret_body)
{
    (void)c;
    (void)by;
    (void)key;
    (void)hash;
    (void)ret_status;
    (void)ret_body;
    return ks_fail(KS_E_NOT_FOUND, "none");
}

void control_repeat_keep(struct control *c, const struct caller *by, const char *key, int status,
                         struct view body)
{
    (void)c;
    (void)by;
    (void)key;
    (void)status;
    (void)body;
}

static struct platform the_platform;

ks_rc control_platform_get(struct control *c, struct platform *ret)
{
    (void)c;
    *ret = the_platform;
    return KS_SUCCESS;
}

const char *control_authority(struct control *c)
{
    (void)c;
    return "-----BEGIN CERTIFICATE-----\n";
}

ks_rc control_organisation_get(struct control *c, const struct caller *by, const char *id,
                               struct organisation *ret)
{
    (void)c;
    (void)by;
    assert_string_equal(id, "o");
    *ret = (struct organisation){.id = "o", .name = "acme", .label = "acme", .created = 1782907200};
    return KS_SUCCESS;
}

ks_rc control_region_names(struct control *c, char (**ret)[NAME_BYTES], size_t *ret_count)
{
    (void)c;
    TRY(mem_new(1, NAME_BYTES, ret));
    memcpy((*ret)[0], "west", 5);
    *ret_count = 1;
    return KS_SUCCESS;
}

ks_rc control_volumes(struct control *c, const struct caller *by, const char *cluster,
                      struct cluster_volume **ret, size_t *ret_count)
{
    (void)c;
    (void)by;
    (void)cluster;
    TRY(mem_new(2, sizeof **ret, ret));
    for (size_t i = 0; i < 2; i++)
        (*ret)[i] = (struct cluster_volume){.region = "west",
                                            .is_wanted = true,
                                            .ordinal = (uint32_t)i,
                                            .access = i == 0 ? ACCESS_OPEN : ACCESS_LOCKED,
                                            .engine = ENGINE_NONE};
    *ret_count = 2;
    return KS_SUCCESS;
}

ks_rc control_cluster_get(struct control *c, const struct caller *by, const char *id,
                          struct cluster_view **ret)
{
    (void)c;
    (void)by;
    ENSURE(strcmp(id, CLUSTER) == 0, KS_E_NOT_FOUND, "there is no cluster %s", id);
    return make_view(ret);
}

ks_rc control_cluster_create(struct control *c, const struct caller *by,
                             const struct cluster_wish *wish, struct cluster_view **ret)
{
    (void)c;
    (void)by;
    play.creations++;
    play.region_count = wish->region_count;
    play.is_protected = wish->is_delete_protected;
    snprintf(play.engine, sizeof play.engine, "%s", wish->engine);
    snprintf(play.name, sizeof play.name, "%s", wish->name);
    TRY(fail_if(play.fails));
    return make_view(ret);
}

ks_rc control_cluster_change(struct control *c, const struct caller *by, const char *id,
                             const struct cluster_change *change, struct cluster_view **ret)
{
    (void)c;
    (void)by;
    (void)id;
    play.changes++;
    play.region_count = change->region_count;
    play.is_protected = change->is_delete_protected && *change->is_delete_protected;
    if (change->region_count > 1)
        snprintf(play.uri, sizeof play.uri, "%s", change->regions[1].keys[0].uri);
    TRY(fail_if(play.fails));
    return make_view(ret);
}

ks_rc control_cluster_delete(struct control *c, const struct caller *by, const char *id,
                             struct cluster_view **ret)
{
    (void)c;
    (void)by;
    (void)id;
    TRY(fail_if(play.fails));
    return make_view(ret);
}

ks_rc control_cluster_list(struct control *c, const struct caller *by,
                           const struct cluster_filter *filter, struct slice *slice,
                           struct cluster_view ***ret, size_t *ret_count)
{
    (void)c;
    (void)by;
    play.slice = *slice;
    play.order = filter->order;
    TRY(mem_new(1, sizeof **ret, ret));
    TRY(make_view(*ret));
    *ret_count = 1;
    snprintf(slice->after, sizeof slice->after, "next");
    snprintf(slice->before, sizeof slice->before, "~before");
    return KS_SUCCESS;
}

/* Another number each time: nothing is kept. */
uint64_t control_version(struct control *c, const char *cluster)
{
    static uint64_t last;

    (void)c;
    (void)cluster;
    return ++last;
}

ks_rc control_cmek_get(struct control *c, const struct caller *by, const char *cluster,
                       struct cmek_view **ret)
{
    struct cmek_view *v;

    (void)c;
    (void)by;
    ENSURE(strcmp(cluster, CLUSTER) == 0, KS_E_NOT_FOUND, "there is no cluster %s", cluster);
    TRY(mem_new(1, sizeof *v, &v));
    TRY(mem_new(1, sizeof *v->regions, &v->regions));
    *v = (struct cmek_view){.cluster = CLUSTER,
                            .state = play.state,
                            .status = play.status,
                            .region_count = 1,
                            .regions = v->regions};
    v->regions[0].region = (struct region){.name = "west", .status = play.status};
    if (play.status != CMEK_DISABLED) {
        TRY(mem_new(1, sizeof *v->regions[0].keys, &v->regions[0].keys));
        v->regions[0].key_count = 1;
        v->regions[0].keys[0] = (struct region_key){
            .spec = {.type = "AWS_KMS", .uri = "arn:one", .auth_principal = "role"},
            .status = play.status};
    }
    *ret = v;
    return KS_SUCCESS;
}

ks_rc control_cmek_ask(struct control *c, const struct caller *by, const char *cluster,
                       const struct cmek_ask *ask, struct operation *ret)
{
    (void)c;
    (void)by;
    (void)cluster;
    *ret = (struct operation){.id = CHECK_ID};
    if (ask->verb == CMEK_CHECK) {
        play.checks++;
        snprintf(play.uri, sizeof play.uri, "%s", ask->regions[0].keys[0].uri);
        return fail_if(play.check_fails);
    }
    play.asks++;
    play.verb = ask->verb;
    play.level = ask->level;
    play.region_count = ask->region_count;
    play.has_check = ask->check && strcmp(ask->check, CHECK_ID) == 0;
    snprintf(play.region, sizeof play.region, "%s",
             ask->region_count ? ask->regions[0].region : "");
    return fail_if(play.fails);
}

ks_rc control_operation_get(struct control *c, const struct caller *by, const char *id,
                            struct operation_view **ret)
{
    (void)c;
    (void)by;
    assert_string_equal(id, CHECK_ID);
    TRY(mem_new(1, sizeof **ret, ret));
    /* the first look comes before the end of the check */
    bool is_early = play.check == OPERATION_RUNNING || looks++ == 0;
    (*ret)->operation = (struct operation){.state = is_early ? OPERATION_RUNNING : play.check,
                                           .message = "grant kms:Decrypt"};
    snprintf((*ret)->operation.error_class, WORD_BYTES, "%s",
             play.check_class ? play.check_class : "");
    return KS_SUCCESS;
}

/* ---- the server ---- */

static const struct api_dialect *const dialects[] = {&crdb_dialect};

static struct fixture {
    struct clock_manual clock;
    struct api api;
    struct listener listener;
    struct http_server *http;
} f;

static int setup(void **state)
{
    (void)state;
    play = (struct play){.state = CLUSTER_CREATED, .check = OPERATION_SUCCEEDED};
    looks = 0;
    memset(&f, 0, sizeof f);
    clock_manual_init(&f.clock, 1000, 1700000000);
    f.api.clock = &f.clock.clock;
    check_ok(limiter_new(0, f.api.clock, &f.api.keys));
    check_ok(limiter_new(0, f.api.clock, &f.api.organisations));
    check_ok(limiter_new(0, f.api.clock, &f.api.failures));
    check_ok(waiters_new(8, 8, &f.api.waiters));
    check_ok(keeper_new(16, &f.api.keeper));
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
    keeper_free(f.api.keeper);
    return 0;
}

static int say(const char *request, const char *headers, const char *body)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f.http))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[8192];

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int len = snprintf(text, sizeof text,
                       "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer "
                       "ksk_admin\r\n%s%sContent-Length: "
                       "%zu\r\n\r\n%s",
                       request, headers, body[0] ? "Content-Type: application/json\r\n" : "",
                       strlen(body), body);
    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
    return fd;
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

/* Whoever waits is told until the reply has come, because control/ tells nothing here. */
static const char *ask(const char *request, const char *body)
{
    int fd = say(request, "", body);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, 1) == 0)
        waiters_tell(f.api.waiters, 'o', "");
    return hear(fd);
}

static void check_reply(const char *reply, int status, const char *part)
{
    char line[32];

    snprintf(line, sizeof line, "HTTP/1.1 %d", status);
    if (strncmp(reply, line, strlen(line)) != 0 || !strstr(reply, part))
        fail_msg("wanted %s ... %s, got: %.1500s", line, part, reply);
    if (!strstr(reply, "Content-Type: application/json"))
        fail_msg("no JSON: %.500s", reply);
}

static void check_refused(const char *reply, int status, int code, const char *message)
{
    char part[256];

    snprintf(part, sizeof part, "{\"code\":%d,\"message\":\"%s\",\"details\":[", code, message);
    check_reply(reply, status, part);
}

/* ---- failures ---- */

static void each_failure__of_each_call__has_the_status_that_clients_act_upon(void **state)
{
    static const struct {
        enum ks_code code;
        int cluster_status, cmek_status, grpc;
    } rows[] = {
        {KS_E_USAGE, 400, 422, 3}, {KS_E_NOT_FOUND, 404, 404, 5}, {KS_E_EXISTS, 409, 409, 6},
        {KS_E_STATE, 409, 409, 9}, {KS_E_BUSY, 503, 503, 14},     {KS_E_UNSUPPORTED, 501, 501, 12},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        play.fails = rows[i].code;
        check_refused(ask("DELETE " PATH, ""), rows[i].cluster_status, rows[i].grpc, "the reason");
        check_refused(ask("PATCH " PATH, "{\"labels\":{}}"), rows[i].cluster_status, rows[i].grpc,
                      "the reason");
        check_refused(ask("PATCH " PATH "/cmek", "{\"action\":\"REVOKE\"}"), rows[i].cmek_status,
                      rows[i].grpc, "the reason");
    }
}

static void cluster_that_is_not_ready__asked_for_keys__is_waited_for(void **state)
{
    (void)state;
    play.fails = KS_E_STATE;
    play.state = CLUSTER_CREATING;
    check_refused(ask("POST " PATH "/cmek", "{\"region_specs\":[" SPEC("west", "one") "]}"), 503,
                  14, "the reason");
    play.state = CLUSTER_CREATED;
    play.status = CMEK_ROTATING;
    check_refused(ask("PATCH " PATH "/cmek", "{\"action\":\"DISABLE\"}"), 503, 14, "the reason");
    play.state = CLUSTER_DELETED;
    check_refused(ask("PATCH " PATH "/cmek", "{\"action\":\"DISABLE\"}"), 409, 9, "the reason");
}

static void cluster__of_nobody__is_404_everywhere(void **state)
{
    static const char *const requests[] = {"GET /api/v1/clusters/x", "GET /api/v1/clusters/x/cmek",
                                           "GET /api/v1/clusters/x/backups-config"};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        check_refused(ask(requests[i], ""), 404, 5, "there is no cluster x");
}

static void version__none_known_unknown__echoed_or_refused(void **state)
{
    (void)state;
    check_reply(ask("GET " PATH, ""), 200, "Cc-Version: 2024-09-16\r\n");
    check_reply(hear(say("GET " PATH, "Cc-Version: 2022-03-31\r\n", "")), 200,
                "Cc-Version: 2022-03-31\r\n");
    check_refused(hear(say("GET " PATH, "Cc-Version: 2022-03-32\r\n", "")), 400, 3,
                  "invalid Cc-Version");
}

/* ---- keys ---- */

static void enable__keys_that_work__asked_for_with_the_check(void **state)
{
    (void)state;
    check_reply(
        ask("POST " PATH "/cmek", "{\"region_specs\":[" SPEC("west", "\\u003cone\\u0026") "]}"),
        200, "\"region_infos\":[");
    assert_string_equal(play.uri, "arn:<one&");
    assert_int_equal(play.checks, 1);
    assert_int_equal(play.verb, CMEK_ENABLE);
    assert_true(play.has_check);
    assert_string_equal(play.region, "west");
}

static void enable__denied__400_with_what_to_grant_and_nothing_is_changed(void **state)
{
    (void)state;
    play.check = OPERATION_FAILED;
    play.check_class = "DENIED";
    check_refused(ask("POST " PATH "/cmek", "{\"region_specs\":[" SPEC("west", "one") "]}"), 400, 3,
                  "grant kms:Decrypt");
    assert_int_equal(play.asks, 0);
}

static void enable__check_not_possible_or_not_answered__goes_on(void **state)
{
    static const enum ks_code codes[] = {KS_E_BUSY, KS_E_STATE, KS_E_USAGE};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        play.check_fails = codes[i];
        check_reply(ask("PUT " PATH "/cmek", "{\"region_specs\":[" SPEC("west", "one") "]}"), 200,
                    "region_infos");
        assert_int_equal(play.verb, CMEK_PUT);
        assert_false(play.has_check);
    }
    play.check_fails = KS_E_OK;
    play.check = OPERATION_FAILED;
    play.check_class = "UNREACHABLE";
    check_reply(ask("POST " PATH "/cmek", "{\"region_specs\":[" SPEC("west", "one") "]}"), 200,
                "region_infos");
}

static void enable__repeated__is_not_checked_again(void **state)
{
    (void)state;
    play.status = CMEK_ENABLED;
    check_reply(ask("POST " PATH "/cmek", "{\"region_specs\":[" SPEC("west", "one") "]}"), 200,
                "\"status\":\"ENABLED\"");
    assert_int_equal(play.checks, 0);
    assert_int_equal(play.asks, 1);
    play.status = CMEK_REVOKED;
    check_reply(ask("POST " PATH "/cmek", "{\"region_specs\":[" SPEC("west", "one") "]}"), 200,
                "\"status\":\"REVOKED\"");
    assert_int_equal(play.checks, 1);
}

static void enable__without_specs__422(void **state)
{
    (void)state;
    check_reply(ask("POST " PATH "/cmek", "{}"), 422, "region_specs");
    check_reply(ask("POST " PATH "/cmek", "{\"region_specs\":[]}"), 422, "region_specs");
    check_reply(ask("POST " PATH "/cmek", "{\"region_specs\":[{}]}"), 422, "region");
}

static void actions__each__become_their_verb(void **state)
{
    static const struct {
        const char *body;
        enum cmek_verb verb;
        enum rotate_level level;
        size_t regions;
    } rows[] = {
        {"{\"action\":\"REVOKE\"}", CMEK_REVOKE, LEVEL_CMEK, 0},
        {"{\"action\":\"REVOKE\",\"regions\":[\"west\"]}", CMEK_REVOKE, LEVEL_CMEK, 1},
        {"{\"action\":\"RESTORE\"}", CMEK_RESTORE, LEVEL_CMEK, 0},
        {"{\"action\":\"DISABLE\"}", CMEK_DISABLE, LEVEL_CMEK, 0},
        {"{\"action\":\"ROTATE\",\"level\":\"data\"}", CMEK_ROTATE, LEVEL_DATA, 0},
        {"{\"action\":\"ROTATE\",\"level\":\"REENCRYPT\"}", CMEK_ROTATE, LEVEL_REENCRYPT, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_reply(ask("PATCH " PATH "/cmek", rows[i].body), 200, "region_infos");
        assert_int_equal(play.verb, rows[i].verb);
        assert_int_equal(play.level, rows[i].level);
        assert_int_equal(play.region_count, rows[i].regions);
    }
    check_reply(ask("PATCH " PATH "/cmek", "{\"action\":\"FORGET\"}"), 422,
                "REVOKE, RESTORE, DISABLE, ROTATE or CHECK");
    check_reply(ask("PATCH " PATH "/cmek", "{}"), 422, "action");
    check_reply(ask("PATCH " PATH "/cmek", "{\"action\":\"ROTATE\",\"level\":\"X\"}"), 422,
                "level");
    check_reply(ask("PATCH " PATH "/cmek", "{\"action\":\"REVOKE\",\"regions\":[1]}"), 422,
                "regions");
}

static void check__asked_for__says_yes_no_or_nothing(void **state)
{
    static const struct {
        enum operation_state end;
        const char *cls;
        int status;
    } rows[] = {
        {OPERATION_SUCCEEDED, "", 200},
        {OPERATION_FAILED, "DENIED", 400},
        {OPERATION_FAILED, "USAGE", 422},
        {OPERATION_FAILED, "UNREACHABLE", 503},
    };

    (void)state;
    play.status = CMEK_ENABLED;
    for (size_t i = 0; i < 4; i++) {
        looks = 0;
        play.check = rows[i].end;
        play.check_class = rows[i].cls;
        check_reply(ask("PATCH " PATH "/cmek", "{\"action\":\"CHECK\"}"), rows[i].status,
                    rows[i].status == 200 ? "region_infos" : "grant kms:Decrypt");
        assert_string_equal(play.uri, "arn:one");
        assert_int_equal(play.asks, 0);
    }
    play.check_fails = KS_E_BUSY;
    check_refused(ask("PATCH " PATH "/cmek", "{\"action\":\"CHECK\"}"), 503, 14, "the reason");
    play.status = CMEK_DISABLED;
    check_reply(ask("PATCH " PATH "/cmek", "{\"action\":\"CHECK\"}"), 409, "region_specs");
}

/* ---- clusters ---- */

static void region_added__in_each_form__is_checked_and_changed(void **state)
{
    static const struct {
        const char *request, *body;
    } rows[] = {
        {"PATCH " PATH,
         "{\"dedicated\":{\"region_nodes\":{\"west\":1,\"east\":1},\"cmek_region_specs\":[" SPEC(
             "east", "two") "]}}"},
        {"PATCH " PATH, "{\"region_specs\":[" SPEC("east", "two") "]}"},
        {"PATCH " PATH "/cmek", "{\"region_specs\":[" SPEC("east", "two") "]}"},
    };

    (void)state;
    play.status = CMEK_ENABLED;
    for (int i = 0; i < 3; i++) {
        looks = 0;
        check_reply(ask(rows[i].request, rows[i].body), 200, "\"regions\":[");
        assert_int_equal(play.changes, i + 1);
        assert_int_equal(play.checks, i + 1);
        assert_int_equal(play.region_count, 2);
        assert_string_equal(play.uri, "arn:two");
    }
    play.check = OPERATION_FAILED;
    play.check_class = "DENIED";
    looks = 0;
    check_refused(ask(rows[0].request, rows[0].body), 400, 3, "grant kms:Decrypt");
    assert_int_equal(play.changes, 3);
}

static void regions__repeated_as_they_are__are_no_change(void **state)
{
    (void)state;
    check_reply(
        ask("PATCH " PATH,
            "{\"dedicated\":{\"region_nodes\":{\"west\":1}},\"delete_protection\":\"ENABLED\"}"),
        200, "");
    assert_int_equal(play.region_count, 0);
    assert_true(play.is_protected);
    check_reply(ask("PATCH " PATH, "{\"dedicated\":{\"region_nodes\":{\"west\":2}}}"), 200, "");
    assert_int_equal(play.region_count, 1);
}

static void create__as_the_guides_and_the_provider_do__becomes_a_wish(void **state)
{
    (void)state;
    check_reply(ask("POST /api/v1/clusters",
                    "{\"name\":\"orders\",\"provider\":\"AWS\",\"plan\":\"ADVANCED\",\"spec\":{"
                    "\"delete_protection\":\"ENABLED\",\"labels\":{\"keystead-engine\":\"redis\"},"
                    "\"dedicated\":{\"region_nodes\":{\"west\":3,\"east\":3}}}}"),
                200, "\"id\":\"" CLUSTER "\"");
    assert_string_equal(play.name, "orders");
    assert_string_equal(play.engine, "redis");
    assert_int_equal(play.region_count, 2);
    assert_true(play.is_protected);
    play.fails = KS_E_EXISTS;
    check_refused(
        ask("POST /api/v1/clusters",
            "{\"name\":\"orders\",\"provider\":\"GCP\",\"spec\":{\"dedicated\":{\"region_nodes\":{"
            "\"west\":1}}}}"),
        409, 6, "the reason");
}

static void create__that_cannot_be__400_names_it(void **state)
{
    static const struct {
        const char *body, *part;
    } rows[] = {
        {"{\"provider\":\"AWS\",\"spec\":{\"dedicated\":{\"region_nodes\":{\"w\":1}}}}", "name"},
        {"{\"name\":\"short\",\"provider\":\"AWS\",\"spec\":{\"dedicated\":{\"region_nodes\":{"
         "\"w\":1}}}}",
         "6 to 20"},
        {"{\"name\":\"-dashed\",\"provider\":\"AWS\",\"spec\":{\"dedicated\":{\"region_nodes\":{"
         "\"w\":1}}}}",
         "6 to 20"},
        {"{\"name\":\"orders\",\"provider\":\"ABC\",\"spec\":{\"dedicated\":{\"region_nodes\":{"
         "\"w\":1}}}}",
         "AWS, GCP or AZURE"},
        {"{\"name\":\"orders\",\"provider\":\"AWS\",\"spec\":{\"dedicated\":{}}}", "region_nodes"},
        {"{\"name\":\"orders\",\"provider\":\"AWS\",\"spec\":{\"serverless\":{}}}", "serverless"},
        {"{\"name\":\"orders\",\"provider\":\"AWS\",\"spec\":{\"labels\":{\"keystead-engine\":"
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"},\"dedicated\":{\"region_nodes\":{\"w\":"
         "1}}}}",
         "keystead-engine"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_reply(ask("POST /api/v1/clusters", rows[i].body), 400, rows[i].part);
    assert_int_equal(play.creations, 0);
}

static void list__every_parameter__is_passed_on(void **state)
{
    (void)state;
    check_reply(ask("GET "
                    "/api/v1/"
                    "clusters?pagination.page=tok&pagination.limit=7&pagination.sort_by=NAME&"
                    "pagination.sort_order=DESC"
                    "&show_inactive=true&whatever=1",
                    ""),
                200, "\"pagination\":{\"next_page\":\"next\",\"previous_page\":\"~before\"}");
    assert_string_equal(play.slice.after, "tok");
    assert_int_equal(play.slice.count_max, 7);
    assert_true(play.slice.is_descending);
    assert_int_equal(play.order, CLUSTER_BY_NAME);
    check_reply(ask("GET /api/v1/clusters?pagination.sort_by=AGE", ""), 400, "sort_by");
    check_reply(ask("GET /api/v1/clusters?pagination.sort_order=UP", ""), 400, "sort_order");
    check_reply(ask("GET /api/v1/clusters?pagination.limit=x", ""), 400, "limit");
    check_reply(ask("GET /api/v1/clusters?pagination.as_of_time=2026-01-01T00:00:00Z", ""), 501,
                "as_of_time");
}

static void the_platform__as_it_was_told__shown_for_the_cloud_of_the_cluster(void **state)
{
    (void)state;
    assert_null(strstr(hear(say("GET " PATH, "", "")), "account_id"));
    the_platform = (struct platform){.aws_account = "444455556666"};
    check_reply(ask("GET " PATH, ""), 200, "\"account_id\":\"444455556666\"");
    the_platform = (struct platform){.gcp_project = "another-cloud"};
    assert_null(strstr(hear(say("GET " PATH, "", "")), "account_id"));
    the_platform = (struct platform){0};
}

static void the_organisation__says_whom_trust_policies_are_to_name(void **state)
{
    static const char path[] = "GET /api/v1/organization";

    (void)state;
    assert_null(strstr(hear(say(path, "", "")), "service_principals"));
    the_platform = (struct platform){.aws_account = "444455556666",
                                     .aws_principal = "arn:aws:iam::444455556666:user/nodes"};
    check_reply(ask(path, ""), 200,
                "\"cockroach_cloud_service_principals\":{\"aws\":{\"user_arn\":"
                "\"arn:aws:iam::444455556666:user/nodes\"}}}");
    the_platform = (struct platform){.gcp_service_account = "n@p-roject.iam.gserviceaccount.com",
                                     .azure_client_id = "6a0d3c9e",
                                     .azure_application = "nodes"};
    check_reply(ask(path, ""), 200,
                "{\"gcp\":{\"service_account_email\":\"n@p-roject.iam.gserviceaccount.com\"},"
                "\"azure\":{\"app_registration_client_id\":\"6a0d3c9e\","
                "\"app_registration_name\":\"nodes\"}}");
    the_platform = (struct platform){0};
}

static void cmek__of_a_deleted_cluster__is_gone(void **state)
{
    (void)state;
    play.state = CLUSTER_DELETED;
    check_reply(ask("GET " PATH "/cmek", ""), 404, "/cmek/keys");
}

static void short_lists__read_in_parts__go_both_ways(void **state)
{
    static const char first[] =
        "{\"nodes\":[{\"name\":\"west-0\",\"region_name\":\"west\",\"status\":"
        "\"LIVE\"}],\"pagination\":{\"next_page\":\"1\",\"previous_page\":\"\"}}",
                      second[] =
                          "{\"nodes\":[{\"name\":\"west-1\",\"region_name\":\"west\",\"status\":"
                          "\"NOT_READY\"}],\"pagination\":{\"next_page\":\"\",\"previous_page\":"
                          "\"0\"}}";

    (void)state;
    check_reply(ask("GET " PATH "/nodes?pagination.limit=1", ""), 200, first);
    check_reply(ask("GET " PATH "/nodes?pagination.limit=1&pagination.page=1", ""), 200, second);
    check_reply(ask("GET " PATH "/nodes?pagination.limit=1&pagination.page=0", ""), 200, first);
    check_reply(ask("GET " PATH "/nodes?pagination.sort_order=DESC&pagination.limit=1", ""), 200,
                "{\"nodes\":[{\"name\":\"west-1\"");
    check_reply(ask("GET " PATH "/nodes?pagination.page=99999999999999999999", ""), 400,
                "pagination.page");
    check_reply(ask("GET " PATH "/nodes?pagination.page=AAAA", ""), 400, "pagination.page");
    check_reply(ask("GET " PATH "/nodes?pagination.page=7", ""), 200,
                "{\"nodes\":[],\"pagination\":{\"next_page\":\"\",\"previous_page\":\"0\"}}");
    check_reply(ask("GET /api/v1/cluster-versions?pagination.limit=-1", ""), 400, "limit");
}

static void regions__asked_for_what_there_is_not__none_or_refused(void **state)
{
    (void)state;
    check_reply(ask("GET /api/v1/clusters/available-regions?serverless=true", ""), 200,
                "{\"regions\":[],");
    check_reply(ask("GET /api/v1/clusters/available-regions?provider=IBM", ""), 400, "provider");
    check_reply(ask("GET /api/v1/clusters/available-regions?serverless=2", ""), 400, "serverless");
}

static void what_is_around_a_cluster__shown(void **state)
{
    (void)state;
    check_reply(ask("GET " PATH "/nodes", ""), 200,
                "{\"nodes\":[{\"name\":\"west-0\",\"region_name\":\"west\",\"status\":\"LIVE\"},{"
                "\"name\":\"west-1\",\"region_name\":"
                "\"west\",\"status\":\"NOT_READY\"}],");
    check_reply(ask("GET " PATH "/nodes?region_name=east", ""), 200, "{\"nodes\":[],");
    check_reply(ask("GET /api/v1/clusters/available-regions?provider=AWS", ""), 200,
                "{\"regions\":[{\"name\":\"west\",\"location\":\"west\",\"provider\":\"AWS\","
                "\"serverless\":false,\"distance\":0.0}],");
    check_reply(ask("GET /api/v1/cluster-versions", ""), 200,
                "{\"versions\":[{\"version\":\"v25.2\",");
    check_reply(ask("GET /api/v1/organization", ""), 200,
                "{\"id\":\"o\",\"label\":\"acme\",\"name\":\"acme\",\"created_at\":\"2026-07-01T12:"
                "00:00Z\"}");
    check_reply(ask("GET " PATH "/backups-config", ""), 200,
                "{\"enabled\":false,\"retention_days\":30,\"frequency_minutes\":60}");
    check_reply(ask("PATCH " PATH "/backups-config", "{\"retention_days\":7}"), 200,
                "\"retention_days\":7");
    check_reply(ask("PATCH " PATH "/backups-config", "{\"enabled\":true}"), 501,
                "takes no backups");
    const char *cert = hear(say("GET /clusters/x/cert", "", ""));
    assert_non_null(strstr(cert, "BEGIN CERTIFICATE"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_failure__of_each_call__has_the_status_that_clients_act_upon),
        TEST(cluster_that_is_not_ready__asked_for_keys__is_waited_for),
        TEST(cluster__of_nobody__is_404_everywhere),
        TEST(version__none_known_unknown__echoed_or_refused),
        TEST(enable__keys_that_work__asked_for_with_the_check),
        TEST(enable__denied__400_with_what_to_grant_and_nothing_is_changed),
        TEST(enable__check_not_possible_or_not_answered__goes_on),
        TEST(enable__repeated__is_not_checked_again),
        TEST(enable__without_specs__422),
        TEST(actions__each__become_their_verb),
        TEST(check__asked_for__says_yes_no_or_nothing),
        TEST(region_added__in_each_form__is_checked_and_changed),
        TEST(regions__repeated_as_they_are__are_no_change),
        TEST(create__as_the_guides_and_the_provider_do__becomes_a_wish),
        TEST(create__that_cannot_be__400_names_it),
        TEST(list__every_parameter__is_passed_on),
        TEST(the_platform__as_it_was_told__shown_for_the_cloud_of_the_cluster),
        TEST(the_organisation__says_whom_trust_policies_are_to_name),
        TEST(cmek__of_a_deleted_cluster__is_gone),
        TEST(short_lists__read_in_parts__go_both_ways),
        TEST(regions__asked_for_what_there_is_not__none_or_refused),
        TEST(what_is_around_a_cluster__shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
