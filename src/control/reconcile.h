/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/reconcile.h - what a region's CMEK is to become next: wishes and reports in, statuses and wishes out.
 *
 * Pure: no store, no clock, no text. It looks at all there is to know about one region and brings it as far as it goes
 * at once; doing it again changes nothing. Nothing is remembered beside what it is given, so it makes no
 * difference when, how often and after what crash it is called. docs/CMEK.md holds the tables.
 *
 * Invariants: a wish always names an opener, the platform's key or one of the customer's; an opener is dropped from the
 * wish only when every volume has an active wrap under each of those that stay; what was revoked by a call stays revoked until a call.
 */
#pragma once

#include "control/model.h"

enum {
    REC_KEYS_MAX = 3 * REGION_KEYS_MAX, /* in force, coming, going; not past ones */
    REC_VOLUMES_MAX = 2 * REGION_NODES_MAX,
    REC_STEPS_MAX = 32,
    REC_PATIENCE_S = 600,    /* how long a key service may be silent before a change is given up */
    REC_RECEIPT_WAIT_S = 60, /* how long a locked volume's receipt is waited for */
};

/* What volumes count; as in struct region. */
enum rec_level { REC_REWRAP, REC_STORE, REC_DATA, REC_REENCRYPT, REC_RESTORE, REC_LEVEL_COUNT };

/* What a failure says about another attempt. */
enum rec_error {
    REC_ERROR_NONE,
    REC_ERROR_NO,     /* an answer: the key service refuses, or the key is not what it should be */
    REC_ERROR_SILENT, /* no answer */
    REC_ERROR_OTHER,  /* this host's: may pass */
};

/* Why something is as it is; texts are made of it in control/reason.h. */
enum rec_reason {
    REC_WHY_KEEP, /* as it was said before */
    REC_WHY_NOTHING,
    REC_WHY_WORKING,       /* volume: is not there yet */
    REC_WHY_AWAY,          /* volume: its node has not reported */
    REC_WHY_KEY_REFUSED,   /* volume, key */
    REC_WHY_KEY_SILENT,    /* volume, key */
    REC_WHY_KEY_ERROR,     /* volume, key */
    REC_WHY_DENIED,        /* volume: locked, the key service says no */
    REC_WHY_SILENT,        /* volume: locked or in grace, the key service cannot be reached */
    REC_WHY_BROKEN,        /* volume: cannot be opened */
    REC_WHY_LEVEL,         /* volume: a rotation fails */
    REC_WHY_REVOKED,       /* by a call */
    REC_WHY_NO_RECEIPT,    /* volume: locked as its node says, without a receipt */
    REC_WHY_STILL_OPEN,    /* volume: open though it was revoked */
    REC_WHY_OVERTAKEN,     /* by a revocation or a restore */
    REC_WHY_REMOVED,       /* the region is being removed */
    REC_WHY_CANCELLED,     /* by a call */
    REC_WHY_WAITS_RESTORE, /* a rotation of a region that is revoked */
};

struct rec_why {
    enum rec_reason reason;
    uint8_t volume, key; /* indices, where the reason has them */
    bool is_timed_out;
};

struct rec_key {
    enum cmek_status status; /* ENABLING, ENABLED, DISABLING, DISABLED, ENABLE_FAILED */
    bool is_wanted;
    int64_t since; /* when its status changed */
    struct rec_why why;
};

struct rec_wrap {
    enum wrap_state state;
    enum rec_error error; /* of FAILED */
};

struct rec_volume {
    bool is_wanted;
    bool is_current; /* has reached its goal */
    bool is_away;    /* its node has not been heard of for a while */
    bool has_receipt;
    bool is_platform;
    enum access access;
    enum cause cause;
    uint32_t done[REC_LEVEL_COUNT];
    enum rec_level failed_level; /* where failed_error is not NONE */
    enum rec_error failed_error;
    int64_t bytes_done, bytes_total, rate;
    struct rec_wrap wraps[REC_KEYS_MAX]; /* as the keys stand */
};

/* A step of a running operation in this region. */
struct rec_step {
    enum operation_kind kind;
    enum operation_state state;
    uint32_t serial;
    int64_t began;
    struct rec_why why;
};

struct rec_region {
    bool is_removing;
    enum cmek_status status;
    bool is_revoked, is_platform_wanted;
    uint32_t serial[REC_LEVEL_COUNT];
    enum access access;
    enum cause cause;
    struct rec_why why;
};

struct rec {
    int64_t now;
    struct rec_region region;
    size_t key_count, volume_count, step_count;
    struct rec_key keys[REC_KEYS_MAX];
    struct rec_volume volumes[REC_VOLUMES_MAX];
    struct rec_step steps[REC_STEPS_MAX];
    bool
        is_reencrypt_due; /* out: data from before the keys were in force is to be rewritten under new ones */
};

/* rec_settle(r): brings statuses, wishes and steps as far as the volumes' reports allow. */
void rec_settle(struct rec *r);

/* Where a change of keys stands. */
enum rec_phase {
    REC_PHASE_REST,     /* none */
    REC_PHASE_ADDING,   /* the openers before are still wanted beside the new ones */
    REC_PHASE_DROPPING, /* they are not any more */
};
enum rec_phase rec_phase(const struct rec *r);

/* rec_wish_is_same(a, b): whether volumes would read the same wish out of both; if not they need new goals. */
bool rec_wish_is_same(const struct rec *a, const struct rec *b);

/* -- what may be asked (control/cmek_rules.c) ------------------------------------------------------------------------- */

/* What becomes of a verb in a region. */
enum rec_rule {
    REC_BEGIN,   /* something is to be done */
    REC_JOIN,    /* it is being done */
    REC_NOTHING, /* it is so already */
    REC_SKIP,    /* does not concern this region; all regions skipped: NOT */
    REC_BUSY,    /* another operation is at work */
    REC_NOT,     /* the status does not allow it */
};

/* How the keys of an ask compare to the region's. */
enum rec_match {
    REC_MATCH_NONE,  /* other keys */
    REC_MATCH_FORCE, /* exactly those in force */
    REC_MATCH_NEW,   /* exactly those being brought in */
};

enum rec_verb {
    REC_DO_ENABLE,
    REC_DO_PUT,
    REC_DO_REVOKE,
    REC_DO_RESTORE,
    REC_DO_DISABLE,
    REC_DO_ROTATE_CMEK,
    REC_DO_ROTATE_OTHER, /* store, data, re-encryption */
    REC_VERB_COUNT,
};

struct rec_ask {
    enum rec_verb verb;
    enum rec_match match;
    enum rec_level level; /* of ROTATE_OTHER */
    size_t key_count;     /* new keys, of ENABLE and PUT that begin */
};

/* rec_rule_of(r, ask): from the table of verbs and statuses. */
enum rec_rule rec_rule_of(const struct rec *r, const struct rec_ask *ask);
/* rec_begin(r, ask, ret_kind): takes the ask into the wish, where the rule says BEGIN; new keys are appended. Steps of
 * operations that it overtakes are CANCELLED. ret_serial: of the step to be made, for rotations. false: no room for the new keys. */
bool rec_begin(struct rec *r, const struct rec_ask *ask, enum operation_kind *ret_kind,
               uint32_t *ret_serial);
/* rec_cancel(r, step): takes a running step back, and with a change of keys all steps that wait for it; false when it cannot be any
 * more. */
bool rec_cancel(struct rec *r, size_t step);
/* rec_may_follow(from, to): whether a region's status may go from one to the other within one change. */
bool rec_may_follow(enum cmek_status from, enum cmek_status to);

/* -- on the store (control/scene_write.c) -------------------------------------------------------------------------------- */

struct work; /* control/control_int.h */

/* reconcile_region(w, cluster, region): all of the above for one region of the store: what the volumes have reported becomes its status,
 * its wishes and the outcome of operations. Nothing is written when nothing has changed. NOT_FOUND. */
ks_rc reconcile_region(struct work *w, const char *cluster, const char *region) KS_MUST;
