/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/enumerate.c - walks through the states after a power loss.
 */
#include "enumerate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

enum { EXHAUSTIVE_MAX = 20, TEXT_BYTES = 512 };

/* What stays the same during one enumeration, and the state it is at. */
struct walk {
    struct io *crashed;
    struct crash_state state;
    bool *is_kept;
    uint64_t seed;
    size_t checked;
    crash_check_fn check;
    void *arg;
};

static unsigned long number_wanted(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);

    return text ? strtoul(text, NULL, 10) : otherwise;
}

size_t crash_sequences(size_t otherwise)
{
    return number_wanted("KEYSTEAD_CRASH_SEQUENCES", otherwise);
}

unsigned crash_seed(unsigned otherwise)
{
    return (unsigned)number_wanted("KEYSTEAD_CRASH_SEED", otherwise);
}

const char *crash_state_text(const struct crash_state *state)
{
    static char text[TEXT_BYTES];
    size_t used = (size_t)snprintf(text, sizeof text, "time %zu, metadata %zu of %zu, pages ",
                                   state->time, state->metadata_kept, state->metadata);

    for (size_t i = 0; i < state->pages && used + 1 < sizeof text; i++)
        text[used++] = state->is_kept[i] ? '1' : '0';
    text[used] = '\0';
    return text;
}

/* splitmix64: small, and the same on every machine. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static bool is_page_kept(void *arg, size_t i)
{
    const struct walk *w = arg;

    return w->is_kept[i];
}

static void check_state(struct walk *w)
{
    struct io *rebuilt = NULL;
    ks_rc rc =
        crash_rebuild(w->crashed, w->state.time, w->state.metadata_kept, is_page_kept, w, &rebuilt);

    if (ks_ok(rc))
        rc = w->check(w->arg, rebuilt, &w->state);
    crash_free(rebuilt);
    w->checked++;
    if (!ks_ok(rc))
        fail_msg("%s: %s: %s", crash_state_text(&w->state), ks_name(rc), ks_text(rc));
}

static void check_subset(struct walk *w, uint64_t subset)
{
    for (size_t i = 0; i < w->state.pages; i++)
        w->is_kept[i] = subset >> i & 1;
    check_state(w);
}

static void check_all_or_none(struct walk *w, bool is_all)
{
    for (size_t i = 0; i < w->state.pages; i++)
        w->is_kept[i] = is_all;
    check_state(w);
}

static void check_sample(struct walk *w)
{
    for (size_t i = 0; i < w->state.pages; i++)
        w->is_kept[i] = next_random(&w->seed) >> 63;
    check_state(w);
}

static void check_page_choices(struct walk *w, size_t pages_exhaustive_max, size_t samples)
{
    if (w->state.pages <= pages_exhaustive_max) {
        for (uint64_t subset = 0; subset < (uint64_t)1 << w->state.pages; subset++)
            check_subset(w, subset);
        return;
    }
    check_all_or_none(w, false);
    check_all_or_none(w, true);
    for (size_t i = 0; i < samples; i++)
        check_sample(w);
}

static void check_time(struct walk *w, size_t pages_exhaustive_max, size_t samples)
{
    crash_pending(w->crashed, w->state.time, &w->state.pages, &w->state.metadata);
    for (size_t kept = 0; kept <= w->state.metadata; kept++) {
        w->state.metadata_kept = kept;
        check_page_choices(w, pages_exhaustive_max, samples);
    }
}

size_t crash_enumerate(struct io *crashed, size_t from_time, size_t pages_exhaustive_max,
                       size_t samples, uint64_t seed, crash_check_fn check, void *arg)
{
    CLEANUP(mem_freep) bool *is_kept = NULL;
    size_t end = crash_time(crashed);
    struct walk w = {.crashed = crashed, .seed = seed, .check = check, .arg = arg};

    assert_true(pages_exhaustive_max <= EXHAUSTIVE_MAX);
    /* never more pending page writes than events */
    assert_true(ks_ok(mem_new(end + 1, sizeof *is_kept, &is_kept)));
    w.state.is_kept = w.is_kept = is_kept;
    for (size_t t = from_time; t <= end; t++) {
        w.state.time = t;
        check_time(&w, pages_exhaustive_max, samples);
    }
    return w.checked;
}
