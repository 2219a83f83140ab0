/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/retention.h - what the store does not keep for ever: old audit events, operations and receipts.
 *
 * Events and receipts are in a file of DIR/audit, durable, before they leave the store; what cannot be written there stays. Operations go as
 * they are: events tell how each began and ended. Receipts stay while their volume is locked, whoever locked it. Each
 * batch is one short transaction with an event of its own, and the chain of the events that stay can be verified as before.
 */
#pragma once

#include "control/control_int.h"

enum {
    RETENTION_EVENTS = 1000, /* of a batch and its file */
    RETENTION_HISTORY = 200, /* operations, and receipts, of a batch */
    RETENTION_LOOK_S = 60,   /* between two looks that find nothing */
    RETENTION_LATE_S = 86400 /* how long what is no full batch is waited with */
};

/* retention_tick(c, now): a batch of each kind, when there is one to be removed. For the ticker. */
ks_rc retention_tick(struct control *c, int64_t now) KS_MUST;
