/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/ticker.c - one round after the other, each a bounded amount of work.
 *
 * What is running is taken up in batches, by operation, one short transaction for each cluster, so that those who call never wait
 * long and a hundred thousand clusters cost no more a round than a hundred.
 */
#include "control/ticker.h"

#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "control/account.h"
#include "control/cluster_int.h"
#include "control/idempotency.h"
#include "control/live.h"
#include "control/retention.h"
#include "control/schedule.h"

enum {
    STACK_BYTES = 1024 * 1024,
    SEEN_S = 60,
    EXPIRE_S = 3600,
    TOKEN_KEEP_S = 86400, /* join tokens, after they expired */
};

struct ticker {
    int64_t seen_at, expired_at; /* wall seconds of the last time */
    int64_t cursor;              /* number of the operation that was looked at last */
    struct control *c;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    bool is_running, is_stopping;
};

/* -- what is due ------------------------------------------------------------------------------------------------------ */

/* A last time that is still to come is from before the clock was set back. */
static bool is_due(int64_t *last, int64_t every_s, int64_t now)
{
    if (now >= *last && now - *last < every_s)
        return false;
    *last = now;
    return true;
}

static ks_rc store_seen(struct control *c, int64_t now)
{
    live_cap(c->live, now);
    return is_due(&c->ticker->seen_at, SEEN_S, now) ? node_store_seen(c) : KS_SUCCESS;
}

static ks_rc expire(struct control *c, int64_t now)
{
    CLEANUP(work_abandon) struct work w = {0};

    if (!is_due(&c->ticker->expired_at, EXPIRE_S, now))
        return KS_SUCCESS;
    TRY(work_begin(c, &w));
    store_tx_observe(w.tx);
    TRY(store_join_tokens_expire(w.tx, now - TOKEN_KEEP_S));
    TRY(store_repeats_expire(w.tx, now - REPEAT_KEEP_S));
    return work_end(&w);
}

static ks_rc bring(struct control *c, const char *cluster)
{
    CLEANUP(work_abandon) struct work w = {0};

    TRY(work_begin(c, &w));
    TRY(cluster_bring(&w, cluster));
    return work_end(&w);
}

static ks_rc read_running(struct control *c, struct operation **ret, size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    struct store_page page = {.number = c->ticker->cursor, .count_max = TICK_BATCH};

    TRY(store_view_begin(c->store, &v));
    return store_operations_running(v, NULL, &page, ret, ret_count);
}

/* One that cannot be brought on does not keep the others waiting. */
static ks_rc bring_running(struct control *c, int64_t now)
{
    CLEANUP(mem_freep) struct operation *operations = NULL;
    ks_rc first = KS_SUCCESS;
    size_t count;

    (void)now;
    TRY(read_running(c, &operations, &count));
    for (size_t i = 0; i < count; i++) {
        if (i && strcmp(operations[i].cluster, operations[i - 1].cluster) == 0)
            continue;
        ks_rc rc = bring(c, operations[i].cluster);
        if (ks_ok(first))
            first = rc;
    }
    c->ticker->cursor = count == TICK_BATCH ? operations[count - 1].number : 0;
    return first;
}

static ks_rc store_uses(struct control *c, int64_t now)
{
    (void)now;
    return key_uses_store(c, false);
}

ks_rc control_tick(struct control *c)
{
    static ks_rc (*const parts[])(struct control *, int64_t) = {bring_running, store_seen,
                                                                store_uses, expire, retention_tick};
    int64_t now = clock_wall_s(c->clock);
    ks_rc first = schedule_tick(c);

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ks_rc rc = parts[i](c, now);
        if (ks_ok(first))
            first = rc;
    }
    return first;
}

/* -- the thread ------------------------------------------------------------------------------------------------------- */

static bool wait_a_while(struct ticker *t)
{
    struct timespec until = clock_deadline(TICK_MS);
    int err = 0;

    pthread_mutex_lock(&t->mutex);
    while (!t->is_stopping && err == 0)
        err = pthread_cond_timedwait(&t->cond, &t->mutex, &until);
    bool is_stopping = t->is_stopping;
    pthread_mutex_unlock(&t->mutex);
    return !is_stopping;
}

static void *ticker_run(void *arg)
{
    struct ticker *t = arg;

    while (wait_a_while(t))
        /* what fails now is done by the next round; who asks for something meets the failure himself */
        IGNORE(control_tick(t->c));
    return NULL;
}

ks_rc ticker_new(struct ticker **ret)
{
    struct ticker *t;

    TRY(mem_new(1, sizeof *t, &t));
    pthread_mutex_init(&t->mutex, NULL);
    clock_cond_init(&t->cond);
    *ret = t;
    return KS_SUCCESS;
}

ks_rc ticker_start(struct ticker *t, struct control *c)
{
    t->c = c;
    TRY(ks_wrap(thread_start(STACK_BYTES, ticker_run, t, &t->thread),
                "cannot start the control plane's thread"));
    /* for people with top; it works without */
    pthread_setname_np(t->thread, "ticker");
    t->is_running = true;
    return KS_SUCCESS;
}

void ticker_free(struct ticker *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->is_stopping = true;
    pthread_cond_broadcast(&t->cond);
    pthread_mutex_unlock(&t->mutex);
    if (t->is_running)
        pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->cond);
    pthread_mutex_destroy(&t->mutex);
    mem_free(t);
}
