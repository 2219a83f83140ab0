/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cmek_fixture.h - a cluster in three regions on nodes that work in memory (fake_node.h), and a key service with a mood
 * for each key.
 */
#pragma once

#include <stdio.h>

#include "control/cluster_int.h"
#include "fake_node.h"
#include "fleet_fixture.h"

enum { CMEK_REGIONS = 3, CMEK_NODES = 4, CMEK_MOODS = 16 };

struct cmek_fixture {
    struct fleet fleet;
    struct fake_node *nodes[CMEK_NODES]; /* east, west, west, north */
    char cluster[ID_BYTES];
    size_t mood_count;
    struct {
        char uri[64];
        enum fake_answer answer;
    } moods[CMEK_MOODS];
    struct operation last;
};

static const char *const cmek_region_names[CMEK_REGIONS] = {"east", "north", "west"};

static inline enum fake_answer cmek_answer(void *arg, const char *uri)
{
    struct cmek_fixture *x = arg;

    for (size_t i = x->mood_count; i--;) {
        if (strcmp(x->moods[i].uri, uri) == 0)
            return x->moods[i].answer;
    }
    return FAKE_ALLOW;
}

static inline void cmek_mood(struct cmek_fixture *x, const char *uri, enum fake_answer answer)
{
    assert_true(x->mood_count < CMEK_MOODS);
    snprintf(x->moods[x->mood_count].uri, sizeof x->moods[0].uri, "%s", uri);
    x->moods[x->mood_count++].answer = answer;
}

/* Until nobody has anything to do. */
static inline void cmek_run(struct cmek_fixture *x)
{
    check_ok(fake_nodes_run(x->nodes, CMEK_NODES));
}

static inline void cmek_create(struct cmek_fixture *x)
{
    struct region_wish regions[CMEK_REGIONS] = {fleet_region("east", 1), fleet_region("north", 1),
                                                fleet_region("west", 3)};
    struct cluster_wish wish = fleet_wish("orders", regions, CMEK_REGIONS);
    struct cluster_view *v;

    check_ok(control_cluster_create(x->fleet.c, &x->fleet.admin, &wish, &v));
    memcpy(x->cluster, v->cluster.id, ID_BYTES);
    cluster_view_free(v);
    cmek_run(x);
}

static inline void cmek_open(struct cmek_fixture *x)
{
    static const char *const places[CMEK_NODES] = {"east", "west", "west", "north"};
    static const char *const names[CMEK_NODES] = {"e1", "w1", "w2", "n1"};

    memset(x, 0, sizeof *x);
    fleet_open(&x->fleet);
    for (size_t i = 0; i < CMEK_NODES; i++) {
        check_ok(fake_node_join(x->fleet.c, &x->fleet.platform, places[i], names[i], &x->nodes[i]));
        x->nodes[i]->answer = cmek_answer;
        x->nodes[i]->arg = x;
    }
    cmek_create(x);
}

static inline void cmek_close(struct cmek_fixture *x)
{
    for (size_t i = 0; i < CMEK_NODES; i++)
        fake_node_free(x->nodes[i]);
    fleet_close(&x->fleet);
}

static inline void cmek_key(struct region_spec *spec, const char *region, const char *uri)
{
    memset(spec, 0, sizeof *spec);
    snprintf(spec->region, sizeof spec->region, "%s", region);
    spec->key_count = 1;
    snprintf(spec->keys[0].type, sizeof spec->keys[0].type, "NULL_KMS");
    snprintf(spec->keys[0].uri, sizeof spec->keys[0].uri, "%s", uri);
}

/* cmek_ask(x, verb, uri): in all regions, where the verb takes keys with this one. */
static inline ks_rc cmek_try(struct cmek_fixture *x, enum cmek_verb verb, const char *uri)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    struct cmek_ask ask = {.verb = verb};

    check_ok(mem_new(CMEK_REGIONS, sizeof *specs, &specs));
    for (size_t i = 0; i < CMEK_REGIONS && uri; i++)
        cmek_key(&specs[i], cmek_region_names[i], uri);
    ask.region_count = uri ? CMEK_REGIONS : 0;
    ask.regions = specs;
    return control_cmek_ask(x->fleet.c, &x->fleet.admin, x->cluster, &ask, &x->last);
}

static inline void cmek_ask(struct cmek_fixture *x, enum cmek_verb verb, const char *uri)
{
    check_ok(cmek_try(x, verb, uri));
}

/* cmek_ask_one: in one region. */
static inline ks_rc cmek_try_one(struct cmek_fixture *x, enum cmek_verb verb, const char *region,
                                 const char *uri)
{
    CLEANUP(mem_freep) struct region_spec *spec = NULL;
    struct cmek_ask ask = {.verb = verb, .region_count = 1};

    check_ok(mem_new(1, sizeof *spec, &spec));
    cmek_key(spec, region, uri ? uri : "");
    if (!uri)
        spec->key_count = 0;
    ask.regions = spec;
    return control_cmek_ask(x->fleet.c, &x->fleet.admin, x->cluster, &ask, &x->last);
}

static inline struct cmek_view *cmek_view(struct cmek_fixture *x)
{
    struct cmek_view *v;

    check_ok(control_cmek_get(x->fleet.c, &x->fleet.viewer, x->cluster, &v));
    return v;
}

static inline void cmek_check_status(struct cmek_fixture *x, enum cmek_status status)
{
    struct cmek_view *v = cmek_view(x);

    assert_string_equal(cmek_status_name(v->status), cmek_status_name(status));
    cmek_view_free(v);
}

static inline void cmek_check_region(struct cmek_fixture *x, const char *region,
                                     enum cmek_status status)
{
    struct cmek_view *v = cmek_view(x);

    for (size_t i = 0; i < v->region_count; i++) {
        if (strcmp(v->regions[i].region.name, region) == 0)
            assert_string_equal(cmek_status_name(v->regions[i].region.status),
                                cmek_status_name(status));
    }
    cmek_view_free(v);
}

static inline void cmek_check_operation(struct cmek_fixture *x, const struct operation *o,
                                        enum operation_state state)
{
    struct operation_view *v;

    check_ok(control_operation_get(x->fleet.c, &x->fleet.viewer, o->id, &v));
    if (v->operation.state != state)
        print_error("%s: %s\n", operation_kind_name(v->operation.kind), v->operation.message);
    assert_string_equal(operation_state_name(v->operation.state), operation_state_name(state));
    operation_view_free(v);
}

static inline void cmek_later(struct cmek_fixture *x, int64_t seconds)
{
    x->fleet.clock.now_s += seconds;
    x->fleet.clock.now_ms += (uint64_t)seconds * 1000;
}
