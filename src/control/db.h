/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/db.h - SQLite as the store needs it: connections with their prepared statements, and rows to and from structs by
 * tables of columns.
 *
 * Every statement that is ever run stands in one table of queries, given when a connection is opened, so that a test can
 * look at the plan of each. Texts from the file are bounded by the member they go to; one that does not fit, or a name that no
 * enum has, is CORRUPT. A connection is used by one thread at a time.
 *
 * Classes: NOT_FOUND for a row that is not there, EXISTS for one that is, BUSY, CORRUPT, NO_SPACE, NO_MEMORY, IO; BUG for what breaks
 * a rule of the schema, because callers check before they write.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"
#include "base/view.h"

struct db;

/* The words of an enum, from 0. */
struct db_names {
    unsigned count;
    const char *(*name)(unsigned value);
};

enum db_kind { DB_TEXT, DB_BYTES, DB_INT64, DB_UINT32, DB_UINT16, DB_BOOL, DB_ENUM };

/* A column and the member of the struct that it fills. */
struct db_column {
    const char *name;
    enum db_kind kind;
    size_t offset, bytes;         /* of the member; DB_BYTES always has all of them */
    const struct db_names *names; /* of DB_ENUM */
    bool is_fixed;                /* never changes; the columns of the key are */
};

struct db_table {
    const char *name, *what; /* what: for people, "cluster" */
    const char *key;         /* columns that make a row the same one: "id" */
    size_t row_bytes, column_count;
    const struct db_column *columns;
};

enum db_verb {
    DB_SELECT,  /* the columns of table, then tail */
    DB_REPLACE, /* a row of table; one with the same key is changed */
    DB_INSERT,  /* a row of table; EXISTS when there is one with the same key */
    DB_PLAIN,   /* tail is the statement */
};

struct db_query {
    enum db_verb verb;
    const struct db_table *table; /* not of DB_PLAIN; from may name a join: see tail */
    const char *tail;
};

/* A parameter of a statement. A list of them ends with kind DB_ARG_END; see DB_ARGS. */
enum db_arg_kind { DB_ARG_END, DB_ARG_TEXT, DB_ARG_LONG_TEXT, DB_ARG_NUMBER, DB_ARG_BYTES };
struct db_arg {
    enum db_arg_kind kind;
    const char *text;
    int64_t number;
    struct view bytes; /* of bytes and of a text that has its length */
};

static inline struct db_arg db_text(const char *text)
{
    return (struct db_arg){.kind = DB_ARG_TEXT, .text = text};
}

static inline struct db_arg db_long_text(struct view text)
{
    return (struct db_arg){.kind = DB_ARG_LONG_TEXT, .bytes = text};
}

static inline struct db_arg db_number(int64_t number)
{
    return (struct db_arg){.kind = DB_ARG_NUMBER, .number = number};
}

static inline struct db_arg db_bytes(struct view bytes)
{
    return (struct db_arg){.kind = DB_ARG_BYTES, .bytes = bytes};
}

#define DB_ARGS(...) ((const struct db_arg[]){__VA_ARGS__, {.kind = DB_ARG_END}})
#define DB_NO_ARGS ((const struct db_arg[]){{.kind = DB_ARG_END}})

enum db_mode { DB_READ_ONLY, DB_READ_WRITE };

/*
 * db_open(path, mode, queries, count, ret): a connection to a file that is there. Write-ahead log, every commit synced, foreign
 * keys checked, nothing in the file's schema is trusted to run. queries live as long as the connection.
 */
ks_rc db_open(const char *path, enum db_mode mode, const struct db_query *queries, size_t count,
              struct db **ret) KS_MUST;
void db_close(struct db *db);
void db_closep(struct db **db);

/* db_script(db, sql): statements without parameters and results, for schemas and transactions. */
ks_rc db_script(struct db *db, const char *sql) KS_MUST;
/* db_pragma(db, sql, ret): the one number that a statement gives that is not among the queries: "PRAGMA user_version". */
ks_rc db_pragma(struct db *db, const char *sql, int64_t *ret) KS_MUST;
/* db_is_in_transaction(db): false also after a failure that made SQLite give the transaction up. */
bool db_is_in_transaction(struct db *db);
/* db_backup(db, path): copies all of it, as it is in one instant, to a new file at path; other connections go on meanwhile. */
ks_rc db_backup(struct db *db, const char *path) KS_MUST;

/* db_run(db, query, args): a statement without result. */
ks_rc db_run(struct db *db, size_t query, const struct db_arg *args) KS_MUST;
/* db_put(db, query, row): query is DB_REPLACE or DB_INSERT of the table that row is of. */
ks_rc db_put(struct db *db, size_t query, const void *row) KS_MUST;
/* db_row(db, query, args, ret): the first row; NOT_FOUND when there is none. */
ks_rc db_row(struct db *db, size_t query, const struct db_arg *args, void *ret) KS_MUST;
/* db_rows(db, query, args, ret, ret_count): all of them, in an array of the table's structs; free with mem_free. NULL for none. The
 * query has to bound how many there can be. */
ks_rc db_rows(struct db *db, size_t query, const struct db_arg *args, void *ret,
              size_t *ret_count) KS_MUST;
/* db_value(db, query, args, ret), db_content(db, query, args, ret): the first column of the first row, a number or text or bytes that
 * are appended to ret; NOT_FOUND. */
ks_rc db_value(struct db *db, size_t query, const struct db_arg *args, int64_t *ret) KS_MUST;
ks_rc db_content(struct db *db, size_t query, const struct db_arg *args, struct buf *ret) KS_MUST;
/* db_words(db, query, args, width, ret, ret_count): the first column of all rows, texts of less than width bytes, one behind the other
 * in an array of char[width]. */
struct db_words {
    size_t width, count;
    char *texts; /* mem_free */
};
ks_rc db_words(struct db *db, size_t query, const struct db_arg *args,
               struct db_words *ret) KS_MUST;
/* db_sql(query, ret): the statement's text. */
ks_rc db_sql(const struct db_query *query, struct buf *ret) KS_MUST;
/* db_plan(db, query, ret): appends what SQLite says about how it runs a query, a line for each step. */
ks_rc db_plan(struct db *db, size_t query, struct buf *ret) KS_MUST;
