/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store.h - what the control plane knows, on the disk: DIR/control.db.
 *
 * Who reads takes a view: everything it reads through it is of one instant, however long it takes. Who changes takes the one
 * transaction there is; what it puts is there together with the audit event that tells of it, durable when commit returns, or not at
 * all. Nothing is checked here but form: what may follow what is decided by those who call. No secret is ever in the store;
 * of API keys and join tokens it has SHA-256 of random secrets.
 *
 * Lists come in the order given, as arrays to be freed with mem_free (NULL for none). The memory of a row behind the end of a text
 * is zero. Each costs as much as it gives: no query goes through a table.
 *
 * Classes of all: BUSY, CORRUPT, NO_SPACE, NO_MEMORY, IO; NOT_FOUND of those that get one row; EXISTS of those that put one where
 * another has the same unique name; BUG for what callers must not do.
 */
#pragma once

#include <jansson.h>

#include "base/clock.h"
#include "base/random.h"
#include "control/model.h"

struct store;
struct store_view;
struct store_tx;

enum {
    STORE_SCHEMA_VERSION = 6,
    STORE_PAGE_MAX = 501,
    STORE_DOCUMENT_MAX = 4 * 1024 * 1024,
    STORE_DETAIL_DEPTH_MAX = 16, /* of what is inside a volume, as JSON */
};

struct store_conf {
    const char *dir; /* the state directory, which is there */
    struct clock *clock;
    struct random *random;
};

/* store_create(conf): a new DIR/control.db, mode 0600. EXISTS. */
ks_rc store_create(const struct store_conf *conf) KS_MUST;
/* store_open(conf, ret): this process alone has the state directory from now on: BUSY while another has it. NOT_FOUND when there is no
 * store. An older one is brought to this version, after a copy to DIR/control.db.vN; NEWER_VERSION for one that is not known. */
ks_rc store_open(const struct store_conf *conf, struct store **ret) KS_MUST;
/* store_close(s): no view and no transaction may be open. */
void store_close(struct store *s);
/* store_backup(s, path): a consistent copy of it as of one instant, while it is in use; mode 0600. EXISTS. */
ks_rc store_backup(struct store *s, const char *path) KS_MUST;

/* -- views and transactions ------------------------------------------------------------------------------------------ */

/* store_view_begin(s, ret): waits while all connections are in use (16 of them); a view is for one thread, and short. */
ks_rc store_view_begin(struct store *s, struct store_view **ret) KS_MUST;
/* store_view_end(v): for CLEANUP too; NULL does nothing. */
void store_view_end(struct store_view **v);

/* store_tx_begin(s, ret): waits for the transaction before it. BUG when this thread has one open already. */
ks_rc store_tx_begin(struct store *s, struct store_tx **ret) KS_MUST;
/* store_tx_view(tx): reads what tx sees, its own changes too; as long as tx. */
struct store_view *store_tx_view(struct store_tx *tx);
/* store_tx_commit(tx): durable when it returns; *tx is NULL afterwards, also on failure, which changed nothing. BUG for changes that no
 * event tells of. */
ks_rc store_tx_commit(struct store_tx **tx) KS_MUST;
/* store_tx_end(tx): for CLEANUP: takes everything back that was not committed. NULL does nothing. */
void store_tx_end(struct store_tx **tx);
/* store_tx_observe(tx): what is changed is what was observed (a node's report, when a key was last used), which needs no event. */
void store_tx_observe(struct store_tx *tx);

/*
 * store_version(s, id): a number that is another one once a change has been committed to the cluster with that id, its regions or
 * its keys, or to the API key with that id; sometimes without one. What was read through a view that was begun after asking for the
 * number is still so while the number is the same: for keeping what is read often. Costs nothing; any thread.
 */
uint64_t store_version(struct store *s, const char *id);

/* What happened. Texts NULL: "". */
struct store_event {
    const char *action; /* "cluster.create" */
    const char *organisation, *cluster;
    const char *object; /* "cluster/1f69..." */
    json_t *
        detail; /* taken over, whatever comes out of it; NULL: {}. One of more than 2 KiB is left out, and says so */
};
/* store_tx_audit(tx, by, event): appends it to the chain. by NULL: the reconciler. */
ks_rc store_tx_audit(struct store_tx *tx, const struct caller *by,
                     const struct store_event *event) KS_MUST;

/* Numbers that only rise, from 1. Those of a transaction that was taken back are given again. */
enum store_counter {
    STORE_GOAL,      /* cluster_volume.goal */
    STORE_CLUSTER,   /* cluster.number */
    STORE_OPERATION, /* operation.number */
    STORE_KEY,       /* region_key.number */
    STORE_COUNTER_COUNT,
};
ks_rc store_tx_next(struct store_tx *tx, enum store_counter counter, int64_t *ret) KS_MUST;
/* store_tx_raise(tx, counter, least): the next ones will be above least. */
ks_rc store_tx_raise(struct store_tx *tx, enum store_counter counter, int64_t least) KS_MUST;
/* store_counter_get: the last one that was given; 0: none. */
ks_rc store_counter_get(struct store_view *v, enum store_counter counter, int64_t *ret) KS_MUST;
/* store_tx_id(tx, ret): a new random id (RFC 9562, version 4). store_id(s, ret): the same without a transaction. */
ks_rc store_tx_id(struct store_tx *tx, char ret[ID_BYTES]) KS_MUST;
ks_rc store_id(struct store *s, char ret[ID_BYTES]) KS_MUST;

/*
 * Where a list goes on: behind this place in ascending order, before it in descending order; all zero: from its beginning. Each list
 * says which members it goes by.
 */
struct store_page {
    int64_t at, number;
    char text[NAME_BYTES]; /* a name or an id */
    uint32_t count_max;    /* 1..STORE_PAGE_MAX */
    bool is_descending;
};

/* -- organisations, keys of the API ---------------------------------------------------------------------------------- */

ks_rc store_organisation_put(struct store_tx *tx, const struct organisation *row) KS_MUST;
ks_rc store_organisation_get(struct store_view *v, const char *id,
                             struct organisation *ret) KS_MUST;
/* by (at: created, text: id) */
ks_rc store_organisations(struct store_view *v, const struct store_page *page,
                          struct organisation **ret, size_t *ret_count) KS_MUST;

/* store_platform_get: everything "" before it was ever told. */
ks_rc store_platform_put(struct store_tx *tx, const struct platform *row) KS_MUST;
ks_rc store_platform_get(struct store_view *v, struct platform *ret) KS_MUST;

struct store_api_key {
    struct api_key key;
    uint8_t hash[32]; /* SHA-256 of its secret */
};
ks_rc store_api_key_put(struct store_tx *tx, const struct store_api_key *row) KS_MUST;
ks_rc store_api_key_get(struct store_view *v, const char *id, struct store_api_key *ret) KS_MUST;
/* by (at: created, text: id): those that by may see (control/scope.h) */
ks_rc store_api_keys(struct store_view *v, const struct caller *by, const struct store_page *page,
                     struct store_api_key **ret, size_t *ret_count) KS_MUST;
/* store_api_key_used(tx, id, at): sets last_used, unless it is later already. */
ks_rc store_api_key_used(struct store_tx *tx, const char *id, int64_t at) KS_MUST;

/* -- nodes ------------------------------------------------------------------------------------------------------------- */

ks_rc store_node_put(struct store_tx *tx, const struct node *row) KS_MUST;
ks_rc store_node_get(struct store_view *v, const char *id, struct node *ret) KS_MUST;
ks_rc store_node_by_certificate(struct store_view *v, const char *fingerprint,
                                struct node *ret) KS_MUST;
/* by (at: joined, text: id); removed ones too */
ks_rc store_nodes(struct store_view *v, const struct store_page *page, struct node **ret,
                  size_t *ret_count) KS_MUST;
/* store_nodes_of_region(v, region, ret, ret_count): those that are joined, by (joined, id). */
ks_rc store_nodes_of_region(struct store_view *v, const char *region, struct node **ret,
                            size_t *ret_count) KS_MUST;
/* store_region_names(v, ret, ret_count): regions that have joined nodes, by name. */
ks_rc store_region_names(struct store_view *v, char (**ret)[NAME_BYTES], size_t *ret_count) KS_MUST;
/* store_node_volume_count(v, node, ret): volumes on it, those that are to be taken away too. */
ks_rc store_node_volume_count(struct store_view *v, const char *node, int64_t *ret) KS_MUST;

struct store_join_token {
    char id[ID_BYTES], region[NAME_BYTES];
    uint8_t hash[32];               /* SHA-256 of its secret */
    int64_t created, expires, used; /* used 0: not yet */
    char node[ID_BYTES];            /* that joined with it; "" */
};
ks_rc store_join_token_put(struct store_tx *tx, const struct store_join_token *row) KS_MUST;
ks_rc store_join_token_get(struct store_view *v, const char *id,
                           struct store_join_token *ret) KS_MUST;
/* store_join_tokens_expire(tx, before): forgets those that expired before then. */
ks_rc store_join_tokens_expire(struct store_tx *tx, int64_t before) KS_MUST;

/* -- clusters, regions, keys ------------------------------------------------------------------------------------------- */

ks_rc store_cluster_put(struct store_tx *tx, const struct cluster *row) KS_MUST;
ks_rc store_cluster_get(struct store_view *v, const char *id, struct cluster *ret) KS_MUST;
/* store_cluster_by_name(v, organisation, name, ret): the one that is not deleted. */
ks_rc store_cluster_by_name(struct store_view *v, const char *organisation, const char *name,
                            struct cluster *ret) KS_MUST;

enum store_cluster_order {
    STORE_CLUSTERS_BY_NUMBER,  /* as they were created */
    STORE_CLUSTERS_BY_NAME,    /* by (text: name, number) */
    STORE_CLUSTERS_BY_DELETED, /* by (at: deleted, number) */
    STORE_CLUSTER_ORDER_COUNT,
};
struct store_clusters_ask {
    const char *organisation;
    enum store_cluster_order order;
    bool is_with_deleted;
    const char *dialect; /* NULL: all */
};
ks_rc store_clusters(struct store_view *v, const struct store_clusters_ask *ask,
                     const struct store_page *page, struct cluster **ret,
                     size_t *ret_count) KS_MUST;

ks_rc store_region_put(struct store_tx *tx, const struct region *row) KS_MUST;
ks_rc store_region_get(struct store_view *v, const char *cluster, const char *name,
                       struct region *ret) KS_MUST;
/* by name */
ks_rc store_regions(struct store_view *v, const char *cluster, struct region **ret,
                    size_t *ret_count) KS_MUST;
ks_rc store_region_delete(struct store_tx *tx, const char *cluster, const char *name) KS_MUST;

ks_rc store_region_key_put(struct store_tx *tx, const struct region_key *row) KS_MUST;
ks_rc store_region_key_get(struct store_view *v, const char *id, struct region_key *ret) KS_MUST;
/* store_region_keys(v, cluster, region, ret, ret_count): by region, newest first; region NULL: of all. Past ones too. */
ks_rc store_region_keys(struct store_view *v, const char *cluster, const char *region,
                        struct region_key **ret, size_t *ret_count) KS_MUST;

/* -- volumes ------------------------------------------------------------------------------------------------------------ */

ks_rc store_volume_put(struct store_tx *tx, const struct cluster_volume *row) KS_MUST;
ks_rc store_volume_get(struct store_view *v, const char *id, struct cluster_volume *ret) KS_MUST;
/* store_volumes(v, cluster, region, ret, ret_count): by (region, ordinal); region NULL: of all. */
ks_rc store_volumes(struct store_view *v, const char *cluster, const char *region,
                    struct cluster_volume **ret, size_t *ret_count) KS_MUST;
/* store_volumes_of_node(v, node, since, count_max, ret, ret_count): the first of those with a goal above since, by goal. */
ks_rc store_volumes_of_node(struct store_view *v, const char *node, int64_t since,
                            uint32_t count_max, struct cluster_volume **ret,
                            size_t *ret_count) KS_MUST;
/* store_volume_delete(tx, id): with its keys and its detail. */
ks_rc store_volume_delete(struct store_tx *tx, const char *id) KS_MUST;

ks_rc store_volume_key_put(struct store_tx *tx, const struct volume_key *row) KS_MUST;
/* store_volume_keys(v, volume, ret, ret_count): of a volume. store_volume_keys_of_cluster: of all volumes of a cluster, by
 * (volume, key). */
ks_rc store_volume_keys(struct store_view *v, const char *volume, struct volume_key **ret,
                        size_t *ret_count) KS_MUST;
ks_rc store_volume_keys_of_cluster(struct store_view *v, const char *cluster,
                                   struct volume_key **ret, size_t *ret_count) KS_MUST;
ks_rc store_volume_key_delete(struct store_tx *tx, const char *volume, const char *key) KS_MUST;

/* -- operations, receipts, schedule -------------------------------------------------------------------------------------- */

ks_rc store_operation_put(struct store_tx *tx, const struct operation *row) KS_MUST;
ks_rc store_operation_get(struct store_view *v, const char *id, struct operation *ret) KS_MUST;
/* Which operations: of a cluster, or else of an organisation; state, kind NULL: all. */
struct store_operations_ask {
    const char *cluster, *organisation;
    const enum operation_state *state;
    const enum operation_kind *kind;
};
/* by number */
ks_rc store_operations(struct store_view *v, const struct store_operations_ask *ask,
                       const struct store_page *page, struct operation **ret,
                       size_t *ret_count) KS_MUST;
/* store_operations_running(v, cluster, page, ret, ret_count): by number; cluster NULL: of all clusters of all organisations. */
ks_rc store_operations_running(struct store_view *v, const char *cluster,
                               const struct store_page *page, struct operation **ret,
                               size_t *ret_count) KS_MUST;
ks_rc store_operation_step_put(struct store_tx *tx, const struct operation_step *row) KS_MUST;
/* by region */
ks_rc store_operation_steps(struct store_view *v, const char *operation,
                            struct operation_step **ret, size_t *ret_count) KS_MUST;

/* store_receipt_put(tx, row, ret_is_new): one that is there already stays as it is. */
ks_rc store_receipt_put(struct store_tx *tx, const struct receipt *row, bool *ret_is_new) KS_MUST;
/* by (at, text: id); operation NULL: all of the cluster */
ks_rc store_receipts(struct store_view *v, const char *cluster, const char *operation,
                     const struct store_page *page, struct receipt **ret,
                     size_t *ret_count) KS_MUST;

/* store_operations_ended(v, before, count_max, ret, ret_count): those that ended before then, the earliest first. store_receipts_old: receipts of
 * locks before then, but for those of volumes that are locked and that of a volume's last revocation, the earliest first. */
ks_rc store_operations_ended(struct store_view *v, int64_t before, uint32_t count_max,
                             struct operation **ret, size_t *ret_count) KS_MUST;
ks_rc store_receipts_old(struct store_view *v, int64_t before, uint32_t count_max,
                         struct receipt **ret, size_t *ret_count) KS_MUST;
/* store_operation_delete(tx, id): with its steps. */
ks_rc store_operation_delete(struct store_tx *tx, const char *id) KS_MUST;
ks_rc store_receipt_delete(struct store_tx *tx, const char *id) KS_MUST;

/* Something that is due at a time: a rotation of a level of a cluster. region "": of the cluster. */
struct store_due {
    char cluster[ID_BYTES], region[NAME_BYTES], what[WORD_BYTES];
    int64_t at;
};
ks_rc store_due_put(struct store_tx *tx, const struct store_due *row) KS_MUST;
ks_rc store_due_get(struct store_view *v, const char *cluster, const char *region, const char *what,
                    struct store_due *ret) KS_MUST;
/* store_dues_until(v, at, count_max, ret, ret_count): due at that time or before, the earliest first. */
ks_rc store_dues_until(struct store_view *v, int64_t at, uint32_t count_max, struct store_due **ret,
                       size_t *ret_count) KS_MUST;
/* region NULL, what NULL: all of the cluster */
ks_rc store_due_delete(struct store_tx *tx, const char *cluster, const char *region,
                       const char *what) KS_MUST;

/* -- documents and settings ----------------------------------------------------------------------------------------------- */

/*
 * A document is a text (JSON) that belongs to a thing: ("volume", id) what the node reported about wraps and generations, ("check", id of
 * the operation) what is to be tried and what came out. owner: the cluster; its documents can be listed.
 */
struct store_document {
    const char *kind, *id, *owner;
    struct view text; /* at most STORE_DOCUMENT_MAX bytes */
};
ks_rc store_document_put(struct store_tx *tx, const struct store_document *document) KS_MUST;
/* store_document_get(v, kind, id, ret): appends the text. */
ks_rc store_document_get(struct store_view *v, const char *kind, const char *id,
                         struct buf *ret) KS_MUST;
ks_rc store_document_delete(struct store_tx *tx, const char *kind, const char *id) KS_MUST;
/* store_document_ids(v, kind, owner, ret, ret_count): of an owner, by id; owner NULL: of all. */
ks_rc store_document_ids(struct store_view *v, const char *kind, const char *owner,
                         char (**ret)[ID_BYTES], size_t *ret_count) KS_MUST;

/* A setting is a short text under a name of the program's. */
ks_rc store_setting_put(struct store_tx *tx, const char *name, const char *text) KS_MUST;
ks_rc store_setting_get(struct store_view *v, const char *name, struct buf *ret) KS_MUST;

/* -- audit ------------------------------------------------------------------------------------------------------------------ */

/* Which events: those of an organisation (""): with a number between first and last; cluster NULL: of all its clusters. is_platform: of
 * all organisations, but none about a cluster. */
struct store_events_ask {
    bool is_platform;
    const char *organisation, *cluster;
    int64_t first, last; /* numbers, both included */
    uint32_t count_max;
    bool is_descending;
};
ks_rc store_events(struct store_view *v, const struct store_events_ask *ask,
                   struct audit_event **ret, size_t *ret_count) KS_MUST;
/* store_event_since(v, at, ret): the number of the first event at that time or later; one above the last when there is none. */
ks_rc store_event_since(struct store_view *v, int64_t at, int64_t *ret) KS_MUST;
/* store_events_behind(v, number, count_max, ret, ret_count): of all scopes, by number. */
ks_rc store_events_behind(struct store_view *v, int64_t number, uint32_t count_max,
                          struct audit_event **ret, size_t *ret_count) KS_MUST;
/*
 * What is left of events that were removed: the number and the chain of the last one, where the chain goes on. Number 0: none were.
 * store_events_remove(tx, last, file): all up to this one, which is there; an event "audit.prune" of the same transaction tells of it and holds
 * the anchor, so that none can be put in its place unnoticed. file: where they were written to, for people.
 */
struct store_anchor {
    int64_t number;
    char chain[65];
};
ks_rc store_events_anchor(struct store_view *v, struct store_anchor *ret) KS_MUST;
ks_rc store_events_remove(struct store_tx *tx, const struct audit_event *last,
                          const char *file) KS_MUST;
/* store_events_verify(v, ret_count): all of the chain that is there, from the anchor on. AUTH with the number of the first event that does
 * not fit. */
ks_rc store_events_verify(struct store_view *v, int64_t *ret_count) KS_MUST;

/* -- repeated requests -------------------------------------------------------------------------------------------------------- */

struct store_repeat {
    char owner[ID_BYTES]; /* API key */
    char word[256];       /* its Idempotency-Key */
    uint8_t hash[32];     /* of the request */
    uint32_t status;
    int64_t at;
};
ks_rc store_repeat_put(struct store_tx *tx, const struct store_repeat *row,
                       struct view body) KS_MUST;
ks_rc store_repeat_get(struct store_view *v, const char *owner, const char *word,
                       struct store_repeat *ret) KS_MUST;
ks_rc store_repeat_body(struct store_view *v, const char *owner, const char *word,
                        struct buf *ret) KS_MUST;
/* store_repeats_expire(tx, before): forgets replies that were given before then. */
ks_rc store_repeats_expire(struct store_tx *tx, int64_t before) KS_MUST;
