/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/reconcile_held.c - what the volumes of a region say together, and which of them holds something up, and why.
 */
#include "control/reconcile_int.h"

bool rec_is_closed(const struct rec_volume *v)
{
    return v->access == ACCESS_LOCKED || v->access == ACCESS_LOCKING;
}

bool rec_is_open(const struct rec_volume *v)
{
    return v->access == ACCESS_OPEN || v->access == ACCESS_GRACE;
}

bool rec_is_denied(const struct rec_volume *v)
{
    return rec_is_closed(v) && v->cause == CAUSE_DENIED;
}

bool rec_has_status(const struct rec *r, enum cmek_status status)
{
    for (size_t k = 0; k < r->key_count; k++) {
        if (r->keys[k].status == status)
            return true;
    }
    return false;
}

/* -- what the volumes say together --------------------------------------------------------------------------------- */

/* From the best to the worst. */
static const uint8_t access_rank[ACCESS_COUNT] = {
    [ACCESS_OPEN] = 0,    [ACCESS_GRACE] = 1,  [ACCESS_NONE] = 2,
    [ACCESS_LOCKING] = 3, [ACCESS_LOCKED] = 4, [ACCESS_FAILED] = 5,
};
static const uint8_t cause_rank[CAUSE_COUNT] = {
    [CAUSE_NONE] = 0,   [CAUSE_ERROR] = 1,   [CAUSE_UNREACHABLE] = 2,
    [CAUSE_DENIED] = 3, [CAUSE_REVOKED] = 4, [CAUSE_ROLLED_BACK] = 5,
};

static bool is_worse(const struct rec_volume *v, const struct rec_volume *than)
{
    if (access_rank[v->access] != access_rank[than->access])
        return access_rank[v->access] > access_rank[than->access];
    return cause_rank[v->cause] > cause_rank[than->cause];
}

void rec_settle_access(struct rec *r)
{
    const struct rec_volume *worst = NULL;

    for (size_t i = 0; i < r->volume_count; i++) {
        const struct rec_volume *v = &r->volumes[i];
        if (v->is_wanted && (!worst || is_worse(v, worst)))
            worst = v;
    }
    r->region.access = worst ? worst->access : ACCESS_NONE;
    r->region.cause = worst ? worst->cause : CAUSE_NONE;
}

/* rec_any(r, test, ret): the first wanted volume for which it holds. */
bool rec_any(const struct rec *r, bool (*test)(const struct rec_volume *), size_t *ret)
{
    for (size_t i = 0; i < r->volume_count; i++) {
        if (r->volumes[i].is_wanted && test(&r->volumes[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* When what is moving began: the running steps say so, and the keys where no operation is left. */
static int64_t moving_since(const struct rec *r)
{
    int64_t since = 0;

    for (size_t s = 0; s < r->step_count; s++) {
        const struct rec_step *step = &r->steps[s];
        bool is_change =
            step->kind == OPERATION_CMEK_ENABLE || step->kind == OPERATION_CMEK_ROTATE ||
            step->kind == OPERATION_CMEK_RESTORE || step->kind == OPERATION_CMEK_DISABLE;
        if (is_change && step->state == OPERATION_RUNNING && step->began > since)
            since = step->began;
    }
    for (size_t k = 0; k < r->key_count; k++) {
        const struct rec_key *key = &r->keys[k];
        if ((key->status == CMEK_ENABLING || key->status == CMEK_DISABLING) && key->since > since)
            since = key->since;
    }
    return since ? since : r->now;
}

bool rec_is_patience_over(const struct rec *r)
{
    return r->now - moving_since(r) >= REC_PATIENCE_S;
}

/* What holds something up: the gravest reason wins, and of equal ones the first. */
static const uint8_t gravity[] = {
    [REC_WHY_KEEP] = 0,       [REC_WHY_NOTHING] = 0,     [REC_WHY_WORKING] = 1,
    [REC_WHY_AWAY] = 2,       [REC_WHY_BROKEN] = 3,      [REC_WHY_SILENT] = 4,
    [REC_WHY_KEY_ERROR] = 5,  [REC_WHY_KEY_SILENT] = 6,  [REC_WHY_LEVEL] = 7,
    [REC_WHY_DENIED] = 8,     [REC_WHY_KEY_REFUSED] = 9, [REC_WHY_REVOKED] = 0,
    [REC_WHY_NO_RECEIPT] = 1, [REC_WHY_STILL_OPEN] = 3,  [REC_WHY_OVERTAKEN] = 0,
    [REC_WHY_REMOVED] = 0,    [REC_WHY_CANCELLED] = 0,   [REC_WHY_WAITS_RESTORE] = 0,
};

void rec_hold_up(struct rec_why *by, struct rec_why why)
{
    if (gravity[why.reason] > gravity[by->reason])
        *by = why;
}

/* rec_is_final(why): another attempt would end the same way. */
bool rec_is_final(struct rec_why why)
{
    return why.reason == REC_WHY_KEY_REFUSED || why.reason == REC_WHY_DENIED;
}

/* rec_is_trying(why): attempts are made and fail, which is borne for some time only. */
bool rec_is_trying(struct rec_why why)
{
    return gravity[why.reason] >= gravity[REC_WHY_BROKEN];
}

struct rec_why rec_why_volume(const struct rec *r, size_t i)
{
    const struct rec_volume *v = &r->volumes[i];

    if (v->is_away)
        return rec_why_of(REC_WHY_AWAY, i, 0);
    if (rec_is_denied(v))
        return rec_why_of(REC_WHY_DENIED, i, 0);
    if (v->cause == CAUSE_UNREACHABLE)
        return rec_why_of(REC_WHY_SILENT, i, 0);
    return rec_why_of(v->access == ACCESS_FAILED ? REC_WHY_BROKEN : REC_WHY_WORKING, i, 0);
}

static struct rec_why why_wrap(const struct rec *r, size_t i, size_t k)
{
    const struct rec_wrap *wrap = &r->volumes[i].wraps[k];

    if (wrap->state == WRAP_ACTIVE)
        return rec_why_of(REC_WHY_NOTHING, 0, 0);
    if (wrap->state == WRAP_FAILED && wrap->error == REC_ERROR_NO)
        return rec_why_of(REC_WHY_KEY_REFUSED, i, k);
    if (r->volumes[i].is_away)
        return rec_why_of(REC_WHY_AWAY, i, 0);
    if (wrap->state == WRAP_FAILED)
        return rec_why_of(wrap->error == REC_ERROR_SILENT ? REC_WHY_KEY_SILENT : REC_WHY_KEY_ERROR,
                          i, k);
    return rec_why_volume(r, i);
}

/* -- what is waited for -------------------------------------------------------------------------------------------- */

/* What keeps the volumes from opening with those that come. */
struct rec_why rec_adding_held_up(const struct rec *r)
{
    bool is_disable = !rec_has_status(r, CMEK_ENABLING);
    struct rec_why by = rec_why_of(REC_WHY_NOTHING, 0, 0);

    for (size_t i = 0; i < r->volume_count; i++) {
        const struct rec_volume *v = &r->volumes[i];
        if (!v->is_wanted)
            continue;
        if (rec_is_denied(v))
            rec_hold_up(&by, rec_why_of(REC_WHY_DENIED, i, 0));
        /* an old report may be of a time when it had that wrap; keys are others each time, so theirs cannot be old */
        if (is_disable && !(v->is_platform && v->is_current))
            rec_hold_up(&by, rec_why_volume(r, i));
        for (size_t k = 0; k < r->key_count; k++) {
            if (r->keys[k].status == CMEK_ENABLING)
                rec_hold_up(&by, why_wrap(r, i, k));
        }
    }
    return by;
}

static bool is_dropped(const struct rec *r, const struct rec_volume *v)
{
    for (size_t k = 0; k < r->key_count; k++) {
        enum cmek_status status = r->keys[k].status;
        if (status == CMEK_ENABLING && v->wraps[k].state != WRAP_ACTIVE)
            return false;
        if (status == CMEK_DISABLING && v->wraps[k].state == WRAP_ACTIVE)
            return false;
    }
    return v->is_current && v->is_platform == r->region.is_platform_wanted;
}

struct rec_why rec_dropping_held_up(const struct rec *r)
{
    struct rec_why by = rec_why_of(REC_WHY_NOTHING, 0, 0);

    for (size_t i = 0; i < r->volume_count; i++) {
        const struct rec_volume *v = &r->volumes[i];
        if (!v->is_wanted || is_dropped(r, v))
            continue;
        rec_hold_up(&by, rec_why_volume(r, i));
        for (size_t k = 0; k < r->key_count; k++) {
            if (r->keys[k].status == CMEK_ENABLING)
                rec_hold_up(&by, why_wrap(r, i, k));
        }
    }
    return by;
}

/* What keeps it from being open as it is wished. */
struct rec_why rec_opening_held_up(const struct rec *r)
{
    struct rec_why by = rec_why_of(REC_WHY_NOTHING, 0, 0);

    for (size_t i = 0; i < r->volume_count; i++) {
        const struct rec_volume *v = &r->volumes[i];
        bool has_tried = v->is_current || v->done[REC_RESTORE] >= r->region.serial[REC_RESTORE];
        if (!v->is_wanted || (rec_is_open(v) && v->is_current))
            continue;
        if (rec_is_denied(v) && !has_tried)
            rec_hold_up(&by, rec_why_of(v->is_away ? REC_WHY_AWAY : REC_WHY_WORKING, i, 0));
        else
            rec_hold_up(&by, rec_why_volume(r, i));
    }
    return by;
}

struct rec_why rec_level_held_up(const struct rec *r, enum rec_level level, uint32_t serial)
{
    struct rec_why by = rec_why_of(REC_WHY_NOTHING, 0, 0);

    for (size_t i = 0; i < r->volume_count; i++) {
        const struct rec_volume *v = &r->volumes[i];
        bool is_done = v->done[level] >= serial && (v->is_current || level != REC_REWRAP);
        if (!v->is_wanted || is_done)
            continue;
        if (v->failed_error != REC_ERROR_NONE && v->failed_level == level)
            rec_hold_up(&by, rec_why_of(REC_WHY_LEVEL, i, 0));
        else
            rec_hold_up(&by, rec_why_volume(r, i));
    }
    return by;
}

/* -- revoked by a call -------------------------------------------------------------------------------------------- */

static int64_t revoked_since(const struct rec *r)
{
    for (size_t s = 0; s < r->step_count; s++) {
        if (r->steps[s].kind == OPERATION_CMEK_REVOKE && r->steps[s].state == OPERATION_RUNNING)
            return r->steps[s].began;
    }
    return 0;
}

/* A volume that is being taken away counts until it is gone. */
struct rec_why rec_closing_held_up(const struct rec *r, size_t i)
{
    const struct rec_volume *v = &r->volumes[i];
    bool is_shut =
        v->access == ACCESS_LOCKED || v->access == ACCESS_NONE || v->access == ACCESS_FAILED;

    if (is_shut && v->is_current) {
        bool is_proved = v->has_receipt || v->access != ACCESS_LOCKED ||
                         r->now - revoked_since(r) >= REC_RECEIPT_WAIT_S;
        return rec_why_of(is_proved ? REC_WHY_NOTHING : REC_WHY_NO_RECEIPT, i, 0);
    }
    if (v->is_away)
        return rec_why_of(REC_WHY_AWAY, i, 0);
    return rec_why_of(v->is_current && rec_is_open(v) ? REC_WHY_STILL_OPEN : REC_WHY_WORKING, i, 0);
}

struct rec_why rec_key_held_up(const struct rec *r, size_t k)
{
    struct rec_why by = rec_why_of(REC_WHY_NOTHING, 0, 0);

    for (size_t i = 0; i < r->volume_count; i++) {
        struct rec_why why = why_wrap(r, i, k);
        if (r->volumes[i].is_wanted &&
            (why.reason == REC_WHY_KEY_REFUSED || why.reason == REC_WHY_KEY_SILENT ||
             why.reason == REC_WHY_KEY_ERROR))
            rec_hold_up(&by, why);
    }
    return by;
}
