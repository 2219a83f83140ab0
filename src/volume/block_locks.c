/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/block_locks.c - locks of single blocks.
 */
#include "volume/block_locks.h"

void block_locks_init(struct block_locks *l)
{
    for (size_t n = 0; n < BLOCK_LOCKS; n++)
        pthread_mutex_init(&l->at[n], NULL);
}

void block_locks_done(struct block_locks *l)
{
    for (size_t n = 0; n < BLOCK_LOCKS; n++)
        pthread_mutex_destroy(&l->at[n]);
}

static uint16_t lock_of(uint64_t file, uint64_t block)
{
    uint64_t h = (file * 0x9e3779b97f4a7c15u ^ block) * 0x9e3779b97f4a7c15u;

    return (uint16_t)((h >> 32) % BLOCK_LOCKS);
}

/* Keeps the order, and each lock once. */
static void add(struct block_hold *h, uint16_t lock)
{
    size_t n = h->count;

    while (n > 0 && h->which[n - 1] > lock)
        n--;
    if (n > 0 && h->which[n - 1] == lock)
        return;
    for (size_t k = h->count; k > n; k--)
        h->which[k] = h->which[k - 1];
    h->which[n] = lock;
    h->count++;
}

void block_locks_take(struct block_locks *l, uint64_t file, uint64_t first, size_t count,
                      struct block_hold *ret)
{
    ret->count = 0;
    for (size_t n = 0; n < count; n++)
        add(ret, lock_of(file, first + n));
    for (size_t n = 0; n < ret->count; n++)
        pthread_mutex_lock(&l->at[ret->which[n]]);
}

void block_locks_give(struct block_locks *l, const struct block_hold *h)
{
    for (size_t n = h->count; n > 0; n--)
        pthread_mutex_unlock(&l->at[h->which[n - 1]]);
}
