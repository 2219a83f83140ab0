/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the guard does to the volume exactly what the lease decides, in the right order: it refuses before the
 * event returns, drains before it wipes, tells LOCKED only when the cache is dropped, never wipes under a user of
 * keys, gives up the process rather than the bound, and never opens a door that something has closed meanwhile.
 */
#include "fuse/guard.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

enum { LEASE_MS = 60000, GRACE_MS = 600000, START_MS = 1000000 };

/* A volume that writes down what is done to it: one letter each. */
struct fake {
    struct clock clock;       /* first: the clock is this struct */
    uint64_t now_ms, step_ms; /* each look at the clock takes step_ms */
    struct guard *guard;
    char log[64];
    ks_rc unlock_rc, wipe_rc, clean_rc, record_rc;
    uint64_t drain_takes_ms, clean_takes_ms;
    bool is_granted_while_cleaning, is_denied_while_cleaning;
    bool is_denied_while_unlocking, is_closed_while_unlocking, is_granted_while_draining,
        is_entered_while_draining;
    bool is_unlock_slow; /* after the denial it takes longer than a lock may, and a grant comes */
    bool is_revoked_while_draining, is_worked_while_recording;
    pthread_t *revoker; /* not NULL: while the record is cleared a revoke begins on this thread */
    bool is_restored_before_recording, is_revoke_ok, is_recorded; /* and goes so */
    int changes;
};

static uint64_t fake_boot_ms(struct clock *c)
{
    struct fake *f = (struct fake *)(void *)c;

    f->now_ms += f->step_ms;
    return f->now_ms;
}

static int64_t fake_wall_s(struct clock *c)
{
    (void)c;
    return 1234567890;
}

static void note(struct fake *f, char what)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&mutex);
    size_t n = strlen(f->log);
    assert_true(n + 1 < sizeof f->log);
    f->log[n] = what;
    f->log[n + 1] = 0;
    pthread_mutex_unlock(&mutex);
}

static void fake_refuse(void *arg)
{
    note(arg, 'R');
}

static void fake_open(void *arg)
{
    note(arg, 'O');
}

static void fake_drain(void *arg, uint64_t deadline_ms)
{
    struct fake *f = arg;
    uint64_t now = clock_boot_ms(&f->clock);

    assert_true((deadline_ms > now || f->is_unlock_slow) && deadline_ms < now + GUARD_DRAIN_MS_MAX);
    note(f, 'D');
    f->now_ms += f->drain_takes_ms;
    if (f->is_granted_while_draining)
        guard_grant(f->guard, f->now_ms);
    if (f->is_entered_while_draining)
        check_rc(guard_change_begin(f->guard), STATE);
    if (f->is_revoked_while_draining) {
        bool is_recorded = false;

        check_ok(guard_revoke(f->guard, "by request", &is_recorded));
        assert_true(is_recorded);
    }
}

static ks_rc fake_wipe(void *arg)
{
    struct fake *f = arg;

    note(f, 'W');
    return f->wipe_rc;
}

/* Whatever happens before it has ended, nobody is told LOCKED. */
static ks_rc fake_clean(void *arg, uint64_t deadline_ms)
{
    struct fake *f = arg;
    struct guard_status s;

    assert_true(deadline_ms <= clock_boot_ms(&f->clock) + GUARD_CLEAN_MS_MAX);
    f->now_ms += f->clean_takes_ms;
    guard_tick(f->guard);
    if (f->is_granted_while_cleaning)
        guard_grant(f->guard, f->now_ms);
    guard_status(f->guard, &s);
    assert_int_equal(s.state, LEASE_LOCKING);
    if (!strchr(f->log, 'C'))
        assert_int_equal(s.receipt.at_s, 0);
    if (f->is_denied_while_cleaning)
        guard_deny(f->guard, "denied again");
    f->is_granted_while_cleaning = f->is_denied_while_cleaning = false;
    note(f, 'C');
    return f->clean_rc;
}

static ks_rc fake_unlock(void *arg)
{
    struct fake *f = arg;

    note(f, 'U');
    if (f->is_denied_while_unlocking)
        guard_deny(f->guard, "denied meanwhile");
    f->is_denied_while_unlocking = false;
    if (f->is_unlock_slow && strcmp(f->log, "U") == 0) {
        f->now_ms += GUARD_DRAIN_MS_MAX + 1000;
        guard_tick(f->guard);
        guard_grant(f->guard, f->now_ms);
    }
    if (f->is_closed_while_unlocking)
        guard_close(f->guard);
    return f->unlock_rc;
}

static void *revoke_run(void *arg)
{
    struct fake *f = arg;

    f->is_revoke_ok = ks_ok(guard_revoke(f->guard, "by request", &f->is_recorded));
    return NULL;
}

/* Begins a revoke elsewhere and returns when it is in force; it cannot be recorded before this returns. */
static void begin_revoke(struct fake *f)
{
    struct guard_status s = {0};

    assert_int_equal(pthread_create(f->revoker, NULL, revoke_run, f), 0);
    while (!s.is_revoked)
        guard_status(f->guard, &s);
    if (f->is_restored_before_recording)
        guard_restore(f->guard);
}

static ks_rc fake_record(void *arg, bool is_revoked)
{
    struct fake *f = arg;

    if (!is_revoked && f->revoker)
        begin_revoke(f);
    note(f, is_revoked ? '+' : '-');
    if (f->is_worked_while_recording)
        guard_work(f->guard);
    return f->record_rc;
}

static void fake_announce(void *arg, bool is_locking)
{
    note(arg, is_locking ? 'l' : 'u');
}

static void fake_handles(void *arg, uint64_t deadline_ms, struct guard_handles *ret)
{
    (void)arg, (void)deadline_ms;
    *ret = (struct guard_handles){.count = 7};
}

static void fake_give_up(void *arg, const char *why)
{
    (void)why;
    note(arg, '!');
}

static void fake_changed(void *arg)
{
    struct fake *f = arg;

    f->changes++;
}

static const struct guard_ops fake_ops = {
    fake_refuse, fake_open,     fake_drain,   fake_wipe,    fake_clean,   fake_unlock,
    fake_record, fake_announce, fake_handles, fake_changed, fake_give_up,
};

static void setup(struct fake *f, bool is_granted, bool is_revoked)
{
    *f = (struct fake){.clock = {fake_boot_ms, fake_wall_s, NULL}, .now_ms = START_MS};
    struct guard_conf conf = {&f->clock, {LEASE_MS, GRACE_MS, 0}, START_MS, &fake_ops, f};

    check_ok(guard_new(&conf, is_granted, is_revoked, &f->guard));
}

static void teardown(struct fake *f)
{
    guard_free(f->guard);
}

static enum lease_state state(struct fake *f)
{
    struct guard_status s;

    guard_status(f->guard, &s);
    return s.state;
}

static void expect(struct fake *f, const char *log, enum lease_state want)
{
    assert_string_equal(f->log, log);
    assert_int_equal(state(f), want);
}

static void new__granted__opens(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    expect(&f, "O", LEASE_OPEN);
    teardown(&f);
}

/* The host sleeps between the question for the keys and the mount. */
static void new__granted_before_a_long_sleep__locks_with_the_first_tick(void **unused)
{
    struct fake f = {.clock = {fake_boot_ms, fake_wall_s, NULL}};
    struct guard_conf conf = {&f.clock, {LEASE_MS, GRACE_MS, 0}, START_MS, &fake_ops, &f};

    (void)unused;
    f.now_ms = START_MS + GRACE_MS;
    check_ok(guard_new(&conf, true, false, &f.guard));
    guard_tick(f.guard);
    expect(&f, "OR", LEASE_LOCKING);
    guard_work(f.guard);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    teardown(&f);
}

static void new__revoked__stays_closed(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, true);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "", LEASE_LOCKED);
    teardown(&f);
}

static void deny__while_open__refuses_before_it_returns(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    guard_deny(f.guard, "the key is disabled");
    expect(&f, "OR", LEASE_LOCKING);
    teardown(&f);
}

static void deny__worked_off__announces_drains_wipes(void **unused)
{
    struct fake f;
    struct guard_status s;

    (void)unused;
    setup(&f, true, false);
    f.drain_takes_ms = 40;
    guard_deny(f.guard, "the key is disabled");
    guard_work(f.guard);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    guard_status(f.guard, &s);
    assert_string_equal(s.receipt.reason, "the key is disabled");
    assert_int_equal(s.receipt.handles_cut, 7);
    assert_int_equal(s.receipt.duration_ms, 40);
    assert_int_equal(s.receipt.at_s, 1234567890);
    assert_int_equal(s.left_ms, 0);
    teardown(&f);
}

static void deny__twice__locks_once(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    guard_deny(f.guard, "a");
    guard_deny(f.guard, "b");
    guard_work(f.guard);
    guard_deny(f.guard, "c");
    guard_work(f.guard);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    teardown(&f);
}

static void unreach__until_the_grace_ends__locks_only_then(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    guard_unreach(f.guard, GUARD_CAUSE_UNREACHABLE, "no route");
    guard_work(f.guard);
    expect(&f, "O", LEASE_GRACE);
    f.now_ms = START_MS + GRACE_MS - 1;
    guard_tick(f.guard);
    expect(&f, "O", LEASE_GRACE);
    f.now_ms++;
    guard_tick(f.guard);
    guard_work(f.guard);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    teardown(&f);
}

static void expect_cause(struct fake *f, enum guard_cause cause, const char *message)
{
    struct guard_status s;

    guard_status(f->guard, &s);
    assert_int_equal(s.cause, cause);
    assert_string_equal(s.message, message);
}

static void cause__of_each_lock__is_that_of_who_locked(void **unused)
{
    struct guard_status s;
    bool is_recorded;
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    expect_cause(&f, GUARD_CAUSE_NONE, "");
    guard_deny(f.guard, "the key is disabled");
    expect_cause(&f, GUARD_CAUSE_DENIED, "the key is disabled");
    guard_work(f.guard);
    guard_status(f.guard, &s);
    assert_int_equal(s.receipt.cause, GUARD_CAUSE_DENIED);
    guard_unreach(f.guard, GUARD_CAUSE_UNREACHABLE, "no route"); /* a no stands until a yes */
    expect_cause(&f, GUARD_CAUSE_DENIED, "the key is disabled");
    check_ok(guard_revoke(f.guard, "by request", &is_recorded));
    expect_cause(&f, GUARD_CAUSE_REVOKED, "by request");
    guard_deny(f.guard, "the key is disabled");
    guard_unreach(f.guard, GUARD_CAUSE_UNREACHABLE, "no route");
    expect_cause(&f, GUARD_CAUSE_REVOKED, "by request");
    guard_restore(f.guard);
    expect_cause(&f, GUARD_CAUSE_NONE, "");
    guard_deny(f.guard, "still disabled");
    expect_cause(&f, GUARD_CAUSE_DENIED, "still disabled");
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect_cause(&f, GUARD_CAUSE_NONE, "");
    guard_status(f.guard, &s);
    assert_int_equal(s.receipt.cause, GUARD_CAUSE_DENIED); /* of the lock, not of now */
    teardown(&f);
}

static void cause__of_silence__from_the_grace_to_the_lock(void **unused)
{
    struct guard_status s;
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    guard_unreach(f.guard, GUARD_CAUSE_ERROR, "the keyring is damaged");
    expect_cause(&f, GUARD_CAUSE_ERROR, "the keyring is damaged");
    guard_grant(f.guard, f.now_ms);
    expect_cause(&f, GUARD_CAUSE_NONE, "");
    f.now_ms += LEASE_MS;
    guard_tick(f.guard);
    guard_status(f.guard, &s);
    assert_int_equal(s.state, LEASE_GRACE);
    assert_int_equal(s.cause, GUARD_CAUSE_UNREACHABLE);
    guard_unreach(f.guard, GUARD_CAUSE_UNREACHABLE, "no route");
    f.now_ms += GRACE_MS;
    guard_tick(f.guard);
    guard_work(f.guard);
    expect_cause(&f, GUARD_CAUSE_UNREACHABLE, "no route");
    guard_status(f.guard, &s);
    assert_int_equal(s.receipt.cause, GUARD_CAUSE_UNREACHABLE);
    teardown(&f);
}

static void cause__at_the_start__as_explained(void **unused)
{
    struct guard_status s;
    struct fake f;

    (void)unused;
    setup(&f, false, true);
    guard_status(f.guard, &s);
    assert_int_equal(s.cause, GUARD_CAUSE_REVOKED);
    teardown(&f);
    setup(&f, false, false);
    guard_explain(f.guard, guard_cause_of(ks_fail(KS_E_UNREACHABLE, "away")), "no route");
    expect_cause(&f, GUARD_CAUSE_UNREACHABLE, "no route");
    f.unlock_rc = ks_fail(KS_E_CORRUPT, "damaged");
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect_cause(&f, GUARD_CAUSE_ERROR, "damaged");
    teardown(&f);
}

static void cause_of__each_class__has_one(void **unused)
{
    (void)unused;
    static const struct {
        enum ks_code code;
        const char *cause;
    } rows[] = {
        {KS_E_KEY_DISABLED, "DENIED"}, {KS_E_TIMEOUT, "UNREACHABLE"},
        {KS_E_BUSY, "UNREACHABLE"},    {KS_E_ROLLED_BACK, "ROLLED_BACK"},
        {KS_E_AUTH, "ERROR"},          {KS_E_IO, "ERROR"},
        {KS_E_NO_MEMORY, "ERROR"},     {KS_E_USAGE, "ERROR"},
        {KS_E_BUG, "ERROR"},
    };

    assert_string_equal(guard_cause_name(guard_cause_of(KS_SUCCESS)), "NONE");
    assert_string_equal(guard_cause_name(GUARD_CAUSE_REVOKED), "REVOKED");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(guard_cause_name(guard_cause_of(ks_fail(rows[i].code, "told"))),
                            rows[i].cause);
}

static void changed__state_or_cause__told_once_each(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    guard_tick(f.guard);
    int before = f.changes;
    guard_tick(f.guard);
    guard_grant(f.guard, f.now_ms);
    assert_int_equal(f.changes, before);
    guard_deny(f.guard, "no");
    assert_int_equal(f.changes, before + 1);
    guard_deny(f.guard, "no");
    assert_int_equal(f.changes, before + 1);
    guard_deny(f.guard, "not at all");
    assert_int_equal(f.changes, before + 2);
    guard_work(f.guard);
    assert_int_equal(f.changes, before + 3); /* LOCKED, with its receipt */
    teardown(&f);
}

static void grant__when_locked__unlocks_then_opens(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, false);
    guard_grant(f.guard, f.now_ms);
    expect(&f, "", LEASE_LOCKED);
    guard_work(f.guard);
    expect(&f, "UOu", LEASE_OPEN);
    teardown(&f);
}

static void grant__keys_cannot_be_had__stays_locked_and_tries_again(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, false);
    f.unlock_rc = ks_fail(KS_E_UNREACHABLE, "gone again");
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "U", LEASE_LOCKED);
    f.unlock_rc = KS_SUCCESS;
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "UUOu", LEASE_OPEN);
    teardown(&f);
}

static void extend__locked__stays_locked(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, false);
    guard_extend(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "", LEASE_LOCKED);
    teardown(&f);
}

static void extend__open__lease_counts_from_the_time_given(void **unused)
{
    struct guard_status before, after;
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.now_ms += 1000;
    guard_status(f.guard, &before);
    guard_extend(f.guard, f.now_ms - 400);
    guard_status(f.guard, &after);
    assert_int_equal(after.left_ms - before.left_ms, 600);
    guard_extend(f.guard, f.now_ms - 900); /* an older one changes nothing */
    guard_status(f.guard, &before);
    assert_int_equal(before.left_ms, after.left_ms);
    teardown(&f);
}

/* The host sleeps while the answer waits in a socket. */
static void grant__asked_for_before_a_long_sleep__locks(void **unused)
{
    struct guard_status s;
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    uint64_t asked_ms = f.now_ms + 100;
    f.now_ms = asked_ms + GRACE_MS + 1;
    guard_grant(f.guard, asked_ms);
    expect(&f, "OR", LEASE_LOCKING);
    expect_cause(&f, GUARD_CAUSE_UNREACHABLE,
                 "the lease ran out: no answer of the key service for too long");
    guard_work(f.guard);
    guard_grant(f.guard, asked_ms); /* nor does it open */
    guard_work(f.guard);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    guard_status(f.guard, &s);
    assert_int_equal(s.receipt.cause, GUARD_CAUSE_UNREACHABLE);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "ORlDWCUOu", LEASE_OPEN);
    teardown(&f);
}

static void extend__asked_for_before_a_long_sleep__locks(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    uint64_t asked_ms = f.now_ms + 100;
    f.now_ms = asked_ms + GRACE_MS;
    guard_extend(f.guard, asked_ms);
    expect(&f, "OR", LEASE_LOCKING);
    teardown(&f);
}

static void grant__slow_answer__lease_counts_from_the_question(void **unused)
{
    struct guard_status s;
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.now_ms += 5000;
    guard_grant(f.guard, f.now_ms - 4000);
    guard_status(f.guard, &s);
    assert_int_equal(s.state, LEASE_OPEN);
    assert_int_equal(s.left_ms, GRACE_MS - 4000);
    teardown(&f);
}

static void deny__while_unlocking__never_opens_and_wipes(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, false);
    f.is_denied_while_unlocking = true;
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "UlDWC", LEASE_LOCKED);
    teardown(&f);
}

/* The lease is LOCKED by its own bound while the worker is still at the older unlock, and then OPEN, where no grant asks for
 * an unlock again: the one that was asked for is the last. */
static void grant__after_a_denial_in_a_slow_unlock__opens_after_the_lock(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, false);
    f.is_denied_while_unlocking = true;
    f.is_unlock_slow = true;
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "UlDWCUOu", LEASE_OPEN);
    teardown(&f);
}

static void deny__before_the_unlock_began__drops_the_unlock(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, false);
    guard_grant(f.guard, f.now_ms);
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    expect(&f, "lDWC", LEASE_LOCKED);
    teardown(&f);
}

static void grant__while_draining__does_not_keep_it_open(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.is_granted_while_draining = true;
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    teardown(&f);
}

static void wipe__request_still_running__gives_up(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.wipe_rc = ks_fail(KS_E_BUSY, "1 operation is in progress");
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    assert_string_equal(f.log, "ORlDW!");
    teardown(&f);
}

static void lock__cache_takes_longer_than_the_drain__is_locking_until_it_is_dropped(void **unused)
{
    struct guard_status s;
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.clean_takes_ms = 2 * GUARD_DRAIN_MS_MAX;
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    guard_status(f.guard, &s);
    assert_int_equal(s.receipt.duration_ms, 2 * GUARD_DRAIN_MS_MAX);
    teardown(&f);
}

static void lock__granted_while_the_cache_is_dropped__opens_only_then(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.clean_takes_ms = GUARD_DRAIN_MS_MAX;
    f.is_granted_while_cleaning = true;
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    expect(&f, "ORlDWCUOu", LEASE_OPEN);
    teardown(&f);
}

/* The second lock begins before the first has ended. */
static void lock__denied_again_while_the_cache_is_dropped__locks_once_more(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.clean_takes_ms = GUARD_DRAIN_MS_MAX;
    f.is_granted_while_cleaning = f.is_denied_while_cleaning = true;
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    assert_string_equal(f.log, "ORlDWClDWC");
    teardown(&f);
}

static void clean__does_not_end_in_time__gives_up_without_a_receipt(void **unused)
{
    struct guard_status s;
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.clean_rc = ks_fail(KS_E_BUSY, "the kernel does not drop all that it caches");
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    expect(&f, "ORlDWC!", LEASE_LOCKING);
    guard_status(f.guard, &s);
    assert_int_equal(s.receipt.at_s, 0);
    teardown(&f);
}

static void lock__change_does_not_end__gives_up_without_wiping(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    check_ok(guard_change_begin(f.guard));
    f.drain_takes_ms = GUARD_DRAIN_MS_MAX;
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    assert_string_equal(f.log, "ORlD!");
    guard_change_end(f.guard);
    teardown(&f);
}

static void revoke__while_open__is_recorded_before_the_wipe(void **unused)
{
    struct fake f;
    bool is_recorded = false;

    (void)unused;
    setup(&f, true, false);
    check_ok(guard_revoke(f.guard, "by request", &is_recorded));
    assert_true(is_recorded);
    expect(&f, "OR+", LEASE_LOCKING);
    guard_work(f.guard);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "OR+lDWC", LEASE_LOCKED);
    teardown(&f);
}

static void revoke__recording_fails__locks_all_the_same(void **unused)
{
    struct fake f;
    bool is_recorded = true;

    (void)unused;
    setup(&f, true, false);
    f.record_rc = ks_fail(KS_E_NO_SPACE, "disk full");
    check_rc(guard_revoke(f.guard, "by request", &is_recorded), NO_SPACE);
    assert_false(is_recorded);
    guard_work(f.guard);
    expect(&f, "OR+lDWC", LEASE_LOCKED);
    teardown(&f);
}

static void revoke__other_change_hangs__is_recorded_at_once(void **unused)
{
    struct fake f;
    bool is_recorded = false;

    (void)unused;
    setup(&f, true, false);
    check_ok(guard_change_begin(f.guard));
    check_ok(guard_revoke(f.guard, "by request", &is_recorded));
    assert_true(is_recorded);
    expect(&f, "OR+", LEASE_LOCKING);
    guard_change_end(f.guard);
    teardown(&f);
}

static void revoke__when_locked__is_recorded(void **unused)
{
    struct fake f;
    bool is_recorded = false;

    (void)unused;
    setup(&f, false, false);
    check_ok(guard_revoke(f.guard, "by request", &is_recorded));
    assert_true(is_recorded);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "+", LEASE_LOCKED);
    teardown(&f);
}

static void revoke__in_grace_and_while_locking__is_recorded(void **unused)
{
    struct fake f;
    bool is_recorded = false;

    (void)unused;
    setup(&f, true, false);
    guard_unreach(f.guard, GUARD_CAUSE_UNREACHABLE, "no route");
    check_ok(guard_revoke(f.guard, "by request", &is_recorded));
    assert_true(is_recorded);
    expect(&f, "OR+", LEASE_LOCKING);
    is_recorded = false;
    check_ok(guard_revoke(f.guard, "by request", &is_recorded));
    assert_true(is_recorded);
    guard_work(f.guard);
    expect(&f, "OR++lDWC", LEASE_LOCKED);
    teardown(&f);
}

/* A denial locks; the revoke comes while that drains, and is recorded before LOCKED is told. */
static void revoke__while_draining__is_recorded(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.is_revoked_while_draining = true;
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "ORlD+WC", LEASE_LOCKED);
    teardown(&f);
}

/* The revoke's record is on its way when the lock ends: LOCKED waits for it, the wipe does not. */
static void revoke__disk_hangs__keys_are_wiped_all_the_same(void **unused)
{
    struct fake f;
    bool is_recorded = false;

    (void)unused;
    setup(&f, true, false);
    f.is_worked_while_recording = true;
    f.step_ms = 500; /* time passes while it waits */
    check_ok(guard_revoke(f.guard, "by request", &is_recorded));
    assert_true(is_recorded);
    expect(&f, "OR+lDWC", LEASE_LOCKED);
    teardown(&f);
}

/* Recording takes its turn behind the removal that was under way, so the record stays. */
static void revoke__while_the_record_is_cleared__comes_last(void **unused)
{
    struct fake f;
    pthread_t thread;

    (void)unused;
    setup(&f, false, true);
    f.revoker = &thread;
    guard_restore(f.guard);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    pthread_join(thread, NULL);
    assert_true(f.is_revoke_ok && f.is_recorded);
    assert_memory_equal(f.log, "U-", 2); /* then, in any order, the record and the lock */
    assert_non_null(strchr(f.log, '+'));
    assert_int_equal(strlen(f.log), strlen("U-+lDWC"));
    assert_int_equal(state(&f), LEASE_LOCKED);
    teardown(&f);
}

static void restore__overtakes_the_record_of_a_revoke__nothing_is_recorded(void **unused)
{
    struct fake f;
    pthread_t thread;

    (void)unused;
    setup(&f, false, true);
    f.revoker = &thread;
    f.is_restored_before_recording = true;
    guard_restore(f.guard);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    pthread_join(thread, NULL);
    assert_true(f.is_revoke_ok);
    assert_false(f.is_recorded);
    expect(&f, "U-lDWC", LEASE_LOCKED);
    f.revoker = NULL;
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "U-lDWCU-Ou", LEASE_OPEN);
    teardown(&f);
}

static void restore__then_grant__opens_and_clears_the_record(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, true);
    guard_restore(f.guard);
    guard_work(f.guard);
    expect(&f, "", LEASE_LOCKED);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "U-Ou", LEASE_OPEN);
    teardown(&f);
}

static void revoke__after_restore_before_grant__stays_locked(void **unused)
{
    struct fake f;
    bool is_recorded = false;

    (void)unused;
    setup(&f, false, true);
    guard_restore(f.guard);
    check_ok(guard_revoke(f.guard, "again", &is_recorded));
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "+", LEASE_LOCKED);
    teardown(&f);
}

static void change__in_grace__is_refused(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    guard_unreach(f.guard, GUARD_CAUSE_UNREACHABLE, "no route");
    check_rc(guard_change_begin(f.guard), STATE);
    guard_grant(f.guard, f.now_ms);
    check_ok(guard_change_begin(f.guard));
    guard_change_end(f.guard);
    teardown(&f);
}

static void change__while_locking_or_locked__is_refused(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.is_entered_while_draining = true;
    guard_deny(f.guard, "denied");
    check_rc(guard_change_begin(f.guard), STATE);
    guard_work(f.guard);
    check_rc(guard_change_begin(f.guard), STATE);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    teardown(&f);
}

static void restore__record_cannot_be_cleared__opens_all_the_same(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, true);
    f.record_rc = ks_fail(KS_E_NO_SPACE, "disk full");
    guard_restore(f.guard);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "U-Ou", LEASE_OPEN);
    guard_work(f.guard); /* no second try without being asked */
    f.record_rc = KS_SUCCESS;
    guard_restore(f.guard);
    guard_work(f.guard);
    expect(&f, "U-Ou-", LEASE_OPEN);
    teardown(&f);
}

static void change__second_one__is_busy(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    check_ok(guard_change_begin(f.guard));
    f.step_ms = 500; /* time passes while it waits */
    check_rc(guard_change_begin(f.guard), BUSY);
    guard_change_end(f.guard);
    check_ok(guard_change_begin(f.guard));
    guard_change_end(f.guard);
    teardown(&f);
}

static void wait__never_comes__is_busy(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.step_ms = 1000;
    check_rc(guard_wait(f.guard, LEASE_LOCKED, 2000), BUSY);
    teardown(&f);
}

static void set_lease__shorter_grace__counts_from_the_last_grant(void **unused)
{
    struct fake f;
    struct lease_conf shorter = {2000, 3000, 0};

    (void)unused;
    setup(&f, true, false);
    guard_set_lease(f.guard, &shorter);
    f.now_ms = START_MS + 3000;
    guard_tick(f.guard);
    guard_work(f.guard);
    expect(&f, "ORlDWC", LEASE_LOCKED);
    teardown(&f);
}

static void close__granted_when_locked__stays_locked(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, false);
    guard_grant(f.guard, f.now_ms);
    guard_close(f.guard); /* drops the unlock that was to come, too */
    guard_work(f.guard);
    guard_deny(f.guard, "denied");
    guard_work(f.guard);
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    assert_null(strchr(f.log, 'U'));
    assert_null(strchr(f.log, 'O'));
    check_rc(guard_wait(f.guard, LEASE_OPEN, UINT32_MAX), BUSY); /* at once */
    teardown(&f);
}

static void close__while_unlocking__never_opens(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, false, false);
    f.is_closed_while_unlocking = true;
    guard_grant(f.guard, f.now_ms);
    guard_work(f.guard);
    expect(&f, "U", LEASE_LOCKED);
    teardown(&f);
}

static void close__revoked_when_open__locks_and_records(void **unused)
{
    struct fake f;
    bool is_recorded = false;

    (void)unused;
    setup(&f, true, false);
    guard_close(f.guard);
    check_ok(guard_revoke(f.guard, "by request", &is_recorded));
    assert_true(is_recorded);
    guard_work(f.guard);
    expect(&f, "OR+lDWC", LEASE_LOCKED);
    teardown(&f);
}

static void threads__deny_and_grant__end_where_they_should(void **unused)
{
    struct fake f;

    (void)unused;
    setup(&f, true, false);
    f.clock = *clock_system();
    check_ok(guard_start(f.guard));
    guard_deny(f.guard, "denied");
    check_ok(guard_wait(f.guard, LEASE_LOCKED, 10000));
    guard_grant(f.guard, clock_boot_ms(&f.clock));
    check_ok(guard_wait(f.guard, LEASE_OPEN, 10000));
    assert_true(guard_stop(f.guard, 10000));
    assert_string_equal(f.log, "ORlDWCUOu");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extend__locked__stays_locked),
        cmocka_unit_test(extend__open__lease_counts_from_the_time_given),
        cmocka_unit_test(close__granted_when_locked__stays_locked),
        cmocka_unit_test(close__while_unlocking__never_opens),
        cmocka_unit_test(close__revoked_when_open__locks_and_records),
        cmocka_unit_test(new__granted__opens),
        cmocka_unit_test(new__granted_before_a_long_sleep__locks_with_the_first_tick),
        cmocka_unit_test(new__revoked__stays_closed),
        cmocka_unit_test(deny__while_open__refuses_before_it_returns),
        cmocka_unit_test(deny__worked_off__announces_drains_wipes),
        cmocka_unit_test(deny__twice__locks_once),
        cmocka_unit_test(unreach__until_the_grace_ends__locks_only_then),
        cmocka_unit_test(cause__of_each_lock__is_that_of_who_locked),
        cmocka_unit_test(cause__of_silence__from_the_grace_to_the_lock),
        cmocka_unit_test(cause__at_the_start__as_explained),
        cmocka_unit_test(cause_of__each_class__has_one),
        cmocka_unit_test(changed__state_or_cause__told_once_each),
        cmocka_unit_test(grant__when_locked__unlocks_then_opens),
        cmocka_unit_test(grant__keys_cannot_be_had__stays_locked_and_tries_again),
        cmocka_unit_test(grant__asked_for_before_a_long_sleep__locks),
        cmocka_unit_test(extend__asked_for_before_a_long_sleep__locks),
        cmocka_unit_test(grant__slow_answer__lease_counts_from_the_question),
        cmocka_unit_test(deny__while_unlocking__never_opens_and_wipes),
        cmocka_unit_test(grant__after_a_denial_in_a_slow_unlock__opens_after_the_lock),
        cmocka_unit_test(deny__before_the_unlock_began__drops_the_unlock),
        cmocka_unit_test(grant__while_draining__does_not_keep_it_open),
        cmocka_unit_test(wipe__request_still_running__gives_up),
        cmocka_unit_test(lock__cache_takes_longer_than_the_drain__is_locking_until_it_is_dropped),
        cmocka_unit_test(lock__granted_while_the_cache_is_dropped__opens_only_then),
        cmocka_unit_test(lock__denied_again_while_the_cache_is_dropped__locks_once_more),
        cmocka_unit_test(clean__does_not_end_in_time__gives_up_without_a_receipt),
        cmocka_unit_test(lock__change_does_not_end__gives_up_without_wiping),
        cmocka_unit_test(revoke__while_open__is_recorded_before_the_wipe),
        cmocka_unit_test(revoke__recording_fails__locks_all_the_same),
        cmocka_unit_test(revoke__other_change_hangs__is_recorded_at_once),
        cmocka_unit_test(revoke__when_locked__is_recorded),
        cmocka_unit_test(revoke__in_grace_and_while_locking__is_recorded),
        cmocka_unit_test(revoke__while_draining__is_recorded),
        cmocka_unit_test(revoke__disk_hangs__keys_are_wiped_all_the_same),
        cmocka_unit_test(revoke__while_the_record_is_cleared__comes_last),
        cmocka_unit_test(restore__overtakes_the_record_of_a_revoke__nothing_is_recorded),
        cmocka_unit_test(restore__then_grant__opens_and_clears_the_record),
        cmocka_unit_test(revoke__after_restore_before_grant__stays_locked),
        cmocka_unit_test(change__in_grace__is_refused),
        cmocka_unit_test(change__while_locking_or_locked__is_refused),
        cmocka_unit_test(restore__record_cannot_be_cleared__opens_all_the_same),
        cmocka_unit_test(change__second_one__is_busy),
        cmocka_unit_test(wait__never_comes__is_busy),
        cmocka_unit_test(set_lease__shorter_grace__counts_from_the_last_grant),
        cmocka_unit_test(threads__deny_and_grant__end_where_they_should),
    };

    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
