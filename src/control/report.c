/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/report.c - takes in what a node reports: its volumes, what came of checks, receipts.
 *
 * One report is one piece of work: what the store cannot take is taken back with all the rest. A part that is not what it should be
 * (malformed, of another node, not signed) is refused by itself, before anything of it is written, and the reply says why: one bad receipt
 * does not keep a node from being heard. What is about a volume that is not known any more is passed over. Only what has changed is written,
 * and only clusters with changes are brought on. Signatures are verified before the transaction begins, which others wait for.
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
    if (*t) {
        mem_free((*t)->marks);
        mem_free((*t)->are_signed);
        json_decref((*t)->refused);
    }
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

/* -- refusing a part ------------------------------------------------------------------------------------------------------- */

/* What its author can mend; the rest is ours. */
static bool is_fault_of_part(ks_rc rc)
{
    return rc.cls == KS_CLASS_USAGE || ks_is(rc, KS_E_LIMIT);
}

static ks_rc refuse(struct taking *t, const char *part, size_t at, ks_rc why)
{
    if (!is_fault_of_part(why))
        return why;
    if (json_array_size(t->refused) == REPORT_REFUSED_MAX)
        return KS_SUCCESS;
    json_t *message = json_string(ks_text(why)); /* NULL: cut in the middle of a character */
    json_t *one = json_pack("{s:s, s:I, s:o}", "part", part, "at", (json_int_t)at, "message",
                            message ? message : json_string("it is malformed"));
    ENSURE(one && json_array_append_new(t->refused, one) == 0, KS_E_NO_MEMORY,
           "no memory for a reply");
    return KS_SUCCESS;
}

/* -- volumes, receipts, checks --------------------------------------------------------------------------------------------- */

static ks_rc take_volume(struct taking *t, size_t at, const json_t *one)
{
    CLEANUP(mem_freep) struct cluster_volume *v = NULL;
    struct report_volume from;

    TRY(mem_new(1, sizeof *v, &v));
    ks_rc rc = report_read_volume(one, &from);
    if (!ks_ok(rc))
        return refuse(t, "volumes", at, rc);
    rc = store_volume_get(store_tx_view(t->w->tx), from.id, v);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return KS_SUCCESS;
    TRY(rc);
    if (strcmp(v->node, t->node) != 0)
        return refuse(t, "volumes", at,
                      ks_fail(KS_E_USAGE, "volume %s is on another node", from.id));
    return taking_volume(t, &from, v);
}

/* The names of the volumes of a report, as members; NULL when one has none: then nobody can say which are missing. */
static ks_rc read_names(const struct report *r, json_t **ret)
{
    json_t *names = json_object();
    const json_t *one;
    size_t i;

    ENSURE(names, KS_E_NO_MEMORY, "no memory for a report");
    *ret = names;
    json_array_foreach(r->volumes, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "volume"));
        if (!name) {
            json_decref(names);
            *ret = NULL;
            return KS_SUCCESS;
        }
        ENSURE(json_object_set_new(names, name, json_true()) == 0, KS_E_NO_MEMORY,
               "no memory for a report");
    }
    return KS_SUCCESS;
}

/* What a full report leaves out does not exist there: gone where it was to go, else not made yet. But for what the node had not heard of: it may
 * be making that just now. */
static ks_rc take_unnamed(struct taking *t, const json_t *names, int64_t revision)
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
        if (rows[i].goal <= revision && !json_object_get(names, rows[i].id))
            TRY(taking_volume(t, &none, &rows[i]));
    }
    return KS_SUCCESS;
}

static ks_rc take_missing(struct taking *t, const struct report *r)
{
    CLEANUP(json_decrefp) json_t *names = NULL;

    TRY(read_names(r, &names));
    return names ? take_unnamed(t, names, r->revision) : KS_SUCCESS;
}

/* The revocation by a call that the volume is in, or was in last. Whether it is locked is said by its report, which may come before
 * the receipt or behind it. */
static bool is_proof(const struct receipt_word *word, const struct cluster_volume *v)
{
    return strcmp(word->reason, "REVOKED") == 0 && word->goal > v->receipt_after;
}

static bool is_fit(const struct taking *t, const struct receipt *r, const struct cluster_volume *v)
{
    return strcmp(r->organisation, t->cluster.organisation) == 0 &&
           strcmp(r->cluster, v->cluster) == 0 && strcmp(r->region, v->region) == 0 &&
           strcmp(v->node, t->node) == 0;
}

static ks_rc prove(struct taking *t, struct receipt *r, const struct receipt_word *word,
                   struct cluster_volume *v)
{
    bool is_new, is_proved = is_proof(word, v);

    if (is_proved)
        TRY(receipt_find_operation(t->w, r));
    TRY(receipt_keep(t->w, r, word->reason, &is_new));
    if (!is_new || !is_proved)
        return KS_SUCCESS;
    memcpy(v->receipt, r->id, ID_BYTES);
    TRY(store_volume_put(t->w->tx, v));
    return taking_mark(t, v);
}

static ks_rc take_receipt(struct taking *t, size_t at, const json_t *one)
{
    CLEANUP(mem_freep) struct receipt *r = NULL;
    CLEANUP(mem_freep) struct cluster_volume *v = NULL;
    struct receipt_word word;

    if (!t->are_signed[at])
        return KS_SUCCESS; /* refused already */
    TRY(mem_new(1, sizeof *r, &r));
    TRY(mem_new(1, sizeof *v, &v));
    TRY(receipt_read(t->node, one, r, &word));
    ks_rc rc = store_volume_get(store_tx_view(t->w->tx), r->volume, v);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return KS_SUCCESS; /* of a volume that is gone for good */
    TRY(rc);
    TRY(taking_cluster(t, v));
    if (!is_fit(t, r, v))
        return refuse(t, "receipts", at,
                      ks_fail(KS_E_USAGE, "receipt %s does not fit its volume", r->id));
    return prove(t, r, &word, v);
}

static ks_rc take_check(struct taking *t, size_t at, const json_t *one)
{
    ks_rc rc = report_read_check(one);

    if (!ks_ok(rc))
        return refuse(t, "checks", at, rc);
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

static ks_rc verify_one(struct control *c, const char *node, const json_t *one,
                        struct receipt *room)
{
    struct receipt_word word;

    TRY(receipt_read(node, one, room, &word));
    return receipt_check_signature(c, room);
}

static ks_rc verify_receipts(struct control *c, struct taking *t, const struct report *r)
{
    CLEANUP(mem_freep) struct receipt *room = NULL;
    const json_t *one;
    size_t i;

    TRY(mem_new(1, sizeof *room, &room));
    TRY(mem_new(json_array_size(r->receipts) + 1, sizeof *t->are_signed, &t->are_signed));
    json_array_foreach(r->receipts, i, one)
    {
        ks_rc rc = verify_one(c, t->node, one, room);
        t->are_signed[i] = ks_ok(rc);
        if (!ks_ok(rc))
            TRY(refuse(t, "receipts", i, rc));
    }
    return KS_SUCCESS;
}

static ks_rc take_parts(struct taking *t, const struct report *r)
{
    const json_t *one;
    size_t i;

    json_array_foreach(r->volumes, i, one) TRY(take_volume(t, i, one));
    if (r->is_full)
        TRY(take_missing(t, r));
    json_array_foreach(r->receipts, i, one) TRY(take_receipt(t, i, one));
    json_array_foreach(r->checks, i, one) TRY(take_check(t, i, one));
    return bring_marked(t);
}

static ks_rc take_report(struct control *c, struct taking *t, const json_t *document,
                         const struct report *r)
{
    TRY(verify_receipts(c, t, r));
    TRY(work_begin(c, t->w));
    store_tx_observe(t->w->tx);
    TRY(node_take_report(t->w, t->node, document));
    TRY(take_parts(t, r));
    return work_end(t->w);
}

static ks_rc write_reply(const struct taking *t, json_t **ret)
{
    json_t *reply = json_pack("{s:b}", "accepted", 1);

    if (reply && json_array_size(t->refused) > 0 &&
        json_object_set(reply, "refused", t->refused) != 0) {
        json_decref(reply);
        reply = NULL;
    }
    ENSURE(reply, KS_E_NO_MEMORY, "no memory for a reply");
    *ret = reply;
    return KS_SUCCESS;
}

ks_rc control_node_report(struct control *c, const char *node, const json_t *report, json_t **ret)
{
    CLEANUP(taking_freep) struct taking *t = NULL;
    CLEANUP(work_abandon) struct work w = {0};
    struct report r;

    TRY(report_read(report, &r));
    TRY(mem_new(1, sizeof *t, &t));
    t->w = &w;
    t->node = node;
    t->refused = json_array();
    ENSURE(t->refused, KS_E_NO_MEMORY, "no memory for a report");
    TRY(take_report(c, t, report, &r));
    return write_reply(t, ret);
}
