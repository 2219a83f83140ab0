/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_fleet.c - nodes, the regions they serve, and copies of the store.
 */
#include <stdio.h>
#include <string.h>

#include "api/native.h"
#include "base/json.h"
#include "base/mem.h"

enum { TOKEN_SECONDS = 3600, TOKEN_SECONDS_MAX = 7 * 86400, TOKEN_BYTES = 256, PATH_BYTES = 4096 };

static json_t *write_node(const void *value)
{
    return native_node(value);
}

ks_rc native_node_list(struct api_call *call)
{
    CLEANUP(mem_freep) struct node *all = NULL;
    struct slice slice;
    size_t count;

    TRY(native_slice(call, &slice));
    TRY(control_node_list(call->control, &call->caller, &slice, &all, &count));
    return native_reply_page(call, &slice, native_items(count, all, sizeof *all, write_node));
}

ks_rc native_node_remove(struct api_call *call)
{
    TRY(control_node_remove(call->control, &call->caller, api_param(call, "node")));
    return api_reply_empty(call, 204);
}

ks_rc native_join_token_create(struct api_call *call)
{
    char region[NAME_BYTES], token[TOKEN_BYTES];
    int64_t seconds = TOKEN_SECONDS;

    TRY(known_members(call->body, "region,seconds"));
    TRY(read_name(call->body, "region", sizeof region, region));
    TRY(json_may_int(call->body, "seconds", 1, TOKEN_SECONDS_MAX, &seconds));
    TRY(control_join_token_create(call->control, &call->caller, region, seconds, token));
    json_t *reply = json_pack("{s:s, s:s, s:o}", "token", token, "region", region, "expires_at",
                              api_time(clock_wall_s(call->api->clock) + seconds));
    mem_wipe(token, sizeof token);
    return api_reply(call, 201, reply);
}

ks_rc native_region_names(struct api_call *call)
{
    CLEANUP(mem_freep) char(*names)[NAME_BYTES] = NULL;
    json_t *items = json_array();
    size_t count;

    ks_rc rc = control_region_names(call->control, &names, &count);
    if (!ks_ok(rc)) {
        json_decref(items);
        return rc;
    }
    for (size_t i = 0; i < count; i++)
        json_array_append_new(items, json_pack("{s:s}", "name", names[i]));
    return native_reply_items(call, items);
}

/* ---- copies of the store ---- */

static bool is_file_name(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return name[0] != '.' && strspn(name, allowed) == strlen(name);
}

ks_rc native_backup_create(struct api_call *call)
{
    char name[NAME_BYTES], path[PATH_BYTES];

    TRY(known_members(call->body, "name"));
    TRY(read_name(call->body, "name", sizeof name, name));
    ENSURE(is_file_name(name), KS_E_USAGE,
           "\"name\" takes letters, digits, dots, dashes and underscores");
    snprintf(path, sizeof path, "%s/%s", call->api->backup_dir, name);
    TRY(control_backup(call->control, path));
    return api_reply(call, 201, json_pack("{s:s, s:s}", "name", name, "path", path));
}
