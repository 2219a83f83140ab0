/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/crew.c - some threads that do jobs of one kind.
 */
#include "volume/crew.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

enum { WAITING_MAX = 256, DEFAULT_MAX = 8, TEXT_BYTES = 512, STACK_BYTES = 512 * 1024 };

struct crew_job {
    struct crew_job *next;
    void *job;
};

struct crew {
    struct crew_conf conf;
    pthread_mutex_t mutex;
    pthread_cond_t has_job, has_room;
    struct crew_job *first, **last;
    size_t waiting, busy;
    bool is_ending; /* no more jobs will come from outside */
    ks_rc failure;
    char text[TEXT_BYTES];
    unsigned thread_count, next_worker;
    pthread_t threads[CREW_THREADS_MAX];
};

unsigned crew_threads_default(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (processors < 1)
        return 1;
    return processors < DEFAULT_MAX ? (unsigned)processors : DEFAULT_MAX;
}

/* The failure in the words of the thread that had it. */
static ks_rc told(const struct crew *c)
{
    if (ks_ok(c->failure) || c->failure.code >= KS_CODE_OS)
        return c->failure;
    return ks_fail(c->failure.code, "%s", c->text);
}

static void drop_all(struct crew *c)
{
    while (c->first) {
        struct crew_job *j = c->first;
        c->first = j->next;
        c->conf.drop(c->conf.arg, j->job);
        mem_free(j);
    }
    c->last = &c->first;
    c->waiting = 0;
}

static void fail_locked(struct crew *c, ks_rc rc)
{
    if (ks_ok(c->failure)) {
        c->failure = rc;
        snprintf(c->text, sizeof c->text, "%s", ks_text(rc));
    }
    drop_all(c);
}

/* The next job; NULL when there will be none. */
static struct crew_job *take_locked(struct crew *c)
{
    while (!c->first && !(c->is_ending && c->busy == 0))
        pthread_cond_wait(&c->has_job, &c->mutex);
    struct crew_job *j = c->first;
    if (!j)
        return NULL;
    c->first = j->next;
    if (!c->first)
        c->last = &c->first;
    c->waiting--;
    c->busy++;
    pthread_cond_signal(&c->has_room);
    return j;
}

static void done_locked(struct crew *c, ks_rc rc)
{
    c->busy--;
    if (!ks_ok(rc))
        fail_locked(c, rc);
    /* The others may find that this was the last one. */
    pthread_cond_broadcast(&c->has_job);
    pthread_cond_broadcast(&c->has_room);
}

static void *crew_run(void *arg)
{
    struct crew *c = arg;
    struct crew_job *j;

    pthread_mutex_lock(&c->mutex);
    unsigned worker = c->next_worker++;
    while ((j = take_locked(c))) {
        pthread_mutex_unlock(&c->mutex);
        ks_rc rc = c->conf.work(c->conf.arg, worker, j->job);
        mem_free(j);
        pthread_mutex_lock(&c->mutex);
        done_locked(c, rc);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

static ks_rc start_threads(struct crew *c)
{
    ks_rc rc = KS_SUCCESS;

    for (unsigned n = 0; n < c->conf.threads && ks_ok(rc); n++) {
        rc = thread_start(STACK_BYTES, crew_run, c, &c->threads[n]);
        c->thread_count += ks_ok(rc);
    }
    /* With one it is slower, not wrong. */
    return c->thread_count > 0 ? KS_SUCCESS : rc;
}

static void crew_free(struct crew *c)
{
    pthread_cond_destroy(&c->has_job);
    pthread_cond_destroy(&c->has_room);
    pthread_mutex_destroy(&c->mutex);
    mem_free(c);
}

ks_rc crew_new(const struct crew_conf *conf, struct crew **ret)
{
    struct crew *c;

    TRY(mem_new(1, sizeof *c, &c));
    c->conf = *conf;
    if (c->conf.threads > CREW_THREADS_MAX)
        c->conf.threads = CREW_THREADS_MAX;
    c->last = &c->first;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->has_job, NULL);
    pthread_cond_init(&c->has_room, NULL);
    ks_rc rc = start_threads(c);
    if (!ks_ok(rc)) {
        crew_free(c);
        return rc;
    }
    *ret = c;
    return KS_SUCCESS;
}

static ks_rc put(struct crew *c, void *job, bool may_wait)
{
    struct crew_job *j;
    ks_rc rc = mem_new(1, sizeof *j, &j);

    if (!ks_ok(rc)) {
        c->conf.drop(c->conf.arg, job);
        return rc;
    }
    j->job = job;
    pthread_mutex_lock(&c->mutex);
    while (may_wait && ks_ok(c->failure) && c->waiting >= WAITING_MAX)
        pthread_cond_wait(&c->has_room, &c->mutex);
    rc = told(c);
    if (ks_ok(rc)) {
        *c->last = j;
        c->last = &j->next;
        c->waiting++;
        pthread_cond_signal(&c->has_job);
    }
    pthread_mutex_unlock(&c->mutex);
    if (!ks_ok(rc)) {
        c->conf.drop(c->conf.arg, job);
        mem_free(j);
    }
    return rc;
}

ks_rc crew_put(struct crew *c, void *job)
{
    return put(c, job, true);
}

ks_rc crew_put_more(struct crew *c, void *job)
{
    return put(c, job, false);
}

ks_rc crew_end(struct crew *c, bool is_giving_up)
{
    pthread_mutex_lock(&c->mutex);
    if (is_giving_up)
        drop_all(c);
    c->is_ending = true;
    pthread_cond_broadcast(&c->has_job);
    pthread_mutex_unlock(&c->mutex);
    for (unsigned n = 0; n < c->thread_count; n++)
        pthread_join(c->threads[n], NULL);
    ks_rc rc = told(c);
    crew_free(c);
    return rc;
}
