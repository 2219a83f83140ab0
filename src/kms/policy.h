/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/policy.h - everything between a caller who wants a key used and a driver's single attempt.
 *
 * A deadline per call, retries with jitter inside a retry budget, the same question asked once when several threads
 * ask it together, counters and the provider's request id. For services in the network (a driver with a scope) a
 * circuit breaker and this host's share of the request quota, and calls side by side; other drivers are called one
 * call after another.
 */
#pragma once

#include "base/random.h"
#include "kms/breaker.h"
#include "kms/driver.h"

struct kms_client; /* thread-safe */

struct kms_options {
    struct clock *clock;   /* NULL: the system's */
    struct random *random; /* NULL: the system's; for jitter only */
    uint32_t timeout_ms;   /* for a whole call with its retries; 0: 5000 */
    uint32_t attempts_max; /* 0: 3; a probe uses 1 */
    ks_rc (*passphrase)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *passphrase_arg;
    /* of clients that hand each other what they stretched from passphrases; NULL: none does */
    struct stretched *stretched;
    bool is_development; /* allows NULL_KMS */
    bool is_sharing;     /* request budgets with the other processes of this host (kms/run_dir.h) */
    uint32_t rate_per_s; /* requests to one scope from this host; 0: 100 */
};

enum kms_operation { KMS_WRAP, KMS_UNWRAP, KMS_VERSION, KMS_OPERATIONS };

struct kms_counters {
    uint64_t calls, attempts, granted, denied, unreachable, other;
};

/* What became of a client's calls so far. */
struct kms_report {
    bool is_remote; /* what follows on breaker and budget means something */
    enum breaker_state breaker;
    uint32_t silences;        /* attempts without an answer, in a row */
    uint64_t breaker_left_ms; /* until it is asked again; 0: now */
    uint64_t refused;         /* attempts not made because the breaker was open */
    uint64_t throttled;       /* attempts not made because the host's share was used up */
    uint64_t retries_saved;   /* retries not made because the retry budget was used up */
    uint64_t shared;          /* calls answered by another thread's call */
    struct kms_counters operations[KMS_OPERATIONS];
    char request_id[128]; /* the provider's, of the last attempt that had one */
    int64_t answered_s;   /* when the service last answered; 0: never */
    char budget_why[256]; /* why the budget is not shared on this host; "" when it is */
};

/* kms_client_open(spec, options, ret): finds and opens the driver. Classes as kms_driver_find, open. */
ks_rc kms_client_open(const struct key_spec *spec, const struct kms_options *options,
                      struct kms_client **ret) KS_MUST;
/* kms_client_close(c): no call may be in progress. NULL does nothing. */
void kms_client_close(struct kms_client *c);
void kms_client_closep(struct kms_client **c);

/*
 * As the driver's functions of the same name, under policy. Texts name the key (type and uri) and the provider's request id.
 * Retried are UNREACHABLE answers but CREDENTIAL; a failed call leaves its outputs as they were. UNREACHABLE without a
 * call while the breaker is open (the text says when it asks again); THROTTLED when the host's share of the quota
 * has no room before the deadline.
 */
ks_rc kms_client_wrap(struct kms_client *c, const struct key_context *context,
                      const struct secret *plain, struct buf *ret_blob,
                      char ret_version[KEY_VERSION_BYTES]) KS_MUST;
ks_rc kms_client_unwrap(struct kms_client *c, const struct key_context *context, struct view blob,
                        struct secret **ret_plain) KS_MUST;
ks_rc kms_client_version(struct kms_client *c, const struct key_context *context,
                         char ret[KEY_VERSION_BYTES]) KS_MUST;

/* kms_client_is_remote(c): whether its service is one in the network. */
bool kms_client_is_remote(const struct kms_client *c);
/* kms_client_counters(c): of all operations together. */
struct kms_counters kms_client_counters(struct kms_client *c);
void kms_client_report(struct kms_client *c, struct kms_report *ret);
/* kms_operation_name(operation): "wrap", ... */
const char *kms_operation_name(enum kms_operation operation);
