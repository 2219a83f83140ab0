/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_record.c - what is being done and what has been: operations, receipts, the audit.
 */
#include <string.h>

#include "api/native.h"
#include "base/mem.h"

enum { WAIT_SECONDS_MAX = 55 };

/* ---- operations ---- */

static json_t *write_operation(const void *value)
{
    return native_operation(value);
}

/* The cluster that is asked for; for keys of one cluster always theirs. */
static const char *cluster_of(const struct api_call *call)
{
    const char *asked = api_query(call, "cluster");

    return asked || !call->caller.cluster[0] ? asked : call->caller.cluster;
}

ks_rc native_operation_list(struct api_call *call)
{
    CLEANUP(mem_freep) struct operation *all = NULL;
    const char *in_state = api_query(call, "state"), *of_kind = api_query(call, "kind");
    enum operation_state state;
    enum operation_kind kind;
    struct slice slice;
    size_t count;

    TRY(native_slice(call, &slice));
    ENSURE(!in_state || operation_state_parse(in_state, &state), KS_E_USAGE,
           "\"state\" must be RUNNING, SUCCEEDED, FAILED or CANCELLED");
    ENSURE(!of_kind || operation_kind_parse(of_kind, &kind), KS_E_USAGE,
           "\"kind\" must be a kind of operation, such as CMEK_REVOKE");
    const struct operation_filter filter = {.cluster = cluster_of(call),
                                            .state = in_state ? &state : NULL,
                                            .kind = of_kind ? &kind : NULL};
    TRY(control_operation_list(call->control, &call->caller, &filter, &slice, &all, &count));
    return native_reply_page(call, &slice, native_items(count, all, sizeof *all, write_operation));
}

ks_rc native_operation_get(struct api_call *call)
{
    CLEANUP(operation_view_freep) struct operation_view *v = NULL;
    const char *id = api_param(call, "operation");
    int64_t seconds = 0;

    TRY(api_query_int(call, "wait", 0, WAIT_SECONDS_MAX, &seconds));
    if (strlen(id) < ID_BYTES)
        TRY(api_watch(call, 'o', id, (uint32_t)seconds));
    TRY(control_operation_get(call->control, &call->caller, id, &v));
    if (v->operation.state == OPERATION_RUNNING && api_put_off(call))
        return KS_SUCCESS;
    return api_reply(call, 200, native_operation_steps(v));
}

ks_rc native_operation_cancel(struct api_call *call)
{
    struct operation o;

    TRY(control_operation_cancel(call->control, &call->caller, api_param(call, "operation"), &o));
    return api_reply(call, 200, native_operation(&o));
}

/* ---- receipts ---- */

static json_t *write_receipt(const void *value)
{
    return native_receipt(value);
}

ks_rc native_receipt_list(struct api_call *call)
{
    CLEANUP(mem_freep) struct receipt *all = NULL;
    struct slice slice;
    size_t count;

    TRY(native_slice(call, &slice));
    TRY(control_receipt_list(call->control, &call->caller, api_param(call, "cluster"),
                             api_query(call, "operation"), &slice, &all, &count));
    return native_reply_page(call, &slice, native_items(count, all, sizeof *all, write_receipt));
}

/* ---- audit ---- */

static json_t *write_event(const void *value)
{
    return native_audit_event(value);
}

static ks_rc read_time(const struct api_call *call, const char *name, int64_t *ret)
{
    const char *text = api_query(call, name);

    ENSURE(!text || clock_parse(text, ret), KS_E_USAGE,
           "\"%s\" must be a time like 2027-01-31T00:00:00Z", name);
    return KS_SUCCESS;
}

ks_rc native_audit_list(struct api_call *call)
{
    CLEANUP(mem_freep) struct audit_event *all = NULL;
    struct audit_filter filter = {.cluster = cluster_of(call), .action = api_query(call, "action")};
    struct slice slice;
    size_t count;

    TRY(native_slice(call, &slice));
    TRY(read_time(call, "since", &filter.since));
    TRY(read_time(call, "until", &filter.until));
    TRY(control_audit_list(call->control, &call->caller, &filter, &slice, &all, &count));
    return native_reply_page(call, &slice, native_items(count, all, sizeof *all, write_event));
}

ks_rc native_audit_verify(struct api_call *call)
{
    int64_t count = 0;

    ks_rc rc = control_audit_verify(call->control, &count);
    if (ks_is(rc, KS_E_AUTH))
        return api_reply(call, 200,
                         json_pack("{s:b, s:o, s:s}", "is_sound", 0, "events", json_null(),
                                   "message", ks_text(rc)));
    TRY(rc);
    return api_reply(call, 200,
                     json_pack("{s:b, s:I, s:s}", "is_sound", 1, "events", count, "message", ""));
}
