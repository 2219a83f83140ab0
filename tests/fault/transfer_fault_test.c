/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever call of the file systems of either side fails during a transfer, into a volume or out of it, the transfer
 * says so with that errno, every object is whole on at least one side, and the transfer that is started again with healthy
 * disks ends with all of them on the other side.
 */
#include "check.h"

#include "fault_each.h"
#include "io/crash.h"
#include "transfer_bench.h"

/* What every attempt begins with: the same. */
struct start {
    struct transfer_bench b;
    struct io *template;
};

static void check_and_go_on(struct transfer_bench *b, struct io *disk, bool is_moved)
{
    struct transfer_sides s;

    check_ok(transfer_sides_open(disk, b, &s));
    check_ok(transfer_check_somewhere(b, &s));
    if (is_moved)
        check_ok(transfer_check_moved(b, &s));
    check_ok(transfer_move(b, &s));
    check_ok(transfer_check_moved(b, &s));
    transfer_sides_close(disk, &s);
}

static bool try_one(void *arg, const struct fault_case *c)
{
    struct start *start = arg;
    struct io *disk = fault_copy_of(start->template), *faulty;
    struct transfer_sides s;

    check_ok(fault_new(disk, &faulty));
    check_ok(transfer_sides_open(faulty, &start->b, &s));
    fault_arm_case(faulty, c);
    ks_rc rc = transfer_move(&start->b, &s);
    const char *failed = fault_name(faulty);
    fault_arm(faulty, 0, 0, false);
    transfer_sides_close(faulty, &s);
    if (!ks_ok(rc) && (!failed || ks_errno(rc) != c->err))
        fail_msg("%s at call %u: %s", failed ? failed : "nothing failed", (unsigned)c->n,
                 ks_text(rc));
    assert_true(!c->is_lasting || !failed || !ks_ok(rc));
    check_and_go_on(&start->b, disk, ks_ok(rc));
    fault_free(faulty);
    crash_free(disk);
    return failed != NULL;
}

static size_t try_direction(bool is_release, size_t pending_max,
                            size_t (*each)(fault_try_fn try, void *arg))
{
    static struct start start;

    transfer_bench_begin(&start.b, is_release, pending_max, &start.template);
    size_t tried = each(try_one, &start);
    transfer_bench_end(&start.b, start.template);
    print_message("%zu calls failed in turn\n", tried);
    return tried;
}

static void adopt__each_call_fails__every_object_is_whole_and_the_next_run_ends(void **state)
{
    (void)state;
    assert_true(try_direction(false, 0, fault_each_kind) > 6 * 100);
    assert_true(try_direction(false, 1, fault_each_part) > 4 * 100);
}

static void release__each_call_fails__every_object_is_whole_and_the_next_run_ends(void **state)
{
    (void)state;
    assert_true(try_direction(true, 0, fault_each_kind) > 6 * 100);
    assert_true(try_direction(true, 1, fault_each_part) > 4 * 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adopt__each_call_fails__every_object_is_whole_and_the_next_run_ends),
        cmocka_unit_test(release__each_call_fails__every_object_is_whole_and_the_next_run_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
