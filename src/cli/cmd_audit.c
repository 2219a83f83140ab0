/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_audit.c - keystead audit ...: who did what, and whether the record is whole.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/account_offline.h"
#include "cli/args.h"
#include "cli/fleet.h"
#include "cli/output.h"

static const struct fleet_column columns[] = {
    {">NO", "number", CELL_NUMBER},  {"AT", "at", CELL_TEXT},
    {"WHO", "actor", CELL_TEXT},     {"FROM", "peer", CELL_TEXT},
    {"ACTION", "action", CELL_TEXT}, {"OBJECT", "object", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

ks_rc cmd_audit_list(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    CLEANUP(json_decrefp) json_t *cluster = NULL;
    size_t max = args_has(cli, OPT_LIMIT) ? (size_t)cli->numbers[OPT_LIMIT] : 100;
    char since[CLOCK_TEXT_BYTES];
    json_t *rows = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_target(&target, "audit"));
    TRY(fleet_query(&target, "order", "desc"));
    if (args_has(cli, OPT_OF_CLUSTER)) {
        TRY(fleet_find_cluster(c, cli->texts[OPT_OF_CLUSTER], &cluster));
        TRY(fleet_query(&target, "cluster", fleet_text(cluster, "id")));
    }
    if (args_has(cli, OPT_ACTION))
        TRY(fleet_query(&target, "action", cli->texts[OPT_ACTION]));
    if (args_has(cli, OPT_SINCE)) {
        clock_format(clock_wall_s(clock_system()) - (int64_t)(cli->numbers[OPT_SINCE] / 1000),
                     since);
        TRY(fleet_query(&target, "since", since));
    }
    TRY(fleet_list(c, buf_text(&target), max, &rows));
    return fleet_show(cli, rows, "events", columns, "nothing is on record");
}

static ks_rc verify_online(struct cli *cli, int64_t *ret)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_call(c, "POST", "/v1/audit/verify", &reply));
    ENSURE(json_is_true(json_object_get(reply, "is_sound")), KS_E_AUTH,
           "the record of events was changed: %s", fleet_text(reply, "message"));
    *ret = fleet_number(reply, "events");
    return KS_SUCCESS;
}

ks_rc cmd_audit_verify(struct cli *cli)
{
    int64_t count = 0;

    TRY(args_has(cli, OPT_CONTROL_DIR) ? offline_audit_verify(cli, &count)
                                       : verify_online(cli, &count));
    if (cli->is_json)
        return output_json(json_pack("{s:I, s:b}", "events", (json_int_t)count, "is_sound", 1));
    printf("the record is whole: %" PRId64 " events, each bound to those before it\n", count);
    return KS_SUCCESS;
}
