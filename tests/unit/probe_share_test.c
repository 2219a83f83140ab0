/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a volume goes by the probes of others only for a bounded time after its own, however long its lease is,
 * so that a refusal of this volume alone cannot stay hidden behind them.
 */
#include "fuse/process.h"

#include "check.h"

static void own_grant__none_yet__is_not_recent(void **state)
{
    (void)state;
    assert_false(probe_share_is_own_recent(0, 10, 60000));
}

static void own_grant__long_lease__is_recent_for_30_s_only(void **state)
{
    (void)state;
    assert_true(probe_share_is_own_recent(100000, 129999, 60000));
    assert_false(probe_share_is_own_recent(100000, 130000, 60000));
    assert_false(probe_share_is_own_recent(100000, 130000, 3600 * 1000));
}

static void own_grant__short_lease__is_recent_within_it(void **state)
{
    (void)state;
    assert_true(probe_share_is_own_recent(100000, 100999, 1000));
    assert_false(probe_share_is_own_recent(100000, 101000, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_grant__none_yet__is_not_recent),
        cmocka_unit_test(own_grant__long_lease__is_recent_for_30_s_only),
        cmocka_unit_test(own_grant__short_lease__is_recent_within_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
