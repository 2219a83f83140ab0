/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/faults.h - everything that is wrong with a request, in one message.
 *
 * Who asks for a cluster with three mistakes shall learn of three, not of one three times. The text is bounded: what does not
 * fit is counted.
 */
#pragma once

#include "base/rc.h"

enum { FAULTS_BYTES = 480 };

struct faults {
    size_t count, dropped;
    char text[FAULTS_BYTES]; /* "a; b; c" */
};

/* faults_add(f, fmt, ...): one more, without a full stop. */
void faults_add(struct faults *f, const char *fmt, ...) KS_PRINTF(2, 3);
/* faults_take(f, rc): a failed rc of class USAGE becomes a fault and success; others pass. */
ks_rc faults_take(struct faults *f, ks_rc rc) KS_MUST;
/* faults_end(f): USAGE with all of them, or success when there are none. */
ks_rc faults_end(const struct faults *f) KS_MUST;
