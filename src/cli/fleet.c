/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/fleet.c - which control plane is asked, and requests that several commands make.
 */
#include "cli/fleet.h"

#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/profile.h"
#include "control/model.h"

enum { LIST_MAX = 100000, PAGE_MAX = 500 };

/* ---- which one ---- */

static ks_rc read_profile(const struct cli *cli, struct profile *ret)
{
    CLEANUP(mem_freep) char *path = NULL;
    CLEANUP(json_decrefp) json_t *all = NULL;
    const char *name = cli->texts[OPT_PROFILE];

    if (!name)
        name = environment_get(NULL, "KEYSTEAD_PROFILE");
    TRY(profile_path(&path));
    TRY(profile_load(path, &all));
    return profile_choose(all, name, ret);
}

ks_rc fleet_open(struct cli *cli, struct fleet_client **ret)
{
    CLEANUP(profile_done) struct profile p = {NULL, NULL, NULL};
    bool is_complete = args_has(cli, OPT_SERVER) && args_has(cli, OPT_API_KEY_FILE);

    if (!is_complete || args_has(cli, OPT_PROFILE))
        TRY(read_profile(cli, &p));
    struct fleet_client_conf conf = {
        .server = args_has(cli, OPT_SERVER) ? cli->texts[OPT_SERVER] : p.server,
        .key_file = args_has(cli, OPT_API_KEY_FILE) ? cli->texts[OPT_API_KEY_FILE] : p.key_file,
        .ca_file = args_has(cli, OPT_SERVER_CA_FILE) ? cli->texts[OPT_SERVER_CA_FILE] : p.ca_file,
    };
    ENSURE(conf.key_file, KS_E_USAGE, "the profile names no file of an API key; add --key-file");
    return fleet_client_new(&conf, ret);
}

/* ---- requests ---- */

ks_rc fleet_target_of(struct buf *ret, const char *const *segments)
{
    ks_rc rc = buf_append(ret, view_text("/v1"));

    while (ks_ok(rc) && *segments)
        rc = fleet_path(ret, *segments++);
    return rc;
}

ks_rc fleet_call(struct fleet_client *c, const char *method, const char *target, json_t **ret)
{
    return fleet_client_ask(c, &(struct fleet_request){.method = method, .target = target}, ret);
}

ks_rc fleet_get(struct fleet_client *c, const char *target, json_t **ret)
{
    TRY(fleet_call(c, "GET", target, ret));
    ENSURE(json_is_object(*ret), KS_E_BAD_REPLY, "%s: the reply to GET %s is no object",
           fleet_client_server(c), target);
    return KS_SUCCESS;
}

ks_rc fleet_send(struct fleet_client *c, const char *method, const char *target, json_t *body,
                 json_t **ret)
{
    CLEANUP(json_decrefp) json_t *taken = body;

    ENSURE(taken, KS_E_NO_MEMORY, "out of memory");
    return fleet_client_ask(
        c, &(struct fleet_request){.method = method, .target = target, .body = taken}, ret);
}

ks_rc fleet_page(struct fleet_client *c, const char *target, json_t *all,
                 char next[FLEET_NEXT_BYTES])
{
    CLEANUP(buf_done) struct buf page = buf_init(FLEET_TARGET_BYTES);
    CLEANUP(json_decrefp) json_t *reply = NULL;
    json_t *rows = NULL;
    const char *behind = "";

    TRY(buf_append(&page, view_text(target)));
    if (next[0])
        TRY(fleet_query(&page, "after", next));
    TRY(fleet_get(c, buf_text(&page), &reply));
    ks_rc rc = json_get_array(reply, "items", LIST_MAX, &rows);
    if (ks_ok(rc))
        rc = json_may_text(reply, "next_page", FLEET_NEXT_BYTES - 1, &behind);
    ENSURE(ks_ok(rc), KS_E_BAD_REPLY, "%s: %s", fleet_client_server(c), ks_text(rc));
    ENSURE(json_array_extend(all, rows) == 0, KS_E_NO_MEMORY, "out of memory");
    /* a part may be empty and not the last; one that leads to itself would never end */
    snprintf(next, FLEET_NEXT_BYTES, "%s", strcmp(next, behind) == 0 ? "" : behind);
    return KS_SUCCESS;
}

ks_rc fleet_items(struct fleet_client *c, const char *target, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *all = json_array();
    char none[FLEET_NEXT_BYTES] = "";

    ENSURE(all, KS_E_NO_MEMORY, "out of memory");
    TRY(fleet_page(c, target, all, none));
    *ret = TAKE(all);
    return KS_SUCCESS;
}

ks_rc fleet_list(struct fleet_client *c, const char *target, size_t max, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *all = json_array();
    CLEANUP(buf_done) struct buf sized = buf_init(FLEET_TARGET_BYTES);
    size_t most = max ? max : LIST_MAX;
    char next[FLEET_NEXT_BYTES] = "", limit[16];

    ENSURE(all, KS_E_NO_MEMORY, "out of memory");
    snprintf(limit, sizeof limit, "%zu", most < PAGE_MAX ? most : PAGE_MAX);
    TRY(buf_append(&sized, view_text(target)));
    TRY(fleet_query(&sized, "limit", limit));
    do
        TRY(fleet_page(c, buf_text(&sized), all, next));
    while (next[0] && json_array_size(all) < most);
    while (json_array_size(all) > most)
        json_array_remove(all, json_array_size(all) - 1);
    *ret = TAKE(all);
    return KS_SUCCESS;
}

/* ---- names ---- */

ks_rc fleet_find(struct fleet_client *c, const char *kind, const char *text, json_t **ret)
{
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    CLEANUP(json_decrefp) json_t *rows = NULL;
    json_t *row, *found = NULL;
    size_t i;

    TRY(fleet_target(&target, kind));
    TRY(fleet_list(c, buf_text(&target), 0, &rows));
    json_array_foreach(rows, i, row)
    {
        if (strcmp(fleet_text(row, "id"), text) == 0) {
            *ret = json_incref(row);
            return KS_SUCCESS;
        }
        if (strcmp(fleet_text(row, "name"), text) != 0)
            continue;
        ENSURE(!found, KS_E_USAGE, "several of the %s are named %.64s; give the id of one", kind,
               text);
        found = row;
    }
    ENSURE(found, KS_E_NOT_FOUND, "there is no \"%.64s\" among the %s", text, kind);
    *ret = json_incref(found);
    return KS_SUCCESS;
}

ks_rc fleet_find_cluster(struct fleet_client *c, const char *text, json_t **ret)
{
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    if (!id_is_valid(text))
        return fleet_find(c, "clusters", text, ret);
    TRY(fleet_target(&target, "clusters", text));
    return fleet_get(c, buf_text(&target), ret);
}
