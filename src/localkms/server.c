/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/server.c - which protocol a request belongs to.
 */
#include "localkms/server.h"

#include "localkms/admin.h"
#include "localkms/aws_query.h"

static const struct lk_wire *const wires[] = {
    &admin_wire,
    &aws_query_wire,
};

static void handle(void *arg, struct http_exchange *x)
{
    struct realm *r = arg;

    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++)
        if (wires[i]->is_mine(x)) {
            wires[i]->handle(r, x);
            return;
        }
    http_answer(x, 404, "application/json", view_text("{\"message\":\"no such service here\"}"));
}

ks_rc lk_server_start(struct realm *r, const struct http_server_conf *conf,
                      struct http_server **ret)
{
    struct http_server_conf own = *conf;

    own.handle = handle;
    own.arg = r;
    if (own.body_bytes_max == 0)
        own.body_bytes_max = LK_BODY_BYTES_MAX;
    return http_server_start(&own, ret);
}
