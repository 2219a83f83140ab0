/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_time.h - points in time as AWS writes them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* aws_time_iso(text, ret_s): "2030-01-01T00:00:00Z", also with a fraction of a second (cut off) and with an offset
 * instead of Z (RFC 3339). False for anything else. */
bool aws_time_iso(const char *text, int64_t *ret_s);
/* aws_time_http(text, ret_s): "Sun, 06 Nov 1994 08:49:37 GMT", the Date header (RFC 9110). */
bool aws_time_http(const char *text, int64_t *ret_s);
