/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/place.c - volumes to nodes, one after the other, each to the node that has the least.
 */
#include "control/place.h"

#include <string.h>

/* Below 0: a is the better place. */
static int compare(const struct place_node *a, const struct place_node *b)
{
    if (a->is_away != b->is_away)
        return a->is_away ? 1 : -1;
    if (a->own != b->own)
        return a->own < b->own ? -1 : 1;
    if (a->volumes != b->volumes)
        return a->volumes < b->volumes ? -1 : 1;
    return strcmp(a->id, b->id);
}

static size_t best(const struct place_node *nodes, size_t count)
{
    size_t at = 0;

    for (size_t i = 1; i < count; i++)
        if (compare(&nodes[i], &nodes[at]) < 0)
            at = i;
    return at;
}

ks_rc place_volumes(struct place_node *nodes, size_t count, size_t wanted, size_t *ret)
{
    ENSURE(count || !wanted, KS_E_STATE, "no node serves this region");
    for (size_t i = 0; i < wanted; i++) {
        ret[i] = best(nodes, count);
        nodes[ret[i]].volumes++;
        nodes[ret[i]].own++;
    }
    return KS_SUCCESS;
}
