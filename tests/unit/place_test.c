/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: volumes of a region stand on as many nodes as there are, and nodes fill evenly.
 */
#include "check.h"
#include "control/place.h"

static void as_many_nodes_as_volumes__placed__one_each(void **state)
{
    struct place_node nodes[] = {{.id = "a"}, {.id = "b", .volumes = 90}, {.id = "c"}};
    size_t at[3];

    (void)state;
    check_ok(place_volumes(nodes, 3, 3, at));
    assert_int_equal(at[0], 0);
    assert_int_equal(at[1], 2);
    assert_int_equal(at[2], 1);
}

static void fewer_nodes_than_volumes__placed__several_on_one(void **state)
{
    struct place_node nodes[] = {{.id = "a"}, {.id = "b"}};
    size_t at[5];

    (void)state;
    check_ok(place_volumes(nodes, 2, 5, at));
    assert_int_equal(nodes[0].own, 3);
    assert_int_equal(nodes[1].own, 2);
    assert_int_equal(nodes[0].volumes, 3);
}

static void many_clusters_of_three__placed_on_five_nodes__fill_them_evenly(void **state)
{
    struct place_node nodes[] = {{.id = "a"}, {.id = "b"}, {.id = "c"}, {.id = "d"}, {.id = "e"}};
    size_t at[3];

    (void)state;
    for (int cluster = 0; cluster < 50; cluster++) {
        for (int i = 0; i < 5; i++)
            nodes[i].own = 0;
        check_ok(place_volumes(nodes, 5, 3, at));
        assert_true(at[0] != at[1] && at[1] != at[2] && at[0] != at[2]);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(nodes[i].volumes, 30);
}

static void a_node_that_has_one_already__scaled_up__comes_last(void **state)
{
    struct place_node nodes[] = {{.id = "a", .volumes = 1, .own = 1}, {.id = "b", .volumes = 7}};
    size_t at[1];

    (void)state;
    check_ok(place_volumes(nodes, 2, 1, at));
    assert_int_equal(at[0], 1);
}

static void a_node_that_is_away__placed__is_taken_only_when_all_are(void **state)
{
    struct place_node nodes[] = {{.id = "a", .is_away = true}, {.id = "b", .volumes = 9}};
    size_t at[2];

    (void)state;
    check_ok(place_volumes(nodes, 2, 2, at));
    assert_int_equal(at[0], 1);
    assert_int_equal(at[1], 1);
    check_ok(place_volumes(nodes, 1, 1, at));
    assert_int_equal(at[0], 0);
}

static void no_node__placed__is_refused(void **state)
{
    size_t at[1];

    (void)state;
    check_rc(place_volumes(NULL, 0, 1, at), STATE);
    check_ok(place_volumes(NULL, 0, 0, at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_nodes_as_volumes__placed__one_each),
        cmocka_unit_test(fewer_nodes_than_volumes__placed__several_on_one),
        cmocka_unit_test(many_clusters_of_three__placed_on_five_nodes__fill_them_evenly),
        cmocka_unit_test(a_node_that_has_one_already__scaled_up__comes_last),
        cmocka_unit_test(a_node_that_is_away__placed__is_taken_only_when_all_are),
        cmocka_unit_test(no_node__placed__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
