/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/crash.c - a crash file system: its birth and end, its nodes and their attributes.
 *
 * The method is described in io/crash.h, the parts in io/crash_int.h. For tests only.
 */
#include "io/crash.h"

#include <sys/xattr.h>

#include "base/mem.h"
#include "io/crash_int.h"

struct crash *crash_lock(struct io *io)
{
    struct crash *c = (struct crash *)(void *)io;

    pthread_mutex_lock(&c->mutex);
    return c;
}

void crash_unlockp(struct crash **c)
{
    pthread_mutex_unlock(&(*c)->mutex);
}

/* A node or file refers to a live object as long as the file system lives. */
static struct crash_inode *inode_of(const struct crash *c, const struct io_node *node)
{
    return crash_tree_inode(c->live, node->ino);
}

static void crash_node_close(struct io *io, struct io_node *node)
{
    (void)io;
    mem_free(node);
}

static ks_rc crash_stat(struct io *io, struct io_node *node, struct stat *ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    crash_inode_stat(inode_of(c, node), ret);
    return KS_SUCCESS;
}

static ks_rc crash_setattr(struct io *io, struct io_node *node, unsigned attrs,
                           const struct stat *st)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    if ((attrs & IO_ATTR_MODE) && S_ISLNK(inode_of(c, node)->st.st_mode))
        return ks_os(EOPNOTSUPP);
    if (attrs == 0)
        return KS_SUCCESS;
    return crash_do(
        c, &(struct crash_event){.kind = CRASH_ATTRS, .ino = node->ino, .flags = attrs, .st = *st});
}

static ks_rc crash_readlink(struct io *io, struct io_node *node, struct buf *ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    const struct crash_inode *inode = inode_of(c, node);

    if (!S_ISLNK(inode->st.st_mode))
        return ks_os(EINVAL);
    return buf_append(ret, buf_view(&inode->target));
}

static ks_rc crash_statfs(struct io *io, struct io_node *node, struct statvfs *ret)
{
    (void)io;
    (void)node;
    *ret = (struct statvfs){
        .f_bsize = IO_PAGE_BYTES,
        .f_frsize = IO_PAGE_BYTES,
        .f_blocks = 1 << 20,
        .f_bfree = 1 << 19,
        .f_bavail = 1 << 19,
        .f_files = 1 << 20,
        .f_ffree = 1 << 19,
        .f_favail = 1 << 19,
        .f_namemax = IO_NAME_BYTES,
    };
    return KS_SUCCESS;
}

/* Any namespace is taken; only the place and the name are checked. */
static ks_rc xattr_inode(const struct crash *c, const struct io_node *node, const char *name,
                         struct crash_inode **ret)
{
    struct crash_inode *inode = inode_of(c, node);

    if (S_ISLNK(inode->st.st_mode))
        return ks_os(ENOTSUP);
    if (name && (name[0] == '\0' || strlen(name) > IO_NAME_BYTES))
        return ks_os(ERANGE);
    *ret = inode;
    return KS_SUCCESS;
}

static ks_rc crash_xattr_get(struct io *io, struct io_node *node, const char *name, struct buf *ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct crash_inode *inode;

    TRY(xattr_inode(c, node, name, &inode));
    const struct crash_xattr *xattr = crash_inode_xattr(inode, name);
    if (!xattr)
        return ks_os(ENODATA);
    return buf_append(ret, buf_view(&xattr->value));
}

static ks_rc crash_xattr_set(struct io *io, struct io_node *node, const char *name,
                             struct view value, int flags)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct crash_inode *inode;

    TRY(xattr_inode(c, node, name, &inode));
    bool is_there = crash_inode_xattr(inode, name) != NULL;
    if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
        return ks_os(EINVAL);
    if (is_there && (flags & XATTR_CREATE))
        return ks_os(EEXIST);
    if (!is_there && (flags & XATTR_REPLACE))
        return ks_os(ENODATA);
    return crash_do(c,
                    &(struct crash_event){
                        .kind = CRASH_XATTR_SET, .ino = node->ino, .name = name, .value = value});
}

static ks_rc crash_xattr_list(struct io *io, struct io_node *node, struct buf *ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    size_t start = ret->len;
    struct crash_inode *inode;
    ks_rc rc = KS_SUCCESS;

    TRY(xattr_inode(c, node, NULL, &inode));
    for (size_t i = 0; i < inode->xattr_count && ks_ok(rc); i++) {
        const char *name = inode->xattrs[i].name;
        rc = buf_append(ret, view_of(name, strlen(name) + 1));
    }
    if (!ks_ok(rc))
        ret->len = start;
    return rc;
}

static ks_rc crash_xattr_remove(struct io *io, struct io_node *node, const char *name)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct crash_inode *inode;

    TRY(xattr_inode(c, node, name, &inode));
    if (!crash_inode_xattr(inode, name))
        return ks_os(ENODATA);
    return crash_do(
        c, &(struct crash_event){.kind = CRASH_XATTR_REMOVE, .ino = node->ino, .name = name});
}

static const struct io_ops crash_ops = {
    .name = "crash",
    .open_root = crash_open_root,
    .lookup = crash_lookup,
    .node_close = crash_node_close,
    .stat = crash_stat,
    .setattr = crash_setattr,
    .readlink = crash_readlink,
    .statfs = crash_statfs,
    .create = crash_create,
    .mknod = crash_mknod,
    .mkdir = crash_mkdir,
    .symlink = crash_symlink,
    .link = crash_link,
    .unlink = crash_unlink,
    .rmdir = crash_rmdir,
    .rename = crash_rename,
    .sync_dir = crash_sync_dir,
    .sync_all = crash_sync_all,
    .dir_open = crash_dir_open,
    .dir_next = crash_dir_next,
    .dir_seek = crash_dir_seek,
    .dir_close = crash_dir_close,
    .open = crash_open,
    .close = crash_close,
    .pread = crash_pread,
    .pread_past = crash_pread, /* there is no cache to go past */
    .will_read = crash_will_read,
    .pwrite = crash_pwrite,
    .truncate = crash_truncate,
    .fallocate = crash_fallocate,
    .seek = crash_seek,
    .write_out = crash_write_out,
    .sync = crash_sync,
    .file_stat = crash_file_stat,
    .lock = crash_file_lock,
    .xattr_get = crash_xattr_get,
    .xattr_set = crash_xattr_set,
    .xattr_list = crash_xattr_list,
    .xattr_remove = crash_xattr_remove,
};

ks_rc crash_adopt(struct crash_tree *live, uint64_t clock, struct io **ret)
{
    CLEANUP(crash_tree_freep) struct crash_tree *base = NULL;
    struct crash *c;

    TRY(crash_tree_clone(live, &base));
    TRY(mem_new(1, sizeof *c, &c));
    c->io.ops = &crash_ops;
    c->base = TAKE(base);
    c->live = live;
    c->clock = clock;
    pthread_mutex_init(&c->mutex, NULL);
    *ret = &c->io;
    return KS_SUCCESS;
}

ks_rc crash_new(struct io **ret)
{
    CLEANUP(crash_tree_freep) struct crash_tree *live = NULL;

    TRY(crash_tree_new(&live));
    TRY(crash_adopt(live, 0, ret));
    live = NULL;
    return KS_SUCCESS;
}

void crash_free(struct io *io)
{
    struct crash *c = (struct crash *)(void *)io;

    if (!c)
        return;
    crash_log_free(c);
    crash_tree_free(c->base);
    crash_tree_free(c->live);
    pthread_mutex_destroy(&c->mutex);
    mem_free(c);
}
