/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/output.h - how results reach people (tables) and programs (JSON), on standard output.
 *
 * Every text from outside is shown without control characters, so that a label or a file name cannot drive
 * the terminal.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/rc.h"

/* output_json(value): the value, indented, and a new line. Takes the reference over. LIMIT for NULL (out of
 * memory while it was built). */
ks_rc output_json(json_t *value) KS_MUST;

/* output_text(out, text): the text with control characters as '?'. */
void output_text(FILE *out, const char *text);
/* output_width(out): how many columns a line has; 0 when out is no terminal, or one that does not know. */
size_t output_width(FILE *out);
/* output_cut(text, width): ends the text, which is UTF-8, where it would take more columns. */
void output_cut(char *text, size_t width);
/* output_field(name, fmt, ...): "  name        text". On a terminal the text goes on under itself where the line ends, broken at blanks only. */
void output_field(const char *name, const char *fmt, ...) KS_PRINTF(2, 3);

/* A table that is printed when it is complete. Errors are kept until then. */
struct table;
enum { TABLE_COLUMNS_MAX = 8 };
/* table_new(headings, ret): headings are words with | between them; one that begins with '>' is aligned to
 * the right. Free with table_free. */
ks_rc table_new(const char *headings, struct table **ret) KS_MUST;
void table_freep(struct table **t);
/* table_add(t, fmt, ...): the next cell, row by row; copied. */
void table_add(struct table *t, const char *fmt, ...) KS_PRINTF(2, 3);
/* table_print(t, indent): the error of an earlier table_add, if there was one. On a terminal that is too narrow for it each row is printed
 * as a list of headings and cells. */
ks_rc table_print(struct table *t, int indent) KS_MUST;

enum { OUTPUT_BYTES_TEXT = 32 };
/* output_bytes(n, out): "0 B", "12.3 MiB". */
void output_bytes(uint64_t n, char out[OUTPUT_BYTES_TEXT]);
