/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: nobody gets more than the rate and its burst, nobody is refused because of others, and the time that is named is
 * long enough.
 */
#include <stdio.h>

#include "api/limit.h"
#include "check.h"

struct fixture {
    struct clock_manual clock;
    struct limiter *limiter;
};

static void open_with(struct fixture *f, uint32_t per_second)
{
    clock_manual_init(&f->clock, 1000000, 1700000000);
    check_ok(limiter_new(per_second, &f->clock.clock, &f->limiter));
}

static int taken(struct fixture *f, const char *name, int tries)
{
    int count = 0;

    for (int i = 0; i < tries; i++)
        count += limiter_take(f->limiter, name) == 0;
    return count;
}

static void take__at_once__burst_is_two_seconds_worth(void **state)
{
    struct fixture f;

    (void)state;
    open_with(&f, 50);
    assert_int_equal(taken(&f, "a", 500), 100);
    assert_int_equal(limiter_take(f.limiter, "a"), 1);
    limiter_free(f.limiter);
}

static void take__later__fills_at_the_rate_and_not_beyond(void **state)
{
    struct fixture f;

    (void)state;
    open_with(&f, 50);
    taken(&f, "a", 100);
    f.clock.now_ms += 100;
    assert_int_equal(taken(&f, "a", 500), 5);
    f.clock.now_ms += 3600 * 1000;
    assert_int_equal(taken(&f, "a", 500), 100);
    limiter_free(f.limiter);
}

/* As threads do that look at the clock one after the other and come to the bucket in the other order. */
static void take__with_an_earlier_time__fills_nothing(void **state)
{
    struct fixture f;

    (void)state;
    open_with(&f, 50);
    taken(&f, "a", 100);
    f.clock.now_ms -= 1;
    assert_int_equal(taken(&f, "a", 500), 0);
    f.clock.now_ms += 1;
    assert_int_equal(taken(&f, "a", 500), 0);
    limiter_free(f.limiter);
}

static void take__other_name__is_not_held_up(void **state)
{
    struct fixture f;

    (void)state;
    open_with(&f, 5);
    taken(&f, "a", 100);
    assert_int_equal(limiter_take(f.limiter, "b"), 0);
    assert_int_not_equal(limiter_take(f.limiter, "a"), 0);
    limiter_free(f.limiter);
}

static void take__after_the_seconds_named__granted(void **state)
{
    struct fixture f;

    (void)state;
    for (uint32_t rate = 1; rate < 100; rate += 7) {
        open_with(&f, rate);
        taken(&f, "a", 1000);
        uint32_t seconds = limiter_take(f.limiter, "a");
        assert_true(seconds > 0);
        f.clock.now_ms += (uint64_t)seconds * 1000;
        assert_int_equal(limiter_take(f.limiter, "a"), 0);
        limiter_free(f.limiter);
    }
}

static void take__more_names_than_buckets__none_refused(void **state)
{
    struct fixture f;
    char name[32];

    (void)state;
    open_with(&f, 1);
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        f.clock.now_ms += 1;
        assert_int_equal(limiter_take(f.limiter, name), 0);
    }
    limiter_free(f.limiter);
}

static void take__no_limit__always_granted(void **state)
{
    struct fixture f;

    (void)state;
    open_with(&f, 0);
    assert_int_equal(taken(&f, "a", 10000), 10000);
    limiter_free(f.limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take__at_once__burst_is_two_seconds_worth),
        cmocka_unit_test(take__later__fills_at_the_rate_and_not_beyond),
        cmocka_unit_test(take__with_an_earlier_time__fills_nothing),
        cmocka_unit_test(take__other_name__is_not_held_up),
        cmocka_unit_test(take__after_the_seconds_named__granted),
        cmocka_unit_test(take__more_names_than_buckets__none_refused),
        cmocka_unit_test(take__no_limit__always_granted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
