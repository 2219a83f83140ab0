/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/posix_node.c - nodes of the posix back end and their attributes.
 *
 * Owns the descriptors of nodes. Never follows a symlink: lookups are O_NOFOLLOW, and a path under
 * /proc/self/fd ends at the object itself, even when that is a symlink.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/name.h"
#include "io/posix_int.h"

pthread_rwlock_t posix_modes_lock = PTHREAD_RWLOCK_INITIALIZER;

static int stat_of(int fd, struct stat *ret)
{
    pthread_rwlock_rdlock(&posix_modes_lock);
    int n = fstat(fd, ret);
    pthread_rwlock_unlock(&posix_modes_lock);
    return n;
}

const char *posix_proc_path(int fd, char out[static POSIX_PROC_BYTES])
{
    snprintf(out, POSIX_PROC_BYTES, "/proc/self/fd/%d", fd);
    return out;
}

ks_rc posix_node_new(int fd, mode_t type, struct io_node **ret)
{
    struct io_node *node;
    ks_rc rc = mem_new(1, sizeof *node, &node);

    if (!ks_ok(rc)) {
        close(fd);
        return rc;
    }
    node->fd = fd;
    atomic_init(&node->type, type);
    *ret = node;
    return KS_SUCCESS;
}

void posix_node_close(struct io *io, struct io_node *node)
{
    (void)io;
    if (!node)
        return;
    close(node->fd);
    mem_free(node);
}

ks_rc posix_node_type(struct io_node *node, mode_t *ret)
{
    mode_t type = atomic_load_explicit(&node->type, memory_order_relaxed);
    struct stat st;

    if (type == 0) {
        if (fstat(node->fd, &st) != 0)
            return ks_os(errno);
        type = st.st_mode & S_IFMT;
        atomic_store_explicit(&node->type, type, memory_order_relaxed);
    }
    *ret = type;
    return KS_SUCCESS;
}

ks_rc posix_open_root(struct io *io, const char *path, struct io_node **ret)
{
    int fd;

    (void)io;
    do
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return ks_fail_os(errno, "cannot open the directory %s", path);
    return posix_node_new(fd, S_IFDIR, ret);
}

ks_rc posix_lookup(struct io *io, struct io_node *dir, const char *name, struct io_node **ret,
                   struct stat *ret_stat)
{
    struct stat st = {0};
    int fd;

    (void)io;
    TRY(io_name_check(name));
    do
        fd = openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return ks_os(errno);
    if (ret_stat && stat_of(fd, &st) != 0) {
        int err = errno;
        close(fd);
        return ks_os(err);
    }
    TRY(posix_node_new(fd, st.st_mode & S_IFMT, ret));
    if (ret_stat)
        *ret_stat = st;
    return KS_SUCCESS;
}

ks_rc posix_stat(struct io *io, struct io_node *node, struct stat *ret)
{
    (void)io;
    return posix_result(stat_of(node->fd, ret));
}

static ks_rc set_owner(struct io_node *node, unsigned attrs, const struct stat *st)
{
    uid_t uid = attrs & IO_ATTR_UID ? st->st_uid : (uid_t)-1;
    gid_t gid = attrs & IO_ATTR_GID ? st->st_gid : (gid_t)-1;

    if (!(attrs & (IO_ATTR_UID | IO_ATTR_GID)))
        return KS_SUCCESS;
    return posix_result(fchownat(node->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
}

/* Kernels and file systems differ in what chmod of a symlink does; here it is always refused. */
static ks_rc set_mode(struct io_node *node, unsigned attrs, const struct stat *st)
{
    char path[POSIX_PROC_BYTES];
    mode_t type;

    if (!(attrs & IO_ATTR_MODE))
        return KS_SUCCESS;
    TRY(posix_node_type(node, &type));
    if (S_ISLNK(type))
        return ks_os(EOPNOTSUPP);
    pthread_rwlock_rdlock(&posix_modes_lock);
    ks_rc rc = posix_result(chmod(posix_proc_path(node->fd, path), st->st_mode & 07777));
    pthread_rwlock_unlock(&posix_modes_lock);
    return rc;
}

static struct timespec time_wanted(bool is_now, bool is_set, struct timespec value)
{
    if (is_now)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return is_set ? value : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static ks_rc set_times(struct io_node *node, unsigned attrs, const struct stat *st)
{
    struct timespec times[2] = {
        time_wanted(attrs & IO_ATTR_ATIME_NOW, attrs & IO_ATTR_ATIME, st->st_atim),
        time_wanted(attrs & IO_ATTR_MTIME_NOW, attrs & IO_ATTR_MTIME, st->st_mtim),
    };

    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
        return KS_SUCCESS;
    return posix_result(utimensat(node->fd, "", times, AT_EMPTY_PATH));
}

/* The owner goes first: chown clears set-user-ID bits, which a mode given with it must set again. */
ks_rc posix_setattr(struct io *io, struct io_node *node, unsigned attrs, const struct stat *st)
{
    (void)io;
    TRY(set_owner(node, attrs, st));
    TRY(set_mode(node, attrs, st));
    return set_times(node, attrs, st);
}

ks_rc posix_readlink(struct io *io, struct io_node *node, struct buf *ret)
{
    char target[4096]; /* PATH_MAX with its terminator: Linux makes none longer */
    ssize_t n = readlinkat(node->fd, "", target, sizeof target);

    (void)io;
    if (n < 0) /* the kernel says ENOENT for an empty path on what is no symlink */
        return ks_os(errno == ENOENT ? EINVAL : errno);
    return buf_append(ret, view_of(target, (size_t)n));
}

ks_rc posix_statfs(struct io *io, struct io_node *node, struct statvfs *ret)
{
    (void)io;
    return posix_result(fstatvfs(node->fd, ret));
}
