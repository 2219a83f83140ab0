/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: spans of time are read exactly and within bounds; nothing that is not one is taken for one; what is
 * written reads back as the same.
 */
#include "cli/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void parse__each_unit__exact_milliseconds(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {
        {"0", 0},          {"0s", 0},           {"1ms", 1},
        {"500ms", 500},    {"15s", 15000},      {"60m", 3600000},
        {"24h", 86400000}, {"30d", 2592000000}, {"3650d", DURATION_MS_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ms = 1;
        assert_true(ks_ok(duration_parse(cases[i].text, &ms)));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void parse__anything_else__usage_and_output_untouched(void **state)
{
    static const char *const cases[] = {"",
                                        "5",
                                        "s",
                                        "-5s",
                                        "+5s",
                                        "1.5s",
                                        "5S",
                                        "5 s",
                                        " 5s",
                                        "5s ",
                                        "5sm",
                                        "0x5s",
                                        "3651d",
                                        "99999999999999999999999s",
                                        "999999999999d"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ms = 77;
        assert_true(ks_is(duration_parse(cases[i], &ms), KS_E_USAGE));
        assert_int_equal(ms, 77);
    }
}

static void format__any_value__parses_back(void **state)
{
    static const uint64_t values[] = {0,
                                      1,
                                      999,
                                      1000,
                                      1500,
                                      60000,
                                      90000,
                                      3600000,
                                      5400000,
                                      86400000,
                                      2592000000,
                                      DURATION_MS_MAX - 1,
                                      DURATION_MS_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[DURATION_TEXT_BYTES];
        uint64_t ms = 1;
        duration_format(values[i], text);
        assert_true(ks_ok(duration_parse(text, &ms)));
        assert_int_equal(ms, values[i]);
    }
}

static void format_rough__two_of_a_unit_at_least(void **state)
{
    char text[DURATION_TEXT_BYTES];

    (void)state;
    duration_format_rough(0, text);
    assert_string_equal(text, "0 s");
    duration_format_rough(119999, text);
    assert_string_equal(text, "119 s");
    duration_format_rough(120000, text);
    assert_string_equal(text, "2 min");
    duration_format_rough(UINT64_C(47) * 3600000, text);
    assert_string_equal(text, "47 hours");
    duration_format_rough(UINT64_MAX, text);
    assert_string_equal(text, "213503982334 days");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__each_unit__exact_milliseconds),
        cmocka_unit_test(parse__anything_else__usage_and_output_untouched),
        cmocka_unit_test(format__any_value__parses_back),
        cmocka_unit_test(format_rough__two_of_a_unit_at_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
