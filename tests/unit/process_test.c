/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: another program is run with what it may have and nothing else, and is gone afterwards.
 */
#include "io/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "tmpdir.h"

static struct buf out;

static int setup(void **state)
{
    (void)state;
    out = buf_init(1000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&out);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    return 0;
}

static ks_rc run(const char *script, uint64_t wait_ms, int *status)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct clock *clock = clock_system();

    return process_run(argv, wait_ms ? clock_boot_ms(clock) + wait_ms : 0, clock, &out, status);
}

static void run__output_and_status__told(void **state)
{
    int status = -1;

    (void)state;
    check_ok(run("echo hello; echo not this >&2; exit 3", 0, &status));
    assert_string_equal(buf_text(&out), "hello\n");
    assert_int_equal(status, 3);
    check_ok(run("kill -TERM $$", 60000, &status));
    assert_int_equal(status, 128 + SIGTERM);
}

static void run__nothing_to_read_and_nothing_open__ends(void **state)
{
    int status = -1, fd = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */

    (void)state;
    assert_true(fd >= 0);
    check_ok(run("cat; ls /proc/self/fd | tr '\\n' ' '", 0, &status));
    assert_int_equal(status, 0);
    /* the fourth is ls's own, of the directory */
    assert_string_equal(buf_text(&out), "0 1 2 3 ");
    close(fd);
}

static void run__signals_blocked_and_ignored_here__as_usual_there(void **state)
{
    sigset_t all, before;
    int status = -1;

    (void)state;
    sigfillset(&all);
    assert_int_equal(sigprocmask(SIG_BLOCK, &all, &before), 0);
    void (*old)(int) = signal(SIGTERM, SIG_IGN);
    check_ok(run("kill -TERM $$; echo still here", 0, &status));
    signal(SIGTERM, old);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_int_equal(status, 128 + SIGTERM);
}

static void run_told__errors__among_what_it_prints(void **state)
{
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; exit 7", NULL};
    int status = -1;

    (void)state;
    check_ok(process_run_told(argv, 0, clock_system(), &out, &status));
    assert_int_equal(status, 7);
    check_bytes(buf_view(&out), view_text("out\nerr\n"));
}

static void run_told__no_such_program__not_found(void **state)
{
    const char *const argv[] = {"/nonexistent/program", NULL};
    int status = -1;

    (void)state;
    check_rc(process_run_told(argv, 0, clock_system(), &out, &status), NOT_FOUND);
    assert_int_equal(status, -1);
}

static void run__no_such_program__not_found(void **state)
{
    const char *const argv[] = {"/nonexistent/program", NULL};
    int status = -1;

    (void)state;
    check_rc(process_run(argv, 0, clock_system(), &out, &status), NOT_FOUND);
    assert_int_equal(status, -1);
}

static void run__longer_than_its_time__killed_with_its_children(void **state)
{
    int status = -1;

    (void)state;
    check_rc(run("echo begun; sleep 1000 & sleep 1000", 200, &status), TIMEOUT);
    assert_int_equal(status, -1);
    assert_int_equal(out.len, 0);
}

static void run__more_output_than_allowed__limit_and_output_untouched(void **state)
{
    int status = -1;

    (void)state;
    check_ok(buf_append(&out, view_text("before")));
    check_rc(run("yes", 0, &status), LIMIT);
    assert_string_equal(view_is_equal(buf_view(&out), view_text("before")) ? "same" : "", "same");
}

static void run__exactly_what_is_allowed__success(void **state)
{
    int status = -1;

    (void)state;
    check_ok(run("head -c 1000 /dev/zero", 0, &status));
    assert_int_equal(out.len, 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(run__output_and_status__told),
        TEST(run__nothing_to_read_and_nothing_open__ends),
        TEST(run__signals_blocked_and_ignored_here__as_usual_there),
        TEST(run__no_such_program__not_found),
        TEST(run_told__errors__among_what_it_prints),
        TEST(run_told__no_such_program__not_found),
        TEST(run__longer_than_its_time__killed_with_its_children),
        TEST(run__more_output_than_allowed__limit_and_output_untouched),
        TEST(run__exactly_what_is_allowed__success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
