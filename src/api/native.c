/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native.c - the routes of the native API, and what its handlers share.
 *
 * The table and api/openapi.json say the same; a test compares them in both directions.
 */
#include "api/native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/error.h"
#include "base/version.h"

/* ---- lists ---- */

ks_rc native_slice(const struct api_call *call, struct slice *ret)
{
    const char *after = api_query(call, "after"), *order = api_query(call, "order");
    int64_t limit = 100;

    TRY(api_query_int(call, "limit", 1, SLICE_MAX, &limit));
    ENSURE(!after || strlen(after) < sizeof ret->after, KS_E_USAGE, "\"after\" is too long");
    ENSURE(!order || strcmp(order, "asc") == 0 || strcmp(order, "desc") == 0, KS_E_USAGE,
           "\"order\" must be asc or desc");
    *ret = (struct slice){.count_max = (uint32_t)limit,
                          .is_descending = order && strcmp(order, "desc") == 0};
    snprintf(ret->after, sizeof ret->after, "%s", after ? after : "");
    return KS_SUCCESS;
}

/* The path of the next part: this one's query with another "after". Tokens of ours need no encoding. */
static ks_rc link_next(struct api_call *call, const char *after)
{
    CLEANUP(buf_done) struct buf link = buf_init(8192);

    TRY(buf_printf(&link, "<%s?", http_path(call->exchange)));
    for (const char *at = http_query_text(call->exchange); *at; at += *at == '&') {
        size_t len = strcspn(at, "&");
        if (strncmp(at, "after=", 6) != 0 && len > 0)
            TRY(buf_printf(&link, "%.*s&", (int)len, at));
        at += len;
    }
    TRY(buf_printf(&link, "after=%s>; rel=\"next\"", after));
    return api_header(call, "Link", buf_text(&link));
}

ks_rc native_reply_page(struct api_call *call, const struct slice *slice, json_t *items)
{
    if (slice->after[0])
        TRY(link_next(call, slice->after));
    return api_reply(call, 200,
                     json_pack("{s:o, s:o}", "items", items, "next_page",
                               slice->after[0] ? json_string(slice->after) : json_null()));
}

ks_rc native_reply_items(struct api_call *call, json_t *items)
{
    return api_reply(call, 200, json_pack("{s:o}", "items", items));
}

/* ---- operations and revisions ---- */

ks_rc native_reply_operation(struct api_call *call, const struct operation *o)
{
    char location[64];

    snprintf(location, sizeof location, "/v1/operations/%s", o->id);
    TRY(api_header(call, "Location", location));
    return api_reply(call, 202, native_operation(o));
}

ks_rc native_etag(struct api_call *call, int64_t revision)
{
    char tag[32];

    call->revision = revision;
    snprintf(tag, sizeof tag, "\"%lld\"", (long long)revision);
    return api_header(call, "ETag", tag);
}

ks_rc native_reply_revision(struct api_call *call, int status, int64_t revision, json_t *value)
{
    ks_rc rc = native_etag(call, revision);
    if (!ks_ok(rc)) {
        json_decref(value);
        return rc;
    }
    return api_reply(call, status, value);
}

ks_rc native_if_match(struct api_call *call, int64_t *ret)
{
    const char *text;
    char *end;

    *ret = 0;
    TRY(header_once(call, "If-Match", &text));
    if (!text || strcmp(text, "*") == 0)
        return KS_SUCCESS;
    if (text[0] == '"' && text[1] >= '1' && text[1] <= '9') {
        errno = 0;
        *ret = strtoll(text + 1, &end, 10);
        if (errno == 0 && strcmp(end, "\"") == 0)
            return KS_SUCCESS;
    }
    return api_refuse(call, 400, "BAD_REQUEST", "If-Match takes the ETag of a reply, or *");
}

ks_rc native_if_matched(struct api_call *call, int64_t revision, ks_rc rc)
{
    CLEANUP(cmek_view_freep) struct cmek_view *now = NULL;
    char text[API_DETAIL_BYTES];

    if (revision == 0 || !ks_is(rc, KS_E_STATE))
        return rc;
    snprintf(text, sizeof text, "%s", ks_text(rc));
    TRY(control_cmek_get(call->control, &call->caller, api_param(call, "cluster"), &now));
    if (now->revision == revision)
        return ks_fail(KS_E_STATE, "%s", text);
    return api_refuse(call, 412, "CHANGED_MEANWHILE", "it is at \"%lld\" now: read it again",
                      (long long)now->revision);
}

/* ---- what everybody may see ---- */

ks_rc native_health(struct api_call *call)
{
    return api_reply(call, 200,
                     json_pack("{s:s, s:s}", "status", "ok", "version", keystead_version));
}

ks_rc native_document(struct api_call *call)
{
    return api_reply_raw(call, "application/json", native_openapi);
}

/* ---- routes ---- */

#define PAGE "limit,after,order"

#define SEE(path_, operation_, who_, role_, query_, handle_)                                       \
    {                                                                                              \
        .method = "GET", .path = (path_), .operation = (operation_), .query = (query_),            \
        .handle = (handle_), API_MAY(who_, ROLE_##role_)                                           \
    }
/* With a body and repeatable. */
#define MAKE(path_, operation_, who_, role_, handle_)                                              \
    {                                                                                              \
        .method = "POST", .path = (path_), .operation = (operation_), .handle = (handle_),         \
        .body_bytes_max = API_BODY_SMALL, .flags = API_REPEATABLE, API_MAY(who_, ROLE_##role_)     \
    }
/* With a body, and a secret in the reply, which is not kept. */
#define MAKE_SECRET(path_, operation_, who_, role_, handle_)                                       \
    {                                                                                              \
        .method = "POST", .path = (path_), .operation = (operation_), .handle = (handle_),         \
        .body_bytes_max = API_BODY_SMALL, API_MAY(who_, ROLE_##role_)                              \
    }
#define CHANGE(method_, path_, operation_, who_, role_, handle_)                                   \
    {                                                                                              \
        .method = (method_), .path = (path_), .operation = (operation_), .handle = (handle_),      \
        .body_bytes_max = API_BODY_SMALL, API_MAY(who_, ROLE_##role_)                              \
    }
#define ASK(method_, path_, operation_, who_, role_, handle_)                                      \
    {                                                                                              \
        .method = (method_), .path = (path_), .operation = (operation_), .handle = (handle_),      \
        API_MAY(who_, ROLE_##role_)                                                                \
    }

static const struct api_route routes[] = {
    SEE("/v1/health", "getHealth", API_PUBLIC, VIEWER, NULL, native_health),
    SEE("/v1/openapi.json", "getDocument", API_PUBLIC, VIEWER, NULL, native_document),
    SEE("/v1/caller", "getCaller", API_ANY_KEY, VIEWER, NULL, native_whoami),

    SEE("/v1/platform", "getPlatform", API_ANY_KEY, VIEWER, NULL, native_platform_get),
    CHANGE("PATCH", "/v1/platform", "changePlatform", API_PLATFORM, ADMIN, native_platform_change),
    SEE("/v1/organisations", "listOrganisations", API_PLATFORM, VIEWER, PAGE,
        native_organisation_list),
    MAKE("/v1/organisations", "createOrganisation", API_PLATFORM, ADMIN,
         native_organisation_create),
    SEE("/v1/organisations/{organisation}", "getOrganisation", API_ANY_KEY, VIEWER, NULL,
        native_organisation_get),
    SEE("/v1/api-keys", "listApiKeys", API_ANY_KEY, ADMIN, PAGE, native_api_key_list),
    MAKE_SECRET("/v1/api-keys", "createApiKey", API_ANY_KEY, ADMIN, native_api_key_create),
    ASK("DELETE", "/v1/api-keys/{key}", "revokeApiKey", API_ANY_KEY, ADMIN, native_api_key_revoke),

    SEE("/v1/nodes", "listNodes", API_PLATFORM, VIEWER, PAGE, native_node_list),
    ASK("DELETE", "/v1/nodes/{node}", "removeNode", API_PLATFORM, ADMIN, native_node_remove),
    MAKE_SECRET("/v1/join-tokens", "createJoinToken", API_PLATFORM, ADMIN,
                native_join_token_create),
    SEE("/v1/regions", "listRegionNames", API_ANY_KEY, VIEWER, NULL, native_region_names),
    MAKE("/v1/backups", "createBackup", API_PLATFORM, ADMIN, native_backup_create),
    SEE("/v1/audit", "listAuditEvents", API_ANY_KEY, VIEWER, PAGE ",cluster,action,since,until",
        native_audit_list),
    ASK("POST", "/v1/audit/verify", "verifyAudit", API_PLATFORM, ADMIN, native_audit_verify),

    SEE("/v1/clusters", "listClusters", API_CUSTOMER, VIEWER, PAGE ",sort,deleted,dialect",
        native_cluster_list),
    MAKE("/v1/clusters", "createCluster", API_ORGANISATION, ADMIN, native_cluster_create),
    SEE("/v1/clusters/{cluster}", "getCluster", API_CUSTOMER, VIEWER, NULL, native_cluster_get),
    CHANGE("PATCH", "/v1/clusters/{cluster}", "changeCluster", API_CUSTOMER, OPERATOR,
           native_cluster_change),
    ASK("DELETE", "/v1/clusters/{cluster}", "deleteCluster", API_CUSTOMER, ADMIN,
        native_cluster_delete),
    SEE("/v1/clusters/{cluster}/regions", "listRegions", API_CUSTOMER, VIEWER, NULL,
        native_region_list),
    MAKE("/v1/clusters/{cluster}/regions", "addRegion", API_CUSTOMER, OPERATOR, native_region_add),
    SEE("/v1/clusters/{cluster}/regions/{region}", "getRegion", API_CUSTOMER, VIEWER, NULL,
        native_region_get),
    CHANGE("PATCH", "/v1/clusters/{cluster}/regions/{region}", "scaleRegion", API_CUSTOMER,
           OPERATOR, native_region_scale),
    ASK("DELETE", "/v1/clusters/{cluster}/regions/{region}", "removeRegion", API_CUSTOMER, ADMIN,
        native_region_remove),
    SEE("/v1/clusters/{cluster}/volumes", "listVolumes", API_CUSTOMER, VIEWER, NULL,
        native_volume_list),
    SEE("/v1/clusters/{cluster}/volumes/{volume}", "getVolumeDetail", API_CUSTOMER, VIEWER, NULL,
        native_volume_get),
    MAKE("/v1/clusters/{cluster}/volumes/{volume}/accept-rollback", "acceptRollback", API_CUSTOMER,
         ADMIN, native_accept_rollback),
    SEE("/v1/clusters/{cluster}/connection", "getConnections", API_CUSTOMER, OPERATOR, NULL,
        native_connection),
    SEE("/v1/clusters/{cluster}/cmek", "getCmek", API_CUSTOMER, VIEWER, NULL, native_cmek_get),
    CHANGE("PUT", "/v1/clusters/{cluster}/cmek", "putCmek", API_CUSTOMER, OPERATOR,
           native_cmek_put),
    MAKE("/v1/clusters/{cluster}/cmek", "askCmek", API_CUSTOMER, OPERATOR, native_cmek_post),
    SEE("/v1/clusters/{cluster}/cmek/keys", "listCmekKeys", API_CUSTOMER, VIEWER, NULL,
        native_cmek_keys),
    SEE("/v1/clusters/{cluster}/rotation", "getRotation", API_CUSTOMER, VIEWER, NULL,
        native_rotation_get),
    CHANGE("PUT", "/v1/clusters/{cluster}/rotation", "putRotation", API_CUSTOMER, OPERATOR,
           native_rotation_put),
    SEE("/v1/clusters/{cluster}/receipts", "listReceipts", API_CUSTOMER, VIEWER, PAGE ",operation",
        native_receipt_list),

    SEE("/v1/operations", "listOperations", API_CUSTOMER, VIEWER, PAGE ",cluster,state,kind",
        native_operation_list),
    SEE("/v1/operations/{operation}", "getOperation", API_CUSTOMER, VIEWER, "wait",
        native_operation_get),
    ASK("POST", "/v1/operations/{operation}/cancel", "cancelOperation", API_CUSTOMER, OPERATOR,
        native_operation_cancel),
};

const struct api_dialect native_dialect = {
    .name = "native",
    .prefix = "/v1/",
    .routes = routes,
    .route_count = sizeof routes / sizeof *routes,
    .is_strict = true,
    .error_body = problem_body,
    .error_type = "application/problem+json",
};
