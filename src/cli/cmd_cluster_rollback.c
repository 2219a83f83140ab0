/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_cluster_rollback.c - keystead cluster accept-rollback: a volume whose keyring was restored from a backup.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fleet.h"
#include "cli/output.h"

static bool is_named(const json_t *volume, const char *text)
{
    const char *region = fleet_text(volume, "region");
    size_t len = strlen(region);
    char *end = NULL;

    if (strcmp(fleet_text(volume, "id"), text) == 0)
        return true;
    return strncmp(text, region, len) == 0 && text[len] == '/' && text[len + 1] != '\0' &&
           strtoll(text + len + 1, &end, 10) == fleet_number(volume, "ordinal") && *end == '\0';
}

static ks_rc find_volume(const struct cli *cli, const json_t *volumes, const json_t **ret)
{
    const json_t *one;
    size_t i;

    json_array_foreach(volumes, i, one)
    {
        if (is_named(one, cli->args[1])) {
            *ret = one;
            return KS_SUCCESS;
        }
    }
    return ks_fail(KS_E_NOT_FOUND,
                   "cluster %.64s has no volume %.64s; \"keystead cluster show\" lists them, and "
                   "they are named like us-west-2/0",
                   cli->args[0], cli->args[1]);
}

static ks_rc confirm(const struct cli *cli, const json_t *cluster, const json_t *volume)
{
    char warning[512];

    ENSURE(fleet_number(volume, "keyring.found") > 0, KS_E_STATE,
           "volume %s is not refused because of its keyring: there is nothing to accept",
           cli->args[1]);
    snprintf(warning, sizeof warning,
             "Volume %lld in %.64s of cluster %.64s has a keyring of sequence %lld; one of "
             "sequence %lld was "
             "there before. Keys that were removed since open it again, and data keys that were "
             "destroyed "
             "since are back. Accept it only if you restored a backup.",
             (long long)fleet_number(volume, "ordinal"), fleet_text(volume, "region"),
             fleet_text(cluster, "name"), (long long)fleet_number(volume, "keyring.found"),
             (long long)fleet_number(volume, "keyring.sequence"));
    return fleet_confirm(cli, fleet_text(cluster, "name"), warning);
}

static ks_rc send_word(struct fleet_client *c, const json_t *cluster, const json_t *volume,
                       json_t **ret)
{
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    TRY(fleet_target(&target, "clusters", fleet_text(cluster, "id"), "volumes",
                     fleet_text(volume, "id"), "accept-rollback"));
    return fleet_send(c, "POST", buf_text(&target),
                      json_pack("{s:I}", "sequence", fleet_number(volume, "keyring.found")), ret);
}

ks_rc cmd_cluster_accept_rollback(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *cluster = NULL;
    CLEANUP(json_decrefp) json_t *volumes = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    const json_t *volume = NULL;

    TRY(fleet_open(cli, &c));
    TRY(fleet_find_cluster(c, cli->args[0], &cluster));
    TRY(fleet_target(&target, "clusters", fleet_text(cluster, "id"), "volumes"));
    TRY(fleet_items(c, buf_text(&target), &volumes));
    TRY(find_volume(cli, volumes, &volume));
    TRY(confirm(cli, cluster, volume));
    TRY(send_word(c, cluster, volume, &reply));
    if (cli->is_json)
        return output_json(TAKE(reply));
    printf("the keyring of sequence %lld is accepted; its node opens the volume next\n",
           (long long)fleet_number(reply, "keyring.sequence"));
    return KS_SUCCESS;
}
