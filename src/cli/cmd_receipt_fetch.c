/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_receipt_fetch.c - keystead receipt list, save: what nodes signed when they locked volumes of a cluster.
 *
 * Saved receipts are for "keystead receipt verify", which believes the signatures only, and nothing that is said here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "control/model.h"
#include "io/atomic_file.h"
#include "io/io.h"

enum { RECEIPT_BYTES_MAX = 64 * 1024 };

static const struct fleet_column columns[] = {
    {"AT", "at", CELL_TEXT},
    {"REGION", "region", CELL_TEXT},
    {"VOLUME", "volume", CELL_TEXT},
    {"NODE", "node", CELL_TEXT},
    {"OPERATION", "operation", CELL_TEXT},
    {"ID", "id", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

static ks_rc fetch(struct cli *cli, json_t **ret)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    CLEANUP(json_decrefp) json_t *cluster = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_find_cluster(c, cli->args[0], &cluster));
    TRY(fleet_target(&target, "clusters", fleet_text(cluster, "id"), "receipts"));
    if (args_has(cli, OPT_OF_OPERATION))
        TRY(fleet_query(&target, "operation", cli->texts[OPT_OF_OPERATION]));
    return fleet_list(c, buf_text(&target), 0, ret);
}

ks_rc cmd_receipt_list(struct cli *cli)
{
    json_t *rows = NULL;

    TRY(fetch(cli, &rows));
    return fleet_show(cli, rows, "receipts", columns, "no volume of it was ever locked");
}

static void node_close(struct io_node **dir)
{
    if (*dir)
        io_posix()->ops->node_close(io_posix(), *dir);
}

static ks_rc save_one(struct io_node *dir, const json_t *receipt)
{
    CLEANUP(buf_done) struct buf text = buf_init(RECEIPT_BYTES_MAX);
    char name[ID_BYTES + 8];
    const char *id = fleet_text(receipt, "id");

    ENSURE(id_is_valid(id), KS_E_BAD_REPLY, "a receipt of the control plane has no id");
    snprintf(name, sizeof name, "%s.json", id);
    TRY(json_write(receipt, false, &text));
    return ks_wrap(atomic_file_write(io_posix(), dir, name, 0644, buf_view(&text)), "%s", name);
}

ks_rc cmd_receipt_save(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *rows = NULL;
    CLEANUP(node_close) struct io_node *dir = NULL;
    const char *path = cli->args[1];
    const json_t *receipt;
    size_t i;

    TRY(fetch(cli, &rows));
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return ks_fail_os(errno, "%s", path);
    TRY(ks_wrap(io_posix()->ops->open_root(io_posix(), path, &dir), "%s", path));
    json_array_foreach(rows, i, receipt) TRY(ks_wrap(save_one(dir, receipt), "%s", path));
    printf("%zu receipts saved; to check one: keystead receipt verify ", json_array_size(rows));
    output_text(stdout, path);
    printf("/ID.json --ca-file authority.pem\n"
           "authority.pem is the fleet's, of whoever runs the control plane\n");
    return KS_SUCCESS;
}
