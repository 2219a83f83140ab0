/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/trouble.h - failures that are the operator's business: counted, and told once in a while.
 *
 * An application that meets a full disk gets ENOSPC ten thousand times a second. The operator wants one line that
 * says what is wrong and what to do, and a number in "volume status". What answers a request (no such file, not
 * empty) is nobody's trouble.
 */
#pragma once

#include "base/clock.h"
#include "base/rc.h"

enum trouble_kind {
    TROUBLE_IO,        /* the disk fails, or a file is poisoned by a sync that failed */
    TROUBLE_NO_SPACE,  /* the backing file system is full */
    TROUBLE_QUOTA,     /* a quota of the backing file system is used up */
    TROUBLE_READ_ONLY, /* the backing file system has become read-only */
    TROUBLE_GONE,      /* the backing directory is not there any more */
    TROUBLE_RESOURCES, /* memory or descriptors of this process */
    TROUBLE_DAMAGED, /* blocks that fail authentication; each is told where it is found, here it is counted */
    TROUBLE_INTERNAL, /* a bug of ours */
    TROUBLE_KINDS,
};

/* At most one line of a kind in this time. */
enum { TROUBLE_SILENCE_MS = 60000 };

struct trouble;

/* trouble_new(clock, tell, arg, ret): tell(arg, line) is called for each line that is due, on the thread of the
 * failure. */
ks_rc trouble_new(struct clock *clock, void (*tell)(void *arg, const char *line), void *arg,
                  struct trouble **ret) KS_MUST;
void trouble_free(struct trouble *t);

/* trouble_note(t, rc): a request failed with rc, right now on this thread. Any thread; a success and what is nobody's
 * trouble do nothing. */
void trouble_note(struct trouble *t, ks_rc rc);
/* trouble_note_kind(t, kind, what): the same for something that was found out otherwise. */
void trouble_note_kind(struct trouble *t, enum trouble_kind kind, const char *what);

/* trouble_count(t, kind): how many so far. trouble_name(kind): its name in reports (docs/CONTROL.md). */
uint64_t trouble_count(struct trouble *t, enum trouble_kind kind);
const char *trouble_name(enum trouble_kind kind);
