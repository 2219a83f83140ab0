/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/wire_server.h - a server on the loopback that answers as its script says, well or badly.
 *
 * For tests of everything that speaks HTTP. It reads whole requests, keeps them, and sends for each the next
 * reply of the script, byte by byte as written there. Several connections at a time; thread-safe.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

struct wire_server;

/* What happens once the bytes are sent. */
enum wire_end {
    WIRE_KEEP,  /* the connection waits for the next request */
    WIRE_CLOSE, /* closes in good order */
    WIRE_RESET, /* resets the connection */
    WIRE_HANG,  /* nothing, until wire_server_release or stop; then closes */
};

struct wire_reply {
    struct view bytes; /* status line, headers and body, or whatever else; copied */
    enum wire_end end;
    bool is_repeating; /* answers all later requests too */
};

struct wire_request {
    const char *method, *target; /* "POST", "/path?query" */
    const char *head;            /* request line and headers, CRLF each */
    struct view body;
};

struct wire_server_conf {
    bool is_tls; /* with a certificate of its own making for "localhost" */
};

/* wire_server_start(conf, ret): listens on 127.0.0.1 when it returns; conf may be NULL. */
ks_rc wire_server_start(const struct wire_server_conf *conf, struct wire_server **ret) KS_MUST;
/* wire_server_stop(s): ends every connection and thread. NULL does nothing. */
void wire_server_stop(struct wire_server *s);
void wire_server_stopp(struct wire_server **s);

/* wire_server_url(s): "http://127.0.0.1:PORT", "https://localhost:PORT"; without a slash at the end.
 * wire_server_port(s), wire_server_certificate(s): PEM of its certificate, "" without TLS. */
const char *wire_server_url(const struct wire_server *s);
unsigned wire_server_port(const struct wire_server *s);
const char *wire_server_certificate(const struct wire_server *s);

/* wire_server_push(s, reply): one more reply at the end of the script. A request beyond it gets status 500. */
void wire_server_push(struct wire_server *s, const struct wire_reply *reply);
/* wire_server_answer(s, status, headers, body): pushes a well-formed reply; headers "Name: value\r\n"..., or "". */
void wire_server_answer(struct wire_server *s, int status, const char *headers, const char *body);
/* wire_server_forget(s): forgets the rest of the script and the requests. */
void wire_server_forget(struct wire_server *s);
/* wire_server_release(s): lets every hanging connection end. */
void wire_server_release(struct wire_server *s);

/* wire_server_count(s): requests received; wire_server_wait(s, n): returns when there are n.
 * wire_server_request(s, i): valid until it is forgotten or the server stops. */
size_t wire_server_count(struct wire_server *s);
void wire_server_wait(struct wire_server *s, size_t n);
const struct wire_request *wire_server_request(struct wire_server *s, size_t i);
/* wire_server_connections(s): accepted so far. */
size_t wire_server_connections(struct wire_server *s);
/* wire_request_header(r, name, room, len): value of a header, any case; false and "" when absent. */
bool wire_request_header(const struct wire_request *r, const char *name, char *room, size_t len);
