/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the difference between regions wanted and regions there is exactly what is added, scaled and removed.
 */
#include "check.h"
#include "control/region_plan.h"
#include <stdio.h>
#include <string.h>

static struct region there(const char *name, uint32_t nodes, enum cmek_status status)
{
    struct region r = {.node_count = nodes, .status = status, .state = REGION_READY};

    snprintf(r.name, sizeof r.name, "%s", name);
    return r;
}

static struct region_wish wish(const char *name, uint32_t nodes, size_t keys)
{
    struct region_wish r = {.node_count = nodes, .key_count = keys};

    snprintf(r.name, sizeof r.name, "%s", name);
    return r;
}

static void a_change_of_everything__planned__names_each_step(void **state)
{
    struct region old[] = {there("a", 1, CMEK_DISABLED), there("b", 2, CMEK_DISABLED),
                           there("c", 3, CMEK_DISABLED)};
    struct region_wish new[] = {wish("a", 1, 0), wish("b", 5, 0), wish("d", 2, 0)};
    struct region_plan p;
    struct faults f = {0};

    (void)state;
    region_plan_make(old, 3, new, 3, &f, &p);
    check_ok(faults_end(&f));
    assert_int_equal(p.count, 4);
    assert_int_equal(p.changes, 3);
    assert_int_equal(p.steps[0].action, PLAN_KEEP);
    assert_int_equal(p.steps[1].action, PLAN_SCALE);
    assert_ptr_equal(p.steps[1].there, &old[1]);
    assert_int_equal(p.steps[2].action, PLAN_ADD);
    assert_ptr_equal(p.steps[2].wish, &new[2]);
    assert_int_equal(p.steps[3].action, PLAN_REMOVE);
    assert_ptr_equal(p.steps[3].there, &old[2]);
}

static void the_same_regions__planned__change_nothing(void **state)
{
    struct region old[] = {there("a", 1, CMEK_ENABLED), there("b", 2, CMEK_ENABLED)};
    struct region_wish new[] = {wish("b", 2, 0), wish("a", 1, 0)};
    struct region_plan p;
    struct faults f = {0};

    (void)state;
    region_plan_make(old, 2, new, 2, &f, &p);
    check_ok(faults_end(&f));
    assert_int_equal(p.changes, 0);
}

static void a_key_for_a_region_that_is_there__planned__is_a_fault(void **state)
{
    struct region old[] = {there("a", 1, CMEK_ENABLED)};
    struct region_wish new[] = {wish("a", 1, 1)};
    struct region_plan p;
    struct faults f = {0};

    (void)state;
    region_plan_make(old, 1, new, 1, &f, &p);
    check_text(faults_end(&f), "region a is there already");
}

static void a_region_without_key_beside_others_with__planned__is_a_fault(void **state)
{
    struct region old[] = {there("a", 1, CMEK_REVOKED)};
    struct region_wish new[] = {wish("a", 1, 0), wish("b", 1, 0)};
    struct region_plan p;
    struct faults f = {0}, g = {0};

    (void)state;
    region_plan_make(old, 1, new, 2, &f, &p);
    check_text(faults_end(&f), "region b needs a key");
    new[1].key_count = 1;
    region_plan_make(old, 1, new, 2, &g, &p);
    check_ok(faults_end(&g));
}

static void a_region_on_its_way_out__planned__cannot_be_wished_and_is_left_alone(void **state)
{
    struct region old[] = {there("a", 1, CMEK_DISABLED), there("b", 1, CMEK_DISABLED)};
    struct region_wish new[] = {wish("a", 1, 0), wish("b", 1, 0)};
    struct region_plan p;
    struct faults f = {0}, g = {0};

    (void)state;
    old[1].state = REGION_REMOVING;
    region_plan_make(old, 2, new, 2, &f, &p);
    check_text(faults_end(&f), "region b is still being removed");
    region_plan_make(old, 2, new, 1, &g, &p);
    check_ok(faults_end(&g));
    assert_int_equal(p.changes, 0);
}

static void a_revoked_region__planned__may_shrink_and_not_grow(void **state)
{
    struct region old[] = {there("a", 2, CMEK_REVOKED)};
    struct region_wish more = wish("a", 3, 0), less = wish("a", 1, 0);
    struct region_plan p;
    struct faults f = {0}, g = {0};

    (void)state;
    old[0].is_revoked = true;
    region_plan_make(old, 1, &more, 1, &f, &p);
    check_text(faults_end(&f), "restore it before it grows");
    region_plan_make(old, 1, &less, 1, &g, &p);
    check_ok(faults_end(&g));
    assert_int_equal(p.steps[0].action, PLAN_SCALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_everything__planned__names_each_step),
        cmocka_unit_test(the_same_regions__planned__change_nothing),
        cmocka_unit_test(a_key_for_a_region_that_is_there__planned__is_a_fault),
        cmocka_unit_test(a_region_without_key_beside_others_with__planned__is_a_fault),
        cmocka_unit_test(a_region_on_its_way_out__planned__cannot_be_wished_and_is_left_alone),
        cmocka_unit_test(a_revoked_region__planned__may_shrink_and_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
