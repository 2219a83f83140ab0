/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_cmek.c - the keys of customers: what is so, and what is asked for.
 */
#include <stdio.h>
#include <string.h>

#include "api/crdb.h"
#include "api/native.h"
#include "base/json.h"
#include "base/mem.h"

static const char *const verbs[CMEK_VERB_COUNT] = {
    [CMEK_ENABLE] = "ENABLE",   [CMEK_PUT] = "PUT",         [CMEK_REVOKE] = "REVOKE",
    [CMEK_RESTORE] = "RESTORE", [CMEK_DISABLE] = "DISABLE", [CMEK_CHECK] = "CHECK",
    [CMEK_ROTATE] = "ROTATE",
};
static const char *const levels[] = {[LEVEL_CMEK] = "cmek",
                                     [LEVEL_STORE] = "store",
                                     [LEVEL_DATA] = "data",
                                     [LEVEL_REENCRYPT] = "reencrypt"};
enum { LEVEL_COUNT = sizeof levels / sizeof *levels };

ks_rc native_cmek_get(struct api_call *call)
{
    CLEANUP(cmek_view_freep) struct cmek_view *v = NULL;

    if (api_kept(call, api_param(call, "cluster")))
        return native_etag(call, call->revision);
    TRY(control_cmek_get(call->control, &call->caller, api_param(call, "cluster"), &v));
    return native_reply_revision(call, 200, v->revision, native_cmek(v));
}

ks_rc native_cmek_keys(struct api_call *call)
{
    json_t *items;

    TRY(control_cmek_history(call->control, &call->caller, api_param(call, "cluster"), &items));
    return native_reply_items(call, items);
}

/* ---- asking ---- */

static ks_rc read_choice(const json_t *body, const char *member, const char *const *words,
                         int count, int *ret)
{
    const char *text = NULL;
    int i = 0;

    TRY(json_get_text(body, member, WORD_BYTES, &text));
    while (i < count && strcmp(words[i], text) != 0)
        i++;
    ENSURE(i < count, KS_E_USAGE, "\"%s\" is none of those that are possible here", member);
    *ret = i;
    return KS_SUCCESS;
}

/* Keys are tried on nodes before a cluster is told to use them; the caller may go without. */
static ks_rc try_keys(struct api_call *call, const struct cmek_ask *ask, bool *ret_is_waiting)
{
    bool is_wanted = true;

    *ret_is_waiting = false;
    TRY(json_may_bool(call->body, "check", &is_wanted));
    if (!is_wanted || (ask->verb != CMEK_ENABLE && ask->verb != CMEK_PUT))
        return KS_SUCCESS;
    return crdb_check(call, ask->regions, ask->region_count, ret_is_waiting);
}

static ks_rc put_forward(struct api_call *call, struct cmek_ask *ask)
{
    struct operation operation;
    bool is_waiting;

    TRY(native_if_match(call, &ask->revision));
    TRY(try_keys(call, ask, &is_waiting));
    if (is_waiting)
        return KS_SUCCESS;
    ask->check = call->note[0] ? call->note : NULL;
    TRY(native_if_matched(call, ask->revision,
                          control_cmek_ask(call->control, &call->caller, api_param(call, "cluster"),
                                           ask, &operation)));
    return native_reply_operation(call, &operation);
}

ks_rc native_cmek_put(struct api_call *call)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    struct cmek_ask ask = {.verb = CMEK_PUT};

    TRY(known_members(call->body, "regions,check"));
    TRY(read_region_specs(call->body, &specs, &ask.region_count));
    ENSURE(ask.region_count > 0, KS_E_USAGE, "\"regions\" names no region");
    ask.regions = specs;
    return put_forward(call, &ask);
}

ks_rc native_cmek_post(struct api_call *call)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    int verb, level = LEVEL_CMEK;

    TRY(known_members(call->body, "action,level,regions,check"));
    TRY(read_choice(call->body, "action", verbs, CMEK_VERB_COUNT, &verb));
    if (verb == CMEK_ROTATE)
        TRY(read_choice(call->body, "level", levels, LEVEL_COUNT, &level));
    else
        ENSURE(!json_object_get(call->body, "level"), KS_E_USAGE, "\"level\" is for ROTATE");
    struct cmek_ask ask = {.verb = (enum cmek_verb)verb, .level = (enum rotate_level)level};
    TRY(read_region_specs(call->body, &specs, &ask.region_count));
    ask.regions = specs;
    return put_forward(call, &ask);
}
