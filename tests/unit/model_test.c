/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the names of statuses go there and back, and the worst region decides about a cluster.
 */
#include "check.h"
#include "control/model.h"
#include <string.h>

static void every_status__its_name__gives_it_back(void **state)
{
    (void)state;
    for (int i = 0; i < CMEK_STATUS_COUNT; i++) {
        enum cmek_status back;
        assert_true(cmek_status_parse(cmek_status_name((enum cmek_status)i), &back));
        assert_int_equal(back, i);
    }
}

static void a_name_that_is_none__parsed__is_refused(void **state)
{
    enum cmek_status status = CMEK_REVOKED;

    (void)state;
    assert_false(cmek_status_parse("revoked", &status));
    assert_false(cmek_status_parse(NULL, &status));
    assert_int_equal(status, CMEK_REVOKED);
}

static void two_statuses__worst__follows_the_order(void **state)
{
    static const enum cmek_status order[] = {CMEK_DISABLED, CMEK_ENABLED, CMEK_REVOKED,
                                             CMEK_ENABLING, CMEK_ENABLE_FAILED};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            enum cmek_status expected = order[i > j ? i : j];
            assert_int_equal(cmek_status_worst(order[i], order[j]), expected);
        }
    }
}

static void each_status__moving_or_failed__is_what_its_name_says(void **state)
{
    (void)state;
    for (int i = 0; i < CMEK_STATUS_COUNT; i++) {
        const char *name = cmek_status_name((enum cmek_status)i);
        size_t len = strlen(name);
        assert_int_equal(cmek_status_is_moving((enum cmek_status)i),
                         strcmp(name + len - 3, "ING") == 0);
        assert_int_equal(cmek_status_is_failed((enum cmek_status)i),
                         len > 6 && strcmp(name + len - 6, "FAILED") == 0);
    }
}

static void ids__checked__only_ours_pass(void **state)
{
    (void)state;
    assert_true(id_is_valid("1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"));
    assert_false(id_is_valid("1F69FDD2-5c1e-4a1e-9d5c-0c6b4f6f0a11"));
    assert_false(id_is_valid("1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a1"));
    assert_false(id_is_valid("1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a111"));
    assert_false(id_is_valid(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status__its_name__gives_it_back),
        cmocka_unit_test(a_name_that_is_none__parsed__is_refused),
        cmocka_unit_test(two_statuses__worst__follows_the_order),
        cmocka_unit_test(each_status__moving_or_failed__is_what_its_name_says),
        cmocka_unit_test(ids__checked__only_ours_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
