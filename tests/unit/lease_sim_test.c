/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the lease machine keeps its promises over thousands of random histories, not only in the
 * situations somebody thought of. Each history has its own settings, its own times between events
 * and its own seed, which a failure prints. An independent model of a few lines (when was the last
 * grant that counted, was it revoked since) says what must hold after each step.
 */
#include "key/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { HISTORIES = 4000, STEPS = 300, EVENTS = LEASE_DRAINED + 1 };

struct history {
    struct random_seeded random;
    uint64_t seed, now_ms;
    struct lease_conf conf;
    struct lease lease;

    /* the model */
    uint64_t asked_ms; /* what is answered now */
    uint64_t
        counted_grant_ms; /* when the last GRANT was asked for that was in time, while not locking and not revoked */
    uint64_t locking_since_ms;
    bool is_revoked;
};

static struct {
    uint64_t steps, opened, locked, graced, expired;
} seen;

static uint64_t draw(struct history *h, uint64_t below)
{
    uint64_t v;

    assert_true(ks_ok(random_fill(&h->random.random, &v, sizeof v)));
    return v % below;
}

static void holds(const struct history *h, bool is_right, const char *what)
{
    if (!is_right)
        fail_msg("seed %llu at %llu ms, state %s: %s", (unsigned long long)h->seed,
                 (unsigned long long)h->now_ms, lease_state_name(h->lease.state), what);
}

static uint64_t patience_ms(const struct history *h)
{
    return h->conf.grace_ms > h->conf.lease_ms_max ? h->conf.grace_ms : h->conf.lease_ms_max;
}

static uint64_t deadline_ms(const struct history *h)
{
    return h->counted_grant_ms + patience_ms(h);
}

static bool is_serving(enum lease_state state)
{
    return state == LEASE_OPEN || state == LEASE_GRACE;
}

/* Whether a grant counts: it was asked for lately, and heard before the deadline. */
static bool is_in_time(const struct history *h, enum lease_state before)
{
    if (is_serving(before))
        return h->now_ms < deadline_ms(h);
    return before == LEASE_LOCKED && h->now_ms - h->asked_ms < patience_ms(h);
}

static void model_step(struct history *h, enum lease_state before, enum lease_event event)
{
    if (event == LEASE_REVOKE)
        h->is_revoked = true;
    if (event == LEASE_RESTORE)
        h->is_revoked = false;
    if (event == LEASE_GRANT && !h->is_revoked && is_in_time(h, before) &&
        (!is_serving(before) || h->asked_ms > h->counted_grant_ms))
        h->counted_grant_ms = h->asked_ms;
    if (is_serving(before) && !is_serving(h->lease.state))
        h->locking_since_ms = h->now_ms;
}

static void check_serving(const struct history *h, enum lease_state before, enum lease_event event,
                          unsigned actions)
{
    if (is_serving(h->lease.state)) {
        holds(h, h->now_ms < deadline_ms(h), "serves after the deadline");
        holds(h, !h->is_revoked, "serves though revoked");
        holds(h, event != LEASE_DENY && event != LEASE_REVOKE, "serves after a refusal");
        holds(h, lease_left_ms(&h->lease, &h->conf, h->now_ms) == deadline_ms(h) - h->now_ms,
              "tells another deadline");
    }
    if (h->lease.state == LEASE_OPEN)
        holds(h, h->now_ms - h->counted_grant_ms < h->conf.lease_ms_max, "open with an old lease");
    if (!is_serving(before) && is_serving(h->lease.state)) {
        holds(h, event == LEASE_GRANT, "opened without a grant");
        holds(h, actions & LEASE_DO_UNLOCK, "opened without unlocking");
        seen.opened++;
    }
}

static void check_locking(const struct history *h, enum lease_state before, enum lease_event event,
                          unsigned actions)
{
    enum lease_state after = h->lease.state;

    if (is_serving(before) && !is_serving(after)) {
        holds(h, actions & LEASE_DO_REFUSE, "locks without refusing");
        holds(h, event == LEASE_DENY || event == LEASE_REVOKE || h->now_ms >= deadline_ms(h),
              "locks without a reason");
        seen.expired += event != LEASE_DENY && event != LEASE_REVOKE;
    }
    if (after == LEASE_LOCKING)
        holds(h, h->now_ms - h->locking_since_ms < h->conf.drain_ms_max, "drains too long");
    if (before == LEASE_LOCKING && event == LEASE_DRAINED)
        holds(h, after == LEASE_LOCKED, "is drained and not locked");
    if (before != LEASE_LOCKED && after == LEASE_LOCKED) {
        holds(h, actions & LEASE_DO_WIPE, "locked without wiping");
        seen.locked++;
    }
    holds(h, !(actions & LEASE_DO_WIPE) || after == LEASE_LOCKED, "wipes and is not locked");
    seen.graced += before == LEASE_OPEN && after == LEASE_GRACE;
}

/* Some histories are all outage, some all calm: an even mix of events would never reach a deadline. */
static enum lease_event draw_event(struct history *h)
{
    static const enum lease_event outage[] = {LEASE_UNREACH, LEASE_TICK};
    static const enum lease_event calm[] = {LEASE_GRANT, LEASE_GRANT, LEASE_TICK, LEASE_UNREACH};

    switch (h->seed % 4) {
    case 0:
        return draw(h, 50) ? outage[draw(h, 2)] : (enum lease_event)draw(h, EVENTS);
    case 1:
        return draw(h, 20) ? calm[draw(h, 4)] : (enum lease_event)draw(h, EVENTS);
    default:
        return (enum lease_event)draw(h, EVENTS);
    }
}

static void history_begin(struct history *h, uint64_t seed)
{
    *h = (struct history){.seed = seed};
    random_seeded_init(&h->random, seed);
    h->now_ms = 1 + draw(h, 1000000);
    h->conf = (struct lease_conf){200 + draw(h, 60000), draw(h, 3) ? draw(h, 400000) : 0,
                                  1 + draw(h, 5000)};
    h->is_revoked = draw(h, 4) == 0;
    lease_init(&h->lease, h->now_ms, draw(h, 4) != 0, h->is_revoked);
    h->counted_grant_ms = h->now_ms;
}

static void history_run(uint64_t seed)
{
    struct history h;

    history_begin(&h, seed);
    for (int i = 0; i < STEPS; i++) {
        enum lease_state before = h.lease.state;
        enum lease_event event = draw_event(&h);

        h.asked_ms = h.now_ms;
        h.now_ms += draw(&h, 10) ? draw(&h, h.conf.lease_ms_max) : draw(&h, 2000000);
        if (draw(&h, 2))
            h.asked_ms = h.now_ms;
        unsigned actions = event == LEASE_GRANT
                               ? lease_grant(&h.lease, &h.conf, h.asked_ms, h.now_ms)
                               : lease_step(&h.lease, &h.conf, event, h.now_ms);
        model_step(&h, before, event);
        check_serving(&h, before, event, actions);
        check_locking(&h, before, event, actions);
        seen.steps++;
    }
}

static void simulation__random_histories__keep_every_promise(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        history_run(seed);
    print_message("%llu steps: opened %llu, grace %llu, expired %llu, locked %llu\n",
                  (unsigned long long)seen.steps, (unsigned long long)seen.opened,
                  (unsigned long long)seen.graced, (unsigned long long)seen.expired,
                  (unsigned long long)seen.locked);
    assert_true(seen.opened > HISTORIES && seen.locked > HISTORIES);
    assert_true(seen.graced > HISTORIES && seen.expired > HISTORIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simulation__random_histories__keep_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
