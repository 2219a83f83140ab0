/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/seats.h - which of the threads that serve requests wait for the next one.
 *
 * The kernel wakes the thread that waits longest. Were all of them to wait, requests that come one after another would go
 * round all threads, each of them cold and asleep on another processor. So few have a seat, and whoever takes a request
 * and leaves no other seat occupied calls the thread that rested last.
 *
 * Invariant: while a thread rests and no call is on its way, another one is seated.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct seats {
    pthread_mutex_t mutex;
    unsigned count, taken;
    struct resting *resting; /* those that rest, the last one first */
    bool is_closed;
};

/* A thread's place to rest. */
struct resting {
    struct resting *next;
    pthread_cond_t called;
    bool is_called, has_seat;
};

void seats_init(struct seats *s, unsigned count);
void seats_done(struct seats *s);
void resting_init(struct resting *r);
void resting_done(struct resting *r);

/* seats_take(s, own): true: the thread is seated, and leaves with seats_leave when a request has come. False: it was called
 * for something else (seats_call_all), and may try again. */
bool seats_take(struct seats *s, struct resting *own);
/* seats_leave(s): calls another one when nobody is seated now. */
void seats_leave(struct seats *s);
/* seats_call_all(s): every thread that rests returns from seats_take. */
void seats_call_all(struct seats *s);
/* seats_close(s): the same, and for ever: who tries to sit is seated at once. */
void seats_close(struct seats *s);
