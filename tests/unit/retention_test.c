/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is older than the operator keeps leaves the store in batches, events and receipts only after they are in a file; the chain
 * of what stays is as sound as before, and nobody can take events away and call it retention.
 */
#include "control/retention.h"

#include <dirent.h>
#include <sqlite3.h>

#include "base/json.h"
#include "cmek_fixture.h"
#include "control/store_int.h"

enum { DAY = 86400, KEEP = 10 * DAY };

static struct cmek_fixture x;

static int set_up(void **state)
{
    (void)state;
    cmek_open(&x);
    x.fleet.c->audit_keep_s = x.fleet.c->history_keep_s = KEEP;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cmek_close(&x);
    return 0;
}

static void add_events(int count)
{
    CLEANUP(work_abandon) struct work w = {0};

    check_ok(work_begin(x.fleet.c, &w));
    for (int i = 0; i < count; i++)
        check_ok(store_tx_audit(w.tx, &x.fleet.admin,
                                &(struct store_event){.action = "test.event",
                                                      .organisation = FLEET_ORGANISATION,
                                                      .detail = json_pack("{s:i}", "n", i)}));
    check_ok(work_end(&w));
}

static void tick(int64_t seconds)
{
    cmek_later(&x, seconds);
    check_ok(retention_tick(x.fleet.c, x.fleet.clock.now_s));
}

static int64_t verify(void)
{
    int64_t count = 0;

    check_ok(control_audit_verify(x.fleet.c, &count));
    return count;
}

/* The number of the oldest event that is in the store. */
static int64_t oldest(void)
{
    struct audit_event *events;
    size_t count;

    check_ok(control_audit_behind(x.fleet.c, 0, &events, &count));
    assert_true(count > 0);
    int64_t number = events[0].number;
    mem_free(events);
    return number;
}

static void append_file(const char *path, struct buf *text)
{
    char part[4096];
    size_t n;

    FILE *from = fopen(path, "r");
    assert_non_null(from);
    while ((n = fread(part, 1, sizeof part, from)) > 0)
        check_ok(buf_append(text, view_of(part, n)));
    assert_int_equal(fclose(from), 0);
}

/* All files of DIR/audit that begin so, in any order. */
static struct buf read_archive(const char *begin)
{
    struct buf text = buf_init(64 * 1024 * 1024);
    DIR *dir = opendir(tmpdir_path(&x.fleet.tmp, "audit").text);
    const struct dirent *e;

    while (dir && (e = readdir(dir))) {
        CLEANUP(mem_freep) char *path = NULL;
        check_ok(mem_format(&path, "%s/audit/%s", x.fleet.tmp.path, e->d_name));
        if (strncmp(e->d_name, begin, strlen(begin)) == 0)
            append_file(path, &text);
    }
    if (dir)
        closedir(dir);
    return text;
}

static size_t count_lines(const char *begin)
{
    CLEANUP(buf_done) struct buf text = read_archive(begin);
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.bytes[i] == '\n';
    return count;
}

static void events__older_than_is_kept__go_to_files_and_the_chain_holds(void **state)
{
    (void)state;
    x.fleet.c->history_keep_s = 0;
    add_events(2 * RETENTION_EVENTS);
    int64_t all = verify();
    tick(KEEP); /* not older yet */
    assert_int_equal(verify(), all);
    tick(RETENTION_LOOK_S);
    assert_int_equal(oldest(), RETENTION_EVENTS + 1);
    tick(1);
    assert_int_equal(oldest(), 2 * RETENTION_EVENTS + 1);
    tick(1); /* no full batch: it is waited with */
    assert_int_equal(oldest(), 2 * RETENTION_EVENTS + 1);
    assert_int_equal(count_lines("events-"), 2 * RETENTION_EVENTS);
    assert_int_equal(verify(), all - 2 * RETENTION_EVENTS + 2); /* two that tell of it */
    fleet_reopen(&x.fleet);
    x.fleet.c->audit_keep_s = KEEP;
    tick(RETENTION_LATE_S);
    assert_int_equal(oldest(), all + 1);
    assert_int_equal(count_lines("events-"), all);
    assert_int_equal(verify(), 3);
    add_events(1); /* the chain goes on */
    assert_int_equal(verify(), 4);
    assert_int_equal(oldest(), all + 1);
}

/* What a reader of the files does: docs/CONTROL-PLANE.md. */
static void files__of_removed_events__can_be_checked_by_themselves(void **state)
{
    CLEANUP(json_decrefp) json_t *first = NULL;

    (void)state;
    add_events(RETENTION_EVENTS);
    tick(KEEP + 1);
    CLEANUP(buf_done) struct buf text = read_archive("events-000000000001");
    const char *end = strchr(buf_text(&text), '\n');
    size_t len = (size_t)(end - buf_text(&text));
    check_ok(json_read(view_of(text.bytes, len), (struct json_limits){65536, 8}, "line", &first));
    struct audit_event event = {.number = 1};
    char chain[65], none[65] = "";
#define TAKE_TEXT(member, name)                                                                    \
    snprintf(event.member, sizeof event.member, "%s",                                              \
             json_string_value(json_object_get(first, name)) ?: "")
    TAKE_TEXT(organisation, "organisation");
    TAKE_TEXT(cluster, "cluster");
    TAKE_TEXT(actor, "actor");
    TAKE_TEXT(key, "key");
    TAKE_TEXT(peer, "peer");
    TAKE_TEXT(request, "request");
    TAKE_TEXT(action, "action");
    TAKE_TEXT(object, "object");
    assert_true(clock_parse(json_string_value(json_object_get(first, "at")), &event.at));
    CLEANUP(buf_done) struct buf detail = buf_init(4096);
    check_ok(json_write(json_object_get(first, "detail"), true, &detail));
    snprintf(event.detail, sizeof event.detail, "%s", buf_text(&detail));
    check_ok(store_chain(none, &event, chain));
    assert_string_equal(chain, json_string_value(json_object_get(first, "chain")));
}

static void an_archive__that_cannot_be_written__keeps_everything(void **state)
{
    struct path path = tmpdir_path(&x.fleet.tmp, "audit");

    (void)state;
    x.fleet.c->history_keep_s = 0;
    add_events(RETENTION_EVENTS);
    int64_t all = verify();
    FILE *blocker = fopen(path.text, "w");
    assert_non_null(blocker);
    assert_int_equal(fclose(blocker), 0);
    cmek_later(&x, KEEP + DAY + 1);
    assert_false(ks_ok(retention_tick(x.fleet.c, x.fleet.clock.now_s)));
    assert_int_equal(verify(), all);
    assert_int_equal(remove(path.text), 0);
    tick(RETENTION_LOOK_S);
    assert_int_equal(oldest(), RETENTION_EVENTS + 1);
}

/* Runs SQL on the file behind the store's back. */
static void meddle(const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(tmpdir_path(&x.fleet.tmp, "control.db").text, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void check_unsound(const char *part)
{
    int64_t count;
    ks_rc rc = control_audit_verify(x.fleet.c, &count);

    check_rc(rc, AUTH);
    check_text(rc, part);
}

static void events__removed_by_hand__are_missed(void **state)
{
    (void)state;
    add_events(RETENTION_EVENTS);
    meddle("INSERT INTO setting (name, text) SELECT 'audit_anchor', number || ' ' || chain FROM "
           "audit WHERE number = 5; DELETE FROM audit WHERE number <= 5;");
    check_unsound("up to 5 are missing");
}

static void more_events__removed_by_hand_after_retention__are_missed(void **state)
{
    (void)state;
    add_events(RETENTION_EVENTS + 5);
    tick(KEEP + 1);
    assert_true(verify() > 0);
    meddle("UPDATE setting SET text = (SELECT number || ' ' || chain FROM audit WHERE number = "
           "1002) WHERE name = 'audit_anchor'; DELETE FROM audit WHERE number <= 1002;");
    check_unsound("up to 1002 are missing");
    meddle("UPDATE setting SET text = 'nonsense' WHERE name = 'audit_anchor'");
    check_unsound("cannot be read");
    meddle("DELETE FROM setting WHERE name = 'audit_anchor'");
    check_unsound("audit event 1 is missing");
}

/* -- operations and receipts ------------------------------------------------------------------------------------------ */

static size_t count_receipts(void)
{
    struct slice slice = {.count_max = 100};
    struct receipt *rows;
    size_t count;

    check_ok(
        control_receipt_list(x.fleet.c, &x.fleet.viewer, x.cluster, NULL, &slice, &rows, &count));
    mem_free(rows);
    return count;
}

static size_t count_operations(void)
{
    struct operation_filter filter = {.cluster = x.cluster};
    struct slice slice = {.count_max = 100};
    struct operation *rows;
    size_t count;

    check_ok(control_operation_list(x.fleet.c, &x.fleet.viewer, &filter, &slice, &rows, &count));
    mem_free(rows);
    return count;
}

static void history__older_than_is_kept__leaves_but_for_what_is_still_so(void **state)
{
    (void)state;
    cmek_ask(&x, CMEK_ENABLE, "k1");
    cmek_run(&x);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    cmek_later(&x, 1); /* receipts have the time of the lock, in seconds */
    cmek_ask(&x, CMEK_RESTORE, NULL);
    cmek_run(&x);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    assert_int_equal(count_receipts(), 10);
    tick(KEEP / 2);
    for (size_t i = 0; i < CMEK_NODES; i++)
        check_ok(node_heard(x.fleet.c, x.nodes[i]->id));
    cmek_ask(&x, CMEK_CHECK, "k1");
    struct operation running = x.last;
    assert_true(count_operations() > 4);
    x.fleet.c->audit_keep_s = 0;
    tick(KEEP + RETENTION_LATE_S + 1);
    assert_int_equal(count_receipts(), 10); /* of volumes that are locked */
    assert_int_equal(count_operations(), 1);
    cmek_check_operation(&x, &running, OPERATION_RUNNING);
    assert_true(verify() > 0);
    cmek_check_status(&x, CMEK_REVOKED);
    cmek_ask(&x, CMEK_RESTORE, NULL);
    cmek_run(&x);
    tick(RETENTION_LOOK_S);
    assert_int_equal(count_receipts(), 5); /* of the last revocation */
    assert_int_equal(count_lines("receipts-"), 5);
}

static void revoke__of_what_an_operation_that_left_has_revoked__has_its_own(void **state)
{
    (void)state;
    cmek_ask(&x, CMEK_ENABLE, "k1");
    cmek_run(&x);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    tick(KEEP + RETENTION_LATE_S + 1);
    assert_int_equal(count_operations(), 0);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    assert_string_equal(operation_kind_name(x.last.kind),
                        operation_kind_name(OPERATION_CMEK_REVOKE));
    assert_int_equal(x.last.state, OPERATION_SUCCEEDED);
    assert_int_equal(count_operations(), 1);
    cmek_check_status(&x, CMEK_REVOKED);
}

/* As by the key service, which volumes do not stand on: no revocation. */
static void a_receipt__of_a_volume_that_is_locked_by_its_key_service__stays(void **state)
{
    (void)state;
    cmek_ask(&x, CMEK_ENABLE, "k1");
    cmek_run(&x);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    cmek_ask(&x, CMEK_RESTORE, NULL);
    cmek_run(&x);
    meddle("UPDATE volume SET receipt = ''; UPDATE volume SET access = 'LOCKED', cause = 'DENIED' "
           "WHERE region = 'west'");
    assert_int_equal(count_receipts(), 5);
    tick(KEEP + RETENTION_LATE_S + 1);
    assert_int_equal(count_receipts(), 3);
}

static void nothing__when_all_is_kept_for_ever__is_removed(void **state)
{
    (void)state;
    x.fleet.c->audit_keep_s = x.fleet.c->history_keep_s = 0;
    add_events(RETENTION_EVENTS);
    int64_t all = verify();
    size_t operations = count_operations();
    tick(1000 * (int64_t)DAY);
    assert_int_equal(verify(), all);
    assert_int_equal(count_operations(), operations);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(events__older_than_is_kept__go_to_files_and_the_chain_holds),
        TEST(files__of_removed_events__can_be_checked_by_themselves),
        TEST(an_archive__that_cannot_be_written__keeps_everything),
        TEST(events__removed_by_hand__are_missed),
        TEST(more_events__removed_by_hand_after_retention__are_missed),
        TEST(history__older_than_is_kept__leaves_but_for_what_is_still_so),
        TEST(revoke__of_what_an_operation_that_left_has_revoked__has_its_own),
        TEST(a_receipt__of_a_volume_that_is_locked_by_its_key_service__stays),
        TEST(nothing__when_all_is_kept_for_ever__is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
