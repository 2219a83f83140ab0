/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_time.c - points in time as AWS writes them. The calendar is base/clock's.
 */
#include "kms/aws_time.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { SECONDS_END = 19, FRACTION_MAX = 9 };

static bool two_digits(const char *text, int max, int *ret)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]))
        return false;
    *ret = (text[0] - '0') * 10 + (text[1] - '0');
    return *ret <= max;
}

/* What follows the fraction: Z or +HH:MM. */
static bool parse_zone(const char *text, int64_t *ret_s)
{
    int hours, minutes;

    *ret_s = 0;
    if (strcmp(text, "Z") == 0)
        return true;
    if (strlen(text) != 6 || !strchr("+-", text[0]) || text[3] != ':' ||
        !two_digits(text + 1, 23, &hours) || !two_digits(text + 4, 59, &minutes))
        return false;
    *ret_s = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
    return true;
}

static const char *skip_fraction(const char *text)
{
    size_t digits = text[0] == '.' ? strspn(text + 1, "0123456789") : 0;

    return digits >= 1 && digits <= FRACTION_MAX ? text + 1 + digits : text;
}

bool aws_time_iso(const char *text, int64_t *ret_s)
{
    char seconds[CLOCK_TEXT_BYTES];
    int64_t s, zone_s;

    if (strlen(text) <= SECONDS_END)
        return false;
    snprintf(seconds, sizeof seconds, "%.*sZ", SECONDS_END, text);
    if (!clock_parse(seconds, &s) || !parse_zone(skip_fraction(text + SECONDS_END), &zone_s))
        return false;
    *ret_s = s - zone_s;
    return true;
}

bool aws_time_http(const char *text, int64_t *ret_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4] = "", iso[CLOCK_TEXT_BYTES];

    /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    if (strlen(text) != 29 || memcmp(text + 3, ", ", 2) != 0 || strcmp(text + 25, " GMT") != 0)
        return false;
    memcpy(month, text + 8, 3);
    const char *at = strstr(months, month);
    if (!at || (at - months) % 3 != 0)
        return false;
    snprintf(iso, sizeof iso, "%.4s-%02d-%.2sT%.8sZ", text + 12, (int)(at - months) / 3 + 1,
             text + 5, text + 17);
    return clock_parse(iso, ret_s);
}
