/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/block_locks.h - which blocks are being overwritten in place.
 *
 * Writes that change a few blocks in the middle of a file exclude each other where they meet, and nowhere else: a database
 * writes many pages of one file at once. There is a fixed number of locks for all blocks of a volume, so two blocks that have
 * nothing in common may share one.
 *
 * Invariant: a hold's locks are taken in ascending order, and nobody takes a second hold: no deadlock.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_LOCKS = 256, BLOCK_HOLD_MAX = 8 };

struct block_locks {
    pthread_mutex_t at[BLOCK_LOCKS];
};

/* The locks that somebody holds, in ascending order. */
struct block_hold {
    size_t count;
    uint16_t which[BLOCK_HOLD_MAX];
};

void block_locks_init(struct block_locks *l);
void block_locks_done(struct block_locks *l);
/* block_locks_take(l, file, first, count, ret): waits until nobody else holds blocks [first, first + count) of a file, which any number
 * identifies. count is at most BLOCK_HOLD_MAX. Given back by block_locks_give, by the same thread. */
void block_locks_take(struct block_locks *l, uint64_t file, uint64_t first, size_t count,
                      struct block_hold *ret);
void block_locks_give(struct block_locks *l, const struct block_hold *h);
