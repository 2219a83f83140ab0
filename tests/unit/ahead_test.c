/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: files are read ahead where one file of a directory after another is asked for, in proportion to what was asked for before, and a
 * wrong guess ends by itself and is not repeated soon.
 */
#include "check.h"

#include "volume/ahead.h"

static const int one, other; /* two directories */

/* ask(a, dir, ino, count): for count unknown files of neighbouring numbers. Whether dir was chosen. */
static bool ask(struct ahead *a, const void *dir, uint64_t ino, unsigned count)
{
    bool is_chosen = false;

    for (unsigned n = 0; n < count; n++)
        is_chosen = ahead_cold(a, dir, ino + n) || is_chosen;
    return is_chosen;
}

static void lookup__alone__begins_nothing(void **state)
{
    struct ahead a = {0};

    (void)state;
    assert_false(ask(&a, &one, 100, AHEAD_STREAK - 1));
    assert_null(a.dir);
    assert_false(ahead_is_due(&a));
    assert_int_equal(ahead_take(&a, 32), 0);
    assert_int_equal(ahead_entries(&a), 0);
}

static void lookups__of_one_directory__choose_it(void **state)
{
    struct ahead a = {0};

    (void)state;
    assert_true(ask(&a, &one, 100, AHEAD_STREAK));
    assert_ptr_equal(a.dir, &one);
    assert_true(ahead_is_due(&a));
    assert_true(ahead_begin(&a));
    assert_int_equal(a.last, 100 + AHEAD_STREAK - 1);
    assert_false(a.is_down);
    assert_false(ahead_begin(&a)); /* once */
    assert_int_equal(ahead_take(&a, 1000), AHEAD_FIRST);
    assert_int_equal(ahead_take(&a, 1000), 0);
    assert_false(ahead_is_due(&a));
}

static void lookups__of_several_directories_in_turn__choose_none(void **state)
{
    struct ahead a = {0};

    (void)state;
    for (unsigned n = 0; n < 1000; n++)
        assert_false(ask(&a, n % 2 ? &one : &other, n, AHEAD_STREAK - 1));
}

static void list__of_a_large_directory__grows_with_what_was_asked_for(void **state)
{
    struct ahead a = {0};

    (void)state;
    ask(&a, &one, 100, AHEAD_STREAK);
    assert_int_equal(ahead_entries(&a), AHEAD_STREAK * AHEAD_ENTRIES);
    ask(&a, &one, 200, 3);
    assert_int_equal(ahead_entries(&a), (AHEAD_STREAK + 3) * AHEAD_ENTRIES);
}

/* Takes what there is room for and asks for all of it, so often. */
static void go_through(struct ahead *a, unsigned rounds)
{
    for (unsigned r = 0; r < rounds; r++) {
        ahead_begin(a);
        for (unsigned n = ahead_take(a, AHEAD_MOST); n > 0; n--)
            ahead_hit(a, &one, a->last + 1);
    }
}

static void window__all_is_asked_for__grows_to_its_bound(void **state)
{
    struct ahead a = {0};

    (void)state;
    ask(&a, &one, 100, AHEAD_STREAK);
    go_through(&a, 20);
    assert_int_equal(a.window, AHEAD_MOST);
    assert_int_equal(a.out, 0);
    assert_int_equal(ahead_take(&a, 10000), AHEAD_MOST);
    assert_false(ahead_is_due(&a));
    for (unsigned n = 0; n < AHEAD_MOST / 2; n++)
        ahead_hit(&a, &one, a.last + 1);
    assert_true(ahead_is_due(&a));
}

static void direction__follows_neighbours_and_not_jumps(void **state)
{
    struct ahead a = {0};

    (void)state;
    ask(&a, &one, 1000, AHEAD_STREAK);
    assert_false(a.is_down);
    ahead_cold(&a, &one, 10); /* far away */
    assert_false(a.is_down);
    assert_true(ahead_begin(&a)); /* but it begins there */
    ahead_cold(&a, &one, 9);
    assert_true(a.is_down);
    ahead_cold(&a, &one, 5000);
    assert_true(a.is_down);
    ahead_cold(&a, &one, 5001);
    assert_false(a.is_down);
}

static void lookups__downwards__are_followed_downwards(void **state)
{
    struct ahead a = {0};

    (void)state;
    for (uint64_t n = 0; n < AHEAD_STREAK; n++)
        ahead_cold(&a, &one, 100 - n);
    assert_ptr_equal(a.dir, &one);
    assert_true(a.is_down);
}

/* Files are asked for of which none was ever read ahead. How many were read until it gave up. */
static unsigned read_for_nothing(struct ahead *a)
{
    unsigned read = 0;

    for (uint64_t ino = 1; a->dir; ino += 1000) {
        ahead_cold(a, &one, ino);
        ahead_begin(a);
        read += ahead_take(a, AHEAD_MOST);
    }
    return read;
}

static unsigned asked_until_chosen(struct ahead *a)
{
    unsigned n = 1;

    while (!ahead_cold(a, &one, n * 1000))
        n++;
    return n;
}

static void guess__wrong__ends_when_the_credit_is_used_up(void **state)
{
    struct ahead a = {0};

    (void)state;
    ask(&a, &one, 100, AHEAD_STREAK);
    assert_int_equal(read_for_nothing(&a), AHEAD_CREDIT);
    assert_int_equal(ahead_take(&a, 1), 0);
}

static void guess__wrong_again_and_again__needs_more_reason_each_time(void **state)
{
    struct ahead a = {0};
    unsigned before = 0;

    (void)state;
    for (unsigned k = 0; k < AHEAD_DOUBT_MAX; k++) {
        unsigned now = asked_until_chosen(&a);
        assert_true(now > before);
        before = now;
        read_for_nothing(&a);
    }
    asked_until_chosen(&a);
    read_for_nothing(&a);
    assert_int_equal(asked_until_chosen(&a), AHEAD_STREAK << AHEAD_DOUBT_MAX); /* a bound */
}

static void guess__right_for_long__is_trusted_again(void **state)
{
    struct ahead a = {0};

    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        asked_until_chosen(&a);
        read_for_nothing(&a);
    }
    asked_until_chosen(&a);
    go_through(&a, 20);
    ahead_end(&a);
    assert_int_equal(asked_until_chosen(&a), AHEAD_STREAK);
}

static void files__not_read_in_the_end__cost_nothing(void **state)
{
    struct ahead a = {0};

    (void)state;
    ask(&a, &one, 100, AHEAD_STREAK);
    ahead_begin(&a);
    ahead_give_back(&a, ahead_take(&a, 20));
    assert_int_equal(a.out, 0);
    assert_int_equal(a.credit, AHEAD_CREDIT);
}

static void hit__in_another_directory__is_none_of_this_one(void **state)
{
    struct ahead a = {0};

    (void)state;
    ask(&a, &one, 100, AHEAD_STREAK);
    struct ahead before = a;
    ahead_hit(&a, &other, 7);
    assert_int_equal(a.last, before.last);
    assert_int_equal(a.asked, before.asked);
    assert_int_equal(a.credit, before.credit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup__alone__begins_nothing),
        cmocka_unit_test(lookups__of_one_directory__choose_it),
        cmocka_unit_test(lookups__of_several_directories_in_turn__choose_none),
        cmocka_unit_test(list__of_a_large_directory__grows_with_what_was_asked_for),
        cmocka_unit_test(window__all_is_asked_for__grows_to_its_bound),
        cmocka_unit_test(direction__follows_neighbours_and_not_jumps),
        cmocka_unit_test(lookups__downwards__are_followed_downwards),
        cmocka_unit_test(guess__wrong__ends_when_the_credit_is_used_up),
        cmocka_unit_test(guess__wrong_again_and_again__needs_more_reason_each_time),
        cmocka_unit_test(guess__right_for_long__is_trusted_again),
        cmocka_unit_test(files__not_read_in_the_end__cost_nothing),
        cmocka_unit_test(hit__in_another_directory__is_none_of_this_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
