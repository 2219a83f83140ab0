/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/platform_options.h - what options say about the platform's identities.
 */
#pragma once

#include <jansson.h>

#include "cli/cli.h"
#include "control/control.h"

/* platform_options_read(cli, ret): members of options that were given; "none" takes one back. Borrowed from the command line. */
void platform_options_read(const struct cli *cli, struct platform_change *ret);
/* platform_options_write(change, ret): as the API takes it. USAGE for a text that is no UTF-8. */
ks_rc platform_options_write(const struct platform_change *change, json_t **ret) KS_MUST;
