/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the two ways in which AWS writes points in time are read, and nothing else is.
 */
#include "kms/aws_time.h"

#include "check.h"

enum { NOVEMBER_1994 = 784111777, JANUARY_2030 = 1893456000 };

static void iso__as_aws_writes_it__seconds(void **state)
{
    static const struct {
        const char *text;
        int64_t s;
    } right[] = {
        {"2030-01-01T00:00:00Z", JANUARY_2030},
        {"2030-01-01T00:00:00.000Z", JANUARY_2030},
        {"2030-01-01T00:00:00.123456789Z", JANUARY_2030},
        {"2030-01-01T00:00:00+00:00", JANUARY_2030},
        {"2030-01-01T02:30:00.5+02:30", JANUARY_2030},
        {"2029-12-31T23:00:00-01:00", JANUARY_2030},
        {"1994-11-06T08:49:37Z", NOVEMBER_1994},
    };

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        int64_t s = 0;
        if (!aws_time_iso(right[i].text, &s) || s != right[i].s)
            fail_msg("%s: %lld", right[i].text, (long long)s);
    }
}

static void iso__anything_else__refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "Z",
                                        "never",
                                        "1893456000",
                                        "2030-01-01",
                                        "2030-01-01T00:00:00",
                                        "2030-01-01 00:00:00Z",
                                        "2030-01-01T00:00:00.Z",
                                        "2030-01-01T00:00:00.1234567890Z",
                                        "2030-01-01T00:00:00ZZ",
                                        "2030-01-01T00:00:00+0000",
                                        "2030-01-01T00:00:00+24:00",
                                        "2030-01-01T00:00:00+00:60",
                                        "2030-01-01T00:00:00 00:00",
                                        "2030-02-30T00:00:00Z",
                                        "2030-13-01T00:00:00Z",
                                        "2030-01-01T24:00:01Z",
                                        " 2030-01-01T00:00:00Z",
                                        "2030-01-01T00:00:00Z "};
    int64_t s = 7;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (aws_time_iso(wrong[i], &s))
            fail_msg("%s was taken", wrong[i]);
    assert_int_equal(s, 7);
}

static void http__date_header__seconds(void **state)
{
    int64_t s = 0;

    (void)state;
    assert_true(aws_time_http("Sun, 06 Nov 1994 08:49:37 GMT", &s));
    assert_int_equal(s, NOVEMBER_1994);
    assert_true(aws_time_http("Tue, 01 Jan 2030 00:00:00 GMT", &s));
    assert_int_equal(s, JANUARY_2030);
}

static void http__anything_else__refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994",
                                        "Sun, 06 Nov 1994 08:49:37 UTC",
                                        "Sun, 06 ovD 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 08:49:37 GMT ",
                                        "Sun, 31 Nov 1994 08:49:37 GMT",
                                        "Sun; 06 Nov 1994 08:49:37 GMT",
                                        "Sun, xx Nov 1994 08:49:37 GMT"};
    int64_t s = 7;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (aws_time_http(wrong[i], &s))
            fail_msg("%s was taken", wrong[i]);
    assert_int_equal(s, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso__as_aws_writes_it__seconds),
        cmocka_unit_test(iso__anything_else__refused),
        cmocka_unit_test(http__date_header__seconds),
        cmocka_unit_test(http__anything_else__refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
