/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a round of the sweeper is whole and begins after it was asked for; one that hangs is not waited for.
 */
#include "fuse/sweeper.h"

#include <pthread.h>
#include <semaphore.h>

#include "check.h"

enum { SOON_MS = 10000 };

struct kernel {
    pthread_mutex_t gate;
    int rounds;
    sem_t entered; /* posted when a round has begun */
};

static void sweep(void *arg)
{
    struct kernel *k = arg;

    sem_post(&k->entered);
    pthread_mutex_lock(&k->gate);
    k->rounds++;
    pthread_mutex_unlock(&k->gate);
}

static void round__done__is_counted(void **unused)
{
    struct kernel k = {.gate = PTHREAD_MUTEX_INITIALIZER};
    struct sweeper *s = NULL;

    (void)unused;
    sem_init(&k.entered, 0, 0);
    check_ok(sweeper_start(sweep, &k, &s));
    assert_true(sweeper_round(s, SOON_MS));
    assert_true(sweeper_round(s, SOON_MS));
    assert_int_equal(k.rounds, 2);
    assert_true(sweeper_stop(s, SOON_MS));
}

static void round__kernel_hangs__returns_and_the_next_one_is_made(void **unused)
{
    struct kernel k = {.gate = PTHREAD_MUTEX_INITIALIZER};
    struct sweeper *s = NULL;

    (void)unused;
    sem_init(&k.entered, 0, 0);
    check_ok(sweeper_start(sweep, &k, &s));
    pthread_mutex_lock(&k.gate);
    assert_false(sweeper_round(s, 1));
    assert_int_equal(k.rounds, 0);
    pthread_mutex_unlock(&k.gate);
    assert_true(sweeper_round(s, SOON_MS));
    assert_true(sweeper_stop(s, SOON_MS));
    assert_in_range(k.rounds, 1, 2);
}

static void stop__kernel_hangs__does_not_wait_for_it(void **unused)
{
    static struct kernel k = {.gate = PTHREAD_MUTEX_INITIALIZER};
    struct sweeper *s = NULL;

    (void)unused;
    sem_init(&k.entered, 0, 0);
    check_ok(sweeper_start(sweep, &k, &s));
    pthread_mutex_lock(&k.gate);
    assert_false(sweeper_round(s, 1));
    sem_wait(&k.entered); /* before that, stopping would end the thread before its round */
    assert_false(sweeper_stop(s, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round__done__is_counted),
        cmocka_unit_test(round__kernel_hangs__returns_and_the_next_one_is_made),
        cmocka_unit_test(stop__kernel_hangs__does_not_wait_for_it),
    };

    return cmocka_run_group_tests_name("sweeper", tests, NULL, NULL);
}
