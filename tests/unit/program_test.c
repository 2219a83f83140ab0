/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a program that runs as another user has exactly what it was given, is ended with all that it started, and is found again only
 * when it is the very same one.
 */
#include "io/program.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/mem.h"
#include "check.h"
#include "tmpdir.h"

enum { SOON_MS = 20000, OUTPUT_BYTES = 4096 };

struct fixture {
    struct tmpdir dir;
    struct program_user user;
    const char *argv[4], *env[3];
    struct program_conf conf;
    struct path log;
};

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof f);
    f.dir = tmpdir_make();
    assert_int_equal(chmod(f.dir.path, 0777), 0);
    check_ok(program_user_find("nobody", &f.user));
    f.argv[0] = "/bin/sh";
    f.argv[1] = "-c";
    f.env[0] = "PATH=/usr/bin:/bin";
    f.env[1] = "ONE=1";
    f.conf = (struct program_conf){f.argv, f.env, f.dir.path, &f.user, 100};
    f.log = tmpdir_path(&f.dir, "log");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tmpdir_remove(&f->dir);
    return 0;
}

static uint64_t soon(void)
{
    return clock_boot_ms(clock_system()) + SOON_MS;
}

static ks_rc run(struct fixture *f, const char *script, const char *input, struct buf *ret,
                 int *status)
{
    f->argv[2] = script;
    return program_run(&f->conf, view_text(input), soon(), -1, ret, status);
}

static void user_find__nobody_root_unknown__only_the_first(void **state)
{
    struct program_user u;

    (void)state;
    check_ok(program_user_find("nobody", &u));
    if (geteuid() != 0)
        return;
    assert_true(u.is_other && u.uid != 0);
    check_rc(program_user_find("root", &u), USAGE);
    check_rc(program_user_find("no-such-user", &u), NOT_FOUND);
}

static void user_of__a_number_without_an_account__is_who_it_is(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf out = buf_init(OUTPUT_BYTES);
    struct program_user u;
    int status = -1;

    check_rc(program_user_of(0, &u), USAGE);
    check_ok(program_user_of(1900000000, &f->user));
    check_ok(run(f, "id -u; id -g; id -G", "", &out, &status));
    assert_string_equal(buf_text(&out),
                        geteuid() == 0 ? "1900000000\n1900000000\n1900000000\n" : buf_text(&out));
    assert_int_equal(status, 0);
}

static void run__script__has_what_it_was_given_and_no_more(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf out = buf_init(OUTPUT_BYTES);
    int status = -1, left_open = open("/dev/null", O_RDONLY);

    check_ok(run(f,
                 "id -u; pwd; env | sort | tr '\n' ' '; ulimit -n; ulimit -c; cat; ls "
                 "/proc/self/fd | wc -l; "
                 "grep NoNewPrivs /proc/self/status; umask; exit 7",
                 "hello\n", &out, &status));
    assert_int_equal(status, 7);
    char want[512];
    snprintf(want, sizeof want,
             "%u\n%s\nONE=1 PATH=/usr/bin:/bin PWD=%s 100\n0\nhello\n4\nNoNewPrivs:\t1\n0077\n",
             f->user.uid, f->dir.path, f->dir.path);
    assert_string_equal(buf_text(&out), want);
    close(left_open);
}

static void run__long_output__keeps_its_end(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf out = buf_init(10);
    int status = -1;

    check_ok(run(f, "for i in 1 2 3 4 5 6 7 8 9; do echo line$i; done; echo bad >&2; kill -9 $$",
                 "", &out, &status));
    assert_int_equal(status, 128 + SIGKILL);
    assert_int_equal(out.len, 10);
    assert_memory_equal(out.bytes, "line9\nbad\n", 10);
}

static void run__cannot_be_started__says_why(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf out = buf_init(10);
    int status = -1;

    f->argv[0] = "/no/such/program";
    ks_rc rc = run(f, "x", "", &out, &status);
    assert_true(ks_is_os(rc, ENOENT));
    check_text(rc, "/no/such/program cannot be started: the program");
    f->argv[0] = "/bin/sh";
    f->conf.dir = "/no/such/directory";
    rc = run(f, "x", "", &out, &status);
    assert_true(ks_is_os(rc, ENOENT));
    check_text(rc, "its directory");
    assert_int_equal(status, -1);
}

static void run__input_too_long__limit(void **state)
{
    static char text[40 * 1024];
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf out = buf_init(10);
    int status;

    memset(text, 'x', sizeof text - 1);
    check_rc(run(f, "cat", text, &out, &status), LIMIT);
}

static void run__deadline_or_cancelled__nothing_is_left(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf out = buf_init(10);
    int status, cancel = eventfd(1, EFD_CLOEXEC);

    f->argv[2] = "sleep 1000 & sleep 1000";
    check_rc(program_run(&f->conf, view_text(""), clock_boot_ms(clock_system()) + 100, -1, &out,
                         &status),
             TIMEOUT);
    check_rc(program_run(&f->conf, view_text(""), soon(), cancel, &out, &status), STATE);
    while (program_count(NULL, f->dir.path) > 0)
        clock_sleep_ms(clock_system(), 5);
    close(cancel);
}

static void run__leaves_a_child_that_holds_the_output__ends_all_the_same(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf out = buf_init(10);
    int status = -1;

    check_ok(run(f, "sleep 1000 & echo done", "", &out, &status));
    assert_int_equal(status, 0);
    assert_memory_equal(out.bytes, "done\n", 5);
    while (program_count(NULL, f->dir.path) > 0)
        clock_sleep_ms(clock_system(), 5);
}

/* ---- services ---- */

static struct program *start(struct fixture *f, const char *script)
{
    struct program *p = NULL;

    f->argv[2] = script;
    check_ok(program_start(&f->conf, f->log.text, &p));
    return p;
}

static void wait_end(struct program *p)
{
    struct pollfd fd = {program_fd(p), POLLIN, 0};

    assert_int_equal(poll(&fd, 1, SOON_MS), 1);
}

static void start__ends__is_noticed_with_its_code(void **state)
{
    struct fixture *f = *state;
    char end[PROGRAM_END_BYTES];
    uint8_t text[100];

    struct program *p = start(f, "echo out; echo err >&2; exit 3");
    wait_end(p);
    assert_true(program_has_ended(p, end));
    assert_string_equal(end, "exit code 3");
    assert_true(program_has_ended(p, NULL));
    program_signal(p, SIGTERM);
    program_free(p);
    size_t n = file_get(f->log.text, text, sizeof text);
    assert_int_equal(n, 8);
    assert_memory_equal(text, "out\nerr\n", 8);
    p = start(f, "kill -6 $$");
    wait_end(p);
    assert_true(program_has_ended(p, end));
    assert_string_equal(end, "signal 6");
    program_free(p);
}

static void start__log_cannot_be_opened__fails(void **state)
{
    struct fixture *f = *state;
    struct program *p = NULL;

    f->argv[2] = "true";
    assert_false(ks_ok(program_start(&f->conf, "/no/such/log", &p)));
    assert_int_equal(symlink("/dev/null", f->log.text), 0);
    assert_true(ks_is_os(program_start(&f->conf, f->log.text, &p), ELOOP));
    assert_null(p);
}

static void wait_ready(struct fixture *f, size_t bytes)
{
    struct stat st = {0};

    while (stat(f->log.text, &st) != 0 || (size_t)st.st_size < bytes)
        clock_sleep_ms(clock_system(), 5);
}

static void kill_all__children_in_sessions_of_their_own__none_is_left(void **state)
{
    struct fixture *f = *state;

    struct program *p =
        start(f, "setsid sleep 1000 & setsid sh -c 'sleep 1000 & wait' & sleep 1000 & echo; wait");
    wait_ready(f, 1);
    assert_false(program_has_ended(p, NULL));
    while (program_count(p, f->dir.path) < 5)
        clock_sleep_ms(clock_system(), 5);
    for (program_kill_all(p, f->dir.path); program_count(p, f->dir.path) > 0;
         program_kill_all(p, f->dir.path))
        clock_sleep_ms(clock_system(), 5);
    wait_end(p);
    program_free(p);
}

static void count__elsewhere__is_not_counted(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(program_count(NULL, "/no/such/directory"), 0);
    struct program *p = start(f, "cd /; echo; sleep 1000");
    wait_ready(f, 1);
    assert_int_equal(program_count(NULL, f->dir.path), 0);
    assert_true(program_count(p, f->dir.path) >= 1);
    program_kill_all(p, f->dir.path);
    wait_end(p);
    program_free(p);
}

static void adopt__the_same_or_another__only_the_same(void **state)
{
    struct fixture *f = *state;
    struct program_identity id, wrong;
    struct program *again = NULL;

    struct program *p = start(f, "echo; read x; sleep 1000");
    wait_ready(f, 1);
    program_identity(p, &id);
    wrong = id;
    wrong.start_ticks++;
    check_rc(program_adopt(&wrong, "/bin/sh", &again), NOT_FOUND);
    wrong = id;
    wrong.boot[0] = wrong.boot[0] == '0' ? '1' : '0';
    check_rc(program_adopt(&wrong, "/bin/sh", &again), NOT_FOUND);
    wrong = id;
    wrong.pid = 0;
    check_rc(program_adopt(&wrong, "/bin/sh", &again), NOT_FOUND);
    program_kill_all(p, f->dir.path);
    wait_end(p);
    program_free(p);
    check_rc(program_adopt(&id, "/bin/sh", &again), NOT_FOUND);
    assert_null(again);
}

static void adopt__service_that_runs_on__is_watched_and_ended(void **state)
{
    struct fixture *f = *state;
    struct program_identity id;
    struct program *again = NULL;
    char end[PROGRAM_END_BYTES];

    struct program *p = start(f, "echo; while :; do sleep 1000; done");
    wait_ready(f, 1);
    program_identity(p, &id);
    check_rc(program_adopt(&id, "/bin/cat", &again), NOT_FOUND);
    check_ok(program_adopt(&id, "/bin/sh", &again));
    assert_false(program_has_ended(again, end));
    program_kill_all(again, f->dir.path);
    wait_end(again);
    assert_true(program_has_ended(again, end));
    assert_string_equal(end, "ended");
    program_free(again);
    program_free(p);
}

/* ---- logs ---- */

static void log_trim__longer_than_may__keeps_the_last_half(void **state)
{
    struct fixture *f = *state;
    struct path old = tmpdir_path(&f->dir, "log.1");
    uint8_t text[100];

    check_ok(program_log_trim(f->log.text, 10));
    file_put(f->log.text, view_text("0123456789"));
    check_ok(program_log_trim(f->log.text, 10));
    assert_int_equal(file_get(f->log.text, text, sizeof text), 10);
    file_put(f->log.text, view_text("0123456789a"));
    check_ok(program_log_trim(f->log.text, 10));
    assert_int_equal(file_get(f->log.text, text, sizeof text), 0);
    assert_int_equal(file_get(old.text, text, sizeof text), 5);
    assert_memory_equal(text, "6789a", 5);
}

static void log_tail__from_a_line__or_fails(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf tail = buf_init(9), all = buf_init(100), none = buf_init(10);

    file_put(f->log.text, view_text("first line\nsecond\n"));
    check_ok(program_log_tail(f->log.text, &tail));
    assert_string_equal(buf_text(&tail), "second\n");
    check_ok(program_log_tail(f->log.text, &all));
    assert_string_equal(buf_text(&all), "first line\nsecond\n");
    assert_false(ks_ok(program_log_tail("/no/such/log", &none)));
    assert_int_equal(none.len, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(user_find__nobody_root_unknown__only_the_first),
        T(user_of__a_number_without_an_account__is_who_it_is),
        T(run__script__has_what_it_was_given_and_no_more),
        T(run__long_output__keeps_its_end),
        T(run__cannot_be_started__says_why),
        T(run__input_too_long__limit),
        T(run__deadline_or_cancelled__nothing_is_left),
        T(run__leaves_a_child_that_holds_the_output__ends_all_the_same),
        T(start__ends__is_noticed_with_its_code),
        T(start__log_cannot_be_opened__fails),
        T(kill_all__children_in_sessions_of_their_own__none_is_left),
        T(count__elsewhere__is_not_counted),
        T(adopt__the_same_or_another__only_the_same),
        T(adopt__service_that_runs_on__is_watched_and_ended),
        T(log_trim__longer_than_may__keeps_the_last_half),
        T(log_tail__from_a_line__or_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
