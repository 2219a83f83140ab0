/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/copy.c - copy_file_range(2).
 */
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "suite.h"

enum { SIZE = 50000 };

static const struct span {
    off_t from, to;
    size_t len;
} spans[] = {
    {0, 0, SIZE},    {0, 4096, 4096}, {4096, 0, 4096}, {1, 2, 30000},
    {3583, 3584, 2}, {49999, 0, 1},   {0, 100000, 10}, {10, 10, 49990},
};

/* All of it: a copy may be short. */
static void copy(int in, off_t from, int out, off_t to, size_t len)
{
    off_t at_in = from, at_out = to;

    while (len > 0) {
        long n = OK(copy_file_range(in, &at_in, out, &at_out, len, 0));
        HOLDS(n > 0);
        len -= (size_t)n;
    }
    SAME(at_in - from, at_out - to);
}

static void bytes_are_copied(const void *row)
{
    const struct span *s = row;
    uint8_t *bytes = malloc(s->len);

    HOLDS(bytes != NULL);
    put_bytes("from", SIZE);
    int in = (int)OK(open("from", O_RDONLY | O_CLOEXEC));
    int out = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    copy(in, s->from, out, s->to, s->len);
    SAME(stat_of_fd(out).st_size, s->to + (off_t)s->len);
    reread(out);
    SAME(pread(out, bytes, s->len, s->to), s->len);
    for (size_t i = 0; i < s->len; i++)
        SAME(bytes[i], pattern_at((uint64_t)s->from + i));
    holds_zeros(out, 0, (size_t)s->to);
    SAME(lseek(in, 0, SEEK_CUR), 0);
    free(bytes);
}

static void within_one_file(void)
{
    put_bytes("x", SIZE);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    copy(fd, 0, fd, SIZE, SIZE);
    SAME(stat_of_fd(fd).st_size, 2 * SIZE);
    holds_pattern(fd, 0, SIZE);
    off_t from = 0, to = 100;
    FAILS(EINVAL, copy_file_range(fd, &from, fd, &to, 200, 0));
    to = 100;
    from = 200;
    FAILS(EINVAL, copy_file_range(fd, &from, fd, &to, 200, 0));
}

static void positions_move(void)
{
    put_bytes("from", 100);
    int in = (int)OK(open("from", O_RDONLY | O_CLOEXEC));
    int out = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    SAME(copy_file_range(in, NULL, out, NULL, 60, 0), 60);
    SAME(lseek(in, 0, SEEK_CUR), 60);
    SAME(lseek(out, 0, SEEK_CUR), 60);
    SAME(copy_file_range(in, NULL, out, NULL, 60, 0), 40);
    SAME(copy_file_range(in, NULL, out, NULL, 60, 0), 0);
    holds_pattern(out, 0, 100);
}

static void refused(void)
{
    put_bytes("from", 100);
    put_bytes("x", 100);
    OK(mkfifo("fifo", 0644));
    int in = (int)OK(open("from", O_RDONLY | O_CLOEXEC));
    int out = (int)OK(open("x", O_WRONLY | O_CLOEXEC));
    int append = (int)OK(open("x", O_WRONLY | O_APPEND | O_CLOEXEC));
    int d = (int)OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int fifo = (int)OK(open("fifo", O_RDWR | O_CLOEXEC));
    FAILS(EINVAL, copy_file_range(in, NULL, out, NULL, 10, 1));
    FAILS(EBADF, copy_file_range(in, NULL, in, NULL, 10, 0));
    FAILS(EBADF, copy_file_range(out, NULL, out, NULL, 10, 0));
    FAILS(EBADF, copy_file_range(in, NULL, append, NULL, 10, 0));
    FAILS(EISDIR, copy_file_range(d, NULL, out, NULL, 10, 0));
    FAILS(EINVAL, copy_file_range(fifo, NULL, out, NULL, 10, 0));
    SAME(stat_of("x").st_size, 100);
}

static void what_is_not_yet_written_back(void)
{
    int in = (int)OK(open("from", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    int out = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    for (uint64_t i = 0; i < 20; i++) {
        put_pattern(in, i * 1000, 1000);
        copy(in, (off_t)i * 1000, out, (off_t)i * 1000, 1000);
    }
    holds_pattern(out, 0, 20000);
}

static void clone(void)
{
    put_bytes("from", 8192);
    int in = (int)OK(open("from", O_RDONLY | O_CLOEXEC));
    int out = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    FAILS(EOPNOTSUPP, ioctl(out, FICLONE, in));
    SAME(stat_of_fd(out).st_size, 0);
}

static const struct suite_test tests[] = {
    TEST(within_one_file), TEST(positions_move), TEST(refused), TEST(what_is_not_yet_written_back),
    TEST(clone),
};

void copy_cases(void)
{
    for (size_t i = 0; i < COUNT(spans); i++)
        suite_case(bytes_are_copied, &spans[i], "%zu_bytes_from_%lld_to_%lld", spans[i].len,
                   (long long)spans[i].from, (long long)spans[i].to);
    suite_tests(tests, COUNT(tests));
}
