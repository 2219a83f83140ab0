/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/shared_page.h - one page of memory that all processes of a user on this host share, by name.
 *
 * A file in a runtime directory, mapped. Nothing in it survives a restart of the host, nothing in it is to be believed
 * unchecked: who uses it must cope with any content, and changes it with atomic operations only. Never for secrets.
 */
#pragma once

#include <stddef.h>

#include "base/rc.h"

enum { SHARED_PAGE_BYTES = 4096 };

/*
 * shared_page_open(dir, name, ret): the page, zeroes when it is new. dir is made (0700) when only it is missing.
 * USAGE when dir or file is not this user's alone; errors of the operating system.
 */
ks_rc shared_page_open(const char *dir, const char *name, void **ret) KS_MUST;
/* shared_page_close(page): NULL does nothing; the file stays. */
void shared_page_close(void *page);
