/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/keep.h - replies that are asked for over and over, kept as texts while nothing has changed.
 *
 * A reply belongs to a route, a cluster, the organisation that asked for it and the cluster's version (control_version): with
 * any change of the cluster it is not found any more. Bounded in number and size; a newer reply takes the place of an older one.
 */
#pragma once

#include "base/buf.h"
#include "control/model.h"

struct keeper; /* thread-safe */

struct keep_key {
    const void *route; /* static storage: compared, never looked at */
    const char *cluster, *organisation;
    uint64_t version;
};

/* keeper_new(count, ret): room for count replies of at most 8 KiB; longer ones are not kept. */
ks_rc keeper_new(size_t count, struct keeper **ret) KS_MUST;
void keeper_free(struct keeper *k);
/* keeper_find(k, key, ret, ret_revision): appends the reply; false when there is none of that version. */
bool keeper_find(struct keeper *k, const struct keep_key *key, struct buf *ret,
                 int64_t *ret_revision);
/* keeper_put(k, key, text, revision): keeps it, if there is memory for it. */
void keeper_put(struct keeper *k, const struct keep_key *key, struct view text, int64_t revision);
