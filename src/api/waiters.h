/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/waiters.h - calls that wait until something has moved: operations, and what nodes have to do.
 *
 * A wait is in the registry from before the state is looked at until it is removed, so that no change falls between. Being told is
 * cheap: one list under a mutex that is held for nothing else. An owner has so many waits at a time and no more: a call that waits holds a
 * connection that is not idle. Thread-safe.
 */
#pragma once

#include "base/clock.h"
#include "control/model.h"
#include "net/http_server.h"

struct waiters;
struct api_wait;

/* waiters_new(count_max, of_owner_max, ret): more than so many may not wait, in all and of one owner. */
ks_rc waiters_new(size_t count_max, uint32_t of_owner_max, struct waiters **ret) KS_MUST;
/* waiters_free(w): none may wait any more. */
void waiters_free(struct waiters *w);
/* What is waited for, and by whom: owners that meet in a slot of a table count as one; "": not counted. */
struct wait_for {
    char kind;
    const char *id, *owner;
};
/* waiters_add(w, what, exchange, ret): from now on the exchange is woken when (kind, id) is told. BUSY, NO_MEMORY. */
ks_rc waiters_add(struct waiters *w, const struct wait_for *what, struct http_exchange *x,
                  struct api_wait **ret) KS_MUST;
/* waiters_remove(w, wait): afterwards its exchange is not touched any more. NULL does nothing. */
void waiters_remove(struct waiters *w, struct api_wait *wait);
bool api_wait_is_for(const struct api_wait *wait, char kind, const char *id);
/* waiters_tell(w, kind, id): "" is every id. As control_watch has it. */
void waiters_tell(struct waiters *w, char kind, const char *id);
size_t waiters_count(struct waiters *w);
