/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/idempotency.h - requests that are being answered, by Idempotency-Key.
 *
 * Replies of requests that succeeded are kept in the store for REPEAT_KEEP_S. One that failed changed nothing: it is done again. What is
 * being answered is known in memory only: after a crash in between the request is done again, and finds what it did.
 */
#pragma once

#include "base/rc.h"

struct repeats;

enum {
    REPEAT_KEEP_S = 24 * 3600,
    REPEAT_BODY_MAX = 1024 * 1024,
    REPEAT_RUNNING_MAX = 4096,
    REPEAT_WORD_BYTES = 256, /* of a key, with its terminator */
};

ks_rc repeats_new(struct repeats **ret) KS_MUST;
void repeats_free(struct repeats *r);
