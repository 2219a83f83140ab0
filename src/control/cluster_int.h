/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cluster_int.h - what the files about clusters and regions share.
 */
#pragma once

#include "control/control_int.h"
#include "control/store.h"

/* cluster_find(v, by, id, ret): a cluster that by may see; NOT_FOUND for all others, with the same text. */
ks_rc cluster_find(struct store_view *v, const struct caller *by, const char *id,
                   struct cluster *ret) KS_MUST;
/* cluster_view_read(v, cluster, ret): with its regions and its newest running operation. */
ks_rc cluster_view_read(struct store_view *v, const struct cluster *cluster,
                        struct cluster_view **ret) KS_MUST;
/* cluster_bring(w, cluster): reconciles all its regions, then settles it. For the end of each change of a cluster, and the ticker. */
ks_rc cluster_bring(struct work *w, const char *cluster) KS_MUST;

/* -- regions (control/region.c) -------------------------------------------------------------------------------------- */

/* region_add(w, cluster, wish): the region, its keys, its volumes on nodes. STATE when no node serves it. */
ks_rc region_add(struct work *w, const struct cluster *cluster,
                 const struct region_wish *wish) KS_MUST;
/* region_scale(w, region, node_count): volumes with the highest ordinals go; new ones are placed. BUSY while too many are still going. */
ks_rc region_scale(struct work *w, const struct region *region, uint32_t node_count) KS_MUST;
/* region_remove(w, region): all of its volumes are to go; it goes after them. */
ks_rc region_remove(struct work *w, const struct region *region) KS_MUST;

/* -- operations of the life of clusters (control/task.c) ------------------------------------------------------------- */

struct task {
    enum operation_kind kind;
    size_t region_count;
    const char *regions[2 * REGIONS_MAX];
};
/* task_begin(w, by, cluster, task): a running operation with a step for each region. None of its regions: no operation. */
ks_rc task_begin(struct work *w, const struct caller *by, const struct cluster *cluster,
                 const struct task *task) KS_MUST;
/* task_is_life(kind): operations that cluster_settle ends; the others are CMEK's. */
bool task_is_life(enum operation_kind kind);

/* How far a region's volumes are, for operations and messages. */
struct region_stand {
    uint32_t wanted, there,
        going; /* there: of those wanted, open with their engine ready; going: not wanted and not gone */
    bool is_failing; /* text says what does not work; else it says what is waited for, or "" */
    char text[MESSAGE_BYTES];
};
struct task_scene {
    const struct cluster *cluster;
    const struct region *regions; /* as they are now */
    size_t region_count;
    const struct region_stand *stands; /* of the same regions */
};
/* task_settle(w, scene): moves and ends the running operations of the cluster's life. */
ks_rc task_settle(struct work *w, const struct task_scene *scene) KS_MUST;
/* task_patience_s(is_failing): how long what is begun may not get on before it counts as failed. */
int64_t task_patience_s(bool is_failing);
