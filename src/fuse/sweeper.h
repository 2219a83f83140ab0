/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/sweeper.h - a thread that makes the kernel drop its cache, so that nobody has to wait for the kernel.
 *
 * Invalidation blocks while the kernel writes back; if that hangs, the lock goes on without it.
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
