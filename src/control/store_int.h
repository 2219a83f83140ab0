/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_int.h - what the files of the store share: its connections, its queries, its tables. For nobody else.
 */
#pragma once

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "control/db.h"
#include "control/store.h"

/* -- tables and queries (store_tables.c, store_queries.def) -- */

/* The one row of its table. */
struct store_platform {
    int64_t id; /* 1 */
    struct platform platform;
};

extern const struct db_table store_table_organisation, store_table_api_key, store_table_node,
    store_table_join_token, store_table_cluster, store_table_region, store_table_region_key,
    store_table_volume, store_table_volume_key, store_table_operation, store_table_operation_step,
    store_table_receipt, store_table_due, store_table_audit, store_table_repeat,
    store_table_platform;

enum store_query {
#define SELECT(name, table, tail) Q_##name,
#define REPLACE(name, table) Q_##name,
#define INSERT(name, table) Q_##name,
#define PLAIN(name, sql) Q_##name,
#include "control/store_queries.def"
#undef SELECT
#undef REPLACE
#undef INSERT
#undef PLAIN
    STORE_QUERY_COUNT,
};
extern const struct db_query store_queries[STORE_QUERY_COUNT];

/* -- schema (store_schema.c) -- */

struct store_schema {
    const char *const *steps; /* [n] brings version n to n + 1 */
    int64_t version;
};
extern const struct store_schema store_schema_now; /* STORE_SCHEMA_VERSION */

/* store_schema_version(db, schema, ret): 0 for an empty file; NEWER_VERSION. */
ks_rc store_schema_version(struct db *db, const struct store_schema *schema, int64_t *ret) KS_MUST;
/* store_schema_migrate(db, schema): to its version, in one transaction. */
ks_rc store_schema_migrate(struct db *db, const struct store_schema *schema) KS_MUST;

/* -- connections (store.c) -- */

enum { STORE_READERS_MAX = 16, STORE_VERSIONS = 4096 };

struct store_view {
    struct store *store;
    struct db *db;
};

struct store_tx {
    struct store_view view; /* of the writing connection */
    bool is_changed, is_told;
    bool is_touched[STORE_VERSIONS]; /* to be raised once it is committed */
};

struct store {
    struct store_conf conf;
    char path[4096];
    struct io_node *dir;
    struct io_file *lock;         /* DIR/control.lock, held while the store is open */
    pthread_mutex_t writer_mutex; /* who has it has tx */
    struct store_tx tx;
    atomic_uint_fast64_t versions[STORE_VERSIONS]; /* by a hash of the id */
    pthread_mutex_t mutex;                         /* of what follows */
    pthread_cond_t is_idle;
    struct store_view views[STORE_READERS_MAX];
    struct store_view *idle[STORE_READERS_MAX];
    size_t idle_count, view_count;
};

/* -- for the files with the functions of each kind of object -- */

/* store_open_as(conf, schema, ret): store_open with another schema, for tests of migrations. */
ks_rc store_open_as(const struct store_conf *conf, const struct store_schema *schema,
                    struct store **ret) KS_MUST;
/* store_change(tx, query, args), store_put(tx, query, row): a change within tx. */
ks_rc store_change(struct store_tx *tx, enum store_query query, const struct db_arg *args) KS_MUST;
ks_rc store_put(struct store_tx *tx, enum store_query query, const void *row) KS_MUST;

/* store_touch(tx, id): the version of the cluster or API key is another one once tx is committed. */
void store_touch(struct store_tx *tx, const char *id);

/* The arguments of a page: where it goes on and how many rows it gives. */
struct store_from {
    int64_t at, number, count_max;
    const char *text;
};
/* store_from(page): with the lowest or highest place for a page from the beginning. */
struct store_from store_from(const struct store_page *page);

/* store_chain(before, event, ret): the chain with event, behind the one before it; hex. */
ks_rc store_chain(const char before[65], const struct audit_event *event, char ret[65]) KS_MUST;
