/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/invalidate.c - has the kernel drop what it caches of every known inode, on several threads.
 *
 * Each thread takes the next inode of one walk. A drop that waits for the disk holds up its own thread only.
 */
#include "fuse/invalidate.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/thread.h"

enum { STACK_BYTES = 128 * 1024 };

struct round {
    const struct invalidate_conf *conf;
    struct volume_walk walk;
    atomic_int err; /* the last one; 0: none */
};

unsigned invalidate_threads(long processors, size_t inodes)
{
    size_t most = inodes < INVALIDATE_THREADS_MAX ? inodes : INVALIDATE_THREADS_MAX;

    if (processors < 1 || most < 1)
        return 1;
    return (unsigned long)processors < most ? (unsigned)processors : (unsigned)most;
}

static void *round_run(void *arg)
{
    struct round *r = arg;
    const struct inode *i;

    while ((i = volume_walk_next(r->conf->volume, &r->walk))) {
        int err = -r->conf->drop(r->conf->arg, i);
        if (err != 0 && err != ENOENT)
            atomic_store(&r->err, err);
    }
    return NULL;
}

ks_rc invalidate_all(const struct invalidate_conf *conf)
{
    struct round r = {.conf = conf};
    pthread_t helpers[INVALIDATE_THREADS_MAX];
    unsigned count = 0;

    volume_walk_begin(conf->volume, &r.walk);
    while (count + 1 < conf->threads && count < INVALIDATE_THREADS_MAX &&
           ks_ok(thread_start(STACK_BYTES, round_run, &r, &helpers[count])))
        count++;
    round_run(&r);
    while (count > 0)
        pthread_join(helpers[--count], NULL);
    int err = atomic_load(&r.err);
    return err == 0 ? KS_SUCCESS : ks_fail_os(err, "the kernel's cache of the volume");
}
