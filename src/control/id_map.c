/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/id_map.c - a hash table with open addressing; ids of ours are random, but the names in it come from outside.
 */
#include "control/id_map.h"

#include <string.h>

#include "base/mem.h"

struct id_map_slot {
    char id[ID_BYTES];
    void *value; /* NULL: free */
};

enum { ROOM_FIRST = 64 };

/* FNV-1a: the ids are random UUIDs, made by us. */
static size_t hash_of(const char *id)
{
    uint64_t h = 0xcbf29ce484222325;

    for (const char *p = id; *p; p++)
        h = (h ^ (uint8_t)*p) * 0x100000001b3;
    return (size_t)(h ^ h >> 32);
}

/* The slot of id, or the free one where it belongs. There is always a free one. */
static struct id_map_slot *slot_of(struct id_map_slot *slots, size_t room, const char *id)
{
    size_t i = hash_of(id) & (room - 1);

    while (slots[i].value && strcmp(slots[i].id, id) != 0)
        i = (i + 1) & (room - 1);
    return &slots[i];
}

static ks_rc grow(struct id_map *m)
{
    struct id_map_slot *slots;
    size_t room = m->room ? m->room * 2 : ROOM_FIRST;

    TRY(mem_new(room, sizeof *slots, &slots));
    for (size_t i = 0; i < m->room; i++)
        if (m->slots[i].value)
            *slot_of(slots, room, m->slots[i].id) = m->slots[i];
    mem_free(m->slots);
    m->slots = slots;
    m->room = room;
    return KS_SUCCESS;
}

void *id_map_get(const struct id_map *m, const char *id)
{
    return m->room ? slot_of(m->slots, m->room, id)->value : NULL;
}

ks_rc id_map_put(struct id_map *m, const char *id, void *value)
{
    if (strlen(id) >= ID_BYTES)
        return ks_fail(KS_E_BUG, "an id of %zu bytes", strlen(id));
    if (m->count + 1 > m->room / 2)
        TRY(grow(m));
    struct id_map_slot *s = slot_of(m->slots, m->room, id);
    if (!s->value) {
        memcpy(s->id, id, strlen(id) + 1);
        m->count++;
    }
    s->value = value;
    return KS_SUCCESS;
}

/* Those behind a slot that became free move up, so that none is cut off from its place. */
static void close_gap(struct id_map *m, size_t gap)
{
    for (size_t i = (gap + 1) & (m->room - 1); m->slots[i].value; i = (i + 1) & (m->room - 1)) {
        struct id_map_slot moved = m->slots[i];
        m->slots[i].value = NULL;
        *slot_of(m->slots, m->room, moved.id) = moved;
    }
}

void *id_map_take(struct id_map *m, const char *id)
{
    if (!m->room)
        return NULL;
    struct id_map_slot *s = slot_of(m->slots, m->room, id);
    void *value = s->value;
    if (!value)
        return NULL;
    s->value = NULL;
    m->count--;
    close_gap(m, (size_t)(s - m->slots));
    return value;
}

void *id_map_at(const struct id_map *m, size_t i)
{
    return i < m->room ? m->slots[i].value : NULL;
}

void id_map_clear(struct id_map *m)
{
    mem_free(m->slots);
    *m = (struct id_map){0};
}
