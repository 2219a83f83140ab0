/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/interrupt.h - what Ctrl-C does to a long command: it stops at the next safe place, or ends at once.
 *
 * Either way the terminal is left with a line that is clean, and the exit code is EXIT_INTERRUPTED.
 */
#pragma once

#include <stdbool.h>

#include "base/rc.h"

/* interrupt_note(): from here on SIGINT and SIGTERM are only noted; the command asks interrupt_came() and ends by itself. */
void interrupt_note(void);
bool interrupt_came(void);

/* interrupt_end(fmt, ...): from here on SIGINT ends the program at once, with these words on standard error in place of a line of progress. For commands
 * whose work is another process's. */
void interrupt_end(const char *fmt, ...) KS_PRINTF(1, 2);
