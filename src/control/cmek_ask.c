/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cmek_ask.c - what callers ask of CMEK: checked as a whole, then begun in every region or in none.
 *
 * What may be begun in which status is decided by control/cmek_rules.c, what becomes of it by the reconciler.
 */
#include <string.h>

#include "base/mem.h"
#include "control/check.h"
#include "control/cluster_int.h"
#include "control/cmek_spec.h"
#include "control/message.h"
#include "control/scene.h"
#include "control/scope.h"

enum { CHECKS_OF_CLUSTER = 8 }; /* that run at a time */

/* One of the regions that are asked about. */
struct target {
    struct scene *scene;
    const struct region_spec *spec; /* NULL: the verb has none */
    struct rec_ask ask;
    enum rec_rule rule;
};

struct asking {
    struct work *w;
    const struct caller *by;
    const struct cmek_ask *ask;
    struct cluster cluster;
    size_t region_count, target_count;
    struct region *regions;
    struct target targets[REGIONS_MAX];
};

static void asking_freep(struct asking **a)
{
    if (!*a)
        return;
    for (size_t i = 0; i < (*a)->target_count; i++)
        scene_freep(&(*a)->targets[i].scene);
    mem_free((*a)->regions);
    mem_freep(a);
}

static const struct {
    const char *name, *action;
    enum rec_verb verb;
    bool takes_keys, takes_all; /* all: every region has to be named */
} verbs[CMEK_VERB_COUNT] = {
    [CMEK_ENABLE] = {"ENABLE", "cmek.enable", REC_DO_ENABLE, true, true},
    [CMEK_PUT] = {"PUT", "cmek.put", REC_DO_PUT, true, false},
    [CMEK_REVOKE] = {"REVOKE", "cmek.revoke", REC_DO_REVOKE, false, false},
    [CMEK_RESTORE] = {"RESTORE", "cmek.restore", REC_DO_RESTORE, false, false},
    [CMEK_DISABLE] = {"DISABLE", "cmek.disable", REC_DO_DISABLE, false, false},
    [CMEK_CHECK] = {"CHECK", "cmek.check", REC_VERB_COUNT, true, false},
    [CMEK_ROTATE] = {"ROTATE", "cmek.rotate", REC_DO_ROTATE_CMEK, false, false},
};

static const struct {
    enum operation_kind kind;
    enum rec_level level;
} rotations[] = {
    [LEVEL_CMEK] = {OPERATION_CMEK_ROTATE, REC_REWRAP},
    [LEVEL_STORE] = {OPERATION_ROTATE_STORE, REC_STORE},
    [LEVEL_DATA] = {OPERATION_ROTATE_DATA, REC_DATA},
    [LEVEL_REENCRYPT] = {OPERATION_REENCRYPT, REC_REENCRYPT},
};

/* -- what is wrong with it --------------------------------------------------------------------------------------------- */

static const struct region *find_region(const struct asking *a, const char *name)
{
    for (size_t i = 0; i < a->region_count; i++) {
        if (strcmp(a->regions[i].name, name) == 0)
            return &a->regions[i];
    }
    return NULL;
}

static size_t count_named(const struct asking *a, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < a->ask->region_count; i++)
        count += strcmp(a->ask->regions[i].region, name) == 0;
    return count;
}

static void check_spec(const struct asking *a, const struct region_spec *spec, struct faults *f)
{
    struct spec_rules rules = {.provider = a->cluster.provider,
                               .region = spec->region,
                               .organisation = a->cluster.organisation,
                               .is_development = a->w->c->is_development,
                               .is_node_allowed = a->w->c->is_node_identity_allowed};

    if (!find_region(a, spec->region))
        faults_add(f, "the cluster has no region \"%.40s\"", spec->region);
    if (verbs[a->ask->verb].takes_keys)
        specs_check(&rules, spec->keys, spec->key_count, f);
    else if (spec->key_count)
        faults_add(f, "region %.40s: %s takes no keys", spec->region, verbs[a->ask->verb].name);
}

static void check_regions(const struct asking *a, struct faults *f)
{
    for (size_t i = 0; i < a->region_count; i++) {
        const struct region *r = &a->regions[i];
        size_t named = count_named(a, r->name);
        if (named > 1)
            faults_add(f, "region %s is named %zu times", r->name, named);
        if (named == 0 && verbs[a->ask->verb].takes_all && r->state != REGION_REMOVING)
            faults_add(f, "region %s of the cluster is missing", r->name);
    }
}

static ks_rc check_ask(const struct asking *a)
{
    struct faults f = {0};

    ENSURE(a->ask->region_count <= REGIONS_MAX, KS_E_USAGE, "%zu regions are more than %d",
           a->ask->region_count, REGIONS_MAX);
    if (a->ask->region_count == 0 && verbs[a->ask->verb].takes_keys)
        faults_add(&f, "%s needs keys for %s", verbs[a->ask->verb].name,
                   verbs[a->ask->verb].takes_all ? "every region" : "one region or more");
    for (size_t i = 0; i < a->ask->region_count; i++)
        check_spec(a, &a->ask->regions[i], &f);
    check_regions(a, &f);
    return faults_end(&f);
}

static ks_rc check_cluster(const struct asking *a)
{
    const struct cluster *c = &a->cluster;

    ENSURE(caller_has_role(a->by, ROLE_OPERATOR), KS_E_PERMISSION,
           "%s needs the role of an operator", verbs[a->ask->verb].name);
    ENSURE(c->state != CLUSTER_DELETING && c->state != CLUSTER_DELETED, KS_E_STATE,
           "cluster %s is %s", c->name, cluster_state_name(c->state));
    ENSURE(a->ask->revision == 0 || a->ask->revision == c->revision, KS_E_STATE,
           "the cluster has changed: its revision is %lld, not %lld", (long long)c->revision,
           (long long)a->ask->revision);
    return KS_SUCCESS;
}

/* What a check that went before has found out. One that got no answer stands in nobody's way. */
static ks_rc check_checked(const struct asking *a)
{
    struct operation o;

    if (!a->ask->check)
        return KS_SUCCESS;
    ks_rc rc = store_operation_get(store_tx_view(a->w->tx), a->ask->check, &o);
    ENSURE(!ks_is(rc, KS_E_NOT_FOUND), KS_E_USAGE, "there is no check %.40s", a->ask->check);
    TRY(rc);
    ENSURE(o.kind == OPERATION_CMEK_CHECK && strcmp(o.cluster, a->cluster.id) == 0, KS_E_USAGE,
           "%.40s is no check of this cluster", a->ask->check);
    if (o.state != OPERATION_FAILED)
        return KS_SUCCESS;
    ENSURE(strcmp(o.error_class, "DENIED") != 0, KS_E_DENIED, "%.480s", o.message);
    ENSURE(strcmp(o.error_class, "USAGE") != 0, KS_E_USAGE, "%.480s", o.message);
    return KS_SUCCESS;
}

/* -- which regions, and what becomes of it there ---------------------------------------------------------------------- */

static bool is_set(const struct scene *s, enum cmek_status status, const struct region_spec *spec)
{
    size_t count = 0, found = 0;

    for (size_t k = 0; k < s->rec.key_count; k++) {
        if (s->rec.keys[k].status != status)
            continue;
        count++;
        for (size_t i = 0; i < spec->key_count; i++)
            found += spec_is_equal(&s->keys[k].spec, &spec->keys[i]);
    }
    return count > 0 && count == spec->key_count && found == count;
}

static enum rec_match match_of(const struct scene *s, const struct region_spec *spec)
{
    if (!spec)
        return REC_MATCH_NONE;
    if (is_set(s, CMEK_ENABLING, spec))
        return REC_MATCH_NEW;
    return is_set(s, CMEK_ENABLED, spec) ? REC_MATCH_FORCE : REC_MATCH_NONE;
}

static bool is_running(const struct scene *s, enum operation_kind kind)
{
    for (size_t i = 0; i < s->step_count; i++) {
        if (s->steps[i].operation.kind == kind)
            return true;
    }
    return false;
}

static void decide(const struct asking *a, struct target *t)
{
    bool is_other = a->ask->verb == CMEK_ROTATE && a->ask->level != LEVEL_CMEK;

    t->ask.verb = is_other ? REC_DO_ROTATE_OTHER : verbs[a->ask->verb].verb;
    t->ask.level = rotations[a->ask->level].level;
    t->ask.match = match_of(t->scene, t->spec);
    t->ask.key_count = t->spec ? t->spec->key_count : 0;
    t->rule = rec_rule_of(&t->scene->rec, &t->ask);
    if (is_other && t->rule == REC_BEGIN && is_running(t->scene, rotations[a->ask->level].kind))
        t->rule = REC_JOIN;
}

static ks_rc add_target(struct asking *a, const char *region, const struct region_spec *spec)
{
    struct target *t = &a->targets[a->target_count];

    TRY(scene_read(a->w, a->cluster.id, region, &t->scene));
    a->target_count++;
    t->spec = spec;
    if (a->ask->verb != CMEK_CHECK)
        decide(a, t);
    return KS_SUCCESS;
}

static ks_rc read_targets(struct asking *a)
{
    bool takes_keys = verbs[a->ask->verb].takes_keys;

    for (size_t i = 0; i < a->ask->region_count; i++)
        TRY(add_target(a, a->ask->regions[i].region, takes_keys ? &a->ask->regions[i] : NULL));
    for (size_t i = 0; i < a->region_count && !a->ask->region_count && i < REGIONS_MAX; i++)
        TRY(add_target(a, a->regions[i].name, NULL));
    return KS_SUCCESS;
}

static ks_rc refuse(const struct asking *a, const struct target *t)
{
    const struct region *r = &t->scene->region;
    const char *verb = verbs[a->ask->verb].name, *status = cmek_status_name(r->status);

    if (t->rule == REC_BUSY)
        return ks_fail(KS_E_BUSY, "region %s is %s; %s is possible once that has ended%s%.250s",
                       r->name, status, verb, r->message[0] ? ": " : "", r->message);
    if (r->state == REGION_REMOVING)
        return ks_fail(KS_E_STATE, "region %s is being removed", r->name);
    if (r->is_revoked)
        return ks_fail(KS_E_STATE, "region %s is %s by a call of the API; RESTORE it before %s",
                       r->name, status, verb);
    if (r->status == CMEK_REVOKED)
        return ks_fail(
            KS_E_STATE,
            "region %s is REVOKED by its key service, which has to allow the key before %s: %.250s",
            r->name, verb, r->message);
    if (t->rule == REC_SKIP)
        return ks_fail(KS_E_STATE,
                       "region %s is %s: no key of yours is in force there, so there is nothing "
                       "to %s",
                       r->name, status, verb);
    return ks_fail(KS_E_STATE, "region %s is %s with other keys; change them with PUT", r->name,
                   status);
}

/* All or nothing: one region that does not allow it stops all of them. */
static ks_rc check_rules(const struct asking *a, size_t *ret_begins)
{
    size_t skipped = 0, begins = 0;

    for (size_t i = 0; i < a->target_count; i++) {
        const struct target *t = &a->targets[i];
        bool is_left_out = t->rule == REC_SKIP && !a->ask->region_count;
        if (t->rule == REC_BUSY || t->rule == REC_NOT || (t->rule == REC_SKIP && !is_left_out))
            return refuse(a, t);
        skipped += is_left_out;
        begins += t->rule == REC_BEGIN;
    }
    if (a->target_count && skipped == a->target_count)
        return refuse(a, &a->targets[0]);
    *ret_begins = begins;
    return KS_SUCCESS;
}

/* -- what did it before --------------------------------------------------------------------------------------------------- */

static bool is_kind_of(const struct asking *a, enum operation_kind kind)
{
    switch (a->ask->verb) {
    case CMEK_ENABLE:
    case CMEK_PUT:
        return kind == OPERATION_CMEK_ENABLE || kind == OPERATION_CMEK_ROTATE ||
               kind == OPERATION_REGION_ADD || kind == OPERATION_CLUSTER_CREATE;
    case CMEK_REVOKE:
        return kind == OPERATION_CMEK_REVOKE;
    case CMEK_RESTORE:
        return kind == OPERATION_CMEK_RESTORE;
    case CMEK_DISABLE:
        return kind == OPERATION_CMEK_DISABLE;
    case CMEK_CHECK:
        return kind == OPERATION_CMEK_CHECK;
    case CMEK_ROTATE:
        return kind == rotations[a->ask->level].kind;
    case CMEK_VERB_COUNT:
        break;
    }
    return false;
}

/* Of an operation in which nothing begins. */
static enum operation_kind kind_of_rest(const struct asking *a)
{
    switch (a->ask->verb) {
    case CMEK_ENABLE:
    case CMEK_PUT:
        for (size_t i = 0; i < a->target_count; i++) {
            if (a->targets[i].scene->region.status == CMEK_ROTATING)
                return OPERATION_CMEK_ROTATE;
        }
        return OPERATION_CMEK_ENABLE;
    case CMEK_REVOKE:
        return OPERATION_CMEK_REVOKE;
    case CMEK_RESTORE:
        return OPERATION_CMEK_RESTORE;
    case CMEK_DISABLE:
        return OPERATION_CMEK_DISABLE;
    case CMEK_ROTATE:
        return rotations[a->ask->level].kind;
    case CMEK_CHECK:
    case CMEK_VERB_COUNT:
        break;
    }
    return OPERATION_CMEK_CHECK;
}

/* What is at work there still runs in it; what is so already it has done. */
static bool has_target(const struct operation_step *steps, size_t count, const struct target *t)
{
    enum operation_state want = t->rule == REC_JOIN ? OPERATION_RUNNING : OPERATION_SUCCEEDED;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(steps[i].region, t->scene->region.name) == 0 && steps[i].state == want)
            return true;
    }
    return t->rule == REC_SKIP;
}

static ks_rc has_targets(const struct asking *a, const struct operation *o, bool *ret)
{
    CLEANUP(mem_freep) struct operation_step *steps = NULL;
    bool has = is_kind_of(a, o->kind) &&
               (o->state == OPERATION_RUNNING || o->state == OPERATION_SUCCEEDED);
    size_t count = 0;

    if (has)
        TRY(store_operation_steps(store_tx_view(a->w->tx), o->id, &steps, &count));
    for (size_t i = 0; i < a->target_count && has; i++)
        has = has_target(steps, count, &a->targets[i]);
    *ret = has;
    return KS_SUCCESS;
}

/* The newest of its kind that is about every region asked for: another one may be over while one of them is still at work. */
static ks_rc find_done(const struct asking *a, struct operation *ret, bool *ret_is_found)
{
    CLEANUP(mem_freep) struct operation *rows = NULL;
    struct store_page page = {.count_max = 200, .is_descending = true};
    bool is_found = false;
    size_t count;

    TRY(store_operations(store_tx_view(a->w->tx),
                         &(struct store_operations_ask){.cluster = a->cluster.id}, &page, &rows,
                         &count));
    for (size_t i = 0; i < count && !is_found; i++) {
        TRY(has_targets(a, &rows[i], &is_found));
        if (is_found)
            *ret = rows[i];
    }
    *ret_is_found = is_found;
    return KS_SUCCESS;
}

/* -- beginning --------------------------------------------------------------------------------------------------------------- */

static ks_rc audit(const struct asking *a, const struct operation *o)
{
    json_t *regions = json_array(), *keys = json_array();
    char object[128] = "";

    for (size_t i = 0; i < a->target_count; i++) {
        const struct target *t = &a->targets[i];
        if (t->rule == REC_SKIP)
            continue;
        /* a detail that lacks memory is left out; the event itself is not */
        (void)json_array_append_new(regions, json_string(t->scene->region.name));
        for (size_t k = 0; t->spec && k < t->spec->key_count; k++)
            (void)json_array_append_new(keys, json_string(t->spec->keys[k].uri));
    }
    message_put(object, sizeof object, "cluster/%s", a->cluster.id);
    struct store_event event = {
        .action = verbs[a->ask->verb].action,
        .organisation = a->cluster.organisation,
        .cluster = a->cluster.id,
        .object = object,
        .detail =
            json_pack("{s:s, s:o, s:o}", "operation", o->id, "regions", regions, "keys", keys),
    };
    return store_tx_audit(a->w->tx, a->by, &event);
}

/* The receipts of locks before do not prove this one, whenever they come: its goals are still to be given. */
static ks_rc forget_receipts(struct scene *s)
{
    for (size_t i = 0; i < s->volume_count; i++) {
        struct cluster_volume *v = &s->volumes[i];
        message_copy(v->receipt, sizeof v->receipt, "");
        v->receipt_after = v->goal;
        s->rec.volumes[i].has_receipt = false;
        TRY(store_volume_put(s->w->tx, v));
    }
    return KS_SUCCESS;
}

static ks_rc begin_target(struct asking *a, struct target *t, struct operation *o, bool *is_made)
{
    struct scene *s = t->scene;
    enum operation_kind kind;
    size_t first = s->rec.key_count;
    uint32_t serial;

    ENSURE(rec_begin(&s->rec, &t->ask, &kind, &serial), KS_E_BUSY,
           "region %s: earlier keys are still on their way out; ask again in a while",
           s->region.name);
    if (!*is_made) {
        struct operation_wish wish = {kind, a->cluster.organisation, a->cluster.id};
        TRY(operation_begin(a->w, a->by, &wish, o));
        *is_made = true;
    }
    for (size_t k = first; k < s->rec.key_count; k++)
        TRY(scene_add_key(s, k, &t->spec->keys[k - first]));
    if (t->ask.verb == REC_DO_REVOKE)
        TRY(forget_receipts(s));
    return scene_add_step(s, o, serial);
}

/* A region that is there already, or on its way: the operation is not over before it is. */
static ks_rc join_target(struct asking *a, struct target *t, const struct operation *o)
{
    struct scene *s = t->scene;
    struct operation_step done = {.state = OPERATION_SUCCEEDED};

    if (t->rule == REC_JOIN)
        return scene_add_step(s, o, s->rec.region.serial[t->ask.level]);
    if (t->rule != REC_NOTHING)
        return KS_SUCCESS;
    memcpy(done.operation, o->id, ID_BYTES);
    memcpy(done.region, s->region.name, NAME_BYTES);
    return store_operation_step_put(a->w->tx, &done);
}

/* First every step, so that the operation is not over while regions are still to come; where something begins decides its kind. */
static ks_rc add_steps(struct asking *a, struct operation *ret)
{
    bool is_made = false;

    for (size_t i = 0; i < a->target_count; i++) {
        if (a->targets[i].rule == REC_BEGIN)
            TRY(begin_target(a, &a->targets[i], ret, &is_made));
    }
    if (!is_made) {
        struct operation_wish wish = {kind_of_rest(a), a->cluster.organisation, a->cluster.id};
        TRY(operation_begin(a->w, a->by, &wish, ret));
    }
    for (size_t i = 0; i < a->target_count; i++)
        TRY(join_target(a, &a->targets[i], ret));
    return KS_SUCCESS;
}

static ks_rc begin(struct asking *a, struct operation *ret)
{
    TRY(add_steps(a, ret));
    TRY(audit(a, ret));
    for (size_t i = 0; i < a->target_count; i++) {
        enum rec_rule rule = a->targets[i].rule;
        if (rule == REC_BEGIN || rule == REC_JOIN)
            TRY(scene_write(a->targets[i].scene, rule == REC_BEGIN ? a->by : NULL));
    }
    TRY(operation_settle(a->w, ret));
    return store_operation_get(store_tx_view(a->w->tx), ret->id, ret);
}

static json_t *specs_json(const struct region_spec *spec)
{
    json_t *keys = json_array();

    for (size_t k = 0; keys && k < spec->key_count; k++) {
        const struct key_spec *key = &spec->keys[k];
        json_t *one = json_pack("{s:s, s:s, s:s}", "type", key->type, "uri", key->uri,
                                "auth_principal", key->auth_principal);
        if (!one || json_array_append_new(keys, one) != 0) {
            json_decref(keys);
            return NULL;
        }
    }
    return keys;
}

/* Steps of a region are looked at together, and only so many: checks must leave room for those that change something. */
static ks_rc limit_checks(const struct asking *a)
{
    CLEANUP(mem_freep) struct operation *rows = NULL;
    struct store_page page = {.count_max = CHECKS_OF_CLUSTER + REC_STEPS_MAX};
    size_t count, running = 0;

    TRY(store_operations_running(store_tx_view(a->w->tx), a->cluster.id, &page, &rows, &count));
    for (size_t i = 0; i < count; i++)
        running += rows[i].kind == OPERATION_CMEK_CHECK;
    ENSURE(running < CHECKS_OF_CLUSTER, KS_E_BUSY,
           "%zu checks of the cluster's keys are waiting for answers; ask again in a minute",
           running);
    return KS_SUCCESS;
}

static ks_rc begin_check(struct asking *a, struct operation *ret)
{
    struct operation_wish wish = {OPERATION_CMEK_CHECK, a->cluster.organisation, a->cluster.id};

    TRY(limit_checks(a));
    TRY(operation_begin(a->w, a->by, &wish, ret));
    for (size_t i = 0; i < a->target_count; i++) {
        json_t *keys = specs_json(a->targets[i].spec);
        ENSURE(keys, KS_E_NO_MEMORY, "no memory for a check");
        TRY(check_add(a->w, ret, a->targets[i].scene->region.name, keys));
    }
    TRY(audit(a, ret));
    return operation_settle(a->w, ret);
}

static ks_rc ask_all(struct asking *a, const char *cluster, struct operation *ret)
{
    struct store_view *v = store_tx_view(a->w->tx);
    bool is_found = false;
    size_t begins = 0;

    TRY(cluster_find(v, a->by, cluster, &a->cluster));
    TRY(check_cluster(a));
    TRY(store_regions(v, a->cluster.id, &a->regions, &a->region_count));
    TRY(check_ask(a));
    TRY(check_checked(a));
    TRY(read_targets(a));
    if (a->ask->verb == CMEK_CHECK)
        return begin_check(a, ret);
    TRY(check_rules(a, &begins));
    if (!begins)
        TRY(find_done(a, ret, &is_found));
    return is_found ? KS_SUCCESS : begin(a, ret);
}

ks_rc control_cmek_ask(struct control *c, const struct caller *by, const char *cluster,
                       const struct cmek_ask *ask, struct operation *ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(asking_freep) struct asking *a = NULL;
    struct operation o;

    ENSURE(ask->verb < CMEK_VERB_COUNT && ask->level <= LEVEL_REENCRYPT, KS_E_USAGE,
           "there is no such action");
    TRY(mem_new(1, sizeof *a, &a));
    TRY(work_begin(c, &w));
    *a = (struct asking){.w = &w, .by = by, .ask = ask};
    TRY(ask_all(a, cluster, &o));
    TRY(work_end(&w));
    *ret = o;
    return KS_SUCCESS;
}
