/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the operator's programs are started with the right words, in the order told, one at a time; without programs
 * there is no runner; programs that cannot be run are refused at the start, and failing ones disturb nothing. Nothing of the
 * environment reaches them but what is on a short list.
 */
#include "fuse/hook.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

struct fixture {
    char dir[64], program[96], out[96];
};

/* A script that appends its arguments to a file, then does what tail says. */
static void setup(struct fixture *f, const char *tail)
{
    char text[512];

    *f = (struct fixture){.dir = "/tmp/keystead-hook-XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->program, sizeof f->program, "%s/program", f->dir);
    snprintf(f->out, sizeof f->out, "%s/out", f->dir);
    int n = snprintf(text, sizeof text, "#!/bin/sh\necho \"$@\" >> %s\n%s\n", f->out, tail);
    int fd = open(f->program, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(write(fd, text, (size_t)n), n);
    close(fd);
}

static void teardown(struct fixture *f)
{
    unlink(f->program);
    unlink(f->out);
    assert_int_equal(rmdir(f->dir), 0);
}

static void expect_out(struct fixture *f, const char *want)
{
    char got[512] = {0};
    int fd = open(f->out, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_true(read(fd, got, sizeof got - 1) >= 0);
    close(fd);
    assert_string_equal(got, want);
}

static void start__nothing_to_run__has_no_runner(void **unused)
{
    struct hook_conf conf = {NULL, NULL, "/mnt", "id"};
    struct hook *h = (struct hook *)(void *)&conf;

    (void)unused;
    check_ok(hook_start(&conf, &h));
    assert_null(h);
    hook_run(h, HOOK_LOCK);
    hook_end(h);
}

static void start__program_is_missing__is_refused(void **unused)
{
    struct hook_conf conf = {"/nonexistent/program", NULL, "/mnt", "id"};
    struct hook *h;

    (void)unused;
    ks_rc rc = hook_start(&conf, &h);
    assert_true(ks_is_os(rc, ENOENT));
    check_text(rc, "/nonexistent/program");
}

static void run__lock_and_unlock__in_order_with_arguments(void **unused)
{
    struct fixture f;
    struct hook *h = NULL;

    (void)unused;
    setup(&f, "exit 0");
    struct hook_conf conf = {f.program, f.program, "/srv/my mount", "0123"};
    check_ok(hook_start(&conf, &h));
    hook_run(h, HOOK_LOCK);
    hook_run(h, HOOK_UNLOCK);
    hook_run(h, HOOK_LOCK);
    hook_wait(h);
    expect_out(&f, "lock /srv/my mount 0123\nunlock /srv/my mount 0123\nlock /srv/my mount 0123\n");
    teardown(&f);
}

static void run__only_one_is_given__the_other_event_runs_nothing(void **unused)
{
    struct fixture f;
    struct hook *h = NULL;

    (void)unused;
    setup(&f, "exit 0");
    struct hook_conf conf = {NULL, f.program, "/m", "1"};
    check_ok(hook_start(&conf, &h));
    hook_run(h, HOOK_LOCK);
    hook_run(h, HOOK_UNLOCK);
    hook_wait(h);
    expect_out(&f, "unlock /m 1\n");
    teardown(&f);
}

static void run__program_fails_or_dies__the_next_one_runs(void **unused)
{
    struct fixture f;
    struct hook *h = NULL;

    (void)unused;
    setup(&f, "kill -9 $$");
    struct hook_conf conf = {f.program, f.program, "/m", "1"};
    check_ok(hook_start(&conf, &h));
    hook_run(h, HOOK_LOCK);
    hook_run(h, HOOK_UNLOCK);
    hook_wait(h);
    expect_out(&f, "lock /m 1\nunlock /m 1\n");
    teardown(&f);
}

/* The names are those of today's drivers, and one of nobody's: a list of what is left out would not know it. */
static void run__environment__has_no_credentials_and_what_is_promised(void **unused)
{
    static const char *const kept[] = {"HOME", "LANG", "LC_ALL", "TZ", "KEYSTEAD_RUN_DIR"};
    static const char *const dropped[] = {
        "VAULT_TOKEN",           "BAO_TOKEN",
        "AWS_ACCESS_KEY_ID",     "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",     "AZURE_CLIENT_SECRET",
        "IDENTITY_HEADER",       "GOOGLE_APPLICATION_CREDENTIALS",
        "CREDENTIALS_DIRECTORY", "PATHS_OF_ANOTHER",
        "HTTPS_PROXY",           "NOTIFY_SOCKET",
    };
    struct fixture f;
    struct hook *h = NULL;

    (void)unused;
    setup(&f, "env | grep =hook-test | sort >> \"${0%program}out\"");
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        assert_int_equal(setenv(kept[i], "hook-test", 1), 0);
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++)
        assert_int_equal(setenv(dropped[i], "hook-test", 1), 0);
    struct hook_conf conf = {f.program, NULL, "/m", "1"};
    check_ok(hook_start(&conf, &h));
    assert_string_equal(getenv("VAULT_TOKEN"), "hook-test"); /* we keep them */
    hook_run(h, HOOK_LOCK);
    hook_wait(h);
    expect_out(&f, "lock /m 1\nHOME=hook-test\nKEYSTEAD_RUN_DIR=hook-test\nLANG=hook-test\n"
                   "LC_ALL=hook-test\nTZ=hook-test\n");
    teardown(&f);
}

static void runner__holds_no_descriptor_of_ours(void **unused)
{
    struct fixture f;
    struct hook *h = NULL;
    int fds[2];
    char byte;

    (void)unused;
    setup(&f, "exit 0");
    assert_int_equal(pipe(fds), 0);
    struct hook_conf conf = {f.program, NULL, "/m", "1"};
    check_ok(hook_start(&conf, &h));
    hook_run(h, HOOK_LOCK);
    close(fds[1]);
    /* the end of the pipe comes although the runner lives: it has no copy of the writing end */
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
    hook_wait(h);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start__nothing_to_run__has_no_runner),
        cmocka_unit_test(start__program_is_missing__is_refused),
        cmocka_unit_test(run__lock_and_unlock__in_order_with_arguments),
        cmocka_unit_test(run__only_one_is_given__the_other_event_runs_nothing),
        cmocka_unit_test(run__program_fails_or_dies__the_next_one_runs),
        cmocka_unit_test(run__environment__has_no_credentials_and_what_is_promised),
        cmocka_unit_test(runner__holds_no_descriptor_of_ours),
    };

    return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
