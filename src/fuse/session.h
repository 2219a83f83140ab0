/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/session.h - the mount itself: the kernel's connection and the threads that serve it.
 *
 * Knows the volume only as what answers requests. A lock of the volume uses two things from here: making
 * the kernel forget what it caches, and wiping the plaintext that requests left in our buffers.
 */
#pragma once

#include "fuse/awake.h"
#include "volume/volume.h"

struct session;

struct session_conf {
    struct volume *volume;   /* borrowed; outlives the session */
    struct trouble *trouble; /* the same */
    const char *mountpoint;
    const char *source; /* shown as the mounted device: the backing directory */
    bool is_allow_other;
    bool is_ring_wanted;     /* requests over io_uring where the kernel offers it */
    unsigned threads;        /* 0: default; more when rings need them */
    struct shedder *shedder; /* borrowed; outlives the session */
    struct awake *awake;     /* the same; NULL: processors may sleep when they like */
};

enum { SESSION_THREADS_DEFAULT = 8, SESSION_THREADS_MAX = 64 };

/* session_threads(wanted, queues): how many threads serve so many queues of rings, at least wanted (at most
 * SESSION_THREADS_MAX). A kernel that wants more queues served than threads can is served through the device alone:
 * *queues becomes 0, with a line in the log. */
unsigned session_threads(unsigned wanted, unsigned *queues);
/* session_reserve(memlock): how many more may be started when a disk holds up all of them: their buffers and stacks count against the
 * limit on locked memory, of which keys must have what HARDEN_MEMLOCK_BYTES_MIN says. */
unsigned session_reserve(uint64_t memlock);
/* session_mount(conf, ret): mounts; requests wait until session_start. */
ks_rc session_mount(const struct session_conf *conf, struct session **ret) KS_MUST;
/* session_start(s): starts the threads and returns when the kernel and we have agreed (INIT). */
ks_rc session_start(struct session *s) KS_MUST;
/* session_is_ring(s): whether requests come over io_uring. */
bool session_is_ring(struct session *s);
/* session_device(s): the device number of the mount, which its files show. Touches nothing. */
dev_t session_device(const struct session *s);
/* session_fd(s): the kernel's connection; it stays the session's. */
int session_fd(const struct session *s);
/* session_end_fd(s): becomes readable when the mount has ended, whoever ended it. */
int session_end_fd(const struct session *s);
/* session_is_ended(s): whether the mount has ended. */
bool session_is_ended(const struct session *s);
/* session_free(s): the mount must have ended, or never started (then it is unmounted). Joins the threads. */
void session_free(struct session *s);

/*
 * session_invalidate(s): makes the kernel write back and drop every page, and forget every attribute it
 * has of this mount, also after it was aborted. Takes no memory. Blocks while the kernel writes: never from a thread that serves
 * requests. A failure: something may be left.
 */
ks_rc session_invalidate(struct session *s) KS_MUST;
/* session_scrub(s, timeout_ms): has every thread wipe the plaintext in its buffers; BUSY when one did not in
 * time. */
ks_rc session_scrub(struct session *s, uint32_t timeout_ms) KS_MUST;
/* session_abort(s): has the kernel fail every request of this mount, now and later, where we may (root). For an
 * emergency: nothing is written back. Whether its path still leads to it then. */
bool session_abort(struct session *s);
/* session_tune(s): asks the kernel to read further ahead, where we may. Never fails. */
void session_tune(const struct session *s);
