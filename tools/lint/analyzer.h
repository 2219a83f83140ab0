/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lint/analyzer.h - what clang-tidy cannot see across source files: a failure is never a success.
 *
 * Included before everything else by tools/lint/tidy.py, except for base/rc.c, which defines these.
 */
#pragma once

#include "base/rc.h"

#define ks_fail(...) ((ks_rc){KS_CLASS_BUG, KS_E_BUG})
#define ks_fail_os(err, ...) ((void)(err), (ks_rc){KS_CLASS_IO, KS_CODE_OS})
#define ks_os(err) ((void)(err), (ks_rc){KS_CLASS_IO, KS_CODE_OS})
#define ks_wrap(rc, ...) (rc)
