/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/keyring_json.h - what a keyring says, as JSON: for the status of a running volume and for the commands that
 * look at one that is not running.
 *
 * Member names are part of the documented interface (docs/CONTROL.md, docs/CLI.md). Results are new
 * references; NULL without memory.
 */
#pragma once

#include <jansson.h>

#include "key/keyring.h"
#include "volume/survey.h"

/* json_text(text): what is no UTF-8 (a path may be anything) loses its bytes above 127 to '?'. */
json_t *json_text(const char *text);
/* json_moment(wall_s): the time as text, null for 0. */
json_t *json_moment(int64_t wall_s);

json_t *keyring_wraps_json(const struct keyring *k);

/* What was counted under each generation, if anything was. */
struct counted_generations {
    const struct survey_generation *counts;
    size_t count;
    bool is_counted;
};

/* keyring_generations_json(k, counted, is_whole): with the times of retirement and destruction when is_whole. */
json_t *keyring_generations_json(const struct keyring *k, const struct counted_generations *counted,
                                 bool is_whole);
