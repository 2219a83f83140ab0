/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: all faults of a request are told, and what does not fit is at least counted.
 */
#include "check.h"
#include "control/faults.h"
#include <string.h>

static void no_fault__ended__is_success(void **state)
{
    struct faults f = {0};

    (void)state;
    check_ok(faults_take(&f, KS_SUCCESS));
    check_ok(faults_end(&f));
}

static void two_faults__ended__both_are_named(void **state)
{
    struct faults f = {0};

    (void)state;
    faults_add(&f, "region %s is not known", "mars");
    check_ok(faults_take(&f, ks_fail(KS_E_USAGE, "the name is empty")));
    check_rc(faults_end(&f), USAGE);
    check_text(faults_end(&f), "region mars is not known; the name is empty");
}

static void a_failure_of_another_class__taken__passes(void **state)
{
    struct faults f = {0};

    (void)state;
    check_rc(faults_take(&f, ks_fail(KS_E_NO_MEMORY, "none left")), NO_MEMORY);
    assert_int_equal(f.count, 0);
}

static void more_than_fits__ended__the_rest_is_counted(void **state)
{
    struct faults f = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        faults_add(&f, "region number %d is not known here", i);
    check_text(faults_end(&f), "region number 0 is not known here; region");
    check_text(faults_end(&f), " more");
}

static void one_that_is_longer_than_all__ended__is_still_a_fault(void **state)
{
    struct faults f = {0};
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    faults_add(&f, "%s", text);
    check_rc(faults_end(&f), USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_fault__ended__is_success),
        cmocka_unit_test(two_faults__ended__both_are_named),
        cmocka_unit_test(a_failure_of_another_class__taken__passes),
        cmocka_unit_test(more_than_fits__ended__the_rest_is_counted),
        cmocka_unit_test(one_that_is_longer_than_all__ended__is_still_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
