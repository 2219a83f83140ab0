/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cmek.c - CMEK as callers see it: the status of a cluster, its regions and their keys.
 */
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"

void cmek_view_free(struct cmek_view *v)
{
    if (!v)
        return;
    for (size_t i = 0; v->regions && i < v->region_count; i++)
        mem_free(v->regions[i].keys);
    mem_free(v->regions);
    mem_free(v);
}

void cmek_view_freep(struct cmek_view **v)
{
    cmek_view_free(*v);
    *v = NULL;
}

uint64_t control_version(struct control *c, const char *cluster)
{
    return store_version(c->store, cluster);
}

static bool is_past(const struct region_key *k)
{
    return k->status == CMEK_DISABLED || k->status == CMEK_ENABLE_FAILED;
}

/* A key in force shares what became of its region; what is stored is where the change of keys stands. */
static enum cmek_status shown_status(const struct region *r, const struct region_key *k)
{
    bool is_shut =
        r->status == CMEK_REVOKING || r->status == CMEK_REVOKED || r->status == CMEK_REVOKE_FAILED;

    return is_shut && !is_past(k) ? r->status : k->status;
}

/* rows stand newest first; those in force go before the past ones. */
static ks_rc fill_keys(struct cmek_region *to, const struct region_key *rows, size_t count)
{
    TRY(mem_new(count + 1, sizeof *to->keys, &to->keys));
    for (int past = 0; past < 2; past++) {
        for (size_t i = 0; i < count; i++) {
            if (is_past(&rows[i]) != (past == 1))
                continue;
            struct region_key *k = &to->keys[to->key_count++];
            *k = rows[i];
            k->status = shown_status(&to->region, k);
        }
    }
    return KS_SUCCESS;
}

/* Both lists go by region. */
static ks_rc fill_regions(struct cmek_view *view, const struct region *regions,
                          const struct region_key *keys, size_t key_count)
{
    size_t first = 0;

    for (size_t i = 0; i < view->region_count; i++) {
        size_t count = 0;
        view->regions[i].region = regions[i];
        while (first < key_count && strcmp(keys[first].region, regions[i].name) < 0)
            first++;
        while (first + count < key_count &&
               strcmp(keys[first + count].region, regions[i].name) == 0)
            count++;
        if (count)
            TRY(fill_keys(&view->regions[i], &keys[first], count));
        first += count;
    }
    return KS_SUCCESS;
}

/* As in a view of the cluster: a region on its way out counts only when there are no others. */
static enum cmek_status worst_status(const struct cmek_view *v)
{
    enum cmek_status of_all = CMEK_DISABLED, of_staying = CMEK_DISABLED;
    bool is_any = false;

    for (size_t i = 0; i < v->region_count; i++) {
        const struct region *r = &v->regions[i].region;
        of_all = cmek_status_worst(of_all, r->status);
        if (r->state == REGION_REMOVING)
            continue;
        of_staying = cmek_status_worst(of_staying, r->status);
        is_any = true;
    }
    return is_any ? of_staying : of_all;
}

static ks_rc read_view(struct store_view *v, const struct cluster *cluster, struct cmek_view *view)
{
    CLEANUP(mem_freep) struct region *regions = NULL;
    CLEANUP(mem_freep) struct region_key *keys = NULL;
    size_t key_count, region_count;

    memcpy(view->cluster, cluster->id, ID_BYTES);
    view->state = cluster->state;
    view->revision = cluster->revision;
    TRY(store_regions(v, cluster->id, &regions, &region_count));
    TRY(store_region_keys(v, cluster->id, NULL, &keys, &key_count));
    TRY(mem_new(region_count + 1, sizeof *view->regions, &view->regions));
    view->region_count = region_count;
    TRY(fill_regions(view, regions, keys, key_count));
    view->status = worst_status(view);
    return KS_SUCCESS;
}

ks_rc control_cmek_get(struct control *c, const struct caller *by, const char *cluster,
                       struct cmek_view **ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(mem_freep) struct cluster *row = NULL;
    CLEANUP(cmek_view_freep) struct cmek_view *view = NULL;

    TRY(mem_new(1, sizeof *row, &row));
    TRY(mem_new(1, sizeof *view, &view));
    TRY(store_view_begin(c->store, &v));
    TRY(cluster_find(v, by, cluster, row));
    TRY(read_view(v, row, view));
    *ret = TAKE(view);
    return KS_SUCCESS;
}
