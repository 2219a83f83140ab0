/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the presence of the record is the fact, whatever it holds and whatever it is; only ENOENT says
 * that there is none; its time is told as well as it can be.
 */
#include "volume/revoked.h"

#include "io/crash.h"
#include "io/fault.h"
#include "io_help.h"

enum { NOW = 1900000000 };

struct fixture {
    struct io *below, *io;
    struct io_node *dir;
};

static int begin(void **state)
{
    static struct fixture f;

    check_ok(crash_new(&f.below));
    check_ok(fault_new(f.below, &f.io));
    f.dir = help_root(f.io, "/");
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    f->io->ops->node_close(f->io, f->dir);
    fault_free(f->io);
    crash_free(f->below);
    return 0;
}

static int64_t time_of(struct fixture *f)
{
    bool is_revoked = false;
    int64_t s = -1;

    check_ok(revoked_check(f->io, f->dir, &is_revoked));
    check_ok(revoked_time(f->io, f->dir, &s));
    assert_int_equal(is_revoked, s != 0);
    return s;
}

static void set__holds_one_line_with_the_time(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(time_of(f), 0);
    check_ok(revoked_set(f->io, f->dir, NOW));
    assert_string_equal(help_get(f->io, f->dir, REVOKED_FILE), "2030-03-17T17:46:40Z\n");
    assert_int_equal(time_of(f), NOW);
}

static void set__again__keeps_the_first_time(void **state)
{
    struct fixture *f = *state;

    check_ok(revoked_set(f->io, f->dir, NOW));
    check_ok(revoked_set(f->io, f->dir, NOW + 50));
    assert_int_equal(time_of(f), NOW);
    check_ok(revoked_clear(f->io, f->dir));
    check_ok(revoked_set(f->io, f->dir, NOW + 50));
    assert_int_equal(time_of(f), NOW + 50);
}

static void set__clock_shows_nonsense__is_recorded(void **state)
{
    static const int64_t times[] = {0, -5, INT64_MAX};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        check_ok(revoked_set(f->io, f->dir, times[i]));
        assert_true(time_of(f) > 0);
        check_ok(revoked_clear(f->io, f->dir));
    }
}

static void clear__removes_it_and_is_fine_without(void **state)
{
    struct fixture *f = *state;

    check_ok(revoked_clear(f->io, f->dir));
    check_ok(revoked_set(f->io, f->dir, NOW));
    check_ok(revoked_clear(f->io, f->dir));
    check_ok(revoked_clear(f->io, f->dir));
    assert_int_equal(time_of(f), 0);
    assert_false(help_exists(f->io, f->dir, REVOKED_FILE));
}

static void check__any_contents__is_revoked(void **state)
{
    static const char *const contents[] = {
        "",
        "\n",
        "no",
        "0",
        "never\n",
        "2030-03-17T17:46:40Z\nmore",
        "a text that is longer than any record that was ever written by this program, to be sure"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        help_put(f->io, f->dir, REVOKED_FILE, contents[i]);
        assert_true(time_of(f) > 0);
        check_ok(revoked_set(f->io, f->dir, NOW)); /* and it can be recorded again */
        assert_true(time_of(f) > 0);
        check_ok(revoked_clear(f->io, f->dir));
    }
}

static void check__what_is_no_file__is_revoked(void **state)
{
    struct fixture *f = *state;

    check_ok(f->io->ops->symlink(f->io, f->dir, REVOKED_FILE, "nowhere"));
    assert_true(time_of(f) > 0);
    check_ok(revoked_clear(f->io, f->dir));
    check_ok(f->io->ops->mkdir(f->io, f->dir, REVOKED_FILE, 0700));
    assert_true(time_of(f) > 0);
    check_os(revoked_set(f->io, f->dir, NOW), EISDIR);
    check_os(revoked_clear(f->io, f->dir), EISDIR);
    assert_true(time_of(f) > 0);
}

static void check__a_started_record__is_not_revoked(void **state)
{
    struct fixture *f = *state;

    help_put(f->io, f->dir, REVOKED_FILE ".tmp", "2030-");
    assert_int_equal(time_of(f), 0);
    check_ok(revoked_set(f->io, f->dir, NOW));
    assert_int_equal(time_of(f), NOW);
    assert_false(help_exists(f->io, f->dir, REVOKED_FILE ".tmp"));
}

static void check__cannot_look__is_an_error_never_no(void **state)
{
    static const int errnos[] = {EIO, EACCES, ENOMEM, ENOTDIR, ESTALE, ELOOP, ENAMETOOLONG};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++) {
        bool is_revoked = true;
        int64_t s;

        fault_arm(f->io, 1, errnos[i], true);
        ks_rc rc = revoked_check(f->io, f->dir, &is_revoked);
        check_os(rc, errnos[i]);
        check_text(rc, "cannot tell whether it was revoked");
        assert_true(is_revoked);
        check_os(revoked_time(f->io, f->dir, &s), errnos[i]);
        fault_arm(f->io, 0, 0, false);
    }
}

static void time__cannot_be_read__is_that_of_the_file(void **state)
{
    struct fixture *f = *state;
    int64_t s = 0;

    check_ok(revoked_set(f->io, f->dir, NOW));
    fault_arm(f->io, 2, EIO, true); /* the first one looks for it */
    check_ok(revoked_time(f->io, f->dir, &s));
    assert_non_null(fault_name(f->io));
    fault_arm(f->io, 0, 0, false);
    assert_true(s > 0 && s != NOW);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set__holds_one_line_with_the_time),
        TEST(set__again__keeps_the_first_time),
        TEST(set__clock_shows_nonsense__is_recorded),
        TEST(clear__removes_it_and_is_fine_without),
        TEST(check__any_contents__is_revoked),
        TEST(check__what_is_no_file__is_revoked),
        TEST(check__a_started_record__is_not_revoked),
        TEST(check__cannot_look__is_an_error_never_no),
        TEST(time__cannot_be_read__is_that_of_the_file),
    };
    return cmocka_run_group_tests_name("revoked", tests, NULL, NULL);
}
