/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/policy.h - everything between a caller who wants a key used and a driver's single attempt.
 *
 * Now: a deadline per call, retries of UNREACHABLE answers with jitter inside the deadline, counters.
 * Its room holds the circuit breaker, single flight and request budgets when the network drivers come.
 */
#pragma once

#include "base/random.h"
#include "kms/driver.h"

struct kms_client; /* thread-safe: calls are made one after another */

struct kms_options {
    struct clock *clock;   /* NULL: the system's */
    struct random *random; /* NULL: the system's; for jitter only */
    uint32_t timeout_ms;   /* for a whole call with its retries; 0: 5000 */
    uint32_t attempts_max; /* 0: 3; a probe uses 1 */
    ks_rc (*passphrase)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *passphrase_arg;
};

struct kms_counters {
    uint64_t calls, attempts, granted, denied, unreachable, other;
};

/* kms_client_open(spec, options, ret): finds and opens the driver. Classes as kms_driver_find, open. */
ks_rc kms_client_open(const struct key_spec *spec, const struct kms_options *options,
                      struct kms_client **ret) KS_MUST;
void kms_client_close(struct kms_client *c);
void kms_client_closep(struct kms_client **c);

/* As the driver's functions of the same name, under policy. Texts name the key (type and uri). Retried
 * are UNREACHABLE answers but CREDENTIAL; a failed call leaves its outputs as they were. */
ks_rc kms_client_wrap(struct kms_client *c, const struct key_context *context,
                      const struct secret *plain, struct buf *ret_blob,
                      char ret_version[KEY_VERSION_BYTES]) KS_MUST;
ks_rc kms_client_unwrap(struct kms_client *c, const struct key_context *context, struct view blob,
                        struct secret **ret_plain) KS_MUST;
ks_rc kms_client_version(struct kms_client *c, const struct key_context *context,
                         char ret[KEY_VERSION_BYTES]) KS_MUST;
struct kms_counters kms_client_counters(struct kms_client *c);
