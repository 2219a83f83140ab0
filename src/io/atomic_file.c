/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/atomic_file.c - small files that are there whole, old or new.
 *
 * The order is all there is to it: contents durable, then the rename, then the directory durable.
 * Never writes into the file that is in use.
 */
#include "io/atomic_file.h"

#include <stdio.h>

/* Everything that a read or write has open. */
struct opened {
    struct io *io;
    struct io_node *node;
    struct io_file *file;
};

static void opened_done(struct opened *o)
{
    if (o->file)
        o->io->ops->close(o->io, o->file);
    if (o->node)
        o->io->ops->node_close(o->io, o->node);
}

static ks_rc read_opened(struct opened *o, size_t max_bytes, struct buf *ret)
{
    struct stat st;
    uint8_t *tail;
    size_t start = ret->len, got = 0;

    TRY(o->io->ops->file_stat(o->io, o->file, &st));
    ENSURE(st.st_size >= 0 && (uint64_t)st.st_size <= max_bytes, KS_E_LIMIT,
           "is larger than %zu bytes", max_bytes);
    TRY(buf_extend(ret, (size_t)st.st_size, &tail));
    ks_rc rc = o->io->ops->pread(o->io, o->file, tail, (size_t)st.st_size, 0, &got);
    ret->len = ks_ok(rc) ? start + got : start;
    ret->bytes[ret->len] = 0;
    return rc;
}

static ks_rc open_and_read(struct opened *o, struct io_node *dir, const char *name,
                           size_t max_bytes, struct buf *ret)
{
    TRY(o->io->ops->lookup(o->io, dir, name, &o->node, NULL));
    TRY(o->io->ops->open(o->io, o->node, true, &o->file));
    return read_opened(o, max_bytes, ret);
}

ks_rc atomic_file_read(struct io *io, struct io_node *dir, const char *name, size_t max_bytes,
                       struct buf *ret)
{
    CLEANUP(opened_done) struct opened o = {.io = io};

    return ks_wrap(open_and_read(&o, dir, name, max_bytes, ret), "cannot read %s", name);
}

/* The new contents under the temporary name, durable. */
static ks_rc write_new(struct io *io, struct io_node *dir, const char *tmp, mode_t mode,
                       struct view data)
{
    CLEANUP(opened_done) struct opened o = {.io = io};
    ks_rc rc = io->ops->unlink(io, dir, tmp);

    if (!ks_ok(rc) && !ks_is_os(rc, ENOENT))
        return rc;
    TRY(io->ops->create(io, dir, tmp, mode, &o.node, &o.file));
    TRY(io->ops->pwrite(io, o.file, data.bytes, data.len, 0));
    return io->ops->sync(io, o.file, false);
}

static ks_rc write_and_rename(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                              struct view data)
{
    char tmp[IO_NAME_BYTES + 1];

    int n = snprintf(tmp, sizeof tmp, "%s.tmp", name);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return ks_os(ENAMETOOLONG);
    ks_rc rc = write_new(io, dir, tmp, mode, data);
    if (ks_ok(rc))
        rc = io->ops->rename(io, dir, tmp, dir, name, 0);
    if (ks_ok(rc))
        return io->ops->sync_dir(io, dir);
    /* Best effort: what is left is replaced by the next write, and the first failure is told. */
    IGNORE(io->ops->unlink(io, dir, tmp));
    return rc;
}

ks_rc atomic_file_write(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                        struct view data)
{
    return ks_wrap(write_and_rename(io, dir, name, mode, data), "cannot write %s", name);
}
