/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/body.c - query, body and repetition of a request, looked at before its handler is.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/serve.h"
#include "base/json.h"
#include "crypto/hash.h"

/* ---- query ---- */

static bool is_named(const char *names, const char *name, size_t len)
{
    for (; names && *names; names += strcspn(names, ","), names += *names == ',')
        if (strcspn(names, ",") == len && strncmp(names, name, len) == 0)
            return true;
    return false;
}

ks_rc query_known(struct api_call *call)
{
    if (!call->dialect->is_strict)
        return KS_SUCCESS;
    for (const char *at = http_query_text(call->exchange); *at; at += *at == '&') {
        size_t len = strcspn(at, "=&");
        if (len > 0 && !is_named(call->route->query, at, len))
            return api_refuse(call, 400, "BAD_REQUEST",
                              "a parameter of the query is not known here; known are: %s",
                              call->route->query ? call->route->query : "none");
        at += strcspn(at, "&");
    }
    return KS_SUCCESS;
}

/* ---- body ---- */

static ks_rc check_type(struct api_call *call)
{
    static const char JSON[] = "application/json";
    const char *type;

    TRY(header_once(call, "Content-Type", &type));
    bool is_json = type && strncasecmp(type, JSON, sizeof JSON - 1) == 0 &&
                   (type[sizeof JSON - 1] == 0 || strchr("; ", type[sizeof JSON - 1]));
    if (!is_json)
        return api_refuse(call, 415, "MEDIA_TYPE", "pass Content-Type: application/json");
    return KS_SUCCESS;
}

static ks_rc parse(struct api_call *call, struct view text)
{
    ks_rc rc =
        json_read(text, (struct json_limits){text.len, API_JSON_DEPTH_MAX}, "body", &call->body);

    if (ks_is(rc, KS_E_USAGE) || ks_is(rc, KS_E_LIMIT))
        return api_refuse(call, 400, "BAD_REQUEST", "%s", ks_text(rc));
    TRY(rc);
    if (!json_is_object(call->body))
        return api_refuse(call, 400, "BAD_REQUEST", "body: must be a JSON object");
    return KS_SUCCESS;
}

ks_rc body_take(struct api_call *call)
{
    struct view text = http_body(call->exchange);
    const struct api_route *route = call->route;

    if (text.len == 0 && (route->body_bytes_max == 0 || route->flags & API_BODY_MAY_MISS))
        return KS_SUCCESS;
    if (text.len == 0)
        return api_refuse(call, 400, "BAD_REQUEST", "body: a JSON object is needed");
    if (route->body_bytes_max == 0)
        return api_refuse(call, 400, "BAD_REQUEST", "this takes no body");
    if (text.len > route->body_bytes_max)
        return api_refuse(call, 413, "TOO_LARGE", "body: longer than %zu bytes",
                          route->body_bytes_max);
    TRY(check_type(call));
    return parse(call, text);
}

/* ---- repeated requests ---- */

static ks_rc take_key(struct api_call *call, const char *key)
{
    size_t len = strlen(key);

    if (!(call->route->flags & API_REPEATABLE))
        return api_refuse(call, 400, "BAD_REQUEST",
                          "replies of this kind are not kept: no Idempotency-Key here");
    if (len == 0 || len >= API_KEY_BYTES)
        return api_refuse(call, 400, "BAD_REQUEST", "an Idempotency-Key has 1 to %d bytes",
                          API_KEY_BYTES - 1);
    memcpy(call->repeat_key, key, len + 1);
    return KS_SUCCESS;
}

/* What makes two requests the same. */
static ks_rc hash_request(const struct api_call *call, uint8_t ret[HASH_BYTES])
{
    CLEANUP(buf_done) struct buf all = buf_init(SIZE_MAX / 4);

    TRY(buf_printf(&all, "%s\n%s\n%s\n", http_method(call->exchange), http_path(call->exchange),
                   http_query_text(call->exchange)));
    TRY(buf_append(&all, http_body(call->exchange)));
    return hash_sha256(buf_view(&all), ret);
}

static ks_rc find_first(struct api_call *call)
{
    uint8_t hash[HASH_BYTES];

    TRY(hash_request(call, hash));
    ks_rc rc = control_repeat_find(call->control, &call->caller, call->repeat_key, hash,
                                   &call->status, &call->text);
    call->is_repeated = ks_ok(rc);
    if (ks_is(rc, KS_E_NOT_FOUND)) /* until repeat_end this one answers for the key */
        return KS_SUCCESS;
    call->repeat_key[0] = 0; /* another request's: not to be kept by this one */
    if (ks_is(rc, KS_E_STATE))
        return api_refuse(call, 422, "REPEATED_OTHERWISE",
                          "use another Idempotency-Key for another request");
    if (ks_is(rc, KS_E_BUSY))
        return api_refuse(call, 409, "REPEATED_AT_ONCE", "try again in a moment");
    return rc;
}

ks_rc repeat_begin(struct api_call *call)
{
    const char *key;

    if (strcmp(call->route->method, "POST") != 0)
        return KS_SUCCESS;
    TRY(header_once(call, "Idempotency-Key", &key));
    if (!key)
        return KS_SUCCESS;
    TRY(take_key(call, key));
    return find_first(call);
}

void repeat_end(struct api_call *call)
{
    if (!call->repeat_key[0])
        return;
    bool is_kept = call->status >= 200 && call->status < 300;
    control_repeat_keep(call->control, &call->caller, call->repeat_key, is_kept ? call->status : 0,
                        is_kept ? buf_view(&call->text) : view_text(""));
    call->repeat_key[0] = 0;
}
