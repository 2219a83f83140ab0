/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: lines of the control socket are bounded and whole: what is written comes out at the other end, in however
 * many pieces it arrives; what is no JSON object, too long or cut off is refused; errors keep their code.
 */
#include "fuse/control_line.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"

enum { SOON_MS = 2000 };

struct pair {
    int near, far;
    struct control_line line; /* reads near */
};

static void setup(struct pair *p)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    *p = (struct pair){fds[0], fds[1], {0}};
    check_ok(control_line_init(&p->line, p->near));
}

static void teardown(struct pair *p)
{
    control_line_done(&p->line);
    close(p->near);
    if (p->far >= 0)
        close(p->far);
}

static void put(struct pair *p, const char *text)
{
    assert_int_equal(write(p->far, text, strlen(text)), (ssize_t)strlen(text));
}

static void hang_up(struct pair *p)
{
    close(p->far);
    p->far = -1;
}

static void expect_op(struct pair *p, const char *op)
{
    json_t *got = NULL;

    check_ok(control_line_read(&p->line, SOON_MS, &got));
    assert_non_null(got);
    assert_string_equal(json_string_value(json_object_get(got, "op")), op);
    json_decref(got);
}

static void write__read__is_the_same(void **unused)
{
    struct pair p;
    json_t *out = json_pack("{s:s, s:[i,i]}", "op", "status", "list", 1, 2), *in = NULL;

    (void)unused;
    setup(&p);
    check_ok(control_line_write(p.far, out));
    check_ok(control_line_read(&p.line, SOON_MS, &in));
    assert_true(json_equal(in, out));
    json_decref(in);
    json_decref(out);
    teardown(&p);
}

static void read__two_lines_at_once__gives_both(void **unused)
{
    struct pair p;

    (void)unused;
    setup(&p);
    put(&p, "{\"op\":\"a\"}\n{\"op\":\"b\"}\n{\"op\":");
    expect_op(&p, "a");
    expect_op(&p, "b");
    put(&p, "\"c\"}\n");
    expect_op(&p, "c");
    teardown(&p);
}

static void read__orderly_end__gives_nothing(void **unused)
{
    struct pair p;
    json_t *got = NULL;

    (void)unused;
    setup(&p);
    hang_up(&p);
    check_ok(control_line_read(&p.line, SOON_MS, &got));
    assert_null(got);
    teardown(&p);
}

static void read__end_within_a_line__is_refused(void **unused)
{
    struct pair p;
    json_t *got = NULL;

    (void)unused;
    setup(&p);
    put(&p, "{\"op\":\"sta");
    hang_up(&p);
    check_rc(control_line_read(&p.line, SOON_MS, &got), FORMAT);
    teardown(&p);
}

static void read__silence__times_out(void **unused)
{
    struct pair p;
    json_t *got = NULL;

    (void)unused;
    setup(&p);
    put(&p, "{\"op\"");
    check_rc(control_line_read(&p.line, 0, &got), TIMEOUT);
    teardown(&p);
}

static void read__garbage__is_refused(void **unused)
{
    static const char *const garbage[] = {
        "\n",
        "nonsense\n",
        "[1,2]\n",
        "\"text\"\n",
        "{\"a\":}\n",
        "{\"op\":1,\"op\":2}\n",
        "{} trailing\n",
        "\xff\xfe{}\n",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        struct pair p;
        json_t *got = NULL;
        setup(&p);
        put(&p, garbage[i]);
        check_rc(control_line_read(&p.line, SOON_MS, &got), FORMAT);
        assert_null(got);
        teardown(&p);
    }
}

static void read__deep_nesting__is_refused(void **unused)
{
    struct pair p;
    json_t *got = NULL;
    char deep[8000];

    (void)unused;
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = 0;
    setup(&p);
    put(&p, "{\"a\":");
    put(&p, deep);
    put(&p, "\n");
    check_rc(control_line_read(&p.line, SOON_MS, &got), FORMAT);
    teardown(&p);
}

static void read__line_without_end__is_bounded(void **unused)
{
    struct pair p;
    json_t *got = NULL;
    static char much[CONTROL_LINE_MAX];

    (void)unused;
    memset(much, ' ', sizeof much);
    setup(&p);
    assert_int_equal(write(p.far, much, sizeof much), (ssize_t)sizeof much);
    check_rc(control_line_read(&p.line, SOON_MS, &got), LIMIT);
    teardown(&p);
}

static void write__too_long__is_refused(void **unused)
{
    struct pair p;
    char *text = NULL;

    (void)unused;
    setup(&p);
    check_ok(mem_new(1, CONTROL_LINE_MAX, &text));
    memset(text, 'x', CONTROL_LINE_MAX - 1);
    json_t *out = json_pack("{s:s}", "op", text);
    check_rc(control_line_write(p.far, out), LIMIT);
    json_decref(out);
    mem_free(text);
    teardown(&p);
}

static void write__peer_gone__is_an_error_and_no_signal(void **unused)
{
    struct pair p;
    json_t *out = json_object();

    (void)unused;
    setup(&p);
    hang_up(&p);
    assert_true(ks_is_os(control_line_write(p.near, out), EPIPE));
    json_decref(out);
    teardown(&p);
}

static ks_rc there_and_back(ks_rc rc)
{
    json_t *error = control_error(rc);

    assert_non_null(error);
    ks_rc back = control_result(error);
    json_decref(error);
    return back;
}

static void error__every_code__comes_back(void **unused)
{
    (void)unused;
    for (int code = KS_E_OK + 1; code < KS_E_COUNT; code++) {
        ks_rc back = there_and_back(ks_fail((enum ks_code)code, "because of %d", code));
        assert_int_equal(back.code, code);
        check_text(back, "because of");
    }
}

static void error__of_the_system__comes_back(void **unused)
{
    (void)unused;
    ks_rc back = there_and_back(ks_fail_os(ENOSPC, "volume x"));
    assert_true(ks_is_os(back, ENOSPC));
    check_text(back, "volume x");
}

static void error__text_is_no_utf8__still_is_an_error(void **unused)
{
    (void)unused;
    check_rc(there_and_back(ks_fail(KS_E_NOT_FOUND, "path \xff\xfe")), NOT_FOUND);
}

static void result__strange_replies__are_bugs(void **unused)
{
    static const char *const strange[] = {
        "{}",
        "{\"ok\":false}",
        "{\"ok\":\"yes\"}",
        "{\"error\":{}}",
        "{\"error\":{\"code\":1,\"message\":2}}",
        "{\"error\":{\"code\":\"OK\",\"message\":\"m\"}}",
        "{\"error\":{\"code\":\"NO_SUCH_CODE\",\"message\":\"m\"}}",
        "{\"error\":{\"code\":\"OS\",\"errno\":-5,\"message\":\"m\"}}",
        "{\"error\":{\"code\":\"OS\",\"errno\":99999,\"message\":\"m\"}}",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        json_t *reply = json_loads(strange[i], 0, NULL);
        assert_non_null(reply);
        check_rc(control_result(reply), BUG);
        json_decref(reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__read__is_the_same),
        cmocka_unit_test(read__two_lines_at_once__gives_both),
        cmocka_unit_test(read__orderly_end__gives_nothing),
        cmocka_unit_test(read__end_within_a_line__is_refused),
        cmocka_unit_test(read__silence__times_out),
        cmocka_unit_test(read__garbage__is_refused),
        cmocka_unit_test(read__deep_nesting__is_refused),
        cmocka_unit_test(read__line_without_end__is_bounded),
        cmocka_unit_test(write__too_long__is_refused),
        cmocka_unit_test(write__peer_gone__is_an_error_and_no_signal),
        cmocka_unit_test(error__every_code__comes_back),
        cmocka_unit_test(error__of_the_system__comes_back),
        cmocka_unit_test(error__text_is_no_utf8__still_is_an_error),
        cmocka_unit_test(result__strange_replies__are_bugs),
    };

    return cmocka_run_group_tests_name("control_line", tests, NULL, NULL);
}
