/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/task.c - operations of the life of clusters: creating, deleting, adding, removing and scaling regions.
 *
 * A step is judged by what its region is, never by what was done for it: so it makes no difference how often it is looked at,
 * and a process that was killed has forgotten nothing. The operations of CMEK are not touched here.
 */
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/message.h"

enum { FAILING_S = 600, WAITING_S = 3600 };

int64_t task_patience_s(bool is_failing)
{
    return is_failing ? FAILING_S : WAITING_S;
}

/* -- beginning ------------------------------------------------------------------------------------------------------- */

static ks_rc put_steps(struct work *w, const struct operation *o, const struct task *task)
{
    for (size_t i = 0; i < task->region_count; i++) {
        struct operation_step step = {.state = OPERATION_RUNNING};
        memcpy(step.operation, o->id, ID_BYTES);
        message_copy(step.region, sizeof step.region, task->regions[i]);
        TRY(store_operation_step_put(w->tx, &step));
    }
    return KS_SUCCESS;
}

ks_rc task_begin(struct work *w, const struct caller *by, const struct cluster *cluster,
                 const struct task *task)
{
    struct operation o = {
        .kind = task->kind,
        .state = OPERATION_RUNNING,
        .eta_s = -1,
        .created = w->now,
        .updated = w->now,
    };

    if (!task->region_count)
        return KS_SUCCESS;
    memcpy(o.organisation, cluster->organisation, ID_BYTES);
    memcpy(o.cluster, cluster->id, ID_BYTES);
    memcpy(o.by, by->key, ID_BYTES);
    TRY(store_tx_id(w->tx, o.id));
    TRY(store_tx_next(w->tx, STORE_OPERATION, &o.number));
    TRY(store_operation_put(w->tx, &o));
    TRY(put_steps(w, &o, task));
    work_tell(w, 'o', o.id);
    return KS_SUCCESS;
}

/* -- judging --------------------------------------------------------------------------------------------------------- */

struct judged {
    enum operation_state state;
    const char *text;
    uint32_t done, total; /* volumes */
};

typedef struct judged (*judge)(const struct task_scene *scene, size_t region, int64_t age_s);

enum { NO_REGION = REGIONS_MAX + 1 };

static struct judged running(const struct region_stand *s)
{
    return (struct judged){OPERATION_RUNNING, s->text, s->there, s->wanted};
}

static struct judged cancelled(const char *why)
{
    return (struct judged){OPERATION_CANCELLED, why, 0, 0};
}

/* Waiting has an end: who waits for the operation is told, though the region may still come. */
static struct judged wait_on(const struct region_stand *s, int64_t age_s)
{
    struct judged j = running(s);

    if (age_s >= task_patience_s(s->is_failing))
        j.state = OPERATION_FAILED;
    return j;
}

static struct judged judge_add(const struct task_scene *scene, size_t region, int64_t age_s)
{
    if (region == NO_REGION || scene->regions[region].state == REGION_REMOVING)
        return cancelled("the region is being removed");
    const struct region_stand *s = &scene->stands[region];
    if (scene->regions[region].state == REGION_READY)
        return (struct judged){OPERATION_SUCCEEDED, "", s->there, s->wanted};
    return wait_on(s, age_s);
}

static struct judged judge_scale(const struct task_scene *scene, size_t region, int64_t age_s)
{
    if (region == NO_REGION || scene->regions[region].state == REGION_REMOVING)
        return cancelled("the region is being removed");
    const struct region_stand *s = &scene->stands[region];
    if (s->going) /* not given up: see judge_remove */
        return running(s);
    if (s->there == s->wanted)
        return (struct judged){OPERATION_SUCCEEDED, "", s->there, s->wanted};
    return wait_on(s, age_s);
}

/* What is to go is not given up: a node that is away takes it away when it is back. */
static struct judged judge_remove(const struct task_scene *scene, size_t region, int64_t age_s)
{
    (void)age_s;
    if (region == NO_REGION || scene->cluster->state == CLUSTER_DELETED)
        return (struct judged){OPERATION_SUCCEEDED, "", 0, 0};
    const struct region_stand *s = &scene->stands[region];
    return (struct judged){OPERATION_RUNNING, s->text, 0, s->going};
}

static judge judge_of(enum operation_kind kind)
{
    static const judge judges[OPERATION_KIND_COUNT] = {
        [OPERATION_CLUSTER_CREATE] = judge_add,    [OPERATION_REGION_ADD] = judge_add,
        [OPERATION_CLUSTER_DELETE] = judge_remove, [OPERATION_REGION_REMOVE] = judge_remove,
        [OPERATION_REGION_SCALE] = judge_scale,
    };

    return judges[kind];
}

bool task_is_life(enum operation_kind kind)
{
    return judge_of(kind) != NULL;
}

/* -- moving ---------------------------------------------------------------------------------------------------------- */

static size_t find_region(const struct task_scene *scene, const char *name)
{
    for (size_t i = 0; i < scene->region_count; i++)
        if (strcmp(scene->regions[i].name, name) == 0)
            return i;
    return NO_REGION;
}

/* The sum of the steps: running while one is, failed when one has failed, cancelled when all were. */
struct sum {
    uint32_t done, total;
    size_t counts[OPERATION_STATE_COUNT];
    char text[MESSAGE_BYTES];
};

static enum operation_state state_of(const struct sum *sum)
{
    if (sum->counts[OPERATION_RUNNING])
        return OPERATION_RUNNING;
    if (sum->counts[OPERATION_FAILED])
        return OPERATION_FAILED;
    if (sum->counts[OPERATION_CANCELLED] && !sum->counts[OPERATION_SUCCEEDED])
        return OPERATION_CANCELLED;
    return OPERATION_SUCCEEDED;
}

static void sum_step(struct sum *sum, const struct operation_step *step, const struct judged *j)
{
    sum->done += j->done;
    sum->total += j->total;
    sum->counts[step->state]++;
    if (!sum->text[0] && step->message[0])
        message_put(sum->text, sizeof sum->text, "region %s: %s", step->region, step->message);
}

static ks_rc settle_step(struct work *w, struct operation_step *step, const struct judged *j)
{
    bool is_moved = message_copy(step->message, sizeof step->message, j->text);

    if (step->state == j->state && !is_moved)
        return KS_SUCCESS;
    step->state = j->state;
    return store_operation_step_put(w->tx, step);
}

static ks_rc settle_steps(struct work *w, const struct task_scene *scene, const struct operation *o,
                          struct sum *sum)
{
    CLEANUP(mem_freep) struct operation_step *steps = NULL;
    size_t count;

    TRY(store_operation_steps(store_tx_view(w->tx), o->id, &steps, &count));
    for (size_t i = 0; i < count; i++) {
        size_t region = find_region(scene, steps[i].region);
        struct judged j = {steps[i].state, steps[i].message, 0, 0};
        if (steps[i].state == OPERATION_RUNNING) {
            j = judge_of(o->kind)(scene, region, w->now - o->created);
            TRY(settle_step(w, &steps[i], &j));
        }
        sum_step(sum, &steps[i], &j);
    }
    return KS_SUCCESS;
}

static ks_rc audit_end(struct work *w, const struct operation *o)
{
    char action[NAME_BYTES] = "", object[NAME_BYTES] = "";

    message_copy(action, sizeof action, "operation.ended");
    message_put(object, sizeof object, "operation/%s", o->id);
    struct store_event event = {
        .action = action,
        .organisation = o->organisation,
        .cluster = o->cluster,
        .object = object,
        .detail = json_pack("{s:s, s:s, s:s}", "kind", operation_kind_name(o->kind), "state",
                            operation_state_name(o->state), "message", o->message),
    };
    return store_tx_audit(w->tx, NULL, &event);
}

static ks_rc settle_operation(struct work *w, const struct task_scene *scene, struct operation *o)
{
    struct sum sum = {0};

    TRY(settle_steps(w, scene, o, &sum));
    bool is_moved = message_copy(o->message, sizeof o->message, sum.text);
    is_moved = is_moved || o->volumes_done != sum.done || o->volumes_total != sum.total;
    o->state = state_of(&sum);
    if (o->state == OPERATION_RUNNING && !is_moved)
        return KS_SUCCESS;
    o->volumes_done = sum.done;
    o->volumes_total = sum.total;
    o->updated = w->now;
    if (o->state != OPERATION_RUNNING)
        o->finished = w->now;
    TRY(store_operation_put(w->tx, o));
    work_tell(w, 'o', o->id);
    if (o->state == OPERATION_RUNNING)
        store_tx_observe(w->tx);
    return o->state == OPERATION_RUNNING ? KS_SUCCESS : audit_end(w, o);
}

ks_rc task_settle(struct work *w, const struct task_scene *scene)
{
    CLEANUP(mem_freep) struct operation *operations = NULL;
    struct store_page page = {.count_max = STORE_PAGE_MAX};
    size_t count;

    TRY(store_operations_running(store_tx_view(w->tx), scene->cluster->id, &page, &operations,
                                 &count));
    for (size_t i = 0; i < count; i++)
        if (task_is_life(operations[i].kind))
            TRY(settle_operation(w, scene, &operations[i]));
    return KS_SUCCESS;
}
