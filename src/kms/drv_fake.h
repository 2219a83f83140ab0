/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_fake.h - the scripted driver: the contract made runnable, for tests.
 * Not part of the product's binary: tests link it and add it with kms_driver_add.
 *
 * Keys live in this process, by uri ("FAKE" type, any uri). A script says how the next calls for a
 * uri go; when it has run out, or there is none, calls succeed. Thread-safe.
 */
#pragma once

#include "kms/driver.h"

extern const struct kms_driver kms_driver_fake;

enum fake_step {
    FAKE_GRANT,
    FAKE_DENY, /* access denied */
    FAKE_DISABLED,
    FAKE_PENDING,
    FAKE_DESTROYED,
    FAKE_NOT_FOUND,
    FAKE_THROTTLE,
    FAKE_RESET,   /* connection reset */
    FAKE_HANG,    /* until the deadline: TIMEOUT */
    FAKE_GARBAGE, /* unparsable reply */
    FAKE_EXPIRED, /* credentials */
};

/* fake_script(uri, steps, count, is_repeating): replaces the script of uri; repeating: the last
 * step goes on for ever. */
void fake_script(const char *uri, const enum fake_step *steps, size_t count, bool is_repeating);
/* fake_rotate(uri): a new key version; old ciphertexts still open. */
void fake_rotate(const char *uri);
/* fake_calls(uri): calls made so far. fake_reset(): forgets every key and script. */
uint64_t fake_calls(const char *uri);
void fake_reset(void);
