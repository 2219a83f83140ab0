/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_list.c - lists in parts: "pagination.*" of the query, "pagination" of the reply.
 *
 * The token of the next part is opaque to clients and is control's own. There is no way back to the part before.
 */
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

ks_rc crdb_reply_list(struct api_call *call, const char *name, json_t *members, const char *next)
{
    json_t *reply = json_pack("{s:o, s:{s:s, s:s}}", name, members, "pagination", "next_page", next,
                              "previous_page", "");

    return api_reply(call, 200, reply);
}
