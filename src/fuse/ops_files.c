/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/ops_files.c - requests about files.
 *
 * None of them needs to have been opened: everything that is known of a file is known by inode. So the kernel is told
 * not to send OPEN, RELEASE and FLUSH at all.
 */
#include <errno.h>

#include "base/mem.h"
#include "fuse/reply.h"
#include "fuse/wire.h"

/* The kernel asks once, as it does for OPEN, and then makes files by MKNOD and opens them without us. CREATE would be as
 * quick, but the kernel sends RELEASE for what it has opened, until it has been told that there is no OPEN. */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *fi)
{
    if (req_may_skip_open(req)) {
        fuse_reply_err(req, ENOSYS);
        return;
    }
    struct volume *v = req_volume(req);
    struct caller who = req_caller(req);
    struct inode *i = NULL;
    struct stat st;
    ks_rc rc = volume_create(v, req_inode(req, parent), name, mode, &who, &i, &st, NULL);

    if (!ks_ok(rc)) {
        reply_rc(req, rc);
        return;
    }
    struct fuse_entry_param e = entry_of(v, i, &st);
    fi->keep_cache = 1;
    if (fuse_reply_create(req, &e, fi) == -ENOENT)
        volume_forget(v, i, 1);
}

/* The kernel asks once. From then on it opens files without us, keeps their pages, and truncates by SETATTR. */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    if (req_may_skip_open(req)) {
        fuse_reply_err(req, ENOSYS);
        return;
    }
    fi->keep_cache = 1;
    fuse_reply_open(req, fi);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    void *out = ops_scratch(size);
    size_t len = 0;

    (void)fi;
    if (!out) {
        reply_rc(req, ks_os(ENOMEM));
        return;
    }
    ks_rc rc = volume_read(req_volume(req), req_inode(req, ino), out, size, (uint64_t)off, &len);
    if (ks_ok(rc))
        fuse_reply_buf(req, out, len);
    else
        reply_rc(req, rc);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
              struct fuse_file_info *fi)
{
    struct volume *v = req_volume(req);
    struct inode *i = req_inode(req, ino);
    struct write_behind behind;
    ks_rc rc = KS_SUCCESS;

    (void)fi;
    if (wire_must_kill_suidgid())
        rc = kill_suidgid(v, i);
    if (ks_ok(rc))
        rc = volume_write(v, i, data, size, (uint64_t)off);
    if (!ks_ok(rc)) {
        reply_rc(req, rc);
        return;
    }
    bool is_foreseen = wire_answers_at_once() && volume_foresee_sync(v, i, &behind);
    fuse_reply_write(req, size);
    if (is_foreseen)
        volume_write_behind(&behind);
}

/* A request that waits for a flush which another thread has begun; that thread answers it. */
struct joined_sync {
    struct sync_waiter waiter; /* first */
    fuse_req_t req;
};

static void on_flushed(struct sync_waiter *w, ks_rc rc)
{
    struct joined_sync *j = (struct joined_sync *)(void *)w;

    reply_rc(j->req, rc);
    mem_free(j);
}

/* Without memory it does not join, and flushes itself. */
static bool join_sync(fuse_req_t req, struct inode *i)
{
    struct joined_sync *j;

    if (!wire_answers_at_once() || !ks_ok(mem_new(1, sizeof *j, &j)))
        return false;
    *j = (struct joined_sync){{NULL, on_flushed}, req};
    if (volume_join_sync(req_volume(req), i, &j->waiter))
        return true;
    mem_free(j);
    return false;
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int is_data_only, struct fuse_file_info *fi)
{
    struct inode *i = req_inode(req, ino);

    (void)fi;
    if (!is_data_only || !join_sync(req, i))
        reply_rc(req, volume_fsync(req_volume(req), i, is_data_only != 0));
}

/* Unlike a write, this request does not say whether it ends set-user-id bits. Of anybody but root it does. After it
 * the kernel asks for attributes anew. */
static bool must_kill_suidgid(fuse_req_t req)
{
    return req_caller(req).uid != 0;
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                  struct fuse_file_info *fi)
{
    struct volume *v = req_volume(req);
    struct inode *i = req_inode(req, ino);
    ks_rc rc = KS_SUCCESS;

    (void)fi;
    if (must_kill_suidgid(req))
        rc = kill_suidgid(v, i);
    if (ks_ok(rc))
        rc = volume_fallocate(v, i, mode, (uint64_t)off, (uint64_t)len);
    reply_rc(req, rc);
}
