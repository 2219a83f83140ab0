/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_cmek.c - keystead cmek ...: the customer's keys of a cluster.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/cmek_board.h"
#include "cli/fleet.h"
#include "cli/manifest.h"
#include "cli/output.h"

/* The cluster that a command is about. */
struct about {
    struct fleet_client *client;
    json_t *cluster;
    const char *name; /* borrowed from cluster */
};

static void about_done(struct about *a)
{
    fleet_client_free(a->client);
    json_decref(a->cluster);
}

static ks_rc about_open(struct cli *cli, struct about *ret)
{
    TRY(fleet_open(cli, &ret->client));
    TRY(fleet_find_cluster(ret->client, cli->args[0], &ret->cluster));
    ret->name = fleet_text(ret->cluster, "name");
    return KS_SUCCESS;
}

static ks_rc target_of(const struct about *a, const char *part, struct buf *ret)
{
    return fleet_target(ret, "clusters", fleet_text(a->cluster, "id"), "cmek", part);
}

static ks_rc ask(const struct about *a, const char *method, json_t *body, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *taken = body;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    TRY(target_of(a, NULL, &target));
    return fleet_send(a->client, method, buf_text(&target), TAKE(taken), ret);
}

/* ---- with keys ---- */

static ks_rc with_specs(struct cli *cli, const char *action, struct about *a, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *specs = NULL;

    TRY(manifest_read(cli->texts[OPT_MANIFEST], &specs));
    TRY(about_open(cli, a));
    if (!action)
        return ask(a, "PUT", json_pack("{s:O}", "regions", specs), ret);
    return ask(a, "POST", json_pack("{s:s, s:O}", "action", action, "regions", specs), ret);
}

ks_rc cmd_cmek_enable(struct cli *cli)
{
    CLEANUP(about_done) struct about a = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;

    TRY(with_specs(cli, "ENABLE", &a, &reply));
    return fleet_begun(cli, a.client, TAKE(reply));
}

static void show_checks(const json_t *operation)
{
    const json_t *step;
    size_t i;

    json_array_foreach(json_object_get(operation, "steps"), i, step)
    {
        const char *message = fleet_text(step, "message");
        bool has_message = strcmp(message, "-") != 0;
        output_field(fleet_text(step, "region"), "%s%s%s", fleet_text(step, "state"),
                     has_message ? ": " : "", has_message ? message : "");
    }
}

/* Without an answer for each key it is worth nothing, so it always waits. */
ks_rc cmd_cmek_check(struct cli *cli)
{
    CLEANUP(about_done) struct about a = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;
    CLEANUP(json_decrefp) json_t *ended = NULL;

    TRY(with_specs(cli, "CHECK", &a, &reply));
    const char *id = fleet_operation_of(reply);
    ENSURE(id, KS_E_BAD_REPLY, "%s names no operation", fleet_client_server(a.client));
    ks_rc rc = fleet_wait(cli, a.client, id, &ended);
    if (ended && cli->is_json)
        TRY(output_json(json_incref(ended)));
    else if (ended)
        show_checks(ended);
    return rc;
}

/* ---- without ---- */

/* {"action": ...}, with --region also {"regions": [{"region": ...}]}. */
static ks_rc act(const struct cli *cli, const struct about *a, const char *action,
                 const char *level, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *body = json_pack("{s:s}", "action", action);
    const char *region = cli->texts[OPT_ONE_REGION];
    int failed = body ? 0 : -1;

    if (level && failed == 0)
        failed = json_object_set_new(body, "level", json_string(level));
    if (region && failed == 0)
        failed = json_object_set_new(body, "regions", json_pack("[{s:s}]", "region", region));
    ENSURE(failed == 0, KS_E_USAGE, "--region is no UTF-8");
    return ask(a, "POST", TAKE(body), ret);
}

ks_rc cmd_cmek_rotate(struct cli *cli)
{
    CLEANUP(about_done) struct about a = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;
    const char *level = args_has(cli, OPT_ROTATE_LEVEL) ? cli->texts[OPT_ROTATE_LEVEL] : "cmek";

    if (args_has(cli, OPT_MANIFEST)) {
        ENSURE(!args_has(cli, OPT_ONE_REGION) && strcmp(level, "cmek") == 0, KS_E_USAGE,
               "with --file the regions in it move to the keys in it; --level and --region do not "
               "go with that");
        TRY(with_specs(cli, NULL, &a, &reply));
        return fleet_begun(cli, a.client, TAKE(reply));
    }
    TRY(about_open(cli, &a));
    TRY(act(cli, &a, "ROTATE", level, &reply));
    return fleet_begun(cli, a.client, TAKE(reply));
}

ks_rc cmd_cmek_restore(struct cli *cli)
{
    CLEANUP(about_done) struct about a = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;

    TRY(about_open(cli, &a));
    TRY(act(cli, &a, "RESTORE", NULL, &reply));
    return fleet_begun(cli, a.client, TAKE(reply));
}

/* ---- what must be confirmed ---- */

static void tell_volume(const struct about *a, const json_t *volume)
{
    const char *address = fleet_text(volume, "engine.connection");
    const char *engine = fleet_text(a->cluster, "engine");

    fprintf(stderr, "  ");
    output_text(stderr, fleet_text(volume, "region"));
    fprintf(stderr, ": ");
    output_text(stderr, strcmp(engine, "none") == 0 ? "files without an engine" : engine);
    if (strcmp(address, "-") != 0) {
        fprintf(stderr, " at ");
        output_text(stderr, address);
    }
    fprintf(stderr, ", node ");
    output_text(stderr, fleet_text(volume, "node"));
    fprintf(stderr, ", data is ");
    output_text(stderr, fleet_text(volume, "access"));
    fputc('\n', stderr);
}

/* Says on standard error which databases on which nodes it is about, and what becomes of them. */
static ks_rc tell(const struct cli *cli, const struct about *a, const char *fate)
{
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    CLEANUP(json_decrefp) json_t *volumes = NULL;
    const char *only = cli->texts[OPT_ONE_REGION];
    const json_t *volume;
    size_t i, count = 0;

    TRY(fleet_target(&target, "clusters", fleet_text(a->cluster, "id"), "volumes"));
    TRY(fleet_items(a->client, buf_text(&target), &volumes));
    json_array_foreach(volumes, i, volume)
    {
        if (only && strcmp(only, fleet_text(volume, "region")) != 0)
            continue;
        tell_volume(a, volume);
        count++;
    }
    fprintf(stderr, "%zu of the volumes of cluster ", count);
    output_text(stderr, a->name);
    fprintf(stderr, " %s\n", fate);
    return KS_SUCCESS;
}

/* What is asked for, what becomes of the volumes, and what that means. */
struct grave {
    const char *action, *fate, *warning;
};

static ks_rc act_confirmed(struct cli *cli, const struct grave *g)
{
    CLEANUP(about_done) struct about a = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;

    TRY(about_open(cli, &a));
    TRY(tell(cli, &a, g->fate));
    TRY(fleet_confirm(cli, a.name, g->warning));
    TRY(act(cli, &a, g->action, NULL, &reply));
    return fleet_begun(cli, a.client, TAKE(reply));
}

ks_rc cmd_cmek_revoke(struct cli *cli)
{
    return act_confirmed(
        cli,
        &(struct grave){"REVOKE", "lock: their databases stop, and nothing on them can be read.",
                        "It stays so until: keystead cmek restore"});
}

ks_rc cmd_cmek_disable(struct cli *cli)
{
    return act_confirmed(cli,
                         &(struct grave){"DISABLE", "go back under the platform's key.",
                                         "Your key service will have no say over them any more."});
}

/* ---- looking ---- */

ks_rc cmd_cmek_status(struct cli *cli)
{
    CLEANUP(about_done) struct about a = {0};
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    CLEANUP(json_decrefp) json_t *cmek = NULL;

    TRY(about_open(cli, &a));
    TRY(target_of(&a, NULL, &target));
    TRY(fleet_get(a.client, buf_text(&target), &cmek));
    if (cli->is_json)
        return output_json(TAKE(cmek));
    cmek_board_show(a.cluster, cmek);
    return KS_SUCCESS;
}

static const struct fleet_column history_columns[] = {
    {"REGION", "region", CELL_TEXT},
    {"TYPE", "key.type", CELL_TEXT},
    {"KEY", "key.uri", CELL_TEXT},
    {"STATUS", "status", CELL_TEXT},
    {"SINCE", "created_at", CELL_TEXT},
    {"RETIRED", "retired_at", CELL_TEXT},
    {"MAY BE DELETED", "is_safe_to_delete", CELL_YES},
    {"BECAUSE", "because", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

ks_rc cmd_cmek_history(struct cli *cli)
{
    CLEANUP(about_done) struct about a = {0};
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    json_t *rows = NULL;

    TRY(about_open(cli, &a));
    TRY(target_of(&a, "keys", &target));
    TRY(fleet_items(a.client, buf_text(&target), &rows));
    return fleet_show(cli, rows, "keys", history_columns, "this cluster never had a key of yours");
}
