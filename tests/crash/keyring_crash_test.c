/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whenever the power goes during any change of a keyring, the volume opens with the state before
 * or after that change, with every data key, and can be changed again; a change that reported
 * success is there for good. Exhaustive: every time, every prefix of the metadata operations, every
 * subset of the pending page writes.
 */
#include "enumerate.h"
#include "io/atomic_file.h"
#include "keyring_ops.h"

enum { PAGES_EXHAUSTIVE = 12 };

/* A run of operations one after another: when each had ended, and the keyring's MAC by then. */
struct run {
    struct ops_world world;
    struct io *io;
    size_t count; /* operations */
    size_t ended_at[OPS_COUNT + 1];
    uint8_t mac[OPS_COUNT + 1][KEYRING_HASH_BYTES];
    bool may_be_missing; /* before the first operation there is no keyring */
    size_t states[OPS_COUNT], old[OPS_COUNT], new[OPS_COUNT];
};

static void run_begin(struct run *r)
{
    memset(r, 0, sizeof *r);
    check_ok(crash_new(&r->io));
    ops_begin(&r->world, r->io);
}

static void run_end(struct run *r)
{
    ops_end(&r->world);
    crash_free(r->io);
}

static void run_op(struct run *r, const struct ops_op *op)
{
    check_ok(op->run(&r->world));
    r->count++;
    r->ended_at[r->count] = crash_time(r->io);
    memcpy(r->mac[r->count], keyring_file_current(r->world.h.file)->mac, KEYRING_HASH_BYTES);
}

/* The operation under way at time t; the last one when all had ended. */
static size_t op_at(const struct run *r, size_t t)
{
    size_t i = 0;

    while (i + 1 < r->count && t > r->ended_at[i + 1])
        i++;
    return i;
}

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    struct run *r = arg;
    uint8_t mac[KEYRING_HASH_BYTES] = {0};
    size_t op = op_at(r, state->time);
    bool has_ended = state->time >= r->ended_at[op + 1];
    ks_rc rc = ops_reopen(&r->world, rebuilt, mac);

    r->states[op]++;
    if (ks_is(rc, KS_E_NOT_FOUND) && op == 0 && r->may_be_missing && !has_ended) {
        r->old[op]++;
        return KS_SUCCESS;
    }
    TRY(rc);
    bool is_new = memcmp(mac, r->mac[op + 1], sizeof mac) == 0;
    bool is_old = !is_new && memcmp(mac, r->mac[op], sizeof mac) == 0;
    ENSURE(is_new || is_old, KS_E_BUG, "neither the old keyring nor the new one");
    ENSURE(is_new || !has_ended, KS_E_BUG, "a change that reported success is gone");
    r->old[op] += is_old;
    r->new[op] += is_new;
    return KS_SUCCESS;
}

static void check_run(struct run *r, size_t from, const struct ops_op *ops)
{
    size_t checked = crash_enumerate(r->io, from, PAGES_EXHAUSTIVE, 0, 1, check_state, r);
    size_t sum = 0;

    for (size_t i = 0; i < r->count; i++) {
        print_message("%s: %zu states, %zu old, %zu new\n", ops[i].name, r->states[i], r->old[i],
                      r->new[i]);
        assert_true(r->old[i] > 0 && r->new[i] > 0);
        assert_int_equal(r->states[i], r->old[i] + r->new[i]);
        sum += r->states[i];
    }
    assert_int_equal(sum, checked);
}

static void crash__in_each_operation_in_a_row__old_or_new(void **state)
{
    struct run r;

    (void)state;
    run_begin(&r);
    r.may_be_missing = true;
    for (size_t i = 0; i < OPS_COUNT; i++)
        run_op(&r, &ops_all[i]);
    check_run(&r, 0, ops_all);
    run_end(&r);
}

/* The same operation as the first after a fresh start and as the second: the other copy is first then. */
static void crash__each_operation_twice__old_or_new(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPS_COUNT; i++) {
        if (ops_all[i].run != ops_store && ops_all[i].run != ops_data &&
            ops_all[i].run != ops_settings && ops_all[i].run != ops_cmek_all)
            continue;
        const struct ops_op twice[] = {ops_all[i], ops_all[i]};
        struct run r;

        run_begin(&r);
        check_ok(ops_create(&r.world));
        memcpy(r.mac[0], keyring_file_current(r.world.h.file)->mac, KEYRING_HASH_BYTES);
        size_t from = crash_time(r.io);
        run_op(&r, &twice[0]);
        run_op(&r, &twice[1]);
        check_run(&r, from, twice);
        run_end(&r);
    }
}

struct mend {
    struct ops_world *world;
    uint8_t mac[KEYRING_HASH_BYTES];
};

static ks_rc check_mend(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    struct mend *m = arg;
    uint8_t mac[KEYRING_HASH_BYTES];

    (void)state;
    TRY(ops_reopen(m->world, rebuilt, mac));
    ENSURE(memcmp(mac, m->mac, sizeof mac) == 0, KS_E_BUG, "another keyring than before");
    return KS_SUCCESS;
}

/* One copy is damaged; opening mends it, and loses the power while it does. */
static void crash__while_a_copy_is_mended__opens(void **state)
{
    (void)state;
    for (int copy = 0; copy < 2; copy++) {
        struct run r;
        CLEANUP(keyset_freep) struct keyset *keys = NULL;

        run_begin(&r);
        struct mend m = {.world = &r.world};
        check_ok(ops_create(&r.world));
        memcpy(m.mac, keyring_file_current(r.world.h.file)->mac, sizeof m.mac);
        keyring_file_close(r.world.h.file);
        r.world.h.file = NULL;
        check_ok(atomic_file_write(r.io, r.world.dir, copy ? "keyring.1" : "keyring.0", 0600,
                                   view_text("garbage")));
        size_t from = crash_time(r.io);
        check_ok(keyring_file_open(r.io, r.world.dir, true, &r.world.h.file));
        check_ok(hierarchy_open(&r.world.h, &keys));
        size_t checked = crash_enumerate(r.io, from, PAGES_EXHAUSTIVE, 0, 1, check_mend, &m);
        print_message("mending copy %d: %zu states\n", copy, checked);
        assert_true(checked > 10);
        run_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crash__in_each_operation_in_a_row__old_or_new),
        cmocka_unit_test(crash__each_operation_twice__old_or_new),
        cmocka_unit_test(crash__while_a_copy_is_mended__opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
