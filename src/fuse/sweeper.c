/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/sweeper.c - a thread that does one thing again whenever it is asked to.
 */
#include "fuse/sweeper.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum { STACK_BYTES = 256 * 1024 };

struct sweeper {
    void (*sweep)(void *arg);
    void *arg;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    bool is_stopping, is_ended;
    uint64_t asked, done; /* rounds */
};

static void *sweeper_run(void *arg)
{
    struct sweeper *s = arg;

    pthread_mutex_lock(&s->mutex);
    while (!s->is_stopping) {
        if (s->asked == s->done) {
            pthread_cond_wait(&s->cond, &s->mutex);
            continue;
        }
        uint64_t round = s->asked;
        pthread_mutex_unlock(&s->mutex);
        s->sweep(s->arg);
        pthread_mutex_lock(&s->mutex);
        s->done = round;
        pthread_cond_broadcast(&s->cond);
    }
    s->is_ended = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static void sweeper_free(struct sweeper *s)
{
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

ks_rc sweeper_start(void (*sweep)(void *arg), void *arg, struct sweeper **ret)
{
    struct sweeper *s;

    TRY(mem_new(1, sizeof *s, &s));
    s->sweep = sweep;
    s->arg = arg;
    pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->cond);
    ks_rc rc = thread_start(STACK_BYTES, sweeper_run, s, &s->thread);
    if (!ks_ok(rc)) {
        sweeper_free(s);
        return ks_wrap(rc, "cannot start a thread of the mount");
    }
    *ret = s;
    return KS_SUCCESS;
}

bool sweeper_stop(struct sweeper *s, uint32_t timeout_ms)
{
    if (!s)
        return true;
    struct timespec until = clock_deadline(timeout_ms);
    int err = 0;
    pthread_mutex_lock(&s->mutex);
    s->is_stopping = true;
    pthread_cond_broadcast(&s->cond);
    while (!s->is_ended && err == 0)
        err = pthread_cond_timedwait(&s->cond, &s->mutex, &until);
    bool is_ended = s->is_ended;
    pthread_mutex_unlock(&s->mutex);
    if (!is_ended) {
        pthread_detach(s->thread);
        return false;
    }
    pthread_join(s->thread, NULL);
    sweeper_free(s);
    return true;
}

void sweeper_ask(struct sweeper *s)
{
    pthread_mutex_lock(&s->mutex);
    s->asked++;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

bool sweeper_await(struct sweeper *s, uint64_t timeout_ms)
{
    struct timespec until = clock_deadline(timeout_ms);
    int err = 0;

    pthread_mutex_lock(&s->mutex);
    uint64_t round = s->asked;
    while (s->done < round && err == 0)
        err = pthread_cond_timedwait(&s->cond, &s->mutex, &until);
    bool is_done = s->done >= round;
    pthread_mutex_unlock(&s->mutex);
    return is_done;
}

bool sweeper_round(struct sweeper *s, uint64_t timeout_ms)
{
    sweeper_ask(s);
    return sweeper_await(s, timeout_ms);
}
