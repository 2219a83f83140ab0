/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a volume makes for somebody else is complete before it has its place, leaves nothing aside, and is
 * what a plain file system would have made: owner, group of a set-group-id directory, mode.
 */
#include "io_help.h"

#include "io/crash.h"
#include "volume/making.h"
#include "volume_fixture.h"

static const struct caller other = {7, 8};

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
};

static int setup(void **state)
{
    static struct bench b;

    check_ok(fixture_in_memory(3584, &b.io, &b.keys, &b.f));
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    fixture_in_memory_free(b->io, b->keys, b->f);
    return 0;
}

static ks_rc make_file(struct bench *b, const char *name, mode_t mode, struct stat *ret)
{
    struct volume *v = b->f->v;
    struct handle *h;
    struct inode *i;

    TRY(volume_create(v, volume_root(v), name, mode, &other, &i, ret, &h));
    volume_close(v, h);
    volume_forget(v, i, 1);
    return KS_SUCCESS;
}

static ks_rc make_dir(struct bench *b, struct inode *dir, const char *name, struct stat *ret)
{
    struct inode *i;

    TRY(volume_mkdir(b->f->v, dir, name, 0750, &other, &i, ret));
    volume_forget(b->f->v, i, 1);
    return KS_SUCCESS;
}

static void assert_nothing_is_aside(struct bench *b)
{
    assert_false(help_exists(b->io, b->f->long_names, "new.0"));
    assert_false(help_exists(b->io, b->f->long_names, "new.1"));
}

static void create__for_somebody_else__is_theirs_in_its_place(void **state)
{
    struct bench *b = *state;
    struct stat st, again;
    struct inode *i;

    check_ok(make_file(b, "a", 04640, &st));
    assert_int_equal(st.st_uid, 7);
    assert_int_equal(st.st_gid, 8);
    assert_int_equal(st.st_mode, S_IFREG | 04640);
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "a", &i, &again));
    assert_int_equal(again.st_ino, st.st_ino);
    assert_int_equal(again.st_ctim.tv_sec, st.st_ctim.tv_sec);
    volume_forget(b->f->v, i, 1);
    assert_nothing_is_aside(b);
}

static void create__name_that_is_taken__is_refused_and_leaves_nothing(void **state)
{
    struct bench *b = *state;
    struct stat st;

    check_ok(make_file(b, "a", 0600, &st));
    check_os(make_file(b, "a", 0600, &st), EEXIST);
    check_os(make_dir(b, volume_root(b->f->v), "a", &st), EEXIST);
    assert_nothing_is_aside(b);
}

static void create__after_a_crash_left_something_aside__goes_on(void **state)
{
    struct bench *b = *state;
    struct stat st;

    check_ok(b->io->ops->mkdir(b->io, b->f->long_names, "new.0", 0700));
    check_ok(make_file(b, "a", 0600, &st));
    assert_nothing_is_aside(b);
    fixture_close(b->f);
    check_ok(fixture_open(b->io, "/", b->keys, &b->f));
    help_put(b->io, b->f->long_names, "new.0", "");
    check_ok(make_dir(b, volume_root(b->f->v), "d", &st));
    assert_true(S_ISDIR(st.st_mode));
    assert_nothing_is_aside(b);
}

static void mkdir__in_a_set_group_id_directory__hands_on_group_and_bit(void **state)
{
    struct bench *b = *state;
    struct volume *v = b->f->v;
    struct stat st, in = {.st_mode = 02770, .st_gid = 99};
    struct inode *i;

    check_ok(volume_mkdir(v, volume_root(v), "d", 0770, &other, &i, &st));
    check_ok(volume_setattr(v, i, IO_ATTR_GID | IO_ATTR_MODE, &in, &st));
    check_ok(make_dir(b, i, "below", &st));
    assert_int_equal(st.st_uid, 7);
    assert_int_equal(st.st_gid, 99);
    assert_int_equal(st.st_mode, S_IFDIR | S_ISGID | 0750);
    volume_forget(v, i, 1);
}

static void symlink_and_fifo__for_somebody_else__are_theirs(void **state)
{
    struct bench *b = *state;
    struct volume *v = b->f->v;
    struct inode *i;
    struct stat st;

    check_ok(volume_symlink(v, volume_root(v), "s", "target", &other, &i, &st));
    assert_int_equal(st.st_uid, 7);
    volume_forget(v, i, 1);
    check_ok(volume_mknod(v, volume_root(v), "p", S_IFIFO | 0600, 0, &other, &i, &st));
    assert_int_equal(st.st_uid, 7);
    volume_forget(v, i, 1);
    assert_nothing_is_aside(b);
}

static void spots__all_taken__busy_until_one_is_back(void **state)
{
    static struct making taken[MAKING_SPOTS];
    struct bench *b = *state;
    struct volume *v = b->f->v;
    struct stat st;

    for (size_t n = 0; n < MAKING_SPOTS; n++)
        check_ok(making_begin(v, volume_root(v), "x", &other, &taken[n]));
    check_rc(make_file(b, "a", 0600, &st), BUSY);
    making_end(&taken[17]);
    check_ok(make_file(b, "a", 0600, &st));
    for (size_t n = 0; n < MAKING_SPOTS; n++)
        if (n != 17)
            making_end(&taken[n]);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(create__for_somebody_else__is_theirs_in_its_place),
        T(create__name_that_is_taken__is_refused_and_leaves_nothing),
        T(create__after_a_crash_left_something_aside__goes_on),
        T(mkdir__in_a_set_group_id_directory__hands_on_group_and_bit),
        T(symlink_and_fifo__for_somebody_else__are_theirs),
        T(spots__all_taken__busy_until_one_is_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
