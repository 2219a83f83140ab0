/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/driver.h - what a key service driver is.
 *
 * A driver is one table. It makes one attempt before the call's deadline and classifies the answer;
 * it never retries, sleeps, caches keys, logs or starts threads. All policy is above, in kms/policy.
 *
 * Threads: a driver with a scope is one of a service that others reach too, in the network or in a device. Its calls are made
 * side by side on one struct kms, and it must be thread-safe. Without scope one call is made after another.
 *
 * Classes (the line between the first two is what revocation stands on):
 *   DENIED       an authenticated answer of the service about this key: access denied, disabled,
 *                pending deletion, destroyed, not found
 *   UNREACHABLE  everything that is not an answer about the key
 *   CORRUPT      wrong ciphertext, wrong context, key mismatch; USAGE: wrong key type. Never retried.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/key_spec.h"
#include "base/rc.h"
#include "base/secret.h"
#include "base/view.h"

/* What the service said beside its answer, for audit and policy; filled in also when the call fails. */
struct kms_note {
    char request_id[128];    /* the provider's own; "" when it gave none */
    uint32_t retry_after_ms; /* 0: it did not say */
};

/* One attempt. */
struct kms_call {
    uint64_t deadline_ms; /* boot time; 0 = none */
    struct clock *clock;
    struct kms_note *note; /* NULL: nobody wants to know */
};

struct stretched;

/* How a driver gets at a secret it needs (a passphrase): asked when it is needed, never stored. */
struct kms_conf {
    const struct key_spec *spec;
    /* passphrase(arg, what, ret): NULL when nobody can be asked. CREDENTIAL when there is none. */
    ks_rc (*passphrase)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *passphrase_arg;
    struct stretched *stretched; /* kms/stretched.h, borrowed; NULL: none is handed on */
    struct clock *clock;
    /* env(arg, name): what the environment says; NULL when nothing. env NULL: the process's own. */
    const char *(*env)(void *arg, const char *name);
    void *env_arg;
    bool is_development; /* allows NULL_KMS */
};

struct kms; /* an opened driver: one key */

enum { KMS_DRIVER_ABI = 2, KMS_SCOPE_BYTES = 256 };
enum kms_cap {
    KMS_CAP_CONTEXT = 1,  /* the service itself binds the wrap to the context */
    KMS_CAP_VERSIONS = 2, /* the key has versions that the service names */
};

/*
 * One right that the driver needs or could use, tried for real by "keystead key check". attempt makes one call and
 * returns what it gave; anything it makes is dropped. The AWS names: "kms:Encrypt".
 */
struct kms_permission {
    const char *name;
    const char *why;  /* what is lost without it: "new wraps and rotations fail" */
    bool is_required; /* volumes cannot be used without it */
    ks_rc (*attempt)(struct kms *, const struct kms_call *, const struct key_context *) KS_MUST;
};

struct kms_driver {
    const char *type;
    uint32_t abi;
    uint32_t caps;
    /* open: checks the form of the spec and makes what later calls need; may read credentials, asks
     * the service nothing. USAGE for a malformed spec, CREDENTIAL (UNREACHABLE) for credentials. */
    ks_rc (*open)(const struct kms_conf *, struct kms **ret) KS_MUST;
    /* wrap: ret_blob gets the ciphertext, ret_version the key version that made it. */
    ks_rc (*wrap)(struct kms *, const struct kms_call *, const struct key_context *,
                  const struct secret *plain, struct buf *ret_blob,
                  char ret_version[KEY_VERSION_BYTES]) KS_MUST;
    /* unwrap: WRONG_KEY / AUTH for a blob of another key or context. */
    ks_rc (*unwrap)(struct kms *, const struct kms_call *, const struct key_context *,
                    struct view blob, struct secret **ret_plain) KS_MUST;
    /* version: the key's current version, for "is there a newer one"; context says for whom (AWS: ExternalId). */
    ks_rc (*version)(struct kms *, const struct kms_call *, const struct key_context *,
                     char ret[KEY_VERSION_BYTES]) KS_MUST;
    void (*close)(struct kms *); /* NULL does nothing */
    /* scope(kms, ret): whose request quota a call uses, "aws:111122223333:eu-west-1"; optional, no scope. */
    void (*scope)(const struct kms *, char ret[KMS_SCOPE_BYTES]);
    const struct kms_permission *permissions; /* ended by a NULL name; optional */
};

/* Drivers embed this first. */
struct kms {
    const struct kms_driver *driver;
};

extern const struct kms_driver kms_driver_aws;
extern const struct kms_driver kms_driver_azure;
extern const struct kms_driver kms_driver_file;
extern const struct kms_driver kms_driver_null;
extern const struct kms_driver kms_driver_pkcs11;
extern const struct kms_driver kms_driver_gcp;
extern const struct kms_driver kms_driver_transit;

/* kms_driver_find(type, ret): USAGE with the known types in its text when there is none such. */
ks_rc kms_driver_find(const char *type, const struct kms_driver **ret) KS_MUST;
/* kms_driver_add(driver): one more driver for this process (tests add the fake one). BUG for a table
 * with a NULL member or another abi. Not thread-safe: before the first find. */
ks_rc kms_driver_add(const struct kms_driver *driver) KS_MUST;
