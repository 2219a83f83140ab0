/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/report.c - takes in what a node reports: its volumes, what came of checks, receipts.
 *
 * One report is one piece of work: all of it is taken or nothing. Only what has changed is written, and only clusters with changes are
 * brought on. A report about another node's volume is refused as a whole; one about a volume that is not known any more is passed over,
 * so that what is forgotten here does not keep a node from being heard.
 */
#include <string.h>

#include "base/mem.h"
#include "control/check.h"
#include "control/cluster_int.h"
#include "control/receipt.h"
#include "control/reconcile.h"
#include "control/report_int.h"

static void taking_freep(struct taking **t)
{
    if (*t)
        mem_free((*t)->marks);
    mem_freep(t);
}

ks_rc taking_mark(struct taking *t, const struct cluster_volume *v)
{
    for (size_t i = 0; i < t->mark_count; i++) {
        if (strcmp(t->marks[i].cluster, v->cluster) == 0 &&
            strcmp(t->marks[i].region, v->region) == 0)
            return KS_SUCCESS;
    }
    TRY(mem_grow(t->mark_count + 1, sizeof *t->marks, &t->marks));
    struct taking_mark *m = &t->marks[t->mark_count++];
    memcpy(m->cluster, v->cluster, ID_BYTES);
    memcpy(m->region, v->region, NAME_BYTES);
    return KS_SUCCESS;
}

/* -- volumes, receipts, checks --------------------------------------------------------------------------------------------- */

static ks_rc take_volume(struct taking *t, const json_t *one)
{
    CLEANUP(mem_freep) struct cluster_volume *v = NULL;
    struct report_volume from;

    TRY(mem_new(1, sizeof *v, &v));
    TRY(report_read_volume(one, &from));
    ks_rc rc = store_volume_get(store_tx_view(t->w->tx), from.id, v);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return KS_SUCCESS;
    TRY(rc);
    ENSURE(strcmp(v->node, t->node) == 0, KS_E_USAGE, "volume %s is on another node", from.id);
    return taking_volume(t, &from, v);
}

static bool is_named(const struct report *r, const char *volume)
{
    const json_t *one;
    size_t i;

    json_array_foreach(r->volumes, i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "volume")), volume) == 0)
            return true;
    }
    return false;
}

/* What a full report leaves out does not exist there: gone where it was to go, else not made yet. */
static ks_rc take_missing(struct taking *t, const struct report *r)
{
    CLEANUP(mem_freep) struct cluster_volume *rows = NULL;
    size_t count;

    TRY(store_volumes_of_node(store_tx_view(t->w->tx), t->node, 0, REPORT_VOLUMES_MAX, &rows,
                              &count));
    for (size_t i = 0; i < count; i++) {
        struct report_volume none = {.id = rows[i].id,
                                     .message = "",
                                     .goal = rows[i].is_wanted ? GOAL_NONE : rows[i].goal,
                                     .failed_level = "",
                                     .failed = {"", "", ""}};
        if (!is_named(r, rows[i].id))
            TRY(taking_volume(t, &none, &rows[i]));
    }
    return KS_SUCCESS;
}

/* The revocation by a call that the volume is in, or was in last. Whether it is locked is said by its report, which may come before
 * the receipt or behind it. */
static bool is_proof(const struct receipt_word *word, const struct cluster_volume *v)
{
    return strcmp(word->reason, "REVOKED") == 0 && word->goal > v->receipt_after;
}

static ks_rc prove(struct taking *t, struct receipt *r, const struct receipt_word *word,
                   struct cluster_volume *v)
{
    bool is_new, is_proved = is_proof(word, v);

    TRY(taking_cluster(t, v));
    bool is_fit = strcmp(r->organisation, t->cluster.organisation) == 0 &&
                  strcmp(r->cluster, v->cluster) == 0 && strcmp(r->region, v->region) == 0 &&
                  strcmp(v->node, t->node) == 0;
    ENSURE(is_fit, KS_E_USAGE, "receipt %s does not fit its volume", r->id);
    if (is_proved)
        TRY(receipt_find_operation(t->w, r));
    TRY(receipt_keep(t->w, r, word->reason, &is_new));
    if (!is_new || !is_proved)
        return KS_SUCCESS;
    memcpy(v->receipt, r->id, ID_BYTES);
    TRY(store_volume_put(t->w->tx, v));
    return taking_mark(t, v);
}

static ks_rc take_receipt(struct taking *t, const json_t *one)
{
    CLEANUP(mem_freep) struct receipt *r = NULL;
    CLEANUP(mem_freep) struct cluster_volume *v = NULL;
    struct receipt_word word;

    TRY(mem_new(1, sizeof *r, &r));
    TRY(mem_new(1, sizeof *v, &v));
    TRY(receipt_read(t->w, t->node, one, r, &word));
    ks_rc rc = store_volume_get(store_tx_view(t->w->tx), r->volume, v);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return KS_SUCCESS; /* of a volume that is gone for good */
    TRY(rc);
    return prove(t, r, &word, v);
}

static ks_rc take_check(struct taking *t, const json_t *one)
{
    return check_take(t->w, t->node, json_string_value(json_object_get(one, "check")),
                      json_object_get(one, "results"));
}

/* Only the regions that something was reported of; each cluster once. */
static ks_rc bring_marked(struct taking *t)
{
    for (size_t i = 0; i < t->mark_count; i++)
        TRY(reconcile_region(t->w, t->marks[i].cluster, t->marks[i].region));
    for (size_t i = 0; i < t->mark_count; i++) {
        size_t first = 0;
        while (strcmp(t->marks[first].cluster, t->marks[i].cluster) != 0)
            first++;
        if (first == i)
            TRY(cluster_settle(t->w, t->marks[i].cluster));
    }
    return KS_SUCCESS;
}

/* -- all of it -------------------------------------------------------------------------------------------------------------------- */

static ks_rc take_parts(struct taking *t, const struct report *r)
{
    const json_t *one;
    size_t i;

    json_array_foreach(r->volumes, i, one) TRY(take_volume(t, one));
    if (r->is_full)
        TRY(take_missing(t, r));
    json_array_foreach(r->receipts, i, one) TRY(take_receipt(t, one));
    json_array_foreach(r->checks, i, one) TRY(take_check(t, one));
    return bring_marked(t);
}

static ks_rc take_report(struct control *c, const char *node, const json_t *document,
                         const struct report *r)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(taking_freep) struct taking *t = NULL;

    TRY(mem_new(1, sizeof *t, &t));
    TRY(work_begin(c, &w));
    store_tx_observe(w.tx);
    t->w = &w;
    t->node = node;
    TRY(node_take_report(&w, node, document));
    TRY(take_parts(t, r));
    return work_end(&w);
}

ks_rc control_node_report(struct control *c, const char *node, const json_t *report, json_t **ret)
{
    struct report r;
    json_t *reply;

    TRY(report_read(report, &r));
    TRY(take_report(c, node, report, &r));
    reply = json_pack("{s:b}", "accepted", 1);
    ENSURE(reply, KS_E_NO_MEMORY, "no memory for a reply");
    *ret = reply;
    return KS_SUCCESS;
}
