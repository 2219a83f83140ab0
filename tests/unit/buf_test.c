/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a buffer never grows beyond what it was born with, a failed growth changes
 * nothing, and its contents can always be read as text.
 */
#include "base/buf.h"

#include "check.h"

static void append__up_to_the_bound__holds_all(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(1000);

    (void)state;
    for (int i = 0; i < 100; i++)
        check_ok(buf_append(&b, view_text("0123456789")));
    assert_int_equal(b.len, 1000);
    check_bytes(view_of(b.bytes + 990, 10), view_text("0123456789"));
}

static void append__one_byte_too_many__limit_and_unchanged(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(4);

    (void)state;
    check_ok(buf_append(&b, view_text("abc")));
    check_rc(buf_append(&b, view_text("de")), LIMIT);
    assert_string_equal(buf_text(&b), "abc");
    check_ok(buf_append(&b, view_text("d")));
    assert_string_equal(buf_text(&b), "abcd");
}

static void append__length_near_the_end_of_the_number__limit(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(SIZE_MAX - 1);
    uint8_t *tail;

    (void)state;
    check_ok(buf_append(&b, view_text("abc")));
    check_rc(buf_extend(&b, SIZE_MAX - 2, &tail), LIMIT);
    assert_string_equal(buf_text(&b), "abc");
}

static void extend__more__gives_the_place_behind_the_last_byte(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(100);
    uint8_t *tail = NULL;

    (void)state;
    check_ok(buf_append(&b, view_text("ab")));
    check_ok(buf_extend(&b, 2, &tail));
    memcpy(tail, "cd", 2);
    assert_string_equal(buf_text(&b), "abcd");
}

static void extend__beyond__does_not_touch_the_output(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(1);
    uint8_t here, *tail = &here;

    (void)state;
    check_rc(buf_extend(&b, 2, &tail), LIMIT);
    assert_ptr_equal(tail, &here);
}

static void printf__text__is_appended_without_its_terminator(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(100);

    (void)state;
    check_ok(buf_printf(&b, "%s-%d", "a", 1));
    check_ok(buf_printf(&b, "!"));
    check_bytes(buf_view(&b), view_text("a-1!"));
}

static void printf__beyond__limit_and_unchanged(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(3);

    (void)state;
    check_rc(buf_printf(&b, "%d", 1234), LIMIT);
    assert_int_equal(b.len, 0);
}

static void text__of_an_empty_buffer__is_empty(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(3);

    (void)state;
    assert_string_equal(buf_text(&b), "");
    assert_int_equal(buf_view(&b).len, 0);
    check_ok(buf_append(&b, view_of(NULL, 0)));
    assert_string_equal(buf_text(&b), "");
}

static void cut__shorter__the_text_ends_there(void **state)
{
    struct buf b = buf_init(100), w = buf_init_wiping(100);

    (void)state;
    buf_cut(&b, 0); /* empty: nothing to do */
    check_ok(buf_printf(&b, "orders and more"));
    buf_cut(&b, 50);
    assert_int_equal(b.len, 15);
    buf_cut(&b, 6);
    assert_string_equal(buf_text(&b), "orders");
    check_ok(buf_printf(&w, "secret"));
    buf_cut(&w, 1);
    assert_memory_equal(w.bytes, "s\0\0\0\0\0", 7);
    buf_done(&b);
    buf_done(&w);
}

static void done__buffer__is_empty_and_usable_again(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(3);

    (void)state;
    check_ok(buf_append(&b, view_text("abc")));
    buf_done(&b);
    assert_int_equal(b.len, 0);
    check_ok(buf_append(&b, view_text("de")));
    assert_string_equal(buf_text(&b), "de");
}

static void wiping__growth_and_end__keep_the_contents(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init_wiping(5000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        check_ok(buf_printf(&b, "%04d;", i));
    assert_int_equal(b.len, 5000);
    assert_memory_equal(b.bytes + 4995, "0999;", 6);
    assert_memory_equal(b.bytes, "0000;0001;", 10);
    check_rc(buf_append(&b, view_text("x")), LIMIT);
    buf_done(&b);
    assert_true(b.is_wiping);
    check_ok(buf_append(&b, view_text("again")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append__up_to_the_bound__holds_all),
        cmocka_unit_test(append__one_byte_too_many__limit_and_unchanged),
        cmocka_unit_test(append__length_near_the_end_of_the_number__limit),
        cmocka_unit_test(extend__more__gives_the_place_behind_the_last_byte),
        cmocka_unit_test(extend__beyond__does_not_touch_the_output),
        cmocka_unit_test(printf__text__is_appended_without_its_terminator),
        cmocka_unit_test(printf__beyond__limit_and_unchanged),
        cmocka_unit_test(text__of_an_empty_buffer__is_empty),
        cmocka_unit_test(wiping__growth_and_end__keep_the_contents),
        cmocka_unit_test(cut__shorter__the_text_ends_there),
        cmocka_unit_test(done__buffer__is_empty_and_usable_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
