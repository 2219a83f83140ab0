/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/fallocate.c - fallocate(2): every mode, and what is left of the file.
 */
#include <linux/falloc.h>
#include <stdio.h>

#include "suite.h"

enum {
    SIZE = 30000,
    KEEP = FALLOC_FL_KEEP_SIZE,
    PUNCH = FALLOC_FL_PUNCH_HOLE,
    ZERO = FALLOC_FL_ZERO_RANGE,
    COLLAPSE = FALLOC_FL_COLLAPSE_RANGE,
    INSERT = FALLOC_FL_INSERT_RANGE,
    UNSHARE = FALLOC_FL_UNSHARE_RANGE
};

static const struct mode_row {
    const char *name;
    int mode;
    bool is_zeroing, may_grow;
} mode_rows[] = {
    {"allocate", 0, false, true},
    {"keep_size", KEEP, false, false},
    {"punch_hole", PUNCH | KEEP, true, false},
    {"zero_range", ZERO, true, true},
    {"zero_range_keep_size", ZERO | KEEP, true, false},
};

static const struct range {
    uint64_t at, len;
} ranges[] = {
    {0, 1},        {0, SIZE},    {0, 4096},         {4096, 4096},   {100, 200},
    {3583, 2},     {3584, 3584}, {3585, 7000},      {1, SIZE - 2},  {SIZE - 1, 1},
    {SIZE - 1, 2}, {SIZE, 1},    {SIZE + 5000, 10}, {20000, 20000}, {28672, 2000},
    {7168, 14336}, {0, 100000},  {8192, 100000},
};

struct fallocate_case {
    const struct mode_row *mode;
    const struct range *range;
};

static void contents_after(const void *row)
{
    const struct fallocate_case *c = row;
    uint64_t at = c->range->at, end = at + c->range->len;
    uint64_t size = c->mode->may_grow && end > SIZE ? end : SIZE;
    size_t before = at < SIZE ? (size_t)at : SIZE;

    put_bytes("x", SIZE);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    OK(fallocate(fd, c->mode->mode, (off_t)at, (off_t)c->range->len));
    for (int round = 0; round < 2; round++) {
        SAME(stat_of_fd(fd).st_size, size);
        holds_pattern(fd, 0, c->mode->is_zeroing ? before : SIZE);
        if (c->mode->is_zeroing && end < SIZE) {
            holds_zeros(fd, at, (size_t)c->range->len);
            holds_pattern(fd, end, (size_t)(SIZE - end));
        } else if (c->mode->is_zeroing) {
            holds_zeros(fd, before, SIZE - before);
        }
        holds_zeros(fd, SIZE, (size_t)(size - SIZE));
        reread(fd);
    }
    put_pattern(fd, 0, SIZE);
    holds_pattern(fd, 0, SIZE);
}

static void of_an_empty_file(const void *row)
{
    const struct mode_row *m = row;
    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    OK(fallocate(fd, m->mode, 0, 10000));
    SAME(stat_of_fd(fd).st_size, m->may_grow ? 10000 : 0);
    reread(fd);
    holds_zeros(fd, 0, m->may_grow ? 10000 : 0);
    put_pattern(fd, 5000, 100);
    holds_zeros(fd, 0, 5000);
    holds_pattern(fd, 5000, 100);
}

static void arguments(const void *row)
{
    const struct mode_row *m = row;
    int ends[2];

    put("x", "text");
    OK(mkfifo("fifo", 0644));
    int in = (int)OK(open("x", O_RDONLY | O_CLOEXEC)), fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    int d = (int)OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int fifo = (int)OK(open("fifo", O_RDWR | O_CLOEXEC));
    int append = (int)OK(open("x", O_WRONLY | O_APPEND | O_CLOEXEC));
    OK(pipe2(ends, O_CLOEXEC));
    FAILS(EBADF, fallocate(in, m->mode, 0, 1));
    FAILS(EINVAL, fallocate(fd, m->mode, 0, 0));
    FAILS(EINVAL, fallocate(fd, m->mode, 0, -1));
    FAILS(EINVAL, fallocate(fd, m->mode, -1, 10));
    FAILS(EFBIG, fallocate(fd, m->mode, INT64_MAX - 5, 10));
    FAILS(EBADF, fallocate(d, m->mode, 0, 1));
    FAILS(ESPIPE, fallocate(fifo, m->mode, 0, 1));
    FAILS(ESPIPE, fallocate(ends[1], m->mode, 0, 1));
    OK(fallocate(append, m->mode, 0, 1));
}

static const struct other_row {
    const char *name;
    int mode;
} others[] = {
    {"punch_hole_alone", PUNCH},  {"punch_and_zero", PUNCH | ZERO | KEEP},
    {"collapse_range", COLLAPSE}, {"collapse_range_keep_size", COLLAPSE | KEEP},
    {"insert_range", INSERT},     {"unshare_range", UNSHARE},
    {"an_unknown_mode", 0x1000},
};

static void other_mode(const void *row)
{
    const struct other_row *o = row;

    put_bytes("x", 40960);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    int rc = fallocate(fd, o->mode, 4096, 8192);
    suite_note("%s", suite_errno(rc == 0 ? 0 : errno));
    if (rc != 0)
        holds_pattern(fd, 0, 40960);
}

static void space_is_reserved_and_given_back(void)
{
    enum { MANY = 4 << 20 };
    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    OK(fallocate(fd, KEEP, 0, MANY));
    HOLDS(stat_of_fd(fd).st_blocks * 512 >= MANY);
    SAME(stat_of_fd(fd).st_size, 0);
    OK(ftruncate(fd, 0));
    OK(fsync(fd));
    suite_note("truncation to the same size keeps the reservation: %s",
               stat_of_fd(fd).st_blocks * 512 >= MANY ? "yes" : "no");
    put_pattern(fd, 0, MANY);
    OK(fsync(fd));
    OK(fallocate(fd, PUNCH | KEEP, 0, MANY - 8192));
    OK(fsync(fd));
    HOLDS(stat_of_fd(fd).st_blocks * 512 < MANY / 4);
    OK(ftruncate(fd, 0));
    OK(fsync(fd));
    HOLDS(stat_of_fd(fd).st_blocks * 512 < 65536);
}

static void posix_fallocate_grows(void)
{
    put("x", "text");
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    SAME(posix_fallocate(fd, 2, 100000), 0);
    SAME(stat_of_fd(fd).st_size, 100002);
    holds_zeros(fd, 4, 99998);
    SAME(posix_fallocate(fd, 0, 0), EINVAL);
}

static void more_than_there_is(void)
{
    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    FAILS(ENOSPC, fallocate(fd, 0, 0, (off_t)8 << 40));
    HOLDS(stat_of_fd(fd).st_size < (off_t)8 << 40);
}

/* Pages that are not yet written back must be gone from under a hole, too. */
static void punched_while_dirty(void)
{
    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    for (int round = 0; round < 20; round++) {
        put_pattern(fd, 0, SIZE);
        OK(fallocate(fd, PUNCH | KEEP, 5000, 10000));
        holds_pattern(fd, 0, 5000);
        holds_zeros(fd, 5000, 10000);
        holds_pattern(fd, 15000, SIZE - 15000);
    }
    reread(fd);
    holds_zeros(fd, 5000, 10000);
    holds_pattern(fd, 15000, SIZE - 15000);
}

static const struct suite_test tests[] = {
    TEST(space_is_reserved_and_given_back),
    TEST(posix_fallocate_grows),
    TEST(more_than_there_is),
    TEST(punched_while_dirty),
};

void fallocate_cases(void)
{
    for (size_t i = 0; i < COUNT(mode_rows); i++) {
        const struct mode_row *m = &mode_rows[i];

        for (size_t k = 0; k < COUNT(ranges); k++) {
            struct fallocate_case c = {m, &ranges[k]};
            suite_case(contents_after, &c, "%s__%llu_bytes_at_%llu", m->name,
                       (unsigned long long)ranges[k].len, (unsigned long long)ranges[k].at);
        }
        suite_case(of_an_empty_file, m, "%s__of_an_empty_file", m->name);
        suite_case(arguments, m, "%s__bad_arguments", m->name);
    }
    for (size_t i = 0; i < COUNT(others); i++)
        suite_case(other_mode, &others[i], "%s", others[i].name);
    suite_tests(tests, COUNT(tests));
}
