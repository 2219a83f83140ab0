/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_report.c - keystead volume status, keystead volume inspect: reading without changing.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/dashboard.h"
#include "cli/metrics.h"
#include "cli/output.h"
#include "cli/report.h"

static void decref(json_t **value)
{
    json_decref(*value);
}

static ks_rc status_running(struct target *t, json_t **ret)
{
    if (!args_has(t->cli, OPT_SURVEY)) {
        *ret = json_incref(t->status);
        return KS_SUCCESS;
    }
    return target_call(t, json_pack("{s:s, s:b}", "op", "status", "survey", 1), ret);
}

static ks_rc status_offline(struct target *t, json_t **ret)
{
    CLEANUP(survey_done) struct survey survey = {0};
    CLEANUP(backing_closep) struct backing *b = NULL;
    struct backing_conf conf = target_conf(t->cli, t->place.backing);
    int64_t revoked_s;

    if (t->place.mountpoint)
        TRY(target_check_idle(t));
    TRY(backing_open(&conf, false, &b));
    TRY(backing_revoked_s(b, &revoked_s));
    if (args_has(t->cli, OPT_SURVEY))
        TRY(report_count(b, t->keyring, &survey));
    *ret = report_status(t, revoked_s, args_has(t->cli, OPT_SURVEY) ? &survey : NULL);
    ENSURE(*ret, KS_E_NO_MEMORY, "out of memory while the status was made");
    return KS_SUCCESS;
}

ks_rc cmd_volume_status(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    CLEANUP(decref) json_t *status = NULL;

    TRY(target_init(cli, cli->args[0], &t));
    TRY(target_is_running(&t) ? status_running(&t, &status) : status_offline(&t, &status));
    if (cli->is_json)
        return output_json(json_incref(status));
    if (args_has(cli, OPT_STATUS_OUTPUT) &&
        strcmp(cli->texts[OPT_STATUS_OUTPUT], "prometheus") == 0)
        return metrics_print(stdout, status);
    return dashboard_status(status, clock_wall_s(clock_system()));
}

ks_rc cmd_volume_inspect(struct cli *cli)
{
    CLEANUP(place_done) struct place place = {NULL, NULL};
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(survey_done) struct survey survey = {0};
    CLEANUP(decref) json_t *report = NULL;
    int64_t revoked_s;

    TRY(resolve_place(cli->args[0], &place));
    struct backing_conf conf = target_conf(cli, place.backing);
    TRY(backing_open(&conf, false, &b));
    TRY(backing_keyring(b, &k));
    TRY(backing_revoked_s(b, &revoked_s));
    if (args_has(cli, OPT_SURVEY))
        TRY(report_count(b, k, &survey));
    report = report_inspect(k, revoked_s, args_has(cli, OPT_SURVEY) ? &survey : NULL);
    ENSURE(report, KS_E_NO_MEMORY, "out of memory while the report was made");
    if (cli->is_json)
        return output_json(json_incref(report));
    return dashboard_inspect(report);
}
