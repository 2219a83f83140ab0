/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_fleet_node.c - keystead node list, remove, token: nodes as the control plane sees them.
 */
#include <stdio.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/fleet.h"
#include "cli/output.h"

static const struct fleet_column columns[] = {
    {"NAME", "name", CELL_TEXT},       {"REGION", "region", CELL_TEXT},
    {"STATE", "state", CELL_TEXT},     {"SEEN", "seen_at", CELL_TEXT},
    {"ADDRESS", "address", CELL_TEXT}, {"VERSION", "version", CELL_TEXT},
    {"ID", "id", CELL_TEXT},           {NULL, NULL, CELL_TEXT},
};

ks_rc cmd_node_list(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    json_t *rows = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_list(c, "/v1/nodes", 0, &rows));
    return fleet_show(cli, rows, "nodes", columns,
                      "no nodes; to let one join: keystead node token --region NAME "
                      "--secret-file FILE");
}

ks_rc cmd_node_remove(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *node = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    TRY(fleet_open(cli, &c));
    TRY(fleet_find(c, "nodes", cli->args[0], &node));
    const char *name = fleet_text(node, "name");
    TRY(fleet_confirm(cli, name, "The node's certificate will be good for nothing any more."));
    TRY(fleet_target(&target, "nodes", fleet_text(node, "id")));
    TRY(fleet_call(c, "DELETE", buf_text(&target), NULL));
    printf("node ");
    output_text(stdout, name);
    printf(" removed\n");
    return KS_SUCCESS;
}

ks_rc cmd_node_token(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;
    json_int_t seconds =
        args_has(cli, OPT_EXPIRES) ? (json_int_t)(cli->numbers[OPT_EXPIRES] / 1000) : 3600;
    const char *token;

    TRY(fleet_check_new(cli->texts[OPT_SECRET_FILE]));
    TRY(fleet_open(cli, &c));
    TRY(fleet_send(
        c, "POST", "/v1/join-tokens",
        json_pack("{s:s, s:I}", "region", cli->texts[OPT_TOKEN_REGION], "seconds", seconds),
        &reply));
    TRY(json_get_text(reply, "token", 512, &token));
    TRY(fleet_write_secret(cli->texts[OPT_SECRET_FILE], token));
    printf("a token that lets one node join region ");
    output_text(stdout, cli->texts[OPT_TOKEN_REGION]);
    printf(" is in ");
    output_text(stdout, cli->texts[OPT_SECRET_FILE]);
    putchar('\n');
    return KS_SUCCESS;
}
