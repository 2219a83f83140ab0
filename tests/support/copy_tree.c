/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/copy_tree.c - a whole tree from one back end to another.
 */
#include "copy_tree.h"

#include <errno.h>

#include "base/mem.h"

enum { CHUNK_BYTES = 64 * 1024, ATTRIBUTES_MAX = 128 * 1024 };

struct copy {
    struct io *from, *to;
    struct record_map *map;
    uint8_t *chunk; /* CHUNK_BYTES */
};

static ks_rc copy_range(struct copy *c, struct io_file *from, struct io_file *to, uint64_t at,
                        uint64_t end)
{
    size_t len;

    for (; at < end; at += len) {
        size_t wanted = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;
        TRY(c->from->ops->pread(c->from, from, c->chunk, wanted, at, &len));
        ENSURE(len > 0, KS_E_IO, "a file became shorter while it was copied");
        TRY(c->to->ops->pwrite(c->to, to, c->chunk, len, at));
    }
    return KS_SUCCESS;
}

static ks_rc copy_data(struct copy *c, struct io_file *from, struct io_file *to, uint64_t size)
{
    uint64_t data, hole = 0;

    TRY(c->to->ops->truncate(c->to, to, size));
    while (hole < size) {
        ks_rc rc = c->from->ops->seek(c->from, from, hole, IO_SEEK_DATA, &data);
        if (ks_is_os(rc, ENXIO))
            return KS_SUCCESS;
        TRY(rc);
        TRY(c->from->ops->seek(c->from, from, data, IO_SEEK_HOLE, &hole));
        TRY(copy_range(c, from, to, data, hole));
    }
    return KS_SUCCESS;
}

static ks_rc copy_contents(struct copy *c, struct io_node *from, struct io_node *to, uint64_t size)
{
    struct io_file *in, *out;

    TRY(c->from->ops->open(c->from, from, true, &in));
    ks_rc rc = c->to->ops->open(c->to, to, false, &out);
    if (ks_ok(rc)) {
        rc = copy_data(c, in, out, size);
        c->to->ops->close(c->to, out);
    }
    c->from->ops->close(c->from, in);
    return rc;
}

static ks_rc copy_attribute(struct copy *c, struct io_node *from, struct io_node *to,
                            const char *name)
{
    CLEANUP(buf_done) struct buf value = buf_init(ATTRIBUTES_MAX);

    TRY(c->from->ops->xattr_get(c->from, from, name, &value));
    return c->to->ops->xattr_set(c->to, to, name, buf_view(&value), 0);
}

/* Owner before mode, because a change of owner may take bits away. */
static ks_rc copy_attributes(struct copy *c, struct io_node *from, struct io_node *to,
                             const struct stat *st)
{
    CLEANUP(buf_done) struct buf names = buf_init(ATTRIBUTES_MAX);

    TRY(c->to->ops->setattr(c->to, to, IO_ATTR_UID | IO_ATTR_GID, st));
    if (S_ISLNK(st->st_mode))
        return KS_SUCCESS;
    TRY(c->to->ops->setattr(c->to, to, IO_ATTR_MODE, st));
    TRY(c->from->ops->xattr_list(c->from, from, &names));
    for (size_t at = 0; at < names.len; at += strlen((const char *)names.bytes + at) + 1)
        TRY(copy_attribute(c, from, to, (const char *)names.bytes + at));
    return KS_SUCCESS;
}

static ks_rc make(struct copy *c, struct io_node *from, struct io_node *to_dir, const char *name,
                  const struct stat *st)
{
    CLEANUP(buf_done) struct buf target = buf_init(IO_PAGE_BYTES);

    if (S_ISDIR(st->st_mode))
        return c->to->ops->mkdir(c->to, to_dir, name, 0700);
    if (!S_ISLNK(st->st_mode))
        return c->to->ops->mknod(c->to, to_dir, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev);
    TRY(c->from->ops->readlink(c->from, from, &target));
    return c->to->ops->symlink(c->to, to_dir, name, buf_text(&target));
}

static ks_rc copy_dir(struct copy *c, struct io_node *from, struct io_node *to);

static ks_rc copy_object(struct copy *c, struct io_node *from, struct io_node *to_dir,
                         const char *name, const struct stat *st)
{
    struct io_node *known =
        st->st_nlink > 1 && !S_ISDIR(st->st_mode) ? record_map_get(c->map, st->st_ino) : NULL;
    struct io_node *to;

    if (known)
        return c->to->ops->link(c->to, known, to_dir, name);
    TRY(make(c, from, to_dir, name, st));
    TRY(c->to->ops->lookup(c->to, to_dir, name, &to, NULL));
    ks_rc rc = record_map_put(c->map, st->st_ino, to);
    if (!ks_ok(rc)) {
        c->to->ops->node_close(c->to, to);
        return rc;
    }
    if (S_ISREG(st->st_mode))
        TRY(copy_contents(c, from, to, (uint64_t)st->st_size));
    if (S_ISDIR(st->st_mode))
        TRY(copy_dir(c, from, to));
    return copy_attributes(c, from, to, st);
}

static ks_rc copy_entry(struct copy *c, struct io_node *from_dir, struct io_node *to_dir,
                        const char *name)
{
    struct io_node *from;
    struct stat st;

    TRY(c->from->ops->lookup(c->from, from_dir, name, &from, &st));
    ks_rc rc = copy_object(c, from, to_dir, name, &st);
    c->from->ops->node_close(c->from, from);
    return ks_wrap(rc, "%s", name);
}

static ks_rc copy_entries(struct copy *c, struct io_node *from, struct io_node *to,
                          struct io_dir *stream)
{
    struct io_dirent e;

    for (;;) {
        TRY(c->from->ops->dir_next(c->from, stream, &e));
        if (e.name[0] == 0)
            return KS_SUCCESS;
        if (strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0)
            TRY(copy_entry(c, from, to, e.name));
    }
}

static ks_rc copy_dir(struct copy *c, struct io_node *from, struct io_node *to)
{
    struct io_dir *stream;

    TRY(c->from->ops->dir_open(c->from, from, &stream));
    ks_rc rc = copy_entries(c, from, to, stream);
    c->from->ops->dir_close(c->from, stream);
    return rc;
}

ks_rc copy_tree(struct io *from_io, struct io_node *from, struct io *to_io, struct io_node *to,
                struct record_map *map)
{
    CLEANUP(mem_freep) uint8_t *chunk = NULL;
    struct copy c = {from_io, to_io, map, NULL};
    struct stat st;

    TRY(mem_new(1, CHUNK_BYTES, &chunk));
    c.chunk = chunk;
    TRY(from_io->ops->stat(from_io, from, &st));
    TRY(copy_dir(&c, from, to));
    return copy_attributes(&c, from, to, &st);
}
