/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/output.c - how results reach people (tables) and programs (JSON).
 */
#include "cli/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { CELL_BYTES = 4096, FIELD_COLUMN = 14 };

ks_rc output_json(json_t *value)
{
    ENSURE(value, KS_E_NO_MEMORY, "out of memory while the JSON output was made");
    int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    json_decref(value);
    putchar('\n');
    ENSURE(failed == 0, KS_E_IO, "cannot write to standard output");
    return KS_SUCCESS;
}

/* How many bytes at text make one character that must not be shown; 0 when it may. */
static size_t control_len(const char *text)
{
    unsigned char c = (unsigned char)text[0], next = (unsigned char)(c ? text[1] : 0);

    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0; /* C1 controls in UTF-8 */
}

void output_text(FILE *out, const char *text)
{
    while (*text) {
        size_t control = control_len(text);
        fputc(control > 0 ? '?' : *text, out);
        text += control > 0 ? control : 1;
    }
}

void output_field(const char *name, const char *fmt, ...)
{
    char text[CELL_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    printf("  %-*s", FIELD_COLUMN, name);
    output_text(stdout, text);
    putchar('\n');
}

/* ---- tables ---- */

struct table {
    size_t columns, cell_count, room;
    bool is_right[TABLE_COLUMNS_MAX];
    char **cells; /* owned, row by row; the first row holds the headings */
    ks_rc rc;
};

static void add_cell(struct table *t, const char *text)
{
    if (!ks_ok(t->rc))
        return;
    if (t->cell_count == t->room) {
        size_t room = t->room * 2 + 64;
        t->rc = mem_grow(room, sizeof *t->cells, &t->cells);
        if (!ks_ok(t->rc))
            return;
        t->room = room;
    }
    t->rc = mem_text(text, &t->cells[t->cell_count]);
    t->cell_count += ks_ok(t->rc);
}

void table_freep(struct table **t)
{
    if (!*t)
        return;
    for (size_t i = 0; i < (*t)->cell_count; i++)
        mem_free((*t)->cells[i]);
    mem_free((*t)->cells);
    mem_free(*t);
    *t = NULL;
}

ks_rc table_new(const char *headings, struct table **ret)
{
    CLEANUP(table_freep) struct table *t = NULL;

    TRY(mem_new(1, sizeof *t, &t));
    while (*headings && t->columns < TABLE_COLUMNS_MAX) {
        char word[64];
        size_t len = strcspn(headings, "|");
        bool is_right = headings[0] == '>';
        snprintf(word, sizeof word, "%.*s", (int)len - is_right, headings + is_right);
        t->is_right[t->columns++] = is_right;
        add_cell(t, word);
        headings += len + (headings[len] == '|');
    }
    TRY(t->rc);
    *ret = TAKE(t);
    return KS_SUCCESS;
}

void table_add(struct table *t, const char *fmt, ...)
{
    char text[CELL_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    add_cell(t, text);
}

/* Columns that the text takes: one per character that is shown. */
static size_t text_width(const char *text)
{
    size_t width = 0;

    while (*text) {
        size_t control = control_len(text);
        width += control > 0 || ((unsigned char)*text & 0xc0) != 0x80;
        text += control > 0 ? control : 1;
    }
    return width;
}

static void print_cell(const struct table *t, size_t i, const size_t *widths)
{
    size_t column = i % t->columns;
    bool is_last = column + 1 == t->columns;
    int padding = (int)(widths[column] - text_width(t->cells[i]));

    if (t->is_right[column])
        printf("%*s", padding, "");
    output_text(stdout, t->cells[i]);
    if (!t->is_right[column] && !is_last)
        printf("%*s", padding, "");
    fputs(is_last ? "\n" : "  ", stdout);
}

ks_rc table_print(struct table *t, int indent)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    TRY(t->rc);
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t width = text_width(t->cells[i]);
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t i = 0; i < t->cell_count; i++) {
        if (i % t->columns == 0)
            printf("%*s", indent, "");
        print_cell(t, i, widths);
    }
    return KS_SUCCESS;
}

/* ---- values ---- */

void output_bytes(uint64_t n, char out[OUTPUT_BYTES_TEXT])
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t i = 0;
    double scaled = (double)n;

    while (scaled >= 1024 && i < sizeof names / sizeof names[0] - 1) {
        scaled /= 1024;
        i++;
    }
    if (i == 0)
        snprintf(out, OUTPUT_BYTES_TEXT, "%" PRIu64 " B", n);
    else
        snprintf(out, OUTPUT_BYTES_TEXT, "%.1f %s", scaled, names[i]);
}
