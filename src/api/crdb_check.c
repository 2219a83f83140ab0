/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_check.c - keys are tried on nodes of their regions before a cluster is told to use them.
 *
 * Clients take an answer 400 to POST .../cmek for a grant that is on its way and ask again for ten minutes. So it is given for that
 * alone. A check that cannot be made or is not answered in time hinders nothing: what follows finds out by itself.
 */
#include <string.h>

#include "api/crdb.h"
#include "base/mem.h"

enum { WAIT_SECONDS = 10 };

static bool is_settled(enum cmek_status status)
{
    return status == CMEK_ENABLED || cmek_status_is_moving(status);
}

/* The newest key of the region is this one, and nothing is wrong with it: there is nothing to try. */
static bool is_known(const struct cmek_view *view, const struct region_spec *spec)
{
    for (size_t i = 0; i < view->region_count; i++) {
        const struct cmek_region *r = &view->regions[i];
        if (strcmp(r->region.name, spec->region) == 0)
            return is_settled(r->region.status) && r->key_count > 0 &&
                   key_spec_is_same(&r->keys[0].spec, &spec->keys[0]) &&
                   strcmp(r->keys[0].spec.auth_principal, spec->keys[0].auth_principal) == 0;
    }
    return false;
}

static ks_rc ask(struct api_call *call, const struct region_spec *specs, size_t count)
{
    struct cmek_ask check = {.verb = CMEK_CHECK, .region_count = count, .regions = specs};
    struct operation operation;

    TRY(control_cmek_ask(call->control, &call->caller, api_param(call, "cluster"), &check,
                         &operation));
    memcpy(call->note, operation.id, sizeof call->note);
    return KS_SUCCESS;
}

static ks_rc ask_fresh(struct api_call *call, const struct region_spec *specs, size_t count)
{
    CLEANUP(cmek_view_freep) struct cmek_view *view = NULL;
    CLEANUP(mem_freep) struct region_spec *fresh = NULL;
    size_t used = 0;

    TRY(control_cmek_get(call->control, &call->caller, api_param(call, "cluster"), &view));
    TRY(mem_new(count, sizeof *fresh, &fresh));
    for (size_t i = 0; i < count; i++)
        if (!is_known(view, &specs[i]))
            fresh[used++] = specs[i];
    ks_rc rc = used ? ask(call, fresh, used) : KS_SUCCESS;
    /* what the cluster is asked for next says the same, and better */
    return ks_is(rc, KS_E_STATE) || ks_is(rc, KS_E_BUSY) || ks_is(rc, KS_E_USAGE) ? KS_SUCCESS : rc;
}

static ks_rc wait_for(struct api_call *call, struct operation_view **ret, bool *ret_is_waiting)
{
    TRY(api_watch(call, 'o', call->note, WAIT_SECONDS));
    TRY(control_operation_get(call->control, &call->caller, call->note, ret));
    *ret_is_waiting = (*ret)->operation.state == OPERATION_RUNNING && api_put_off(call);
    return KS_SUCCESS;
}

static bool is_denied(const struct operation *o)
{
    return o->state == OPERATION_FAILED && strcmp(o->error_class, "DENIED") == 0;
}

ks_rc crdb_check(struct api_call *call, const struct region_spec *specs, size_t count,
                 bool *ret_is_waiting)
{
    CLEANUP(operation_view_freep) struct operation_view *view = NULL;

    *ret_is_waiting = false;
    if (count > 0 && call->count++ == 0)
        TRY(ask_fresh(call, specs, count));
    if (!call->note[0])
        return KS_SUCCESS;
    TRY(wait_for(call, &view, ret_is_waiting));
    if (!*ret_is_waiting && is_denied(&view->operation))
        return api_refuse(call, 400, "DENIED", "%s", view->operation.message);
    return KS_SUCCESS;
}

static ks_rc judge(struct api_call *call, const struct operation *o)
{
    if (o->state == OPERATION_SUCCEEDED)
        return KS_SUCCESS;
    if (is_denied(o))
        return api_refuse(call, 400, "DENIED", "%s", o->message);
    if (o->state == OPERATION_FAILED && strcmp(o->error_class, "UNREACHABLE") != 0)
        return api_refuse(call, 422, "UNPROCESSABLE", "%s", o->message);
    return api_refuse(call, 503, "NO_ANSWER", "%s",
                      o->message[0] ? o->message : "no node has answered in time");
}

ks_rc crdb_try(struct api_call *call, const struct region_spec *specs, size_t count,
               bool *ret_is_waiting)
{
    CLEANUP(operation_view_freep) struct operation_view *view = NULL;

    *ret_is_waiting = false;
    if (!call->note[0])
        TRY(ask(call, specs, count));
    TRY(wait_for(call, &view, ret_is_waiting));
    return *ret_is_waiting ? KS_SUCCESS : judge(call, &view->operation);
}
