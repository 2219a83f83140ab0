/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/db_int.h - what db.c and db_row.c share: the connection and its running statements. For nobody else.
 */
#pragma once

#include <sqlite3.h>

#include "control/db.h"

struct db {
    sqlite3 *sqlite;
    const struct db_query *queries;
    size_t query_count;
    sqlite3_stmt **statements; /* one for each query, made when first used */
};

/* db_fail(db, err): the result for an error of SQLite; db may be NULL. */
ks_rc db_fail(sqlite3 *db, int err) KS_MUST;
/* db_statement(db, query, ret): the prepared statement, at its beginning; db_release gives it back. */
ks_rc db_statement(struct db *db, size_t query, sqlite3_stmt **ret) KS_MUST;
/* db_begin(db, query, args, ret): the same with its parameters bound. */
ks_rc db_begin(struct db *db, size_t query, const struct db_arg *args, sqlite3_stmt **ret) KS_MUST;
void db_release(sqlite3_stmt **s);
/* db_finish(db, s): one step of a statement whose result does not matter. */
ks_rc db_finish(struct db *db, sqlite3_stmt *s) KS_MUST;
