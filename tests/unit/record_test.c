/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what the recording back end writes down is what happened. A script of every operation runs on a recorded
 * file system; the record, replayed on another one that started equal, makes the same tree; syncs are in it
 * where they were made; what does not fit is refused.
 */
#include "io_help.h"

#include <fcntl.h>

#include "copy_tree.h"
#include "io/crash.h"
#include "io/record.h"

struct fixture {
    struct io *disk, *io; /* io records what is done to disk */
    char path[64], record[96];
};

static int setup(void **state)
{
    static struct fixture f;

    help_temp_dir(f.path);
    snprintf(f.record, sizeof f.record, "%s/record", f.path);
    check_ok(crash_new(&f.disk));
    check_ok(record_new(f.disk, f.record, &f.io));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    record_free(f->io);
    crash_free(f->disk);
    help_temp_remove(f->path);
    return 0;
}

/* Every operation that changes something. */
static void run_script(struct io *io)
{
    struct io_node *root = help_root(io, "/"), *node;
    struct stat st = {.st_mode = 0640, .st_uid = 5, .st_gid = 6, .st_mtim = {.tv_sec = 7}};
    struct io_file *a = help_create(io, root, "a");

    check_ok(io->ops->mkdir(io, root, "d", 0750));
    struct io_node *dir = help_lookup(io, root, "d");
    check_ok(io->ops->mknod(io, root, "fifo", S_IFIFO | 0600, 0));
    check_ok(io->ops->symlink(io, dir, "s", "target"));
    help_fill(io, a, 0, 'a');
    help_fill(io, a, 3, 'b');
    check_ok(io->ops->sync(io, a, true));
    check_ok(io->ops->truncate(io, a, 20000));
    check_ok(io->ops->fallocate(io, a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    node = help_lookup(io, root, "a");
    check_ok(
        io->ops->setattr(io, node, IO_ATTR_MODE | IO_ATTR_UID | IO_ATTR_GID | IO_ATTR_MTIME, &st));
    check_ok(io->ops->xattr_set(io, node, "user.x", view_text("value"), 0));
    check_ok(io->ops->xattr_set(io, node, "user.y", view_text("gone"), 0));
    check_ok(io->ops->xattr_remove(io, node, "user.y"));
    check_ok(io->ops->link(io, node, dir, "a2"));
    io->ops->node_close(io, node);
    help_put(io, root, "b", "text");
    check_ok(io->ops->rename(io, root, "b", dir, "c", 0));
    help_put(io, root, "u", "gone");
    check_ok(io->ops->unlink(io, root, "u"));
    check_ok(io->ops->mkdir(io, root, "e", 0700));
    check_ok(io->ops->rmdir(io, root, "e"));
    check_ok(io->ops->sync_dir(io, dir));
    check_ok(io->ops->sync_all(io, root));
    io->ops->close(io, a);
    io->ops->node_close(io, dir);
    io->ops->node_close(io, root);
}

/* The object as one line: type, mode, owner, names, size, contents and attribute. */
static void describe(struct io *io, const char *path, const char *name, struct buf *ret)
{
    struct io_node *dir = help_root(io, path);
    struct stat st;

    if (!help_exists(io, dir, name)) {
        check_ok(buf_printf(ret, "%s: none\n", name));
        io->ops->node_close(io, dir);
        return;
    }
    struct io_node *node = help_lookup(io, dir, name);
    check_ok(io->ops->stat(io, node, &st));
    check_ok(buf_printf(ret, "%s: %o %u %u %u", name, st.st_mode, st.st_uid, st.st_gid,
                        (unsigned)st.st_nlink));
    if (S_ISREG(st.st_mode)) {
        struct io_file *file = help_open(io, dir, name);
        check_ok(buf_printf(ret, " %u", (unsigned)st.st_size));
        for (uint64_t at = 0; at < (uint64_t)st.st_size; at += 1000)
            check_ok(buf_printf(ret, " %d", help_byte(io, file, at)));
        io->ops->close(io, file);
    }
    if (S_ISLNK(st.st_mode))
        check_ok(io->ops->readlink(io, node, ret));
    else
        check_ok(io->ops->xattr_list(io, node, ret));
    check_ok(buf_printf(ret, "\n"));
    io->ops->node_close(io, node);
    io->ops->node_close(io, dir);
}

static void describe_all(struct io *io, struct buf *ret)
{
    static const char *const top[] = {"a", "b", "d", "e", "u", "fifo"};
    static const char *const below[] = {"a2", "c", "s"};

    for (size_t n = 0; n < 6; n++)
        describe(io, "/", top[n], ret);
    for (size_t n = 0; n < 3; n++)
        describe(io, "/d", below[n], ret);
}

static void check_same(struct io *one, struct io *other)
{
    struct buf a = buf_init(1 << 16), b = buf_init(1 << 16);

    describe_all(one, &a);
    describe_all(other, &b);
    check_bytes(buf_view(&a), buf_view(&b));
    buf_done(&a);
    buf_done(&b);
}

struct seen {
    size_t changes, syncs;
    uint64_t end;
};

static void note(void *arg, uint64_t end, bool is_sync)
{
    struct seen *s = arg;

    assert_true(end > s->end);
    s->end = end;
    s->changes++;
    s->syncs += is_sync;
}

/* An empty file system with its root in a map, as the recorded one had it. */
static struct record_map *map_new(struct io *io)
{
    struct record_map *map;

    check_ok(record_map_new(io, &map));
    check_ok(record_map_put(map, 1, help_root(io, "/")));
    return map;
}

static void record__replayed__makes_the_same_tree(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    struct stat st;
    struct io *again;

    run_script(f->io);
    check_ok(crash_new(&again));
    struct record_map *map = map_new(again);
    check_ok(record_replay(map, f->record, note, &seen));
    check_same(f->disk, again);
    assert_int_equal(seen.syncs, 3);
    assert_true(seen.changes > 20);
    assert_int_equal(stat(f->record, &st), 0);
    assert_int_equal(seen.end, st.st_size);
    record_map_free(map);
    crash_free(again);
}

/* Syncs are told and not made: else the recorded process would be as slow as a disk. */
static void record__sync__does_not_reach_the_disk(void **state)
{
    struct fixture *f = *state;
    struct io_node *root = help_root(f->io, "/");
    struct io_file *a = help_create(f->io, root, "a");
    size_t pages, metadata;

    help_fill(f->io, a, 0, 'a');
    check_ok(f->io->ops->sync(f->io, a, false));
    crash_pending(f->disk, crash_time(f->disk), &pages, &metadata);
    assert_int_equal(pages, 1);
    f->io->ops->close(f->io, a);
    f->io->ops->node_close(f->io, root);
}

static void record__cut_off_in_an_entry__gives_what_was_whole(void **state)
{
    struct fixture *f = *state;
    struct seen all = {0}, cut = {0};
    struct io *again;

    run_script(f->io);
    check_ok(crash_new(&again));
    struct record_map *map = map_new(again);
    check_ok(record_replay(map, f->record, note, &all));
    record_map_free(map);
    crash_free(again);
    assert_int_equal(truncate(f->record, (off_t)all.end - 1), 0);
    check_ok(crash_new(&again));
    map = map_new(again);
    check_ok(record_replay(map, f->record, note, &cut));
    assert_int_equal(cut.changes, all.changes - 1);
    record_map_free(map);
    crash_free(again);
}

static void record__of_unknown_objects__is_refused(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    struct record_map *map;
    struct io *again;

    run_script(f->io);
    check_ok(crash_new(&again));
    check_ok(record_map_new(again, &map));
    check_rc(record_replay(map, f->record, note, &seen), CORRUPT);
    check_class(record_replay(map, "/nonexistent/record", note, &seen), USAGE);
    record_map_free(map);
    crash_free(again);
}

static void record__that_is_there_already__is_not_overwritten(void **state)
{
    struct fixture *f = *state;
    struct io *other;

    check_os(record_new(f->disk, f->record, &other), EEXIST);
}

static void change__that_fails__is_not_recorded(void **state)
{
    struct fixture *f = *state;
    struct io_node *root = help_root(f->io, "/");
    struct stat st;

    check_os(f->io->ops->unlink(f->io, root, "nothing"), ENOENT);
    assert_int_equal(stat(f->record, &st), 0);
    assert_int_equal(st.st_size, 0);
    f->io->ops->node_close(f->io, root);
}

static void copy_tree__of_everything__is_equal(void **state)
{
    struct fixture *f = *state;
    struct record_map *map;
    struct io *copy;

    run_script(f->disk);
    check_ok(crash_new(&copy));
    check_ok(record_map_new(copy, &map));
    struct io_node *from = help_root(f->disk, "/"), *to = help_root(copy, "/");
    check_ok(copy_tree(f->disk, from, copy, to, map));
    check_same(f->disk, copy);
    check_os(copy_tree(f->disk, from, copy, to, map), EEXIST);
    f->disk->ops->node_close(f->disk, from);
    copy->ops->node_close(copy, to);
    record_map_free(map);
    crash_free(copy);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(record__replayed__makes_the_same_tree),
        T(record__sync__does_not_reach_the_disk),
        T(record__cut_off_in_an_entry__gives_what_was_whole),
        T(record__of_unknown_objects__is_refused),
        T(record__that_is_there_already__is_not_overwritten),
        T(change__that_fails__is_not_recorded),
        T(copy_tree__of_everything__is_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
