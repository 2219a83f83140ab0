/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/lease.h - decides whether a volume may use its keys right now.
 *
 * Invariant: a volume is OPEN only while a grant is younger than lease_ms_max and nothing
 * authoritative was refused since. Pure: events and time come in, state and actions go out; no I/O, no
 * clock, so every decision can be replayed. Time is boot time (suspend counts). docs/REVOCATION.md
 * holds the table.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum lease_state { LEASE_OPEN, LEASE_GRACE, LEASE_LOCKING, LEASE_LOCKED };

enum lease_event {
    LEASE_GRANT,   /* a canary was really unwrapped */
    LEASE_DENY,    /* the key service said no about the key */
    LEASE_UNREACH, /* no answer about the key */
    LEASE_TICK,    /* time passes */
    LEASE_REVOKE,  /* our own API says no */
    LEASE_RESTORE, /* our own API says yes again; opens with the next GRANT */
    LEASE_DRAINED, /* nothing is in flight any more */
};

/* Actions, or-ed together, to be carried out in this order. */
enum lease_action {
    LEASE_DO_NOTHING = 0,
    LEASE_DO_ALERT = 1,  /* the key service cannot be reached: tell somebody */
    LEASE_DO_REFUSE = 2, /* refuse new I/O now and begin to drain */
    LEASE_DO_WIPE = 4,   /* wipe keys, drop caches, write the receipt */
    LEASE_DO_UNLOCK = 8, /* get the keys again, admit I/O, start the engine */
};

struct lease_conf {
    uint64_t lease_ms_max, grace_ms, drain_ms_max;
};

struct lease {
    enum lease_state state;
    bool is_revoked;        /* by our API: only RESTORE ends it */
    uint64_t last_grant_ms; /* the grant that the present or last OPEN stands on; 0 = none */
    uint64_t locking_since_ms;
};

/* lease_init(l, now_ms, is_granted, is_revoked): the state at mount: OPEN when granted and not revoked,
 * else LOCKED. */
void lease_init(struct lease *l, uint64_t now_ms, bool is_granted, bool is_revoked);

/* lease_step(l, conf, event, now_ms): the next state and the actions to take. An event the table has no
 * row for changes nothing. A LEASE_GRANT is one that was asked for just now. */
unsigned lease_step(struct lease *l, const struct lease_conf *conf, enum lease_event event,
                    uint64_t now_ms);

/* lease_grant(l, conf, asked_ms, now_ms): LEASE_GRANT for an answer that was asked for at asked_ms and is heard now: the lease
 * counts from then. One that comes when the deadline has passed is too late: the volume locks all the same (the one
 * case in which a grant has LEASE_DO_REFUSE). One that was asked for so long ago that it opens nothing any more is none. */
unsigned lease_grant(struct lease *l, const struct lease_conf *conf, uint64_t asked_ms,
                     uint64_t now_ms);

/* lease_left_ms(l, conf, now_ms): until it locks by itself if nothing is granted meanwhile; 0 when locked. */
uint64_t lease_left_ms(const struct lease *l, const struct lease_conf *conf, uint64_t now_ms);

const char *lease_state_name(enum lease_state state);
const char *lease_event_name(enum lease_event event);
