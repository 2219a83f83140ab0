/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/clock.h - the seam for time. Nobody else asks the system what time it is.
 *
 * boot_ms counts suspend too (CLOCK_BOOTTIME) and is what leases and deadlines use; wall_s is
 * seconds since 1970 for records that people read.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct clock {
    uint64_t (*boot_ms)(struct clock *);
    int64_t (*wall_s)(struct clock *);
    void (*sleep_ms)(struct clock *, uint64_t ms); /* NULL: does not wait at all */
};

/* clock_system(): the real clocks; static storage, any thread. */
struct clock *clock_system(void);

/* A clock that stands still until it is told: for tests and simulation; who sleeps on it moves it on.
 * Not thread-safe. */
struct clock_manual {
    struct clock clock;
    uint64_t now_ms;
    int64_t now_s;
};
void clock_manual_init(struct clock_manual *c, uint64_t boot_ms, int64_t wall_s);

static inline uint64_t clock_boot_ms(struct clock *c)
{
    return c->boot_ms(c);
}

static inline int64_t clock_wall_s(struct clock *c)
{
    return c->wall_s(c);
}

/* clock_sleep_ms(c, ms): returns when ms have passed on this clock. */
static inline void clock_sleep_ms(struct clock *c, uint64_t ms)
{
    if (c->sleep_ms)
        c->sleep_ms(c, ms);
}

enum { CLOCK_TEXT_BYTES = 32 };
/* clock_format(wall_s, out): "2026-11-21T22:07:55Z"; "never" for 0. */
void clock_format(int64_t wall_s, char out[CLOCK_TEXT_BYTES]);
/* clock_parse(text, ret_s): the opposite, for exactly what clock_format writes of a time; false for anything
 * else, "never" included. */
bool clock_parse(const char *text, int64_t *ret_s);

/* Waiting for a condition with a time limit, which is about threads and not about decisions, always
 * uses the system's monotonic clock. clock_cond_init(c): a condition on that clock. clock_deadline(ms): the
 * absolute time ms from now, for pthread_cond_timedwait on it. */
void clock_cond_init(pthread_cond_t *c);
struct timespec clock_deadline(uint64_t ms);
