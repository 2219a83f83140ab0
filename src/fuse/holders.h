/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/holders.h - who has files of a mount open, as /proc shows it.
 *
 * The kernel does not tell a file system without OPEN which of its files are open (fuse/ops_files.c), so descriptors are
 * counted when somebody wants to know, by a thread of their own: nobody waits for it longer than he chooses. The mount
 * itself is never touched, so the count works while it is being locked.
 *
 * What is counted is a lower bound: descriptors of the processes that this one may look at (its own user's; all of its PID
 * namespace with CAP_SYS_PTRACE), this process left out. A descriptor that a child inherited counts again; what is only
 * mapped, or a working directory, does not.
 */
#pragma once

#include <sys/types.h>

#include "base/clock.h"
#include "base/rc.h"

struct holders;

enum {
    HOLDERS_NAMES_BYTES = 256,
    HOLDERS_NAMED_MAX = 8,
    HOLDERS_SCAN_MS_MAX = 3000,
    HOLDERS_LOOK_MS_MAX = 250
};

struct holders_conf {
    struct clock *clock; /* borrowed */
    const char *proc;    /* where processes are listed: "/proc"; borrowed */
    dev_t device;        /* of the mount */
};

struct holders_found {
    uint64_t handles, processes;
    bool is_partial;                 /* counting has not come to its end */
    char names[HOLDERS_NAMES_BYTES]; /* "postgres[812], redis-server[77] and others"; "" for none */
};

/* holders_start(conf, ret): the thread; conf is copied. */
ks_rc holders_start(const struct holders_conf *conf, struct holders **ret) KS_MUST;
/* holders_stop(h, timeout_ms): like sweeper_stop; NULL is stopped. */
bool holders_stop(struct holders *h, uint32_t timeout_ms);
/* For a lock: holders_count(h) begins to count and returns at once; holders_take(h, timeout_ms, ret) must follow: what was
 * counted, at the latest after timeout_ms, then as far as that went. In between nothing else is counted. */
void holders_count(struct holders *h);
void holders_take(struct holders *h, uint32_t timeout_ms, struct holders_found *ret);
/* holders_look(h, age_ms_max, ret): for whoever is curious: the last count that ended. When that began longer ago, and no lock counts,
 * another one is begun, for which this waits HOLDERS_LOOK_MS_MAX at most. */
void holders_look(struct holders *h, uint64_t age_ms_max, struct holders_found *ret);
/* holders_peek(h, ret): the last count that ended, however old; all zero when none ever did. Never counts and never waits. */
void holders_peek(struct holders *h, struct holders_found *ret);
