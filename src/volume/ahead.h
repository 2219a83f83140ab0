/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/ahead.h - whether files of a directory are worth reading before they are asked for, and how many.
 *
 * The size of a file stands in its last block, so that whoever asks for the attributes of a file that is not known waits for
 * the disk. Who has asked for several of one directory, one after another, will ask for more: for those with the inode numbers
 * next to the last one, up or down. Pure: no I/O, no time, no lock.
 *
 * One directory at a time. Every file that is read costs credit, every one that is asked for afterwards brings some; without credit
 * the guess was wrong, and the directory has to give more reason the next time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AHEAD_STREAK = 4,     /* files of one directory that were not known, one after another */
    AHEAD_FIRST = 32,     /* so many are read ahead at first, */
    AHEAD_MOST = 256,     /* and so many while they are asked for */
    AHEAD_CREDIT = 128,   /* files that may be read before one of them is asked for */
    AHEAD_REWARD = 4,     /* for one that is */
    AHEAD_ENTRIES = 256,  /* of the directory that may be listed for each file that was asked for */
    AHEAD_DOUBT_MAX = 10, /* doublings of the streak */
};

/* A zeroed struct has seen nothing. */
struct ahead {
    const void *dir;  /* whose files are read ahead; NULL: none */
    uint64_t last;    /* the number of the file of it that was asked for last */
    bool is_down;     /* whether lower numbers are expected next */
    bool is_moved;    /* last is not where reading ahead had expected it: it has to begin there */
    unsigned window;  /* how many may be out */
    unsigned out;     /* read or being read since it began at last, and not asked for yet */
    unsigned credit;  /* how many more may be read */
    uint64_t asked;   /* files of dir, since it was chosen */
    const void *seen; /* the directory of the last file that was not known, */
    unsigned streak;  /* and how many of it came one after another */
    uint64_t seen_ino;
    unsigned doubt; /* wrong guesses in a row */
};

/* ahead_cold(a, dir, ino): a file was asked for that had to be read. True: dir is chosen by that. */
bool ahead_cold(struct ahead *a, const void *dir, uint64_t ino);
/* ahead_hit(a, dir, ino): one was asked for that had been read ahead. */
void ahead_hit(struct ahead *a, const void *dir, uint64_t ino);
/* ahead_begin(a): reading begins at a->last, if it has to. Whether it has. */
bool ahead_begin(struct ahead *a);
/* ahead_take(a, most): how many are to be read now. ahead_give_back(a, count): so many of them were not. */
unsigned ahead_take(struct ahead *a, unsigned most);
void ahead_give_back(struct ahead *a, unsigned count);
/* ahead_is_due(a): whether there is room enough for reading to go on, once it has stopped because there was none. */
bool ahead_is_due(const struct ahead *a);
/* ahead_entries(a): how much of dir may have been listed by now, in entries. */
uint64_t ahead_entries(const struct ahead *a);
/* ahead_end(a): nobody is interested in dir any more. */
void ahead_end(struct ahead *a);
