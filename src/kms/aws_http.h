/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_http.h - one request to a service of AWS and what it says.
 *
 * Signs, sends and has the answer judged. A request that is refused because this host's clock is wrong is sent once more
 * with the service's time, which is kept for later ones. Nothing else is repeated. Thread-safe.
 */
#pragma once

#include "kms/aws_endpoint.h"
#include "kms/aws_errors.h"
#include "kms/aws_sign.h"

enum { AWS_HEADERS_MAX = 4, AWS_REPLY_BYTES_MAX = 64 * 1024 };

/* What all keys of a driver share to speak HTTP. */
struct aws_http {
    struct clock *clock;
    struct http_client *tls, *plain; /* through the proxies for https and for http */
    struct http_client *direct;      /* link-local and loopback services: never through a proxy */
    int64_t skew_s;                  /* AWS's clock minus ours; atomic */
};

/* aws_http_init(env, files, clock, ret): proxies and authorities as the environment says. aws_http_done(h): for CLEANUP. */
ks_rc aws_http_init(const struct aws_env *env, const struct aws_files *files, struct clock *clock,
                    struct aws_http *ret) KS_MUST;
void aws_http_done(struct aws_http *h);

struct aws_exchange {
    const struct aws_endpoint *endpoint;
    const char *service, *region;
    const struct aws_credentials *credentials; /* NULL: not signed */
    size_t header_count;
    struct http_header headers[AWS_HEADERS_MAX]; /* signed */
    struct view body;
    /* judge(reply, ret): reads the error of a reply whose status is not 200. */
    void (*judge)(const struct http_reply *reply, struct aws_error *ret);
};

/*
 * aws_http_send(h, call, x, ret, cure): a reply with status 200, or the error's result; cure is what the caller may mend.
 * The request's id and the pause that the service asks for go into the call's note. Classes of http_client_send too.
 */
ks_rc aws_http_send(struct aws_http *h, const struct kms_call *call, const struct aws_exchange *x,
                    struct http_reply *ret, enum aws_cure *cure) KS_MUST;

/* aws_http_now_s(h): AWS's clock, as far as it is known. */
int64_t aws_http_now_s(const struct aws_http *h);

/* aws_note_id(call, id): the request id of the provider, for audit. */
void aws_note_id(const struct kms_call *call, const char *id);
