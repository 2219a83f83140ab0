/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_platform.c - keystead platform ...: as whom the nodes come to the customers' key services.
 */
#include "base/json.h"
#include "cli/account_offline.h"
#include "cli/args.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "cli/platform_options.h"

static const char PATH[] = "/v1/platform";

static ks_rc show(const struct cli *cli, json_t *platform)
{
    static const char *const clouds[][3] = {
        {"AWS", "aws_account", "aws_principal"},
        {"GCP", "gcp_project", "gcp_service_account"},
        {"AZURE", "azure_client_id", "azure_application"},
    };
    CLEANUP(json_decrefp) json_t *taken = platform;
    CLEANUP(table_freep) struct table *table = NULL;

    if (cli->is_json)
        return output_json(TAKE(taken));
    TRY(table_new("CLOUD|ACCOUNT, PROJECT, CLIENT ID|PRINCIPAL", &table));
    for (size_t i = 0; i < sizeof clouds / sizeof *clouds; i++)
        for (size_t k = 0; k < 3; k++)
            table_add(table, "%s", k == 0 ? clouds[i][0] : fleet_text(taken, clouds[i][k]));
    return table_print(table, 0);
}

ks_rc cmd_platform_show(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    json_t *platform = NULL;

    if (args_has(cli, OPT_CONTROL_DIR)) {
        TRY(offline_platform_change(cli, &(struct platform_change){0}, &platform));
    } else {
        TRY(fleet_open(cli, &c));
        TRY(fleet_get(c, PATH, &platform));
    }
    return show(cli, platform);
}

ks_rc cmd_platform_set(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *body = NULL;
    struct platform_change change;
    json_t *platform = NULL;

    platform_options_read(cli, &change);
    TRY(platform_options_write(&change, &body));
    ENSURE(json_object_size(body) > 0, KS_E_USAGE,
           "nothing to change was given; see: keystead help platform set");
    if (args_has(cli, OPT_CONTROL_DIR)) {
        TRY(offline_platform_change(cli, &change, &platform));
    } else {
        TRY(fleet_open(cli, &c));
        TRY(fleet_send(c, "PATCH", PATH, TAKE(body), &platform));
    }
    return show(cli, platform);
}
