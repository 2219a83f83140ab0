/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/capacity.h - whether a host has room for one more volume.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

enum {
    CAPACITY_VOLUME_MIB = 32,   /* locked memory of a volume process at work, and some more */
    CAPACITY_RESERVE_MIB = 128, /* for everybody else */
};

/* capacity_available(meminfo, ret_mib): "MemAvailable" of the text of /proc/meminfo. BAD_REPLY when it is not there. */
ks_rc capacity_available(struct view meminfo, uint64_t *ret_mib) KS_MUST;
/* capacity_judge(available_mib, volumes, volumes_max): LIMIT says what is missing and what to do; volumes_max 0: no bound. */
ks_rc capacity_judge(uint64_t available_mib, uint32_t volumes, uint32_t volumes_max) KS_MUST;
