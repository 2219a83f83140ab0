/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/admit.c - who asks, how often, and whether they may.
 *
 * Keys are compared in control/ and are in no text here. Who has a valid key is not held up by others who try invalid ones from the same
 * address.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/serve.h"
#include "base/base64.h"
#include "base/buf.h"
#include "crypto/hash.h"

static const char SCHEME[] = "Bearer ";

struct header_count {
    const char *name, *value;
    int count;
};

static void count_header(void *arg, const char *name, const char *value)
{
    struct header_count *c = arg;

    if (strcasecmp(name, c->name) != 0)
        return;
    c->value = value;
    c->count++;
}

ks_rc header_once(struct api_call *call, const char *name, const char **ret)
{
    struct header_count c = {.name = name};

    http_header_each(call->exchange, count_header, &c);
    if (c.count > 1)
        return api_refuse(call, 400, "BAD_REQUEST", "the header %s is there more than once", name);
    *ret = c.value;
    return KS_SUCCESS;
}

ks_rc admit_too_many(struct api_call *call, uint32_t seconds)
{
    char text[16];

    snprintf(text, sizeof text, "%u", seconds);
    TRY(api_header(call, "Retry-After", text));
    return api_refuse(call, 429, "TOO_MANY_REQUESTS", "rate limit exceeded: try again in %u s",
                      seconds);
}

/* ---- keys ---- */

static ks_rc no_valid_key(struct api_call *call)
{
    uint32_t seconds = limiter_take(call->api->failures, http_peer_network(call->exchange));

    if (seconds > 0)
        return admit_too_many(call, seconds);
    return api_refuse(call, 401, "UNAUTHENTICATED",
                      "pass a valid key: Authorization: Bearer ksk_...");
}

/* One key has its rate; all keys of an organisation have that of a few together, so that making keys makes nobody faster. */
static ks_rc limit_caller(struct api_call *call)
{
    const struct caller *who = &call->caller;
    uint32_t seconds = limiter_take(call->api->keys, who->key);

    if (seconds == 0 && who->organisation[0])
        seconds = limiter_take(call->api->organisations, who->organisation);
    return seconds > 0 ? admit_too_many(call, seconds) : KS_SUCCESS;
}

static ks_rc admit_key(struct api_call *call)
{
    const char *header = NULL;
    struct caller who = {0};

    TRY(header_once(call, "Authorization", &header));
    if (!header || strncasecmp(header, SCHEME, sizeof SCHEME - 1) != 0)
        return no_valid_key(call);
    ks_rc rc = control_authenticate(call->control, header + sizeof SCHEME - 1, &who);
    if (ks_is(rc, KS_E_PERMISSION))
        return no_valid_key(call);
    TRY(rc);
    snprintf(who.peer, sizeof who.peer, "%s", http_peer(call->exchange));
    memcpy(who.request, call->caller.request, sizeof who.request);
    call->caller = who;
    return limit_caller(call);
}

/* ---- nodes ---- */

static ks_rc admit_node(struct api_call *call)
{
    struct view certificate = http_peer_certificate(call->exchange);
    CLEANUP(buf_done) struct buf fingerprint = buf_init(2 * HASH_BYTES + 1);
    uint8_t hash[HASH_BYTES];
    struct node node;

    if (certificate.len == 0)
        return api_refuse(call, 401, "UNAUTHENTICATED", "a node shows its certificate");
    TRY(hash_sha256(certificate, hash));
    TRY(hex_write(view_of(hash, sizeof hash), &fingerprint));
    uint32_t seconds = limiter_take(call->api->nodes, buf_text(&fingerprint));
    if (seconds > 0)
        return admit_too_many(call, seconds);
    ks_rc rc = control_node_authenticate(call->control, buf_text(&fingerprint), &node);
    if (ks_is(rc, KS_E_PERMISSION))
        return api_refuse(call, 403, "FORBIDDEN",
                          "this certificate is not that of a node any more");
    TRY(rc);
    memcpy(call->node, node.id, sizeof call->node);
    return KS_SUCCESS;
}

ks_rc admit_caller(struct api_call *call)
{
    if (call->route->who == API_PUBLIC)
        return KS_SUCCESS;
    return call->route->who == API_NODE ? admit_node(call) : admit_key(call);
}

/* ---- permission ---- */

static enum api_who kind_of(const struct caller *who)
{
    if (!who->organisation[0])
        return API_PLATFORM;
    return who->cluster[0] ? API_CLUSTER : API_ORGANISATION;
}

static const char *kinds_text(unsigned who)
{
    if (who == API_PLATFORM)
        return "keys of the platform";
    return who & API_PLATFORM ? "keys for more than one cluster" : "keys of an organisation";
}

ks_rc admit_permission(struct api_call *call)
{
    const struct api_route *route = call->route;
    const struct caller *who = &call->caller;

    if (route->who == API_PUBLIC || route->who == API_NODE)
        return KS_SUCCESS;
    enum api_who kind = kind_of(who);
    if (!(route->who & kind))
        return api_refuse(call, 403, "FORBIDDEN", "this is for %s", kinds_text(route->who));
    if (who->role < route->least)
        return api_refuse(call, 403, "FORBIDDEN", "this needs the role %s; the key has %s",
                          role_name(route->least), role_name(who->role));
    bool has_cluster = strstr(route->path, "{cluster}") != NULL;
    if (kind == API_CLUSTER && has_cluster && strcmp(api_param(call, "cluster"), who->cluster) != 0)
        return api_refuse(call, 404, "NOT_FOUND", "there is no such cluster");
    return KS_SUCCESS;
}
