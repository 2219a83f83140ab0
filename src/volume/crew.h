/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/crew.h - some threads that do jobs of one kind. Private to volume/.
 *
 * The first failure ends the work: jobs that nobody has begun are dropped.
 */
#pragma once

#include "base/rc.h"

struct crew;

struct crew_conf {
    unsigned threads; /* 1..CREW_THREADS_MAX */
    /* work(arg, worker, job): worker 0..threads-1 says on which thread; takes job over. */
    ks_rc (*work)(void *arg, unsigned worker, void *job) KS_MUST;
    void (*drop)(void *arg, void *job); /* a job that will not be done */
    void *arg;
};

enum { CREW_THREADS_MAX = 16 };

/* crew_threads_default(): as many as there are processors, at most 8. */
unsigned crew_threads_default(void);

ks_rc crew_new(const struct crew_conf *conf, struct crew **ret) KS_MUST;
/* crew_put(c, job): takes job over in any case; waits while many jobs wait. The failure that ended the work. */
ks_rc crew_put(struct crew *c, void *job) KS_MUST;
/* crew_put_more(c, job): for workers, who must not wait for themselves. */
ks_rc crew_put_more(struct crew *c, void *job) KS_MUST;
/* crew_end(c, is_giving_up): waits until every job is done, or dropped when giving up, ends the threads and frees c.
 * The first failure, with its text. */
ks_rc crew_end(struct crew *c, bool is_giving_up) KS_MUST;
