/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a key file is found through symlinks, is refused with a reason when it cannot
 * be one, and is never overwritten.
 */
#include "kms/key_file.h"

#include <sys/stat.h>

#include "tmpdir.h"

static struct tmpdir tmp;

static int setup(void **state)
{
    (void)state;
    tmp = tmpdir_make();
    check_ok(secret_init());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmpdir_remove(&tmp);
    return 0;
}

static void check_refused(const char *path, const char *reason)
{
    struct secret *got = NULL;
    ks_rc rc = key_file_read(io_posix(), path, &got);

    check_rc(rc, CREDENTIAL);
    check_text(rc, reason);
    check_text(rc, path);
    assert_null(got);
}

static void check_reads(const char *path, struct view want)
{
    struct secret *got = NULL;

    check_ok(key_file_read(io_posix(), path, &got));
    check_bytes(secret_view(got), want);
    secret_free(got);
}

static void make__nothing_there__private_random_bytes(void **state)
{
    struct path one = tmpdir_path(&tmp, "one"), two = tmpdir_path(&tmp, "two");
    uint8_t a[64], b[64];
    struct stat st;

    (void)state;
    check_ok(key_file_make(io_posix(), one.text, random_system()));
    check_ok(key_file_make(io_posix(), two.text, random_system()));
    assert_int_equal(file_get(one.text, a, sizeof a), KEY_FILE_BYTES_MIN);
    assert_int_equal(file_get(two.text, b, sizeof b), KEY_FILE_BYTES_MIN);
    assert_memory_not_equal(a, b, KEY_FILE_BYTES_MIN);
    assert_int_equal(stat(one.text, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    check_reads(one.text, view_of(a, KEY_FILE_BYTES_MIN));
}

static void make__file_there__untouched(void **state)
{
    struct path path = tmpdir_path(&tmp, "key");
    uint8_t bytes[64];

    (void)state;
    file_put(path.text, view_text("do not touch"));
    check_ok(key_file_make(io_posix(), path.text, random_system()));
    assert_int_equal(file_get(path.text, bytes, sizeof bytes), 12);
    assert_memory_equal(bytes, "do not touch", 12);
}

static void make__no_directory__told_with_the_path(void **state)
{
    struct path path = tmpdir_path(&tmp, "none/key");

    (void)state;
    ks_rc rc = key_file_make(io_posix(), path.text, random_system());
    assert_true(ks_is_os(rc, ENOENT));
    check_text(rc, path.text);
}

static void read__through_symlinks__followed(void **state)
{
    static const char bytes[] = "0123456789abcdef0123456789abcdef+";
    struct path dir = tmpdir_path(&tmp, "data"), link = tmpdir_path(&tmp, "link");

    (void)state;
    assert_int_equal(mkdir(dir.text, 0700), 0);
    file_put(tmpdir_path(&tmp, "data/key").text, view_text(bytes));
    assert_int_equal(symlink("data/key", link.text), 0);
    assert_int_equal(symlink(link.text, tmpdir_path(&tmp, "absolute").text), 0);
    check_reads(link.text, view_text(bytes));
    check_reads(tmpdir_path(&tmp, "absolute").text, view_text(bytes));
}

static void read__symlink_loop__credential(void **state)
{
    struct path loop = tmpdir_path(&tmp, "loop");

    (void)state;
    assert_int_equal(symlink("loop", loop.text), 0);
    check_refused(loop.text, "symbolic links");
}

static void read__missing_short_long_or_no_file__credential(void **state)
{
    static const char big[KEY_FILE_BYTES_MAX + 1];
    struct path path = tmpdir_path(&tmp, "key");

    (void)state;
    check_refused(path.text, "No such file");
    file_put(path.text, view_of(big, KEY_FILE_BYTES_MIN - 1));
    check_refused(path.text, "31 bytes");
    file_put(path.text, view_of(big, sizeof big));
    check_refused(path.text, "4097 bytes");
    file_put(path.text, view_of(big, KEY_FILE_BYTES_MAX));
    check_reads(path.text, view_of(big, KEY_FILE_BYTES_MAX));
    check_refused(tmp.path, "");
}

static void open_parent__several_forms__directory_and_last_part(void **state)
{
    char name[IO_NAME_BYTES + 1];
    struct io_node *dir = NULL;

    (void)state;
    check_ok(path_open_parent(io_posix(), "/tmp/x/", &dir, name));
    assert_string_equal(name, "x");
    io_posix()->ops->node_close(io_posix(), dir);
    check_ok(path_open_parent(io_posix(), "/x", &dir, name));
    assert_string_equal(name, "x");
    io_posix()->ops->node_close(io_posix(), dir);
    check_ok(path_open_parent(io_posix(), "x", &dir, name));
    assert_string_equal(name, "x");
    io_posix()->ops->node_close(io_posix(), dir);
    check_rc(path_open_parent(io_posix(), "", &dir, name), USAGE);
    check_rc(path_open_parent(io_posix(), "/", &dir, name), USAGE);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(make__nothing_there__private_random_bytes),
        T(make__file_there__untouched),
        T(make__no_directory__told_with_the_path),
        T(read__through_symlinks__followed),
        T(read__symlink_loop__credential),
        T(read__missing_short_long_or_no_file__credential),
        T(open_parent__several_forms__directory_and_last_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
