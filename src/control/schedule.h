/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/schedule.h - rotations that come by themselves, as a cluster's terms say.
 *
 * When each level of a cluster is due next stands in the store. Times that were missed while nothing ran are made up for once. What
 * cannot be begun when it is due (an operation is at work, the region is revoked) is tried again a little later.
 */
#pragma once

#include "control/control_int.h"

/* schedule_settle(w, cluster): brings what is due next to the cluster's terms. For the end of each change of them. */
ks_rc schedule_settle(struct work *w, const struct cluster *cluster) KS_MUST;
/* schedule_tick(c): begins what is due by now, a bounded batch of it. */
ks_rc schedule_tick(struct control *c) KS_MUST;
