/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/limit.h - how often somebody may ask: a bucket of tokens for each name, that fills at a steady rate up to twice a second's worth.
 *
 * Holds a fixed number of buckets. When there are more names, the one that has not asked for longest gives its bucket up, and would begin
 * with a full one: nobody is refused because others ask. Thread-safe.
 */
#pragma once

#include "base/clock.h"
#include "base/rc.h"

struct limiter;

/* limiter_new(per_second, clock, ret): 0: no limit. */
ks_rc limiter_new(uint32_t per_second, struct clock *clock, struct limiter **ret) KS_MUST;
void limiter_free(struct limiter *l);
/* limiter_take(l, name): 0, and one token less; or the seconds after which there will be one. */
uint32_t limiter_take(struct limiter *l, const char *name);
