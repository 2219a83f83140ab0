/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/side_volume.c - a volume as one side of a transfer.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "volume/side.h"

static struct side_volume *of(struct side *side)
{
    return (struct side_volume *)(void *)side;
}

/* The side's nodes and files are the volume's inodes and handles. */
static struct inode *inode_of(struct side_node *node)
{
    return (struct inode *)(void *)node;
}

static struct handle *handle_of(struct side_file *file)
{
    return (struct handle *)(void *)file;
}

/* Owner and mode are set afterwards, by the transfer. */
static struct caller self(void)
{
    return (struct caller){geteuid(), getegid()};
}

static struct side_node *volume_side_root(struct side *side)
{
    return (struct side_node *)(void *)volume_root(of(side)->v);
}

static ks_rc volume_side_lookup(struct side *side, struct side_node *dir, const char *name,
                                struct side_node **ret, struct stat *ret_stat)
{
    struct inode *inode;

    TRY(volume_lookup(of(side)->v, inode_of(dir), name, &inode, ret_stat));
    *ret = (struct side_node *)(void *)inode;
    return KS_SUCCESS;
}

static void volume_side_release(struct side *side, struct side_node *node)
{
    volume_forget(of(side)->v, inode_of(node), 1);
}

static ks_rc volume_side_stat(struct side *side, struct side_node *node, struct stat *ret)
{
    return volume_getattr(of(side)->v, inode_of(node), ret);
}

static ks_rc each_entry(struct volume *v, struct handle *stream,
                        ks_rc (*each)(void *arg, const char *name), void *arg)
{
    struct io_dirent entry = {.next = 0};

    for (;;) {
        TRY(volume_readdir(v, stream, entry.next, &entry));
        if (entry.name[0] == '\0')
            return KS_SUCCESS;
        if (strcmp(entry.name, ".") != 0 && strcmp(entry.name, "..") != 0)
            TRY(each(arg, entry.name));
    }
}

static ks_rc volume_side_list(struct side *side, struct side_node *dir,
                              ks_rc (*each)(void *arg, const char *name), void *arg)
{
    struct handle *stream;

    TRY(volume_opendir(of(side)->v, inode_of(dir), &stream));
    ks_rc rc = each_entry(of(side)->v, stream, each, arg);
    volume_close(of(side)->v, stream);
    return rc;
}

static ks_rc volume_side_readlink(struct side *side, struct side_node *node, struct buf *ret)
{
    return volume_readlink(of(side)->v, inode_of(node), ret);
}

/* The new object is looked up again by who wants it. */
static ks_rc made(struct side *side, ks_rc rc, struct inode *inode)
{
    if (ks_ok(rc))
        volume_forget(of(side)->v, inode, 1);
    return rc;
}

static ks_rc volume_side_mkdir(struct side *side, struct side_node *dir, const char *name)
{
    struct caller who = self();
    struct inode *inode = NULL;
    struct stat st;
    ks_rc rc = volume_mkdir(of(side)->v, inode_of(dir), name, 0700, &who, &inode, &st);

    return made(side, rc, inode);
}

static ks_rc volume_side_symlink(struct side *side, struct side_node *dir, const char *name,
                                 const char *target)
{
    struct caller who = self();
    struct inode *inode = NULL;
    struct stat st;
    ks_rc rc = volume_symlink(of(side)->v, inode_of(dir), name, target, &who, &inode, &st);

    return made(side, rc, inode);
}

static ks_rc volume_side_mknod(struct side *side, struct side_node *dir, const char *name,
                               mode_t mode, dev_t rdev)
{
    struct caller who = self();
    struct inode *inode = NULL;
    struct stat st;
    ks_rc rc = volume_mknod(of(side)->v, inode_of(dir), name, mode, rdev, &who, &inode, &st);

    return made(side, rc, inode);
}

static ks_rc volume_side_link(struct side *side, struct side_node *node, struct side_node *dir,
                              const char *name)
{
    struct stat st;
    ks_rc rc = volume_link(of(side)->v, inode_of(node), inode_of(dir), name, &st);

    return made(side, rc, inode_of(node));
}

static ks_rc volume_side_unlink(struct side *side, struct side_node *dir, const char *name)
{
    return volume_unlink(of(side)->v, inode_of(dir), name);
}

static ks_rc volume_side_rmdir(struct side *side, struct side_node *dir, const char *name)
{
    return volume_rmdir(of(side)->v, inode_of(dir), name);
}

static ks_rc volume_side_rename(struct side *side, struct side_node *dir, const char *from,
                                const char *to)
{
    return volume_rename(of(side)->v, inode_of(dir), from, inode_of(dir), to, RENAME_NOREPLACE);
}

static ks_rc volume_side_setattr(struct side *side, struct side_node *node, unsigned attrs,
                                 const struct stat *in)
{
    struct stat st;

    return volume_setattr(of(side)->v, inode_of(node), attrs, in, &st);
}

static ks_rc volume_side_xattr_list(struct side *side, struct side_node *node, struct buf *ret)
{
    return volume_listxattr_whole(of(side)->v, inode_of(node), ret);
}

static ks_rc volume_side_xattr_get(struct side *side, struct side_node *node, const char *name,
                                   struct buf *ret)
{
    return volume_getxattr(of(side)->v, inode_of(node), name, ret);
}

static ks_rc volume_side_xattr_set(struct side *side, struct side_node *node, const char *name,
                                   struct view value)
{
    return volume_setxattr(of(side)->v, inode_of(node), name, value, 0);
}

static ks_rc volume_side_create(struct side *side, struct side_node *dir, const char *name,
                                struct side_node **ret, struct side_file **ret_file)
{
    struct caller who = self();
    struct inode *inode;
    struct handle *handle;
    struct stat st;

    TRY(volume_create(of(side)->v, inode_of(dir), name, 0600, &who, &inode, &st, &handle));
    *ret = (struct side_node *)(void *)inode;
    *ret_file = (struct side_file *)(void *)handle;
    return KS_SUCCESS;
}

static ks_rc volume_side_open(struct side *side, struct side_node *node, struct side_file **ret)
{
    struct handle *handle;

    TRY(volume_open(of(side)->v, inode_of(node), false, &handle));
    *ret = (struct side_file *)(void *)handle;
    return KS_SUCCESS;
}

static void volume_side_close(struct side *side, struct side_file *file)
{
    volume_close(of(side)->v, handle_of(file));
}

static ks_rc volume_side_read(struct side *side, struct side_file *file, void *out, size_t len,
                              uint64_t at, size_t *ret_len)
{
    return volume_read(of(side)->v, handle_inode(handle_of(file)), out, len, at, ret_len);
}

static ks_rc volume_side_write(struct side *side, struct side_file *file, const void *in,
                               size_t len, uint64_t at)
{
    return volume_write(of(side)->v, handle_inode(handle_of(file)), in, len, at);
}

static ks_rc volume_side_resize(struct side *side, struct side_node *node, uint64_t size)
{
    return volume_truncate(of(side)->v, inode_of(node), size);
}

static ks_rc volume_side_seek(struct side *side, struct side_file *file, uint64_t at,
                              enum io_seek what, uint64_t *ret)
{
    return volume_seek(of(side)->v, handle_inode(handle_of(file)), at, what, ret);
}

static ks_rc volume_side_sync_all(struct side *side)
{
    struct io *io = of(side)->io;

    return io->ops->sync_all(io, of(side)->tree);
}

static const struct side_ops volume_ops = {
    .root = volume_side_root,
    .lookup = volume_side_lookup,
    .release = volume_side_release,
    .stat = volume_side_stat,
    .list = volume_side_list,
    .readlink = volume_side_readlink,
    .mkdir = volume_side_mkdir,
    .symlink = volume_side_symlink,
    .mknod = volume_side_mknod,
    .link = volume_side_link,
    .unlink = volume_side_unlink,
    .rmdir = volume_side_rmdir,
    .rename = volume_side_rename,
    .setattr = volume_side_setattr,
    .xattr_list = volume_side_xattr_list,
    .xattr_get = volume_side_xattr_get,
    .xattr_set = volume_side_xattr_set,
    .create = volume_side_create,
    .open = volume_side_open,
    .close = volume_side_close,
    .read = volume_side_read,
    .write = volume_side_write,
    .resize = volume_side_resize,
    .seek = volume_side_seek,
    .sync_all = volume_side_sync_all,
};

void side_volume_init(struct side_volume *s, struct volume *v, struct io *io, struct io_node *tree)
{
    *s = (struct side_volume){{&volume_ops}, v, io, tree};
}
