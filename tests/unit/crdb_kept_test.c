/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what clients say about a cluster and Keystead only remembers comes back as it was said; what cannot be had is refused by name.
 */
#include "check.h"

#include <string.h>

#include "api/crdb.h"
#include "base/json.h"

static json_t *json(const char *text)
{
    json_t *value = NULL;

    check_ok(json_read(view_text(text), (struct json_limits){64 * 1024, 16}, "the test", &value));
    return value;
}

static ks_rc create(const char *body, json_t *kept)
{
    CLEANUP(json_decrefp) json_t *request = json(body);

    return crdb_kept_create(request, kept);
}

static ks_rc patch(const char *body, json_t *kept)
{
    CLEANUP(json_decrefp) json_t *request = json(body);

    return crdb_kept_patch(request, kept);
}

static ks_rc backups(const char *body, json_t *kept)
{
    CLEANUP(json_decrefp) json_t *request = json(body);

    return crdb_kept_set_backups(request, kept);
}

/* Each test gets the presets. */
static int setup(void **state)
{
    json_t *kept = NULL;

    check_ok(crdb_kept_open("", &kept));
    *state = kept;
    return 0;
}

static int teardown(void **state)
{
    json_decref(*state);
    return 0;
}

static void check_kept(const json_t *kept, const char *name, const char *want)
{
    CLEANUP(buf_done) struct buf text = buf_init(4096);

    check_ok(json_write(json_object_get(kept, name), true, &text));
    assert_string_equal(buf_text(&text), want);
}

static void request_of_the_provider__kept_and_opened_again__all_is_there(void **state)
{
    CLEANUP(buf_done) struct buf extra = buf_init(EXTRA_BYTES);
    CLEANUP(json_decrefp) json_t *again = NULL;

    check_ok(create("{\"spec\":{\"plan\":\"ADVANCED\",\"labels\":{\"keystead-engine\":\"redis\"},"
                    "\"parent_id\":\"p\","
                    "\"customer_cloud_account\":{\"aws\":{\"arn\":\"a\"}},\"dedicated\":{"
                    "\"hardware\":{\"storage_gib\":35,"
                    "\"machine_spec\":{\"num_virtual_cpus\":4}},\"network_visibility\":\"PRIVATE\","
                    "\"cidr_range\":\"10.0.0.0/8\","
                    "\"cockroach_version\":\"v24.3\",\"supports_cluster_virtualization\":false}}}",
                    *state));
    check_ok(crdb_kept_write("{\"other\":1}", *state, &extra));
    check_ok(crdb_kept_open(buf_text(&extra), &again));
    check_kept(again, "labels", "{\"keystead-engine\":\"redis\"}");
    check_kept(again, "hardware",
               "{\"disk_iops\":0,\"machine_type\":\"\",\"num_virtual_cpus\":4,\"storage_gib\":35}");
    assert_string_equal(json_string_value(json_object_get(again, "cockroach_version")), "v24.3.0");
    assert_string_equal(json_string_value(json_object_get(again, "network_visibility")), "PRIVATE");
    assert_string_equal(json_string_value(json_object_get(again, "cidr_range")), "10.0.0.0/8");
    assert_string_equal(json_string_value(json_object_get(again, "parent_id")), "p");
    check_kept(again, "customer_cloud_account", "{\"aws\":{\"arn\":\"a\"}}");
    assert_string_equal(crdb_kept_engine(again), "redis");
    assert_non_null(strstr(buf_text(&extra), "\"other\":1"));
}

static void plan__in_either_place__only_the_one_there_is(void **state)
{
    check_ok(create("{\"plan\":\"ADVANCED\",\"spec\":{\"dedicated\":{}}}", *state));
    check_ok(create("{\"plan\":\"DEDICATED\",\"spec\":{\"dedicated\":{}}}", *state));
    check_ok(create("{\"spec\":{\"plan\":\"CUSTOM\",\"dedicated\":{}}}", *state));
    check_rc(create("{\"plan\":\"BASIC\",\"spec\":{\"dedicated\":{}}}", *state), USAGE);
    check_rc(create("{\"spec\":{\"plan\":\"STANDARD\",\"dedicated\":{}}}", *state), USAGE);
    check_rc(create("{\"spec\":{\"serverless\":{\"regions\":[]}}}", *state), USAGE);
}

static void request__of_another_form__names_the_member(void **state)
{
    static const struct {
        const char *body, *part;
    } rows[] = {
        {"{}", "spec"},
        {"{\"spec\":{}}", "dedicated"},
        {"{\"spec\":{\"labels\":[],\"dedicated\":{}}}", "labels"},
        {"{\"spec\":{\"labels\":{\"a\":1},\"dedicated\":{}}}", "label \"a\""},
        {"{\"spec\":{\"parent_id\":1,\"dedicated\":{}}}", "parent_id"},
        {"{\"spec\":{\"dedicated\":{\"region_machine_specs\":[]}}}", "region_machine_specs"},
        {"{\"spec\":{\"dedicated\":{\"region_machine_specs\":{\"west\":4}}}}", "west"},
        {"{\"spec\":{\"dedicated\":{\"region_machine_specs\":{\"w\":{\"machine_type\":4}}}}}",
         "machine_type"},
        {"{\"spec\":{\"dedicated\":{\"region_machine_specs\":{\"w\":{\"num_virtual_cpus\":-1}}}}}",
         "num_virtual_cpus"},
        {"{\"spec\":{\"dedicated\":{\"hardware\":{\"storage_gib\":-1}}}}", "storage_gib"},
        {"{\"spec\":{\"dedicated\":{\"hardware\":{\"machine_spec\":{\"machine_type\":1}}}}}",
         "machine_type"},
        {"{\"spec\":{\"dedicated\":{\"region_machine_specs\":1}}}", "region_machine_specs"},
        {"{\"spec\":{\"customer_cloud_account\":1,\"dedicated\":{}}}", "customer_cloud_account"},
        {"{\"spec\":{\"dedicated\":{\"cockroach_version\":\"v25.\"}}}", "unsupported version"},
        {"{\"spec\":{\"dedicated\":{\"cockroach_version\":\"v25.1.2x\"}}}", "unsupported version"},
        {"{\"spec\":{\"dedicated\":{\"cockroach_version\":\"25.1\"}}}", "unsupported version"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ks_rc rc = create(rows[i].body, *state);
        check_rc(rc, USAGE);
        check_text(rc, rows[i].part);
    }
}

static void too_many_labels__kept__is_usage(void **state)
{
    CLEANUP(json_decrefp) json_t *labels = json_object();
    CLEANUP(json_decrefp)
    json_t *request = json_pack("{s:{s:O, s:{}}}", "spec", "labels", labels, "dedicated");
    char name[16];

    for (int i = 0; i <= CRDB_LABELS_MAX; i++) {
        snprintf(name, sizeof name, "l%d", i);
        json_object_set_new(labels, name, json_string(""));
    }
    check_rc(crdb_kept_create(request, *state), USAGE);
}

static void labels_beyond_the_room__written__is_limit(void **state)
{
    CLEANUP(buf_done) struct buf extra = buf_init(EXTRA_BYTES + 1);
    CLEANUP(json_decrefp) json_t *labels = json_object();
    char name[16], value[256];

    memset(value, 'x', 255);
    value[255] = 0;
    for (int i = 0; i < CRDB_LABELS_MAX; i++) {
        snprintf(name, sizeof name, "l%d", i);
        json_object_set_new(labels, name, json_string(value));
    }
    json_object_set(*state, "labels", labels);
    check_rc(crdb_kept_write("", *state, &extra), LIMIT);
}

static void upgrade__asked_for__is_refused_and_a_repetition_is_not(void **state)
{
    check_ok(patch("{\"cockroach_version\":\"v25.2\"}", *state));
    check_ok(patch("{\"upgrade_status\":\"FINALIZED\",\"labels\":{\"a\":\"b\"}}", *state));
    check_kept(*state, "labels", "{\"a\":\"b\"}");
    check_rc(patch("{\"cockroach_version\":\"v25.3\"}", *state), UNSUPPORTED);
    check_rc(patch("{\"upgrade_status\":\"MAJOR_UPGRADE_RUNNING\"}", *state), UNSUPPORTED);
}

static void backups__set__only_what_is_true(void **state)
{
    CLEANUP(json_decrefp) json_t *shown = crdb_kept_backups(*state);

    assert_true(json_is_false(json_object_get(shown, "enabled")));
    assert_int_equal(json_object_size(shown), 3);
    check_rc(backups("{\"enabled\":true}", *state), UNSUPPORTED);
    check_rc(backups("{\"frequency_minutes\":7}", *state), USAGE);
    check_ok(backups("{\"enabled\":false,\"frequency_minutes\":240,\"retention_days\":7}", *state));
    check_ok(backups("{\"retention_days\":7}", *state));
    check_rc(backups("{\"retention_days\":30}", *state), STATE);
}

static void extra__that_is_no_json__is_refused(void **state)
{
    CLEANUP(buf_done) struct buf extra = buf_init(EXTRA_BYTES);
    json_t *kept = NULL;

    check_rc(crdb_kept_open("{", &kept), USAGE);
    check_rc(crdb_kept_write("{", *state, &extra), USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            request_of_the_provider__kept_and_opened_again__all_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(plan__in_either_place__only_the_one_there_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(request__of_another_form__names_the_member, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(too_many_labels__kept__is_usage, setup, teardown),
        cmocka_unit_test_setup_teardown(labels_beyond_the_room__written__is_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(upgrade__asked_for__is_refused_and_a_repetition_is_not,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(backups__set__only_what_is_true, setup, teardown),
        cmocka_unit_test_setup_teardown(extra__that_is_no_json__is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
