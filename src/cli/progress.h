/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/progress.h - the one line on a terminal that says how far a command is.
 *
 * On standard error, and only when that is a terminal: nothing of it gets into a file or a pipe. The line is never wider than the
 * terminal, because one that wraps cannot be taken away again.
 */
#pragma once

#include <stdbool.h>

#include "base/rc.h"

struct progress {
    bool is_terminal, is_line_open;
};

/* progress_begin(): nothing is drawn yet. */
struct progress progress_begin(void);
/* progress_draw(p, fmt, ...): in place of what was drawn before; control characters as '?', cut to the width of the terminal. */
void progress_draw(struct progress *p, const char *fmt, ...) KS_PRINTF(2, 3);
/* progress_clear(p): takes it away; to be called before anything else is written. */
void progress_clear(struct progress *p);
