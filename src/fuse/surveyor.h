/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/surveyor.h - keeps count, in the background, of how many bytes each generation of data keys holds.
 *
 * Needs no key. Runs with the lowest priority, when asked.
 */
#pragma once

#include "volume/survey.h"

struct surveyor;

/* The last finished count. */
struct surveyor_result {
    int64_t as_of_s; /* 0: none yet */
    size_t count;
    struct survey_generation *generations; /* owned by whoever asked */
};

/* surveyor_start(conf, clock, ret): conf is copied; its callbacks are not used. */
ks_rc surveyor_start(const struct survey_conf *conf, struct clock *clock,
                     struct surveyor **ret) KS_MUST;
/* surveyor_end(s): nothing is counted any more, and nobody waits for it. surveyor_stop(s, timeout_ms): whether its thread has ended by
 * then; one that has not is left behind, with s. NULL has ended. */
void surveyor_end(struct surveyor *s);
bool surveyor_stop(struct surveyor *s, uint32_t timeout_ms);

/* surveyor_ask(s): a count is made soon; the ticket for surveyor_wait. */
uint64_t surveyor_ask(struct surveyor *s);
/* surveyor_wait(s, ticket, timeout_ms): until a count begun after the ticket has ended; TIMEOUT, BUSY at the end. */
ks_rc surveyor_wait(struct surveyor *s, uint64_t ticket, uint32_t timeout_ms) KS_MUST;
/* surveyor_last(s, ret): a copy; free it with surveyor_result_done. */
ks_rc surveyor_last(struct surveyor *s, struct surveyor_result *ret) KS_MUST;
void surveyor_result_done(struct surveyor_result *r);
