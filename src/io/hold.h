/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/hold.h - holding a directory against another process that would hold it too.
 */
#pragma once

#include "base/rc.h"

struct hold;

/* hold_directory(path, ret): an exclusive lock (flock(2)) on the directory itself, which ends with hold_end or with this
 * process. BUSY when another has it; OS errors. */
ks_rc hold_directory(const char *path, struct hold **ret) KS_MUST;
/* hold_end(h): for CLEANUP; NULL does nothing. */
void hold_end(struct hold **h);
