/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/link.c - requests to the node listener.
 */
#include "node/link.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_client.h"

enum {
    ANSWER_MS = 20000, /* beyond what was asked to wait */
    CONNECT_MS = 5000, /* then anew, at once with a packet */
    DESIRED_MAX = 64 * 1024 * 1024,
    REPORT_MAX = 4 * 1024 * 1024,
    DEPTH_MAX = 16,
    REST_S_MAX = 60,
};

struct link {
    struct clock *clock;
    char *url, *ca_file, *pem_file;
    pthread_rwlock_t lock; /* for client: readers use it */
    struct http_client *client;
    atomic_uint_fast64_t
        rest_ms; /* boot clock: nothing is sent before; the control plane asked for that */
};

static ks_rc make_client(const struct link *l, struct http_client **ret)
{
    const struct http_client_conf conf = {.clock = l->clock,
                                          .ca_file = l->ca_file,
                                          .cert_file = l->pem_file,
                                          .key_file = l->pem_file};

    return http_client_new(&conf, ret);
}

ks_rc link_new(struct node_dir *dir, const char *nodes_url, struct clock *clock, struct link **ret)
{
    struct link *l = NULL;

    TRY(mem_new(1, sizeof *l, &l));
    pthread_rwlock_init(&l->lock, NULL);
    l->clock = clock;
    ks_rc rc = mem_text(nodes_url, &l->url);
    if (ks_ok(rc))
        rc = node_dir_file(dir, "authority.pem", &l->ca_file);
    if (ks_ok(rc))
        rc = node_dir_file(dir, "node.pem", &l->pem_file);
    if (ks_ok(rc))
        rc = make_client(l, &l->client);
    if (ks_ok(rc))
        *ret = l;
    else
        link_free(l);
    return rc;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    http_client_free(l->client);
    pthread_rwlock_destroy(&l->lock);
    mem_free(l->url);
    mem_free(l->ca_file);
    mem_free(l->pem_file);
    mem_free(l);
}

ks_rc link_refresh(struct link *l)
{
    struct http_client *newer = NULL;

    TRY(make_client(l, &newer));
    pthread_rwlock_wrlock(&l->lock);
    struct http_client *older = l->client;
    l->client = newer;
    pthread_rwlock_unlock(&l->lock);
    http_client_free(older);
    return KS_SUCCESS;
}

/* What a status that is no success means. */
static ks_rc refused(const struct http_reply *reply)
{
    CLEANUP(json_decrefp) json_t *problem = NULL;
    const char *detail = "";
    enum ks_code code = reply->status == 401 || reply->status == 403 ? KS_E_PERMISSION
                        : reply->status == 429                       ? KS_E_THROTTLED
                        : reply->status >= 500                       ? KS_E_UNREACHABLE
                                                                     : KS_E_USAGE;

    /* an answer without a reason is told by its number alone */
    IGNORE(json_read(buf_view(&reply->body), (struct json_limits){65536, 8}, "problem", &problem));
    IGNORE(json_may_text(problem, "detail", 400, &detail)); /* likewise */
    return ks_fail(code, "the control plane answers %d%s%s", reply->status, detail[0] ? ": " : "",
                   detail);
}

/* How long a control plane that is asked too often wants to be left alone. */
static void note_rest(struct link *l, const struct http_reply *reply)
{
    char text[16];
    char *end;

    if (reply->status != 429 || !http_reply_header(reply, "Retry-After", text, sizeof text))
        return;
    unsigned long seconds = strtoul(text, &end, 10);
    if (*end || end == text || seconds > REST_S_MAX)
        seconds = REST_S_MAX;
    atomic_store(&l->rest_ms, clock_boot_ms(l->clock) + seconds * 1000);
}

static ks_rc check_rest(struct link *l)
{
    uint64_t now = clock_boot_ms(l->clock), rest = atomic_load(&l->rest_ms);

    ENSURE(now >= rest, KS_E_THROTTLED, "the control plane wants to be asked in %llu ms",
           (unsigned long long)(rest - now));
    return KS_SUCCESS;
}

static ks_rc send_request(struct link *l, struct http_request *request, json_t **ret)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    const struct json_limits limits = {DESIRED_MAX, DEPTH_MAX};

    TRY(check_rest(l));
    pthread_rwlock_rdlock(&l->lock);
    ks_rc rc = http_client_send(l->client, request, &reply);
    pthread_rwlock_unlock(&l->lock);
    TRY(rc);
    note_rest(l, &reply);
    *ret = NULL;
    if (reply.status == 204)
        return KS_SUCCESS;
    if (reply.status != 200)
        return refused(&reply);
    rc = json_read(buf_view(&reply.body), limits, "answer of the control plane", ret);
    return ks_ok(rc) ? rc : ks_fail(KS_E_BAD_REPLY, "%s", ks_text(rc));
}

static ks_rc post(struct link *l, const char *path, const json_t *body, json_t **ret)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(REPORT_MAX);
    CLEANUP(mem_freep) char *url = NULL;

    TRY(json_write(body, false, &text));
    TRY(mem_format(&url, "%s%s", l->url, path));
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .header_count = 1,
                                   .headers = {{"Content-Type", "application/json"}},
                                   .body = buf_view(&text),
                                   .deadline_ms = clock_boot_ms(l->clock) + ANSWER_MS,
                                   .connect_ms_max = CONNECT_MS};
    return send_request(l, &request, ret);
}

ks_rc link_desired(struct link *l, int64_t since, unsigned wait_s, json_t **ret)
{
    CLEANUP(mem_freep) char *url = NULL;

    TRY(mem_format(&url, "%s/node/v1/desired?since=%lld&wait=%u", l->url, (long long)since,
                   wait_s));
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .deadline_ms = clock_boot_ms(l->clock) +
                                                  wait_s * UINT64_C(1000) + ANSWER_MS,
                                   .connect_ms_max = CONNECT_MS,
                                   .reply_bytes_max = DESIRED_MAX};
    return send_request(l, &request, ret);
}

/* Sent again it would be refused again: the log is where it is heard of. */
static void log_refused(const json_t *reply)
{
    json_t *list = json_object_get(reply, "refused");
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *part = "", *message = "";
        int64_t at = 0;
        bool is_told = json_is_object(one) && ks_ok(json_may_text(one, "part", 32, &part)) &&
                       ks_ok(json_may_int(one, "at", 0, INT32_MAX, &at)) &&
                       ks_ok(json_may_text(one, "message", 1000, &message));
        if (is_told)
            log_line(LOG_ERROR, "the control plane refuses %s[%lld] of a report: %s", part,
                     (long long)at, message);
    }
}

ks_rc link_report(struct link *l, const json_t *report)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;

    TRY(post(l, "/node/v1/report", report, &reply));
    ENSURE(json_is_true(json_object_get(reply, "accepted")), KS_E_BAD_REPLY,
           "the control plane does not say that it accepts the report");
    log_refused(reply);
    return KS_SUCCESS;
}

ks_rc link_renew(struct link *l, struct view request, json_t **ret)
{
    CLEANUP(json_decrefp)
    json_t *body = json_pack("{s:s%}", "request", (const char *)request.bytes, request.len);

    ENSURE(body, KS_E_NO_MEMORY, "no memory for a request");
    TRY(post(l, "/node/v1/renew", body, ret));
    ENSURE(*ret, KS_E_BAD_REPLY, "the control plane renews nothing");
    return KS_SUCCESS;
}
