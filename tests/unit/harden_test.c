/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: too low a limit on locked memory is refused with the limit and the ways out; a hardened process leaves
 * no core file and cannot be looked into.
 */
#include "fuse/harden.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "check.h"

static void memlock__too_low__names_limit_and_ways_out(void **unused)
{
    (void)unused;
    ks_rc rc = harden_memlock_check(8 * 1024 * 1024, false);
    check_rc(rc, MEMLOCK);
    check_text(rc, "8192 KiB");
    check_text(rc, "ulimit -l");
    check_text(rc, "LimitMEMLOCK=");
    check_text(rc, "--allow-swap");
}

static void memlock__enough_or_lifted__passes(void **unused)
{
    (void)unused;
    check_ok(harden_memlock_check(HARDEN_MEMLOCK_BYTES_MIN, false));
    check_ok(harden_memlock_check(RLIM_INFINITY, false));
    check_ok(harden_memlock_check(0, true));
    check_rc(harden_memlock_check(HARDEN_MEMLOCK_BYTES_MIN - 1, false), MEMLOCK);
}

static void process__hardened__has_no_core_and_is_not_dumpable(void **unused)
{
    struct harden_conf conf = {.is_swap_allowed = true};
    struct rlimit core;

    (void)unused;
    check_ok(harden_process(&conf));
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur, 0);
    assert_int_equal(core.rlim_max, 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    assert_int_equal(umask(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memlock__too_low__names_limit_and_ways_out),
        cmocka_unit_test(memlock__enough_or_lifted__passes),
        cmocka_unit_test(process__hardened__has_no_core_and_is_not_dumpable),
    };

    return cmocka_run_group_tests_name("harden", tests, NULL, NULL);
}
