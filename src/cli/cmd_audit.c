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

enum { LINE_BYTES_MAX = 64 * 1024 };

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

/* ---- export ---- */

static ks_rc write_line(const json_t *event)
{
    CLEANUP(buf_done) struct buf line = buf_init(LINE_BYTES_MAX);

    TRY(json_write(event, false, &line));
    TRY(buf_append(&line, view_text("\n")));
    ENSURE(fwrite(line.bytes, 1, line.len, stdout) == line.len, KS_E_IO,
           "the events cannot be written");
    return KS_SUCCESS;
}

static ks_rc export_page(struct fleet_client *c, const char *target, char next[FLEET_NEXT_BYTES])
{
    CLEANUP(json_decrefp) json_t *events = json_array();
    json_t *event;
    size_t i;

    ENSURE(events, KS_E_NO_MEMORY, "out of memory");
    TRY(fleet_page(c, target, events, next));
    json_array_foreach(events, i, event) TRY(write_line(event));
    return KS_SUCCESS;
}

static ks_rc export_online(struct cli *cli, int64_t since)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    char next[FLEET_NEXT_BYTES] = "", text[CLOCK_TEXT_BYTES];

    TRY(fleet_open(cli, &c));
    TRY(fleet_target(&target, "audit"));
    TRY(fleet_query(&target, "limit", "500"));
    if (since > 0) {
        clock_format(since, text);
        TRY(fleet_query(&target, "since", text));
    }
    do
        TRY(export_page(c, buf_text(&target), next));
    while (next[0]);
    return KS_SUCCESS;
}

ks_rc cmd_audit_export(struct cli *cli)
{
    int64_t since = 0;

    if (args_has(cli, OPT_SINCE))
        since = clock_wall_s(clock_system()) - (int64_t)(cli->numbers[OPT_SINCE] / 1000);
    TRY(args_has(cli, OPT_CONTROL_DIR) ? offline_audit_export(cli, since, write_line)
                                       : export_online(cli, since));
    ENSURE(fflush(stdout) == 0, KS_E_IO, "the events cannot be written");
    return KS_SUCCESS;
}

/* ---- verify ---- */

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
