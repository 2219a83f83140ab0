/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_report.c - keystead volume status, keystead volume inspect: reading without changing.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/dashboard.h"
#include "cli/output.h"
#include "cli/report.h"

static void decref(json_t **value)
{
    json_decref(*value);
}

ks_rc cmd_volume_status(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    CLEANUP(decref) json_t *status = NULL;

    TRY(target_init(cli, cli->args[0], &t));
    status = target_is_running(&t) ? json_incref(t.status) : report_status(&t);
    ENSURE(status, KS_E_NO_MEMORY, "out of memory while the status was made");
    if (cli->is_json)
        return output_json(json_incref(status));
    return dashboard_status(status, clock_wall_s(clock_system()));
}

static ks_rc count(struct backing *b, const struct keyring *k, struct survey *ret)
{
    struct survey_conf conf = {
        .io = io_posix(),
        .tree = backing_tree(b),
        .long_names = backing_long(b),
        .block_payload = k->block_payload,
    };

    memcpy(conf.volume_id, k->volume_id, sizeof conf.volume_id);
    return survey_run(&conf, ret);
}

ks_rc cmd_volume_inspect(struct cli *cli)
{
    CLEANUP(place_done) struct place place = {NULL, NULL};
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(survey_done) struct survey survey = {0};
    CLEANUP(decref) json_t *report = NULL;

    TRY(resolve_place(cli->args[0], &place));
    struct backing_conf conf = target_conf(cli, place.backing);
    TRY(backing_open(&conf, false, &b));
    TRY(backing_keyring(b, &k));
    if (args_has(cli, OPT_SURVEY))
        TRY(count(b, k, &survey));
    report = report_inspect(k, args_has(cli, OPT_SURVEY) ? &survey : NULL);
    ENSURE(report, KS_E_NO_MEMORY, "out of memory while the report was made");
    if (cli->is_json)
        return output_json(json_incref(report));
    return dashboard_inspect(report);
}
