/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: of many threads few wait for a request, the one that rested last comes first, and there is always one that waits
 * as long as one is idle. When a disk holds up all of them, the reserve takes over, and only then.
 */
#include "fuse/seats.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "check.h"

enum { SEATS = 2, THREADS = 5, REQUESTS = 20000, PATIENCE_MS = 1 };

/* A queue of requests, as the kernel's, and threads that serve it. */
struct server {
    struct seats seats;
    sem_t requests;
    atomic_uint seated, seated_most, served, busy, called;
    atomic_bool is_ending, is_holding;
    sem_t release; /* while is_holding: what lets a request end, but those of the reserve */
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
        if (atomic_load(&s->is_holding) && !w->resting.is_reserve)
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
        resting_init(&workers[t].resting, false);
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

/* --- the reserve --- */

/* All threads of s are held up, and one of the reserve is there. */
static void start_held_up(struct server *s, struct worker workers[THREADS], struct worker *reserve)
{
    start(s, workers);
    for (unsigned t = 0; t < THREADS; t++)
        sem_post(&s->requests);
    await(&s->busy, THREADS);
    *reserve = (struct worker){.server = s};
    resting_init(&reserve->resting, true);
}

static bool is_reserve_resting(struct server *s)
{
    pthread_mutex_lock(&s->seats.mutex);
    bool is_resting = s->seats.reserve != NULL;
    pthread_mutex_unlock(&s->seats.mutex);
    return is_resting;
}

static void watch_until_seated(struct server *s)
{
    while (atomic_load(&s->seated) == 0)
        assert_int_equal(seats_watch(&s->seats, PATIENCE_MS), SEATS_ATTENDED);
}

static void all__held_up__the_reserve_serves(void **state)
{
    struct server s = {.is_holding = true};
    struct worker workers[THREADS], reserve;

    (void)state;
    start_held_up(&s, workers, &reserve);
    assert_int_equal(seats_watch(&s.seats, PATIENCE_MS), SEATS_DESERTED); /* it has not come yet */
    assert_int_equal(pthread_create(&reserve.thread, NULL, serve, &reserve), 0);
    watch_until_seated(&s);
    for (unsigned n = 1; n <= 100; n++) {
        sem_post(&s.requests);
        await(&s.served, n);
    }
    assert_int_equal(atomic_load(&s.busy), THREADS);
    atomic_store(&s.is_holding, false);
    for (unsigned t = 0; t < THREADS; t++)
        sem_post(&s.release);
    await(&s.served, 100 + THREADS);
    while (!is_reserve_resting(&s)) {
        sem_post(&s.requests);
        sched_yield();
    }
    atomic_store(&s.is_ending, true);
    seats_close(&s.seats);
    for (unsigned t = 0; t < THREADS; t++)
        sem_post(&s.requests);
    pthread_join(reserve.thread, NULL);
    resting_done(&reserve.resting);
    stop(&s, workers);
}

/* One thread of the base, which sits, and one of the reserve; neither is really there. */
struct pair {
    struct seats seats;
    struct resting base, reserve;
};

static void pair_init(struct pair *p)
{
    *p = (struct pair){0};
    seats_init(&p->seats, SEATS);
    resting_init(&p->base, false);
    resting_init(&p->reserve, true);
    assert_true(seats_take(&p->seats, &p->base));
}

static void pair_done(struct pair *p)
{
    resting_done(&p->base);
    resting_done(&p->reserve);
    seats_done(&p->seats);
}

static void reserve__that_rests__is_called_after_the_patience(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p);
    p.seats.reserve = &p.reserve; /* as if its thread rested */
    seats_leave(&p.seats);
    assert_null(p.seats.resting);
    assert_non_null(p.seats.reserve); /* not at once */
    assert_int_equal(seats_watch(&p.seats, PATIENCE_MS), SEATS_ATTENDED);
    assert_null(p.seats.reserve);
    assert_true(p.reserve.is_called && p.reserve.has_seat);
    assert_int_equal(p.seats.taken, 1);
    pair_done(&p);
}

static void somebody__sat_down_meanwhile__the_reserve_rests_on(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p);
    seats_leave(&p.seats);
    assert_true(p.seats.is_watched);
    assert_true(seats_take(&p.seats, &p.base));
    p.seats.reserve = &p.reserve;
    assert_int_equal(seats_watch(&p.seats, PATIENCE_MS), SEATS_ATTENDED);
    assert_non_null(p.seats.reserve);
    assert_false(p.seats.is_watched); /* and nothing is watched any more */
    pair_done(&p);
}

static void *close_seats(void *arg)
{
    seats_close(arg);
    return NULL;
}

static void watch__closed__ends(void **state)
{
    struct seats s;
    pthread_t thread;

    (void)state;
    seats_init(&s, SEATS);
    assert_int_equal(pthread_create(&thread, NULL, close_seats, &s), 0);
    assert_int_equal(seats_watch(&s, PATIENCE_MS), SEATS_CLOSED);
    pthread_join(thread, NULL);
    seats_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests__one_after_another__few_threads_are_seated),
        cmocka_unit_test(requests__all_at_once__are_served_by_all_threads),
        cmocka_unit_test(requests__very_many__none_is_left),
        cmocka_unit_test(call_all__threads_rest__each_returns),
        cmocka_unit_test(all__held_up__the_reserve_serves),
        cmocka_unit_test(reserve__that_rests__is_called_after_the_patience),
        cmocka_unit_test(somebody__sat_down_meanwhile__the_reserve_rests_on),
        cmocka_unit_test(watch__closed__ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
