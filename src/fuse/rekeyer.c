/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/rekeyer.c - a thread that re-encrypts when it is asked to.
 */
#include "fuse/rekeyer.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum { STACK_BYTES = 512 * 1024 };

struct rekeyer {
    void (*run)(void *arg);
    void *arg;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    bool is_stopping, is_asked;
};

/* Whether there is something to do; false at the end. */
static bool wait_for_work(struct rekeyer *r)
{
    pthread_mutex_lock(&r->mutex);
    while (!r->is_stopping && !r->is_asked)
        pthread_cond_wait(&r->cond, &r->mutex);
    r->is_asked = false;
    bool is_stopping = r->is_stopping;
    pthread_mutex_unlock(&r->mutex);
    return !is_stopping;
}

static void *rekeyer_run(void *arg)
{
    struct rekeyer *r = arg;

    while (wait_for_work(r))
        r->run(r->arg);
    return NULL;
}

static void rekeyer_free(struct rekeyer *r)
{
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->mutex);
    mem_free(r);
}

ks_rc rekeyer_start(void (*run)(void *arg), void *arg, struct rekeyer **ret)
{
    struct rekeyer *r;

    TRY(mem_new(1, sizeof *r, &r));
    r->run = run;
    r->arg = arg;
    pthread_mutex_init(&r->mutex, NULL);
    clock_cond_init(&r->cond);
    ks_rc rc = thread_start(STACK_BYTES, rekeyer_run, r, &r->thread);
    if (!ks_ok(rc)) {
        rekeyer_free(r);
        return ks_wrap(rc, "cannot start the thread that re-encrypts");
    }
    *ret = r;
    return KS_SUCCESS;
}

void rekeyer_ask(struct rekeyer *r)
{
    pthread_mutex_lock(&r->mutex);
    r->is_asked = true;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
}

bool rekeyer_stop(struct rekeyer *r, uint32_t timeout_ms)
{
    if (!r)
        return true;
    pthread_mutex_lock(&r->mutex);
    r->is_stopping = true;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
    if (!thread_join_within(r->thread, timeout_ms))
        return false;
    rekeyer_free(r);
    return true;
}
