/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/rekey.h - the re-encryption sweep: blocks of older generations get the newest one.
 *
 * Works on an open volume beside everything else. Each block is decrypted, sealed anew and written in
 * place under the lock that writers take, page by page, so at every moment, and after a power loss, a block is
 * whole in one generation or the other. A sweep that was ended goes on where it is started again: blocks that
 * have the newest generation are opened and left. Files that were removed but are still open are swept too, and
 * what was moved meanwhile is looked at again, so that a sweep that reached its end has seen every file.
 *
 * Everything that a finished sweep saw is durable, also what others wrote, cut off or removed: without that a power
 * loss could bring blocks of an older generation back whose key is destroyed by then.
 */
#pragma once

#include "base/clock.h"
#include "volume/volume.h"

struct rekey_progress {
    uint64_t files, blocks_seen, blocks_rewritten, blocks_damaged;
    uint64_t bytes_seen, bytes_rewritten; /* on disk: blocks * 4096 */
    uint64_t missed;                      /* objects that moved and could not be looked at again */
};

struct rekey_conf {
    struct volume *volume;
    struct clock *clock;
    uint64_t bytes_per_s; /* rewritten at most; 0: no bound */
    bool is_polite;       /* rests as long as it worked while others use the volume */
    /* rests more and more, up to a second after each round, while the reads, writes and syncs of others take longer than
     * this on average; 0: no bound */
    uint32_t latency_ms_max;
    /* progress(arg, p): after each round of at most 256 KiB; false ends the sweep with BUSY. NULL: none */
    bool (*progress)(void *arg, const struct rekey_progress *p);
    void *arg;
};

/*
 * rekey_run(conf, ret): the whole sweep; what it saw is durable on return. Damaged blocks are counted and
 * left alone. *ret is written in any case, as far as it came. LOCKED when the volume locks meanwhile; BUSY when
 * another sweep of the volume runs.
 */
ks_rc rekey_run(const struct rekey_conf *conf, struct rekey_progress *ret) KS_MUST;
