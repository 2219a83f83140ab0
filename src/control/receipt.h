/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/receipt.h - receipts of locked volumes, as nodes hand them in: checked before they are kept.
 */
#pragma once

#include "control/control_int.h"
#include "control/store.h"

/* receipt_read(w, node, one, ret, ret_reason): the receipt that a node handed in, "operation" still "". USAGE when it is not signed by a
 * certificate of our authority for this node, when it says something else than a receipt does, or another node's name. ret_reason: "REVOKED",
 * "DENIED", "UNREACHABLE", "ERROR". */
ks_rc receipt_read(struct work *w, const char *node, const json_t *one, struct receipt *ret,
                   char ret_reason[WORD_BYTES]) KS_MUST;
/* receipt_keep(w, r, reason, ret_is_new): stores it with its event. The revocation that is at work in its region is its operation. */
ks_rc receipt_keep(struct work *w, struct receipt *r, const char *reason, bool *ret_is_new) KS_MUST;
