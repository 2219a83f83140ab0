/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/transfer_bench.c - a small tree on its way between a plain directory and a volume.
 */
#include "transfer_bench.h"

#include <string.h>

#include "check.h"
#include "io/crash.h"

/* What the tree holds. Two names of one length stand for two names of one file. */
static const struct {
    const char *path;
    size_t size;
} files[] = {{"empty", 0}, {"d/short", 100}, {"d/one", 9000}, {"other", 9000}};
enum { FILES = sizeof files / sizeof files[0], LINKED = 2 };

static const mode_t mode_of_all = 0640;
static const char link_target[] = "d/short";

ks_rc transfer_sides_open(struct io *io, struct transfer_bench *b, struct transfer_sides *s)
{
    struct stat st;

    TRY(io->ops->open_root(io, "/", &s->root));
    TRY(io->ops->lookup(io, s->root, "plain", &s->dir, &st));
    TRY(fixture_open(io, "/", b->keys, &s->f));
    side_plain_init(&s->plain, io, s->dir);
    side_volume_init(&s->volume, s->f->v, io, s->f->tree);
    return KS_SUCCESS;
}

void transfer_sides_close(struct io *io, struct transfer_sides *s)
{
    fixture_close(s->f);
    io->ops->node_close(io, s->dir);
    io->ops->node_close(io, s->root);
}

static struct side *giving(struct transfer_bench *b, struct transfer_sides *s)
{
    return b->is_release ? &s->volume.side : &s->plain.side;
}

static struct side *receiving(struct transfer_bench *b, struct transfer_sides *s)
{
    return b->is_release ? &s->plain.side : &s->volume.side;
}

static ks_rc find(struct side *side, const char *path, struct side_node **ret, struct stat *st)
{
    struct side_node *dir;

    if (strncmp(path, "d/", 2) != 0)
        return side->ops->lookup(side, side->ops->root(side), path, ret, st);
    TRY(side->ops->lookup(side, side->ops->root(side), "d", &dir, st));
    ks_rc rc = side->ops->lookup(side, dir, path + 2, ret, st);
    side->ops->release(side, dir);
    return rc;
}

static ks_rc check_contents(struct side *side, struct side_node *node, struct view want)
{
    uint8_t got[TRANSFER_CONTENTS_MAX + 1];
    struct side_file *file;
    size_t len = 0;

    TRY(side->ops->open(side, node, &file));
    ks_rc rc = side->ops->read(side, file, got, sizeof got, 0, &len);
    side->ops->close(side, file);
    TRY(rc);
    ENSURE(view_is_equal(view_of(got, len), want), KS_E_CORRUPT, "%zu other bytes", len);
    return KS_SUCCESS;
}

static ks_rc check_attributes(struct side *side, struct side_node *node, const struct stat *st)
{
    CLEANUP(buf_done) struct buf value = buf_init(64);

    ENSURE((st->st_mode & 07777) == mode_of_all, KS_E_CORRUPT, "another mode");
    TRY(side->ops->xattr_get(side, node, "user.a", &value));
    ENSURE(view_is_equal(buf_view(&value), view_text("one")), KS_E_CORRUPT, "another attribute");
    return KS_SUCCESS;
}

/* ENOENT when it is not there, CORRUPT when it is not whole. */
static ks_rc check_file(struct transfer_bench *b, struct side *side, size_t n, ino_t *ret_ino)
{
    struct side_node *node;
    struct stat st;

    TRY(find(side, files[n].path, &node, &st));
    ks_rc rc = check_contents(side, node, view_of(b->bytes, files[n].size));
    if (ks_ok(rc))
        rc = check_attributes(side, node, &st);
    side->ops->release(side, node);
    *ret_ino = st.st_ino;
    return ks_wrap(rc, "%s", files[n].path);
}

static ks_rc check_symlink(struct side *side)
{
    CLEANUP(buf_done) struct buf target = buf_init(64);
    struct side_node *node;
    struct stat st;

    TRY(find(side, "sym", &node, &st));
    ks_rc rc = side->ops->readlink(side, node, &target);
    side->ops->release(side, node);
    TRY(rc);
    ENSURE(view_is_equal(buf_view(&target), view_text(link_target)), KS_E_CORRUPT, "sym");
    return KS_SUCCESS;
}

/* A name that stands for something stands for the whole of it, on either side, and one of them has it. */
ks_rc transfer_check_somewhere(struct transfer_bench *b, struct transfer_sides *s)
{
    struct side *sides[2] = {giving(b, s), receiving(b, s)};
    ino_t ino;

    for (size_t n = 0; n <= FILES; n++) {
        unsigned found = 0;
        for (size_t i = 0; i < 2; i++) {
            ks_rc rc = n < FILES ? check_file(b, sides[i], n, &ino) : check_symlink(sides[i]);
            found += ks_ok(rc);
            if (!ks_is_os(rc, ENOENT))
                TRY(rc);
        }
        ENSURE(found > 0, KS_E_CORRUPT, "%s is nowhere", n < FILES ? files[n].path : "sym");
    }
    return KS_SUCCESS;
}

static ks_rc refuse_entry(void *arg, const char *name)
{
    (void)arg;
    return ks_fail(KS_E_CORRUPT, "%s is left behind", name);
}

ks_rc transfer_check_moved(struct transfer_bench *b, struct transfer_sides *s)
{
    struct side *from = giving(b, s), *to = receiving(b, s);
    ino_t ino[FILES];

    for (size_t n = 0; n < FILES; n++)
        TRY(check_file(b, to, n, &ino[n]));
    TRY(check_symlink(to));
    ENSURE(ino[LINKED] == ino[LINKED + 1], KS_E_CORRUPT, "two names became two files");
    return from->ops->list(from, from->ops->root(from), refuse_entry, NULL);
}

ks_rc transfer_move(struct transfer_bench *b, struct transfer_sides *s)
{
    struct transfer_conf conf = {
        .from = giving(b, s), .to = receiving(b, s), .pending_max = b->pending_max};
    struct transfer_result result;

    return transfer_run(&conf, &result);
}

static void make_file(struct transfer_bench *b, struct side *side, struct side_node *dir,
                      const char *name, size_t size)
{
    struct side_node *node;
    struct side_file *file;

    check_ok(side->ops->create(side, dir, name, &node, &file));
    if (size > 0)
        check_ok(side->ops->write(side, file, b->bytes, size, 0));
    side->ops->close(side, file);
    check_ok(side->ops->setattr(side, node, IO_ATTR_MODE, &(struct stat){.st_mode = mode_of_all}));
    check_ok(side->ops->xattr_set(side, node, "user.a", view_text("one")));
    side->ops->release(side, node);
}

static void make_tree(struct transfer_bench *b, struct side *side)
{
    struct side_node *root = side->ops->root(side), *dir, *node;
    struct stat st;

    check_ok(side->ops->mkdir(side, root, "d"));
    check_ok(side->ops->lookup(side, root, "d", &dir, &st));
    make_file(b, side, root, "empty", 0);
    make_file(b, side, dir, "short", 100);
    make_file(b, side, dir, "one", 9000);
    check_ok(side->ops->lookup(side, dir, "one", &node, &st));
    check_ok(side->ops->link(side, node, root, "other"));
    check_ok(side->ops->symlink(side, root, "sym", link_target));
    side->ops->release(side, node);
    side->ops->release(side, dir);
    check_ok(side->ops->sync_all(side));
}

void transfer_bench_begin(struct transfer_bench *b, bool is_release, size_t pending_max,
                          struct io **ret)
{
    struct transfer_sides s;
    struct io_node *root;
    struct io *io;

    b->is_release = is_release;
    b->pending_max = pending_max;
    check_ok(fixture_keys_new(3584, &b->keys));
    check_ok(random_fill(random_system(), b->bytes, sizeof b->bytes));
    check_ok(crash_new(&io));
    check_ok(fixture_layout(io, "/"));
    check_ok(io->ops->open_root(io, "/", &root));
    check_ok(io->ops->mkdir(io, root, "plain", 0700));
    io->ops->node_close(io, root);
    check_ok(transfer_sides_open(io, b, &s));
    make_tree(b, giving(b, &s));
    transfer_sides_close(io, &s);
    *ret = io;
}

void transfer_bench_end(struct transfer_bench *b, struct io *io)
{
    crash_free(io);
    fixture_keys_free(b->keys);
}
