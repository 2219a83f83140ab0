/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cluster.c - clusters: made, looked at, listed, deleted.
 *
 * Nothing here waits for a node. What is written is what is wanted; control/settle.c says when it is so.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/cluster_rules.h"
#include "control/cmek_spec.h"
#include "control/live.h"
#include "control/message.h"
#include "control/scope.h"
#include "control/slice.h"

/* -- looking --------------------------------------------------------------------------------------------------------- */

ks_rc cluster_find(struct store_view *v, const struct caller *by, const char *id,
                   struct cluster *ret)
{
    struct cluster *c;

    ENSURE(id_is_valid(id), KS_E_NOT_FOUND, "there is no cluster %.40s", id);
    TRY(mem_new(1, sizeof *c, &c));
    ks_rc rc = store_cluster_get(v, id, c);
    if (ks_is(rc, KS_E_NOT_FOUND) || (ks_ok(rc) && !caller_may_see(by, c->organisation, c->id)))
        rc = ks_fail(KS_E_NOT_FOUND, "there is no cluster %.40s", id);
    if (ks_ok(rc))
        *ret = *c;
    mem_free(c);
    return rc;
}

void cluster_view_free(struct cluster_view *v)
{
    if (!v)
        return;
    mem_free(v->regions);
    mem_free(v);
}

void cluster_view_freep(struct cluster_view **v)
{
    cluster_view_free(*v);
    *v = NULL;
}

/* Regions that are being removed say nothing about the cluster's status, unless there are no others. */
static enum cmek_status worst_status(const struct cluster_view *v)
{
    enum cmek_status of_all = CMEK_DISABLED, of_staying = CMEK_DISABLED;
    bool is_any = false;

    for (size_t i = 0; i < v->region_count; i++) {
        of_all = cmek_status_worst(of_all, v->regions[i].status);
        if (v->regions[i].state == REGION_REMOVING)
            continue;
        of_staying = cmek_status_worst(of_staying, v->regions[i].status);
        is_any = true;
    }
    return is_any ? of_staying : of_all;
}

static ks_rc read_operation(struct store_view *v, struct cluster_view *view)
{
    CLEANUP(mem_freep) struct operation *operations = NULL;
    struct store_page page = {.count_max = 1, .is_descending = true};
    size_t count;

    TRY(store_operations_running(v, view->cluster.id, &page, &operations, &count));
    if (count)
        memcpy(view->operation, operations[0].id, ID_BYTES);
    return KS_SUCCESS;
}

ks_rc cluster_view_read(struct store_view *v, const struct cluster *cluster,
                        struct cluster_view **ret)
{
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;

    TRY(mem_new(1, sizeof *view, &view));
    view->cluster = *cluster;
    TRY(store_regions(v, cluster->id, &view->regions, &view->region_count));
    TRY(read_operation(v, view));
    view->status = worst_status(view);
    *ret = TAKE(view);
    return KS_SUCCESS;
}

static ks_rc read_by_id(struct store_view *v, const struct caller *by, const char *id,
                        struct cluster_view **ret)
{
    CLEANUP(mem_freep) struct cluster *cluster = NULL;

    TRY(mem_new(1, sizeof *cluster, &cluster));
    TRY(cluster_find(v, by, id, cluster));
    return cluster_view_read(v, cluster, ret);
}

ks_rc control_cluster_get(struct control *c, const struct caller *by, const char *id,
                          struct cluster_view **ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    return read_by_id(v, by, id, ret);
}

/* -- listing --------------------------------------------------------------------------------------------------------- */

void cluster_views_free(struct cluster_view **views, size_t count)
{
    for (size_t i = 0; views && i < count; i++)
        cluster_view_free(views[i]);
    mem_free(views);
}

struct listed {
    size_t count;
    struct cluster_view **views;
};

static void listed_done(struct listed *l)
{
    cluster_views_free(l->views, l->count);
}

static ks_rc read_views(struct store_view *v, const struct cluster *clusters, size_t count,
                        struct listed *ret)
{
    TRY(mem_new(count + 1, sizeof *ret->views, &ret->views));
    for (size_t i = 0; i < count; i++) {
        TRY(cluster_view_read(v, &clusters[i], &ret->views[i]));
        ret->count++;
    }
    return KS_SUCCESS;
}

/* Where a cluster stands in a list of that order. */
static struct store_page place_of(enum cluster_order order, const struct cluster *cluster)
{
    struct store_page place = {.number = cluster->number};

    switch (order) {
    case CLUSTER_BY_CREATED:
        break;
    case CLUSTER_BY_NAME:
        message_copy(place.text, sizeof place.text, cluster->name);
        break;
    case CLUSTER_BY_DELETED:
        place.at = cluster->deleted;
        break;
    }
    return place;
}

static enum store_cluster_order order_of(enum cluster_order order)
{
    switch (order) {
    case CLUSTER_BY_CREATED:
        break;
    case CLUSTER_BY_NAME:
        return STORE_CLUSTERS_BY_NAME;
    case CLUSTER_BY_DELETED:
        return STORE_CLUSTERS_BY_DELETED;
    }
    return STORE_CLUSTERS_BY_NUMBER;
}

/* A key of one cluster has a list of one. */
static ks_rc list_own(struct store_view *v, const struct caller *by,
                      const struct cluster_filter *filter, struct slice *slice, struct listed *ret)
{
    CLEANUP(mem_freep) struct cluster *cluster = NULL;

    slice->after[0] = slice->before[0] = '\0';
    TRY(mem_new(1, sizeof *cluster, &cluster));
    ks_rc rc = cluster_find(v, by, by->cluster, cluster);
    bool is_shown = ks_ok(rc) && (filter->is_with_deleted || !cluster->deleted) &&
                    (!filter->dialect || strcmp(filter->dialect, cluster->dialect) == 0);
    if (!ks_ok(rc) && !ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    return read_views(v, cluster, is_shown ? 1 : 0, ret);
}

/* Takes the row too many off, and says where the parts before and behind are. */
static ks_rc end_part(struct slice *slice, enum cluster_order order, bool is_back,
                      const struct cluster *clusters, size_t *count)
{
    struct slice_ends ends = {.is_empty = *count == 0, .has_more = *count > slice->count_max};

    if (ends.has_more)
        *count = slice->count_max;
    if (*count > 0) {
        ends.first = place_of(order, &clusters[0]);
        ends.last = place_of(order, &clusters[*count - 1]);
    }
    return slice_end_both(slice, is_back, &ends);
}

static void turn_round(struct listed *l)
{
    for (size_t i = 0; i < l->count / 2; i++) {
        struct cluster_view *other = l->views[l->count - 1 - i];
        l->views[l->count - 1 - i] = l->views[i];
        l->views[i] = other;
    }
}

static ks_rc list_all(struct store_view *v, const struct caller *by,
                      const struct cluster_filter *filter, struct slice *slice, struct listed *ret)
{
    CLEANUP(mem_freep) struct cluster *clusters = NULL;
    struct store_page page;
    struct store_clusters_ask ask = {
        .organisation = by->organisation,
        .order = order_of(filter->order),
        .is_with_deleted = filter->is_with_deleted,
        .dialect = filter->dialect,
    };
    size_t count;
    bool is_back;

    TRY(slice_begin_both(slice, &page, &is_back));
    TRY(store_clusters(v, &ask, &page, &clusters, &count));
    TRY(end_part(slice, filter->order, is_back, clusters, &count));
    TRY(read_views(v, clusters, count, ret));
    if (is_back)
        turn_round(ret);
    return KS_SUCCESS;
}

ks_rc control_cluster_list(struct control *c, const struct caller *by,
                           const struct cluster_filter *filter, struct slice *slice,
                           struct cluster_view ***ret, size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(listed_done) struct listed listed = {0};
    struct slice next = *slice;

    TRY(store_view_begin(c->store, &v));
    TRY(by->cluster[0] ? list_own(v, by, filter, &next, &listed)
                       : list_all(v, by, filter, &next, &listed));
    *slice = next;
    *ret_count = listed.count;
    *ret = TAKE(listed.views);
    return KS_SUCCESS;
}

/* -- making ---------------------------------------------------------------------------------------------------------- */

static ks_rc check_creator(const struct caller *by)
{
    ENSURE(by->organisation[0], KS_E_PERMISSION,
           "a cluster belongs to an organisation: ask with one of its keys");
    ENSURE(!by->cluster[0], KS_E_PERMISSION, "this key is for one cluster only");
    return KS_SUCCESS;
}

static void check_keys(const struct work *w, const struct cluster_wish *wish,
                       const struct cluster *cluster, struct faults *f)
{
    struct spec_rules rules = {.provider = cluster->provider,
                               .organisation = cluster->organisation,
                               .is_development = w->c->is_development,
                               .is_node_allowed = w->c->is_node_identity_allowed};

    rules_keys(wish->regions, wish->region_count, &rules, f);
}

static ks_rc check_regions(struct store_view *v, const struct cluster_wish *wish, struct faults *f)
{
    CLEANUP(mem_freep) char(*served)[NAME_BYTES] = NULL;
    size_t count;

    TRY(store_region_names(v, &served, &count));
    rules_regions(wish->regions, wish->region_count, (const char(*)[NAME_BYTES])served, count, f);
    return KS_SUCCESS;
}

/* cluster is filled with what is wished and with defaults. */
static ks_rc check_wish(struct work *w, const struct cluster_wish *wish, struct cluster *cluster)
{
    struct faults f = {0};

    rules_name(wish->name, &f);
    rules_provider(wish->provider, &f);
    rules_engine(cluster->engine, &f);
    if (!live_has_engine(w->c->live, cluster->engine))
        faults_add(&f, "no node has the engine \"%s\"", cluster->engine);
    rules_extra(wish->extra, &f);
    rules_lease(&cluster->lease, &f);
    rules_rotation(&wish->rotation, &f);
    TRY(check_regions(store_tx_view(w->tx), wish, &f));
    check_keys(w, wish, cluster, &f);
    return faults_end(&f);
}

/* What is wished of the cluster itself, and defaults; the lease as it was given, extra not. */
static void take_wish(const struct work *w, const struct cluster_wish *wish, struct cluster *c)
{
    c->lease = wish->lease;
    c->rotation = wish->rotation;
    c->is_delete_protected = wish->is_delete_protected;
    message_copy(c->name, sizeof c->name, wish->name);
    message_copy(c->provider, sizeof c->provider, wish->provider);
    message_copy(c->dialect, sizeof c->dialect, wish->dialect[0] ? wish->dialect : "native");
    message_copy(c->engine, sizeof c->engine, wish->engine[0] ? wish->engine : w->c->engine);
}

static const char *extra_of(const struct cluster_wish *wish)
{
    return wish->extra ? wish->extra : "{}";
}

static ks_rc fill_cluster(struct work *w, const struct caller *by, const struct cluster_wish *wish,
                          struct cluster *c)
{
    c->state = CLUSTER_CREATING;
    c->created = c->updated = w->now;
    c->revision = 1;
    message_copy(c->organisation, sizeof c->organisation, by->organisation);
    message_copy(c->creator, sizeof c->creator, by->key);
    take_wish(w, wish, c);
    TRY(check_wish(w, wish, c));
    const char *extra = extra_of(wish);
    memcpy(c->extra, extra, strlen(extra) + 1);
    TRY(store_tx_id(w->tx, c->id));
    return store_tx_next(w->tx, STORE_CLUSTER, &c->number);
}

static ks_rc audit_create(struct work *w, const struct caller *by, const struct cluster *c,
                          const struct cluster_wish *wish)
{
    char object[128] = "";
    json_t *regions = json_object();

    for (size_t i = 0; i < wish->region_count; i++)
        json_object_set_new(regions, wish->regions[i].name,
                            json_integer(wish->regions[i].node_count));
    message_put(object, sizeof object, "cluster/%s", c->id);
    struct store_event event = {
        .action = "cluster.create",
        .organisation = c->organisation,
        .cluster = c->id,
        .object = object,
        .detail =
            json_pack("{s:s, s:s, s:o}", "name", c->name, "engine", c->engine, "regions", regions),
    };
    return store_tx_audit(w->tx, by, &event);
}

static ks_rc write_cluster(struct work *w, const struct caller *by, const struct cluster_wish *wish,
                           const struct cluster *c)
{
    struct task task = {.kind = OPERATION_CLUSTER_CREATE};

    TRY(store_cluster_put(w->tx, c));
    for (size_t i = 0; i < wish->region_count; i++) {
        TRY(region_add(w, c, &wish->regions[i]));
        task.regions[task.region_count++] = wish->regions[i].name;
    }
    TRY(task_begin(w, by, c, &task));
    return audit_create(w, by, c, wish);
}

/* -- the same wish again, as a client sends it that lost the reply ---------------------------------------------------- */

static bool is_same_terms(const struct cluster *a, const struct cluster *b)
{
    const struct lease_terms *x = &a->lease, *y = &b->lease;
    const struct rotation_terms *r = &a->rotation, *s = &b->rotation;

    return x->lease_ms == y->lease_ms && x->probe_ms == y->probe_ms && x->grace_ms == y->grace_ms &&
           r->cmek_s == s->cmek_s && r->store_s == s->store_s && r->data_s == s->data_s &&
           r->reencrypt_s == s->reencrypt_s && r->is_rewrap_automatic == s->is_rewrap_automatic &&
           a->is_delete_protected == b->is_delete_protected;
}

static ks_rc is_same_cluster(const struct work *w, const struct cluster *there,
                             const struct cluster_wish *wish, bool *ret)
{
    CLEANUP(mem_freep) struct cluster *wanted = NULL;
    struct faults ignored = {
        0}; /* what is there has none, so it differs from a wish that has some */

    TRY(mem_new(1, sizeof *wanted, &wanted));
    take_wish(w, wish, wanted);
    rules_lease(&wanted->lease, &ignored);
    *ret = there->state == CLUSTER_CREATING && is_same_terms(there, wanted) &&
           strcmp(there->provider, wanted->provider) == 0 &&
           strcmp(there->dialect, wanted->dialect) == 0 &&
           strcmp(there->engine, wanted->engine) == 0 && strcmp(there->extra, extra_of(wish)) == 0;
    return KS_SUCCESS;
}

static bool has_key(const struct region_wish *wish, const struct key_spec *spec)
{
    for (size_t i = 0; i < wish->key_count; i++)
        if (spec_is_equal(&wish->keys[i], spec))
            return true;
    return false;
}

/* Those that the region was made with, whatever became of them. */
static ks_rc is_same_keys(struct store_view *v, const struct cluster *there,
                          const struct region_wish *wish, bool *ret)
{
    CLEANUP(mem_freep) struct region_key *keys = NULL;
    size_t count, first = 0, same = 0;

    TRY(store_region_keys(v, there->id, wish->name, &keys, &count));
    for (size_t i = 0; i < count; i++) {
        if (keys[i].created != there->created)
            continue;
        first++;
        same += has_key(wish, &keys[i].spec);
    }
    *ret = first == wish->key_count && same == first;
    return KS_SUCCESS;
}

static ks_rc is_same_region(struct store_view *v, const struct cluster_view *there,
                            const struct region_wish *wish, bool *ret)
{
    for (size_t i = 0; i < there->region_count; i++)
        if (strcmp(there->regions[i].name, wish->name) == 0 &&
            there->regions[i].node_count == wish->node_count)
            return is_same_keys(v, &there->cluster, wish, ret);
    *ret = false;
    return KS_SUCCESS;
}

static ks_rc is_same_wish(struct work *w, const struct cluster_view *there,
                          const struct cluster_wish *wish, bool *ret)
{
    bool is_same = there->region_count == wish->region_count;

    if (is_same)
        TRY(is_same_cluster(w, &there->cluster, wish, &is_same));
    for (size_t i = 0; i < wish->region_count && is_same; i++)
        TRY(is_same_region(store_tx_view(w->tx), there, &wish->regions[i], &is_same));
    *ret = is_same;
    return KS_SUCCESS;
}

/* NOT_FOUND: there is no cluster of that name. */
static ks_rc find_same(struct work *w, const struct caller *by, const struct cluster_wish *wish,
                       struct cluster_view **ret)
{
    CLEANUP(mem_freep) struct cluster *there = NULL;
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;
    struct store_view *v = store_tx_view(w->tx);
    bool is_same;

    TRY(mem_new(1, sizeof *there, &there));
    TRY(store_cluster_by_name(v, by->organisation, wish->name, there));
    TRY(cluster_view_read(v, there, &view));
    TRY(is_same_wish(w, view, wish, &is_same));
    ENSURE(is_same, KS_E_EXISTS, "there is a cluster \"%s\" already", wish->name);
    *ret = TAKE(view);
    return KS_SUCCESS;
}

/* -- made ------------------------------------------------------------------------------------------------------------ */

static ks_rc make_cluster(struct work *w, const struct caller *by, const struct cluster_wish *wish,
                          struct cluster_view **ret)
{
    CLEANUP(mem_freep) struct cluster *c = NULL;

    ks_rc rc = find_same(w, by, wish, ret);
    if (!ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    TRY(mem_new(1, sizeof *c, &c));
    TRY(fill_cluster(w, by, wish, c));
    TRY(write_cluster(w, by, wish, c));
    TRY(cluster_bring(w, c->id));
    return read_by_id(store_tx_view(w->tx), by, c->id, ret);
}

ks_rc control_cluster_create(struct control *c, const struct caller *by,
                             const struct cluster_wish *wish, struct cluster_view **ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;

    TRY(check_creator(by));
    TRY(work_begin(c, &w));
    TRY(make_cluster(&w, by, wish, &view));
    TRY(work_end(&w));
    *ret = TAKE(view);
    return KS_SUCCESS;
}

/* -- deleting -------------------------------------------------------------------------------------------------------- */

static ks_rc remove_regions(struct work *w, const struct caller *by, const struct cluster *c)
{
    CLEANUP(mem_freep) struct region *regions = NULL;
    struct task task = {.kind = OPERATION_CLUSTER_DELETE};
    size_t count;

    TRY(store_regions(store_tx_view(w->tx), c->id, &regions, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(region_remove(w, &regions[i]));
        task.regions[task.region_count++] = regions[i].name;
    }
    return task_begin(w, by, c, &task);
}

static ks_rc audit_delete(struct work *w, const struct caller *by, const struct cluster *c)
{
    char object[128] = "";

    message_put(object, sizeof object, "cluster/%s", c->id);
    struct store_event event = {
        .action = "cluster.delete",
        .organisation = c->organisation,
        .cluster = c->id,
        .object = object,
        .detail = json_pack("{s:s}", "name", c->name),
    };
    return store_tx_audit(w->tx, by, &event);
}

static ks_rc delete_cluster(struct work *w, const struct caller *by, struct cluster *c)
{
    if (c->state == CLUSTER_DELETING || c->state == CLUSTER_DELETED)
        return KS_SUCCESS;
    ENSURE(!c->is_delete_protected, KS_E_STATE,
           "cluster %s is protected from being deleted: end the protection first", c->name);
    c->state = CLUSTER_DELETING;
    c->updated = w->now;
    c->revision++;
    TRY(store_cluster_put(w->tx, c));
    TRY(remove_regions(w, by, c));
    TRY(audit_delete(w, by, c));
    return cluster_bring(w, c->id);
}

ks_rc control_cluster_delete(struct control *c, const struct caller *by, const char *id,
                             struct cluster_view **ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(mem_freep) struct cluster *cluster = NULL;
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;

    TRY(mem_new(1, sizeof *cluster, &cluster));
    TRY(work_begin(c, &w));
    TRY(cluster_find(store_tx_view(w.tx), by, id, cluster));
    TRY(delete_cluster(&w, by, cluster));
    TRY(read_by_id(store_tx_view(w.tx), by, id, &view));
    TRY(work_end(&w));
    *ret = TAKE(view);
    return KS_SUCCESS;
}
