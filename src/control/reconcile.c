/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/reconcile.c - brings a region to what its keys, its volumes and the customer's word make of it.
 *
 * First the keys: a change goes from ADDING to DROPPING to its end, or back. Then the status, then the steps of
 * operations, which follow from the status. Each part looks at the whole again, so nothing depends on what was looked at before.
 */
#include "control/reconcile_int.h"

#include <string.h>

/* -- a region whose keys stand ----------------------------------------------------------------------------------- */

static void settle_restoring(struct rec *r)
{
    struct rec_why by = rec_opening_held_up(r);

    by.is_timed_out = rec_is_trying(by) && rec_is_patience_over(r);
    r->region.why = by;
    if (by.reason == REC_WHY_NOTHING)
        r->region.status = CMEK_ENABLED;
    else if (by.reason == REC_WHY_DENIED || by.is_timed_out)
        r->region.status = CMEK_REVOKED; /* comes back by itself from there */
}

static bool is_level_refused(const struct rec *r, struct rec_why by)
{
    return by.reason == REC_WHY_LEVEL && r->volumes[by.volume].failed_error == REC_ERROR_NO;
}

static void settle_rewrapping(struct rec *r)
{
    struct rec_why by = rec_level_held_up(r, REC_REWRAP, r->region.serial[REC_REWRAP]);

    by.is_timed_out = rec_is_trying(by) && rec_is_patience_over(r);
    r->region.why = by;
    if (by.reason == REC_WHY_NOTHING)
        r->region.status = CMEK_ENABLED;
    else if (by.reason == REC_WHY_DENIED)
        r->region.status = CMEK_REVOKED;
    else if (by.is_timed_out || is_level_refused(r, by))
        r->region.status = CMEK_ROTATE_FAILED;
}

static bool is_not_back(const struct rec_volume *v)
{
    return rec_is_closed(v) || !v->is_current;
}

static bool is_troubled(const struct rec_volume *v)
{
    return rec_is_closed(v) || v->access == ACCESS_GRACE || v->access == ACCESS_FAILED;
}

/* Keys are in force: the key service may say no by itself, and yes again. */
static void settle_in_force(struct rec *r)
{
    bool is_shut = r->region.status == CMEK_REVOKED;
    size_t i;

    if (rec_any(r, rec_is_denied, &i)) {
        r->region.status = CMEK_REVOKED;
        r->region.why = rec_why_of(REC_WHY_DENIED, i, 0);
        return;
    }
    if (is_shut && rec_any(r, is_not_back, &i)) {
        r->region.why = rec_why_volume(r, i);
        return;
    }
    if (is_shut)
        r->region.status = CMEK_ENABLED;
    if (r->region.status != CMEK_ENABLED)
        return; /* what failed is said until something else is asked for */
    r->region.why =
        rec_any(r, is_troubled, &i) ? rec_why_volume(r, i) : rec_why_of(REC_WHY_NOTHING, 0, 0);
}

static void settle_rest(struct rec *r)
{
    size_t i;

    if (!rec_has_status(r, CMEK_ENABLED)) {
        if (r->region.status != CMEK_ENABLE_FAILED) {
            r->region.status = CMEK_DISABLED;
            r->region.why = rec_any(r, is_troubled, &i) ? rec_why_volume(r, i)
                                                        : rec_why_of(REC_WHY_NOTHING, 0, 0);
        }
        r->region.is_platform_wanted = true;
        return;
    }
    switch (r->region.status) {
    case CMEK_ROTATING:
        settle_rewrapping(r);
        break;
    case CMEK_ENABLED:
    case CMEK_ROTATE_FAILED:
    case CMEK_REVOKED:
    case CMEK_DISABLE_FAILED:
        break;
    case CMEK_DISABLED:
    case CMEK_ENABLING:
    case CMEK_ENABLE_FAILED:
    case CMEK_REVOKING:
    case CMEK_REVOKE_FAILED:
    case CMEK_DISABLING:
    case CMEK_STATUS_COUNT:
        r->region.status = CMEK_ENABLING;
        settle_restoring(r);
        break;
    }
    if (!cmek_status_is_moving(r->region.status))
        settle_in_force(r);
}

/* -- revoked by a call -------------------------------------------------------------------------------------------- */

static bool lacks_receipt(const struct rec_volume *v)
{
    return v->access == ACCESS_LOCKED && !v->has_receipt;
}

static bool is_open_though_current(const struct rec_volume *v)
{
    return v->is_current && rec_is_open(v);
}

static void settle_revoked(struct rec *r)
{
    struct rec_why by = rec_why_of(REC_WHY_NOTHING, 0, 0);
    size_t i;

    for (i = 0; i < r->volume_count; i++)
        rec_hold_up(&by, rec_closing_held_up(r, i));
    if (r->region.status != CMEK_REVOKED && by.reason != REC_WHY_NOTHING) {
        r->region.status = CMEK_REVOKING;
        r->region.why = by;
        return;
    }
    r->region.status = CMEK_REVOKED;
    r->region.why = rec_why_of(REC_WHY_REVOKED, 0, 0);
    if (rec_any(r, lacks_receipt, &i))
        r->region.why = rec_why_of(REC_WHY_NO_RECEIPT, i, 0);
    if (rec_any(r, is_open_though_current, &i))
        r->region.why = rec_why_of(REC_WHY_STILL_OPEN, i, 0);
}

/* -- steps of operations ------------------------------------------------------------------------------------------- */

static void step_ends(struct rec_step *step, enum operation_state state, struct rec_why why)
{
    step->state = state;
    step->why = why;
}

/* Steps that end with the region's status. */
static void step_follow_status(const struct rec *r, struct rec_step *step)
{
    enum cmek_status status = r->region.status;
    bool is_good = status == CMEK_ENABLED || status == CMEK_DISABLED;

    if (r->region.is_revoked)
        step_ends(step, OPERATION_CANCELLED, rec_why_of(REC_WHY_OVERTAKEN, 0, 0));
    else if (cmek_status_is_moving(status))
        step->why = r->region.why;
    else if (is_good && !r->region.why.is_timed_out)
        step_ends(step, OPERATION_SUCCEEDED, rec_why_of(REC_WHY_NOTHING, 0, 0));
    else
        step_ends(step, OPERATION_FAILED, r->region.why);
}

static void step_follow_revoke(const struct rec *r, struct rec_step *step)
{
    if (!r->region.is_revoked)
        step_ends(step, OPERATION_CANCELLED, rec_why_of(REC_WHY_OVERTAKEN, 0, 0));
    else if (r->region.status == CMEK_REVOKED)
        step_ends(step, OPERATION_SUCCEEDED, rec_why_of(REC_WHY_NOTHING, 0, 0));
    else
        step->why = r->region.why;
}

static void step_follow_level(const struct rec *r, struct rec_step *step, enum rec_level level)
{
    struct rec_why by = rec_level_held_up(r, level, step->serial);

    if (level != REC_REENCRYPT)
        by.is_timed_out = rec_is_trying(by) && r->now - step->began >= REC_PATIENCE_S;
    if (by.reason == REC_WHY_NOTHING)
        step_ends(step, OPERATION_SUCCEEDED, by);
    else if (is_level_refused(r, by) || (by.is_timed_out && !r->region.is_revoked))
        step_ends(step, OPERATION_FAILED, by);
    else if (r->region.is_revoked)
        step->why = rec_why_of(REC_WHY_WAITS_RESTORE, 0, 0);
    else
        step->why = by;
}

static void settle_step(const struct rec *r, struct rec_step *step)
{
    switch (step->kind) {
    case OPERATION_CMEK_ENABLE:
    case OPERATION_CMEK_ROTATE:
    case OPERATION_CMEK_RESTORE:
    case OPERATION_CMEK_DISABLE:
        step_follow_status(r, step);
        return;
    case OPERATION_CMEK_REVOKE:
        step_follow_revoke(r, step);
        return;
    case OPERATION_ROTATE_STORE:
        step_follow_level(r, step, REC_STORE);
        return;
    case OPERATION_ROTATE_DATA:
        step_follow_level(r, step, REC_DATA);
        return;
    case OPERATION_REENCRYPT:
        step_follow_level(r, step, REC_REENCRYPT);
        return;
    case OPERATION_CLUSTER_CREATE:
    case OPERATION_CLUSTER_DELETE:
    case OPERATION_REGION_ADD:
    case OPERATION_REGION_REMOVE:
    case OPERATION_REGION_SCALE:
    case OPERATION_CMEK_CHECK:
    case OPERATION_KIND_COUNT:
        return;
    }
}

/* -- what is said of each key -------------------------------------------------------------------------------------- */

static void settle_key_reasons(struct rec *r)
{
    for (size_t k = 0; k < r->key_count; k++) {
        struct rec_key *key = &r->keys[k];
        if (key->status == CMEK_ENABLE_FAILED || key->status == CMEK_DISABLED)
            continue;
        key->why = rec_key_held_up(r, k);
        if (key->why.reason == REC_WHY_NOTHING && key->status == CMEK_ENABLED &&
            rec_is_trying(r->region.why))
            key->why = r->region.why;
    }
}

static void settle_keys_and_status(struct rec *r)
{
    if (r->region.is_revoked) {
        settle_revoked(r);
        return;
    }
    switch (rec_phase(r)) {
    case REC_PHASE_REST:
        settle_rest(r);
        return;
    case REC_PHASE_ADDING:
        rec_settle_adding(r);
        return;
    case REC_PHASE_DROPPING:
        rec_settle_dropping(r);
        return;
    }
}

static void reasons_forget(struct rec *r)
{
    r->region.why = rec_why_of(REC_WHY_KEEP, 0, 0);
    for (size_t k = 0; k < r->key_count; k++)
        r->keys[k].why = rec_why_of(REC_WHY_KEEP, 0, 0);
    for (size_t s = 0; s < r->step_count; s++)
        r->steps[s].why = rec_why_of(REC_WHY_KEEP, 0, 0);
}

void rec_settle(struct rec *r)
{
    enum { ROUNDS = 4 }; /* ADDING to DROPPING to REST to what the volumes say of it */

    if (r->region.is_removing) {
        for (size_t s = 0; s < r->step_count; s++)
            step_ends(&r->steps[s], OPERATION_CANCELLED, rec_why_of(REC_WHY_REMOVED, 0, 0));
        return;
    }
    reasons_forget(r);
    rec_settle_access(r);
    for (int round = 0; round < ROUNDS; round++) {
        enum cmek_status before = r->region.status;
        enum rec_phase phase = rec_phase(r);
        settle_keys_and_status(r);
        if (r->region.status == before && rec_phase(r) == phase)
            break;
    }
    for (size_t s = 0; s < r->step_count; s++) {
        if (r->steps[s].state == OPERATION_RUNNING)
            settle_step(r, &r->steps[s]);
    }
    settle_key_reasons(r);
    if (!cmek_status_is_failed(r->region.status))
        r->region.why.is_timed_out =
            false; /* told by the step; to the region it is an outage like any other */
}

bool rec_wish_is_same(const struct rec *a, const struct rec *b)
{
    if (a->region.is_revoked != b->region.is_revoked ||
        a->region.is_platform_wanted != b->region.is_platform_wanted ||
        a->key_count != b->key_count)
        return false;
    for (size_t k = 0; k < a->key_count; k++) {
        if (a->keys[k].is_wanted != b->keys[k].is_wanted)
            return false;
    }
    return memcmp(a->region.serial, b->region.serial, sizeof a->region.serial) == 0;
}
