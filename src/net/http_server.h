/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_server.h - HTTP and HTTPS for whoever answers requests.
 *
 * The only user of libmicrohttpd. Reads a whole request within bounds, has it answered by one function on
 * one of its threads, and sends the answer. Limits: bytes of head and body, seconds a client may take, for nothing
 * and in all, connections in all and for each client. When nearly all connections are taken, or a quarter by clients that have not
 * asked for anything, whoever has the most loses the oldest that waits for its client, for each new one: nobody keeps the others out.
 */
#pragma once

#include <netinet/in.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/view.h"

struct http_server;
struct http_exchange; /* a request that is being answered */

struct http_server_conf {
    const char *address;   /* "127.0.0.1", "::1", ...; numeric */
    uint16_t port;         /* 0: any free one */
    const char *cert_file; /* PEM; NULL: plain HTTP, unless the text is given */
    const char *key_file;  /* PEM */
    /* The same as texts, which are copied; they can be replaced while it serves (http_server_renew). */
    struct view cert_pem, key_pem;
    /* PEM: who shows no client certificate of these gets 403; NULL: none asked. And the same as a text. */
    const char *client_ca_file;
    struct view client_ca_pem;
    uint32_t threads;                    /* 0: one per processor */
    uint32_t connections_max;            /* 0: 4096 */
    uint32_t connections_per_client_max; /* 0: no bound of its own */
    uint32_t idle_seconds_max;           /* without a byte; 0: 60 */
    uint32_t
        request_seconds_max; /* for a handshake and a request, or a request, as a whole; 0: 30 */
    uint32_t answer_seconds_max; /* for reading an answer; 0: 300 */
    size_t
        head_bytes_max; /* 0: 64 KiB; a connection takes that much room for the heads of both directions */
    size_t body_bytes_max; /* 0: 1 MiB; beyond it the client gets 413 and handle is not called */
    /*
     * handle(arg, exchange): called once for each whole request, on a server thread, from several at a
     * time. Must end with exactly one of http_answer, http_answer_later, http_hang_up before it returns.
     */
    void (*handle)(void *arg, struct http_exchange *x);
    /* too_large(arg, exchange): as handle, in its place, for a body beyond the bound, of which nothing is kept. NULL: an empty 413. */
    void (*too_large)(void *arg, struct http_exchange *x);
    /* admit(arg, network): whether a connection from there is taken, before anything is read. From any server thread. NULL: all are. */
    bool (*admit)(void *arg, const char *network);
    void *arg;
};

/* http_server_start(conf, ret): listens when it returns. OS errors (address in use) with address and port. */
ks_rc http_server_start(const struct http_server_conf *conf, struct http_server **ret) KS_MUST;
/* http_server_port(s): the port it listens on. */
uint16_t http_server_port(const struct http_server *s);
/* http_server_renew(s, cert, key): handshakes from now on use these (PEM); what is connected stays. Only for a server that was started with
 * texts. USAGE when they are no pair; any thread. */
ks_rc http_server_renew(struct http_server *s, struct view cert, struct view key) KS_MUST;
/* http_server_stop(s): takes no more requests, lets those being answered end, ends those put off. */
void http_server_stop(struct http_server *s);

/* The request; all valid until it is answered. */
const char *http_method(const struct http_exchange *x);
const char *
http_path(const struct http_exchange *x); /* as sent, percent-encoded, without the query */
const char *http_query_text(const struct http_exchange *x); /* as sent, without '?'; "" for none */
/* http_query(x, name): decoded value of a parameter, "" when it has none; NULL when absent. */
const char *http_query(const struct http_exchange *x, const char *name);
/* http_header(x, name): value, any case; NULL when absent. Of several the first. */
const char *http_header(const struct http_exchange *x, const char *name);
/* http_header_each(x, each, arg): every header in the order received. */
void http_header_each(const struct http_exchange *x,
                      void (*each)(void *arg, const char *name, const char *value), void *arg);
struct view http_body(const struct http_exchange *x);
/* http_peer(x): "127.0.0.1", "2001:db8::1". */
const char *http_peer(const struct http_exchange *x);
/* http_peer_network(x): what counts as one client: the address, of IPv6 its /64: "2001:db8:0:1::/64". */
const char *http_peer_network(const struct http_exchange *x);
bool http_is_tls(const struct http_exchange *x);
/* http_peer_certificate(x): DER of the client's verified certificate; empty when there is none. */
struct view http_peer_certificate(const struct http_exchange *x);

/* The answer: built up, then sent. Header values are copied; CR and LF in them are a BUG. */
ks_rc http_answer_header(struct http_exchange *x, const char *name, const char *value) KS_MUST;
/* http_answer(x, status, content_type, body): body is copied; content_type NULL for none. If memory is short
 * the connection is closed. */
void http_answer(struct http_exchange *x, int status, const char *content_type, struct view body);
/*
 * http_answer_later(x, delay_ms, again, arg): gives the thread back now and has again(arg, x) called after
 * delay_ms, or when http_wake is called, or when the server stops (is_stopping), on a server thread; again must
 * end as handle must. Long polls and delays. A client that goes away meanwhile is noticed with again.
 */
void http_answer_later(struct http_exchange *x, uint64_t delay_ms,
                       void (*again)(void *arg, struct http_exchange *x, bool is_stopping),
                       void *arg);
/* http_wake(x): the waiting exchange is called again soon; one that is being answered, as soon as it is put off. From any thread, in
 * constant time; only until its attachment has been given back. */
void http_wake(struct http_exchange *x);
/* http_attach(x, arg, done): done(arg) is called once, when the exchange is over, however it ends: answered, or with a client that has
 * gone away while it waited, when nothing else is called any more. At most one attachment. */
void http_attach(struct http_exchange *x, void *arg, void (*done)(void *arg));
/* http_hang_up(x, after): closes the connection without an answer after sending these raw bytes of one
 * (may be empty). For tests of clients. */
void http_hang_up(struct http_exchange *x, struct view after);
