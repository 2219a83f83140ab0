/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_client.h - one HTTP request, one reply, before a deadline.
 *
 * The only user of libcurl. Follows no redirects, speaks http and https only, keeps connections alive
 * between requests, verifies certificates and names. What passed through its buffers is wiped when
 * the request is done: replies of key services carry keys. A client is not used across a fork.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/rc.h"
#include "base/view.h"

struct http_client; /* thread-safe; requests run side by side */

struct http_client_conf {
    struct clock *clock;   /* NULL: the system's */
    const char *ca_file;   /* PEM; NULL: the system's authorities */
    const char *cert_file; /* PEM client certificate with key_file; or NULL */
    const char *key_file;
    const char
        *proxy; /* URL of a proxy for https and http; NULL: none, whatever the environment says */
    const char *no_proxy;   /* comma-separated hosts that are reached directly */
    const char *user_agent; /* NULL: "keystead/VERSION" */
    bool
        is_unverified; /* takes any certificate: for what is checked otherwise; no secret may be sent */
};

enum { HTTP_HEADERS_MAX = 32, HTTP_URL_MAX = 8192 };
/* A connection whose other end's system acknowledges nothing for so long is given up, also while a reply is waited for. */
enum { HTTP_SILENT_MS_MAX = 15000 };

struct http_header {
    const char *name, *value;
};

struct http_request {
    const char *method; /* "GET", "PUT", "POST", "DELETE", ... */
    const char *url;
    size_t header_count;
    struct http_header headers[HTTP_HEADERS_MAX]; /* borrowed; sent as they are, in this order */
    struct view body;                             /* no body: length 0; sent with Content-Length */
    uint64_t deadline_ms;                         /* boot time; 0: 30 s from now */
    uint32_t connect_ms_max;                      /* 0: as long as the deadline leaves */
    size_t reply_bytes_max;                       /* 0: 1 MiB */
};

struct http_reply {
    int status;        /* 100..599 */
    struct buf body;   /* wiped when freed */
    struct buf header; /* the header lines as received, CRLF each */
};

/* http_client_new(conf, ret): reads no file yet. */
ks_rc http_client_new(const struct http_client_conf *conf, struct http_client **ret) KS_MUST;
/* http_client_free(c): closes the connections; no request may be running. NULL does nothing. */
void http_client_free(struct http_client *c);
void http_client_freep(struct http_client **c);

/*
 * http_client_send(c, request, ret): any complete reply is a success, whatever its status. UNREACHABLE for
 * names that do not resolve, refused and reset connections, TLS failures (the text says which and names
 * host and reason); TIMEOUT for the deadline; BAD_REPLY for what is not HTTP or is longer than allowed;
 * CREDENTIAL for a client certificate that cannot be used; USAGE for a malformed URL or another scheme. A failed
 * call leaves ret alone. Retries nothing.
 */
ks_rc http_client_send(struct http_client *c, const struct http_request *request,
                       struct http_reply *ret) KS_MUST;
/* http_reply_header(reply, name, room, len): copies the value of the first header of that name (any case,
 * blanks around it removed, cut to len-1); false and "" when there is none. */
bool http_reply_header(const struct http_reply *reply, const char *name, char *room, size_t len);
/* http_reply_done(reply): wipes and frees; the reply is empty and may be used again. For CLEANUP. */
void http_reply_done(struct http_reply *reply);
