/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_list.c - lists in parts: "pagination.*" of the query, "pagination" of the reply.
 *
 * The tokens of the parts before and behind are opaque to clients; those of clusters are control's own.
 */
#include <stdio.h>
#include <string.h>

#include "api/crdb.h"
#include "base/json.h"

enum { COUNT_PRESET = 100 };

ks_rc crdb_slice(const struct api_call *call, struct slice *ret)
{
    const char *page = api_query(call, "pagination.page"),
               *order = api_query(call, "pagination.sort_order");
    int64_t count = COUNT_PRESET;

    *ret = (struct slice){0};
    TRY(api_query_int(call, "pagination.limit", 0, INT32_MAX, &count));
    ENSURE(!api_query(call, "pagination.as_of_time"), KS_E_UNSUPPORTED,
           "\"pagination.as_of_time\": lists show what is so now, and nothing older");
    ENSURE(!page || strlen(page) < sizeof ret->after, KS_E_USAGE,
           "\"pagination.page\" is not a token of ours");
    ENSURE(!order || strcmp(order, "ASC") == 0 || strcmp(order, "DESC") == 0, KS_E_USAGE,
           "\"pagination.sort_order\" can be ASC or DESC");
    if (page)
        memcpy(ret->after, page, strlen(page) + 1);
    ret->count_max = count == 0 ? COUNT_PRESET : count > SLICE_MAX ? SLICE_MAX : (uint32_t)count;
    ret->is_descending = order && strcmp(order, "DESC") == 0;
    return KS_SUCCESS;
}

ks_rc crdb_reply_list(struct api_call *call, const char *name, json_t *members,
                      const struct slice *slice)
{
    return api_reply(call, 200,
                     json_pack("{s:o, s:{s:s, s:s}}", name, members, "pagination", "next_page",
                               slice->after, "previous_page", slice->before));
}

/* ---- lists that are there as a whole ---- */

/* Their tokens are the number of the first one of the part. */
static ks_rc read_first(const struct slice *slice, size_t count, size_t *ret)
{
    size_t first = 0;

    for (const char *at = slice->after; *at; at++) {
        ENSURE(*at >= '0' && *at <= '9' && first <= count, KS_E_USAGE,
               "\"pagination.page\" is not a token of ours");
        first = 10 * first + (size_t)(*at - '0');
    }
    *ret = first;
    return KS_SUCCESS;
}

static void write_first(char token[sizeof((struct slice *)0)->after], bool is_there, size_t first)
{
    token[0] = 0;
    if (is_there)
        snprintf(token, sizeof((struct slice *)0)->after, "%zu", first);
}

ks_rc crdb_reply_part(struct api_call *call, const char *name, json_t *all)
{
    CLEANUP(json_decrefp) json_t *taken = all;
    CLEANUP(json_decrefp) json_t *part = json_array();
    struct slice slice;
    size_t count = json_array_size(all), first = 0;

    TRY(crdb_slice(call, &slice));
    TRY(read_first(&slice, count, &first));
    size_t end = first + slice.count_max;
    for (size_t i = first; i < end && i < count; i++) {
        json_t *member = json_array_get(all, slice.is_descending ? count - 1 - i : i);
        ENSURE(json_array_append(part, member) == 0, KS_E_NO_MEMORY, "a list");
    }
    write_first(slice.after, end < count, end);
    write_first(slice.before, first > 0, first > slice.count_max ? first - slice.count_max : 0);
    return crdb_reply_list(call, name, TAKE(part), &slice);
}
