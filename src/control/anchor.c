/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/anchor.c - the rule by which a remembered version rises and falls.
 */
#include "control/anchor.h"

#include <string.h>

bool anchor_take(struct anchor *a, const struct anchor *heard)
{
    bool is_same = strcmp(a->volume, heard->volume) == 0;

    if (heard->accepted < a->accepted)
        return false;
    if (heard->accepted == a->accepted && a->volume[0] &&
        (!is_same || heard->sequence <= a->sequence))
        return false;
    if (heard->accepted == a->accepted && !heard->volume[0])
        return false;
    *a = *heard;
    return true;
}

bool anchor_is_of(const struct anchor *a, const char *volume)
{
    return !a->volume[0] || strcmp(a->volume, volume) == 0;
}

bool anchor_holds(const struct anchor *a, const char *volume, int64_t sequence)
{
    return !a->volume[0] || (anchor_is_of(a, volume) && sequence >= a->sequence);
}
