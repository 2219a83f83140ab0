/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: regions on the command line mean what is written there, and keys find their regions; nothing else is taken.
 */
#include "cli/region_list.h"

#include "base/json.h"
#include "check.h"

static json_t *regions;

static ks_rc parse(const char *text)
{
    json_decref(regions);
    regions = NULL;
    return region_list_parse(text, &regions);
}

static void parse__names_and_numbers__kept(void **state)
{
    (void)state;
    check_ok(parse("us-west-2:3,us-east-1,eu:64"));
    json_t *want =
        json_pack("[{s:s, s:i}, {s:s, s:i}, {s:s, s:i}]", "name", "us-west-2", "node_count", 3,
                  "name", "us-east-1", "node_count", 1, "name", "eu", "node_count", 64);
    assert_true(json_equal(regions, want));
    json_decref(want);
}

static void parse__anything_else__usage(void **state)
{
    static const char *const bad[] = {
        "",     ",",    "a,",    ",a",    "a:",     "a:0",    "a:x",
        "a:65", "a:-1", "a:1:2", "a,a:2", "a:9999", "a:3b,b", "\xff\xfe"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!ks_is(parse(bad[i]), KS_E_USAGE))
            fail_msg("\"%s\" is taken", bad[i]);
}

static void parse__more_regions_than_a_cluster_has__limit(void **state)
{
    char text[512] = "r0";

    (void)state;
    for (int i = 1; i <= 32; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), ",r%d", i);
    check_rc(parse(text), LIMIT);
}

static void add_keys__each_region_its_own__merged(void **state)
{
    json_t *specs = json_pack("[{s:s, s:[{s:s}]}, {s:s, s:[{s:s}]}]", "region", "b", "keys", "uri",
                              "kb", "region", "a", "keys", "uri", "ka");

    (void)state;
    check_ok(parse("a,b"));
    check_ok(region_list_add_keys(regions, specs));
    json_t *keys = json_object_get(json_array_get(regions, 0), "keys");
    assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 0), "uri")), "ka");
    json_decref(specs);
}

static void add_keys__too_many_or_too_few__usage(void **state)
{
    json_t *specs = json_pack("[{s:s, s:[]}]", "region", "a", "keys");

    (void)state;
    check_ok(parse("b"));
    check_text(region_list_add_keys(regions, specs), "not among");
    check_ok(parse("a,b"));
    check_text(region_list_add_keys(regions, specs), "no key for region b");
    json_decref(specs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__names_and_numbers__kept),
        cmocka_unit_test(parse__anything_else__usage),
        cmocka_unit_test(parse__more_regions_than_a_cluster_has__limit),
        cmocka_unit_test(add_keys__each_region_its_own__merged),
        cmocka_unit_test(add_keys__too_many_or_too_few__usage),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    json_decref(regions);
    return failed;
}
