/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_show.c - clusters and their keys as clients of CockroachDB Cloud expect them.
 *
 * Every member that their decoders need is there, of the right type, and stays the same from one reply to the next as long as
 * nothing was changed. Texts of keys come back to the byte, newest key first.
 */
#include <string.h>

#include "api/crdb.h"
#include "base/json.h"

/* Adds a member; what cannot be added for want of memory fails as a whole. */
static bool put(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0;
}

/* ---- state ---- */

/* A region on its way; one whose key was refused waits for a person, and waiting for it would never end. */
static bool is_region_moving(const struct region *r)
{
    return cmek_status_is_moving(r->status) ||
           (r->state != REGION_READY && !cmek_status_is_failed(r->status));
}

bool crdb_is_locked(const struct cluster_view *view)
{
    if (view->cluster.state != CLUSTER_CREATED)
        return true;
    for (size_t i = 0; i < view->region_count; i++)
        if (is_region_moving(&view->regions[i]))
            return true;
    return false;
}

static const char *state_word(const struct cluster_view *view)
{
    switch (view->cluster.state) {
    case CLUSTER_CREATING:
        return "CREATING";
    case CLUSTER_CREATION_FAILED:
        return "CREATION_FAILED";
    case CLUSTER_DELETED:
        return "DELETED";
    case CLUSTER_DELETING:
        return "LOCKED";
    case CLUSTER_CREATED:
    case CLUSTER_STATE_COUNT:
        break;
    }
    return crdb_is_locked(view) ? "LOCKED" : "CREATED";
}

static const char *operation_word(const struct cluster_view *view, bool is_old)
{
    bool is_moving = false, is_failed = false, is_edited = false;

    for (size_t i = 0; i < view->region_count; i++) {
        const struct region *r = &view->regions[i];
        is_edited = is_edited || (r->state != REGION_READY && is_region_moving(r));
        is_moving = is_moving || cmek_status_is_moving(r->status);
        is_failed = is_failed || cmek_status_is_failed(r->status);
    }
    if (view->cluster.state == CLUSTER_CREATED && is_edited)
        return "CRDB_EDIT_CLUSTER_RUNNING";
    if (view->cluster.state == CLUSTER_CREATED && is_moving)
        return "CRDB_CMEK_OPERATION_RUNNING";
    if (view->cluster.state == CLUSTER_CREATED && is_failed)
        return "CRDB_CMEK_OPERATION_FAILED";
    return is_old ? "CLUSTER_STATUS_UNSPECIFIED" : "UNSPECIFIED";
}

/* ---- the cluster ---- */

/* Where a region's engine is reached: the host of its first volume that has one. */
static const char *host_of(const struct cluster_volume *volumes, size_t count, const char *region)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(volumes[i].region, region) == 0 && volumes[i].host[0])
            return volumes[i].host;
    return "";
}

/* machines: of this region, when it was said; else NULL. */
static json_t *show_region(const struct region *r, const char *host, json_t *machines)
{
    CLEANUP(json_decrefp)
    json_t *shown = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:b}", "name", r->name, "sql_dns",
                              host, "ui_dns", "", "internal_dns", host, "private_endpoint_dns", "",
                              "node_count", (int)r->node_count, "primary", 0);

    return !machines || json_object_update(shown, machines) == 0 ? TAKE(shown) : NULL;
}

static json_t *show_regions(const struct cluster_view *view, const struct cluster_volume *volumes,
                            size_t count, const json_t *kept)
{
    CLEANUP(json_decrefp) json_t *regions = json_array();
    const json_t *machines = json_object_get(kept, "region_machine_specs");

    for (size_t i = 0; i < view->region_count; i++) {
        const struct region *r = &view->regions[i];
        json_t *shown =
            show_region(r, host_of(volumes, count, r->name), json_object_get(machines, r->name));
        if (json_array_append_new(regions, shown) != 0)
            return NULL;
    }
    return TAKE(regions);
}

static json_t *show_hardware(const json_t *kept)
{
    const json_t *hardware = json_object_get(kept, "hardware");

    return json_pack("{s:{s:O, s:O, s:O, s:f, s:O}}", "dedicated", "machine_type",
                     json_object_get(hardware, "machine_type"), "num_virtual_cpus",
                     json_object_get(hardware, "num_virtual_cpus"), "storage_gib",
                     json_object_get(hardware, "storage_gib"), "memory_gib", 0.0, "disk_iops",
                     json_object_get(hardware, "disk_iops"));
}

static bool put_kept(json_t *shown, const json_t *kept)
{
    static const char *const names[] = {"cockroach_version", "labels", "parent_id",
                                        "network_visibility", "cidr_range"};
    json_t *account = json_object_get(kept, "customer_cloud_account");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_set(shown, names[i], json_object_get(kept, names[i])) != 0)
            return false;
    return !account || json_object_set(shown, "customer_cloud_account", account) == 0;
}

static bool put_times(json_t *shown, const struct cluster *c)
{
    return put(shown, "created_at", api_time(c->created)) &&
           put(shown, "updated_at", api_time(c->updated)) &&
           (c->deleted == 0 || put(shown, "deleted_at", api_time(c->deleted)));
}

static bool put_cluster(json_t *shown, const struct cluster_view *view, const json_t *kept,
                        bool is_old)
{
    const struct cluster *c = &view->cluster;

    return put(shown, "id", json_string(c->id)) && put(shown, "name", json_string(c->name)) &&
           put(shown, "plan", json_string(is_old ? "DEDICATED" : "ADVANCED")) &&
           put(shown, "cloud_provider",
               json_string(c->provider[0] ? c->provider : "CLOUD_PROVIDER_UNSPECIFIED")) &&
           put(shown, "state", json_string(state_word(view))) &&
           put(shown, "creator_id", json_string(c->creator)) &&
           put(shown, "operation_status", json_string(operation_word(view, is_old))) &&
           put(shown, "upgrade_status", json_string("FINALIZED")) &&
           put(shown, "delete_protection",
               json_string(c->is_delete_protected ? "ENABLED" : "DISABLED")) &&
           put(shown, "egress_traffic_policy", json_string("UNSPECIFIED")) &&
           put(shown, "config", show_hardware(kept)) && put_kept(shown, kept) &&
           put_times(shown, c);
}

/* Whom the customer's trust policy is to name; absent when it was not told. */
static bool put_identity(json_t *shown, const char *cloud, const struct platform *by)
{
    bool is_azure = strcmp(cloud, "AZURE") == 0;
    const char *id = is_azure                    ? by->azure_client_id
                     : strcmp(cloud, "GCP") == 0 ? by->gcp_project
                     : strcmp(cloud, "AWS") == 0 ? by->aws_account
                                                 : "";

    return !id[0] || put(shown, is_azure ? "azure_cluster_identity_client_id" : "account_id",
                         json_string(id));
}

json_t *crdb_show_cluster(const struct cluster_view *view, const struct cluster_volume *volumes,
                          size_t count, const struct platform *by, bool is_old)
{
    CLEANUP(json_decrefp) json_t *shown = json_object(), *kept = NULL;
    const char *first = view->region_count ? view->regions[0].name : "";

    if (!shown || !ks_ok(crdb_kept_open(view->cluster.extra, &kept)))
        return NULL;
    bool is_whole = put_cluster(shown, view, kept, is_old) &&
                    put(shown, "regions", show_regions(view, volumes, count, kept)) &&
                    put(shown, "sql_dns", json_string(host_of(volumes, count, first))) &&
                    put_identity(shown, view->cluster.provider, by);
    return is_whole ? TAKE(shown) : NULL;
}

/* ---- CMEK ---- */

/* The newest key also says what the region says: why it is locked, what a rotation waits for. */
static const char *message_of(const struct cmek_region *r, size_t i)
{
    return i > 0 || r->keys[i].message[0] ? r->keys[i].message : r->region.message;
}

static json_t *show_key(const struct cmek_region *r, size_t i)
{
    const struct region_key *k = &r->keys[i];

    return json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:o, s:o}", "status",
                     cmek_status_name(k->status), "user_message", message_of(r, i), "spec", "type",
                     k->spec.type, "uri", k->spec.uri, "auth_principal", k->spec.auth_principal,
                     "created_at", api_time(k->created), "updated_at", api_time(k->updated));
}

static json_t *show_cmek_region(const struct cmek_region *r)
{
    CLEANUP(json_decrefp) json_t *keys = json_array();

    for (size_t i = 0; keys && i < r->key_count; i++)
        if (json_array_append_new(keys, show_key(r, i)) != 0)
            return NULL;
    return json_pack("{s:s, s:s, s:O}", "region", r->region.name, "status",
                     cmek_status_name(r->region.status), "key_infos", keys);
}

json_t *crdb_show_cmek(const struct cmek_view *view)
{
    CLEANUP(json_decrefp) json_t *regions = json_array();

    for (size_t i = 0; regions && i < view->region_count; i++)
        if (json_array_append_new(regions, show_cmek_region(&view->regions[i])) != 0)
            return NULL;
    return json_pack("{s:s, s:O}", "status", cmek_status_name(view->status), "region_infos",
                     regions);
}
