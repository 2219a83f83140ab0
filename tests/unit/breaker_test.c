/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the circuit breaker opens after silence only, lets one call through when its pause is over, and
 * closes with any answer, a denial too.
 */
#include "kms/breaker.h"

#include "check.h"

static const struct breaker_conf conf = {.silences_max = 3, .pause_ms = 100, .pause_ms_max = 250};

static struct breaker opened(void)
{
    struct breaker b = {0};

    for (uint32_t i = 0; i < conf.silences_max; i++) {
        assert_true(breaker_admit(&b, 1000));
        breaker_tell(&b, &conf, BREAKER_SILENCE, 1000);
    }
    assert_int_equal(b.state, BREAKER_OPEN);
    return b;
}

static void silence__too_often_in_a_row__opens(void **state)
{
    struct breaker b = opened();

    (void)state;
    assert_false(breaker_admit(&b, 1099));
    assert_int_equal(breaker_left_ms(&b, 1040), 60);
}

static void silence__with_an_answer_between__stays_closed(void **state)
{
    struct breaker b = {0};

    (void)state;
    for (int i = 0; i < 10; i++) {
        breaker_tell(&b, &conf, BREAKER_SILENCE, 1000);
        breaker_tell(&b, &conf, BREAKER_SILENCE, 1000);
        breaker_tell(&b, &conf, BREAKER_ANSWER, 1000);
    }
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_admit(&b, 1000));
}

static void nothing__however_often__stays_closed(void **state)
{
    struct breaker b = {0};

    (void)state;
    for (int i = 0; i < 10; i++)
        breaker_tell(&b, &conf, BREAKER_NOTHING, 1000);
    assert_int_equal(b.state, BREAKER_CLOSED);
}

static void pause__over__one_call_and_no_second(void **state)
{
    struct breaker b = opened();

    (void)state;
    assert_true(breaker_admit(&b, 1100));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_false(breaker_admit(&b, 1100));
    assert_false(breaker_admit(&b, 999999));
    assert_int_equal(breaker_left_ms(&b, 1100), 0);
}

static void half_open__answer__closes(void **state)
{
    struct breaker b = opened();

    (void)state;
    assert_true(breaker_admit(&b, 1100));
    breaker_tell(&b, &conf, BREAKER_ANSWER, 1110);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(b.silences, 0);
}

static void half_open__silence__longer_pauses_up_to_the_longest(void **state)
{
    static const uint64_t pauses[] = {200, 250, 250};
    struct breaker b = opened();
    uint64_t now = 1100;

    (void)state;
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        assert_true(breaker_admit(&b, now));
        breaker_tell(&b, &conf, BREAKER_SILENCE, now);
        assert_int_equal(breaker_left_ms(&b, now), pauses[i]);
        assert_false(breaker_admit(&b, now + pauses[i] - 1));
        now += pauses[i];
    }
}

static void half_open__call_failed_here__next_call_goes_through(void **state)
{
    struct breaker b = opened();

    (void)state;
    assert_true(breaker_admit(&b, 1100));
    breaker_tell(&b, &conf, BREAKER_NOTHING, 1100);
    assert_true(breaker_admit(&b, 1100));
}

static void open__late_answer_of_an_earlier_call__closes(void **state)
{
    struct breaker b = opened();

    (void)state;
    breaker_tell(&b, &conf, BREAKER_SILENCE,
                 1001); /* and late silence is no reason for a longer pause */
    assert_int_equal(breaker_left_ms(&b, 1001), 99);
    breaker_tell(&b, &conf, BREAKER_ANSWER, 1002);
    assert_true(breaker_admit(&b, 1002));
    assert_string_equal(breaker_state_name(b.state), "CLOSED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence__too_often_in_a_row__opens),
        cmocka_unit_test(silence__with_an_answer_between__stays_closed),
        cmocka_unit_test(nothing__however_often__stays_closed),
        cmocka_unit_test(pause__over__one_call_and_no_second),
        cmocka_unit_test(half_open__answer__closes),
        cmocka_unit_test(half_open__silence__longer_pauses_up_to_the_longest),
        cmocka_unit_test(half_open__call_failed_here__next_call_goes_through),
        cmocka_unit_test(open__late_answer_of_an_earlier_call__closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
