/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: names come in the order of the numbers from any place in both directions, and of a large directory only those around the
 * middle are kept, within the bound on memory.
 */
#include "check.h"

#include <stdio.h>

#include "volume/ahead_names.h"

static void add(struct ahead_names *n, uint64_t ino)
{
    char name[32];

    snprintf(name, sizeof name, "file-%llu", (unsigned long long)ino);
    check_ok(ahead_names_add(n, ino, name));
}

/* expect(n, ino): the next one is that. */
static void expect(struct ahead_names *n, uint64_t ino)
{
    char want[32];
    uint64_t got = 0;

    snprintf(want, sizeof want, "file-%llu", (unsigned long long)ino);
    const char *name = ahead_names_next(n, &got);
    assert_non_null(name);
    assert_string_equal(name, want);
    assert_int_equal(got, ino);
}

static void expect_none(struct ahead_names *n)
{
    uint64_t ino;

    assert_null(ahead_names_next(n, &ino));
    assert_null(ahead_names_next(n, &ino));
}

static void names__added_in_any_order__come_in_that_of_the_numbers(void **state)
{
    CLEANUP(ahead_names_done) struct ahead_names n = {0};
    static const uint64_t numbers[] = {30, 10, 50, 20, 40};

    (void)state;
    ahead_names_begin(&n, 25);
    for (size_t k = 0; k < 5; k++)
        add(&n, numbers[k]);
    ahead_names_sort(&n);
    expect_none(&n); /* before a seek */
    ahead_names_seek(&n, 0, false);
    for (uint64_t ino = 10; ino <= 50; ino += 10)
        expect(&n, ino);
    expect_none(&n);
}

static void seek__to_a_number__begins_next_to_it(void **state)
{
    CLEANUP(ahead_names_done) struct ahead_names n = {0};

    (void)state;
    ahead_names_begin(&n, 25);
    for (uint64_t ino = 10; ino <= 50; ino += 10)
        add(&n, ino);
    ahead_names_sort(&n);
    ahead_names_seek(&n, 30, false);
    expect(&n, 40);
    ahead_names_seek(&n, 30, true);
    expect(&n, 20);
    expect(&n, 10);
    expect_none(&n);
    ahead_names_seek(&n, 35, true); /* which is not there */
    expect(&n, 30);
    ahead_names_seek(&n, 10, true);
    expect_none(&n);
    ahead_names_seek(&n, 50, false);
    expect_none(&n);
    ahead_names_seek(&n, UINT64_MAX, true);
    expect(&n, 50);
}

static void names__none__are_no_trouble(void **state)
{
    CLEANUP(ahead_names_done) struct ahead_names n = {0};

    (void)state;
    ahead_names_begin(&n, 1);
    ahead_names_sort(&n);
    ahead_names_seek(&n, 1, false);
    expect_none(&n);
    ahead_names_seek(&n, 0, true);
    expect_none(&n);
}

static void names__of_a_large_directory__are_cut_to_those_around_the_middle(void **state)
{
    enum { COUNT = 400000, MIDDLE = 150000 };
    CLEANUP(ahead_names_done) struct ahead_names n = {0};

    (void)state;
    ahead_names_begin(&n, MIDDLE);
    for (uint64_t k = 0; k < COUNT; k++) {
        add(&n, k * 7919 % COUNT); /* each number once */
        assert_true(n.bytes <= AHEAD_NAMES_BYTES);
    }
    ahead_names_sort(&n);
    assert_true(n.is_cut);
    assert_true(n.count > 10000 && n.count < COUNT);
    ahead_names_seek(&n, MIDDLE, false);
    for (uint64_t ino = MIDDLE + 1; ino < MIDDLE + 5000; ino++)
        expect(&n, ino);
    ahead_names_seek(&n, MIDDLE, true);
    for (uint64_t ino = MIDDLE - 1; ino > MIDDLE - 5000; ino--)
        expect(&n, ino);
}

static void begin__again__forgets_the_earlier_ones(void **state)
{
    CLEANUP(ahead_names_done) struct ahead_names n = {0};

    (void)state;
    ahead_names_begin(&n, 1);
    add(&n, 1);
    ahead_names_begin(&n, 1);
    assert_int_equal(n.bytes, 0);
    add(&n, 2);
    ahead_names_sort(&n);
    ahead_names_seek(&n, 0, false);
    expect(&n, 2);
    expect_none(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names__added_in_any_order__come_in_that_of_the_numbers),
        cmocka_unit_test(seek__to_a_number__begins_next_to_it),
        cmocka_unit_test(names__none__are_no_trouble),
        cmocka_unit_test(names__of_a_large_directory__are_cut_to_those_around_the_middle),
        cmocka_unit_test(begin__again__forgets_the_earlier_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
