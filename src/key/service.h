/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/service.h - how the hierarchy has a customer's key used.
 *
 * The seam between key/ and kms/, which do not know each other: volume/key_access puts kms/policy
 * behind it, tests put what they need.
 */
#pragma once

#include "base/buf.h"
#include "base/key_spec.h"
#include "base/rc.h"
#include "base/secret.h"

struct key_service {
    /* Results are classed as in kms/driver.h: DENIED, UNREACHABLE, CORRUPT, USAGE. */
    ks_rc (*wrap)(struct key_service *, const struct key_spec *, const struct key_context *,
                  const struct secret *plain, struct buf *ret_blob,
                  char ret_version[KEY_VERSION_BYTES]) KS_MUST;
    ks_rc (*unwrap)(struct key_service *, const struct key_spec *, const struct key_context *,
                    struct view blob, struct secret **ret_plain) KS_MUST;
    ks_rc (*version)(struct key_service *, const struct key_spec *, const struct key_context *,
                     char ret[KEY_VERSION_BYTES]) KS_MUST;
};
