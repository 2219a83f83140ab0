/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_cluster.c - clusters: made, shown, listed, changed, deleted; and their settings for backups.
 */
#include <string.h>

#include "api/crdb.h"
#include "base/json.h"
#include "base/mem.h"

enum { CHANGE_TRIES = 5 };

/* ---- replies ---- */

bool crdb_is_old(const struct api_call *call)
{
    const char *version = http_header(call->exchange, "Cc-Version");

    return version && strcmp(version, "2024-09-16") < 0;
}

ks_rc crdb_reply_cluster(struct api_call *call, const struct cluster_view *view)
{
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    struct platform by;
    size_t count = 0;

    TRY(control_platform_get(call->control, &by));
    TRY(control_volumes(call->control, &call->caller, view->cluster.id, &volumes, &count));
    return api_reply(call, 200, crdb_show_cluster(view, volumes, count, &by, crdb_is_old(call)));
}

/* ---- making ---- */

/* The rule of CockroachDB Cloud; control knows only what fits. */
static ks_rc check_name(const char *name)
{
    size_t len = strlen(name);

    ENSURE(
        len >= 6 && len <= 20 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
            name[0] != '-' && name[len - 1] != '-',
        KS_E_USAGE,
        "\"name\" must have 6 to 20 small letters, digits and dashes, and no dash at either end");
    return KS_SUCCESS;
}

ks_rc crdb_check_provider(const char *provider)
{
    ENSURE(strcmp(provider, "AWS") == 0 || strcmp(provider, "GCP") == 0 ||
               strcmp(provider, "AZURE") == 0,
           KS_E_USAGE, "\"provider\" can be AWS, GCP or AZURE");
    return KS_SUCCESS;
}

static ks_rc set_word(char to[WORD_BYTES], const char *from, const char *what)
{
    size_t len = strlen(from);

    ENSURE(len < WORD_BYTES, KS_E_USAGE, "\"%s\" is longer than %d bytes", what, WORD_BYTES - 1);
    memcpy(to, from, len + 1);
    return KS_SUCCESS;
}

/* Name, provider, protection and engine. */
static ks_rc read_wish(const json_t *body, const json_t *kept, struct cluster_wish *w)
{
    const char *name, *provider, *engine = crdb_kept_engine(kept);
    json_t *spec = NULL;
    bool is_given;

    TRY(json_get_text(body, "name", NAME_BYTES - 1, &name));
    TRY(json_get_text(body, "provider", WORD_BYTES - 1, &provider));
    TRY(json_get_object(body, "spec", &spec));
    TRY(check_name(name));
    TRY(crdb_check_provider(provider));
    memcpy(w->name, name, strlen(name) + 1);
    TRY(set_word(w->provider, provider, "provider"));
    TRY(set_word(w->dialect, "cockroach", "dialect"));
    if (engine)
        TRY(set_word(w->engine, engine, "keystead-engine"));
    return crdb_read_protection(spec, &w->is_delete_protected, &is_given);
}

ks_rc crdb_cluster_create(struct api_call *call)
{
    CLEANUP(json_decrefp) json_t *kept = NULL;
    CLEANUP(mem_freep) struct region_wish *regions = NULL;
    CLEANUP(buf_done) struct buf extra = buf_init(EXTRA_BYTES + 1);
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;
    struct cluster_wish wish = {0};
    json_t *nodes = NULL;

    TRY(crdb_kept_open("", &kept));
    TRY(crdb_kept_create(call->body, kept));
    TRY(read_wish(call->body, kept, &wish));
    const json_t *dedicated = json_object_get(json_object_get(call->body, "spec"), "dedicated");
    TRY(json_get_object(dedicated, "region_nodes", &nodes));
    TRY(crdb_read_nodes(nodes, &regions, &wish.region_count));
    TRY(crdb_kept_write("", kept, &extra));
    wish.extra = buf_text(&extra);
    wish.regions = regions;
    TRY(control_cluster_create(call->control, &call->caller, &wish, &view));
    return crdb_reply_cluster(call, view);
}

/* ---- showing ---- */

ks_rc crdb_cluster_get(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;

    TRY(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &view));
    return crdb_reply_cluster(call, view);
}

static ks_rc read_filter(const struct api_call *call, struct cluster_filter *ret)
{
    static const struct {
        const char *word;
        enum cluster_order order;
    } orders[] = {{"NAME", CLUSTER_BY_NAME},
                  {"CREATED_AT", CLUSTER_BY_CREATED},
                  {"DELETED_AT", CLUSTER_BY_DELETED}};
    const char *word = api_query(call, "pagination.sort_by");

    *ret = (struct cluster_filter){.order = CLUSTER_BY_CREATED};
    TRY(api_query_bool(call, "show_inactive", &ret->is_with_deleted));
    for (size_t i = 0; word && i < sizeof orders / sizeof *orders; i++)
        if (strcmp(word, orders[i].word) == 0) {
            ret->order = orders[i].order;
            return KS_SUCCESS;
        }
    ENSURE(!word || !word[0], KS_E_USAGE,
           "\"pagination.sort_by\" can be NAME, CREATED_AT or DELETED_AT");
    return KS_SUCCESS;
}

static ks_rc add_cluster(struct api_call *call, const struct platform *by,
                         const struct cluster_view *view, json_t *to)
{
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    size_t count = 0;

    TRY(control_volumes(call->control, &call->caller, view->cluster.id, &volumes, &count));
    ENSURE(json_array_append_new(
               to, crdb_show_cluster(view, volumes, count, by, crdb_is_old(call))) == 0,
           KS_E_NO_MEMORY, "a list of clusters");
    return KS_SUCCESS;
}

static ks_rc add_clusters(struct api_call *call, struct cluster_view **views, size_t count,
                          json_t *to)
{
    struct platform by;

    TRY(control_platform_get(call->control, &by));
    for (size_t i = 0; i < count; i++)
        TRY(add_cluster(call, &by, views[i], to));
    return KS_SUCCESS;
}

ks_rc crdb_cluster_list(struct api_call *call)
{
    CLEANUP(json_decrefp) json_t *members = json_array();
    struct cluster_filter filter;
    struct slice slice;
    struct cluster_view **views = NULL;
    size_t count = 0;

    ENSURE(members, KS_E_NO_MEMORY, "a list of clusters");
    TRY(crdb_slice(call, &slice));
    TRY(read_filter(call, &filter));
    TRY(control_cluster_list(call->control, &call->caller, &filter, &slice, &views, &count));
    ks_rc rc = add_clusters(call, views, count, members);
    cluster_views_free(views, count);
    TRY(rc);
    return crdb_reply_list(call, "clusters", TAKE(members), &slice);
}

/* ---- changing ---- */

/* What a client repeats is no change of regions: it would lock the cluster for nothing. */
static bool is_same_regions(const struct cluster_view *view, const struct region_wish *wishes,
                            size_t count)
{
    size_t same = 0;

    for (size_t i = 0; i < view->region_count; i++)
        for (size_t k = 0; k < count; k++)
            same += strcmp(view->regions[i].name, wishes[k].name) == 0 &&
                    view->regions[i].node_count == wishes[k].node_count && wishes[k].key_count == 0;
    return same == count && count == view->region_count;
}

/* The keys of new regions; the caller frees *ret. */
static ks_rc fresh_specs(const struct region_wish *wishes, size_t count, struct region_spec **ret,
                         size_t *ret_count)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    size_t used = 0;

    TRY(mem_new(count ? count : 1, sizeof *specs, &specs));
    for (size_t i = 0; i < count; i++) {
        if (wishes[i].key_count == 0)
            continue;
        memcpy(specs[used].region, wishes[i].name, NAME_BYTES);
        specs[used].key_count = 1;
        specs[used++].keys[0] = wishes[i].keys[0];
    }
    *ret = TAKE(specs);
    *ret_count = used;
    return KS_SUCCESS;
}

struct change {
    struct cluster_view *view;
    json_t *kept;
    struct buf extra;
    struct region_wish *regions;
    size_t region_count;
    bool is_protected, is_protection_given;
};

static void change_done(struct change *c)
{
    cluster_view_free(c->view);
    json_decref(c->kept);
    buf_done(&c->extra);
    mem_free(c->regions);
    *c = (struct change){.extra = buf_init(EXTRA_BYTES + 1)};
}

static ks_rc read_change(struct api_call *call, struct change *c)
{
    CLEANUP(cmek_view_freep) struct cmek_view *cmek = NULL;
    const char *id = api_param(call, "cluster");

    TRY(control_cluster_get(call->control, &call->caller, id, &c->view));
    TRY(control_cmek_get(call->control, &call->caller, id, &cmek));
    TRY(crdb_kept_open(c->view->cluster.extra, &c->kept));
    TRY(crdb_kept_patch(call->body, c->kept));
    TRY(crdb_kept_write(c->view->cluster.extra, c->kept, &c->extra));
    TRY(crdb_read_protection(call->body, &c->is_protected, &c->is_protection_given));
    TRY(crdb_read_regions(call->body, c->view, cmek, &c->regions, &c->region_count));
    if (is_same_regions(c->view, c->regions, c->region_count))
        c->region_count = 0;
    return KS_SUCCESS;
}

static ks_rc make_change(struct api_call *call, const struct change *c, struct cluster_view **ret)
{
    struct cluster_change change = {
        .is_delete_protected = c->is_protection_given ? &c->is_protected : NULL,
        .extra = buf_text(&c->extra),
        .region_count = c->region_count,
        .regions = c->regions,
        .revision = c->view->cluster.revision,
    };

    return control_cluster_change(call->control, &call->caller, c->view->cluster.id, &change, ret);
}

static ks_rc check_change(struct api_call *call, const struct change *c, bool *ret_is_waiting)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    size_t count;

    TRY(fresh_specs(c->regions, c->region_count, &specs, &count));
    return crdb_check(call, specs, count, ret_is_waiting);
}

/* One attempt; *ret stays NULL when the handler is to wait. STATE when the cluster changed in between. */
static ks_rc try_change(struct api_call *call, struct cluster_view **ret)
{
    CLEANUP(change_done) struct change c = {.extra = buf_init(EXTRA_BYTES + 1)};
    bool is_waiting;

    TRY(read_change(call, &c));
    TRY(check_change(call, &c, &is_waiting));
    return is_waiting ? KS_SUCCESS : make_change(call, &c, ret);
}

ks_rc crdb_cluster_patch(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;
    ks_rc rc = try_change(call, &view);

    for (int i = 1; i < CHANGE_TRIES && ks_is(rc, KS_E_STATE); i++)
        rc = try_change(call, &view);
    TRY(rc);
    return view ? crdb_reply_cluster(call, view) : KS_SUCCESS;
}

ks_rc crdb_cluster_delete(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;

    TRY(control_cluster_delete(call->control, &call->caller, api_param(call, "cluster"), &view));
    return crdb_reply_cluster(call, view);
}

/* ---- backups ---- */

ks_rc crdb_backups_get(struct api_call *call)
{
    CLEANUP(cluster_view_freep) struct cluster_view *view = NULL;
    CLEANUP(json_decrefp) json_t *kept = NULL;

    TRY(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &view));
    TRY(crdb_kept_open(view->cluster.extra, &kept));
    return api_reply(call, 200, crdb_kept_backups(kept));
}

static ks_rc try_backups(struct api_call *call)
{
    CLEANUP(change_done) struct change c = {.extra = buf_init(EXTRA_BYTES + 1)};
    CLEANUP(cluster_view_freep) struct cluster_view *changed = NULL;

    TRY(control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &c.view));
    TRY(crdb_kept_open(c.view->cluster.extra, &c.kept));
    TRY(crdb_kept_set_backups(call->body, c.kept));
    TRY(crdb_kept_write(c.view->cluster.extra, c.kept, &c.extra));
    TRY(make_change(call, &c, &changed));
    return api_reply(call, 200, crdb_kept_backups(c.kept));
}

ks_rc crdb_backups_patch(struct api_call *call)
{
    ks_rc rc = try_backups(call);

    for (int i = 1; i < CHANGE_TRIES && ks_is(rc, KS_E_STATE); i++)
        rc = try_backups(call);
    return rc;
}
