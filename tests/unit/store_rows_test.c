/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: each kind of row comes back as it was put, by everything it can be found by and in the order that is
 * promised, in parts too; and what does not belong into a row, or does not fit, is refused when written and when read.
 */
#include <sqlite3.h>

#include "store_fixture.h"

struct fixture {
    struct store_fixture store;
    struct store_tx *tx; /* stays open: nothing here is about durability */
    struct store_view *v;
};

static void set_up(struct fixture *f)
{
    store_fixture_open(&f->store);
    check_ok(store_tx_begin(f->store.store, &f->tx));
    f->v = store_tx_view(f->tx);
    store_fixture_fill(f->tx);
}

static void tear_down(struct fixture *f)
{
    store_tx_end(&f->tx);
    store_fixture_close(&f->store);
}

/* Takes a list of rows apart: the ids (or names) in their order, each with a blank, and frees it. */
struct words {
    char text[512];
};
static struct words take(void *rows, size_t count, size_t bytes, size_t offset)
{
    struct words w = {""};
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        const char *id = (const char *)rows + i * bytes + offset;
        size_t skip = strlen(id) > 8 && id[8] == '-' ? 33 : 0; /* of an id its last digits */
        len += (size_t)snprintf(w.text + len, sizeof w.text - len, "%s ", id + skip);
    }
    mem_free(rows);
    return w;
}
#define TAKE_WORDS(rows, count, type, member)                                                      \
    take(rows, count, sizeof(struct type), offsetof(struct type, member))

static void organisations__by_id_and_in_parts(void **state)
{
    struct fixture f;
    struct organisation got, *rows;
    size_t count;

    (void)state;
    set_up(&f);
    for (unsigned n = 2; n <= 4; n++) {
        struct organisation row = organisation_row(n);
        check_ok(store_organisation_put(f.tx, &row));
    }
    check_ok(store_organisation_get(f.v, id_of("0a", 3).text, &got));
    assert_string_equal(got.name, "organisation 3");
    assert_string_equal(got.label, "label");
    assert_int_equal(got.created, 1003);
    check_rc(store_organisation_get(f.v, NODE, &got), NOT_FOUND);
    struct store_page page = {.count_max = 3, .is_descending = true};
    check_ok(store_organisations(f.v, &page, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, organisation, id).text, "004 003 002 ");
    page.at = 1002;
    PUT_TEXT(page.text, id_of("0a", 2).text);
    check_ok(store_organisations(f.v, &page, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, organisation, id).text, "001 ");
    struct organisation same = organisation_row(9);
    PUT_TEXT(same.name, "organisation 2");
    check_rc(store_organisation_put(f.tx, &same), EXISTS);
    tear_down(&f);
}

static void clusters__every_member_comes_back(void **state)
{
    struct fixture f;
    CLEANUP(mem_freep) struct cluster *row = cluster_row(2), *got = NULL;

    (void)state;
    set_up(&f);
    row->is_delete_protected = true;
    PUT_TEXT(row->message, "a \"message\"\nwith '; DROP TABLE cluster; --");
    PUT_TEXT(row->creator, NODE);
    memset(row->extra, 'x', sizeof row->extra - 1); /* as long as it can be */
    row->deleted = -1;
    check_ok(store_cluster_put(f.tx, row));
    check_ok(mem_new(1, sizeof *got, &got));
    check_ok(store_cluster_get(f.v, row->id, got));
    assert_memory_equal(got, row, sizeof *row);
    row->state = CLUSTER_DELETING;
    row->revision++;
    row->extra[0] = '\0';
    memset(row->extra, 0, sizeof row->extra);
    check_ok(store_cluster_put(f.tx, row));
    check_ok(store_cluster_get(f.v, row->id, got));
    assert_memory_equal(got, row, sizeof *row);
    check_rc(store_cluster_get(f.v, NODE, got), NOT_FOUND);
    tear_down(&f);
}

static void clusters__one_living_of_a_name(void **state)
{
    struct fixture f;
    CLEANUP(mem_freep) struct cluster *row = cluster_row(2), *got = NULL;

    (void)state;
    set_up(&f);
    check_ok(mem_new(1, sizeof *got, &got));
    PUT_TEXT(row->name, "cluster-1");
    check_rc(store_cluster_put(f.tx, row), EXISTS);
    row->deleted = 5;
    check_ok(store_cluster_put(f.tx, row));
    check_ok(store_cluster_by_name(f.v, ORGANISATION, "cluster-1", got));
    assert_int_equal(got->number, 1);
    check_rc(store_cluster_by_name(f.v, ORGANISATION, "cluster-2", got), NOT_FOUND);
    check_rc(store_cluster_by_name(f.v, NODE, "cluster-1", got), NOT_FOUND);
    tear_down(&f);
}

/* Clusters 1 to 6; 2 and 5 are deleted, 5 first; even ones are of the dialect "cockroach". */
static void put_clusters(struct fixture *f)
{
    for (unsigned n = 2; n <= 6; n++) {
        CLEANUP(mem_freep) struct cluster *row = cluster_row(n);
        row->deleted = n == 2 ? 3000 : n == 5 ? 2000 : 0;
        snprintf(row->name, sizeof row->name, "%c", (char)('z' - n));
        check_ok(store_cluster_put(f->tx, row));
    }
}

/* The numbers of a list read in parts. */
static struct words list_clusters(struct fixture *f, struct store_clusters_ask ask, uint32_t part,
                                  bool is_descending)
{
    struct store_page page = {.count_max = part, .is_descending = is_descending};
    struct words w = {""};
    size_t count, len = 0;

    do {
        CLEANUP(mem_freep) struct cluster *rows = NULL;
        check_ok(store_clusters(f->v, &ask, &page, &rows, &count));
        for (size_t i = 0; i < count; i++) {
            len += (size_t)snprintf(w.text + len, sizeof w.text - len, "%d ", (int)rows[i].number);
            page.at = ask.order == STORE_CLUSTERS_BY_DELETED ? rows[i].deleted : 0;
            page.number = rows[i].number;
            if (ask.order == STORE_CLUSTERS_BY_NAME)
                PUT_TEXT(page.text, rows[i].name);
        }
    } while (count == part);
    return w;
}

static void clusters__lists__in_every_order_and_part(void **state)
{
    static const struct {
        enum store_cluster_order order;
        bool is_with_deleted;
        const char *dialect, *up, *down;
    } rows[] = {
        {STORE_CLUSTERS_BY_NUMBER, false, NULL, "1 3 4 6 ", "6 4 3 1 "},
        {STORE_CLUSTERS_BY_NUMBER, true, NULL, "1 2 3 4 5 6 ", "6 5 4 3 2 1 "},
        {STORE_CLUSTERS_BY_NAME, false, NULL, "1 6 4 3 ", "3 4 6 1 "},
        {STORE_CLUSTERS_BY_NAME, true, NULL, "1 6 5 4 3 2 ", "2 3 4 5 6 1 "},
        {STORE_CLUSTERS_BY_DELETED, false, NULL, "1 3 4 6 ", "6 4 3 1 "},
        {STORE_CLUSTERS_BY_DELETED, true, NULL, "1 3 4 6 5 2 ", "2 5 6 4 3 1 "},
        {STORE_CLUSTERS_BY_NUMBER, true, "cockroach", "2 4 6 ", "6 4 2 "},
        {STORE_CLUSTERS_BY_NAME, false, "native", "1 3 ", "3 1 "},
        {STORE_CLUSTERS_BY_NAME, true, "none", "", ""},
    };
    struct fixture f;

    (void)state;
    set_up(&f);
    put_clusters(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint32_t part = 1; part <= 7; part++) {
            struct store_clusters_ask ask = {ORGANISATION, rows[i].order, rows[i].is_with_deleted,
                                             rows[i].dialect};
            assert_string_equal(list_clusters(&f, ask, part, false).text, rows[i].up);
            assert_string_equal(list_clusters(&f, ask, part, true).text, rows[i].down);
        }
    struct store_clusters_ask other = {NODE, STORE_CLUSTERS_BY_NUMBER, true, NULL};
    assert_string_equal(list_clusters(&f, other, 10, false).text, "");
    tear_down(&f);
}

static void regions__by_name_and_gone_when_deleted(void **state)
{
    struct fixture f;
    struct region row = region_row(CLUSTER, "c"), got, *rows;
    size_t count;

    (void)state;
    set_up(&f);
    row.is_revoked = row.is_platform_wanted = true;
    row.status = CMEK_REVOKE_FAILED;
    row.cause = CAUSE_DENIED;
    row.serial_restore = UINT32_MAX;
    check_ok(store_region_put(f.tx, &row));
    check_ok(store_region_get(f.v, CLUSTER, "c", &got));
    assert_memory_equal(&got, &row, sizeof row);
    check_ok(store_regions(f.v, CLUSTER, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, region, name).text, "a b c ");
    check_ok(store_region_delete(f.tx, CLUSTER, "b"));
    check_rc(store_region_get(f.v, CLUSTER, "b", &got), NOT_FOUND);
    check_ok(store_regions(f.v, NODE, &rows, &count));
    assert_true(count == 0 && !rows);
    PUT_TEXT(row.cluster, NODE);
    check_rc(store_region_put(f.tx, &row), BUG); /* of a cluster that is not there */
    tear_down(&f);
}

static void region_keys__newest_first(void **state)
{
    static const struct {
        unsigned n;
        const char *region;
    } puts[] = {{1, "b"}, {2, "a"}, {3, "b"}, {4, "a"}, {5, "a"}};
    struct fixture f;
    struct region_key got, *rows;
    size_t count;

    (void)state;
    set_up(&f);
    for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
        struct region_key row = region_key_row(CLUSTER, puts[i].region, puts[i].n);
        check_ok(store_region_key_put(f.tx, &row));
        row.retired = 7;
        check_ok(store_region_key_put(f.tx, &row));
        check_ok(store_region_key_get(f.v, row.id, &got));
        assert_memory_equal(&got, &row, sizeof row);
    }
    check_ok(store_region_keys(f.v, CLUSTER, NULL, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, region_key, id).text, "005 004 002 003 001 ");
    check_ok(store_region_keys(f.v, CLUSTER, "b", &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, region_key, id).text, "003 001 ");
    check_rc(store_region_key_get(f.v, NODE, &got), NOT_FOUND);
    tear_down(&f);
}

static void nodes__by_id_certificate_and_region(void **state)
{
    struct fixture f;
    struct node got, *rows, row;
    char(*names)[NAME_BYTES];
    size_t count;
    int64_t volumes;

    (void)state;
    set_up(&f);
    row = node_row(2, "b");
    check_ok(store_node_put(f.tx, &row));
    row = node_row(3, "a");
    check_ok(store_node_put(f.tx, &row));
    row = node_row(4, "c");
    row.state = NODE_REMOVED;
    check_ok(store_node_put(f.tx, &row));
    check_ok(store_node_get(f.v, row.id, &got));
    assert_memory_equal(&got, &row, sizeof row);
    check_ok(store_node_by_certificate(f.v, node_row(3, "a").certificate, &got));
    assert_string_equal(got.name, "node-3");
    check_rc(store_node_by_certificate(f.v, "00", &got), NOT_FOUND);
    check_ok(store_nodes(f.v, &(struct store_page){.count_max = 9}, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, node, id).text, "001 002 003 004 ");
    check_ok(store_nodes_of_region(f.v, "a", &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, node, id).text, "001 003 ");
    check_ok(store_region_names(f.v, &names, &count));
    assert_string_equal(take(names, count, NAME_BYTES, 0).text, "a b ");
    check_ok(store_node_volume_count(f.v, NODE, &volumes));
    assert_int_equal(volumes, 0);
    tear_down(&f);
}

static void join_tokens__come_back_and_expire(void **state)
{
    struct fixture f;
    struct store_join_token row = {.hash = {1, 2, 3}, .created = 5, .expires = 10}, got;

    (void)state;
    set_up(&f);
    PUT_TEXT(row.id, VOLUME);
    PUT_TEXT(row.region, "a");
    check_ok(store_join_token_put(f.tx, &row));
    row.used = 7;
    PUT_TEXT(row.node, NODE);
    check_ok(store_join_token_put(f.tx, &row));
    check_ok(store_join_tokens_expire(f.tx, 10));
    check_ok(store_join_token_get(f.v, VOLUME, &got));
    assert_memory_equal(&got, &row, sizeof row);
    check_ok(store_join_tokens_expire(f.tx, 11));
    check_rc(store_join_token_get(f.v, VOLUME, &got), NOT_FOUND);
    tear_down(&f);
}

static void volumes__by_cluster_region_and_node(void **state)
{
    struct fixture f;
    struct cluster_volume got, *rows;
    size_t count;
    int64_t volumes;

    (void)state;
    set_up(&f);
    for (unsigned n = 4; n >= 1; n--) {
        struct cluster_volume row = volume_row(n, n % 2 ? "b" : "a");
        row.access = ACCESS_LOCKED;
        row.cause = CAUSE_UNREACHABLE;
        row.engine = ENGINE_FAILED;
        row.port = UINT16_MAX;
        row.bytes_total = INT64_MAX;
        check_ok(store_volume_put(f.tx, &row));
        check_ok(store_volume_get(f.v, row.id, &got));
        assert_memory_equal(&got, &row, sizeof row);
    }
    check_ok(store_volumes(f.v, CLUSTER, NULL, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, cluster_volume, id).text, "002 004 001 003 ");
    check_ok(store_volumes(f.v, CLUSTER, "b", &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, cluster_volume, id).text, "001 003 ");
    check_ok(store_volumes_of_node(f.v, NODE, 2, 9, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, cluster_volume, id).text, "003 004 ");
    check_ok(store_volumes_of_node(f.v, NODE, 0, 1, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, cluster_volume, id).text, "001 ");
    check_ok(store_node_volume_count(f.v, NODE, &volumes));
    assert_int_equal(volumes, 4);
    tear_down(&f);
}

static struct volume_key volume_key_row(unsigned volume, unsigned key)
{
    struct volume_key row = {.state = WRAP_FAILED};

    PUT_TEXT(row.volume, id_of("0e", volume).text);
    PUT_TEXT(row.key, id_of("0b", key).text);
    PUT_TEXT(row.error_class, "DENIED");
    PUT_TEXT(row.error_code, "KEY_DISABLED");
    PUT_TEXT(row.message, "the key is disabled");
    return row;
}

static void volume_keys__by_volume_key_and_cluster__gone_with_the_volume(void **state)
{
    struct fixture f;
    struct volume_key *rows;
    size_t count;

    (void)state;
    set_up(&f);
    for (unsigned n = 1; n <= 2; n++) {
        struct cluster_volume volume = volume_row(n, "a");
        check_ok(store_volume_put(f.tx, &volume));
        for (unsigned k = 3; k <= 4; k++) {
            struct volume_key row = volume_key_row(n, k);
            check_ok(store_volume_key_put(f.tx, &row));
            check_ok(store_volume_key_put(f.tx, &row));
        }
    }
    check_ok(store_volume_keys(f.v, id_of("0e", 2).text, &rows, &count));
    assert_string_equal(rows[0].error_code, "KEY_DISABLED");
    assert_string_equal(TAKE_WORDS(rows, count, volume_key, key).text, "003 004 ");
    check_ok(store_volume_keys_of_cluster(f.v, CLUSTER, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, volume_key, volume).text, "001 001 002 002 ");
    check_ok(store_volume_key_delete(f.tx, id_of("0e", 1).text, id_of("0b", 3).text));
    check_ok(store_volume_keys_of_cluster(f.v, CLUSTER, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, volume_key, key).text, "004 003 004 ");
    check_ok(store_document_put(
        f.tx, &(struct store_document){"volume", id_of("0e", 2).text, CLUSTER, view_text("{}")}));
    check_ok(store_volume_delete(f.tx, id_of("0e", 2).text));
    check_ok(store_volume_keys(f.v, id_of("0e", 2).text, &rows, &count));
    assert_int_equal(count, 0);
    CLEANUP(buf_done) struct buf text = buf_init(10);
    check_rc(store_document_get(f.v, "volume", id_of("0e", 2).text, &text), NOT_FOUND);
    tear_down(&f);
}

/* Operations 1 to 6 of two organisations: every kind of question has its own answer. */
static void operations__of_an_organisation__by_state_and_kind(void **state)
{
    static const enum operation_state failed = OPERATION_FAILED, running = OPERATION_RUNNING;
    static const enum operation_kind revoke = OPERATION_CMEK_REVOKE, check = OPERATION_CMEK_CHECK;
    static const struct {
        enum operation_state state;
        enum operation_kind kind;
    } made[] = {{OPERATION_FAILED, OPERATION_CMEK_REVOKE},
                {OPERATION_FAILED, OPERATION_CMEK_CHECK},
                {OPERATION_FAILED, OPERATION_CMEK_REVOKE},
                {OPERATION_RUNNING, OPERATION_CMEK_REVOKE},
                {OPERATION_FAILED, OPERATION_CMEK_REVOKE}};
    static const struct {
        struct store_operations_ask ask;
        const char *ids;
    } rows[] = {
        {{.organisation = ORGANISATION}, "005 004 003 001 "},
        {{.organisation = ORGANISATION, .state = &failed}, "005 003 001 "},
        {{.organisation = ORGANISATION, .kind = &revoke}, "005 004 003 001 "},
        {{.organisation = ORGANISATION, .state = &running, .kind = &revoke}, "004 "},
        {{.organisation = ORGANISATION, .kind = &check}, ""},
        {{.cluster = CLUSTER, .state = &failed}, "005 003 001 "},
        {{.cluster = CLUSTER, .state = &running, .kind = &check}, ""},
    };
    struct store_page down = {.count_max = 9, .is_descending = true};
    struct fixture f;

    (void)state;
    set_up(&f);
    for (unsigned n = 1; n <= 5; n++) {
        struct operation row = {.number = n, .state = made[n - 1].state, .kind = made[n - 1].kind};
        PUT_TEXT(row.id, id_of("0f", n).text);
        PUT_TEXT(row.organisation, n == 2 ? NODE : ORGANISATION);
        PUT_TEXT(row.cluster, n == 2 ? NODE : CLUSTER);
        check_ok(store_operation_put(f.tx, &row));
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct operation *found;
        size_t count;
        check_ok(store_operations(f.v, &rows[i].ask, &down, &found, &count));
        assert_string_equal(TAKE_WORDS(found, count, operation, id).text, rows[i].ids);
    }
    tear_down(&f);
}

static void platform__that_was_never_told__is_empty_and_then_as_put(void **state)
{
    struct platform row = {.aws_account = "444455556666",
                           .azure_application = "nodes",
                           .updated = 7},
                    got = {.updated = 1};
    struct fixture f;

    (void)state;
    set_up(&f);
    check_ok(store_platform_get(f.v, &got));
    assert_memory_equal(&got, &(struct platform){0}, sizeof got);
    for (int i = 0; i < 2; i++) {
        check_ok(store_platform_put(f.tx, &row));
        check_ok(store_platform_get(f.v, &got));
        assert_memory_equal(&got, &row, sizeof row);
        row.updated++;
    }
    tear_down(&f);
}

static void operations__by_number_running_and_their_steps(void **state)
{
    struct fixture f;
    struct operation got, *rows;
    struct operation_step *steps, step = {.state = OPERATION_FAILED, .serial = 3};
    const struct store_operations_ask of_cluster = {.cluster = CLUSTER};
    struct store_page up = {.count_max = 9}, down = {.count_max = 2, .is_descending = true};
    size_t count;

    (void)state;
    set_up(&f);
    for (unsigned n = 1; n <= 4; n++) {
        struct operation row = {.number = n, .kind = OPERATION_REENCRYPT, .eta_s = -1};
        PUT_TEXT(row.id, id_of("0f", n).text);
        PUT_TEXT(row.cluster, n == 3 ? NODE : CLUSTER);
        row.state = n == 2 ? OPERATION_SUCCEEDED : OPERATION_RUNNING;
        PUT_TEXT(row.by, NODE);
        check_ok(store_operation_put(f.tx, &row));
        check_ok(store_operation_get(f.v, row.id, &got));
        assert_memory_equal(&got, &row, sizeof row);
    }
    check_ok(store_operations(f.v, &of_cluster, &down, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, operation, id).text, "004 002 ");
    check_ok(store_operations_running(f.v, NULL, &up, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, operation, id).text, "001 003 004 ");
    check_ok(store_operations_running(f.v, CLUSTER, &down, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, operation, id).text, "004 001 ");
    PUT_TEXT(step.operation, id_of("0f", 1).text);
    PUT_TEXT(step.region, "b");
    check_ok(store_operation_step_put(f.tx, &step));
    PUT_TEXT(step.region, "a");
    check_ok(store_operation_step_put(f.tx, &step));
    check_ok(store_operation_step_put(f.tx, &step));
    check_ok(store_operation_steps(f.v, step.operation, &steps, &count));
    assert_int_equal(steps[0].serial, 3);
    assert_string_equal(TAKE_WORDS(steps, count, operation_step, region).text, "a b ");
    check_rc(store_operation_get(f.v, NODE, &got), NOT_FOUND);
    tear_down(&f);
}

static void receipts__stay_as_they_were_first(void **state)
{
    struct fixture f;
    struct receipt row = {.at = 5}, *rows;
    struct store_page up = {.count_max = 9};
    size_t count;
    bool is_new = false;

    (void)state;
    set_up(&f);
    for (unsigned n = 1; n <= 3; n++) {
        PUT_TEXT(row.id, id_of("0f", n).text);
        PUT_TEXT(row.cluster, CLUSTER);
        PUT_TEXT(row.operation, n == 2 ? NODE : VOLUME);
        row.at = 10 - n;
        memset(row.text, 't', sizeof row.text - 1);
        check_ok(store_receipt_put(f.tx, &row, &is_new));
        assert_true(is_new);
    }
    row.at = 99;
    check_ok(store_receipt_put(f.tx, &row, &is_new));
    assert_false(is_new);
    check_ok(store_receipts(f.v, CLUSTER, NULL, &up, &rows, &count));
    assert_int_equal(rows[0].at, 7);
    assert_memory_equal(rows[0].text, row.text, sizeof row.text);
    assert_string_equal(TAKE_WORDS(rows, count, receipt, id).text, "003 002 001 ");
    check_ok(store_receipts(f.v, CLUSTER, VOLUME, &up, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, receipt, id).text, "003 001 ");
    check_ok(store_receipts(f.v, NODE, VOLUME, &up, &rows, &count));
    assert_int_equal(count, 0);
    tear_down(&f);
}

static void dues__the_earliest_first(void **state)
{
    struct fixture f;
    struct store_due row = {.at = 30}, got, *rows;
    size_t count;

    (void)state;
    set_up(&f);
    PUT_TEXT(row.cluster, CLUSTER);
    PUT_TEXT(row.what, "cmek");
    check_ok(store_due_put(f.tx, &row));
    PUT_TEXT(row.what, "data");
    row.at = 20;
    check_ok(store_due_put(f.tx, &row));
    check_ok(store_dues_until(f.v, 30, 9, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, store_due, what).text, "data cmek ");
    check_ok(store_dues_until(f.v, 29, 9, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, store_due, what).text, "data ");
    row.at = 40;
    check_ok(store_due_put(f.tx, &row));
    check_ok(store_due_get(f.v, CLUSTER, "", "data", &got));
    assert_int_equal(got.at, 40);
    check_ok(store_due_delete(f.tx, CLUSTER, "", "data"));
    check_rc(store_due_get(f.v, CLUSTER, "", "data", &got), NOT_FOUND);
    check_ok(store_dues_until(f.v, 40, 9, &rows, &count));
    assert_string_equal(TAKE_WORDS(rows, count, store_due, what).text, "cmek ");
    check_ok(store_due_delete(f.tx, CLUSTER, NULL, NULL));
    check_ok(store_dues_until(f.v, 40, 9, &rows, &count));
    assert_int_equal(count, 0);
    tear_down(&f);
}

static void documents_and_settings__replace_list_and_go(void **state)
{
    struct fixture f;
    CLEANUP(buf_done) struct buf text = buf_init(100);
    CLEANUP(mem_freep) uint8_t *big = NULL;
    struct store_document document = {"check", VOLUME, CLUSTER, view_text("{\"a\":1}")};
    char(*ids)[ID_BYTES];
    size_t count;

    (void)state;
    set_up(&f);
    check_ok(store_document_put(f.tx, &document));
    document.text = view_text("{\"a\":2}");
    check_ok(store_document_put(f.tx, &document));
    check_ok(store_document_get(f.v, "check", VOLUME, &text));
    assert_string_equal(buf_text(&text), "{\"a\":2}");
    check_ok(store_document_ids(f.v, "check", CLUSTER, &ids, &count));
    assert_string_equal(take(ids, count, ID_BYTES, 0).text, "001 ");
    check_ok(store_document_ids(f.v, "check", NULL, &ids, &count));
    assert_string_equal(take(ids, count, ID_BYTES, 0).text, "001 ");
    check_ok(store_document_ids(f.v, "check", NODE, &ids, &count));
    assert_true(count == 0 && !ids);
    check_ok(store_document_delete(f.tx, "check", VOLUME));
    check_rc(store_document_get(f.v, "check", VOLUME, &text), NOT_FOUND);
    check_ok(mem_new(1, STORE_DOCUMENT_MAX + 1, &big));
    document.text = view_of(big, STORE_DOCUMENT_MAX + 1);
    check_rc(store_document_put(f.tx, &document), LIMIT);
    check_rc(store_setting_get(f.v, "x", &text), NOT_FOUND);
    check_ok(store_setting_put(f.tx, "x", "1"));
    check_ok(store_setting_put(f.tx, "x", "2"));
    buf_done(&text);
    check_ok(store_setting_get(f.v, "x", &text));
    assert_string_equal(buf_text(&text), "2");
    tear_down(&f);
}

static void put__what_no_row_can_hold__bug(void **state)
{
    struct fixture f;
    struct region row = region_row(CLUSTER, "x");

    (void)state;
    set_up(&f);
    row.status = CMEK_STATUS_COUNT;
    check_rc(store_region_put(f.tx, &row), BUG);
    row = region_row(CLUSTER, "x");
    memset(row.message, 'm', sizeof row.message); /* no end */
    check_rc(store_region_put(f.tx, &row), BUG);
    tear_down(&f);
}

/* Runs SQL on the file behind the store's back. */
static void meddle(struct store_fixture *f, const char *sql)
{
    sqlite3 *db;
    char *text = NULL;

    assert_int_equal(sqlite3_open(tmpdir_path(&f->tmp, "control.db").text, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s: %s", sql, text);
    sqlite3_close(db);
}

static void get__what_no_member_can_hold__corrupt_and_untouched(void **state)
{
    static const char *const changes[] = {
        "UPDATE region SET status = 'ODD'",  "UPDATE region SET message = hex(zeroblob(1000))",
        "UPDATE region SET node_count = -1", "UPDATE region SET node_count = 4294967296",
        "UPDATE region SET is_revoked = 2",  "UPDATE region SET message = 'a' || char(0) || 'b'",
    };
    struct store_fixture f;
    struct store_tx *tx;

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct store_view *v;
        struct region got = {.node_count = 77}, *rows = NULL;
        size_t count;
        store_fixture_open(&f);
        check_ok(store_tx_begin(f.store, &tx));
        store_fixture_fill(tx);
        store_tx_observe(tx);
        check_ok(store_tx_commit(&tx));
        meddle(&f, changes[i]);
        check_ok(store_view_begin(f.store, &v));
        check_rc(store_region_get(v, CLUSTER, "a", &got), CORRUPT);
        assert_int_equal(got.node_count, 77);
        check_rc(store_regions(v, CLUSTER, &rows, &count), CORRUPT);
        assert_null(rows);
        store_view_end(&v);
        store_fixture_close(&f);
    }
}

static void get__texts_that_are_too_long__corrupt(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;
    struct store_view *v;
    struct store_api_key key = {.hash = {1}};
    char(*names)[NAME_BYTES] = NULL;
    size_t count;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    store_fixture_fill(tx);
    PUT_TEXT(key.key.id, NODE);
    check_ok(store_api_key_put(tx, &key));
    store_tx_observe(tx);
    check_ok(store_tx_commit(&tx));
    meddle(&f, "UPDATE node SET region = hex(zeroblob(33)); UPDATE api_key SET hash = x'01'");
    check_ok(store_view_begin(f.store, &v));
    check_rc(store_region_names(v, &names, &count), CORRUPT);
    assert_null(names);
    check_rc(store_api_key_get(v, NODE, &key), CORRUPT);
    store_view_end(&v);
    store_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(organisations__by_id_and_in_parts),
        cmocka_unit_test(clusters__every_member_comes_back),
        cmocka_unit_test(clusters__one_living_of_a_name),
        cmocka_unit_test(clusters__lists__in_every_order_and_part),
        cmocka_unit_test(regions__by_name_and_gone_when_deleted),
        cmocka_unit_test(region_keys__newest_first),
        cmocka_unit_test(nodes__by_id_certificate_and_region),
        cmocka_unit_test(join_tokens__come_back_and_expire),
        cmocka_unit_test(volumes__by_cluster_region_and_node),
        cmocka_unit_test(volume_keys__by_volume_key_and_cluster__gone_with_the_volume),
        cmocka_unit_test(operations__of_an_organisation__by_state_and_kind),
        cmocka_unit_test(platform__that_was_never_told__is_empty_and_then_as_put),
        cmocka_unit_test(operations__by_number_running_and_their_steps),
        cmocka_unit_test(receipts__stay_as_they_were_first),
        cmocka_unit_test(dues__the_earliest_first),
        cmocka_unit_test(documents_and_settings__replace_list_and_go),
        cmocka_unit_test(put__what_no_row_can_hold__bug),
        cmocka_unit_test(get__what_no_member_can_hold__corrupt_and_untouched),
        cmocka_unit_test(get__texts_that_are_too_long__corrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
