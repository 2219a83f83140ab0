/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/error.c - codes, statuses and titles of errors; the form that the native API gives them.
 */
#include "api/error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct row {
    const char *code;
    int status;
    const char *title;
} rows[] = {
    /* of requests, before or beside control/ */
    {"BAD_REQUEST", 400, "the request cannot be understood"},
    {"UNAUTHENTICATED", 401, "no valid key"},
    {"FORBIDDEN", 403, "this key may not do that"},
    {"NO_SUCH_PATH", 404, "there is no such path"},
    {"METHOD_NOT_ALLOWED", 405, "this path does not take that method"},
    {"REPEATED_AT_ONCE", 409, "the same request is being answered"},
    {"CHANGED_MEANWHILE", 412, "changed since it was read"},
    {"TOO_LARGE", 413, "the body is too large"},
    {"MEDIA_TYPE", 415, "a body must be JSON"},
    {"REPEATED_OTHERWISE", 422, "the Idempotency-Key came with another request before"},
    {"UNPROCESSABLE", 422, "that cannot be, and waiting does not mend it"},
    {"TOO_MANY_REQUESTS", 429, "too many requests"},
    {"CLUSTER_LOCKED", 503, "an operation is at work on the cluster"},
    {"NO_ANSWER", 503, "there was no answer in time"},
    {"TOO_MANY_WAIT", 503, "too many requests wait"},
    /* of results, by their names in base/errors.def */
    {"USAGE", 400, "that cannot be"},
    {"PERMISSION", 403, "not permitted"},
    {"READ_ONLY", 403, "read-only"},
    {"NOT_FOUND", 404, "not found"},
    {"EXISTS", 409, "exists already"},
    {"STATE", 409, "not in this state"},
    {"BUSY", 409, "another operation is at work"},
    {"NOT_EMPTY", 409, "not empty"},
    {"LIMIT", 422, "a limit is reached"},
    {"DENIED", 400, "the key service denies the use of the key"},
    {"UNSUPPORTED", 501, "not supported"},
    {"NO_MEMORY", 503, "out of memory"},
    {"NO_SPACE", 507, "no space left"},
    {"INTERNAL", 500, "internal error"},
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

static const struct row *find(const char *code)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].code, code) == 0)
            return &rows[i];
    return NULL;
}

/* A text may quote what a client sent, and may have been cut off in the middle of a character. */
static void make_valid(char *text)
{
    json_t *probe = json_string(text);

    if (!probe)
        for (; *text; text++)
            if ((uint8_t)*text >= 0x80)
                *text = '?';
    json_decref(probe);
}

void api_error_from(ks_rc rc, struct api_error *ret)
{
    const struct row *row = find(ks_name(rc));

    if (!row)
        row = find("INTERNAL");
    ret->status = row->status;
    ret->code = row->code;
    snprintf(ret->detail, sizeof ret->detail, "%s",
             row->status >= 500 ? "it has been logged under the number of this request"
                                : ks_text(rc));
    make_valid(ret->detail);
}

const char *api_error_title(const char *code)
{
    const struct row *row = find(code);

    return row ? row->title : code;
}

bool api_error_is_known(int status, const char *code)
{
    const struct row *row = find(code);

    return row && row->status == status;
}

ks_rc api_refuse(struct api_call *call, int status, const char *code, const char *fmt, ...)
{
    va_list args;

    assert(api_error_is_known(status, code));
    call->error.status = status;
    call->error.code = code;
    va_start(args, fmt);
    vsnprintf(call->error.detail, sizeof call->error.detail, fmt, args);
    va_end(args);
    make_valid(call->error.detail);
    return ks_fail(KS_E_USAGE, "%s", code);
}

json_t *problem_body(const struct api_call *call, const struct api_error *error)
{
    char type[64], instance[64];

    snprintf(type, sizeof type, "urn:keystead:error:%s", error->code);
    snprintf(instance, sizeof instance, "urn:uuid:%s", call->caller.request);
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "type", type, "title",
                     api_error_title(error->code), "status", error->status, "detail", error->detail,
                     "instance", instance, "code", error->code);
}
