/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/fleet_table.c - replies of a control plane as tables, by a list of columns.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/fleet.h"
#include "cli/output.h"

enum { HEADINGS_BYTES = 512 };

static const json_t *member_of(const json_t *object, const char *path)
{
    while (object && *path) {
        size_t len = strcspn(path, ".");
        object = json_object_getn(object, path, len);
        path += len + (path[len] == '.');
    }
    return object;
}

const char *fleet_text(const json_t *object, const char *path)
{
    const char *text = json_string_value(member_of(object, path));

    return text && text[0] ? text : "-";
}

json_int_t fleet_number(const json_t *object, const char *path)
{
    return json_integer_value(member_of(object, path));
}

static void add_cell(struct table *table, const json_t *row, const struct fleet_column *column)
{
    char bytes[OUTPUT_BYTES_TEXT];

    switch (column->kind) {
    case CELL_TEXT:
        table_add(table, "%s", fleet_text(row, column->member));
        return;
    case CELL_NUMBER:
        table_add(table, "%" JSON_INTEGER_FORMAT, fleet_number(row, column->member));
        return;
    case CELL_BYTES:
        output_bytes((uint64_t)fleet_number(row, column->member), bytes);
        table_add(table, "%s", bytes);
        return;
    case CELL_YES:
        table_add(table, "%s", json_is_true(member_of(row, column->member)) ? "yes" : "no");
        return;
    }
}

static ks_rc print_table(const json_t *rows, const struct fleet_column *columns)
{
    CLEANUP(table_freep) struct table *table = NULL;
    char headings[HEADINGS_BYTES] = "";
    const json_t *row;
    size_t i;

    for (const struct fleet_column *c = columns; c->heading; c++) {
        size_t len = strlen(headings);
        snprintf(headings + len, sizeof headings - len, "%s%s", len ? "|" : "", c->heading);
    }
    TRY(table_new(headings, &table));
    json_array_foreach(rows, i, row)
    {
        for (const struct fleet_column *c = columns; c->heading; c++)
            add_cell(table, row, c);
    }
    return table_print(table, 0);
}

ks_rc fleet_show(const struct cli *cli, json_t *rows, const char *member,
                 const struct fleet_column *columns, const char *empty)
{
    if (cli->is_json)
        return output_json(json_pack("{s:o}", member, rows));
    ks_rc rc = KS_SUCCESS;
    if (json_array_size(rows) == 0)
        printf("%s\n", empty);
    else
        rc = print_table(rows, columns);
    json_decref(rows);
    return rc;
}
