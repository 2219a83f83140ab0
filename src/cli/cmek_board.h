/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmek_board.h - the state of a cluster's customer keys as something people read at a glance.
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"

/* cmek_board_show(cluster, cmek): cluster as the API shows it, cmek as GET .../cmek; to standard output. */
void cmek_board_show(const json_t *cluster, const json_t *cmek);
/* cmek_board_advice(status, cause): what a person does about it, with %s for cluster and region; NULL: nothing. */
const char *cmek_board_advice(const char *status, const char *cause);
