/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: one process has the store, a change and its event are there together or not at all, views stand still, and
 * what is damaged, newer or not there is said so.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "control/store_int.h"
#include "store_fixture.h"

static void create_and_open__file_is_private_and_versioned(void **state)
{
    struct store_fixture f;
    struct stat st;

    (void)state;
    store_fixture_open(&f);
    assert_int_equal(stat(tmpdir_path(&f.tmp, "control.db").text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(tmpdir_path(&f.tmp, "control.db-wal").text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    check_rc(store_create(&f.conf), EXISTS);
    store_fixture_close(&f);
}

static void open__nothing_there__not_found(void **state)
{
    struct tmpdir tmp = tmpdir_make();
    struct store_conf conf = {tmp.path, clock_system(), random_system()};
    struct store *store = NULL;

    (void)state;
    check_rc(store_open(&conf, &store), NOT_FOUND);
    conf.dir = tmpdir_path(&tmp, "none").text;
    check_rc(store_open(&conf, &store), NOT_FOUND);
    check_rc(store_create(&conf), NOT_FOUND);
    assert_null(store);
    tmpdir_remove(&tmp);
}

static void open__twice__busy(void **state)
{
    struct store_fixture f;
    struct store *second = NULL;

    (void)state;
    store_fixture_open(&f);
    check_rc(store_open(&f.conf, &second), BUSY);
    store_close(f.store);
    check_ok(store_open(&f.conf, &f.store));
    store_fixture_close(&f);
}

/* Runs SQL on the file behind the store's back. */
static void meddle(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void open__newer_version__refused(void **state)
{
    struct store_fixture f;

    (void)state;
    store_fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    meddle(tmpdir_path(&f.tmp, "control.db").text, "PRAGMA user_version = 99");
    check_rc(store_open(&f.conf, &f.store), NEWER_VERSION);
    store_fixture_close(&f);
}

static void open__not_a_database__corrupt(void **state)
{
    struct store_fixture f;
    static const char junk[8192] = "this is not what it should be";

    (void)state;
    store_fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    file_put(tmpdir_path(&f.tmp, "control.db").text, view_of(junk, sizeof junk));
    check_rc(store_open(&f.conf, &f.store), CORRUPT);
    store_fixture_close(&f);
}

static void commit__with_event__there_after_opening_again(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;
    struct store_view *v;
    struct organisation got;
    int64_t count;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    store_fixture_fill(tx);
    check_ok(store_organisation_get(store_tx_view(tx), ORGANISATION, &got));
    check_ok(store_fixture_audit(tx, "organisation.create"));
    check_ok(store_tx_commit(&tx));
    assert_null(tx);
    store_close(f.store);
    check_ok(store_open(&f.conf, &f.store));
    check_ok(store_view_begin(f.store, &v));
    check_ok(store_organisation_get(v, ORGANISATION, &got));
    assert_string_equal(got.name, "organisation 1");
    check_ok(store_events_verify(v, &count));
    assert_int_equal(count, 1);
    store_view_end(&v);
    store_fixture_close(&f);
}

static void commit__change_without_event__bug_and_nothing_changed(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;
    struct store_view *v;
    struct organisation got;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    store_fixture_fill(tx);
    check_rc(store_tx_commit(&tx), BUG);
    assert_null(tx);
    check_ok(store_view_begin(f.store, &v));
    check_rc(store_organisation_get(v, ORGANISATION, &got), NOT_FOUND);
    store_view_end(&v);
    store_fixture_close(&f);
}

static void commit__observation_or_nothing__needs_no_event(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    check_ok(store_tx_commit(&tx));
    check_ok(store_tx_begin(f.store, &tx));
    store_tx_observe(tx);
    store_fixture_fill(tx);
    check_ok(store_tx_commit(&tx));
    store_fixture_close(&f);
}

static void end__without_commit__takes_all_back(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;
    struct organisation got;
    int64_t first, again;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    store_fixture_fill(tx);
    check_ok(store_fixture_audit(tx, "organisation.create"));
    check_ok(store_tx_next(tx, STORE_GOAL, &first));
    store_tx_end(&tx);
    assert_null(tx);
    check_ok(store_tx_begin(f.store, &tx));
    check_rc(store_organisation_get(store_tx_view(tx), ORGANISATION, &got), NOT_FOUND);
    check_ok(store_tx_next(tx, STORE_GOAL, &again));
    assert_int_equal(first, again);
    store_tx_end(&tx);
    store_fixture_close(&f);
}

static void begin__within_a_transaction__bug(void **state)
{
    struct store_fixture f;
    struct store_tx *tx, *second = NULL;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    check_rc(store_tx_begin(f.store, &second), BUG);
    assert_null(second);
    store_tx_end(&tx);
    store_fixture_close(&f);
}

static void view__change_meanwhile__stands_still(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;
    struct store_view *before, *after;
    struct organisation got;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_view_begin(f.store, &before));
    check_rc(store_organisation_get(before, ORGANISATION, &got), NOT_FOUND);
    check_ok(store_tx_begin(f.store, &tx));
    store_fixture_fill(tx);
    store_tx_observe(tx);
    check_ok(store_tx_commit(&tx));
    check_ok(store_view_begin(f.store, &after));
    check_ok(store_organisation_get(after, ORGANISATION, &got));
    check_rc(store_organisation_get(before, ORGANISATION, &got), NOT_FOUND);
    store_view_end(&before);
    store_view_end(&after);
    store_fixture_close(&f);
}

struct waiter {
    struct store *store;
    struct store_view *view;
};

static void *wait_for_view(void *arg)
{
    struct waiter *w = arg;

    check_ok(store_view_begin(w->store, &w->view));
    return NULL;
}

static void view__all_connections_in_use__waits_for_one(void **state)
{
    enum { CONNECTIONS = 16 };
    struct store_fixture f;
    struct store_view *views[CONNECTIONS];
    struct waiter waiter;
    pthread_t thread;

    (void)state;
    store_fixture_open(&f);
    for (int i = 0; i < CONNECTIONS; i++)
        check_ok(store_view_begin(f.store, &views[i]));
    waiter = (struct waiter){f.store, NULL};
    assert_int_equal(pthread_create(&thread, NULL, wait_for_view, &waiter), 0);
    store_view_end(&views[3]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    store_view_end(&waiter.view);
    for (int i = 0; i < CONNECTIONS; i++)
        store_view_end(&views[i]);
    store_fixture_close(&f);
}

/* Whether a change by put_one raises the versions of the cluster and of the key. */
static void check_version(void (*put_one)(struct store_tx *tx), bool is_committed, bool of_cluster,
                          bool of_key)
{
    struct store_fixture f;
    struct store_tx *tx;

    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    store_fixture_fill(tx);
    store_tx_observe(tx);
    check_ok(store_tx_commit(&tx));
    uint64_t cluster = store_version(f.store, CLUSTER), key = store_version(f.store, NODE);
    check_ok(store_tx_begin(f.store, &tx));
    store_tx_observe(tx);
    put_one(tx);
    assert_true(store_version(f.store, CLUSTER) == cluster);
    if (is_committed)
        check_ok(store_tx_commit(&tx));
    store_tx_end(&tx);
    assert_int_equal(store_version(f.store, CLUSTER) != cluster, of_cluster);
    assert_int_equal(store_version(f.store, NODE) != key, of_key);
    store_fixture_close(&f);
}

static void put_cluster(struct store_tx *tx)
{
    CLEANUP(mem_freep) struct cluster *row = cluster_row(1);

    check_ok(store_cluster_put(tx, row));
}

static void put_region(struct store_tx *tx)
{
    struct region row = region_row(CLUSTER, "a");

    check_ok(store_region_put(tx, &row));
}

static void put_region_key(struct store_tx *tx)
{
    struct region_key row = region_key_row(CLUSTER, "a", 1);

    check_ok(store_region_key_put(tx, &row));
}

static void delete_region(struct store_tx *tx)
{
    check_ok(store_region_delete(tx, CLUSTER, "a"));
}

static void put_key(struct store_tx *tx)
{
    struct store_api_key row = {0};

    PUT_TEXT(row.key.id, NODE);
    check_ok(store_api_key_put(tx, &row));
}

static void use_key(struct store_tx *tx)
{
    check_ok(store_api_key_used(tx, NODE, 5));
}

static void version__rises_with_what_is_committed_to_it(void **state)
{
    (void)state;
    check_version(put_cluster, true, true, false);
    check_version(put_region, true, true, false);
    check_version(put_region_key, true, true, false);
    check_version(delete_region, true, true, false);
    check_version(put_key, true, false, true);
    check_version(use_key, true, false, true);
    check_version(put_region, false, false, false);
}

static void counters__rise_each_by_itself(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;
    int64_t n;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    check_ok(store_counter_get(store_tx_view(tx), STORE_GOAL, &n));
    assert_int_equal(n, 0);
    for (int i = 1; i <= 3; i++) {
        check_ok(store_tx_next(tx, STORE_GOAL, &n));
        assert_int_equal(n, i);
    }
    check_ok(store_tx_next(tx, STORE_CLUSTER, &n));
    assert_int_equal(n, 1);
    check_ok(store_tx_raise(tx, STORE_CLUSTER, 7));
    check_ok(store_tx_raise(tx, STORE_CLUSTER, 5));
    check_ok(store_tx_next(tx, STORE_CLUSTER, &n));
    assert_int_equal(n, 8);
    check_ok(store_tx_raise(tx, STORE_KEY, 3)); /* one that none was given of */
    check_ok(store_tx_next(tx, STORE_KEY, &n));
    assert_int_equal(n, 4);
    check_ok(store_counter_get(store_tx_view(tx), STORE_GOAL, &n));
    assert_int_equal(n, 3);
    check_ok(store_tx_commit(&tx));
    store_fixture_close(&f);
}

static void ids__are_valid_and_differ(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;
    char a[ID_BYTES], b[ID_BYTES];

    (void)state;
    store_fixture_open(&f);
    check_ok(store_id(f.store, a));
    check_ok(store_tx_begin(f.store, &tx));
    check_ok(store_tx_id(tx, b));
    store_tx_end(&tx);
    assert_true(id_is_valid(a) && id_is_valid(b));
    assert_string_not_equal(a, b);
    assert_int_equal(a[14], '4');
    store_fixture_close(&f);
}

static void backup__in_use__opens_with_all_that_was_committed(void **state)
{
    struct store_fixture f;
    struct store_tx *tx;
    struct store_view *v;
    struct store *copy;
    struct organisation got;
    struct stat st;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_tx_begin(f.store, &tx));
    store_fixture_fill(tx);
    check_ok(store_fixture_audit(tx, "organisation.create"));
    check_ok(store_tx_commit(&tx));
    check_ok(store_tx_begin(f.store, &tx)); /* somebody writes meanwhile */
    assert_int_equal(mkdir(tmpdir_path(&f.tmp, "copy").text, 0700), 0);
    struct path path = tmpdir_path(&f.tmp, "copy/control.db");
    check_ok(store_backup(f.store, path.text));
    check_rc(store_backup(f.store, path.text), EXISTS);
    check_class(store_backup(f.store, tmpdir_path(&f.tmp, "none/copy.db").text), USAGE);
    store_tx_end(&tx);
    assert_int_equal(stat(path.text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct path dir = tmpdir_path(&f.tmp, "copy");
    struct store_conf conf = {dir.text, &f.clock.clock, random_system()};
    check_ok(store_open(&conf, &copy));
    check_ok(store_view_begin(copy, &v));
    check_ok(store_organisation_get(v, ORGANISATION, &got));
    store_view_end(&v);
    store_close(copy);
    store_fixture_close(&f);
}

static void *write_for_a_while(void *arg)
{
    struct store *store = arg;

    for (int i = 0; i < 200; i++) {
        struct store_tx *tx;
        check_ok(store_tx_begin(store, &tx));
        check_ok(store_setting_put(tx, "x", "1"));
        check_ok(store_fixture_audit(tx, "test"));
        check_ok(store_tx_commit(&tx));
    }
    return NULL;
}

static void backup__while_others_write__each_copy_is_whole(void **state)
{
    struct store_fixture f;
    pthread_t writer;
    char name[32];
    int64_t count, before = 0;

    (void)state;
    store_fixture_open(&f);
    assert_int_equal(pthread_create(&writer, NULL, write_for_a_while, f.store), 0);
    for (int i = 0; i < 5; i++) {
        struct store *copy;
        struct store_view *v;
        snprintf(name, sizeof name, "copy%d", i);
        struct path dir = tmpdir_path(&f.tmp, name);
        assert_int_equal(mkdir(dir.text, 0700), 0);
        snprintf(name, sizeof name, "copy%d/control.db", i);
        check_ok(store_backup(f.store, tmpdir_path(&f.tmp, name).text));
        struct store_conf conf = {dir.text, &f.clock.clock, random_system()};
        check_ok(store_open(&conf, &copy));
        check_ok(store_view_begin(copy, &v));
        check_ok(store_events_verify(v, &count));
        assert_true(count >= before);
        before = count;
        store_view_end(&v);
        store_close(copy);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    store_fixture_close(&f);
}

static void connections__durable_and_careful(void **state)
{
    static const struct {
        const char *sql;
        int64_t want;
    } rows[] = {
        {"PRAGMA synchronous", 2}, /* FULL */
        {"PRAGMA foreign_keys", 1},    {"PRAGMA trusted_schema", 0},
        {"PRAGMA cell_size_check", 1}, {"SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1},
    };
    struct store_fixture f;
    struct store_view *v;
    int64_t got;

    (void)state;
    store_fixture_open(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_ok(db_pragma(f.store->tx.view.db, rows[i].sql, &got));
        assert_int_equal(got, rows[i].want);
    }
    check_rc(db_pragma(f.store->tx.view.db, "nonsense", &got), IO);
    check_ok(store_view_begin(f.store, &v));
    check_class(db_script(v->db, "DELETE FROM audit"), USAGE); /* readers cannot write */
    check_rc(db_run(v->db, STORE_QUERY_COUNT, DB_NO_ARGS), BUG);
    store_view_end(&v);
    store_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_and_open__file_is_private_and_versioned),
        cmocka_unit_test(open__nothing_there__not_found),
        cmocka_unit_test(open__twice__busy),
        cmocka_unit_test(open__newer_version__refused),
        cmocka_unit_test(open__not_a_database__corrupt),
        cmocka_unit_test(commit__with_event__there_after_opening_again),
        cmocka_unit_test(commit__change_without_event__bug_and_nothing_changed),
        cmocka_unit_test(commit__observation_or_nothing__needs_no_event),
        cmocka_unit_test(end__without_commit__takes_all_back),
        cmocka_unit_test(begin__within_a_transaction__bug),
        cmocka_unit_test(view__change_meanwhile__stands_still),
        cmocka_unit_test(view__all_connections_in_use__waits_for_one),
        cmocka_unit_test(version__rises_with_what_is_committed_to_it),
        cmocka_unit_test(counters__rise_each_by_itself),
        cmocka_unit_test(ids__are_valid_and_differ),
        cmocka_unit_test(connections__durable_and_careful),
        cmocka_unit_test(backup__while_others_write__each_copy_is_whole),
        cmocka_unit_test(backup__in_use__opens_with_all_that_was_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
