/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/fleet_client.c - asking a control plane over its native API.
 */
#include "cli/fleet_client.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/environment.h"
#include "base/json.h"
#include "base/mem.h"
#include "kms/rest.h"
#include "kms/secret_file.h"
#include "net/http_client.h"

enum {
    REPLY_BYTES_MAX = 16 << 20,
    BODY_BYTES_MAX = 1 << 20,
    DEPTH_MAX = 32,
    BEARER_BYTES_MAX = 512,
    TIMEOUT_MS = 30000,
    CONNECT_MS_MAX = 10000,
    ATTEMPTS_MAX = 4,
    PAUSE_MS = 250, /* before the second attempt; doubles */
    PAUSE_MS_MAX = 20000,
};

struct fleet_client {
    struct http_client *http;
    struct clock *clock;
    char *server, *key_file;
    struct buf bearer; /* wiping */
    bool has_authorities;
};

/* ---- life ---- */

void fleet_client_free(struct fleet_client *c)
{
    if (!c)
        return;
    http_client_free(c->http);
    mem_free(c->server);
    mem_free(c->key_file);
    buf_done(&c->bearer);
    mem_free(c);
}

void fleet_client_freep(struct fleet_client **c)
{
    fleet_client_free(*c);
}

const char *fleet_client_server(const struct fleet_client *c)
{
    return c->server;
}

static ks_rc read_key(const char *path, struct buf *bearer)
{
    CLEANUP(secret_freep) struct secret *key = NULL;
    struct stat st;

    if (stat(path, &st) != 0)
        return ks_fail(KS_E_CREDENTIAL, "file of the API key %s: %s", path, strerror(errno));
    ENSURE(!S_ISREG(st.st_mode) || (st.st_mode & 077) == 0, KS_E_CREDENTIAL,
           "file of the API key %s can be read by others: chmod 600 it", path);
    TRY(ks_wrap(secret_line_read(io_posix(), path, &key), "file of the API key"));
    struct view text = secret_view(key);
    for (size_t i = 0; i < text.len; i++)
        ENSURE(isgraph(text.bytes[i]), KS_E_CREDENTIAL, "file %s holds no API key", path);
    TRY(buf_append(bearer, view_text("Bearer ")));
    return ks_wrap(buf_append(bearer, text), "file of the API key %s", path);
}

/* Only what goes through the network proper may go through a proxy. */
static ks_rc open_http(const struct fleet_client_conf *conf, struct fleet_client *c)
{
    bool is_tls = strncmp(c->server, "https://", 8) == 0;
    const char *none = environment_get(NULL, "NO_PROXY");
    CLEANUP(mem_freep) char *no_proxy = NULL;

    TRY(mem_format(&no_proxy, "localhost,127.0.0.1,::1%s%s", none ? "," : "", none ? none : ""));
    const struct http_client_conf http = {
        .clock = conf->clock,
        .ca_file = conf->ca_file,
        .proxy = is_tls ? environment_get(NULL, "HTTPS_PROXY") : NULL,
        .no_proxy = no_proxy,
    };
    return http_client_new(&http, &c->http);
}

ks_rc fleet_client_new(const struct fleet_client_conf *conf, struct fleet_client **ret)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;

    TRY(rest_check_url(conf->server, "the server"));
    TRY(mem_new(1, sizeof *c, &c));
    c->bearer = buf_init_wiping(BEARER_BYTES_MAX);
    c->clock = conf->clock ? conf->clock : clock_system();
    c->has_authorities = conf->ca_file != NULL;
    TRY(mem_text(conf->server, &c->server));
    for (size_t len = strlen(c->server); len > 0 && c->server[len - 1] == '/'; len--)
        c->server[len - 1] = '\0';
    TRY(mem_text(conf->key_file, &c->key_file));
    TRY(read_key(conf->key_file, &c->bearer));
    TRY(open_http(conf, c));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

/* ---- targets ---- */

static ks_rc add_encoded(struct buf *target, const char *text)
{
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        bool is_plain = c < 0x80 && (isalnum(c) || strchr("-._~", c));
        TRY(is_plain ? buf_append(target, view_of(at, 1)) : buf_printf(target, "%%%02X", c));
    }
    return KS_SUCCESS;
}

ks_rc fleet_path(struct buf *target, const char *segment)
{
    TRY(buf_append(target, view_text("/")));
    return add_encoded(target, segment);
}

ks_rc fleet_query(struct buf *target, const char *name, const char *value)
{
    bool is_first = !memchr(target->bytes, '?', target->len);

    TRY(buf_printf(target, "%s%s=", is_first ? "?" : "&", name));
    return add_encoded(target, value);
}

/* ---- replies that are errors ---- */

/* Codes of the API that are no names of ours, and statuses of those in between, proxies say. Others are in errors.def. */
static const struct {
    const char *code;
    int status;
    enum ks_code means;
} meanings[] = {
    {"BAD_REQUEST", 400, KS_E_USAGE},           {"UNAUTHENTICATED", 401, KS_E_CREDENTIAL},
    {"FORBIDDEN", 403, KS_E_PERMISSION},        {"NO_SUCH_PATH", 0, KS_E_UNSUPPORTED},
    {"NOT_FOUND", 404, KS_E_NOT_FOUND},         {"METHOD_NOT_ALLOWED", 405, KS_E_UNSUPPORTED},
    {"REPEATED_AT_ONCE", 0, KS_E_BUSY},         {"STATE", 409, KS_E_STATE},
    {"CHANGED_MEANWHILE", 412, KS_E_STATE},     {"TOO_LARGE", 413, KS_E_LIMIT},
    {"MEDIA_TYPE", 415, KS_E_UNSUPPORTED},      {"REPEATED_OTHERWISE", 422, KS_E_STATE},
    {"TOO_MANY_REQUESTS", 429, KS_E_THROTTLED}, {"INTERNAL", 500, KS_E_BUG},
    {"UNSUPPORTED", 501, KS_E_UNSUPPORTED},     {"UNREACHABLE", 502, KS_E_UNREACHABLE},
    {"TOO_MANY_WAIT", 503, KS_E_UNREACHABLE},   {"TIMEOUT", 504, KS_E_TIMEOUT},
    {"NO_SPACE", 507, KS_E_NO_SPACE},
};

static enum ks_code meaning_of(const char *code, int status)
{
    size_t count = sizeof meanings / sizeof meanings[0];

    for (size_t i = 0; code && i < count; i++)
        if (strcmp(meanings[i].code, code) == 0)
            return meanings[i].means;
    if (code && ks_from_name(code) != KS_E_BUG)
        return ks_from_name(code);
    for (size_t i = 0; i < count; i++)
        if (meanings[i].status == status)
            return meanings[i].means;
    return status < 500 ? KS_E_USAGE : KS_E_BAD_REPLY;
}

/* What the problem details of a reply say; both stay as they are when it has none. */
static void read_problem(const json_t *problem, const char **code, const char **detail)
{
    const char *found_code = json_string_value(json_object_get(problem, "code"));
    const char *found_detail = json_string_value(json_object_get(problem, "detail"));
    const char *title = json_string_value(json_object_get(problem, "title"));

    *code = found_code ? found_code : *code;
    *detail = found_detail ? found_detail : title ? title : *detail;
}

static ks_rc failure(const struct fleet_client *c, const struct http_reply *reply)
{
    CLEANUP(json_decrefp) json_t *problem = NULL;
    const char *code = NULL, *detail = "it gives no reason";
    /* a reply without problem details is judged by its status */
    IGNORE(json_read(buf_view(&reply->body), (struct json_limits){REPLY_BYTES_MAX, DEPTH_MAX},
                     "reply", &problem));

    read_problem(problem, &code, &detail);
    enum ks_code means = meaning_of(code, reply->status);
    if (means == KS_E_CREDENTIAL)
        return ks_fail(means, "the API key in %s is not accepted by %s: %s", c->key_file, c->server,
                       detail);
    if (code)
        return ks_fail(means, "%s", detail);
    return ks_fail(means, "%s answers with status %d: %s", c->server, reply->status, detail);
}

static ks_rc take_reply(const struct fleet_client *c, const struct http_reply *reply, json_t **ret)
{
    if (reply->status >= 300)
        return failure(c, reply);
    if (!ret)
        return KS_SUCCESS;
    *ret = NULL;
    if (reply->body.len == 0)
        return KS_SUCCESS;
    ks_rc rc = json_read(buf_view(&reply->body), (struct json_limits){REPLY_BYTES_MAX, DEPTH_MAX},
                         "the reply", ret);
    ENSURE(rc.cls != KS_CLASS_USAGE, KS_E_BAD_REPLY, "%s: %s; is it a control plane?", c->server,
           ks_text(rc));
    return rc;
}

/* ---- asking ---- */

static bool is_worth_another(const struct fleet_request *request, ks_rc rc, int status)
{
    if (strcmp(request->method, "GET") != 0)
        return false;
    if (!ks_ok(rc))
        return ks_is(rc, KS_E_UNREACHABLE);
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static uint64_t pause_ms(const struct http_reply *reply, int attempt)
{
    char text[16];
    uint64_t ms = (uint64_t)PAUSE_MS << attempt;

    if (reply->status && http_reply_header(reply, "Retry-After", text, sizeof text)) {
        uint64_t asked_ms = strtoull(text, NULL, 10) * 1000;
        ms = asked_ms > ms ? asked_ms : ms;
    }
    return ms < PAUSE_MS_MAX ? ms : PAUSE_MS_MAX;
}

static ks_rc send_once(struct fleet_client *c, const struct fleet_request *request,
                       struct view body, struct http_reply *ret)
{
    CLEANUP(mem_freep) char *url = NULL;

    TRY(mem_format(&url, "%s%s", c->server, request->target));
    struct http_request http = {
        .method = request->method,
        .url = url,
        .header_count = body.len ? 3 : 2,
        .headers = {{"Authorization", buf_text(&c->bearer)},
                    {"Accept", "application/json"},
                    {"Content-Type", "application/json"}},
        .body = body,
        .deadline_ms =
            clock_boot_ms(c->clock) + (request->timeout_ms ? request->timeout_ms : TIMEOUT_MS),
        .connect_ms_max = CONNECT_MS_MAX,
        .reply_bytes_max = REPLY_BYTES_MAX,
    };
    return http_client_send(c->http, &http, ret);
}

/* Whose certificate is of the fleet's own authority is believed by nobody who was not told of it. */
static ks_rc explain(const struct fleet_client *c, ks_rc rc)
{
    if (ks_ok(rc) || c->has_authorities || !strstr(ks_text(rc), "certificate"))
        return ks_wrap(rc, "control plane");
    return ks_fail(rc.code,
                   "control plane: %s; if its certificate is of the fleet's own authority, name "
                   "that with --ca-file (authority.pem in its state directory)",
                   ks_text(rc));
}

ks_rc fleet_client_ask(struct fleet_client *c, const struct fleet_request *request, json_t **ret)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_BYTES_MAX);

    if (request->body)
        TRY(ks_wrap(json_write(request->body, false, &body), "the request"));
    for (int attempt = 0;; attempt++) {
        CLEANUP(http_reply_done) struct http_reply reply = {0};
        ks_rc rc = send_once(c, request, buf_view(&body), &reply);
        if (attempt + 1 == ATTEMPTS_MAX || !is_worth_another(request, rc, reply.status)) {
            TRY(explain(c, rc));
            return take_reply(c, &reply, ret);
        }
        clock_sleep_ms(c->clock, pause_ms(&reply, attempt));
    }
}
