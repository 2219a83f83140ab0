/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/db_row.c - rows to and from structs, by tables of columns: the statements' texts, binding members, reading them back.
 *
 * Invariant: a row is checked whole before a byte of it is copied: a text that does not fit its member, a number out of range
 * or a word that its enum does not have is CORRUPT and leaves the struct alone.
 */
#include <string.h>

#include "base/mem.h"
#include "control/db_int.h"

/* ---- texts of statements ---- */

static ks_rc write_names(const struct db_table *t, const char *format, struct buf *ret)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (i > 0)
            TRY(buf_printf(ret, ", "));
        if (*format == 's')
            TRY(buf_printf(ret, "\"%s\".\"%s\"", t->name, t->columns[i].name));
        else if (*format == 'n')
            TRY(buf_printf(ret, "\"%s\"", t->columns[i].name));
        else
            TRY(buf_printf(ret, "?%zu", i + 1));
    }
    return KS_SUCCESS;
}

static ks_rc write_changes(const struct db_table *t, struct buf *ret)
{
    const char *between = "";

    TRY(buf_printf(ret, " ON CONFLICT (%s) DO UPDATE SET ", t->key));
    for (size_t i = 0; i < t->column_count; i++) {
        const char *name = t->columns[i].name;
        if (t->columns[i].is_fixed)
            continue;
        TRY(buf_printf(ret, "%s\"%s\" = excluded.\"%s\"", between, name, name));
        between = ", ";
    }
    return KS_SUCCESS;
}

static ks_rc write_insert(const struct db_table *t, struct buf *ret)
{
    TRY(buf_printf(ret, "INSERT INTO \"%s\" (", t->name));
    TRY(write_names(t, "n", ret));
    TRY(buf_printf(ret, ") VALUES ("));
    TRY(write_names(t, "?", ret));
    return buf_printf(ret, ")");
}

ks_rc db_sql(const struct db_query *query, struct buf *ret)
{
    switch (query->verb) {
    case DB_SELECT:
        TRY(buf_printf(ret, "SELECT "));
        TRY(write_names(query->table, "s", ret));
        return buf_printf(ret, " FROM \"%s\" %s", query->table->name, query->tail);
    case DB_REPLACE:
        TRY(write_insert(query->table, ret));
        return write_changes(query->table, ret);
    case DB_INSERT:
        return write_insert(query->table, ret);
    case DB_PLAIN:
        return buf_printf(ret, "%s", query->tail);
    }
    return ks_fail(KS_E_BUG, "a query without a verb");
}

/* ---- writing ---- */

static int bind_text(sqlite3_stmt *s, int i, const char *text, size_t room)
{
    size_t len = strnlen(text, room);

    return len < room ? sqlite3_bind_text(s, i, text, (int)len, SQLITE_STATIC) : SQLITE_MISUSE;
}

static int bind_word(sqlite3_stmt *s, int i, const struct db_column *column, int value)
{
    if (value < 0 || value >= column->names->count)
        return SQLITE_MISUSE;
    return sqlite3_bind_text(s, i, column->names->name(value), -1, SQLITE_STATIC);
}

static int bind_column(sqlite3_stmt *s, int i, const struct db_column *column, const void *row)
{
    const uint8_t *at = (const uint8_t *)row + column->offset;

    switch (column->kind) {
    case DB_TEXT:
        return bind_text(s, i, (const char *)at, column->bytes);
    case DB_BYTES:
        return sqlite3_bind_blob(s, i, at, (int)column->bytes, SQLITE_STATIC);
    case DB_INT64:
        return sqlite3_bind_int64(s, i, *(const int64_t *)(const void *)at);
    case DB_UINT32:
        return sqlite3_bind_int64(s, i, *(const uint32_t *)(const void *)at);
    case DB_UINT16:
        return sqlite3_bind_int64(s, i, *(const uint16_t *)(const void *)at);
    case DB_BOOL:
        return sqlite3_bind_int64(s, i, *(const bool *)(const void *)at);
    case DB_ENUM:
        return bind_word(s, i, column, *(const int *)(const void *)at);
    }
    return SQLITE_MISUSE;
}

ks_rc db_put(struct db *db, size_t query, const void *row)
{
    CLEANUP(db_release) sqlite3_stmt *s = NULL;
    const struct db_table *t;

    TRY(db_statement(db, query, &s));
    t = db->queries[query].table;
    for (size_t i = 0; i < t->column_count; i++) {
        int err = bind_column(s, (int)i + 1, &t->columns[i], row);
        ENSURE(err != SQLITE_MISUSE, KS_E_BUG, "%s: %s is not a value that can be stored", t->what,
               t->columns[i].name);
        if (err != SQLITE_OK)
            return db_fail(db->sqlite, err);
    }
    return ks_wrap(db_finish(db, s), "%s", t->what);
}

/* ---- reading ---- */

static bool is_number_within(sqlite3_stmt *s, int i, int64_t max)
{
    int64_t v = sqlite3_column_int64(s, i);

    return sqlite3_column_type(s, i) == SQLITE_INTEGER && v >= 0 && v <= max;
}

static bool parse_word(const struct db_names *names, const char *word, int *ret)
{
    for (int v = 0; word && v < names->count; v++)
        if (strcmp(names->name(v), word) == 0) {
            *ret = v;
            return true;
        }
    return false;
}

static bool is_text_within(sqlite3_stmt *s, int i, size_t room)
{
    const void *text = sqlite3_column_text(s, i);
    size_t len = (size_t)sqlite3_column_bytes(s, i);

    return text && sqlite3_column_type(s, i) == SQLITE_TEXT && len < room &&
           memchr(text, 0, len) == NULL;
}

static bool is_column_right(sqlite3_stmt *s, int i, const struct db_column *column)
{
    int word;

    switch (column->kind) {
    case DB_TEXT:
        return is_text_within(s, i, column->bytes);
    case DB_BYTES:
        return sqlite3_column_type(s, i) == SQLITE_BLOB &&
               (size_t)sqlite3_column_bytes(s, i) == column->bytes;
    case DB_INT64:
        return sqlite3_column_type(s, i) == SQLITE_INTEGER;
    case DB_UINT32:
        return is_number_within(s, i, UINT32_MAX);
    case DB_UINT16:
        return is_number_within(s, i, UINT16_MAX);
    case DB_BOOL:
        return is_number_within(s, i, 1);
    case DB_ENUM:
        return parse_word(column->names, (const char *)sqlite3_column_text(s, i), &word);
    }
    return false;
}

/* One that was checked. */
static void copy_column(sqlite3_stmt *s, int i, const struct db_column *column, void *row)
{
    uint8_t *at = (uint8_t *)row + column->offset;

    switch (column->kind) {
    case DB_TEXT:
        memcpy(at, sqlite3_column_text(s, i), (size_t)sqlite3_column_bytes(s, i));
        break;
    case DB_BYTES:
        memcpy(at, sqlite3_column_blob(s, i), column->bytes);
        break;
    case DB_INT64:
        *(int64_t *)(void *)at = sqlite3_column_int64(s, i);
        break;
    case DB_UINT32:
        *(uint32_t *)(void *)at = (uint32_t)sqlite3_column_int64(s, i);
        break;
    case DB_UINT16:
        *(uint16_t *)(void *)at = (uint16_t)sqlite3_column_int64(s, i);
        break;
    case DB_BOOL:
        *(bool *)(void *)at = sqlite3_column_int64(s, i) != 0;
        break;
    case DB_ENUM:
        (void)parse_word(column->names, (const char *)sqlite3_column_text(s, i), (int *)(void *)at);
        break;
    }
}

static ks_rc read_row(sqlite3_stmt *s, const struct db_table *t, void *ret)
{
    for (size_t i = 0; i < t->column_count; i++)
        ENSURE(is_column_right(s, (int)i, &t->columns[i]), KS_E_CORRUPT,
               "the store is damaged: %s: %s", t->what, t->columns[i].name);
    memset(ret, 0, t->row_bytes);
    for (size_t i = 0; i < t->column_count; i++)
        copy_column(s, (int)i, &t->columns[i], ret);
    return KS_SUCCESS;
}

ks_rc db_row(struct db *db, size_t query, const struct db_arg *args, void *ret)
{
    CLEANUP(db_release) sqlite3_stmt *s = NULL;

    TRY(db_begin(db, query, args, &s));
    const struct db_table *t = db->queries[query].table;
    int err = sqlite3_step(s);
    ENSURE(err != SQLITE_DONE, KS_E_NOT_FOUND, "there is no such %s", t->what);
    return err == SQLITE_ROW ? read_row(s, t, ret) : db_fail(db->sqlite, err);
}

/* Rows that are being collected. */
struct heap {
    uint8_t *rows;
    size_t count, room;
};

static ks_rc add_row(sqlite3_stmt *s, const struct db_table *t, struct heap *heap)
{
    if (heap->count == heap->room) {
        size_t room = heap->room ? 2 * heap->room : 4;
        TRY(mem_grow(room, t->row_bytes, &heap->rows));
        heap->room = room;
    }
    TRY(read_row(s, t, heap->rows + heap->count * t->row_bytes));
    heap->count++;
    return KS_SUCCESS;
}

static ks_rc collect_rows(struct db *db, sqlite3_stmt *s, const struct db_table *t,
                          struct heap *heap)
{
    int err;

    while ((err = sqlite3_step(s)) == SQLITE_ROW)
        TRY(add_row(s, t, heap));
    return err == SQLITE_DONE ? KS_SUCCESS : db_fail(db->sqlite, err);
}

ks_rc db_rows(struct db *db, size_t query, const struct db_arg *args, void *ret, size_t *ret_count)
{
    CLEANUP(db_release) sqlite3_stmt *s = NULL;
    struct heap heap = {0};

    TRY(db_begin(db, query, args, &s));
    ks_rc rc = collect_rows(db, s, db->queries[query].table, &heap);
    if (!ks_ok(rc)) {
        mem_free(heap.rows);
        return rc;
    }
    memcpy(ret, &heap.rows, sizeof heap.rows);
    *ret_count = heap.count;
    return KS_SUCCESS;
}
