/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the live state of the crash back end behaves like the host's file system. Random sequences of
 * operations run on both; every result, every byte read and every listing must be the same. At the end a
 * rebuild with everything kept, and one after everything was synced, must be that state too.
 *
 * Not compared: what depends on the file system (sizes and link counts of directories, the order of
 * entries, where holes are, times that were not set).
 */
#include "io_help.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include "base/random.h"
#include "io/crash.h"

enum { POSIX, CRASH, BOTH };
enum { NODES = 8, FILES = 5, OPS = 500, SEEDS = 60, OFFSET_MAX = 20000, LEN_MAX = 9000 };

/* The same thing on both back ends; both NULL or neither. */
struct node_pair {
    struct io_node *of[BOTH];
};

struct file_pair {
    struct io_file *of[BOTH];
};

struct world {
    struct io *io[BOTH];
    struct node_pair nodes[NODES]; /* 0 is the root */
    struct file_pair files[FILES];
    struct random_seeded random;
    bool has_xattrs;
    unsigned seed, step;
    const char *what;
    char path[64];
};

static unsigned pick(struct world *w, unsigned n)
{
    uint32_t value;

    check_ok(random_fill(&w->random.random, &value, sizeof value));
    return value % n;
}

/* The same code on both sides; true when it was a success. */
static bool is_same(struct world *w, const ks_rc rc[BOTH])
{
    if (rc[POSIX].code != rc[CRASH].code)
        fail_msg("seed %u step %u %s: posix says %s %d, crash says %s %d", w->seed, w->step,
                 w->what, ks_name(rc[POSIX]), ks_errno(rc[POSIX]), ks_name(rc[CRASH]),
                 ks_errno(rc[CRASH]));
    return ks_ok(rc[POSIX]);
}

/* expr on both sides, with io and i for the side. */
#define ON_BOTH(w, expr)                                                                           \
    __extension__({                                                                                \
        ks_rc rc_[BOTH];                                                                           \
        (w)->what = #expr;                                                                         \
        for (int i = 0; i < BOTH; i++) {                                                           \
            struct io *io = (w)->io[i];                                                            \
            rc_[i] = (expr);                                                                       \
        }                                                                                          \
        is_same((w), rc_);                                                                         \
    })

static const char *pick_name(struct world *w)
{
    static const char *const names[] = {"a", "b", "c", "d"};

    return names[pick(w, 4)];
}

/* Any node that is there; most often the root, so that there is something in it. */
static struct node_pair *pick_node(struct world *w)
{
    struct node_pair *node = &w->nodes[pick(w, NODES)];

    return node->of[POSIX] ? node : &w->nodes[0];
}

static struct file_pair *pick_file(struct world *w)
{
    struct file_pair *file = &w->files[pick(w, FILES)];

    return file->of[POSIX] ? file : NULL;
}

static void close_nodes(struct world *w, struct node_pair *pair)
{
    for (int i = 0; i < BOTH; i++)
        w->io[i]->ops->node_close(w->io[i], pair->of[i]);
    *pair = (struct node_pair){{NULL, NULL}};
}

static void close_files(struct world *w, struct file_pair *pair)
{
    for (int i = 0; i < BOTH; i++)
        w->io[i]->ops->close(w->io[i], pair->of[i]);
    *pair = (struct file_pair){{NULL, NULL}};
}

/* A new pair takes the place of an older one. */
static void keep_nodes(struct world *w, struct node_pair pair)
{
    struct node_pair *slot = &w->nodes[1 + pick(w, NODES - 1)];

    close_nodes(w, slot);
    *slot = pair;
}

static void keep_files(struct world *w, struct file_pair pair)
{
    struct file_pair *slot = &w->files[pick(w, FILES)];

    close_files(w, slot);
    *slot = pair;
}

/* Two stats of one object say the same, as far as file systems agree. */
static void compare_stat(const struct stat st[BOTH])
{
    assert_int_equal(st[POSIX].st_mode, st[CRASH].st_mode);
    if (S_ISDIR(st[POSIX].st_mode))
        return;
    assert_int_equal(st[POSIX].st_size, st[CRASH].st_size);
    assert_int_equal(st[POSIX].st_nlink, st[CRASH].st_nlink);
}

static void op_create(struct world *w)
{
    struct node_pair *dir = pick_node(w), node = {{NULL, NULL}};
    const char *name = pick_name(w);
    struct file_pair file;

    if (ON_BOTH(w, io->ops->create(io, dir->of[i], name, 0640, &node.of[i], &file.of[i]))) {
        keep_nodes(w, node);
        keep_files(w, file);
    }
}

static void op_mkdir(struct world *w)
{
    struct node_pair *dir = pick_node(w);
    const char *name = pick_name(w);

    ON_BOTH(w, io->ops->mkdir(io, dir->of[i], name, 0750));
}

static void op_symlink(struct world *w)
{
    struct node_pair *dir = pick_node(w);
    const char *name = pick_name(w), *target = pick_name(w);

    ON_BOTH(w, io->ops->symlink(io, dir->of[i], name, target));
}

static void op_link(struct world *w)
{
    struct node_pair *dir = pick_node(w), *node = pick_node(w);
    const char *name = pick_name(w);

    ON_BOTH(w, io->ops->link(io, node->of[i], dir->of[i], name));
}

static void op_unlink(struct world *w)
{
    struct node_pair *dir = pick_node(w);
    const char *name = pick_name(w);

    ON_BOTH(w, io->ops->unlink(io, dir->of[i], name));
}

static void op_rmdir(struct world *w)
{
    struct node_pair *dir = pick_node(w);
    const char *name = pick_name(w);

    ON_BOTH(w, io->ops->rmdir(io, dir->of[i], name));
}

static void op_rename(struct world *w)
{
    static const unsigned flags[] = {
        0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_NOREPLACE | RENAME_EXCHANGE};
    struct node_pair *from = pick_node(w), *to = pick_node(w);
    const char *name = pick_name(w), *to_name = pick_name(w);
    unsigned flag = flags[pick(w, 6)];

    ON_BOTH(w, io->ops->rename(io, from->of[i], name, to->of[i], to_name, flag));
}

static void op_lookup(struct world *w)
{
    struct node_pair *dir = pick_node(w), node;
    const char *name = pick_name(w);
    struct stat st[BOTH];

    if (ON_BOTH(w, io->ops->lookup(io, dir->of[i], name, &node.of[i], &st[i]))) {
        compare_stat(st);
        keep_nodes(w, node);
    }
}

static void op_readlink(struct world *w)
{
    struct node_pair *node = pick_node(w);
    struct buf target[BOTH] = {buf_init(64), buf_init(64)};

    if (ON_BOTH(w, io->ops->readlink(io, node->of[i], &target[i])))
        check_bytes(buf_view(&target[POSIX]), buf_view(&target[CRASH]));
    buf_done(&target[POSIX]);
    buf_done(&target[CRASH]);
}

static void op_setattr(struct world *w)
{
    struct node_pair *node = pick_node(w);
    unsigned attrs = pick(w, 2) ? IO_ATTR_MODE : IO_ATTR_MTIME;
    struct stat want = {.st_mode = 0700 + pick(w, 64), .st_mtim = {pick(w, 1000), 0}}, st[BOTH];

    if (ON_BOTH(w, io->ops->setattr(io, node->of[i], attrs, &want)) &&
        ON_BOTH(w, io->ops->stat(io, node->of[i], &st[i]))) {
        compare_stat(st);
        if (attrs == IO_ATTR_MTIME)
            assert_int_equal(st[POSIX].st_mtim.tv_sec, st[CRASH].st_mtim.tv_sec);
    }
}

static void op_xattr_set(struct world *w)
{
    static const int flags[] = {0, XATTR_CREATE, XATTR_REPLACE};
    struct node_pair *node = pick_node(w);
    const char *name = pick(w, 2) ? "user.x" : "user.y", *value = pick_name(w);
    int flag = flags[pick(w, 3)];

    if (w->has_xattrs)
        ON_BOTH(w, io->ops->xattr_set(io, node->of[i], name, view_text(value), flag));
}

static void op_xattr_remove(struct world *w)
{
    struct node_pair *node = pick_node(w);
    const char *name = pick(w, 2) ? "user.x" : "user.y";

    if (w->has_xattrs)
        ON_BOTH(w, io->ops->xattr_remove(io, node->of[i], name));
}

static void op_open(struct world *w)
{
    struct node_pair *node = pick_node(w);
    struct file_pair file;
    bool is_read_only = pick(w, 4) == 0;

    if (ON_BOTH(w, io->ops->open(io, node->of[i], is_read_only, &file.of[i])))
        keep_files(w, file);
}

static void op_close(struct world *w)
{
    struct file_pair *file = pick_file(w);

    if (file)
        close_files(w, file);
}

static void op_pwrite(struct world *w)
{
    static uint8_t data[LEN_MAX];
    struct file_pair *file = pick_file(w);
    unsigned at = pick(w, OFFSET_MAX), len = pick(w, LEN_MAX);

    if (!file)
        return;
    memset(data, 'a' + (int)pick(w, 26), len);
    ON_BOTH(w, io->ops->pwrite(io, file->of[i], data, len, at));
}

static void op_pread(struct world *w)
{
    static uint8_t out[BOTH][LEN_MAX];
    struct file_pair *file = pick_file(w);
    unsigned at = pick(w, 2 * OFFSET_MAX), len = pick(w, LEN_MAX);
    size_t got[BOTH];

    if (file && ON_BOTH(w, io->ops->pread(io, file->of[i], out[i], len, at, &got[i])))
        check_bytes(view_of(out[POSIX], got[POSIX]), view_of(out[CRASH], got[CRASH]));
}

static void op_truncate(struct world *w)
{
    struct file_pair *file = pick_file(w);
    unsigned size = pick(w, OFFSET_MAX);

    if (file)
        ON_BOTH(w, io->ops->truncate(io, file->of[i], size));
}

static void op_fallocate(struct world *w)
{
    static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE};
    struct file_pair *file = pick_file(w);
    unsigned at = pick(w, OFFSET_MAX), len = pick(w, LEN_MAX);
    int mode = modes[pick(w, 4)];

    if (file)
        ON_BOTH(w, io->ops->fallocate(io, file->of[i], mode, at, len));
}

static void op_file_stat(struct world *w)
{
    struct file_pair *file = pick_file(w);
    struct stat st[BOTH];

    if (file && ON_BOTH(w, io->ops->file_stat(io, file->of[i], &st[i])))
        compare_stat(st);
}

static void op_lock(struct world *w)
{
    struct file_pair *file = pick_file(w);

    if (file)
        ON_BOTH(w, io->ops->lock(io, file->of[i]));
}

/* The host's disk is slow: it is not asked to sync. */
static void op_sync(struct world *w)
{
    struct file_pair *file = pick_file(w);

    if (file)
        check_ok(w->io[CRASH]->ops->sync(w->io[CRASH], file->of[CRASH], false));
}

static void (*const ops[])(struct world *w) = {
    op_create,    op_create,    op_create,       op_mkdir,  op_mkdir,    op_symlink,
    op_link,      op_unlink,    op_unlink,       op_rmdir,  op_rename,   op_rename,
    op_rename,    op_lookup,    op_lookup,       op_lookup, op_lookup,   op_readlink,
    op_setattr,   op_xattr_set, op_xattr_remove, op_open,   op_open,     op_close,
    op_pwrite,    op_pwrite,    op_pwrite,       op_pread,  op_truncate, op_fallocate,
    op_fallocate, op_file_stat, op_lock,         op_sync,
};

/* A text of a whole tree: every name, type, mode, size, link count, attribute, target and byte. */
static void describe(struct io *io, struct io_node *dir, const char *path, struct buf *ret);

static void describe_contents(struct io *io, struct io_node *node, struct buf *ret)
{
    static uint8_t bytes[3 * OFFSET_MAX];
    struct io_file *file;
    uint32_t sum = 2166136261; /* FNV-1a */
    size_t len;

    check_ok(io->ops->open(io, node, true, &file));
    check_ok(io->ops->pread(io, file, bytes, sizeof bytes, 0, &len));
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ bytes[i]) * 16777619;
    check_ok(buf_printf(ret, " bytes %zu sum %08x", len, sum));
    io->ops->close(io, file);
}

static void describe_xattrs(struct io *io, struct io_node *node, struct buf *ret)
{
    static const char *const names[] = {"user.x", "user.y"};
    struct buf list = buf_init(1024), value = buf_init(64);

    check_ok(io->ops->xattr_list(io, node, &list));
    check_ok(buf_printf(ret, " xattrs %zu", list.len));
    for (int i = 0; i < 2; i++)
        if (ks_ok(io->ops->xattr_get(io, node, names[i], &value)))
            check_ok(buf_printf(ret, " %s", names[i]));
    check_ok(buf_printf(ret, " %s", value.len ? buf_text(&value) : ""));
    buf_done(&list);
    buf_done(&value);
}

static void describe_name(struct io *io, struct io_node *dir, const char *path, const char *name,
                          struct buf *ret)
{
    char below[1024];
    struct io_node *node = NULL;
    struct stat st;

    check_ok(io->ops->lookup(io, dir, name, &node, &st));
    snprintf(below, sizeof below, "%s/%s", path, name);
    check_ok(buf_printf(ret, "%s %o", below, st.st_mode));
    if (!S_ISDIR(st.st_mode))
        check_ok(buf_printf(ret, " %zu %zu", (size_t)st.st_size, (size_t)st.st_nlink));
    if (S_ISLNK(st.st_mode))
        check_ok(io->ops->readlink(io, node, ret));
    else
        describe_xattrs(io, node, ret);
    if (S_ISREG(st.st_mode))
        describe_contents(io, node, ret);
    check_ok(buf_printf(ret, "\n"));
    if (S_ISDIR(st.st_mode))
        describe(io, node, below, ret);
    io->ops->node_close(io, node);
}

/* Names are one letter: asking for each in turn sorts them, and the stream must have as many. */
static void describe(struct io *io, struct io_node *dir, const char *path, struct buf *ret)
{
    struct io_dirent entry;
    struct io_dir *stream;
    unsigned seen = 0;

    check_ok(io->ops->dir_open(io, dir, &stream));
    for (;;) {
        check_ok(io->ops->dir_next(io, stream, &entry));
        if (entry.name[0] == '\0')
            break;
        if (entry.name[0] == '.')
            continue;
        assert_false(seen & 1U << (entry.name[0] - 'a'));
        seen |= 1U << (entry.name[0] - 'a');
    }
    io->ops->dir_close(io, stream);
    for (char name[2] = "a"; name[0] <= 'd'; name[0]++)
        if (seen & 1U << (name[0] - 'a'))
            describe_name(io, dir, path, name, ret);
}

static void compare_trees(struct world *w, struct io *other, const char *what)
{
    struct buf text[BOTH] = {buf_init(1 << 20), buf_init(1 << 20)};
    struct io_node *root = help_root(other, "/");

    describe(w->io[POSIX], w->nodes[0].of[POSIX], "", &text[POSIX]);
    describe(other, root, "", &text[CRASH]);
    if (!view_is_equal(buf_view(&text[POSIX]), buf_view(&text[CRASH])))
        fail_msg("seed %u step %u: %s differs:\n%s---\n%s", w->seed, w->step, what,
                 text[POSIX].len ? buf_text(&text[POSIX]) : "",
                 text[CRASH].len ? buf_text(&text[CRASH]) : "");
    other->ops->node_close(other, root);
    buf_done(&text[POSIX]);
    buf_done(&text[CRASH]);
}

static void compare_rebuilt(struct world *w, size_t metadata_kept, const char *what)
{
    struct io *crashed = w->io[CRASH], *rebuilt = NULL;

    check_ok(crash_rebuild(crashed, crash_time(crashed), metadata_kept, NULL, NULL, &rebuilt));
    compare_trees(w, rebuilt, what);
    crash_free(rebuilt);
}

static void world_begin(struct world *w, unsigned seed)
{
    *w = (struct world){.io = {io_posix()}, .seed = seed};
    random_seeded_init(&w->random, seed);
    help_temp_dir(w->path);
    check_ok(crash_new(&w->io[CRASH]));
    w->nodes[0].of[POSIX] = help_root(w->io[POSIX], w->path);
    w->nodes[0].of[CRASH] = help_root(w->io[CRASH], "/");
    check_ok(w->io[CRASH]->ops->setattr(w->io[CRASH], w->nodes[0].of[CRASH], IO_ATTR_MODE,
                                        &(struct stat){.st_mode = 0700}));
    w->has_xattrs = ks_ok(w->io[POSIX]->ops->xattr_set(w->io[POSIX], w->nodes[0].of[POSIX],
                                                       "user.x", view_text("x"), 0));
    if (w->has_xattrs)
        check_ok(w->io[CRASH]->ops->xattr_set(w->io[CRASH], w->nodes[0].of[CRASH], "user.x",
                                              view_text("x"), 0));
}

static void world_end(struct world *w)
{
    for (int i = 0; i < NODES; i++)
        close_nodes(w, &w->nodes[i]);
    for (int i = 0; i < FILES; i++)
        close_files(w, &w->files[i]);
    crash_free(w->io[CRASH]);
    help_temp_remove(w->path);
}

static void run_world(unsigned seed)
{
    struct world w;
    size_t pages, metadata;

    world_begin(&w, seed);
    for (w.step = 0; w.step < OPS; w.step++) {
        ops[pick(&w, sizeof ops / sizeof *ops)](&w);
        if (w.step % 50 == 0)
            compare_trees(&w, w.io[CRASH], "the live state");
    }
    compare_trees(&w, w.io[CRASH], "the live state");
    crash_pending(w.io[CRASH], crash_time(w.io[CRASH]), &pages, &metadata);
    compare_rebuilt(&w, metadata, "the rebuild with everything kept");
    check_ok(w.io[CRASH]->ops->sync_all(w.io[CRASH], w.nodes[0].of[CRASH]));
    compare_rebuilt(&w, 0, "the rebuild after a sync");
    world_end(&w);
}

static void random_operations__posix_and_crash__same_results(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= SEEDS; seed++)
        run_world(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations__posix_and_crash__same_results),
    };

    umask(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
