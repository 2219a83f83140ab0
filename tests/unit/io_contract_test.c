/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: all back ends keep the contract of io/io.h in the same way. Every test runs on the host's file
 * system, on the crash back end, and on a disarmed fault back end over a crash one.
 */
#include "io_help.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "io/crash.h"
#include "io/fault.h"

struct fixture {
    struct io *io, *below;
    struct io_node *root;
    char path[64];
};

static int posix_setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.io = io_posix()};
    help_temp_dir(f.path);
    f.root = help_root(f.io, f.path);
    *state = &f;
    return 0;
}

static int posix_teardown(void **state)
{
    struct fixture *f = *state;

    f->io->ops->node_close(f->io, f->root);
    help_temp_remove(f->path);
    return 0;
}

static int crash_setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){0};
    check_ok(crash_new(&f.io));
    f.root = help_root(f.io, "/");
    *state = &f;
    return 0;
}

static int crash_teardown(void **state)
{
    struct fixture *f = *state;

    f->io->ops->node_close(f->io, f->root);
    crash_free(f->io);
    return 0;
}

static int fault_setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){0};
    check_ok(crash_new(&f.below));
    check_ok(fault_new(f.below, &f.io));
    f.root = help_root(f.io, "/");
    *state = &f;
    return 0;
}

static int fault_teardown(void **state)
{
    struct fixture *f = *state;

    f->io->ops->node_close(f->io, f->root);
    fault_free(f->io);
    crash_free(f->below);
    return 0;
}

#define WITH_FIXTURE()                                                                             \
    struct fixture *f = *state;                                                                    \
    struct io *io = f->io;                                                                         \
    struct io_node *root = f->root

static void pread__behind_the_end__gives_what_is_there(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = help_create(io, root, "a");
    char out[16] = {0};
    size_t len = 99;

    check_ok(io->ops->pwrite(io, file, "hello", 5, 0));
    check_ok(io->ops->pread(io, file, out, sizeof out, 1, &len));
    assert_int_equal(len, 4);
    assert_string_equal(out, "ello");
    check_ok(io->ops->pread(io, file, out, sizeof out, 5, &len));
    assert_int_equal(len, 0);
    check_ok(io->ops->pread(io, file, out, sizeof out, 5000, &len));
    assert_int_equal(len, 0);
    io->ops->close(io, file);
}

enum { PAST_PAGES = 64 };

/* Bytes that differ from page to page. */
static void fill_pages(uint8_t *pages, size_t count, uint8_t first)
{
    for (size_t n = 0; n < count; n++)
        memset(pages + n * IO_PAGE_BYTES, (int)(first + n), IO_PAGE_BYTES);
}

static void pread_past__more_than_there_is__gives_what_is_there(void **state)
{
    WITH_FIXTURE();
    CLEANUP(mem_freep) uint8_t *wrote = NULL, *got = NULL;
    struct io_file *file = help_create(io, root, "a");
    size_t len = 0, bytes = (size_t)(PAST_PAGES - 2) * IO_PAGE_BYTES;

    check_ok(mem_new_pages(PAST_PAGES, &wrote));
    check_ok(mem_new_pages(PAST_PAGES, &got));
    fill_pages(wrote, PAST_PAGES, 1);
    check_ok(io->ops->pwrite(io, file, wrote, bytes, 0));
    check_ok(io->ops->sync(io, file, false));
    check_ok(io->ops->pread_past(io, file, got, (size_t)PAST_PAGES * IO_PAGE_BYTES, 0, &len));
    assert_int_equal(len, bytes);
    assert_memory_equal(got, wrote, bytes);
    check_ok(io->ops->pread_past(io, file, got, IO_PAGE_BYTES, bytes, &len));
    assert_int_equal(len, 0);
    io->ops->close(io, file);
}

static void pwrite__across_pages_with_gap__reads_back_with_zeros(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = help_create(io, root, "a");
    uint8_t data[10000], out[20000];
    size_t len;

    memset(data, 'x', sizeof data);
    check_ok(io->ops->pwrite(io, file, data, sizeof data, 5000));
    check_ok(io->ops->pread(io, file, out, sizeof out, 0, &len));
    assert_int_equal(len, 15000);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(out[i], i < 5000 ? 0 : 'x');
    io->ops->close(io, file);
}

static void pwrite__no_bytes__keeps_the_size(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = help_create(io, root, "a");

    check_ok(io->ops->pwrite(io, file, "", 0, 100));
    assert_int_equal(help_size(io, root, "a"), 0);
    io->ops->close(io, file);
}

static void pwrite__read_only_file__ebadf(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = NULL;

    help_put(io, root, "a", "old");
    struct io_node *node = help_lookup(io, root, "a");
    check_ok(io->ops->open(io, node, true, &file));
    check_os(io->ops->pwrite(io, file, "new", 3, 0), EBADF);
    check_os(io->ops->truncate(io, file, 0), EINVAL);
    check_os(io->ops->fallocate(io, file, 0, 0, 10), EBADF);
    io->ops->close(io, file);
    io->ops->node_close(io, node);
    assert_string_equal(help_get(io, root, "a"), "old");
}

static void pwrite__offset_beyond_int64__einval(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = help_create(io, root, "a");
    size_t len = 7;
    char out[1];

    check_os(io->ops->pwrite(io, file, "a", 1, UINT64_MAX - 5), EINVAL);
    check_os(io->ops->pread(io, file, out, 1, UINT64_MAX - 5, &len), EINVAL);
    assert_int_equal(len, 7); /* a failed call writes no output */
    check_os(io->ops->truncate(io, file, UINT64_MAX), EINVAL);
    io->ops->close(io, file);
}

static void open__not_a_regular_file__says_what_it_is(void **state)
{
    WITH_FIXTURE();
    static const struct {
        const char *name;
        int err;
    } cases[] = {{"dir", EISDIR}, {"link", ELOOP}, {"fifo", ENXIO}};
    struct io_file *file = NULL;

    check_ok(io->ops->mkdir(io, root, "dir", 0700));
    check_ok(io->ops->symlink(io, root, "link", "dir"));
    check_ok(io->ops->mknod(io, root, "fifo", S_IFIFO | 0600, 0));
    for (size_t i = 0; i < 3; i++) {
        struct io_node *node = help_lookup(io, root, cases[i].name);
        check_os(io->ops->open(io, node, true, &file), cases[i].err);
        assert_null(file);
        io->ops->node_close(io, node);
    }
}

static void open_root__missing_or_file__fails_with_its_name(void **state)
{
    WITH_FIXTURE();
    struct io_node *node = NULL;
    char path[128];

    help_put(io, root, "file", "");
    snprintf(path, sizeof path, "%s/none", f->path);
    ks_rc rc = io->ops->open_root(io, path, &node);
    check_os(rc, ENOENT);
    check_text(rc, path);
    snprintf(path, sizeof path, "%s/file", f->path);
    check_os(io->ops->open_root(io, path, &node), ENOTDIR);
    assert_null(node);
}

static void open_root__path_below__is_that_directory(void **state)
{
    WITH_FIXTURE();
    char path[128];

    check_ok(io->ops->mkdir(io, root, "a", 0700));
    struct io_node *a = help_lookup(io, root, "a");
    check_ok(io->ops->mkdir(io, a, "b", 0700));
    struct io_node *b = help_lookup(io, a, "b");
    help_put(io, b, "file", "deep");
    snprintf(path, sizeof path, "%s/a/b", f->path);
    struct io_node *again = help_root(io, path);
    assert_string_equal(help_get(io, again, "file"), "deep");
    io->ops->node_close(io, again);
    io->ops->node_close(io, b);
    io->ops->node_close(io, a);
}

static void names__paths_and_dots__usage(void **state)
{
    WITH_FIXTURE();
    static const char *const bad[] = {"", ".", "..", "a/b", "/", "a/"};
    struct io_node *node = NULL;
    struct io_file *file = NULL;

    help_put(io, root, "a", "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_rc(io->ops->lookup(io, root, bad[i], &node, NULL), USAGE);
        check_rc(io->ops->create(io, root, bad[i], 0600, &node, &file), USAGE);
        check_rc(io->ops->mknod(io, root, bad[i], S_IFREG, 0), USAGE);
        check_rc(io->ops->mkdir(io, root, bad[i], 0700), USAGE);
        check_rc(io->ops->symlink(io, root, bad[i], "t"), USAGE);
        check_rc(io->ops->link(io, root, root, bad[i]), USAGE);
        check_rc(io->ops->unlink(io, root, bad[i]), USAGE);
        check_rc(io->ops->rmdir(io, root, bad[i]), USAGE);
        check_rc(io->ops->rename(io, root, bad[i], root, "b", 0), USAGE);
        check_rc(io->ops->rename(io, root, "a", root, bad[i], 0), USAGE);
    }
    assert_null(node);
    assert_null(file);
}

static void names__longer_than_255__enametoolong(void **state)
{
    WITH_FIXTURE();
    char name[IO_NAME_BYTES + 2];
    struct io_node *node = NULL;

    memset(name, 'n', sizeof name);
    name[IO_NAME_BYTES + 1] = '\0';
    check_os(io->ops->lookup(io, root, name, &node, NULL), ENAMETOOLONG);
    check_os(io->ops->mkdir(io, root, name, 0700), ENAMETOOLONG);
    name[IO_NAME_BYTES] = '\0';
    check_ok(io->ops->mkdir(io, root, name, 0700));
    check_ok(io->ops->rmdir(io, root, name));
}

static void create__name_taken__eexist(void **state)
{
    WITH_FIXTURE();
    struct io_node *node = NULL;
    struct io_file *file = NULL;

    help_put(io, root, "a", "kept");
    check_ok(io->ops->symlink(io, root, "dangling", "nowhere"));
    check_os(io->ops->create(io, root, "a", 0600, &node, &file), EEXIST);
    check_os(io->ops->create(io, root, "dangling", 0600, &node, &file), EEXIST);
    check_os(io->ops->mkdir(io, root, "a", 0700), EEXIST);
    check_os(io->ops->symlink(io, root, "a", "t"), EEXIST);
    assert_null(node);
    assert_null(file);
    assert_string_equal(help_get(io, root, "a"), "kept");
}

static void create__node_and_file__are_the_same_object(void **state)
{
    WITH_FIXTURE();
    struct io_node *node = NULL;
    struct io_file *file = NULL;
    struct stat a, b;

    check_ok(io->ops->create(io, root, "a", 0640, &node, &file));
    check_ok(io->ops->pwrite(io, file, "abc", 3, 0));
    check_ok(io->ops->stat(io, node, &a));
    check_ok(io->ops->file_stat(io, file, &b));
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(a.st_size, 3);
    assert_int_equal(a.st_mode, S_IFREG | 0640);
    assert_int_equal(a.st_nlink, 1);
    io->ops->close(io, file);
    io->ops->node_close(io, node);
}

static void node__renamed_object__stays_the_same(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = NULL;

    help_put(io, root, "a", "one");
    struct io_node *node = help_lookup(io, root, "a");
    check_ok(io->ops->rename(io, root, "a", root, "b", 0));
    help_put(io, root, "a", "two");
    check_ok(io->ops->open(io, node, false, &file));
    assert_int_equal(help_byte(io, file, 0), 'o');
    io->ops->close(io, file);
    io->ops->node_close(io, node);
}

static void unlink__open_file__lives_until_closed(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = help_create(io, root, "a");
    struct stat st;

    check_ok(io->ops->unlink(io, root, "a"));
    check_ok(io->ops->pwrite(io, file, "x", 1, 4096));
    assert_int_equal(help_byte(io, file, 4096), 'x');
    check_ok(io->ops->file_stat(io, file, &st));
    assert_int_equal(st.st_nlink, 0);
    check_ok(io->ops->write_out(io, file, 0, 0));
    assert_int_equal(help_byte(io, file, 4096), 'x');
    check_ok(io->ops->sync(io, file, false));
    io->ops->close(io, file);
    assert_false(help_exists(io, root, "a"));
}

static void remove__wrong_kind__is_refused(void **state)
{
    WITH_FIXTURE();

    help_put(io, root, "file", "");
    check_ok(io->ops->mkdir(io, root, "dir", 0700));
    struct io_node *dir = help_lookup(io, root, "dir");
    help_put(io, dir, "in", "");
    check_os(io->ops->unlink(io, root, "dir"), EISDIR);
    check_os(io->ops->rmdir(io, root, "file"), ENOTDIR);
    check_os(io->ops->rmdir(io, root, "dir"), ENOTEMPTY);
    check_os(io->ops->unlink(io, root, "none"), ENOENT);
    check_ok(io->ops->unlink(io, dir, "in"));
    check_ok(io->ops->rmdir(io, root, "dir"));
    check_os(io->ops->mkdir(io, dir, "late", 0700), ENOENT);
    io->ops->node_close(io, dir);
}

static void lookup__in_a_file__enotdir(void **state)
{
    WITH_FIXTURE();
    struct io_node *node = NULL;
    struct io_dir *stream = NULL;

    help_put(io, root, "file", "");
    struct io_node *file = help_lookup(io, root, "file");
    check_os(io->ops->lookup(io, file, "x", &node, NULL), ENOTDIR);
    check_os(io->ops->mkdir(io, file, "x", 0700), ENOTDIR);
    check_os(io->ops->sync_dir(io, file), ENOTDIR);
    check_os(io->ops->sync_all(io, file), ENOTDIR);
    check_os(io->ops->dir_open(io, file, &stream), ENOTDIR);
    assert_null(node);
    assert_null(stream);
    io->ops->node_close(io, file);
}

static void lookup__symlink__is_not_followed(void **state)
{
    WITH_FIXTURE();
    struct io_node *node = NULL;
    struct stat st;
    struct buf target = buf_init(64);

    help_put(io, root, "file", "");
    check_ok(io->ops->symlink(io, root, "link", "file"));
    check_ok(io->ops->lookup(io, root, "link", &node, &st));
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(st.st_size, 4);
    check_ok(io->ops->readlink(io, node, &target));
    assert_string_equal(buf_text(&target), "file");
    buf_done(&target);
    io->ops->node_close(io, node);
}

static void readlink__no_symlink_or_no_room__fails(void **state)
{
    WITH_FIXTURE();
    struct buf target = buf_init(3);

    help_put(io, root, "file", "");
    check_ok(io->ops->symlink(io, root, "link", "file"));
    struct io_node *file = help_lookup(io, root, "file");
    struct io_node *link = help_lookup(io, root, "link");
    check_os(io->ops->readlink(io, file, &target), EINVAL);
    check_rc(io->ops->readlink(io, link, &target), LIMIT);
    assert_int_equal(target.len, 0);
    buf_done(&target);
    io->ops->node_close(io, file);
    io->ops->node_close(io, link);
}

static void symlink__bad_target__is_refused(void **state)
{
    WITH_FIXTURE();
    static char target[5000];

    memset(target, 't', 4096);
    check_os(io->ops->symlink(io, root, "a", ""), ENOENT);
    check_os(io->ops->symlink(io, root, "a", target), ENAMETOOLONG);
    target[4095] = '\0';
    check_ok(io->ops->symlink(io, root, "a", target));
}

static void link__second_name__same_object(void **state)
{
    WITH_FIXTURE();
    struct stat st;

    help_put(io, root, "a", "text");
    check_ok(io->ops->symlink(io, root, "s", "a"));
    struct io_node *node = help_lookup(io, root, "a"), *symlink = help_lookup(io, root, "s");
    check_ok(io->ops->link(io, node, root, "b"));
    check_ok(io->ops->stat(io, node, &st));
    assert_int_equal(st.st_nlink, 2);
    check_ok(io->ops->unlink(io, root, "a"));
    assert_string_equal(help_get(io, root, "b"), "text");
    check_ok(io->ops->link(io, symlink, root, "t")); /* the link itself, not what it names */
    check_ok(io->ops->stat(io, symlink, &st));
    assert_int_equal(st.st_nlink, 2);
    io->ops->node_close(io, symlink);
    io->ops->node_close(io, node);
}

static void link__directory_taken_name_or_dead_file__is_refused(void **state)
{
    WITH_FIXTURE();

    help_put(io, root, "a", "");
    struct io_node *node = help_lookup(io, root, "a");
    check_os(io->ops->link(io, root, root, "b"), EPERM);
    check_os(io->ops->link(io, node, root, "a"), EEXIST);
    check_ok(io->ops->unlink(io, root, "a"));
    check_os(io->ops->link(io, node, root, "b"), ENOENT);
    io->ops->node_close(io, node);
}

static void rename__over_a_file__replaces_it(void **state)
{
    WITH_FIXTURE();

    help_put(io, root, "a", "new");
    help_put(io, root, "b", "old");
    check_ok(io->ops->rename(io, root, "a", root, "b", 0));
    assert_string_equal(help_get(io, root, "a"), "-");
    assert_string_equal(help_get(io, root, "b"), "new");
}

static void rename__flags__are_kept(void **state)
{
    WITH_FIXTURE();

    help_put(io, root, "a", "A");
    help_put(io, root, "b", "B");
    check_os(io->ops->rename(io, root, "a", root, "b", RENAME_NOREPLACE), EEXIST);
    check_ok(io->ops->rename(io, root, "a", root, "b", RENAME_EXCHANGE));
    assert_string_equal(help_get(io, root, "a"), "B");
    check_os(io->ops->rename(io, root, "a", root, "c", RENAME_EXCHANGE), ENOENT);
    check_ok(io->ops->rename(io, root, "a", root, "c", RENAME_NOREPLACE));
    check_os(io->ops->rename(io, root, "b", root, "c", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
    check_os(io->ops->rename(io, root, "b", root, "c", RENAME_WHITEOUT), EINVAL);
}

static void rename__directories__keep_the_tree_a_tree(void **state)
{
    WITH_FIXTURE();
    struct stat st;

    check_ok(io->ops->mkdir(io, root, "d", 0700));
    struct io_node *d = help_lookup(io, root, "d");
    check_ok(io->ops->mkdir(io, d, "e", 0700));
    struct io_node *e = help_lookup(io, d, "e");
    help_put(io, root, "file", "");
    check_os(io->ops->rename(io, root, "d", e, "x", 0), EINVAL);
    check_os(io->ops->rename(io, root, "d", d, "x", 0), EINVAL);
    check_os(io->ops->rename(io, d, "e", root, "d", 0), ENOTEMPTY);
    check_os(io->ops->rename(io, d, "e", root, "d", RENAME_EXCHANGE), EINVAL);
    check_os(io->ops->rename(io, root, "d", root, "file", 0), ENOTDIR);
    check_os(io->ops->rename(io, root, "file", root, "d", 0), EISDIR);
    check_ok(io->ops->mkdir(io, root, "empty", 0700));
    check_os(io->ops->rename(io, root, "empty", root, "d", 0), ENOTEMPTY);
    check_ok(io->ops->rename(io, d, "e", root, "empty", 0));
    check_ok(io->ops->stat(io, d, &st));
    assert_int_equal(st.st_nlink, 2);
    check_ok(io->ops->rename(io, root, "d", root, "file", RENAME_EXCHANGE));
    io->ops->node_close(io, e);
    io->ops->node_close(io, d);
}

static void rename__two_names_of_one_file__does_nothing(void **state)
{
    WITH_FIXTURE();

    help_put(io, root, "a", "x");
    struct io_node *node = help_lookup(io, root, "a");
    check_ok(io->ops->link(io, node, root, "b"));
    check_ok(io->ops->rename(io, root, "a", root, "b", 0));
    check_ok(io->ops->rename(io, root, "a", root, "a", 0));
    assert_true(help_exists(io, root, "a") && help_exists(io, root, "b"));
    io->ops->node_close(io, node);
}

static void truncate__shrink_and_grow__zeros_behind(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = help_create(io, root, "a");

    help_fill(io, file, 0, 'a');
    help_fill(io, file, 1, 'b');
    check_ok(io->ops->truncate(io, file, 100));
    check_ok(io->ops->truncate(io, file, 9000));
    assert_int_equal(help_size(io, root, "a"), 9000);
    assert_int_equal(help_byte(io, file, 99), 'a');
    assert_int_equal(help_byte(io, file, 100), 0);
    assert_int_equal(help_byte(io, file, 5000), 0);
    io->ops->close(io, file);
}

static void fallocate__modes__size_and_zeros(void **state)
{
    WITH_FIXTURE();
    enum { PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };
    struct io_file *file = help_create(io, root, "a");

    help_fill(io, file, 0, 'a');
    help_fill(io, file, 1, 'b');
    check_ok(io->ops->fallocate(io, file, FALLOC_FL_KEEP_SIZE, 0, 20000));
    assert_int_equal(help_size(io, root, "a"), 8192);
    check_ok(io->ops->fallocate(io, file, 0, 4096, 12288));
    assert_int_equal(help_size(io, root, "a"), 16384);
    assert_int_equal(help_byte(io, file, 4096), 'b');
    check_ok(io->ops->fallocate(io, file, PUNCH, 4000, 4100));
    assert_int_equal(help_byte(io, file, 3999), 'a');
    assert_int_equal(help_byte(io, file, 4000), 0);
    assert_int_equal(help_byte(io, file, 8099), 0);
    assert_int_equal(help_byte(io, file, 8100), 'b');
    check_os(io->ops->fallocate(io, file, PUNCH, 0, 0), EINVAL);
    check_os(io->ops->fallocate(io, file, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
    check_os(io->ops->fallocate(io, file, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EOPNOTSUPP);
    io->ops->close(io, file);
}

static void seek__data_and_holes__are_found(void **state)
{
    WITH_FIXTURE();
    struct io_file *file = help_create(io, root, "a");
    uint64_t at = 77;

    check_os(io->ops->seek(io, file, 0, IO_SEEK_DATA, &at), ENXIO);
    help_fill(io, file, 4, 'd');
    check_ok(io->ops->pwrite(io, file, "x", 1, 5 * 4096));
    check_ok(io->ops->sync(io, file, false));
    check_ok(io->ops->seek(io, file, 0, IO_SEEK_DATA, &at));
    assert_int_equal(at, 4 * 4096);
    check_ok(io->ops->seek(io, file, 4 * 4096 + 10, IO_SEEK_DATA, &at));
    assert_int_equal(at, 4 * 4096 + 10);
    check_ok(io->ops->seek(io, file, 10, IO_SEEK_HOLE, &at));
    assert_int_equal(at, 10);
    check_ok(io->ops->seek(io, file, 4 * 4096, IO_SEEK_HOLE, &at));
    assert_int_equal(at, 5 * 4096 + 1); /* the hole behind the end */
    check_os(io->ops->seek(io, file, 5 * 4096 + 1, IO_SEEK_HOLE, &at), ENXIO);
    io->ops->close(io, file);
}

static void lock__second_open__busy_until_closed(void **state)
{
    WITH_FIXTURE();
    struct io_file *a = help_create(io, root, "lock"), *b = help_open(io, root, "lock");

    check_ok(io->ops->lock(io, a));
    check_ok(io->ops->lock(io, a));
    check_rc(io->ops->lock(io, b), BUSY);
    io->ops->close(io, a);
    check_ok(io->ops->lock(io, b));
    io->ops->close(io, b);
}

static void setattr__mode_and_times__are_set_alone(void **state)
{
    WITH_FIXTURE();
    struct stat st, want = {.st_mode = 0751, .st_mtim = {1000, 5}, .st_atim = {2000, 7}};

    help_put(io, root, "a", "");
    struct io_node *node = help_lookup(io, root, "a");
    check_ok(io->ops->setattr(io, node, IO_ATTR_MODE | IO_ATTR_MTIME, &want));
    check_ok(io->ops->stat(io, node, &st));
    assert_int_equal(st.st_mode, S_IFREG | 0751);
    assert_int_equal(st.st_mtim.tv_sec, 1000);
    assert_int_not_equal(st.st_atim.tv_sec, 2000);
    check_ok(io->ops->setattr(io, node, IO_ATTR_ATIME | IO_ATTR_MTIME_NOW, &want));
    check_ok(io->ops->stat(io, node, &st));
    assert_int_equal(st.st_atim.tv_nsec, 7);
    assert_int_not_equal(st.st_mtim.tv_sec, 1000);
    check_ok(io->ops->setattr(io, node, 0, &want));
    io->ops->node_close(io, node);
}

static void setattr__owner__is_set(void **state)
{
    WITH_FIXTURE();
    struct stat st, want = {.st_uid = 12, .st_gid = 34};

    if (geteuid() != 0)
        skip();
    help_put(io, root, "a", "");
    struct io_node *node = help_lookup(io, root, "a");
    check_ok(io->ops->setattr(io, node, IO_ATTR_UID | IO_ATTR_GID, &want));
    check_ok(io->ops->stat(io, node, &st));
    assert_int_equal(st.st_uid, 12);
    assert_int_equal(st.st_gid, 34);
    io->ops->node_close(io, node);
}

static void setattr__symlink__is_the_link_itself(void **state)
{
    WITH_FIXTURE();
    struct stat st, want = {.st_mode = 0700, .st_mtim = {1000, 0}};

    help_put(io, root, "a", "");
    check_ok(io->ops->symlink(io, root, "s", "a"));
    struct io_node *node = help_lookup(io, root, "s"), *file = help_lookup(io, root, "a");
    check_os(io->ops->setattr(io, node, IO_ATTR_MODE, &want), EOPNOTSUPP);
    check_ok(io->ops->setattr(io, node, IO_ATTR_MTIME, &want));
    check_ok(io->ops->stat(io, node, &st));
    assert_int_equal(st.st_mtim.tv_sec, 1000);
    check_ok(io->ops->stat(io, file, &st));
    assert_int_not_equal(st.st_mtim.tv_sec, 1000);
    io->ops->node_close(io, file);
    io->ops->node_close(io, node);
}

static void statfs__root__has_blocks(void **state)
{
    WITH_FIXTURE();
    struct statvfs vfs = {0};

    check_ok(io->ops->statfs(io, root, &vfs));
    assert_true(vfs.f_bsize > 0 && vfs.f_blocks > 0);
    assert_int_equal(vfs.f_namemax, IO_NAME_BYTES);
}

/* The names from here to the end, in the order of the stream. */
static void list(struct io *io, struct io_dir *stream, struct buf *ret)
{
    struct io_dirent entry;

    for (;;) {
        check_ok(io->ops->dir_next(io, stream, &entry));
        if (entry.name[0] == '\0')
            return;
        check_ok(buf_printf(ret, "%s;", entry.name));
    }
}

static void dir__all_entries__once_with_their_types(void **state)
{
    WITH_FIXTURE();
    struct io_dirent entry;
    struct io_dir *stream;
    unsigned seen = 0, count = 0;

    help_put(io, root, "file", "");
    check_ok(io->ops->mkdir(io, root, "dir", 0700));
    check_ok(io->ops->dir_open(io, root, &stream));
    for (;;) {
        check_ok(io->ops->dir_next(io, stream, &entry));
        if (entry.name[0] == '\0')
            break;
        count++;
        seen |= strcmp(entry.name, ".") == 0 && entry.type == S_IFDIR ? 1 : 0;
        seen |= strcmp(entry.name, "..") == 0 && entry.type == S_IFDIR ? 2 : 0;
        seen |= strcmp(entry.name, "dir") == 0 && entry.type == S_IFDIR ? 4 : 0;
        seen |= strcmp(entry.name, "file") == 0 && entry.type == S_IFREG ? 8 : 0;
    }
    assert_int_equal(seen, 15);
    assert_int_equal(count, 4);
    io->ops->dir_close(io, stream);
}

static void dir_seek__cookie_of_an_entry__goes_on_behind_it(void **state)
{
    WITH_FIXTURE();
    struct buf whole = buf_init(4096), again = buf_init(4096);
    struct io_dirent entry;
    struct io_dir *stream;

    for (char name[2] = "a"; name[0] <= 'j'; name[0]++)
        help_put(io, root, name, "");
    check_ok(io->ops->dir_open(io, root, &stream));
    list(io, stream, &whole);
    check_ok(io->ops->dir_seek(io, stream, 0));
    for (int i = 0; i < 5; i++) {
        check_ok(io->ops->dir_next(io, stream, &entry));
        check_ok(buf_printf(&again, "%s;", entry.name));
    }
    io->ops->dir_close(io, stream);
    check_ok(io->ops->dir_open(io, root, &stream));
    check_ok(io->ops->dir_seek(io, stream, entry.next));
    list(io, stream, &again);
    assert_string_equal(buf_text(&again), buf_text(&whole));
    buf_done(&again);
    buf_done(&whole);
    io->ops->dir_close(io, stream);
}

/* Whether the file system below has user attributes at all (some tmpfs have none). */
static bool has_xattrs(struct io *io, struct io_node *node)
{
    ks_rc rc = io->ops->xattr_set(io, node, "user.probe", view_text("x"), 0);

    if (ks_is_os(rc, ENOTSUP))
        return false;
    check_ok(rc);
    check_ok(io->ops->xattr_remove(io, node, "user.probe"));
    return true;
}

static void xattr__set_get_list_remove__round_trip(void **state)
{
    WITH_FIXTURE();
    struct buf got = buf_init(4096);

    help_put(io, root, "a", "");
    struct io_node *node = help_lookup(io, root, "a");
    if (has_xattrs(io, node)) {
        check_ok(io->ops->xattr_set(io, node, "user.k", view_text("v1"), XATTR_CREATE));
        check_os(io->ops->xattr_set(io, node, "user.k", view_text("v"), XATTR_CREATE), EEXIST);
        check_ok(io->ops->xattr_set(io, node, "user.k", view_text("v2"), XATTR_REPLACE));
        check_os(io->ops->xattr_set(io, node, "user.n", view_text("v"), XATTR_REPLACE), ENODATA);
        check_ok(io->ops->xattr_get(io, node, "user.k", &got));
        assert_string_equal(buf_text(&got), "v2");
        check_ok(io->ops->xattr_list(io, node, &got));
        check_bytes(buf_view(&got), view_of("v2user.k", 9));
        check_ok(io->ops->xattr_remove(io, node, "user.k"));
        check_os(io->ops->xattr_remove(io, node, "user.k"), ENODATA);
        check_os(io->ops->xattr_get(io, node, "user.k", &got), ENODATA);
    }
    buf_done(&got);
    io->ops->node_close(io, node);
}

static void xattr__large_value_and_small_buf__whole_or_limit(void **state)
{
    WITH_FIXTURE();
    struct buf got = buf_init(4096), small = buf_init(2999);
    char value[3000];

    memset(value, 'v', sizeof value);
    help_put(io, root, "a", "");
    struct io_node *node = help_lookup(io, root, "a");
    if (has_xattrs(io, node)) {
        check_ok(
            io->ops->xattr_set(io, node, "user.k", view_of(value, sizeof value), XATTR_CREATE));
        check_ok(io->ops->xattr_get(io, node, "user.k", &got));
        check_bytes(buf_view(&got), view_of(value, sizeof value));
        check_rc(io->ops->xattr_get(io, node, "user.k", &small), LIMIT);
        assert_int_equal(small.len, 0);
    }
    buf_done(&got);
    buf_done(&small);
    io->ops->node_close(io, node);
}

static void xattr__symlink__enotsup(void **state)
{
    WITH_FIXTURE();
    struct buf got = buf_init(64);

    check_ok(io->ops->symlink(io, root, "s", "t"));
    struct io_node *node = help_lookup(io, root, "s");
    check_os(io->ops->xattr_set(io, node, "user.k", view_text("v"), 0), ENOTSUP);
    check_os(io->ops->xattr_get(io, node, "user.k", &got), ENOTSUP);
    check_os(io->ops->xattr_list(io, node, &got), ENOTSUP);
    check_os(io->ops->xattr_remove(io, node, "user.k"), ENOTSUP);
    io->ops->node_close(io, node);
}

static void mknod__devices_and_directories__only_what_may_be(void **state)
{
    WITH_FIXTURE();
    struct io_node *node = NULL;
    struct stat st;

    check_os(io->ops->mknod(io, root, "d", S_IFDIR | 0700, 0), EPERM);
    check_ok(io->ops->mknod(io, root, "s", S_IFSOCK | 0600, 0));
    check_ok(io->ops->mknod(io, root, "r", 0600, 0));
    check_ok(io->ops->lookup(io, root, "r", &node, &st));
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    io->ops->node_close(io, node);
}

static void close__null__does_nothing(void **state)
{
    WITH_FIXTURE();

    (void)root;
    io->ops->node_close(io, NULL);
    io->ops->close(io, NULL);
    io->ops->dir_close(io, NULL);
}

static const struct {
    const char *name;
    CMUnitTestFunction run;
} tests[] = {
#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }
    T(pread__behind_the_end__gives_what_is_there),
    T(pread_past__more_than_there_is__gives_what_is_there),
    T(pwrite__across_pages_with_gap__reads_back_with_zeros),
    T(pwrite__no_bytes__keeps_the_size),
    T(pwrite__read_only_file__ebadf),
    T(pwrite__offset_beyond_int64__einval),
    T(open__not_a_regular_file__says_what_it_is),
    T(open_root__missing_or_file__fails_with_its_name),
    T(open_root__path_below__is_that_directory),
    T(names__paths_and_dots__usage),
    T(names__longer_than_255__enametoolong),
    T(create__name_taken__eexist),
    T(create__node_and_file__are_the_same_object),
    T(node__renamed_object__stays_the_same),
    T(unlink__open_file__lives_until_closed),
    T(remove__wrong_kind__is_refused),
    T(lookup__in_a_file__enotdir),
    T(lookup__symlink__is_not_followed),
    T(readlink__no_symlink_or_no_room__fails),
    T(symlink__bad_target__is_refused),
    T(link__second_name__same_object),
    T(link__directory_taken_name_or_dead_file__is_refused),
    T(rename__over_a_file__replaces_it),
    T(rename__flags__are_kept),
    T(rename__directories__keep_the_tree_a_tree),
    T(rename__two_names_of_one_file__does_nothing),
    T(truncate__shrink_and_grow__zeros_behind),
    T(fallocate__modes__size_and_zeros),
    T(seek__data_and_holes__are_found),
    T(lock__second_open__busy_until_closed),
    T(setattr__mode_and_times__are_set_alone),
    T(setattr__owner__is_set),
    T(setattr__symlink__is_the_link_itself),
    T(statfs__root__has_blocks),
    T(dir__all_entries__once_with_their_types),
    T(dir_seek__cookie_of_an_entry__goes_on_behind_it),
    T(xattr__set_get_list_remove__round_trip),
    T(xattr__large_value_and_small_buf__whole_or_limit),
    T(xattr__symlink__enotsup),
    T(mknod__devices_and_directories__only_what_may_be),
    T(close__null__does_nothing),
#undef T
};

enum { COUNT = sizeof tests / sizeof *tests };

static int run_all(const char *group, CMFixtureFunction setup, CMFixtureFunction teardown)
{
    struct CMUnitTest list_of[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        list_of[i] = (struct CMUnitTest){tests[i].name, tests[i].run, setup, teardown, NULL};
    return _cmocka_run_group_tests(group, list_of, COUNT, NULL, NULL);
}

int main(void)
{
    int failed = run_all("posix", posix_setup, posix_teardown);

    failed += run_all("crash", crash_setup, crash_teardown);
    failed += run_all("fault", fault_setup, fault_teardown);
    return failed;
}
