/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: every event stands in one chain in which nothing can be changed, removed, put in or cut off unnoticed; and a
 * caller reads the events of its own scope, in parts, by cluster, action and time.
 */
#include <sqlite3.h>

#include "control_fixture.h"

/* An event at a time. */
static void tell(struct control_fixture *f, int64_t at, const char *action,
                 const char *organisation, const char *cluster)
{
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;
    struct caller by = caller_of(organisation, "");

    f->store.clock.now_s = at;
    check_ok(store_tx_begin(f->c->store, &tx));
    check_ok(store_tx_audit(tx, &by,
                            &(struct store_event){.action = action,
                                                  .organisation = organisation,
                                                  .cluster = cluster,
                                                  .object = "x/1",
                                                  .detail = json_pack("{s:i}", "n", 1)}));
    check_ok(store_tx_commit(&tx));
}

/* Twelve events: of organisations "a" and "b", clusters c1 and c2 of a, and the platform. */
static void tell_all(struct control_fixture *f)
{
    tell(f, 1010, "organisation.create", "a", "");
    tell(f, 1020, "cluster.create", "a", "c1");
    tell(f, 1030, "cluster.create", "a", "c2");
    tell(f, 1040, "cmek.enable", "a", "c1");
    tell(f, 1040, "cmek.revoke", "a", "c1");
    tell(f, 1050, "cluster.create", "b", "c3");
    tell(f, 1060, "node.join", "", "");
    tell(f, 1070, "cmek.enable", "a", "c2");
    tell(f, 1080, "cmek.restore", "a", "c1");
    tell(f, 1090, "cluster.delete", "a", "c1");
    tell(f, 1100, "apikey.create", "b", "");
    tell(f, 1110, "cluster.delete", "a", "c2");
}

/* The numbers of the events that a caller gets, read in parts of at_a_time: "2 3 4 ". */
struct numbers {
    char text[128];
};

static struct numbers list(struct control_fixture *f, struct caller by, struct audit_filter filter,
                           struct slice slice)
{
    struct numbers n = {""};
    struct audit_event *events;
    size_t count, len = 0;

    do {
        check_ok(control_audit_list(f->c, &by, &filter, &slice, &events, &count));
        assert_true(count <= slice.count_max);
        for (size_t i = 0; i < count; i++)
            len +=
                (size_t)snprintf(n.text + len, sizeof n.text - len, "%d ", (int)events[i].number);
        mem_free(events);
    } while (slice.after[0]);
    return n;
}

static void list__each_scope__its_own_events(void **state)
{
    struct control_fixture f;
    const struct audit_filter all = {0}, c1 = {.cluster = "c1"}, c3 = {.cluster = "c3"};

    (void)state;
    control_fixture_open(&f);
    tell_all(&f);
    for (uint32_t n = 1; n <= 13; n += 4) {
        struct slice s = {.count_max = n};
        assert_string_equal(list(&f, caller_of("a", ""), all, s).text, "1 2 3 4 5 8 9 10 12 ");
        assert_string_equal(list(&f, caller_of("b", ""), all, s).text, "6 11 ");
        assert_string_equal(list(&f, caller_of("a", "c2"), all, s).text, "3 8 12 ");
        assert_string_equal(list(&f, caller_of("", ""), all, s).text, "1 7 11 ");
        assert_string_equal(list(&f, caller_of("a", ""), c1, s).text, "2 4 5 9 10 ");
        assert_string_equal(list(&f, caller_of("a", ""), c3, s).text, "");
        assert_string_equal(list(&f, caller_of("a", "c2"), c1, s).text, "");
        assert_string_equal(list(&f, caller_of("", ""), c1, s).text, "");
    }
    control_fixture_close(&f);
}

static void list__by_action_and_time__what_fits(void **state)
{
    struct control_fixture f;
    const struct caller a = caller_of("a", "");

    (void)state;
    control_fixture_open(&f);
    tell_all(&f);
    for (uint32_t n = 1; n <= 3; n++) {
        struct slice up = {.count_max = n}, down = {.count_max = n, .is_descending = true};
        assert_string_equal(list(&f, a, (struct audit_filter){.action = "cmek.*"}, up).text,
                            "4 5 8 9 ");
        assert_string_equal(list(&f, a, (struct audit_filter){.action = "cmek.enable"}, down).text,
                            "8 4 ");
        assert_string_equal(list(&f, a, (struct audit_filter){.action = "nothing"}, up).text, "");
        assert_string_equal(
            list(&f, a, (struct audit_filter){.since = 1040, .until = 1080}, up).text, "4 5 8 9 ");
        assert_string_equal(list(&f, a, (struct audit_filter){.since = 1090}, down).text, "12 10 ");
        assert_string_equal(list(&f, a, (struct audit_filter){.since = 9999}, up).text, "");
        assert_string_equal(list(&f, a, (struct audit_filter){.until = 1005}, up).text, "");
    }
    control_fixture_close(&f);
}

static void list__bad_slice__usage(void **state)
{
    struct control_fixture f;
    const struct caller a = caller_of("a", "");
    const struct audit_filter all = {0};
    struct slice none = {.count_max = 0}, odd = {.after = "!", .count_max = 5};
    struct audit_event *events = NULL;
    size_t count;

    (void)state;
    control_fixture_open(&f);
    check_rc(control_audit_list(f.c, &a, &all, &none, &events, &count), USAGE);
    check_rc(control_audit_list(f.c, &a, &all, &odd, &events, &count), USAGE);
    assert_null(events);
    control_fixture_close(&f);
}

/* The place of a list: two numbers, base64. */
static void list__behind_the_last_number_there_can_be__is_empty(void **state)
{
    static const char *const after[] = {"AAAAAAAAAAD_________fw", "AAAAAAAAAAD5________fw",
                                        "AAAAAAAAAAAAAAAAAAAAgA"}; /* max, max - 6, min */
    struct control_fixture f;
    const struct caller a = caller_of("a", "");

    (void)state;
    control_fixture_open(&f);
    tell_all(&f);
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        struct slice up = {.count_max = 5}, down = {.count_max = 20, .is_descending = true};
        PUT_TEXT(up.after, after[i]);
        PUT_TEXT(down.after, after[i]);
        assert_string_equal(list(&f, a, (struct audit_filter){0}, up).text,
                            i < 2 ? "" : "1 2 3 4 5 8 9 10 12 ");
        assert_string_equal(list(&f, a, (struct audit_filter){0}, down).text,
                            "12 10 9 8 5 4 3 2 1 ");
    }
    control_fixture_close(&f);
}

static void list__rare_action_among_many__short_parts_but_all(void **state)
{
    struct control_fixture f;
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;

    (void)state;
    control_fixture_open(&f);
    check_ok(store_tx_begin(f.c->store, &tx));
    for (int i = 1; i <= 200; i++)
        check_ok(store_tx_audit(
            tx, NULL,
            &(struct store_event){.action = i % 90 ? "often" : "rare", .organisation = "a"}));
    check_ok(store_tx_commit(&tx));
    struct slice one = {.count_max = 1};
    assert_string_equal(
        list(&f, caller_of("a", ""), (struct audit_filter){.action = "rare"}, one).text, "90 180 ");
    control_fixture_close(&f);
}

static void event__holds_who_and_what(void **state)
{
    struct control_fixture f;
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;
    CLEANUP(mem_freep) struct audit_event *events = NULL;
    struct caller by = caller_of("a", "");
    struct slice slice = {.count_max = 5};
    size_t count;
    char long_text[3000];

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    PUT_TEXT(by.key, CLUSTER);
    PUT_TEXT(by.peer, "192.0.2.1");
    PUT_TEXT(by.request, VOLUME);
    control_fixture_open(&f);
    f.store.clock.now_s = 2000;
    check_ok(store_tx_begin(f.c->store, &tx));
    check_ok(
        store_tx_audit(tx, &by,
                       &(struct store_event){.action = "cmek.revoke",
                                             .organisation = "a",
                                             .cluster = "c",
                                             .object = "cluster/c",
                                             .detail = json_pack("{s:i, s:i}", "z", 1, "a", 2)}));
    f.store.clock.now_s = 1500; /* a clock that was put back */
    check_ok(store_tx_audit(tx, NULL,
                            &(struct store_event){.action = "volume.locked",
                                                  .organisation = "a",
                                                  .detail = json_string(long_text)}));
    check_ok(store_tx_commit(&tx));
    check_ok(control_audit_list(f.c, &by, &(struct audit_filter){0}, &slice, &events, &count));
    assert_int_equal(count, 2);
    assert_string_equal(events[0].actor, "tester");
    assert_string_equal(events[0].key, CLUSTER);
    assert_string_equal(events[0].peer, "192.0.2.1");
    assert_string_equal(events[0].request, VOLUME);
    assert_string_equal(events[0].object, "cluster/c");
    assert_string_equal(events[0].detail, "{\"a\":2,\"z\":1}");
    assert_int_equal(events[0].at, 2000);
    assert_int_equal(strlen(events[0].chain), 64);
    assert_string_equal(events[1].actor, "keystead");
    assert_string_equal(events[1].detail, "{\"is_left_out\":true}");
    assert_int_equal(events[1].at, 2000);
    control_fixture_close(&f);
}

/* -- the chain -- */

/* Runs SQL on the file behind the store's back. */
static void meddle(struct control_fixture *f, const char *sql)
{
    sqlite3 *db;
    char *text = NULL;

    assert_int_equal(sqlite3_open(tmpdir_path(&f->store.tmp, "control.db").text, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s: %s", sql, text);
    sqlite3_close(db);
}

static void verify__empty_or_whole__success(void **state)
{
    struct control_fixture f;
    int64_t count;

    (void)state;
    control_fixture_open(&f);
    check_ok(control_audit_verify(f.c, &count));
    assert_int_equal(count, 0);
    tell_all(&f);
    check_ok(control_audit_verify(f.c, &count));
    assert_int_equal(count, 12);
    control_fixture_close(&f);
}

static void verify__anything_changed__auth_and_the_event(void **state)
{
    static const struct {
        const char *sql, *text;
    } rows[] = {
        {"UPDATE audit SET actor = 'nobody' WHERE number = 5", "audit event 5"},
        {"UPDATE audit SET at = at + 1 WHERE number = 3", "audit event 3"},
        {"UPDATE audit SET organisation = 'b' WHERE number = 2", "audit event 2"},
        {"UPDATE audit SET cluster = 'c2' WHERE number = 2", "audit event 2"},
        {"UPDATE audit SET key = 'k' WHERE number = 4", "audit event 4"},
        {"UPDATE audit SET peer = '::1' WHERE number = 4", "audit event 4"},
        {"UPDATE audit SET request = 'r' WHERE number = 4", "audit event 4"},
        {"UPDATE audit SET action = 'cmek.get' WHERE number = 12", "audit event 12"},
        {"UPDATE audit SET object = 'y' WHERE number = 1", "audit event 1"},
        {"UPDATE audit SET detail = '{}' WHERE number = 9", "audit event 9"},
        {"UPDATE audit SET chain = replace(chain, '0', '1') WHERE number = 7", "audit event 7"},
        {"UPDATE audit SET actor = hex(zeroblob(100)) WHERE number = 6", "behind 0"},
        {"DELETE FROM audit WHERE number = 6", "audit event 6 is missing"},
        {"DELETE FROM audit WHERE number = 12", "audit event 12"},
        {"DELETE FROM audit", "audit event 1"},
        {"DELETE FROM audit; DELETE FROM setting", NULL}, /* all of it: nothing is left to tell */
        {"UPDATE audit SET number = 20 WHERE number = 12", "audit event 12 is missing"},
        {"UPDATE audit SET number = -1 WHERE number = 1", "audit event 1 is missing"},
        {"DELETE FROM setting WHERE name = 'audit'", "audit event 13"},
        {"UPDATE setting SET text = '3 00' WHERE name = 'audit'", "audit event 13"},
        {"INSERT INTO audit SELECT 13, at, organisation, cluster, actor, key, peer, request, "
         "action,"
         " object, detail, chain FROM audit WHERE number = 12",
         "audit event 13"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct control_fixture f;
        int64_t count;
        control_fixture_open(&f);
        tell_all(&f);
        meddle(&f, rows[i].sql);
        ks_rc rc = control_audit_verify(f.c, &count);
        if (rows[i].text) {
            check_rc(rc, AUTH);
            check_text(rc, rows[i].text);
        } else {
            check_ok(rc);
        }
        control_fixture_close(&f);
    }
}

static void backup__of_control__can_be_opened(void **state)
{
    struct control_fixture f;
    struct path path;

    (void)state;
    control_fixture_open(&f);
    tell_all(&f);
    path = tmpdir_path(&f.store.tmp, "copy.db");
    check_ok(control_backup(f.c, path.text));
    check_rc(control_backup(f.c, path.text), EXISTS);
    control_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list__each_scope__its_own_events),
        cmocka_unit_test(list__by_action_and_time__what_fits),
        cmocka_unit_test(list__bad_slice__usage),
        cmocka_unit_test(list__behind_the_last_number_there_can_be__is_empty),
        cmocka_unit_test(list__rare_action_among_many__short_parts_but_all),
        cmocka_unit_test(event__holds_who_and_what),
        cmocka_unit_test(verify__empty_or_whole__success),
        cmocka_unit_test(verify__anything_changed__auth_and_the_event),
        cmocka_unit_test(backup__of_control__can_be_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
