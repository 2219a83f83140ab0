/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: what is new is asked for at once, and a control plane that talks nonsense without end is asked a bounded number of times.
 */
#include "node/pace.h"

#include "check.h"

static void pause__news__are_followed_at_once(void **state)
{
    struct pace p = {0};

    (void)state;
    for (unsigned i = 1; i < PACE_ANSWERS_MAX; i++)
        assert_int_equal(pace_pause(&p, 5000 + i, true), 0);
}

static void pause__news_without_end__so_many_in_a_second(void **state)
{
    struct pace p = {0};
    uint64_t now_ms = 5000;

    (void)state;
    for (int i = 0; i < 100000; i++)
        now_ms += pace_pause(&p, now_ms, true);
    assert_int_equal(now_ms, 5000 + 100000 / PACE_ANSWERS_MAX * PACE_MS);
}

static void pause__nothing_new__a_second_each_time(void **state)
{
    struct pace p = {0};

    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(pace_pause(&p, 5000 + i, false), PACE_MS);
    assert_int_equal(pace_pause(&p, 7000, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pause__news__are_followed_at_once),
        cmocka_unit_test(pause__news_without_end__so_many_in_a_second),
        cmocka_unit_test(pause__nothing_new__a_second_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
