/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/watcher.h - tells those who watch a volume whenever something about it has changed.
 *
 * One thread serves all of them. Invariant: what is told last is what is so: changes that come faster than somebody reads, or
 * faster than progress is told, are told as one. Whoever does not read delays nobody.
 */
#pragma once

#include "fuse/control_server.h"

struct watcher;

enum { WATCHERS_MAX = 64, WATCHER_PROGRESS_MS = 500 };

struct watcher_conf {
    /* describe(arg): what is so, as a new object; on the watcher's thread. NULL: not now, it is asked again at the next note. A change
     * within its member "progress" alone is told after WATCHER_PROGRESS_MS at the earliest, every other at once. */
    json_t *(*describe)(void *arg);
    void *arg;
};

ks_rc watcher_start(const struct watcher_conf *conf, struct watcher **ret) KS_MUST;
/* watcher_stop(w): ends the thread and all conversations; watcher_note may still be called until watcher_free. */
void watcher_stop(struct watcher *w);
void watcher_free(struct watcher *w);

/* watcher_note(w): something may have changed. From any thread, with any lock held; never waits. NULL does nothing. */
void watcher_note(struct watcher *w);
/* watcher_add(w, peer): takes the conversation over, which then gets a line now and with each change: what describe gives, with the
 * number "sequence" of this state. BUSY when WATCHERS_MAX watch already. */
ks_rc watcher_add(struct watcher *w, struct control_peer *peer) KS_MUST;
