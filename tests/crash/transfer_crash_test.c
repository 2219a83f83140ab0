/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a power failure at any moment of a transfer, into a volume or out of it, leaves every object whole on at
 * least one side; and the transfer that is started again afterwards ends with all of them on the other side.
 */
#include "check.h"

#include <string.h>

#include "enumerate.h"
#include "volume/transfer.h"
#include "volume_fixture.h"

enum { CONTENTS_MAX = 9000 };

/* What the tree holds. Two names of one length stand for two names of one file. */
static const struct {
    const char *path;
    size_t size;
} files[] = {{"empty", 0}, {"d/short", 100}, {"d/one", 9000}, {"other", 9000}};
enum { FILES = sizeof files / sizeof files[0], LINKED = 2 };

static const char link_target[] = "d/short";

struct bench {
    struct fixture_keys *keys;
    uint8_t bytes[CONTENTS_MAX];
    bool is_release;
    size_t pending_max;
};

/* Both sides of one file system. */
struct sides {
    struct io_node *root, *dir;
    struct fixture *f;
    struct side_plain plain;
    struct side_volume volume;
};

static ks_rc sides_open(struct io *io, struct bench *b, struct sides *s)
{
    struct stat st;

    TRY(io->ops->open_root(io, "/", &s->root));
    TRY(io->ops->lookup(io, s->root, "plain", &s->dir, &st));
    TRY(fixture_open(io, "/", b->keys, &s->f));
    side_plain_init(&s->plain, io, s->dir);
    side_volume_init(&s->volume, s->f->v, io, s->f->tree);
    return KS_SUCCESS;
}

static void sides_close(struct io *io, struct sides *s)
{
    fixture_close(s->f);
    io->ops->node_close(io, s->dir);
    io->ops->node_close(io, s->root);
}

static struct side *giving(struct bench *b, struct sides *s)
{
    return b->is_release ? &s->volume.side : &s->plain.side;
}

static struct side *receiving(struct bench *b, struct sides *s)
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
    uint8_t got[CONTENTS_MAX + 1];
    struct side_file *file;
    size_t len = 0;

    TRY(side->ops->open(side, node, &file));
    ks_rc rc = side->ops->read(side, file, got, sizeof got, 0, &len);
    side->ops->close(side, file);
    TRY(rc);
    ENSURE(view_is_equal(view_of(got, len), want), KS_E_CORRUPT, "%zu other bytes", len);
    return KS_SUCCESS;
}

/* ENOENT when it is not there, CORRUPT when it is not whole. */
static ks_rc check_file(struct bench *b, struct side *side, size_t n, ino_t *ret_ino)
{
    struct side_node *node;
    struct stat st;

    TRY(find(side, files[n].path, &node, &st));
    ks_rc rc = check_contents(side, node, view_of(b->bytes, files[n].size));
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
static ks_rc check_all_somewhere(struct bench *b, struct sides *s)
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

static ks_rc check_moved(struct bench *b, struct sides *s)
{
    struct side *from = giving(b, s), *to = receiving(b, s);
    ino_t ino[FILES];

    for (size_t n = 0; n < FILES; n++)
        TRY(check_file(b, to, n, &ino[n]));
    TRY(check_symlink(to));
    ENSURE(ino[LINKED] == ino[LINKED + 1], KS_E_CORRUPT, "two names became two files");
    return from->ops->list(from, from->ops->root(from), refuse_entry, NULL);
}

static ks_rc move(struct bench *b, struct sides *s)
{
    struct transfer_conf conf = {
        .from = giving(b, s), .to = receiving(b, s), .pending_max = b->pending_max};
    struct transfer_result result;

    return transfer_run(&conf, &result);
}

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    struct bench *b = arg;
    struct sides s;

    (void)state;
    TRY(sides_open(rebuilt, b, &s));
    ks_rc rc = ks_wrap(check_all_somewhere(b, &s), "after the power loss");
    if (ks_ok(rc))
        rc = ks_wrap(move(b, &s), "going on");
    if (ks_ok(rc))
        rc = ks_wrap(check_moved(b, &s), "at the end");
    sides_close(rebuilt, &s);
    return rc;
}

static void make_file(struct bench *b, struct side *side, struct side_node *dir, const char *name,
                      size_t size)
{
    struct side_node *node;
    struct side_file *file;

    check_ok(side->ops->create(side, dir, name, &node, &file));
    if (size > 0)
        check_ok(side->ops->write(side, file, b->bytes, size, 0));
    side->ops->close(side, file);
    side->ops->release(side, node);
}

static void make_tree(struct bench *b, struct side *side)
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

static void check_direction(bool is_release, size_t pending_max)
{
    static struct bench b;
    struct io_node *root;
    struct sides s;
    struct io *io;

    b.is_release = is_release;
    b.pending_max = pending_max;
    check_ok(fixture_keys_new(3584, &b.keys));
    check_ok(random_fill(random_system(), b.bytes, sizeof b.bytes));
    check_ok(crash_new(&io));
    check_ok(fixture_layout(io, "/"));
    check_ok(io->ops->open_root(io, "/", &root));
    check_ok(io->ops->mkdir(io, root, "plain", 0700));
    io->ops->node_close(io, root);
    check_ok(sides_open(io, &b, &s));
    make_tree(&b, giving(&b, &s));
    size_t from = crash_time(io);
    check_ok(move(&b, &s));
    check_ok(check_moved(&b, &s));
    size_t states = crash_enumerate(io, from, 4, 4, 1, check_state, &b);
    print_message("%zu states checked\n", states);
    assert_true(states > 200);
    sides_close(io, &s);
    crash_free(io);
    fixture_keys_free(b.keys);
}

static void adopt__power_fails_at_any_time__every_object_is_whole(void **state)
{
    (void)state;
    check_direction(false, 0);
    check_direction(false, 1);
}

static void release__power_fails_at_any_time__every_object_is_whole(void **state)
{
    (void)state;
    check_direction(true, 0);
    check_direction(true, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adopt__power_fails_at_any_time__every_object_is_whole),
        cmocka_unit_test(release__power_fails_at_any_time__every_object_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
