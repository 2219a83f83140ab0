/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/aws_wire.h - the embedded key service on a port, and signed requests of IAM and STS to it.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "localkms/aws_canonical.h"
#include "localkms/iam.h"
#include "localkms/server.h"
#include "net/http_client.h"
#include "realm_fixture.h"

struct creds {
    char id[32], secret[64], token[8192];
};

struct wire {
    struct realm_fixture f;
    struct lk_server *server;
    struct http_client *client;
    struct http_reply reply;
    int64_t skew_s; /* of the client's clock */
};

static inline void wire_serve(struct wire *w)
{
    struct http_server_conf conf = {.address = "127.0.0.1", .threads = 2};

    check_ok(lk_server_start(w->f.realm, &conf, &w->server));
}

static inline void wire_start(struct wire *w)
{
    *w = (struct wire){0};
    realm_fixture_start(&w->f);
    wire_serve(w);
    check_ok(http_client_new(&(struct http_client_conf){0}, &w->client));
}

static inline void wire_stop(struct wire *w)
{
    http_reply_done(&w->reply);
    http_client_free(w->client);
    lk_server_stop(w->server);
    realm_fixture_stop(&w->f);
}

static inline struct creds wire_account(struct wire *w, const char *account)
{
    const struct lk_event event = {.principal = "operator", .operation = "test"};
    struct iam_key_pair pair;
    struct creds creds = {{0}, {0}, {0}};

    check_ok(iam_account_add(w->f.realm->iam, account, &event, &pair));
    snprintf(creds.id, sizeof creds.id, "%s", pair.id);
    snprintf(creds.secret, sizeof creds.secret, "%s", pair.secret);
    return creds;
}

static inline void wire_time(int64_t s, char ret[SIGV4_TIME_BYTES])
{
    time_t t = (time_t)s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(ret, SIGV4_TIME_BYTES, "%Y%m%dT%H%M%SZ", &tm);
}

/* The Authorization of a request whose headers are all there. */
static inline void wire_sign(const struct creds *creds, const char *service,
                             const struct sigv4_request *request, char *ret, size_t bytes)
{
    CLEANUP(buf_done) struct buf canonical = buf_init(65536), hex_text = buf_init(256);
    CLEANUP(buf_done) struct buf to_sign = buf_init(1024);
    struct sigv4_claim claim = {.region = "us-east-1"};
    uint8_t key[HASH_BYTES], mac[HASH_BYTES];

    snprintf(claim.service, sizeof claim.service, "%s", service);
    snprintf(claim.time, sizeof claim.time, "%s", request->headers[1].value);
    snprintf(claim.day, sizeof claim.day, "%.8s", claim.time);
    for (size_t i = 0, n = 0; i < request->header_count; i++)
        n += (size_t)snprintf(claim.signed_headers + n, sizeof claim.signed_headers - n, "%s%s",
                              i ? ";" : "", request->headers[i].name);
    check_ok(canonical_write(request, &claim, &canonical));
    check_ok(hash_sha256(buf_view(&canonical), mac));
    check_ok(hex_write(view_of(mac, sizeof mac), &hex_text));
    check_ok(buf_printf(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s/us-east-1/%s/aws4_request\n%s",
                        claim.time, claim.day, service, buf_text(&hex_text)));
    check_ok(sigv4_key(view_text(creds->secret), &claim, key));
    check_ok(hash_hmac(view_of(key, sizeof key), buf_view(&to_sign), mac));
    hex_text.len = 0;
    check_ok(hex_write(view_of(mac, sizeof mac), &hex_text));
    snprintf(ret, bytes,
             "AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/%s/aws4_request, SignedHeaders=%s, "
             "Signature=%s",
             creds->id, claim.day, service, claim.signed_headers, buf_text(&hex_text));
}

/* wire_send_to(w, creds, service, target, body): status; the body of the answer is in w->reply. target: of KMS, or NULL. */
static inline int wire_send_to(struct wire *w, const struct creds *creds, const char *service,
                               const char *target, const char *body)
{
    char url[64], host[32], date[SIGV4_TIME_BYTES], authorization[2048];
    struct http_request request = {.method = "POST", .url = url, .body = view_text(body)};
    struct sigv4_request to_sign = {
        "POST", "/", "", 2, {{"host", host}, {"x-amz-date", date}}, view_text(body)};

    snprintf(host, sizeof host, "127.0.0.1:%u", lk_server_port(w->server));
    snprintf(url, sizeof url, "http://%s/", host);
    wire_time(w->f.clock.now_s + w->skew_s, date);
    if (creds->token[0])
        to_sign.headers[to_sign.header_count++] =
            (struct sigv4_header){"x-amz-security-token", creds->token};
    if (target)
        to_sign.headers[to_sign.header_count++] = (struct sigv4_header){"x-amz-target", target};
    wire_sign(creds, service, &to_sign, authorization, sizeof authorization);
    for (size_t i = 1; i < to_sign.header_count; i++)
        request.headers[request.header_count++] =
            (struct http_header){to_sign.headers[i].name, to_sign.headers[i].value};
    request.headers[request.header_count++] = (struct http_header){"Authorization", authorization};
    request.headers[request.header_count++] =
        (struct http_header){"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"};
    http_reply_done(&w->reply);
    check_ok(http_client_send(w->client, &request, &w->reply));
    return w->reply.status;
}

static inline int wire_send(struct wire *w, const struct creds *creds, const char *service,
                            const char *body)
{
    return wire_send_to(w, creds, service, NULL, body);
}

/* wire_kms(w, creds, "Decrypt", fmt, ...): a request to KMS; the body is JSON. */
KS_PRINTF(4, 5)
static inline int wire_kms(struct wire *w, const struct creds *creds, const char *operation,
                           const char *fmt, ...)
{
    char target[80], body[8192];
    va_list args;

    snprintf(target, sizeof target, "TrentService.%s", operation);
    va_start(args, fmt);
    assert_in_range(vsnprintf(body, sizeof body, fmt, args), 0, sizeof body - 1);
    va_end(args);
    return wire_send_to(w, creds, "kms", target, body);
}

static inline void wire_encode(const char *text, struct buf *ret)
{
    for (; *text; text++)
        check_ok(buf_printf(ret, strchr("&=%+ \"{}[]\n", *text) ? "%%%02X" : "%c",
                            (unsigned)(uint8_t)*text));
}

/* wire_call(w, creds, "iam CreateUser", name, value, ..., NULL): the parameters are encoded. */
static inline int wire_call(struct wire *w, const struct creds *creds, const char *operation, ...)
{
    CLEANUP(buf_done) struct buf body = buf_init(262144);
    const char *name;
    va_list args;
    char service[4];

    snprintf(service, sizeof service, "%.3s", operation);
    check_ok(buf_printf(&body, "Action=%s&Version=%s", operation + 4,
                        strcmp(service, "iam") == 0 ? "2010-05-08" : "2011-06-15"));
    va_start(args, operation);
    while ((name = va_arg(args, const char *))) {
        check_ok(buf_printf(&body, "&%s=", name));
        wire_encode(va_arg(args, const char *), &body);
    }
    va_end(args);
    return wire_send(w, creds, service, buf_text(&body));
}

/* wire_has(w, part): whether the answer holds part; wire_element(w, name, room): the text of the first such element. */
static inline bool wire_has(const struct wire *w, const char *part)
{
    return strstr(buf_text(&w->reply.body), part) != NULL;
}

static inline void wire_element(const struct wire *w, const char *name, char *room, size_t bytes)
{
    char open[64];
    const char *at, *end;

    snprintf(open, sizeof open, "<%s>", name);
    at = strstr(buf_text(&w->reply.body), open);
    if (!at)
        fail_msg("no %s in %s", name, buf_text(&w->reply.body));
    at += strlen(open);
    end = strchr(at, '<');
    snprintf(room, bytes, "%.*s", (int)(end - at), at);
}

static inline struct creds wire_creds(const struct wire *w)
{
    struct creds c = {{0}, {0}, {0}};

    wire_element(w, "AccessKeyId", c.id, sizeof c.id);
    wire_element(w, "SecretAccessKey", c.secret, sizeof c.secret);
    if (wire_has(w, "<SessionToken>"))
        wire_element(w, "SessionToken", c.token, sizeof c.token);
    return c;
}

#define check_status(w, call, want)                                                                \
    do {                                                                                           \
        int check_status_ = (call);                                                                \
        if (check_status_ != (want))                                                               \
            fail_msg("%s: %d, not %d: %s", #call, check_status_, want,                             \
                     buf_text(&(w)->reply.body));                                                  \
    } while (0)

#define check_refused(w, call, want, code, text)                                                   \
    do {                                                                                           \
        check_status(w, call, want);                                                               \
        if (!wire_has(w, "<Code>" code "</Code>") || !wire_has(w, text))                           \
            fail_msg("%s: no %s, \"%s\" in %s", #call, code, text, buf_text(&(w)->reply.body));    \
    } while (0)
