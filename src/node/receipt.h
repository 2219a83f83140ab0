/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/receipt.h - what proves that a volume was locked: one line of text, signed by the node (docs/NODES.md).
 */
#pragma once

#include <jansson.h>

#include "crypto/certificate.h"
#include "node/wish.h"

enum { RECEIPT_TEXT_MAX = RECEIPT_TEXT_BYTES - 1 };

struct receipt_facts {
    char id[ID_BYTES];
    const struct wish *wish;
    const char *node;
    enum cause cause; /* REVOKED, DENIED, UNREACHABLE */
    int64_t asked_s, locked_s;
    int64_t duration_ms, handles_cut, engine_stopped_ms;
};

/* receipt_text(facts, ret): appends the text that is signed, the same bytes for the same facts. */
ks_rc receipt_text(const struct receipt_facts *facts, struct buf *ret) KS_MUST;
/* receipt_sign(text, key, certificate, ret): {"text","signature","certificate"}, a new reference. */
ks_rc receipt_sign(struct view text, const struct key_pair *key, struct view certificate,
                   json_t **ret) KS_MUST;

/* What a receipt that holds says. */
struct receipt_claim {
    char node[256]; /* name in the certificate */
    char fingerprint[65];
    json_t *text; /* owned by the caller */
};

/* receipt_verify(receipt, authority, ret): FORMAT for what is no receipt; AUTH when it was changed, or the certificate is not of
 * this authority. The certificate's time does not count: a receipt is good for ever. */
ks_rc receipt_verify(const json_t *receipt, struct view authority,
                     struct receipt_claim *ret) KS_MUST;

/* receipt_id(random, ret): a new id (a version 4 UUID, RFC 9562). */
ks_rc receipt_id(struct random *random, char ret[ID_BYTES]) KS_MUST;
