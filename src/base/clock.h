/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/clock.h - the seam for time. Nobody else asks the system what time it is.
 *
 * boot_ms counts suspend too (CLOCK_BOOTTIME) and is what leases and deadlines use; wall_s is
 * seconds since 1970 for records that people read.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct clock {
    uint64_t (*boot_ms)(struct clock *);
    int64_t (*wall_s)(struct clock *);
};

/* clock_system(): the real clocks; static storage, any thread. */
struct clock *clock_system(void);

/* A clock that stands still until it is told: for tests and simulation. Not thread-safe. */
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

enum { CLOCK_TEXT_BYTES = 32 };
/* clock_format(wall_s, out): "2026-11-21T22:07:55Z"; "never" for 0. */
void clock_format(int64_t wall_s, char out[CLOCK_TEXT_BYTES]);
