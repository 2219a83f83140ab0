/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/server.h - the embedded key service on the network: one port, several protocols.
 *
 * Each protocol is a wire in the table of server.c. The first that says a request is its own answers it.
 */
#pragma once

#include "localkms/realm.h"
#include "net/http_server.h"

/* A protocol. */
struct lk_wire {
    const char *name;
    /* is_mine(x): by path and headers only. */
    bool (*is_mine)(const struct http_exchange *x);
    /* handle(r, x): as http_server_conf.handle. Takes the locks of the realm itself. */
    void (*handle)(struct realm *r, struct http_exchange *x);
};

enum { LK_PORT = 4599, LK_BODY_BYTES_MAX = 1 << 20 };

/* lk_server_start: also starts the thread that does what is due by itself (aws_keys_tick). lk_server_stop ends both. */
struct lk_server;
/* lk_server_start(r, conf, ret): conf without handle and arg, which are set here. The realm must live longer. */
ks_rc lk_server_start(struct realm *r, const struct http_server_conf *conf,
                      struct lk_server **ret) KS_MUST;
void lk_server_stop(struct lk_server *s);
uint16_t lk_server_port(const struct lk_server *s);
