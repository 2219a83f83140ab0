/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/stress.c - the model of one thread of fsstress.
 */
#include "stress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char top[1024], shared[1100];

struct worker *stress_workers(const char *dir, unsigned count, uint64_t seed)
{
    struct worker *workers = calloc(count, sizeof *workers);

    snprintf(top, sizeof top, "%s", dir);
    snprintf(shared, sizeof shared, "%s/shared", dir);
    for (unsigned i = 0; workers && i < count; i++) {
        workers[i].number = i;
        workers[i].rng = rng_new(seed * 1000003 + i);
    }
    return workers;
}

const char *stress_shared(void)
{
    return shared;
}

void stress_root(const struct worker *w, char path[static PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/worker-%u", top, w->number);
}

/* Puts "/name" in front of what stands at path + at. */
static size_t prepend(char *path, size_t at, const char *name)
{
    size_t len = strlen(name);

    if (at < len + 1)
        abort(); /* LEVELS_MAX names always fit */
    memcpy(path + at - len, name, len);
    path[at - len - 1] = '/';
    return at - len - 1;
}

void stress_path(const struct worker *w, const struct entry *e, char path[static PATH_BYTES])
{
    char tail[PATH_BYTES], root[PATH_BYTES];
    size_t at = sizeof tail - 1;
    int parent;

    tail[at] = 0;
    for (;; e = &w->entries[parent]) {
        at = prepend(tail, at, e->name);
        parent = e->parent;
        if (parent < 0)
            break;
    }
    stress_root(w, root);
    snprintf(path, PATH_BYTES, "%.1200s%.2800s", parent == IN_SHARED ? shared : root, tail + at);
}

/* --- entries and objects --- */

static unsigned level_of(const struct worker *w, int parent)
{
    unsigned level = 0;

    for (; parent >= 0; parent = w->entries[parent].parent)
        level++;
    return level;
}

static unsigned height_of(const struct worker *w, const struct entry *e)
{
    unsigned height = 0;

    for (size_t i = 0; i < ENTRIES; i++) {
        const struct entry *k = &w->entries[i];
        if (!k->is_used || !stress_is_below(w, k, e))
            continue;
        unsigned below = level_of(w, k->parent) - level_of(w, e->parent);
        height = below > height ? below : height;
    }
    return height;
}

struct entry *stress_pick(struct worker *w, enum type type)
{
    size_t first = rng_below(&w->rng, ENTRIES);

    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &w->entries[(first + i) % ENTRIES];
        if (e->is_used && e->type == type)
            return e;
    }
    return NULL;
}

static int pick_parent(struct worker *w)
{
    uint64_t choice = rng_below(&w->rng, 8);

    if (choice == 0)
        return IN_SHARED;
    const struct entry *e = choice < 3 ? NULL : stress_pick(w, A_DIRECTORY);
    return e ? (int)(e - w->entries) : IN_OWN;
}

/* Never used before, so it cannot clash. Now and then as long as a name can be. */
static void new_name(struct worker *w, char name[static NAME_BYTES])
{
    size_t len = (size_t)snprintf(name, NAME_BYTES, "w%u-%" PRIu64, w->number, ++w->ids);
    size_t want = rng_below(&w->rng, 16) ? len + rng_below(&w->rng, 12) : NAME_BYTES - 1;

    memset(name + len, '.', want - len);
    name[want] = 0;
}

static unsigned new_object(struct worker *w)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct object *o = &w->objects[i];
        if (o->links > 0)
            continue;
        *o = (struct object){.links = 0, .id = ++w->ids};
        return i;
    }
    return WITH_OBJECT; /* cannot be: as many objects as entries */
}

struct entry *stress_new_entry(struct worker *w, enum type type, unsigned object)
{
    int parent = pick_parent(w);
    struct entry *e = w->entries;

    while (e < w->entries + ENTRIES && e->is_used)
        e++;
    if (e == w->entries + ENTRIES || level_of(w, parent) >= LEVELS_MAX)
        return NULL;
    *e = (struct entry){.is_used = true, .type = type, .parent = parent};
    e->object = object == WITH_OBJECT ? new_object(w) : object;
    w->objects[e->object].links++;
    new_name(w, e->name);
    return e;
}

void stress_drop(struct worker *w, struct entry *e)
{
    w->objects[e->object].links--;
    e->is_used = false;
}

bool stress_is_below(const struct worker *w, const struct entry *e, const struct entry *above)
{
    while (e != above && e->parent >= 0)
        e = &w->entries[e->parent];
    return e == above;
}

bool stress_has_children(const struct worker *w, const struct entry *e)
{
    for (size_t i = 0; i < ENTRIES; i++)
        if (w->entries[i].is_used && w->entries[i].parent == (int)(e - w->entries))
            return true;
    return false;
}

bool stress_move(struct worker *w, struct entry *e)
{
    int parent = pick_parent(w);

    if (parent >= 0 && stress_is_below(w, &w->entries[parent], e))
        return false;
    if (level_of(w, parent) + height_of(w, e) >= LEVELS_MAX)
        return false;
    e->parent = parent;
    new_name(w, e->name);
    return true;
}

bool stress_may_replace(const struct worker *w, const struct entry *e, const struct entry *over)
{
    return e->object != over->object && !stress_is_below(w, over, e) &&
           !stress_is_below(w, e, over) && level_of(w, over->parent) + height_of(w, e) < LEVELS_MAX;
}

void stress_replace(struct worker *w, struct entry *e, struct entry *over)
{
    e->parent = over->parent;
    memcpy(e->name, over->name, NAME_BYTES);
    stress_drop(w, over);
}

/* --- contents --- */

void stress_new_version(struct worker *w, struct object *o, unsigned first, unsigned count)
{
    w->version++;
    if (first + count > o->size)
        stress_resize(o, first + count);
    for (unsigned i = first; i < first + count; i++)
        o->versions[i] = w->version;
}

void stress_resize(struct object *o, unsigned size)
{
    for (unsigned i = size; i < o->size; i++)
        o->versions[i] = 0;
    o->size = size;
}

void stress_chunk(const struct worker *w, const struct object *o, unsigned index,
                  uint8_t out[static CHUNK_BYTES])
{
    char head[100];

    memset(out, 0, CHUNK_BYTES);
    if (o->versions[index] == 0)
        return;
    int len =
        snprintf(head, sizeof head, "[worker %u file %" PRIu64 " chunk %u version %" PRIu32 "]",
                 w->number, o->id, index, o->versions[index]);
    struct rng rng = rng_new(o->id << 32 ^ (uint64_t)index << 16 ^ o->versions[index]);
    memcpy(out, head, (size_t)len);
    for (size_t i = (size_t)len; i < CHUNK_BYTES; i++)
        out[i] = (uint8_t)(rng_next(&rng) | 1);
}

void stress_target(const struct worker *w, unsigned object, char out[static NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "../target of worker %u, link %" PRIu64, w->number,
             w->objects[object].id);
}
