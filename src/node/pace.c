/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/pace.c - counts answers of the present second.
 */
#include "node/pace.h"

uint64_t pace_pause(struct pace *p, uint64_t now_ms, bool is_new)
{
    if (now_ms - p->began_ms >= PACE_MS)
        *p = (struct pace){.began_ms = now_ms};
    p->answers++;
    if (!is_new)
        return PACE_MS;
    return p->answers < PACE_ANSWERS_MAX ? 0 : PACE_MS - (now_ms - p->began_ms);
}
