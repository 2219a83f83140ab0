/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/control_int.h - the control plane from inside: what its files share.
 *
 * The store is the truth. In memory stand only what may be forgotten: when a node was heard last, the passwords that nodes
 * reported, checks that somebody waits for, who is to be woken. Every change is one piece of work: one transaction of the
 * store, and the news that are told once it is durable, never before.
 *
 * The reconciler's work stands in three places, all level-triggered and all part of a piece of work: reconcile_region
 * (control/reconcile.h) brings keys and status of a region to what its volumes reported, cluster_settle brings the life of
 * clusters and regions to it, and wish_changed gives volumes a new goal. They are called after each change and each report
 * about a region, and by the ticker; a call that has nothing to do changes nothing.
 *
 * From the files of CMEK come: reconcile_region(struct work *w, const char *cluster, const char *region) in control/reconcile.h;
 * checks_new(ret), checks_free(checks) and check_desired(c, node, ret), which appends the checks that this node was not
 * yet given to the JSON array ret, in control/check.h; schedule_tick(c) in control/schedule.h, a bounded batch of what is due.
 */
#pragma once

#include <pthread.h>

#include "control/control.h"

struct store;     /* control/store.h */
struct store_tx;  /* control/store.h */
struct authority; /* control/authority.h */
struct live;      /* control/live.h */
struct checks;    /* control/check.h */
struct ticker;    /* control/ticker.h */
struct key_uses;  /* control/account.h */
struct repeats;   /* control/idempotency.h */

enum {
    NODE_AWAY_S =
        90,         /* a node that was not heard for so long is away: it asks at least every 55 s */
    NEWS_MAX = 256, /* nodes told one by one; beyond it all are */
    TICK_MS = 1000, /* between two looks at what is due */
    TICK_BATCH = 100, /* regions or clusters that one transaction of the ticker takes up */
    GOAL_NONE = -1,   /* of cluster_volume.reached */
    GOALS_A_SECOND = 1000,
};

struct control {
    struct store *store;
    struct clock *clock;
    struct random *random;
    char dir[1024];
    char engine[WORD_BYTES]; /* of clusters that name none */
    bool is_development, is_node_identity_allowed;
    int64_t audit_keep_s, history_keep_s;
    int64_t goal_before,
        goal_raised;   /* the counter of goals before this life raised it, and since */
    int64_t pruned_at; /* wall seconds of the last look that found nothing; the ticker's */
    struct authority *authority;
    struct live *live;
    struct checks *checks;
    struct ticker *ticker;
    struct key_uses *uses;
    struct repeats *repeats;
    pthread_mutex_t watch_mutex;
    void (*told)(void *arg, char kind, const char *id);
    void *told_arg;
};

/* control_tell(c, kind, id): whoever watches hears it now. For what is not part of a transaction; from any thread. */
void control_tell(struct control *c, char kind, const char *id);

/* -- a piece of work (control/work.c) ---------------------------------------------------------------------------- */

struct news {
    bool is_for_all; /* too many to name: every node is told */
    size_t count;
    struct {
        char kind; /* as in control_watch */
        char id[ID_BYTES];
    } items[NEWS_MAX];
};

struct work {
    struct control *c;
    struct store_tx *tx;
    int64_t now; /* wall seconds; the same for all that is written */
    struct news news;
};

/*
 * work_begin(c, w): the write transaction; one at a time. work_end(w) makes it durable and tells the news; after a failure nothing has
 * changed and nothing is told. work_abandon(w) (for CLEANUP) takes back what was not ended.
 *
 *     CLEANUP(work_abandon) struct work w = {0};
 *     TRY(work_begin(c, &w));
 *     ...
 *     return work_end(&w);
 */
ks_rc work_begin(struct control *c, struct work *w) KS_MUST;
ks_rc work_end(struct work *w) KS_MUST;
void work_abandon(struct work *w);
/* work_tell(w, kind, id): news for the end of the work. The same news twice is told once. */
void work_tell(struct work *w, char kind, const char *id);

/* -- goals (control/wish.c) ---------------------------------------------------------------------------------------- */

/* wish_changed(w, cluster, region): every volume of the region (NULL: of the cluster) gets a new goal, and its node is told. Whatever
 * changes what docs/NODES.md calls desired must call it in the same work. */
ks_rc wish_changed(struct work *w, const char *cluster, const char *region) KS_MUST;
/* wish_changed_of(w, volumes, count): the same for rows of the store that are at hand; they have their goals then. */
ks_rc wish_changed_of(struct work *w, struct cluster_volume *volumes, size_t count) KS_MUST;
/* wish_renew_lost(w, v): a volume that has reached a goal that was never given gets a new one, in v only: the store is a copy from before
 * that goal, and what the node did for it is not what is wanted now. */
ks_rc wish_renew_lost(struct work *w, struct cluster_volume *v) KS_MUST;

/* -- the life of clusters (control/settle.c) ----------------------------------------------------------------------- */

/* cluster_settle(w, cluster): CREATING to CREATED, regions ADDING to READY, what is being removed to gone, DELETING to DELETED, as
 * far as its volumes are; messages while it waits; ends the operations of these. */
ks_rc cluster_settle(struct work *w, const char *cluster) KS_MUST;
/* cluster_touch(w, cluster): its revision rises. For every change of it, its regions, its keys that a caller can see. */
ks_rc cluster_touch(struct work *w, const char *cluster) KS_MUST;

/* -- nodes ----------------------------------------------------------------------------------------------------------- */

/* node_is_away(c, node): not heard for NODE_AWAY_S. node_seen_text(c, node, out): "not heard for 3 min", for messages; in words
 * that change seldom, because each other message is written. */
bool node_is_away(struct control *c, const struct node *node);
void node_seen_text(struct control *c, const struct node *node, char out[NAME_BYTES]);
/* node_heard(c, node): it asked or reported just now. */
ks_rc node_heard(struct control *c, const char *node) KS_MUST;
/* node_take_report(w, node, report): what a report says about the node itself: version, address, engines. For control_node_report. USAGE. */
ks_rc node_take_report(struct work *w, const char *node, const json_t *report) KS_MUST;
/* node_store_seen(c): stores when nodes were heard; for the ticker. */
ks_rc node_store_seen(struct control *c) KS_MUST;

/* -- opening, ticking (control/control.c, control/ticker.c) --------------------------------------------------------- */

/* control_open_quiet(conf, ret): control_open without the ticker's thread: nothing happens but what is called. For tests and tools. */
ks_rc control_open_quiet(const struct control_conf *conf, struct control **ret) KS_MUST;
/* control_tick(c): one round of what is due by now: schedules, time-outs of what is running, what is kept in memory stored. The
 * ticker's thread calls it; two may not run at once. A failure ends nothing: the next round does it. */
ks_rc control_tick(struct control *c) KS_MUST;
