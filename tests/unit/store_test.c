/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: one process has the store, a change and its event are there together or not at all, views stand still, and
 * what is damaged, newer or not there is said so.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

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
        cmocka_unit_test(counters__rise_each_by_itself),
        cmocka_unit_test(ids__are_valid_and_differ),
        cmocka_unit_test(backup__in_use__opens_with_all_that_was_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
