/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/e2e/api_routes.c - prints every route of every dialect as JSON: what the tests of authorisation are generated from.
 */
#include <jansson.h>
#include <stdio.h>

#include "api/route.h"

static json_t *who_of(unsigned who)
{
    static const char *const names[] = {"public", "platform", "organisation", "cluster", "node"};
    json_t *list = json_array();

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (who & 1u << i)
            json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *show(const struct api_dialect *dialect, const struct api_route *route)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:i}", "dialect", dialect->name, "method",
                     route->method, "path", route->path, "operation", route->operation, "who",
                     who_of(route->who), "role", role_name(route->least), "body",
                     (int)route->body_bytes_max);
}

int main(void)
{
    static const struct api_dialect *const dialects[] = {&native_dialect, &crdb_dialect,
                                                         &node_join_dialect, &node_dialect};
    json_t *all = json_array();

    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        for (size_t k = 0; k < dialects[i]->route_count; k++)
            json_array_append_new(all, show(dialects[i], &dialects[i]->routes[k]));
    int failed = json_dumpf(all, stdout, JSON_INDENT(1));
    json_decref(all);
    return failed ? 1 : 0;
}
