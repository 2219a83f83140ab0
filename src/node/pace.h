/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/pace.h - how soon the control plane is asked again after it has answered.
 *
 * At once, as a rule: what it answers may be a revoke. But one that answers without end must not keep a node busy: not with answers that
 * say nothing, nor with too many that do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PACE_MS = 1000, PACE_ANSWERS_MAX = 50 /* in that time */ };

struct pace {
    uint64_t began_ms;
    unsigned answers;
};

/* pace_pause(p, now_ms, is_new): of an answer that comes now, and that says something new or not: the milliseconds to wait. */
uint64_t pace_pause(struct pace *p, uint64_t now_ms, bool is_new);
