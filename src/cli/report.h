/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/report.h - a keyring as JSON, for status of an unmounted volume and for inspect.
 *
 * The same keys as the volume process uses in its replies. All return NULL when memory runs out.
 */
#pragma once

#include <jansson.h>

#include "cli/target.h"
#include "volume/survey.h"

/* report_count(b, k, ret): the blocks under each generation, without any key. */
ks_rc report_count(struct backing *b, const struct keyring *k, struct survey *ret) KS_MUST;

/* report_status(t, revoked_s, survey): what "status" replies, without a volume process: state UNMOUNTED; revoked_s is
 * backing_revoked_s; survey may be NULL. */
json_t *report_status(const struct target *t, int64_t revoked_s, const struct survey *survey);
/* report_inspect(k, revoked_s, survey): all that the keyring says, and the record; survey may be NULL. */
json_t *report_inspect(const struct keyring *k, int64_t revoked_s, const struct survey *survey);

/* report_generations(k, survey, is_whole): with retired and destroyed when is_whole. */
json_t *report_generations(const struct keyring *k, const struct survey *survey, bool is_whole);
