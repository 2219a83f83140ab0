/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/ahead_names.h - the names of a directory's files in cipher, in the order of the files' inode numbers.
 *
 * The order in which a directory is listed is that of hashes, on most file systems, and says nothing about the order in which anybody
 * asks. Inode numbers do: files that were made one after another are neighbours in them and on the disk, and their names often follow
 * each other. Not all names of a large directory are kept, only those around a number. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

enum { AHEAD_NAMES_BYTES = 8 * 1024 * 1024 }; /* what they may take before the farther half goes */

struct ahead_name {
    uint64_t ino, distance;
    char *text;
};

/* A zeroed struct is empty. */
struct ahead_names {
    struct ahead_name *all;
    size_t count, room, bytes;
    size_t at; /* of the next one; count: there is none */
    bool is_down;
    uint64_t middle;
    bool is_cut; /* more were added than are kept */
};

/* ahead_names_begin(n, middle): empty again, for those around the number middle. */
void ahead_names_begin(struct ahead_names *n, uint64_t middle);
void ahead_names_done(struct ahead_names *n);
/* ahead_names_add(n, ino, name): in any order. */
ks_rc ahead_names_add(struct ahead_names *n, uint64_t ino, const char *name) KS_MUST;
/* ahead_names_sort(n): between the last add and the first seek. */
void ahead_names_sort(struct ahead_names *n);
/* ahead_names_seek(n, ino, is_down): the next ones are those behind the number ino, or before it, nearest first. */
void ahead_names_seek(struct ahead_names *n, uint64_t ino, bool is_down);
/* ahead_names_next(n, ret_ino): the next name, which stays n's; NULL when there is none. */
const char *ahead_names_next(struct ahead_names *n, uint64_t *ret_ino);
