/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/admin.h - what no cloud has a request for, below /keystead/v1/: accounts, faults, the audit of changes.
 *
 * Who has the admin token may ask: "Authorization: Bearer TOKEN". It is in DIR/admin.token, readable by the owner of the
 * state directory only. Requests and replies are in docs/KMS.md.
 */
#pragma once

#include "localkms/server.h"

enum { ADMIN_TOKEN_BYTES = 64 };

extern const struct lk_wire admin_wire;

/* admin_open(r, ret): the token of DIR/admin.token, which is made when it is missing. */
ks_rc admin_open(struct realm *r, struct secret **ret) KS_MUST;
