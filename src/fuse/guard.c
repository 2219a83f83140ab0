/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/guard.c - carries out what the lease decides: refuse, drain, wipe, unlock.
 *
 * Locks: record_mutex, then mutex. record_mutex is held while the record of a revocation is written or removed,
 * so that what stands there last is what was decided last. mutex guards all fields. The quick callbacks run under it, so a refusal takes effect before
 * the event returns; the slow ones run without it, on the thread of guard_work alone.
 */
#include "fuse/guard.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    TICK_MS = 200,
    STACK_BYTES = 512 * 1024,
    RESERVE_MS = 300,      /* of the drain bound, kept for wiping */
    CHANGE_WAIT_MS = 3000, /* how long a change waits for another one */
};

struct guard {
    struct guard_conf conf;
    pthread_mutex_t record_mutex;
    pthread_mutex_t mutex;
    pthread_cond_t cond; /* any change of the fields below; CLOCK_MONOTONIC */
    pthread_t worker, ticker;
    bool is_started, is_stopping;
    bool is_closing; /* nothing is opened any more */

    struct lease lease;
    bool is_open;    /* the door: everything is admitted */
    bool has_keys;   /* the volume holds keys, or is getting them */
    bool must_lock;  /* for guard_work */
    bool is_locking; /* from the refusal until nothing of the volume is in memory */
    bool must_unlock;
    bool is_working; /* guard_work is at it */
    bool must_clear; /* after a restore: the record goes when the volume opens */
    bool is_changing;
    unsigned users;     /* of keys */
    unsigned recorders; /* revokes that are being recorded */
    uint64_t lock_since_ms;
    char reason[GUARD_REASON_BYTES];
    enum guard_cause lock_cause; /* of the lock that is under way, or was last */
    enum guard_cause cause;      /* of the present state */
    char message[GUARD_MESSAGE_BYTES];
    struct guard_receipt receipt;
    struct guard_status shown; /* when changed was called last */
};

static const char ran_out[] = "the lease ran out: no answer of the key service for too long";

static uint64_t now_ms(struct guard *g)
{
    return clock_boot_ms(g->conf.clock);
}

static void lock(struct guard *g)
{
    pthread_mutex_lock(&g->mutex);
}

static void tell_changes(struct guard *g);

static void unlock(struct guard *g)
{
    tell_changes(g);
    pthread_cond_broadcast(&g->cond);
    pthread_mutex_unlock(&g->mutex);
}

/* wait_some(g, ms): until something changes, or ms have passed. With the mutex held. */
static void wait_some(struct guard *g, uint64_t ms)
{
    struct timespec t = clock_deadline(ms);

    pthread_cond_timedwait(&g->cond, &g->mutex, &t);
}

const char *guard_cause_name(enum guard_cause cause)
{
    static const char *const names[] = {"NONE",        "REVOKED", "DENIED",
                                        "UNREACHABLE", "ERROR",   "ROLLED_BACK"};

    return names[cause];
}

enum guard_cause guard_cause_of(ks_rc rc)
{
    if (ks_is(rc, KS_E_ROLLED_BACK))
        return GUARD_CAUSE_ROLLED_BACK;
    switch ((enum ks_class)rc.cls) {
    case KS_CLASS_OK:
        return GUARD_CAUSE_NONE;
    case KS_CLASS_DENIED:
        return GUARD_CAUSE_DENIED;
    case KS_CLASS_UNREACHABLE:
    case KS_CLASS_BUSY:
        return GUARD_CAUSE_UNREACHABLE;
    case KS_CLASS_USAGE:
    case KS_CLASS_CORRUPT:
    case KS_CLASS_IO:
    case KS_CLASS_LIMIT:
    case KS_CLASS_BUG:
        return GUARD_CAUSE_ERROR;
    }
    return GUARD_CAUSE_ERROR;
}

static void explain(struct guard *g, enum guard_cause cause, const char *why)
{
    g->cause = cause;
    snprintf(g->message, sizeof g->message, "%s", why);
}

/* note_cause(g, event, cause, why): what the event says about the state it led to. Our own word stands above the key
 * service's, and the service's no above its silence. With the mutex held. */
static void note_cause(struct guard *g, enum lease_event event, enum guard_cause cause,
                       const char *why)
{
    if (g->lease.state == LEASE_OPEN && g->is_open) {
        explain(g, GUARD_CAUSE_NONE, "");
        return;
    }
    switch (event) {
    case LEASE_REVOKE:
        explain(g, GUARD_CAUSE_REVOKED, why);
        return;
    case LEASE_RESTORE:
        if (g->cause == GUARD_CAUSE_REVOKED)
            explain(g, GUARD_CAUSE_NONE, "");
        return;
    case LEASE_DENY:
        if (!g->lease.is_revoked)
            explain(g, GUARD_CAUSE_DENIED, why);
        return;
    case LEASE_UNREACH:
        if (!g->lease.is_revoked && g->cause != GUARD_CAUSE_DENIED)
            explain(g, cause, why);
        return;
    case LEASE_TICK:
        if (g->cause == GUARD_CAUSE_NONE && (g->lease.state == LEASE_GRACE || g->must_lock))
            explain(g, cause, why);
        return;
    case LEASE_GRANT:
    case LEASE_DRAINED:
        return;
    }
}

/* begin_lock(g, why): from here on nothing but writes is admitted. With the mutex held. */
static void begin_lock(struct guard *g, const char *why)
{
    if (g->is_open)
        g->conf.ops->refuse(g->conf.arg);
    g->is_open = false;
    g->must_unlock = false;
    g->must_lock = g->is_locking = true;
    g->lock_since_ms = now_ms(g);
    snprintf(g->reason, sizeof g->reason, "%s", why);
    log_line(LOG_WARNING, "locking: %s", g->reason);
}

/* carry_out(g, actions, event, cause, why): what the lease has decided and must be at once. With the mutex held. The wipe
 * needs no note: guard_work always ends a lock with one. */
static void carry_out(struct guard *g, unsigned actions, enum lease_event event,
                      enum guard_cause cause, const char *why)
{
    if (actions & LEASE_DO_ALERT)
        log_line(LOG_WARNING,
                 "the key service gives no answer, the volume stays open until the grace ends: %s",
                 why);
    if (actions & LEASE_DO_REFUSE)
        begin_lock(g, why);
    if (actions & LEASE_DO_UNLOCK)
        g->must_unlock = !g->is_closing;
    note_cause(g, event, cause, why);
    if (actions & LEASE_DO_REFUSE)
        g->lock_cause = g->cause;
}

static void log_step(const struct guard *g, enum lease_event event, enum lease_state before)
{
    if (g->lease.state != before)
        log_line(LOG_NOTICE, "lease %s: %s to %s", lease_event_name(event),
                 lease_state_name(before), lease_state_name(g->lease.state));
}

/* step(g, event, cause, why): the lease decides. With the mutex held. Not for a grant. */
static void step(struct guard *g, enum lease_event event, enum guard_cause cause, const char *why)
{
    enum lease_state before = g->lease.state;
    unsigned actions = lease_step(&g->lease, &g->conf.lease, event, now_ms(g));

    carry_out(g, actions, event, cause, why);
    log_step(g, event, before);
}

/* step_grant(g, asked_ms): that for a grant. One that locks came after the deadline, of which it is no news. With the mutex held. */
static void step_grant(struct guard *g, uint64_t asked_ms)
{
    enum lease_state before = g->lease.state;
    unsigned actions = lease_grant(&g->lease, &g->conf.lease, asked_ms, now_ms(g));
    enum lease_event event = actions & LEASE_DO_REFUSE ? LEASE_TICK : LEASE_GRANT;

    carry_out(g, actions, event, GUARD_CAUSE_UNREACHABLE, ran_out);
    log_step(g, event, before);
}

static void event(struct guard *g, enum lease_event event, enum guard_cause cause, const char *why)
{
    lock(g);
    step(g, event, cause, why);
    unlock(g);
}

void guard_grant(struct guard *g, uint64_t asked_ms)
{
    lock(g);
    step_grant(g, asked_ms);
    unlock(g);
}

void guard_extend(struct guard *g, uint64_t asked_ms)
{
    lock(g);
    if (g->lease.state == LEASE_OPEN)
        step_grant(g, asked_ms);
    unlock(g);
}

void guard_deny(struct guard *g, const char *why)
{
    event(g, LEASE_DENY, GUARD_CAUSE_DENIED, why);
}

void guard_unreach(struct guard *g, enum guard_cause cause, const char *why)
{
    event(g, LEASE_UNREACH, cause, why);
}

void guard_explain(struct guard *g, enum guard_cause cause, const char *why)
{
    lock(g);
    explain(g, cause, why);
    unlock(g);
}

void guard_tick(struct guard *g)
{
    event(g, LEASE_TICK, GUARD_CAUSE_UNREACHABLE, ran_out);
}

void guard_restore(struct guard *g)
{
    lock(g);
    step(g, LEASE_RESTORE, GUARD_CAUSE_NONE, "restored");
    g->must_clear = true;
    unlock(g);
}

/* record_revoked(g, ret): unless a restore came meanwhile, which is the later word. */
static ks_rc record_revoked(struct guard *g, bool *ret)
{
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&g->record_mutex);
    lock(g);
    bool is_revoked = g->lease.is_revoked;
    unlock(g);
    if (is_revoked)
        rc = g->conf.ops->record(g->conf.arg, true);
    pthread_mutex_unlock(&g->record_mutex);
    *ret = is_revoked && ks_ok(rc);
    return rc;
}

ks_rc guard_revoke(struct guard *g, const char *why, bool *ret_recorded)
{
    lock(g);
    g->recorders++;
    g->must_clear = false;
    step(g, LEASE_REVOKE, GUARD_CAUSE_REVOKED, why);
    unlock(g);
    ks_rc rc = record_revoked(g, ret_recorded);
    lock(g);
    g->recorders--;
    unlock(g);
    return rc;
}

/* wait_users(g, deadline): whether nobody uses keys any more. With the mutex held. */
static bool wait_users(struct guard *g, uint64_t deadline)
{
    while (g->users > 0 && now_ms(g) < deadline)
        wait_some(g, 20);
    return g->users == 0;
}

/* wait_recorders(g, deadline): who sees LOCKED finds the revocation recorded, unless the disk is slower than the
 * bound; the keys are gone by then. With the mutex held. */
static void wait_recorders(struct guard *g, uint64_t deadline)
{
    while (g->recorders > 0 && now_ms(g) < deadline)
        wait_some(g, 20);
}

/* When the parts of a lock ended. */
struct lock_times {
    uint64_t since_ms, wiped_ms, locked_ms;
};

static void write_receipt(struct guard *g, const struct lock_times *t,
                          const struct guard_handles *handles)
{
    struct guard_receipt *r = &g->receipt;

    r->at_s = clock_wall_s(g->conf.clock);
    r->cause = g->lock_cause;
    r->duration_ms = t->locked_ms - t->since_ms;
    r->handles_cut = handles->count;
    snprintf(r->reason, sizeof r->reason, "%s", g->reason);
    log_line(LOG_WARNING,
             "locked in %llu ms, %s%llu open handles cut%s%s, keys wiped after %llu ms, then the "
             "kernel's cache dropped: %s",
             (unsigned long long)r->duration_ms, handles->is_partial ? "at least " : "",
             (unsigned long long)handles->count, handles->names[0] ? " of " : "", handles->names,
             (unsigned long long)(t->wiped_ms - t->since_ms), r->reason);
}

/* take_keys(g, deadline): false when somebody uses them still, and the process has given up. */
static bool take_keys(struct guard *g, uint64_t deadline)
{
    const struct guard_ops *ops = g->conf.ops;

    ops->drain(g->conf.arg, deadline);
    lock(g);
    bool is_free = wait_users(g, deadline);
    unlock(g);
    ks_rc rc = KS_SUCCESS;
    if (is_free)
        rc = ops->wipe(g->conf.arg);
    if (is_free && ks_ok(rc))
        return true;
    ops->give_up(g->conf.arg, is_free ? ks_text(rc) : "an operation with keys does not end");
    return false;
}

static void do_lock(struct guard *g)
{
    const struct guard_ops *ops = g->conf.ops;
    struct lock_times t = {.since_ms = g->lock_since_ms};
    uint64_t deadline = t.since_ms + g->conf.lease.drain_ms_max - RESERVE_MS;
    uint64_t clean_by = now_ms(g) + GUARD_CLEAN_MS_MAX; /* not of what kept us from beginning */
    struct guard_handles handles = {0};

    ops->announce(g->conf.arg, true);
    if (!take_keys(g, deadline))
        return;
    t.wiped_ms = now_ms(g);
    ks_rc rc = ops->clean(g->conf.arg, clean_by);
    if (!ks_ok(rc)) {
        ops->give_up(g->conf.arg, ks_text(rc));
        return;
    }
    lock(g);
    wait_recorders(g, deadline);
    unlock(g);
    t.locked_ms = now_ms(g);
    ops->handles(g->conf.arg, deadline, &handles);
    lock(g);
    wait_recorders(g, deadline); /* of revokes that came meanwhile */
    g->has_keys = false;
    g->is_locking = g->must_lock;
    step(g, LEASE_DRAINED, GUARD_CAUSE_NONE, "drained");
    write_receipt(g, &t, &handles);
    unlock(g);
}

/* clear_record(g): after a restore the record goes, before anybody is told that the volume is open. If that
 * fails it is open all the same, but the next start is locked. A revoke that came meanwhile has its
 * record written behind this. */
static void clear_record(struct guard *g)
{
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&g->record_mutex);
    lock(g);
    bool must_clear = g->must_clear && !g->must_lock;
    g->must_clear = g->must_clear && !must_clear;
    unlock(g);
    if (must_clear)
        rc = g->conf.ops->record(g->conf.arg, false);
    pthread_mutex_unlock(&g->record_mutex);
    if (!ks_ok(rc))
        log_line(
            LOG_ERROR,
            "the revocation has ended, but its record stays, and the next mount will be locked "
            "unless another \"volume unlock\" removes it: %s",
            ks_text(rc));
}

/* unlock_failed(g, rc): the lease believed that a grant opens; it learns that it does not. */
static void unlock_failed(struct guard *g, ks_rc rc)
{
    log_line(LOG_ERROR, "cannot unlock: %s", ks_text(rc));
    if (!g->lease.is_revoked)
        explain(g, guard_cause_of(rc), ks_text(rc));
    g->has_keys = false;
    lease_step(&g->lease, &g->conf.lease, LEASE_DENY, now_ms(g));
    lease_step(&g->lease, &g->conf.lease, LEASE_DRAINED, now_ms(g));
}

static void do_unlock(struct guard *g)
{
    const struct guard_ops *ops = g->conf.ops;
    ks_rc rc = ops->unlock(g->conf.arg);

    if (ks_ok(rc))
        clear_record(g);
    lock(g);
    /* What came meanwhile counts: must_lock makes the next round wipe what was just loaded. */
    if (!ks_ok(rc) && !g->must_lock)
        unlock_failed(g, rc);
    bool is_opening = ks_ok(rc) && !g->must_lock && !g->is_closing;
    if (is_opening) {
        ops->open(g->conf.arg);
        g->is_open = true;
        explain(g, GUARD_CAUSE_NONE, "");
        log_line(LOG_NOTICE, "unlocked: the volume is open");
    }
    unlock(g);
    if (is_opening)
        ops->announce(g->conf.arg, false);
}

/* next_job(g): what is to be done: 'L'ock, 'U'nlock, 'C'lear the record of an open volume, or 0. A lock goes
 * first: it has dropped the unlocks before it, so one that is there came after it. With the mutex held. */
static char next_job(const struct guard *g)
{
    if (g->must_lock)
        return 'L';
    if (g->must_unlock)
        return 'U';
    return g->must_clear && g->is_open ? 'C' : 0;
}

static char take_job(struct guard *g)
{
    lock(g);
    char job = next_job(g);
    if (job == 'L')
        g->must_lock = false;
    if (job == 'U') {
        g->must_unlock = false;
        g->has_keys = true;
    }
    g->is_working = job != 0;
    unlock(g);
    return job;
}

void guard_work(struct guard *g)
{
    for (char job = take_job(g); job; job = take_job(g)) {
        if (job == 'L')
            do_lock(g);
        else if (job == 'U')
            do_unlock(g);
        else
            clear_record(g);
    }
}

static void *worker_run(void *arg)
{
    struct guard *g = arg;

    for (;;) {
        guard_work(g);
        pthread_mutex_lock(&g->mutex);
        while (!g->is_stopping && !next_job(g))
            pthread_cond_wait(&g->cond, &g->mutex);
        bool is_stopping = g->is_stopping;
        pthread_mutex_unlock(&g->mutex);
        if (is_stopping)
            return NULL;
    }
}

static void *ticker_run(void *arg)
{
    struct guard *g = arg;

    for (;;) {
        clock_sleep_ms(g->conf.clock, TICK_MS);
        pthread_mutex_lock(&g->mutex);
        bool is_stopping = g->is_stopping;
        pthread_mutex_unlock(&g->mutex);
        if (is_stopping)
            return NULL;
        guard_tick(g);
    }
}

ks_rc guard_new(const struct guard_conf *conf, bool is_granted, bool is_revoked, struct guard **ret)
{
    struct guard *g;

    TRY(mem_new(1, sizeof *g, &g));
    g->conf = *conf;
    if (!g->conf.lease.drain_ms_max)
        g->conf.lease.drain_ms_max = GUARD_DRAIN_MS_MAX;
    pthread_mutex_init(&g->record_mutex, NULL);
    pthread_mutex_init(&g->mutex, NULL);
    clock_cond_init(&g->cond);
    lease_init(&g->lease, conf->asked_ms, is_granted, is_revoked);
    g->is_open = g->lease.state == LEASE_OPEN;
    g->has_keys = g->is_open;
    if (is_revoked)
        explain(g, GUARD_CAUSE_REVOKED, "it was revoked before it was mounted");
    if (g->is_open)
        conf->ops->open(conf->arg);
    *ret = g;
    return KS_SUCCESS;
}

static void end_threads(struct guard *g)
{
    lock(g);
    g->is_stopping = true;
    unlock(g);
}

ks_rc guard_start(struct guard *g)
{
    static const char what[] = "cannot start the threads that guard the volume";

    TRY(ks_wrap(thread_start(STACK_BYTES, worker_run, g, &g->worker), what));
    ks_rc rc = thread_start(STACK_BYTES, ticker_run, g, &g->ticker);
    g->is_started = ks_ok(rc);
    if (!g->is_started) {
        end_threads(g);
        pthread_join(g->worker, NULL);
    }
    return ks_wrap(rc, what);
}

void guard_close(struct guard *g)
{
    if (!g)
        return;
    lock(g);
    g->is_closing = true;
    g->must_unlock = false;
    unlock(g);
}

bool guard_stop(struct guard *g, uint32_t timeout_ms)
{
    if (!g || !g->is_started)
        return true;
    g->is_started = false;
    end_threads(g);
    pthread_join(g->ticker, NULL);
    return thread_join_within(g->worker, timeout_ms);
}

void guard_free(struct guard *g)
{
    if (!g)
        return;
    pthread_cond_destroy(&g->cond);
    pthread_mutex_destroy(&g->mutex);
    pthread_mutex_destroy(&g->record_mutex);
    mem_free(g);
}

/* state_of(g): what is true of the volume, not only of its lease. With the mutex held. */
static enum lease_state state_of(const struct guard *g)
{
    bool is_lease_open = g->lease.state == LEASE_OPEN || g->lease.state == LEASE_GRACE;

    if (is_lease_open && g->is_open)
        return g->lease.state;
    if (g->must_lock || g->is_locking || (g->has_keys && !is_lease_open))
        return LEASE_LOCKING;
    return LEASE_LOCKED;
}

/* With the mutex held. */
static void fill_status(struct guard *g, struct guard_status *ret)
{
    *ret = (struct guard_status){
        .state = state_of(g),
        .is_revoked = g->lease.is_revoked,
        .cause = g->cause,
        .left_ms = lease_left_ms(&g->lease, &g->conf.lease, now_ms(g)),
        .lease = g->conf.lease,
        .receipt = g->receipt,
    };
    memcpy(ret->message, g->message, sizeof ret->message);
}

static bool is_shown_same(const struct guard_status *a, const struct guard_status *b)
{
    return a->state == b->state && a->is_revoked == b->is_revoked && a->cause == b->cause &&
           strcmp(a->message, b->message) == 0 && a->receipt.at_s == b->receipt.at_s;
}

/* With the mutex held, at the end of each change. */
static void tell_changes(struct guard *g)
{
    struct guard_status now;

    fill_status(g, &now);
    if (is_shown_same(&now, &g->shown))
        return;
    g->shown = now;
    g->conf.ops->changed(g->conf.arg);
}

ks_rc guard_wait(struct guard *g, enum lease_state state, uint32_t timeout_ms)
{
    uint64_t deadline = now_ms(g) + timeout_ms;

    pthread_mutex_lock(&g->mutex);
    while (state_of(g) != state && now_ms(g) < deadline && !(g->is_closing && state == LEASE_OPEN))
        wait_some(g, 50);
    enum lease_state reached = state_of(g);
    pthread_mutex_unlock(&g->mutex);
    ENSURE(reached == state, KS_E_BUSY, "the volume is still %s", lease_state_name(reached));
    return KS_SUCCESS;
}

ks_rc guard_change_begin(struct guard *g)
{
    uint64_t deadline = now_ms(g) + CHANGE_WAIT_MS;

    lock(g);
    while (g->is_changing && state_of(g) == LEASE_OPEN && now_ms(g) < deadline)
        wait_some(g, 50);
    enum lease_state state = state_of(g);
    bool is_busy = g->is_changing;
    bool may = state == LEASE_OPEN && !is_busy;
    if (may) {
        g->is_changing = true;
        g->users++;
    }
    unlock(g);
    ENSURE(state == LEASE_OPEN, KS_E_STATE,
           "the volume is %s: keys are changed only while the key service grants their use",
           lease_state_name(state));
    ENSURE(!is_busy, KS_E_BUSY, "another change of this volume's keys is under way");
    return KS_SUCCESS;
}

void guard_change_end(struct guard *g)
{
    lock(g);
    g->is_changing = false;
    g->users--;
    unlock(g);
}

void guard_status(struct guard *g, struct guard_status *ret)
{
    pthread_mutex_lock(&g->mutex);
    fill_status(g, ret);
    pthread_mutex_unlock(&g->mutex);
}

void guard_set_lease(struct guard *g, const struct lease_conf *lease)
{
    lock(g);
    uint64_t drain_ms_max = g->conf.lease.drain_ms_max;
    g->conf.lease = *lease;
    if (!lease->drain_ms_max)
        g->conf.lease.drain_ms_max = drain_ms_max;
    unlock(g);
}
