/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/ahead_names.c - an array that is sorted when all are there, and cut to its nearer half when it takes too much memory.
 */
#include "volume/ahead_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    ROOM_FIRST = 256,
    EACH_BYTES = sizeof(struct ahead_name) + 16
}; /* and what the heap takes */

static size_t bytes_of(const struct ahead_name *e)
{
    return EACH_BYTES + strlen(e->text) + 1;
}

/* The first kept ones stay. */
static void drop_from(struct ahead_names *n, size_t kept)
{
    while (n->count > kept) {
        n->bytes -= bytes_of(&n->all[--n->count]);
        mem_free(n->all[n->count].text);
    }
}

void ahead_names_begin(struct ahead_names *n, uint64_t middle)
{
    drop_from(n, 0);
    n->at = 0;
    n->middle = middle;
    n->is_cut = false;
}

void ahead_names_done(struct ahead_names *n)
{
    drop_from(n, 0);
    mem_free(TAKE(n->all));
    n->room = n->at = 0;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_distance(const void *a, const void *b)
{
    return compare(((const struct ahead_name *)a)->distance,
                   ((const struct ahead_name *)b)->distance);
}

static int by_number(const void *a, const void *b)
{
    return compare(((const struct ahead_name *)a)->ino, ((const struct ahead_name *)b)->ino);
}

static void sort(struct ahead_names *n, int (*order)(const void *, const void *))
{
    if (n->count > 0)
        qsort(n->all, n->count, sizeof *n->all, order);
}

void ahead_names_sort(struct ahead_names *n)
{
    sort(n, by_number);
    n->at = n->count;
}

static ks_rc make_room(struct ahead_names *n)
{
    size_t room = n->room ? 2 * n->room : ROOM_FIRST;

    if (n->count < n->room)
        return KS_SUCCESS;
    TRY(mem_grow(room, sizeof *n->all, &n->all));
    n->room = room;
    return KS_SUCCESS;
}

static void cut(struct ahead_names *n)
{
    sort(n, by_distance);
    drop_from(n, n->count / 2);
    n->is_cut = true;
}

ks_rc ahead_names_add(struct ahead_names *n, uint64_t ino, const char *name)
{
    struct ahead_name e = {ino, ino > n->middle ? ino - n->middle : n->middle - ino, NULL};

    TRY(make_room(n));
    TRY(mem_text(name, &e.text));
    n->all[n->count++] = e;
    n->bytes += bytes_of(&e);
    if (n->bytes > AHEAD_NAMES_BYTES)
        cut(n);
    return KS_SUCCESS;
}

/* How many have a number up to ino. */
static size_t count_up_to(const struct ahead_names *n, uint64_t ino)
{
    size_t from = 0, to = n->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (n->all[middle].ino <= ino)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* One step down; below the first there is none. */
static void step_down(struct ahead_names *n)
{
    n->at = n->at > 0 ? n->at - 1 : n->count;
}

void ahead_names_seek(struct ahead_names *n, uint64_t ino, bool is_down)
{
    n->is_down = is_down;
    n->at = is_down && ino > 0 ? count_up_to(n, ino - 1) : count_up_to(n, ino);
    if (is_down)
        step_down(n);
}

const char *ahead_names_next(struct ahead_names *n, uint64_t *ret_ino)
{
    if (n->at >= n->count)
        return NULL;
    const struct ahead_name *e = &n->all[n->at];
    if (n->is_down)
        step_down(n);
    else
        n->at++;
    *ret_ino = e->ino;
    return e->text;
}
