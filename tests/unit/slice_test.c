/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a place in a list comes back from the text that callers pass on, whatever it holds, and no other text is
 * taken for one.
 */
#include <string.h>

#include "check.h"
#include "control/slice.h"

static void go_on__any_place__comes_back(void **state)
{
    static const struct store_page places[] = {
        {.at = 1, .number = 2, .text = "orders"},
        {.number = INT64_MAX,
         .text = "0123456789012345678901234567890123456789012345678901234567891234"},
        {.at = INT64_MIN},
        {.text = "\xc3\xbc \"/?&="},
    };

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct slice slice = {.count_max = 10, .is_descending = true};
        struct store_page got;
        check_ok(slice_go_on(&slice, &places[i]));
        check_ok(slice_begin(&slice, &got));
        assert_true(got.at == places[i].at && got.number == places[i].number);
        assert_string_equal(got.text, places[i].text);
        assert_int_equal(got.count_max, 11);
        assert_true(got.is_descending);
    }
}

static void begin__not_one_of_ours__usage(void **state)
{
    static const char *const texts[] = {
        "x",
        "!!!!",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAA",       /* 15 bytes */
        "AAAAAAAAAAAAAAAAAAAAAAAAAA", /* a NUL in the text */
        "AAAAAAAAAAAAAAAAAAAAAGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW"
        "FhYWF"
        "hYWFhYWFhYWFhYWFh", /* 68 bytes of text */
    };
    struct store_page got;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct slice slice = {.count_max = 1};
        memcpy(slice.after, texts[i], strlen(texts[i]) + 1);
        check_rc(slice_begin(&slice, &got), USAGE);
    }
}

static void begin__count__from_one_to_the_highest(void **state)
{
    struct store_page got;

    (void)state;
    check_rc(slice_begin(&(struct slice){.count_max = 0}, &got), USAGE);
    check_rc(slice_begin(&(struct slice){.count_max = SLICE_MAX + 1}, &got), USAGE);
    check_rc(slice_begin(&(struct slice){.count_max = UINT32_MAX}, &got), USAGE);
    check_ok(slice_begin(&(struct slice){.count_max = SLICE_MAX}, &got));
    assert_int_equal(got.count_max, STORE_PAGE_MAX);
}

static void has_more__one_row_too_many__is_taken_off(void **state)
{
    struct slice slice = {.after = "x", .count_max = 2};
    size_t two = 2, three = 3;

    (void)state;
    assert_false(slice_has_more(&slice, &two));
    assert_string_equal(slice.after, "");
    assert_true(slice_has_more(&slice, &three));
    assert_int_equal(three, 2);
}

/* Five rows, two at a time: there and back. */
static void both_ways__each_part__says_where_the_parts_beside_it_are(void **state)
{
    struct slice s = {.count_max = 2};
    struct store_page page;
    bool is_back;

    (void)state;
    check_ok(slice_begin_both(&s, &page, &is_back));
    assert_false(is_back);
    check_ok(slice_end_both(&s, is_back,
                            &(struct slice_ends){false, true, {.number = 1}, {.number = 2}}));
    assert_string_equal(s.before, "");
    check_ok(slice_begin_both(&s, &page, &is_back));
    assert_true(!is_back && !page.is_descending && page.number == 2);
    check_ok(slice_end_both(&s, is_back,
                            &(struct slice_ends){false, true, {.number = 3}, {.number = 4}}));
    assert_string_not_equal(s.after, "");
    memcpy(s.after, s.before, sizeof s.after);
    check_ok(slice_begin_both(&s, &page, &is_back)); /* back: 2, 1 */
    assert_true(is_back && page.is_descending && page.number == 3);
    check_ok(slice_end_both(&s, is_back,
                            &(struct slice_ends){false, false, {.number = 2}, {.number = 1}}));
    assert_string_equal(s.before, "");
    check_ok(slice_begin_both(&s, &page, &is_back));
    assert_true(!is_back && page.number == 2);
    check_ok(slice_end_both(&s, is_back, &(struct slice_ends){.is_empty = true}));
    assert_true(s.after[0] == 0 && s.before[0] == 0);
}

static void both_ways__longest_place__fits(void **state)
{
    struct slice s = {.count_max = 2, .after = "~AAAAAAAAAAAAAAAAAAAAAA"};
    struct slice_ends ends = {.has_more = true};
    struct store_page page;
    bool is_back;

    (void)state;
    memset(ends.first.text, 'x', sizeof ends.first.text - 1);
    ends.last = ends.first;
    check_ok(slice_begin_both(&s, &page, &is_back));
    check_ok(slice_end_both(&s, is_back, &ends));
    memcpy(s.after, s.before, sizeof s.after);
    check_ok(slice_begin_both(&s, &page, &is_back));
    assert_true(is_back);
    assert_string_equal(page.text, ends.first.text);
}

static void back__where_lists_go_one_way_or_from_nowhere__usage(void **state)
{
    struct store_page page;
    bool is_back;

    (void)state;
    check_rc(
        slice_begin(&(struct slice){.count_max = 1, .after = "~AAAAAAAAAAAAAAAAAAAAAA"}, &page),
        USAGE);
    check_rc(slice_begin_both(&(struct slice){.count_max = 1, .after = "~"}, &page, &is_back),
             USAGE);
    check_rc(slice_begin_both(&(struct slice){.count_max = 1, .after = "~~"}, &page, &is_back),
             USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(go_on__any_place__comes_back),
        cmocka_unit_test(begin__not_one_of_ours__usage),
        cmocka_unit_test(begin__count__from_one_to_the_highest),
        cmocka_unit_test(both_ways__each_part__says_where_the_parts_beside_it_are),
        cmocka_unit_test(both_ways__longest_place__fits),
        cmocka_unit_test(back__where_lists_go_one_way_or_from_nowhere__usage),
        cmocka_unit_test(has_more__one_row_too_many__is_taken_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
