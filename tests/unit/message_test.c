/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: texts fit where they go, and a character is never cut in two.
 */
#include "check.h"
#include "control/message.h"
#include <string.h>

static void a_text_that_fits__put__is_there_and_told_when_new(void **state)
{
    char out[16] = "";

    (void)state;
    assert_true(message_put(out, sizeof out, "%s %d", "volume", 7));
    assert_string_equal(out, "volume 7");
    assert_false(message_copy(out, sizeof out, "volume 7"));
    assert_true(message_copy(out, sizeof out, NULL));
    assert_string_equal(out, "");
}

static void a_text_that_is_too_long__put__ends_at_a_whole_character(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"abcdefgh", "abcdefg"},
        {"abcdef\xc3\xa9", "abcdef"},        /* 2 bytes, cut after the first */
        {"abcde\xc3\xa9z", "abcde\xc3\xa9"}, /* ends just there */
        {"abcd\xe2\x82\xac"
         "e",
         "abcd\xe2\x82\xac"},
        {"abcde\xe2\x82\xac", "abcde"},
        {"abcdef\xe2\x82\xac", "abcdef"},
        {"abcd\xf0\x9f\x98\x80", "abcd"},
        {"abc\xf0\x9f\x98\x80z", "abc\xf0\x9f\x98\x80"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[8] = "";
        message_copy(out, sizeof out, cases[i].in);
        assert_string_equal(out, cases[i].out);
    }
}

static void a_shorter_text__put__leaves_nothing_of_the_longer_behind(void **state)
{
    char out[16] = "", zero[16] = "ab";

    (void)state;
    message_copy(out, sizeof out, "abcdefghij");
    message_copy(out, sizeof out, "ab");
    assert_memory_equal(out, zero, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_that_fits__put__is_there_and_told_when_new),
        cmocka_unit_test(a_text_that_is_too_long__put__ends_at_a_whole_character),
        cmocka_unit_test(a_shorter_text__put__leaves_nothing_of_the_longer_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
