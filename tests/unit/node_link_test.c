/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a node makes of the control plane's answers: which are successes, which failure each of the others is, and that it asks
 * nothing before the time that it was told to wait.
 */
#include "node/link.h"

#include "tmpdir.h"
#include "wire_server.h"

struct fixture {
    struct tmpdir tmp;
    struct node_dir *dir;
    struct clock_manual clock;
    struct wire_server *server;
    struct link *link;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.tmp = tmpdir_make()};
    clock_manual_init(&f.clock, 1000, 1700000000);
    check_ok(node_dir_open(tmpdir_path(&f.tmp, "node").text, &f.dir));
    check_ok(wire_server_start(NULL, &f.server));
    check_ok(link_new(f.dir, wire_server_url(f.server), &f.clock.clock, &f.link));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    link_free(f->link);
    wire_server_stop(f->server);
    node_dir_close(f->dir);
    tmpdir_remove(&f->tmp);
    return 0;
}

static ks_rc report(struct fixture *f)
{
    json_t *r = json_object();
    ks_rc rc = link_report(f->link, r);

    json_decref(r);
    return rc;
}

static void a_report__answered__is_accepted_or_says_why(void **state)
{
    struct fixture *f = *state;

    wire_server_answer(f->server, 200, "", "{\"accepted\":true}");
    check_ok(report(f));
    wire_server_answer(f->server, 200, "",
                       "{\"accepted\":true,\"refused\":[{\"part\":\"receipts\",\"at\":1,"
                       "\"message\":\"forged\"},7,{\"part\":3}]}");
    check_ok(report(f));
    wire_server_answer(f->server, 200, "", "{\"accepted\":false}");
    check_rc(report(f), BAD_REPLY);
    wire_server_answer(f->server, 200, "", "nonsense");
    check_rc(report(f), BAD_REPLY);
    wire_server_answer(f->server, 400, "", "{\"detail\":\"a volume is no object\"}");
    ks_rc rc = report(f);
    check_rc(rc, USAGE);
    check_text(rc, "a volume is no object");
    wire_server_answer(f->server, 403, "", "");
    check_rc(report(f), PERMISSION);
    wire_server_answer(f->server, 503, "", "");
    check_rc(report(f), UNREACHABLE);
}

static void too_many_requests__with_retry_after__nothing_is_sent_before(void **state)
{
    struct fixture *f = *state;
    json_t *answer = NULL;

    wire_server_answer(f->server, 429, "Retry-After: 3\r\n", "");
    wire_server_answer(f->server, 204, "", "");
    check_rc(report(f), THROTTLED);
    f->clock.now_ms += 2999;
    check_rc(link_desired(f->link, 0, 0, &answer), THROTTLED);
    check_rc(report(f), THROTTLED);
    assert_int_equal(wire_server_count(f->server), 1);
    f->clock.now_ms += 1;
    check_ok(link_desired(f->link, 0, 0, &answer));
    assert_null(answer);
    assert_int_equal(wire_server_count(f->server), 2);
}

static void too_many_requests__with_an_odd_retry_after__waits_a_minute_at_most(void **state)
{
    static const char *const headers[] = {"Retry-After: 99999999999999999999\r\n",
                                          "Retry-After: tomorrow\r\n"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        wire_server_answer(f->server, 429, headers[i], "");
        check_rc(report(f), THROTTLED);
        f->clock.now_ms += 60000;
        wire_server_answer(f->server, 200, "", "{\"accepted\":true}");
        check_ok(report(f));
    }
    wire_server_answer(f->server, 429, "", "");
    check_rc(report(f), THROTTLED);
    wire_server_answer(f->server, 200, "", "{\"accepted\":true}");
    check_ok(report(f)); /* it was told no time; how long to wait is its caller's */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_report__answered__is_accepted_or_says_why),
        TEST(too_many_requests__with_retry_after__nothing_is_sent_before),
        TEST(too_many_requests__with_an_odd_retry_after__waits_a_minute_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
