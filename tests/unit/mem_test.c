/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: memory is zero at birth, a product that overflows is refused, and a failed call leaves
 * its output alone.
 */
#include "base/mem.h"

#include "check.h"

static void new__memory__is_zero(void **state)
{
    CLEANUP(mem_freep) uint8_t *p = NULL;

    (void)state;
    check_ok(mem_new(100, 3, &p));
    assert_true(mem_is_zero(p, 300));
}

static void new_pages__memory__is_aligned(void **state)
{
    CLEANUP(mem_freep) uint8_t *p = NULL;

    (void)state;
    check_ok(mem_new_pages(3, &p));
    assert_int_equal((uintptr_t)p % MEM_PAGE_BYTES, 0);
    memset(p, 1, (size_t)3 * MEM_PAGE_BYTES);
}

static void new_pages__too_many__no_memory_and_untouched(void **state)
{
    int here, *p = &here;

    (void)state;
    check_rc(mem_new_pages(SIZE_MAX / 2, &p), NO_MEMORY);
    assert_ptr_equal(p, &here);
}

static void new__nothing__is_still_something_to_free(void **state)
{
    CLEANUP(mem_freep) uint8_t *p = NULL;

    (void)state;
    check_ok(mem_new(0, 8, &p));
    assert_non_null(p);
}

static void new__product_overflows__no_memory_and_untouched(void **state)
{
    int here, *p = &here;

    (void)state;
    check_rc(mem_new(SIZE_MAX / 2, 3, &p), NO_MEMORY);
    assert_ptr_equal(p, &here);
}

static void grow__larger__keeps_the_contents(void **state)
{
    CLEANUP(mem_freep) char *p = NULL;

    (void)state;
    check_ok(mem_text("abc", &p));
    check_ok(mem_grow(100000, 1, &p));
    assert_string_equal(p, "abc");
}

static void grow__product_overflows__as_before(void **state)
{
    CLEANUP(mem_freep) char *p = NULL;

    (void)state;
    check_ok(mem_text("abc", &p));
    check_rc(mem_grow(SIZE_MAX / 2, 3, &p), NO_MEMORY);
    assert_string_equal(p, "abc");
}

static void format__values__new_text(void **state)
{
    CLEANUP(mem_freep) char *p = NULL;

    (void)state;
    check_ok(mem_format(&p, "%s/%d", "keyring", 1));
    assert_string_equal(p, "keyring/1");
}

static void wipe__bytes__are_zero_and_their_neighbours_are_not(void **state)
{
    char text[] = "secret!";

    (void)state;
    mem_wipe(text + 1, 5);
    assert_memory_equal(text, "s\0\0\0\0\0!", 7);
}

static void is_zero__one_bit_anywhere__is_seen(void **state)
{
    uint8_t bytes[70] = {0};

    (void)state;
    assert_true(mem_is_zero(bytes, 0));
    assert_true(mem_is_zero(bytes, sizeof bytes));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = 0x80;
        assert_false(mem_is_zero(bytes, sizeof bytes));
        assert_true(mem_is_zero(bytes, i));
        bytes[i] = 0;
    }
}

static void free__null__does_nothing(void **state)
{
    char *none = NULL;

    (void)state;
    mem_free(NULL);
    mem_freep(&none);
    assert_null(none);
}

static void wiped__text_that_grows_and_shrinks__keeps_its_bytes(void **state)
{
    char *text = mem_wiped_text("eleven text");

    (void)state;
    assert_non_null(text);
    text = mem_wiped_grow(text, 100000);
    assert_non_null(text);
    assert_string_equal(text, "eleven text");
    assert_int_equal(text[99999], 0);
    text = mem_wiped_grow(text, 6);
    assert_non_null(text);
    assert_memory_equal(text, "eleven", 6);
    mem_wiped_free(text);
    mem_wiped_free(NULL);
}

static void wiped__more_than_there_is__is_null(void **state)
{
    (void)state;
    assert_null(mem_wiped_new_many(SIZE_MAX / 2, 3));
    void *ptr = mem_wiped_new_many(4, 4);
    assert_non_null(ptr);
    assert_true(mem_is_zero(ptr, 16));
    mem_wiped_free(ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wiped__text_that_grows_and_shrinks__keeps_its_bytes),
        cmocka_unit_test(wiped__more_than_there_is__is_null),
        cmocka_unit_test(new__memory__is_zero),
        cmocka_unit_test(new_pages__memory__is_aligned),
        cmocka_unit_test(new_pages__too_many__no_memory_and_untouched),
        cmocka_unit_test(new__nothing__is_still_something_to_free),
        cmocka_unit_test(new__product_overflows__no_memory_and_untouched),
        cmocka_unit_test(grow__larger__keeps_the_contents),
        cmocka_unit_test(grow__product_overflows__as_before),
        cmocka_unit_test(format__values__new_text),
        cmocka_unit_test(wipe__bytes__are_zero_and_their_neighbours_are_not),
        cmocka_unit_test(is_zero__one_bit_anywhere__is_seen),
        cmocka_unit_test(free__null__does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
