/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/ops.c - the table of requests and what is agreed with the kernel at the start.
 */
#include "fuse/ops.h"

#include "base/mem.h"
#include "fuse/reply.h"

enum { WRITE_MAX = 1024 * 1024, READAHEAD_MAX = 4 * 1024 * 1024 };

static _Thread_local struct {
    void *bytes;
    size_t room;
} scratch;

void *ops_scratch(size_t len)
{
    if (len > scratch.room) {
        ops_scratch_done();
        if (!ks_ok(mem_new(1, len, &scratch.bytes)))
            return NULL;
        scratch.room = len;
    }
    return scratch.bytes;
}

void ops_scratch_wipe(void)
{
    if (scratch.bytes)
        mem_wipe(scratch.bytes, scratch.room);
}

void ops_scratch_done(void)
{
    ops_scratch_wipe();
    mem_free(TAKE(scratch.bytes));
    scratch.room = 0;
}

static void want(struct fuse_conn_info *conn, unsigned caps)
{
    conn->want |= conn->capable & caps;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct ops_env *env = userdata;

    want(conn, FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO |
                   FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                   FUSE_CAP_CACHE_SYMLINKS);
    atomic_store(&env->may_skip_open, (conn->capable & FUSE_CAP_NO_OPEN_SUPPORT) != 0);
    /* There is no OPEN that could truncate. Every page is decrypted into our memory anyway, so splicing saves no copy. With a page cache that
     * only we change, the kernel need not look for changes behind its back. Of the two ways to end set-user-id
     * bits only the newer one (fuse/wire.h) leaves the deciding to the kernel. */
    conn->want &=
        ~(unsigned)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                    FUSE_CAP_SPLICE_MOVE | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_POSIX_LOCKS |
                    FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_HANDLE_KILLPRIV);
    conn->max_write = WRITE_MAX;
    conn->max_read = OPS_READ_MAX;
    conn->max_readahead = READAHEAD_MAX;
    conn->max_background = env->max_background;
    conn->congestion_threshold = env->max_background * 3 / 4;
    conn->time_gran = 1;
}

const struct fuse_lowlevel_ops *ops_table(void)
{
    /* Not here on purpose: flush and release (nothing to do), getlk, setlk, flock (the kernel's own locks are right on
     * one host), lseek (would not see pages that the kernel has not written back yet). */
    static const struct fuse_lowlevel_ops ops = {
        .init = op_init,
        .lookup = op_lookup,
        .forget = op_forget,
        .forget_multi = op_forget_multi,
        .getattr = op_getattr,
        .setattr = op_setattr,
        .readlink = op_readlink,
        .mknod = op_mknod,
        .mkdir = op_mkdir,
        .unlink = op_unlink,
        .rmdir = op_rmdir,
        .symlink = op_symlink,
        .rename = op_rename,
        .link = op_link,
        .open = op_open,
        .read = op_read,
        .write = op_write,
        .fsync = op_fsync,
        .opendir = op_opendir,
        .readdir = op_readdir,
        .readdirplus = op_readdirplus,
        .releasedir = op_releasedir,
        .fsyncdir = op_fsyncdir,
        .statfs = op_statfs,
        .setxattr = op_setxattr,
        .getxattr = op_getxattr,
        .listxattr = op_listxattr,
        .removexattr = op_removexattr,
        .create = op_create,
        .fallocate = op_fallocate,
    };

    return &ops;
}
