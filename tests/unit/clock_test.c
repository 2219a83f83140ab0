/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the system's clocks go forward and mean what their names say, the manual one goes only
 * when told, and times are written the same way everywhere.
 */
#include "base/clock.h"

#include "check.h"

static void system__asked_twice__does_not_go_back(void **state)
{
    struct clock *c = clock_system();
    uint64_t before = clock_boot_ms(c);

    (void)state;
    assert_true(clock_boot_ms(c) >= before);
    assert_true(before > 0);
    assert_true(clock_wall_s(c) > 1600000000);
}

static void manual__told__is_what_it_was_told(void **state)
{
    struct clock_manual c;

    (void)state;
    clock_manual_init(&c, 5000, 77);
    assert_int_equal(clock_boot_ms(&c.clock), 5000);
    c.now_ms += 10;
    assert_int_equal(clock_boot_ms(&c.clock), 5010);
    assert_int_equal(clock_wall_s(&c.clock), 77);
}

static void manual__slept_on__moves_on_by_that(void **state)
{
    struct clock_manual c;

    (void)state;
    clock_manual_init(&c, 5000, 77);
    clock_sleep_ms(&c.clock, 250);
    assert_int_equal(clock_boot_ms(&c.clock), 5250);
}

static void format__times__as_in_iso_8601(void **state)
{
    static const struct {
        int64_t wall_s;
        const char *text;
    } rows[] = {
        {0, "never"},
        {1, "1970-01-01T00:00:01Z"},
        {1795298875, "2026-11-21T22:07:55Z"},
        {4102444799, "2099-12-31T23:59:59Z"},
        {INT64_MAX, "never"},
    };
    char text[CLOCK_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        clock_format(rows[i].wall_s, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void parse__what_format_wrote__is_the_same_time(void **state)
{
    static const int64_t times[] = {-1, 1, 951827696, 1795298875, 4102444799, 253402300799};
    char text[CLOCK_TEXT_BYTES];
    int64_t s = 0;

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        clock_format(times[i], text);
        assert_true(clock_parse(text, &s));
        assert_int_equal(s, times[i]);
    }
}

static void parse__anything_else__is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "never",
        "1795298875",
        "2026-11-21T22:07:55",
        "2026-11-21T22:07:55Z ",
        "2026-11-21T22:07:55Z\n",
        " 2026-11-21T22:07:55Z",
        "2026-11-21 22:07:55Z",
        "2026-02-30T22:07:55Z",
        "2026-13-01T22:07:55Z",
        "2026-11-21T22:7:55Z",
        "1970-01-01T00:00:00Z",
    };
    int64_t s = 42;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(clock_parse(texts[i], &s));
    assert_int_equal(s, 42);
}

static void deadline__in_the_past_already__wait_ends(void **state)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    struct timespec deadline = clock_deadline(0);

    (void)state;
    clock_cond_init(&cond);
    pthread_mutex_lock(&mutex);
    assert_int_equal(pthread_cond_timedwait(&cond, &mutex, &deadline), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static void deadline__any_span__whole_and_in_range(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 5000; ms += 37) {
        struct timespec early = clock_deadline(0), late = clock_deadline(ms);
        assert_in_range(late.tv_nsec, 0, 999999999);
        assert_true((late.tv_sec - early.tv_sec) * 1000 +
                        (late.tv_nsec - early.tv_nsec) / 1000000 >=
                    (int64_t)ms - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system__asked_twice__does_not_go_back),
        cmocka_unit_test(manual__told__is_what_it_was_told),
        cmocka_unit_test(manual__slept_on__moves_on_by_that),
        cmocka_unit_test(format__times__as_in_iso_8601),
        cmocka_unit_test(parse__what_format_wrote__is_the_same_time),
        cmocka_unit_test(parse__anything_else__is_refused),
        cmocka_unit_test(deadline__in_the_past_already__wait_ends),
        cmocka_unit_test(deadline__any_span__whole_and_in_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
