/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/check.c - checks that are waited for, and what came of them.
 */
#include "control/check.h"

#include <string.h>

#include "base/mem.h"
#include "control/message.h"
#include "control/store.h"

struct check {
    char id[ID_BYTES], operation[ID_BYTES], organisation[ID_BYTES], cluster[ID_BYTES],
        node[ID_BYTES];
    char region[NAME_BYTES];
    int64_t added, given; /* wall seconds; given 0: not yet */
    json_t *keys;         /* NULL: the place is free */
};

struct checks {
    pthread_mutex_t mutex;
    struct check items[CHECKS_MAX];
};

ks_rc checks_new(struct checks **ret)
{
    struct checks *checks;

    TRY(mem_new(1, sizeof *checks, &checks));
    pthread_mutex_init(&checks->mutex, NULL);
    *ret = checks;
    return KS_SUCCESS;
}

static void drop(struct check *at)
{
    json_decref(at->keys);
    *at = (struct check){.keys = NULL};
}

void checks_free(struct checks *checks)
{
    if (!checks)
        return;
    for (size_t i = 0; i < CHECKS_MAX; i++)
        drop(&checks->items[i]);
    pthread_mutex_destroy(&checks->mutex);
    mem_free(checks);
}

/* -- places; with the mutex held -- */

/* A free place, or that of one that is over by now. */
static struct check *free_place(struct checks *checks, int64_t now)
{
    for (size_t i = 0; i < CHECKS_MAX; i++) {
        struct check *at = &checks->items[i];
        if (!at->keys || now - at->added >= 2 * CHECK_PATIENCE_S)
            return at;
    }
    return NULL;
}

static size_t count_of(const struct checks *checks, const char *organisation)
{
    size_t count = 0;

    for (size_t i = 0; i < CHECKS_MAX; i++)
        count += checks->items[i].keys && strcmp(checks->items[i].organisation, organisation) == 0;
    return count;
}

/* Of the organisation that has the most. */
static struct check *busiest(struct checks *checks, size_t *ret_count)
{
    struct check *found = NULL;

    *ret_count = 0;
    for (size_t i = 0; i < CHECKS_MAX; i++) {
        struct check *at = &checks->items[i];
        if (found && strcmp(found->organisation, at->organisation) == 0)
            continue;
        size_t count = count_of(checks, at->organisation);
        if (count > *ret_count) {
            found = at;
            *ret_count = count;
        }
    }
    return found;
}

/* The one of them that was asked last: those before it are nearer to their answers. */
static struct check *newest_of(struct checks *checks, const struct check *of)
{
    struct check *found = NULL;

    for (size_t i = 0; i < CHECKS_MAX; i++) {
        struct check *at = &checks->items[i];
        bool is_theirs = strcmp(at->organisation, of->organisation) == 0;
        if (is_theirs && (!found || at->added >= found->added))
            found = at;
    }
    return found;
}

/* When all are taken, whoever has more than this organisation would have gives one up: it ends as one that nobody answered. */
static struct check *fair_place(struct checks *checks, const struct check *check)
{
    size_t most;
    struct check *of = busiest(checks, &most);

    if (!of || count_of(checks, check->organisation) + 1 >= most)
        return NULL;
    return newest_of(checks, of);
}

static bool take_place(struct checks *checks, const struct check *check)
{
    pthread_mutex_lock(&checks->mutex);
    struct check *at = free_place(checks, check->added);
    if (!at)
        at = fair_place(checks, check);
    if (at) {
        drop(at);
        *at = *check;
    }
    pthread_mutex_unlock(&checks->mutex);
    return at != NULL;
}

/* -- beginning ------------------------------------------------------------------------------------------------------- */

static ks_rc put_step(struct work *w, const struct operation *o, const char *region,
                      enum operation_state state, const char *message)
{
    struct operation_step step = {.state = state};

    memcpy(step.operation, o->id, ID_BYTES);
    message_copy(step.region, sizeof step.region, region);
    message_copy(step.message, sizeof step.message, message);
    return store_operation_step_put(w->tx, &step);
}

static void set_error(struct operation *o, const char *error_class, const char *code)
{
    /* a refusal says more than a missing answer of another region */
    if (o->error_class[0] && strcmp(error_class, "DENIED") != 0)
        return;
    message_copy(o->error_class, sizeof o->error_class, error_class);
    message_copy(o->error_code, sizeof o->error_code, code);
}

/* ret "": none is there. */
static ks_rc find_node(struct work *w, const char *region, char ret[ID_BYTES])
{
    CLEANUP(mem_freep) struct node *nodes = NULL;
    size_t count;

    ret[0] = 0;
    TRY(store_nodes_of_region(store_tx_view(w->tx), region, &nodes, &count));
    for (size_t i = 0; i < count; i++) {
        if (node_is_away(w->c, &nodes[i]))
            continue;
        memcpy(ret, nodes[i].id, ID_BYTES);
        return KS_SUCCESS;
    }
    return KS_SUCCESS;
}

static ks_rc fill(struct work *w, const struct operation *o, const char *region, struct check *ret)
{
    ret->added = w->now;
    memcpy(ret->operation, o->id, ID_BYTES);
    memcpy(ret->organisation, o->organisation, ID_BYTES);
    memcpy(ret->cluster, o->cluster, ID_BYTES);
    message_copy(ret->region, sizeof ret->region, region);
    TRY(find_node(w, region, ret->node));
    return store_tx_id(w->tx, ret->id);
}

ks_rc check_add(struct work *w, struct operation *o, const char *region, json_t *keys)
{
    struct check check = {.keys = keys};
    ks_rc rc = fill(w, o, region, &check);

    if (ks_ok(rc) && check.node[0] && take_place(w->c->checks, &check)) {
        work_tell(w, 'n', check.node);
        return put_step(w, o, region, OPERATION_RUNNING, "");
    }
    json_decref(keys);
    TRY(rc);
    set_error(o, "UNREACHABLE", "TIMEOUT");
    return put_step(w, o, region, OPERATION_FAILED,
                    check.node[0] ? "too many checks are waiting; ask again in a minute"
                                  : "no node of the region is there to try the keys");
}

/* -- what a node is to try --------------------------------------------------------------------------------------------- */

static json_t *check_json(const struct check *c)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:O}", "check", c->id, "organisation", c->organisation,
                     "cluster", c->cluster, "region", c->region, "keys", c->keys);
}

ks_rc check_desired(struct control *c, const char *node, json_t *ret)
{
    int64_t now = clock_wall_s(c->clock);
    bool is_complete = true;

    pthread_mutex_lock(&c->checks->mutex);
    for (size_t i = 0; i < CHECKS_MAX; i++) {
        struct check *at = &c->checks->items[i];
        if (!at->keys || strcmp(at->node, node) != 0 || now - at->given < CHECK_GIVEN_S)
            continue;
        at->given = now;
        is_complete &= json_array_append_new(ret, check_json(at)) == 0;
    }
    pthread_mutex_unlock(&c->checks->mutex);
    ENSURE(is_complete, KS_E_NO_MEMORY, "no memory for a check");
    return KS_SUCCESS;
}

/* -- what came of it ------------------------------------------------------------------------------------------------------ */

static bool take_item(struct checks *checks, const char *node, const char *id, struct check *ret)
{
    bool is_found = false;

    pthread_mutex_lock(&checks->mutex);
    for (size_t i = 0; i < CHECKS_MAX && !is_found; i++) {
        struct check *at = &checks->items[i];
        if (!at->keys || strcmp(at->id, id) != 0 || strcmp(at->node, node) != 0)
            continue;
        *ret = *at;
        at->keys = NULL;
        is_found = true;
    }
    pthread_mutex_unlock(&checks->mutex);
    return is_found;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static void add_text(char out[MESSAGE_BYTES], const char *uri, const json_t *result)
{
    char before[MESSAGE_BYTES] = "";
    const char *mend = text_of(result, "mend");

    message_copy(before, sizeof before, out);
    message_put(out, MESSAGE_BYTES, "%s%skey %.300s: %s%s%s", before, before[0] ? "; " : "", uri,
                text_of(result, "message"), mend[0] ? "; to mend it: " : "", mend);
}

/* Adds what failed to the message; true when everything can be used. */
static bool judge(const struct check *check, const json_t *results, struct operation *o,
                  char message[MESSAGE_BYTES])
{
    bool is_good = json_array_size(results) == json_array_size(check->keys);
    const json_t *one;
    size_t i;

    if (!is_good)
        message_copy(message, MESSAGE_BYTES, "the node did not try every key");
    json_array_foreach(results, i, one)
    {
        const char *outcome = text_of(one, "outcome");
        if (strcmp(outcome, "OK") == 0)
            continue;
        is_good = false;
        set_error(o, outcome, text_of(one, "code"));
        add_text(message, text_of(json_array_get(check->keys, i), "uri"), one);
    }
    return is_good;
}

static ks_rc take_results(struct work *w, const struct check *check, const json_t *results)
{
    struct operation o;
    char message[MESSAGE_BYTES] = "";
    ks_rc rc = store_operation_get(store_tx_view(w->tx), check->operation, &o);

    if (ks_is(rc, KS_E_NOT_FOUND) || (ks_ok(rc) && o.state != OPERATION_RUNNING))
        return KS_SUCCESS;
    TRY(rc);
    store_tx_observe(w->tx);
    bool is_good = judge(check, results, &o, message);
    TRY(put_step(w, &o, check->region, is_good ? OPERATION_SUCCEEDED : OPERATION_FAILED,
                 is_good ? "every key can be used" : message));
    /* what one region found out stays, also while others are still trying */
    TRY(store_operation_put(w->tx, &o));
    return operation_settle(w, &o);
}

ks_rc check_take(struct work *w, const char *node, const char *id, const json_t *results)
{
    struct check check;

    if (!take_item(w->c->checks, node, id, &check))
        return KS_SUCCESS;
    ks_rc rc = take_results(w, &check, results);
    json_decref(check.keys);
    return rc;
}

void check_expire(struct scene *s)
{
    for (size_t i = 0; i < s->step_count; i++) {
        struct scene_step *at = &s->steps[i];
        if (at->operation.kind != OPERATION_CMEK_CHECK ||
            s->w->now - at->operation.created < CHECK_PATIENCE_S)
            continue;
        s->rec.steps[i].state = OPERATION_FAILED;
        message_put(at->step.message, sizeof at->step.message,
                    "no node has answered for %d s; ask again", CHECK_PATIENCE_S);
        set_error(&at->operation, "UNREACHABLE", "TIMEOUT");
    }
}
