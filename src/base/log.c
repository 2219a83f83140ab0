/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log.c - one line per event on standard error.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_BYTES = 1024 };

static struct {
    const char *area;
    enum log_level max;
    bool is_journal;
} settings = {"keystead", LOG_INFO, false};

void log_setup(const char *area, enum log_level max)
{
    settings.area = area;
    settings.max = max;
    settings.is_journal = getenv("JOURNAL_STREAM") != NULL;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error";
    case LOG_WARNING:
        return "warning";
    case LOG_NOTICE:
        return "notice";
    case LOG_INFO:
        return "info";
    case LOG_DEBUG:
        return "debug";
    }
    return "?";
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char line[LINE_BYTES], when[CLOCK_TEXT_BYTES];
    va_list args;
    int n;

    if (level > settings.max)
        return;
    clock_format(clock_wall_s(clock_system()), when);
    if (settings.is_journal)
        n = snprintf(line, sizeof line, "<%d>%s: ", (int)level, settings.area);
    else
        n = snprintf(line, sizeof line, "%s %s %s: ", when, level_name(level), settings.area);
    va_start(args, fmt);
    vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, args);
    va_end(args);
    size_t len = strlen(line);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20)
            line[i] = '?';
    line[len] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len + 1);
    (void)written; /* nowhere left to complain to */
}
