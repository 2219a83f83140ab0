/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/posix_xattr.c - extended attributes of the posix back end.
 *
 * The system calls take no O_PATH descriptors, so they get a path under /proc/self/fd. Symlinks
 * have none: user attributes do not exist on them, and nobody needs the others.
 */
#include <sys/xattr.h>

#include "io/posix_int.h"

enum { SMALL_BYTES = 1024 };

static ks_rc xattr_path(struct io_node *node, char path[static POSIX_PROC_BYTES])
{
    mode_t type;

    TRY(posix_node_type(node, &type));
    if (S_ISLNK(type))
        return ks_os(ENOTSUP);
    posix_proc_path(node->fd, path);
    return KS_SUCCESS;
}

/* One call for both: the value of name, or with name NULL the list of names. */
static ssize_t fetch(const char *path, const char *name, void *out, size_t room)
{
    return name ? getxattr(path, name, out, room) : listxattr(path, out, room);
}

/* Asks for the length and then for the bytes, until it did not grow in between. */
static ks_rc fetch_large(const char *path, const char *name, struct buf *ret)
{
    size_t start = ret->len;
    ssize_t n = -1;

    for (errno = ERANGE; n < 0 && errno == ERANGE; ret->len = start) {
        uint8_t *tail;
        ssize_t room = fetch(path, name, NULL, 0);
        if (room < 0)
            return ks_os(errno);
        TRY(buf_extend(ret, (size_t)room, &tail));
        n = fetch(path, name, tail, (size_t)room);
    }
    if (n < 0)
        return ks_os(errno);
    ret->len = start + (size_t)n;
    return KS_SUCCESS;
}

/* Most attributes are small or absent: one system call then. */
static ks_rc fetch_any(struct io_node *node, const char *name, struct buf *ret)
{
    char path[POSIX_PROC_BYTES], small[SMALL_BYTES];

    TRY(xattr_path(node, path));
    ssize_t n = fetch(path, name, small, sizeof small);
    if (n >= 0)
        return buf_append(ret, view_of(small, (size_t)n));
    return errno == ERANGE ? fetch_large(path, name, ret) : ks_os(errno);
}

ks_rc posix_xattr_get(struct io *io, struct io_node *node, const char *name, struct buf *ret)
{
    (void)io;
    return fetch_any(node, name, ret);
}

ks_rc posix_xattr_list(struct io *io, struct io_node *node, struct buf *ret)
{
    (void)io;
    return fetch_any(node, NULL, ret);
}

ks_rc posix_xattr_set(struct io *io, struct io_node *node, const char *name, struct view value,
                      int flags)
{
    char path[POSIX_PROC_BYTES];

    (void)io;
    TRY(xattr_path(node, path));
    return posix_result(setxattr(path, name, value.bytes, value.len, flags));
}

ks_rc posix_xattr_remove(struct io *io, struct io_node *node, const char *name)
{
    char path[POSIX_PROC_BYTES];

    (void)io;
    TRY(xattr_path(node, path));
    return posix_result(removexattr(path, name));
}
