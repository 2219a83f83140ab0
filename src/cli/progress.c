/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/progress.c - drawing the line of progress.
 */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/output.h"

enum { LINE_BYTES = 512 };

struct progress progress_begin(void)
{
    return (struct progress){.is_terminal = isatty(STDERR_FILENO)};
}

void progress_clear(struct progress *p)
{
    if (p->is_line_open)
        fprintf(stderr, "\r\033[K");
    p->is_line_open = false;
}

void progress_draw(struct progress *p, const char *fmt, ...)
{
    char line[LINE_BYTES];
    size_t width = output_width(stderr);
    va_list args;

    if (!p->is_terminal)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (width > 0) /* a full line would leave the cursor to the taste of the terminal */
        output_cut(line, width - 1);
    progress_clear(p);
    output_text(stderr, line);
    fflush(stderr);
    p->is_line_open = true;
}
