/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/server.h - the two listeners of the control plane: the API, for keys, and that of the nodes, for certificates of the authority.
 *
 * The API's listener speaks TLS with the operator's certificate, or with one of the authority, which is renewed while it serves. Without
 * TLS it listens on the loopback only.
 */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "control/control.h"

struct api_server;

struct api_listen {
    const char *address; /* numeric */
    uint16_t port;       /* 0: any free one */
};

struct api_server_conf {
    struct control *
        control; /* must outlive the server's api_server_stop, and be closed before its api_server_free */
    struct clock *clock;
    struct random *random;
    struct api_listen api, nodes;
    const char *
        names; /* comma-separated: under which clients and nodes reach this host, the first one in what nodes are told; may be NULL */
    bool is_plain;                    /* the API without TLS */
    const char *cert_file, *key_file; /* PEM, of the API's listener; NULL: of the authority */
    const char *backup_dir;           /* where copies of the store go */
    uint32_t requests_per_second;     /* of one key; 0: no bound */
};

enum { API_REQUESTS_PER_SECOND = 50, API_PORT = 8443, API_NODES_PORT = 8444, API_URL_BYTES = 320 };

/* api_server_start(conf, ret): listens when it returns. USAGE for a plain listener that is not on the loopback, and for names that no
 * certificate can have; OS errors with address and port. */
ks_rc api_server_start(const struct api_server_conf *conf, struct api_server **ret) KS_MUST;
/* api_server_stop(s): answers those that wait and takes no more; api_server_free(s): after the control plane was closed, which may
 * still tell its news until then. NULL does nothing. */
void api_server_stop(struct api_server *s);
void api_server_free(struct api_server *s);
/* api_server_url(s), api_server_nodes_url(s): where they are reached: "https://127.0.0.1:8443". */
const char *api_server_url(const struct api_server *s);
const char *api_server_nodes_url(const struct api_server *s);
