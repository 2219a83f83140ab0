/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/desired.c - what a node is to do, as docs/NODES.md has it: the wishes of its volumes behind a goal, and checks.
 *
 * A reply is bounded: of many volumes those with the lowest goals come first, and the revision is the goal of the last
 * one, so that the next request goes on behind it. All of it is of one instant of the store.
 */
#include <string.h>

#include "base/mem.h"
#include "control/check.h"
#include "control/cluster_int.h"

enum { DESIRED_MAX = 500 }; /* volumes of one reply */

/* The cluster and region of the volume before: volumes of one cluster often stand together. */
struct wish {
    struct store_view *v;
    struct cluster cluster;
    struct region region;
    json_t *keys; /* of the region */
};

static void wish_freep(struct wish **wish)
{
    if (*wish)
        json_decref((*wish)->keys);
    mem_freep(wish);
}

static ks_rc add_key(json_t *list, const struct region_key *k)
{
    json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "id", k->id, "type", k->spec.type, "uri",
                            k->spec.uri, "auth_principal", k->spec.auth_principal);

    ENSURE(one && json_array_append_new(list, one) == 0, KS_E_NO_MEMORY, "no memory for a wish");
    return KS_SUCCESS;
}

/* The oldest first, so that one that stays keeps its place. */
static ks_rc read_keys(struct wish *wish)
{
    CLEANUP(mem_freep) struct region_key *keys = NULL;
    size_t count;

    TRY(store_region_keys(wish->v, wish->cluster.id, wish->region.name, &keys, &count));
    json_decref(wish->keys);
    wish->keys = json_array();
    ENSURE(wish->keys, KS_E_NO_MEMORY, "no memory for a wish");
    for (size_t i = count; i--;)
        if (keys[i].is_wanted)
            TRY(add_key(wish->keys, &keys[i]));
    return KS_SUCCESS;
}

static ks_rc read_wish(struct wish *wish, const struct cluster_volume *volume)
{
    bool is_same = strcmp(wish->cluster.id, volume->cluster) == 0;

    if (!is_same)
        TRY(store_cluster_get(wish->v, volume->cluster, &wish->cluster));
    if (is_same && strcmp(wish->region.name, volume->region) == 0)
        return KS_SUCCESS;
    TRY(store_region_get(wish->v, volume->cluster, volume->region, &wish->region));
    return read_keys(wish);
}

static json_t *serials_json(const struct region *r)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "rewrap", (json_int_t)r->serial_rewrap, "store",
                     (json_int_t)r->serial_store, "data", (json_int_t)r->serial_data, "reencrypt",
                     (json_int_t)r->serial_reencrypt, "restore", (json_int_t)r->serial_restore);
}

static json_t *lease_json(const struct lease_terms *t)
{
    return json_pack("{s:I, s:I, s:I}", "lease_ms", (json_int_t)t->lease_ms, "probe_ms",
                     (json_int_t)t->probe_ms, "grace_ms", (json_int_t)t->grace_ms);
}

static json_t *anchor_json(const struct anchor *a)
{
    return json_pack("{s:s, s:I, s:I}", "volume", a->volume, "sequence", (json_int_t)a->sequence,
                     "accepted", (json_int_t)a->accepted);
}

static json_t *volume_json(const struct wish *wish, const struct cluster_volume *v)
{
    const struct cluster *c = &wish->cluster;
    const struct region *r = &wish->region;
    json_t *o =
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "volume", v->id, "goal",
                  (json_int_t)v->goal, "state", v->is_wanted ? "PRESENT" : "ABSENT", "organisation",
                  c->organisation, "cluster", c->id, "cluster_name", c->name, "region", r->name,
                  "ordinal", (json_int_t)v->ordinal, "engine", c->engine);
    json_t *rest =
        json_pack("{s:O, s:b, s:b, s:o, s:o, s:b, s:o}", "keys", wish->keys, "platform",
                  (int)r->is_platform_wanted, "revoked", (int)r->is_revoked, "serials",
                  serials_json(r), "lease", lease_json(&c->lease), "rewrap_automatically",
                  (int)c->rotation.is_rewrap_automatic, "keyring", anchor_json(&v->anchor));

    if (o && (!rest || json_object_update(o, rest) != 0)) {
        json_decref(o);
        o = NULL;
    }
    json_decref(rest);
    return o;
}

static ks_rc add_volume(struct wish *wish, const struct cluster_volume *v, json_t *list)
{
    TRY(read_wish(wish, v));
    json_t *one = volume_json(wish, v);
    ENSURE(one && json_array_append_new(list, one) == 0, KS_E_NO_MEMORY, "no memory for a wish");
    return KS_SUCCESS;
}

/*
 * A goal that this store never gave is of a store that was newer (a copy was restored): then all is told anew. It lies above all that
 * were given, or, as each life begins above what the time says, between those of the lives before and those of this one.
 */
static ks_rc from_where(const struct control *c, struct store_view *v, int64_t since, int64_t *ret)
{
    bool is_between = since > c->goal_before && since <= c->goal_raised;
    int64_t last;

    TRY(store_counter_get(v, STORE_GOAL, &last));
    *ret = since < 0 || since > last || is_between ? 0 : since;
    return KS_SUCCESS;
}

/* ret_revision: from where on, then how far the list goes. */
static ks_rc add_volumes(struct store_view *v, const char *node, json_t *list,
                         int64_t *ret_revision)
{
    CLEANUP(wish_freep) struct wish *wish = NULL;
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    size_t count;

    TRY(mem_new(1, sizeof *wish, &wish));
    wish->v = v;
    TRY(store_volumes_of_node(v, node, *ret_revision, DESIRED_MAX, &volumes, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(add_volume(wish, &volumes[i], list));
        *ret_revision = volumes[i].goal;
    }
    return KS_SUCCESS;
}

static ks_rc fill(struct control *c, const char *node, int64_t since, json_t *reply)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    int64_t revision = 0;

    TRY(store_view_begin(c->store, &v));
    TRY(from_where(c, v, since, &revision));
    TRY(add_volumes(v, node, json_object_get(reply, "volumes"), &revision));
    ENSURE(json_object_set_new(reply, "revision", json_integer(revision)) == 0, KS_E_NO_MEMORY,
           "no memory for a wish");
    return KS_SUCCESS;
}

ks_rc control_node_desired(struct control *c, const char *node, int64_t since, json_t **ret)
{
    json_t *reply = json_pack("{s:I, s:[], s:[]}", "revision", (json_int_t)0, "volumes", "checks");

    ENSURE(reply, KS_E_NO_MEMORY, "no memory for a wish");
    ks_rc rc = node_heard(c, node);
    if (ks_ok(rc))
        rc = fill(c, node, since, reply);
    if (ks_ok(rc))
        rc = check_desired(c, node, json_object_get(reply, "checks"));
    bool is_empty = json_array_size(json_object_get(reply, "volumes")) == 0 &&
                    json_array_size(json_object_get(reply, "checks")) == 0;
    if (!ks_ok(rc) || is_empty) {
        json_decref(reply);
        reply = NULL;
    }
    if (ks_ok(rc))
        *ret = reply;
    return rc;
}
