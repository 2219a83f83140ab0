/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/reply.c - who asks for what, and the replies.
 *
 * The only place where a result becomes an errno for the kernel, and where the operator hears of it.
 */
#include "fuse/reply.h"

static struct ops_env *req_env(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

struct volume *req_volume(fuse_req_t req)
{
    return req_env(req)->volume;
}

fuse_ino_t ops_nodeid(struct volume *v, const struct inode *i)
{
    return i == volume_root(v) ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)i;
}

struct inode *req_inode(fuse_req_t req, fuse_ino_t ino)
{
    if (ino == FUSE_ROOT_ID)
        return volume_root(req_volume(req));
    return (struct inode *)(uintptr_t)ino;
}

struct caller req_caller(fuse_req_t req)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);

    return (struct caller){ctx->uid, ctx->gid};
}

bool req_may_skip_open(fuse_req_t req)
{
    return atomic_load(&req_env(req)->may_skip_open);
}

struct fuse_entry_param entry_of(struct volume *v, const struct inode *i, const struct stat *st)
{
    return (struct fuse_entry_param){
        .ino = ops_nodeid(v, i),
        .attr = *st,
        .attr_timeout = OPS_CACHE_SECONDS,
        .entry_timeout = OPS_CACHE_SECONDS,
    };
}

void reply_rc(fuse_req_t req, ks_rc rc)
{
    trouble_note(req_env(req)->trouble, rc);
    fuse_reply_err(req, ks_errno(rc));
}

void reply_entry(fuse_req_t req, ks_rc rc, struct inode *i, const struct stat *st)
{
    if (!ks_ok(rc)) {
        reply_rc(req, rc);
        return;
    }
    struct fuse_entry_param e = entry_of(req_volume(req), i, st);
    /* A reply that the kernel does not take leaves the reference with us. */
    if (fuse_reply_entry(req, &e) == -ENOENT)
        volume_forget(req_volume(req), i, 1);
}

void reply_attr(fuse_req_t req, ks_rc rc, const struct stat *st)
{
    if (ks_ok(rc))
        fuse_reply_attr(req, st, OPS_CACHE_SECONDS);
    else
        reply_rc(req, rc);
}

void reply_xattr(fuse_req_t req, ks_rc rc, size_t size, struct view v)
{
    if (!ks_ok(rc))
        reply_rc(req, rc);
    else if (size == 0)
        fuse_reply_xattr(req, v.len);
    else if (size < v.len)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, (const char *)v.bytes, v.len);
}

ks_rc kill_suidgid(struct volume *v, struct inode *i)
{
    struct stat st;

    TRY(volume_getattr(v, i, &st));
    mode_t mode = st.st_mode & (mode_t)~S_ISUID;
    /* set-group-id without group execution is a locking mark, not a privilege */
    if (mode & S_IXGRP)
        mode &= (mode_t)~S_ISGID;
    if (!S_ISREG(st.st_mode) || mode == st.st_mode)
        return KS_SUCCESS;
    st.st_mode = mode;
    return volume_setattr(v, i, IO_ATTR_MODE, &st, &st);
}
