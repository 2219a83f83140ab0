/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_cluster.c - keystead cluster ...: clusters of a fleet.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/duration.h"
#include "cli/fleet.h"
#include "cli/manifest.h"
#include "cli/output.h"
#include "cli/region_list.h"

static const struct fleet_column cluster_columns[] = {
    {"NAME", "name", CELL_TEXT},
    {"STATE", "state", CELL_TEXT},
    {"CMEK", "cmek_status", CELL_TEXT},
    {"ENGINE", "engine", CELL_TEXT},
    {"REGIONS", "region_names", CELL_TEXT},
    {"CREATED", "created_at", CELL_TEXT},
    {"ID", "id", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

static const struct fleet_column volume_columns[] = {
    {"REGION", "region", CELL_TEXT},
    {">NO", "ordinal", CELL_NUMBER},
    {"NODE", "node", CELL_TEXT},
    {"ACCESS", "access", CELL_TEXT},
    {"CAUSE", "cause", CELL_TEXT},
    {"ENGINE", "engine.state", CELL_TEXT},
    {"ADDRESS", "engine.connection", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

static const struct fleet_column connection_columns[] = {
    {"REGION", "region", CELL_TEXT}, {">NO", "ordinal", CELL_NUMBER}, {"HOST", "host", CELL_TEXT},
    {">PORT", "port", CELL_NUMBER},  {"URI", "uri", CELL_TEXT},       {NULL, NULL, CELL_TEXT},
};

/* ---- create, set ---- */

/* The options that make up "lease" and "rotation" of a cluster. */
static const struct {
    enum cli_opt opt;
    const char *object, *member;
    uint64_t unit_ms;
} terms[] = {
    {OPT_CLUSTER_LEASE, "lease", "lease_ms", 1},
    {OPT_CLUSTER_PROBE, "lease", "probe_ms", 1},
    {OPT_CLUSTER_GRACE, "lease", "grace_ms", 1},
    {OPT_EVERY_CMEK, "rotation", "cmek_s", 1000},
    {OPT_EVERY_DATA, "rotation", "data_s", 1000},
    {OPT_EVERY_REENCRYPT, "rotation", "reencrypt_s", 1000},
};

static ks_rc add_terms(const struct cli *cli, json_t *body)
{
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        if (!args_has(cli, terms[i].opt))
            continue;
        json_t *object = json_object_get(body, terms[i].object);
        if (!object && json_object_set_new(body, terms[i].object, json_object()) == 0)
            object = json_object_get(body, terms[i].object);
        json_int_t value = (json_int_t)(cli->numbers[terms[i].opt] / terms[i].unit_ms);
        ENSURE(object && json_object_set_new(object, terms[i].member, json_integer(value)) == 0,
               KS_E_NO_MEMORY, "out of memory");
    }
    if (args_has(cli, OPT_PROTECTED))
        json_object_set_new(body, "is_delete_protected",
                            json_boolean(strcmp(cli->texts[OPT_PROTECTED], "yes") == 0));
    return KS_SUCCESS;
}

static ks_rc add_text(const struct cli *cli, json_t *body, const char *member, enum cli_opt opt)
{
    if (!args_has(cli, opt))
        return KS_SUCCESS;
    ENSURE(json_object_set_new(body, member, json_string(cli->texts[opt])) == 0, KS_E_USAGE,
           "--%s is no UTF-8", cli_options[opt].name);
    return KS_SUCCESS;
}

static ks_rc wish(const struct cli *cli, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *body = json_pack("{s:s}", "name", cli->args[0]);
    CLEANUP(json_decrefp) json_t *regions = NULL;
    CLEANUP(json_decrefp) json_t *specs = NULL;

    ENSURE(body, KS_E_USAGE, "the name is no UTF-8");
    TRY(region_list_parse(cli->texts[OPT_REGIONS], &regions));
    if (args_has(cli, OPT_MANIFEST)) {
        TRY(manifest_read(cli->texts[OPT_MANIFEST], &specs));
        TRY(region_list_add_keys(regions, specs));
    }
    json_object_set(body, "regions", regions);
    TRY(add_text(cli, body, "engine", OPT_ENGINE));
    TRY(add_text(cli, body, "provider", OPT_PROVIDER));
    TRY(add_terms(cli, body));
    *ret = TAKE(body);
    return KS_SUCCESS;
}

ks_rc cmd_cluster_create(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *body = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;

    TRY(wish(cli, &body));
    TRY(fleet_open(cli, &c));
    TRY(fleet_send(c, "POST", "/v1/clusters", TAKE(body), &reply));
    return fleet_begun(cli, c, TAKE(reply));
}

static ks_rc target_of(const json_t *cluster, const char *part, struct buf *ret)
{
    return fleet_target(ret, "clusters", fleet_text(cluster, "id"), part);
}

ks_rc cmd_cluster_set(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *cluster = NULL;
    CLEANUP(json_decrefp) json_t *body = json_object();
    CLEANUP(json_decrefp) json_t *reply = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    TRY(add_terms(cli, body));
    ENSURE(json_object_size(body) > 0, KS_E_USAGE,
           "nothing to change; see: keystead help cluster set");
    TRY(fleet_open(cli, &c));
    TRY(fleet_find_cluster(c, cli->args[0], &cluster));
    TRY(target_of(cluster, NULL, &target));
    TRY(fleet_send(c, "PATCH", buf_text(&target), TAKE(body), &reply));
    return fleet_begun(cli, c, TAKE(reply));
}

/* ---- list, show ---- */

/* What the table shows in one cell. */
static void join_regions(json_t *cluster)
{
    char names[512] = "";
    const json_t *region;
    size_t i;

    json_array_foreach(json_object_get(cluster, "regions"), i, region)
    {
        size_t len = strlen(names);
        snprintf(names + len, sizeof names - len, "%s%s", i ? "," : "", fleet_text(region, "name"));
    }
    json_object_set_new(cluster, "region_names", json_string(names));
}

ks_rc cmd_cluster_list(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    json_t *rows = NULL, *row;
    size_t i;

    TRY(fleet_open(cli, &c));
    TRY(fleet_list(c, "/v1/clusters", 0, &rows));
    if (!cli->is_json)
        json_array_foreach(rows, i, row) join_regions(row);
    return fleet_show(cli, rows, "clusters", cluster_columns,
                      "no clusters; to make one: keystead cluster create NAME --regions ...");
}

static ks_rc volumes_of(struct fleet_client *c, const json_t *cluster, json_t **ret)
{
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    TRY(target_of(cluster, "volumes", &target));
    return fleet_items(c, buf_text(&target), ret);
}

static void show_terms(const json_t *cluster)
{
    char lease[DURATION_TEXT_BYTES], probe[DURATION_TEXT_BYTES], grace[DURATION_TEXT_BYTES];

    duration_format((uint64_t)fleet_number(cluster, "lease.lease_ms"), lease);
    duration_format((uint64_t)fleet_number(cluster, "lease.probe_ms"), probe);
    duration_format((uint64_t)fleet_number(cluster, "lease.grace_ms"), grace);
    output_field("lease", "%s, probe every %s, grace %s", lease, probe, grace);
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        char member[64], every[DURATION_TEXT_BYTES];
        snprintf(member, sizeof member, "%s.%s", terms[i].object, terms[i].member);
        uint64_t ms = (uint64_t)fleet_number(cluster, member) * terms[i].unit_ms;
        duration_format(ms, every);
        if (strcmp(terms[i].object, "rotation") == 0 && ms > 0)
            output_field(cli_options[terms[i].opt].name, "every %s", every);
    }
}

static void show_failed(const json_t *volume)
{
    const char *kind, *before = ": ";
    json_t *count;

    printf("  requests failed on volume ");
    output_text(stdout, fleet_text(volume, "id"));
    json_object_foreach(json_object_get(volume, "requests_failed"), kind, count)
    {
        if (json_integer_value(count) == 0)
            continue;
        printf("%s", before);
        output_text(stdout, kind);
        printf(" %lld", (long long)json_integer_value(count));
        before = ", ";
    }
    printf("; the log of its volume process on the node says what\n");
}

static bool has_failed(const json_t *volume)
{
    const char *kind;
    json_t *count;

    json_object_foreach(json_object_get(volume, "requests_failed"), kind, count)
    {
        if (json_integer_value(count) > 0)
            return true;
    }
    return false;
}

/* What applications were told already, and the operator of the node can find out about. */
static void show_all_failed(const json_t *volumes)
{
    const json_t *volume;
    size_t i;

    json_array_foreach(volumes, i, volume)
    {
        if (has_failed(volume))
            show_failed(volume);
    }
}

static ks_rc show_cluster(const json_t *cluster, json_t *volumes)
{
    printf("cluster ");
    output_text(stdout, fleet_text(cluster, "name"));
    printf(": ");
    output_text(stdout, fleet_text(cluster, "state"));
    printf(", CMEK ");
    output_text(stdout, fleet_text(cluster, "cmek_status"));
    putchar('\n');
    output_field("id", "%s", fleet_text(cluster, "id"));
    output_field("engine", "%s", fleet_text(cluster, "engine"));
    output_field("created", "%s", fleet_text(cluster, "created_at"));
    if (json_is_true(json_object_get(cluster, "is_delete_protected")))
        output_field("protected", "refuses to be deleted");
    if (strcmp(fleet_text(cluster, "message"), "-") != 0)
        output_field("message", "%s", fleet_text(cluster, "message"));
    show_terms(cluster);
    putchar('\n');
    const struct cli table = {.is_json = false};
    TRY(fleet_show(&table, json_incref(volumes), "volumes", volume_columns, "  no volumes"));
    show_all_failed(volumes);
    return KS_SUCCESS;
}

ks_rc cmd_cluster_show(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *cluster = NULL;
    CLEANUP(json_decrefp) json_t *volumes = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_find_cluster(c, cli->args[0], &cluster));
    TRY(volumes_of(c, cluster, &volumes));
    if (!cli->is_json)
        return show_cluster(cluster, volumes);
    json_object_set(cluster, "volumes", volumes);
    return output_json(TAKE(cluster));
}

/* ---- delete, connection ---- */

ks_rc cmd_cluster_delete(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *cluster = NULL;
    CLEANUP(json_decrefp) json_t *volumes = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    char warning[256];

    TRY(fleet_open(cli, &c));
    TRY(fleet_find_cluster(c, cli->args[0], &cluster));
    TRY(volumes_of(c, cluster, &volumes));
    const char *name = fleet_text(cluster, "name");
    snprintf(warning, sizeof warning,
             "Cluster %.64s with its %zu volumes and everything on them will be destroyed. Nothing "
             "brings it back.",
             name, json_array_size(volumes));
    TRY(fleet_confirm(cli, name, warning));
    TRY(target_of(cluster, NULL, &target));
    TRY(fleet_call(c, "DELETE", buf_text(&target), &reply));
    return fleet_begun(cli, c, TAKE(reply));
}

/* With its passwords, into a file; the rest of the world sees the connections without. */
static ks_rc keep_passwords(const struct cli *cli, json_t *rows)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(1 << 20);
    json_t *row;
    size_t i;

    if (args_has(cli, OPT_SECRET_FILE)) {
        TRY(json_write(rows, false, &text));
        TRY(fleet_write_secret(cli->texts[OPT_SECRET_FILE], buf_text(&text)));
    }
    json_array_foreach(rows, i, row) json_object_del(row, "password");
    return KS_SUCCESS;
}

ks_rc cmd_cluster_connection(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *cluster = NULL;
    CLEANUP(json_decrefp) json_t *rows = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    if (args_has(cli, OPT_SECRET_FILE))
        TRY(fleet_check_new(cli->texts[OPT_SECRET_FILE]));
    TRY(fleet_open(cli, &c));
    TRY(fleet_find_cluster(c, cli->args[0], &cluster));
    TRY(target_of(cluster, "connection", &target));
    TRY(fleet_items(c, buf_text(&target), &rows));
    TRY(keep_passwords(cli, rows));
    return fleet_show(cli, TAKE(rows), "connections", connection_columns,
                      "nothing to connect to yet: no engine runs");
}
