/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_region.c - the regions of a cluster, one by one.
 *
 * control/ takes all regions that a cluster is to have. Here they are read, one of them is changed, and the whole is asked for at the
 * revision that was read; when somebody else was quicker that is done anew.
 */
#include <string.h>

#include "api/native.h"
#include "base/json.h"
#include "base/mem.h"

enum { TRIES = 5 };

static const struct region *find(const struct cluster_view *v, const char *name)
{
    for (size_t i = 0; i < v->region_count; i++)
        if (strcmp(v->regions[i].name, name) == 0)
            return &v->regions[i];
    return NULL;
}

static json_t *write_region(const void *value)
{
    return native_region(value);
}

ks_rc native_region_list(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *v = NULL;

    TRY(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &v));
    return native_reply_items(
        call, native_items(v->region_count, v->regions, sizeof *v->regions, write_region));
}

static ks_rc no_such_region(const char *name)
{
    return ks_fail(KS_E_NOT_FOUND, "the cluster has no region \"%s\"", name);
}

ks_rc native_region_get(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *v = NULL;
    const char *name = api_param(call, "region");

    TRY(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &v));
    const struct region *region = find(v, name);
    if (!region)
        return no_such_region(name);
    return native_reply_revision(call, 200, v->cluster.revision, native_region(region));
}

/* ---- changing one ---- */

/* What becomes of the region that is named: wish replaces it or is added; NULL takes it away. */
struct region_change {
    const char *name;
    const struct region_wish *wish;
    bool is_new;
};

static size_t apply(const struct cluster_view *v, const struct region_change *c,
                    struct region_wish *out)
{
    size_t count = 0;

    for (size_t i = 0; i < v->region_count; i++) {
        const struct region *r = &v->regions[i];
        if (r->state == REGION_REMOVING || strcmp(r->name, c->name) == 0)
            continue;
        out[count].node_count = r->node_count;
        memcpy(out[count++].name, r->name, sizeof r->name);
    }
    if (c->wish)
        out[count++] = *c->wish;
    return count;
}

static ks_rc try_change(struct api_call *call, const struct region_change *c, int64_t revision,
                        struct cluster_view **ret)
{
    CLEANUP(cluster_view_freep) struct cluster_view *now = NULL;
    CLEANUP(mem_freep) struct region_wish *regions = NULL;
    struct cluster_change change = {.revision = revision};
    const char *cluster = api_param(call, "cluster");

    TRY(control_cluster_get(call->control, &call->caller, cluster, &now));
    const struct region *there = find(now, c->name);
    ENSURE(!c->is_new || !there || there->state == REGION_REMOVING, KS_E_EXISTS,
           "the cluster has the region \"%s\"", c->name);
    if (!c->is_new && !there)
        return no_such_region(c->name);
    TRY(mem_new(now->region_count + 1, sizeof *regions, &regions));
    change.region_count = apply(now, c, regions);
    ENSURE(change.region_count > 0, KS_E_STATE, "a cluster keeps one region: delete the cluster");
    change.regions = regions;
    if (revision == 0)
        change.revision = now->cluster.revision;
    return control_cluster_change(call->control, &call->caller, cluster, &change, ret);
}

/* Whether another change came between reading and asking. */
static bool was_overtaken(struct api_call *call, ks_rc rc, int64_t *last_seen)
{
    CLEANUP(cluster_view_freep) struct cluster_view *now = NULL;

    if (!ks_is(rc, KS_E_STATE) ||
        !ks_ok(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &now)))
        return false;
    bool has_moved = now->cluster.revision != *last_seen;
    *last_seen = now->cluster.revision;
    return has_moved;
}

static ks_rc change_region(struct api_call *call, const struct region_change *c, int status)
{
    CLEANUP(cluster_view_freep) struct cluster_view *changed = NULL;
    int64_t revision, last_seen = 0;
    int tries = 0;

    TRY(native_if_match(call, &revision));
    ks_rc rc = try_change(call, c, revision, &changed);
    while (revision == 0 && ++tries < TRIES && was_overtaken(call, rc, &last_seen))
        rc = try_change(call, c, 0, &changed);
    TRY(native_if_matched(call, revision, rc));
    ENSURE(changed, KS_E_BUG, "a change that gives no cluster");
    return native_reply_revision(call, status, changed->cluster.revision, native_cluster(changed));
}

ks_rc native_region_add(struct api_call *call)
{
    CLEANUP(mem_freep) struct region_wish *wish = NULL;

    TRY(mem_new(1, sizeof *wish, &wish));
    TRY(read_region_wish(call->body, wish));
    return change_region(
        call, &(struct region_change){.name = wish->name, .wish = wish, .is_new = true}, 202);
}

ks_rc native_region_scale(struct api_call *call)
{
    CLEANUP(mem_freep) struct region_wish *wish = NULL;
    int64_t nodes = 0;

    TRY(known_members(call->body, "node_count"));
    TRY(json_get_int(call->body, "node_count", 1, REGION_NODES_MAX, &nodes));
    const char *name = api_param(call, "region");
    ENSURE(strlen(name) < NAME_BYTES, KS_E_NOT_FOUND, "the cluster has no such region");
    TRY(mem_new(1, sizeof *wish, &wish));
    memcpy(wish->name, name, strlen(name) + 1);
    wish->node_count = (uint32_t)nodes;
    return change_region(call, &(struct region_change){.name = name, .wish = wish}, 202);
}

ks_rc native_region_remove(struct api_call *call)
{
    return change_region(call, &(struct region_change){.name = api_param(call, "region")}, 202);
}
