/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/in_use.h - whether any process of this host has something below a directory open.
 */
#pragma once

#include "base/rc.h"

/* in_use_check(path): path is absolute and without symlinks. BUSY with the pid and name of a process that has a file
 * below it open or mapped, or stands in it. Processes of others are seen only by root; what cannot be looked at counts
 * as not using it. */
ks_rc in_use_check(const char *path) KS_MUST;
