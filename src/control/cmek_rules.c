/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cmek_rules.c - which verb a region takes in which status, what it makes of the wish, and how statuses may follow.
 *
 * The tables are those of docs/CMEK.md; a test compares them.
 */
#include "control/reconcile_int.h"

/* What a cell of the table says; where keys are compared the rule depends on them. */
enum cell {
    CELL_NOT,
    CELL_BUSY,
    CELL_BEGIN,
    CELL_JOIN,
    CELL_NOTHING,
    CELL_SKIP,
    CELL_JOIN_SAME,    /* the keys that are coming: join; else busy */
    CELL_NOTHING_SAME, /* the keys in force: nothing; else not allowed */
    CELL_IF_REVOKED,   /* by a call: begin; else not allowed */
    CELL_JOIN_RESTORE, /* after a restore: join; else not allowed */
    CELL_REVOKED_SO,   /* by a call: nothing; else begin */
    CELL_JOIN_REWRAP,  /* under the keys in force: join; else busy */
};

/* clang-format off */
static const uint8_t rules[CMEK_STATUS_COUNT][REC_VERB_COUNT] = {
    /*                       ENABLE             PUT             REVOKE           RESTORE            DISABLE       ROTATE_CMEK  ROTATE_OTHER */
    [CMEK_DISABLED]       = {CELL_BEGIN,        CELL_BEGIN,     CELL_SKIP,       CELL_SKIP,         CELL_NOTHING, CELL_SKIP,   CELL_BEGIN},
    [CMEK_ENABLING]       = {CELL_JOIN_SAME,    CELL_JOIN_SAME, CELL_BEGIN,      CELL_JOIN_RESTORE, CELL_BUSY,    CELL_BUSY,   CELL_BUSY},
    [CMEK_ENABLED]        = {CELL_NOTHING_SAME, CELL_BEGIN,     CELL_BEGIN,      CELL_NOTHING,      CELL_BEGIN,   CELL_BEGIN,  CELL_BEGIN},
    [CMEK_ENABLE_FAILED]  = {CELL_BEGIN,        CELL_BEGIN,     CELL_SKIP,       CELL_SKIP,         CELL_BEGIN,   CELL_SKIP,   CELL_BEGIN},
    [CMEK_ROTATING]       = {CELL_JOIN_SAME,    CELL_JOIN_SAME, CELL_BEGIN,      CELL_JOIN_RESTORE, CELL_BUSY,    CELL_JOIN_REWRAP,   CELL_BUSY},
    [CMEK_ROTATE_FAILED]  = {CELL_NOTHING_SAME, CELL_BEGIN,     CELL_BEGIN,      CELL_NOTHING,      CELL_BEGIN,   CELL_BEGIN,  CELL_BEGIN},
    [CMEK_REVOKING]       = {CELL_NOT,          CELL_NOT,       CELL_JOIN,       CELL_BEGIN,        CELL_NOT,     CELL_NOT,    CELL_NOT},
    [CMEK_REVOKED]        = {CELL_NOT,          CELL_NOT,       CELL_REVOKED_SO, CELL_IF_REVOKED,   CELL_NOT,     CELL_NOT,    CELL_NOT},
    [CMEK_REVOKE_FAILED]  = {CELL_NOT,          CELL_NOT,       CELL_BEGIN,      CELL_IF_REVOKED,   CELL_NOT,     CELL_NOT,    CELL_NOT},
    [CMEK_DISABLING]      = {CELL_BUSY,         CELL_BUSY,      CELL_BEGIN,      CELL_JOIN_RESTORE, CELL_JOIN,    CELL_BUSY,   CELL_BUSY},
    [CMEK_DISABLE_FAILED] = {CELL_NOTHING_SAME, CELL_BEGIN,     CELL_BEGIN,      CELL_NOTHING,      CELL_BEGIN,   CELL_BEGIN,  CELL_BEGIN},
};

/* Bits by the status that follows. A verb and what the volumes had to say already may be one change. */
#define TO(s) (1U << CMEK_##s)
static const uint16_t followers[CMEK_STATUS_COUNT] = {
    [CMEK_DISABLED]       = TO(ENABLING) | TO(ENABLED) | TO(ENABLE_FAILED),
    [CMEK_ENABLING]       = TO(ENABLED) | TO(ENABLE_FAILED) | TO(ROTATE_FAILED) | TO(REVOKING) | TO(REVOKED) | TO(DISABLED),
    [CMEK_ENABLED]        = TO(ROTATING) | TO(ROTATE_FAILED) | TO(REVOKING) | TO(REVOKED) | TO(DISABLING) | TO(DISABLE_FAILED) | TO(DISABLED),
    [CMEK_ENABLE_FAILED]  = TO(ENABLING) | TO(ENABLED) | TO(DISABLED),
    [CMEK_ROTATING]       = TO(ENABLED) | TO(ENABLING) | TO(ROTATE_FAILED) | TO(REVOKING) | TO(REVOKED),
    [CMEK_ROTATE_FAILED]  = TO(ROTATING) | TO(ENABLED) | TO(REVOKING) | TO(REVOKED) | TO(DISABLING) | TO(DISABLE_FAILED) | TO(DISABLED),
    [CMEK_REVOKING]       = TO(REVOKED) | TO(ENABLING) | TO(ENABLED) | TO(ENABLE_FAILED) | TO(ROTATING) | TO(ROTATE_FAILED) | TO(DISABLING) | TO(DISABLE_FAILED) | TO(DISABLED),
    [CMEK_REVOKED]        = TO(REVOKING) | TO(ENABLING) | TO(ENABLED) | TO(ENABLE_FAILED) | TO(ROTATING) | TO(ROTATE_FAILED) | TO(DISABLING) | TO(DISABLE_FAILED) | TO(DISABLED),
    [CMEK_REVOKE_FAILED]  = TO(REVOKING) | TO(REVOKED) | TO(ENABLING),
    [CMEK_DISABLING]      = TO(DISABLED) | TO(DISABLE_FAILED) | TO(ENABLING) | TO(REVOKING) | TO(REVOKED),
    [CMEK_DISABLE_FAILED] = TO(DISABLING) | TO(DISABLED) | TO(ENABLED) | TO(ROTATING) | TO(ROTATE_FAILED) | TO(REVOKING) | TO(REVOKED),
};
#undef TO
/* clang-format on */

bool rec_may_follow(enum cmek_status from, enum cmek_status to)
{
    return from == to || (followers[from] & (1U << to)) != 0;
}

static bool is_restored(const struct rec *r)
{
    for (size_t s = 0; s < r->step_count; s++) {
        if (r->steps[s].kind == OPERATION_CMEK_RESTORE && r->steps[s].state == OPERATION_RUNNING)
            return true;
    }
    return false;
}

enum rec_rule rec_rule_of(const struct rec *r, const struct rec_ask *ask)
{
    if (r->region.is_removing)
        return ask->verb == REC_DO_REVOKE || ask->verb == REC_DO_RESTORE ? REC_SKIP : REC_NOT;
    switch ((enum cell)rules[r->region.status][ask->verb]) {
    case CELL_NOT:
        return REC_NOT;
    case CELL_BUSY:
        return REC_BUSY;
    case CELL_BEGIN:
        return REC_BEGIN;
    case CELL_JOIN:
        return REC_JOIN;
    case CELL_NOTHING:
        return REC_NOTHING;
    case CELL_SKIP:
        return REC_SKIP;
    case CELL_JOIN_SAME:
        if (ask->match == REC_MATCH_NEW ||
            (ask->match == REC_MATCH_FORCE && rec_phase(r) == REC_PHASE_REST))
            return REC_JOIN;
        return REC_BUSY;
    case CELL_NOTHING_SAME:
        return ask->match == REC_MATCH_FORCE ? REC_NOTHING : REC_NOT;
    case CELL_IF_REVOKED:
        return r->region.is_revoked ? REC_BEGIN : REC_NOT;
    case CELL_JOIN_RESTORE:
        return is_restored(r) ? REC_JOIN : REC_BUSY;
    case CELL_JOIN_REWRAP:
        return rec_phase(r) == REC_PHASE_REST ? REC_JOIN : REC_BUSY;
    case CELL_REVOKED_SO:
        return r->region.is_revoked ? REC_NOTHING : REC_BEGIN;
    }
    return REC_NOT;
}

static uint32_t take_serial(struct rec *r, enum rec_level level)
{
    return r->region.serial[level] = rec_next_serial(r, level);
}

/* The keys before are to go once the new ones open everywhere. */
static bool begin_keys(struct rec *r, size_t count)
{
    bool has_force = false;

    if (r->key_count + count > REC_KEYS_MAX)
        return false;
    for (size_t k = 0; k < r->key_count; k++) {
        struct rec_key *key = &r->keys[k];
        if (key->status != CMEK_ENABLED)
            continue;
        has_force = true;
        key->status = CMEK_DISABLING;
        key->since = r->now;
    }
    for (size_t k = 0; k < count; k++) {
        r->keys[r->key_count++] =
            (struct rec_key){.status = CMEK_ENABLING, .is_wanted = true, .since = r->now};
    }
    r->region.is_platform_wanted = !has_force;
    r->region.status = has_force ? CMEK_ROTATING : CMEK_ENABLING;
    return true;
}

static void begin_rewrap(struct rec *r, uint32_t *ret_serial)
{
    *ret_serial = take_serial(r, REC_REWRAP);
    r->region.status = CMEK_ROTATING;
}

static void begin_revoke(struct rec *r)
{
    r->region.is_revoked = true;
    r->region.status = CMEK_REVOKING;
}

/* The patience for a change that was interrupted begins anew. */
static void begin_restore(struct rec *r)
{
    r->region.is_revoked = false;
    r->region.status = CMEK_ENABLING;
    take_serial(r, REC_RESTORE);
    for (size_t k = 0; k < r->key_count; k++) {
        if (r->keys[k].status == CMEK_ENABLING || r->keys[k].status == CMEK_DISABLING)
            r->keys[k].since = r->now;
    }
}

static void begin_disable(struct rec *r)
{
    bool has_force = false;

    for (size_t k = 0; k < r->key_count; k++) {
        struct rec_key *key = &r->keys[k];
        if (key->status != CMEK_ENABLED)
            continue;
        has_force = true;
        key->status = CMEK_DISABLING;
        key->since = r->now;
    }
    r->region.is_platform_wanted = true;
    r->region.status = has_force ? CMEK_DISABLING : CMEK_DISABLED;
}

static enum operation_kind kind_of_level(enum rec_level level)
{
    if (level == REC_STORE)
        return OPERATION_ROTATE_STORE;
    return level == REC_DATA ? OPERATION_ROTATE_DATA : OPERATION_REENCRYPT;
}

bool rec_begin(struct rec *r, const struct rec_ask *ask, enum operation_kind *ret_kind,
               uint32_t *ret_serial)
{
    *ret_serial = 0;
    rec_wish_moves(r);
    switch (ask->verb) {
    case REC_DO_ENABLE:
    case REC_DO_PUT:
        if (ask->match == REC_MATCH_FORCE)
            begin_rewrap(r, ret_serial);
        else if (!begin_keys(r, ask->key_count))
            return false;
        *ret_kind =
            r->region.status == CMEK_ROTATING ? OPERATION_CMEK_ROTATE : OPERATION_CMEK_ENABLE;
        return true;
    case REC_DO_REVOKE:
        begin_revoke(r);
        *ret_kind = OPERATION_CMEK_REVOKE;
        return true;
    case REC_DO_RESTORE:
        begin_restore(r);
        *ret_kind = OPERATION_CMEK_RESTORE;
        return true;
    case REC_DO_DISABLE:
        begin_disable(r);
        *ret_kind = OPERATION_CMEK_DISABLE;
        return true;
    case REC_DO_ROTATE_CMEK:
        begin_rewrap(r, ret_serial);
        *ret_kind = OPERATION_CMEK_ROTATE;
        return true;
    case REC_DO_ROTATE_OTHER:
        *ret_serial = take_serial(r, ask->level);
        *ret_kind = kind_of_level(ask->level);
        return true;
    case REC_VERB_COUNT:
        break;
    }
    return false;
}

/* -- taking back ------------------------------------------------------------------------------------------------------ */

/* No volume is behind any more, but for what other steps still wait for. */
static void stop_level(struct rec *r, size_t step, enum rec_level level)
{
    uint32_t serial = 0;
    bool is_first = true;

    for (size_t i = 0; i < r->volume_count; i++) {
        if (!r->volumes[i].is_wanted)
            continue;
        if (is_first || r->volumes[i].done[level] < serial)
            serial = r->volumes[i].done[level];
        is_first = false;
    }
    for (size_t s = 0; s < r->step_count; s++) {
        if (s != step && r->steps[s].kind == r->steps[step].kind &&
            r->steps[s].state == OPERATION_RUNNING && r->steps[s].serial > serial)
            serial = r->steps[s].serial;
    }
    if (serial < r->region.serial[level])
        r->region.serial[level] = serial;
}

/* What has come in meanwhile has to go from the volumes again before they are ENABLED. */
static void undo_change(struct rec *r)
{
    rec_change_undo(r, CMEK_DISABLED, (struct rec_why){.reason = REC_WHY_CANCELLED});
    r->region.status = rec_has_status(r, CMEK_ENABLED) ? CMEK_ENABLING : CMEK_DISABLED;
}

static bool may_undo_change(const struct rec *r)
{
    return !r->region.is_revoked && rec_phase(r) == REC_PHASE_ADDING;
}

/* Whoever has joined the change that is taken back waits for it in vain. */
static void cancel_changes(struct rec *r)
{
    for (size_t s = 0; s < r->step_count; s++) {
        struct rec_step *step = &r->steps[s];
        if (step->state != OPERATION_RUNNING ||
            (step->kind != OPERATION_CMEK_ENABLE && step->kind != OPERATION_CMEK_ROTATE &&
             step->kind != OPERATION_CMEK_DISABLE))
            continue;
        step->state = OPERATION_CANCELLED;
        step->why = (struct rec_why){.reason = REC_WHY_CANCELLED};
    }
}

static bool cancel_kind(struct rec *r, size_t step)
{
    switch (r->steps[step].kind) {
    case OPERATION_CMEK_ROTATE:
        if (rec_phase(r) == REC_PHASE_REST && r->region.status == CMEK_ROTATING) {
            cancel_changes(r);
            stop_level(r, step, REC_REWRAP);
            r->region.status = CMEK_ENABLING;
            return true;
        }
        __attribute__((fallthrough));
    case OPERATION_CMEK_ENABLE:
    case OPERATION_CMEK_DISABLE:
        if (!may_undo_change(r))
            return false;
        cancel_changes(r);
        undo_change(r);
        return true;
    case OPERATION_ROTATE_STORE:
        stop_level(r, step, REC_STORE);
        return true;
    case OPERATION_ROTATE_DATA:
        stop_level(r, step, REC_DATA);
        return true;
    case OPERATION_REENCRYPT:
        stop_level(r, step, REC_REENCRYPT);
        return true;
    case OPERATION_CMEK_CHECK:
        return true;
    case OPERATION_CLUSTER_CREATE:
    case OPERATION_CLUSTER_DELETE:
    case OPERATION_REGION_ADD:
    case OPERATION_REGION_REMOVE:
    case OPERATION_REGION_SCALE:
    case OPERATION_CMEK_REVOKE:
    case OPERATION_CMEK_RESTORE:
    case OPERATION_KIND_COUNT:
        break;
    }
    return false;
}

bool rec_cancel(struct rec *r, size_t step)
{
    if (!cancel_kind(r, step))
        return false;
    rec_wish_moves(r);
    r->steps[step].state = OPERATION_CANCELLED;
    r->steps[step].why = (struct rec_why){.reason = REC_WHY_CANCELLED};
    return true;
}
