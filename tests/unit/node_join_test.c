/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the secret of a join token reaches nobody but the server that the token names, and a directory says who a node is only when
 * all of it is right. What a success looks like is shown end to end (tests/e2e/test_fleet_node.py).
 */
#include "node/join.h"

#include <string.h>

#include "tmpdir.h"
#include "wire_server.h"

static const int64_t NOW = 1795324800;

struct fleet {
    struct tmpdir tmp;
    struct path path;
    struct node_dir *dir;
    struct wire_server *server;
    struct key_pair *key;
    struct buf authority, certificate; /* of a node, for another key than it will have */
    struct join_token token;
    char fingerprint[65];
};

static void make_certificates(struct fleet *f)
{
    struct certificate_facts facts;
    struct key_pair *other;
    struct buf request = buf_init(65536);
    const struct certificate_order order = {CERTIFICATE_CLIENT, "node-1", NULL, NOW, 3600};

    f->authority = buf_init(65536);
    f->certificate = buf_init(65536);
    check_ok(key_pair_new(&f->key));
    check_ok(key_pair_new(&other));
    check_ok(
        certificate_authority_make(f->key, "fleet", NOW, 7200, random_system(), &f->authority));
    check_ok(certificate_read(buf_view(&f->authority), &facts));
    memcpy(f->fingerprint, facts.fingerprint, sizeof f->fingerprint);
    check_ok(certificate_request_make(other, "x", &request));
    check_ok(certificate_issue(f->key, buf_view(&f->authority), buf_view(&request), &order,
                               random_system(), &f->certificate));
    key_pair_free(other);
    buf_done(&request);
}

static void set_token(struct fleet *f, const char *fingerprint)
{
    char text[256];

    join_token_done(&f->token);
    snprintf(text, sizeof text, "ksj_id_topsecret_%s", fingerprint);
    check_ok(join_token_read(view_text(text), &f->token));
}

static int setup(void **state)
{
    static struct fleet f;

    f = (struct fleet){.tmp = tmpdir_make()};
    f.path = tmpdir_path(&f.tmp, "node");
    check_ok(secret_init());
    check_ok(node_dir_open(f.path.text, &f.dir));
    check_ok(wire_server_start(NULL, &f.server));
    make_certificates(&f);
    set_token(&f, f.fingerprint);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fleet *f = *state;

    node_dir_close(f->dir);
    wire_server_stop(f->server);
    key_pair_free(f->key);
    buf_done(&f->authority);
    buf_done(&f->certificate);
    join_token_done(&f->token);
    tmpdir_remove(&f->tmp);
    return 0;
}

static void answer(struct fleet *f, int status, json_t *body)
{
    char *text = json_dumps(body, 0);

    wire_server_answer(f->server, status, "Content-Type: application/json\r\n", text);
    free(text);
    json_decref(body);
}

static ks_rc try_join(struct fleet *f)
{
    const struct join_conf conf = {.dir = f->dir,
                                   .clock = clock_system(),
                                   .server = wire_server_url(f->server),
                                   .name = "host",
                                   .address = "host",
                                   .token = &f->token};

    return join(&conf);
}

static bool was_secret_sent(struct fleet *f)
{
    for (size_t i = 0; i < wire_server_count(f->server); i++) {
        struct view body = wire_server_request(f->server, i)->body;
        if (body.len && memmem(body.bytes, body.len, "topsecret", 9))
            return true;
    }
    return false;
}

static void token__malformed__refused_without_quoting_it(void **state)
{
    static const char *const bad[] = {
        "",
        "ksj_",
        "ksj_id_topsecret",
        "hello topsecret",
        "ksk_id_topsecret_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "ksj_id_topsecret_0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "ksj_id_topsecret_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
        "ksj_id topsecret_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct join_token t = {0};
        ks_rc rc = join_token_read(view_text(bad[i]), &t);
        check_rc(rc, USAGE);
        assert_null(strstr(ks_text(rc), "topsecret"));
        assert_null(t.head);
    }
}

static void join__another_authority__nothing_is_sent(void **state)
{
    struct fleet *f = *state;

    set_token(f, "0000000000000000000000000000000000000000000000000000000000000000");
    answer(f, 200, json_pack("{s:s}", "authority", buf_text(&f->authority)));
    ks_rc rc = try_join(f);
    check_rc(rc, AUTH);
    check_text(rc, f->fingerprint);
    assert_int_equal(wire_server_count(f->server), 1);
    assert_false(was_secret_sent(f));
}

static void join__no_authority_shown__nothing_is_sent(void **state)
{
    struct fleet *f = *state;

    answer(f, 200, json_pack("{s:s}", "authority", "no certificate"));
    check_rc(try_join(f), BAD_REPLY);
    answer(f, 200, json_object());
    check_rc(try_join(f), BAD_REPLY);
    answer(f, 404, json_pack("{s:s}", "detail", "no such page"));
    ks_rc rc = try_join(f);
    check_rc(rc, USAGE);
    check_text(rc, "no such page");
    answer(f, 500, json_object());
    check_rc(try_join(f), UNREACHABLE);
    assert_false(was_secret_sent(f));
}

static void join__token_not_taken__permission_with_the_reason(void **state)
{
    struct fleet *f = *state;

    answer(f, 200, json_pack("{s:s}", "authority", buf_text(&f->authority)));
    answer(f, 403, json_pack("{s:s}", "detail", "the token was used"));
    ks_rc rc = try_join(f);
    check_rc(rc, PERMISSION);
    check_text(rc, "the token was used");
    assert_true(was_secret_sent(f));
}

static void join__certificate_for_another_key__not_kept(void **state)
{
    struct fleet *f = *state;
    struct identity who;

    answer(f, 200, json_pack("{s:s}", "authority", buf_text(&f->authority)));
    answer(f, 200,
           json_pack("{s:s, s:s, s:s, s:s}", "node", "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11",
                     "region", "here", "certificate", buf_text(&f->certificate), "nodes_url",
                     "https://localhost:1"));
    check_rc(try_join(f), AUTH);
    check_rc(identity_read(f->dir, &who), NOT_FOUND);
}

static void join__plain_http_to_elsewhere__refused(void **state)
{
    struct fleet *f = *state;
    static const char *const urls[] = {
        "http://control.example.com/", "http://1270.example.com", "http://127.example.com/",
        "http://[::1].example.com/",   "ftp://localhost/",        "localhost"};

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct join_conf conf = {.dir = f->dir,
                                       .clock = clock_system(),
                                       .server = urls[i],
                                       .name = "n",
                                       .address = "a",
                                       .token = &f->token};
        check_rc(join(&conf), USAGE);
    }
}

/* --- who it is --- */

static const char FACTS[] =
    "{\"node\": \"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11\", \"name\": \"n\", \"region\": \"here\","
    " \"address\": \"a\", \"nodes_url\": \"https://localhost:1\"}";

static void write_identity(struct fleet *f)
{
    struct buf pem = buf_init_wiping(65536);

    check_ok(key_pair_write(f->key, &pem));
    check_ok(buf_append(&pem, buf_view(&f->certificate)));
    check_ok(node_dir_write(f->dir, "node.pem", buf_view(&pem)));
    check_ok(node_dir_write(f->dir, "authority.pem", buf_view(&f->authority)));
    check_ok(node_dir_write(f->dir, "node.json", view_text(FACTS)));
    buf_done(&pem);
}

static ks_rc join_at(struct fleet *f, int64_t now_s)
{
    struct clock_manual manual;
    struct join_conf conf = {
        .dir = f->dir, .server = wire_server_url(f->server), .host = "host", .token = &f->token};

    clock_manual_init(&manual, clock_boot_ms(clock_system()), now_s);
    conf.clock = &manual.clock;
    return join(&conf);
}

static void join__certificate_is_good__exists(void **state)
{
    struct fleet *f = *state;

    write_identity(f);
    check_rc(join_at(f, NOW + 3599), EXISTS);
    assert_int_equal(wire_server_count(f->server), 0);
}

/* Only with the fleet that it is of; what the control plane says is checked before anything is replaced. */
static void join__certificate_has_expired__secret_goes_to_its_own_fleet_only(void **state)
{
    struct fleet *f = *state;
    struct identity who;

    write_identity(f);
    answer(f, 200, json_pack("{s:s}", "authority", buf_text(&f->authority)));
    answer(f, 200,
           json_pack("{s:s, s:s, s:s, s:s}", "node", "00000000-0000-4000-8000-000000000000",
                     "region", "here", "certificate", buf_text(&f->certificate), "nodes_url",
                     "https://localhost:1"));
    check_rc(join_at(f, NOW + 3600), BAD_REPLY); /* another node's */
    assert_true(was_secret_sent(f));
    struct view sent = wire_server_request(f->server, 1)->body;
    assert_non_null(memmem(sent.bytes, sent.len, "\"proof\"", 7));
    assert_null(memmem(sent.bytes, sent.len, "PRIVATE", 7));
    check_ok(identity_read(f->dir, &who));
    assert_string_equal(who.node, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11");
    identity_done(&who);

    check_ok(node_dir_write(f->dir, "authority.pem", view_text("of another fleet")));
    size_t asked = wire_server_count(f->server);
    answer(f, 200, json_pack("{s:s}", "authority", buf_text(&f->authority)));
    check_rc(join_at(f, NOW + 3600), AUTH);
    assert_int_equal(wire_server_count(f->server), asked + 1);
}

static void identity__complete__read_with_its_times(void **state)
{
    struct fleet *f = *state;
    struct identity who;

    write_identity(f);
    check_ok(identity_read(f->dir, &who));
    assert_string_equal(who.region, "here");
    assert_int_equal(who.not_after, NOW + 3600);
    assert_false(identity_is_aging(&who, NOW));
    assert_true(identity_is_aging(&who, NOW + 3000));
    assert_true(identity_is_aging(&who, NOW + 4000));
    identity_done(&who);
}

static void identity__damaged_or_incomplete__told(void **state)
{
    struct fleet *f = *state;
    struct identity who;

    write_identity(f);
    check_ok(node_dir_write(f->dir, "node.json", view_text("{\"node\": ")));
    check_rc(identity_read(f->dir, &who), CORRUPT);
    write_identity(f);
    check_ok(node_dir_write(f->dir, "node.pem", view_text("nothing")));
    check_class(identity_read(f->dir, &who), CORRUPT);
    check_ok(node_dir_write(f->dir, "node.pem", buf_view(&f->certificate)));
    check_class(identity_read(f->dir, &who), CORRUPT);
}

static void replace__certificate_for_another_key__the_old_one_stays(void **state)
{
    struct fleet *f = *state;
    struct identity who;
    json_t *reply = json_pack("{s:s}", "certificate", buf_text(&f->certificate));

    write_identity(f);
    check_rc(identity_replace(f->dir, f->key, reply), AUTH);
    json_object_set_new(reply, "certificate", json_integer(1));
    check_rc(identity_replace(f->dir, f->key, reply), BAD_REPLY);
    check_ok(identity_read(f->dir, &who));
    identity_done(&who);
    json_decref(reply);
}

static void request__is_signed_by_its_key(void **state)
{
    struct fleet *f = *state;
    const struct certificate_order order = {CERTIFICATE_CLIENT, "node-1", NULL, NOW, 3600};
    struct buf request = buf_init(65536), made = buf_init(65536);
    struct key_pair *key = NULL;

    check_ok(identity_request("host", &key, &request));
    check_ok(certificate_issue(f->key, buf_view(&f->authority), buf_view(&request), &order,
                               random_system(), &made));
    json_t *reply = json_pack("{s:s}", "certificate", buf_text(&made));
    write_identity(f);
    check_ok(identity_replace(f->dir, key, reply));
    json_decref(reply);
    key_pair_free(key);
    buf_done(&request);
    buf_done(&made);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(token__malformed__refused_without_quoting_it),
        TEST(join__another_authority__nothing_is_sent),
        TEST(join__no_authority_shown__nothing_is_sent),
        TEST(join__token_not_taken__permission_with_the_reason),
        TEST(join__certificate_for_another_key__not_kept),
        TEST(join__plain_http_to_elsewhere__refused),
        TEST(join__certificate_is_good__exists),
        TEST(join__certificate_has_expired__secret_goes_to_its_own_fleet_only),
        TEST(identity__complete__read_with_its_times),
        TEST(identity__damaged_or_incomplete__told),
        TEST(replace__certificate_for_another_key__the_old_one_stays),
        TEST(request__is_signed_by_its_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
