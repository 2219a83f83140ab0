/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/schedule.c - what is due when.
 */
#include "control/schedule.h"

#include <string.h>

#include "base/mem.h"
#include "control/message.h"
#include "control/store.h"

enum { AGAIN_S = 300 };

static const struct {
    const char *what;
    enum rotate_level level;
    size_t term; /* offset of its period in struct rotation_terms */
} levels[] = {
    {"cmek", LEVEL_CMEK, offsetof(struct rotation_terms, cmek_s)},
    {"store", LEVEL_STORE, offsetof(struct rotation_terms, store_s)},
    {"data", LEVEL_DATA, offsetof(struct rotation_terms, data_s)},
    {"reencrypt", LEVEL_REENCRYPT, offsetof(struct rotation_terms, reencrypt_s)},
};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static int64_t period_of(const struct cluster *c, size_t level)
{
    int64_t period;

    memcpy(&period, (const char *)&c->rotation + levels[level].term, sizeof period);
    return c->state == CLUSTER_DELETING || c->state == CLUSTER_DELETED ? 0 : period;
}

/* A period that was made shorter brings the next time nearer; one that was made longer counts from the next time on. */
static ks_rc settle_level(struct work *w, const struct cluster *c, size_t level)
{
    struct store_due due = {.at = 0};
    int64_t period = period_of(c, level), latest = w->now + period;
    ks_rc rc = store_due_get(store_tx_view(w->tx), c->id, "", levels[level].what, &due);
    bool is_there = ks_ok(rc);

    if (!is_there && !ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    if (is_there ? period && due.at <= latest : !period)
        return KS_SUCCESS;
    store_tx_observe(w->tx); /* the event tells of the change of the terms */
    if (!period)
        return store_due_delete(w->tx, c->id, "", levels[level].what);
    memcpy(due.cluster, c->id, ID_BYTES);
    message_copy(due.what, sizeof due.what, levels[level].what);
    due.at = latest;
    return store_due_put(w->tx, &due);
}

ks_rc schedule_settle(struct work *w, const struct cluster *cluster)
{
    for (size_t i = 0; i < LEVELS; i++)
        TRY(settle_level(w, cluster, i));
    return KS_SUCCESS;
}

/* -- doing it --------------------------------------------------------------------------------------------------------------- */

/* at 0: never again. */
static ks_rc put_next(struct control *c, const struct store_due *due, int64_t at)
{
    CLEANUP(work_abandon) struct work w = {0};
    struct store_due next = *due;

    TRY(work_begin(c, &w));
    store_tx_observe(w.tx);
    next.at = at;
    if (at)
        TRY(store_due_put(w.tx, &next));
    else
        TRY(store_due_delete(w.tx, due->cluster, due->region, due->what));
    return work_end(&w);
}

static ks_rc read_cluster(struct control *c, const char *id, struct cluster *ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    return store_cluster_get(v, id, ret);
}

static ks_rc begin(struct control *c, const struct cluster *cluster, size_t level)
{
    struct caller by = {.name = "schedule", .role = ROLE_OPERATOR};
    struct cmek_ask ask = {.verb = CMEK_ROTATE, .level = levels[level].level};
    struct operation o;

    memcpy(by.organisation, cluster->organisation, ID_BYTES);
    return control_cmek_ask(c, &by, cluster->id, &ask, &o);
}

/* What is not possible now (BUSY, STATE) is as good a reason to come again as a failure: the time is not forgotten. */
static ks_rc do_due(struct control *c, const struct store_due *due, struct cluster *cluster)
{
    int64_t now = clock_wall_s(c->clock), period = 0;
    ks_rc rc = KS_SUCCESS;

    TRY(read_cluster(c, due->cluster, cluster));
    for (size_t i = 0; i < LEVELS; i++) {
        if (strcmp(levels[i].what, due->what) != 0)
            continue;
        period = period_of(cluster, i);
        if (period)
            rc = begin(c, cluster, i);
    }
    if (!ks_ok(rc))
        return put_next(c, due, now + AGAIN_S);
    return put_next(c, due, period ? now + period : 0);
}

static ks_rc read_dues(struct control *c, struct store_due **ret, size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    return store_dues_until(v, clock_wall_s(c->clock), TICK_BATCH, ret, ret_count);
}

ks_rc schedule_tick(struct control *c)
{
    CLEANUP(mem_freep) struct store_due *dues = NULL;
    CLEANUP(mem_freep) struct cluster *cluster = NULL;
    ks_rc first = KS_SUCCESS;
    size_t count;

    TRY(mem_new(1, sizeof *cluster, &cluster));
    TRY(read_dues(c, &dues, &count));
    for (size_t i = 0; i < count; i++) {
        ks_rc rc = do_due(c, &dues[i], cluster);
        if (ks_ok(first))
            first = rc;
    }
    return first;
}
