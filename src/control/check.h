/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/check.h - whether keys could be used, tried on a node of each region before anything depends on it.
 *
 * A CHECK is an operation; what its nodes are to try is kept in memory, because it is of use for a minute only: after a restart, or
 * when no node answers, it ends as failed and is asked again. At most CHECKS_MAX wait, of all organisations together; when all places
 * are taken, those who have the most make room for those who have less. Thread-safe.
 */
#pragma once

#include "control/control_int.h"
#include "control/scene.h"

struct checks;

enum { CHECKS_MAX = 512, CHECK_GIVEN_S = 15, CHECK_PATIENCE_S = 60 };

ks_rc checks_new(struct checks **ret) KS_MUST;
void checks_free(struct checks *checks);

/* check_add(w, o, region, keys): a node of the region is to try these keys; the step of o there says what came of it. keys: array as in
 * docs/NODES.md, taken over. Without a node that could: the step fails at once. */
ks_rc check_add(struct work *w, struct operation *o, const char *region, json_t *keys) KS_MUST;
/* check_desired(c, node, ret): appends what this node is to try, unless it was given to it just now. */
ks_rc check_desired(struct control *c, const char *node, json_t *ret) KS_MUST;
/* check_take(w, node, id, results): what came of it; results as in docs/NODES.md, well-formed. One that is not waited for is ignored. */
ks_rc check_take(struct work *w, const char *node, const char *id, const json_t *results) KS_MUST;
/* check_expire(s): steps of checks that nobody has answered in time fail. */
void check_expire(struct scene *s);
