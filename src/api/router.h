/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/router.h - from method and path to a route, through a trie that is made once at the start.
 *
 * A path is matched segment by segment; a word goes before a parameter and is not taken back. Thread-safe once made.
 */
#pragma once

#include "api/route.h"

struct router;

/* router_new(dialects, count, ret): BUG for tables that contradict themselves: two routes for one method and path, one without a
 * permission, a handler or an operationId, a path that is too long or has one parameter twice. */
ks_rc router_new(const struct api_dialect *const dialects[], size_t count,
                 struct router **ret) KS_MUST;
void router_free(struct router *r);
void router_freep(struct router **r);

enum route_match { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };
enum { ROUTER_ALLOW_BYTES = 48 };

struct route_hit {
    enum route_match match;
    const struct api_dialect *dialect; /* NULL for NO_PATH */
    const struct api_route *route;     /* of FOUND */
    char allow[ROUTER_ALLOW_BYTES];    /* of NO_METHOD: "GET, HEAD, POST" */
};

/* router_match(r, method, path, values, ret): path as sent, without the query. Values that are empty, too long, badly encoded or have
 * control characters match nothing. */
void router_match(const struct router *r, const char *method, const char *path,
                  char values[API_PARAMS_MAX][API_PARAM_BYTES], struct route_hit *ret);
/* router_body_max(r): the largest body that any route takes. */
size_t router_body_max(const struct router *r);
