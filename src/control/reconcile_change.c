/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/reconcile_change.c - a change of keys in two phases: the new openers beside the old ones, then without them.
 *
 * Invariant: nothing is dropped from the wish before each volume has an active wrap under everything that stays.
 */
#include "control/reconcile_int.h"

static void key_becomes(struct rec *r, size_t k, enum cmek_status status, bool is_wanted)
{
    struct rec_key *key = &r->keys[k];

    if (key->status != status)
        key->since = r->now;
    key->status = status;
    key->is_wanted = is_wanted;
}

enum rec_phase rec_phase(const struct rec *r)
{
    bool is_new = rec_has_status(r, CMEK_ENABLING), is_old = rec_has_status(r, CMEK_DISABLING);

    if (!is_new && !is_old)
        return REC_PHASE_REST;
    for (size_t k = 0; k < r->key_count; k++) {
        if (r->keys[k].status == CMEK_DISABLING && r->keys[k].is_wanted)
            return REC_PHASE_ADDING;
    }
    return is_new && r->region.is_platform_wanted ? REC_PHASE_ADDING : REC_PHASE_DROPPING;
}

void rec_wish_moves(struct rec *r)
{
    for (size_t i = 0; i < r->volume_count; i++)
        r->volumes[i].is_current = false;
}

/* The status of a region whose change of keys is under way. */
static enum cmek_status moving_status(const struct rec *r)
{
    if (!rec_has_status(r, CMEK_ENABLING))
        return CMEK_DISABLING;
    return rec_has_status(r, CMEK_DISABLING) ? CMEK_ROTATING : CMEK_ENABLING;
}

void rec_change_undo(struct rec *r, enum cmek_status new_ends, struct rec_why why)
{
    bool has_force = false;

    rec_wish_moves(r);
    for (size_t k = 0; k < r->key_count; k++) {
        if (r->keys[k].status == CMEK_ENABLING) {
            key_becomes(r, k, new_ends, false);
            r->keys[k].why = why;
        }
        if (r->keys[k].status == CMEK_DISABLING && r->keys[k].is_wanted)
            key_becomes(r, k, CMEK_ENABLED, true);
        has_force |= r->keys[k].status == CMEK_ENABLED;
    }
    r->region.is_platform_wanted = !has_force;
}

static void change_fails(struct rec *r, struct rec_why why)
{
    bool is_disable = !rec_has_status(r, CMEK_ENABLING);

    rec_change_undo(r, CMEK_ENABLE_FAILED, why);
    if (is_disable)
        r->region.status = CMEK_DISABLE_FAILED;
    else
        r->region.status =
            rec_has_status(r, CMEK_ENABLED) ? CMEK_ROTATE_FAILED : CMEK_ENABLE_FAILED;
    r->region.why = why;
}

static void change_drops(struct rec *r)
{
    bool is_disable = !rec_has_status(r, CMEK_ENABLING);

    rec_wish_moves(r);
    r->region.is_platform_wanted = is_disable;
    for (size_t k = 0; k < r->key_count; k++) {
        if (r->keys[k].status == CMEK_DISABLING)
            r->keys[k].is_wanted = false;
    }
}

uint32_t rec_next_serial(const struct rec *r, enum rec_level level)
{
    uint32_t serial = r->region.serial[level];

    for (size_t i = 0; i < r->volume_count; i++) {
        if (r->volumes[i].done[level] > serial)
            serial = r->volumes[i].done[level];
    }
    return serial + 1;
}

static void change_ends(struct rec *r)
{
    bool is_first = rec_has_status(r, CMEK_ENABLING) && !rec_has_status(r, CMEK_DISABLING);

    for (size_t k = 0; k < r->key_count; k++) {
        if (r->keys[k].status == CMEK_ENABLING)
            key_becomes(r, k, CMEK_ENABLED, true);
        if (r->keys[k].status == CMEK_DISABLING)
            key_becomes(r, k, CMEK_DISABLED, false);
    }
    r->region.status = rec_has_status(r, CMEK_ENABLED) ? CMEK_ENABLED : CMEK_DISABLED;
    if (!is_first)
        return;
    rec_wish_moves(r);
    r->region.serial[REC_STORE] = rec_next_serial(r, REC_STORE);
    r->region.serial[REC_DATA] = rec_next_serial(r, REC_DATA);
    r->region.serial[REC_REENCRYPT] = rec_next_serial(r, REC_REENCRYPT);
    r->is_reencrypt_due = true;
}

void rec_settle_adding(struct rec *r)
{
    struct rec_why by = rec_adding_held_up(r);

    if (rec_is_trying(by) && !rec_is_final(by) && rec_is_patience_over(r))
        by.is_timed_out = true;
    if (rec_is_final(by) || by.is_timed_out) {
        change_fails(r, by);
        return;
    }
    r->region.status = moving_status(r);
    r->region.why = by;
    if (by.reason == REC_WHY_NOTHING)
        change_drops(r);
}

/* is_nothing_made(r): no volume has an opener yet, as in a region that began under the customer's keys alone. */
static bool is_nothing_made(const struct rec *r)
{
    for (size_t i = 0; i < r->volume_count; i++) {
        const struct rec_volume *v = &r->volumes[i];
        if (v->is_platform)
            return false;
        for (size_t k = 0; k < r->key_count; k++) {
            if (v->wraps[k].state == WRAP_ACTIVE)
                return false;
        }
    }
    return true;
}

/* Where nothing was made yet, the change can still be given up: there is nothing that the openers before would have to open. */
static bool is_given_up(const struct rec *r, struct rec_why *by)
{
    bool is_first = rec_has_status(r, CMEK_ENABLING) && !rec_has_status(r, CMEK_DISABLING);

    if (by->reason == REC_WHY_NOTHING || !is_first || !is_nothing_made(r))
        return false;
    by->is_timed_out = rec_is_trying(*by) && !rec_is_final(*by) && rec_is_patience_over(r);
    return rec_is_final(*by) || by->is_timed_out;
}

void rec_settle_dropping(struct rec *r)
{
    struct rec_why by = rec_dropping_held_up(r);
    size_t i;

    if (is_given_up(r, &by)) {
        change_fails(r, by);
        return;
    }

    if (rec_any(r, rec_is_denied, &i)) {
        r->region.status = CMEK_REVOKED;
        r->region.why = rec_why_of(REC_WHY_DENIED, i, 0);
        return;
    }
    if (r->region.status == CMEK_REVOKED && rec_any(r, rec_is_closed, &i)) {
        r->region.why = rec_why_volume(r, i);
        return;
    }
    r->region.status = moving_status(r);
    r->region.why = by;
    if (by.reason == REC_WHY_NOTHING)
        change_ends(r);
}
