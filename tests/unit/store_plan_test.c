/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the cost of no query grows with the number of rows it does not give: all statements of the store are
 * looked at, and none goes through a table, sorts, or makes an index of its own.
 */
#include "control/store_int.h"
#include "store_fixture.h"

/* Parts of a plan that mean work on rows that are not asked for. */
static const char *const BAD[] = {"SCAN ", "USE TEMP B-TREE", "AUTOMATIC"};

/* What may go through all of an index: each with why it ends early or must. */
static const enum store_query ALLOWED[] = {
    Q_EVENT_LAST, /* from the end, one row */
};

static bool is_allowed(size_t query)
{
    for (size_t i = 0; i < sizeof ALLOWED / sizeof ALLOWED[0]; i++)
        if (ALLOWED[i] == query)
            return true;
    return false;
}

static void every_query__goes_by_a_key_or_an_index(void **state)
{
    struct store_fixture f;
    CLEANUP(store_view_end) struct store_view *v = NULL;

    (void)state;
    store_fixture_open(&f);
    check_ok(store_view_begin(f.store, &v));
    for (size_t q = 0; q < STORE_QUERY_COUNT; q++) {
        CLEANUP(buf_done) struct buf plan = buf_init(4096), sql = buf_init(8192);
        check_ok(db_sql(&store_queries[q], &sql));
        check_ok(db_plan(v->db, q, &plan));
        for (size_t b = 0; b < sizeof BAD / sizeof BAD[0]; b++)
            if (strstr(buf_text(&plan), BAD[b]) && !is_allowed(q))
                fail_msg("%s\n%s", buf_text(&sql), buf_text(&plan));
    }
    store_view_end(&v);
    store_fixture_close(&f);
}

static void the_check_itself__sees_a_scan(void **state)
{
    struct store_fixture f;
    CLEANUP(db_closep) struct db *db = NULL;
    CLEANUP(buf_done) struct buf plan = buf_init(4096);
    const struct db_query query = {DB_PLAIN, NULL, "SELECT * FROM cluster WHERE message = 'x'"};

    (void)state;
    store_fixture_open(&f);
    check_ok(db_open(tmpdir_path(&f.tmp, "control.db").text, DB_READ_ONLY, &query, 1, &db));
    check_ok(db_plan(db, 0, &plan));
    assert_non_null(strstr(buf_text(&plan), "SCAN "));
    check_rc(db_plan(db, 1, &plan), BUG);
    store_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query__goes_by_a_key_or_an_index),
        cmocka_unit_test(the_check_itself__sees_a_scan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
