/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/program_log.c - the output of services in files of bounded size, and where programs are.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/program_int.h"

enum { LOG_MODE = 0600, CHUNK = 64 * 1024 };

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static void glob_done(glob_t *g)
{
    globfree(g);
}

static ks_rc copy_from(int from, off_t at, int to)
{
    CLEANUP(mem_freep) uint8_t *chunk = NULL;
    ssize_t n;

    TRY(mem_new(1, CHUNK, &chunk));
    while ((n = pread(from, chunk, CHUNK, at)) > 0) {
        if (write(to, chunk, (size_t)n) != n)
            return ks_fail_os(errno ? errno : ENOSPC, "an old log");
        at += n;
    }
    return n == 0 ? KS_SUCCESS : ks_fail_os(errno, "a log");
}

ks_rc program_log_trim(const char *path, uint64_t bytes_max)
{
    CLEANUP(mem_freep) char *old_path = NULL;
    CLEANUP(fd_close) int log = -1, old = -1;
    struct stat st;

    log = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (log < 0)
        return errno == ENOENT ? KS_SUCCESS : ks_fail_os(errno, "%.300s", path);
    if (fstat(log, &st) != 0)
        return ks_fail_os(errno, "%.300s", path);
    if ((uint64_t)st.st_size <= bytes_max)
        return KS_SUCCESS;
    TRY(mem_format(&old_path, "%s.1", path));
    old = open(old_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);
    if (old < 0)
        return ks_fail_os(errno, "%.300s", old_path);
    TRY(copy_from(log, st.st_size - (off_t)(bytes_max / 2), old));
    return ftruncate(log, 0) == 0 ? KS_SUCCESS : ks_fail_os(errno, "%.300s", path);
}

ks_rc program_log_tail(const char *path, struct buf *ret)
{
    CLEANUP(fd_close) int log = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t room = ret->max_bytes - ret->len, before = ret->len;
    struct stat st;
    uint8_t *tail;

    if (log < 0 || fstat(log, &st) != 0)
        return ks_fail_os(errno, "%.300s", path);
    off_t at = (uint64_t)st.st_size > room ? st.st_size - (off_t)room : 0;
    if ((uint64_t)st.st_size < room)
        room = (size_t)st.st_size;
    if (room == 0)
        return KS_SUCCESS;
    TRY(buf_extend(ret, room, &tail));
    ssize_t n = pread(log, tail, room, at);
    if (n < 0) {
        buf_cut(ret, before);
        return ks_fail_os(errno, "%.300s", path);
    }
    size_t end = before + (size_t)n;
    const uint8_t *line = at > 0 ? memchr(tail, '\n', (size_t)n) : NULL;
    if (line) {
        size_t cut = (size_t)(line + 1 - tail);
        memmove(tail, tail + cut, (size_t)n - cut);
        end -= cut;
    }
    buf_cut(ret, end);
    return KS_SUCCESS;
}

ks_rc program_glob(const char *pattern, char **ret)
{
    CLEANUP(glob_done) glob_t found = {0};
    const char *best = NULL;
    struct stat st;

    int err = glob(pattern, GLOB_NOSORT, NULL, &found);
    ENSURE(err != GLOB_NOSPACE, KS_E_NO_MEMORY, "no memory to look for %.200s", pattern);
    for (size_t i = 0; err == 0 && i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0 &&
            (!best || strverscmp(path, best) > 0))
            best = path;
    }
    ENSURE(best, KS_E_NOT_FOUND, "there is no program %.200s", pattern);
    return mem_text(best, ret);
}
