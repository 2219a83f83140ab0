/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/breaker.h - stops asking a key service that does not answer, and finds out when it does again.
 *
 * Pure: events and time come in, decisions go out; the caller has the lock. It only ever knows whether an
 * answer came, never which: it cannot turn a denial into an outage or back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
    BREAKER_CLOSED,    /* everything is asked */
    BREAKER_OPEN,      /* nothing is asked until a pause is over */
    BREAKER_HALF_OPEN, /* one call is out; its end decides */
};

enum breaker_event {
    BREAKER_ANSWER, /* the service said something about the key */
    BREAKER_SILENCE,
    BREAKER_NOTHING, /* the call ended without telling: it failed here */
};

struct breaker_conf {
    uint32_t silences_max; /* in a row, then it opens */
    uint32_t pause_ms,
        pause_ms_max; /* the first pause; doubled while the one call is not answered */
};

struct breaker {
    enum breaker_state state;
    uint32_t silences; /* in a row */
    uint32_t pause_ms;
    uint64_t until_ms; /* end of the pause */
};

/* breaker_admit(b, now_ms): whether a call may be made now; each admitted call is told of once. */
bool breaker_admit(struct breaker *b, uint64_t now_ms);
void breaker_tell(struct breaker *b, const struct breaker_conf *conf, enum breaker_event event,
                  uint64_t now_ms);
/* breaker_left_ms(b, now_ms): until the next call is let through; 0: now, or when the one that is out ends. */
uint64_t breaker_left_ms(const struct breaker *b, uint64_t now_ms);
/* breaker_state_name(state): "CLOSED", "OPEN", "HALF_OPEN". */
const char *breaker_state_name(enum breaker_state state);
