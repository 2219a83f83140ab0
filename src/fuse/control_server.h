/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/control_server.h - the listening end of the control socket.
 *
 * A thread accepts, and each conversation has a thread of its own, so that a long operation keeps
 * nobody from asking for the status. Only root and the owner of the process are heard.
 */
#pragma once

#include "fuse/control.h"

struct control_server;
struct control_peer;

/* Beyond the first, CONTROL_LOCK_PEERS more are heard for one request, which is done when it is "lock": whatever hangs, a revoke is heard. */
enum { CONTROL_PEERS_MAX = 16, CONTROL_LOCK_PEERS = 4, CONTROL_IDLE_MS_MAX = 30000 };

struct control_server_conf {
    const char *path; /* the socket's; its directory is made when it is not there */
    /* handle(arg, request, peer, ret): runs one operation. *ret may stay NULL: {"ok":true}. */
    ks_rc (*handle)(void *arg, json_t *request, struct control_peer *peer, json_t **ret);
    void *arg;
    uint32_t
        write_ms_max; /* how long a line waits for a peer that does not read; 0: CONTROL_WRITE_MS_MAX */
    uint32_t
        only_lock_ms_max; /* and the request of one who may only lock is waited for; 0: a second */
};

/* control_server_start(conf, ret): a socket that is there already is replaced: the caller holds the volume's
 * lock, so nobody listens on it. */
ks_rc control_server_start(const struct control_server_conf *conf,
                           struct control_server **ret) KS_MUST;
/* control_server_narrow(s, timeout_ms): from here on nothing but "lock" and "status" is heard, one request of each who
 * asks, and conversations that were begun before end with the
 * operation that they are at. Whether all have by then. NULL has none. */
bool control_server_narrow(struct control_server *s, uint32_t timeout_ms);
/* control_server_stop(s, timeout_ms): removes the socket and ends the conversations. Whether all have ended by then: one that has not is
 * left behind, with s. NULL has none. */
bool control_server_stop(struct control_server *s, uint32_t timeout_ms);

/* control_peer_send(peer, object): a line before the reply (progress). IO when the peer is gone, TIMEOUT when it does not listen; from
 * then on nothing more is sent, the reply neither, and nothing waits for it again. */
ks_rc control_peer_send(struct control_peer *peer, json_t *object) KS_MUST;
/* control_peer_take(peer): a descriptor of the conversation that outlives it; handle's reply is then not
 * sent, the taker writes it. -1 when there is none left. */
int control_peer_take(struct control_peer *peer);
