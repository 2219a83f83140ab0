/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/rest.c - JSON over HTTP for key services.
 *
 * Replies are bounded in size and depth and never quoted in errors: they may hold keys.
 */
#include "kms/rest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/environment.h"
#include "base/mem.h"

enum { JSON_DEPTH = 16, RETRY_AFTER_S_MAX = 600 };

const char *rest_env(const struct rest *r, const char *name)
{
    return r->env(r->env_arg, name);
}

static const char *either(const struct rest *r, const char *lower, const char *upper)
{
    const char *value = rest_env(r, lower);

    return value ? value : rest_env(r, upper);
}

ks_rc rest_init(const struct kms_conf *conf, const char *ca_file, struct rest *ret)
{
    CLEANUP(mem_freep) char *direct = NULL;
    struct rest r = {NULL, conf->env ? conf->env : environment_get, conf->env_arg};
    const char *no_proxy = either(&r, "no_proxy", "NO_PROXY");

    TRY(mem_format(&direct, "localhost,127.0.0.1,169.254.169.254%s%s", no_proxy ? "," : "",
                   no_proxy ? no_proxy : ""));
    struct http_client_conf http = {.clock = conf->clock,
                                    .ca_file = ca_file,
                                    .proxy = either(&r, "https_proxy", "HTTPS_PROXY"),
                                    .no_proxy = direct};
    TRY(http_client_new(&http, &r.http));
    *ret = r;
    return KS_SUCCESS;
}

void rest_done(struct rest *r)
{
    http_client_free(TAKE(r->http));
}

static void add_header(struct http_request *r, const char *name, const char *value)
{
    if (value && r->header_count < HTTP_HEADERS_MAX)
        r->headers[r->header_count++] = (struct http_header){name, value};
}

static ks_rc build(const struct rest_request *request, const struct kms_call *call,
                   struct buf *body, struct http_request *ret)
{
    *ret = (struct http_request){.method = request->method,
                                 .url = request->url,
                                 .deadline_ms = call->deadline_ms,
                                 .connect_ms_max = request->connect_ms_max,
                                 .reply_bytes_max = REST_REPLY_MAX,
                                 .body = request->form};
    add_header(ret, "Accept", "application/json");
    for (const struct http_header *h = request->headers; h && h->name; h++)
        add_header(ret, h->name, h->value);
    if (request->form.len)
        add_header(ret, "Content-Type", "application/x-www-form-urlencoded");
    if (!request->json)
        return KS_SUCCESS;
    add_header(ret, "Content-Type", "application/json");
    TRY(json_write(request->json, false, body));
    ret->body = buf_view(body);
    return KS_SUCCESS;
}

/* Seconds; the form with a date is not used by these services and counts as nothing. */
static uint32_t retry_after_ms(const struct http_reply *reply)
{
    char text[16], *end;

    if (!http_reply_header(reply, "Retry-After", text, sizeof text) ||
        !isdigit((unsigned char)text[0]))
        return 0;
    unsigned long seconds = strtoul(text, &end, 10);
    return *end == '\0' && seconds <= RETRY_AFTER_S_MAX ? (uint32_t)seconds * 1000 : 0;
}

static void take_note(const struct rest_request *request, const struct kms_call *call,
                      const struct http_reply *reply)
{
    if (!call->note)
        return;
    call->note->retry_after_ms = retry_after_ms(reply);
    if (request->request_id_header)
        http_reply_header(reply, request->request_id_header, call->note->request_id,
                          sizeof call->note->request_id);
}

static json_t *read_object(const struct http_reply *reply)
{
    struct json_limits limits = {REST_REPLY_MAX, JSON_DEPTH};
    json_t *value = NULL;

    /* Whether JSON is needed here is for the caller to know. */
    IGNORE(json_read(buf_view(&reply->body), limits, "the reply", &value));
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

ks_rc rest_send(const struct rest *r, const struct kms_call *call,
                const struct rest_request *request, struct rest_reply *ret)
{
    CLEANUP(buf_done) struct buf body = buf_init_wiping(REST_BODY_MAX);
    struct http_reply reply;
    struct http_request http;

    if (call->deadline_ms && clock_boot_ms(call->clock) >= call->deadline_ms)
        return ks_fail(KS_E_TIMEOUT, "the time for this call is over");
    TRY(build(request, call, &body, &http));
    TRY(http_client_send(r->http, &http, &reply));
    take_note(request, call, &reply);
    *ret = (struct rest_reply){reply.status, read_object(&reply), reply};
    return KS_SUCCESS;
}

void rest_reply_done(struct rest_reply *reply)
{
    json_decref(TAKE(reply->json));
    http_reply_done(&reply->raw);
}

static bool is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(host, names[i], len) == 0 && (!host[len] || strchr(":/?", host[len])))
            return true;
    }
    return false;
}

ks_rc rest_check_url(const char *url, const char *what)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
    const char *host = strstr(url, "://");
    size_t len = host ? strspn(host + 3, allowed) : 0;

    ENSURE(len && host[3] != ':' && (!host[3 + len] || strchr("/?", host[3 + len])) &&
               !strpbrk(url, "@# \\"),
           KS_E_USAGE, "%s is no URL of a host", what);
    if (strncmp(url, "http://", 7) == 0)
        ENSURE(is_loopback(url + 7), KS_E_USAGE,
               "%s is reached without TLS, which would show credentials to the network; use https",
               what);
    else
        ENSURE(strncmp(url, "https://", 8) == 0, KS_E_USAGE, "%s does not begin with https://",
               what);
    return KS_SUCCESS;
}

ks_rc rest_form(const char *name, struct view value, struct buf *ret)
{
    TRY(buf_printf(ret, "%s%s=", ret->len ? "&" : "", name));
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.bytes[i];
        bool is_plain = c < 0x80 && (isalnum(c) || strchr("-._~", c)) && c != 0;
        TRY(is_plain ? buf_append(ret, view_of(&c, 1)) : buf_printf(ret, "%%%02X", c));
    }
    return KS_SUCCESS;
}

void rest_printable(const char *text, char *out, size_t len)
{
    snprintf(out, len, "%s", text ? text : "");
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
}
