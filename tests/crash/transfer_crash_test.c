/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a power failure at any moment of a transfer, into a volume or out of it, leaves every object whole on at
 * least one side; and the transfer that is started again afterwards ends with all of them on the other side.
 */
#include "check.h"

#include "enumerate.h"
#include "io/crash.h"
#include "transfer_bench.h"

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    struct transfer_bench *b = arg;
    struct transfer_sides s;

    (void)state;
    TRY(transfer_sides_open(rebuilt, b, &s));
    ks_rc rc = ks_wrap(transfer_check_somewhere(b, &s), "after the power loss");
    if (ks_ok(rc))
        rc = ks_wrap(transfer_move(b, &s), "going on");
    if (ks_ok(rc))
        rc = ks_wrap(transfer_check_moved(b, &s), "at the end");
    transfer_sides_close(rebuilt, &s);
    return rc;
}

static void check_direction(bool is_release, size_t pending_max)
{
    static struct transfer_bench b;
    struct transfer_sides s;
    struct io *io;

    transfer_bench_begin(&b, is_release, pending_max, &io);
    check_ok(transfer_sides_open(io, &b, &s));
    size_t from = crash_time(io);
    check_ok(transfer_move(&b, &s));
    check_ok(transfer_check_moved(&b, &s));
    size_t states = crash_enumerate(io, from, 4, 4, 1, check_state, &b);
    print_message("%zu states checked\n", states);
    assert_true(states > 200);
    transfer_sides_close(io, &s);
    transfer_bench_end(&b, io);
}

static void adopt__power_fails_at_any_time__every_object_is_whole(void **state)
{
    (void)state;
    check_direction(false, 0);
    check_direction(false, 1);
}

static void release__power_fails_at_any_time__every_object_is_whole(void **state)
{
    (void)state;
    check_direction(true, 0);
    check_direction(true, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adopt__power_fails_at_any_time__every_object_is_whole),
        cmocka_unit_test(release__power_fails_at_any_time__every_object_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
