/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cluster_rules.h - what a wish for a cluster may say, without looking at anything else. Pure functions.
 *
 * Faults are collected, so that one answer names them all. A dialect may be narrower than this, never wider.
 */
#pragma once

#include "control/cmek_spec.h"
#include "control/control.h"
#include "control/faults.h"

enum {
    CLUSTER_NAME_MAX = 63,
    LEASE_MS_DEFAULT = 60 * 1000,
    PROBE_MS_DEFAULT = 15 * 1000,
    GRACE_MS_DEFAULT = 3600 * 1000,
};

/* rules_name(name, f), rules_engine, rules_provider: texts that are written wrongly. */
void rules_name(const char *name, struct faults *f);
void rules_engine(const char *engine, struct faults *f);
void rules_provider(const char *provider, struct faults *f);
/* rules_extra(extra, f): NULL, or a JSON object of less than EXTRA_BYTES. */
void rules_extra(const char *extra, struct faults *f);
/* rules_lease(terms, f): fills in the defaults, then checks as `keystead volume create` does. */
void rules_lease(struct lease_terms *terms, struct faults *f);
/* rules_rotation(terms, f): 0, or from an hour to ten years. */
void rules_rotation(const struct rotation_terms *terms, struct faults *f);
/* rules_keys(regions, count, rules, f): their keys, where they have some; rules without region. */
void rules_keys(const struct region_wish *regions, size_t count, const struct spec_rules *rules,
                struct faults *f);
/* rules_regions(regions, count, served, served_count, f): 1 to REGIONS_MAX regions, no name twice, 1 to REGION_NODES_MAX nodes in
 * each, all of them served by nodes. */
void rules_regions(const struct region_wish *regions, size_t count,
                   const char (*served)[NAME_BYTES], size_t served_count, struct faults *f);
