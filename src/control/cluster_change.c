/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cluster_change.c - changes of a cluster: its settings, and the regions it has.
 *
 * A change is taken whole or not at all, and only for the revision that its author saw.
 */
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/cluster_rules.h"
#include "control/message.h"
#include "control/region_plan.h"

struct change {
    struct work *w;
    const struct caller *by;
    const struct cluster_change *ask;
    struct cluster cluster;
    size_t region_count;
    struct region *regions;
    struct region_plan plan;
};

static void change_freep(struct change **ch)
{
    if (!*ch)
        return;
    mem_free((*ch)->regions);
    mem_freep(ch);
}

/* -- whether it may be ------------------------------------------------------------------------------------------------ */

static ks_rc check_state(const struct change *ch)
{
    const struct cluster *c = &ch->cluster;

    ENSURE(!ch->ask->revision || ch->ask->revision == c->revision, KS_E_STATE,
           "cluster %s has changed: it is at revision %lld, not %lld; look at it again", c->name,
           (long long)c->revision, (long long)ch->ask->revision);
    ENSURE(c->state != CLUSTER_DELETING && c->state != CLUSTER_DELETED, KS_E_STATE,
           "cluster %s is %s", c->name, cluster_state_name(c->state));
    ENSURE(!ch->ask->region_count || c->state != CLUSTER_CREATING, KS_E_BUSY,
           "cluster %s is still being created", c->name);
    return KS_SUCCESS;
}

static ks_rc check_settings(struct change *ch, struct faults *f)
{
    const struct cluster_change *ask = ch->ask;

    if (ask->name)
        rules_name(ask->name, f);
    rules_extra(ask->extra, f);
    if (ask->lease) {
        ch->cluster.lease = *ask->lease;
        rules_lease(&ch->cluster.lease, f);
    }
    if (ask->rotation)
        rules_rotation(ask->rotation, f);
    return KS_SUCCESS;
}

static void check_keys(const struct change *ch, struct faults *f)
{
    struct spec_rules rules = {.provider = ch->cluster.provider,
                               .organisation = ch->cluster.organisation,
                               .is_development = ch->w->c->is_development,
                               .is_node_allowed = ch->w->c->is_node_identity_allowed};

    rules_keys(ch->ask->regions, ch->ask->region_count, &rules, f);
}

static ks_rc check_regions(struct change *ch, struct faults *f)
{
    CLEANUP(mem_freep) char(*served)[NAME_BYTES] = NULL;
    struct store_view *v = store_tx_view(ch->w->tx);
    const struct cluster_change *ask = ch->ask;
    size_t count;

    TRY(store_regions(v, ch->cluster.id, &ch->regions, &ch->region_count));
    if (!ask->region_count)
        return KS_SUCCESS;
    TRY(store_region_names(v, &served, &count));
    rules_regions(ask->regions, ask->region_count, (const char(*)[NAME_BYTES])served, count, f);
    region_plan_make(ch->regions, ch->region_count, ask->regions, ask->region_count, f, &ch->plan);
    check_keys(ch, f);
    return KS_SUCCESS;
}

static bool is_life_of_regions(enum operation_kind kind)
{
    return kind == OPERATION_REGION_ADD || kind == OPERATION_REGION_REMOVE ||
           kind == OPERATION_REGION_SCALE;
}

/* One change of the regions at a time; and none that takes a region away from under a change of its keys. */
static ks_rc check_idle(const struct change *ch)
{
    CLEANUP(mem_freep) struct operation *operations = NULL;
    struct store_page page = {.count_max = STORE_PAGE_MAX};
    size_t count;

    if (!ch->plan.changes)
        return KS_SUCCESS;
    TRY(store_operations_running(store_tx_view(ch->w->tx), ch->cluster.id, &page, &operations,
                                 &count));
    for (size_t i = 0; i < count; i++)
        ENSURE(!is_life_of_regions(operations[i].kind), KS_E_BUSY,
               "operation %s (%s) is still at work on the regions of cluster %s", operations[i].id,
               operation_kind_name(operations[i].kind), ch->cluster.name);
    for (size_t i = 0; i < ch->plan.count; i++) {
        const struct plan_step *s = &ch->plan.steps[i];
        ENSURE(s->action == PLAN_KEEP || !s->there || !cmek_status_is_moving(s->there->status),
               KS_E_BUSY, "the CMEK of region %s is %s: change the region when that is over",
               s->there->name, cmek_status_name(s->there->status));
    }
    return KS_SUCCESS;
}

static ks_rc check_name(const struct change *ch)
{
    CLEANUP(mem_freep) struct cluster *other = NULL;
    const struct cluster *c = &ch->cluster;

    if (!ch->ask->name || strcmp(ch->ask->name, c->name) == 0)
        return KS_SUCCESS;
    TRY(mem_new(1, sizeof *other, &other));
    ks_rc rc =
        store_cluster_by_name(store_tx_view(ch->w->tx), c->organisation, ch->ask->name, other);
    ENSURE(!ks_ok(rc), KS_E_EXISTS, "there is a cluster \"%s\" already", ch->ask->name);
    return ks_is(rc, KS_E_NOT_FOUND) ? KS_SUCCESS : rc;
}

static ks_rc check_change(struct change *ch)
{
    struct faults f = {0};

    TRY(check_state(ch));
    TRY(check_settings(ch, &f));
    TRY(check_regions(ch, &f));
    TRY(faults_end(&f));
    TRY(check_name(ch));
    return check_idle(ch);
}

/* -- doing it --------------------------------------------------------------------------------------------------------- */

static ks_rc put_settings(struct change *ch)
{
    const struct cluster_change *ask = ch->ask;
    struct cluster *c = &ch->cluster;

    if (ask->is_delete_protected)
        c->is_delete_protected = *ask->is_delete_protected;
    if (ask->extra)
        memcpy(c->extra, ask->extra, strlen(ask->extra) + 1);
    if (ask->rotation)
        c->rotation = *ask->rotation;
    if (ask->name)
        message_copy(c->name, sizeof c->name, ask->name);
    c->updated = ch->w->now;
    c->revision++;
    return store_cluster_put(ch->w->tx, c);
}

static ks_rc do_step(struct change *ch, const struct plan_step *step)
{
    switch (step->action) {
    case PLAN_KEEP:
        break;
    case PLAN_ADD:
        return region_add(ch->w, &ch->cluster, step->wish);
    case PLAN_SCALE:
        return region_scale(ch->w, step->there, step->wish->node_count);
    case PLAN_REMOVE:
        return region_remove(ch->w, step->there);
    }
    return KS_SUCCESS;
}

static const enum operation_kind kinds[] = {
    [PLAN_KEEP] = OPERATION_KIND_COUNT,
    [PLAN_ADD] = OPERATION_REGION_ADD,
    [PLAN_SCALE] = OPERATION_REGION_SCALE,
    [PLAN_REMOVE] = OPERATION_REGION_REMOVE,
};

static ks_rc begin_tasks(struct change *ch)
{
    struct task tasks[PLAN_REMOVE + 1] = {0};

    for (size_t i = 0; i < ch->plan.count; i++) {
        const struct plan_step *s = &ch->plan.steps[i];
        struct task *t = &tasks[s->action];
        t->regions[t->region_count++] = s->there ? s->there->name : s->wish->name;
    }
    for (int action = PLAN_ADD; action <= PLAN_REMOVE; action++) {
        tasks[action].kind = kinds[action];
        TRY(task_begin(ch->w, ch->by, &ch->cluster, &tasks[action]));
    }
    return KS_SUCCESS;
}

/* Lease and rotation are in what nodes are told. */
static ks_rc tell_nodes(struct change *ch)
{
    const struct cluster_change *ask = ch->ask;

    if (!ask->lease && !ask->rotation && !ask->name)
        return KS_SUCCESS;
    return wish_changed(ch->w, ch->cluster.id, NULL);
}

static json_t *describe(const struct change *ch)
{
    static const char *const words[] = {"keep", "add", "scale", "remove"};
    json_t *regions = json_object();

    for (size_t i = 0; i < ch->plan.count; i++) {
        const struct plan_step *s = &ch->plan.steps[i];
        const char *name = s->there ? s->there->name : s->wish->name;
        if (s->action != PLAN_KEEP)
            json_object_set_new(regions, name,
                                json_pack("{s:s, s:i}", "action", words[s->action], "node_count",
                                          s->wish ? (int)s->wish->node_count : 0));
    }
    return json_pack("{s:s, s:b, s:b, s:b, s:o}", "name", ch->cluster.name, "protected",
                     (int)ch->cluster.is_delete_protected, "lease", ch->ask->lease != NULL,
                     "rotation", ch->ask->rotation != NULL, "regions", regions);
}

static ks_rc audit_change(struct change *ch)
{
    char object[128] = "";

    message_put(object, sizeof object, "cluster/%s", ch->cluster.id);
    struct store_event event = {
        .action = "cluster.change",
        .organisation = ch->cluster.organisation,
        .cluster = ch->cluster.id,
        .object = object,
        .detail = describe(ch),
    };
    return store_tx_audit(ch->w->tx, ch->by, &event);
}

static ks_rc do_change(struct change *ch)
{
    TRY(put_settings(ch));
    for (size_t i = 0; i < ch->plan.count; i++)
        TRY(do_step(ch, &ch->plan.steps[i]));
    TRY(begin_tasks(ch));
    TRY(tell_nodes(ch));
    TRY(audit_change(ch));
    return cluster_bring(ch->w, ch->cluster.id);
}

ks_rc control_cluster_change(struct control *c, const struct caller *by, const char *id,
                             const struct cluster_change *change, struct cluster_view **ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(change_freep) struct change *ch = NULL;
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;

    TRY(mem_new(1, sizeof *ch, &ch));
    ch->w = &w;
    ch->by = by;
    ch->ask = change;
    TRY(work_begin(c, &w));
    TRY(cluster_find(store_tx_view(w.tx), by, id, &ch->cluster));
    TRY(check_change(ch));
    TRY(do_change(ch));
    TRY(store_cluster_get(store_tx_view(w.tx), id, &ch->cluster));
    TRY(cluster_view_read(store_tx_view(w.tx), &ch->cluster, &view));
    TRY(work_end(&w));
    *ret = TAKE(view);
    return KS_SUCCESS;
}
