/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/key_access.h - the key services of a volume behind the seam that the key hierarchy knows.
 *
 * Holds one client (kms/policy.h) per key spec, opened when it is first needed. Thread-safe; calls
 * for different keys do not wait for each other.
 */
#pragma once

#include "key/service.h"
#include "kms/policy.h"

struct key_access;

/* key_access_new(options, ret): options are copied; what they point to is borrowed. */
ks_rc key_access_new(const struct kms_options *options, struct key_access **ret) KS_MUST;
/* key_access_free(a): closes every client; no call may be in progress. */
void key_access_free(struct key_access *a);

/* key_access_each(a, each, arg): what became of the calls of every client that is open, under the list's lock: each
 * must not call back. */
void key_access_each(struct key_access *a,
                     void (*each)(void *arg, const struct key_spec *spec,
                                  const struct kms_report *report),
                     void *arg);

/* key_access_service(a): valid while a lives. */
struct key_service *key_access_service(struct key_access *a);
