/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_versions.h - versions of keys and their states, for the files that make and use them.
 */
#pragma once

#include "localkms/gcp_call.h"

extern const char *const goog_protection_levels[]; /* for goog_enum */

/* goog_version_name(key, number, ret): its full resource name. */
void goog_version_name(const char *key, int64_t number, char ret[GOOG_NAME_BYTES + 40]);
/* goog_version_node(c, key, number, ret): an enabled version with new random material. */
ks_rc goog_version_node(struct goog_call *c, const struct goog_node *key, int64_t number,
                        struct goog_node **ret) KS_MUST;
/* goog_version_material(c, n, material): gives n this material, and an id for it. */
ks_rc goog_version_material(struct goog_call *c, struct goog_node *n, struct view material) KS_MUST;
/* goog_version_is_enabled(c, version): FAILED_PRECONDITION that names its state. */
bool goog_version_is_enabled(struct goog_call *c, const struct goog_node *version) KS_MUST;
/* goog_new_name(c, parameter, ret): the full name of a new member of the collection, its id from the query. */
bool goog_new_name(struct goog_call *c, const char *parameter, char ret[GOOG_NAME_BYTES]) KS_MUST;
bool goog_check_labels(struct goog_call *c) KS_MUST;
