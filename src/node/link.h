/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/link.h - what a node says to the control plane and hears from it, over mutual TLS (docs/NODES.md).
 *
 * Classes: UNREACHABLE when it does not answer or is in trouble itself; PERMISSION when it does not know this node (any more); USAGE when
 * it refuses what was sent; BAD_REPLY. Thread-safe; each call blocks until it is answered.
 */
#pragma once

#include "node/join.h"

struct link;

ks_rc link_new(struct node_dir *dir, const char *nodes_url, struct clock *clock,
               struct link **ret) KS_MUST;
void link_free(struct link *l);
/* link_refresh(l): uses the certificate that stands in the directory now. */
ks_rc link_refresh(struct link *l) KS_MUST;

/* link_desired(l, since, wait_s, ret): *ret is NULL when there is nothing new. */
ks_rc link_desired(struct link *l, int64_t since, unsigned wait_s, json_t **ret) KS_MUST;
/* link_report(l, report): accepted when it returns; parts that were not are logged. */
ks_rc link_report(struct link *l, const json_t *report) KS_MUST;
/* link_renew(l, request, ret). */
ks_rc link_renew(struct link *l, struct view request, json_t **ret) KS_MUST;
