/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/reply.c - the end of a call: the reply, or the error in the form of its dialect, with the headers that every reply has.
 */
#include <string.h>

#include "api/error.h"
#include "api/serve.h"
#include "base/json.h"
#include "base/log.h"

static const char LAST_RESORT[] =
    "{\"status\":503,\"code\":\"NO_MEMORY\",\"message\":\"out of memory\"}";

static ks_rc common_headers(struct api_call *call)
{
    TRY(api_header(call, "X-Request-Id", call->caller.request));
    TRY(api_header(call, "Cache-Control", "no-store"));
    TRY(api_header(call, "X-Content-Type-Options", "nosniff"));
    TRY(api_header(call, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"));
    if (http_is_tls(call->exchange))
        TRY(api_header(call, "Strict-Transport-Security", "max-age=31536000"));
    return KS_SUCCESS;
}

static ks_rc error_headers(struct api_call *call)
{
    if (call->status == 401)
        TRY(api_header(call, "WWW-Authenticate", "Bearer realm=\"keystead\""));
    if (call->status == 503)
        TRY(api_header(call, "Retry-After", "1"));
    return KS_SUCCESS;
}

static ks_rc write_text(struct api_call *call)
{
    if (call->raw_type || !call->reply || call->text.len > 0)
        return KS_SUCCESS;
    return json_write(call->reply, false, &call->text);
}

static void log_failure(const struct api_call *call, ks_rc rc)
{
    log_line(LOG_ERROR, "request %s: %s %s: %s %s", call->caller.request,
             http_method(call->exchange), call->route ? call->route->path : "", ks_name(rc),
             ks_text(rc));
}

/* One line for each change that was made, not for each request. */
static void log_change(const struct api_call *call)
{
    if (call->is_repeated || strcmp(call->route->method, "GET") == 0 ||
        call->route->who == API_NODE)
        return;
    log_line(LOG_NOTICE, "%s %s: %d, by %s from %s, request %s", call->route->method,
             http_path(call->exchange), call->status,
             call->caller.name[0] ? call->caller.name : "nobody", http_peer(call->exchange),
             call->caller.request);
}

static ks_rc make_error(struct api_call *call, ks_rc rc)
{
    if (call->error.status == 0) {
        api_error_from(rc, &call->error);
        if (call->error.status >= 500)
            log_failure(call, rc);
    }
    call->text.len = 0;
    call->raw_type = NULL;
    TRY(api_reply(call, call->error.status, call->dialect->error_body(call, &call->error)));
    TRY(error_headers(call));
    return write_text(call);
}

static void hand_over(struct api_call *call, const char *type)
{
    if (call->raw_type)
        http_answer(call->exchange, call->status, call->raw_type, call->raw);
    else if (call->text.len > 0)
        http_answer(call->exchange, call->status, type, buf_view(&call->text));
    else
        http_answer(call->exchange, call->status, NULL, view_text(""));
}

void reply_send(struct api_call *call, ks_rc rc)
{
    const char *type = "application/json";

    if (ks_ok(rc))
        rc = write_text(call);
    if (ks_ok(rc)) {
        keep_reply(call);
        log_change(call);
    } else {
        type = call->dialect->error_type;
        rc = make_error(call, rc);
    }
    repeat_end(call);
    if (ks_ok(rc))
        rc = common_headers(call);
    if (ks_ok(rc))
        hand_over(call, type);
    else
        http_answer(call->exchange, 503, "application/json", view_text(LAST_RESORT));
}
