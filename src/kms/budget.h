/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/budget.h - how many requests this host may send to one account and region of a key service.
 *
 * A bucket per scope (kms/driver.h), shared by all processes of a user on the host, so that a restart of hundreds of
 * volumes does not use up a quota that the customer's own programs need. It is one number, changed atomically: a
 * process may be killed at any point, and any content of the file is a valid state.
 */
#pragma once

#include "base/clock.h"
#include "base/rc.h"

struct budget; /* thread-safe */

struct budget_conf {
    const char *dir;   /* KEYSTEAD_RUN_DIR/kms or the like; NULL: for this process only */
    const char *scope; /* "aws:111122223333:eu-west-1" */
    uint32_t per_s;    /* requests each second, in the long run */
    uint32_t burst;    /* requests at once */
    struct clock *clock;
};

/* budget_open(conf, ret): when the file cannot be shared it is a budget of this process, and budget_why says why. */
ks_rc budget_open(const struct budget_conf *conf, struct budget **ret) KS_MUST;
void budget_close(struct budget *b);

enum { BUDGET_WAIT_MS_MAX = 30000 };

/* budget_take(b, wait_ms_max, ret_wait_ms): takes one request, which may be made after *ret_wait_ms; 0: at once. Who comes later waits longer,
 * whichever process it is in. False: it would be longer than wait_ms_max (or BUDGET_WAIT_MS_MAX), nothing was taken. */
bool budget_take(struct budget *b, uint64_t wait_ms_max, uint64_t *ret_wait_ms);
/* budget_why(b): why it is not shared with other processes; "" when it is. */
const char *budget_why(const struct budget *b);
