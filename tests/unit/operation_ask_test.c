/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a list of operations has all that the caller may see and nothing else, whatever it is narrowed to, in parts of any size.
 */
#include "fleet_fixture.h"

enum { CLUSTERS = 3 };

struct scene {
    struct fleet fleet;
    char clusters[CLUSTERS][ID_BYTES]; /* the last one is of the other organisation */
};

static int set_up(void **state)
{
    struct scene *s;
    char node[ID_BYTES];

    check_ok(mem_new(1, sizeof *s, &s));
    fleet_open(&s->fleet);
    fleet_join(&s->fleet, "west", "n0", node);
    for (int i = 0; i < CLUSTERS; i++) {
        CLEANUP(cluster_view_freep) struct cluster_view *v = NULL;
        const struct region_wish region = fleet_region("west", 1);
        struct cluster_wish wish = fleet_wish(i == 0 ? "first" : "second", &region, 1);
        const struct caller *by = i == CLUSTERS - 1 ? &s->fleet.foreign : &s->fleet.admin;
        check_ok(control_cluster_create(s->fleet.c, by, &wish, &v));
        memcpy(s->clusters[i], v->cluster.id, ID_BYTES);
    }
    fleet_volumes_become(&s->fleet, s->clusters[0], ACCESS_OPEN, ENGINE_NONE);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    fleet_close(&s->fleet);
    mem_freep(state);
    return 0;
}

/* How many there are, one at a time; all of them are of the two clusters of the first organisation. */
static size_t count_all(struct scene *s, const struct caller *by, struct operation_filter filter)
{
    struct slice slice = {.count_max = 1};
    size_t total = 0;

    do {
        CLEANUP(mem_freep) struct operation *rows = NULL;
        size_t count;
        check_ok(control_operation_list(s->fleet.c, by, &filter, &slice, &rows, &count));
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(rows[i].cluster, s->clusters[CLUSTERS - 1]);
        total += count;
    } while (slice.after[0]);
    return total;
}

static void operations__of_an_organisation__are_its_own_alone(void **state)
{
    static const enum operation_state running = OPERATION_RUNNING, done = OPERATION_SUCCEEDED;
    static const enum operation_kind create = OPERATION_CLUSTER_CREATE,
                                     revoke = OPERATION_CMEK_REVOKE;
    struct scene *s = *state;
    const struct caller *by = &s->fleet.viewer;

    assert_int_equal(count_all(s, by, (struct operation_filter){0}), 2);
    assert_int_equal(count_all(s, by, (struct operation_filter){.state = &running}), 1);
    assert_int_equal(count_all(s, by, (struct operation_filter){.state = &done}), 1);
    assert_int_equal(count_all(s, by, (struct operation_filter){.kind = &create}), 2);
    assert_int_equal(count_all(s, by, (struct operation_filter){.kind = &revoke}), 0);
    assert_int_equal(
        count_all(s, by, (struct operation_filter){.state = &running, .kind = &create}), 1);
    assert_int_equal(
        count_all(s, by, (struct operation_filter){.cluster = s->clusters[0], .state = &running}),
        0);
}

static void operations__asked_for_with_the_key_of_a_cluster__are_of_that_cluster(void **state)
{
    struct scene *s = *state;
    struct caller by = s->fleet.viewer;
    struct slice slice = {.count_max = 9};
    struct operation *rows;
    size_t count;

    memcpy(by.cluster, s->clusters[0], ID_BYTES);
    assert_int_equal(count_all(s, &by, (struct operation_filter){0}), 1);
    check_rc(control_operation_list(s->fleet.c, &by,
                                    &(struct operation_filter){.cluster = s->clusters[1]}, &slice,
                                    &rows, &count),
             NOT_FOUND);
}

static void operations__asked_for_by_others__not_there(void **state)
{
    struct scene *s = *state;
    struct slice slice = {.count_max = 9};
    struct operation *rows;
    size_t count;

    check_rc(control_operation_list(s->fleet.c, &s->fleet.foreign,
                                    &(struct operation_filter){.cluster = s->clusters[0]}, &slice,
                                    &rows, &count),
             NOT_FOUND);
    check_rc(control_operation_list(s->fleet.c, &s->fleet.platform, &(struct operation_filter){0},
                                    &slice, &rows, &count),
             PERMISSION);
    slice.count_max = 0;
    check_rc(control_operation_list(s->fleet.c, &s->fleet.viewer, &(struct operation_filter){0},
                                    &slice, &rows, &count),
             USAGE);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(operations__of_an_organisation__are_its_own_alone),
        TEST(operations__asked_for_with_the_key_of_a_cluster__are_of_that_cluster),
        TEST(operations__asked_for_by_others__not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
