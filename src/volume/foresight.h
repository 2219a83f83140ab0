/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/foresight.h - whether the write that just ended will be followed by a sync.
 *
 * Databases write a log as they always do: so many writes, a sync, as many writes, a sync. Once a file was seen to do so,
 * the sync after the last of these writes is foreseen. Pure: no I/O, no time, no lock. A wrong guess costs a flush of the
 * disk, so each one makes it harder to guess the next time.
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
    FORESIGHT_STREAK_MAX = 64, /* after many wrong guesses */
    FORESIGHT_WRITES_MAX =
        8, /* more are no commit, and the file system begins to write them by itself */
};

/* foresight_write(f): a write ended. True when a sync is to be expected now; at most once between two syncs. */
bool foresight_write(struct foresight *f);
/* foresight_sync(f): the sync is there. */
void foresight_sync(struct foresight *f);
/* foresight_break(f): something else happened that makes the past a bad guide. */
void foresight_break(struct foresight *f);
/* foresight_is_regular(f): whether the last syncs came after as many writes each. */
bool foresight_is_regular(const struct foresight *f);
