/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/limit.c - buckets of tokens, in sets of a few, found by a hash of the name.
 */
#include "api/limit.h"

#include <pthread.h>

#include "base/mem.h"

enum { SETS = 2048, WAYS = 4, BURST = 2, TOKEN = 1000 };

struct bucket {
    uint64_t hash; /* 0: nobody's */
    uint64_t at_ms;
    uint64_t tokens; /* in thousandths */
};

struct limiter {
    struct clock *clock;
    uint64_t per_second;
    pthread_mutex_t mutex;
    struct bucket sets[SETS][WAYS];
};

ks_rc limiter_new(uint32_t per_second, struct clock *clock, struct limiter **ret)
{
    struct limiter *l;

    TRY(mem_new(1, sizeof *l, &l));
    l->clock = clock;
    l->per_second = per_second;
    pthread_mutex_init(&l->mutex, NULL);
    *ret = l;
    return KS_SUCCESS;
}

void limiter_free(struct limiter *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->mutex);
    mem_free(l);
}

/* FNV-1a. Two names that meet would share a bucket: names are ids and addresses, which nobody chooses freely. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash | 1;
}

/* The bucket of a name, or the one that has rested longest, filled for it. */
static struct bucket *bucket_of(struct limiter *l, uint64_t hash, uint64_t now)
{
    struct bucket *set = l->sets[hash / 2 % SETS], *oldest = set;

    for (int i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (set[i].at_ms < oldest->at_ms)
            oldest = &set[i];
    }
    *oldest = (struct bucket){hash, now, BURST * l->per_second * TOKEN};
    return oldest;
}

static uint32_t take(struct limiter *l, uint64_t hash, uint64_t now)
{
    struct bucket *b = bucket_of(l, hash, now);
    uint64_t full = BURST * l->per_second * TOKEN;

    if (now >
        b->at_ms) { /* else another thread looked at the clock after this one and came first */
        uint64_t more = (now - b->at_ms) * l->per_second; /* thousandths in milliseconds */
        b->tokens = more > full - b->tokens ? full : b->tokens + more;
        b->at_ms = now;
    }
    if (b->tokens >= TOKEN) {
        b->tokens -= TOKEN;
        return 0;
    }
    uint64_t rate = l->per_second * TOKEN;
    return (uint32_t)((TOKEN - b->tokens + rate - 1) / rate);
}

uint32_t limiter_take(struct limiter *l, const char *name)
{
    if (l->per_second == 0)
        return 0;
    uint64_t hash = hash_of(name), now = clock_boot_ms(l->clock);
    pthread_mutex_lock(&l->mutex);
    uint32_t seconds = take(l, hash, now);
    pthread_mutex_unlock(&l->mutex);
    return seconds;
}
