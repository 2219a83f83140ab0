/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: CMEK of a cluster in three regions, on the real store, with nodes that follow their wishes in memory: every verb from the call to
 * the end of its operation, what goes wrong on the way, and what callers are told.
 */
#include "cmek_fixture.h"

static struct cmek_fixture x;

static int set_up(void **state)
{
    (void)state;
    cmek_open(&x);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cmek_close(&x);
    return 0;
}

static const struct cmek_region *region_of(const struct cmek_view *v, const char *name)
{
    for (size_t i = 0; i < v->region_count; i++) {
        if (strcmp(v->regions[i].region.name, name) == 0)
            return &v->regions[i];
    }
    return NULL;
}

static void check_message(const char *region, const char *part)
{
    struct cmek_view *v = cmek_view(&x);
    const struct cmek_region *r = region_of(v, region);

    if (!strstr(r->region.message, part))
        fail_msg("\"%s\" is not in: %s", part, r->region.message);
    cmek_view_free(v);
}

static void enable_all(const char *uri)
{
    cmek_ask(&x, CMEK_ENABLE, uri);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
}

static size_t count_events(const char *action)
{
    struct slice slice = {.count_max = SLICE_MAX};
    struct audit_filter filter = {.action = action};
    struct audit_event *events;
    size_t count;

    check_ok(control_audit_list(x.fleet.c, &x.fleet.admin, &filter, &slice, &events, &count));
    mem_free(events);
    return count;
}

/* -- enable -------------------------------------------------------------------------------------------------------- */

static void a_cluster_without_keys__looked_at__is_disabled(void **state)
{
    struct cmek_view *v = cmek_view(&x);

    (void)state;
    assert_int_equal(v->status, CMEK_DISABLED);
    assert_int_equal(v->region_count, 3);
    assert_string_equal(v->regions[0].region.name, "east");
    assert_int_equal(v->regions[0].key_count, 0);
    cmek_view_free(v);
}

static void enable__asked__moves_before_the_call_returns(void **state)
{
    struct cmek_view *v;

    (void)state;
    cmek_ask(&x, CMEK_ENABLE, "k1");
    cmek_check_status(&x, CMEK_ENABLING);
    assert_int_equal(x.last.kind, OPERATION_CMEK_ENABLE);
    assert_int_equal(x.last.state, OPERATION_RUNNING);
    struct operation o = x.last;
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
    cmek_check_operation(&x, &o, OPERATION_SUCCEEDED);
    v = cmek_view(&x);
    assert_int_equal(v->regions[2].key_count, 1);
    assert_int_equal(v->regions[2].keys[0].status, CMEK_ENABLED);
    assert_string_equal(v->regions[2].keys[0].version, "1");
    assert_false(v->regions[2].region.is_platform_wanted);
    cmek_view_free(v);
}

static void enable__done__existing_data_is_encrypted_anew(void **state)
{
    const struct operation_filter filter = {.cluster = x.cluster};
    struct slice slice = {.count_max = 50};
    struct operation *rows;
    size_t count, found = 0;

    (void)state;
    enable_all("k1");
    check_ok(control_operation_list(x.fleet.c, &x.fleet.viewer, &filter, &slice, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind != OPERATION_REENCRYPT)
            continue;
        found++;
        assert_int_equal(rows[i].state, OPERATION_SUCCEEDED);
    }
    assert_int_equal(found, 3);
    mem_free(rows);
}

static void enable__asked_twice__is_the_same_operation(void **state)
{
    (void)state;
    cmek_ask(&x, CMEK_ENABLE, "k1");
    struct operation first = x.last;
    cmek_ask(&x, CMEK_ENABLE, "k1");
    assert_string_equal(x.last.id, first.id);
    check_rc(cmek_try(&x, CMEK_ENABLE, "k2"), BUSY);
    cmek_run(&x);
    cmek_ask(&x, CMEK_ENABLE, "k1");
    assert_string_equal(x.last.id, first.id);
    check_rc(cmek_try(&x, CMEK_ENABLE, "k2"), STATE);
}

static void enable__key_refused__fails_and_says_what_to_do(void **state)
{
    struct cmek_view *v;

    (void)state;
    cmek_mood(&x, "k1", FAKE_DENY);
    cmek_ask(&x, CMEK_ENABLE, "k1");
    struct operation o = x.last;
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLE_FAILED);
    cmek_check_operation(&x, &o, OPERATION_FAILED);
    v = cmek_view(&x);
    assert_int_equal(v->regions[0].keys[0].status, CMEK_ENABLE_FAILED);
    assert_non_null(strstr(v->regions[0].keys[0].message, "enable it at the key service"));
    assert_true(v->regions[0].region.is_platform_wanted);
    assert_int_equal(v->regions[0].region.access, ACCESS_OPEN);
    cmek_view_free(v);
    cmek_mood(&x, "k1", FAKE_ALLOW);
    enable_all("k1");
}

static void enable__service_silent__fails_after_ten_minutes(void **state)
{
    (void)state;
    cmek_mood(&x, "k1", FAKE_SILENT);
    cmek_ask(&x, CMEK_ENABLE, "k1");
    struct operation o = x.last;
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLING);
    check_message("east", "tries again");
    cmek_later(&x, 599);
    for (size_t i = 0; i < CMEK_NODES; i++)
        check_ok(fake_node_report(x.nodes[i], true));
    check_ok(control_tick(x.fleet.c));
    cmek_check_status(&x, CMEK_ENABLING);
    cmek_later(&x, 1);
    check_ok(control_tick(x.fleet.c));
    cmek_check_status(&x, CMEK_ENABLE_FAILED);
    cmek_check_operation(&x, &o, OPERATION_FAILED);
}

static void enable__bad_specs__are_refused_with_every_fault(void **state)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    struct cmek_ask ask = {.verb = CMEK_ENABLE, .region_count = 3};

    (void)state;
    check_ok(mem_new(3, sizeof *specs, &specs));
    cmek_key(&specs[0], "east", "k1");
    cmek_key(&specs[1], "east", "k1");
    cmek_key(&specs[2], "mars", "k1");
    snprintf(specs[0].keys[0].type, sizeof specs[0].keys[0].type, "KMIP");
    ask.regions = specs;
    ks_rc rc = control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &x.last);
    check_rc(rc, USAGE);
    check_text(rc, "no region \"mars\"");
    check_text(rc, "east is named 2 times");
    check_text(rc, "region west of the cluster is missing");
    check_text(rc, "\"KMIP\" is no type of key here");
    cmek_check_status(&x, CMEK_DISABLED);
}

/* -- rotate --------------------------------------------------------------------------------------------------------- */

static void put__another_key_in_one_region__leaves_the_others(void **state)
{
    struct cmek_view *v;

    (void)state;
    enable_all("k1");
    check_ok(cmek_try_one(&x, CMEK_PUT, "west", "k2"));
    cmek_check_region(&x, "west", CMEK_ROTATING);
    cmek_check_region(&x, "east", CMEK_ENABLED);
    cmek_check_status(&x, CMEK_ROTATING);
    v = cmek_view(&x);
    assert_int_equal(region_of(v, "west")->keys[0].status, CMEK_ENABLING);
    assert_int_equal(region_of(v, "west")->keys[1].status, CMEK_DISABLING);
    cmek_view_free(v);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
    v = cmek_view(&x);
    assert_string_equal(region_of(v, "west")->keys[0].spec.uri, "k2");
    assert_int_equal(region_of(v, "west")->keys[0].status, CMEK_ENABLED);
    assert_int_equal(region_of(v, "west")->keys[1].status, CMEK_DISABLED);
    assert_true(region_of(v, "west")->keys[1].retired > 0);
    cmek_view_free(v);
}

static void put__new_key_refused__old_key_stays_in_force(void **state)
{
    (void)state;
    enable_all("k1");
    cmek_mood(&x, "k2", FAKE_DENY);
    check_ok(cmek_try_one(&x, CMEK_PUT, "west", "k2"));
    struct operation o = x.last;
    cmek_run(&x);
    cmek_check_region(&x, "west", CMEK_ROTATE_FAILED);
    cmek_check_operation(&x, &o, OPERATION_FAILED);
    check_message("west", "k2");
    cmek_mood(&x, "k2", FAKE_ALLOW);
    check_ok(cmek_try_one(&x, CMEK_PUT, "west", "k2"));
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
}

static void put__the_same_key__takes_its_newest_version(void **state)
{
    (void)state;
    enable_all("k1");
    cmek_ask(&x, CMEK_PUT, "k1");
    struct operation o = x.last;
    assert_int_equal(o.kind, OPERATION_CMEK_ROTATE);
    cmek_check_status(&x, CMEK_ROTATING);
    cmek_ask(&x, CMEK_PUT, "k1");
    assert_string_equal(x.last.id, o.id);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
    cmek_check_operation(&x, &o, OPERATION_SUCCEEDED);
}

static void cancel__a_rotation__goes_back(void **state)
{
    struct operation o;

    (void)state;
    enable_all("k1");
    cmek_mood(&x, "k2", FAKE_SILENT);
    cmek_ask(&x, CMEK_PUT, "k2");
    cmek_run(&x);
    check_ok(control_operation_cancel(x.fleet.c, &x.fleet.admin, x.last.id, &o));
    assert_int_equal(o.state, OPERATION_CANCELLED);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
    check_rc(control_operation_cancel(x.fleet.c, &x.fleet.admin, o.id, &o), STATE);
    check_rc(control_operation_cancel(x.fleet.c, &x.fleet.foreign, o.id, &o), NOT_FOUND);
    check_rc(control_operation_cancel(x.fleet.c, &x.fleet.viewer, o.id, &o), PERMISSION);
}

/* -- revoke, restore ------------------------------------------------------------------------------------------------- */

static void revoke__all_nodes_there__ends_with_a_receipt_for_each_volume(void **state)
{
    struct slice slice = {.count_max = 50};
    struct receipt *receipts;
    size_t count;

    (void)state;
    enable_all("k1");
    cmek_ask(&x, CMEK_REVOKE, NULL);
    struct operation o = x.last;
    cmek_check_status(&x, CMEK_REVOKING);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_REVOKED);
    cmek_check_operation(&x, &o, OPERATION_SUCCEEDED);
    check_ok(control_receipt_list(x.fleet.c, &x.fleet.viewer, x.cluster, o.id, &slice, &receipts,
                                  &count));
    assert_int_equal(count, 5);
    assert_int_equal(count_events("volume.locked"), 5);
    assert_non_null(strstr(receipts[0].text, receipts[0].volume));
    mem_free(receipts);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    assert_string_equal(x.last.id, o.id);
    check_rc(control_operation_cancel(x.fleet.c, &x.fleet.admin, o.id, &x.last), STATE);
}

static void revoke__a_node_is_away__stays_revoking_and_names_it(void **state)
{
    (void)state;
    enable_all("k1");
    x.nodes[2]->is_away = true;
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    cmek_check_region(&x, "east", CMEK_REVOKED);
    cmek_check_region(&x, "west", CMEK_REVOKING);
    cmek_later(&x, 3600);
    for (size_t i = 0; i < CMEK_NODES; i++)
        check_ok(fake_node_report(x.nodes[i], true));
    check_ok(control_tick(x.fleet.c));
    cmek_check_region(&x, "west", CMEK_REVOKING);
    check_message("west", "node w2");
    x.nodes[2]->is_away = false;
    cmek_run(&x);
    cmek_check_status(&x, CMEK_REVOKED);
}

static void west_is_away(bool is_away)
{
    x.nodes[1]->is_away = x.nodes[2]->is_away = is_away;
}

static size_t count_steps(const struct operation *o)
{
    struct operation_view *v;

    check_ok(control_operation_get(x.fleet.c, &x.fleet.viewer, o->id, &v));
    size_t count = v->step_count;
    operation_view_free(v);
    return count;
}

/* Whoever asks for west hears of an operation that is not over before west is, whatever else was asked for meanwhile. */
static void check_west_is_waited_for(enum cmek_verb verb)
{
    struct operation west, east, all;

    west_is_away(true);
    check_ok(cmek_try_one(&x, verb, "west", NULL));
    west = x.last;
    check_ok(cmek_try_one(&x, verb, "east", NULL));
    east = x.last;
    cmek_run(&x);
    cmek_check_operation(&x, &east, OPERATION_SUCCEEDED);
    check_ok(cmek_try_one(&x, verb, "west", NULL));
    assert_string_equal(x.last.id, west.id);
    cmek_ask(&x, verb, NULL);
    all = x.last;
    assert_int_equal(all.kind, west.kind);
    assert_int_equal(count_steps(&all), CMEK_REGIONS);
    cmek_run(&x);
    cmek_check_operation(&x, &all, OPERATION_RUNNING);
    cmek_ask(&x, verb, NULL);
    assert_string_equal(x.last.id, all.id);
    west_is_away(false);
    cmek_run(&x);
    cmek_check_operation(&x, &west, OPERATION_SUCCEEDED);
    cmek_check_operation(&x, &all, OPERATION_SUCCEEDED);
}

static void verbs__of_more_regions_than_one_at_work__are_not_over_before_it(void **state)
{
    (void)state;
    enable_all("k1");
    check_west_is_waited_for(CMEK_REVOKE);
    check_west_is_waited_for(CMEK_RESTORE);
    check_west_is_waited_for(CMEK_DISABLE);
}

static void revoke__of_regions_at_work_in_two_operations__waits_for_both(void **state)
{
    struct cmek_ask ask = {.verb = CMEK_REVOKE};

    (void)state;
    enable_all("k1");
    for (size_t i = 0; i < CMEK_NODES; i++)
        x.nodes[i]->is_away = true;
    for (size_t i = 0; i < CMEK_REGIONS; i++)
        check_ok(cmek_try_one(&x, CMEK_REVOKE, cmek_region_names[i], NULL));
    check_ok(control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &x.last));
    struct operation o = x.last;
    assert_int_equal(o.kind, OPERATION_CMEK_REVOKE);
    assert_int_equal(count_steps(&o), CMEK_REGIONS);
    assert_int_equal(count_events("cmek.revoke"), CMEK_REGIONS + 1);
    x.nodes[0]->is_away = false;
    cmek_run(&x);
    cmek_check_operation(&x, &o, OPERATION_RUNNING);
    for (size_t i = 0; i < CMEK_NODES; i++)
        x.nodes[i]->is_away = false;
    cmek_run(&x);
    cmek_check_operation(&x, &o, OPERATION_SUCCEEDED);
}

static void put__of_a_region_at_work_and_another__is_cancelled_with_what_it_joined(void **state)
{
    struct operation west, all;

    (void)state;
    enable_all("k1");
    west_is_away(true);
    check_ok(cmek_try_one(&x, CMEK_PUT, "west", "k2"));
    west = x.last;
    cmek_ask(&x, CMEK_PUT, "k2");
    all = x.last;
    assert_string_not_equal(all.id, west.id);
    cmek_run(&x);
    cmek_check_operation(&x, &all, OPERATION_RUNNING);
    check_ok(control_operation_cancel(x.fleet.c, &x.fleet.admin, west.id, &west));
    assert_int_equal(west.state, OPERATION_CANCELLED);
    cmek_check_operation(&x, &all, OPERATION_CANCELLED);
    west_is_away(false);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
}

static void restore__where_nothing_was_revoked__is_over_and_found_again(void **state)
{
    (void)state;
    enable_all("k1");
    cmek_ask(&x, CMEK_RESTORE, NULL);
    struct operation o = x.last;
    assert_int_equal(o.kind, OPERATION_CMEK_RESTORE);
    assert_int_equal(o.state, OPERATION_SUCCEEDED);
    assert_true(o.finished > 0);
    assert_int_equal(count_steps(&o), CMEK_REGIONS);
    assert_int_equal(count_events("cmek.restore"), 1);
    cmek_ask(&x, CMEK_RESTORE, NULL);
    assert_string_equal(x.last.id, o.id);
}

static void restore__after_a_revocation__opens_everything(void **state)
{
    (void)state;
    enable_all("k1");
    check_rc(cmek_try(&x, CMEK_PUT, "k1"), OK);
    cmek_run(&x);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    check_rc(cmek_try(&x, CMEK_PUT, "k2"), STATE);
    check_rc(cmek_try(&x, CMEK_DISABLE, NULL), STATE);
    cmek_ask(&x, CMEK_RESTORE, NULL);
    struct operation o = x.last;
    cmek_check_status(&x, CMEK_ENABLING);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
    cmek_check_operation(&x, &o, OPERATION_SUCCEEDED);
}

static void revoke__again_after_a_restore__needs_receipts_of_its_own(void **state)
{
    struct slice slice = {.count_max = 50};
    struct receipt *receipts;
    size_t count;

    (void)state;
    enable_all("k1");
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    cmek_ask(&x, CMEK_RESTORE, NULL);
    cmek_run(&x);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_REVOKED);
    check_ok(control_receipt_list(x.fleet.c, &x.fleet.viewer, x.cluster, x.last.id, &slice,
                                  &receipts, &count));
    assert_int_equal(count, 5);
    mem_free(receipts);
}

static void revoke__nothing_enabled__is_refused(void **state)
{
    (void)state;
    ks_rc rc = cmek_try(&x, CMEK_REVOKE, NULL);
    check_rc(rc, STATE);
    check_text(rc, "DISABLED");
    check_rc(cmek_try(&x, CMEK_RESTORE, NULL), STATE);
}

/* -- the key service by itself --------------------------------------------------------------------------------------- */

static void denial__at_the_service__shows_and_goes_by_itself(void **state)
{
    struct cmek_view *v;

    (void)state;
    enable_all("k1");
    check_ok(cmek_try_one(&x, CMEK_PUT, "west", "k2"));
    cmek_run(&x);
    cmek_mood(&x, "k2", FAKE_DENY);
    cmek_run(&x);
    cmek_check_region(&x, "west", CMEK_REVOKED);
    cmek_check_region(&x, "east", CMEK_ENABLED);
    v = cmek_view(&x);
    assert_int_equal(region_of(v, "west")->region.cause, CAUSE_DENIED);
    assert_int_equal(region_of(v, "west")->keys[0].status, CMEK_REVOKED);
    assert_non_null(strstr(region_of(v, "west")->keys[0].message, "enable it at the key service"));
    cmek_view_free(v);
    ks_rc rc = cmek_try_one(&x, CMEK_RESTORE, "west", NULL);
    check_rc(rc, STATE);
    check_text(rc, "by its key service");
    cmek_mood(&x, "k2", FAKE_ALLOW);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_ENABLED);
    assert_int_equal(count_events("volume.locked"), 3);
    assert_int_equal(count_events("volume.opened"), 5 + 3);
}

static void outage__at_the_service__stays_enabled(void **state)
{
    struct cmek_view *v;

    (void)state;
    enable_all("k1");
    cmek_mood(&x, "k1", FAKE_SILENT);
    cmek_run(&x);
    v = cmek_view(&x);
    assert_int_equal(v->status, CMEK_ENABLED);
    assert_int_equal(v->regions[0].region.cause, CAUSE_UNREACHABLE);
    assert_non_null(strstr(v->regions[0].region.message, "cannot be reached"));
    cmek_view_free(v);
    cmek_mood(&x, "k1", FAKE_ALLOW);
    cmek_run(&x);
    v = cmek_view(&x);
    assert_string_equal(v->regions[0].region.message, "");
    cmek_view_free(v);
}

/* -- disable, levels, check ------------------------------------------------------------------------------------------ */

static void disable__asked__gives_the_volumes_back_to_the_platform(void **state)
{
    (void)state;
    enable_all("k1");
    cmek_ask(&x, CMEK_DISABLE, NULL);
    struct operation o = x.last;
    cmek_check_status(&x, CMEK_DISABLING);
    cmek_run(&x);
    cmek_check_status(&x, CMEK_DISABLED);
    cmek_check_operation(&x, &o, OPERATION_SUCCEEDED);
    cmek_ask(&x, CMEK_DISABLE, NULL);
    assert_string_equal(x.last.id, o.id);
    enable_all("k2");
}

static void rotate__each_level__is_done_by_every_volume(void **state)
{
    static const enum rotate_level levels[] = {LEVEL_CMEK, LEVEL_STORE, LEVEL_DATA,
                                               LEVEL_REENCRYPT};
    struct cmek_ask ask = {.verb = CMEK_ROTATE};

    (void)state;
    enable_all("k1");
    for (size_t i = 0; i < 4; i++) {
        ask.level = levels[i];
        check_ok(control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &x.last));
        struct operation o = x.last;
        check_ok(control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &x.last));
        assert_string_equal(x.last.id, o.id);
        cmek_run(&x);
        cmek_check_operation(&x, &o, OPERATION_SUCCEEDED);
    }
}

static void check__key_refused__says_which_grant_is_missing(void **state)
{
    struct operation_view *v;
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    struct cmek_ask ask = {.verb = CMEK_ENABLE, .region_count = 3};

    (void)state;
    cmek_mood(&x, "k1", FAKE_DENY);
    cmek_ask(&x, CMEK_CHECK, "k1");
    struct operation o = x.last;
    assert_int_equal(o.state, OPERATION_RUNNING);
    cmek_run(&x);
    check_ok(control_operation_get(x.fleet.c, &x.fleet.viewer, o.id, &v));
    assert_int_equal(v->operation.state, OPERATION_FAILED);
    assert_string_equal(v->operation.error_class, "DENIED");
    assert_non_null(strstr(v->operation.message, "grant kms:Decrypt"));
    assert_int_equal(v->step_count, 3);
    operation_view_free(v);
    check_ok(mem_new(3, sizeof *specs, &specs));
    for (size_t i = 0; i < 3; i++)
        cmek_key(&specs[i], cmek_region_names[i], "k1");
    ask.regions = specs;
    ask.check = o.id;
    check_rc(control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &x.last), DENIED);
    cmek_check_status(&x, CMEK_DISABLED);
}

static void check__key_allowed_or_no_answer__ends(void **state)
{
    (void)state;
    cmek_ask(&x, CMEK_CHECK, "k1");
    struct operation o = x.last;
    cmek_run(&x);
    cmek_check_operation(&x, &o, OPERATION_SUCCEEDED);
    for (size_t i = 0; i < CMEK_NODES; i++)
        x.nodes[i]->is_away = true;
    cmek_ask(&x, CMEK_CHECK, "k1");
    o = x.last;
    cmek_later(&x, 61);
    check_ok(control_tick(x.fleet.c));
    cmek_check_operation(&x, &o, OPERATION_FAILED);
    cmek_later(&x, 3600);
    cmek_ask(&x, CMEK_CHECK, "k1");
    assert_int_equal(x.last.state, OPERATION_FAILED); /* no node is there at all */
}

/* -- history --------------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Every row of that key in that region; because: part of the reason. */
static void check_safe(const char *region, const char *uri, bool is_safe, const char *because)
{
    const json_t *one;
    json_t *list;
    size_t i, found = 0;

    check_ok(control_cmek_history(x.fleet.c, &x.fleet.viewer, x.cluster, &list));
    json_array_foreach(list, i, one)
    {
        if (strcmp(text_of(one, "region"), region) != 0 ||
            strcmp(text_of(json_object_get(one, "key"), "uri"), uri) != 0)
            continue;
        found++;
        assert_int_equal(json_is_true(json_object_get(one, "is_safe_to_delete")), is_safe);
        if (!strstr(text_of(one, "because"), because))
            fail_msg("\"%s\" is not in: %s", because, text_of(one, "because"));
    }
    assert_true(found > 0);
    json_decref(list);
}

static void check_safe_in_all(const char *uri, bool is_safe, const char *because)
{
    for (size_t i = 0; i < CMEK_REGIONS; i++)
        check_safe(cmek_region_names[i], uri, is_safe, because);
}

static void history__old_key__is_safe_once_no_volume_has_it(void **state)
{
    (void)state;
    enable_all("k1");
    check_safe_in_all("k1", false, "the key is in force");
    cmek_ask(&x, CMEK_PUT, "k2");
    check_safe_in_all("k1", false, "the key is in force");
    cmek_run(&x);
    check_safe_in_all("k1", true, "no volume of this cluster has it any more");
    check_safe_in_all("k2", false, "the key is in force");
    cmek_later(&x, 3600); /* nobody has been heard since */
    check_safe_in_all("k1", false, "is not known");
}

static void history__the_same_key_elsewhere__is_not_safe_in_any_region(void **state)
{
    bool is_moving;

    (void)state;
    enable_all("k1");
    check_ok(cmek_try_one(&x, CMEK_PUT, "west", "k2"));
    cmek_run(&x);
    check_safe("west", "k1", false, "the same key is in force in region");
    check_ok(cmek_try_one(&x, CMEK_PUT, "east", "k2"));
    cmek_run(&x);
    check_safe("west", "k1", false, "the same key is in force in region north");
    check_ok(cmek_try_one(&x, CMEK_PUT, "north", "k2"));
    check_ok(fake_node_step(x.nodes[3], &is_moving)); /* has both, and is to let k1 go */
    check_safe("north", "k1", false, "1 volumes can still be opened by it");
    check_safe("west", "k1", false, "1 volumes of region north can still be opened by it");
    cmek_run(&x);
    check_safe_in_all("k1", true, "no volume");
}

static void history__a_key_that_came_back__is_not_safe_in_its_older_row(void **state)
{
    (void)state;
    enable_all("k1");
    cmek_ask(&x, CMEK_PUT, "k2");
    cmek_run(&x);
    cmek_ask(&x, CMEK_PUT, "k1");
    cmek_run(&x);
    check_safe_in_all("k1", false, "key is in force");
    check_safe_in_all("k2", true, "no volume");
}

static void put_with_principal(const char *uri, const char *principal)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    struct cmek_ask ask = {.verb = CMEK_PUT, .region_count = CMEK_REGIONS};

    check_ok(mem_new(CMEK_REGIONS, sizeof *specs, &specs));
    for (size_t i = 0; i < CMEK_REGIONS; i++) {
        cmek_key(&specs[i], cmek_region_names[i], uri);
        snprintf(specs[i].keys[0].auth_principal, sizeof specs[i].keys[0].auth_principal, "%s",
                 principal);
    }
    ask.regions = specs;
    check_ok(control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &x.last));
    cmek_run(&x);
}

static void history__a_key_under_another_principal__is_not_safe_in_its_older_row(void **state)
{
    (void)state;
    enable_all("k1");
    put_with_principal("k1", "somebody");
    check_safe_in_all("k1", false, "key is in force");
    cmek_later(&x, 3600); /* and what is told is the greater need */
    check_safe_in_all("k1", false, "key is in force");
    cmek_run(&x);
    cmek_ask(&x, CMEK_PUT, "k2");
    cmek_run(&x);
    check_safe_in_all("k1", true, "no volume");
}

/* -- who may ------------------------------------------------------------------------------------------------------------- */

static void callers__of_others__see_nothing(void **state)
{
    struct cmek_ask ask = {.verb = CMEK_REVOKE};
    struct cmek_view *v;
    json_t *list;
    struct operation o;

    (void)state;
    enable_all("k1");
    check_rc(control_cmek_get(x.fleet.c, &x.fleet.foreign, x.cluster, &v), NOT_FOUND);
    check_rc(control_cmek_get(x.fleet.c, &x.fleet.platform, x.cluster, &v), NOT_FOUND);
    check_rc(control_cmek_history(x.fleet.c, &x.fleet.foreign, x.cluster, &list), NOT_FOUND);
    check_rc(control_cmek_ask(x.fleet.c, &x.fleet.foreign, x.cluster, &ask, &o), NOT_FOUND);
    check_rc(control_cmek_ask(x.fleet.c, &x.fleet.viewer, x.cluster, &ask, &o), PERMISSION);
    ask.revision = 1;
    check_rc(control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &o), STATE);
    cmek_check_status(&x, CMEK_ENABLED);
}

/* -- regions -------------------------------------------------------------------------------------------------------------- */

static void a_region_with_its_key__added__is_enabled_and_the_others_are_not_touched(void **state)
{
    struct region_wish regions[CMEK_REGIONS + 1] = {
        fleet_region("east", 1), fleet_region("north", 1), fleet_region("west", 3),
        fleet_region("south", 1)};
    struct cluster_change change = {.region_count = 4, .regions = regions};
    struct cluster_view *v;
    struct fake_node *south;

    (void)state;
    enable_all("k1");
    check_ok(fake_node_join(x.fleet.c, &x.fleet.platform, "south", "s1", &south));
    regions[3].key_count = 1;
    snprintf(regions[3].keys[0].type, sizeof regions[3].keys[0].type, "NULL_KMS");
    snprintf(regions[3].keys[0].uri, sizeof regions[3].keys[0].uri, "k3");
    check_ok(control_cluster_change(x.fleet.c, &x.fleet.admin, x.cluster, &change, &v));
    cluster_view_free(v);
    cmek_check_region(&x, "south", CMEK_ENABLING);
    cmek_check_region(&x, "east", CMEK_ENABLED);
    check_ok(fake_nodes_run(&south, 1));
    cmek_check_region(&x, "south", CMEK_ENABLED);
    fake_node_free(south);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_cluster_without_keys__looked_at__is_disabled),
        TEST(enable__asked__moves_before_the_call_returns),
        TEST(enable__done__existing_data_is_encrypted_anew),
        TEST(enable__asked_twice__is_the_same_operation),
        TEST(enable__key_refused__fails_and_says_what_to_do),
        TEST(enable__service_silent__fails_after_ten_minutes),
        TEST(enable__bad_specs__are_refused_with_every_fault),
        TEST(put__another_key_in_one_region__leaves_the_others),
        TEST(put__new_key_refused__old_key_stays_in_force),
        TEST(put__the_same_key__takes_its_newest_version),
        TEST(cancel__a_rotation__goes_back),
        TEST(revoke__all_nodes_there__ends_with_a_receipt_for_each_volume),
        TEST(revoke__a_node_is_away__stays_revoking_and_names_it),
        TEST(verbs__of_more_regions_than_one_at_work__are_not_over_before_it),
        TEST(revoke__of_regions_at_work_in_two_operations__waits_for_both),
        TEST(put__of_a_region_at_work_and_another__is_cancelled_with_what_it_joined),
        TEST(restore__where_nothing_was_revoked__is_over_and_found_again),
        TEST(restore__after_a_revocation__opens_everything),
        TEST(revoke__again_after_a_restore__needs_receipts_of_its_own),
        TEST(revoke__nothing_enabled__is_refused),
        TEST(denial__at_the_service__shows_and_goes_by_itself),
        TEST(outage__at_the_service__stays_enabled),
        TEST(disable__asked__gives_the_volumes_back_to_the_platform),
        TEST(rotate__each_level__is_done_by_every_volume),
        TEST(check__key_refused__says_which_grant_is_missing),
        TEST(check__key_allowed_or_no_answer__ends),
        TEST(history__old_key__is_safe_once_no_volume_has_it),
        TEST(history__the_same_key_elsewhere__is_not_safe_in_any_region),
        TEST(history__a_key_that_came_back__is_not_safe_in_its_older_row),
        TEST(history__a_key_under_another_principal__is_not_safe_in_its_older_row),
        TEST(callers__of_others__see_nothing),
        TEST(a_region_with_its_key__added__is_enabled_and_the_others_are_not_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
