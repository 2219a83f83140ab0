/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the map finds what was put into it and nothing else, however much came and went.
 */
#include "check.h"
#include "control/id_map.h"
#include <stdio.h>
#include <string.h>

enum { MANY = 1000 };

static int values[MANY];

static void name(char out[ID_BYTES], int i)
{
    snprintf(out, ID_BYTES, "00000000-0000-4000-8000-%012d", i);
}

static void an_empty_map__asked__has_nothing(void **state)
{
    struct id_map m = {0};

    (void)state;
    assert_null(id_map_get(&m, "a"));
    assert_null(id_map_take(&m, "a"));
    assert_null(id_map_at(&m, 0));
    id_map_clear(&m);
}

static void many__every_other_taken__the_rest_is_found(void **state)
{
    struct id_map m = {0};
    char id[ID_BYTES];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        name(id, i);
        check_ok(id_map_put(&m, id, &values[i]));
    }
    for (int i = 0; i < MANY; i += 2) {
        name(id, i);
        assert_ptr_equal(id_map_take(&m, id), &values[i]);
        assert_null(id_map_take(&m, id));
    }
    assert_int_equal(m.count, MANY / 2);
    for (int i = 0; i < MANY; i++) {
        name(id, i);
        assert_ptr_equal(id_map_get(&m, id), i % 2 ? &values[i] : NULL);
    }
    size_t walked = 0;
    for (size_t i = 0; i < m.room; i++)
        walked += id_map_at(&m, i) != NULL;
    assert_int_equal(walked, MANY / 2);
    id_map_clear(&m);
}

static void the_same_id__put_again__replaces(void **state)
{
    struct id_map m = {0};

    (void)state;
    check_ok(id_map_put(&m, "a", &values[1]));
    check_ok(id_map_put(&m, "a", &values[2]));
    assert_int_equal(m.count, 1);
    assert_ptr_equal(id_map_get(&m, "a"), &values[2]);
    id_map_clear(&m);
}

static void an_id_that_is_too_long__put__is_refused(void **state)
{
    struct id_map m = {0};
    char id[ID_BYTES + 1];

    (void)state;
    memset(id, 'a', ID_BYTES);
    id[ID_BYTES] = 0;
    check_rc(id_map_put(&m, id, &values[0]), BUG);
    assert_int_equal(m.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map__asked__has_nothing),
        cmocka_unit_test(many__every_other_taken__the_rest_is_found),
        cmocka_unit_test(the_same_id__put_again__replaces),
        cmocka_unit_test(an_id_that_is_too_long__put__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
