/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/breaker.c - the table of the circuit breaker.
 */
#include "kms/breaker.h"

enum { STATES = BREAKER_HALF_OPEN + 1, EVENTS = BREAKER_NOTHING + 1 };

enum action { STAY, CLOSE, COUNT, REOPEN, TRY_AGAIN };

/* A call that was let through while closed may end when the breaker is open already: an answer is an answer. */
static const enum action table[STATES][EVENTS] = {
    [BREAKER_CLOSED] =
        {[BREAKER_ANSWER] = CLOSE, [BREAKER_SILENCE] = COUNT, [BREAKER_NOTHING] = STAY},
    [BREAKER_OPEN] = {[BREAKER_ANSWER] = CLOSE, [BREAKER_SILENCE] = STAY, [BREAKER_NOTHING] = STAY},
    [BREAKER_HALF_OPEN] =
        {[BREAKER_ANSWER] = CLOSE, [BREAKER_SILENCE] = REOPEN, [BREAKER_NOTHING] = TRY_AGAIN},
};

static void breaker_open(struct breaker *b, uint64_t now_ms)
{
    b->state = BREAKER_OPEN;
    b->until_ms = now_ms + b->pause_ms;
}

bool breaker_admit(struct breaker *b, uint64_t now_ms)
{
    if (b->state == BREAKER_CLOSED)
        return true;
    if (b->state == BREAKER_HALF_OPEN || now_ms < b->until_ms)
        return false;
    b->state = BREAKER_HALF_OPEN;
    return true;
}

void breaker_tell(struct breaker *b, const struct breaker_conf *conf, enum breaker_event event,
                  uint64_t now_ms)
{
    switch (table[b->state][event]) {
    case STAY:
        return;
    case CLOSE:
        *b = (struct breaker){.state = BREAKER_CLOSED};
        return;
    case COUNT:
        b->pause_ms = conf->pause_ms;
        if (++b->silences >= conf->silences_max)
            breaker_open(b, now_ms);
        return;
    case REOPEN:
        b->silences++;
        b->pause_ms = b->pause_ms * 2 < conf->pause_ms_max ? b->pause_ms * 2 : conf->pause_ms_max;
        breaker_open(b, now_ms);
        return;
    case TRY_AGAIN:
        b->state = BREAKER_OPEN; /* its pause is over: the next call is let through */
        return;
    }
}

uint64_t breaker_left_ms(const struct breaker *b, uint64_t now_ms)
{
    return b->state == BREAKER_OPEN && b->until_ms > now_ms ? b->until_ms - now_ms : 0;
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[STATES] = {"CLOSED", "OPEN", "HALF_OPEN"};

    return names[state];
}
