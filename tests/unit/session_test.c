/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any number of processors can be served: by rings where there are threads enough, else through the device.
 */
#include "fuse/session.h"

#include "check.h"

static void threads__without_rings__are_as_many_as_wanted(void **state)
{
    unsigned queues = 0;

    (void)state;
    assert_int_equal(session_threads(8, &queues), 8);
    assert_int_equal(session_threads(1, &queues), 1);
    assert_int_equal(queues, 0);
}

static void threads__with_rings__serve_every_queue(void **state)
{
    unsigned queues = 2;

    (void)state;
    assert_int_equal(session_threads(8, &queues), 9);
    assert_int_equal(session_threads(20, &queues), 20);
    assert_int_equal(queues, 2);
    queues = 15;
    assert_int_equal(session_threads(8, &queues), 61);
    assert_int_equal(queues, 15);
}

static void threads__more_processors_than_threads_can_serve__the_device_does(void **state)
{
    static const unsigned many[] = {16, 17, 128, 1u << 31};

    (void)state;
    for (size_t k = 0; k < sizeof many / sizeof many[0]; k++) {
        unsigned queues = many[k];
        assert_int_equal(session_threads(8, &queues), 8);
        assert_int_equal(queues, 0);
    }
}

static void reserve__is_what_the_limit_leaves_beside_the_keys(void **state)
{
    const uint64_t mib = 1024 * 1024;

    (void)state;
    assert_int_equal(session_reserve(0), 0);
    assert_int_equal(session_reserve(64 * mib), 0);
    assert_int_equal(session_reserve(68 * mib), 1);
    assert_int_equal(session_reserve(1024 * mib), 56);
    assert_int_equal(session_reserve(UINT64_MAX), 56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads__without_rings__are_as_many_as_wanted),
        cmocka_unit_test(threads__with_rings__serve_every_queue),
        cmocka_unit_test(reserve__is_what_the_limit_leaves_beside_the_keys),
        cmocka_unit_test(threads__more_processors_than_threads_can_serve__the_device_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
