/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/flight.h - the same question, asked by several threads at once, is asked once.
 *
 * The first to ask makes the call; who comes while it is out waits and gets the same answer, a copy of the key
 * included. An answer is never kept for later: a question that begins after the call has ended is asked anew.
 */
#pragma once

#include "base/key_spec.h"
#include "base/rc.h"
#include "base/secret.h"

struct flight;
struct flight_seat; /* one thread's part in a call */

/* What a call ended with. */
struct flight_answer {
    ks_rc rc;
    const struct secret *plain;      /* unwrap; NULL: none */
    char version[KEY_VERSION_BYTES]; /* version; "" for none */
};

ks_rc flight_new(struct flight **ret) KS_MUST;
/* flight_free(f): no call may be out. NULL does nothing. */
void flight_free(struct flight *f);

/* flight_join(f, question, ret, ret_is_first): question names the call: operation, context, blob. Who is first must end with
 * flight_land, the others with flight_wait. */
ks_rc flight_join(struct flight *f, struct view question, struct flight_seat **ret,
                  bool *ret_is_first) KS_MUST;
/* flight_land(f, seat, answer): tells all who wait. The first's own outputs are its own business. */
void flight_land(struct flight *f, struct flight_seat *seat, const struct flight_answer *answer);
/* flight_wait(f, seat, ret_plain, ret_version): until it has landed; its result, with its text for this thread. Outputs only on
 * success; NULL for those that are not wanted. */
ks_rc flight_wait(struct flight *f, struct flight_seat *seat, struct secret **ret_plain,
                  char *ret_version) KS_MUST;
/* flight_waiting(f): threads that wait now; for tests, which must not sleep. */
unsigned flight_waiting(struct flight *f);
