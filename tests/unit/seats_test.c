/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: of many threads few wait for a request, the one that rested last comes first, and there is always one that waits
 * as long as one is idle.
 */
#include "fuse/seats.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "check.h"

enum { SEATS = 2, THREADS = 5, REQUESTS = 20000 };

/* A queue of requests, as the kernel's, and threads that serve it. */
struct server {
    struct seats seats;
    sem_t requests;
    atomic_uint seated, seated_most, served, busy, called;
    atomic_bool is_ending, is_holding;
    sem_t release; /* while is_holding: what lets a request end */
};

struct worker {
    struct server *server;
    struct resting resting;
    pthread_t thread;
};

static void note_most(atomic_uint *most, unsigned now)
{
    unsigned before = atomic_load(most);

    while (before < now && !atomic_compare_exchange_weak(most, &before, now))
        ;
}

static void *serve(void *arg)
{
    struct worker *w = arg;
    struct server *s = w->server;

    while (!atomic_load(&s->is_ending)) {
        if (!seats_take(&s->seats, &w->resting)) {
            atomic_fetch_add(&s->called, 1);
            continue;
        }
        note_most(&s->seated_most, atomic_fetch_add(&s->seated, 1) + 1);
        sem_wait(&s->requests);
        atomic_fetch_sub(&s->seated, 1);
        seats_leave(&s->seats);
        if (atomic_load(&s->is_ending))
            break;
        atomic_fetch_add(&s->busy, 1);
        if (atomic_load(&s->is_holding))
            sem_wait(&s->release);
        atomic_fetch_sub(&s->busy, 1);
        atomic_fetch_add(&s->served, 1);
    }
    return NULL;
}

static void start(struct server *s, struct worker workers[THREADS])
{
    seats_init(&s->seats, SEATS);
    sem_init(&s->requests, 0, 0);
    sem_init(&s->release, 0, 0);
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t] = (struct worker){.server = s};
        resting_init(&workers[t].resting);
        assert_int_equal(pthread_create(&workers[t].thread, NULL, serve, &workers[t]), 0);
    }
}

static void stop(struct server *s, struct worker workers[THREADS])
{
    atomic_store(&s->is_ending, true);
    seats_close(&s->seats);
    for (unsigned t = 0; t < THREADS; t++)
        sem_post(&s->requests);
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(workers[t].thread, NULL);
        resting_done(&workers[t].resting);
    }
    seats_done(&s->seats);
    sem_destroy(&s->requests);
    sem_destroy(&s->release);
}

static void await(atomic_uint *value, unsigned wanted)
{
    while (atomic_load(value) < wanted)
        sched_yield();
}

static void requests__one_after_another__few_threads_are_seated(void **state)
{
    struct server s = {.is_ending = false};
    struct worker workers[THREADS];

    (void)state;
    start(&s, workers);
    for (unsigned n = 1; n <= 1000; n++) {
        sem_post(&s.requests);
        await(&s.served, n);
    }
    assert_true(atomic_load(&s.seated_most) <= SEATS);
    stop(&s, workers);
}

static void requests__all_at_once__are_served_by_all_threads(void **state)
{
    struct server s = {.is_holding = true};
    struct worker workers[THREADS];

    (void)state;
    start(&s, workers);
    for (unsigned t = 0; t < THREADS; t++)
        sem_post(&s.requests);
    await(&s.busy, THREADS); /* each is called while those before it are busy */
    for (unsigned t = 0; t < THREADS; t++)
        sem_post(&s.release);
    await(&s.served, THREADS);
    stop(&s, workers);
}

static void requests__very_many__none_is_left(void **state)
{
    struct server s = {.is_ending = false};
    struct worker workers[THREADS];

    (void)state;
    start(&s, workers);
    for (unsigned n = 0; n < REQUESTS; n++) {
        sem_post(&s.requests);
        if (n % 7 == 0)
            await(&s.served, n);
    }
    await(&s.served, REQUESTS);
    assert_true(atomic_load(&s.seated_most) <= SEATS);
    stop(&s, workers);
}

static void call_all__threads_rest__each_returns(void **state)
{
    struct server s = {.is_ending = false};
    struct worker workers[THREADS];

    (void)state;
    start(&s, workers);
    await(&s.seated, SEATS);
    while (atomic_load(&s.called) < THREADS - SEATS)
        seats_call_all(&s.seats);
    stop(&s, workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests__one_after_another__few_threads_are_seated),
        cmocka_unit_test(requests__all_at_once__are_served_by_all_threads),
        cmocka_unit_test(requests__very_many__none_is_left),
        cmocka_unit_test(call_all__threads_rest__each_returns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
