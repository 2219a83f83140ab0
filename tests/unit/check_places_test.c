/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: checks of keys wait in a bounded number of places that no organisation and no cluster can keep from the others.
 */
#include "cmek_fixture.h"
#include "control/check.h"

static struct cmek_fixture x;

static int set_up(void **state)
{
    (void)state;
    cmek_open(&x);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cmek_close(&x);
    return 0;
}

/* A check of one region by an organisation; how its step stands. */
static enum operation_state add_check(const char *organisation, struct operation *ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(mem_freep) struct operation_step *steps = NULL;
    struct operation_wish wish = {OPERATION_CMEK_CHECK, organisation, x.cluster};
    size_t count;

    check_ok(work_begin(x.fleet.c, &w));
    store_tx_observe(w.tx);
    check_ok(operation_begin(&w, NULL, &wish, ret));
    check_ok(check_add(&w, ret, "east", json_array()));
    check_ok(store_operation_steps(store_tx_view(w.tx), ret->id, &steps, &count));
    check_ok(work_end(&w));
    assert_int_equal(count, 1);
    return steps[0].state;
}

static void all_places__taken_by_one_organisation__others_find_room(void **state)
{
    struct operation o;

    (void)state;
    for (int i = 0; i < CHECKS_MAX; i++)
        assert_int_equal(add_check(FLEET_ORGANISATION, &o), OPERATION_RUNNING);
    assert_int_equal(add_check(FLEET_ORGANISATION, &o), OPERATION_FAILED);
    assert_string_equal(o.error_class, "UNREACHABLE");
    for (int i = 0; i < CHECKS_MAX / 2; i++)
        assert_int_equal(add_check(FLEET_OTHER, &o), OPERATION_RUNNING);
    assert_int_equal(add_check(FLEET_OTHER, &o), OPERATION_FAILED);
    assert_int_equal(add_check(FLEET_ORGANISATION, &o), OPERATION_FAILED);
}

static void all_places__of_checks_that_nobody_answered__are_free_in_time(void **state)
{
    struct operation o;

    (void)state;
    for (int i = 0; i < CHECKS_MAX; i++)
        assert_int_equal(add_check(FLEET_ORGANISATION, &o), OPERATION_RUNNING);
    cmek_later(&x, 2 * CHECK_PATIENCE_S);
    check_ok(node_heard(x.fleet.c, x.nodes[0]->id));
    assert_int_equal(add_check(FLEET_ORGANISATION, &o), OPERATION_RUNNING);
}

static void checks__of_one_cluster__leave_room_for_a_revocation(void **state)
{
    ks_rc rc = KS_SUCCESS;
    int taken = 0;

    (void)state;
    cmek_ask(&x, CMEK_ENABLE, "k1");
    cmek_run(&x);
    while (taken < REC_STEPS_MAX && ks_ok(rc = cmek_try(&x, CMEK_CHECK, "k2")))
        taken++;
    check_rc(rc, BUSY);
    assert_in_range(taken, 1, REC_STEPS_MAX / 2);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_REVOKED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_places__taken_by_one_organisation__others_find_room),
        TEST(all_places__of_checks_that_nobody_answered__are_free_in_time),
        TEST(checks__of_one_cluster__leave_room_for_a_revocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
