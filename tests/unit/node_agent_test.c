/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the end of an agent waits for what is urgent, and not for ever.
 */
#include "base/mem.h"

#include "agent_fixture.h"

enum { END_MS_MAX = 20000 }; /* docs/NODE.md */

/* A clock by which the lock of the volume ends. */
struct ending {
    struct clock_manual manual; /* first */
    struct agent_fixture *f;
    uint64_t ends_at_ms; /* 0: never */
};

static void sleep_and_end(struct clock *clock, uint64_t ms)
{
    struct ending *e = (struct ending *)(void *)clock;

    e->manual.now_ms += ms;
    if (e->ends_at_ms && e->manual.now_ms >= e->ends_at_ms)
        e->f->h->is_locking = false;
}

static struct ending clock_for(struct agent_fixture *f, uint64_t ends_at_ms)
{
    struct ending e = {.f = f, .ends_at_ms = ends_at_ms};

    clock_manual_init(&e.manual, 0, FIXTURE_NOW_S);
    e.manual.clock.sleep_ms = sleep_and_end;
    return e;
}

static void end__nothing_is_urgent__waits_for_nothing(void **state)
{
    struct agent_fixture *f = *state;
    struct ending e = clock_for(f, 0);

    f->a.clock = &e.manual.clock;
    assert_true(agent_wait_urgent(&f->a));
    assert_int_equal(e.manual.now_ms, 0);
}

static void end__a_lock_is_under_way__waits_until_it_is_over(void **state)
{
    struct agent_fixture *f = *state;
    struct ending e = clock_for(f, 7000);

    f->a.clock = &e.manual.clock;
    f->h->is_locking = true;
    assert_true(agent_wait_urgent(&f->a));
    assert_int_equal(e.manual.now_ms, 7000);
}

static void end__a_lock_hangs__is_left_after_its_bound(void **state)
{
    struct agent_fixture *f = *state;
    struct ending e = clock_for(f, 0);

    f->a.clock = &e.manual.clock;
    f->h->is_locking = true;
    assert_false(agent_wait_urgent(&f->a));
    assert_int_equal(e.manual.now_ms, END_MS_MAX);
    assert_true(f->h->is_locking);
}

#define T(name) cmocka_unit_test_setup_teardown(name, agent_setup, agent_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(end__nothing_is_urgent__waits_for_nothing),
        T(end__a_lock_is_under_way__waits_until_it_is_over),
        T(end__a_lock_hangs__is_left_after_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
