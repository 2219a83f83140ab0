/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: clusters and their keys look to clients of CockroachDB Cloud exactly as their decoders and their waiting need it.
 */
#include "check.h"

#include <string.h>

#include "api/crdb.h"
#include "base/json.h"

static struct region regions[2];
static struct cluster_view view;

static void set_text(char *to, size_t bytes, const char *text)
{
    assert_true((size_t)snprintf(to, bytes, "%s", text) < bytes);
}

static int setup(void **state)
{
    (void)state;
    memset(regions, 0, sizeof regions);
    memset(&view, 0, sizeof view);
    set_text(regions[0].name, sizeof regions[0].name, "us-east-1");
    set_text(regions[1].name, sizeof regions[1].name, "us-west-2");
    for (int i = 0; i < 2; i++) {
        regions[i].node_count = 3;
        regions[i].state = REGION_READY;
    }
    set_text(view.cluster.id, sizeof view.cluster.id, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11");
    set_text(view.cluster.name, sizeof view.cluster.name, "orders");
    set_text(view.cluster.provider, sizeof view.cluster.provider, "AWS");
    set_text(view.cluster.creator, sizeof view.cluster.creator,
             "6f0a111f-5c1e-4a1e-9d5c-0c6b4f6f0a12");
    view.cluster.state = CLUSTER_CREATED;
    view.cluster.created = 1782907200;
    view.cluster.updated = 1782907260;
    view.regions = regions;
    view.region_count = 2;
    return 0;
}

static const struct platform nobody;

static void check_json(json_t *value, const char *want)
{
    CLEANUP(json_decrefp) json_t *owned = value;
    CLEANUP(buf_done) struct buf text = buf_init(64 * 1024);

    assert_non_null(owned);
    check_ok(json_write(owned, true, &text));
    assert_string_equal(buf_text(&text), want);
}

static const char *member(json_t *cluster, const char *name)
{
    return json_string_value(json_object_get(cluster, name));
}

/* ---- clusters ---- */

static void cluster__nothing_given_but_regions__every_member_is_there(void **state)
{
    struct cluster_volume volume = {.region = "us-west-2", .host = "10.0.0.7"};

    (void)state;
    check_json(crdb_show_cluster(&view, &volume, 1, &nobody, false),
               "{\"cidr_range\":\"\",\"cloud_provider\":\"AWS\",\"cockroach_version\":\"v25.2.0\","
               "\"config\":{\"dedicated\":{"
               "\"disk_iops\":0,\"machine_type\":\"\",\"memory_gib\":0.0,\"num_virtual_cpus\":0,"
               "\"storage_gib\":0}},"
               "\"created_at\":\"2026-07-01T12:00:00Z\",\"creator_id\":\"6f0a111f-5c1e-4a1e-9d5c-"
               "0c6b4f6f0a12\","
               "\"delete_protection\":\"DISABLED\",\"egress_traffic_policy\":\"UNSPECIFIED\","
               "\"id\":\"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11\",\"labels\":{},\"name\":\"orders\","
               "\"network_visibility\":\"PUBLIC\",\"operation_status\":\"UNSPECIFIED\",\"parent_"
               "id\":\"root\",\"plan\":\"ADVANCED\","
               "\"regions\":[{\"internal_dns\":\"\",\"name\":\"us-east-1\",\"node_count\":3,"
               "\"primary\":false,"
               "\"private_endpoint_dns\":\"\",\"sql_dns\":\"\",\"ui_dns\":\"\"},{\"internal_dns\":"
               "\"10.0.0.7\","
               "\"name\":\"us-west-2\",\"node_count\":3,\"primary\":false,\"private_endpoint_dns\":"
               "\"\",\"sql_dns\":\"10.0.0.7\","
               "\"ui_dns\":\"\"}],\"sql_dns\":\"\",\"state\":\"CREATED\",\"updated_at\":\"2026-07-"
               "01T12:01:00Z\","
               "\"upgrade_status\":\"FINALIZED\"}");
}

static void cluster__with_machines_for_a_region__shows_them_with_that_region(void **state)
{
    (void)state;
    set_text(view.cluster.extra, sizeof view.cluster.extra,
             "{\"cockroach\":{\"region_machine_specs\":{\"us-west-2\":{\"num_virtual_cpus\":8}}}}");
    CLEANUP(json_decrefp) json_t *shown = crdb_show_cluster(&view, NULL, 0, &nobody, false);
    json_t *shown_regions = json_object_get(shown, "regions");
    assert_null(json_object_get(json_array_get(shown_regions, 0), "num_virtual_cpus"));
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(shown_regions, 1), "num_virtual_cpus")),
        8);
}

static void cluster__of_azure__tells_the_application_and_no_account(void **state)
{
    const struct platform all = {.aws_account = "444455556666",
                                 .gcp_project = "a-project",
                                 .azure_client_id = "the-application"};

    (void)state;
    set_text(view.cluster.provider, sizeof view.cluster.provider, "AZURE");
    CLEANUP(json_decrefp) json_t *azure = crdb_show_cluster(&view, NULL, 0, &all, false);
    assert_string_equal(member(azure, "azure_cluster_identity_client_id"), "the-application");
    assert_null(member(azure, "account_id"));
    set_text(view.cluster.provider, sizeof view.cluster.provider, "GCP");
    CLEANUP(json_decrefp) json_t *gcp = crdb_show_cluster(&view, NULL, 0, &all, false);
    assert_string_equal(member(gcp, "account_id"), "a-project");
}

static void cluster__asked_in_an_old_version__has_the_old_words(void **state)
{
    CLEANUP(json_decrefp) json_t *shown = crdb_show_cluster(&view, NULL, 0, &nobody, true);

    (void)state;
    assert_string_equal(member(shown, "plan"), "DEDICATED");
    assert_string_equal(member(shown, "operation_status"), "CLUSTER_STATUS_UNSPECIFIED");
}

static void each_state__shown__has_the_word_that_clients_wait_for(void **state)
{
    static const struct {
        enum cluster_state state;
        enum region_state region;
        enum cmek_status status;
        const char *word, *operation;
    } rows[] = {
        {CLUSTER_CREATING, REGION_ADDING, CMEK_DISABLED, "CREATING", "UNSPECIFIED"},
        {CLUSTER_CREATION_FAILED, REGION_ADDING, CMEK_DISABLED, "CREATION_FAILED", "UNSPECIFIED"},
        {CLUSTER_CREATED, REGION_READY, CMEK_ENABLING, "LOCKED", "CRDB_CMEK_OPERATION_RUNNING"},
        {CLUSTER_CREATED, REGION_READY, CMEK_REVOKED, "CREATED", "UNSPECIFIED"},
        {CLUSTER_CREATED, REGION_READY, CMEK_ROTATE_FAILED, "CREATED",
         "CRDB_CMEK_OPERATION_FAILED"},
        {CLUSTER_CREATED, REGION_ADDING, CMEK_ENABLING, "LOCKED", "CRDB_EDIT_CLUSTER_RUNNING"},
        {CLUSTER_CREATED, REGION_ADDING, CMEK_ENABLE_FAILED, "CREATED",
         "CRDB_CMEK_OPERATION_FAILED"},
        {CLUSTER_DELETING, REGION_REMOVING, CMEK_DISABLED, "LOCKED", "UNSPECIFIED"},
        {CLUSTER_DELETED, REGION_REMOVING, CMEK_DISABLED, "DELETED", "UNSPECIFIED"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        view.cluster.state = rows[i].state;
        regions[1].state = rows[i].region;
        regions[1].status = rows[i].status;
        CLEANUP(json_decrefp) json_t *shown = crdb_show_cluster(&view, NULL, 0, &nobody, false);
        assert_string_equal(member(shown, "state"), rows[i].word);
        assert_string_equal(member(shown, "operation_status"), rows[i].operation);
    }
}

static void cluster__its_extra_is_damaged__is_not_shown(void **state)
{
    (void)state;
    set_text(view.cluster.extra, sizeof view.cluster.extra, "{");
    assert_null(crdb_show_cluster(&view, NULL, 0, &nobody, false));
}

/* ---- CMEK ---- */

static void set_key(struct region_key *key, const char *name, enum cmek_status status)
{
    memset(key, 0, sizeof *key);
    set_text(key->spec.type, sizeof key->spec.type, "AWS_KMS");
    snprintf(key->spec.uri, sizeof key->spec.uri, "arn:aws:kms:us-west-2:1:key/%s?a=<&>\"\u00e9",
             name);
    set_text(key->spec.auth_principal, sizeof key->spec.auth_principal, "arn:aws:iam::1:role/r");
    key->status = status;
    key->created = key->updated = 1782907200;
}

static void cmek__two_keys__newest_first_and_to_the_byte(void **state)
{
    struct region_key keys[2];
    struct cmek_region region = {.key_count = 2, .keys = keys};
    struct cmek_view cmek = {.status = CMEK_ROTATING, .region_count = 1, .regions = &region};

    (void)state;
    region.region = regions[1];
    region.region.status = CMEK_ROTATING;
    set_text(region.region.message, sizeof region.region.message, "waits for the node n1");
    set_key(&keys[0], "two", CMEK_ENABLING);
    set_key(&keys[1], "one", CMEK_DISABLING);
    check_json(
        crdb_show_cmek(&cmek),
        "{\"region_infos\":[{\"key_infos\":[{\"created_at\":\"2026-07-01T12:00:00Z\",\"spec\":{"
        "\"auth_principal\":"
        "\"arn:aws:iam::1:role/r\",\"type\":\"AWS_KMS\",\"uri\":\"arn:aws:kms:us-west-2:1:key/"
        "two?a=<&>\\\"\u00e9\"},"
        "\"status\":\"ENABLING\",\"updated_at\":\"2026-07-01T12:00:00Z\",\"user_message\":\"waits "
        "for the node n1\"},"
        "{\"created_at\":\"2026-07-01T12:00:00Z\",\"spec\":{\"auth_principal\":\"arn:aws:iam::1:"
        "role/r\",\"type\":"
        "\"AWS_KMS\",\"uri\":\"arn:aws:kms:us-west-2:1:key/"
        "one?a=<&>\\\"\u00e9\"},\"status\":\"DISABLING\","
        "\"updated_at\":\"2026-07-01T12:00:00Z\",\"user_message\":\"\"}],\"region\":\"us-west-2\","
        "\"status\":"
        "\"ROTATING\"}],\"status\":\"ROTATING\"}");
}

static void cmek__never_enabled__regions_without_keys(void **state)
{
    struct cmek_region region = {0};
    struct cmek_view cmek = {.status = CMEK_DISABLED, .region_count = 1, .regions = &region};

    (void)state;
    region.region = regions[0];
    check_json(
        crdb_show_cmek(&cmek),
        "{\"region_infos\":[{\"key_infos\":[],\"region\":\"us-east-1\",\"status\":\"DISABLED\"}],"
        "\"status\":\"DISABLED\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cluster__nothing_given_but_regions__every_member_is_there, setup),
        cmocka_unit_test_setup(cluster__with_machines_for_a_region__shows_them_with_that_region,
                               setup),
        cmocka_unit_test_setup(cluster__of_azure__tells_the_application_and_no_account, setup),
        cmocka_unit_test_setup(cluster__asked_in_an_old_version__has_the_old_words, setup),
        cmocka_unit_test_setup(each_state__shown__has_the_word_that_clients_wait_for, setup),
        cmocka_unit_test_setup(cluster__its_extra_is_damaged__is_not_shown, setup),
        cmocka_unit_test_setup(cmek__two_keys__newest_first_and_to_the_byte, setup),
        cmocka_unit_test_setup(cmek__never_enabled__regions_without_keys, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
