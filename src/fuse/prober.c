/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/prober.c - asks the key service again and again whether the key may still be used.
 */
#include "fuse/prober.h"

#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/thread.h"

enum { STACK_BYTES = 1024 * 1024 };

struct prober {
    struct prober_conf conf;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    bool is_stopping, is_ended, is_kicked;
    uint64_t begun; /* sequence number of the last probe that was started */
    struct prober_result last;
};

uint32_t prober_jitter(uint32_t period_ms, struct random *random)
{
    uint32_t r = 0;
    uint32_t tenth = period_ms / 10;

    /* without randomness all probe on the dot, which is no harm */
    IGNORE(random_fill(random, &r, sizeof r));
    return period_ms - tenth + (tenth ? r % (2 * tenth + 1) : 0);
}

/* wait_turn(p): until the period is over or somebody asks; false to stop. */
static bool wait_turn(struct prober *p, bool *ret_kicked)
{
    pthread_mutex_lock(&p->mutex);
    struct timespec until = clock_deadline(prober_jitter(p->conf.period_ms, p->conf.random));
    int err = 0;
    while (!p->is_stopping && !p->is_kicked && err == 0)
        err = pthread_cond_timedwait(&p->cond, &p->mutex, &until);
    bool is_going_on = !p->is_stopping;
    *ret_kicked = p->is_kicked;
    p->is_kicked = false;
    p->begun++;
    pthread_mutex_unlock(&p->mutex);
    return is_going_on;
}

/* Who asks for a probe gets a real one. */
static void probe_once(struct prober *p, bool is_kicked)
{
    struct prober_result r = {.sequence = p->begun, .began_ms = clock_boot_ms(p->conf.clock)};

    if (is_kicked || !p->conf.peek || !p->conf.peek(p->conf.arg, &r.wrap_id, &r.shared_ms))
        r.rc = p->conf.probe(p->conf.arg, &r.wrap_id);
    r.at_s = clock_wall_s(p->conf.clock);
    if (!ks_ok(r.rc))
        snprintf(r.text, sizeof r.text, "%s", ks_text(r.rc));
    p->conf.tell(p->conf.arg, &r);
    pthread_mutex_lock(&p->mutex);
    p->last = r;
    pthread_cond_broadcast(&p->cond);
    pthread_mutex_unlock(&p->mutex);
}

static void *prober_run(void *arg)
{
    struct prober *p = arg;
    bool is_kicked;

    while (wait_turn(p, &is_kicked))
        probe_once(p, is_kicked);
    pthread_mutex_lock(&p->mutex);
    p->is_ended = true;
    pthread_cond_broadcast(&p->cond);
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

static void prober_free(struct prober *p)
{
    pthread_cond_destroy(&p->cond);
    pthread_mutex_destroy(&p->mutex);
    mem_free(p);
}

ks_rc prober_start(const struct prober_conf *conf, struct prober **ret)
{
    struct prober *p;

    TRY(mem_new(1, sizeof *p, &p));
    p->conf = *conf;
    pthread_mutex_init(&p->mutex, NULL);
    clock_cond_init(&p->cond);
    ks_rc rc = thread_start(STACK_BYTES, prober_run, p, &p->thread);
    if (!ks_ok(rc)) {
        prober_free(p);
        return ks_wrap(rc, "cannot start the thread that probes the key");
    }
    *ret = p;
    return KS_SUCCESS;
}

bool prober_stop(struct prober *p, uint32_t timeout_ms)
{
    if (!p)
        return true;
    struct timespec until = clock_deadline(timeout_ms);
    int err = 0;
    pthread_mutex_lock(&p->mutex);
    p->is_stopping = true;
    pthread_cond_broadcast(&p->cond);
    while (!p->is_ended && err == 0)
        err = pthread_cond_timedwait(&p->cond, &p->mutex, &until);
    bool is_ended = p->is_ended;
    pthread_mutex_unlock(&p->mutex);
    if (!is_ended) {
        pthread_detach(p->thread);
        return false;
    }
    pthread_join(p->thread, NULL);
    prober_free(p);
    return true;
}

void prober_set_period(struct prober *p, uint32_t period_ms)
{
    pthread_mutex_lock(&p->mutex);
    p->conf.period_ms = period_ms;
    pthread_mutex_unlock(&p->mutex);
    prober_kick(p);
}

uint64_t prober_kick(struct prober *p)
{
    pthread_mutex_lock(&p->mutex);
    p->is_kicked = true;
    uint64_t sequence = p->begun + 1;
    pthread_cond_broadcast(&p->cond);
    pthread_mutex_unlock(&p->mutex);
    return sequence;
}

ks_rc prober_wait(struct prober *p, uint64_t sequence, uint32_t timeout_ms,
                  struct prober_result *ret)
{
    struct timespec until = clock_deadline(timeout_ms);
    int err = 0;

    pthread_mutex_lock(&p->mutex);
    while (p->last.sequence < sequence && err == 0)
        err = pthread_cond_timedwait(&p->cond, &p->mutex, &until);
    bool is_there = p->last.sequence >= sequence;
    if (is_there)
        *ret = p->last;
    pthread_mutex_unlock(&p->mutex);
    ENSURE(is_there, KS_E_TIMEOUT, "the key service has not answered for %u ms", timeout_ms);
    return KS_SUCCESS;
}

void prober_last(struct prober *p, struct prober_result *ret)
{
    pthread_mutex_lock(&p->mutex);
    *ret = p->last;
    pthread_mutex_unlock(&p->mutex);
}
