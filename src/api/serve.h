/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/serve.h - the life of a call, the same for every route of every dialect.
 *
 * In this order, and what fails ends it: path and verb, who asks (key or certificate), how often, whether they may, the dialect's own
 * headers, query, size and type and JSON of the body, a repeated request. Then the handler; then the reply. Nobody is let in by leaving
 * something out: a route says whose calls it takes, and the rest is refused.
 */
#pragma once

#include <stdatomic.h>

#include "api/keep.h"
#include "api/limit.h"
#include "api/route.h"
#include "api/router.h"
#include "api/waiters.h"

/* What all listeners share. */
struct api {
    struct control *control;
    struct clock *clock;
    struct limiter *keys;          /* by id of the key */
    struct limiter *organisations; /* by id: all keys of one */
    struct limiter *nodes;         /* by certificate */
    struct limiter *connections;   /* by network: handshakes with the API */
    struct limiter *failures;      /* by network: keys and tokens that are none */
    struct waiters *waiters;
    struct keeper *keeper;
    uint64_t life; /* random; the first half of the numbers of requests */
    atomic_uint_least64_t requests;
    char nodes_url[HOST_BYTES + 32]; /* where nodes find the node listener */
    char backup_dir[1024];           /* where copies of the store go */
};

/* One listener: its dialects and nothing else. */
struct listener {
    struct api *api;
    const struct api_dialect *const
        *dialects; /* the first one writes the errors of paths that are nobody's */
    size_t dialect_count;
    struct router *router;
};

/* api_serve(listener, x): handle of http_server_conf; api_serve_too_large: its too_large. */
void api_serve(void *listener, struct http_exchange *x);
void api_serve_too_large(void *listener, struct http_exchange *x);

/* ---- the steps (api/admit.c, api/body.c, api/reply.c) ---- */

/* admit_caller(call): who asks; 401, 429. admit_permission(call): whether the route takes calls of theirs; 403, 404. */
ks_rc admit_caller(struct api_call *call) KS_MUST;
/* admit_too_many(call, seconds): 429 with Retry-After. */
ks_rc admit_too_many(struct api_call *call, uint32_t seconds) KS_MUST;
ks_rc admit_permission(struct api_call *call) KS_MUST;
/* body_take(call): 400, 413, 415. query_known(call): 400. */
ks_rc body_take(struct api_call *call) KS_MUST;
ks_rc query_known(struct api_call *call) KS_MUST;
/* repeat_begin(call): for a route that may be repeated with an Idempotency-Key; call->is_repeated: the reply of the first time is ready
 * in the call. repeat_end(call): keeps the reply, or forgets the key when it failed. */
ks_rc repeat_begin(struct api_call *call) KS_MUST;
void repeat_end(struct api_call *call);
/* reply_send(call, rc): the reply of a call that succeeded, or the error in the form of the dialect. */
void reply_send(struct api_call *call, ks_rc rc);

/* keep_reply(call): keeps the reply that is ready, when the handler asked for it. */
void keep_reply(struct api_call *call);

/* header_once(call, name, ret): *ret NULL when absent. 400 when it is there more than once. */
ks_rc header_once(struct api_call *call, const char *name, const char **ret) KS_MUST;
