/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_server_int.h - the parts of the HTTP server, for its own files: http_server.c (life of a request),
 * http_connection.c (how long and how many), http_exchange.c (what a handler sees of it), http_tls.c (certificates).
 */
#pragma once

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/http_server.h"

enum { HTTP_ANSWER_HEADERS_MAX = 24 };

enum http_outcome { HTTP_UNDECIDED, HTTP_ANSWERED, HTTP_PUT_OFF, HTTP_HUNG_UP };

struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection; /* NULL until its head has been read */
    struct http_connection *line;      /* the same; may be NULL when memory was short */
    const char *method;
    char *path;
    const char *query; /* behind the path, in the same text */
    char *query_decoded;
    struct buf body;
    size_t received_bytes;
    bool is_too_long, is_counted;
    char peer[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN + 4];

    enum http_outcome outcome;
    int status;
    struct {
        char *name, *value;
    } headers[HTTP_ANSWER_HEADERS_MAX];
    size_t header_count;
    struct buf answer, raw;

    void *attached;
    void (*attached_done)(void *arg);

    uint64_t due_ms;
    void (*again)(void *arg, struct http_exchange *x, bool is_stopping);
    void *again_arg;
    /* under the server's mutex */
    bool is_waiting, is_woken;
    struct http_exchange *before, *after; /* in the list of those that wait */
};

/* Those that wait, by the time they are due. */
struct http_queue {
    struct http_exchange *first, *last;
};

/* A connection, from before its handshake until its socket is closed. */
struct http_connection {
    struct http_server *server;
    bool is_verified; /* it showed a client certificate of our authorities */
    int fd;
    uint64_t network; /* where it comes from */
    atomic_uint_fast64_t
        due_ms;            /* by when its client must have done its part; 0: it is not its turn */
    atomic_bool has_asked; /* the first line of a request has come */
    bool is_cut;           /* under the server's mutex, as what follows */
    struct http_connection *before, *after;
};

struct http_connections {
    size_t count;
    struct http_connection *first, *last; /* the oldest first */
};

/* A certificate with its key; what has been in use stays until the server stops, for handshakes that are under way. */
struct http_identity {
    gnutls_pcert_st *chain;
    unsigned chain_count;
    gnutls_privkey_t key;
    struct http_identity *older;
};

struct http_server {
    int fd;
    uint16_t port;
    void (*handle)(void *arg, struct http_exchange *x);
    void (*too_large)(void *arg, struct http_exchange *x);
    void *arg;
    bool (*admit)(void *arg, const char *network);
    size_t body_bytes_max, connections_max;
    uint32_t idle_seconds_max;
    uint64_t request_ms_max, answer_ms_max;
    struct MHD_Daemon *daemon;
    char *tls_cert, *tls_key, *tls_ca; /* PEM; the key is wiped */
    struct http_identity *identity;    /* newest first, under the mutex; NULL: the two files */

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* the list of waiting ones, active, the two flags below */
    struct http_queue waiting;
    struct http_connections connections;
    size_t active; /* exchanges whose handler was called and whose answer has not left */
    bool is_stopping, is_timer_ending, has_timer;
    pthread_t timer;
};

/* -- connections (net/http_connection.c) -- */

/* http_owes(c, ms): from now its client has so long for its part; 0: no time. NULL does nothing. */
void http_owes(struct http_connection *c, uint64_t ms);
struct http_connection *http_connection_of(struct MHD_Connection *connection);
/* http_cut_late(s, now_ms): ends those whose time is over; with the mutex held. */
void http_cut_late(struct http_server *s, uint64_t now_ms);
/* Callbacks of libmicrohttpd: before a connection is taken; when it has been, and before it is closed. */
enum MHD_Result http_on_accept(void *arg, const struct sockaddr *address, socklen_t len);
void http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code);
/* http_network_of(address): the address, of IPv6 its first half. http_network_write: the same for people. */
uint64_t http_network_of(const struct sockaddr *address);
void http_network_write(const struct sockaddr *address, char out[INET6_ADDRSTRLEN + 4]);

/* -- certificates (net/http_tls.c) -- */

enum { HTTP_TLS_OPTIONS = 6 };
/* http_tls_begin(connection, c): a new connection, before its handshake; c NULL: there will be none. */
void http_tls_begin(struct MHD_Connection *connection, struct http_connection *c);
/* http_is_tls_wanted(conf): whether conf has a certificate. */
static inline bool http_is_tls_wanted(const struct http_server_conf *conf)
{
    return conf->cert_file || conf->cert_pem.len > 0;
}
/* http_tls_load(s, conf, ret): reads what conf says of certificates into s and fills the options for libmicrohttpd. */
ks_rc http_tls_load(struct http_server *s, const struct http_server_conf *conf,
                    struct MHD_OptionItem ret[HTTP_TLS_OPTIONS]) KS_MUST;
void http_tls_done(struct http_server *s);
/* http_send_raw(x, fd): sends x->raw as it is on the connection, as much as fits into its buffers. */
void http_send_raw(struct http_exchange *x, int fd);
/* http_query_decode(x): makes x->query_decoded. */
ks_rc http_query_decode(struct http_exchange *x) KS_MUST;
/* http_peer_write(address, out): a client's address as text. */
void http_peer_write(const struct sockaddr *address, char out[INET6_ADDRSTRLEN]);
