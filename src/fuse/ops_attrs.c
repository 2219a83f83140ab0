/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/ops_attrs.c - requests about attributes, plain and extended.
 */
#include <limits.h>
#include <string.h>

#include "fuse/reply.h"
#include "fuse/wire.h"

enum { XATTR_BYTES_MAX = 64 * 1024 };

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;
    ks_rc rc = volume_getattr(req_volume(req), req_inode(req, ino), &st);

    (void)fi;
    reply_attr(req, rc, &st);
}

/* attrs_of(to_set): the kernel's bits as those of io/io.h. The change time follows by itself. */
static unsigned attrs_of(int to_set)
{
    static const struct {
        int from;
        unsigned to;
    } map[] = {
        {FUSE_SET_ATTR_MODE, IO_ATTR_MODE},
        {FUSE_SET_ATTR_UID, IO_ATTR_UID},
        {FUSE_SET_ATTR_GID, IO_ATTR_GID},
        {FUSE_SET_ATTR_ATIME, IO_ATTR_ATIME},
        {FUSE_SET_ATTR_MTIME, IO_ATTR_MTIME},
        {FUSE_SET_ATTR_ATIME_NOW, IO_ATTR_ATIME_NOW},
        {FUSE_SET_ATTR_MTIME_NOW, IO_ATTR_MTIME_NOW},
    };
    unsigned attrs = 0;

    for (size_t k = 0; k < sizeof map / sizeof map[0]; k++)
        if (to_set & map[k].from)
            attrs |= map[k].to;
    /* "now" comes together with the plain bit and means the server's clock */
    if (attrs & IO_ATTR_ATIME_NOW)
        attrs &= ~(unsigned)IO_ATTR_ATIME;
    if (attrs & IO_ATTR_MTIME_NOW)
        attrs &= ~(unsigned)IO_ATTR_MTIME;
    return attrs;
}

static ks_rc change(struct volume *v, struct inode *i, const struct stat *in, int to_set,
                    struct stat *ret)
{
    unsigned attrs = attrs_of(to_set);

    if (wire_must_kill_suidgid())
        TRY(kill_suidgid(v, i));
    if (to_set & FUSE_SET_ATTR_SIZE)
        TRY(volume_truncate(v, i, (uint64_t)in->st_size));
    if (attrs)
        return volume_setattr(v, i, attrs, in, ret);
    return volume_getattr(v, i, ret);
}

/* Just the time of the last change, as before a sync. */
static bool is_mtime_only(int to_set)
{
    return (to_set & ~FUSE_SET_ATTR_CTIME) == FUSE_SET_ATTR_MTIME && !wire_must_kill_suidgid();
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *in, int to_set,
                struct fuse_file_info *fi)
{
    struct volume *v = req_volume(req);
    struct inode *i = req_inode(req, ino);
    struct stat st;

    (void)fi;
    if (!is_mtime_only(to_set) || !inode_is_regular(i)) {
        reply_attr(req, change(v, i, in, to_set, &st), &st);
        return;
    }
    ks_rc rc = volume_keep_mtime(v, i, &in->st_mtim, &st);
    if (ks_ok(rc))
        fuse_reply_attr(req, &st,
                        0); /* before a sync nobody looks at it; anybody else has to ask anew */
    else
        reply_rc(req, rc);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    CLEANUP(buf_done) struct buf target = buf_init(PATH_MAX);
    ks_rc rc = volume_readlink(req_volume(req), req_inode(req, ino), &target);

    if (ks_ok(rc))
        fuse_reply_readlink(req, buf_text(&target));
    else
        reply_rc(req, rc);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs st;
    ks_rc rc = volume_statfs(req_volume(req), &st);

    (void)ino;
    if (ks_ok(rc))
        fuse_reply_statfs(req, &st);
    else
        reply_rc(req, rc);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    CLEANUP(buf_done) struct buf value = buf_init(XATTR_BYTES_MAX);
    ks_rc rc = volume_getxattr(req_volume(req), req_inode(req, ino), name, &value);

    reply_xattr(req, rc, size, buf_view(&value));
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
                 int flags)
{
    reply_rc(req, volume_setxattr(req_volume(req), req_inode(req, ino), name, view_of(value, size),
                                  flags));
}

/* Names of the administrator's attributes are not for everybody. */
static void drop_trusted(struct buf *names)
{
    static const char prefix[] = "trusted.";
    size_t kept = 0, len;

    for (size_t at = 0; at < names->len; at += len) {
        len = strlen((const char *)names->bytes + at) + 1;
        if (strncmp((const char *)names->bytes + at, prefix, sizeof prefix - 1) == 0)
            continue;
        memmove(names->bytes + kept, names->bytes + at, len);
        kept += len;
    }
    names->len = kept;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    CLEANUP(buf_done) struct buf names = buf_init(XATTR_BYTES_MAX);
    ks_rc rc = volume_listxattr(req_volume(req), req_inode(req, ino), &names);

    if (ks_ok(rc) && req_caller(req).uid != 0)
        drop_trusted(&names);
    reply_xattr(req, rc, size, buf_view(&names));
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    reply_rc(req, volume_removexattr(req_volume(req), req_inode(req, ino), name));
}
