/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/operation.c - operations: begun, and judged by their steps.
 *
 * An operation is what its steps are: it runs while one of them runs, and it has failed when one of them has. Its progress is the sum
 * of theirs: what the volumes of each region had reported when that region was looked at last, so that a report about one region
 * costs nothing for the others.
 */
#include <string.h>

#include "base/mem.h"
#include "control/message.h"
#include "control/scene.h"

ks_rc operation_begin(struct work *w, const struct caller *by, const struct operation_wish *wish,
                      struct operation *ret)
{
    struct operation o = {
        .kind = wish->kind,
        .state = OPERATION_RUNNING,
        .eta_s = -1,
        .created = w->now,
        .updated = w->now,
    };

    memcpy(o.organisation, wish->organisation, ID_BYTES);
    memcpy(o.cluster, wish->cluster, ID_BYTES);
    if (by)
        memcpy(o.by, by->key, ID_BYTES);
    TRY(store_tx_id(w->tx, o.id));
    TRY(store_tx_next(w->tx, STORE_OPERATION, &o.number));
    TRY(store_operation_put(w->tx, &o));
    work_tell(w, 'o', o.id);
    *ret = o;
    return KS_SUCCESS;
}

/* -- progress ------------------------------------------------------------------------------------------------------------ */

static bool has_done(const struct cluster_volume *v, enum operation_kind kind, uint32_t serial)
{
    switch (kind) {
    case OPERATION_ROTATE_STORE:
        return v->done_store >= serial;
    case OPERATION_ROTATE_DATA:
        return v->done_data >= serial;
    case OPERATION_REENCRYPT:
        return v->done_reencrypt >= serial;
    case OPERATION_CMEK_REVOKE:
        return v->reached >= v->goal && v->access != ACCESS_OPEN && v->access != ACCESS_GRACE;
    case OPERATION_CMEK_ROTATE:
        return v->reached >= v->goal && v->done_rewrap >= serial;
    case OPERATION_CMEK_ENABLE:
    case OPERATION_CMEK_RESTORE:
    case OPERATION_CMEK_DISABLE:
        return v->reached >= v->goal;
    case OPERATION_CLUSTER_CREATE:
    case OPERATION_CLUSTER_DELETE:
    case OPERATION_REGION_ADD:
    case OPERATION_REGION_REMOVE:
    case OPERATION_REGION_SCALE:
    case OPERATION_CMEK_CHECK:
    case OPERATION_KIND_COUNT:
        break;
    }
    return true;
}

static void count_volume(struct operation_step *step, enum operation_kind kind,
                         const struct cluster_volume *v)
{
    bool is_done = has_done(v, kind, step->serial);

    step->volumes_total++;
    step->volumes_done += is_done;
    if (kind != OPERATION_REENCRYPT || is_done)
        return;
    step->bytes_done += v->bytes_done;
    step->bytes_total += v->bytes_total;
    step->rate += v->rate;
}

bool operation_count(struct operation_step *step, enum operation_kind kind,
                     const struct cluster_volume *volumes, size_t count)
{
    struct operation_step was = *step;

    if (kind == OPERATION_CMEK_CHECK)
        return false;
    step->volumes_done = step->volumes_total = 0;
    step->bytes_done = step->bytes_total = step->rate = 0;
    for (size_t i = 0; i < count; i++)
        if (volumes[i].is_wanted)
            count_volume(step, kind, &volumes[i]);
    return step->volumes_done != was.volumes_done || step->volumes_total != was.volumes_total ||
           step->bytes_done != was.bytes_done || step->bytes_total != was.bytes_total ||
           step->rate != was.rate;
}

static void sum_progress(const struct operation_step *steps, size_t count, struct operation *o)
{
    int64_t rate = 0;

    o->volumes_done = o->volumes_total = 0;
    o->bytes_done = o->bytes_total = 0;
    for (size_t i = 0; i < count; i++) {
        o->volumes_done += steps[i].volumes_done;
        o->volumes_total += steps[i].volumes_total;
        o->bytes_done += steps[i].bytes_done;
        o->bytes_total += steps[i].bytes_total;
        rate += steps[i].rate;
    }
    o->eta_s = rate > 0 && o->bytes_total ? (o->bytes_total - o->bytes_done) / rate : -1;
}

/* -- judging ------------------------------------------------------------------------------------------------------------- */

/* One that runs keeps the operation running; of those that ended the gravest decides, and one that says why before one that does not. */
static const struct operation_step *deciding_step(const struct operation_step *steps, size_t count)
{
    static const uint8_t weight[OPERATION_STATE_COUNT] = {
        [OPERATION_SUCCEEDED] = 0,
        [OPERATION_CANCELLED] = 2,
        [OPERATION_FAILED] = 4,
        [OPERATION_RUNNING] = 6,
    };
    const struct operation_step *found = NULL;
    unsigned best = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned is = weight[steps[i].state] + (steps[i].message[0] ? 1U : 0U);
        if (!found || is > best) {
            found = &steps[i];
            best = is;
        }
    }
    return found;
}

static void judge(struct work *w, struct operation *o, const struct operation_step *step)
{
    o->state = step->state;
    if (step->message[0])
        message_put(o->message, sizeof o->message, "region %s: %s", step->region, step->message);
    else
        message_copy(o->message, sizeof o->message, "");
    if (o->state == OPERATION_SUCCEEDED || o->state == OPERATION_CANCELLED) {
        message_copy(o->error_class, sizeof o->error_class, "");
        message_copy(o->error_code, sizeof o->error_code, "");
    }
    if (o->state == OPERATION_RUNNING)
        return;
    o->eta_s = 0;
    o->finished = w->now;
}

static bool is_same(const struct operation *a, const struct operation *b)
{
    return a->state == b->state && strcmp(a->message, b->message) == 0 &&
           strcmp(a->error_class, b->error_class) == 0 && a->bytes_done == b->bytes_done &&
           a->bytes_total == b->bytes_total && a->eta_s == b->eta_s &&
           a->volumes_done == b->volumes_done && a->volumes_total == b->volumes_total;
}

ks_rc operation_settle(struct work *w, struct operation *o)
{
    CLEANUP(mem_freep) struct operation_step *steps = NULL;
    struct operation was;
    size_t count;

    TRY(store_operation_get(store_tx_view(w->tx), o->id, &was));
    if (was.state != OPERATION_RUNNING)
        return KS_SUCCESS;
    TRY(store_operation_steps(store_tx_view(w->tx), o->id, &steps, &count));
    if (count == 0)
        return KS_SUCCESS;
    sum_progress(steps, count, o);
    judge(w, o, deciding_step(steps, count));
    if (is_same(o, &was))
        return KS_SUCCESS;
    o->updated = w->now;
    store_tx_observe(w->tx);
    work_tell(w, 'o', o->id);
    return store_operation_put(w->tx, o);
}
