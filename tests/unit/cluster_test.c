/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a cluster's life from wish to record: what may be wished, what becomes of it, and that nobody else sees any of it.
 */
#include "fleet_fixture.h"

static int set_up(void **state)
{
    struct fleet *f;
    char id[ID_BYTES];

    check_ok(mem_new(1, sizeof *f, &f));
    fleet_open(f);
    fleet_join(f, "east", "e1", id);
    fleet_join(f, "west", "w1", id);
    fleet_join(f, "west", "w2", id);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fleet_close(*state);
    mem_freep(state);
    return 0;
}

static struct cluster_view *create(struct fleet *f, const char *name, uint32_t east, uint32_t west)
{
    struct region_wish regions[2] = {fleet_region("east", east), fleet_region("west", west)};
    struct cluster_wish wish = fleet_wish(name, regions, west ? 2 : 1);
    struct cluster_view *v;

    check_ok(control_cluster_create(f->c, &f->admin, &wish, &v));
    return v;
}

static void check_state(struct fleet *f, const char *id, enum cluster_state state)
{
    struct cluster_view *v;

    check_ok(control_cluster_get(f->c, &f->admin, id, &v));
    assert_string_equal(cluster_state_name(v->cluster.state), cluster_state_name(state));
    cluster_view_free(v);
}

static void a_cluster__created__is_there_when_its_volumes_are(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 3);
    struct cluster_volume *volumes;
    size_t count;

    assert_int_equal(v->cluster.state, CLUSTER_CREATING);
    assert_int_equal(v->region_count, 2);
    assert_true(v->operation[0]);
    assert_non_null(strstr(v->cluster.message, "volume 0 on node"));
    check_ok(control_volumes(f->c, &f->viewer, v->cluster.id, &volumes, &count));
    assert_int_equal(count, 4);
    mem_free(volumes);
    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_NONE);
    check_state(f, v->cluster.id, CLUSTER_CREATED);
    cluster_view_free(v);
}

static void a_cluster__deleted__is_kept_for_the_record(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 2), *gone;

    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_NONE);
    check_ok(control_cluster_delete(f->c, &f->admin, v->cluster.id, &gone));
    assert_int_equal(gone->cluster.state, CLUSTER_DELETING);
    cluster_view_free(gone);
    fleet_volumes_become(f, v->cluster.id, ACCESS_NONE, ENGINE_NONE);
    check_state(f, v->cluster.id, CLUSTER_DELETED);
    check_ok(control_cluster_delete(f->c, &f->admin, v->cluster.id, &gone));
    cluster_view_free(gone);
    cluster_view_free(v);
    v = create(f, "orders", 1, 0);
    cluster_view_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cluster__created__is_there_when_its_volumes_are, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_cluster__deleted__is_kept_for_the_record, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
