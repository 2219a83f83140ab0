/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/name.h - what all back ends agree on about names and types (private to io/).
 */
#pragma once

#include <sys/stat.h>

#include "base/rc.h"

/* io_name_check(name): USAGE when it is empty, ".", ".." or holds a '/': one name, never a path, so
 * that no caller can be led out of the directory it works in. */
ks_rc io_name_check(const char *name) KS_MUST;

/* io_regular_check(mode): success for a regular file; else the errno that says what it is. Devices and
 * FIFOs in a backing directory are never opened: that could block or act on the host. */
ks_rc io_regular_check(mode_t mode) KS_MUST;
