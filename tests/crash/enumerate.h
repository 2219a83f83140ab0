/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/enumerate.h - every state that a power loss may leave, one after another.
 *
 * Use: run the operations under test on a crash file system (io/crash.h) and note crash_time() after
 * each one that promised something; then enumerate. The check opens the rebuilt file system as a
 * restart would and compares: what was promised at or before state->time must be there, what began
 * after it must not, and what was under way is old or new. In meson: dependency crash_enumerate.
 */
#pragma once

#include "io/crash.h"

/* One power loss. */
struct crash_state {
    size_t time;                    /* events that had happened, see crash_time() */
    size_t metadata, metadata_kept; /* pending metadata operations, and how many survived */
    size_t pages;                   /* pending page writes */
    const bool *is_kept;            /* pages entries: which of them survived */
};

/* The check gets a file system of its own for each state (freed by crash_enumerate) and may change it.
 * It may assert with cmocka or return a failure, which fails the test and prints the state. */
typedef ks_rc (*crash_check_fn)(void *arg, struct io *rebuilt, const struct crash_state *state);

/*
 * crash_enumerate(crashed, from_time, pages_exhaustive_max, samples, seed, check, arg): calls check
 * for every time from from_time to the end and every prefix of the pending metadata operations, with
 * every subset of the pending page writes when there are at most pages_exhaustive_max of them (at most
 * 20), else with none, all, and samples subsets drawn from seed. Same arguments, same states.
 * Returns how many states were checked. crashed stays as it is.
 */
size_t crash_enumerate(struct io *crashed, size_t from_time, size_t pages_exhaustive_max,
                       size_t samples, uint64_t seed, crash_check_fn check, void *arg);

/* crash_sequences(otherwise), crash_seed(otherwise): how many random sequences a test shall run and from which
 * seed: KEYSTEAD_CRASH_SEQUENCES and KEYSTEAD_CRASH_SEED of the environment, for long runs by hand. */
size_t crash_sequences(size_t otherwise);
unsigned crash_seed(unsigned otherwise);

/* crash_state_text(state): one line that names the state; static storage. */
const char *crash_state_text(const struct crash_state *state);
