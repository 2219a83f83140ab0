/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/block_locks.h - which blocks are being overwritten in place.
 *
 * Writes that change a few blocks in the middle of a file exclude each other where they meet, and nowhere else: a database
 * writes many pages of one file at once. Whoever stands still on the disk with some blocks keeps nobody from any others, of that
 * file or another.
 * Invariant: nobody takes a second hold while he has one: no deadlock.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_LISTS = 64, BLOCK_HOLD_MAX = 8 };

/* Blocks that somebody holds. The memory is the holder's. */
struct block_hold {
    struct block_hold *next;
    uint64_t file, first;
    size_t count;
};

/* The holds of some files; its mutex is held to look and to change, never while a block is written. */
struct block_list {
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t given;  /* a hold was given back */
    struct block_hold *holds;
    unsigned waiting;
};

struct block_locks {
    struct block_list at[BLOCK_LISTS];
};

void block_locks_init(struct block_locks *l);
void block_locks_done(struct block_locks *l);
/* block_locks_take(l, file, first, count, ret): waits until nobody else holds blocks [first, first + count) of a file, which any number
 * identifies. count is at most BLOCK_HOLD_MAX. ret stays where it is until block_locks_give. */
void block_locks_take(struct block_locks *l, uint64_t file, uint64_t first, size_t count,
                      struct block_hold *ret);
void block_locks_give(struct block_locks *l, struct block_hold *h);
