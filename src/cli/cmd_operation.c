/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_operation.c - keystead operation ...: what a control plane is at work on, and what it did.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/duration.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "control/model.h"

static const struct fleet_column columns[] = {
    {"KIND", "kind", CELL_TEXT},         {"STATE", "state", CELL_TEXT},
    {"CLUSTER", "cluster", CELL_TEXT},   {"BEGAN", "created_at", CELL_TEXT},
    {"ENDED", "finished_at", CELL_TEXT}, {"ID", "id", CELL_TEXT},
    {"MESSAGE", "message", CELL_TEXT},   {NULL, NULL, CELL_TEXT},
};

static const struct fleet_column step_columns[] = {
    {"REGION", "region", CELL_TEXT},
    {"STATE", "state", CELL_TEXT},
    {"MESSAGE", "message", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

/* The API writes states and kinds large. */
static ks_rc add_word(const struct cli *cli, enum cli_opt opt, struct buf *target)
{
    char word[WORD_BYTES] = "";

    if (!args_has(cli, opt))
        return KS_SUCCESS;
    const char *given = cli->texts[opt];
    ENSURE(strlen(given) < sizeof word, KS_E_USAGE, "there is no %s %s", cli_options[opt].name,
           given);
    for (size_t i = 0; given[i]; i++)
        word[i] = given[i] == '-' ? '_' : (char)toupper((unsigned char)given[i]);
    return fleet_query(target, cli_options[opt].name, word);
}

static ks_rc add_cluster(const struct cli *cli, struct fleet_client *c, struct buf *target)
{
    CLEANUP(json_decrefp) json_t *cluster = NULL;

    if (cli->arg_count == 0)
        return KS_SUCCESS;
    TRY(fleet_find_cluster(c, cli->args[0], &cluster));
    return fleet_query(target, "cluster", fleet_text(cluster, "id"));
}

ks_rc cmd_operation_list(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    size_t max = args_has(cli, OPT_LIMIT) ? (size_t)cli->numbers[OPT_LIMIT] : 100;
    json_t *rows = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_target(&target, "operations"));
    TRY(fleet_query(&target, "order", "desc"));
    TRY(add_word(cli, OPT_IN_STATE, &target));
    TRY(add_word(cli, OPT_OF_KIND, &target));
    TRY(add_cluster(cli, c, &target));
    TRY(fleet_list(c, buf_text(&target), max, &rows));
    return fleet_show(cli, rows, "operations", columns, "no operations");
}

static ks_rc show(const struct cli *cli, json_t *operation)
{
    CLEANUP(json_decrefp) json_t *taken = operation;
    char done[OUTPUT_BYTES_TEXT], total[OUTPUT_BYTES_TEXT];

    if (cli->is_json)
        return output_json(TAKE(taken));
    printf("operation ");
    output_text(stdout, fleet_text(taken, "kind"));
    printf(": ");
    output_text(stdout, fleet_text(taken, "state"));
    putchar('\n');
    output_field("id", "%s", fleet_text(taken, "id"));
    output_field("cluster", "%s", fleet_text(taken, "cluster"));
    output_field("began", "%s", fleet_text(taken, "created_at"));
    output_field("ended", "%s", fleet_text(taken, "finished_at"));
    if (fleet_number(taken, "volumes_total") > 0)
        output_field("volumes", "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT,
                     fleet_number(taken, "volumes_done"), fleet_number(taken, "volumes_total"));
    if (fleet_number(taken, "bytes_total") > 0) {
        output_bytes((uint64_t)fleet_number(taken, "bytes_done"), done);
        output_bytes((uint64_t)fleet_number(taken, "bytes_total"), total);
        output_field("bytes", "%s of %s", done, total);
    }
    if (strcmp(fleet_text(taken, "message"), "-") != 0)
        output_field("message", "%s", fleet_text(taken, "message"));
    putchar('\n');
    const struct cli table = {.is_json = false};
    return fleet_show(&table, json_incref(json_object_get(taken, "steps")), "steps", step_columns,
                      "  no steps");
}

static ks_rc one(struct fleet_client *c, const char *id, json_t **ret)
{
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    TRY(fleet_target(&target, "operations", id));
    return fleet_get(c, buf_text(&target), ret);
}

ks_rc cmd_operation_show(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    json_t *operation = NULL;

    TRY(fleet_open(cli, &c));
    TRY(one(c, cli->args[0], &operation));
    return show(cli, operation);
}

ks_rc cmd_operation_wait(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *operation = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_wait(cli, c, cli->args[0], &operation));
    return show(cli, TAKE(operation));
}

ks_rc cmd_operation_cancel(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    json_t *operation = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_target(&target, "operations", cli->args[0], "cancel"));
    TRY(fleet_call(c, "POST", buf_text(&target), &operation));
    return show(cli, operation);
}
