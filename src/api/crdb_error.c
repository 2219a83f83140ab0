/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_error.c - errors as google.rpc.Status, with the statuses that clients of CockroachDB Cloud act upon.
 *
 * They ask again for ten minutes after 400, 401 and 403 to POST .../cmek, wait for the cluster after 503, and give up after anything else.
 * So what no waiting mends is never one of the first there, and a cluster that is busy is 503 everywhere.
 */
#include <string.h>

#include "api/crdb.h"

/* The canonical codes of gRPC. */
enum grpc {
    INVALID_ARGUMENT = 3,
    NOT_FOUND = 5,
    ALREADY_EXISTS = 6,
    PERMISSION_DENIED = 7,
    RESOURCE_EXHAUSTED = 8,
    FAILED_PRECONDITION = 9,
    ABORTED = 10,
    UNIMPLEMENTED = 12,
    INTERNAL = 13,
    UNAVAILABLE = 14,
    UNAUTHENTICATED = 16,
};

static const struct {
    int status;
    enum grpc code;
} codes[] = {
    {400, INVALID_ARGUMENT}, {401, UNAUTHENTICATED},    {403, PERMISSION_DENIED},
    {404, NOT_FOUND},        {405, UNIMPLEMENTED},      {409, FAILED_PRECONDITION},
    {412, ABORTED},          {413, INVALID_ARGUMENT},   {415, INVALID_ARGUMENT},
    {422, INVALID_ARGUMENT}, {429, RESOURCE_EXHAUSTED}, {501, UNIMPLEMENTED},
    {503, UNAVAILABLE},      {507, RESOURCE_EXHAUSTED},
};

static enum grpc grpc_of(const struct api_error *error)
{
    if (strcmp(error->code, "EXISTS") == 0)
        return ALREADY_EXISTS;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].status == error->status)
            return codes[i].code;
    return INTERNAL;
}

json_t *crdb_error_body(const struct api_call *call, const struct api_error *error)
{
    return json_pack("{s:i, s:s, s:[{s:s, s:s}, {s:s, s:s, s:s}]}", "code", (int)grpc_of(error),
                     "message", error->detail[0] ? error->detail : error->code, "details", "@type",
                     "type.googleapis.com/google.rpc.RequestInfo", "request_id",
                     call->caller.request, "@type", "type.googleapis.com/google.rpc.ErrorInfo",
                     "reason", error->code, "domain", "keystead");
}

/* Whether the cluster of the path can take the request later. */
static bool is_locked(struct api_call *call)
{
    struct cluster_view *view = NULL;

    if (!ks_ok(
            control_cluster_get(call->control, &call->caller, api_param(call, "cluster"), &view)))
        return false;
    bool is_it = view->cluster.state != CLUSTER_DELETED &&
                 view->cluster.state != CLUSTER_CREATION_FAILED && crdb_is_locked(view);
    cluster_view_free(view);
    return is_it;
}

static bool is_of_cmek(const struct api_call *call)
{
    static const char end[] = "/cmek";
    size_t len = strlen(call->route->path);

    return strcmp(call->route->path + len - strlen(end), end) == 0;
}

ks_rc crdb_end(struct api_call *call, ks_rc rc)
{
    char text[API_DETAIL_BYTES];

    if (ks_ok(rc) || call->error.status)
        return rc;
    size_t len = strnlen(ks_text(rc), sizeof text - 1);
    memcpy(text, ks_text(rc), len);
    text[len] = 0;
    if (ks_is(rc, KS_E_BUSY) || (ks_is(rc, KS_E_STATE) && is_of_cmek(call) && is_locked(call)))
        return api_refuse(call, 503, "CLUSTER_LOCKED", "%s", text);
    if (ks_is(rc, KS_E_USAGE) && is_of_cmek(call))
        return api_refuse(call, 422, "UNPROCESSABLE", "%s", text);
    if (ks_is(rc, KS_E_UNSUPPORTED))
        return api_refuse(call, 501, "UNSUPPORTED", "%s", text);
    return ks_is(rc, KS_E_STATE) ? ks_fail(KS_E_STATE, "%s", text) : rc;
}
