/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/surveyor.c - keeps count, in the background, of how many bytes each generation holds.
 */
#include "fuse/surveyor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

enum { STACK_BYTES = 512 * 1024, NICE_LOWEST = 19 };

struct surveyor {
    struct survey_conf conf;
    struct clock *clock;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    atomic_bool is_stopping;
    uint64_t asked, finished;
    struct surveyor_result last;
};

/* The idle class of the disk scheduler and the lowest of the processor's, for this thread alone. */
static void be_humble(void)
{
    const int who_process = 1, idle_class = 3 << 13;

    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE_LOWEST);
    syscall(SYS_ioprio_set, who_process, 0, idle_class);
}

static bool on_progress(void *arg, uint64_t bytes_seen)
{
    struct surveyor *s = arg;

    (void)bytes_seen;
    return !atomic_load(&s->is_stopping);
}

static void keep(struct surveyor *s, struct survey *survey)
{
    mem_free(s->last.generations);
    s->last = (struct surveyor_result){clock_wall_s(s->clock), survey->generation_count,
                                       TAKE(survey->generations)};
}

static void count_once(struct surveyor *s, uint64_t ticket)
{
    struct survey survey = {0};
    ks_rc rc = survey_run(&s->conf, &survey);

    pthread_mutex_lock(&s->mutex);
    if (ks_ok(rc))
        keep(s, &survey);
    s->finished = ticket;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    if (ks_ok(rc))
        survey_done(&survey);
    else if (!atomic_load(&s->is_stopping))
        log_line(LOG_WARNING, "counting the generations: %s", ks_text(rc));
}

static void *surveyor_run(void *arg)
{
    struct surveyor *s = arg;

    be_humble();
    for (;;) {
        pthread_mutex_lock(&s->mutex);
        while (!atomic_load(&s->is_stopping) && s->asked == s->finished)
            pthread_cond_wait(&s->cond, &s->mutex);
        uint64_t ticket = s->asked;
        pthread_mutex_unlock(&s->mutex);
        if (atomic_load(&s->is_stopping))
            return NULL;
        count_once(s, ticket);
    }
}

static void surveyor_free(struct surveyor *s)
{
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s->last.generations);
    mem_free(s);
}

ks_rc surveyor_start(const struct survey_conf *conf, struct clock *clock, struct surveyor **ret)
{
    struct surveyor *s;

    TRY(mem_new(1, sizeof *s, &s));
    s->conf = *conf;
    s->conf.volume = NULL;
    s->conf.damaged = NULL;
    s->conf.progress = on_progress;
    s->conf.arg = s;
    s->clock = clock;
    pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->cond);
    ks_rc rc = thread_start(STACK_BYTES, surveyor_run, s, &s->thread);
    if (!ks_ok(rc)) {
        surveyor_free(s);
        return ks_wrap(rc, "cannot start the thread that counts generations");
    }
    *ret = s;
    return KS_SUCCESS;
}

void surveyor_end(struct surveyor *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    atomic_store(&s->is_stopping, true);
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

bool surveyor_stop(struct surveyor *s, uint32_t timeout_ms)
{
    if (!s)
        return true;
    surveyor_end(s);
    if (!thread_join_within(s->thread, timeout_ms))
        return false;
    surveyor_free(s);
    return true;
}

uint64_t surveyor_ask(struct surveyor *s)
{
    pthread_mutex_lock(&s->mutex);
    uint64_t ticket = ++s->asked;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    return ticket;
}

ks_rc surveyor_wait(struct surveyor *s, uint64_t ticket, uint32_t timeout_ms)
{
    struct timespec until = clock_deadline(timeout_ms);
    int err = 0;

    pthread_mutex_lock(&s->mutex);
    while (s->finished < ticket && !atomic_load(&s->is_stopping) && err == 0)
        err = pthread_cond_timedwait(&s->cond, &s->mutex, &until);
    bool is_there = s->finished >= ticket;
    bool is_stopping = atomic_load(&s->is_stopping);
    pthread_mutex_unlock(&s->mutex);
    ENSURE(is_there || !is_stopping, KS_E_BUSY, "the volume is being unmounted");
    ENSURE(is_there, KS_E_TIMEOUT, "counting the generations takes longer than %u s",
           timeout_ms / 1000);
    return KS_SUCCESS;
}

ks_rc surveyor_last(struct surveyor *s, struct surveyor_result *ret)
{
    struct surveyor_result r = {0};

    pthread_mutex_lock(&s->mutex);
    ks_rc rc = mem_new(s->last.count, sizeof *r.generations, &r.generations);
    if (ks_ok(rc)) {
        r.as_of_s = s->last.as_of_s;
        r.count = s->last.count;
        if (r.count)
            memcpy(r.generations, s->last.generations, r.count * sizeof *r.generations);
    }
    pthread_mutex_unlock(&s->mutex);
    TRY(rc);
    *ret = r;
    return KS_SUCCESS;
}

void surveyor_result_done(struct surveyor_result *r)
{
    mem_freep(&r->generations);
    r->count = 0;
}
