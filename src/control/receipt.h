/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/receipt.h - receipts of locked volumes, as nodes hand them in: checked before they are kept.
 */
#pragma once

#include "control/control_int.h"
#include "control/store.h"

/* What a receipt says and its row does not: "REVOKED", "DENIED", "UNREACHABLE" or "ERROR", and the goal that its node had. */
struct receipt_word {
    char reason[WORD_BYTES];
    int64_t goal;
};

/* receipt_read(node, one, ret, ret_word): the receipt that a node handed in, "operation" still "". USAGE when it says something else than
 * a receipt does, or another node's name. Whether it is signed is not looked at. */
ks_rc receipt_read(const char *node, const json_t *one, struct receipt *ret,
                   struct receipt_word *ret_word) KS_MUST;
/* receipt_check_signature(c, r): USAGE when it is not signed by a certificate of our authority for its node. Needs no transaction. */
ks_rc receipt_check_signature(struct control *c, const struct receipt *r) KS_MUST;
/* receipt_find_operation(w, r): the revocation that is at work in its region is its operation; "" when none is. */
ks_rc receipt_find_operation(struct work *w, struct receipt *r) KS_MUST;
/* receipt_keep(w, r, reason, ret_is_new): stores it with its event. */
ks_rc receipt_keep(struct work *w, struct receipt *r, const char *reason, bool *ret_is_new) KS_MUST;
