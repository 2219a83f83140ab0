/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_create.c - keystead volume create.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/create.h"
#include "cli/key_option.h"
#include "cli/output.h"
#include "cli/target.h"
#include "fuse/keyring_json.h"

enum { PAYLOAD = 3584, PAYLOAD_DENSE = 4032 };

_Static_assert(CLI_KEYS_MAX == (int)KEYRING_ACTIVE_MAX, "all keys of a volume can be given");

/* The label that people know the volume by, unless they say another: the last part of its path. */
static const char *default_label(const char *path, char out[KEYRING_LABEL_BYTES])
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t start = len;
    while (start > 0 && path[start - 1] != '/')
        start--;
    snprintf(out, KEYRING_LABEL_BYTES, "%.*s", (int)(len - start), path + start);
    return out;
}

static ks_rc check_texts(const struct cli *cli)
{
    static const enum cli_opt texts[] = {OPT_LABEL, OPT_ORGANISATION, OPT_CLUSTER, OPT_REGION};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = cli->texts[texts[i]];
        ENSURE(!text || strlen(text) < KEYRING_LABEL_BYTES, KS_E_USAGE,
               "--%s is longer than %d bytes", cli_options[texts[i]].name, KEYRING_LABEL_BYTES - 1);
    }
    return KS_SUCCESS;
}

static ks_rc default_settings(struct keyring_settings *ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    TRY(keyring_new(&k));
    *ret = k->settings;
    return KS_SUCCESS;
}

static ks_rc report(struct cli *cli, const struct backing_conf *conf)
{
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(mem_freep) char *path = NULL;
    char id[TARGET_ID_BYTES];

    TRY(backing_open(conf, false, &b));
    TRY(backing_keyring(b, &k));
    TRY(resolve_absolute(conf->path, "volume", &path));
    target_id(k, id);
    if (cli->is_json)
        return output_json(json_pack("{s:s, s:o, s:o}", "id", id, "label", json_text(k->label),
                                     "backing", json_text(path)));
    printf("volume ");
    output_text(stdout, k->label);
    printf(" made: id %s, %zu %s\n", id, k->wrap_count, k->wrap_count == 1 ? "wrap" : "wraps");
    printf("next: keystead volume mount ");
    output_text(stdout, path);
    printf(" MOUNTPOINT\n");
    return KS_SUCCESS;
}

ks_rc create_volume(struct cli *cli, const char *path)
{
    CLEANUP(mem_freep) struct key_spec *specs = NULL;
    struct backing_conf conf = target_conf(cli, path);
    char label[KEYRING_LABEL_BYTES];
    struct backing_create create = {
        .label = cli->texts[OPT_LABEL],
        .organisation = cli->texts[OPT_ORGANISATION],
        .cluster = cli->texts[OPT_CLUSTER],
        .region = cli->texts[OPT_REGION],
        .block_payload = args_has(cli, OPT_DENSE) ? PAYLOAD_DENSE : PAYLOAD,
        .spec_count = cli->key_count,
    };

    ENSURE(path[0] != '\0', KS_E_USAGE, "the path of the volume is empty");
    TRY(check_texts(cli));
    if (!create.label)
        create.label = default_label(path, label);
    TRY(default_settings(&create.settings));
    TRY(key_option_settings(cli, &create.settings));
    TRY(mem_new(cli->key_count, sizeof *specs, &specs));
    for (size_t i = 0; i < cli->key_count; i++)
        TRY(key_option_spec(&cli->keys[i], &specs[i]));
    create.specs = specs;
    return backing_create(&conf, &create);
}

ks_rc cmd_volume_create(struct cli *cli)
{
    struct backing_conf conf = target_conf(cli, cli->args[0]);

    TRY(create_volume(cli, cli->args[0]));
    return report(cli, &conf);
}
