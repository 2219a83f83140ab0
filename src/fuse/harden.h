/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/harden.h - what the volume process takes from itself before it loads a key.
 */
#pragma once

#include "base/rc.h"

struct harden_conf {
    bool is_swap_allowed; /* go on when memory cannot be locked */
    bool
        may_gain_nothing; /* programs started from here never get more rights (not when fusermount3,
                              which is set-user-id, is needed) */
};

enum { HARDEN_MEMLOCK_BYTES_MIN = 64 * 1024 * 1024 };

/*
 * harden_process(conf): no core files, not readable or traceable by others, memory locked, file mode mask
 * empty, as many descriptors as allowed. MEMLOCK names the limit and the ways out.
 */
ks_rc harden_process(const struct harden_conf *conf) KS_MUST;

/* harden_may_lock_memory(): whether the limit on locked memory does not bind this process. */
bool harden_may_lock_memory(void);
/* harden_memlock_check(limit, may_lock): MEMLOCK when limit bytes are not enough and nothing lifts the
 * limit. Pure, for harden_process and its test. */
ks_rc harden_memlock_check(uint64_t limit, bool may_lock) KS_MUST;
