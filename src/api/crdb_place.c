/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_place.c - what is around a cluster: its nodes, the regions there are, versions, the organisation, the authority's certificate.
 */
#include <string.h>

#include "api/crdb.h"
#include "base/json.h"
#include "base/mem.h"

static ks_rc append(json_t *to, json_t *value)
{
    ENSURE(json_array_append_new(to, value) == 0, KS_E_NO_MEMORY, "a list");
    return KS_SUCCESS;
}

/* ---- nodes ---- */

static bool is_live(const struct cluster_volume *v)
{
    return (v->access == ACCESS_OPEN || v->access == ACCESS_GRACE) &&
           (v->engine == ENGINE_RUNNING || v->engine == ENGINE_NONE);
}

ks_rc crdb_nodes(struct api_call *call)
{
    CLEANUP(json_decrefp) json_t *members = json_array();
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    const char *region = api_query(call, "region_name");
    size_t count = 0;

    TRY(control_volumes(call->control, &call->caller, api_param(call, "cluster"), &volumes,
                        &count));
    for (size_t i = 0; i < count; i++) {
        const struct cluster_volume *v = &volumes[i];
        char name[NAME_BYTES + 16];
        if (!v->is_wanted || (region && region[0] && strcmp(region, v->region) != 0))
            continue;
        snprintf(name, sizeof name, "%s-%u", v->region, v->ordinal);
        TRY(append(members, json_pack("{s:s, s:s, s:s}", "name", name, "region_name", v->region,
                                      "status", is_live(v) ? "LIVE" : "NOT_READY")));
    }
    return crdb_reply_part(call, "nodes", TAKE(members));
}

/* ---- regions, versions ---- */

ks_rc crdb_regions(struct api_call *call)
{
    CLEANUP(json_decrefp) json_t *members = json_array();
    CLEANUP(mem_freep) char(*names)[NAME_BYTES] = NULL;
    const char *asked = api_query(call, "provider");
    bool is_serverless = false;
    size_t count = 0;

    TRY(api_query_bool(call, "serverless", &is_serverless));
    TRY(crdb_check_provider(asked && asked[0] ? asked : "AWS"));
    if (!is_serverless) /* those need nodes that many clusters share, and there are none */
        TRY(control_region_names(call->control, &names, &count));
    for (size_t i = 0; i < count; i++)
        TRY(append(members,
                   json_pack("{s:s, s:s, s:s, s:b, s:f}", "name", names[i], "location", names[i],
                             "provider", asked && asked[0] ? asked : "CLOUD_PROVIDER_UNSPECIFIED",
                             "serverless", 0, "distance", 0.0)));
    return crdb_reply_part(call, "regions", TAKE(members));
}

/* Whatever version a client names is taken; this is the one that clusters have who name none. */
ks_rc crdb_versions(struct api_call *call)
{
    json_t *members = json_pack("[{s:s, s:s, s:s, s:[]}]", "version", "v25.2", "release_type",
                                "REGULAR", "support_status", "SUPPORTED", "allowed_upgrades");

    return crdb_reply_part(call, "versions", members);
}

/* ---- the organisation ---- */

static ks_rc add_principal(json_t *all, const char *cloud, const char *name, const char *text)
{
    if (!text[0])
        return KS_SUCCESS;
    if (!json_object_get(all, cloud))
        ENSURE(json_object_set_new(all, cloud, json_object()) == 0, KS_E_NO_MEMORY, "a reply");
    ENSURE(json_object_set_new(json_object_get(all, cloud), name, json_string(text)) == 0,
           KS_E_NO_MEMORY, "a reply");
    return KS_SUCCESS;
}

/* Whom trust policies are to name: of each cloud what was told. */
static ks_rc add_principals(json_t *all, const struct platform *p)
{
    TRY(add_principal(all, "aws", "user_arn", p->aws_principal));
    TRY(add_principal(all, "gcp", "service_account_email", p->gcp_service_account));
    TRY(add_principal(all, "azure", "app_registration_client_id", p->azure_client_id));
    return add_principal(all, "azure", "app_registration_name", p->azure_application);
}

ks_rc crdb_organization(struct api_call *call)
{
    CLEANUP(json_decrefp) json_t *principals = json_object();
    struct organisation o;
    struct platform p;

    TRY(control_organisation_get(call->control, &call->caller, call->caller.organisation, &o));
    TRY(control_platform_get(call->control, &p));
    TRY(add_principals(principals, &p));
    json_t *is_told = json_object_size(principals) ? principals : NULL;
    return api_reply(call, 200,
                     json_pack("{s:s, s:s, s:s, s:o, s:O*}", "id", o.id, "label", o.label, "name",
                               o.name, "created_at", api_time(o.created),
                               "cockroach_cloud_service_principals", is_told));
}

/* ---- the certificate ---- */

/* Asked for without a key: so it is the same for every cluster, those included that do not exist. */
ks_rc crdb_cert(struct api_call *call)
{
    return api_reply_raw(call, "application/x-pem-file",
                         view_text(control_authority(call->control)));
}
