/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/id_map.h - values by id: a hash table whose keys are the ids of model.h.
 *
 * Values are pointers that the caller owns; the map frees none. Not thread-safe.
 */
#pragma once

#include "base/rc.h"
#include "control/model.h"

struct id_map {
    size_t count, room; /* room: a power of two, or 0 */
    struct id_map_slot *slots;
};

/* id_map_get(m, id): NULL when there is none. */
void *id_map_get(const struct id_map *m, const char *id);
/* id_map_put(m, id, value): in place of the one before; value must not be NULL. NO_MEMORY: the map is as it was. */
ks_rc id_map_put(struct id_map *m, const char *id, void *value) KS_MUST;
/* id_map_take(m, id): out of the map; NULL when there was none. */
void *id_map_take(struct id_map *m, const char *id);
/* id_map_at(m, i): the value in place i of room, or NULL; for walking over all while the map stays as it is. */
void *id_map_at(const struct id_map *m, size_t i);
/* id_map_clear(m): empty again; values are the caller's. */
void id_map_clear(struct id_map *m);
