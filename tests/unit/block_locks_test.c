/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: who holds blocks excludes whoever wants one of them and nobody else, and nobody waits for ever.
 */
#include "volume/block_locks.h"

#include <sched.h>

#include "check.h"

enum { THREADS = 8, ROUNDS = 4000, BLOCKS = 24 };

static int locks_new(void **state)
{
    static struct block_locks l;

    block_locks_init(&l);
    *state = &l;
    return 0;
}

static int locks_done(void **state)
{
    block_locks_done(*state);
    return 0;
}

/* Were it to wait, it would wait for itself, and the test never end. */
static void take_and_give(struct block_locks *l, uint64_t file, uint64_t first, size_t count)
{
    struct block_hold h;

    block_locks_take(l, file, first, count, &h);
    block_locks_give(l, &h);
}

static void hold__of_some_blocks__keeps_nobody_from_others(void **state)
{
    struct block_locks *l = *state;
    struct block_hold h;

    block_locks_take(l, 7, 100, 3, &h);
    take_and_give(l, 7, 100 - BLOCK_HOLD_MAX, BLOCK_HOLD_MAX);
    take_and_give(l, 7, 103, BLOCK_HOLD_MAX);
    for (uint64_t file = 8; file < 5000; file++)
        take_and_give(l, file, 100, 3);
    block_locks_give(l, &h);
}

struct wanting {
    struct block_locks *l;
    uint64_t first;
    size_t count;
};

static void *want(void *arg)
{
    struct wanting *w = arg;

    take_and_give(w->l, 7, w->first, w->count);
    return NULL;
}

static unsigned waiting(struct block_locks *l)
{
    unsigned all = 0;

    for (size_t n = 0; n < BLOCK_LISTS; n++) {
        pthread_mutex_lock(&l->at[n].mutex);
        all += l->at[n].waiting;
        pthread_mutex_unlock(&l->at[n].mutex);
    }
    return all;
}

/* Before, behind, within and around. All wait, and all go on when it is given back. */
static void hold__of_some_blocks__makes_who_wants_one_of_them_wait(void **state)
{
    struct block_locks *l = *state;
    struct wanting all[] = {{l, 98, 3}, {l, 102, 1}, {l, 101, 1}, {l, 97, 8}};
    enum { WANTING = sizeof all / sizeof *all };
    pthread_t threads[WANTING];
    struct block_hold h;

    block_locks_take(l, 7, 100, 3, &h);
    for (unsigned n = 0; n < WANTING; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, want, &all[n]), 0);
    while (waiting(l) < WANTING)
        sched_yield();
    block_locks_give(l, &h);
    for (unsigned n = 0; n < WANTING; n++)
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    assert_int_equal(waiting(l), 0);
}

/* What the threads count in is not atomic: it is exact only when they exclude each other. */
struct counting {
    struct block_locks *l;
    volatile uint64_t counts[BLOCKS + BLOCK_HOLD_MAX];
};

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

struct counter {
    pthread_t thread;
    struct counting *c;
    uint64_t seed, made[BLOCKS + BLOCK_HOLD_MAX];
};

static void *run_counter(void *arg)
{
    struct counter *t = arg;
    struct block_hold h;

    for (unsigned n = 0; n < ROUNDS; n++) {
        uint64_t first = next(&t->seed) % BLOCKS;
        size_t count = 1 + (size_t)(next(&t->seed) % BLOCK_HOLD_MAX);
        block_locks_take(t->c->l, 3, first, count, &h);
        for (uint64_t block = first; block < first + count; block++) {
            uint64_t before = t->c->counts[block];
            sched_yield();
            t->c->counts[block] = before + 1;
            t->made[block]++;
        }
        block_locks_give(t->c->l, &h);
    }
    return NULL;
}

static void threads__on_ranges_that_overlap__lose_nothing_and_end(void **state)
{
    static struct counter all[THREADS];
    struct counting c = {.l = *state};

    for (unsigned n = 0; n < THREADS; n++) {
        all[n] = (struct counter){.c = &c, .seed = n + 1};
        assert_int_equal(pthread_create(&all[n].thread, NULL, run_counter, &all[n]), 0);
    }
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(all[n].thread, NULL);
    for (unsigned block = 0; block < BLOCKS + BLOCK_HOLD_MAX; block++) {
        uint64_t want = 0;
        for (unsigned n = 0; n < THREADS; n++)
            want += all[n].made[block];
        assert_int_equal(c.counts[block], want);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, locks_new, locks_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(hold__of_some_blocks__keeps_nobody_from_others),
        T(hold__of_some_blocks__makes_who_wants_one_of_them_wait),
        T(threads__on_ranges_that_overlap__lose_nothing_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
