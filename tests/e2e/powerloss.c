/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/e2e/powerloss.c - a directory as a power loss would leave it, again and again.
 *
 *     powerloss DIRECTORY
 *
 * Takes the directory as it is now into a crash file system (io/crash.h), and then one request per line:
 *
 *     load RECORD             makes the changes of a record (io/record.h) that was begun since
 *     times                   one line: the time after the load, then the times right after each sync
 *     time BYTES              how much had happened when the record had so many bytes
 *     pending TIME            page writes and metadata operations that may be lost then
 *     rebuild TIME KEPT HOW DIRECTORY
 *                             writes what a power loss at that time leaves into an empty directory: the first KEPT
 *                             pending metadata operations, and of the pending page writes none (HOW 0), all (1) or
 *                             a random half (any other number, the seed)
 *
 * Answers each with "ok" and its numbers, or ends with 1 and a line on standard error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "copy_tree.h"
#include "io/crash.h"

enum { LINE_BYTES = 8192 };

/* Where the record and the crash file system stood after each change. */
struct mark {
    uint64_t record_bytes;
    size_t time;
    bool is_sync;
};

struct powerloss {
    struct io *crashed;
    struct record_map *map; /* recorded inode number -> node of crashed */
    struct mark *marks;
    size_t mark_count, mark_room;
    size_t began; /* the time after the directory was taken in */
};

static ks_rc put_root(struct powerloss *p, struct io_node *from)
{
    struct io_node *root;
    struct stat st;

    TRY(io_posix()->ops->stat(io_posix(), from, &st));
    TRY(p->crashed->ops->open_root(p->crashed, "/", &root));
    ks_rc rc = record_map_put(p->map, st.st_ino, root);
    if (!ks_ok(rc))
        p->crashed->ops->node_close(p->crashed, root);
    return rc;
}

static ks_rc take_in(struct powerloss *p, const char *path)
{
    struct io_node *from, *root;

    TRY(crash_new(&p->crashed));
    TRY(record_map_new(p->crashed, &p->map));
    TRY(io_posix()->ops->open_root(io_posix(), path, &from));
    TRY(p->crashed->ops->open_root(p->crashed, "/", &root));
    ks_rc rc = put_root(p, from);
    if (ks_ok(rc))
        rc = copy_tree(io_posix(), from, p->crashed, root, p->map);
    if (ks_ok(rc))
        rc = p->crashed->ops->sync_all(p->crashed, root);
    p->crashed->ops->node_close(p->crashed, root);
    io_posix()->ops->node_close(io_posix(), from);
    p->began = crash_time(p->crashed);
    return rc;
}

static void note_mark(void *arg, uint64_t end, bool is_sync)
{
    struct powerloss *p = arg;

    if (p->mark_count == p->mark_room) {
        p->mark_room = p->mark_room ? 2 * p->mark_room : 1024;
        if (!ks_ok(mem_grow(p->mark_room, sizeof *p->marks, &p->marks)))
            abort();
    }
    p->marks[p->mark_count++] = (struct mark){end, crash_time(p->crashed), is_sync};
}

static size_t time_of(const struct powerloss *p, uint64_t record_bytes)
{
    size_t n = 0;

    while (n < p->mark_count && p->marks[n].record_bytes <= record_bytes)
        n++;
    return n ? p->marks[n - 1].time : p->began;
}

/* What survives of the pending page writes. */
struct choice {
    unsigned long how;
    struct random_seeded random;
};

static bool is_page_kept(void *arg, size_t i)
{
    struct choice *c = arg;
    uint8_t byte = 0;

    (void)i;
    if (c->how <= 1)
        return c->how == 1;
    IGNORE(random_fill(&c->random.random, &byte, 1)); /* cannot fail: it is computed */
    return byte & 1;
}

static ks_rc write_out(struct io *rebuilt, const char *path)
{
    struct record_map *map;
    struct io_node *from, *to;

    TRY(record_map_new(io_posix(), &map));
    TRY(rebuilt->ops->open_root(rebuilt, "/", &from));
    ks_rc rc = io_posix()->ops->open_root(io_posix(), path, &to);
    if (ks_ok(rc)) {
        rc = copy_tree(rebuilt, from, io_posix(), to, map);
        io_posix()->ops->node_close(io_posix(), to);
    }
    rebuilt->ops->node_close(rebuilt, from);
    record_map_free(map);
    return rc;
}

static ks_rc rebuild(struct powerloss *p, size_t time, size_t kept, unsigned long how,
                     const char *path)
{
    struct choice c = {.how = how};
    struct io *rebuilt;

    random_seeded_init(&c.random, how);
    TRY(crash_rebuild(p->crashed, time, kept, is_page_kept, &c, &rebuilt));
    ks_rc rc = write_out(rebuilt, path);
    crash_free(rebuilt);
    return rc;
}

static void print_times(const struct powerloss *p)
{
    printf("ok %zu", crash_time(p->crashed));
    for (size_t n = 0; n < p->mark_count; n++)
        if (p->marks[n].is_sync)
            printf(" %zu", p->marks[n].time);
    printf("\n");
}

static ks_rc answer(struct powerloss *p, char *line)
{
    char path[LINE_BYTES];
    size_t a, b, pages, metadata;
    unsigned long how;

    if (sscanf(line, "load %8191[^\n]", path) == 1) {
        TRY(record_replay(p->map, path, note_mark, p));
        printf("ok %zu\n", p->mark_count);
    } else if (strcmp(line, "times\n") == 0) {
        print_times(p);
    } else if (sscanf(line, "time %zu", &a) == 1) {
        printf("ok %zu\n", time_of(p, a));
    } else if (sscanf(line, "pending %zu", &a) == 1 && a <= crash_time(p->crashed)) {
        crash_pending(p->crashed, a, &pages, &metadata);
        printf("ok %zu %zu\n", pages, metadata);
    } else if (sscanf(line, "rebuild %zu %zu %lu %8191[^\n]", &a, &b, &how, path) == 4) {
        TRY(rebuild(p, a, b, how, path));
        printf("ok\n");
    } else {
        return ks_fail(KS_E_USAGE, "cannot understand: %s", line);
    }
    fflush(stdout);
    return KS_SUCCESS;
}

static ks_rc serve(struct powerloss *p, const char *path)
{
    char line[LINE_BYTES];

    TRY(take_in(p, path));
    printf("ok\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        TRY(answer(p, line));
    return KS_SUCCESS;
}

int main(int argc, char **argv)
{
    struct powerloss p = {0};

    if (argc != 2) {
        fprintf(stderr, "usage: powerloss DIRECTORY\n");
        return 2;
    }
    ks_rc rc = serve(&p, argv[1]);
    if (!ks_ok(rc))
        fprintf(stderr, "powerloss: %s\n", ks_text(rc));
    record_map_free(p.map);
    crash_free(p.crashed);
    mem_free(p.marks);
    return ks_ok(rc) ? 0 : 1;
}
