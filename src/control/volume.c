/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/volume.c - looking at the volumes of a cluster: what they are, what is in them, how to reach their engines.
 */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/live.h"
#include "control/scope.h"

static ks_rc check_visible(struct store_view *v, const struct caller *by, const char *cluster)
{
    CLEANUP(mem_freep) struct cluster *c = NULL;

    TRY(mem_new(1, sizeof *c, &c));
    return cluster_find(v, by, cluster, c);
}

ks_rc control_volumes(struct control *c, const struct caller *by, const char *cluster,
                      struct cluster_volume **ret, size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    TRY(check_visible(v, by, cluster));
    return store_volumes(v, cluster, NULL, ret, ret_count);
}

ks_rc control_volume_detail(struct control *c, const struct caller *by, const char *cluster,
                            const char *volume, json_t **ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(mem_freep) struct cluster_volume *row = NULL;
    CLEANUP(buf_done) struct buf text = buf_init(STORE_DOCUMENT_MAX);
    struct json_limits limits = {STORE_DOCUMENT_MAX, STORE_DETAIL_DEPTH_MAX};

    TRY(store_view_begin(c->store, &v));
    TRY(check_visible(v, by, cluster));
    TRY(mem_new(1, sizeof *row, &row));
    ks_rc rc =
        id_is_valid(volume) ? store_volume_get(v, volume, row) : ks_fail(KS_E_NOT_FOUND, "no id");
    if (ks_is(rc, KS_E_NOT_FOUND) || (ks_ok(rc) && strcmp(row->cluster, cluster) != 0))
        return ks_fail(KS_E_NOT_FOUND, "cluster %s has no volume %.40s", cluster, volume);
    TRY(rc);
    rc = store_document_get(v, "volume", volume, &text);
    if (ks_is(rc, KS_E_NOT_FOUND))
        rc = buf_printf(&text, "{}");
    TRY(rc);
    return json_read(buf_view(&text), limits, "what the node reported", ret);
}

json_t *control_requests_failed(struct control *c, const struct cluster_volume *v)
{
    json_t *failed = live_failed(c->live, v->id);

    return failed ? failed : json_null();
}

/* The password goes into the reply and nowhere else. */
static ks_rc add_connection(struct control *c, const struct cluster_volume *v, json_t *list)
{
    char password[LIVE_PASSWORD_BYTES] = "";
    bool is_known = live_password(c->live, v->id, password);
    json_t *one =
        json_pack("{s:s, s:i, s:s, s:s, s:i, s:s, s:s?, s:s, s:s}", "region", v->region, "ordinal",
                  (int)v->ordinal, "volume", v->id, "host", v->host, "port", (int)v->port, "uri",
                  v->connection, "password", is_known ? password : NULL, "access",
                  access_name(v->access), "engine", engine_state_name(v->engine));

    mem_wipe(password, sizeof password);
    ENSURE(one && json_array_append_new(list, one) == 0, KS_E_NO_MEMORY,
           "no memory for the connections");
    return KS_SUCCESS;
}

static ks_rc add_connections(struct control *c, const struct cluster_volume *volumes, size_t count,
                             json_t *list)
{
    for (size_t i = 0; i < count; i++)
        if (volumes[i].is_wanted && volumes[i].host[0])
            TRY(add_connection(c, &volumes[i], list));
    return KS_SUCCESS;
}

ks_rc control_connections(struct control *c, const struct caller *by, const char *cluster,
                          json_t **ret)
{
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    size_t count;

    TRY(control_volumes(c, by, cluster, &volumes, &count));
    ENSURE(caller_has_role(by, ROLE_OPERATOR), KS_E_PERMISSION,
           "passwords are shown to operators of the cluster");
    json_t *list = json_array();
    ENSURE(list, KS_E_NO_MEMORY, "no memory for the connections");
    ks_rc rc = add_connections(c, volumes, count, list);
    if (!ks_ok(rc)) {
        json_decref(list);
        return rc;
    }
    *ret = list;
    return KS_SUCCESS;
}

ks_rc control_region_names(struct control *c, char (**ret)[NAME_BYTES], size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    return store_region_names(v, ret, ret_count);
}
