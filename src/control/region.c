/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/region.c - regions of a cluster and their volumes: added, grown, shrunk, taken away.
 *
 * Everything here only says what is wanted. What is not wanted any more stays in the store until its node has
 * reported that it is gone.
 */
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/place.h"

enum { VOLUMES_MAX = 2 * REGION_NODES_MAX }; /* of a region, those that are going too */

/* -- placing --------------------------------------------------------------------------------------------------------- */

static uint32_t count_own(const struct cluster_volume *volumes, size_t count, const char *node)
{
    uint32_t own = 0;

    for (size_t i = 0; i < count; i++)
        own += strcmp(volumes[i].node, node) == 0;
    return own;
}

static ks_rc read_place(struct work *w, const struct node *node, struct place_node *ret)
{
    int64_t volumes;

    TRY(store_node_volume_count(store_tx_view(w->tx), node->id, &volumes));
    memcpy(ret->id, node->id, ID_BYTES);
    ret->volumes = (uint32_t)volumes;
    ret->is_away = node_is_away(w->c, node);
    return KS_SUCCESS;
}

struct places {
    size_t count;
    struct place_node *nodes;
};

static void places_done(struct places *p)
{
    mem_free(p->nodes);
}

static ks_rc read_places(struct work *w, const char *region, const struct cluster_volume *volumes,
                         size_t volume_count, struct places *ret)
{
    CLEANUP(mem_freep) struct node *nodes = NULL;

    TRY(store_nodes_of_region(store_tx_view(w->tx), region, &nodes, &ret->count));
    ENSURE(ret->count, KS_E_STATE, "no node serves region %s", region);
    TRY(mem_new(ret->count, sizeof *ret->nodes, &ret->nodes));
    for (size_t i = 0; i < ret->count; i++) {
        TRY(read_place(w, &nodes[i], &ret->nodes[i]));
        ret->nodes[i].own = count_own(volumes, volume_count, nodes[i].id);
    }
    return KS_SUCCESS;
}

/* -- volumes --------------------------------------------------------------------------------------------------------- */

static ks_rc add_volume(struct work *w, const struct region *region, uint32_t ordinal,
                        const char *node)
{
    struct cluster_volume *v;

    TRY(mem_new(1, sizeof *v, &v));
    memcpy(v->cluster, region->cluster, ID_BYTES);
    memcpy(v->region, region->name, NAME_BYTES);
    memcpy(v->node, node, ID_BYTES);
    v->ordinal = ordinal;
    v->is_wanted = true;
    v->reached = GOAL_NONE;
    ks_rc rc = store_tx_id(w->tx, v->id);
    if (ks_ok(rc))
        rc = store_tx_next(w->tx, STORE_GOAL, &v->goal);
    if (ks_ok(rc))
        rc = store_volume_put(w->tx, v);
    if (ks_ok(rc))
        work_tell(w, 'n', v->node);
    mem_free(v);
    return rc;
}

static bool is_taken(const struct cluster_volume *volumes, size_t count, uint32_t ordinal)
{
    for (size_t i = 0; i < count; i++)
        if (volumes[i].is_wanted && volumes[i].ordinal == ordinal)
            return true;
    return false;
}

static ks_rc grow(struct work *w, const struct region *region, const struct cluster_volume *volumes,
                  size_t count, uint32_t more)
{
    CLEANUP(places_done) struct places places = {0};
    size_t at[REGION_NODES_MAX];
    uint32_t ordinal = 0;

    ENSURE(count + more <= VOLUMES_MAX, KS_E_BUSY,
           "region %s: %zu volumes are still being taken away or built", region->name, count);
    TRY(read_places(w, region->name, volumes, count, &places));
    TRY(place_volumes(places.nodes, places.count, more, at));
    for (uint32_t i = 0; i < more; i++, ordinal++) {
        while (is_taken(volumes, count, ordinal))
            ordinal++;
        TRY(add_volume(w, region, ordinal, places.nodes[at[i]].id));
    }
    return KS_SUCCESS;
}

static ks_rc drop_volume(struct work *w, struct cluster_volume *v)
{
    v->is_wanted = false;
    TRY(store_tx_next(w->tx, STORE_GOAL, &v->goal));
    TRY(store_volume_put(w->tx, v));
    work_tell(w, 'n', v->node);
    return KS_SUCCESS;
}

/* volumes stand by ordinal. */
static ks_rc shrink(struct work *w, struct cluster_volume *volumes, size_t count, uint32_t less)
{
    for (size_t i = count; i-- && less;) {
        if (!volumes[i].is_wanted)
            continue;
        TRY(drop_volume(w, &volumes[i]));
        less--;
    }
    return KS_SUCCESS;
}

static uint32_t count_wanted(const struct cluster_volume *volumes, size_t count)
{
    uint32_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += volumes[i].is_wanted;
    return n;
}

static ks_rc fit_volumes(struct work *w, const struct region *region, uint32_t node_count)
{
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    size_t count;

    TRY(store_volumes(store_tx_view(w->tx), region->cluster, region->name, &volumes, &count));
    uint32_t wanted = count_wanted(volumes, count);
    if (wanted < node_count)
        return grow(w, region, volumes, count, node_count - wanted);
    return shrink(w, volumes, count, wanted - node_count);
}

/* -- regions --------------------------------------------------------------------------------------------------------- */

static ks_rc add_key(struct work *w, const struct region *region, const struct key_spec *spec)
{
    struct region_key *k;

    TRY(mem_new(1, sizeof *k, &k));
    memcpy(k->cluster, region->cluster, ID_BYTES);
    memcpy(k->region, region->name, NAME_BYTES);
    k->spec = *spec;
    k->status = CMEK_ENABLING;
    k->is_wanted = true;
    k->created = k->updated = w->now;
    ks_rc rc = store_tx_id(w->tx, k->id);
    if (ks_ok(rc))
        rc = store_tx_next(w->tx, STORE_KEY, &k->number);
    if (ks_ok(rc))
        rc = store_region_key_put(w->tx, k);
    mem_free(k);
    return rc;
}

ks_rc region_add(struct work *w, const struct cluster *cluster, const struct region_wish *wish)
{
    struct region r = {
        .node_count = wish->node_count,
        .state = REGION_ADDING,
        .status = wish->key_count ? CMEK_ENABLING : CMEK_DISABLED,
        /* with keys too: they come in beside it, as any change of keys does (control/reconcile.h) */
        .is_platform_wanted = true,
        .created = w->now,
        .updated = w->now,
    };

    memcpy(r.cluster, cluster->id, ID_BYTES);
    memcpy(r.name, wish->name, NAME_BYTES);
    TRY(store_region_put(w->tx, &r));
    for (size_t i = 0; i < wish->key_count; i++)
        TRY(add_key(w, &r, &wish->keys[i]));
    return fit_volumes(w, &r, wish->node_count);
}

static ks_rc put_region(struct work *w, const struct region *region, enum region_state state,
                        uint32_t node_count)
{
    struct region r = *region;

    r.state = state;
    r.node_count = node_count;
    r.updated = w->now;
    return store_region_put(w->tx, &r);
}

ks_rc region_scale(struct work *w, const struct region *region, uint32_t node_count)
{
    TRY(put_region(w, region, region->state, node_count));
    return fit_volumes(w, region, node_count);
}

ks_rc region_remove(struct work *w, const struct region *region)
{
    TRY(put_region(w, region, REGION_REMOVING, region->node_count));
    return fit_volumes(w, region, 0);
}
