/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/map.c - files mapped into memory.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "suite.h"

enum { PAGE = 4096, SIZE = 10 * PAGE };

static uint8_t *map_of(int fd, size_t len, int prot, int flags)
{
    void *map = mmap(NULL, len, prot, flags, fd, 0);

    if (map == MAP_FAILED)
        suite_fail(__FILE__, __LINE__, "mmap: %s", suite_errno(errno));
    return map;
}

static int pattern_file(void)
{
    put_bytes("x", SIZE);
    return (int)OK(open("x", O_RDWR | O_CLOEXEC));
}

static void reads_the_file(void)
{
    int fd = pattern_file();
    uint8_t *map = map_of(fd, SIZE, PROT_READ, MAP_PRIVATE);

    OK(close(fd));
    for (size_t i = 0; i < SIZE; i++)
        SAME(map[i], pattern_at(i));
}

static void shared_writes_are_seen(void)
{
    int fd = pattern_file();
    uint8_t *map = map_of(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED), c;

    map[5000] = 0;
    SAME(pread(fd, &c, 1, 5000), 1);
    SAME(c, 0);
    c = 77;
    SAME(pwrite(fd, &c, 1, 6000), 1);
    SAME(map[6000], 77);
    OK(msync(map, SIZE, MS_SYNC));
    OK(munmap(map, SIZE));
    reread(fd);
    SAME(pread(fd, &c, 1, 5000), 1);
    SAME(c, 0);
    SAME(pread(fd, &c, 1, 6000), 1);
    SAME(c, 77);
}

static void shared_writes_without_msync(void)
{
    int fd = pattern_file();
    uint8_t *map = map_of(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED), c;

    map[SIZE - 1] = 0;
    OK(munmap(map, SIZE));
    OK(close(fd));
    fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    reread(fd);
    SAME(pread(fd, &c, 1, SIZE - 1), 1);
    SAME(c, 0);
}

static void private_writes_are_not(void)
{
    int fd = pattern_file();
    uint8_t *map = map_of(fd, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

    map[5000] = 0;
    holds_pattern(fd, 0, SIZE);
    OK(munmap(map, SIZE));
    reread(fd);
    holds_pattern(fd, 0, SIZE);
}

static void filled_by_mapping_alone(void)
{
    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    OK(ftruncate(fd, SIZE));
    uint8_t *map = map_of(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
    for (size_t i = 0; i < SIZE; i++)
        map[i] = pattern_at(i);
    OK(munmap(map, SIZE));
    reread(fd);
    holds_pattern(fd, 0, SIZE);
}

static void tail_of_the_last_page(void)
{
    put_bytes("x", 5000);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    uint8_t *map = map_of(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    for (size_t i = 5000; i < 2 * PAGE; i++)
        SAME(map[i], 0);
    map[6000] = 1; /* never part of the file */
    OK(msync(map, 2 * PAGE, MS_SYNC));
    OK(munmap(map, 2 * PAGE));
    SAME(stat_of_fd(fd).st_size, 5000);
    reread(fd);
    OK(ftruncate(fd, 2 * PAGE));
    holds_pattern(fd, 0, 5000);
    holds_zeros(fd, 5000, 2 * PAGE - 5000);
}

/* Writes behind the end, in the last page, ought not to come to light when the file grows. */
static void tail_when_the_file_grows(void)
{
    put_bytes("x", 100);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    uint8_t *map = map_of(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    map[200] = 1;
    OK(ftruncate(fd, 300));
    suite_note("what was written behind the end is %s", map[200] ? "in the file" : "gone");
    SAME(map[150], 0);
}

static int signal_of(volatile uint8_t *at)
{
    int status;
    pid_t pid = (pid_t)OK(fork());

    if (pid == 0) {
        signal(SIGBUS, SIG_DFL);
        *at = 1;
        _exit(0);
    }
    SAME(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void behind_the_end(void)
{
    put_bytes("x", 5000);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    uint8_t *map = map_of(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    SAME(signal_of(map + 4999), 0);
    SAME(signal_of(map + 2 * PAGE), SIGBUS);
    OK(ftruncate(fd, 4 * PAGE));
    SAME(signal_of(map + 2 * PAGE), 0);
    OK(ftruncate(fd, 100));
    SAME(signal_of(map + PAGE), SIGBUS);
    SAME(map[99], pattern_at(99));
    SAME(map[100], 0);
}

static void access_modes(void)
{
    put("x", "text");
    int in = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    int out = (int)OK(open("x", O_WRONLY | O_CLOEXEC));
    const int rw = PROT_READ | PROT_WRITE;

    FAILS(EACCES, mmap(NULL, 4, PROT_READ, MAP_SHARED, out, 0) == MAP_FAILED ? -1 : 0);
    FAILS(EACCES, mmap(NULL, 4, PROT_WRITE, MAP_SHARED, out, 0) == MAP_FAILED ? -1 : 0);
    FAILS(EACCES, mmap(NULL, 4, rw, MAP_SHARED, in, 0) == MAP_FAILED ? -1 : 0);
    OK(mmap(NULL, 4, rw, MAP_PRIVATE, in, 0) == MAP_FAILED ? -1 : 0);
    FAILS(EINVAL, mmap(NULL, 0, PROT_READ, MAP_SHARED, in, 0) == MAP_FAILED ? -1 : 0);
    FAILS(EINVAL, mmap(NULL, 4, PROT_READ, MAP_SHARED, in, 100) == MAP_FAILED ? -1 : 0);
    void *map = mmap(NULL, 4, PROT_READ, MAP_SHARED, in, 0);
    FAILS(EACCES, mprotect(map, 4, rw));
}

static void two_processes(void)
{
    int fd = pattern_file();
    volatile uint8_t *map = map_of(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);

    if (in_child()) {
        int again = (int)OK(open("x", O_RDWR | O_CLOEXEC));
        volatile uint8_t *other = map_of(again, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
        other[7000] = 200;
        done();
    }
    SAME(map[7000], 200);
}

static void unlinked_file(void)
{
    int fd = pattern_file();
    uint8_t *map = map_of(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);

    OK(unlink("x"));
    OK(close(fd));
    map[0] = 42;
    OK(msync(map, SIZE, MS_SYNC));
    SAME(map[0], 42);
    SAME(map[SIZE - 1], pattern_at(SIZE - 1));
}

static void hole_punched_under_it(void)
{
    int fd = pattern_file();
    uint8_t *map = map_of(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);

    map[PAGE] = 9;
    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE));
    SAME(map[PAGE], 0);
    SAME(map[PAGE - 1], pattern_at(PAGE - 1));
    SAME(map[3 * PAGE], pattern_at(3 * PAGE));
    map[PAGE + 1] = 8;
    OK(msync(map, SIZE, MS_SYNC));
    reread(fd);
    uint8_t c;
    SAME(pread(fd, &c, 1, PAGE + 1), 1);
    SAME(c, 8);
}

static void direct_write_under_it(void)
{
    uint8_t *page = aligned_alloc(PAGE, PAGE);
    int fd = pattern_file();
    uint8_t *map = map_of(fd, SIZE, PROT_READ, MAP_SHARED);

    HOLDS(page != NULL);
    SAME(map[PAGE], pattern_at(PAGE));
    memset(page, 0, PAGE);
    int direct = (int)OK(open("x", O_WRONLY | O_DIRECT | O_CLOEXEC));
    SAME(pwrite(direct, page, PAGE, PAGE), PAGE);
    SAME(map[PAGE], 0);
    SAME(map[PAGE - 1], pattern_at(PAGE - 1));
    free(page);
}

static void write_from_its_own_map(void)
{
    int fd = pattern_file();
    uint8_t *map = map_of(fd, SIZE, PROT_READ, MAP_SHARED);

    SAME(pwrite(fd, map, 2 * PAGE, SIZE), 2 * PAGE);
    uint8_t c;
    SAME(pread(fd, &c, 1, SIZE + 5000), 1);
    SAME(c, pattern_at(5000));
}

static void executable(void)
{
    put_bytes("x", PAGE);
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    uint8_t *map = map_of(fd, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE);
    SAME(map[0], pattern_at(0));
}

static void msync_errors(void)
{
    uint8_t *map = map_of(pattern_file(), SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);

    OK(msync(map, SIZE, MS_ASYNC));
    FAILS(EINVAL, msync(map + 1, PAGE, MS_SYNC));
    FAILS(EINVAL, msync(map, PAGE, MS_SYNC | MS_ASYNC));
    OK(munmap(map, SIZE));
    FAILS(ENOMEM, msync(map, SIZE, MS_SYNC));
}

static const struct suite_test tests[] = {
    TEST(reads_the_file),
    TEST(shared_writes_are_seen),
    TEST(shared_writes_without_msync),
    TEST(private_writes_are_not),
    TEST(filled_by_mapping_alone),
    TEST(tail_of_the_last_page),
    TEST(tail_when_the_file_grows),
    TEST(behind_the_end),
    TEST(access_modes),
    TEST(two_processes),
    TEST(unlinked_file),
    TEST(hole_punched_under_it),
    TEST(direct_write_under_it),
    TEST(write_from_its_own_map),
    TEST(executable),
    TEST(msync_errors),
};

void map_cases(void)
{
    suite_tests(tests, COUNT(tests));
}
