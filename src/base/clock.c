/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/clock.c - the system's clocks and one that tests can turn.
 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

static void system_sleep_ms(struct clock *c, uint64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    (void)c;
    while (clock_nanosleep(CLOCK_BOOTTIME, 0, &left, &left) == EINTR)
        ;
}

struct clock *clock_system(void)
{
    static struct clock system = {system_boot_ms, system_wall_s, system_sleep_ms};

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

static void manual_sleep_ms(struct clock *c, uint64_t ms)
{
    struct clock_manual *m = (struct clock_manual *)(void *)c;

    m->now_s += (int64_t)((m->now_ms % 1000 + ms) / 1000);
    m->now_ms += ms;
}

void clock_manual_init(struct clock_manual *c, uint64_t boot_ms, int64_t wall_s)
{
    *c = (struct clock_manual){{manual_boot_ms, manual_wall_s, manual_sleep_ms}, boot_ms, wall_s};
}

void clock_format(int64_t wall_s, char out[CLOCK_TEXT_BYTES])
{
    time_t t = (time_t)wall_s;
    struct tm tm;

    if (wall_s == 0 || !gmtime_r(&t, &tm) ||
        strftime(out, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, CLOCK_TEXT_BYTES, "never");
}

bool clock_parse(const char *text, int64_t *ret_s)
{
    struct tm tm = {0};
    char again[CLOCK_TEXT_BYTES];
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

    if (!end || *end)
        return false;
    int64_t s = (int64_t)timegm(&tm);
    clock_format(s, again); /* strptime takes more than was ever written */
    if (strcmp(again, text) != 0)
        return false;
    *ret_s = s;
    return true;
}

void clock_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

struct timespec clock_deadline(uint64_t ms)
{
    enum { NS = 1000000000 };
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= NS) {
        t.tv_sec++;
        t.tv_nsec -= NS;
    }
    return t;
}
