/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/route.h - what a dialect of the API is made of: one constant table of routes, and the call that a handler works with.
 *
 * A route says who may use it, and cannot be written without saying so. Everything that is common to all routes is done
 * before the handler is called (api/serve.c): path, verb, authentication, rate, permission, size, content type, JSON,
 * repeated requests. A handler translates between its dialect and control/control.h and holds no rule of its own.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "control/control.h"
#include "net/http_server.h"

struct api;
struct api_call;

enum {
    API_PARAMS_MAX = 4,    /* of a path */
    API_PARAM_BYTES = 128, /* of a value, decoded, with its terminator */
    API_SEGMENTS_MAX = 10,
    API_DETAIL_BYTES = 1536,
    API_JSON_DEPTH_MAX = 32,
    API_KEY_BYTES = 256, /* of an Idempotency-Key */
    API_BODY_SMALL = 64 * 1024,
    API_BODY_REPORT = 4 * 1024 * 1024,
};

/* ---- routes ---- */

/* Whose calls a route takes: a set of bits, never empty. */
enum api_who {
    API_PUBLIC = 1 << 0,       /* everybody: says nothing that is not public */
    API_PLATFORM = 1 << 1,     /* keys of the platform */
    API_ORGANISATION = 1 << 2, /* keys of an organisation, for all of its clusters */
    API_CLUSTER = 1 << 3, /* keys of one cluster; {cluster} in the path must be theirs, else 404 */
    API_NODE = 1 << 4,    /* nodes, by their certificate; on the node listener only */
};
#define API_CUSTOMER (API_ORGANISATION | API_CLUSTER)
#define API_ANY_KEY (API_PLATFORM | API_CUSTOMER)

enum api_flag {
    API_BODY_MAY_MISS = 1 << 0, /* an empty body is taken: call->body is NULL */
    API_REPEATABLE = 1 << 1,    /* takes Idempotency-Key */
    API_NO_JSON = 1 << 2,       /* answers something else than JSON */
};

struct api_route {
    const char *method;    /* "GET" answers HEAD too */
    const char *path;      /* "/v1/clusters/{cluster}/cmek" */
    const char *operation; /* operationId, unique within the dialect */
    unsigned who;          /* enum api_who */
    enum role least;       /* of keys */
    unsigned flags;        /* enum api_flag */
    size_t body_bytes_max; /* 0: takes no body */
    const char *query;     /* names of the parameters it takes, comma-separated; NULL: none */
    ks_rc (*handle)(struct api_call *call);
};

/* API_MAY(who, least): the permission of a route; an empty one does not compile. */
#define API_MAY(who_, least_)                                                                      \
    .who = (who_) + 0 * sizeof(struct {                                                            \
                        _Static_assert((who_) != 0, "a route says who may use it");                \
                        char unused;                                                               \
                    }),                                                                            \
    .least = (least_)

/* ---- errors ---- */

struct api_error {
    int status;
    const char *code; /* "NOT_FOUND"; static storage */
    char detail[API_DETAIL_BYTES];
};

/*
 * api_refuse(call, status, code, fmt, ...): what the answer will be, beyond what a result can say; always a failure, to be returned. The
 * table of codes is api/error.c; of a status of 500 and above people are told only that it happened.
 */
ks_rc api_refuse(struct api_call *call, int status, const char *code, const char *fmt, ...) KS_MUST
    KS_PRINTF(4, 5);

/* ---- dialects ---- */

struct api_dialect {
    const char *name;
    const char
        *prefix; /* of its paths: "/api/v1/"; errors below it are in its form, known path or not */
    const struct api_route *routes;
    size_t route_count;
    bool is_strict; /* a query parameter that no route names is 400 */
    /* begin(call): looks at headers of the dialect's own, sets headers of every reply. NULL: nothing. */
    ks_rc (*begin)(struct api_call *call);
    /* error_body(call, error): the body of an error; NULL without memory. */
    json_t *(*error_body)(const struct api_call *call, const struct api_error *error);
    const char *error_type; /* content type of errors */
};

extern const struct api_dialect native_dialect, node_join_dialect, node_dialect, crdb_dialect;

/* ---- calls ---- */

struct api_call {
    struct api *api;
    struct control *control;
    struct http_exchange *exchange;
    const struct api_dialect *dialect; /* of the path's beginning */
    const struct api_route *route;     /* NULL until the path has been matched */
    struct caller caller;              /* of a valid key; caller.request is always set */
    char node[ID_BYTES];               /* of API_NODE */
    char values[API_PARAMS_MAX][API_PARAM_BYTES];
    json_t *body; /* an object, or NULL */

    /* what a handler that waits keeps for itself from one time to the next */
    char note[ID_BYTES];
    int64_t count;

    /* the reply */
    int status;
    json_t *reply;
    const char *raw_type; /* of raw, which is static; NULL: reply */
    struct view raw;
    struct api_error error;

    struct buf text;    /* of the reply, when it is ready to be sent */
    bool is_kept_after; /* the reply will be kept: api_kept */
    uint64_t kept_version;
    int64_t revision; /* of the ETag of the reply; 0: it has none */

    /* waiting */
    struct api_wait *wait; /* api/waiters.h; NULL: none */
    uint64_t deadline_ms;
    bool is_put_off; /* the handler will be called again */
    bool is_stopping;

    bool is_repeated;               /* text is the reply of the first time */
    char repeat_key[API_KEY_BYTES]; /* Idempotency-Key for which control_repeat_keep is due; "" */
};

/* api_param(call, name): decoded value of {name} of the route's path; not empty, no control characters. */
const char *api_param(const struct api_call *call, const char *name);
/* api_query(call, name): decoded value, NULL when absent. */
const char *api_query(const struct api_call *call, const char *name);
/* api_query_int(call, name, min, max, ret): *ret stays when it is absent. USAGE. */
ks_rc api_query_int(const struct api_call *call, const char *name, int64_t min, int64_t max,
                    int64_t *ret) KS_MUST;
/* api_query_bool(call, name, ret): "true" or "false"; *ret stays when it is absent. USAGE. */
ks_rc api_query_bool(const struct api_call *call, const char *name, bool *ret) KS_MUST;

/* api_reply(call, status, value): takes value over; NO_MEMORY for NULL. */
ks_rc api_reply(struct api_call *call, int status, json_t *value) KS_MUST;
/* api_reply_empty(call, status): no body. */
ks_rc api_reply_empty(struct api_call *call, int status) KS_MUST;
/* api_reply_raw(call, type, text): text must be static. */
ks_rc api_reply_raw(struct api_call *call, const char *type, struct view text) KS_MUST;
/* api_header(call, name, value): of the reply; copied. A value with line ends or control characters is a BUG. */
ks_rc api_header(struct api_call *call, const char *name, const char *value) KS_MUST;
/*
 * api_kept(call, cluster): whether this route's last reply about the cluster is still right; then it is the reply, and call->revision what
 * its ETag was made of. Else what the handler replies is kept for the next time. For replies that depend on nothing but the route, the
 * organisation, and the cluster with its regions and keys.
 */
bool api_kept(struct api_call *call, const char *cluster);
/* api_time(wall_s): "2026-11-22T05:20:00Z"; null for 0. */
json_t *api_time(int64_t wall_s);

/* ---- waiting ---- */

/*
 * For replies that are due when something has changed. A handler calls api_watch before it looks at the state, and when that is
 * not yet what it waits for:
 *     if (api_put_off(call))
 *         return KS_SUCCESS;
 * It is then called again, from its start and with everything as it was, when the thing moved or the time is over.
 */

/* api_watch(call, kind, id, seconds): kind and id as in control_watch; the time begins with the first call of it. 0 seconds: does
 * nothing. Something else than before: watches that instead, with a time of its own. NO_MEMORY; BUSY when too many wait. */
ks_rc api_watch(struct api_call *call, char kind, const char *id, uint32_t seconds) KS_MUST;
/* api_put_off(call): false: the time is over, or the server stops: answer now. */
bool api_put_off(struct api_call *call);
