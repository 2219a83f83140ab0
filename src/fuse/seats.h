/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/seats.h - which of the threads that serve requests wait for the next one.
 *
 * The kernel wakes the thread that waits longest. Were all of them to wait, requests that come one after another would go
 * round all threads, each of them cold and asleep on another processor. So few have a seat, and whoever takes a request
 * and leaves no other seat occupied calls the thread that rested last.
 *
 * When all threads are busy nobody waits, which is as it should be for as long as the processors are the reason. When a disk
 * stands still under all of them it is not: so there is a reserve, called by whoever watches when nobody sat down for a while. A
 * thread of the reserve sits only where nobody else does.
 *
 * Invariant: while a thread that is not of the reserve rests and no call is on its way, another one is seated.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct seats {
    pthread_mutex_t mutex;
    unsigned count, taken;
    uint64_t sittings;                 /* how often somebody sat down */
    struct resting *resting, *reserve; /* those that rest, the last one first */
    pthread_cond_t unattended;
    bool is_watched; /* nobody is seated, or was not when it was looked at last */
    bool is_closed;
};

/* A thread's place to rest. */
struct resting {
    struct resting *next;
    pthread_cond_t called;
    bool is_called, has_seat, is_reserve;
};

void seats_init(struct seats *s, unsigned count);
void seats_done(struct seats *s);
void resting_init(struct resting *r, bool is_reserve);
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

/* seats_watch(s, patience_ms): waits until nobody is seated, and then as long again as is bearable. SEATS_CLOSED: for ever.
 * SEATS_ATTENDED: somebody sat down meanwhile, or one of the reserve was called. SEATS_DESERTED: nobody did, and nobody is
 * there to be called. One thread at a time, not one of those that serve. */
enum seats_news { SEATS_CLOSED, SEATS_ATTENDED, SEATS_DESERTED };
enum seats_news seats_watch(struct seats *s, uint32_t patience_ms);
