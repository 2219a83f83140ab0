/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dashboard.h - status and inspect replies as something people read.
 *
 * Takes the documented JSON, so that both outputs say the same; fields that are missing or of another type show
 * as "-".
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"

/* dashboard_status(status, now_s): state line, lease, probe, wraps, generations, rotation, what to do next. */
ks_rc dashboard_status(const json_t *status, int64_t now_s) KS_MUST;
ks_rc dashboard_inspect(const json_t *inspect) KS_MUST;

/* dashboard_text(object, key): a string, or "-". */
const char *dashboard_text(const json_t *object, const char *key);
