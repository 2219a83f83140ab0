/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the last part of a path is made where it belongs, and who gives a path that leads nowhere is told which part of it is missing.
 */
#include "io/parent.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "tmpdir.h"

static int new_dir(void **state)
{
    static struct tmpdir tmp;

    tmp = tmpdir_make();
    *state = &tmp;
    return 0;
}

static int remove_dir(void **state)
{
    tmpdir_remove(*state);
    return 0;
}

static void a_directory__made_twice__is_there_with_its_mode(void **state)
{
    struct path path = tmpdir_path(*state, "made");
    struct stat st;

    check_ok(parent_make_dir(io_posix(), path.text, 0700));
    check_ok(parent_make_dir(io_posix(), path.text, 0755));
    assert_int_equal(stat(path.text, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
}

static void a_path_that_ends_with_slashes__made__is_the_part_before_them(void **state)
{
    struct path path = tmpdir_path(*state, "made///"), plain = tmpdir_path(*state, "made");
    struct stat st;

    check_ok(parent_make_dir(io_posix(), path.text, 0700));
    assert_int_equal(stat(plain.text, &st), 0);
}

static void a_name_alone__made__is_in_the_working_directory(void **state)
{
    struct tmpdir *tmp = *state;
    struct path path = tmpdir_path(tmp, "here");
    struct stat st;

    assert_int_equal(chdir(tmp->path), 0);
    check_ok(parent_make_dir(io_posix(), "here", 0700));
    assert_int_equal(stat(path.text, &st), 0);
    assert_int_equal(chdir("/"), 0);
}

static void a_directory_in_none__made__is_told_with_what_to_do(void **state)
{
    struct path path = tmpdir_path(*state, "no/where"), missing = tmpdir_path(*state, "no");
    char name[IO_NAME_BYTES + 1] = "as before";
    struct io_node *node = NULL;
    char advice[sizeof missing.text + 16];

    snprintf(advice, sizeof advice, "mkdir -p %s", missing.text);
    check_rc(parent_make_dir(io_posix(), path.text, 0700), NOT_FOUND);
    check_text(parent_make_dir(io_posix(), path.text, 0700), advice);
    check_rc(parent_open(io_posix(), path.text, &node, name), NOT_FOUND);
    assert_null(node);
    assert_string_equal(name, "as before");
}

static void what_names_nothing_to_make__is_refused(void **state)
{
    char longest[IO_NAME_BYTES + 2] = {0}, path[4200] = {0};

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    memset(path, '/', sizeof path - 1);
    check_rc(parent_make_dir(io_posix(), "", 0700), USAGE);
    check_rc(parent_make_dir(io_posix(), "/", 0700), USAGE);
    check_rc(parent_make_dir(io_posix(), longest, 0700), USAGE);
    check_rc(parent_make_dir(io_posix(), path, 0700), USAGE);
    assert_true(ks_is_os(parent_make_dir(io_posix(), "/dev/null/x", 0700), ENOTDIR));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory__made_twice__is_there_with_its_mode),
        TEST(a_path_that_ends_with_slashes__made__is_the_part_before_them),
        TEST(a_name_alone__made__is_in_the_working_directory),
        TEST(a_directory_in_none__made__is_told_with_what_to_do),
        TEST(what_names_nothing_to_make__is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
