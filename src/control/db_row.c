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

enum { DB_COLUMNS_MAX = 48, FIRST_HEAP_BYTES = 48 * 1024 };

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

static int bind_word(sqlite3_stmt *s, int i, const struct db_column *column, unsigned value)
{
    if (value >= column->names->count)
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
        return bind_word(s, i, column, *(const unsigned *)(const void *)at);
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

/* A column's value as it was checked: what is copied into the row. */
struct cell {
    struct view bytes; /* of a text or bytes, borrowed from the statement */
    int64_t number;
};

static bool parse_word(const struct db_names *names, struct view word, int64_t *ret)
{
    for (unsigned v = 0; v < names->count; v++) {
        const char *name = names->name(v);
        if (strncmp(name, (const char *)word.bytes, word.len) == 0 && name[word.len] == '\0') {
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool is_number_right(enum db_kind kind, int64_t v)
{
    switch (kind) {
    case DB_UINT32:
        return v >= 0 && v <= UINT32_MAX;
    case DB_UINT16:
        return v >= 0 && v <= UINT16_MAX;
    case DB_BOOL:
        return v == 0 || v == 1;
    case DB_INT64:
        return true;
    case DB_TEXT:
    case DB_BYTES:
    case DB_ENUM:
        break;
    }
    return false;
}

/*
 * Texts are taken as the bytes they are: asking for a terminated one would copy each once more. The database is in UTF-8, and a
 * connection belongs to one thread, so that values may be looked at directly.
 */
static bool read_bytes(sqlite3_value *value, const struct db_column *column, struct cell *ret)
{
    const void *bytes = sqlite3_value_blob(value);

    ret->bytes = view_of(bytes ? bytes : "", (size_t)sqlite3_value_bytes(value));
    if (column->kind == DB_BYTES)
        return ret->bytes.len == column->bytes;
    if (column->kind == DB_ENUM)
        return parse_word(column->names, ret->bytes, &ret->number);
    return ret->bytes.len < column->bytes && !memchr(ret->bytes.bytes, 0, ret->bytes.len);
}

static bool read_cell(sqlite3_value *value, const struct db_column *column, struct cell *ret)
{
    int type = sqlite3_value_type(value);

    if (column->kind == DB_BYTES)
        return type == SQLITE_BLOB && read_bytes(value, column, ret);
    if (column->kind == DB_TEXT || column->kind == DB_ENUM)
        return type == SQLITE_TEXT && read_bytes(value, column, ret);
    ret->number = sqlite3_value_int64(value);
    return type == SQLITE_INTEGER && is_number_right(column->kind, ret->number);
}

static void put_cell(const struct cell *cell, const struct db_column *column, void *row)
{
    uint8_t *at = (uint8_t *)row + column->offset;

    switch (column->kind) {
    case DB_TEXT:
    case DB_BYTES:
        memcpy(at, cell->bytes.bytes, cell->bytes.len);
        break;
    case DB_INT64:
        *(int64_t *)(void *)at = cell->number;
        break;
    case DB_UINT32:
        *(uint32_t *)(void *)at = (uint32_t)cell->number;
        break;
    case DB_UINT16:
        *(uint16_t *)(void *)at = (uint16_t)cell->number;
        break;
    case DB_BOOL:
        *(bool *)(void *)at = cell->number != 0;
        break;
    case DB_ENUM:
        *(unsigned *)(void *)at = (unsigned)cell->number;
        break;
    }
}

static ks_rc read_row(sqlite3_stmt *s, const struct db_table *t, void *ret)
{
    struct cell cells[DB_COLUMNS_MAX];

    ENSURE(t->column_count <= DB_COLUMNS_MAX, KS_E_BUG, "%s has too many columns", t->what);
    for (size_t i = 0; i < t->column_count; i++)
        ENSURE(read_cell(sqlite3_column_value(s, (int)i), &t->columns[i], &cells[i]), KS_E_CORRUPT,
               "the store is damaged: %s: %s", t->what, t->columns[i].name);
    memset(ret, 0, t->row_bytes);
    for (size_t i = 0; i < t->column_count; i++)
        put_cell(&cells[i], &t->columns[i], ret);
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
        size_t first = t->row_bytes < FIRST_HEAP_BYTES ? FIRST_HEAP_BYTES / t->row_bytes : 1;
        size_t room = heap->room ? 2 * heap->room : first;
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
