/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/create.h - a new volume from the options of "volume create".
 */
#pragma once

#include "cli/cli.h"

/* create_volume(cli, path): classes as backing_create, and USAGE for options out of range. */
ks_rc create_volume(struct cli *cli, const char *path) KS_MUST;
