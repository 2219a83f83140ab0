/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/node_api.c - what nodes ask (docs/NODES.md): joining, over the listener of the API; what to do and what is so, over the node
 * listener, where a certificate of the authority says who asks.
 */
#include <string.h>

#include "api/error.h"
#include "api/native_json.h"
#include "api/serve.h"
#include "base/json.h"

enum { WAIT_SECONDS_MAX = 55, TOKEN_BYTES = 256, REQUEST_BYTES = 8192, PROOF_BYTES = 512 };

static ks_rc authority(struct api_call *call)
{
    return api_reply(call, 200, json_pack("{s:s}", "authority", control_authority(call->control)));
}

/* A token that is none counts as a key that is none. */
static ks_rc judge_token(struct api_call *call, ks_rc rc)
{
    uint32_t seconds = limiter_take(call->api->failures, http_peer_network(call->exchange));

    return seconds > 0 ? admit_too_many(call, seconds) : rc;
}

static ks_rc join_anew(struct api_call *call, const char *token, const char *request, json_t **ret)
{
    char name[NAME_BYTES], address[HOST_BYTES];

    TRY(known_members(call->body, "token,request,name,address"));
    TRY(read_name(call->body, "name", sizeof name, name));
    TRY(read_name(call->body, "address", sizeof address, address));
    return control_node_join(call->control, token, request, name, address, ret);
}

/* One whose certificate has expired. */
static ks_rc rejoin(struct api_call *call, const char *token, const char *request, json_t **ret)
{
    struct node_rejoin ask = {.request = request};

    TRY(known_members(call->body, "token,request,certificate,proof"));
    TRY(json_get_text(call->body, "certificate", REQUEST_BYTES, &ask.certificate));
    TRY(json_get_text(call->body, "proof", PROOF_BYTES, &ask.proof));
    return control_node_rejoin(call->control, token, &ask, ret);
}

static ks_rc join(struct api_call *call)
{
    const char *token = NULL, *request = NULL;
    bool is_known = json_object_get(call->body, "certificate") != NULL;
    json_t *reply;

    TRY(json_get_text(call->body, "token", TOKEN_BYTES, &token));
    TRY(json_get_text(call->body, "request", REQUEST_BYTES, &request));
    ks_rc rc = (is_known ? rejoin : join_anew)(call, token, request, &reply);
    if (ks_is(rc, KS_E_PERMISSION))
        return judge_token(call, rc);
    TRY(rc);
    if (json_object_set_new(reply, "nodes_url", json_string(call->api->nodes_url)) != 0) {
        json_decref(reply);
        return ks_fail(KS_E_NO_MEMORY, "a reply");
    }
    return api_reply(call, 200, reply);
}

static ks_rc desired(struct api_call *call)
{
    int64_t since = 0, seconds = 0;
    json_t *reply = NULL;

    TRY(api_query_int(call, "since", 0, INT64_MAX, &since));
    TRY(api_query_int(call, "wait", 0, WAIT_SECONDS_MAX, &seconds));
    TRY(api_watch(call, 'n', call->node, (uint32_t)seconds));
    TRY(control_node_desired(call->control, call->node, since, &reply));
    if (reply)
        return api_reply(call, 200, reply);
    return api_put_off(call) ? KS_SUCCESS : api_reply_empty(call, 204);
}

static ks_rc report(struct api_call *call)
{
    json_t *reply;

    TRY(control_node_report(call->control, call->node, call->body, &reply));
    return api_reply(call, 200, reply);
}

static ks_rc renew(struct api_call *call)
{
    const char *request = NULL;
    json_t *reply;

    TRY(known_members(call->body, "request"));
    TRY(json_get_text(call->body, "request", REQUEST_BYTES, &request));
    TRY(control_node_renew(call->control, call->node, request, &reply));
    return api_reply(call, 200, reply);
}

static const struct api_route join_routes[] = {
    {.method = "GET",
     .path = "/node/v1/authority",
     .operation = "getAuthority",
     .handle = authority,
     API_MAY(API_PUBLIC, ROLE_VIEWER)},
    {.method = "POST",
     .path = "/node/v1/join",
     .operation = "joinNode",
     .handle = join,
     .body_bytes_max = API_BODY_SMALL,
     API_MAY(API_PUBLIC, ROLE_VIEWER)},
};

static const struct api_route node_routes[] = {
    {.method = "GET",
     .path = "/node/v1/desired",
     .operation = "getDesired",
     .handle = desired,
     .query = "since,wait",
     API_MAY(API_NODE, ROLE_VIEWER)},
    {.method = "POST",
     .path = "/node/v1/report",
     .operation = "report",
     .handle = report,
     .body_bytes_max = API_BODY_REPORT,
     API_MAY(API_NODE, ROLE_VIEWER)},
    {.method = "POST",
     .path = "/node/v1/renew",
     .operation = "renewNode",
     .handle = renew,
     .body_bytes_max = API_BODY_SMALL,
     API_MAY(API_NODE, ROLE_VIEWER)},
};

const struct api_dialect node_join_dialect = {
    .name = "join",
    .prefix = "/node/v1/",
    .routes = join_routes,
    .route_count = sizeof join_routes / sizeof *join_routes,
    .is_strict = true,
    .error_body = problem_body,
    .error_type = "application/problem+json",
};

const struct api_dialect node_dialect = {
    .name = "node",
    .prefix = "/node/v1/",
    .routes = node_routes,
    .route_count = sizeof node_routes / sizeof *node_routes,
    .is_strict = true,
    .error_body = problem_body,
    .error_type = "application/problem+json",
};
