/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb.c - the routes of the dialect of CockroachDB Cloud, and what is common to them.
 */
#include "api/crdb.h"

#include <string.h>

/* What clients may say in Cc-Version; the last one is taken when they say nothing. */
static const char *const versions[] = {"2022-03-31", "2022-07-12", "2022-09-20", "2023-04-10",
                                       "2024-09-16"};
enum { VERSION_COUNT = sizeof versions / sizeof *versions };

static ks_rc begin(struct api_call *call)
{
    const char *asked = http_header(call->exchange, "Cc-Version");

    for (int i = 0; i < VERSION_COUNT; i++)
        if (strcmp(asked && asked[0] ? asked : versions[VERSION_COUNT - 1], versions[i]) == 0)
            return api_header(call, "Cc-Version", versions[i]);
    return api_refuse(call, 400, "BAD_REQUEST", "invalid Cc-Version");
}

/* Each handler with the statuses of this dialect. */
#define HANDLER(name)                                                                              \
    static ks_rc name##_call(struct api_call *call)                                                \
    {                                                                                              \
        return crdb_end(call, name(call));                                                         \
    }
HANDLER(crdb_cluster_create)
HANDLER(crdb_cluster_get)
HANDLER(crdb_cluster_list)
HANDLER(crdb_cluster_patch)
HANDLER(crdb_cluster_delete)
HANDLER(crdb_backups_get)
HANDLER(crdb_backups_patch)
HANDLER(crdb_cmek_get)
HANDLER(crdb_cmek_post)
HANDLER(crdb_cmek_put)
HANDLER(crdb_cmek_patch)
HANDLER(crdb_nodes)
HANDLER(crdb_regions)
HANDLER(crdb_versions)
HANDLER(crdb_organization)

#define SEE(path_, operation_, handler_)                                                           \
    {                                                                                              \
        .method = "GET", .path = (path_), .operation = (operation_), .handle = (handler_),         \
        API_MAY(API_CUSTOMER, ROLE_VIEWER)                                                         \
    }
#define CHANGE(method_, path_, operation_, handler_)                                               \
    {                                                                                              \
        .method = (method_), .path = (path_), .operation = (operation_), .handle = (handler_),     \
        .body_bytes_max = CRDB_BODY_MAX, API_MAY(API_CUSTOMER, ROLE_OPERATOR)                      \
    }

static const struct api_route routes[] = {
    SEE("/api/v1/organization", "GetOrganizationInfo", crdb_organization_call),
    SEE("/api/v1/cluster-versions", "ListMajorClusterVersions", crdb_versions_call),
    SEE("/api/v1/clusters", "ListClusters", crdb_cluster_list_call),
    {.method = "POST",
     .path = "/api/v1/clusters",
     .operation = "CreateCluster",
     .handle = crdb_cluster_create_call,
     .body_bytes_max = CRDB_BODY_MAX,
     API_MAY(API_ORGANISATION, ROLE_ADMIN)},
    SEE("/api/v1/clusters/available-regions", "ListAvailableRegions", crdb_regions_call),
    SEE("/api/v1/clusters/{cluster}", "GetCluster", crdb_cluster_get_call),
    CHANGE("PATCH", "/api/v1/clusters/{cluster}", "UpdateCluster", crdb_cluster_patch_call),
    {.method = "DELETE",
     .path = "/api/v1/clusters/{cluster}",
     .operation = "DeleteCluster",
     .handle = crdb_cluster_delete_call,
     API_MAY(API_CUSTOMER, ROLE_ADMIN)},
    SEE("/api/v1/clusters/{cluster}/nodes", "ListClusterNodes", crdb_nodes_call),
    SEE("/api/v1/clusters/{cluster}/backups-config", "GetBackupConfiguration",
        crdb_backups_get_call),
    CHANGE("PATCH", "/api/v1/clusters/{cluster}/backups-config", "UpdateBackupConfiguration",
           crdb_backups_patch_call),
    SEE("/api/v1/clusters/{cluster}/cmek", "GetCMEKClusterInfo", crdb_cmek_get_call),
    CHANGE("POST", "/api/v1/clusters/{cluster}/cmek", "EnableCMEKSpec", crdb_cmek_post_call),
    CHANGE("PUT", "/api/v1/clusters/{cluster}/cmek", "UpdateCMEKSpec", crdb_cmek_put_call),
    CHANGE("PATCH", "/api/v1/clusters/{cluster}/cmek", "UpdateCMEKStatus", crdb_cmek_patch_call),
    {.method = "GET",
     .path = "/clusters/{cluster}/cert",
     .operation = "GetClusterCert",
     .handle = crdb_cert,
     .flags = API_NO_JSON,
     API_MAY(API_PUBLIC, ROLE_VIEWER)},
};

const struct api_dialect crdb_dialect = {
    .name = "cockroach",
    .prefix = "/api/v1/",
    .routes = routes,
    .route_count = sizeof routes / sizeof *routes,
    .begin = begin,
    .error_body = crdb_error_body,
    .error_type = "application/json",
};
