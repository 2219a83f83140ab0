/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is written wrongly in a wish for a cluster is told, all of it, and what is right passes.
 */
#include "check.h"
#include "control/cluster_rules.h"
#include <stdio.h>
#include <string.h>

static const char served[][NAME_BYTES] = {"ap-south-1", "us-west-2"};

static struct region_wish region(const char *name, uint32_t nodes)
{
    struct region_wish r = {.node_count = nodes};

    snprintf(r.name, sizeof r.name, "%s", name);
    return r;
}

static void names__checked__only_good_ones_pass(void **state)
{
    static const char *const good[] = {"a", "orders-2", "a-"};
    static const char *const bad[] = {"", "2a", "-a", "Orders", "a_b", "a b", "ö"};
    char longest[CLUSTER_NAME_MAX + 2];
    struct faults f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        rules_name(good[i], &f);
    memset(longest, 'a', sizeof longest);
    longest[CLUSTER_NAME_MAX] = 0;
    rules_name(longest, &f);
    check_ok(faults_end(&f));
    longest[CLUSTER_NAME_MAX] = 'a';
    longest[CLUSTER_NAME_MAX + 1] = 0;
    rules_name(longest, &f);
    assert_int_equal(f.count, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        rules_name(bad[i], &f);
    assert_int_equal(f.count, 1 + sizeof bad / sizeof bad[0]);
}

static void engines_and_providers__checked__unknown_words_are_faults(void **state)
{
    struct faults f = {0};

    (void)state;
    rules_engine("postgresql", &f);
    rules_provider("", &f);
    rules_provider("AZURE", &f);
    check_ok(faults_end(&f));
    rules_engine("../x", &f);
    rules_provider("aws", &f);
    assert_int_equal(f.count, 2);
    check_text(faults_end(&f), "one of AWS, GCP, AZURE");
}

static void extra__not_an_object__is_a_fault(void **state)
{
    struct faults f = {0};

    (void)state;
    rules_extra(NULL, &f);
    rules_extra("{\"a\":[1]}", &f);
    check_ok(faults_end(&f));
    rules_extra("[]", &f);
    rules_extra("{", &f);
    assert_int_equal(f.count, 2);
}

static void lease_terms__left_out__get_defaults_that_fit_together(void **state)
{
    struct faults f = {0};
    struct lease_terms all = {0}, quick = {.lease_ms = 2000};

    (void)state;
    rules_lease(&all, &f);
    rules_lease(&quick, &f);
    check_ok(faults_end(&f));
    assert_int_equal(all.lease_ms, 60000);
    assert_int_equal(all.probe_ms, 15000);
    assert_int_equal(all.grace_ms, 3600000);
    assert_int_equal(quick.probe_ms, 500);
}

static void lease_terms__out_of_bounds__are_faults(void **state)
{
    static const struct lease_terms bad[] = {
        {.lease_ms = 199}, {.lease_ms = 3600001},  {.lease_ms = 1000, .probe_ms = 501},
        {.probe_ms = 99},  {.grace_ms = 86400001}, {.grace_ms = -1},
        {.lease_ms = -1},  {.probe_ms = -5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct faults f = {0};
        struct lease_terms t = bad[i];
        rules_lease(&t, &f);
        if (!f.count)
            fail_msg("terms %zu pass", i);
    }
}

static void rotation__too_often_or_in_a_century__is_a_fault(void **state)
{
    struct faults f = {0};

    (void)state;
    rules_rotation(&(struct rotation_terms){.data_s = 3600, .cmek_s = 86400}, &f);
    check_ok(faults_end(&f));
    rules_rotation(
        &(struct rotation_terms){
            .data_s = 3599, .store_s = (int64_t)4000000000, .cmek_s = -1, .reencrypt_s = 1},
        &f);
    assert_int_equal(f.count, 4);
}

static void regions__with_every_fault__all_are_told(void **state)
{
    struct region_wish wish[] = {region("us-west-2", 1), region("us-west-2", 3), region("mars", 2),
                                 region("ap-south-1", 65)};
    struct faults f = {0};

    (void)state;
    wish[0].key_count = REGION_KEYS_MAX + 1;
    rules_regions(wish, 4, served, 2, &f);
    check_text(faults_end(&f), "us-west-2 is named twice");
    check_text(faults_end(&f), "no node serves region \"mars\"");
    check_text(faults_end(&f), "regions with nodes: ap-south-1, us-west-2");
    check_text(faults_end(&f), "65 nodes in region ap-south-1");
    check_text(faults_end(&f), "5 keys for region us-west-2");
    assert_int_equal(f.count, 5);
}

static void regions__none_or_too_many__are_faults(void **state)
{
    struct region_wish many[REGIONS_MAX + 1];
    struct faults f = {0}, g = {0}, h = {0};

    (void)state;
    rules_regions(NULL, 0, served, 2, &f);
    check_text(faults_end(&f), "0 regions");
    for (size_t i = 0; i <= REGIONS_MAX; i++)
        many[i] = region("us-west-2", 1);
    rules_regions(many, REGIONS_MAX + 1, served, 2, &g);
    check_text(faults_end(&g), "33 regions");
    rules_regions(many, 1, NULL, 0, &h);
    check_text(faults_end(&h), "no node has joined yet");
}

static void regions__that_are_served__pass(void **state)
{
    struct region_wish wish[] = {region("us-west-2", 1), region("ap-south-1", 64)};
    struct faults f = {0};

    (void)state;
    rules_regions(wish, 2, served, 2, &f);
    check_ok(faults_end(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names__checked__only_good_ones_pass),
        cmocka_unit_test(engines_and_providers__checked__unknown_words_are_faults),
        cmocka_unit_test(extra__not_an_object__is_a_fault),
        cmocka_unit_test(lease_terms__left_out__get_defaults_that_fit_together),
        cmocka_unit_test(lease_terms__out_of_bounds__are_faults),
        cmocka_unit_test(rotation__too_often_or_in_a_century__is_a_fault),
        cmocka_unit_test(regions__with_every_fault__all_are_told),
        cmocka_unit_test(regions__none_or_too_many__are_faults),
        cmocka_unit_test(regions__that_are_served__pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
