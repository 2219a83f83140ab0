/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the control plane remembers the newest keyring of each volume that its node has vouched for, tells it with what is wanted, and lets
 * it fall only when an administrator accepts the older one that the node found; both are in the audit.
 */
#include "cmek_fixture.h"

#define OURS "00112233445566778899aabbccddeeff"

static struct cmek_fixture x;
static struct cluster_volume volume; /* as it was last looked at */

static const struct cluster_volume *look(void)
{
    struct cluster_volume *all;
    size_t count;

    check_ok(control_volumes(x.fleet.c, &x.fleet.viewer, x.cluster, &all, &count));
    volume = all[0]; /* of the first region: the only one of its node */
    mem_free(all);
    return &volume;
}

static int set_up(void **state)
{
    (void)state;
    cmek_open(&x);
    look();
    assert_string_equal(volume.id, x.nodes[0]->volumes[0]->id);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cmek_close(&x);
    return 0;
}

static json_t *anchor_of(const char *id, int64_t sequence, int64_t accepted)
{
    return json_pack("{s:s, s:I, s:I}", "volume", id, "sequence", (json_int_t)sequence, "accepted",
                     (json_int_t)accepted);
}

/* A report about the volume; takes keyring over. */
static void report(const char *access, const char *cause, json_t *keyring)
{
    json_t *document = json_pack("{s:[{s:s, s:I, s:s, s:s, s:s, s:o}]}", "volumes", "volume",
                                 volume.id, "goal", (json_int_t)volume.goal, "access", access,
                                 "cause", cause, "message", "as it is", "keyring", keyring);
    json_t *reply = NULL;

    check_ok(control_node_report(x.fleet.c, x.nodes[0]->id, document, &reply));
    assert_null(json_object_get(reply, "refused"));
    json_decref(reply);
    json_decref(document);
    look();
}

static void report_refused(int64_t found)
{
    json_t *keyring = anchor_of(OURS, 9, 0);

    json_object_set_new(keyring, "found", json_integer(found));
    report("FAILED", "ROLLED_BACK", keyring);
}

static void check_anchor(int64_t sequence, int64_t accepted, int64_t found)
{
    assert_string_equal(look()->anchor.volume, OURS);
    assert_int_equal(volume.anchor.sequence, sequence);
    assert_int_equal(volume.anchor.accepted, accepted);
    assert_int_equal(volume.found, found);
}

/* What the node is told, from everything. */
static void check_told(int64_t sequence, int64_t accepted)
{
    json_t *desired = NULL, *want = anchor_of(OURS, sequence, accepted);
    const json_t *one;
    size_t i;
    bool is_there = false;

    check_ok(control_node_desired(x.fleet.c, x.nodes[0]->id, 0, &desired));
    json_array_foreach(json_object_get(desired, "volumes"), i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "volume")), volume.id) != 0)
            continue;
        is_there = true;
        assert_true(json_equal(json_object_get(one, "keyring"), want));
    }
    assert_true(is_there);
    json_decref(want);
    json_decref(desired);
}

/* The newest event with this action; how many there are. */
static size_t events(const char *action, struct audit_event *ret)
{
    const struct audit_filter filter = {.cluster = x.cluster, .action = action};
    struct slice slice = {.count_max = 100, .is_descending = true};
    struct audit_event *rows = NULL;
    size_t count;

    check_ok(control_audit_list(x.fleet.c, &x.fleet.viewer, &filter, &slice, &rows, &count));
    if (count && ret)
        *ret = rows[0];
    mem_free(rows);
    return count;
}

static ks_rc accept_as(const struct caller *by, int64_t sequence)
{
    struct cluster_volume *ret;

    check_ok(mem_new(1, sizeof *ret, &ret));
    ks_rc rc = control_accept_rollback(x.fleet.c, by, x.cluster, volume.id, sequence, ret);
    mem_free(ret);
    return rc;
}

static void reported__higher_is_kept_and_told__lower_or_foreign_is_not(void **state)
{
    (void)state;
    report("OPEN", "NONE", anchor_of(OURS, 7, 0));
    check_anchor(7, 0, 0);
    check_told(7, 0);
    report("OPEN", "NONE", anchor_of(OURS, 9, 0));
    report("OPEN", "NONE", anchor_of(OURS, 8, 0));
    report("OPEN", "NONE", anchor_of("ff112233445566778899aabbccddeeff", 90, 0));
    report("OPEN", "NONE", anchor_of("", 0, 0));
    check_anchor(9, 0, 0);
    fleet_reopen(&x.fleet);
    check_anchor(9, 0, 0);
    check_told(9, 0);
}

static void refused__is_a_cause_and_an_event_of_its_own(void **state)
{
    struct audit_event event;
    struct cmek_view *v;

    (void)state;
    report_refused(4);
    assert_int_equal(volume.cause, CAUSE_ROLLED_BACK);
    check_anchor(9, 0, 4);
    report_refused(4);
    assert_int_equal(events("volume.rolled_back", &event), 1);
    assert_int_equal(events("volume.failed", NULL), 0);
    assert_non_null(strstr(event.object, volume.id));
    v = cmek_view(&x);
    assert_int_equal(v->regions[0].region.cause, CAUSE_ROLLED_BACK);
    assert_non_null(strstr(v->regions[0].region.message, "cannot be opened: as it is"));
    cmek_view_free(v);
    report("OPEN", "NONE", anchor_of(OURS, 9, 0)); /* its own is back */
    check_anchor(9, 0, 0);
    check_rc(accept_as(&x.fleet.admin, 4), STATE);
}

static void accepted__what_was_found_counts_from_then_on(void **state)
{
    struct audit_event event;

    (void)state;
    report_refused(4);
    int64_t goal = volume.goal;
    check_ok(accept_as(&x.fleet.admin, 4));
    check_anchor(4, 1, 0);
    check_told(4, 1);
    assert_true(look()->goal > goal); /* so that the node hears it now */
    assert_int_equal(events("volume.accept_rollback", &event), 1);
    assert_string_equal(event.actor, x.fleet.admin.name);
    assert_non_null(strstr(event.detail, "\"from\":9"));
    assert_non_null(strstr(event.detail, "\"to\":4"));
    report_refused(4); /* from before the node has heard it */
    check_anchor(4, 1, 0);
    report("OPEN", "NONE", anchor_of(OURS, 5, 1));
    check_anchor(5, 1, 0);
}

static void accepted__wrongly__changes_nothing(void **state)
{
    (void)state;
    report("OPEN", "NONE", anchor_of(OURS, 9, 0));
    ks_rc rc = accept_as(&x.fleet.admin, 9);
    check_rc(rc, STATE);
    check_text(rc, "nothing to accept");
    report_refused(4);
    rc = accept_as(&x.fleet.admin, 3);
    check_rc(rc, STATE);
    check_text(rc, "is of sequence 4, not 3");
    check_rc(accept_as(&x.fleet.foreign, 4), NOT_FOUND);
    memcpy(volume.id, "0b000000-0000-4000-8000-000000000001", ID_BYTES);
    check_rc(accept_as(&x.fleet.admin, 4), NOT_FOUND);
    memcpy(volume.id, "none", 5);
    check_rc(accept_as(&x.fleet.admin, 4), NOT_FOUND);
    check_anchor(9, 0, 4);
    assert_int_equal(events("volume.accept_rollback", NULL), 0);
}

/* As a control plane that believed every number has left it. */
static void put_found(int64_t found)
{
    CLEANUP(work_abandon) struct work w = {0};

    check_ok(work_begin(x.fleet.c, &w));
    volume.found = found;
    check_ok(store_volume_put(w.tx, &volume));
    store_tx_observe(w.tx);
    check_ok(work_end(&w));
}

/* Numbers are claims. An anchor that rose by one would have every true keyring refused, for ever. */
static void claimed__not_below_the_anchor__is_nothing_to_accept(void **state)
{
    static const int64_t claims[] = {9, 10, 1LL << 40, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        report_refused(claims[i]);
        check_anchor(9, 0, 0);
        assert_int_equal(volume.cause, CAUSE_ROLLED_BACK);
        check_rc(accept_as(&x.fleet.admin, claims[i]), STATE);
        put_found(claims[i]);
        ks_rc rc = accept_as(&x.fleet.admin, claims[i]);
        check_rc(rc, STATE);
        check_text(rc, "nothing vouches for that number");
        check_anchor(9, 0, claims[i]);
    }
    assert_int_equal(events("volume.accept_rollback", NULL), 0);
    report_refused(8);
    check_ok(accept_as(&x.fleet.admin, 8));
    check_anchor(8, 1, 0);
}

static void accepted__as_often_as_can_be_counted__no_further(void **state)
{
    json_t *keyring = anchor_of(OURS, 9, ANCHOR_ACCEPTED_MAX);

    (void)state;
    json_object_set_new(keyring, "found", json_integer(4));
    report("FAILED", "ROLLED_BACK", keyring);
    check_rc(accept_as(&x.fleet.admin, 4), LIMIT);
    check_anchor(9, ANCHOR_ACCEPTED_MAX, 4);
    assert_int_equal(events("volume.accept_rollback", NULL), 0);
    report_refused(4);
    check_anchor(9, ANCHOR_ACCEPTED_MAX, 0);
}

/* The node knows of an acceptance that this store, a copy from before it, has forgotten; or somebody has written the node's notes. */
static void reported__with_a_higher_count__is_believed_and_told(void **state)
{
    struct audit_event event;

    (void)state;
    report("OPEN", "NONE", anchor_of(OURS, 9, 0));
    report("OPEN", "NONE", anchor_of(OURS, 2, 3));
    check_anchor(2, 3, 0);
    report("OPEN", "NONE", anchor_of(OURS, 2, 3));
    assert_int_equal(events("volume.keyring_lowered", &event), 1);
    assert_string_equal(event.actor, "keystead");
    assert_non_null(strstr(event.object, volume.id));
    assert_non_null(strstr(event.detail, x.nodes[0]->id));
    assert_non_null(strstr(event.detail, "\"region\":\"east\""));
    assert_non_null(strstr(event.detail, "\"from\":9"));
    assert_non_null(strstr(event.detail, "\"to\":2"));
    assert_non_null(strstr(event.detail, "\"other_keyring\":false"));
}

static void reported__keyring_of_another_volume_with_a_higher_count__is_told(void **state)
{
    struct audit_event event;

    (void)state;
    report("OPEN", "NONE", anchor_of(OURS, 9, 0));
    report("OPEN", "NONE", anchor_of("ff112233445566778899aabbccddeeff", 90, 1));
    assert_int_equal(events("volume.keyring_lowered", &event), 1);
    assert_non_null(strstr(event.detail, "\"to\":90"));
    assert_non_null(strstr(event.detail, "\"other_keyring\":true"));
    report("OPEN", "NONE", anchor_of("", 0, 2)); /* made anew: nothing is noted yet */
    assert_int_equal(events("volume.keyring_lowered", &event), 2);
}

/* Nothing that was refused before opens now. */
static void reported__what_is_no_fall__is_not_told_as_one(void **state)
{
    (void)state;
    report("OPEN", "NONE", anchor_of(OURS, 7, 2));
    report("OPEN", "NONE", anchor_of(OURS, 9, 3));
    report("OPEN", "NONE", anchor_of(OURS, 4, 2));
    check_anchor(9, 3, 0);
    report_refused(4);
    report("FAILED", "ROLLED_BACK",
           json_pack("{s:s, s:i, s:i, s:i}", "volume", OURS, "sequence", 9, "accepted", 3, "found",
                     4));
    check_ok(accept_as(&x.fleet.admin, 4));
    report("OPEN", "NONE", anchor_of(OURS, 4, 4));
    check_anchor(4, 4, 0);
    assert_int_equal(events("volume.keyring_lowered", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reported__higher_is_kept_and_told__lower_or_foreign_is_not,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused__is_a_cause_and_an_event_of_its_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(accepted__what_was_found_counts_from_then_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(accepted__wrongly__changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accepted__as_often_as_can_be_counted__no_further, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(claimed__not_below_the_anchor__is_nothing_to_accept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(reported__with_a_higher_count__is_believed_and_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            reported__keyring_of_another_volume_with_a_higher_count__is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reported__what_is_no_fall__is_not_told_as_one, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
