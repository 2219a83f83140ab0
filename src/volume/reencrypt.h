/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/reencrypt.h - re-encryption as a whole: count, sweep, count again, destroy the keys that nothing needs.
 *
 * An older data key is destroyed only when a whole sweep has seen every file, a fresh count of the volume finds
 * no block under it, and no file is damaged: a damaged block may be one of an older generation, whatever it says, and who
 * mends it from a backup of the backing tree needs its key. So the sweep opens every block. Can be stopped at any round and
 * started again.
 */
#pragma once

#include "volume/backing.h"
#include "volume/rekey.h"
#include "volume/survey.h"

enum reencrypt_phase { REENCRYPT_COUNTING, REENCRYPT_REWRITING, REENCRYPT_CHECKING };

struct reencrypt_progress {
    enum reencrypt_phase phase;
    uint64_t bytes_rewritten,
        bytes_total; /* total: as counted before; others may rewrite some of it */
    uint64_t rate;   /* bytes per second since the sweep began */
    int64_t eta_s;   /* -1: not known */
};

struct reencrypt_conf {
    struct backing *backing; /* opened exclusively */
    struct volume *volume;   /* with its keys, door open */
    struct io *io;
    struct clock *clock;
    uint64_t bytes_per_s; /* as in struct rekey_conf, like the next three */
    bool is_polite;
    uint32_t latency_ms_max;
    bool (*progress)(void *arg, const struct reencrypt_progress *p);
    /* change_begin(arg), change_end(arg): around each use of the keyring, so that none falls into a rotation. A refusal
     * at the beginning is the result; at the end it keeps the keys. NULL: nobody else can change it */
    ks_rc (*change_begin)(void *arg) KS_MUST;
    void (*change_end)(void *arg);
    void *arg;
};

enum reencrypt_fate {
    FATE_UNKNOWN, /* the sweep did not come to its end */
    FATE_DESTROYED,
    FATE_HAS_BLOCKS,
    FATE_DAMAGE, /* it has no block, but something in the volume is damaged */
    FATE_MISSED, /* something moved and could not be looked at */
    FATE_REFUSED /* the change of the keyring was refused; see refusal */
};

struct reencrypt_generation {
    uint32_t generation;
    uint64_t blocks;
    enum reencrypt_fate fate;
};

enum { REENCRYPT_REASON_BYTES = 256 };

struct reencrypt_result {
    struct rekey_progress swept;
    uint64_t files_damaged, blocks_damaged, names_damaged;
    uint64_t blocks_unfinished; /* of files without a header: see struct survey */
    size_t count; /* the generations that were older ones at the beginning, ascending */
    struct reencrypt_generation *generations; /* owned */
    char refusal[REENCRYPT_REASON_BYTES];
};

/*
 * reencrypt_run(conf, ret): errors of change_begin; BUSY when progress said to stop or another sweep runs; LOCKED when the volume
 * locks; errors of the backing tree, and of backing_settle: a key that a copy of the keyring still holds is not told as destroyed, and
 * running it again tries that copy again. *ret tells how far it came, also then; reencrypt_done in every case.
 * Damage is no error.
 */
ks_rc reencrypt_run(const struct reencrypt_conf *conf, struct reencrypt_result *ret) KS_MUST;
void reencrypt_done(struct reencrypt_result *r);

/* reencrypt_because(r, g): why the generation was kept or could be destroyed, for people. */
const char *reencrypt_because(const struct reencrypt_result *r,
                              const struct reencrypt_generation *g);
