/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/progress.h - how far a command is: the figures, and the one line on a terminal that shows them.
 *
 * The line is on standard error, and only when that is a terminal: nothing of it gets into a file or a pipe. It is never wider than the
 * terminal, because one that wraps cannot be taken away again.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/rc.h"

enum { PROGRESS_EVERY_MS = 500, PROGRESS_TEXT_BYTES = 160 };

struct progress_news {
    uint64_t done, total; /* bytes; total 0: not known */
    uint64_t rate;        /* bytes per second */
    int64_t left_s;       /* -1: not known */
};

/* progress_text(n, out): "1.0 GiB of 4.0 GiB, 100.0 MiB/s, 30 s left", without what is not known; "" before anything is done or known. */
void progress_text(const struct progress_news *n, char out[PROGRESS_TEXT_BYTES]);
/* progress_read(rekey, ret): from "rekey" of a status or a progress line of "rekey" (docs/CONTROL.md). */
void progress_read(const json_t *rekey, struct progress_news *ret);

struct progress {
    FILE *out;
    struct clock *clock;
    bool is_terminal, is_line_open;
    uint64_t began_ms, shown_ms; /* shown_ms 0: never */
};

/* progress_begin(): nothing is shown yet; is_terminal says whether anything will be. */
struct progress progress_begin(void);
/* progress_measure(p, done, total, ret): with the rate since nothing was done, and what time is left at that rate. */
void progress_measure(struct progress *p, uint64_t done, uint64_t total, struct progress_news *ret);
/* progress_show(p, n, fmt, ...): the text and the figures behind it, unless the last ones are younger than PROGRESS_EVERY_MS. */
void progress_show(struct progress *p, const struct progress_news *n, const char *fmt, ...)
    KS_PRINTF(3, 4);
/* progress_draw(p, fmt, ...): in place of what was drawn before; control characters as '?', cut to the width of the terminal. */
void progress_draw(struct progress *p, const char *fmt, ...) KS_PRINTF(2, 3);
/* progress_clear(p): takes it away, and what the terminal shows of a Ctrl-C; to be called before anything else is written. */
void progress_clear(struct progress *p);
