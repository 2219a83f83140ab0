/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/posix_dir.c - names and directory streams of the posix back end.
 *
 * Every name is checked before it reaches the kernel, so no call leaves the directory it was given.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/name.h"
#include "io/posix_int.h"

static int open_created(struct io_node *dir, const char *name, mode_t mode)
{
    int fd;

    do
        fd =
            openat(dir->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* The node of a file that was just opened: the same object, whatever its name is by now. */
static ks_rc node_of_file(int fd, struct io_node **ret)
{
    char path[POSIX_PROC_BYTES];
    int path_fd = open(posix_proc_path(fd, path), O_PATH | O_CLOEXEC);

    if (path_fd < 0)
        return ks_os(errno);
    return posix_node_new(path_fd, S_IFREG, ret);
}

static ks_rc wrap_created(int fd, struct io_node **ret, struct io_file **ret_file)
{
    CLEANUP(mem_freep) struct io_file *file = NULL;

    TRY(mem_new(1, sizeof *file, &file));
    file->fd = fd;
    (void)fcntl(fd, F_SETFL, O_NOATIME); /* as posix_open, where the host allows it */
    if (ret)
        TRY(node_of_file(fd, ret));
    *ret_file = TAKE(file);
    return KS_SUCCESS;
}

ks_rc posix_create(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                   struct io_node **ret, struct io_file **ret_file)
{
    (void)io;
    TRY(io_name_check(name));
    int fd = open_created(dir, name, mode);
    if (fd < 0)
        return ks_os(errno);
    ks_rc rc = wrap_created(fd, ret, ret_file);
    if (!ks_ok(rc)) { /* a failed call changes nothing: the name goes again */
        unlinkat(dir->fd, name, 0);
        close(fd);
    }
    return rc;
}

ks_rc posix_mknod(struct io *io, struct io_node *dir, const char *name, mode_t mode, dev_t rdev)
{
    (void)io;
    TRY(io_name_check(name));
    return posix_result(mknodat(dir->fd, name, mode, rdev));
}

ks_rc posix_mkdir(struct io *io, struct io_node *dir, const char *name, mode_t mode)
{
    (void)io;
    TRY(io_name_check(name));
    return posix_result(mkdirat(dir->fd, name, mode & 07777));
}

ks_rc posix_symlink(struct io *io, struct io_node *dir, const char *name, const char *target)
{
    (void)io;
    TRY(io_name_check(name));
    return posix_result(symlinkat(target, dir->fd, name));
}

ks_rc posix_link(struct io *io, struct io_node *node, struct io_node *dir, const char *name)
{
    char path[POSIX_PROC_BYTES];

    (void)io;
    TRY(io_name_check(name));
    return posix_result(
        linkat(AT_FDCWD, posix_proc_path(node->fd, path), dir->fd, name, AT_SYMLINK_FOLLOW));
}

ks_rc posix_unlink(struct io *io, struct io_node *dir, const char *name)
{
    (void)io;
    TRY(io_name_check(name));
    return posix_result(unlinkat(dir->fd, name, 0));
}

ks_rc posix_rmdir(struct io *io, struct io_node *dir, const char *name)
{
    (void)io;
    TRY(io_name_check(name));
    return posix_result(unlinkat(dir->fd, name, AT_REMOVEDIR));
}

ks_rc posix_rename(struct io *io, struct io_node *from_dir, const char *from,
                   struct io_node *to_dir, const char *to, unsigned flags)
{
    (void)io;
    TRY(io_name_check(from));
    TRY(io_name_check(to));
    if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return ks_os(EINVAL);
    return posix_result(renameat2(from_dir->fd, from, to_dir->fd, to, flags));
}

static int open_stream(struct io_node *dir)
{
    int fd;

    do
        fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

ks_rc posix_sync_dir(struct io *io, struct io_node *dir)
{
    int fd = open_stream(dir);

    (void)io;
    if (fd < 0)
        return ks_os(errno);
    ks_rc rc = posix_result(fsync(fd));
    close(fd);
    return rc;
}

ks_rc posix_sync_all(struct io *io, struct io_node *dir)
{
    int fd = open_stream(dir);

    (void)io;
    if (fd < 0)
        return ks_os(errno);
    ks_rc rc = posix_result(syncfs(fd));
    close(fd);
    return rc;
}

static ks_rc stream_of(int fd, struct io_dir **ret)
{
    CLEANUP(mem_freep) struct io_dir *dir = NULL;

    TRY(mem_new(1, sizeof *dir, &dir));
    dir->stream = fdopendir(fd);
    if (!dir->stream)
        return ks_os(errno);
    *ret = TAKE(dir);
    return KS_SUCCESS;
}

ks_rc posix_dir_open(struct io *io, struct io_node *node, struct io_dir **ret)
{
    int fd = open_stream(node);

    (void)io;
    if (fd < 0)
        return ks_os(errno);
    ks_rc rc = stream_of(fd, ret);
    if (!ks_ok(rc))
        close(fd);
    return rc;
}

ks_rc posix_dir_next(struct io *io, struct io_dir *dir, struct io_dirent *ret)
{
    (void)io;
    errno = 0;
    const struct dirent *entry = readdir(dir->stream);
    if (!entry && errno)
        return ks_os(errno);
    if (!entry) {
        ret->name[0] = '\0';
        return KS_SUCCESS;
    }
    ret->ino = entry->d_ino;
    ret->type = (uint32_t)DTTOIF(entry->d_type);
    ret->next = (uint64_t)entry->d_off;
    snprintf(ret->name, sizeof ret->name, "%s", entry->d_name);
    return KS_SUCCESS;
}

ks_rc posix_dir_seek(struct io *io, struct io_dir *dir, uint64_t cookie)
{
    (void)io;
    seekdir(dir->stream, (long)cookie);
    return KS_SUCCESS;
}

void posix_dir_close(struct io *io, struct io_dir *dir)
{
    (void)io;
    if (!dir)
        return;
    closedir(dir->stream);
    mem_free(dir);
}
