/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/clock.c - the system's clocks and one that tests can turn.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t system_boot_ms(struct clock *c)
{
    struct timespec t;

    (void)c;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int64_t system_wall_s(struct clock *c)
{
    (void)c;
    return (int64_t)time(NULL);
}

struct clock *clock_system(void)
{
    static struct clock system = {system_boot_ms, system_wall_s};

    return &system;
}

static uint64_t manual_boot_ms(struct clock *c)
{
    return ((struct clock_manual *)(void *)c)->now_ms;
}

static int64_t manual_wall_s(struct clock *c)
{
    return ((struct clock_manual *)(void *)c)->now_s;
}

void clock_manual_init(struct clock_manual *c, uint64_t boot_ms, int64_t wall_s)
{
    *c = (struct clock_manual){{manual_boot_ms, manual_wall_s}, boot_ms, wall_s};
}

void clock_format(int64_t wall_s, char out[CLOCK_TEXT_BYTES])
{
    time_t t = (time_t)wall_s;
    struct tm tm;

    if (wall_s == 0 || !gmtime_r(&t, &tm))
        snprintf(out, CLOCK_TEXT_BYTES, "never");
    else
        strftime(out, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
