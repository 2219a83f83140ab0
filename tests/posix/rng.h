/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/rng.h - random numbers that a seed repeats (SplitMix64).
 */
#pragma once

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline struct rng rng_new(uint64_t seed)
{
    return (struct rng){seed};
}

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* rng_below(r, n): 0..n-1; n is not 0. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}
