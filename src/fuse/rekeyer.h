/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/rekeyer.h - a thread that re-encrypts when it is asked to.
 *
 * Has the priority of everybody else: it holds locks of files while it works, and who is kept off the processor or the
 * disk with a lock keeps others waiting. It is slow by resting between its rounds (volume/rekey.h).
 */
#pragma once

#include <stdbool.h>

#include "base/rc.h"

struct rekeyer;

/* rekeyer_start(run, arg, ret): run(arg) is one re-encryption; it must end soon after the process began to end. */
ks_rc rekeyer_start(void (*run)(void *arg), void *arg, struct rekeyer **ret) KS_MUST;
/* rekeyer_ask(r): one more run, soon; none when one is asked for already. Does not wait. */
void rekeyer_ask(struct rekeyer *r);
/* rekeyer_stop(r, timeout_ms): whether the run has ended by then; one that has not is left behind, with r. NULL has ended. */
bool rekeyer_stop(struct rekeyer *r, uint32_t timeout_ms);
