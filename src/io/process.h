/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/process.h - running another program and taking what it prints.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/rc.h"

/*
 * process_run(argv, deadline_ms, clock, ret, ret_status): runs argv[0], found in PATH, without a shell, with this
 * process's environment, nothing to read, nothing else open, and its errors thrown away; what it prints is appended to
 * ret. ret_status: its exit code, or 128 + signal. It and its children are killed at the deadline (boot time; 0: none):
 * TIMEOUT. LIMIT when it prints more than ret may hold; NOT_FOUND, OS errors when it cannot be started.
 */
ks_rc process_run(const char *const *argv, uint64_t deadline_ms, struct clock *clock,
                  struct buf *ret, int *ret_status) KS_MUST;
/* process_run_told: the same, and what it prints as errors is appended to ret too. */
ks_rc process_run_told(const char *const *argv, uint64_t deadline_ms, struct clock *clock,
                       struct buf *ret, int *ret_status) KS_MUST;
