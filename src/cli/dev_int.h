/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dev_int.h - the parts of "serve --dev", for its own files: dev.c (order of things), dev_keys.c (key service and the customer's
 * keys), dev_fleet.c (control plane, organisation, nodes), dev_say.c (what to try next).
 */
#pragma once

#include "cli/cli.h"
#include "cli/dev_process.h"
#include "cli/fleet_client.h"

#define DEV_PROVIDER "444455556666" /* the account whose user the nodes are */
#define DEV_PROVIDER_USER "keystead"

enum { DEV_REGIONS_MAX = 32, DEV_URL_BYTES = 128 };

struct dev {
    struct cli *cli;
    char *dir, *program; /* absolute */
    size_t region_count;
    char *regions[DEV_REGIONS_MAX];
    struct dev_processes processes;
    char kms_url[DEV_URL_BYTES], url[DEV_URL_BYTES];
    struct fleet_client *platform, *admin;
    char organisation[64]; /* its id */
};

/* dev_path(d, name, ret): "DIR/name". dev_has(d, name): whether it is there. */
ks_rc dev_path(const struct dev *d, const char *name, char **ret) KS_MUST;
bool dev_has(const struct dev *d, const char *name);
/* dev_read_url(d, name, ret): the first line of DIR/name. */
ks_rc dev_read_url(const struct dev *d, const char *name, char ret[DEV_URL_BYTES]) KS_MUST;
/* dev_wait(d, is_there(arg), arg, what): until it is; the error of a process that ended; TIMEOUT after a minute. */
ks_rc dev_wait(struct dev *d, bool (*is_there)(void *arg), void *arg, const char *what) KS_MUST;

ks_rc dev_keys_start(struct dev *d) KS_MUST;
/* dev_keys_make(d): a key, a role and its grant for each region, and DIR/cmek_config.yml with them; once. */
ks_rc dev_keys_make(struct dev *d) KS_MUST;
ks_rc dev_control_start(struct dev *d) KS_MUST;
ks_rc dev_nodes_start(struct dev *d) KS_MUST;
void dev_say(const struct dev *d);
