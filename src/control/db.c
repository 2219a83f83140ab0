/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/db.c - a connection to SQLite: opening it with the settings that make it durable and careful, running its prepared
 * statements, and what its errors mean.
 *
 * Invariant: a statement is reset before control returns, so none keeps a lock, and none is ever used twice at a time.
 */
#include "control/db.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/db_int.h"

enum { BUSY_MS = 5000, SQL_BYTES_MAX = 16 * 1024 };

ks_rc db_fail(sqlite3 *db, int err)
{
    const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(err);

    if (err == SQLITE_CONSTRAINT_UNIQUE || err == SQLITE_CONSTRAINT_PRIMARYKEY ||
        err == SQLITE_CONSTRAINT_ROWID)
        return ks_fail(KS_E_EXISTS, "it exists already: %s", text);
    switch (err & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return ks_fail(KS_E_BUSY, "the store is in use: %s", text);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return ks_fail(KS_E_CORRUPT, "the store is damaged: %s", text);
    case SQLITE_FULL:
        return ks_fail(KS_E_NO_SPACE, "the store cannot grow: %s", text);
    case SQLITE_TOOBIG:
        return ks_fail(KS_E_LIMIT, "too large for the store: %s", text);
    case SQLITE_NOMEM:
        return ks_fail(KS_E_NO_MEMORY, "the store: %s", text);
    case SQLITE_READONLY:
        return ks_fail(KS_E_READ_ONLY, "the store cannot be written: %s", text);
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return ks_fail(KS_E_BUG, "the store was used wrongly: %s", text);
    default:
        return ks_fail(KS_E_IO, "the store: %s", text);
    }
}

ks_rc db_script(struct db *db, const char *sql)
{
    int err = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);

    return err == SQLITE_OK ? KS_SUCCESS : db_fail(db->sqlite, err);
}

ks_rc db_pragma(struct db *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *s = NULL;

    int err = sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL);
    if (err == SQLITE_OK)
        err = sqlite3_step(s);
    if (err == SQLITE_ROW)
        *ret = sqlite3_column_int64(s, 0);
    ks_rc rc = err == SQLITE_ROW ? KS_SUCCESS : db_fail(db->sqlite, err);
    sqlite3_finalize(s);
    return rc;
}

bool db_is_in_transaction(struct db *db)
{
    return sqlite3_get_autocommit(db->sqlite) == 0;
}

/* ---- opening ---- */

static ks_rc set_up(struct db *db, enum db_mode mode)
{
    sqlite3_extended_result_codes(db->sqlite, 1);
    sqlite3_busy_timeout(db->sqlite, BUSY_MS);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    TRY(db_script(db, "PRAGMA cell_size_check = ON"));
    TRY(db_script(db, "PRAGMA cache_size = -8192")); /* KiB */
    if (mode == DB_READ_ONLY)
        return db_script(db, "PRAGMA query_only = ON");
    TRY(db_script(db, "PRAGMA journal_mode = WAL"));
    TRY(db_script(db, "PRAGMA synchronous = FULL"));
    TRY(db_script(db, "PRAGMA journal_size_limit = 67108864"));
    return db_script(db, "PRAGMA foreign_keys = ON");
}

ks_rc db_open(const char *path, enum db_mode mode, const struct db_query *queries, size_t count,
              struct db **ret)
{
    CLEANUP(db_closep) struct db *db = NULL;
    int flags = mode == DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;

    TRY(mem_new(1, sizeof *db, &db));
    TRY(mem_new(count + 1, sizeof *db->statements, &db->statements));
    db->queries = queries;
    db->query_count = count;
    int err = sqlite3_open_v2(path, &db->sqlite, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
                              NULL);
    if (err != SQLITE_OK)
        return db_fail(db->sqlite, err);
    TRY(set_up(db, mode));
    *ret = TAKE(db);
    return KS_SUCCESS;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; db->statements && i < db->query_count; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->sqlite);
    mem_free(db->statements);
    mem_free(db);
}

void db_closep(struct db **db)
{
    db_close(*db);
}

/* ---- statements ---- */

static ks_rc prepare(struct db *db, size_t query)
{
    CLEANUP(buf_done) struct buf sql = buf_init(SQL_BYTES_MAX);

    TRY(db_sql(&db->queries[query], &sql));
    int err = sqlite3_prepare_v3(db->sqlite, buf_text(&sql), (int)sql.len + 1,
                                 SQLITE_PREPARE_PERSISTENT, &db->statements[query], NULL);
    return err == SQLITE_OK ? KS_SUCCESS : db_fail(db->sqlite, err);
}

ks_rc db_statement(struct db *db, size_t query, sqlite3_stmt **ret)
{
    ENSURE(query < db->query_count, KS_E_BUG, "the store has no query %zu", query);
    if (!db->statements[query])
        TRY(prepare(db, query));
    ENSURE(!sqlite3_stmt_busy(db->statements[query]), KS_E_BUG,
           "query %zu of the store is running already", query);
    *ret = db->statements[query];
    return KS_SUCCESS;
}

/* What was bound is borrowed: it must be gone before its owner is. */
void db_release(sqlite3_stmt **s)
{
    if (!*s)
        return;
    sqlite3_reset(*s);
    sqlite3_clear_bindings(*s);
}

static int bind_one(sqlite3_stmt *s, int i, const struct db_arg *arg)
{
    switch (arg->kind) {
    case DB_ARG_TEXT:
        return sqlite3_bind_text(s, i, arg->text, -1, SQLITE_STATIC);
    case DB_ARG_LONG_TEXT:
        return sqlite3_bind_text(s, i, arg->bytes.bytes ? (const char *)arg->bytes.bytes : "",
                                 (int)arg->bytes.len, SQLITE_STATIC);
    case DB_ARG_NUMBER:
        return sqlite3_bind_int64(s, i, arg->number);
    case DB_ARG_BYTES:
        return sqlite3_bind_blob64(s, i, arg->bytes.bytes ? (const void *)arg->bytes.bytes : "",
                                   arg->bytes.len, SQLITE_STATIC);
    case DB_ARG_END:
        break;
    }
    return SQLITE_MISUSE;
}

ks_rc db_begin(struct db *db, size_t query, const struct db_arg *args, sqlite3_stmt **ret)
{
    sqlite3_stmt *s;

    TRY(db_statement(db, query, &s));
    for (int i = 0; args[i].kind != DB_ARG_END; i++) {
        int err = bind_one(s, i + 1, &args[i]);
        if (err != SQLITE_OK) {
            db_release(&s);
            return db_fail(db->sqlite, err);
        }
    }
    *ret = s;
    return KS_SUCCESS;
}

ks_rc db_finish(struct db *db, sqlite3_stmt *s)
{
    int err = sqlite3_step(s);

    return err == SQLITE_DONE || err == SQLITE_ROW ? KS_SUCCESS : db_fail(db->sqlite, err);
}

ks_rc db_run(struct db *db, size_t query, const struct db_arg *args)
{
    CLEANUP(db_release) sqlite3_stmt *s = NULL;

    TRY(db_begin(db, query, args, &s));
    return db_finish(db, s);
}

/* ---- single values ---- */

static ks_rc first_row(struct db *db, size_t query, const struct db_arg *args, sqlite3_stmt **ret)
{
    TRY(db_begin(db, query, args, ret));
    int err = sqlite3_step(*ret);
    ENSURE(err != SQLITE_DONE, KS_E_NOT_FOUND, "not found in the store");
    return err == SQLITE_ROW ? KS_SUCCESS : db_fail(db->sqlite, err);
}

ks_rc db_value(struct db *db, size_t query, const struct db_arg *args, int64_t *ret)
{
    CLEANUP(db_release) sqlite3_stmt *s = NULL;

    TRY(first_row(db, query, args, &s));
    *ret = sqlite3_column_int64(s, 0);
    return KS_SUCCESS;
}

ks_rc db_content(struct db *db, size_t query, const struct db_arg *args, struct buf *ret)
{
    CLEANUP(db_release) sqlite3_stmt *s = NULL;

    TRY(first_row(db, query, args, &s));
    const void *bytes = sqlite3_column_blob(s, 0);
    return buf_append(ret, view_of(bytes, (size_t)sqlite3_column_bytes(s, 0)));
}

static ks_rc add_word(sqlite3_stmt *s, struct db_words *words)
{
    const char *text = (const char *)sqlite3_column_text(s, 0);
    size_t len = (size_t)sqlite3_column_bytes(s, 0);

    ENSURE(text && len < words->width, KS_E_CORRUPT, "the store is damaged: a text of %zu bytes",
           len);
    TRY(mem_grow(words->count + 1, words->width, &words->texts));
    char *place = words->texts + words->count * words->width;
    memset(place, 0, words->width);
    memcpy(place, text, len);
    words->count++;
    return KS_SUCCESS;
}

static ks_rc collect_words(struct db *db, sqlite3_stmt *s, struct db_words *words)
{
    int err;

    while ((err = sqlite3_step(s)) == SQLITE_ROW)
        TRY(add_word(s, words));
    return err == SQLITE_DONE ? KS_SUCCESS : db_fail(db->sqlite, err);
}

ks_rc db_words(struct db *db, size_t query, const struct db_arg *args, struct db_words *ret)
{
    CLEANUP(db_release) sqlite3_stmt *s = NULL;
    struct db_words words = {.width = ret->width};

    TRY(db_begin(db, query, args, &s));
    ks_rc rc = collect_words(db, s, &words);
    if (ks_ok(rc))
        *ret = words;
    else
        mem_free(words.texts);
    return rc;
}

/* ---- the whole ---- */

ks_rc db_plan(struct db *db, size_t query, struct buf *ret)
{
    CLEANUP(buf_done) struct buf sql = buf_init(SQL_BYTES_MAX);
    sqlite3_stmt *s = NULL;
    ks_rc rc = KS_SUCCESS;

    ENSURE(query < db->query_count, KS_E_BUG, "the store has no query %zu", query);
    TRY(buf_printf(&sql, "EXPLAIN QUERY PLAN "));
    TRY(db_sql(&db->queries[query], &sql));
    int err = sqlite3_prepare_v2(db->sqlite, buf_text(&sql), -1, &s, NULL);
    while (err == SQLITE_OK && ks_ok(rc) && sqlite3_step(s) == SQLITE_ROW)
        rc = buf_printf(ret, "%s\n", (const char *)sqlite3_column_text(s, 3));
    sqlite3_finalize(s);
    return err == SQLITE_OK ? rc : db_fail(db->sqlite, err);
}

static ks_rc copy_all(struct db *db, sqlite3 *to)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", db->sqlite, "main");

    if (!backup)
        return db_fail(to, sqlite3_extended_errcode(to));
    int stepped = sqlite3_backup_step(backup, -1);
    int err = sqlite3_backup_finish(backup);
    if (stepped != SQLITE_DONE && err == SQLITE_OK)
        err = stepped; /* busy or locked is not kept */
    return err == SQLITE_OK ? KS_SUCCESS : db_fail(to, err);
}

ks_rc db_backup(struct db *db, const char *path)
{
    sqlite3 *to = NULL;

    int err = sqlite3_open_v2(
        path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    ks_rc rc = err == SQLITE_OK ? copy_all(db, to) : db_fail(to, err);
    sqlite3_close(to);
    return rc;
}
