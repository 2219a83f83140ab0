/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a lock does to the kernel's cache: a whole round behind the closed door, waited for up to the bound and no longer, made
 * again when the kernel could not do its part.
 */
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "check.h"
#include "fuse/process.h"
#include "volume_fixture.h"

enum { SOON_MS = 10000 };

/* The kernel, and what the session does there. */
static struct {
    sem_t entered, may_end;
    atomic_bool is_slow;
    _Atomic unsigned rounds, failing, scrubs; /* failing: so many rounds from now on */
    _Atomic unsigned rounds_scrubbed;         /* how many rounds had ended at the last scrub */
} kernel;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
ks_rc __wrap_session_invalidate(struct session *s);
ks_rc __wrap_session_scrub(struct session *s, uint32_t timeout_ms);
void __wrap_holders_count(struct holders *h);
/* NOLINTEND(bugprone-reserved-identifier) */

ks_rc __wrap_session_invalidate(struct session *s)
{
    (void)s;
    sem_post(&kernel.entered);
    if (kernel.is_slow)
        sem_wait(&kernel.may_end);
    kernel.rounds++;
    if (kernel.failing == 0)
        return KS_SUCCESS;
    kernel.failing--;
    return ks_fail_os(ENOMEM, "the kernel's cache of the volume");
}

ks_rc __wrap_session_scrub(struct session *s, uint32_t timeout_ms)
{
    (void)s, (void)timeout_ms;
    kernel.scrubs++;
    kernel.rounds_scrubbed = kernel.rounds;
    return KS_SUCCESS;
}

void __wrap_holders_count(struct holders *h)
{
    (void)h;
}

struct bench {
    struct process p; /* only what a lock looks at */
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
};

static int setup(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_in_memory(3584, &b->io, &b->keys, &b->f));
    b->p.clock = clock_system();
    b->p.volume = b->f->v;
    sem_init(&kernel.entered, 0, 0);
    sem_init(&kernel.may_end, 0, 0);
    kernel.is_slow = false;
    kernel.rounds = kernel.failing = kernel.scrubs = kernel.rounds_scrubbed = 0;
    check_ok(sweeper_start(lockdown_sweep, &b->p, &b->p.sweeper));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    assert_true(sweeper_stop(b->p.sweeper, SOON_MS));
    fixture_in_memory_free(b->io, b->keys, b->f);
    mem_free(b);
    return 0;
}

static uint64_t in_ms(struct bench *b, uint64_t ms)
{
    return clock_boot_ms(b->p.clock) + ms;
}

static void clean__round_does_not_end_by_the_bound__fails(void **state)
{
    struct bench *b = *state;

    kernel.is_slow = true;
    check_rc(lockdown_ops.clean(&b->p, in_ms(b, 1)), BUSY);
    kernel.is_slow = false;
    sem_post(&kernel.may_end);
    check_ok(lockdown_ops.clean(&b->p, in_ms(b, SOON_MS)));
}

/* The first round is cut off; what it left, and what was brought in until the door was closed, is for another. */
static void clean__first_round_still_runs__waits_for_one_that_begins_behind_the_door(void **state)
{
    struct bench *b = *state;

    kernel.is_slow = true;
    lockdown_ops.drain(&b->p, in_ms(b, 1));
    sem_wait(&kernel.entered);
    sem_post(&kernel.may_end);
    sem_post(&kernel.may_end);
    check_ok(lockdown_ops.clean(&b->p, in_ms(b, SOON_MS)));
    assert_int_equal(kernel.rounds, 2);
}

static void clean__what_the_kernel_sent_meanwhile__is_wiped_too(void **state)
{
    struct bench *b = *state;

    lockdown_ops.drain(&b->p, in_ms(b, SOON_MS));
    assert_int_equal(kernel.scrubs, 1);
    check_ok(lockdown_ops.clean(&b->p, in_ms(b, SOON_MS)));
    assert_int_equal(kernel.scrubs, 2);
    assert_int_equal(kernel.rounds_scrubbed, kernel.rounds);
}

static void clean__kernel_fails__another_round_is_made(void **state)
{
    struct bench *b = *state;

    kernel.failing = 2;
    check_ok(lockdown_ops.clean(&b->p, in_ms(b, SOON_MS)));
    assert_int_equal(kernel.rounds, 3);
}

static void clean__kernel_fails_for_ever__fails(void **state)
{
    struct bench *b = *state;

    kernel.failing = UINT_MAX;
    check_rc(lockdown_ops.clean(&b->p, in_ms(b, 100)), BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clean__round_does_not_end_by_the_bound__fails, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            clean__first_round_still_runs__waits_for_one_that_begins_behind_the_door, setup,
            teardown),
        cmocka_unit_test_setup_teardown(clean__what_the_kernel_sent_meanwhile__is_wiped_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(clean__kernel_fails__another_round_is_made, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(clean__kernel_fails_for_ever__fails, setup, teardown),
    };

    return cmocka_run_group_tests_name("lockdown", tests, NULL, NULL);
}
