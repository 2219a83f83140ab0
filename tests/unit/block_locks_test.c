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

static bool is_taken(struct block_locks *l, uint16_t lock)
{
    if (pthread_mutex_trylock(&l->at[lock]) != 0)
        return true;
    pthread_mutex_unlock(&l->at[lock]);
    return false;
}

static unsigned count_taken(struct block_locks *l)
{
    unsigned n = 0;

    for (uint16_t lock = 0; lock < BLOCK_LOCKS; lock++)
        n += is_taken(l, lock);
    return n;
}

static uint16_t lock_of(struct block_locks *l, uint64_t file, uint64_t block)
{
    struct block_hold h;

    block_locks_take(l, file, block, 1, &h);
    block_locks_give(l, &h);
    assert_int_equal(h.count, 1);
    return h.which[0];
}

static bool has(const struct block_hold *h, uint16_t lock)
{
    for (size_t n = 0; n < h->count; n++)
        if (h->which[n] == lock)
            return true;
    return false;
}

static void hold__of_some_blocks__takes_their_locks_only_and_gives_them_back(void **state)
{
    struct block_locks *l = *state;
    struct block_hold h;

    block_locks_take(l, 7, 100, 3, &h);
    assert_int_equal(count_taken(l), h.count);
    block_locks_give(l, &h);
    assert_int_equal(count_taken(l), 0);
    for (uint64_t block = 100; block < 103; block++)
        assert_true(has(&h, lock_of(l, 7, block)));
}

/* Also where two blocks share a lock, which it takes once, since it would wait for itself. */
static void hold__of_any_blocks__is_ascending_and_has_each_lock_once(void **state)
{
    struct block_locks *l = *state;
    struct block_hold h;
    unsigned shared = 0;

    for (uint64_t n = 0; n < 4000; n++) {
        block_locks_take(l, 1 + n / 10, 502 + n % 10, BLOCK_HOLD_MAX, &h);
        for (size_t k = 1; k < h.count; k++)
            assert_true(h.which[k - 1] < h.which[k]);
        assert_int_equal(count_taken(l), h.count);
        shared += h.count < BLOCK_HOLD_MAX;
        block_locks_give(l, &h);
    }
    assert_true(shared > 0);
}

static void blocks__of_files__are_spread_over_the_locks(void **state)
{
    struct block_locks *l = *state;
    unsigned uses[BLOCK_LOCKS] = {0};

    for (uint64_t file = 1; file <= 16; file++)
        for (uint64_t block = 0; block < 1024; block++)
            uses[lock_of(l, file, block)]++;
    for (unsigned n = 0; n < BLOCK_LOCKS; n++)
        assert_in_range(uses[n], 16, 4 * 64);
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
        T(hold__of_some_blocks__takes_their_locks_only_and_gives_them_back),
        T(hold__of_any_blocks__is_ascending_and_has_each_lock_once),
        T(blocks__of_files__are_spread_over_the_locks),
        T(threads__on_ranges_that_overlap__lose_nothing_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
