/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/serve.c - a call from its first look at the path to its reply, and its waiting in between.
 */
#include "api/serve.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { REPLY_BYTES_MAX = 64 * 1024 * 1024 };

/* ---- making and freeing ---- */

static void call_free(void *arg)
{
    struct api_call *call = arg;

    repeat_end(call); /* of a client that went away while it waited */
    waiters_remove(call->api->waiters, call->wait);
    json_decref(call->body);
    json_decref(call->reply);
    buf_done(&call->text);
    mem_free(call);
}

/* In the form of an id: one half says which life of the server, the other counts. */
static void number_request(struct api *api, char out[ID_BYTES])
{
    uint64_t a = api->life, b = atomic_fetch_add(&api->requests, 1);

    snprintf(out, ID_BYTES, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xffff), (unsigned)(b >> 48),
             (unsigned long long)(b & 0xffffffffffff));
}

static ks_rc call_new(const struct listener *l, struct http_exchange *x, struct api_call **ret)
{
    struct api_call *call;

    TRY(mem_new(1, sizeof *call, &call));
    call->api = l->api;
    call->control = l->api->control;
    call->exchange = x;
    call->dialect = l->dialects[0];
    call->text = buf_init_wiping(REPLY_BYTES_MAX);
    number_request(l->api, call->caller.request);
    http_attach(x, call, call_free);
    *ret = call;
    return KS_SUCCESS;
}

/* ---- the way to the handler ---- */

/* The dialect whose prefix is the longest that fits; else the first of the listener. */
static void find_dialect(const struct listener *l, struct api_call *call)
{
    const char *path = http_path(call->exchange);
    size_t best = 0;

    for (size_t i = 0; i < l->dialect_count; i++) {
        size_t len = strlen(l->dialects[i]->prefix);
        if (len > best && strncmp(path, l->dialects[i]->prefix, len) == 0) {
            best = len;
            call->dialect = l->dialects[i];
        }
    }
}

static ks_rc find_route(const struct listener *l, struct api_call *call)
{
    struct route_hit hit;

    router_match(l->router, http_method(call->exchange), http_path(call->exchange), call->values,
                 &hit);
    if (hit.dialect)
        call->dialect = hit.dialect;
    else
        find_dialect(l, call);
    switch (hit.match) {
    case ROUTE_NO_PATH:
        return api_refuse(call, 404, "NO_SUCH_PATH",
                          "look at /v1/openapi.json for those there are");
    case ROUTE_NO_METHOD:
        TRY(api_header(call, "Allow", hit.allow));
        return api_refuse(call, 405, "METHOD_NOT_ALLOWED", "this path takes %s", hit.allow);
    case ROUTE_FOUND:
        break;
    }
    call->route = hit.route;
    return KS_SUCCESS;
}

static ks_rc prepare(const struct listener *l, struct api_call *call)
{
    TRY(find_route(l, call));
    TRY(admit_caller(call));
    TRY(admit_permission(call));
    if (call->dialect->begin)
        TRY(call->dialect->begin(call));
    TRY(query_known(call));
    TRY(body_take(call));
    return repeat_begin(call);
}

/* ---- answering and waiting ---- */

static void again(void *arg, struct http_exchange *x, bool is_stopping);

static void conclude(struct api_call *call, ks_rc rc)
{
    uint64_t now = clock_boot_ms(call->api->clock);

    if (ks_ok(rc) && call->is_put_off)
        http_answer_later(call->exchange, call->deadline_ms > now ? call->deadline_ms - now : 0,
                          again, call);
    else
        reply_send(call, rc);
}

static void again(void *arg, struct http_exchange *x, bool is_stopping)
{
    struct api_call *call = arg;

    (void)x;
    call->is_put_off = false;
    call->is_stopping = is_stopping;
    conclude(call, call->route->handle(call));
}

void api_serve(void *listener, struct http_exchange *x)
{
    const struct listener *l = listener;
    struct api_call *call;

    if (!ks_ok(call_new(l, x, &call))) {
        http_answer(x, 503, NULL, view_text(""));
        return;
    }
    ks_rc rc = prepare(l, call);
    if (ks_ok(rc) && !call->is_repeated)
        rc = call->route->handle(call);
    conclude(call, rc);
}

void api_serve_too_large(void *listener, struct http_exchange *x)
{
    const struct listener *l = listener;
    struct api_call *call;

    if (!ks_ok(call_new(l, x, &call))) {
        http_answer(x, 503, NULL, view_text(""));
        return;
    }
    find_dialect(l, call);
    conclude(call, api_refuse(call, 413, "TOO_LARGE", "body: longer than %zu bytes",
                              router_body_max(l->router)));
}

/* The last part of the key is asked for before anything is read, so that what is kept is never older than it says. */
static struct keep_key keep_key_of(const struct api_call *call, const char *cluster)
{
    return (struct keep_key){call->route, cluster, call->caller.organisation, call->kept_version};
}

bool api_kept(struct api_call *call, const char *cluster)
{
    call->kept_version = control_version(call->control, cluster);
    struct keep_key key = keep_key_of(call, cluster);
    if (keeper_find(call->api->keeper, &key, &call->text, &call->revision)) {
        call->status = 200;
        return true;
    }
    call->is_kept_after = true;
    return false;
}

void keep_reply(struct api_call *call)
{
    if (!call->is_kept_after || call->status != 200)
        return;
    struct keep_key key = keep_key_of(call, api_param(call, "cluster"));
    keeper_put(call->api->keeper, &key, buf_view(&call->text), call->revision);
}

ks_rc api_watch(struct api_call *call, char kind, const char *id, uint32_t seconds)
{
    if (seconds == 0 || (call->wait && api_wait_is_for(call->wait, kind, id)))
        return KS_SUCCESS;
    waiters_remove(call->api->waiters, call->wait);
    call->wait = NULL;
    call->deadline_ms = clock_boot_ms(call->api->clock) + (uint64_t)seconds * 1000;
    struct wait_for what = {kind, id, call->caller.organisation};
    ks_rc rc = waiters_add(call->api->waiters, &what, call->exchange, &call->wait);
    if (ks_is(rc, KS_E_BUSY))
        return api_refuse(call, 503, "TOO_MANY_WAIT", "try again in a moment");
    return rc;
}

bool api_put_off(struct api_call *call)
{
    if (!call->wait || call->is_stopping || clock_boot_ms(call->api->clock) >= call->deadline_ms)
        return false;
    call->is_put_off = true;
    return true;
}
