/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: regions and keys are read from bodies in every form that clients and guides have; faults name what is wrong.
 */
#include "check.h"

#include <string.h>

#include "api/crdb.h"
#include "base/json.h"
#include "base/mem.h"

#define KEY(name) "{\"type\":\"AWS_KMS\",\"uri\":\"arn:" name "\",\"auth_principal\":\"role\"}"
#define SPEC(region, name) "{\"region\":\"" region "\",\"key_spec\":" KEY(name) "}"

static struct region region;
static struct region_key key;
static struct cmek_region cmek_region;
static struct cluster_view view;
static struct cmek_view cmek;

/* A cluster with one region "west", whose key is arn:one. */
static int setup(void **state)
{
    (void)state;
    region = (struct region){
        .name = "west", .node_count = 3, .status = CMEK_ENABLED, .state = REGION_READY};
    key = (struct region_key){
        .spec = {.type = "AWS_KMS", .uri = "arn:one", .auth_principal = "role"}};
    cmek_region = (struct cmek_region){.region = region, .key_count = 1, .keys = &key};
    view = (struct cluster_view){.region_count = 1, .regions = &region};
    cmek = (struct cmek_view){.region_count = 1, .regions = &cmek_region};
    return 0;
}

static ks_rc read_regions(const char *text, struct region_wish **ret, size_t *ret_count)
{
    CLEANUP(json_decrefp) json_t *body = NULL;

    check_ok(json_read(view_text(text), (struct json_limits){64 * 1024, 16}, "the test", &body));
    return crdb_read_regions(body, &view, &cmek, ret, ret_count);
}

static void check_added(const char *text, uint32_t nodes)
{
    CLEANUP(mem_freep) struct region_wish *wishes = NULL;
    size_t count;

    check_ok(read_regions(text, &wishes, &count));
    assert_int_equal(count, 2);
    assert_string_equal(wishes[0].name, "west");
    assert_int_equal(wishes[0].node_count, 3);
    assert_int_equal(wishes[0].key_count, 0);
    assert_string_equal(wishes[1].name, "east");
    assert_int_equal(wishes[1].node_count, nodes);
    assert_int_equal(wishes[1].key_count, 1);
    assert_string_equal(wishes[1].keys[0].uri, "arn:two");
    assert_string_equal(wishes[1].keys[0].auth_principal, "role");
}

static void region_added__in_each_form__is_the_same(void **state)
{
    (void)state;
    check_added(
        "{\"dedicated\":{\"region_nodes\":{\"west\":3,\"east\":5},\"cmek_region_specs\":[" SPEC(
            "east", "two") "]}}",
        5);
    check_added(
        "{\"dedicated\":{\"region_nodes\":{\"west\":3,\"east\":5},\"cmek_region_specs\":[" SPEC(
            "west", "one") "," SPEC("east", "two") "]}}",
        5);
    check_added("{\"region_specs\":[" SPEC("east", "two") "]}", 3);
    check_added("{\"region_specs\":[" SPEC("west", "one") "," SPEC("east", "two") "]}", 3);
}

static void body__says_nothing_about_regions__they_stay(void **state)
{
    struct region_wish *wishes = NULL;
    size_t count = 7;

    (void)state;
    check_ok(read_regions("{\"labels\":{}}", &wishes, &count));
    assert_int_equal(count, 0);
    assert_null(wishes);
}

static void regions__that_cannot_be__are_usage(void **state)
{
    static const struct {
        const char *body, *part;
    } rows[] = {
        {"{\"dedicated\":{\"region_nodes\":{}}}", "1 to 32 regions"},
        {"{\"dedicated\":{\"region_nodes\":{\"west\":0}}}", "from 1 to 64"},
        {"{\"dedicated\":{\"region_nodes\":{\"west\":65}}}", "from 1 to 64"},
        {"{\"dedicated\":{\"region_nodes\":{\"west\":\"3\"}}}", "from 1 to 64"},
        {"{\"dedicated\":{\"region_nodes\":{\"west\":3,\"east\":3}}}",
         "the new region east needs one"},
        {"{\"dedicated\":{\"region_nodes\":{\"west\":3},\"cmek_region_specs\":[" SPEC("east",
                                                                                      "two") "]}}",
         "not in \"region_nodes\""},
        {"{\"dedicated\":{\"region_nodes\":{\"west\":3},\"cmek_region_specs\":[" SPEC("west",
                                                                                      "two") "]}}",
         "there already"},
        {"{\"region_specs\":[" SPEC("west", "two") "]}", "there already"},
        {"{\"region_specs\":[" SPEC("east", "two") "," SPEC("east", "two") "]}", "two keys"},
        {"{\"region_specs\":[{\"key_spec\":" KEY("a") "}]}", "region"},
        {"{\"region_specs\":[{\"region\":\"east\"}]}", "key_spec"},
        {"{\"region_specs\":[{\"region\":\"east\",\"key_spec\":{\"type\":\"AWS_KMS\"}}]}", "uri"},
        {"{\"region_specs\":[{\"region\":\"east\",\"key_spec\":{\"uri\":\"u\"}}]}", "type"},
        {"{\"region_specs\":[{\"region\":\"east\",\"key_spec\":{\"type\":\"T\",\"uri\":\"u\","
         "\"auth_principal\":1}}]}",
         "auth_principal"},
        {"{\"region_specs\":{}}", "region_specs"},
        {"{\"dedicated\":[]}", "dedicated"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct region_wish *wishes = NULL;
        size_t count;
        ks_rc rc = read_regions(rows[i].body, &wishes, &count);
        check_rc(rc, USAGE);
        check_text(rc, rows[i].part);
    }
}

static void region_added__to_a_cluster_without_keys__needs_none(void **state)
{
    CLEANUP(mem_freep) struct region_wish *wishes = NULL;
    size_t count;

    (void)state;
    cmek_region.region.status = CMEK_DISABLED;
    check_ok(read_regions("{\"dedicated\":{\"region_nodes\":{\"west\":3,\"east\":3}}}", &wishes,
                          &count));
    assert_int_equal(count, 2);
}

static void protection__in_each_word__read(void **state)
{
    static const struct {
        const char *body;
        bool is_given, is_on;
    } rows[] = {{"{}", false, false},
                {"{\"delete_protection\":\"ENABLED\"}", true, true},
                {"{\"delete_protection\":\"DISABLED\"}", true, false},
                {"{\"delete_protection\":\"DELETE_PROTECTION_STATE_UNSPECIFIED\"}", false, false}};
    bool is_on, is_given;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(json_decrefp) json_t *body = json_loads(rows[i].body, 0, NULL);
        check_ok(crdb_read_protection(body, &is_on, &is_given));
        assert_int_equal(is_given, rows[i].is_given);
        assert_int_equal(is_on, rows[i].is_on);
    }
    CLEANUP(json_decrefp) json_t *body = json_loads("{\"delete_protection\":\"yes\"}", 0, NULL);
    check_rc(crdb_read_protection(body, &is_on, &is_given), USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(region_added__in_each_form__is_the_same, setup),
        cmocka_unit_test_setup(body__says_nothing_about_regions__they_stay, setup),
        cmocka_unit_test_setup(regions__that_cannot_be__are_usage, setup),
        cmocka_unit_test_setup(region_added__to_a_cluster_without_keys__needs_none, setup),
        cmocka_unit_test(protection__in_each_word__read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
