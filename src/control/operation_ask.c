/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/operation_ask.c - operations and receipts as callers see them, and cancelling.
 */
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/message.h"
#include "control/scene.h"
#include "control/scope.h"
#include "control/slice.h"

/* -- looking ------------------------------------------------------------------------------------------------------------ */

void operation_view_free(struct operation_view *v)
{
    if (!v)
        return;
    mem_free(v->steps);
    mem_free(v);
}

void operation_view_freep(struct operation_view **v)
{
    operation_view_free(*v);
    *v = NULL;
}

static ks_rc find(struct store_view *v, const struct caller *by, const char *id,
                  struct operation *ret)
{
    struct operation o;

    ENSURE(id_is_valid(id), KS_E_NOT_FOUND, "there is no operation %.40s", id);
    ks_rc rc = store_operation_get(v, id, &o);
    if (ks_is(rc, KS_E_NOT_FOUND) || (ks_ok(rc) && !caller_may_see(by, o.organisation, o.cluster)))
        return ks_fail(KS_E_NOT_FOUND, "there is no operation %.40s", id);
    TRY(rc);
    *ret = o;
    return KS_SUCCESS;
}

ks_rc control_operation_get(struct control *c, const struct caller *by, const char *id,
                            struct operation_view **ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(operation_view_freep) struct operation_view *view = NULL;

    TRY(store_view_begin(c->store, &v));
    TRY(mem_new(1, sizeof *view, &view));
    TRY(find(v, by, id, &view->operation));
    TRY(store_operation_steps(v, id, &view->steps, &view->step_count));
    *ret = TAKE(view);
    return KS_SUCCESS;
}

static ks_rc check_visible(struct store_view *v, const struct caller *by, const char *cluster)
{
    CLEANUP(mem_freep) struct cluster *row = NULL;

    TRY(mem_new(1, sizeof *row, &row));
    return cluster_find(v, by, cluster, row);
}

/* What the caller's scope leaves of what is asked for. */
static ks_rc narrow(struct store_view *v, const struct caller *by,
                    const struct operation_filter *filter, struct store_operations_ask *ret)
{
    const char *own = by->cluster[0] ? by->cluster : NULL;

    *ret = (struct store_operations_ask){.cluster = filter->cluster ? filter->cluster : own,
                                         .organisation = by->organisation,
                                         .state = filter->state,
                                         .kind = filter->kind};
    ENSURE(!caller_is_platform(by), KS_E_PERMISSION,
           "operations are of organisations: ask with one of their keys");
    return ret->cluster ? check_visible(v, by, ret->cluster) : KS_SUCCESS;
}

ks_rc control_operation_list(struct control *c, const struct caller *by,
                             const struct operation_filter *filter, struct slice *slice,
                             struct operation **ret, size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(mem_freep) struct operation *rows = NULL;
    struct store_operations_ask ask;
    struct store_page page;
    size_t count;

    TRY(slice_begin(slice, &page));
    TRY(store_view_begin(c->store, &v));
    TRY(narrow(v, by, filter, &ask));
    TRY(store_operations(v, &ask, &page, &rows, &count));
    if (slice_has_more(slice, &count))
        TRY(slice_go_on(slice, &(struct store_page){.number = rows[count - 1].number}));
    *ret = TAKE(rows);
    *ret_count = count;
    return KS_SUCCESS;
}

ks_rc control_receipt_list(struct control *c, const struct caller *by, const char *cluster,
                           const char *operation, struct slice *slice, struct receipt **ret,
                           size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(mem_freep) struct receipt *rows = NULL;
    struct store_page page;
    size_t count;

    TRY(slice_begin(slice, &page));
    TRY(store_view_begin(c->store, &v));
    TRY(check_visible(v, by, cluster));
    TRY(store_receipts(v, cluster, operation, &page, &rows, &count));
    if (slice_has_more(slice, &count))
        TRY(slice_go_on_by_time(slice, rows[count - 1].at, rows[count - 1].id));
    *ret = TAKE(rows);
    *ret_count = count;
    return KS_SUCCESS;
}

/* -- cancelling ------------------------------------------------------------------------------------------------------------ */

static const char *what_to_do_instead(enum operation_kind kind)
{
    if (kind == OPERATION_CMEK_REVOKE)
        return "RESTORE takes a revocation back";
    if (kind == OPERATION_CMEK_RESTORE)
        return "REVOKE takes a restore back";
    return "the keys before it are on their way out; ask for them anew once it has ended";
}

static ks_rc cancel_step(struct scene *s, const struct operation *o, const struct caller *by,
                         size_t i)
{
    struct scene_step *at = &s->steps[i];

    ENSURE(rec_cancel(&s->rec, i), KS_E_STATE, "region %s: %s cannot be cancelled: %s",
           s->region.name, operation_kind_name(o->kind), what_to_do_instead(o->kind));
    for (size_t k = 0; k < s->step_count; k++) {
        if (s->rec.steps[k].state == OPERATION_CANCELLED)
            reason_put(s, s->rec.steps[k].why, s->steps[k].step.message);
    }
    TRY(scene_write(s, by));
    return store_operation_step_put(s->w->tx, &at->step);
}

static ks_rc cancel_in(struct work *w, const char *region, const struct operation *o,
                       const struct caller *by)
{
    CLEANUP(scene_freep) struct scene *s = NULL;

    TRY(scene_read(w, o->cluster, region, &s));
    for (size_t i = 0; i < s->step_count; i++) {
        if (strcmp(s->steps[i].operation.id, o->id) == 0)
            return cancel_step(s, o, by, i);
    }
    return KS_SUCCESS;
}

static ks_rc cancel_steps(struct work *w, const struct caller *by, const struct operation *o)
{
    CLEANUP(mem_freep) struct operation_step *steps = NULL;
    size_t count;

    TRY(store_operation_steps(store_tx_view(w->tx), o->id, &steps, &count));
    for (size_t i = 0; i < count; i++) {
        if (steps[i].state == OPERATION_RUNNING)
            TRY(cancel_in(w, steps[i].region, o, by));
    }
    return KS_SUCCESS;
}

static ks_rc check_cancellable(const struct caller *by, const struct operation *o)
{
    ENSURE(caller_has_role(by, ROLE_OPERATOR), KS_E_PERMISSION,
           "cancelling needs the role of an operator");
    ENSURE(o->state == OPERATION_RUNNING, KS_E_STATE, "the operation is over: %s",
           operation_state_name(o->state));
    ENSURE(o->kind >= OPERATION_CMEK_ENABLE, KS_E_STATE, "%s cannot be cancelled",
           operation_kind_name(o->kind));
    return KS_SUCCESS;
}

static ks_rc audit_cancel(struct work *w, const struct caller *by, const struct operation *o)
{
    char object[128] = "";

    message_put(object, sizeof object, "operation/%s", o->id);
    struct store_event event = {.action = "operation.cancel",
                                .organisation = o->organisation,
                                .cluster = o->cluster,
                                .object = object};
    return store_tx_audit(w->tx, by, &event);
}

ks_rc control_operation_cancel(struct control *c, const struct caller *by, const char *id,
                               struct operation *ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    struct operation o = {.kind = OPERATION_KIND_COUNT};

    TRY(work_begin(c, &w));
    TRY(find(store_tx_view(w.tx), by, id, &o));
    TRY(check_cancellable(by, &o));
    TRY(audit_cancel(&w, by, &o));
    TRY(cancel_steps(&w, by, &o));
    TRY(operation_settle(&w, &o));
    TRY(store_operation_get(store_tx_view(w.tx), id, &o));
    TRY(work_end(&w));
    *ret = o;
    return KS_SUCCESS;
}
