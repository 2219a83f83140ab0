/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every cell of the lease machine's table does what docs/REVOCATION.md says, no more; timers
 * are due at their millisecond and not before; flapping cannot extend a deadline.
 */
#include "key/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { START = 1000000, LEASE_MS = 60000, GRACE_MS = 3600000, DRAIN_MS = 5000 };

static const struct lease_conf conf = {LEASE_MS, GRACE_MS, DRAIN_MS};

/* A lease in the given state at START, granted just then. */
static struct lease lease_in(enum lease_state state, bool is_revoked)
{
    return (struct lease){state, is_revoked, START, START};
}

struct cell {
    enum lease_state from;
    bool was_revoked;
    enum lease_event event;
    enum lease_state to;
    bool is_revoked;
    unsigned actions;
};

static const struct cell cells[] = {
    {LEASE_OPEN, false, LEASE_GRANT, LEASE_OPEN, false, 0},
    {LEASE_OPEN, false, LEASE_DENY, LEASE_LOCKING, false, LEASE_DO_REFUSE},
    {LEASE_OPEN, false, LEASE_UNREACH, LEASE_GRACE, false, LEASE_DO_ALERT},
    {LEASE_OPEN, false, LEASE_TICK, LEASE_OPEN, false, 0},
    {LEASE_OPEN, false, LEASE_REVOKE, LEASE_LOCKING, true, LEASE_DO_REFUSE},
    {LEASE_OPEN, false, LEASE_RESTORE, LEASE_OPEN, false, 0},
    {LEASE_OPEN, false, LEASE_DRAINED, LEASE_OPEN, false, 0},

    {LEASE_GRACE, false, LEASE_GRANT, LEASE_OPEN, false, 0},
    {LEASE_GRACE, false, LEASE_DENY, LEASE_LOCKING, false, LEASE_DO_REFUSE},
    {LEASE_GRACE, false, LEASE_UNREACH, LEASE_GRACE, false, 0},
    {LEASE_GRACE, false, LEASE_TICK, LEASE_GRACE, false, 0},
    {LEASE_GRACE, false, LEASE_REVOKE, LEASE_LOCKING, true, LEASE_DO_REFUSE},
    {LEASE_GRACE, false, LEASE_RESTORE, LEASE_GRACE, false, 0},
    {LEASE_GRACE, false, LEASE_DRAINED, LEASE_GRACE, false, 0},

    {LEASE_LOCKING, false, LEASE_GRANT, LEASE_LOCKING, false, 0},
    {LEASE_LOCKING, false, LEASE_DENY, LEASE_LOCKING, false, 0},
    {LEASE_LOCKING, false, LEASE_UNREACH, LEASE_LOCKING, false, 0},
    {LEASE_LOCKING, false, LEASE_TICK, LEASE_LOCKING, false, 0},
    {LEASE_LOCKING, false, LEASE_REVOKE, LEASE_LOCKING, true, 0},
    {LEASE_LOCKING, false, LEASE_RESTORE, LEASE_LOCKING, false, 0},
    {LEASE_LOCKING, false, LEASE_DRAINED, LEASE_LOCKED, false, LEASE_DO_WIPE},
    {LEASE_LOCKING, true, LEASE_GRANT, LEASE_LOCKING, true, 0},
    {LEASE_LOCKING, true, LEASE_DENY, LEASE_LOCKING, true, 0},
    {LEASE_LOCKING, true, LEASE_UNREACH, LEASE_LOCKING, true, 0},
    {LEASE_LOCKING, true, LEASE_TICK, LEASE_LOCKING, true, 0},
    {LEASE_LOCKING, true, LEASE_REVOKE, LEASE_LOCKING, true, 0},
    {LEASE_LOCKING, true, LEASE_RESTORE, LEASE_LOCKING, false, 0},
    {LEASE_LOCKING, true, LEASE_DRAINED, LEASE_LOCKED, true, LEASE_DO_WIPE},

    {LEASE_LOCKED, false, LEASE_GRANT, LEASE_OPEN, false, LEASE_DO_UNLOCK},
    {LEASE_LOCKED, false, LEASE_DENY, LEASE_LOCKED, false, 0},
    {LEASE_LOCKED, false, LEASE_UNREACH, LEASE_LOCKED, false, 0},
    {LEASE_LOCKED, false, LEASE_TICK, LEASE_LOCKED, false, 0},
    {LEASE_LOCKED, false, LEASE_REVOKE, LEASE_LOCKED, true, 0},
    {LEASE_LOCKED, false, LEASE_RESTORE, LEASE_LOCKED, false, 0},
    {LEASE_LOCKED, false, LEASE_DRAINED, LEASE_LOCKED, false, 0},
    {LEASE_LOCKED, true, LEASE_GRANT, LEASE_LOCKED, true, 0},
    {LEASE_LOCKED, true, LEASE_DENY, LEASE_LOCKED, true, 0},
    {LEASE_LOCKED, true, LEASE_UNREACH, LEASE_LOCKED, true, 0},
    {LEASE_LOCKED, true, LEASE_TICK, LEASE_LOCKED, true, 0},
    {LEASE_LOCKED, true, LEASE_REVOKE, LEASE_LOCKED, true, 0},
    {LEASE_LOCKED, true, LEASE_RESTORE, LEASE_LOCKED, false, 0},
    {LEASE_LOCKED, true, LEASE_DRAINED, LEASE_LOCKED, true, 0},
};

enum { CELL_COUNT = sizeof cells / sizeof cells[0] };

static void check_cell(const struct cell *c)
{
    struct lease l = lease_in(c->from, c->was_revoked);
    unsigned actions = lease_step(&l, &conf, c->event, START + 1);

    if (l.state != c->to || l.is_revoked != c->is_revoked || actions != c->actions)
        fail_msg("%s%s on %s: %s%s with actions %u", lease_state_name(c->from),
                 c->was_revoked ? " (revoked)" : "", lease_event_name(c->event),
                 lease_state_name(l.state), l.is_revoked ? " (revoked)" : "", actions);
}

static void step__each_state_and_event__follows_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < CELL_COUNT; i++)
        check_cell(&cells[i]);
}

/* 4 states; LOCKING and LOCKED are there revoked too; 7 events. A new state or event must be added
 * to the table above. */
static void table__of_this_test__is_complete(void **state)
{
    (void)state;
    assert_int_equal(CELL_COUNT, 6 * 7);
    for (size_t i = 0; i < CELL_COUNT; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(cells[i].from == cells[j].from && cells[i].event == cells[j].event &&
                         cells[i].was_revoked == cells[j].was_revoked);
}

static void init__granted__is_open(void **state)
{
    struct lease l;

    (void)state;
    lease_init(&l, START, true, false);
    assert_int_equal(l.state, LEASE_OPEN);
    assert_int_equal(lease_left_ms(&l, &conf, START), GRACE_MS);
}

static void init__not_granted__is_locked_and_opens_with_a_grant(void **state)
{
    struct lease l;

    (void)state;
    lease_init(&l, START, false, false);
    assert_int_equal(l.state, LEASE_LOCKED);
    assert_int_equal(lease_left_ms(&l, &conf, START), 0);
    assert_int_equal(lease_step(&l, &conf, LEASE_GRANT, START + 5), LEASE_DO_UNLOCK);
    assert_int_equal(l.state, LEASE_OPEN);
    assert_int_equal(l.last_grant_ms, START + 5);
}

static void init__granted_but_revoked__is_locked_until_restored(void **state)
{
    struct lease l;

    (void)state;
    lease_init(&l, START, true, true);
    assert_int_equal(l.state, LEASE_LOCKED);
    assert_int_equal(lease_step(&l, &conf, LEASE_GRANT, START + 1), 0);
    assert_int_equal(l.state, LEASE_LOCKED);
    assert_int_equal(lease_step(&l, &conf, LEASE_RESTORE, START + 2), 0);
    assert_int_equal(l.state, LEASE_LOCKED);
    assert_int_equal(lease_step(&l, &conf, LEASE_GRANT, START + 3), LEASE_DO_UNLOCK);
    assert_int_equal(l.state, LEASE_OPEN);
}

static void open__lease_runs_out__is_grace_at_that_millisecond(void **state)
{
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, START + LEASE_MS - 1), 0);
    assert_int_equal(l.state, LEASE_OPEN);
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, START + LEASE_MS), LEASE_DO_ALERT);
    assert_int_equal(l.state, LEASE_GRACE);
}

static void grace__deadline__is_counted_from_the_last_grant(void **state)
{
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    lease_step(&l, &conf, LEASE_GRANT, START + 1000);
    lease_step(&l, &conf, LEASE_UNREACH, START + 16000);
    assert_int_equal(l.state, LEASE_GRACE);
    assert_int_equal(lease_left_ms(&l, &conf, START + 16000), GRACE_MS - 15000);
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, START + 999 + GRACE_MS), 0);
    assert_int_equal(l.state, LEASE_GRACE);
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, START + 1000 + GRACE_MS), LEASE_DO_REFUSE);
    assert_int_equal(l.state, LEASE_LOCKING);
    assert_int_equal(lease_left_ms(&l, &conf, START + 1000 + GRACE_MS), 0);
}

static void grace__flapping_without_a_grant__does_not_extend(void **state)
{
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    for (uint64_t t = 0; t < GRACE_MS; t += 1000)
        lease_step(&l, &conf, t % 2000 ? LEASE_UNREACH : LEASE_TICK, START + t);
    assert_int_equal(l.state, LEASE_GRACE);
    lease_step(&l, &conf, LEASE_UNREACH, START + GRACE_MS);
    assert_int_equal(l.state, LEASE_LOCKING);
}

static void open__host_slept_past_the_deadline__locks_at_once(void **state)
{
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, START + 2 * GRACE_MS),
                     LEASE_DO_ALERT | LEASE_DO_REFUSE);
    assert_int_equal(l.state, LEASE_LOCKING);
}

/* The first event after it wakes locks, whichever it is. */
static void open__grant_after_a_long_sleep__locks(void **state)
{
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    assert_int_equal(lease_step(&l, &conf, LEASE_GRANT, START + 2 * GRACE_MS),
                     LEASE_DO_ALERT | LEASE_DO_REFUSE);
    assert_int_equal(l.state, LEASE_LOCKING);
    assert_int_equal(l.last_grant_ms, START);
}

static void grace__grant_heard_at_the_deadline__is_too_late(void **state)
{
    struct lease l = lease_in(LEASE_GRACE, false);

    (void)state;
    assert_int_equal(lease_grant(&l, &conf, START + 15000, START + GRACE_MS - 1), LEASE_DO_ALERT);
    assert_int_equal(l.state, LEASE_GRACE); /* the lease is older than it may be */
    l = lease_in(LEASE_GRACE, false);
    assert_int_equal(lease_grant(&l, &conf, START + 15000, START + GRACE_MS), LEASE_DO_REFUSE);
    assert_int_equal(l.state, LEASE_LOCKING);
}

static void open__grant__counts_from_when_it_was_asked_for(void **state)
{
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    lease_grant(&l, &conf, START + 15000, START + 40000);
    assert_int_equal(l.last_grant_ms, START + 15000);
    assert_int_equal(lease_left_ms(&l, &conf, START + 40000), GRACE_MS - 25000);
    lease_grant(&l, &conf, START + 10000, START + 41000); /* an older one changes nothing */
    assert_int_equal(l.last_grant_ms, START + 15000);
}

static void locked__grant_asked_for_long_ago__opens_nothing(void **state)
{
    struct lease l = lease_in(LEASE_LOCKED, false);

    (void)state;
    assert_int_equal(lease_grant(&l, &conf, START + 1, START + 1 + GRACE_MS), 0);
    assert_int_equal(l.state, LEASE_LOCKED);
    assert_int_equal(lease_grant(&l, &conf, START + 2, START + 1 + GRACE_MS),
                     LEASE_DO_UNLOCK | LEASE_DO_ALERT);
    assert_int_equal(l.state, LEASE_GRACE);
    assert_int_equal(lease_left_ms(&l, &conf, START + 1 + GRACE_MS), 1);
}

static void grace_shorter_than_the_lease__unreach__waits_for_the_lease(void **state)
{
    static const struct lease_conf no_grace = {LEASE_MS, 0, DRAIN_MS};
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    assert_int_equal(lease_step(&l, &no_grace, LEASE_UNREACH, START + 1), LEASE_DO_ALERT);
    assert_int_equal(l.state, LEASE_GRACE);
    assert_int_equal(lease_left_ms(&l, &no_grace, START + 1), LEASE_MS - 1);
    assert_int_equal(lease_step(&l, &no_grace, LEASE_TICK, START + LEASE_MS - 1), 0);
    assert_int_equal(lease_step(&l, &no_grace, LEASE_TICK, START + LEASE_MS), LEASE_DO_REFUSE);
    assert_int_equal(l.state, LEASE_LOCKING);
}

static void locking__drain_takes_too_long__wipes_all_the_same(void **state)
{
    struct lease l = lease_in(LEASE_LOCKING, false);

    (void)state;
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, START + DRAIN_MS - 1), 0);
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, START + DRAIN_MS), LEASE_DO_WIPE);
    assert_int_equal(l.state, LEASE_LOCKED);
}

static void locking__more_denials__do_not_restart_the_drain(void **state)
{
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    lease_step(&l, &conf, LEASE_DENY, START);
    lease_step(&l, &conf, LEASE_DENY, START + 3000);
    lease_step(&l, &conf, LEASE_REVOKE, START + 4000);
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, START + DRAIN_MS), LEASE_DO_WIPE);
}

static void locking__late_grant__locks_and_does_not_count(void **state)
{
    struct lease l = lease_in(LEASE_LOCKING, false);

    (void)state;
    assert_int_equal(lease_step(&l, &conf, LEASE_GRANT, START + DRAIN_MS), LEASE_DO_WIPE);
    assert_int_equal(l.state, LEASE_LOCKED);
    assert_int_equal(l.last_grant_ms, START);
}

static void step__time_goes_backwards__is_taken_as_no_time(void **state)
{
    struct lease l = lease_in(LEASE_OPEN, false);

    (void)state;
    assert_int_equal(lease_step(&l, &conf, LEASE_TICK, 5), 0);
    assert_int_equal(lease_step(&l, &conf, LEASE_GRANT, 5), 0);
    assert_int_equal(l.state, LEASE_OPEN);
    assert_int_equal(l.last_grant_ms, START);
}

static void names__are_those_of_the_document(void **state)
{
    (void)state;
    assert_string_equal(lease_state_name(LEASE_LOCKING), "LOCKING");
    assert_string_equal(lease_event_name(LEASE_UNREACH), "UNREACH");
    assert_string_equal(lease_event_name(LEASE_DRAINED), "DRAINED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step__each_state_and_event__follows_the_table),
        cmocka_unit_test(table__of_this_test__is_complete),
        cmocka_unit_test(init__granted__is_open),
        cmocka_unit_test(init__not_granted__is_locked_and_opens_with_a_grant),
        cmocka_unit_test(init__granted_but_revoked__is_locked_until_restored),
        cmocka_unit_test(open__lease_runs_out__is_grace_at_that_millisecond),
        cmocka_unit_test(grace__deadline__is_counted_from_the_last_grant),
        cmocka_unit_test(grace__flapping_without_a_grant__does_not_extend),
        cmocka_unit_test(open__host_slept_past_the_deadline__locks_at_once),
        cmocka_unit_test(open__grant_after_a_long_sleep__locks),
        cmocka_unit_test(grace__grant_heard_at_the_deadline__is_too_late),
        cmocka_unit_test(open__grant__counts_from_when_it_was_asked_for),
        cmocka_unit_test(locked__grant_asked_for_long_ago__opens_nothing),
        cmocka_unit_test(grace_shorter_than_the_lease__unreach__waits_for_the_lease),
        cmocka_unit_test(locking__drain_takes_too_long__wipes_all_the_same),
        cmocka_unit_test(locking__more_denials__do_not_restart_the_drain),
        cmocka_unit_test(locking__late_grant__locks_and_does_not_count),
        cmocka_unit_test(step__time_goes_backwards__is_taken_as_no_time),
        cmocka_unit_test(names__are_those_of_the_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
