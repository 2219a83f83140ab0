/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/posix_file.c - open files of the posix back end.
 *
 * Reads and writes carry their offset and share no position, so they may run in parallel; seek moves
 * the descriptor's position, which nobody else looks at.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/name.h"
#include "io/posix_int.h"

/* Headers of before Linux 6.5 do not name it. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* Without a new access time where the host allows that (its owner and root may): reading a file to know its size
 * is no access that a user made. */
static int open_quietly(const char *path, int flags)
{
    int fd;

    do
        fd = open(path, flags | O_NOATIME);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0 || errno != EPERM)
        return fd;
    do
        fd = open(path, flags);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/*
 * A process that is not root may not open its own file for writing when the file's mode forbids that to its owner, and
 * who has the right to use the file does not depend on our descriptor. So it gets the right for as long as opening
 * takes. A crash meanwhile leaves it there: to a user who could take it at any time.
 */
static int open_owned(const struct io_node *node, const char *path, int flags)
{
    struct stat st;
    int fd = -1, err = EACCES;

    pthread_rwlock_wrlock(&posix_modes_lock);
    if (fstat(node->fd, &st) == 0 && st.st_uid == geteuid() &&
        chmod(path, (st.st_mode & 07777) | S_IRUSR | S_IWUSR) == 0) {
        fd = open_quietly(path, flags);
        err = errno;
        if (chmod(path, st.st_mode & 07777) != 0 && fd >= 0) {
            err = errno;
            close(fd);
            fd = -1;
        }
    }
    pthread_rwlock_unlock(&posix_modes_lock);
    errno = err;
    return fd;
}

ks_rc posix_open(struct io *io, struct io_node *node, bool is_read_only, struct io_file **ret)
{
    CLEANUP(mem_freep) struct io_file *file = NULL;
    char path[POSIX_PROC_BYTES];
    mode_t type;

    (void)io;
    TRY(posix_node_type(node, &type));
    TRY(io_regular_check(type));
    TRY(mem_new(1, sizeof *file, &file));
    posix_proc_path(node->fd, path);
    int flags = (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
    file->fd = open_quietly(path, flags);
    if (file->fd < 0 && errno == EACCES)
        file->fd = open_owned(node, path, flags);
    if (file->fd < 0)
        return ks_os(errno);
    *ret = TAKE(file);
    return KS_SUCCESS;
}

void posix_close(struct io *io, struct io_file *file)
{
    (void)io;
    if (!file)
        return;
    close(file->fd);
    mem_free(file);
}

ks_rc posix_pread(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                  size_t *ret_len)
{
    size_t done = 0;

    (void)io;
    while (done < len) {
        ssize_t n = pread(file->fd, (uint8_t *)out + done, len - done, (off_t)(at + done));
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return ks_os(errno);
    }
    *ret_len = done;
    return KS_SUCCESS;
}

/*
 * Whether the page cache has so little of it, and nothing that is not on the disk yet, that the disk is the place to read it from.
 * cachestat(2), Linux 6.5; where there is none the cache is used as ever.
 */
static bool is_on_disk_only(const struct io_file *file, size_t len, uint64_t at)
{
    struct {
        uint64_t at, len;
    } range = {at, len};
    struct {
        uint64_t cached, dirty, written_back, evicted, evicted_lately;
    } found;

    return syscall(SYS_cachestat, file->fd, &range, &found, 0) == 0 && found.dirty == 0 &&
           found.written_back == 0 && found.cached <= len / IO_PAGE_BYTES / 4;
}

/*
 * Opened for each read: beside a long read that costs next to nothing, and there is no second descriptor of every file to be counted. What
 * goes wrong, or ends in the middle, pread says. Not so that the kernel found no place on the disk for what was written meanwhile, which it
 * has to write first: it drops that, and says so here only.
 */
static ks_rc read_direct(const struct io_file *file, void *out, size_t len, uint64_t at,
                         size_t *ret_len)
{
    char path[POSIX_PROC_BYTES];

    *ret_len = 0;
    int fd = open_quietly(posix_proc_path(file->fd, path), O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        return KS_SUCCESS;
    ssize_t n = pread(fd, out, len, (off_t)at);
    int err = n < 0 ? errno : 0;
    close(fd);
    if (err == ENOSPC || err == EDQUOT)
        return ks_os(err);
    *ret_len = n > 0 ? (size_t)n : 0;
    return KS_SUCCESS;
}

ks_rc posix_pread_past(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                       size_t *ret_len)
{
    size_t direct = 0, rest = 0;

    if (is_on_disk_only(file, len, at))
        TRY(read_direct(file, out, len, at, &direct));
    if (direct < len)
        TRY(posix_pread(io, file, (uint8_t *)out + direct, len - direct, at + direct, &rest));
    *ret_len = direct + rest;
    return KS_SUCCESS;
}

void posix_will_read(struct io *io, struct io_file *file, size_t len, uint64_t at)
{
    (void)io;
    (void)posix_fadvise(file->fd, (off_t)at, (off_t)len,
                        POSIX_FADV_WILLNEED); /* or it is read later */
}

/* A short write is continued, and then the kernel says why it was short (ENOSPC, EFBIG, EIO). */
ks_rc posix_pwrite(struct io *io, struct io_file *file, const void *in, size_t len, uint64_t at)
{
    size_t done = 0;

    (void)io;
    while (done < len) {
        ssize_t n = pwrite(file->fd, (const uint8_t *)in + done, len - done, (off_t)(at + done));
        if (n == 0)
            return ks_os(EIO);
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return ks_os(errno);
    }
    return KS_SUCCESS;
}

ks_rc posix_truncate(struct io *io, struct io_file *file, uint64_t size)
{
    int n;

    (void)io;
    do
        n = ftruncate(file->fd, (off_t)size);
    while (n < 0 && errno == EINTR);
    return posix_result(n);
}

ks_rc posix_fallocate_range(struct io *io, struct io_file *file, int mode, uint64_t at,
                            uint64_t len)
{
    int n;

    (void)io;
    if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE &&
        mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
        return ks_os(EOPNOTSUPP);
    do
        n = fallocate(file->fd, mode, (off_t)at, (off_t)len);
    while (n < 0 && errno == EINTR);
    return posix_result(n);
}

ks_rc posix_seek(struct io *io, struct io_file *file, uint64_t at, enum io_seek what, uint64_t *ret)
{
    off_t found = lseek(file->fd, (off_t)at, what == IO_SEEK_DATA ? SEEK_DATA : SEEK_HOLE);

    (void)io;
    if (found < 0)
        return ks_os(errno);
    *ret = (uint64_t)found;
    return KS_SUCCESS;
}

/* Takes no error of writes that are on their way from the next sync, since it waits for none. What it cannot even begin, as where ext4
 * finds no blocks for bytes whose place it had put off, the kernel drops, and says so here only. */
ks_rc posix_write_out(struct io *io, struct io_file *file, uint64_t at, uint64_t len)
{
    (void)io;
    return posix_result(sync_file_range(file->fd, (off_t)at, (off_t)len, SYNC_FILE_RANGE_WRITE));
}

/* Never repeated after EINTR or any other failure: the kernel may have dropped the pages and the
 * error with them, so a second sync that succeeds says nothing. */
ks_rc posix_sync(struct io *io, struct io_file *file, bool is_data_only)
{
    (void)io;
    return posix_result(is_data_only ? fdatasync(file->fd) : fsync(file->fd));
}

ks_rc posix_file_stat(struct io *io, struct io_file *file, struct stat *ret)
{
    (void)io;
    return posix_result(fstat(file->fd, ret));
}

ks_rc posix_lock(struct io *io, struct io_file *file)
{
    (void)io;
    if (flock(file->fd, LOCK_EX | LOCK_NB) == 0)
        return KS_SUCCESS;
    if (errno == EWOULDBLOCK)
        return ks_fail(KS_E_BUSY, "another process holds the lock");
    return ks_os(errno);
}
