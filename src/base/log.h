/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log.h - one line per event on standard error, for daemons and the CLI only.
 *
 * Lines are "2026-11-21T22:07:55Z level area: text" on a file or pipe and carry a "<N>" priority
 * when systemd reads them (JOURNAL_STREAM). Library modules return errors; they do not log.
 */
#pragma once

#include "base/rc.h"

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

/* log_setup(area, max): the name put in each line (static storage) and the last level shown. */
void log_setup(const char *area, enum log_level max);
/* log_detach(): from now on a thread writes the lines and log_line never waits: not for a disk that hangs, not for a journal that does not
 * read. What finds no room (64 KiB) is dropped, and how much of it is told. For daemons, after their last fork. OS errors: lines are
 * written as before. */
ks_rc log_detach(void) KS_MUST;
/* log_flush(ms_max): returns when every line is written, or after that time. Before _exit; exit does it by itself. */
void log_flush(uint32_t ms_max);
/* log_line(level, fmt, ...): one line, written with one write(2); control bytes become '?'. */
void log_line(enum log_level level, const char *fmt, ...) KS_PRINTF(2, 3);
