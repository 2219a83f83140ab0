/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whenever the power goes while a revocation is recorded or its record is removed, the volume is revoked or
 * not as before or as after; what reported success is there for good. Every time, every prefix of the
 * metadata operations, every subset of the pending page writes.
 */
#include "check.h"

#include "enumerate.h"
#include "volume/revoked.h"

enum { NOW = 1900000000, PAGES_EXHAUSTIVE = 12, STEPS_MAX = 8 };

/* A run of revokes and restores: when each had ended, and what was true by then. */
struct run {
    struct io *io;
    struct io_node *dir;
    size_t count;
    size_t ended_at[STEPS_MAX + 1];
    bool is_revoked[STEPS_MAX + 1];
    size_t states[STEPS_MAX], old[STEPS_MAX], new[STEPS_MAX];
};

static void step(struct run *r, bool is_revoked)
{
    check_ok(is_revoked ? revoked_set(r->io, r->dir, NOW) : revoked_clear(r->io, r->dir));
    r->count++;
    r->ended_at[r->count] = crash_time(r->io);
    r->is_revoked[r->count] = is_revoked;
}

/* The step under way at time t; the last one when all had ended. */
static size_t step_at(const struct run *r, size_t t)
{
    size_t i = 0;

    while (i + 1 < r->count && t > r->ended_at[i + 1])
        i++;
    return i;
}

static ks_rc look(struct io *io, bool *ret, int64_t *ret_s)
{
    struct io_node *dir;

    TRY(io->ops->open_root(io, "/", &dir));
    ks_rc rc = revoked_check(io, dir, ret);
    if (ks_ok(rc))
        rc = revoked_time(io, dir, ret_s);
    io->ops->node_close(io, dir);
    return rc;
}

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    struct run *r = arg;
    size_t i = step_at(r, state->time);
    bool is_revoked, was = r->is_revoked[i], will = r->is_revoked[i + 1];
    int64_t s;

    TRY(look(rebuilt, &is_revoked, &s));
    ENSURE(is_revoked == (s == NOW), KS_E_BUG, "a record without its time");
    ENSURE(is_revoked == will || state->time < r->ended_at[i + 1], KS_E_BUG,
           "what reported success is gone");
    ENSURE(is_revoked == was || is_revoked == will, KS_E_BUG, "neither old nor new");
    r->states[i]++;
    r->old[i] += is_revoked == was;
    r->new[i] += is_revoked == will;
    return KS_SUCCESS;
}

static void crash__revoke_and_restore__old_or_new(void **state)
{
    static const bool steps[] = {true, false, true, true, false, false, true};
    enum { COUNT = sizeof steps / sizeof steps[0] };
    struct run r = {0};
    size_t sum = 0;

    (void)state;
    check_ok(crash_new(&r.io));
    check_ok(r.io->ops->open_root(r.io, "/", &r.dir));
    for (size_t i = 0; i < COUNT; i++)
        step(&r, steps[i]);
    size_t checked = crash_enumerate(r.io, 0, PAGES_EXHAUSTIVE, 0, 1, check_state, &r);
    for (size_t i = 0; i < COUNT; i++) {
        print_message("%s: %zu states, %zu old, %zu new\n", steps[i] ? "revoke" : "restore",
                      r.states[i], r.old[i], r.new[i]);
        assert_true(r.old[i] > 0 && r.new[i] > 0);
        sum += r.states[i];
    }
    assert_int_equal(sum, checked);
    assert_true(checked > 40);
    r.io->ops->node_close(r.io, r.dir);
    crash_free(r.io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crash__revoke_and_restore__old_or_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
