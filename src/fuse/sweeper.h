/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/sweeper.h - a thread that does one thing again whenever it is asked to, so that nobody has to wait for the kernel.
 *
 * Invalidation blocks while the kernel writes back; if that hangs, the lock goes on without it. Counting who has files
 * open (fuse/holders.h) takes as long as there are processes.
 */
#pragma once

#include "base/rc.h"

struct sweeper;

/* sweeper_start(sweep, arg, ret): sweep(arg) is what one round does. */
ks_rc sweeper_start(void (*sweep)(void *arg), void *arg, struct sweeper **ret) KS_MUST;
/* sweeper_stop(s, timeout_ms): like prober_stop. */
bool sweeper_stop(struct sweeper *s, uint32_t timeout_ms);
/* sweeper_round(s, timeout_ms): has a whole round made and waits for it; false when it took too long: it
 * goes on in the background. */
bool sweeper_round(struct sweeper *s, uint64_t timeout_ms);
/* sweeper_ask(s): has a whole round made, and sweeper_await(s, timeout_ms) waits for all that were asked for: sweeper_round
 * in two steps. */
void sweeper_ask(struct sweeper *s);
bool sweeper_await(struct sweeper *s, uint64_t timeout_ms);
