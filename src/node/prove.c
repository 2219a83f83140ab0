/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/prove.c - receipts of this node: signed, on the disk if it takes them, and kept until the control plane has them.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/agent_int.h"
#include "node/receipt.h"

void prove_lock_id(const struct seen *s, char out[96])
{
    snprintf(out, 96, "%d %s %lld %lld", s->pid, s->lock_at, (long long)s->lock_duration_ms,
             (long long)s->lock_handles);
}

static ks_rc keep(struct agent *a, const char *id, json_t *taken)
{
    struct waiting_receipt *r = NULL;
    ks_rc rc = mem_new(1, sizeof *r, &r);

    if (!ks_ok(rc)) {
        json_decref(taken);
        return rc;
    }
    snprintf(r->id, sizeof r->id, "%s", id);
    r->receipt = taken;
    pthread_mutex_lock(&a->mutex);
    r->next = a->receipts;
    a->receipts = r;
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->mutex);
    return KS_SUCCESS;
}

static ks_rc sign(struct agent *a, struct view text, json_t **ret)
{
    pthread_mutex_lock(&a->mutex); /* the identity may be renewed */
    ks_rc rc = receipt_sign(text, a->identity.key, buf_view(&a->identity.certificate), ret);
    pthread_mutex_unlock(&a->mutex);
    return rc;
}

static void fill(const struct job *j, const struct prove_facts *facts, struct receipt_facts *ret)
{
    int64_t now_s = clock_wall_s(j->a->clock), locked_s = now_s;

    if (facts->is_ours && clock_parse(j->seen.lock_at, &locked_s)) {
        ret->duration_ms = j->seen.lock_duration_ms;
        ret->handles_cut = j->seen.lock_handles;
    }
    ret->wish = &j->wish;
    ret->node = j->a->identity.node;
    ret->cause = facts->cause;
    ret->locked_s = locked_s;
    ret->asked_s = facts->asked_s ? facts->asked_s : locked_s - ret->duration_ms / 1000;
    ret->engine_stopped_ms = facts->engine_stopped_ms;
}

/* A pass and a lock may both find that a receipt is due: one of them makes it, and while it is being locked who locks it. */
static bool claim(struct job *j, const struct prove_facts *facts)
{
    struct holding *h = j->h;

    pthread_mutex_lock(&j->a->mutex);
    bool is_ours = !h->is_proving && (facts->is_urgent || !h->is_locking || h->is_lock_failing) &&
                   !(facts->cause == CAUSE_REVOKED && h->deed.is_receipted);
    h->is_proving = h->is_proving || is_ours;
    pthread_mutex_unlock(&j->a->mutex);
    return is_ours;
}

static void release(struct job *j, enum cause cause, bool is_made)
{
    struct holding *h = j->h;

    pthread_mutex_lock(&j->a->mutex);
    h->is_proving = false;
    if (is_made) {
        h->is_deed_saved = false;
        /* of a revoke that another one has followed, it is not the receipt */
        bool is_of_this =
            cause == CAUSE_REVOKED && h->wish.serials.restore == j->wish.serials.restore;
        h->deed.is_receipted = h->wish.is_revoked && (h->deed.is_receipted || is_of_this);
        if (j->seen.lock_at[0])
            prove_lock_id(&j->seen, h->deed.last_lock);
    }
    pthread_mutex_unlock(&j->a->mutex);
}

static ks_rc make(struct job *j, const struct prove_facts *facts)
{
    CLEANUP(buf_done) struct buf text = buf_init(RECEIPT_TEXT_MAX);
    CLEANUP(json_decrefp) json_t *receipt = NULL;
    struct receipt_facts f = {.id = ""};

    TRY(receipt_id(j->a->conf.random, f.id));
    fill(j, facts, &f);
    TRY(receipt_text(&f, &text));
    TRY(sign(j->a, buf_view(&text), &receipt));
    /* without a disk it is told all the same, and made anew if this process ends before that */
    ks_rc rc = node_dir_receipt_write(j->a->dir, f.id, receipt);
    if (!ks_ok(rc))
        log_line(LOG_ERROR, "volume %s: its receipt is in memory alone: %s", j->h->id, ks_text(rc));
    return keep(j->a, f.id, TAKE(receipt));
}

ks_rc prove_lock(struct job *j, const struct prove_facts *facts)
{
    if (!claim(j, facts))
        return KS_SUCCESS;
    ks_rc rc = make(j, facts);
    release(j, facts->cause, ks_ok(rc));
    return rc;
}

static ks_rc load_one(void *arg, const char *id, json_t *taken)
{
    return keep(arg, id, taken);
}

ks_rc prove_load(struct agent *a)
{
    return node_dir_receipts(a->dir, load_one, a);
}
