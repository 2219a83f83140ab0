/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is known only in memory is found again, and a password is gone when it is taken back.
 */
#include "base/mem.h"
#include "base/secret.h"
#include "check.h"
#include "control/live.h"
#include <string.h>

static int open_live(void **state)
{
    struct live *l;

    check_ok(live_new(5, &l));
    *state = l;
    return 0;
}

static int close_live(void **state)
{
    live_free(*state);
    return 0;
}

static void nodes__heard__are_told_once_with_the_last_time(void **state)
{
    struct live *l = *state;
    struct live_heard_at *heard;
    size_t count;

    assert_int_equal(live_last(l, "a", 3), 3);
    assert_int_equal(live_last(l, "a", 300), 5); /* of a life before, so not after this one began */
    check_ok(live_heard(l, "a", 10));
    check_ok(live_heard(l, "b", 11));
    check_ok(live_heard(l, "a", 12));
    assert_int_equal(live_last(l, "a", 3), 12);
    assert_int_equal(live_last(l, "a", 300), 12);
    check_ok(live_take_heard(l, &heard, &count));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(heard[i].at, strcmp(heard[i].node, "a") == 0 ? 12 : 11);
    mem_free(heard);
    check_ok(live_take_heard(l, &heard, &count));
    assert_int_equal(count, 0);
    mem_free(heard);
    assert_int_equal(live_last(l, "b", 0), 11);
}

static void nodes__heard_before_the_clock_was_set_back__were_heard_now(void **state)
{
    struct live *l = *state;
    CLEANUP(mem_freep) struct live_heard_at *heard = NULL;
    size_t count;

    check_ok(live_heard(l, "a", 2));
    check_ok(live_heard(l, "b", 1000));
    check_ok(live_take_heard(l, &heard, &count));
    mem_freep(&heard);
    live_cap(l, 4);
    assert_int_equal(live_last(l, "a", 0), 2);
    assert_int_equal(live_last(l, "b", 0), 4);
    assert_int_equal(live_last(l, "c", 300), 4);
    check_ok(live_take_heard(l, &heard, &count));
    assert_int_equal(count, 1);
    assert_string_equal(heard[0].node, "b");
    assert_int_equal(heard[0].at, 4);
}

static void a_name_that_is_too_long__heard__is_refused(void **state)
{
    char id[ID_BYTES + 1];

    memset(id, 'a', ID_BYTES);
    id[ID_BYTES] = 0;
    check_rc(live_heard(*state, id, 1), BUG);
    check_rc(live_set_password(*state, id, "x"), BUG);
}

static void a_password__set_changed_and_taken_back__is_what_was_set_last(void **state)
{
    char out[LIVE_PASSWORD_BYTES];

    assert_false(live_password(*state, "v", out));
    check_ok(live_set_password(*state, "v", "first, and a long one"));
    check_ok(live_set_password(*state, "v", "second"));
    assert_true(live_password(*state, "v", out));
    assert_string_equal(out, "second");
    check_ok(live_set_password(*state, "v", NULL));
    check_ok(live_set_password(*state, "v", NULL));
    assert_false(live_password(*state, "v", out));
}

static void a_password_that_is_too_long__set__leaves_the_one_before(void **state)
{
    char text[LIVE_PASSWORD_BYTES + 1], out[LIVE_PASSWORD_BYTES];

    memset(text, 'x', LIVE_PASSWORD_BYTES);
    text[LIVE_PASSWORD_BYTES] = 0;
    check_ok(live_set_password(*state, "v", "before"));
    check_rc(live_set_password(*state, "v", text), LIMIT);
    assert_true(live_password(*state, "v", out));
    assert_string_equal(out, "before");
    text[LIVE_PASSWORD_BYTES - 1] = 0;
    check_ok(live_set_password(*state, "v", text));
}

static void failed_requests__set_changed_and_taken_back__are_what_was_set_last(void **state)
{
    struct live *l = *state;
    json_t *first = json_pack("{s:i}", "io", 1), *second = json_pack("{s:i}", "io", 2), *got;

    assert_null(live_failed(l, "v"));
    check_ok(live_set_failed(l, "v", first));
    json_object_set_new(first, "io", json_integer(9)); /* it has a copy */
    got = live_failed(l, "v");
    check_ok(live_set_failed(l, "v", second));
    assert_int_equal(json_integer_value(json_object_get(got, "io")), 1);
    json_decref(got);
    got = live_failed(l, "v");
    assert_true(json_equal(got, second));
    json_decref(got);
    check_ok(live_set_failed(l, "v", NULL));
    check_ok(live_set_failed(l, "v", NULL));
    assert_null(live_failed(l, "v"));
    check_ok(live_set_failed(l, "v", first)); /* goes with the rest */
    json_decref(first);
    json_decref(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes__heard__are_told_once_with_the_last_time, open_live,
                                        close_live),
        cmocka_unit_test_setup_teardown(nodes__heard_before_the_clock_was_set_back__were_heard_now,
                                        open_live, close_live),
        cmocka_unit_test_setup_teardown(a_name_that_is_too_long__heard__is_refused, open_live,
                                        close_live),
        cmocka_unit_test_setup_teardown(
            a_password__set_changed_and_taken_back__is_what_was_set_last, open_live, close_live),
        cmocka_unit_test_setup_teardown(
            failed_requests__set_changed_and_taken_back__are_what_was_set_last, open_live,
            close_live),
        cmocka_unit_test_setup_teardown(a_password_that_is_too_long__set__leaves_the_one_before,
                                        open_live, close_live),
    };
    secret_allow_swap(true);
    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
