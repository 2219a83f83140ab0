/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a directory is held by one at a time, and free when the holder lets go.
 */
#include "check.h"
#include "io/hold.h"

static void directory__held_twice__only_the_first_has_it(void **state)
{
    CLEANUP(hold_end) struct hold *first = NULL;
    struct hold *second = NULL;

    (void)state;
    check_ok(hold_directory("/tmp", &first));
    check_rc(hold_directory("/tmp", &second), BUSY);
    assert_null(second);
    hold_end(&first);
    first = NULL;
    check_ok(hold_directory("/tmp", &second));
    hold_end(&second);
}

static void what_is_no_directory__held__fails_with_its_name(void **state)
{
    struct hold *h = NULL;

    (void)state;
    assert_true(ks_is_os(hold_directory("/nowhere", &h), ENOENT));
    assert_true(ks_is_os(hold_directory("/dev/null", &h), ENOTDIR));
    assert_null(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directory__held_twice__only_the_first_has_it),
        cmocka_unit_test(what_is_no_directory__held__fails_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
