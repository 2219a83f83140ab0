/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a change of a cluster is taken whole or not at all; regions come, grow, shrink and go with their volumes and keys, and one
 * change does not run into another.
 */
#include "fleet_fixture.h"

struct world {
    struct fleet f;
    char id[ID_BYTES];
};

static int set_up(void **state)
{
    struct world *w;
    char node[ID_BYTES];
    struct region_wish region = fleet_region("east", 2);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct cluster_view *v;

    check_ok(mem_new(1, sizeof *w, &w));
    fleet_open(&w->f);
    fleet_join(&w->f, "east", "e1", node);
    fleet_join(&w->f, "west", "w1", node);
    check_ok(control_cluster_create(w->f.c, &w->f.admin, &wish, &v));
    memcpy(w->id, v->cluster.id, ID_BYTES);
    cluster_view_free(v);
    fleet_volumes_become(&w->f, w->id, ACCESS_OPEN, ENGINE_NONE);
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

static struct cluster_view *get(struct world *w)
{
    struct cluster_view *v;

    check_ok(control_cluster_get(w->f.c, &w->f.admin, w->id, &v));
    return v;
}

/* The cluster's regions as "east:READY:2 west:ADDING:1". */
static void check_regions(struct world *w, const char *want)
{
    struct cluster_view *v = get(w);
    char text[256] = "";

    for (size_t i = 0; i < v->region_count; i++) {
        const struct region *r = &v->regions[i];
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s:%s:%u", i ? " " : "", r->name,
                 region_state_name(r->state), r->node_count);
    }
    assert_string_equal(text, want);
    cluster_view_free(v);
}

static size_t count_volumes(struct world *w, bool is_wanted)
{
    struct cluster_volume *volumes;
    size_t count, n = 0;

    check_ok(control_volumes(w->f.c, &w->f.admin, w->id, &volumes, &count));
    for (size_t i = 0; i < count; i++)
        n += volumes[i].is_wanted == is_wanted;
    mem_free(volumes);
    return n;
}

static ks_rc change_regions(struct world *w, const struct region_wish *regions, size_t count)
{
    struct cluster_view *v;

    TRY(control_cluster_change(w->f.c, &w->f.admin, w->id,
                               &(struct cluster_change){.region_count = count, .regions = regions},
                               &v));
    cluster_view_free(v);
    return KS_SUCCESS;
}

static size_t count_operations(struct world *w, enum operation_kind kind,
                               enum operation_state state)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    struct store_page page = {.count_max = 100};
    struct operation *operations;
    size_t count, n = 0;

    check_ok(store_view_begin(w->f.c->store, &v));
    check_ok(store_operations(v, &(struct store_operations_ask){.cluster = w->id}, &page,
                              &operations, &count));
    for (size_t i = 0; i < count; i++)
        n += operations[i].kind == kind && operations[i].state == state;
    mem_free(operations);
    return n;
}

static void a_region__added_and_removed__comes_and_goes_with_its_volumes(void **state)
{
    struct world *w = *state;
    struct region_wish both[] = {fleet_region("east", 2), fleet_region("west", 1)};

    check_ok(change_regions(w, both, 2));
    check_regions(w, "east:READY:2 west:ADDING:1");
    assert_int_equal(count_operations(w, OPERATION_REGION_ADD, OPERATION_RUNNING), 1);
    fleet_volumes_become(&w->f, w->id, ACCESS_OPEN, ENGINE_NONE);
    check_regions(w, "east:READY:2 west:READY:1");
    assert_int_equal(count_operations(w, OPERATION_REGION_ADD, OPERATION_SUCCEEDED), 1);
    check_ok(change_regions(w, both, 1));
    check_regions(w, "east:READY:2 west:REMOVING:1");
    assert_int_equal(count_volumes(w, false), 1);
    fleet_volumes_become(&w->f, w->id, ACCESS_OPEN, ENGINE_NONE);
    check_regions(w, "east:READY:2");
    assert_int_equal(count_operations(w, OPERATION_REGION_REMOVE, OPERATION_SUCCEEDED), 1);
    check_ok(change_regions(w, both, 2));
    check_regions(w, "east:READY:2 west:ADDING:1");
}

static void a_region__scaled__keeps_low_ordinals_and_takes_high_ones_away(void **state)
{
    struct world *w = *state;
    struct region_wish region = fleet_region("east", 5);
    struct cluster_volume *volumes;
    size_t count;

    check_ok(change_regions(w, &region, 1));
    assert_int_equal(count_volumes(w, true), 5);
    assert_int_equal(count_operations(w, OPERATION_REGION_SCALE, OPERATION_RUNNING), 1);
    fleet_volumes_become(&w->f, w->id, ACCESS_OPEN, ENGINE_NONE);
    assert_int_equal(count_operations(w, OPERATION_REGION_SCALE, OPERATION_SUCCEEDED), 1);
    region.node_count = 1;
    check_ok(change_regions(w, &region, 1));
    assert_int_equal(count_volumes(w, false), 4);
    fleet_volumes_become(&w->f, w->id, ACCESS_OPEN, ENGINE_NONE);
    check_ok(control_volumes(w->f.c, &w->f.admin, w->id, &volumes, &count));
    assert_int_equal(count, 1);
    assert_int_equal(volumes[0].ordinal, 0);
    mem_free(volumes);
}

static void a_region_with_keys__added__begins_under_them_beside_the_platforms(void **state)
{
    struct world *w = *state;
    struct region_wish both[] = {fleet_region("east", 2), fleet_region("west", 1)};
    struct cluster_view *v;
    CLEANUP(store_view_end) struct store_view *view = NULL;
    struct region_key *keys;
    size_t count;

    both[1].key_count = 1;
    snprintf(both[1].keys[0].type, sizeof both[1].keys[0].type, "NULL_KMS");
    snprintf(both[1].keys[0].uri, sizeof both[1].keys[0].uri, "null:one");
    check_ok(change_regions(w, both, 2));
    v = get(w);
    assert_int_equal(v->regions[1].status, CMEK_ENABLING);
    assert_true(v->regions[1].is_platform_wanted);
    assert_true(v->regions[0].is_platform_wanted);
    assert_int_equal(v->status, CMEK_ENABLING);
    cluster_view_free(v);
    check_ok(store_view_begin(w->f.c->store, &view));
    check_ok(store_region_keys(view, w->id, "west", &keys, &count));
    assert_int_equal(count, 1);
    assert_true(keys[0].is_wanted);
    assert_int_equal(keys[0].status, CMEK_ENABLING);
    mem_free(keys);
}

static void a_second_change_of_regions__while_one_runs__is_busy(void **state)
{
    struct world *w = *state;
    struct region_wish both[] = {fleet_region("east", 3), fleet_region("west", 1)};

    check_ok(change_regions(w, both, 1));
    check_rc(change_regions(w, both, 2), BUSY);
    check_text(change_regions(w, both, 2), "REGION_SCALE");
    check_regions(w, "east:READY:3");
    check_ok(change_regions(w, both, 1));
}

static void put_status(struct world *w, enum cmek_status status)
{
    CLEANUP(work_abandon) struct work work = {0};
    struct region r;

    check_ok(work_begin(w->f.c, &work));
    check_ok(store_region_get(store_tx_view(work.tx), w->id, "east", &r));
    r.status = status;
    check_ok(store_region_put(work.tx, &r));
    store_tx_observe(work.tx);
    check_ok(work_end(&work));
}

static void a_region_whose_cmek_moves__changed__is_busy(void **state)
{
    struct world *w = *state;
    struct region_wish both[] = {fleet_region("east", 3), fleet_region("west", 1)};

    put_status(w, CMEK_ROTATING);
    check_rc(change_regions(w, both, 1), BUSY);
    both[0].node_count = 2;
    check_rc(change_regions(w, both, 2), USAGE); /* the new one needs a key */
}

static void faults__of_every_kind__are_told_and_nothing_changes(void **state)
{
    struct world *w = *state;
    struct region_wish both[] = {fleet_region("east", 99), fleet_region("mars", 1)};
    struct cluster_view *v = get(w), *after;
    int64_t revision = v->cluster.revision;
    struct lease_terms lease = {.lease_ms = 7};
    struct cluster_change change = {
        .region_count = 2, .regions = both, .name = "A B", .lease = &lease, .extra = "no"};

    cluster_view_free(v);
    ks_rc rc = control_cluster_change(w->f.c, &w->f.admin, w->id, &change, &after);
    check_rc(rc, USAGE);
    check_text(rc, "begins with a letter");
    check_text(rc, "lease_ms of 7");
    check_text(rc, "99 nodes in region east");
    v = get(w);
    assert_int_equal(v->cluster.revision, revision);
    assert_int_equal(v->cluster.lease.lease_ms, 60000);
    cluster_view_free(v);
}

static void settings__changed_at_the_right_revision__are_there(void **state)
{
    struct world *w = *state;
    struct cluster_view *v = get(w), *after;
    struct rotation_terms rotation = {.data_s = 86400};
    bool yes = true;
    struct cluster_change change = {.name = "new-name",
                                    .rotation = &rotation,
                                    .is_delete_protected = &yes,
                                    .extra = "{\"a\":1}",
                                    .revision = v->cluster.revision};

    check_ok(control_cluster_change(w->f.c, &w->f.admin, w->id, &change, &after));
    assert_string_equal(after->cluster.name, "new-name");
    assert_int_equal(after->cluster.rotation.data_s, 86400);
    assert_true(after->cluster.is_delete_protected);
    assert_string_equal(after->cluster.extra, "{\"a\":1}");
    assert_true(after->cluster.revision > v->cluster.revision);
    cluster_view_free(after);
    check_rc(control_cluster_change(w->f.c, &w->f.admin, w->id, &change, &after), STATE);
    check_text(control_cluster_change(w->f.c, &w->f.admin, w->id, &change, &after),
               "look at it again");
    cluster_view_free(v);
}

static void a_name_that_is_taken__wished__is_refused(void **state)
{
    struct world *w = *state;
    struct region_wish region = fleet_region("west", 1);
    struct cluster_wish wish = fleet_wish("other", &region, 1);
    struct cluster_change change = {.name = "other"};
    struct cluster_view *v;

    check_ok(control_cluster_create(w->f.c, &w->f.admin, &wish, &v));
    cluster_view_free(v);
    check_rc(control_cluster_change(w->f.c, &w->f.admin, w->id, &change, &v), EXISTS);
    change.name = "orders";
    check_ok(control_cluster_change(w->f.c, &w->f.admin, w->id, &change, &v));
    cluster_view_free(v);
}

static void a_cluster_on_its_way__changed__is_refused(void **state)
{
    struct world *w = *state;
    struct region_wish region = fleet_region("west", 1);
    struct cluster_wish wish = fleet_wish("other", &region, 1);
    struct cluster_view *v, *after;

    check_ok(control_cluster_create(w->f.c, &w->f.admin, &wish, &v));
    check_rc(control_cluster_change(w->f.c, &w->f.admin, v->cluster.id,
                                    &(struct cluster_change){.region_count = 1, .regions = &region},
                                    &after),
             BUSY);
    cluster_view_free(v);
    check_ok(control_cluster_delete(w->f.c, &w->f.admin, w->id, &v));
    cluster_view_free(v);
    check_rc(change_regions(w, &region, 1), STATE);
    check_text(change_regions(w, &region, 1), "DELETING");
}

static void a_region__removed_while_it_is_added__ends_both_operations(void **state)
{
    struct world *w = *state;
    struct region_wish both[] = {fleet_region("east", 2), fleet_region("west", 1)};
    struct cluster_view *v;

    check_ok(change_regions(w, both, 2));
    check_ok(control_cluster_delete(w->f.c, &w->f.admin, w->id, &v));
    cluster_view_free(v);
    assert_int_equal(count_operations(w, OPERATION_REGION_ADD, OPERATION_CANCELLED), 1);
    fleet_volumes_become(&w->f, w->id, ACCESS_NONE, ENGINE_NONE);
    assert_int_equal(count_operations(w, OPERATION_CLUSTER_DELETE, OPERATION_SUCCEEDED), 1);
    v = get(w);
    assert_int_equal(v->cluster.state, CLUSTER_DELETED);
    cluster_view_free(v);
}

static void too_many_volumes_at_once__wished__are_busy(void **state)
{
    struct world *w = *state;
    struct region_wish region = fleet_region("east", 64);
    uint32_t counts[] = {64, 1, 64};

    for (size_t i = 0; i < 3; i++) {
        region.node_count = counts[i];
        if (i == 2)
            check_rc(change_regions(w, &region, 1), BUSY);
        else
            check_ok(change_regions(w, &region, 1));
        if (i == 0)
            fleet_volumes_become(&w->f, w->id, ACCESS_OPEN, ENGINE_NONE);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_region__added_and_removed__comes_and_goes_with_its_volumes),
        TEST(a_region__scaled__keeps_low_ordinals_and_takes_high_ones_away),
        TEST(a_region_with_keys__added__begins_under_them_beside_the_platforms),
        TEST(a_second_change_of_regions__while_one_runs__is_busy),
        TEST(a_region_whose_cmek_moves__changed__is_busy),
        TEST(faults__of_every_kind__are_told_and_nothing_changes),
        TEST(settings__changed_at_the_right_revision__are_there),
        TEST(a_name_that_is_taken__wished__is_refused),
        TEST(a_cluster_on_its_way__changed__is_refused),
        TEST(a_region__removed_while_it_is_added__ends_both_operations),
        TEST(too_many_volumes_at_once__wished__are_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
