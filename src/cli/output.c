/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/output.c - how results reach people (tables) and programs (JSON).
 */
#include "cli/output.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/mem.h"

enum { CELL_BYTES = 4096, FIELD_COLUMN = 14, TEXT_COLUMNS_MIN = 20, GAP = 2 };

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

size_t output_width(FILE *out)
{
    struct winsize size = {0};

    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* How many bytes at text are shown as one character. */
static size_t character_len(const char *text)
{
    size_t len = control_len(text);

    if (len == 0)
        for (len = 1; ((unsigned char)text[len] & 0xc0) == 0x80;)
            len++;
    return len;
}

/* Columns that the text takes: one per character that is shown. */
static size_t text_width(const char *text)
{
    size_t width = 0;

    for (; *text; text += character_len(text))
        width++;
    return width;
}

void output_cut(char *text, size_t width)
{
    for (; *text && width > 0; width--)
        text += character_len(text);
    *text = '\0';
}

/* The last blank within that many columns of the text; without one the first behind them; NULL: it fits, or cannot be broken. */
static char *find_break(char *text, size_t columns)
{
    char *found = NULL;

    if (text_width(text) <= columns)
        return NULL;
    for (size_t column = 0; *text && (column <= columns || !found); column++) {
        if (*text == ' ')
            found = text;
        text += character_len(text);
    }
    return found;
}

/* On a terminal, lines under each other; where there is not even room for words the terminal breaks them as it likes. */
static void print_folded(char *text, size_t indent)
{
    size_t width = output_width(stdout);
    char *at;

    while (width >= indent + TEXT_COLUMNS_MIN && (at = find_break(text, width - indent))) {
        *at = '\0';
        output_text(stdout, text);
        printf("\n%*s", (int)indent, "");
        text = at + 1;
    }
    output_text(stdout, text);
    putchar('\n');
}

/* A name that is too long pushes the text to the right. */
static void print_field(const char *name, size_t column, char *text)
{
    size_t width = text_width(name);
    size_t padding = width < column ? column - width : GAP;

    printf("  ");
    output_text(stdout, name);
    printf("%*s", (int)padding, "");
    print_folded(text, 2 + width + padding);
}

void output_field(const char *name, const char *fmt, ...)
{
    char text[CELL_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    print_field(name, FIELD_COLUMN, text);
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

/* Of each column; returns that of the whole. */
static size_t measure(const struct table *t, size_t widths[TABLE_COLUMNS_MAX])
{
    size_t sum = 0;

    for (size_t i = 0; i < t->cell_count; i++) {
        size_t width = text_width(t->cells[i]);
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t column = 0; column < t->columns; column++)
        sum += widths[column] + (column > 0 ? GAP : 0);
    return sum;
}

/* Row by row, with the headings at the left and a line between. */
static void print_lists(const struct table *t)
{
    size_t column = 0;

    assert(t->columns > 0);
    for (size_t i = 0; i < t->columns; i++)
        if (text_width(t->cells[i]) + GAP > column)
            column = text_width(t->cells[i]) + GAP;
    for (size_t row = t->columns; row + t->columns <= t->cell_count; row += t->columns) {
        if (row > t->columns)
            putchar('\n');
        for (size_t i = 0; i < t->columns; i++)
            print_field(t->cells[i], column, t->cells[row + i]);
    }
}

ks_rc table_print(struct table *t, int indent)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    TRY(t->rc);
    size_t width = measure(t, widths), room = output_width(stdout);
    if (room > 0 && (size_t)indent + width > room && t->cell_count > t->columns) {
        print_lists(t);
        return KS_SUCCESS;
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
