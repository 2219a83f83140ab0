/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/settle.c - the life of a cluster: its state and its regions' states out of what its volumes are.
 *
 * Level-triggered: looks at all of a cluster's volumes and moves what can be moved. Volumes that are not wanted leave the store when
 * their node has reported them gone, regions after their last volume, and a deleted cluster stays for the record.
 */
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/live.h"
#include "control/message.h"
#include "control/reconcile.h"

struct life {
    struct work *w;
    struct cluster cluster;
    size_t region_count, volume_count;
    struct region *regions;
    struct region_stand *stands; /* of regions */
    struct cluster_volume *volumes;
    bool is_changed; /* something that callers see */
};

static void life_freep(struct life **s)
{
    if (!*s)
        return;
    mem_free((*s)->regions);
    mem_free((*s)->stands);
    mem_free((*s)->volumes);
    mem_freep(s);
}

static ks_rc read_life(struct work *w, const char *cluster, struct life **ret)
{
    CLEANUP(life_freep) struct life *s = NULL;
    struct store_view *v = store_tx_view(w->tx);

    TRY(mem_new(1, sizeof *s, &s));
    s->w = w;
    TRY(store_cluster_get(v, cluster, &s->cluster));
    TRY(store_regions(v, cluster, &s->regions, &s->region_count));
    *ret = TAKE(s);
    return KS_SUCCESS;
}

static ks_rc read_volumes(struct life *s)
{
    TRY(store_volumes(store_tx_view(s->w->tx), s->cluster.id, NULL, &s->volumes, &s->volume_count));
    return mem_new(s->region_count + 1, sizeof *s->stands, &s->stands);
}

static ks_rc tell_audit(struct life *s, const char *action, const char *region, const char *message)
{
    char object[128] = "";

    message_put(object, sizeof object, "%s/%s", region ? "region" : "cluster",
                region ? region : s->cluster.id);
    struct store_event event = {
        .action = action,
        .organisation = s->cluster.organisation,
        .cluster = s->cluster.id,
        .object = object,
        .detail = message[0] ? json_pack("{s:s}", "message", message) : NULL,
    };
    s->is_changed = true;
    return store_tx_audit(s->w->tx, NULL, &event);
}

/* -- volumes --------------------------------------------------------------------------------------------------------- */

static bool is_gone(const struct cluster_volume *v)
{
    return !v->is_wanted && v->access == ACCESS_NONE && v->reached == v->goal;
}

/* Open, and its engine answers. One that is locked by the customer's word is as far as it can be. */
static bool is_there(const struct life *s, const struct cluster_volume *v, bool is_revoked)
{
    bool has_engine = strcmp(s->cluster.engine, "none") != 0;

    if (is_revoked)
        return v->access == ACCESS_LOCKED && v->reached != GOAL_NONE;
    if (v->access != ACCESS_OPEN && v->access != ACCESS_GRACE)
        return false;
    return !has_engine || v->engine == ENGINE_RUNNING;
}

static bool is_failing(const struct cluster_volume *v)
{
    return v->access == ACCESS_FAILED || v->engine == ENGINE_FAILED ||
           (v->access == ACCESS_LOCKED && v->cause != CAUSE_REVOKED) || v->cause == CAUSE_ERROR ||
           v->cause == CAUSE_DENIED;
}

static ks_rc drop_gone(struct life *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->volume_count; i++) {
        if (!is_gone(&s->volumes[i])) {
            s->volumes[kept++] = s->volumes[i];
            continue;
        }
        TRY(store_volume_delete(s->w->tx, s->volumes[i].id));
        TRY(live_set_password(s->w->c->live, s->volumes[i].id, NULL));
        TRY(live_set_failed(s->w->c->live, s->volumes[i].id, NULL));
        TRY(tell_audit(s, "volume.gone", s->volumes[i].region, ""));
    }
    s->volume_count = kept;
    return KS_SUCCESS;
}

/* -- how far a region is --------------------------------------------------------------------------------------------- */

static const char *what_is_said(const struct cluster_volume *v)
{
    if (v->message[0])
        return v->message;
    if (v->engine_message[0])
        return v->engine_message;
    if (!v->reported)
        return v->is_wanted ? "has not been reported yet" : "is to be taken away";
    return v->is_wanted ? "is being brought up" : "is being taken away";
}

static ks_rc describe(const struct life *s, const struct cluster_volume *v,
                      struct region_stand *stand)
{
    struct node *node;
    char seen[NAME_BYTES];

    TRY(mem_new(1, sizeof *node, &node));
    ks_rc rc = store_node_get(store_tx_view(s->w->tx), v->node, node);
    if (ks_ok(rc)) {
        node_seen_text(s->w->c, node, seen);
        message_put(stand->text, sizeof stand->text, "volume %u on node %s (%s) %s%s", v->ordinal,
                    node->name, seen, v->message[0] || v->engine_message[0] ? "says: " : "",
                    what_is_said(v));
    }
    mem_free(node);
    return rc;
}

/* The one that fails is told before those that are only not there yet. */
static bool is_worse(const struct cluster_volume *v, const struct cluster_volume *told)
{
    if (!told)
        return true;
    return v->is_wanted && is_failing(v) && !(told->is_wanted && is_failing(told));
}

static ks_rc judge_region(const struct life *s, const struct region *r, struct region_stand *stand)
{
    const struct cluster_volume *told = NULL;

    for (size_t i = 0; i < s->volume_count; i++) {
        const struct cluster_volume *v = &s->volumes[i];
        if (strcmp(v->region, r->name) != 0)
            continue;
        bool is_so = v->is_wanted && is_there(s, v, r->is_revoked);
        stand->wanted += v->is_wanted;
        stand->going += !v->is_wanted;
        stand->there += is_so;
        if (!is_so && is_worse(v, told))
            told = v;
    }
    stand->is_failing = told && told->is_wanted && is_failing(told);
    return told ? describe(s, told, stand) : KS_SUCCESS;
}

/* -- regions --------------------------------------------------------------------------------------------------------- */

static ks_rc retire_keys(struct life *s, const char *region)
{
    CLEANUP(mem_freep) struct region_key *keys = NULL;
    struct work *w = s->w;
    size_t count;

    TRY(store_region_keys(store_tx_view(w->tx), s->cluster.id, region, &keys, &count));
    for (size_t i = 0; i < count; i++) {
        if (keys[i].retired)
            continue;
        keys[i].status = CMEK_DISABLED;
        keys[i].is_wanted = false;
        keys[i].retired = keys[i].updated = w->now;
        TRY(store_region_key_put(w->tx, &keys[i]));
    }
    return KS_SUCCESS;
}

static ks_rc make_ready(struct life *s, struct region *r)
{
    r->state = REGION_READY;
    r->updated = s->w->now;
    TRY(store_region_put(s->w->tx, r));
    return tell_audit(s, "region.ready", r->name, "");
}

static ks_rc settle_region(struct life *s, size_t i, bool *ret_is_gone)
{
    struct region *r = &s->regions[i];
    const struct region_stand *stand = &s->stands[i];

    *ret_is_gone = false;
    if (r->state == REGION_ADDING && stand->there == stand->wanted)
        return make_ready(s, r);
    if (r->state != REGION_REMOVING || stand->going || stand->wanted)
        return KS_SUCCESS;
    TRY(retire_keys(s, r->name));
    if (s->cluster.state == CLUSTER_DELETING)
        return KS_SUCCESS;
    *ret_is_gone = true;
    TRY(store_due_delete(s->w->tx, s->cluster.id, r->name, NULL));
    TRY(store_region_delete(s->w->tx, s->cluster.id, r->name));
    return tell_audit(s, "region.gone", r->name, "");
}

static ks_rc settle_regions(struct life *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->region_count; i++) {
        bool is_region_gone;
        TRY(judge_region(s, &s->regions[i], &s->stands[i]));
        TRY(settle_region(s, i, &is_region_gone));
        if (is_region_gone)
            continue;
        s->regions[kept] = s->regions[i];
        s->stands[kept++] = s->stands[i];
    }
    s->region_count = kept;
    return KS_SUCCESS;
}

/* -- the cluster ----------------------------------------------------------------------------------------------------- */

static ks_rc put_cluster(struct life *s)
{
    s->cluster.updated = s->w->now;
    return store_cluster_put(s->w->tx, &s->cluster);
}

static ks_rc move_cluster(struct life *s, enum cluster_state state, const char *action,
                          const char *message)
{
    s->cluster.state = state;
    message_copy(s->cluster.message, sizeof s->cluster.message, message);
    if (state == CLUSTER_DELETED)
        s->cluster.deleted = s->w->now;
    TRY(put_cluster(s));
    return tell_audit(s, action, NULL, message);
}

static ks_rc say(struct life *s, const char *message)
{
    if (!message_copy(s->cluster.message, sizeof s->cluster.message, message))
        return KS_SUCCESS;
    s->is_changed = true;
    store_tx_observe(s->w->tx);
    return put_cluster(s);
}

/* The first region that is not ready, one that fails before others. */
static size_t find_waiting(const struct life *s)
{
    size_t found = s->region_count;

    for (size_t i = 0; i < s->region_count; i++) {
        if (s->regions[i].state != REGION_ADDING)
            continue;
        if (s->stands[i].is_failing)
            return i;
        if (found == s->region_count)
            found = i;
    }
    return found;
}

static ks_rc settle_creating(struct life *s)
{
    char text[MESSAGE_BYTES] = "";
    size_t at = find_waiting(s);

    if (at == s->region_count)
        return move_cluster(s, CLUSTER_CREATED, "cluster.created", "");
    message_put(text, sizeof text, "region %s: %u of %u volumes are there; %s", s->regions[at].name,
                s->stands[at].there, s->stands[at].wanted, s->stands[at].text);
    int64_t age = s->w->now - s->cluster.created;
    if (s->cluster.state == CLUSTER_CREATING && age >= task_patience_s(s->stands[at].is_failing))
        return move_cluster(s, CLUSTER_CREATION_FAILED, "cluster.creation_failed", text);
    return say(s, text);
}

static ks_rc settle_deleting(struct life *s)
{
    if (!s->volume_count) {
        TRY(store_due_delete(s->w->tx, s->cluster.id, NULL, NULL));
        return move_cluster(s, CLUSTER_DELETED, "cluster.deleted", "");
    }
    for (size_t i = 0; i < s->region_count; i++)
        if (s->stands[i].going)
            return say(s, s->stands[i].text);
    return KS_SUCCESS;
}

static ks_rc settle_state(struct life *s)
{
    switch (s->cluster.state) {
    case CLUSTER_CREATING:
    case CLUSTER_CREATION_FAILED:
        return settle_creating(s);
    case CLUSTER_DELETING:
        return settle_deleting(s);
    case CLUSTER_CREATED:
    case CLUSTER_DELETED:
    case CLUSTER_STATE_COUNT:
        break;
    }
    return KS_SUCCESS;
}

/* -- all of it ------------------------------------------------------------------------------------------------------- */

static ks_rc has_task(const struct life *s, bool *ret)
{
    CLEANUP(mem_freep) struct operation *operations = NULL;
    struct store_page page = {.count_max = STORE_PAGE_MAX};
    size_t count;

    TRY(store_operations_running(store_tx_view(s->w->tx), s->cluster.id, &page, &operations,
                                 &count));
    *ret = false;
    for (size_t i = 0; i < count; i++)
        *ret = *ret || task_is_life(operations[i].kind);
    return KS_SUCCESS;
}

/* At rest nothing of a cluster depends on its volumes; whatever is on its way has an operation, or a state that says so. */
static ks_rc is_at_rest(const struct life *s, bool *ret)
{
    bool is_busy = s->cluster.state != CLUSTER_CREATED;

    for (size_t i = 0; i < s->region_count; i++)
        is_busy = is_busy || s->regions[i].state != REGION_READY;
    if (!is_busy)
        TRY(has_task(s, &is_busy));
    *ret = !is_busy;
    return KS_SUCCESS;
}

ks_rc cluster_settle(struct work *w, const char *cluster)
{
    CLEANUP(life_freep) struct life *s = NULL;
    bool is_resting;

    TRY(read_life(w, cluster, &s));
    TRY(is_at_rest(s, &is_resting));
    if (is_resting)
        return KS_SUCCESS;
    TRY(read_volumes(s));
    TRY(drop_gone(s));
    TRY(settle_regions(s));
    TRY(settle_state(s));
    struct task_scene tasks = {&s->cluster, s->regions, s->region_count, s->stands};
    TRY(task_settle(w, &tasks));
    return s->is_changed ? cluster_touch(w, cluster) : KS_SUCCESS;
}

ks_rc cluster_touch(struct work *w, const char *cluster)
{
    struct cluster *c;

    TRY(mem_new(1, sizeof *c, &c));
    ks_rc rc = store_cluster_get(store_tx_view(w->tx), cluster, c);
    if (ks_ok(rc)) {
        c->revision++;
        c->updated = w->now;
        rc = store_cluster_put(w->tx, c);
    }
    mem_free(c);
    return rc;
}

ks_rc cluster_bring(struct work *w, const char *cluster)
{
    CLEANUP(mem_freep) struct region *regions = NULL;
    size_t count;

    TRY(store_regions(store_tx_view(w->tx), cluster, &regions, &count));
    for (size_t i = 0; i < count; i++)
        TRY(reconcile_region(w, cluster, regions[i].name));
    return cluster_settle(w, cluster);
}
