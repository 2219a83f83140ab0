/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/record_replay.c - a record made again on another back end.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "io/record.h"
#include "io/record_int.h"

enum { SLOTS = 4096, PARTS_MAX = 4 * 1024 * 1024 };

struct slot {
    struct slot *next;
    uint64_t ino;
    struct io_node *node;
};

struct record_map {
    struct io *io;
    struct slot *slots[SLOTS];
};

ks_rc record_map_new(struct io *io, struct record_map **ret)
{
    struct record_map *map;

    TRY(mem_new(1, sizeof *map, &map));
    map->io = io;
    *ret = map;
    return KS_SUCCESS;
}

void record_map_free(struct record_map *map)
{
    if (!map)
        return;
    for (size_t n = 0; n < SLOTS; n++) {
        for (struct slot *s = map->slots[n], *next; s; s = next) {
            next = s->next;
            map->io->ops->node_close(map->io, s->node);
            mem_free(s);
        }
    }
    mem_free(map);
}

static struct slot *find(const struct record_map *map, uint64_t ino)
{
    struct slot *s = map->slots[ino % SLOTS];

    while (s && s->ino != ino)
        s = s->next;
    return s;
}

/* A number that is there already belonged to an object that is gone: the host uses it again. */
ks_rc record_map_put(struct record_map *map, uint64_t ino, struct io_node *node)
{
    struct slot *s = find(map, ino);

    if (s) {
        map->io->ops->node_close(map->io, s->node);
        s->node = node;
        return KS_SUCCESS;
    }
    TRY(mem_new(1, sizeof *s, &s));
    *s = (struct slot){map->slots[ino % SLOTS], ino, node};
    map->slots[ino % SLOTS] = s;
    return KS_SUCCESS;
}

struct io_node *record_map_get(const struct record_map *map, uint64_t ino)
{
    const struct slot *s = find(map, ino);

    return s ? s->node : NULL;
}

/* An entry with what goes with it. */
struct change {
    struct record_entry e;
    const char *name, *to_name;
    struct view value;
    struct io_node *node, *dir, *to_dir; /* what stands for ino, dir and to_dir */
};

static ks_rc need(const struct record_map *map, uint64_t ino, struct io_node **ret)
{
    if (ino == 0)
        return KS_SUCCESS;
    *ret = record_map_get(map, ino);
    ENSURE(*ret, KS_E_CORRUPT, "the record names inode %llu, which is not there",
           (unsigned long long)ino);
    return KS_SUCCESS;
}

static ks_rc make(struct record_map *map, const struct change *c)
{
    struct io *io = map->io;
    mode_t mode = c->e.mode;
    struct io_node *node;
    struct io_file *file;
    char target[IO_PAGE_BYTES + 1];

    if (S_ISDIR(mode)) {
        TRY(io->ops->mkdir(io, c->dir, c->name, mode & 07777));
    } else if (S_ISLNK(mode)) {
        snprintf(target, sizeof target, "%.*s", (int)c->value.len, (const char *)c->value.bytes);
        TRY(io->ops->symlink(io, c->dir, c->name, target));
    } else if (S_ISREG(mode)) {
        TRY(io->ops->create(io, c->dir, c->name, mode & 07777, NULL, &file));
        io->ops->close(io, file);
    } else {
        TRY(io->ops->mknod(io, c->dir, c->name, mode, c->e.rdev));
    }
    TRY(io->ops->lookup(io, c->dir, c->name, &node, NULL));
    ks_rc rc = record_map_put(map, c->e.ino, node);
    if (!ks_ok(rc))
        io->ops->node_close(io, node);
    return rc;
}

static ks_rc set_attributes(struct io *io, const struct change *c)
{
    struct stat st = {.st_mode = c->e.mode, .st_uid = c->e.uid, .st_gid = c->e.gid};

    return c->e.flags ? io->ops->setattr(io, c->node, c->e.flags, &st) : KS_SUCCESS;
}

static ks_rc change_open(struct io *io, struct io_file *file, const struct change *c)
{
    switch ((enum record_kind)c->e.kind) {
    case RECORD_WRITE:
        return io->ops->pwrite(io, file, c->value.bytes, c->value.len, c->e.at);
    case RECORD_TRUNCATE:
        return io->ops->truncate(io, file, c->e.at);
    case RECORD_FALLOCATE:
        return io->ops->fallocate(io, file, (int)c->e.flags, c->e.at, c->e.len);
    case RECORD_SYNC:
        return io->ops->sync(io, file, c->e.flags != 0);
    case RECORD_MAKE:
    case RECORD_LINK:
    case RECORD_UNLINK:
    case RECORD_RMDIR:
    case RECORD_RENAME:
    case RECORD_SETATTR:
    case RECORD_SYNC_DIR:
    case RECORD_SYNC_ALL:
    case RECORD_XATTR_SET:
    case RECORD_XATTR_REMOVE:
        break;
    }
    return ks_fail(KS_E_BUG, "not a change of an open file");
}

static ks_rc change_file(struct io *io, const struct change *c)
{
    struct io_file *file;

    TRY(io->ops->open(io, c->node, false, &file));
    ks_rc rc = change_open(io, file, c);
    io->ops->close(io, file);
    return rc;
}

static ks_rc apply(struct record_map *map, const struct change *c)
{
    struct io *io = map->io;

    switch ((enum record_kind)c->e.kind) {
    case RECORD_MAKE:
        return make(map, c);
    case RECORD_LINK:
        return io->ops->link(io, c->node, c->dir, c->name);
    case RECORD_UNLINK:
        return io->ops->unlink(io, c->dir, c->name);
    case RECORD_RMDIR:
        return io->ops->rmdir(io, c->dir, c->name);
    case RECORD_RENAME:
        return io->ops->rename(io, c->dir, c->name, c->to_dir, c->to_name, c->e.flags);
    case RECORD_SETATTR:
        return set_attributes(io, c);
    case RECORD_WRITE:
    case RECORD_TRUNCATE:
    case RECORD_FALLOCATE:
    case RECORD_SYNC:
        return change_file(io, c);
    case RECORD_SYNC_DIR:
        return io->ops->sync_dir(io, c->node);
    case RECORD_SYNC_ALL:
        return io->ops->sync_all(io, c->node);
    case RECORD_XATTR_SET:
        return io->ops->xattr_set(io, c->node, c->name, c->value, (int)c->e.flags);
    case RECORD_XATTR_REMOVE:
        return io->ops->xattr_remove(io, c->node, c->name);
    }
    return ks_fail(KS_E_CORRUPT, "an unknown kind of entry");
}

static ks_rc resolve_and_apply(struct record_map *map, struct change *c)
{
    if (c->e.kind != RECORD_MAKE)
        TRY(need(map, c->e.ino, &c->node));
    TRY(need(map, c->e.dir, &c->dir));
    TRY(need(map, c->e.to_dir, &c->to_dir));
    return apply(map, c);
}

/* The parts of an entry, in a buffer that holds them all. False at the end of what was written whole. */
static bool read_change(FILE *in, uint8_t *parts, struct change *ret)
{
    struct record_entry e;

    if (fread(&e, sizeof e, 1, in) != 1)
        return false;
    size_t total = (size_t)e.name_bytes + e.to_name_bytes + e.value_bytes;
    if (total > PARTS_MAX || fread(parts, 1, total, in) != total)
        return false;
    *ret = (struct change){
        .e = e,
        .name = (const char *)parts,
        .to_name = (const char *)parts + e.name_bytes,
        .value = view_of(parts + e.name_bytes + e.to_name_bytes, e.value_bytes),
    };
    return true;
}

static bool is_sync(const struct change *c)
{
    return c->e.kind == RECORD_SYNC || c->e.kind == RECORD_SYNC_DIR || c->e.kind == RECORD_SYNC_ALL;
}

static ks_rc replay(struct record_map *map, FILE *in, uint8_t *parts, record_done_fn done,
                    void *arg)
{
    struct change c;

    while (read_change(in, parts, &c)) {
        TRY(ks_wrap(resolve_and_apply(map, &c), "entry of kind %u that ends at %ld", c.e.kind,
                    ftell(in)));
        done(arg, (uint64_t)ftell(in), is_sync(&c));
    }
    return KS_SUCCESS;
}

ks_rc record_replay(struct record_map *map, const char *path, record_done_fn done, void *arg)
{
    CLEANUP(mem_freep) uint8_t *parts = NULL;
    FILE *in;

    TRY(mem_new(1, PARTS_MAX, &parts));
    in = fopen(path, "re");
    if (!in)
        return ks_fail_os(errno, "cannot open the record %s", path);
    ks_rc rc = replay(map, in, parts, done, arg);
    (void)fclose(in); /* it was only read */
    return rc;
}
