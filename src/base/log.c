/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log.c - one line per event on standard error.
 *
 * Detached, the mutex guards the lines that wait, in a ring; the thread writes without it. Who logs may hold locks that others
 * need in time, so nothing here waits while it is held.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

enum {
    LINE_BYTES = 1024,
    WAITING_BYTES = 64 * 1024,
    STACK_BYTES = 64 * 1024,
    EXIT_MS_MAX = 2000,
};

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

static void write_out(const char *text, size_t len)
{
    ssize_t written = write(STDERR_FILENO, text, len);
    (void)written; /* nowhere left to complain to */
}

/* ---- detached ---- */

static struct {
    pthread_mutex_t mutex; /* for all of this */
    pthread_cond_t cond;   /* there is something to write, or nothing any more */
    bool is_detached, is_writing;
    unsigned lost;
    size_t first, used;
    char ring[WAITING_BYTES];
} waiting = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* One line at most, as it was put. With the mutex. */
static size_t take_line(char line[LINE_BYTES])
{
    size_t len = 0;

    while (len < waiting.used && len < LINE_BYTES && (len == 0 || line[len - 1] != '\n')) {
        line[len] = waiting.ring[(waiting.first + len) % WAITING_BYTES];
        len++;
    }
    waiting.first = (waiting.first + len) % WAITING_BYTES;
    waiting.used -= len;
    return len;
}

static size_t tell_lost(char line[LINE_BYTES])
{
    unsigned lost = waiting.lost;

    waiting.lost = 0;
    return (size_t)snprintf(line, LINE_BYTES, "%s%s: %u lines of this log were lost here\n",
                            settings.is_journal ? "<4>" : "", settings.area, lost);
}

static void *write_lines(void *arg)
{
    char line[LINE_BYTES];

    pthread_mutex_lock(&waiting.mutex);
    for (;;) {
        while (waiting.used == 0 && waiting.lost == 0)
            pthread_cond_wait(&waiting.cond, &waiting.mutex);
        size_t len = waiting.used ? take_line(line) : tell_lost(line);
        waiting.is_writing = true;
        pthread_mutex_unlock(&waiting.mutex);
        write_out(line, len);
        pthread_mutex_lock(&waiting.mutex);
        waiting.is_writing = false;
        pthread_cond_broadcast(&waiting.cond);
    }
    return arg;
}

static void flush_at_exit(void)
{
    log_flush(EXIT_MS_MAX);
}

ks_rc log_detach(void)
{
    if (waiting.is_detached)
        return KS_SUCCESS;
    clock_cond_init(&waiting.cond);
    TRY(ks_wrap(thread_start_detached(STACK_BYTES, write_lines, NULL), "no thread for the log"));
    pthread_mutex_lock(&waiting.mutex);
    waiting.is_detached = true;
    pthread_mutex_unlock(&waiting.mutex);
    atexit(flush_at_exit);
    return KS_SUCCESS;
}

void log_flush(uint32_t ms_max)
{
    struct timespec until = clock_deadline(ms_max);
    int err = 0;

    pthread_mutex_lock(&waiting.mutex);
    while (waiting.is_detached && (waiting.used || waiting.lost || waiting.is_writing) && err == 0)
        err = pthread_cond_timedwait(&waiting.cond, &waiting.mutex, &until);
    pthread_mutex_unlock(&waiting.mutex);
}

/* False: it is to be written by the caller. */
static bool leave(const char *line, size_t len)
{
    pthread_mutex_lock(&waiting.mutex);
    bool is_detached = waiting.is_detached;
    if (is_detached && (waiting.lost || waiting.used + len > WAITING_BYTES)) {
        waiting.lost++;
    } else if (is_detached) {
        for (size_t i = 0; i < len; i++)
            waiting.ring[(waiting.first + waiting.used + i) % WAITING_BYTES] = line[i];
        waiting.used += len;
    }
    if (is_detached)
        pthread_cond_broadcast(&waiting.cond);
    pthread_mutex_unlock(&waiting.mutex);
    return is_detached;
}

static void put(const char *line, size_t len)
{
    if (!leave(line, len))
        write_out(line, len);
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
    put(line, len + 1);
}
