/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/metrics.h - a status reply as metrics, in the text format that Prometheus reads.
 *
 * Names and labels are part of the documented interface (docs/CONTROL.md).
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/rc.h"

/* metrics_print(out, status): each metric with HELP and TYPE, labelled with the volume's id. What the status does not know (all counters of an unmounted
 * volume) is left out. IO when it cannot be written. */
ks_rc metrics_print(FILE *out, const json_t *status) KS_MUST;
