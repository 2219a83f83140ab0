/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/ticker.h - the thread that does what is due: schedules, time-outs, what is kept in memory.
 */
#pragma once

#include "base/rc.h"

struct control;
struct ticker;

/* ticker_new(ret): remembers where the rounds stand. ticker_start(t, c): runs control_tick every TICK_MS from now on. */
ks_rc ticker_new(struct ticker **ret) KS_MUST;
ks_rc ticker_start(struct ticker *t, struct control *c) KS_MUST;
/* ticker_free(t): ends the thread first. */
void ticker_free(struct ticker *t);
