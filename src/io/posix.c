/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/posix.c - the back end for the host's file systems: the table of its operations.
 *
 * The hot path (lookup, stat, pread, pwrite) costs one system call per step and one allocation per
 * node; nothing is cached here. Has no state but its objects, so any thread may call anything.
 */
#include "io/posix_int.h"

static const struct io_ops posix_ops = {
    .name = "posix",
    .open_root = posix_open_root,
    .lookup = posix_lookup,
    .node_close = posix_node_close,
    .stat = posix_stat,
    .setattr = posix_setattr,
    .readlink = posix_readlink,
    .statfs = posix_statfs,
    .create = posix_create,
    .mknod = posix_mknod,
    .mkdir = posix_mkdir,
    .symlink = posix_symlink,
    .link = posix_link,
    .unlink = posix_unlink,
    .rmdir = posix_rmdir,
    .rename = posix_rename,
    .sync_dir = posix_sync_dir,
    .sync_all = posix_sync_all,
    .dir_open = posix_dir_open,
    .dir_next = posix_dir_next,
    .dir_seek = posix_dir_seek,
    .dir_close = posix_dir_close,
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pread_past = posix_pread_past,
    .will_read = posix_will_read,
    .pwrite = posix_pwrite,
    .truncate = posix_truncate,
    .fallocate = posix_fallocate_range,
    .seek = posix_seek,
    .write_out = posix_write_out,
    .sync = posix_sync,
    .file_stat = posix_file_stat,
    .lock = posix_lock,
    .xattr_get = posix_xattr_get,
    .xattr_set = posix_xattr_set,
    .xattr_list = posix_xattr_list,
    .xattr_remove = posix_xattr_remove,
};

struct io *io_posix(void)
{
    static struct io posix = {&posix_ops};

    return &posix;
}
