/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/duration.h - spans of time as people write them: "500ms", "15s", "60m", "24h", "30d".
 */
#pragma once

#include "base/rc.h"

enum { DURATION_TEXT_BYTES = 32 };
#define DURATION_MS_MAX (UINT64_C(3650) * 24 * 3600 * 1000)

/* duration_parse(text, ret_ms): a whole number and one unit, at most ten years; a bare 0 needs no unit. USAGE
 * with an example for everything else. */
ks_rc duration_parse(const char *text, uint64_t *ret_ms) KS_MUST;

/* duration_format(ms, out): exact, in the largest unit that divides it: "60s" is "1m". */
void duration_format(uint64_t ms, char out[DURATION_TEXT_BYTES]);
/* duration_format_rough(ms, out): rounded down for people: "29 days", "42 s". */
void duration_format_rough(uint64_t ms, char out[DURATION_TEXT_BYTES]);
