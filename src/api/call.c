/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/call.c - what handlers read of a request and how they build a reply.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/route.h"
#include "base/clock.h"

/* The place among the parameters of the path; -1 for a name that the route does not have. */
static int parameter_place(const char *path, const char *name)
{
    size_t len = strlen(name);
    int place = 0;

    for (const char *at = strchr(path, '{'); at; at = strchr(at + 1, '{'), place++)
        if (strncmp(at + 1, name, len) == 0 && at[1 + len] == '}')
            return place;
    return -1;
}

const char *api_param(const struct api_call *call, const char *name)
{
    int place = parameter_place(call->route->path, name);

    assert(place >= 0);
    return call->values[place];
}

const char *api_query(const struct api_call *call, const char *name)
{
    return http_query(call->exchange, name);
}

ks_rc api_query_int(const struct api_call *call, const char *name, int64_t min, int64_t max,
                    int64_t *ret)
{
    const char *text = api_query(call, name);
    char *end;

    if (!text)
        return KS_SUCCESS;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool is_number = errno == 0 && *end == 0 && text[0] && strchr("-0123456789", text[0]);
    ENSURE(is_number && number >= min && number <= max, KS_E_USAGE,
           "\"%s\" must be a number from %lld to %lld", name, (long long)min, (long long)max);
    *ret = number;
    return KS_SUCCESS;
}

ks_rc api_query_bool(const struct api_call *call, const char *name, bool *ret)
{
    const char *text = api_query(call, name);

    if (!text)
        return KS_SUCCESS;
    bool is_true = strcmp(text, "true") == 0;
    ENSURE(is_true || strcmp(text, "false") == 0, KS_E_USAGE, "\"%s\" must be true or false", name);
    *ret = is_true;
    return KS_SUCCESS;
}

ks_rc api_reply(struct api_call *call, int status, json_t *value)
{
    ENSURE(value, KS_E_NO_MEMORY, "a reply");
    json_decref(call->reply);
    call->reply = value;
    call->status = status;
    return KS_SUCCESS;
}

ks_rc api_reply_empty(struct api_call *call, int status)
{
    json_decref(call->reply);
    call->reply = NULL;
    call->status = status;
    return KS_SUCCESS;
}

ks_rc api_reply_raw(struct api_call *call, const char *type, struct view text)
{
    call->raw_type = type;
    call->raw = text;
    call->status = 200;
    return KS_SUCCESS;
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || (uint8_t)*text >= 0x7f)
            return false;
    return true;
}

ks_rc api_header(struct api_call *call, const char *name, const char *value)
{
    ENSURE(is_plain(value), KS_E_BUG, "a value of the header %s is not plain", name);
    return http_answer_header(call->exchange, name, value);
}

json_t *api_time(int64_t wall_s)
{
    char text[CLOCK_TEXT_BYTES];

    if (wall_s == 0)
        return json_null();
    clock_format(wall_s, text);
    return json_string(text);
}
