/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_model.h - every Google resource of the realm: in memory, in order of name, and in the store.
 *
 * A node never changes: a change puts another node of the same name in its place, once it is durable. Locks: realm.h.
 */
#pragma once

#include <jansson.h>

#include "localkms/gcp_name.h"
#include "localkms/realm.h"

enum { GOOG_MATERIAL_ID_BYTES = 16, GOOG_MATERIAL_BYTES = 32 };

struct goog_node {
    char name[GOOG_NAME_BYTES];
    enum goog_kind kind;
    json_t *doc;              /* as Google shows it, without what follows from other nodes */
    json_t *own;              /* what Google does not show */
    json_t *policy;           /* NULL: none was set */
    struct secret *secret;    /* key material, or PKCS#8 of an import job; NULL: none */
    struct goog_node *before; /* what uses still see until seen_ms (a dialled delay), or NULL */
    uint64_t seen_ms;
};

/* goog_node_new(kind, name, ret), goog_node_copy(node, ret): a node that belongs to the caller. */
ks_rc goog_node_new(enum goog_kind kind, const char *name, struct goog_node **ret) KS_MUST;
ks_rc goog_node_copy(const struct goog_node *node, struct goog_node **ret) KS_MUST;
void goog_node_free(struct goog_node *n);
void goog_node_freep(struct goog_node **n);
/* goog_text(n, member): a text of the document; "" when it is absent. */
const char *goog_text(const struct goog_node *n, const char *member);
/* goog_number(n, member): a number of what is our own; 0 when absent. */
int64_t goog_number(const struct goog_node *n, const char *member);
/* goog_set(object, member, value): takes value over; NO_MEMORY, also for a value that is NULL. */
ks_rc goog_set(json_t *object, const char *member, json_t *value) KS_MUST;

/* goog_open(r), goog_close(r): r->gcp. Material whose time has come is destroyed at opening. */
ks_rc goog_open(struct realm *r) KS_MUST;
void goog_close(struct realm *r);
/* goog_find(r, name): NULL when there is none. */
const struct goog_node *goog_find(const struct realm *r, const char *name);
/* goog_seen(r, node): the node as uses see it now. */
const struct goog_node *goog_seen(struct realm *r, const struct goog_node *node);
/* goog_each(r, parent, kind, each, arg): the members of a collection, in order of name, versions in order of number. */
void goog_each(const struct realm *r, const char *parent, enum goog_kind kind,
               void (*each)(void *arg, const struct goog_node *node), void *arg);
void goog_each_node(const struct realm *r, void (*each)(void *arg, const struct goog_node *node),
                    void *arg);
/* goog_commit(r, nodes, count, event): in the caller's turn: takes the nodes over, also when it fails. lag_ms: by how
 * much uses see it later. */
ks_rc goog_commit(struct realm *r, struct goog_node **nodes, size_t count,
                  const struct lk_event *event, uint64_t lag_ms) KS_MUST;
/* goog_remove(r, name, event): with all below it. */
ks_rc goog_remove(struct realm *r, const char *name, const struct lk_event *event) KS_MUST;
/* goog_token_key(r): what access tokens are authenticated with. */
struct view goog_token_key(const struct realm *r);
