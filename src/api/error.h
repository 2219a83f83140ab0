/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/error.h - the one table of what an API can answer instead of what was asked: codes, statuses, titles.
 *
 * Results of control/ become codes of the same names. What happened inside (status 500 and above) is told to the log, with the number
 * of the request, and not to the client.
 */
#pragma once

#include "api/route.h"

/* api_error_from(rc, ret): status, code and detail of a failed result. */
void api_error_from(ks_rc rc, struct api_error *ret);
/* api_error_title(code): what people read first: "not found". */
const char *api_error_title(const char *code);
/* api_error_is_known(status, code): whether the table has it; for tests. */
bool api_error_is_known(int status, const char *code);
/* problem_body(call, error): problem details (RFC 9457), with the number of the request as instance. */
json_t *problem_body(const struct api_call *call, const struct api_error *error);
