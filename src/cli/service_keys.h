/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/service_keys.h - "kms key ..." with --dir: keys of a running key service instead of a key store.
 *
 * NAME is an alias without "alias/", an id or an ARN. Each says in one line what it means for volumes.
 */
#pragma once

#include "cli/cli.h"

ks_rc service_key_create(struct cli *cli) KS_MUST;
ks_rc service_key_list(struct cli *cli) KS_MUST;
ks_rc service_key_show(struct cli *cli) KS_MUST;
/* service_key_change(cli, operation, meaning): an operation that takes nothing but the key. */
ks_rc service_key_change(struct cli *cli, const char *operation, const char *meaning) KS_MUST;
ks_rc service_key_schedule_deletion(struct cli *cli) KS_MUST;
