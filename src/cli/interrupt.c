/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/interrupt.c - handlers of SIGINT.
 *
 * The only state of the process that is here: what a handler needs.
 */
#include "cli/interrupt.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { WORDS_BYTES = 512 };

static volatile sig_atomic_t has_come;
static char last_words[WORDS_BYTES];

static void note(int signal_number)
{
    (void)signal_number;
    has_come = 1;
}

void interrupt_note(void)
{
    /* restart: what is just being written is written whole */
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_came(void)
{
    return has_come != 0;
}

static void end(int signal_number)
{
    (void)signal_number;
    ssize_t n = write(STDERR_FILENO, last_words, strlen(last_words));
    (void)n;
    _exit(EXIT_INTERRUPTED);
}

void interrupt_end(const char *fmt, ...)
{
    struct sigaction action = {.sa_handler = end};
    size_t used = 0;
    va_list args;

    if (isatty(STDERR_FILENO)) /* over what the line of progress, and ^C behind it, left there */
        used = (size_t)snprintf(last_words, sizeof last_words, "\r\033[K");
    va_start(args, fmt);
    vsnprintf(last_words + used, sizeof last_words - used, fmt, args);
    va_end(args);
    sigaction(SIGINT, &action, NULL);
}
