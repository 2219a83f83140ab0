/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a secret in a file is read through symlinks, without its line end, and every file that
 * cannot be used is told as a missing credential, with its path.
 */
#include "kms/secret_file.h"
#include "tmpdir.h"

static struct tmpdir tmp;

static int setup(void **state)
{
    (void)state;
    tmp = tmpdir_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmpdir_remove(&tmp);
    return 0;
}

static ks_rc read_text(const char *contents, struct secret **ret)
{
    struct path path = tmpdir_path(&tmp, "pin");

    file_put(path.text, view_text(contents));
    return secret_line_read(io_posix(), path.text, ret);
}

static void check_line(const char *contents, const char *want)
{
    struct secret *got = NULL;

    check_ok(read_text(contents, &got));
    check_bytes(secret_view(got), view_text(want));
    secret_free(got);
}

static void line__with_and_without_line_end__same(void **state)
{
    (void)state;
    check_line("1234", "1234");
    check_line("1234\n", "1234");
    check_line("1234\r\n", "1234");
    check_line("1234\nsecond\n", "1234");
    check_line(" 12 34 ", " 12 34 ");
}

static void line__empty__credential(void **state)
{
    struct secret *got = NULL;

    (void)state;
    check_rc(read_text("", &got), CREDENTIAL);
    check_rc(read_text("\n", &got), CREDENTIAL);
    check_rc(read_text("\r\nx", &got), CREDENTIAL);
    assert_null(got);
}

static void line__too_long__credential(void **state)
{
    static char text[SECRET_LINE_MAX + 2];
    struct secret *got = NULL;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    check_rc(read_text(text, &got), CREDENTIAL);
    assert_null(got);
}

static void line__missing_file_or_directory__credential_with_path(void **state)
{
    struct secret *got = NULL;
    struct path path = tmpdir_path(&tmp, "missing");

    (void)state;
    ks_rc rc = secret_line_read(io_posix(), path.text, &got);
    check_rc(rc, CREDENTIAL);
    check_text(rc, path.text);
    check_rc(secret_line_read(io_posix(), tmpdir_path(&tmp, "no/where").text, &got), CREDENTIAL);
    assert_null(got);
}

static void line__symlink__followed(void **state)
{
    struct path real = tmpdir_path(&tmp, "real"), alias = tmpdir_path(&tmp, "alias");
    struct secret *got = NULL;

    (void)state;
    file_put(real.text, view_text("4321\n"));
    assert_int_equal(symlink("real", alias.text), 0);
    check_ok(secret_line_read(io_posix(), alias.text, &got));
    check_bytes(secret_view(got), view_text("4321"));
    secret_free(got);
}

static void line__symlinks_in_a_circle__credential(void **state)
{
    struct path one = tmpdir_path(&tmp, "one"), two = tmpdir_path(&tmp, "two");
    struct secret *got = NULL;

    (void)state;
    assert_int_equal(symlink("one", two.text), 0);
    assert_int_equal(symlink("two", one.text), 0);
    check_rc(secret_line_read(io_posix(), one.text, &got), CREDENTIAL);
}

static void whole__other_length__credential_with_bounds(void **state)
{
    struct path path = tmpdir_path(&tmp, "file");
    struct secret_file_bounds bounds = {4, 5, "a test file"};
    struct secret *got = NULL;

    (void)state;
    file_put(path.text, view_text("123"));
    ks_rc rc = secret_file_read(io_posix(), path.text, bounds, &got);
    check_rc(rc, CREDENTIAL);
    check_text(rc, "a test file has 4 to 5");
    file_put(path.text, view_text("1234\n"));
    check_ok(secret_file_read(io_posix(), path.text, bounds, &got));
    check_bytes(secret_view(got), view_text("1234\n"));
    secret_free(got);
}

static void in__directory_and_name__joined_or_refused(void **state)
{
    char path[SECRET_FILE_PATH_BYTES];

    (void)state;
    check_ok(secret_file_in("/run/credentials/a.service", "pin", path));
    assert_string_equal(path, "/run/credentials/a.service/pin");
    check_rc(secret_file_in(NULL, "pin", path), CREDENTIAL);
    check_rc(secret_file_in("/run", "../pin", path), USAGE);
    check_rc(secret_file_in("/run", "", path), USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(line__with_and_without_line_end__same, setup, teardown),
        cmocka_unit_test_setup_teardown(line__empty__credential, setup, teardown),
        cmocka_unit_test_setup_teardown(line__too_long__credential, setup, teardown),
        cmocka_unit_test_setup_teardown(line__missing_file_or_directory__credential_with_path,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(line__symlink__followed, setup, teardown),
        cmocka_unit_test_setup_teardown(line__symlinks_in_a_circle__credential, setup, teardown),
        cmocka_unit_test_setup_teardown(whole__other_length__credential_with_bounds, setup,
                                        teardown),
        cmocka_unit_test(in__directory_and_name__joined_or_refused),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
