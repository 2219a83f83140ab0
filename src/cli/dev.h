/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dev.h - "serve --dev": a whole fleet on one machine, to try things out.
 */
#pragma once

#include "cli/cli.h"

/*
 * dev_run_fleet(cli): key service with a customer's account, control plane, and a node for each region, all on the loopback and below
 * --dir; says what to try next; runs until it is told to end or one of them ends by itself, and unmounts everything. What is in --dir is
 * used again the next time.
 */
ks_rc dev_run_fleet(struct cli *cli) KS_MUST;
