/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_cluster.c - clusters, their terms of rotation, their volumes, how to reach them.
 */
#include <stdio.h>
#include <string.h>

#include "api/native.h"
#include "base/json.h"
#include "base/mem.h"

/* ---- lists ---- */

struct views {
    struct cluster_view **all;
    size_t count;
};

static void views_done(struct views *v)
{
    cluster_views_free(v->all, v->count);
}

static json_t *write_view(const void *value)
{
    return native_cluster(*(struct cluster_view *const *)value);
}

static ks_rc read_filter(const struct api_call *call, struct cluster_filter *ret)
{
    static const char *const orders[] = {"created_at", "name", "deleted_at"};
    const char *sort = api_query(call, "sort");
    int i = 0;

    while (sort && i < 3 && strcmp(sort, orders[i]) != 0)
        i++;
    ENSURE(i < 3, KS_E_USAGE, "\"sort\" must be created_at, name or deleted_at");
    ret->order = (enum cluster_order)i;
    ret->dialect = api_query(call, "dialect");
    return api_query_bool(call, "deleted", &ret->is_with_deleted);
}

ks_rc native_cluster_list(struct api_call *call)
{
    CLEANUP(views_done) struct views views = {0};
    struct cluster_filter filter = {0};
    struct slice slice;

    TRY(native_slice(call, &slice));
    TRY(read_filter(call, &filter));
    TRY(control_cluster_list(call->control, &call->caller, &filter, &slice, &views.all,
                             &views.count));
    return native_reply_page(call, &slice,
                             native_items(views.count, views.all, sizeof *views.all, write_view));
}

/* ---- one cluster ---- */

static ks_rc reply_view(struct api_call *call, int status, const struct cluster_view *v)
{
    return native_reply_revision(call, status, v->cluster.revision, native_cluster(v));
}

static ks_rc read_word(const json_t *body, const char *member, char ret[WORD_BYTES])
{
    const char *text = "";

    TRY(json_may_text(body, member, WORD_BYTES - 1, &text));
    snprintf(ret, WORD_BYTES, "%s", text);
    return KS_SUCCESS;
}

static ks_rc read_rotation_member(const json_t *body, struct rotation_terms *ret)
{
    json_t *terms = NULL;

    TRY(json_may_object(body, "rotation", &terms));
    return read_rotation(terms, ret);
}

ks_rc native_cluster_create(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *made = NULL;
    CLEANUP(mem_freep) struct region_wish *regions = NULL;
    struct cluster_wish wish = {.dialect = "native"};
    const json_t *body = call->body;
    char location[64];

    TRY(known_members(body, "name,provider,engine,is_delete_protected,lease,rotation,regions"));
    TRY(read_name(body, "name", sizeof wish.name, wish.name));
    TRY(read_word(body, "provider", wish.provider));
    TRY(read_word(body, "engine", wish.engine));
    TRY(json_may_bool(body, "is_delete_protected", &wish.is_delete_protected));
    TRY(read_lease(body, "lease", &wish.lease));
    TRY(read_rotation_member(body, &wish.rotation));
    TRY(read_region_wishes(body, &regions, &wish.region_count));
    wish.regions = regions;
    TRY(control_cluster_create(call->control, &call->caller, &wish, &made));
    snprintf(location, sizeof location, "/v1/clusters/%s", made->cluster.id);
    TRY(api_header(call, "Location", location));
    return reply_view(call, 201, made);
}

ks_rc native_cluster_get(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *v = NULL;

    TRY(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &v));
    return reply_view(call, 200, v);
}

/* Members that are absent stay: terms begin as they are now. */
struct patch {
    struct cluster_change change;
    bool is_protected;
    char name[NAME_BYTES];
    struct lease_terms lease;
    struct rotation_terms rotation;
    struct region_wish *regions;
};

static ks_rc read_terms(const json_t *body, const struct cluster *now, struct patch *p)
{
    p->lease = now->lease;
    p->rotation = now->rotation;
    TRY(read_lease(body, "lease", &p->lease));
    TRY(read_rotation_member(body, &p->rotation));
    if (json_object_get(body, "lease"))
        p->change.lease = &p->lease;
    if (json_object_get(body, "rotation"))
        p->change.rotation = &p->rotation;
    return KS_SUCCESS;
}

static ks_rc read_patch(const json_t *body, const struct cluster *now, struct patch *p)
{
    TRY(known_members(body, "name,is_delete_protected,lease,rotation,regions"));
    if (json_object_get(body, "name")) {
        TRY(read_name(body, "name", sizeof p->name, p->name));
        p->change.name = p->name;
    }
    if (json_object_get(body, "is_delete_protected")) {
        TRY(json_may_bool(body, "is_delete_protected", &p->is_protected));
        p->change.is_delete_protected = &p->is_protected;
    }
    if (json_object_get(body, "regions"))
        TRY(read_region_wishes(body, &p->regions, &p->change.region_count));
    p->change.regions = p->regions;
    return read_terms(body, now, p);
}

static void patch_done(struct patch *p)
{
    mem_free(p->regions);
}

static ks_rc change(struct api_call *call, const struct cluster_change *wish)
{
    CLEANUP(cluster_view_freep) struct cluster_view *changed = NULL;

    TRY(native_if_matched(call, wish->revision,
                          control_cluster_change(call->control, &call->caller,
                                                 api_param(call, "cluster"), wish, &changed)));
    return reply_view(call, 200, changed);
}

ks_rc native_cluster_change(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *now = NULL;
    CLEANUP(patch_done) struct patch p = {0};

    TRY(native_if_match(call, &p.change.revision));
    TRY(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &now));
    TRY(read_patch(call->body, &now->cluster, &p));
    return change(call, &p.change);
}

ks_rc native_cluster_delete(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *v = NULL;

    TRY(control_cluster_delete(call->control, &call->caller, api_param(call, "cluster"), &v));
    return reply_view(call, 202, v);
}

/* ---- terms of rotation ---- */

ks_rc native_rotation_get(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *v = NULL;

    TRY(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &v));
    return native_reply_revision(call, 200, v->cluster.revision,
                                 native_rotation(&v->cluster.rotation));
}

ks_rc native_rotation_put(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *changed = NULL;
    struct rotation_terms terms = {0};
    struct cluster_change wish = {.rotation = &terms};

    TRY(native_if_match(call, &wish.revision));
    TRY(read_rotation(call->body, &terms));
    TRY(native_if_matched(call, wish.revision,
                          control_cluster_change(call->control, &call->caller,
                                                 api_param(call, "cluster"), &wish, &changed)));
    return native_reply_revision(call, 200, changed->cluster.revision,
                                 native_rotation(&changed->cluster.rotation));
}

/* ---- volumes ---- */

static json_t *write_volume(const void *value)
{
    return native_volume(value);
}

ks_rc native_volume_list(struct api_call *call)
{
    CLEANUP(mem_freep) struct cluster_volume *all = NULL;
    size_t count;

    TRY(control_volumes(call->control, &call->caller, api_param(call, "cluster"), &all, &count));
    json_t *items = native_items(count, all, sizeof *all, write_volume);
    for (size_t i = 0; items && i < count; i++)
        json_object_set_new(json_array_get(items, i), "requests_failed",
                            control_requests_failed(call->control, &all[i]));
    return native_reply_items(call, items);
}

ks_rc native_volume_get(struct api_call *call)
{
    json_t *detail;

    TRY(control_volume_detail(call->control, &call->caller, api_param(call, "cluster"),
                              api_param(call, "volume"), &detail));
    return api_reply(call, 200, detail);
}

ks_rc native_accept_rollback(struct api_call *call)
{
    CLEANUP(mem_freep) struct cluster_volume *v = NULL;
    int64_t sequence = 0;

    TRY(known_members(call->body, "sequence"));
    TRY(json_get_int(call->body, "sequence", 1, INT64_MAX, &sequence));
    TRY(mem_new(1, sizeof *v, &v));
    TRY(control_accept_rollback(call->control, &call->caller, api_param(call, "cluster"),
                                api_param(call, "volume"), sequence, v));
    return api_reply(call, 200, native_volume(v));
}

ks_rc native_connection(struct api_call *call)
{
    json_t *items;

    TRY(control_connections(call->control, &call->caller, api_param(call, "cluster"), &items));
    return native_reply_items(call, items);
}
