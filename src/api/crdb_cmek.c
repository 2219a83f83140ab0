/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_cmek.c - the customer's keys of a cluster: shown, enabled, changed, taken away and given back.
 *
 * The status has changed before the reply leaves, and the reply is what a GET right after it would give.
 */
#include <string.h>
#include <strings.h>

#include "api/crdb.h"
#include "base/json.h"
#include "base/mem.h"

static ks_rc reply(struct api_call *call)
{
    CLEANUP(cmek_view_freep) struct cmek_view *view = NULL;

    TRY(control_cmek_get(call->control, &call->caller, api_param(call, "cluster"), &view));
    return api_reply(call, 200, crdb_show_cmek(view));
}

static ks_rc ask(struct api_call *call, const struct cmek_ask *ask)
{
    struct operation operation;

    TRY(control_cmek_ask(call->control, &call->caller, api_param(call, "cluster"), ask,
                         &operation));
    return reply(call);
}

/* Clients that keep a state of their own take 404 for the word that it is gone. */
ks_rc crdb_cmek_get(struct api_call *call)
{
    CLEANUP(cmek_view_freep) struct cmek_view *view = NULL;
    const char *cluster = api_param(call, "cluster");

    if (api_kept(call, cluster))
        return KS_SUCCESS;
    TRY(control_cmek_get(call->control, &call->caller, cluster, &view));
    ENSURE(view->state != CLUSTER_DELETED, KS_E_NOT_FOUND,
           "cluster %s is DELETED; the keys it had: GET /v1/clusters/%s/cmek/keys", cluster,
           cluster);
    return api_reply(call, 200, crdb_show_cmek(view));
}

/* ---- POST, PUT ---- */

static ks_rc put_specs(struct api_call *call, enum cmek_verb verb)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    struct cmek_ask wish = {.verb = verb};
    bool is_waiting;

    TRY(crdb_read_specs(call->body, "region_specs", &specs, &wish.region_count));
    ENSURE(wish.region_count > 0, KS_E_USAGE, "\"region_specs\" is missing: one for each region");
    TRY(crdb_check(call, specs, wish.region_count, &is_waiting));
    if (is_waiting)
        return KS_SUCCESS;
    wish.regions = specs;
    wish.check = call->note[0] ? call->note : NULL;
    return ask(call, &wish);
}

ks_rc crdb_cmek_post(struct api_call *call)
{
    return put_specs(call, CMEK_ENABLE);
}

ks_rc crdb_cmek_put(struct api_call *call)
{
    return put_specs(call, CMEK_PUT);
}

/* ---- PATCH ---- */

/* "regions": names; absent: all. The caller frees *ret. */
static ks_rc read_names(const json_t *body, struct region_spec **ret, size_t *ret_count)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    json_t *names = NULL;

    TRY(json_may_array(body, "regions", REGIONS_MAX, &names));
    size_t count = json_array_size(names);
    TRY(mem_new(count ? count : 1, sizeof *specs, &specs));
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        ENSURE(name && strlen(name) < NAME_BYTES, KS_E_USAGE,
               "\"regions\" must be names of regions");
        memcpy(specs[i].region, name, strlen(name) + 1);
    }
    *ret = TAKE(specs);
    *ret_count = count;
    return KS_SUCCESS;
}

static ks_rc act(struct api_call *call, enum cmek_verb verb)
{
    static const char *const levels[] = {[LEVEL_CMEK] = "CMEK",
                                         [LEVEL_STORE] = "STORE",
                                         [LEVEL_DATA] = "DATA",
                                         [LEVEL_REENCRYPT] = "REENCRYPT"};
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    struct cmek_ask wish = {.verb = verb};
    const char *level = "CMEK";
    int i = 0;

    TRY(json_may_text(call->body, "level", WORD_BYTES - 1, &level));
    while (i <= LEVEL_REENCRYPT && strcasecmp(level, levels[i]) != 0)
        i++;
    ENSURE(i <= LEVEL_REENCRYPT, KS_E_USAGE, "\"level\" can be CMEK, STORE, DATA or REENCRYPT");
    TRY(read_names(call->body, &specs, &wish.region_count));
    wish.level = (enum rotate_level)i;
    wish.regions = specs;
    return ask(call, &wish);
}

/* The keys that are in force, when no others are to be tried. */
static ks_rc specs_in_force(struct api_call *call, struct region_spec **ret, size_t *ret_count)
{
    CLEANUP(cmek_view_freep) struct cmek_view *view = NULL;
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    size_t used = 0;

    TRY(control_cmek_get(call->control, &call->caller, api_param(call, "cluster"), &view));
    TRY(mem_new(view->region_count ? view->region_count : 1, sizeof *specs, &specs));
    for (size_t i = 0; i < view->region_count; i++) {
        if (view->regions[i].key_count == 0 || view->regions[i].keys[0].retired)
            continue;
        memcpy(specs[used].region, view->regions[i].region.name, NAME_BYTES);
        specs[used].key_count = 1;
        specs[used++].keys[0] = view->regions[i].keys[0].spec;
    }
    ENSURE(used > 0, KS_E_STATE,
           "the cluster has no customer-managed keys; name those to try in \"region_specs\"");
    *ret = TAKE(specs);
    *ret_count = used;
    return KS_SUCCESS;
}

static ks_rc check(struct api_call *call)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    size_t count;
    bool is_waiting;

    TRY(crdb_read_specs(call->body, "region_specs", &specs, &count));
    if (count == 0) {
        mem_free(TAKE(specs));
        TRY(specs_in_force(call, &specs, &count));
    }
    TRY(crdb_try(call, specs, count, &is_waiting));
    return is_waiting ? KS_SUCCESS : reply(call);
}

ks_rc crdb_cmek_patch(struct api_call *call)
{
    static const struct {
        const char *word;
        enum cmek_verb verb;
    } actions[] = {{"REVOKE", CMEK_REVOKE},
                   {"RESTORE", CMEK_RESTORE},
                   {"DISABLE", CMEK_DISABLE},
                   {"ROTATE", CMEK_ROTATE},
                   {"CHECK", CMEK_CHECK}};
    const char *word = NULL;

    TRY(json_may_text(call->body, "action", WORD_BYTES - 1, &word));
    /* what the guides' words on adding a region lead to */
    if (!word && json_object_get(call->body, "region_specs"))
        return crdb_cluster_patch(call);
    for (size_t i = 0; word && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(word, actions[i].word) == 0)
            return actions[i].verb == CMEK_CHECK ? check(call) : act(call, actions[i].verb);
    return ks_fail(KS_E_USAGE, "\"action\" can be REVOKE, RESTORE, DISABLE, ROTATE or CHECK");
}
