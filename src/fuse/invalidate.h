/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/invalidate.h - has the kernel drop what it caches of every known inode, on several threads.
 *
 * A lock depends on it, so it takes no memory, and does with one thread what it cannot have more for.
 */
#pragma once

#include "volume/volume.h"

enum { INVALIDATE_THREADS_MAX = 8 };

struct invalidate_conf {
    struct volume *volume;
    unsigned threads; /* with the caller's; at least 1 */
    /* drop(arg, i): 0 or a negative errno; -ENOENT: the kernel does not know it. Only the address of i counts. From several
     * threads; may block. */
    int (*drop)(void *arg, const struct inode *i);
    void *arg;
};

/* invalidate_threads(processors, inodes): how many threads are of use. */
unsigned invalidate_threads(long processors, size_t inodes);
/* invalidate_all(conf): every known inode was dropped, also when one fails: then that error. Returns when all have ended. */
ks_rc invalidate_all(const struct invalidate_conf *conf) KS_MUST;
