/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lint/analyzer.h - what clang-tidy cannot see across source files: a failure is never a success.
 *
 * Included before everything else by tools/lint/tidy.py, except for base/rc.c, which defines these.
 */
#pragma once

#include "base/rc.h"

/* Values that go into a text are used. */
static inline void analyzer_uses(int first, ...)
{
    (void)first;
}

#define ks_fail(...) (analyzer_uses(0, __VA_ARGS__), (ks_rc){KS_CLASS_BUG, KS_E_BUG})
#define ks_fail_os(...) (analyzer_uses(0, __VA_ARGS__), (ks_rc){KS_CLASS_IO, KS_CODE_OS})
#define ks_os(err) (analyzer_uses(err), (ks_rc){KS_CLASS_IO, KS_CODE_OS})
#define ks_wrap(rc, ...) (analyzer_uses(0, __VA_ARGS__), (rc))
