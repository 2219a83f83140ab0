/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/guard.h - carries out what the lease decides: refuse, drain, wipe, unlock.
 *
 * Owns the lease. Invariant: requests are admitted only while the lease is OPEN or GRACE, and keys are
 * never wiped under somebody who uses them: users are counted, waited for until the bound, and if they do
 * not end, the process gives up itself instead of the bound. LOCKED is told, and the receipt written, when the kernel has dropped its
 * cache behind the closed door as well. Events come from any thread and never wait;
 * one thread (guard_work) does what takes time, in order.
 * What is done to the volume is behind struct guard_ops, so that all of this is tested without one.
 */
#pragma once

#include "base/clock.h"
#include "base/rc.h"
#include "key/lease.h"

struct guard;

/* A lock has taken the keys by the first bound, and by the second the kernel has dropped what it cached: or the process gives up. */
enum { GUARD_DRAIN_MS_MAX = 5000, GUARD_CLEAN_MS_MAX = 15000 };
enum { GUARD_REASON_BYTES = 256, GUARD_MESSAGE_BYTES = 512 };

/* Why a volume is not simply open. */
enum guard_cause {
    GUARD_CAUSE_NONE,
    GUARD_CAUSE_REVOKED,     /* by us */
    GUARD_CAUSE_DENIED,      /* by the key service */
    GUARD_CAUSE_UNREACHABLE, /* the key service says nothing */
    GUARD_CAUSE_ERROR,       /* something else than the key: damage, the disk, memory */
    GUARD_CAUSE_ROLLED_BACK, /* the keyring is older than one that was there before */
};

enum { GUARD_NAMES_BYTES = 256 };

/* Open files, as far as they could be counted. */
struct guard_handles {
    uint64_t count;
    bool is_partial;               /* there may be more: the time was over */
    char names[GUARD_NAMES_BYTES]; /* some of the processes; "" for none */
};

/* What the guard does to the volume. arg is guard_conf's. */
struct guard_ops {
    /* Quick, called with the guard's mutex held: stop admitting anything but writes; admit everything. */
    void (*refuse)(void *arg);
    void (*open)(void *arg);
    /* drain(arg, deadline_ms): has the kernel write back and drop its cache, then admits nothing more and waits
     * for requests; returns by the deadline (boot time), done or not. */
    void (*drain)(void *arg, uint64_t deadline_ms);
    /* wipe(arg): keys out of memory; BUSY when a request still uses them. */
    ks_rc (*wipe)(void *arg) KS_MUST;
    /* clean(arg, deadline_ms): after the wipe: has the kernel drop all that it caches, which may take long; a failure by the deadline
     * when something may be left. */
    ks_rc (*clean)(void *arg, uint64_t deadline_ms) KS_MUST;
    /* unlock(arg): gets keys from the key service and readies the volume; admits nothing yet. */
    ks_rc (*unlock)(void *arg) KS_MUST;
    /* record(arg, is_revoked): the fact, durably. Needs no key; called by one thread at a time. */
    ks_rc (*record)(void *arg, bool is_revoked) KS_MUST;
    /* announce(arg, is_locking): the operator's program is to be started; quick. */
    void (*announce)(void *arg, bool is_locking);
    /* handles(arg, deadline_ms, ret): how many files were open when drain was called, and by whom. The keys are gone by then; returns
     * by the deadline, with what is known. */
    void (*handles)(void *arg, uint64_t deadline_ms, struct guard_handles *ret);
    /* changed(arg): state, cause, message or receipt are others now. Called with the guard's mutex held; quick. */
    void (*changed)(void *arg);
    /* give_up(arg, why): the keys cannot be wiped, or the cache not dropped: end the process, and the keys with it. Does not return,
     * but in tests. */
    void (*give_up)(void *arg, const char *why);
};

struct guard_conf {
    struct clock *clock;
    struct lease_conf lease; /* drain_ms_max 0: the default */
    uint64_t asked_ms;       /* boot time at which the grant that it starts with was asked for */
    const struct guard_ops *ops;
    void *arg;
};

/* What a lock did; the last one is kept. */
struct guard_receipt {
    int64_t at_s;           /* 0: there was none */
    enum guard_cause cause; /* when it began */
    char reason[GUARD_REASON_BYTES];
    uint64_t duration_ms, handles_cut;
};

struct guard_status {
    enum lease_state state; /* LOCKED only once the keys are wiped and the kernel caches nothing */
    bool is_revoked;
    enum guard_cause cause;
    char message[GUARD_MESSAGE_BYTES]; /* of the cause; "" for none */
    uint64_t left_ms;
    struct lease_conf lease;
    struct guard_receipt receipt; /* that of the last lock; LOCKED is not seen before it */
};

/* guard_cause_name(cause): "NONE", "REVOKED", ...; static. */
const char *guard_cause_name(enum guard_cause cause);
/* guard_cause_of(rc): what a failure to get or use the keys is a cause of. */
enum guard_cause guard_cause_of(ks_rc rc);

/* guard_new(conf, is_granted, is_revoked, ret): when granted and not revoked the volume has its keys, and is
 * opened; else it starts locked. A tick before anything is served locks when the grant is too old already. */
ks_rc guard_new(const struct guard_conf *conf, bool is_granted, bool is_revoked,
                struct guard **ret) KS_MUST;
/* guard_start(g): the threads that tick and work, as guard_tick and guard_work do for a caller who has time in hand. Without
 * all of them it fails and leaves none. */
ks_rc guard_start(struct guard *g) KS_MUST;
/* guard_close(g): from here on nothing is opened, whatever is granted; locks are carried out as before. An unlock that is under way
 * may still bring keys in. */
void guard_close(struct guard *g);
/* guard_stop(g, timeout_ms): ends the threads; the volume stays as it is. Whether they have ended by then: else g is left behind with
 * the one that hangs. guard_free(g): after a stop that succeeded. */
bool guard_stop(struct guard *g, uint32_t timeout_ms);
void guard_free(struct guard *g);

/* What the key service said; why is for people. */
/* guard_grant(g, asked_ms): the lease counts from the (boot) time at which was asked. Heard after the deadline it is too late, and the
 * volume locks as if there had been no answer. */
void guard_grant(struct guard *g, uint64_t asked_ms);
/* guard_extend(g, asked_ms): while OPEN the same for another volume's probe of the same key. In any other state nothing: only a grant
 * of its own opens a volume. */
void guard_extend(struct guard *g, uint64_t asked_ms);
void guard_deny(struct guard *g, const char *why);
/* guard_unreach(g, cause, why): no answer about the key: UNREACHABLE, or ERROR when it is not the service's silence. */
void guard_unreach(struct guard *g, enum guard_cause cause, const char *why);
/* guard_explain(g, cause, why): why it starts locked. */
void guard_explain(struct guard *g, enum guard_cause cause, const char *why);
void guard_tick(struct guard *g);

/*
 * guard_revoke(g, why): locks now and returns when that is recorded, whatever the state was; LOCKED is not told
 * before that either, within the bound. The lock goes on when recording fails. *ret_recorded is false then, and
 * when a restore overtook the revoke.
 */
ks_rc guard_revoke(struct guard *g, const char *why, bool *ret_recorded) KS_MUST;
/* guard_restore(g): the next grant opens. The record goes before the door opens; a volume that is open
 * (because the record could not be removed then) loses it now. */
void guard_restore(struct guard *g);
/* guard_wait(g, state, timeout_ms): until the volume is in that state; BUSY after the time-out, and when it is to be open but nothing
 * is opened any more. */
ks_rc guard_wait(struct guard *g, enum lease_state state, uint32_t timeout_ms) KS_MUST;

/*
 * guard_change_begin(g): a change of the keyring, which uses the keys until guard_change_end: one at a time
 * (BUSY after some seconds), and only while the lease is OPEN (STATE otherwise, also in GRACE).
 */
ks_rc guard_change_begin(struct guard *g) KS_MUST;
void guard_change_end(struct guard *g);

void guard_status(struct guard *g, struct guard_status *ret);
/* guard_set_lease(g, lease): new durations; drain_ms_max 0: as before. */
void guard_set_lease(struct guard *g, const struct lease_conf *lease);

/* guard_work(g): does what is to be done and returns; for the thread, and for tests. */
void guard_work(struct guard *g);
