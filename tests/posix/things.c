/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/things.c - files, directories and the like for cases to work on.
 */
#include <stdio.h>
#include <sys/sysmacros.h>

#include "suite.h"

const char *const thing_names[THING_COUNT] = {"file",   "directory", "symlink", "fifo",
                                              "socket", "char",      "block"};
const mode_t thing_types[THING_COUNT] = {S_IFREG,  S_IFDIR, S_IFLNK, S_IFIFO,
                                         S_IFSOCK, S_IFCHR, S_IFBLK};

void make_thing(enum thing thing, const char *name)
{
    switch (thing) {
    case A_FILE:
        put(name, "text");
        return;
    case A_DIRECTORY:
        OK(mkdir(name, 0755));
        return;
    case A_SYMLINK:
        OK(symlink("target", name));
        return;
    case A_FIFO:
    case A_SOCKET:
        OK(mknod(name, thing_types[thing] | 0644, 0));
        return;
    case A_CHAR:
    case A_BLOCK:
        OK(mknod(name, thing_types[thing] | 0644, makedev(240, 7)));
        return;
    case THING_COUNT:
        break;
    }
    suite_fail(__FILE__, __LINE__, "there is no such thing");
}

void put(const char *name, const char *text)
{
    int fd = (int)OK(open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

    SAME(write(fd, text, strlen(text)), strlen(text));
    OK(close(fd));
}

uint8_t pattern_at(uint64_t at)
{
    return (uint8_t)(1 + at % 251);
}

void put_pattern(int fd, uint64_t at, size_t len)
{
    uint8_t *bytes = malloc(len + 1);

    HOLDS(bytes != NULL);
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern_at(at + i);
    SAME(pwrite(fd, bytes, len, (off_t)at), len);
    free(bytes);
}

void put_bytes(const char *name, size_t len)
{
    int fd = (int)OK(open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

    put_pattern(fd, 0, len);
    OK(close(fd));
}

void reread(int fd)
{
    OK(fsync(fd));
    SAME(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

void holds_text(const char *name, const char *text)
{
    char got[256];
    int fd = (int)OK(open(name, O_RDONLY | O_CLOEXEC));
    size_t len = strlen(text);

    SAME(read(fd, got, sizeof got), len);
    HOLDS(memcmp(got, text, len) == 0);
    OK(close(fd));
}

static uint8_t *bytes_of(int fd, uint64_t at, size_t len)
{
    uint8_t *bytes = malloc(len + 1);

    HOLDS(bytes != NULL);
    SAME(pread(fd, bytes, len, (off_t)at), len);
    return bytes;
}

void holds_pattern(int fd, uint64_t at, size_t len)
{
    uint8_t *bytes = bytes_of(fd, at, len);

    for (size_t i = 0; i < len; i++)
        if (bytes[i] != pattern_at(at + i))
            suite_fail(__FILE__, __LINE__, "byte %llu is not what was written",
                       (unsigned long long)(at + i));
    free(bytes);
}

void holds_zeros(int fd, uint64_t at, size_t len)
{
    uint8_t *bytes = bytes_of(fd, at, len);

    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            suite_fail(__FILE__, __LINE__, "byte %llu is not zero", (unsigned long long)(at + i));
    free(bytes);
}

struct stat stat_of(const char *name)
{
    struct stat st;

    OK(lstat(name, &st));
    return st;
}

struct stat stat_of_fd(int fd)
{
    struct stat st;

    OK(fstat(fd, &st));
    return st;
}

mode_t mode_of(const char *name)
{
    return stat_of(name).st_mode & 07777;
}

bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

bool runs(pid_t pid, const char *name)
{
    char path[64], got[32] = {0};

    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    int fd = (int)OK(open(path, O_RDONLY | O_CLOEXEC));
    ssize_t len = read(fd, got, sizeof got - 1);
    OK(close(fd));
    return len > 0 && strncmp(got, name, strlen(name)) == 0 && got[strlen(name)] == '\n';
}

/* Time stamps are taken from the clock of the kernel's ticks. */
void next_tick(void)
{
    struct timespec began, now;

    OK(clock_gettime(CLOCK_REALTIME_COARSE, &began));
    do
        OK(clock_gettime(CLOCK_REALTIME_COARSE, &now));
    while (now.tv_sec == began.tv_sec && now.tv_nsec == began.tv_nsec);
}

void set_old(const char *name)
{
    const struct timespec old[2] = {{OLD_SECONDS, 0}, {OLD_SECONDS, 0}};

    OK(utimensat(AT_FDCWD, name, old, AT_SYMLINK_NOFOLLOW));
}
