/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dev_keys.c - "serve --dev": the customer's side: a key service with his account, in it a key and a role for each region.
 *
 * Everything goes through the commands that a person would use.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/dev_int.h"
#include "io/atomic_file.h"
#include "kms/aws_endpoint.h"
#include "kms/key_file.h"

static const char REGION_PRESET[] = "us-east-1";

enum { CONFIG_BYTES_MAX = 64 * 1024 };

static bool has_endpoint(void *arg)
{
    return dev_has(arg, "kms/endpoint");
}

/* The provider's account and the user that nodes are there. */
static ks_rc make_provider(const struct dev *d, const char *dir)
{
    if (dev_has(d, "kms/444455556666.keystead.credentials"))
        return KS_SUCCESS;
    TRY(dev_run((const char *const[]){d->program, "kms", "account", "create", DEV_PROVIDER, "--dir",
                                      dir, NULL},
                NULL));
    return dev_run((const char *const[]){d->program, "kms", "user", "create", DEV_PROVIDER_USER,
                                         "--account", DEV_PROVIDER, "--dir", dir, NULL},
                   NULL);
}

ks_rc dev_keys_start(struct dev *d)
{
    CLEANUP(mem_freep) char *dir = NULL, *key = NULL, *log = NULL, *endpoint = NULL;

    TRY(dev_path(d, "kms", &dir));
    TRY(dev_path(d, "kms-root.key", &key));
    TRY(dev_path(d, "logs/kms.log", &log));
    TRY(dev_path(d, "kms/endpoint", &endpoint));
    if (!dev_has(d, "kms"))
        TRY(dev_run((const char *const[]){d->program, "kms", "setup", "--dir", dir, "--key-file",
                                          key, NULL},
                    NULL));
    unlink(endpoint); /* of a time before, when it did not end in good order */
    TRY(dev_start(&d->processes,
                  &(struct dev_start){.stage = DEV_KEYS,
                                      .name = "the key service",
                                      .log = log,
                                      .argv = (const char *const[]){
                                          d->program, "kms", "serve", "--dir", dir, "--key-file",
                                          key, "--listen", "127.0.0.1:0", NULL}}));
    TRY(dev_wait(d, has_endpoint, d, "the key service"));
    TRY(dev_read_url(d, "kms/endpoint", d->kms_url));
    return make_provider(d, dir);
}

/* ---- keys ---- */

/* Where a key of the region is in the key service, whose regions are those of AWS. */
static const char *kms_region(const char *region)
{
    return aws_is_region(region) ? region : REGION_PRESET;
}

static ks_rc make_one(const struct dev *d, const char *dir, const char *region, struct buf *config)
{
    CLEANUP(json_decrefp) json_t *made = NULL;
    const char *role, *key, *of = kms_region(region);

    TRY(dev_run((const char *const[]){d->program, "kms", "key", "create", region, "--region", of,
                                      "--dir", dir, NULL},
                NULL));
    TRY(dev_run((const char *const[]){d->program, "kms", "role", "create", region, "--of-key",
                                      region, "--region", of, "--trust", DEV_PROVIDER,
                                      "--external-id", d->organisation, "--dir", dir, "-o", "json",
                                      NULL},
                &made));
    TRY(json_get_text(made, "role", 512, &role));
    TRY(json_get_text(made, "key", 512, &key));
    return buf_printf(config,
                      "- region: %s\n  key_spec:\n    type: AWS_KMS\n    uri: \"%s\"\n    "
                      "auth_principal: \"%s\"\n",
                      region, key, role);
}

static void node_close(struct io_node **dir)
{
    if (*dir)
        io_posix()->ops->node_close(io_posix(), *dir);
}

ks_rc dev_keys_make(struct dev *d)
{
    CLEANUP(mem_freep) char *dir = NULL, *path = NULL;
    CLEANUP(buf_done) struct buf config = buf_init(CONFIG_BYTES_MAX);
    CLEANUP(node_close) struct io_node *parent = NULL;
    char name[IO_NAME_BYTES + 1];

    if (dev_has(d, "cmek_config.yml"))
        return KS_SUCCESS;
    TRY(dev_path(d, "kms", &dir));
    TRY(dev_path(d, "cmek_config.yml", &path));
    TRY(buf_printf(&config, "---\nregion_specs:\n"));
    for (size_t i = 0; i < d->region_count; i++)
        TRY(make_one(d, dir, d->regions[i], &config));
    TRY(path_open_parent(io_posix(), path, &parent, name));
    return ks_wrap(atomic_file_write(io_posix(), parent, name, 0644, buf_view(&config)), "%s",
                   path);
}
