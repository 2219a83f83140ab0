/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/direct.c - O_DIRECT: what it reads and writes, and that it agrees with the page cache.
 */
#include "suite.h"

enum { PAGE = 4096, ROOM = 64 * PAGE };

static uint8_t *room(void)
{
    uint8_t *bytes = aligned_alloc(PAGE, ROOM);

    HOLDS(bytes != NULL);
    memset(bytes, 0, ROOM);
    return bytes;
}

static void fill(uint8_t *bytes, uint64_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern_at(at + i);
}

static void is_pattern(const uint8_t *bytes, uint64_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        SAME(bytes[i], pattern_at(at + i));
}

static int direct(int flags)
{
    return (int)OK(open("x", O_DIRECT | O_CLOEXEC | flags, 0644));
}

static const struct span {
    uint64_t at;
    size_t len;
} spans[] = {
    {0, PAGE},
    {PAGE, PAGE},
    {0, ROOM},
    {3 * PAGE, 7 * PAGE},
    {512, 512},
    {3584, 512},
    {3584, 3584},
    {1024, 5 * 512},
    {7 * PAGE, 9 * PAGE},
    {1 << 30, PAGE},
    {4294967296 - PAGE, 2 * PAGE},
};

static void direct_write_direct_read(const void *row)
{
    const struct span *s = row;
    uint8_t *bytes = room();
    int fd = direct(O_RDWR | O_CREAT);

    fill(bytes, s->at, s->len);
    SAME(pwrite(fd, bytes, s->len, (off_t)s->at), s->len);
    SAME(stat_of_fd(fd).st_size, s->at + s->len);
    memset(bytes, 0, s->len);
    SAME(pread(fd, bytes, s->len, (off_t)s->at), s->len);
    is_pattern(bytes, s->at, s->len);
    int plain = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    holds_pattern(plain, s->at, s->len);
    reread(plain);
    holds_pattern(plain, s->at, s->len);
    holds_zeros(plain, 0, s->at < ROOM ? (size_t)s->at : ROOM);
    free(bytes);
}

static void plain_write_direct_read(const void *row)
{
    const struct span *s = row;
    uint8_t *bytes = room();
    int plain = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644)), fd = direct(O_RDWR);

    put_pattern(plain, s->at, s->len);
    SAME(pread(fd, bytes, s->len, (off_t)s->at), s->len);
    is_pattern(bytes, s->at, s->len);
    free(bytes);
}

/* A direct write must show in pages that were read before. */
static void direct_write_plain_read(const void *row)
{
    const struct span *s = row;
    uint8_t *bytes = room();
    int plain = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644)), fd = direct(O_RDWR);

    OK(ftruncate(plain, (off_t)(s->at + s->len)));
    holds_zeros(plain, s->at, s->len);
    fill(bytes, s->at, s->len);
    SAME(pwrite(fd, bytes, s->len, (off_t)s->at), s->len);
    holds_pattern(plain, s->at, s->len);
    free(bytes);
}

static void end_of_the_file(void)
{
    uint8_t *bytes = room();

    put_bytes("x", 5000);
    int fd = direct(O_RDONLY);
    SAME(pread(fd, bytes, 2 * PAGE, 0), 5000);
    is_pattern(bytes, 0, 5000);
    SAME(pread(fd, bytes, PAGE, PAGE), 904);
    SAME(pread(fd, bytes, PAGE, 2 * PAGE), 0);
    free(bytes);
}

static void unaligned(void)
{
    uint8_t *bytes = room();

    put_bytes("x", 3 * PAGE);
    int fd = direct(O_RDWR);
    ssize_t n = pread(fd, bytes, 100, 7);
    suite_note("a read of 100 bytes at 7: %s", suite_errno(n < 0 ? errno : 0));
    if (n > 0)
        is_pattern(bytes, 7, (size_t)n);
    fill(bytes, 7, 100);
    n = pwrite(fd, bytes, 100, 7);
    suite_note("such a write: %s", suite_errno(n < 0 ? errno : 0));
    n = pread(fd, bytes + 1, PAGE, 0);
    suite_note("into unaligned memory: %s", suite_errno(n < 0 ? errno : 0));
    int plain = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    holds_pattern(plain, 0, 3 * PAGE);
    free(bytes);
}

static void append(void)
{
    uint8_t *bytes = room();
    int fd = direct(O_WRONLY | O_CREAT | O_APPEND);

    for (unsigned i = 0; i < 5; i++) {
        fill(bytes, (uint64_t)i * PAGE, PAGE);
        SAME(write(fd, bytes, PAGE), PAGE);
    }
    int plain = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    SAME(stat_of("x").st_size, 5 * PAGE);
    holds_pattern(plain, 0, 5 * PAGE);
    free(bytes);
}

static void set_and_cleared(void)
{
    uint8_t *bytes = room();

    put_bytes("x", 2 * PAGE);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    OK(fcntl(fd, F_SETFL, O_DIRECT));
    SAME(pread(fd, bytes, PAGE, 0), PAGE);
    is_pattern(bytes, 0, PAGE);
    OK(fcntl(fd, F_SETFL, 0));
    SAME(pread(fd, bytes, 100, 7), 100);
    is_pattern(bytes, 7, 100);
    free(bytes);
}

static void parallel_writers(void)
{
    enum { WRITERS = 4, PAGES = 50 };

    int fd = direct(O_RDWR | O_CREAT);
    for (unsigned w = 0; w < WRITERS; w++) {
        if (fork() == 0) {
            uint8_t *bytes = room();
            for (unsigned i = w; i < WRITERS * PAGES; i += WRITERS) {
                fill(bytes, (uint64_t)i * PAGE, PAGE);
                SAME(pwrite(fd, bytes, PAGE, (off_t)i * PAGE), PAGE);
            }
            done();
        }
    }
    wait_for_children();
    int plain = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    SAME(stat_of("x").st_size, WRITERS * PAGES * PAGE);
    holds_pattern(plain, 0, WRITERS * PAGES * PAGE);
}

static const struct suite_test tests[] = {
    TEST(end_of_the_file), TEST(unaligned),        TEST(append),
    TEST(set_and_cleared), TEST(parallel_writers),
};

void direct_cases(void)
{
    for (size_t i = 0; i < COUNT(spans); i++) {
        unsigned long long at = spans[i].at;
        size_t len = spans[i].len;

        suite_case(direct_write_direct_read, &spans[i], "write_and_read__%zu_bytes_at_%llu", len,
                   at);
        suite_case(plain_write_direct_read, &spans[i], "plain_write__%zu_bytes_at_%llu", len, at);
        suite_case(direct_write_plain_read, &spans[i], "plain_read__%zu_bytes_at_%llu", len, at);
    }
    suite_tests(tests, COUNT(tests));
}
