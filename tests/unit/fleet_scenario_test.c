/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: clusters on nodes that are away, slow, silent, stale, broken or started anew end where they should, and what is told meanwhile
 * is so. The nodes are doubles that keep what nodes keep and speak the documents of docs/NODES.md.
 */
#include "fake_node.h"
#include "fleet_fixture.h"

enum { NODES = 3 };

struct world {
    struct fleet f;
    struct fake_node *nodes[NODES]; /* of east, west, west */
    char id[ID_BYTES];
    enum fake_answer answer; /* of the key service */
};

static enum fake_answer answer_all(void *arg, const char *uri)
{
    const struct world *w = arg;

    (void)uri;
    return w->answer;
}

static int set_up(void **state)
{
    static const char *const regions[] = {"east", "west", "west"}, *const names[] = {"e1", "w1",
                                                                                     "w2"};
    struct world *w;

    check_ok(mem_new(1, sizeof *w, &w));
    fleet_open(&w->f);
    for (int i = 0; i < NODES; i++) {
        check_ok(fake_node_join(w->f.c, &w->f.platform, regions[i], names[i], &w->nodes[i]));
        w->nodes[i]->answer = answer_all;
        w->nodes[i]->arg = w;
    }
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < NODES; i++)
        fake_node_free(w->nodes[i]);
    fleet_close(&w->f);
    mem_freep(state);
    return 0;
}

static void run(struct world *w)
{
    check_ok(fake_nodes_run(w->nodes, NODES));
    check_ok(control_tick(w->f.c));
    check_ok(fake_nodes_run(w->nodes, NODES));
}

static struct region_wish with_key(const char *name, uint32_t nodes, const char *uri)
{
    struct region_wish r = fleet_region(name, nodes);

    r.key_count = 1;
    snprintf(r.keys[0].type, sizeof r.keys[0].type, "NULL_KMS");
    snprintf(r.keys[0].uri, sizeof r.keys[0].uri, "%s", uri);
    return r;
}

static void create(struct world *w, const struct region_wish *regions, size_t count,
                   const char *engine)
{
    struct cluster_wish wish = fleet_wish("orders", regions, count);
    struct cluster_view *v;

    snprintf(wish.engine, sizeof wish.engine, "%s", engine);
    check_ok(control_cluster_create(w->f.c, &w->f.admin, &wish, &v));
    memcpy(w->id, v->cluster.id, ID_BYTES);
    cluster_view_free(v);
}

static void create_plain(struct world *w, const char *engine)
{
    struct region_wish regions[] = {fleet_region("east", 1), fleet_region("west", 4)};

    create(w, regions, 2, engine);
}

static struct cluster_view *get(struct world *w)
{
    struct cluster_view *v;

    check_ok(control_cluster_get(w->f.c, &w->f.admin, w->id, &v));
    return v;
}

static void check_state(struct world *w, enum cluster_state state, const char *message)
{
    struct cluster_view *v = get(w);

    if (v->cluster.state != state)
        fail_msg("%s: %s", cluster_state_name(v->cluster.state), v->cluster.message);
    if (!strstr(v->cluster.message, message))
        fail_msg("\"%s\" does not hold \"%s\"", v->cluster.message, message);
    cluster_view_free(v);
}

static void change_regions(struct world *w, const struct region_wish *regions, size_t count)
{
    struct cluster_change change = {.region_count = count, .regions = regions};
    struct cluster_view *v;

    check_ok(control_cluster_change(w->f.c, &w->f.admin, w->id, &change, &v));
    cluster_view_free(v);
}

static void delete (struct world *w)
{
    struct cluster_view *v;

    check_ok(control_cluster_delete(w->f.c, &w->f.admin, w->id, &v));
    cluster_view_free(v);
}

static size_t volumes_on(const struct world *w)
{
    size_t n = 0;

    for (int i = 0; i < NODES; i++)
        n += w->nodes[i]->count;
    return n;
}

static void all_nodes__well__create_and_delete_everything(void **state)
{
    struct world *w = *state;
    json_t *connections;

    create_plain(w, "redis");
    run(w);
    check_state(w, CLUSTER_CREATED, "");
    assert_int_equal(volumes_on(w), 5);
    check_ok(control_connections(w->f.c, &w->f.admin, w->id, &connections));
    assert_int_equal(json_array_size(connections), 5);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(connections, 0), "password")),
        "correct horse");
    json_decref(connections);
    delete (w);
    run(w);
    check_state(w, CLUSTER_DELETED, "");
    assert_int_equal(volumes_on(w), 0);
}

static void a_node__away_during_creation__is_named_and_finishes_when_back(void **state)
{
    struct world *w = *state;

    w->nodes[0]->is_away = true;
    create_plain(w, "none");
    run(w);
    w->f.clock.now_s += 100;
    check_ok(control_tick(w->f.c));
    check_state(w, CLUSTER_CREATING, "node e1 (not heard for 1 min)");
    w->nodes[0]->is_away = false;
    run(w);
    check_state(w, CLUSTER_CREATED, "");
}

static void nodes__slow__get_there(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < NODES; i++)
        w->nodes[i]->steps_max = 1;
    create_plain(w, "none");
    run(w);
    check_state(w, CLUSTER_CREATED, "");
}

static void a_node__that_is_not_heard__has_done_it_when_it_is(void **state)
{
    struct world *w = *state;

    w->nodes[1]->is_silent = true;
    create_plain(w, "none");
    run(w);
    assert_int_equal(w->nodes[1]->count, 2);
    check_state(w, CLUSTER_CREATING, "node w1");
    w->nodes[1]->is_silent = false;
    run(w);
    check_state(w, CLUSTER_CREATED, "");
}

static void a_node__stale_during_deletion__keeps_it_until_it_asks(void **state)
{
    struct world *w = *state;

    create_plain(w, "none");
    run(w);
    w->nodes[2]->is_stale = true;
    delete (w);
    run(w);
    check_ok(fake_node_report(w->nodes[2], true));
    check_state(w, CLUSTER_DELETING, "node w2");
    w->nodes[2]->is_stale = false;
    run(w);
    check_state(w, CLUSTER_DELETED, "");
}

static void an_engine__that_fails__is_told_and_recovers(void **state)
{
    struct world *w = *state;

    w->nodes[0]->is_engine_failing = true;
    create_plain(w, "redis");
    run(w);
    check_state(w, CLUSTER_CREATING, "it ends by itself");
    w->nodes[0]->is_engine_failing = false;
    check_ok(fake_node_report(w->nodes[0], true));
    check_state(w, CLUSTER_CREATED, "");
}

static void a_disk__that_fails_for_long__fails_the_creation(void **state)
{
    struct world *w = *state;

    w->nodes[0]->is_disk_failing = true;
    create_plain(w, "none");
    run(w);
    check_state(w, CLUSTER_CREATING, "the disk fails");
    w->f.clock.now_s += 700;
    run(w);
    check_state(w, CLUSTER_CREATION_FAILED, "the disk fails");
    w->nodes[0]->is_disk_failing = false;
    run(w);
    check_state(w, CLUSTER_CREATED, "");
}

static void the_control_plane__started_anew_in_the_middle__goes_on(void **state)
{
    struct world *w = *state;

    create_plain(w, "none");
    bool is_moving;
    check_ok(fake_node_step(w->nodes[0], &is_moving));
    w->f.clock.now_s += 5;
    fleet_reopen(&w->f);
    for (int i = 0; i < NODES; i++)
        w->nodes[i]->c = w->f.c;
    run(w);
    check_state(w, CLUSTER_CREATED, "");
    delete (w);
    fleet_reopen(&w->f);
    for (int i = 0; i < NODES; i++)
        w->nodes[i]->c = w->f.c;
    run(w);
    check_state(w, CLUSTER_DELETED, "");
}

static void a_node__started_anew__takes_up_what_it_has(void **state)
{
    struct world *w = *state;
    struct region_wish regions[] = {fleet_region("east", 1), fleet_region("west", 2)};

    create_plain(w, "none");
    run(w);
    change_regions(w, regions, 2);
    fake_node_restart(w->nodes[1], w->f.c);
    check_ok(fake_node_report(w->nodes[1], true));
    run(w);
    assert_int_equal(volumes_on(w), 3);
    struct cluster_view *v = get(w);
    assert_string_equal(v->operation, "");
    cluster_view_free(v);
}

static void a_region_with_a_key__added__is_enabled_under_it(void **state)
{
    struct world *w = *state;
    struct region_wish regions[] = {with_key("east", 1, "null:east"),
                                    with_key("west", 2, "null:west")};
    struct cluster_view *v;

    create(w, regions, 1, "none");
    run(w);
    check_state(w, CLUSTER_CREATED, "");
    regions[0].key_count = 0;
    change_regions(w, regions, 2);
    v = get(w);
    assert_int_equal(v->regions[1].status, CMEK_ENABLING);
    cluster_view_free(v);
    run(w);
    v = get(w);
    for (size_t i = 0; i < 2; i++) {
        if (v->regions[i].status != CMEK_ENABLED || v->regions[i].state != REGION_READY)
            fail_msg("region %s: %s, %s: %s", v->regions[i].name,
                     cmek_status_name(v->regions[i].status), region_state_name(v->regions[i].state),
                     v->regions[i].message);
        assert_false(v->regions[i].is_platform_wanted);
    }
    assert_int_equal(v->status, CMEK_ENABLED);
    cluster_view_free(v);
    for (int i = 1; i < NODES; i++)
        assert_false(w->nodes[i]->volumes[0]->is_platform);
}

static void a_region_with_a_key_that_is_refused__added__says_so_and_can_be_removed(void **state)
{
    struct world *w = *state;
    struct region_wish regions[] = {fleet_region("east", 1), with_key("west", 2, "null:west")};
    struct cluster_view *v;

    create(w, regions, 1, "none");
    run(w);
    w->answer = FAKE_DENY;
    change_regions(w, regions, 2);
    run(w);
    v = get(w);
    assert_int_equal(v->regions[1].status, CMEK_ENABLE_FAILED);
    assert_non_null(strstr(v->regions[1].message, "enable it at the key service"));
    cluster_view_free(v);
    change_regions(w, regions, 1);
    run(w);
    v = get(w);
    assert_int_equal(v->region_count, 1);
    assert_string_equal(v->operation, "");
    cluster_view_free(v);
}

static void a_copy_of_the_store__restored__brings_nodes_back_to_its_wish(void **state)
{
    struct world *w = *state;
    struct region_wish regions[] = {fleet_region("east", 1), fleet_region("west", 1)};
    struct path copy = tmpdir_path(&w->f.tmp, "copy.db");
    static const char *const behind[] = {"control.db-wal", "control.db-shm"};

    create_plain(w, "none");
    run(w);
    check_ok(control_backup(w->f.c, copy.text));
    change_regions(w, regions, 2);
    run(w);
    assert_int_equal(volumes_on(w), 2);
    control_closep(&w->f.c);
    assert_int_equal(rename(copy.text, tmpdir_path(&w->f.tmp, "control.db").text), 0);
    for (size_t i = 0; i < 2; i++)
        remove(tmpdir_path(&w->f.tmp, behind[i]).text);
    w->f.clock.now_s += 60;
    fleet_reopen(&w->f);
    for (int i = 0; i < NODES; i++) {
        w->nodes[i]->c = w->f.c;
        check_ok(fake_node_report(w->nodes[i], true));
    }
    for (int i = 0; i < NODES; i++)
        fake_node_restart(w->nodes[i], w->f.c);
    run(w);
    assert_int_equal(volumes_on(w), 5);
    check_state(w, CLUSTER_CREATED, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_nodes__well__create_and_delete_everything),
        TEST(a_node__away_during_creation__is_named_and_finishes_when_back),
        TEST(nodes__slow__get_there),
        TEST(a_node__that_is_not_heard__has_done_it_when_it_is),
        TEST(a_node__stale_during_deletion__keeps_it_until_it_asks),
        TEST(an_engine__that_fails__is_told_and_recovers),
        TEST(a_disk__that_fails_for_long__fails_the_creation),
        TEST(the_control_plane__started_anew_in_the_middle__goes_on),
        TEST(a_node__started_anew__takes_up_what_it_has),
        TEST(a_region_with_a_key__added__is_enabled_under_it),
        TEST(a_region_with_a_key_that_is_refused__added__says_so_and_can_be_removed),
        TEST(a_copy_of_the_store__restored__brings_nodes_back_to_its_wish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
