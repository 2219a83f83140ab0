/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/seats.c - which of the threads that serve requests wait for the next one.
 */
#include "fuse/seats.h"

#include <stddef.h>

#include "base/clock.h"

void seats_init(struct seats *s, unsigned count)
{
    *s = (struct seats){.count = count};
    pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->unattended);
}

void seats_done(struct seats *s)
{
    pthread_cond_destroy(&s->unattended);
    pthread_mutex_destroy(&s->mutex);
}

void resting_init(struct resting *r, bool is_reserve)
{
    *r = (struct resting){.is_reserve = is_reserve};
    pthread_cond_init(&r->called, NULL);
}

void resting_done(struct resting *r)
{
    pthread_cond_destroy(&r->called);
}

/* With the mutex held. */
static void sit(struct seats *s)
{
    s->taken++;
    s->sittings++;
}

/* call(s, list, has_seat): wakes the thread of that list that rested last. With the mutex held. */
static void call(struct seats *s, struct resting **list, bool has_seat)
{
    struct resting *r = *list;

    *list = r->next;
    if (has_seat)
        sit(s);
    r->has_seat = has_seat;
    r->is_called = true;
    pthread_cond_signal(&r->called);
}

/* rest(s, own): whether it was called to a seat. With the mutex held. */
static bool rest(struct seats *s, struct resting *own)
{
    struct resting **list = own->is_reserve ? &s->reserve : &s->resting;

    own->is_called = false;
    own->next = *list;
    *list = own;
    while (!own->is_called)
        pthread_cond_wait(&own->called, &s->mutex);
    return own->has_seat;
}

bool seats_take(struct seats *s, struct resting *own)
{
    unsigned count = own->is_reserve ? 1 : s->count;
    bool has_seat = true;

    pthread_mutex_lock(&s->mutex);
    if (s->taken < count || s->is_closed)
        sit(s);
    else
        has_seat = rest(s, own);
    pthread_mutex_unlock(&s->mutex);
    return has_seat;
}

/* With the mutex held. */
static void have_watched(struct seats *s)
{
    if (s->is_watched)
        return;
    s->is_watched = true;
    pthread_cond_signal(&s->unattended);
}

void seats_leave(struct seats *s)
{
    pthread_mutex_lock(&s->mutex);
    s->taken--;
    if (s->taken == 0 && s->resting)
        call(s, &s->resting, true);
    else if (s->taken == 0)
        have_watched(s);
    pthread_mutex_unlock(&s->mutex);
}

void seats_call_all(struct seats *s)
{
    pthread_mutex_lock(&s->mutex);
    while (s->resting)
        call(s, &s->resting, false);
    while (s->reserve)
        call(s, &s->reserve, false);
    pthread_mutex_unlock(&s->mutex);
}

void seats_close(struct seats *s)
{
    pthread_mutex_lock(&s->mutex);
    s->is_closed = true;
    pthread_cond_signal(&s->unattended);
    pthread_mutex_unlock(&s->mutex);
    seats_call_all(s);
}

/* --- the one that watches --- */

/* With the mutex held. */
static void be_patient(struct seats *s, uint32_t patience_ms)
{
    struct timespec until = clock_deadline(patience_ms);
    int err = 0;

    while (!s->is_closed && err == 0)
        err = pthread_cond_timedwait(&s->unattended, &s->mutex, &until);
}

/* look(s, sittings): with the mutex held; sittings: of when the waiting began. */
static enum seats_news look(struct seats *s, uint64_t sittings)
{
    if (s->is_closed)
        return SEATS_CLOSED;
    s->is_watched = s->taken == 0;
    if (s->taken > 0 || s->sittings != sittings)
        return SEATS_ATTENDED;
    if (!s->reserve)
        return SEATS_DESERTED;
    call(s, &s->reserve, true);
    return SEATS_ATTENDED;
}

enum seats_news seats_watch(struct seats *s, uint32_t patience_ms)
{
    pthread_mutex_lock(&s->mutex);
    while (!s->is_watched && !s->is_closed)
        pthread_cond_wait(&s->unattended, &s->mutex);
    uint64_t sittings = s->sittings;
    be_patient(s, patience_ms);
    enum seats_news news = look(s, sittings);
    pthread_mutex_unlock(&s->mutex);
    return news;
}
