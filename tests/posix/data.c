/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/data.c - reading, writing, truncating and syncing.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "suite.h"

/* The compiler must not see that these are wrong. */
static void *volatile nowhere = (void *)1;
static volatile int minus_one = -1;

static int new_file(void)
{
    return (int)OK(open("x", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
}

/* Around the edges of blocks and pages: 3584, 4032 and 4096 bytes. */
static const struct piece {
    uint64_t at;
    size_t len;
} pieces[] = {
    {0, 1},       {0, 3583},    {0, 3584},        {0, 3585},        {0, 4031},      {0, 4032},
    {0, 4033},    {0, 4095},    {0, 4096},        {0, 4097},        {1, 1},         {3583, 2},
    {3584, 1},    {4095, 2},    {100, 10000},     {7167, 7170},     {4096, 131072}, {1, 1048577},
    {65535, 777}, {999999, 99}, {4294967290, 20}, {2147483640, 20},
};

static void write_and_read(const void *row)
{
    const struct piece *p = row;
    int fd = new_file();

    put_pattern(fd, p->at, p->len);
    SAME(stat_of_fd(fd).st_size, p->at + p->len);
    holds_pattern(fd, p->at, p->len);
    reread(fd);
    SAME(stat_of_fd(fd).st_size, p->at + p->len);
    holds_pattern(fd, p->at, p->len);
    holds_zeros(fd, 0, p->at < 8192 ? (size_t)p->at : 8192);
    if (p->at > 4096)
        holds_zeros(fd, p->at - 4096, 4096);
}

static void overwrite(const void *row)
{
    const struct piece *p = row;
    enum { SIZE = 20000 };

    put_bytes("x", SIZE);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    char *zeros = calloc(1, p->len);
    SAME(pwrite(fd, zeros, p->len, (off_t)p->at), p->len);
    free(zeros);
    reread(fd);
    holds_pattern(fd, 0, (size_t)p->at);
    holds_zeros(fd, p->at, p->len);
    holds_pattern(fd, p->at + p->len, SIZE - (size_t)p->at - p->len);
    SAME(stat_of_fd(fd).st_size, SIZE);
}

static void truncate_to(const void *row)
{
    const struct piece *p = row; /* to the start of the piece, then to its end */
    enum { SIZE = 30000 };
    size_t kept = p->at < SIZE ? (size_t)p->at : SIZE;
    uint64_t end = p->at + p->len;

    put_bytes("x", SIZE);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    OK(ftruncate(fd, (off_t)p->at));
    SAME(stat_of_fd(fd).st_size, p->at);
    OK(ftruncate(fd, (off_t)end));
    SAME(stat_of_fd(fd).st_size, end);
    holds_pattern(fd, 0, kept);
    holds_zeros(fd, end - p->len, p->len);
    reread(fd);
    SAME(stat_of_fd(fd).st_size, end);
    holds_pattern(fd, 0, kept);
    holds_zeros(fd, end - p->len, p->len);
}

static void reading_at_the_end(void)
{
    char got[16];

    put("x", "text");
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    SAME(pread(fd, got, 16, 2), 2);
    SAME(pread(fd, got, 16, 4), 0);
    SAME(pread(fd, got, 16, 1 << 20), 0);
    SAME(read(fd, got, 0), 0);
    SAME(lseek(fd, 0, SEEK_CUR), 0);
    FAILS(EINVAL, pread(fd, got, 1, -1));
    FAILS(EFAULT, read(fd, nowhere, 4));
}

static void nothing_is_written(void)
{
    int fd = new_file();

    SAME(pwrite(fd, "", 0, 5000), 0);
    SAME(stat_of_fd(fd).st_size, 0);
    FAILS(EINVAL, pwrite(fd, "x", 1, -1));
    FAILS(EFAULT, write(fd, nowhere, 4));
    SAME(stat_of_fd(fd).st_size, 0);
}

static void vectors(void)
{
    char a[3] = "abc", b[5000], c[2] = "yz", got[5005];
    const struct iovec out[3] = {{a, 3}, {b, sizeof b}, {c, 2}};
    const struct iovec in[2] = {{got, 1}, {got + 1, sizeof got - 1}};

    memset(b, 'b', sizeof b);
    int fd = new_file();
    SAME(writev(fd, out, 3), 5005);
    SAME(preadv(fd, in, 2, 0), 5005);
    HOLDS(memcmp(got, "abcb", 4) == 0 && memcmp(got + 5002, "byz", 3) == 0);
    SAME(pwritev2(fd, out, 1, -1, RWF_APPEND), 3);
    SAME(stat_of_fd(fd).st_size, 5008);
    SAME(pwritev2(fd, out, 1, 0, RWF_DSYNC), 3);
    FAILS(EINVAL, writev(fd, out, minus_one));
}

static void large_write(void)
{
    enum { SIZE = 9 * 1024 * 1024 + 77 };
    int fd = new_file();

    put_pattern(fd, 13, SIZE);
    reread(fd);
    holds_pattern(fd, 13, SIZE);
}

static void positions(void)
{
    put("x", "text");
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    SAME(lseek(fd, 2, SEEK_END), 6);
    FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
    FAILS(EINVAL, lseek(fd, 0, 99));
    SAME(lseek(fd, 0, SEEK_CUR), 6);
    SAME(write(fd, "!", 1), 1);
    SAME(stat_of_fd(fd).st_size, 7);
    holds_zeros(fd, 4, 2);
    int copy = (int)OK(dup(fd));
    OK(lseek(copy, 1, SEEK_SET));
    SAME(lseek(fd, 0, SEEK_CUR), 1);
}

static void truncate_errors(void)
{
    put("x", "text");
    OK(mkdir("d", 0755));
    OK(mkfifo("fifo", 0644));
    FAILS(EINVAL, truncate("x", -1));
    FAILS(EISDIR, truncate("d", 0));
    FAILS(EINVAL, truncate("fifo", 0));
    SAME(stat_of("x").st_size, 4);
    OK(chown("x", USER_A, GROUP_A));
    if (become(USER_B, GROUP_B)) {
        FAILS(EACCES, truncate("x", 0));
        done();
    }
}

/* The largest size by doubling, then by halves. */
static void largest_size(void)
{
    int fd = new_file();
    uint64_t low = 0, high = 1ULL << 62;

    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        if (ftruncate(fd, (off_t)middle) == 0)
            low = middle;
        else if (errno == EFBIG)
            high = middle;
        else
            suite_fail(__FILE__, __LINE__, "truncation to %llu: %s", (unsigned long long)middle,
                       suite_errno(errno));
        OK(ftruncate(fd, 0));
    }
    suite_note("%llu bytes", (unsigned long long)low);
    HOLDS(low >= 8ULL << 40);
}

static void write_beyond_the_largest_size(void)
{
    int fd = new_file();

    FAILS(EFBIG, ftruncate(fd, (off_t)(1ULL << 60)));
    SAME(stat_of_fd(fd).st_size, 0);
    int rc = (int)pwrite(fd, "x", 1, (off_t)(1ULL << 62));
    if (rc < 0) {
        suite_note("write: %s", suite_errno(errno));
        return;
    }
    FAILS(EFBIG, fsync(fd));
    suite_note("fsync: EFBIG");
    syncfs(fd); /* the next one to call it is not to hear of this */
}

static void limit_of_the_process(void)
{
    const struct rlimit limit = {10000, 10000};

    int fd = new_file();
    if (in_child()) {
        OK(signal(SIGXFSZ, SIG_IGN) == SIG_ERR ? -1 : 0);
        OK(setrlimit(RLIMIT_FSIZE, &limit));
        put_pattern(fd, 0, 9990);
        char bytes[20] = {0};
        SAME(pwrite(fd, bytes, 20, 9990), 10);
        FAILS(EFBIG, pwrite(fd, bytes, 20, 10000));
        FAILS(EFBIG, ftruncate(fd, 10001));
        FAILS(EFBIG, fallocate(fd, 0, 0, 10001));
        OK(ftruncate(fd, 10000));
        done();
    }
    SAME(stat_of("x").st_size, 10000);
}

static void syncing(void)
{
    int fd = new_file(), d = (int)OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    put_pattern(fd, 0, 10000);
    OK(fsync(fd));
    OK(fdatasync(fd));
    OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
    OK(syncfs(fd));
    OK(fsync(d));
    OK(fdatasync(d));
    int in = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    OK(fsync(in));
    int path = (int)OK(open("x", O_PATH | O_CLOEXEC));
    FAILS(EBADF, fsync(path));
}

static void synchronous_descriptors(void)
{
    static const int flags[] = {O_SYNC, O_DSYNC, O_SYNC | O_APPEND, O_RSYNC};

    for (size_t i = 0; i < COUNT(flags); i++) {
        int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags[i], 0644));
        put_pattern(fd, 0, 5000);
        holds_pattern(fd, 0, 5000);
        OK(close(fd));
    }
}

static void advice(void)
{
    static const int advices[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                  POSIX_FADV_WILLNEED, POSIX_FADV_NOREUSE,    POSIX_FADV_DONTNEED};

    put_bytes("x", 100000);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    for (size_t i = 0; i < COUNT(advices); i++)
        SAME(posix_fadvise(fd, 0, 0, advices[i]), 0);
    OK(readahead(fd, 0, 100000));
    holds_pattern(fd, 0, 100000);
}

enum { ROUNDS = 300, SIZE_OF_ROUND = 3000 };

static void write_or_read_in_rounds(int fd, uint64_t at, bool is_writer)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (is_writer)
            put_pattern(fd, at, SIZE_OF_ROUND);
        holds_pattern(fd, at, SIZE_OF_ROUND);
    }
}

static void two_writers_two_readers(void)
{
    int fd = new_file();

    put_pattern(fd, 0, 4 * SIZE_OF_ROUND);
    for (uint64_t w = 0; w < 4; w++) {
        if (fork() == 0) {
            write_or_read_in_rounds(fd, w * SIZE_OF_ROUND, w % 2);
            done();
        }
    }
    wait_for_children();
    holds_pattern(fd, 0, 4 * SIZE_OF_ROUND);
}

static void send_from(void)
{
    off_t at = 3;

    put_bytes("from", 10000);
    int in = (int)OK(open("from", O_RDONLY | O_CLOEXEC)), out = new_file();
    SAME(sendfile(out, in, &at, 20000), 9997);
    SAME(at, 10000);
    SAME(stat_of_fd(out).st_size, 9997);
    uint8_t c;
    SAME(pread(out, &c, 1, 0), 1);
    SAME(c, pattern_at(3));
}

static void splice_both_ways(void)
{
    int ends[2], out = new_file();

    put_bytes("from", 5000);
    int in = (int)OK(open("from", O_RDONLY | O_CLOEXEC));
    OK(pipe2(ends, O_CLOEXEC));
    for (long left = 5000; left > 0;) {
        long n = OK(splice(in, NULL, ends[1], NULL, (size_t)left, 0));
        for (long part = n; part > 0;)
            part -= OK(splice(ends[0], NULL, out, NULL, (size_t)part, 0));
        left -= n;
    }
    holds_pattern(out, 0, 5000);
}

static void directories_are_not_read(void)
{
    char got[16];
    int d = (int)OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    FAILS(EISDIR, read(d, got, sizeof got));
    FAILS(EISDIR, pread(d, got, sizeof got, 0));
    FAILS(EBADF, write(d, got, 1));
    FAILS(EINVAL, ftruncate(d, 0));
}

static void size_of_a_sparse_file(void)
{
    int fd = new_file();

    put_pattern(fd, 1 << 30, 10);
    OK(fsync(fd));
    struct stat st = stat_of_fd(fd);
    SAME(st.st_size, (1 << 30) + 10);
    HOLDS(st.st_blocks * 512 < 1 << 20);
    holds_zeros(fd, 1 << 29, 4096);
}

static const struct suite_test tests[] = {
    TEST(reading_at_the_end),
    TEST(nothing_is_written),
    TEST(vectors),
    TEST(large_write),
    TEST(positions),
    TEST(truncate_errors),
    TEST(largest_size),
    TEST(write_beyond_the_largest_size),
    TEST(limit_of_the_process),
    TEST(syncing),
    TEST(synchronous_descriptors),
    TEST(advice),
    TEST(two_writers_two_readers),
    TEST(send_from),
    TEST(splice_both_ways),
    TEST(directories_are_not_read),
    TEST(size_of_a_sparse_file),
};

void data_cases(void)
{
    for (size_t i = 0; i < COUNT(pieces); i++) {
        unsigned long long at = pieces[i].at;
        size_t len = pieces[i].len;

        suite_case(write_and_read, &pieces[i], "write__%zu_bytes_at_%llu", len, at);
        suite_case(truncate_to, &pieces[i], "truncate__to_%llu_and_%zu_more", at, len);
        if (at + len <= 20000)
            suite_case(overwrite, &pieces[i], "overwrite__%zu_bytes_at_%llu", len, at);
    }
    suite_tests(tests, COUNT(tests));
}
