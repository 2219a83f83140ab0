/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/place.h - on which nodes the volumes of a region go. A pure function of what nodes there are.
 *
 * A volume goes to a node that is heard, that has the fewest volumes of the same region of the same cluster, and among these to the
 * one with the fewest volumes at all. So volumes of a region stand on as many nodes as there are, and several on one
 * when there are fewer nodes than volumes. What is placed once is never moved.
 */
#pragma once

#include "base/rc.h"
#include "control/model.h"

struct place_node {
    char id[ID_BYTES];
    uint32_t volumes; /* that it has, of anybody */
    uint32_t own;     /* of them in this region of this cluster */
    bool is_away;     /* is taken only when all are */
};

/* place_volumes(nodes, count, wanted, ret): for each of wanted volumes the index of its node; counts in nodes rise with it. STATE when
 * there is no node. */
ks_rc place_volumes(struct place_node *nodes, size_t count, size_t wanted, size_t *ret) KS_MUST;
