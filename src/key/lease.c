/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/lease.c - decides whether a volume may use its keys right now.
 *
 * One table: a row for each state, a column for each event and for each timer. lease_step takes the
 * row's cell for the event, then the cells of the timers that are due, until none is. A grant that comes after
 * the deadline is a tick: what it says came too late. Invariant:
 * after a step the state is OPEN or GRACE only if the last grant is younger than the deadline.
 * Never does I/O and never reads a clock, so every decision can be replayed.
 */
#include "key/lease.h"

#include <assert.h>
#include <stddef.h>

/* A lock that our own API asked for differs from one that the key service asked for in one cell
 * only: a grant does not end it. */
enum row { ROW_OPEN, ROW_GRACE, ROW_LOCKING, ROW_LOCKED, ROW_REVOKED, ROW_COUNT };

/* Behind the events stand the timers, which are events that lease_step makes itself. */
enum column {
    ON_STALE = LEASE_DRAINED + 1, /* no grant for lease_ms_max */
    ON_DEADLINE,                  /* no grant until the deadline */
    ON_DRAIN_OVER,                /* locking took drain_ms_max */
    COLUMN_COUNT,
};

struct cell {
    bool is_set; /* else: nothing happens */
    enum lease_state next;
    unsigned actions;
};

#define TO(state, actions)                                                                         \
    {                                                                                              \
        true, LEASE_##state, (actions)                                                             \
    }

static const struct cell table[ROW_COUNT][COLUMN_COUNT] = {
    [ROW_OPEN] =
        {
            [LEASE_DENY] = TO(LOCKING, LEASE_DO_REFUSE),
            [LEASE_REVOKE] = TO(LOCKING, LEASE_DO_REFUSE),
            [LEASE_UNREACH] = TO(GRACE, LEASE_DO_ALERT),
            [ON_STALE] = TO(GRACE, LEASE_DO_ALERT),
            [ON_DEADLINE] = TO(LOCKING, LEASE_DO_ALERT | LEASE_DO_REFUSE),
        },
    [ROW_GRACE] =
        {
            [LEASE_GRANT] = TO(OPEN, LEASE_DO_NOTHING),
            [LEASE_DENY] = TO(LOCKING, LEASE_DO_REFUSE),
            [LEASE_REVOKE] = TO(LOCKING, LEASE_DO_REFUSE),
            [ON_DEADLINE] = TO(LOCKING, LEASE_DO_REFUSE),
        },
    [ROW_LOCKING] =
        {
            [LEASE_DRAINED] = TO(LOCKED, LEASE_DO_WIPE),
            [ON_DRAIN_OVER] = TO(LOCKED, LEASE_DO_WIPE),
        },
    [ROW_LOCKED] =
        {
            [LEASE_GRANT] = TO(OPEN, LEASE_DO_UNLOCK),
        },
    [ROW_REVOKED] =
        {
            /* empty: RESTORE clears is_revoked, and the row is ROW_LOCKED from then on */
            [LEASE_GRANT] = {false},
        },
};

/* Events come from several threads, so one may carry a time a little before another's. */
static uint64_t elapsed(uint64_t since_ms, uint64_t now_ms)
{
    return now_ms > since_ms ? now_ms - since_ms : 0;
}

/* How long after the last grant the volume locks by itself. */
static uint64_t patience_ms(const struct lease_conf *conf)
{
    return conf->grace_ms > conf->lease_ms_max ? conf->grace_ms : conf->lease_ms_max;
}

static enum row row_of(const struct lease *l)
{
    switch (l->state) {
    case LEASE_OPEN:
        return ROW_OPEN;
    case LEASE_GRACE:
        return ROW_GRACE;
    case LEASE_LOCKING:
        return ROW_LOCKING;
    case LEASE_LOCKED:
        return l->is_revoked ? ROW_REVOKED : ROW_LOCKED;
    }
    assert(!"a lease state");
    return ROW_LOCKED;
}

static bool is_serving(const struct lease *l)
{
    return l->state == LEASE_OPEN || l->state == LEASE_GRACE;
}

/* A grant counts only where it keeps the volume open or opens it: one that arrives while the volume
 * is being locked was asked for before, and must not make the next lease longer. */
static void note_grant(struct lease *l, uint64_t asked_ms)
{
    if (!is_serving(l) && row_of(l) != ROW_LOCKED)
        return;
    if (!is_serving(l) || asked_ms > l->last_grant_ms)
        l->last_grant_ms = asked_ms;
}

/* The deadline is there whether or not somebody looked at the clock before the answer came; a host that slept may hear
 * what was said hours ago first of all. */
static bool is_too_late(const struct lease *l, const struct lease_conf *conf, uint64_t asked_ms,
                        uint64_t now_ms)
{
    uint64_t since_ms = is_serving(l) ? l->last_grant_ms : asked_ms;

    return elapsed(since_ms, now_ms) >= patience_ms(conf);
}

static void note_event(struct lease *l, enum lease_event event, uint64_t asked_ms)
{
    switch (event) {
    case LEASE_GRANT:
        note_grant(l, asked_ms);
        return;
    case LEASE_REVOKE:
        l->is_revoked = true;
        return;
    case LEASE_RESTORE:
        l->is_revoked = false;
        return;
    case LEASE_DENY:
    case LEASE_UNREACH:
    case LEASE_TICK:
    case LEASE_DRAINED:
        return;
    }
    assert(!"a lease event");
}

static unsigned take(struct lease *l, const struct cell *cell, uint64_t now_ms)
{
    if (!cell->is_set)
        return LEASE_DO_NOTHING;
    if (cell->next == LEASE_LOCKING)
        l->locking_since_ms = now_ms;
    l->state = cell->next;
    return cell->actions;
}

/* The timer that is due in this state, or NULL. */
static const struct cell *due(const struct lease *l, const struct lease_conf *conf, uint64_t now_ms)
{
    uint64_t age = elapsed(l->last_grant_ms, now_ms);

    switch (l->state) {
    case LEASE_OPEN:
        if (age >= patience_ms(conf))
            return &table[ROW_OPEN][ON_DEADLINE];
        return age >= conf->lease_ms_max ? &table[ROW_OPEN][ON_STALE] : NULL;
    case LEASE_GRACE:
        return age >= patience_ms(conf) ? &table[ROW_GRACE][ON_DEADLINE] : NULL;
    case LEASE_LOCKING:
        return elapsed(l->locking_since_ms, now_ms) >= conf->drain_ms_max
                   ? &table[ROW_LOCKING][ON_DRAIN_OVER]
                   : NULL;
    case LEASE_LOCKED:
        return NULL;
    }
    return NULL;
}

void lease_init(struct lease *l, uint64_t now_ms, bool is_granted, bool is_revoked)
{
    bool is_open = is_granted && !is_revoked;

    *l = (struct lease){
        .state = is_open ? LEASE_OPEN : LEASE_LOCKED,
        .is_revoked = is_revoked,
        .last_grant_ms = is_open ? now_ms : 0,
    };
}

/* step(l, conf, event, asked_ms, now_ms): asked_ms is of a grant alone. */
static unsigned step(struct lease *l, const struct lease_conf *conf, enum lease_event event,
                     uint64_t asked_ms, uint64_t now_ms)
{
    enum row row = row_of(l); /* a REVOKE or RESTORE changes the row, but has no cell in it */
    unsigned actions;

    note_event(l, event, asked_ms);
    actions = take(l, &table[row][event], now_ms);
    for (const struct cell *timer = due(l, conf, now_ms); timer; timer = due(l, conf, now_ms))
        actions |= take(l, timer, now_ms);
    return actions;
}

unsigned lease_step(struct lease *l, const struct lease_conf *conf, enum lease_event event,
                    uint64_t now_ms)
{
    if (event == LEASE_GRANT)
        return lease_grant(l, conf, now_ms, now_ms);
    return step(l, conf, event, now_ms, now_ms);
}

unsigned lease_grant(struct lease *l, const struct lease_conf *conf, uint64_t asked_ms,
                     uint64_t now_ms)
{
    bool is_late = is_too_late(l, conf, asked_ms, now_ms);

    return step(l, conf, is_late ? LEASE_TICK : LEASE_GRANT, asked_ms, now_ms);
}

uint64_t lease_left_ms(const struct lease *l, const struct lease_conf *conf, uint64_t now_ms)
{
    uint64_t age = elapsed(l->last_grant_ms, now_ms);

    if (!is_serving(l))
        return 0;
    return age < patience_ms(conf) ? patience_ms(conf) - age : 0;
}

const char *lease_state_name(enum lease_state state)
{
    static const char *const names[] = {"OPEN", "GRACE", "LOCKING", "LOCKED"};

    return names[state];
}

const char *lease_event_name(enum lease_event event)
{
    static const char *const names[] = {"GRANT",  "DENY",    "UNREACH", "TICK",
                                        "REVOKE", "RESTORE", "DRAINED"};

    return names[event];
}
