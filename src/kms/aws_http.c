/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_http.c - one request to a service of AWS and what it says.
 */
#include "kms/aws_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/aws_time.h"

enum {
    SKEW_S_MIN = 30, /* less is not what a signature fails for */
    RETRY_AFTER_S_MAX = 3600,
    PATH_BYTES = 4096,
};

/* The lower-case form counts first, as with other tools; HTTP_PROXY in capitals could be a request's header (CGI). */
static const char *either(const struct aws_env *env, const char *lower, const char *upper)
{
    const char *value = aws_env_get(env, lower);

    return value || !upper ? value : aws_env_get(env, upper);
}

ks_rc aws_http_init(const struct aws_env *env, const struct aws_files *files, struct clock *clock,
                    struct aws_http *ret)
{
    CLEANUP(aws_http_done) struct aws_http h = {.clock = clock};
    struct http_client_conf conf = {.clock = clock, .ca_file = aws_env_get(env, "AWS_CA_BUNDLE")};
    char ca_file[PATH_BYTES];

    TRY(http_client_new(&conf, &h.direct));
    if (!conf.ca_file &&
        aws_profile_text(files, files->profile, "ca_bundle", ca_file, sizeof ca_file))
        conf.ca_file = ca_file;
    conf.no_proxy = either(env, "no_proxy", "NO_PROXY");
    conf.proxy = either(env, "https_proxy", "HTTPS_PROXY");
    TRY(http_client_new(&conf, &h.tls));
    conf.proxy = either(env, "http_proxy", NULL);
    TRY(http_client_new(&conf, &h.plain));
    *ret = h;
    h.tls = h.plain = h.direct = NULL;
    return KS_SUCCESS;
}

void aws_http_done(struct aws_http *h)
{
    http_client_free(h->tls);
    http_client_free(h->plain);
    http_client_free(h->direct);
}

int64_t aws_http_now_s(const struct aws_http *h)
{
    return clock_wall_s(h->clock) + __atomic_load_n(&h->skew_s, __ATOMIC_RELAXED);
}

void aws_note_id(const struct kms_call *call, const char *id)
{
    if (call->note && id[0])
        snprintf(call->note->request_id, sizeof call->note->request_id, "%s", id);
}

static void note_reply(const struct kms_call *call, const struct http_reply *reply)
{
    char text[AWS_ERROR_TYPE_BYTES], *end;

    if (http_reply_header(reply, "x-amzn-RequestId", text, sizeof text))
        aws_note_id(call, text);
    if (!call->note || !http_reply_header(reply, "Retry-After", text, sizeof text))
        return;
    unsigned long s = strtoul(text, &end, 10); /* the form with a date is for robots */
    if (end != text && *end == '\0' && s <= RETRY_AFTER_S_MAX)
        call->note->retry_after_ms = (uint32_t)s * 1000;
}

/* Takes over the time of the reply; false when it explains nothing. */
static bool set_clock(struct aws_http *h, const struct http_reply *reply, int64_t used_s)
{
    char text[64];
    int64_t now_s;

    if (!http_reply_header(reply, "Date", text, sizeof text) || !aws_time_http(text, &now_s) ||
        llabs(now_s - used_s) < SKEW_S_MIN)
        return false;
    __atomic_store_n(&h->skew_s, now_s - clock_wall_s(h->clock), __ATOMIC_RELAXED);
    return true;
}

static void add(struct http_request *r, const char *name, const char *value)
{
    r->headers[r->header_count++] = (struct http_header){name, value};
}

static ks_rc send_at(struct aws_http *h, const struct kms_call *call, const struct aws_exchange *x,
                     int64_t now_s, struct http_reply *ret)
{
    struct http_request r = {.method = "POST",
                             .url = x->endpoint->url,
                             .body = x->body,
                             .deadline_ms = call->deadline_ms,
                             .reply_bytes_max = AWS_REPLY_BYTES_MAX};
    struct aws_to_sign to_sign = {x->service,        x->region,         "POST",
                                  x->endpoint->host, x->endpoint->path, x->header_count,
                                  x->headers,        x->body,           now_s};
    struct aws_signature signature;

    for (size_t i = 0; i < x->header_count; i++)
        add(&r, x->headers[i].name, x->headers[i].value);
    if (x->credentials) {
        TRY(aws_sign(&to_sign, x->credentials, &signature));
        add(&r, "X-Amz-Date", signature.date);
        if (x->credentials->token)
            add(&r, "X-Amz-Security-Token", (char *)secret_bytes(x->credentials->token));
        add(&r, "Authorization", signature.authorization);
    }
    bool is_tls = strncmp(x->endpoint->url, "https:", 6) == 0;
    return http_client_send(is_tls ? h->tls : h->plain, &r, ret);
}

ks_rc aws_http_send(struct aws_http *h, const struct kms_call *call, const struct aws_exchange *x,
                    struct http_reply *ret, enum aws_cure *cure)
{
    *cure = AWS_CURE_NONE;
    for (bool is_again = false;; is_again = true) {
        CLEANUP(http_reply_done) struct http_reply reply = {0};
        struct aws_error error;
        int64_t now_s = aws_http_now_s(h);

        TRY(send_at(h, call, x, now_s, &reply));
        note_reply(call, &reply);
        if (reply.status == 200) {
            *ret = reply;
            reply = (struct http_reply){0};
            return KS_SUCCESS;
        }
        x->judge(&reply, &error);
        ks_rc rc = aws_error_result(&error, reply.status, cure);
        if (*cure != AWS_CURE_CLOCK || is_again || !set_clock(h, &reply, now_s))
            return rc;
    }
}
