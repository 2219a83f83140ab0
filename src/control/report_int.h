/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/report_int.h - what the files that take in reports share.
 */
#pragma once

#include "control/control_int.h"
#include "control/report_read.h"
#include "control/store.h"

struct taking_mark {
    char cluster[ID_BYTES], region[NAME_BYTES];
};

/* A report on its way into the store. */
struct taking {
    struct work *w;
    const char *node;
    struct cluster cluster; /* that an event was about last */
    size_t mark_count;
    struct taking_mark *marks; /* regions that have changed */
    bool *are_signed;          /* for each receipt: its signature was verified before w began */
    json_t *refused;           /* [{"part", "at", "message"}] */
};

/* taking_cluster(t, v): its cluster is in t->cluster. */
ks_rc taking_cluster(struct taking *t, const struct cluster_volume *v) KS_MUST;
/* taking_mark(t, v): its region is brought on at the end, then its cluster. */
ks_rc taking_mark(struct taking *t, const struct cluster_volume *v) KS_MUST;
/* taking_volume(t, from, v): what is reported of v, a row of the store; written and marked when something has changed. */
ks_rc taking_volume(struct taking *t, const struct report_volume *from,
                    struct cluster_volume *v) KS_MUST;
