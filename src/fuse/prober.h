/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/prober.h - asks the key service again and again whether the key may still be used.
 *
 * Each probe really unwraps a canary. It runs on a thread of its own, so a service that hangs delays
 * the next probe and nothing else. It goes on while the volume is locked: a restored key opens the volume
 * without anybody doing anything.
 */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/rc.h"

struct prober;

enum { PROBER_TEXT_BYTES = 512 };

/* How the last probe ended. */
struct prober_result {
    uint64_t sequence; /* 0: none yet */
    int64_t at_s;
    uint64_t began_ms; /* boot time: an answer is of the time when it was asked for */
    ks_rc rc;
    uint32_t wrap_id; /* which wrap was granted; 0: none */
    char text[PROBER_TEXT_BYTES];
    uint64_t
        shared_ms; /* boot time at which somebody else's probe began that was taken for this one; 0: a real one */
};

struct prober_conf {
    struct clock *clock;
    struct random *random;
    uint32_t period_ms;
    ks_rc (*probe)(void *arg, uint32_t *ret_wrap_id);
    /* peek(arg, ret_wrap_id, ret_shared_ms): before a probe that nobody asked for: whether somebody else's will do. NULL: never. */
    bool (*peek)(void *arg, uint32_t *ret_wrap_id, uint64_t *ret_shared_ms);
    void (*tell)(void *arg, const struct prober_result *result); /* on the prober's thread */
    void *arg;
};

/* prober_start(conf, ret): the first probe is made after one period. */
ks_rc prober_start(const struct prober_conf *conf, struct prober **ret) KS_MUST;
/* prober_stop(p, timeout_ms): true and p freed when the thread ended in time; false when a probe hangs: then the
 * thread and p stay, and what the probe uses must stay too. */
bool prober_stop(struct prober *p, uint32_t timeout_ms);

void prober_set_period(struct prober *p, uint32_t period_ms);
/* prober_kick(p): a probe starts now (or right after the one in progress); its sequence number. */
uint64_t prober_kick(struct prober *p);
/* prober_wait(p, sequence, timeout_ms, ret): until that probe or a later one has ended; TIMEOUT. */
ks_rc prober_wait(struct prober *p, uint64_t sequence, uint32_t timeout_ms,
                  struct prober_result *ret) KS_MUST;
void prober_last(struct prober *p, struct prober_result *ret);

/* prober_jitter(period_ms, random): period_ms give or take a tenth, so that volumes that started together do
 * not probe together. */
uint32_t prober_jitter(uint32_t period_ms, struct random *random);
