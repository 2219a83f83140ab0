/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: processors are kept awake while requests are frequent, only then, and only where it pays.
 */
#include "fuse/awake.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

enum { SOON_MS = 20000, LATENCY_US = 7, WINDOWS = 4 };

/* --- where it pays --- */

static void a_wish__on_or_off__is_followed_anywhere(void **state)
{
    const struct awake_machine large = {128, false}, small = {2, true};

    (void)state;
    assert_true(awake_pays(AWAKE_ON, &large));
    assert_false(awake_pays(AWAKE_OFF, &small));
}

static void auto__few_processors_of_a_virtual_machine__pays(void **state)
{
    const struct awake_machine small = {AWAKE_PROCESSORS_MAX, true},
                               large = {AWAKE_PROCESSORS_MAX + 1, true}, hardware = {2, false};

    (void)state;
    assert_true(awake_pays(AWAKE_AUTO, &small));
    assert_false(awake_pays(AWAKE_AUTO, &large));
    assert_false(awake_pays(AWAKE_AUTO, &hardware));
}

static void latency__of_hardware__permits_the_light_sleep(void **state)
{
    const struct awake_machine hardware = {2, false}, virtual = {2, true};

    (void)state;
    assert_int_equal(awake_latency_us(&hardware), 2);
    assert_int_equal(awake_latency_us(&virtual), 0);
}

static void this_machine__has_a_processor(void **state)
{
    (void)state;
    assert_true(awake_this_machine().processors >= 1);
}

/* --- when --- */

static void a_burst__is_followed_by_four_still_windows__ends(void **state)
{
    struct awake_state s = {0};

    (void)state;
    assert_true(awake_step(&s, 1));
    assert_true(awake_step(&s, 100));
    for (int k = 1; k < WINDOWS; k++) {
        assert_true(awake_step(&s, 0));
        assert_false(s.is_quiet);
    }
    assert_false(awake_step(&s, 0));
    assert_true(s.is_quiet);
}

static void one_batch__in_a_while__keeps_awake(void **state)
{
    struct awake_state s = {0};

    (void)state;
    for (int k = 0; k < 10 * WINDOWS; k++)
        assert_true(awake_step(&s, k % WINDOWS == 0));
}

/* The batch that began the looking is not one of these. */
static void no_second_batch__never_wakes(void **state)
{
    struct awake_state s = {0};

    (void)state;
    for (int k = 1; k <= WINDOWS; k++)
        assert_false(awake_step(&s, 0));
    assert_true(s.is_quiet);
}

/* --- the kernel's side: a pipe with a name, whose end shows that the descriptor was closed --- */

struct bench {
    char dir[64], device[96];
    int kernel;
    struct awake *a;
};

static int bench_new(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    snprintf(b->dir, sizeof b->dir, "/tmp/awake_test.XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->device, sizeof b->device, "%s/device", b->dir);
    assert_int_equal(mkfifo(b->device, 0600), 0);
    b->kernel = open(b->device, O_RDONLY | O_NONBLOCK);
    assert_true(b->kernel >= 0);
    check_ok(awake_start(b->device, LATENCY_US, &b->a));
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    awake_stop(b->a);
    close(b->kernel);
    unlink(b->device);
    rmdir(b->dir);
    free(b);
    return 0;
}

/* Requests without a pause, until the kernel has been asked. */
static void keep_busy(struct bench *b)
{
    struct pollfd asked = {b->kernel, POLLIN, 0};
    int32_t latency = -1;

    /* While somebody opens the other end poll may say that it was closed. */
    while (!(asked.revents & POLLIN)) {
        awake_note(b->a);
        assert_true(poll(&asked, 1, 0) >= 0);
    }
    assert_int_equal(read(b->kernel, &latency, sizeof latency), sizeof latency);
    assert_int_equal(latency, LATENCY_US);
}

static void await_letting_go(struct bench *b)
{
    struct pollfd closed = {b->kernel, 0, 0};

    assert_int_equal(poll(&closed, 1, SOON_MS), 1);
    assert_true(closed.revents & POLLHUP);
}

static void requests__come_and_end__the_kernel_is_asked_and_let_go(void **state)
{
    struct bench *b = *state;

    keep_busy(b);
    await_letting_go(b);
    assert_true(awake_ms(b->a) > 0);
}

static void requests__come_again__the_kernel_is_asked_again(void **state)
{
    struct bench *b = *state;

    for (int k = 0; k < 3; k++) {
        keep_busy(b);
        await_letting_go(b);
        /* A pipe keeps saying that it was closed until somebody has it open again. */
        close(b->kernel);
        b->kernel = open(b->device, O_RDONLY | O_NONBLOCK);
        assert_true(b->kernel >= 0);
    }
}

static void a_stop__while_awake__lets_go(void **state)
{
    struct bench *b = *state;

    keep_busy(b);
    awake_stop(b->a);
    b->a = NULL;
    await_letting_go(b);
}

static void a_device_that_is_not_there__is_an_error(void **state)
{
    struct awake *a = NULL;

    (void)state;
    assert_true(ks_is_os(awake_start("/nowhere/device", 0, &a), ENOENT));
    assert_null(a);
}

static void nobody__is_noted_and_stopped__does_nothing(void **state)
{
    (void)state;
    awake_note(NULL);
    awake_stop(NULL);
    assert_int_equal(awake_ms(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish__on_or_off__is_followed_anywhere),
        cmocka_unit_test(auto__few_processors_of_a_virtual_machine__pays),
        cmocka_unit_test(latency__of_hardware__permits_the_light_sleep),
        cmocka_unit_test(this_machine__has_a_processor),
        cmocka_unit_test(a_burst__is_followed_by_four_still_windows__ends),
        cmocka_unit_test(one_batch__in_a_while__keeps_awake),
        cmocka_unit_test(no_second_batch__never_wakes),
        cmocka_unit_test_setup_teardown(requests__come_and_end__the_kernel_is_asked_and_let_go,
                                        bench_new, bench_free),
        cmocka_unit_test_setup_teardown(requests__come_again__the_kernel_is_asked_again, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(a_stop__while_awake__lets_go, bench_new, bench_free),
        cmocka_unit_test(a_device_that_is_not_there__is_an_error),
        cmocka_unit_test(nobody__is_noted_and_stopped__does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
