/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/seek.c - lseek(2) with SEEK_DATA and SEEK_HOLE.
 *
 * A file system may call holes data, but never data a hole: these cases state the latter and note the former.
 */
#include <stdio.h>

#include "suite.h"

enum { MIB = 1 << 20 };

static int new_file(void)
{
    return (int)OK(open("x", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
}

static void note_seek(int fd, off_t at, int whence)
{
    off_t to = lseek(fd, at, whence);

    if (to < 0)
        suite_note("%s at %lld: %s", whence == SEEK_DATA ? "data" : "hole", (long long)at,
                   suite_errno(errno));
    else
        suite_note("%s at %lld: %lld", whence == SEEK_DATA ? "data" : "hole", (long long)at,
                   (long long)to);
}

/* Every byte of [from, to) is reached as data. */
static void is_data(int fd, off_t from, off_t to)
{
    SAME(lseek(fd, from, SEEK_DATA), from);
    SAME(lseek(fd, to - 1, SEEK_DATA), to - 1);
    HOLDS(lseek(fd, from, SEEK_HOLE) >= to);
}

static void an_empty_file(void)
{
    int fd = new_file();

    FAILS(ENXIO, lseek(fd, 0, SEEK_DATA));
    FAILS(ENXIO, lseek(fd, 0, SEEK_HOLE));
    FAILS(ENXIO, lseek(fd, -1, SEEK_DATA));
}

static void a_full_file(void)
{
    int fd = new_file();

    put_pattern(fd, 0, 100000);
    is_data(fd, 0, 100000);
    SAME(lseek(fd, 0, SEEK_HOLE), 100000);
    SAME(lseek(fd, 99999, SEEK_HOLE), 100000);
    FAILS(ENXIO, lseek(fd, 100000, SEEK_HOLE));
    FAILS(ENXIO, lseek(fd, 100000, SEEK_DATA));
    FAILS(ENXIO, lseek(fd, 200000, SEEK_DATA));
}

static void only_a_hole(void)
{
    int fd = new_file();

    OK(ftruncate(fd, MIB));
    note_seek(fd, 0, SEEK_DATA);
    note_seek(fd, 0, SEEK_HOLE);
}

static void a_hole_in_the_middle(void)
{
    int fd = new_file();

    put_pattern(fd, 0, 4096);
    put_pattern(fd, MIB, 4096);
    is_data(fd, 0, 4096);
    is_data(fd, MIB, MIB + 4096);
    note_seek(fd, 0, SEEK_HOLE);
    note_seek(fd, 8192, SEEK_DATA);
}

static void a_punched_hole(void)
{
    int fd = new_file();

    put_pattern(fd, 0, MIB);
    OK(fsync(fd));
    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 262144, 262144));
    is_data(fd, 0, 262144);
    is_data(fd, 524288, MIB);
    note_seek(fd, 0, SEEK_HOLE);
    note_seek(fd, 262144, SEEK_DATA);
}

/* Data that only the page cache knows is data. */
static void data_in_a_hole_not_yet_written_back(void)
{
    int fd = new_file();

    OK(ftruncate(fd, MIB));
    OK(fsync(fd));
    put_pattern(fd, 500000, 100);
    is_data(fd, 500000, 500100);
    put_pattern(fd, MIB - 10, 10);
    is_data(fd, MIB - 10, MIB);
}

static void after_reading_it_anew(void)
{
    int fd = new_file();

    put_pattern(fd, 500000, 100);
    reread(fd);
    is_data(fd, 500000, 500100);
    note_seek(fd, 0, SEEK_DATA);
}

static const struct suite_test tests[] = {
    TEST(an_empty_file),         TEST(a_full_file),    TEST(only_a_hole),
    TEST(a_hole_in_the_middle),  TEST(a_punched_hole), TEST(data_in_a_hole_not_yet_written_back),
    TEST(after_reading_it_anew),
};

void seek_cases(void)
{
    suite_tests(tests, COUNT(tests));
}
