/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the fault back end counts every call that can fail, fails exactly the one it was told to, and
 * that one never reaches the back end below.
 */
#include "io_help.h"

#include <pthread.h>

#include "io/crash.h"
#include "io/fault.h"

struct fixture {
    struct io *below, *io;
    struct io_node *root, *node;
    struct io_file *file;
    struct io_dir *dir;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){0};
    check_ok(crash_new(&f.below));
    check_ok(fault_new(f.below, &f.io));
    f.root = help_root(f.io, "/");
    check_ok(f.io->ops->create(f.io, f.root, "file", 0600, &f.node, &f.file));
    check_ok(f.io->ops->dir_open(f.io, f.root, &f.dir));
    fault_arm(f.io, 0, 0, false);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->io->ops->dir_close(f->io, f->dir);
    f->io->ops->close(f->io, f->file);
    f->io->ops->node_close(f->io, f->node);
    f->io->ops->node_close(f->io, f->root);
    fault_free(f->io);
    crash_free(f->below);
    return 0;
}

/* One call of each kind, with the name that fault_name must give. Outputs go nowhere: every call is made
 * to fail. */
static struct io_node *out_node;
static struct io_file *out_file;
static struct io_dir *out_dir;
static struct io_dirent out_entry;
static struct stat out_stat;
static struct statvfs out_vfs;
static struct buf out_buf = {.max_bytes = 64};
static size_t out_len;
static uint64_t out_at;
static char out_byte;

#define CALL(op, ...)                                                                              \
    static ks_rc call_##op(struct fixture *f)                                                      \
    {                                                                                              \
        return f->io->ops->op(f->io, __VA_ARGS__);                                                 \
    }

CALL(open_root, "/", &out_node)
CALL(lookup, f->root, "file", &out_node, NULL)
CALL(stat, f->node, &out_stat)
CALL(setattr, f->node, IO_ATTR_MODE, &out_stat)
CALL(readlink, f->node, &out_buf)
CALL(statfs, f->node, &out_vfs)
CALL(create, f->root, "new", 0600, &out_node, &out_file)
CALL(mknod, f->root, "new", S_IFREG | 0600, 0)
CALL(mkdir, f->root, "new", 0700)
CALL(symlink, f->root, "new", "target")
CALL(link, f->node, f->root, "new")
CALL(unlink, f->root, "file")
CALL(rmdir, f->root, "file")
CALL(rename, f->root, "file", f->root, "new", 0)
CALL(sync_dir, f->root)
CALL(sync_all, f->root)
CALL(dir_open, f->root, &out_dir)
CALL(dir_next, f->dir, &out_entry)
CALL(dir_seek, f->dir, 0)
CALL(open, f->node, false, &out_file)
CALL(pread, f->file, &out_byte, 1, 0, &out_len)
CALL(pread_past, f->file, &out_byte, 1, 0, &out_len)
CALL(pwrite, f->file, "x", 1, 0)
CALL(truncate, f->file, 100)
CALL(fallocate, f->file, 0, 0, 100)
CALL(seek, f->file, 0, IO_SEEK_HOLE, &out_at)
CALL(sync, f->file, false)
CALL(file_stat, f->file, &out_stat)
CALL(lock, f->file)
CALL(xattr_get, f->node, "user.k", &out_buf)
CALL(xattr_set, f->node, "user.k", view_text("v"), 0)
CALL(xattr_list, f->node, &out_buf)
CALL(xattr_remove, f->node, "user.k")

static const struct {
    const char *name;
    ks_rc (*run)(struct fixture *f);
} calls[] = {
#define C(op)                                                                                      \
    {                                                                                              \
#op, call_##op                                                                             \
    }
    C(open_root), C(lookup),     C(stat),         C(setattr),    C(readlink), C(statfs),
    C(create),    C(mknod),      C(mkdir),        C(symlink),    C(link),     C(unlink),
    C(rmdir),     C(rename),     C(sync_dir),     C(sync_all),   C(dir_open), C(dir_next),
    C(dir_seek),  C(open),       C(pread),        C(pread_past), C(pwrite),   C(truncate),
    C(fallocate), C(seek),       C(sync),         C(file_stat),  C(lock),     C(xattr_get),
    C(xattr_set), C(xattr_list), C(xattr_remove),
#undef C
};

enum { CALLS = sizeof calls / sizeof *calls };

static void arm__every_call__fails_by_name_and_does_nothing(void **state)
{
    struct fixture *f = *state;
    size_t before = crash_time(f->below);

    for (size_t i = 0; i < CALLS; i++) {
        fault_arm(f->io, 1, EDQUOT, false);
        check_os(calls[i].run(f), EDQUOT);
        assert_string_equal(fault_name(f->io), calls[i].name);
        assert_int_equal(fault_count(f->io), 1);
    }
    assert_null(out_node);
    assert_null(out_file);
    assert_null(out_dir);
    assert_int_equal(out_buf.len, 0);
    assert_int_equal(crash_time(f->below), before);
    assert_true(help_exists(f->below, f->root, "file"));
    assert_false(help_exists(f->below, f->root, "new"));
}

static void arm__nth_call__only_that_one_fails(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    fault_arm(f->io, 3, EIO, false);
    for (int i = 1; i <= 5; i++) {
        ks_rc rc = f->io->ops->stat(f->io, f->node, &st);
        assert_int_equal(ks_is_os(rc, EIO), i == 3);
        assert_int_equal(ks_ok(rc), i != 3);
    }
    assert_int_equal(fault_count(f->io), 5);
    assert_string_equal(fault_name(f->io), "stat");
}

static void arm__lasting__all_later_calls_fail_too(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    fault_arm(f->io, 2, ENOSPC, true);
    check_ok(f->io->ops->stat(f->io, f->node, &st));
    check_os(f->io->ops->truncate(f->io, f->file, 5), ENOSPC);
    check_os(f->io->ops->stat(f->io, f->node, &st), ENOSPC);
    assert_string_equal(fault_name(f->io), "truncate"); /* the first one */
    fault_arm(f->io, 0, 0, false);
    check_ok(f->io->ops->stat(f->io, f->node, &st));
    assert_int_equal(st.st_size, 0);
}

/* How many bytes a failing pwrite of len bytes at at has written; whatever it wrote is what it was given. */
static size_t written_of(struct fixture *f, uint64_t pages, size_t len, uint64_t at)
{
    uint8_t data[4 * IO_PAGE_BYTES], got[4 * IO_PAGE_BYTES];
    struct stat st;
    size_t n;

    memset(data, 'x', sizeof data);
    check_ok(f->below->ops->truncate(f->below, f->file, 0));
    fault_write_part(f->io, pages);
    fault_arm(f->io, 1, ENOSPC, false);
    check_os(f->io->ops->pwrite(f->io, f->file, data, len, at), ENOSPC);
    check_ok(f->below->ops->file_stat(f->below, f->file, &st));
    if (st.st_size == 0)
        return 0;
    check_ok(f->below->ops->pread(f->below, f->file, got, sizeof got, at, &n));
    check_bytes(view_of(got, n), view_of(data, (size_t)st.st_size - (size_t)at));
    return n;
}

static void write_part__pwrite_fails__has_written_its_first_pages(void **state)
{
    enum { PAGE = IO_PAGE_BYTES };
    struct fixture *f = *state;

    assert_int_equal(written_of(f, 0, 3 * PAGE, 0), 0);
    assert_int_equal(written_of(f, 1, 3 * PAGE, 0), PAGE);
    assert_int_equal(written_of(f, 2, 3 * PAGE, PAGE), 2 * PAGE);
    assert_int_equal(written_of(f, 1, 3 * PAGE, 100), PAGE - 100);
}

static void write_part__of_one_page__writes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(written_of(f, 1, IO_PAGE_BYTES, 0), 0);
    assert_int_equal(written_of(f, UINT64_MAX, 10, 0), 0);
}

static void write_part__more_pages_than_there_are__never_writes_the_last(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(written_of(f, UINT64_MAX, 2 * IO_PAGE_BYTES + 1, 0), 2 * IO_PAGE_BYTES);
}

static void disarmed__counts_and_names_nothing(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    check_ok(f->io->ops->stat(f->io, f->node, &st));
    check_ok(f->io->ops->pwrite(f->io, f->file, "x", 1, 0));
    assert_int_equal(fault_count(f->io), 2);
    assert_null(fault_name(f->io));
}

static void close__is_not_counted(void **state)
{
    struct fixture *f = *state;
    struct io_node *node = help_lookup(f->io, f->root, "file");

    assert_int_equal(fault_count(f->io), 1);
    f->io->ops->node_close(f->io, node);
    assert_int_equal(fault_count(f->io), 1);
}

static void *stat_1000_times(void *arg)
{
    struct fixture *f = arg;
    struct stat st;
    size_t failed = 0;

    for (int i = 0; i < 1000; i++)
        failed += !ks_ok(f->io->ops->stat(f->io, f->node, &st));
    return (void *)failed;
}

static void arm__many_threads__exactly_one_call_fails(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    size_t failed = 0;

    fault_arm(f->io, 2000, EIO, false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stat_1000_times, f), 0);
    for (int i = 0; i < 4; i++) {
        void *count;
        pthread_join(threads[i], &count);
        failed += (size_t)count;
    }
    assert_int_equal(failed, 1);
    assert_int_equal(fault_count(f->io), 4000);
}

static void free__null__does_nothing(void **state)
{
    (void)state;
    fault_free(NULL);
    crash_free(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(arm__every_call__fails_by_name_and_does_nothing),
        T(arm__nth_call__only_that_one_fails),
        T(arm__lasting__all_later_calls_fail_too),
        T(write_part__pwrite_fails__has_written_its_first_pages),
        T(write_part__of_one_page__writes_nothing),
        T(write_part__more_pages_than_there_are__never_writes_the_last),
        T(disarmed__counts_and_names_nothing),
        T(close__is_not_counted),
        T(arm__many_threads__exactly_one_call_fails),
        T(free__null__does_nothing),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
