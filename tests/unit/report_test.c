/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is not as it should be in a report changes nothing and does not keep the rest of it from being taken: malformed volumes and
 * checks, volumes of other nodes, forged receipts; a report that is none is refused. The same report again writes nothing; what a full
 * report leaves out is not there.
 */
#include <sqlite3.h>

#include "base/base64.h"
#include "cmek_fixture.h"
#include "control/report_read.h"

static struct cmek_fixture x;

static int set_up(void **state)
{
    (void)state;
    cmek_open(&x);
    cmek_ask(&x, CMEK_ENABLE, "k1");
    cmek_run(&x);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cmek_close(&x);
    return 0;
}

/* What the last report was told of the parts that were refused: "volumes[1]: ...", one behind the other. */
static char refused[4096];

static void note_refused(const json_t *reply)
{
    const json_t *one;
    size_t i, len = 0;

    refused[0] = 0;
    json_array_foreach(json_object_get(reply, "refused"), i, one)
    {
        const char *part, *message;
        int at;
        assert_int_equal(json_unpack((json_t *)(uintptr_t)one, "{s:s, s:i, s:s!}", "part", &part,
                                     "at", &at, "message", &message),
                         0);
        len += (size_t)snprintf(refused + len, sizeof refused - len, "%s[%d]: %s\n", part, at,
                                message);
        assert_true(len < sizeof refused);
    }
}

static ks_rc report_json(struct fake_node *n, const json_t *report)
{
    json_t *reply = NULL;
    ks_rc rc = control_node_report(x.fleet.c, n->id, report, &reply);

    note_refused(reply);
    if (ks_ok(rc))
        assert_true(json_is_true(json_object_get(reply, "accepted")));
    json_decref(reply);
    return rc;
}

static ks_rc report_text(struct fake_node *n, const char *text)
{
    json_t *report = json_loads(text, 0, NULL);

    assert_non_null(report);
    ks_rc rc = report_json(n, report);
    json_decref(report);
    return rc;
}

static int64_t event_count(void)
{
    int64_t count;

    check_ok(control_audit_verify(x.fleet.c, &count));
    return count;
}

/* V stands for the id of a volume. */
static void no_report__is_refused_as_a_whole(void **state)
{
    static const char *const texts[] = {"[]",
                                        "{\"volume\":[]}",
                                        "{\"full\":1}",
                                        "{\"volumes\":{}}",
                                        "{\"checks\":1}",
                                        "{\"receipts\":\"\"}",
                                        "{\"address\":\"a b\"}"};
    int64_t before = event_count();

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_rc(report_text(x.nodes[0], texts[i]), USAGE);
    assert_int_equal(event_count(), before);
}

/* "V" stands for a volume of the node. */
static const char *const malformed[] = {
    "{\"volumes\":[1]}",
    "{\"volumes\":[{}],\"full\":true}",
    "{\"volumes\":[{\"volume\":\"x\",\"goal\":1,\"access\":\"OPEN\"}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":\"1\",\"access\":true}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":-2,\"access\":\"OPEN\"}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"open\"}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"cause\":\"BORED\"}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"more\":1}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"keys\":[{\"id\":\"V\","
    "\"state\":\"MAYBE\"}]}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"keys\":[{\"id\":\"V\","
    "\"state\":\"ACTIVE\",\"x\":1}]}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"serials\":{\"store\":-1}}"
    "]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"serials\":{\"none\":1}}]"
    "}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"failed\":{\"level\":"
    "\"all\"}}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"progress\":{\"rate\":"
    "\"fast\"}}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"engine\":{\"state\":"
    "\"IDLE\"}}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"engine\":{\"state\":"
    "\"RUNNING\",\"port\":65536}}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"engine\":{\"state\":"
    "\"RUNNING\",\"password\":"
    "\"0123456789012345678901234567890123456789012345678901234567890123"
    "0123456789012345678901234567890123456789012345678901234567890123\"}}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"requests_failed\":[]}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"requests_failed\":{"
    "\"io\":-1}}"
    "]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"requests_failed\":{"
    "\"io\":"
    "\"1\"}}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"requests_failed\":{"
    "\"01234567890123456789012345678901234567890123456789012345678901234567890123456789\":1}}]"
    "}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"requests_failed\":{"
    "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,"
    "\"l\":1,"
    "\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1}}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"keyring\":7}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"keyring\":{\"accepted\":"
    "2147483648}}]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"keyring\":{\"found\":-1}}"
    "]}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"keyring\":{\"more\":1}}]"
    "}",
    "{\"volumes\":[{\"volume\":\"V\",\"goal\":1,\"access\":\"OPEN\",\"keyring\":{\"volume\":"
    "\"0123456789012345678901234567890123\"}}]}",
    "{\"checks\":[{\"check\":\"V\"}]}",
    "{\"checks\":[{\"check\":\"V\",\"results\":[{\"outcome\":\"FINE\"}]}]}",
    "{\"receipts\":[{\"text\":\"{}\"}]}",
    "{\"receipts\":[{\"text\":\"{}\",\"signature\":\"\",\"certificate\":\"\"}]}",
};

static void malformed__in_any_member__is_refused_by_itself(void **state)
{
    int64_t before = event_count();

    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        CLEANUP(mem_freep) char *text = NULL;
        check_ok(mem_text(malformed[i], &text));
        for (char *at; (at = strstr(text, "\"V\""));) {
            CLEANUP(mem_freep) char *was = text;
            *at = 0;
            check_ok(mem_format(&text, "%s\"%s\"%s", was, x.nodes[0]->volumes[0]->id, at + 3));
        }
        check_ok(report_text(x.nodes[0], text));
        if (!strstr(refused, "[0]: "))
            fail_msg("taken: %s", text);
    }
    assert_int_equal(event_count(), before);
    cmek_check_status(&x, CMEK_ENABLED);
}

static void a_volume_of_another_node__reported__is_refused_and_the_rest_taken(void **state)
{
    CLEANUP(mem_freep) char *text = NULL;

    (void)state;
    check_ok(mem_format(&text,
                        "{\"volumes\":[{\"volume\":\"%s\",\"goal\":1,\"access\":\"FAILED\"},"
                        "{\"volume\":\"%s\",\"goal\":1,\"access\":\"OPEN\"}]}",
                        x.nodes[0]->volumes[0]->id, x.nodes[1]->volumes[0]->id));
    check_ok(report_text(x.nodes[0], text));
    assert_non_null(strstr(refused, "volumes[1]: volume "));
    assert_non_null(strstr(refused, "is on another node"));
    struct cmek_view *v = cmek_view(&x);
    assert_int_equal(v->regions[0].region.access, ACCESS_FAILED);
    assert_int_equal(v->regions[2].region.access, ACCESS_OPEN);
    cmek_view_free(v);
}

static void a_volume_nobody_knows__reported__is_passed_over(void **state)
{
    (void)state;
    check_ok(report_text(x.nodes[0],
                         "{\"volumes\":[{\"volume\":\"0b000000-0000-4000-8000-000000000001\","
                         "\"goal\":1,\"access\":\"OPEN\"}]}"));
}

static void the_same_report__again__writes_nothing(void **state)
{
    struct cmek_view *before = cmek_view(&x), *after;
    int64_t events = event_count();

    (void)state;
    cmek_later(&x, 30);
    for (size_t i = 0; i < CMEK_NODES; i++)
        check_ok(fake_node_report(x.nodes[i], true));
    after = cmek_view(&x);
    assert_int_equal(event_count(), events);
    assert_int_equal(after->revision, before->revision);
    for (size_t i = 0; i < after->region_count; i++)
        assert_int_equal(after->regions[i].region.updated, before->regions[i].region.updated);
    cmek_view_free(before);
    cmek_view_free(after);
}

static struct cluster_volume first_volume(void)
{
    struct cluster_volume *volumes;
    size_t count;

    check_ok(control_volumes(x.fleet.c, &x.fleet.viewer, x.cluster, &volumes, &count));
    assert_true(count > 0);
    struct cluster_volume first = volumes[0];
    mem_free(volumes);
    return first;
}

/* Of a store that was newer. Nothing else of the row differs: a goal was renewed before and has not been reached. */
static void a_goal_that_was_never_given__reported_again__is_given_anew(void **state)
{
    CLEANUP(mem_freep) char *text = NULL;
    struct cluster_volume was = first_volume();

    (void)state;
    check_ok(mem_format(&text,
                        "{\"volumes\":[{\"volume\":\"%s\",\"goal\":%lld,\"access\":\"OPEN\"}]}",
                        was.id, (long long)was.goal + 1000000));
    for (size_t i = 0; i < 2; i++) {
        check_ok(report_text(x.nodes[0], text));
        struct cluster_volume now = first_volume();
        assert_int_equal(now.reached, GOAL_NONE);
        assert_true(now.goal > was.goal);
        was = now;
    }
}

static void a_full_report__without_a_volume__means_it_is_not_there(void **state)
{
    struct cluster_volume *volumes;
    size_t count;

    (void)state;
    check_ok(report_text(x.nodes[0], "{\"full\":true,\"volumes\":[]}"));
    check_ok(control_volumes(x.fleet.c, &x.fleet.viewer, x.cluster, &volumes, &count));
    assert_string_equal(volumes[0].region, "east");
    assert_int_equal(volumes[0].access, ACCESS_NONE);
    assert_int_equal(volumes[0].reached, -1);
    mem_free(volumes);
}

/* The node may be making it just now. */
static void a_full_report__of_a_node_that_has_not_heard_of_it__says_nothing(void **state)
{
    struct cluster_volume *volumes;
    CLEANUP(mem_freep) char *text = NULL;
    size_t count;

    (void)state;
    check_ok(report_text(x.nodes[0], "{\"full\":true,\"revision\":0,\"volumes\":[]}"));
    check_ok(control_volumes(x.fleet.c, &x.fleet.viewer, x.cluster, &volumes, &count));
    assert_int_equal(volumes[0].access, ACCESS_OPEN);
    check_ok(mem_format(&text, "{\"full\":true,\"revision\":%lld,\"volumes\":[]}",
                        (long long)volumes[0].goal));
    mem_free(volumes);
    check_ok(report_text(x.nodes[0], text));
    check_ok(control_volumes(x.fleet.c, &x.fleet.viewer, x.cluster, &volumes, &count));
    assert_int_equal(volumes[0].access, ACCESS_NONE);
    mem_free(volumes);
}

static void progress__of_a_reencryption__counts_bytes_and_time(void **state)
{
    struct cmek_ask ask = {.verb = CMEK_ROTATE, .level = LEVEL_REENCRYPT};
    struct operation_view *v;
    CLEANUP(mem_freep) char *text = NULL;

    (void)state;
    check_ok(control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &x.last));
    check_ok(
        mem_format(&text,
                   "{\"volumes\":[{\"volume\":\"%s\",\"goal\":1,\"access\":\"OPEN\",\"progress\":"
                   "{\"bytes_done\":100,\"bytes_total\":1000,\"rate\":90}}]}",
                   x.nodes[0]->volumes[0]->id));
    check_ok(report_text(x.nodes[0], text));
    check_ok(control_operation_get(x.fleet.c, &x.fleet.viewer, x.last.id, &v));
    assert_int_equal(v->operation.bytes_done, 100);
    assert_int_equal(v->operation.bytes_total, 1000);
    assert_int_equal(v->operation.eta_s, 10);
    assert_int_equal(v->operation.volumes_total, 5);
    operation_view_free(v);
}

/* The number of requests that failed with "io"; -1: nothing is known. */
static json_int_t failed_io(void)
{
    struct cluster_volume *volumes;
    size_t count;

    check_ok(control_volumes(x.fleet.c, &x.fleet.viewer, x.cluster, &volumes, &count));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(volumes[i].id, x.nodes[0]->volumes[0]->id) != 0)
            continue;
        json_t *failed = control_requests_failed(x.fleet.c, &volumes[i]);
        json_int_t n =
            json_is_null(failed) ? -1 : json_integer_value(json_object_get(failed, "io"));
        json_decref(failed);
        mem_free(volumes);
        return n;
    }
    fail_msg("the volume is not there");
    return 0;
}

static void report_failed(const char *member)
{
    CLEANUP(mem_freep) char *text = NULL;

    check_ok(mem_format(&text,
                        "{\"volumes\":[{\"volume\":\"%s\",\"goal\":1,\"access\":\"OPEN\"%s}]}",
                        x.nodes[0]->volumes[0]->id, member));
    check_ok(report_text(x.nodes[0], text));
    assert_string_equal(refused, "");
}

/* Numbers alone are no event, and nothing that is kept. */
static void failed_requests__reported__are_shown_as_last_told(void **state)
{
    (void)state;
    report_failed("");
    int64_t events = event_count();
    assert_int_equal(failed_io(), -1);
    report_failed(",\"requests_failed\":{\"io\":3,\"no_space\":0}");
    assert_int_equal(failed_io(), 3);
    report_failed(",\"requests_failed\":{\"io\":4,\"of_a_newer_node\":1}");
    assert_int_equal(failed_io(), 4);
    report_failed("");
    assert_int_equal(failed_io(), -1);
    assert_int_equal(event_count(), events);
}

/* What is inside the volume, as callers see it, is this. */
static void check_detail(const char *want)
{
    json_t *detail = NULL, *value = json_loads(want, 0, NULL);

    assert_non_null(value);
    check_ok(control_volume_detail(x.fleet.c, &x.fleet.viewer, x.cluster,
                                   x.nodes[0]->volumes[0]->id, &detail));
    assert_true(json_equal(detail, value));
    json_decref(detail);
    json_decref(value);
}

/* Another number after each change of the store by somebody else than db. */
static int data_version(sqlite3 *db)
{
    sqlite3_stmt *ask;

    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA data_version", -1, &ask, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(ask), SQLITE_ROW);
    int version = sqlite3_column_int(ask, 0);
    sqlite3_finalize(ask);
    return version;
}

static void wraps_or_generations__reported_alone__leave_the_other_as_it_was(void **state)
{
    sqlite3 *db;

    (void)state;
    report_failed(",\"wraps\":[{\"id\":1}],\"generations\":[{\"id\":1}]");
    check_detail("{\"wraps\":[{\"id\":1}],\"generations\":[{\"id\":1}]}");
    report_failed(",\"generations\":[{\"id\":2}]");
    check_detail("{\"wraps\":[{\"id\":1}],\"generations\":[{\"id\":2}]}");
    report_failed(",\"wraps\":[]");
    check_detail("{\"wraps\":[],\"generations\":[{\"id\":2}]}");
    report_failed("");
    check_detail("{\"wraps\":[],\"generations\":[{\"id\":2}]}");
    assert_int_equal(sqlite3_open(tmpdir_path(&x.fleet.tmp, "control.db").text, &db), SQLITE_OK);
    int before = data_version(db);
    report_failed(",\"wraps\":[]");
    assert_int_equal(data_version(db), before);
    report_failed(",\"wraps\":[3]");
    assert_int_not_equal(data_version(db), before);
    sqlite3_close(db);
}

/* Deeper than it may be read again. */
static void wraps__that_cannot_be_read_again__are_mended_by_the_next(void **state)
{
    json_t *detail = NULL;

    (void)state;
    report_failed(",\"wraps\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]");
    check_rc(control_volume_detail(x.fleet.c, &x.fleet.viewer, x.cluster,
                                   x.nodes[0]->volumes[0]->id, &detail),
             LIMIT);
    report_failed(",\"wraps\":[4]");
    check_detail("{\"wraps\":[4]}");
}

static void a_long_message__reported__is_cut(void **state)
{
    CLEANUP(mem_freep) char *text = NULL, *long_text = NULL;
    struct cluster_volume *volumes;
    size_t count;

    (void)state;
    check_ok(mem_new(5001, 1, &long_text));
    memset(long_text, 'x', 5000);
    check_ok(mem_format(
        &text,
        "{\"volumes\":[{\"volume\":\"%s\",\"goal\":1,\"access\":\"FAILED\",\"cause\":\"ERROR\","
        "\"message\":\"%s\"}]}",
        x.nodes[0]->volumes[0]->id, long_text));
    check_ok(report_text(x.nodes[0], text));
    check_ok(control_volumes(x.fleet.c, &x.fleet.viewer, x.cluster, &volumes, &count));
    assert_int_equal(strlen(volumes[0].message), MESSAGE_BYTES - 1);
    mem_free(volumes);
}

/* -- receipts ------------------------------------------------------------------------------------------------------- */

static ks_rc send_receipts(struct fake_node *n, const json_t *receipts)
{
    json_t *report = json_pack("{s:O}", "receipts", receipts);
    ks_rc rc = report_json(n, report);

    json_decref(report);
    return rc;
}

/* The receipts that a node has written and not handed in. */
static json_t *receipts_of(struct fake_node *n)
{
    bool is_new;

    check_ok(fake_node_poll(n, &is_new));
    assert_true(fake_node_work(n));
    assert_true(json_array_size(n->receipts) > 0);
    return json_deep_copy(n->receipts);
}

static void check_refused(struct fake_node *n, const json_t *receipts, const char *part)
{
    struct slice slice = {.count_max = 10};
    struct receipt *rows;
    size_t count;

    check_ok(send_receipts(n, receipts));
    if (!strstr(refused, "receipts[0]: ") || !strstr(refused, part))
        fail_msg("wanted %s, got %s", part, refused);
    check_ok(
        control_receipt_list(x.fleet.c, &x.fleet.viewer, x.cluster, NULL, &slice, &rows, &count));
    assert_int_equal(count, 0);
}

static void a_receipt__forged__is_refused(void **state)
{
    json_t *receipts, *one;
    CLEANUP(mem_freep) char *text = NULL;

    (void)state;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    receipts = receipts_of(x.nodes[0]);
    one = json_array_get(receipts, 0);
    check_ok(mem_text(json_string_value(json_object_get(one, "text")), &text));

    check_refused(x.nodes[1], receipts, "of another node");

    *strstr(text, "\"handles_cut\":0") = ' '; /* one byte */
    json_object_set_new(one, "text", json_string(text));
    check_refused(x.nodes[0], receipts, "receipt");
    json_decref(receipts);

    receipts = json_deep_copy(x.nodes[0]->receipts);
    one = json_array_get(receipts, 0);
    json_object_set_new(one, "certificate", json_string(buf_text(&x.nodes[1]->certificate)));
    check_refused(x.nodes[0], receipts, "signed by another node");
    json_object_set_new(one, "certificate", json_string("none"));
    check_refused(x.nodes[0], receipts, "receipt");
    json_decref(receipts);

    receipts = json_deep_copy(x.nodes[0]->receipts);
    json_object_set_new(json_array_get(receipts, 0), "signature", json_string("AAAA"));
    check_refused(x.nodes[0], receipts, "receipt");
    json_decref(receipts);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_REVOKED);
}

/* The first receipt with what is said to be its organisation, signed by its node. */
static void sign_as_of(struct fake_node *n, json_t *receipts, const char *organisation)
{
    CLEANUP(buf_done) struct buf der = buf_init(256), signature = buf_init(512);
    CLEANUP(mem_freep) char *text = NULL;
    json_t *one = json_array_get(receipts, 0);

    check_ok(mem_text(json_string_value(json_object_get(one, "text")), &text));
    memcpy(strstr(text, FLEET_ORGANISATION), organisation, strlen(organisation));
    check_ok(key_pair_sign(n->key, view_text(text), &der));
    check_ok(base64_write(buf_view(&der), BASE64_STANDARD, &signature));
    json_object_set_new(one, "text", json_string(text));
    json_object_set_new(one, "signature", json_string(buf_text(&signature)));
}

static void a_receipt__said_to_be_of_another_organisation__is_refused(void **state)
{
    (void)state;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    json_t *receipts = receipts_of(x.nodes[0]);
    sign_as_of(x.nodes[0], receipts, FLEET_OTHER);
    int64_t events = event_count();
    check_refused(x.nodes[0], receipts, "does not fit its volume");
    assert_int_equal(event_count(), events);
    json_decref(receipts);
}

static void a_receipt__forged_among_good_parts__is_left_out_alone(void **state)
{
    CLEANUP(mem_freep) char *volume = NULL;
    json_t *report, *receipts, *bad;

    (void)state;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    receipts = receipts_of(x.nodes[0]);
    bad = json_deep_copy(json_array_get(receipts, 0));
    json_object_set_new(bad, "signature", json_string("AAAA"));
    json_array_insert_new(receipts, 0, bad);
    json_array_insert_new(receipts, 0, json_string("no receipt"));
    check_ok(mem_format(&volume, "%s", x.nodes[0]->volumes[0]->id));
    report = json_pack("{s:[{s:s, s:I, s:s, s:s}, {s:s}], s:O}", "volumes", "volume", volume,
                       "goal", (json_int_t)x.nodes[0]->volumes[0]->goal, "access", "LOCKED",
                       "cause", "REVOKED", "volume", volume, "receipts", receipts);
    check_ok(report_json(x.nodes[0], report));
    assert_non_null(strstr(refused, "receipts[0]: "));
    assert_non_null(strstr(refused, "receipts[1]: receipt "));
    assert_non_null(strstr(refused, "volumes[1]: "));
    assert_null(strstr(refused, "receipts[2]"));
    cmek_check_region(&x, "east", CMEK_REVOKED); /* the good volume and the good receipt */
    json_decref(report);
    json_decref(receipts);
}

static void many_bad_parts__of_one_report__are_not_all_told(void **state)
{
    json_t *report = json_pack("{s:[]}", "volumes");
    size_t told = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        json_array_append_new(json_object_get(report, "volumes"), json_integer(i));
    check_ok(report_json(x.nodes[0], report));
    for (const char *at = refused; (at = strstr(at, "volumes[")); at++)
        told++;
    assert_int_equal(told, REPORT_REFUSED_MAX);
    json_decref(report);
}

static void a_receipt__handed_in_twice__is_kept_once_to_the_byte(void **state)
{
    struct slice slice = {.count_max = 10};
    struct receipt *rows;
    json_t *receipts;
    size_t count;

    (void)state;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    receipts = receipts_of(x.nodes[0]);
    cmek_run(&x);
    check_ok(send_receipts(x.nodes[0], receipts));
    check_ok(control_receipt_list(x.fleet.c, &x.fleet.viewer, x.cluster, x.last.id, &slice, &rows,
                                  &count));
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].region, "east") != 0)
            continue;
        const json_t *one = json_array_get(receipts, 0);
        assert_string_equal(rows[i].text, json_string_value(json_object_get(one, "text")));
        assert_string_equal(rows[i].certificate, buf_text(&x.nodes[0]->certificate));
        assert_string_equal(rows[i].operation, x.last.id);
    }
    mem_free(rows);
    json_decref(receipts);
}

static void check_receipt_missing(bool is_missing)
{
    struct cmek_view *v = cmek_view(&x);

    for (size_t i = 0; i < v->region_count; i++) {
        const struct region *r = &v->regions[i].region;
        if (strcmp(r->name, "east") == 0)
            assert_int_equal(strstr(r->message, "receipt has not come") != NULL, is_missing);
    }
    cmek_view_free(v);
}

static void check_proved(enum cmek_status status)
{
    cmek_check_region(&x, "east", status);
    check_receipt_missing(status == CMEK_REVOKING);
}

/* What the node says of its volumes, without the receipts, which are taken from it. */
static json_t *report_without_receipts(struct fake_node *n)
{
    json_t *receipts = receipts_of(n);

    json_array_clear(n->receipts);
    check_ok(fake_node_report(n, false));
    return receipts;
}

/* A report that was made before the volume was locked. */
static void report_open(void)
{
    CLEANUP(mem_freep) char *text = NULL;
    const struct fake_volume *v = x.nodes[0]->volumes[0];

    check_ok(mem_format(&text,
                        "{\"volumes\":[{\"volume\":\"%s\",\"goal\":%lld,\"access\":\"OPEN\"}]}",
                        v->id, (long long)v->goal - 1));
    check_ok(report_text(x.nodes[0], text));
}

static void a_receipt__before_its_volume_is_told_locked__proves_it_all_the_same(void **state)
{
    json_t *receipts;

    (void)state;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    receipts = receipts_of(x.nodes[0]);
    check_ok(send_receipts(x.nodes[0], receipts));
    cmek_check_region(&x, "east", CMEK_REVOKING);
    report_open();
    cmek_check_region(&x, "east", CMEK_REVOKING);
    json_array_clear(x.nodes[0]->receipts);
    check_ok(fake_node_report(x.nodes[0], false));
    check_proved(CMEK_REVOKED);
    json_decref(receipts);
}

static void a_receipt__after_its_volume_is_told_locked__is_waited_for(void **state)
{
    json_t *receipts;

    (void)state;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    receipts = report_without_receipts(x.nodes[0]);
    check_proved(CMEK_REVOKING);
    check_ok(send_receipts(x.nodes[0], receipts));
    check_proved(CMEK_REVOKED);
    json_decref(receipts);
}

static void a_receipt__of_a_revocation_before__does_not_prove_the_next(void **state)
{
    struct slice slice = {.count_max = 10};
    struct receipt *rows;
    json_t *old, *receipts;
    size_t count;

    (void)state;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    old = report_without_receipts(x.nodes[0]);
    cmek_ask(&x, CMEK_RESTORE, NULL);
    cmek_run(&x);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    receipts = report_without_receipts(x.nodes[0]);
    check_ok(send_receipts(x.nodes[0], old));
    check_proved(CMEK_REVOKING);
    check_ok(control_receipt_list(x.fleet.c, &x.fleet.viewer, x.cluster, x.last.id, &slice, &rows,
                                  &count));
    assert_int_equal(count, 0);
    mem_free(rows);
    check_ok(send_receipts(x.nodes[0], receipts));
    check_proved(CMEK_REVOKED);
    json_decref(old);
    json_decref(receipts);
}

static void a_receipt__though_the_wish_has_changed_since__proves_it(void **state)
{
    CLEANUP(work_abandon) struct work w = {0};
    json_t *receipts;

    (void)state;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    receipts = report_without_receipts(x.nodes[0]);
    check_ok(work_begin(x.fleet.c, &w));
    store_tx_observe(w.tx);
    check_ok(wish_changed(&w, x.cluster, "east"));
    check_ok(work_end(&w));
    check_ok(send_receipts(x.nodes[0], receipts));
    cmek_run(&x);
    check_proved(CMEK_REVOKED);
    json_decref(receipts);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(no_report__is_refused_as_a_whole),
        TEST(malformed__in_any_member__is_refused_by_itself),
        TEST(a_volume_of_another_node__reported__is_refused_and_the_rest_taken),
        TEST(a_volume_nobody_knows__reported__is_passed_over),
        TEST(the_same_report__again__writes_nothing),
        TEST(a_goal_that_was_never_given__reported_again__is_given_anew),
        TEST(a_full_report__without_a_volume__means_it_is_not_there),
        TEST(a_full_report__of_a_node_that_has_not_heard_of_it__says_nothing),
        TEST(progress__of_a_reencryption__counts_bytes_and_time),
        TEST(failed_requests__reported__are_shown_as_last_told),
        TEST(wraps_or_generations__reported_alone__leave_the_other_as_it_was),
        TEST(wraps__that_cannot_be_read_again__are_mended_by_the_next),
        TEST(a_long_message__reported__is_cut),
        TEST(a_receipt__forged__is_refused),
        TEST(a_receipt__said_to_be_of_another_organisation__is_refused),
        TEST(a_receipt__forged_among_good_parts__is_left_out_alone),
        TEST(many_bad_parts__of_one_report__are_not_all_told),
        TEST(a_receipt__handed_in_twice__is_kept_once_to_the_byte),
        TEST(a_receipt__before_its_volume_is_told_locked__proves_it_all_the_same),
        TEST(a_receipt__after_its_volume_is_told_locked__is_waited_for),
        TEST(a_receipt__of_a_revocation_before__does_not_prove_the_next),
        TEST(a_receipt__though_the_wish_has_changed_since__proves_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
