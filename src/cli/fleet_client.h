/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/fleet_client.h - asking a control plane over its native API, /v1.
 *
 * The API key comes from a file into guarded memory and goes nowhere but into the Authorization header, and that only over TLS or
 * on the loopback. Only GET is ever sent twice.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rc.h"

struct fleet_client;

struct fleet_client_conf {
    const char *server;   /* "https://host:port"; http on the loopback only */
    const char *key_file; /* its first line is the API key; nobody else may read it */
    const char *ca_file;  /* PEM; NULL: the system's authorities */
    struct clock *clock;  /* NULL: the system's */
};

/* fleet_client_new(conf, ret): sends nothing yet. USAGE for a server that is no such URL; CREDENTIAL for a key file that is
 * missing, empty or readable by others. */
ks_rc fleet_client_new(const struct fleet_client_conf *conf, struct fleet_client **ret) KS_MUST;
void fleet_client_free(struct fleet_client *c);
void fleet_client_freep(struct fleet_client **c);
/* fleet_client_server(c): its URL; as long as c. */
const char *fleet_client_server(const struct fleet_client *c);

struct fleet_request {
    const char *method;
    const char *target;  /* "/v1/clusters?limit=10"; made with fleet_path and fleet_query */
    const json_t *body;  /* borrowed; NULL: none */
    uint32_t timeout_ms; /* of one attempt; 0: 30 s */
};

/*
 * fleet_client_ask(c, request, ret): the value of a reply below 300; *ret is NULL when it has no body. ret NULL: it is dropped. Any other
 * reply becomes the result that its code names, with the server's words (problem details, RFC 9457): CREDENTIAL for a key that is
 * not accepted, PERMISSION, NOT_FOUND, STATE, BUSY, USAGE, DENIED, THROTTLED, BUG. UNREACHABLE, TIMEOUT, BAD_REPLY without one.
 * A GET that got none, or 429, 502, 503, 504, is sent up to three times more, no earlier than Retry-After says.
 */
ks_rc fleet_client_ask(struct fleet_client *c, const struct fleet_request *request,
                       json_t **ret) KS_MUST;

/* fleet_path(target, segment): appends "/segment", percent-encoded. fleet_query(target, name, value): appends "?name=value", or "&". */
ks_rc fleet_path(struct buf *target, const char *segment) KS_MUST;
ks_rc fleet_query(struct buf *target, const char *name, const char *value) KS_MUST;
