/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/random.h - the seam for randomness. Nobody else asks the system for random bytes.
 *
 * The system source is the kernel's generator, asked anew for each request and never pooled in
 * this process: a copied virtual machine or a forked process must not hand out the same nonce
 * twice. One call fetches the nonces of a whole write request, so the system call does not count.
 */
#pragma once

#include "base/rc.h"

struct random {
    ks_rc (*fill)(struct random *, void *out, size_t len) KS_MUST;
};

/* random_system(): static storage, any thread. */
struct random *random_system(void);

/* A reproducible sequence from a seed, for tests only. Not thread-safe. */
struct random_seeded {
    struct random random;
    uint64_t state;
};
void random_seeded_init(struct random_seeded *r, uint64_t seed);

/* random_fill(r, out, len): len random bytes; IO when the kernel gives none. */
static inline ks_rc random_fill(struct random *r, void *out, size_t len)
{
    return r->fill(r, out, len);
}
