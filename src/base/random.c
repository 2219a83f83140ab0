/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/random.c - the kernel's random generator and a seeded one for tests.
 */
#include "base/random.h"

#include <string.h>
#include <sys/random.h>

static ks_rc system_fill(struct random *r, void *out, size_t len)
{
    uint8_t *at = out;

    (void)r;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ks_fail_os(errno ? errno : EIO, "the kernel gives no random bytes");
        at += n;
        len -= (size_t)n;
    }
    return KS_SUCCESS;
}

struct random *random_system(void)
{
    static struct random system = {system_fill};

    return &system;
}

/* splitmix64, public domain algorithm: good enough to be different each time, no secrecy. */
static uint64_t seeded_next(struct random_seeded *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static ks_rc seeded_fill(struct random *r, void *out, size_t len)
{
    uint8_t *at = out;

    for (size_t part; len > 0; len -= part, at += part) {
        uint64_t v = seeded_next((struct random_seeded *)(void *)r);
        part = len < sizeof v ? len : sizeof v;
        memcpy(at, &v, part);
    }
    return KS_SUCCESS;
}

void random_seeded_init(struct random_seeded *r, uint64_t seed)
{
    *r = (struct random_seeded){{seeded_fill}, seed};
}
