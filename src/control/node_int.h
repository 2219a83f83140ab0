/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/node_int.h - what the files about nodes share.
 */
#pragma once

#include "control/control_int.h"
#include "control/store.h"

enum { FINGERPRINT_BYTES = 65, CERTIFICATE_REQUEST_MAX = 16 * 1024 };

/* node_check_platform(by, what): NOT_FOUND for callers who may not know of nodes: all but the platform's. */
ks_rc node_check_platform(const struct caller *by, const char *what) KS_MUST;
/* node_text_is_plain(text, room): names and addresses are shown to people and go into replies: printable ASCII without blanks, quotes
 * and brackets, of less than room bytes. */
bool node_text_is_plain(const char *text, size_t room);
/* node_sign(c, request, node, ret_pem, fingerprint): a certificate for the node; USAGE for a request that cannot be taken. */
ks_rc node_sign(struct control *c, const char *request_pem, const char *node, struct buf *ret_pem,
                char fingerprint[FINGERPRINT_BYTES]) KS_MUST;
/* node_finish(w, node, pem, ret): ends the work; ret: what a node that joined or renewed is told. */
ks_rc node_finish(struct work *w, const struct node *n, const struct buf *pem,
                  json_t **ret) KS_MUST;
ks_rc node_audit(struct work *w, const struct caller *by, const char *action,
                 const struct node *n) KS_MUST;
/* node_get_joined(v, id, ret): PERMISSION when it was removed. */
ks_rc node_get_joined(struct store_view *v, const char *id, struct node *ret) KS_MUST;
/* node_forget_renewed(w, node): its certificates that were renewed and not used yet. */
ks_rc node_forget_renewed(struct work *w, const char *node) KS_MUST;
/* node_keep_renewed(w, node, fingerprint): a certificate that counts from its first use on. */
ks_rc node_keep_renewed(struct work *w, const char *node, const char *fingerprint) KS_MUST;
