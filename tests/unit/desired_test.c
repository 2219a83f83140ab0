/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a node is told what docs/NODES.md says, all of its own and nothing of others', once, and again when it changes.
 */
#include "fleet_fixture.h"

struct world {
    struct fleet f;
    char node[2][ID_BYTES];
    char cluster[ID_BYTES];
};

static void create(struct world *w)
{
    struct region_wish region = fleet_region("west", 2);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct cluster_view *v;

    region.key_count = 1;
    snprintf(region.keys[0].type, sizeof region.keys[0].type, "NULL_KMS");
    snprintf(region.keys[0].uri, sizeof region.keys[0].uri, "null:one");
    snprintf(region.keys[0].auth_principal, sizeof region.keys[0].auth_principal, "me");
    wish.rotation.is_rewrap_automatic = true;
    check_ok(control_cluster_create(w->f.c, &w->f.admin, &wish, &v));
    memcpy(w->cluster, v->cluster.id, ID_BYTES);
    cluster_view_free(v);
}

static int set_up(void **state)
{
    struct world *w;

    check_ok(mem_new(1, sizeof *w, &w));
    fleet_open(&w->f);
    fleet_join(&w->f, "west", "w1", w->node[0]);
    fleet_join(&w->f, "west", "w2", w->node[1]);
    create(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    fleet_close(&w->f);
    mem_freep(state);
    return 0;
}

static json_t *ask(struct world *w, int node, int64_t since)
{
    json_t *desired = NULL;

    check_ok(control_node_desired(w->f.c, w->node[node], since, &desired));
    return desired;
}

static json_t *volume_of(const json_t *desired)
{
    const json_t *list = json_object_get(desired, "volumes");

    assert_int_equal(json_array_size(list), 1);
    return json_array_get(list, 0);
}

static const char *text(const json_t *o, const char *name)
{
    const char *t = json_string_value(json_object_get(o, name));

    assert_non_null(t);
    return t;
}

static int64_t revision_of(const json_t *desired)
{
    return json_integer_value(json_object_get(desired, "revision"));
}

static void a_volume__desired__has_every_member_of_the_document(void **state)
{
    struct world *w = *state;
    json_t *desired = ask(w, 0, 0), *v = volume_of(desired);
    json_t *key = json_array_get(json_object_get(v, "keys"), 0);

    assert_string_equal(text(v, "state"), "PRESENT");
    assert_string_equal(text(v, "organisation"), FLEET_ORGANISATION);
    assert_string_equal(text(v, "cluster"), w->cluster);
    assert_string_equal(text(v, "cluster_name"), "orders");
    assert_string_equal(text(v, "region"), "west");
    assert_string_equal(text(v, "engine"), "none");
    assert_true(id_is_valid(text(v, "volume")));
    assert_int_equal(json_integer_value(json_object_get(v, "goal")), revision_of(desired));
    assert_true(json_is_integer(json_object_get(v, "ordinal")));
    assert_true(json_is_true(json_object_get(v, "platform")));
    assert_true(json_is_false(json_object_get(v, "revoked")));
    assert_true(json_is_true(json_object_get(v, "rewrap_automatically")));
    assert_int_equal(json_object_size(json_object_get(v, "serials")), 5);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(v, "lease"), "lease_ms")),
                     60000);
    assert_string_equal(text(key, "type"), "NULL_KMS");
    assert_string_equal(text(key, "uri"), "null:one");
    assert_string_equal(text(key, "auth_principal"), "me");
    assert_true(id_is_valid(text(key, "id")));
    const json_t *keyring = json_object_get(v, "keyring");
    assert_string_equal(text(keyring, "volume"), "");
    assert_int_equal(json_integer_value(json_object_get(keyring, "sequence")), 0);
    assert_int_equal(json_integer_value(json_object_get(keyring, "accepted")), 0);
    assert_int_equal(json_object_size(v), 16);
    json_decref(desired);
}

static void nodes__ask__each_gets_its_own_volume_once(void **state)
{
    struct world *w = *state;
    json_t *one = ask(w, 0, 0), *two = ask(w, 1, 0);

    assert_string_not_equal(text(volume_of(one), "volume"), text(volume_of(two), "volume"));
    assert_null(ask(w, 0, revision_of(one)));
    assert_null(ask(w, 1, revision_of(two)));
    json_decref(one);
    json_decref(two);
}

static void a_wish__changed__is_told_to_the_nodes_of_the_region(void **state)
{
    struct world *w = *state;
    json_t *before = ask(w, 0, 0), *after;
    struct cluster_view *v;
    const struct lease_terms lease = {.lease_ms = 30000, .probe_ms = 5000};

    w->f.told = 0;
    check_ok(control_cluster_change(w->f.c, &w->f.admin, w->cluster,
                                    &(struct cluster_change){.lease = &lease}, &v));
    cluster_view_free(v);
    assert_true(w->f.told >= 2);
    after = ask(w, 0, revision_of(before));
    assert_true(revision_of(after) > revision_of(before));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(volume_of(after), "lease"), "lease_ms")),
        30000);
    json_decref(before);
    json_decref(after);
}

static void a_cluster__deleted__its_volumes_are_to_be_absent(void **state)
{
    struct world *w = *state;
    json_t *before = ask(w, 1, 0), *after;
    struct cluster_view *v;

    check_ok(control_cluster_delete(w->f.c, &w->f.admin, w->cluster, &v));
    cluster_view_free(v);
    after = ask(w, 1, revision_of(before));
    assert_string_equal(text(volume_of(after), "state"), "ABSENT");
    json_decref(before);
    json_decref(after);
}

static void a_since_that_was_never_given__asked__tells_everything(void **state)
{
    struct world *w = *state;
    json_t *all = ask(w, 0, 0), *again = ask(w, 0, INT64_MAX / 2), *minus = ask(w, 0, -5);

    assert_true(json_equal(all, again));
    assert_true(json_equal(all, minus));
    json_decref(all);
    json_decref(again);
    json_decref(minus);
}

static void a_later_life__gives_goals__above_all_before(void **state)
{
    struct world *w = *state;
    json_t *before = ask(w, 0, 0), *after;
    struct cluster_view *v;

    w->f.clock.now_s += 10;
    fleet_reopen(&w->f);
    check_ok(control_cluster_delete(w->f.c, &w->f.admin, w->cluster, &v));
    cluster_view_free(v);
    after = ask(w, 0, 0);
    assert_true(revision_of(after) >= revision_of(before) + 10 * GOALS_A_SECOND - 100);
    json_decref(before);
    json_decref(after);
}

/* As of a node that has heard a wish which the copy that was restored does not know, and is not there yet. */
static void a_since_of_a_life_that_was_lost__asked__tells_everything(void **state)
{
    struct world *w = *state;
    json_t *before = ask(w, 0, 0), *after, *last;
    int64_t since = revision_of(before), given;
    struct cluster_view *v;

    w->f.clock.now_s += 10;
    fleet_reopen(&w->f);
    assert_null(ask(w, 0, since));
    assert_int_equal(w->f.c->goal_raised, w->f.clock.now_s * GOALS_A_SECOND);
    after = ask(w, 0, w->f.c->goal_before + 1);
    assert_true(json_equal(before, after));
    last = ask(w, 0, w->f.c->goal_raised);
    assert_true(json_equal(before, last));
    json_decref(last);
    json_decref(after);
    check_ok(control_cluster_delete(w->f.c, &w->f.admin, w->cluster, &v));
    cluster_view_free(v);
    after = ask(w, 0, since);
    given = revision_of(after);
    assert_true(given > w->f.c->goal_raised);
    assert_null(ask(w, 0, given));
    json_decref(before);
    json_decref(after);
}

static void a_goal_that_was_never_given__reached__is_given_anew(void **state)
{
    struct world *w = *state;
    json_t *before = ask(w, 0, 0), *after;
    CLEANUP(work_abandon) struct work work = {0};
    struct cluster_volume v;
    int64_t goal;

    check_ok(work_begin(w->f.c, &work));
    check_ok(store_volume_get(store_tx_view(work.tx), text(volume_of(before), "volume"), &v));
    goal = v.goal;
    v.reached = goal;
    check_ok(wish_renew_lost(&work, &v));
    assert_int_equal(v.goal, goal);
    v.reached = goal + 5;
    check_ok(wish_renew_lost(&work, &v));
    assert_true(v.goal > goal && v.reached == GOAL_NONE);
    check_ok(store_volume_put(work.tx, &v));
    store_tx_observe(work.tx);
    check_ok(work_end(&work));
    after = ask(w, 0, revision_of(before));
    assert_true(revision_of(after) > revision_of(before));
    json_decref(before);
    json_decref(after);
}

static void more_than_fits__asked__comes_in_parts(void **state)
{
    struct world *w = *state;
    struct region_wish region = fleet_region("west", 64);
    struct cluster_view *v;
    size_t seen = 0, parts = 0;
    int64_t since = 0;
    json_t *desired;

    for (int i = 0; i < 17; i++) {
        char name[16];
        snprintf(name, sizeof name, "many-%d", i);
        struct cluster_wish wish = fleet_wish(name, &region, 1);
        check_ok(control_cluster_create(w->f.c, &w->f.admin, &wish, &v));
        cluster_view_free(v);
    }
    while ((desired = ask(w, 0, since))) {
        seen += json_array_size(json_object_get(desired, "volumes"));
        since = revision_of(desired);
        parts++;
        json_decref(desired);
    }
    assert_int_equal(seen, 1 + 17 * 32);
    assert_int_equal(parts, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_volume__desired__has_every_member_of_the_document),
        TEST(nodes__ask__each_gets_its_own_volume_once),
        TEST(a_wish__changed__is_told_to_the_nodes_of_the_region),
        TEST(a_cluster__deleted__its_volumes_are_to_be_absent),
        TEST(a_since_that_was_never_given__asked__tells_everything),
        TEST(a_later_life__gives_goals__above_all_before),
        TEST(a_since_of_a_life_that_was_lost__asked__tells_everything),
        TEST(a_goal_that_was_never_given__reached__is_given_anew),
        TEST(more_than_fits__asked__comes_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
