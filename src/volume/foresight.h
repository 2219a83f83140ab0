/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/foresight.h - whether the write that just ended will be followed by a sync.
 *
 * Databases write a log as they always do: so many writes, a sync, as many writes, a sync. Once a file was seen to do so,
 * the sync after the last of these writes is foreseen. Pure: no I/O, no time, no lock. A wrong guess costs a flush of the
 * disk, so each one makes it harder to guess the next time.
 *
 * Where a sync follows many writes, as at a checkpoint, the last one is not guessed. The disk begins with those that have been
 * made while the others come, and the sync finds less to do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct foresight {
    uint16_t writes; /* since the last sync */
    uint16_t usual;  /* how many there were before each of the last syncs */
    uint16_t streak; /* of how many syncs in a row that is true */
    uint16_t needed; /* a streak this long is believed, and FORESIGHT_STREAK_MIN more */
    bool has_guessed;
};

enum {
    FORESIGHT_STREAK_MIN = 2,
    FORESIGHT_STREAK_MAX = 64,    /* after many wrong guesses */
    FORESIGHT_WRITES_MAX = 8,     /* more are no commit */
    FORESIGHT_BATCH = 8,          /* the disk begins after so many */
    FORESIGHT_BATCHED_MAX = 4096, /* who syncs after more than this is not waiting for it */
};

/* foresight_write(f): a write ended. True when a sync is to be expected now; at most once between two syncs. */
bool foresight_write(struct foresight *f);
/* foresight_may_begin(f): after a write: whether the disk should begin with what was written since the last sync, if there is a way
 * that waits for nothing. Only until there were as many writes as before the last sync. */
bool foresight_may_begin(const struct foresight *f);
/* foresight_sync(f): the sync is there. */
void foresight_sync(struct foresight *f);
/* foresight_break(f): something else happened that makes the past a bad guide. */
void foresight_break(struct foresight *f);
/* foresight_is_regular(f): whether the last syncs came after as many writes each. */
bool foresight_is_regular(const struct foresight *f);
