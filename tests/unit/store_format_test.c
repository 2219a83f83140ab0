/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a store that an older build wrote is read by this one (tests/formats/control-v1.db); a migration copies
 * the store first, happens whole or not at all, and one from the future is refused.
 *
 * The path of the sample is an argument; with "make" behind it the sample is written instead, which is done once for a version.
 */
#include <sqlite3.h>
#include <sys/stat.h>

#include "control/store_int.h"
#include "store_fixture.h"

static const char *sample;

/* -- the sample -- */

static void put_rest(struct store_tx *tx)
{
    struct region_key key = region_key_row(CLUSTER, "a", 1);
    struct cluster_volume volume = volume_row(1, "a");
    struct volume_key volume_key = {.state = WRAP_ACTIVE};
    struct operation operation = {.number = 1, .kind = OPERATION_CMEK_ENABLE, .eta_s = -1};
    struct store_api_key api_key = {.hash = {1, 2, 3}};
    struct receipt receipt = {.at = 7};
    bool is_new;
    int64_t number;

    check_ok(store_region_key_put(tx, &key));
    check_ok(store_volume_put(tx, &volume));
    PUT_TEXT(volume_key.volume, VOLUME);
    PUT_TEXT(volume_key.key, key.id);
    check_ok(store_volume_key_put(tx, &volume_key));
    PUT_TEXT(operation.id, id_of("0f", 1).text);
    PUT_TEXT(operation.cluster, CLUSTER);
    check_ok(store_operation_put(tx, &operation));
    PUT_TEXT(api_key.key.id, id_of("0f", 2).text);
    PUT_TEXT(api_key.key.name, "deploy");
    check_ok(store_api_key_put(tx, &api_key));
    PUT_TEXT(receipt.id, id_of("0f", 3).text);
    PUT_TEXT(receipt.text, "{}");
    check_ok(store_receipt_put(tx, &receipt, &is_new));
    check_ok(store_document_put(
        tx, &(struct store_document){"volume", VOLUME, CLUSTER, view_text("{\"wraps\":[]}")}));
    check_ok(store_tx_next(tx, STORE_GOAL, &number));
}

static void make_sample(const char *path)
{
    struct store_fixture f;
    struct store_tx *tx;

    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    store_fixture_fill(tx);
    put_rest(tx);
    for (int i = 0; i < 3; i++)
        check_ok(store_tx_audit(tx, NULL,
                                &(struct store_event){.action = "cmek.enable",
                                                      .organisation = ORGANISATION,
                                                      .cluster = CLUSTER,
                                                      .detail = json_pack("{s:i}", "n", i)}));
    check_ok(store_tx_commit(&tx));
    check_ok(store_backup(f.store, path));
    store_fixture_close(&f);
}

/* A state directory with a copy of the sample as its store. */
static void open_sample(struct store_fixture *f, const struct store_schema *schema)
{
    static uint8_t bytes[1024 * 1024];

    f->tmp = tmpdir_make();
    f->conf = (struct store_conf){f->tmp.path, clock_system(), random_system()};
    size_t len = file_get(sample, bytes, sizeof bytes);
    file_put(tmpdir_path(&f->tmp, "control.db").text, view_of(bytes, len));
    f->store = NULL;
    if (schema)
        check_ok(store_open_as(&f->conf, schema, &f->store));
}

static int64_t version_of(const char *path)
{
    struct db *db;
    int64_t version;

    check_ok(db_open(path, DB_READ_ONLY, store_queries, STORE_QUERY_COUNT, &db));
    check_ok(db_pragma(db, "PRAGMA user_version", &version));
    db_close(db);
    return version;
}

static void check_contents(struct store *store)
{
    struct store_view *v;
    struct region_key key;
    struct cluster_volume volume;
    struct operation operation;
    CLEANUP(buf_done) struct buf text = buf_init(100);
    CLEANUP(mem_freep) struct cluster *cluster = NULL;
    int64_t count;

    check_ok(mem_new(1, sizeof *cluster, &cluster));
    check_ok(store_view_begin(store, &v));
    check_ok(store_cluster_get(v, CLUSTER, cluster));
    assert_string_equal(cluster->name, "cluster-1");
    assert_int_equal(cluster->rotation.reencrypt_s, 4);
    check_ok(store_region_key_get(v, id_of("0b", 1).text, &key));
    assert_string_equal(key.spec.auth_principal, "arn:aws:iam::111122223333:role/cmek");
    check_ok(store_volume_get(v, VOLUME, &volume));
    assert_int_equal(volume.port, 26257);
    check_ok(store_operation_get(v, id_of("0f", 1).text, &operation));
    assert_int_equal(operation.kind, OPERATION_CMEK_ENABLE);
    check_ok(store_document_get(v, "volume", VOLUME, &text));
    check_ok(store_counter_get(v, STORE_GOAL, &count));
    assert_int_equal(count, 1);
    check_ok(store_events_verify(v, &count));
    assert_int_equal(count, 3);
    store_view_end(&v);
}

/* What a later version added is there, and empty. */
static void check_additions(struct store *store)
{
    const struct store_operations_ask all = {.organisation = ORGANISATION};
    struct store_page page = {.count_max = 9};
    struct operation *operations;
    struct store_view *v;
    struct cluster_volume volume;
    struct platform p;
    size_t count;

    check_ok(store_view_begin(store, &v));
    check_ok(store_volume_get(v, VOLUME, &volume));
    assert_string_equal(volume.anchor.volume, "");
    assert_int_equal(volume.anchor.sequence + volume.anchor.accepted + volume.found, 0);
    check_ok(store_platform_get(v, &p));
    assert_string_equal(p.aws_account, "");
    check_ok(store_operations(v, &all, &page, &operations, &count));
    mem_free(operations);
    store_view_end(&v);
}

static void sample_of_version_1__in_each_version_since__is_what_it_was(void **state)
{
    (void)state;
    for (int64_t version = 1; version <= STORE_SCHEMA_VERSION; version++) {
        const struct store_schema then = {store_schema_now.steps, version};
        struct store_fixture f;
        open_sample(&f, &then);
        store_close(f.store);
        f.store = NULL;
        assert_int_equal(version_of(tmpdir_path(&f.tmp, "control.db").text), version);
        check_ok(store_open(&f.conf, &f.store));
        check_contents(f.store);
        check_additions(f.store);
        store_fixture_close(&f);
    }
}

static void sample_of_version_1__is_what_it_was(void **state)
{
    struct store_fixture f;

    (void)state;
    open_sample(&f, &store_schema_now);
    check_contents(f.store);
    store_fixture_close(&f);
}

/* -- migrations -- */

/* The schema as it may once be: one step more. */
static void next_schema(const char *step, const char *steps[STORE_SCHEMA_VERSION + 1],
                        struct store_schema *ret)
{
    memcpy(steps, store_schema_now.steps, STORE_SCHEMA_VERSION * sizeof steps[0]);
    steps[STORE_SCHEMA_VERSION] = step;
    *ret = (struct store_schema){steps, STORE_SCHEMA_VERSION + 1};
}

static void migration__copies_first__and_keeps_what_was_there(void **state)
{
    struct store_fixture f;
    const char *steps[STORE_SCHEMA_VERSION + 1];
    struct store_schema next;
    struct store *older = NULL;

    (void)state;
    next_schema("CREATE TABLE more (a TEXT) STRICT; CREATE INDEX more_a ON more (a)", steps, &next);
    open_sample(&f, &next);
    check_contents(f.store);
    store_close(f.store);
    f.store = NULL;
    assert_int_equal(version_of(tmpdir_path(&f.tmp, "control.db").text), STORE_SCHEMA_VERSION + 1);
    assert_int_equal(version_of(tmpdir_path(&f.tmp, "control.db.v1").text), 1);
    check_rc(store_open(&f.conf, &older), NEWER_VERSION);
    check_ok(store_open_as(&f.conf, &next, &f.store)); /* once */
    store_fixture_close(&f);
}

static void migration__fails_half_way__as_it_was_and_can_be_tried_again(void **state)
{
    struct store_fixture f;
    const char *steps[STORE_SCHEMA_VERSION + 1];
    struct store_schema next;

    (void)state;
    next_schema("CREATE TABLE more (a TEXT) STRICT; DROP TABLE none", steps, &next);
    open_sample(&f, NULL);
    check_class(store_open_as(&f.conf, &next, &f.store), IO);
    assert_int_equal(version_of(tmpdir_path(&f.tmp, "control.db").text), 1);
    next_schema("CREATE TABLE more (a TEXT) STRICT", steps, &next);
    check_ok(
        store_open_as(&f.conf, &next, &f.store)); /* with the copy of the first try in the way */
    check_contents(f.store);
    store_fixture_close(&f);
}

static void open__empty_file__is_made_a_store(void **state)
{
    struct store_fixture f;

    (void)state;
    f.tmp = tmpdir_make();
    f.conf = (struct store_conf){f.tmp.path, clock_system(), random_system()};
    file_put(tmpdir_path(&f.tmp, "control.db").text, view_text("")); /* creation that was cut off */
    check_ok(store_open(&f.conf, &f.store));
    store_fixture_close(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_of_version_1__is_what_it_was),
        cmocka_unit_test(sample_of_version_1__in_each_version_since__is_what_it_was),
        cmocka_unit_test(migration__copies_first__and_keeps_what_was_there),
        cmocka_unit_test(migration__fails_half_way__as_it_was_and_can_be_tried_again),
        cmocka_unit_test(open__empty_file__is_made_a_store),
    };

    if (argc < 2)
        return 1;
    sample = argv[1];
    if (argc > 2) {
        make_sample(sample);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
