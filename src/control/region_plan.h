/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/region_plan.h - the regions that a cluster is to have against those it has: what is added, scaled, removed.
 *
 * A pure function. Regions that are being removed do not count as there; one cannot be added again before it is gone.
 */
#pragma once

#include "control/control.h"
#include "control/faults.h"

enum plan_action { PLAN_KEEP, PLAN_ADD, PLAN_SCALE, PLAN_REMOVE };

struct plan_step {
    enum plan_action action;
    const struct region_wish *wish; /* NULL: PLAN_REMOVE */
    const struct region *there;     /* NULL: PLAN_ADD */
};

struct region_plan {
    size_t count, changes; /* changes: steps that are not PLAN_KEEP */
    struct plan_step steps[2 * REGIONS_MAX];
};

/*
 * region_plan_make(there, there_count, wish, wish_count, f, ret): wishes are of good form (cluster_rules.h). Faults: a key for
 * a region that is there, a region without keys in a cluster whose regions have some, one that is still being removed, a region
 * that is revoked and is to be scaled.
 */
void region_plan_make(const struct region *there, size_t there_count,
                      const struct region_wish *wish, size_t wish_count, struct faults *f,
                      struct region_plan *ret);
