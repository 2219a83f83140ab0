/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/fsstress.c - many threads change one tree, each with a model of what must come of it.
 *
 *     fsstress [-s SEED] [-n OPERATIONS] [-t THREADS] [-v] DIRECTORY
 *
 * Each thread works with names of its own, in directories of its own and in one that all share, so it can tell the outcome of
 * every call. What it does follows from the seed and its model alone: with -v nothing is done, the operations
 * only pass over the models, and then the whole tree is compared with them, as it also is after a run. So a tree can be
 * verified again after a remount. OPERATIONS are for each thread. Ends with 1 at the first difference.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

enum { WRITE_CHUNKS_MAX = 24, THREADS_MAX = 256 };

static struct {
    uint64_t seed, operations;
    unsigned threads;
    bool is_dry; /* only the models */
} conf = {.seed = 1, .operations = 1000, .threads = 8};

/* --- small helpers --- */

/* must(w, call, rc): a call that has to succeed. In a dry run none is made. */
#define MUST(w, call)                                                                              \
    do {                                                                                           \
        if (!conf.is_dry && (call) < 0)                                                            \
            stress_fail((w), "%s: %s", #call, strerror(errno));                                    \
    } while (0)

#define MUST_FAIL(w, err, call)                                                                    \
    do {                                                                                           \
        if (!conf.is_dry && ((call) >= 0 || errno != (err)))                                       \
            stress_fail((w), "%s does not fail with " #err, #call);                                \
    } while (0)

static int open_entry(struct worker *w, const struct entry *e, int flags)
{
    char path[PATH_BYTES];

    stress_path(w, e, path);
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        stress_fail(w, "open %s: %s", path, strerror(errno));
    return fd;
}

static void close_entry(struct worker *w, int fd)
{
    if (fd >= 0)
        MUST(w, close(fd));
}

/* --- operations; each changes file system and model alike --- */

static void do_create(struct worker *w)
{
    struct entry *e = stress_new_entry(w, A_FILE, WITH_OBJECT);

    if (e && !conf.is_dry)
        close_entry(w, open_entry(w, e, O_WRONLY | O_CREAT | O_EXCL));
}

static void do_mkdir(struct worker *w)
{
    struct entry *e = stress_new_entry(w, A_DIRECTORY, WITH_OBJECT);
    char path[PATH_BYTES];

    if (!e)
        return;
    stress_path(w, e, path);
    MUST(w, mkdir(path, 0755));
}

static void do_symlink(struct worker *w)
{
    struct entry *e = stress_new_entry(w, A_SYMLINK, WITH_OBJECT);
    char path[PATH_BYTES], target[NAME_BYTES];

    if (!e)
        return;
    stress_path(w, e, path);
    stress_target(w, e->object, target);
    MUST(w, symlink(target, path));
}

static void do_link(struct worker *w)
{
    const struct entry *from = stress_pick(w, A_FILE);
    char old[PATH_BYTES], path[PATH_BYTES];

    if (!from)
        return;
    stress_path(w, from, old);
    struct entry *e = stress_new_entry(w, A_FILE, from->object);
    if (!e)
        return;
    stress_path(w, e, path);
    MUST(w, link(old, path));
}

static void do_unlink(struct worker *w)
{
    struct entry *e = stress_pick(w, rng_below(&w->rng, 4) ? A_FILE : A_SYMLINK);
    char path[PATH_BYTES];

    if (!e)
        return;
    stress_path(w, e, path);
    MUST(w, unlink(path));
    stress_drop(w, e);
}

/* An open file outlives its name. */
static void do_unlink_open(struct worker *w)
{
    struct entry *e = stress_pick(w, A_FILE);
    char path[PATH_BYTES];

    if (!e)
        return;
    stress_path(w, e, path);
    int fd = conf.is_dry ? -1 : open_entry(w, e, O_RDWR);
    MUST(w, unlink(path));
    if (!conf.is_dry)
        stress_check_bytes(w, fd, &w->objects[e->object]);
    close_entry(w, fd);
    stress_drop(w, e);
}

static void do_rmdir(struct worker *w)
{
    struct entry *e = stress_pick(w, A_DIRECTORY);
    char path[PATH_BYTES];

    if (!e)
        return;
    stress_path(w, e, path);
    if (stress_has_children(w, e)) {
        MUST_FAIL(w, ENOTEMPTY, rmdir(path));
        return;
    }
    MUST(w, rmdir(path));
    stress_drop(w, e);
}

/* To a new name, perhaps in another directory. */
static void do_rename(struct worker *w)
{
    struct entry *e = stress_pick(w, (enum type)rng_below(&w->rng, TYPE_COUNT));
    char old[PATH_BYTES], path[PATH_BYTES];

    if (!e)
        return;
    stress_path(w, e, old);
    if (!stress_move(w, e))
        return;
    stress_path(w, e, path);
    MUST(w, rename(old, path));
}

/* Over an entry of the same type, which is gone then. */
static void do_rename_over(struct worker *w)
{
    enum type type = (enum type)rng_below(&w->rng, TYPE_COUNT);
    struct entry *e = stress_pick(w, type), *over = stress_pick(w, type);
    char old[PATH_BYTES], path[PATH_BYTES];

    if (!e || !stress_may_replace(w, e, over))
        return;
    stress_path(w, e, old);
    stress_path(w, over, path);
    if (type == A_DIRECTORY && stress_has_children(w, over)) {
        MUST_FAIL(w, ENOTEMPTY, rename(old, path));
        return;
    }
    MUST(w, rename(old, path));
    stress_replace(w, e, over);
}

static void do_exchange(struct worker *w)
{
    struct entry *a = stress_pick(w, A_FILE), *b = stress_pick(w, A_FILE);
    char one[PATH_BYTES], two[PATH_BYTES];

    if (!a || a == b)
        return;
    stress_path(w, a, one);
    stress_path(w, b, two);
    MUST(w, renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE));
    unsigned object = a->object;
    a->object = b->object;
    b->object = object;
}

static void write_chunks(struct worker *w, const struct entry *e, unsigned first, unsigned count)
{
    static _Thread_local uint8_t bytes[WRITE_CHUNKS_MAX * CHUNK_BYTES];
    struct object *o = &w->objects[e->object];

    stress_new_version(w, o, first, count);
    if (conf.is_dry)
        return;
    int fd = open_entry(w, e, O_WRONLY);
    for (unsigned i = 0; i < count; i++)
        stress_chunk(w, o, first + i, bytes + i * CHUNK_BYTES);
    ssize_t n = pwrite(fd, bytes, (size_t)count * CHUNK_BYTES, (off_t)first * CHUNK_BYTES);
    if (n != (ssize_t)count * CHUNK_BYTES)
        stress_fail(w, "a write of %u chunks gives %zd: %s", count, n, strerror(errno));
    close_entry(w, fd);
}

static void do_write(struct worker *w)
{
    const struct entry *e = stress_pick(w, A_FILE);
    unsigned first = (unsigned)rng_below(&w->rng, CHUNKS_MAX);
    unsigned count = 1 + (unsigned)rng_below(&w->rng, WRITE_CHUNKS_MAX);

    if (e)
        write_chunks(w, e, first, count < CHUNKS_MAX - first ? count : CHUNKS_MAX - first);
}

static void do_append(struct worker *w)
{
    const struct entry *e = stress_pick(w, A_FILE);

    if (!e)
        return;
    unsigned size = w->objects[e->object].size;
    unsigned count = 1 + (unsigned)rng_below(&w->rng, 4);
    if (size + count <= CHUNKS_MAX)
        write_chunks(w, e, size, count);
}

static void do_truncate(struct worker *w)
{
    const struct entry *e = stress_pick(w, A_FILE);
    char path[PATH_BYTES];

    if (!e)
        return;
    unsigned size = (unsigned)rng_below(&w->rng, CHUNKS_MAX);
    stress_path(w, e, path);
    stress_resize(&w->objects[e->object], size);
    MUST(w, truncate(path, (off_t)size * CHUNK_BYTES));
}

static void do_punch(struct worker *w)
{
    const struct entry *e = stress_pick(w, A_FILE);

    if (!e)
        return;
    struct object *o = &w->objects[e->object];
    unsigned first = (unsigned)rng_below(&w->rng, CHUNKS_MAX - 8);
    for (unsigned i = first; i < first + 8 && i < o->size; i++)
        o->versions[i] = 0;
    if (conf.is_dry)
        return;
    int fd = open_entry(w, e, O_WRONLY);
    MUST(w, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first * CHUNK_BYTES,
                      8 * CHUNK_BYTES));
    close_entry(w, fd);
}

static void do_read(struct worker *w)
{
    const struct entry *e = stress_pick(w, A_FILE);

    if (!e || conf.is_dry)
        return;
    int fd = open_entry(w, e, O_RDONLY);
    stress_check_bytes(w, fd, &w->objects[e->object]);
    close_entry(w, fd);
}

static void do_stat(struct worker *w)
{
    const struct entry *e = stress_pick(w, (enum type)rng_below(&w->rng, TYPE_COUNT));

    if (e && !conf.is_dry)
        stress_check_entry(w, e, false);
}

static void do_list(struct worker *w)
{
    const struct entry *e = stress_pick(w, A_DIRECTORY);

    if (e && !conf.is_dry)
        stress_check_listing(w, e);
}

static void do_fsync(struct worker *w)
{
    const struct entry *e = stress_pick(w, rng_below(&w->rng, 2) ? A_FILE : A_DIRECTORY);

    if (!e || conf.is_dry)
        return;
    int fd = open_entry(w, e, O_RDONLY);
    MUST(w, fsync(fd));
    close_entry(w, fd);
}

static const struct operation {
    void (*run)(struct worker *w);
    unsigned weight;
} operations[] = {
    {do_create, 60},      {do_mkdir, 15},    {do_symlink, 10},     {do_link, 15},
    {do_unlink, 30},      {do_rmdir, 10},    {do_unlink_open, 10}, {do_rename, 40},
    {do_rename_over, 20}, {do_exchange, 10}, {do_write, 80},       {do_append, 60},
    {do_truncate, 30},    {do_punch, 10},    {do_read, 80},        {do_stat, 40},
    {do_list, 10},        {do_fsync, 4},
};

static void one_operation(struct worker *w)
{
    unsigned sum = 0, at;

    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        sum += operations[i].weight;
    at = (unsigned)rng_below(&w->rng, sum);
    const struct operation *o = operations;
    for (; at >= o->weight; o++)
        at -= o->weight;
    o->run(w);
}

/* --- threads --- */

static void *work(void *arg)
{
    struct worker *w = arg;
    char path[PATH_BYTES];

    stress_root(w, path);
    MUST(w, mkdir(path, 0755));
    for (w->now = 0; w->now < conf.operations; w->now++)
        one_operation(w);
    return NULL;
}

static void *verify(void *arg)
{
    stress_check_tree(arg);
    return NULL;
}

static void in_threads(struct worker *workers, void *(*run)(void *))
{
    static pthread_t threads[THREADS_MAX];

    for (unsigned i = 0; i < conf.threads; i++) {
        if (pthread_create(&threads[i], NULL, run, &workers[i]) != 0) {
            fprintf(stderr, "fsstress: no thread\n");
            exit(2);
        }
    }
    for (unsigned i = 0; i < conf.threads; i++)
        pthread_join(threads[i], NULL);
}

static bool parse(int argc, char **argv)
{
    for (int o; (o = getopt(argc, argv, "s:n:t:v")) != -1;) {
        if (o == 's')
            conf.seed = strtoull(optarg, NULL, 0);
        else if (o == 'n')
            conf.operations = strtoull(optarg, NULL, 0);
        else if (o == 't')
            conf.threads = (unsigned)strtoul(optarg, NULL, 0);
        else if (o == 'v')
            conf.is_dry = true;
        else
            return false;
    }
    return optind + 1 == argc && conf.threads > 0 && conf.threads <= THREADS_MAX;
}

int main(int argc, char **argv)
{
    unsigned long entries;

    if (!parse(argc, argv)) {
        fprintf(stderr, "usage: fsstress [-s SEED] [-n OPERATIONS] [-t THREADS] [-v] DIRECTORY\n");
        return 2;
    }
    struct worker *workers = stress_workers(argv[optind], conf.threads, conf.seed);
    if (!workers || (!conf.is_dry && mkdir(stress_shared(), 0755) != 0)) {
        fprintf(stderr, "fsstress: %s: %s\n", argv[optind], strerror(errno));
        return 2;
    }
    in_threads(workers, work);
    in_threads(workers, verify);
    entries = stress_check_shared(workers, conf.threads);
    printf("%u threads, %" PRIu64 " operations each, seed %" PRIu64
           ": %lu entries as they must be\n",
           conf.threads, conf.operations, conf.seed, entries);
    free(workers);
    return 0;
}
