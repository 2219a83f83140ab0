/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/side_plain.c - a plain directory tree as one side of a transfer.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "volume/side.h"

static struct side_plain *of(struct side *side)
{
    return (struct side_plain *)(void *)side;
}

/* The side's nodes and files are the back end's. */
static struct io_node *node_of(struct side_node *node)
{
    return (struct io_node *)(void *)node;
}

static struct io_file *file_of(struct side_file *file)
{
    return (struct io_file *)(void *)file;
}

static struct side_node *plain_root(struct side *side)
{
    return (struct side_node *)(void *)of(side)->dir;
}

static ks_rc plain_lookup(struct side *side, struct side_node *dir, const char *name,
                          struct side_node **ret, struct stat *ret_stat)
{
    struct io *io = of(side)->io;
    struct io_node *node;

    TRY(io->ops->lookup(io, node_of(dir), name, &node, ret_stat));
    *ret = (struct side_node *)(void *)node;
    return KS_SUCCESS;
}

static void plain_release(struct side *side, struct side_node *node)
{
    struct io *io = of(side)->io;

    io->ops->node_close(io, node_of(node));
}

static ks_rc plain_stat(struct side *side, struct side_node *node, struct stat *ret)
{
    struct io *io = of(side)->io;

    return io->ops->stat(io, node_of(node), ret);
}

static ks_rc each_entry(struct io *io, struct io_dir *stream,
                        ks_rc (*each)(void *arg, const char *name), void *arg)
{
    struct io_dirent entry;

    for (;;) {
        TRY(io->ops->dir_next(io, stream, &entry));
        if (entry.name[0] == '\0')
            return KS_SUCCESS;
        if (strcmp(entry.name, ".") != 0 && strcmp(entry.name, "..") != 0)
            TRY(each(arg, entry.name));
    }
}

static ks_rc plain_list(struct side *side, struct side_node *dir,
                        ks_rc (*each)(void *arg, const char *name), void *arg)
{
    struct io *io = of(side)->io;
    struct io_dir *stream;

    TRY(io->ops->dir_open(io, node_of(dir), &stream));
    ks_rc rc = each_entry(io, stream, each, arg);
    io->ops->dir_close(io, stream);
    return rc;
}

static ks_rc plain_readlink(struct side *side, struct side_node *node, struct buf *ret)
{
    struct io *io = of(side)->io;

    return io->ops->readlink(io, node_of(node), ret);
}

static ks_rc plain_mkdir(struct side *side, struct side_node *dir, const char *name)
{
    struct io *io = of(side)->io;

    return io->ops->mkdir(io, node_of(dir), name, 0700);
}

static ks_rc plain_symlink(struct side *side, struct side_node *dir, const char *name,
                           const char *target)
{
    struct io *io = of(side)->io;

    return io->ops->symlink(io, node_of(dir), name, target);
}

static ks_rc plain_mknod(struct side *side, struct side_node *dir, const char *name, mode_t mode,
                         dev_t rdev)
{
    struct io *io = of(side)->io;

    return io->ops->mknod(io, node_of(dir), name, mode, rdev);
}

static ks_rc plain_link(struct side *side, struct side_node *node, struct side_node *dir,
                        const char *name)
{
    struct io *io = of(side)->io;

    return io->ops->link(io, node_of(node), node_of(dir), name);
}

static ks_rc plain_unlink(struct side *side, struct side_node *dir, const char *name)
{
    struct io *io = of(side)->io;

    return io->ops->unlink(io, node_of(dir), name);
}

static ks_rc plain_rmdir(struct side *side, struct side_node *dir, const char *name)
{
    struct io *io = of(side)->io;

    return io->ops->rmdir(io, node_of(dir), name);
}

static ks_rc plain_rename(struct side *side, struct side_node *dir, const char *from,
                          const char *to)
{
    struct io *io = of(side)->io;

    return io->ops->rename(io, node_of(dir), from, node_of(dir), to, RENAME_NOREPLACE);
}

static ks_rc plain_setattr(struct side *side, struct side_node *node, unsigned attrs,
                           const struct stat *in)
{
    struct io *io = of(side)->io;

    return io->ops->setattr(io, node_of(node), attrs, in);
}

static ks_rc plain_xattr_list(struct side *side, struct side_node *node, struct buf *ret)
{
    struct io *io = of(side)->io;

    return io->ops->xattr_list(io, node_of(node), ret);
}

static ks_rc plain_xattr_get(struct side *side, struct side_node *node, const char *name,
                             struct buf *ret)
{
    struct io *io = of(side)->io;

    return io->ops->xattr_get(io, node_of(node), name, ret);
}

static ks_rc plain_xattr_set(struct side *side, struct side_node *node, const char *name,
                             struct view value)
{
    struct io *io = of(side)->io;

    return io->ops->xattr_set(io, node_of(node), name, value, 0);
}

static ks_rc plain_create(struct side *side, struct side_node *dir, const char *name,
                          struct side_node **ret, struct side_file **ret_file)
{
    struct io *io = of(side)->io;
    struct io_node *node;
    struct io_file *file;

    TRY(io->ops->create(io, node_of(dir), name, 0600, &node, &file));
    *ret = (struct side_node *)(void *)node;
    *ret_file = (struct side_file *)(void *)file;
    return KS_SUCCESS;
}

static ks_rc plain_open(struct side *side, struct side_node *node, struct side_file **ret)
{
    struct io *io = of(side)->io;
    struct io_file *file;

    TRY(io->ops->open(io, node_of(node), true, &file));
    *ret = (struct side_file *)(void *)file;
    return KS_SUCCESS;
}

static void plain_close(struct side *side, struct side_file *file)
{
    struct io *io = of(side)->io;

    io->ops->close(io, file_of(file));
}

static ks_rc plain_read(struct side *side, struct side_file *file, void *out, size_t len,
                        uint64_t at, size_t *ret_len)
{
    struct io *io = of(side)->io;

    return io->ops->pread(io, file_of(file), out, len, at, ret_len);
}

static ks_rc plain_write(struct side *side, struct side_file *file, const void *in, size_t len,
                         uint64_t at)
{
    struct io *io = of(side)->io;

    return io->ops->pwrite(io, file_of(file), in, len, at);
}

static ks_rc plain_resize(struct side *side, struct side_node *node, uint64_t size)
{
    struct io *io = of(side)->io;
    struct io_file *file;

    TRY(io->ops->open(io, node_of(node), false, &file));
    ks_rc rc = io->ops->truncate(io, file, size);
    io->ops->close(io, file);
    return rc;
}

static ks_rc plain_seek(struct side *side, struct side_file *file, uint64_t at, enum io_seek what,
                        uint64_t *ret)
{
    struct io *io = of(side)->io;

    return io->ops->seek(io, file_of(file), at, what, ret);
}

static ks_rc plain_sync_all(struct side *side)
{
    struct io *io = of(side)->io;

    return io->ops->sync_all(io, of(side)->dir);
}

static const struct side_ops plain_ops = {
    .root = plain_root,
    .lookup = plain_lookup,
    .release = plain_release,
    .stat = plain_stat,
    .list = plain_list,
    .readlink = plain_readlink,
    .mkdir = plain_mkdir,
    .symlink = plain_symlink,
    .mknod = plain_mknod,
    .link = plain_link,
    .unlink = plain_unlink,
    .rmdir = plain_rmdir,
    .rename = plain_rename,
    .setattr = plain_setattr,
    .xattr_list = plain_xattr_list,
    .xattr_get = plain_xattr_get,
    .xattr_set = plain_xattr_set,
    .create = plain_create,
    .open = plain_open,
    .close = plain_close,
    .read = plain_read,
    .write = plain_write,
    .resize = plain_resize,
    .seek = plain_seek,
    .sync_all = plain_sync_all,
};

void side_plain_init(struct side_plain *s, struct io *io, struct io_node *dir)
{
    *s = (struct side_plain){{&plain_ops}, io, dir};
}
