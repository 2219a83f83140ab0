/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/key_check.h - tries each right that a driver needs, really, and says what is there and what is not.
 */
#pragma once

#include "kms/driver.h"

enum key_right { KEY_RIGHT_GRANTED, KEY_RIGHT_MISSING, KEY_RIGHT_UNKNOWN };

struct key_right_result {
    const char *name, *why; /* as in struct kms_permission */
    bool is_required;
    enum key_right right;
    ks_rc rc; /* what the attempt gave */
    char text[512];
    char request_id[128];
};

enum { KEY_RIGHTS_MAX = 16 };

struct key_check {
    size_t count;
    struct key_right_result results[KEY_RIGHTS_MAX];
};

/* key_check_run(kms, clock, context, ret): one attempt for each of the driver's permissions, or for wrap, unwrap and version
 * when it names none. Never fails: what goes wrong is a result. */
void key_check_run(struct kms *kms, struct clock *clock, const struct key_context *context,
                   struct key_check *ret);
/* key_check_verdict(check): success when every required right is granted, else the failure that says most: a missing
 * right before an unusable key before silence. Its text names the right. */
ks_rc key_check_verdict(const struct key_check *check) KS_MUST;
/* key_right_name(right): "granted", "missing", "cannot tell". */
const char *key_right_name(enum key_right right);
