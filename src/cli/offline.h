/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/offline.h - a volume that nobody mounts, for commands that decrypt or re-encrypt by themselves.
 */
#pragma once

#include "cli/target.h"
#include "volume/volume.h"

/* offline_volume(t, ret): after target_unlock, whose keys it takes over; door open. t must outlive it. */
ks_rc offline_volume(struct target *t, struct volume **ret) KS_MUST;
void offline_freep(struct volume **v);
