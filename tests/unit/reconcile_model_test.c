/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no order of asks, reports (late, doubled, lost), crashes, moods of the key service and time breaks a promise of the reconciler:
 * a volume always keeps an opener, REVOKED stays until RESTORE and means locked, ENABLED means that the platform cannot open, statuses
 * follow as the table says, a second look changes nothing, and once all is calm everything has ended.
 *
 * Breadth first over one volume to a depth, and random histories over three. A failure prints the seed or the actions that lead
 * to it. KEYSTEAD_RECONCILE_HISTORIES and _SEED run more and others.
 */
#include "reconcile_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/environment.h"
#include "base/mem.h"
#include "base/random.h"

enum { STEPS = 120, HISTORIES = 10000, TRAIL = STEPS + 1 };

struct trail {
    uint64_t seed;
    size_t count;
    unsigned actions[TRAIL], draws[TRAIL];
};

static void fails(const struct trail *t, const char *broken)
{
    for (size_t i = 0; i < t->count; i++)
        print_error("%s(%u), ", world_action_name(t->actions[i]), t->draws[i] % 18);
    fail_msg("seed %llu: broken: %s", (unsigned long long)t->seed, broken);
}

static uint64_t reach[CMEK_STATUS_COUNT];

static void run_history(uint64_t seed)
{
    struct random_seeded random;
    struct trail t = {.seed = seed};
    struct world w, calm;
    uint32_t draw[2];

    random_seeded_init(&random, seed);
    world_begin(&w, 1 + seed % 3);
    if (seed % 4 !=
        0) { /* most begin with a key in force: what is worth breaking comes after that */
        (void)world_act(&w, 0, 0);
        world_calm(&w);
    }
    for (size_t i = 0; i < STEPS && !w.broken; i++) {
        assert_true(ks_ok(random_fill(&random.random, draw, sizeof draw)));
        /* mostly the nodes at work: an even mix of asks would never get anywhere */
        unsigned action = draw[0] % 3 ? 8 + draw[0] / 3 % 4 : draw[0] / 3 % world_action_count();
        if (!world_act(&w, action, draw[1]))
            continue;
        t.actions[t.count] = action;
        t.draws[t.count++] = draw[1];
        reach[w.status]++;
    }
    if (w.broken)
        fails(&t, w.broken);
    calm = w;
    world_calm(&calm);
    if (calm.broken)
        fails(&t, calm.broken);
}

static long from_environment(const char *name, long otherwise)
{
    const char *text = environment_get(NULL, name);

    return text ? strtol(text, NULL, 10) : otherwise;
}

static void histories__random__promises_are_kept(void **state)
{
    long count = from_environment("KEYSTEAD_RECONCILE_HISTORIES", HISTORIES);
    long first = from_environment("KEYSTEAD_RECONCILE_SEED", 1);

    (void)state;
    print_message("%ld histories from seed %ld\n", count, first);
    for (long i = 0; i < count; i++)
        run_history((uint64_t)(first + i));
    for (int s = 0; s < CMEK_STATUS_COUNT; s++) {
        print_message("%s: %llu\n", cmek_status_name((enum cmek_status)s),
                      (unsigned long long)reach[s]);
        if (s != CMEK_REVOKE_FAILED)
            assert_true(reach[s] > 0);
    }
}

/* -- breadth first ----------------------------------------------------------------------------------------------------- */

enum { STATES_MAX = 40000, SLOTS = 1 << 20, DRAWS = 18 };

struct found {
    struct world w;
    uint32_t from;
    uint8_t action, draw;
};

static struct {
    struct found *states;
    uint32_t *slots;
    size_t count;
} all;

static uint64_t hash_of(const struct world *w)
{
    const uint8_t *p = (const uint8_t *)w;
    uint64_t h = 14695981039346656037ULL;

    for (size_t i = 0; i < sizeof *w; i++)
        h = (h ^ p[i]) * 1099511628211ULL;
    return h;
}

static void add_state(const struct world *w, uint32_t from, unsigned action, unsigned draw)
{
    size_t slot = hash_of(w) % SLOTS;

    for (; all.slots[slot]; slot = (slot + 1) % SLOTS) {
        if (memcmp(&all.states[all.slots[slot]].w, w, sizeof *w) == 0)
            return;
    }
    if (all.count == STATES_MAX)
        return;
    all.slots[slot] = (uint32_t)all.count;
    all.states[all.count++] = (struct found){*w, from, (uint8_t)action, (uint8_t)draw};
}

static void fail_at(size_t i, const char *broken)
{
    for (; i > 1; i = all.states[i].from)
        print_error("%s(%u) <- ", world_action_name(all.states[i].action), all.states[i].draw);
    fail_msg("broken: %s", broken);
}

static void expand(size_t i)
{
    for (unsigned action = 0; action < world_action_count(); action++) {
        for (unsigned draw = 0; draw < DRAWS; draw++) {
            struct world next;
            memcpy(&next, &all.states[i].w, sizeof next);
            if (!world_act(&next, action, draw))
                continue;
            size_t before = all.count;
            add_state(&next, (uint32_t)i, action, draw);
            if (next.broken && all.count > before)
                fail_at(before, next.broken);
        }
    }
}

static void states__breadth_first__promises_are_kept(void **state)
{
    struct world calm;

    (void)state;
    assert_true(ks_ok(mem_new(STATES_MAX, sizeof *all.states, &all.states)));
    assert_true(ks_ok(mem_new(SLOTS, sizeof *all.slots, &all.slots)));
    all.count = 1;
    world_begin(&calm, 1);
    add_state(&calm, 0, 0, 0);
    for (size_t i = 1; i < all.count; i++) {
        if (all.count < STATES_MAX)
            expand(i);
        memcpy(&calm, &all.states[i].w, sizeof calm);
        world_calm(&calm);
        if (calm.broken)
            fail_at(i, calm.broken);
    }
    print_message("%zu states\n", all.count - 1);
    mem_free(all.states);
    mem_free(all.slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states__breadth_first__promises_are_kept),
        cmocka_unit_test(histories__random__promises_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
