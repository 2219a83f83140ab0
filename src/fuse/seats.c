/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/seats.c - which of the threads that serve requests wait for the next one.
 */
#include "fuse/seats.h"

#include <stddef.h>

void seats_init(struct seats *s, unsigned count)
{
    *s = (struct seats){.count = count};
    pthread_mutex_init(&s->mutex, NULL);
}

void seats_done(struct seats *s)
{
    pthread_mutex_destroy(&s->mutex);
}

void resting_init(struct resting *r)
{
    *r = (struct resting){.next = NULL};
    pthread_cond_init(&r->called, NULL);
}

void resting_done(struct resting *r)
{
    pthread_cond_destroy(&r->called);
}

/* call(s, has_seat): wakes the thread that rested last. With the mutex held. */
static void call(struct seats *s, bool has_seat)
{
    struct resting *r = s->resting;

    s->resting = r->next;
    s->taken += has_seat;
    r->has_seat = has_seat;
    r->is_called = true;
    pthread_cond_signal(&r->called);
}

/* rest(s, own): whether it was called to a seat. With the mutex held. */
static bool rest(struct seats *s, struct resting *own)
{
    own->is_called = false;
    own->next = s->resting;
    s->resting = own;
    while (!own->is_called)
        pthread_cond_wait(&own->called, &s->mutex);
    return own->has_seat;
}

bool seats_take(struct seats *s, struct resting *own)
{
    bool has_seat = true;

    pthread_mutex_lock(&s->mutex);
    if (s->taken < s->count || s->is_closed)
        s->taken++;
    else
        has_seat = rest(s, own);
    pthread_mutex_unlock(&s->mutex);
    return has_seat;
}

void seats_leave(struct seats *s)
{
    pthread_mutex_lock(&s->mutex);
    s->taken--;
    if (s->taken == 0 && s->resting)
        call(s, true);
    pthread_mutex_unlock(&s->mutex);
}

void seats_call_all(struct seats *s)
{
    pthread_mutex_lock(&s->mutex);
    while (s->resting)
        call(s, false);
    pthread_mutex_unlock(&s->mutex);
}

void seats_close(struct seats *s)
{
    pthread_mutex_lock(&s->mutex);
    s->is_closed = true;
    pthread_mutex_unlock(&s->mutex);
    seats_call_all(s);
}
