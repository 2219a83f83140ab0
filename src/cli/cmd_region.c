/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_region.c - keystead region ...: where a cluster is.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/fleet.h"
#include "cli/manifest.h"
#include "cli/output.h"
#include "cli/region_list.h"

static const struct fleet_column served_columns[] = {{"REGION", "name", CELL_TEXT},
                                                     {NULL, NULL, CELL_TEXT}};

static const struct fleet_column columns[] = {
    {"REGION", "name", CELL_TEXT},   {">NODES", "node_count", CELL_NUMBER},
    {"STATE", "state", CELL_TEXT},   {"CMEK", "cmek_status", CELL_TEXT},
    {"ACCESS", "access", CELL_TEXT}, {"MESSAGE", "message", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

struct asked {
    struct fleet_client *client;
    json_t *cluster;
    struct buf target; /* of its regions, or of one */
};

static void asked_done(struct asked *a)
{
    fleet_client_free(a->client);
    json_decref(a->cluster);
    buf_done(&a->target);
}

/* region NULL: all of them. */
static ks_rc open_regions(struct cli *cli, const char *region, struct asked *ret)
{
    ret->target = buf_init(FLEET_TARGET_BYTES);
    TRY(fleet_open(cli, &ret->client));
    TRY(fleet_find_cluster(ret->client, cli->args[0], &ret->cluster));
    return fleet_target(&ret->target, "clusters", fleet_text(ret->cluster, "id"), "regions",
                        region);
}

static ks_rc list_served(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    json_t *rows = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_items(c, "/v1/regions", &rows));
    return fleet_show(cli, rows, "regions", served_columns,
                      "no region has a node; to let one join: keystead node token --region NAME");
}

ks_rc cmd_region_list(struct cli *cli)
{
    CLEANUP(asked_done) struct asked a = {0};

    if (cli->arg_count == 0)
        return list_served(cli);
    TRY(open_regions(cli, NULL, &a));
    return fleet_show(cli, json_incref(json_object_get(a.cluster, "regions")), "regions", columns,
                      "no regions");
}

ks_rc cmd_region_add(struct cli *cli)
{
    CLEANUP(asked_done) struct asked a = {0};
    CLEANUP(json_decrefp) json_t *regions = json_array();
    CLEANUP(json_decrefp) json_t *specs = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;
    json_int_t nodes = args_has(cli, OPT_NODES) ? (json_int_t)cli->numbers[OPT_NODES] : 1;
    json_t *region = json_pack("{s:s, s:I}", "name", cli->args[1], "node_count", nodes);

    ENSURE(json_array_append_new(regions, region) == 0, KS_E_USAGE, "the region is no UTF-8");
    if (args_has(cli, OPT_MANIFEST)) {
        TRY(manifest_read(cli->texts[OPT_MANIFEST], &specs));
        TRY(region_list_add_keys(regions, specs));
    }
    TRY(open_regions(cli, NULL, &a));
    TRY(fleet_send(a.client, "POST", buf_text(&a.target), json_incref(region), &reply));
    return fleet_begun(cli, a.client, TAKE(reply));
}

ks_rc cmd_region_scale(struct cli *cli)
{
    CLEANUP(asked_done) struct asked a = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;

    TRY(open_regions(cli, cli->args[1], &a));
    TRY(fleet_send(a.client, "PATCH", buf_text(&a.target),
                   json_pack("{s:I}", "node_count", (json_int_t)cli->numbers[OPT_NODES]), &reply));
    return fleet_begun(cli, a.client, TAKE(reply));
}

ks_rc cmd_region_remove(struct cli *cli)
{
    CLEANUP(asked_done) struct asked a = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;
    char warning[256];

    TRY(open_regions(cli, cli->args[1], &a));
    snprintf(warning, sizeof warning,
             "The volumes of cluster %.64s in %.64s and everything on them will be destroyed.",
             fleet_text(a.cluster, "name"), cli->args[1]);
    TRY(fleet_confirm(cli, cli->args[1], warning));
    TRY(fleet_call(a.client, "DELETE", buf_text(&a.target), &reply));
    return fleet_begun(cli, a.client, TAKE(reply));
}
