/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: every line of the contract of cli/fleet_client.h against a server that answers well, badly or not at all; that
 * only GET is sent twice; that the API key leaves its file only when nobody else can read it and only towards TLS or this host.
 */
#include "cli/fleet_client.h"

#include <sys/stat.h>

#include "base/secret.h"
#include "tmpdir.h"
#include "wire_server.h"

#define JSON_HEAD "Content-Type: application/json\r\n"

struct fixture {
    struct wire_server *server;
    struct fleet_client *client;
    struct tmpdir dir;
    struct path key;
    json_t *reply;
};

/* Its pauses last no time, and its requests have a deadline by the real clock. */
static uint64_t slept_ms;

static void sleep_never(struct clock *c, uint64_t ms)
{
    (void)c;
    slept_ms += ms;
}

static struct clock impatient;

static struct path put_key(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
    struct path p = tmpdir_path(&f->dir, name);

    file_put(p.text, view_text(text));
    assert_int_equal(chmod(p.text, mode), 0);
    return p;
}

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof f);
    slept_ms = 0;
    impatient = *clock_system();
    impatient.sleep_ms = sleep_never;
    check_ok(wire_server_start(NULL, &f.server));
    f.dir = tmpdir_make();
    f.key = put_key(&f, "key", "ksk_1_secret\n", 0600);
    const struct fleet_client_conf conf = {
        .server = wire_server_url(f.server), .key_file = f.key.text, .clock = &impatient};
    check_ok(fleet_client_new(&conf, &f.client));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    json_decref(f->reply);
    fleet_client_free(f->client);
    wire_server_stop(f->server);
    tmpdir_remove(&f->dir);
    return 0;
}

static ks_rc ask(struct fixture *f, const char *method)
{
    const struct fleet_request request = {.method = method, .target = "/v1/clusters"};

    json_decref(f->reply);
    f->reply = NULL;
    return fleet_client_ask(f->client, &request, &f->reply);
}

/* ---- what is sent ---- */

static void ask__get__key_in_the_header_only(void **state)
{
    struct fixture *f = *state;
    char value[64];

    wire_server_answer(f->server, 200, JSON_HEAD, "{\"clusters\": []}");
    check_ok(ask(f, "GET"));
    assert_true(json_is_array(json_object_get(f->reply, "clusters")));
    const struct wire_request *r = wire_server_request(f->server, 0);
    assert_string_equal(r->target, "/v1/clusters");
    assert_true(wire_request_header(r, "Authorization", value, sizeof value));
    assert_string_equal(value, "Bearer ksk_1_secret");
    assert_int_equal(r->body.len, 0);
}

static void ask__body__sent_as_json(void **state)
{
    struct fixture *f = *state;
    json_t *body = json_pack("{s:s}", "name", "orders");
    const struct fleet_request request = {.method = "POST", .target = "/v1/clusters", .body = body};
    char value[64];

    wire_server_answer(f->server, 200, "", "");
    check_ok(fleet_client_ask(f->client, &request, NULL));
    json_decref(body);
    const struct wire_request *r = wire_server_request(f->server, 0);
    check_bytes(r->body, view_text("{\"name\":\"orders\"}"));
    assert_true(wire_request_header(r, "Content-Type", value, sizeof value));
    assert_string_equal(value, "application/json");
}

static void ask__no_body_in_the_reply__null(void **state)
{
    struct fixture *f = *state;

    wire_server_answer(f->server, 204, "", "");
    check_ok(ask(f, "DELETE"));
    assert_null(f->reply);
}

static void target__awkward_texts__encoded(void **state)
{
    CLEANUP(buf_done) struct buf target = buf_init(256);

    (void)state;
    check_ok(fleet_path(&target, "a b/c?d"));
    check_ok(fleet_query(&target, "after", "x&y"));
    check_ok(fleet_query(&target, "limit", "\xc3\xa4"));
    assert_string_equal(buf_text(&target), "/a%20b%2Fc%3Fd?after=x%26y&limit=%C3%A4");
}

/* ---- replies that are errors ---- */

static void ask__each_error__class_and_words(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum ks_code code;
        const char *words;
    } cases[] = {
        {400, "{\"code\":\"USAGE\",\"detail\":\"no such region\"}", KS_E_USAGE, "no such region"},
        {400, "{\"code\":\"DENIED\",\"detail\":\"grant kms:Decrypt\"}", KS_E_DENIED, "kms:Decrypt"},
        {401, "{\"code\":\"UNAUTHENTICATED\",\"detail\":\"expired\"}", KS_E_CREDENTIAL, "/key"},
        {403, "{\"code\":\"FORBIDDEN\",\"detail\":\"a viewer\"}", KS_E_PERMISSION, "a viewer"},
        {404, "{\"code\":\"NOT_FOUND\",\"detail\":\"cluster x\"}", KS_E_NOT_FOUND, "cluster x"},
        {404, "{\"code\":\"NO_SUCH_PATH\",\"title\":\"no path\"}", KS_E_UNSUPPORTED, "no path"},
        {409, "{\"code\":\"BUSY\",\"detail\":\"at work\"}", KS_E_BUSY, "at work"},
        {409, "{\"code\":\"EXISTS\",\"detail\":\"there\"}", KS_E_EXISTS, "there"},
        {409, "{\"code\":\"STATE\",\"detail\":\"REVOKED\"}", KS_E_STATE, "REVOKED"},
        {412, "{\"code\":\"CHANGED_MEANWHILE\"}", KS_E_STATE, "no reason"},
        {422, "{\"code\":\"LIMIT\",\"detail\":\"too many\"}", KS_E_LIMIT, "too many"},
        {500, "{\"code\":\"INTERNAL\",\"detail\":\"logged\"}", KS_E_BUG, "logged"},
        {409, "", KS_E_STATE, "status 409"},
        {418, "tea", KS_E_USAGE, "status 418"},
        {404, "<html>", KS_E_NOT_FOUND, "status 404"},
        {301, "", KS_E_USAGE, "status 301"},
        {500, "[]", KS_E_BUG, "status 500"},
        {599, "{\"code\":\"SOMETHING_NEW\",\"detail\":\"new\"}", KS_E_BAD_REPLY, "new"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wire_server_answer(f->server, cases[i].status, JSON_HEAD, cases[i].body);
        ks_rc rc = ask(f, "POST");
        if (!ks_is(rc, cases[i].code))
            fail_msg("case %zu: %s: %s", i, ks_name(rc), ks_text(rc));
        check_text(rc, cases[i].words);
    }
}

static void ask__no_json_in_a_good_reply__bad_reply(void **state)
{
    struct fixture *f = *state;

    wire_server_answer(f->server, 200, "", "<html>hello</html>");
    ks_rc rc = ask(f, "GET");
    check_rc(rc, BAD_REPLY);
    check_text(rc, "is it a control plane");
}

/* ---- again ---- */

static void ask__get_without_an_answer__sent_again(void **state)
{
    static const int statuses[] = {429, 502, 503, 504};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        wire_server_forget(f->server);
        wire_server_answer(f->server, statuses[i], "", "");
        wire_server_answer(f->server, 200, JSON_HEAD, "{}");
        check_ok(ask(f, "GET"));
        assert_int_equal(wire_server_count(f->server), 2);
    }
}

static void ask__get_and_a_reset_connection__sent_again(void **state)
{
    struct fixture *f = *state;
    const struct wire_reply reset = {view_text(""), WIRE_RESET, false};

    wire_server_push(f->server, &reset);
    wire_server_answer(f->server, 200, JSON_HEAD, "{}");
    check_ok(ask(f, "GET"));
}

static void ask__get_never_answered__four_times_and_an_end(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 6; i++)
        wire_server_answer(f->server, 503, "", "");
    check_class(ask(f, "GET"), UNREACHABLE);
    assert_int_equal(wire_server_count(f->server), 4);
    assert_int_equal(slept_ms, 250 + 500 + 1000);
}

static void ask__retry_after__not_earlier_and_bounded(void **state)
{
    struct fixture *f = *state;

    wire_server_answer(f->server, 429, "Retry-After: 7\r\n", "");
    wire_server_answer(f->server, 429, "Retry-After: 86400\r\n", "");
    wire_server_answer(f->server, 200, JSON_HEAD, "{}");
    check_ok(ask(f, "GET"));
    assert_int_equal(slept_ms, 7000 + 20000);
}

static void ask__other_verbs_without_an_answer__sent_once(void **state)
{
    static const char *const verbs[] = {"POST", "PUT", "PATCH", "DELETE"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        wire_server_forget(f->server);
        wire_server_answer(f->server, 503, "", "");
        check_class(ask(f, verbs[i]), UNREACHABLE);
        assert_int_equal(wire_server_count(f->server), 1);
    }
}

static void ask__nobody_listens__unreachable(void **state)
{
    struct fixture *f = *state;
    struct fleet_client *client = NULL;
    const struct fleet_client_conf conf = {
        .server = "http://127.0.0.1:1", .key_file = f->key.text, .clock = &impatient};
    const struct fleet_request request = {.method = "POST", .target = "/v1/x"};

    check_ok(fleet_client_new(&conf, &client));
    check_rc(fleet_client_ask(client, &request, NULL), UNREACHABLE);
    fleet_client_free(client);
}

/* ---- what it is made of ---- */

static void new__other_servers__refused(void **state)
{
    static const char *const servers[] = {"http://keystead.example.com", "ftp://localhost", "x",
                                          "https://", "https://user@host/"};
    struct fixture *f = *state;
    struct fleet_client *client = NULL;

    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        const struct fleet_client_conf conf = {.server = servers[i], .key_file = f->key.text};
        check_rc(fleet_client_new(&conf, &client), USAGE);
    }
    assert_null(client);
}

static void new__slashes_at_the_end__dropped(void **state)
{
    struct fixture *f = *state;
    struct fleet_client *client = NULL;
    const struct fleet_client_conf conf = {.server = "https://localhost:1//",
                                           .key_file = f->key.text};

    check_ok(fleet_client_new(&conf, &client));
    assert_string_equal(fleet_client_server(client), "https://localhost:1");
    fleet_client_free(client);
}

static void new__key_file_that_cannot_be_used__credential(void **state)
{
    struct fixture *f = *state;
    struct fleet_client *client = NULL;
    const struct path files[] = {
        tmpdir_path(&f->dir, "missing"),          put_key(f, "open", "ksk_1_x\n", 0640),
        put_key(f, "others", "ksk_1_x\n", 0604),  put_key(f, "empty", "", 0600),
        put_key(f, "line_end", "\n", 0600),       put_key(f, "blank", "two words\n", 0600),
        put_key(f, "control", "ksk\r\r\n", 0600),
    };
    static const char *const words[] = {"missing",  "chmod 600",  "chmod 600", "empty",
                                        "line_end", "no API key", "no API key"};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const struct fleet_client_conf conf = {.server = "https://localhost",
                                               .key_file = files[i].text};
        ks_rc rc = fleet_client_new(&conf, &client);
        check_rc(rc, CREDENTIAL);
        check_text(rc, words[i]);
    }
    assert_null(client);
}

static void new__key_too_long__limit(void **state)
{
    struct fixture *f = *state;
    struct fleet_client *client = NULL;
    char text[1024];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct path file = put_key(f, "long", text, 0600);
    const struct fleet_client_conf conf = {.server = "https://localhost", .key_file = file.text};
    check_rc(fleet_client_new(&conf, &client), LIMIT);
}

static int start(void **state)
{
    (void)state;
    check_ok(secret_init());
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(ask__get__key_in_the_header_only),
        TEST(ask__body__sent_as_json),
        TEST(ask__no_body_in_the_reply__null),
        TEST(target__awkward_texts__encoded),
        TEST(ask__each_error__class_and_words),
        TEST(ask__no_json_in_a_good_reply__bad_reply),
        TEST(ask__get_without_an_answer__sent_again),
        TEST(ask__get_and_a_reset_connection__sent_again),
        TEST(ask__get_never_answered__four_times_and_an_end),
        TEST(ask__retry_after__not_earlier_and_bounded),
        TEST(ask__other_verbs_without_an_answer__sent_once),
        TEST(ask__nobody_listens__unreachable),
        TEST(new__other_servers__refused),
        TEST(new__slashes_at_the_end__dropped),
        TEST(new__key_file_that_cannot_be_used__credential),
        TEST(new__key_too_long__limit),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
