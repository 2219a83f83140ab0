/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/fsx.c - random operations on one file, each compared with a model in memory.
 *
 *     fsx [-s SEED] [-n OPERATIONS] [-l LARGEST_SIZE] [-m MODEL_FILE] FILE
 *
 * The same seed makes the same operations. At a difference it prints the seed, what was found, and the operations that
 * led there, and ends with 1. With -m the model is written to a file at the end, so that FILE can be compared
 * once more after a remount. Anything but a difference that goes wrong ends it with 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rng.h"

enum {
    PAGE = 4096,
    SECTOR = 512,
    LOG_LINES = 60,
    LOG_BYTES = 100,
    LENGTH_MAX = 65536,
    SIZE_MAX_DEFAULT = 300000,
    OPERATIONS_DEFAULT = 10000,
};

struct fsx {
    const char *path, *model_path;
    uint64_t seed, operations, now;
    struct rng rng;
    int fd, direct; /* direct: -1 when the file system has none */
    uint8_t *model, *bytes;
    size_t size, size_max;
    char log[LOG_LINES][LOG_BYTES];
};

struct span {
    size_t at, len;
};

/* --- saying what went wrong --- */

static void __attribute__((format(printf, 2, 3))) note(struct fsx *x, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(x->log[x->now % LOG_LINES], LOG_BYTES, fmt, args);
    va_end(args);
}

static void print_log(const struct fsx *x)
{
    uint64_t first = x->now < LOG_LINES ? 0 : x->now - LOG_LINES + 1;

    for (uint64_t n = first; n <= x->now; n++)
        fprintf(stderr, "%9" PRIu64 " %s\n", n, x->log[n % LOG_LINES]);
    fprintf(stderr, "fsx: again with -s %" PRIu64 " -n %" PRIu64 " -l %zu\n", x->seed, x->now + 1,
            x->size_max);
}

static void write_model(const struct fsx *x)
{
    if (!x->model_path)
        return;
    FILE *f = fopen(x->model_path, "wbe");
    if (!f || fwrite(x->model, 1, x->size, f) != x->size || fclose(f) != 0) {
        fprintf(stderr, "fsx: %s: %s\n", x->model_path, strerror(errno));
        exit(2);
    }
}

static void __attribute__((noreturn)) end_with(const struct fsx *x, int status)
{
    print_log(x);
    write_model(x);
    exit(status);
}

static void die(const struct fsx *x, const char *call)
{
    fprintf(stderr, "fsx: %s: %s\n", call, strerror(errno));
    end_with(x, 2);
}

static void expect(const struct fsx *x, const char *call, int64_t got, int64_t want)
{
    if (got == want)
        return;
    if (got < 0)
        die(x, call);
    fprintf(stderr, "fsx: %s gave %" PRId64 ", not %" PRId64 "\n", call, got, want);
    end_with(x, 1);
}

/* What stands in x->bytes must be what the model has from at on. */
static void compare(const struct fsx *x, const char *call, size_t at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (x->bytes[i] == x->model[at + i])
            continue;
        fprintf(stderr, "fsx: %s: byte %zu is %02x, not %02x (of %zu at %zu, size %zu)\n", call,
                at + i, x->bytes[i], x->model[at + i], len, at, x->size);
        end_with(x, 1);
    }
}

static void check_size(const struct fsx *x)
{
    struct stat st;

    if (fstat(x->fd, &st) != 0)
        die(x, "fstat");
    expect(x, "the size by fstat", st.st_size, (int64_t)x->size);
}

/* --- choosing --- */

/* Often at an edge of the units that matter: sectors, payloads of blocks, pages. */
static size_t random_place(struct fsx *x, size_t below)
{
    static const size_t units[] = {SECTOR, 3584, 4032, PAGE};
    size_t at = rng_below(&x->rng, below);

    if (rng_below(&x->rng, 2) == 0)
        return at;
    size_t unit = units[rng_below(&x->rng, 4)];
    at = at / unit * unit + rng_below(&x->rng, 3);
    at -= at > 0;
    return at < below ? at : below - 1;
}

static size_t random_length(struct fsx *x)
{
    static const size_t most[] = {16, PAGE, 3 * PAGE, LENGTH_MAX};

    return 1 + random_place(x, most[rng_below(&x->rng, 4)]);
}

/* Somewhere below the largest size. */
static struct span random_span(struct fsx *x)
{
    size_t at = random_place(x, x->size_max), len = random_length(x);

    return (struct span){at, len < x->size_max - at ? len : x->size_max - at};
}

/* Within the file, which is not empty. */
static struct span random_span_within(struct fsx *x)
{
    size_t at = random_place(x, x->size), len = random_length(x);

    return (struct span){at, len < x->size - at ? len : x->size - at};
}

static struct span aligned(const struct fsx *x, struct span s)
{
    size_t end = (s.at + s.len + SECTOR - 1) / SECTOR * SECTOR,
           most = x->size_max / SECTOR * SECTOR;

    s.at = s.at / SECTOR * SECTOR;
    end = end < most ? end : most;
    return (struct span){s.at, end > s.at ? end - s.at : 0};
}

/* --- the model --- */

static void model_size(struct fsx *x, size_t size)
{
    if (size > x->size)
        memset(x->model + x->size, 0, size - x->size);
    x->size = size;
}

/* Bytes that tell which operation wrote them. */
static void model_write(struct fsx *x, struct span s)
{
    if (s.at + s.len > x->size)
        model_size(x, s.at + s.len);
    for (size_t i = 0; i < s.len; i++)
        x->model[s.at + i] = (uint8_t)(1 + (x->now * 7 + i) % 255);
}

/* --- operations: false when there is nothing to do --- */

static bool read_by(struct fsx *x, const char *call, int fd, struct span s)
{
    size_t want = s.at < x->size ? x->size - s.at : 0;

    note(x, "%s %zu at %zu", call, s.len, s.at);
    want = want < s.len ? want : s.len;
    expect(x, call, pread(fd, x->bytes, s.len, (off_t)s.at), (int64_t)want);
    compare(x, call, s.at, want);
    return true;
}

static bool write_by(struct fsx *x, const char *call, int fd, struct span s)
{
    note(x, "%s %zu at %zu (size %zu)", call, s.len, s.at, x->size);
    model_write(x, s);
    memcpy(x->bytes, x->model + s.at, s.len);
    expect(x, call, pwrite(fd, x->bytes, s.len, (off_t)s.at), (int64_t)s.len);
    return true;
}

static bool do_read(struct fsx *x)
{
    return read_by(x, "read", x->fd, random_span(x));
}

static bool do_write(struct fsx *x)
{
    return write_by(x, "write", x->fd, random_span(x));
}

static bool do_append(struct fsx *x)
{
    struct span s = {x->size, random_length(x)};

    return s.at + s.len <= x->size_max && write_by(x, "append", x->fd, s);
}

static bool do_direct_read(struct fsx *x)
{
    struct span s = aligned(x, random_span(x));

    return x->direct >= 0 && s.len > 0 && read_by(x, "direct_read", x->direct, s);
}

static bool do_direct_write(struct fsx *x)
{
    struct span s = aligned(x, random_span(x));

    return x->direct >= 0 && s.len > 0 && write_by(x, "direct_write", x->direct, s);
}

static uint8_t *map(struct fsx *x, struct span s, int prot)
{
    size_t slack = s.at % PAGE;
    uint8_t *area = mmap(NULL, slack + s.len, prot, MAP_SHARED, x->fd, (off_t)(s.at - slack));

    if (area == MAP_FAILED)
        die(x, "mmap");
    return area + slack;
}

static void unmap(struct fsx *x, uint8_t *at, struct span s)
{
    size_t slack = s.at % PAGE;

    if (munmap(at - slack, slack + s.len) != 0)
        die(x, "munmap");
}

static bool do_map_read(struct fsx *x)
{
    if (x->size == 0)
        return false;
    struct span s = random_span_within(x);
    note(x, "map_read %zu at %zu", s.len, s.at);
    uint8_t *area = map(x, s, PROT_READ);
    memcpy(x->bytes, area, s.len);
    unmap(x, area, s);
    compare(x, "map_read", s.at, s.len);
    return true;
}

static bool do_map_write(struct fsx *x)
{
    if (x->size == 0)
        return false;
    struct span s = random_span_within(x);
    bool is_synced = rng_below(&x->rng, 8) == 0;
    note(x, "map_write %zu at %zu%s", s.len, s.at, is_synced ? ", msync" : "");
    uint8_t *area = map(x, s, PROT_READ | PROT_WRITE);
    model_write(x, s);
    memcpy(area, x->model + s.at, s.len);
    size_t slack = s.at % PAGE;
    if (is_synced && msync(area - slack, slack + s.len, MS_SYNC) != 0)
        die(x, "msync");
    unmap(x, area, s);
    return true;
}

static bool truncate_to(struct fsx *x, size_t size)
{
    note(x, "truncate %zu to %zu", x->size, size);
    model_size(x, size);
    expect(x, "ftruncate", ftruncate(x->fd, (off_t)size), 0);
    return true;
}

static bool do_truncate_up(struct fsx *x)
{
    return truncate_to(x, x->size + random_place(x, x->size_max - x->size + 1));
}

static bool do_truncate_down(struct fsx *x)
{
    return x->size > 0 && truncate_to(x, random_place(x, x->size));
}

/* Zeros within s; the model grows to its end unless the size is kept. */
static bool change_space(struct fsx *x, const char *call, int mode, struct span s)
{
    bool is_zeroing = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    size_t end = s.at + s.len;

    note(x, "%s %zu at %zu (size %zu)", call, s.len, s.at, x->size);
    if (!(mode & FALLOC_FL_KEEP_SIZE) && end > x->size)
        model_size(x, end);
    if (is_zeroing && s.at < x->size)
        memset(x->model + s.at, 0, (end < x->size ? end : x->size) - s.at);
    expect(x, call, fallocate(x->fd, mode, (off_t)s.at, (off_t)s.len), 0);
    return true;
}

static bool do_allocate(struct fsx *x)
{
    return change_space(x, "fallocate", 0, random_span(x));
}

static bool do_allocate_keep_size(struct fsx *x)
{
    return change_space(x, "fallocate_keep_size", FALLOC_FL_KEEP_SIZE, random_span(x));
}

static bool do_punch(struct fsx *x)
{
    return change_space(x, "punch_hole", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        random_span(x));
}

static bool do_zero(struct fsx *x)
{
    return change_space(x, "zero_range", FALLOC_FL_ZERO_RANGE, random_span(x));
}

static bool do_zero_keep_size(struct fsx *x)
{
    return change_space(x, "zero_range_keep_size", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                        random_span(x));
}

static bool do_copy(struct fsx *x)
{
    if (x->size == 0)
        return false;
    struct span s = random_span_within(x);
    size_t to = random_place(x, x->size_max - s.len + 1);
    if (to < s.at + s.len && s.at < to + s.len)
        return false;
    note(x, "copy_file_range %zu from %zu to %zu", s.len, s.at, to);
    off_t from_at = (off_t)s.at, to_at = (off_t)to;
    expect(x, "copy_file_range", copy_file_range(x->fd, &from_at, x->fd, &to_at, s.len, 0),
           (int64_t)s.len);
    if (to + s.len > x->size)
        model_size(x, to + s.len);
    memcpy(x->model + to, x->model + s.at, s.len);
    return true;
}

static bool do_fsync(struct fsx *x)
{
    note(x, "fsync");
    expect(x, "fsync", fsync(x->fd), 0);
    return true;
}

static bool do_fdatasync(struct fsx *x)
{
    note(x, "fdatasync");
    expect(x, "fdatasync", fdatasync(x->fd), 0);
    return true;
}

static void open_both(struct fsx *x, int flags)
{
    x->fd = open(x->path, O_RDWR | O_CLOEXEC | flags, 0600);
    if (x->fd < 0)
        die(x, x->path);
    x->direct = open(x->path, O_RDWR | O_DIRECT | O_CLOEXEC);
}

static void close_both(struct fsx *x)
{
    if (x->direct >= 0)
        expect(x, "close", close(x->direct), 0);
    expect(x, "close", close(x->fd), 0);
}

static bool do_reopen(struct fsx *x)
{
    note(x, "close and open");
    close_both(x);
    open_both(x, 0);
    return true;
}

/* All of it, from below the page cache. */
static bool do_reread(struct fsx *x)
{
    note(x, "drop the pages and read all");
    expect(x, "fdatasync", fdatasync(x->fd), 0);
    expect(x, "posix_fadvise", posix_fadvise(x->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    expect(x, "read of all", pread(x->fd, x->bytes, x->size_max, 0), (int64_t)x->size);
    compare(x, "read of all", 0, x->size);
    return true;
}

static const struct operation {
    bool (*run)(struct fsx *x);
    unsigned weight;
} operations[] = {
    {do_read, 100},
    {do_write, 100},
    {do_append, 30},
    {do_map_read, 80},
    {do_map_write, 80},
    {do_direct_read, 40},
    {do_direct_write, 40},
    {do_truncate_up, 15},
    {do_truncate_down, 15},
    {do_allocate, 15},
    {do_allocate_keep_size, 15},
    {do_punch, 20},
    {do_zero, 15},
    {do_zero_keep_size, 15},
    {do_copy, 30},
    {do_fsync, 2},
    {do_fdatasync, 2},
    {do_reopen, 10},
    {do_reread, 4},
};

static const struct operation *choose(struct fsx *x)
{
    unsigned sum = 0, at;

    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        sum += operations[i].weight;
    at = (unsigned)rng_below(&x->rng, sum);
    const struct operation *o = operations;
    for (; at >= o->weight; o++)
        at -= o->weight;
    return o;
}

static void run(struct fsx *x)
{
    open_both(x, O_CREAT | O_TRUNC);
    while (x->now < x->operations) {
        if (!choose(x)->run(x))
            continue;
        check_size(x);
        x->now++;
    }
    do_reread(x);
    close_both(x);
    write_model(x);
}

static bool parse(struct fsx *x, int argc, char **argv)
{
    for (int o; (o = getopt(argc, argv, "s:n:l:m:")) != -1;) {
        if (o == 's')
            x->seed = strtoull(optarg, NULL, 0);
        else if (o == 'n')
            x->operations = strtoull(optarg, NULL, 0);
        else if (o == 'l')
            x->size_max = strtoull(optarg, NULL, 0);
        else if (o == 'm')
            x->model_path = optarg;
        else
            return false;
    }
    x->path = argv[optind];
    return x->path && x->size_max >= PAGE;
}

int main(int argc, char **argv)
{
    static struct fsx x = {
        .seed = 1, .operations = OPERATIONS_DEFAULT, .size_max = SIZE_MAX_DEFAULT};

    if (!parse(&x, argc, argv)) {
        fprintf(stderr, "usage: fsx [-s SEED] [-n OPERATIONS] [-l LARGEST_SIZE] [-m MODEL] FILE\n");
        return 2;
    }
    x.rng = rng_new(x.seed);
    size_t room = (x.size_max + LENGTH_MAX + PAGE) / PAGE * PAGE;
    x.model = calloc(1, room);
    x.bytes = aligned_alloc(PAGE, room);
    if (!x.model || !x.bytes)
        return 2;
    run(&x);
    printf("%" PRIu64 " operations, seed %" PRIu64 ", size %zu\n", x.now, x.seed, x.size);
    free(x.model);
    free(x.bytes);
    return 0;
}
