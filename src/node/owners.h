/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/owners.h - as which user of this host the engines of an organisation run.
 *
 * Each organisation has a user id of its own, out of a range that no account and no container of the host has, so that nobody who
 * administers an engine can read what an engine of another organisation can read. An id is given once and remembered in the node's
 * directory (owners.json): it is never given to another organisation, also not when nothing is left of the first. No account is
 * made.
 */
#pragma once

#include <sys/types.h>

#include "node/dir.h"

/* Above what SSSD and IPA map accounts to, below what would be negative. */
enum { OWNERS_FIRST = 2100000000, OWNERS_LAST = 2100065535 };

struct owners;

struct owners_conf {
    struct node_dir *dir; /* must outlive them */
    const char *etc;      /* where passwd, group, subuid and subgid are */
    uid_t first, last;    /* never root */
};

/* owners_open(conf, ret): what was given before. CORRUPT when that cannot be read: then none is given anew. */
ks_rc owners_open(const struct owners_conf *conf, struct owners **ret) KS_MUST;
void owners_free(struct owners *o);
/* owners_find(o, organisation, ret): its user id; its group has the same number. One that it did not have is durable when this returns.
 * LIMIT when the range is used up; STATE when an account of the host has got its id meanwhile; errors of the disk. Any thread. */
ks_rc owners_find(struct owners *o, const char *organisation, uid_t *ret) KS_MUST;
