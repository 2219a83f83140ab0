/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/duration.c - spans of time as people write them.
 */
#include "cli/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS_MAX = 12 };

static const struct {
    const char *name;
    uint64_t ms;
    const char *rough;
} units[] = {
    {"d", 86400000, "days"}, {"h", 3600000, "hours"}, {"m", 60000, "min"},
    {"s", 1000, "s"},        {"ms", 1, "ms"},
};

enum { UNIT_COUNT = sizeof units / sizeof units[0] };

static uint64_t unit_ms(const char *name)
{
    for (size_t i = 0; i < UNIT_COUNT; i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].ms;
    return 0;
}

ks_rc duration_parse(const char *text, uint64_t *ret_ms)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t n = 0;

    for (size_t i = 0; i < digits && digits <= DIGITS_MAX; i++)
        n = n * 10 + (uint64_t)(text[i] - '0');
    uint64_t unit = n == 0 && text[digits] == '\0' ? 1 : unit_ms(text + digits);
    ENSURE(
        digits > 0 && unit > 0, KS_E_USAGE,
        "\"%.40s\" is no span of time; write a whole number and ms, s, m, h or d, e.g. 15s, 60m, "
        "30d",
        text);
    ENSURE(digits <= DIGITS_MAX && n <= DURATION_MS_MAX / unit, KS_E_USAGE,
           "\"%.40s\" is too long a time; at most 3650d are possible", text);
    *ret_ms = n * unit;
    return KS_SUCCESS;
}

void duration_format(uint64_t ms, char out[DURATION_TEXT_BYTES])
{
    size_t i = 0;

    while (i < UNIT_COUNT - 1 && ms % units[i].ms != 0)
        i++;
    if (ms == 0)
        snprintf(out, DURATION_TEXT_BYTES, "0s");
    else
        snprintf(out, DURATION_TEXT_BYTES, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
}

void duration_format_rough(uint64_t ms, char out[DURATION_TEXT_BYTES])
{
    size_t i = 0;

    /* Two of a unit at least: "90 min" says more than "1 hours". */
    while (i < UNIT_COUNT - 2 && ms < 2 * units[i].ms)
        i++;
    snprintf(out, DURATION_TEXT_BYTES, "%" PRIu64 " %s", ms / units[i].ms, units[i].rough);
}
