/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_versions.c - versions of keys: the table of their states, and their destruction.
 *
 * Invariant: a version has material exactly while it may come back: not when it is destroyed or its import failed.
 */
#include "localkms/gcp_versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

static const char *const states[] = {
    NULL,
    "ENABLED",
    "DISABLED",
    "DESTROYED",
    "DESTROY_SCHEDULED",
    "PENDING_GENERATION",
    "PENDING_IMPORT",
    "IMPORT_FAILED",
    "",
};

/* What leads from which state to which. */
static const struct {
    const char *verb, *from, *to;
} moves[] = {
    {"ENABLED", "DISABLED", "ENABLED"},           {"ENABLED", "ENABLED", "ENABLED"},
    {"DISABLED", "ENABLED", "DISABLED"},          {"DISABLED", "DISABLED", "DISABLED"},
    {"destroy", "ENABLED", "DESTROY_SCHEDULED"},  {"destroy", "DISABLED", "DESTROY_SCHEDULED"},
    {"restore", "DESTROY_SCHEDULED", "DISABLED"},
};

void goog_version_name(const char *key, int64_t number, char ret[GOOG_NAME_BYTES + 40])
{
    snprintf(ret, GOOG_NAME_BYTES + 40, "%s/cryptoKeyVersions/%lld", key, (long long)number);
}

/* A time of the document, or the far future. */
static int64_t time_of(const struct goog_node *n, const char *member)
{
    int64_t s;

    return clock_parse(goog_text(n, member), &s) ? s : INT64_MAX;
}

const char *goog_state(const struct goog_node *node, int64_t now_s)
{
    const char *state = goog_text(node, "state");

    if (strcmp(state, "DESTROY_SCHEDULED") == 0 && now_s >= time_of(node, "destroyTime"))
        return "DESTROYED";
    if (strcmp(state, "ACTIVE") == 0 && now_s >= time_of(node, "expireTime"))
        return "EXPIRED";
    return state;
}

bool goog_version_is_enabled(struct goog_call *c, const struct goog_node *version)
{
    const char *state = goog_state(version, c->now_s);
    char type[64];

    if (strcmp(state, "ENABLED") == 0)
        return true;
    snprintf(type, sizeof type, "KEY_%s", state);
    json_decref(c->details);
    c->details =
        json_pack("[{s:s,s:[{s:s,s:s,s:s}]}]", "@type",
                  "type.googleapis.com/google.rpc.PreconditionFailure", "violations", "type", type,
                  "subject", version->name, "description", "The version is not enabled.");
    return goog_fail(c, GOOG_FAILED_PRECONDITION, "%s is not enabled, current state is: %s.",
                     version->name, state);
}

/* --- making --- */

ks_rc goog_version_material(struct goog_call *c, struct goog_node *n, struct view material)
{
    CLEANUP(buf_done) struct buf text = buf_init(2 * GOOG_MATERIAL_ID_BYTES + 1);
    CLEANUP(secret_freep) struct secret *copy = NULL;
    uint8_t id[GOOG_MATERIAL_ID_BYTES];

    TRY(random_fill(c->realm->random, id, sizeof id));
    TRY(hex_write(view_of(id, sizeof id), &text));
    TRY(goog_set(n->own, "id", json_string(buf_text(&text))));
    TRY(secret_copy(material, &copy));
    secret_free(n->secret);
    n->secret = TAKE(copy);
    return KS_SUCCESS;
}

ks_rc goog_version_node(struct goog_call *c, const struct goog_node *key, int64_t number,
                        struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;
    CLEANUP(secret_freep) struct secret *material = NULL;
    const json_t *template = json_object_get(key->doc, "versionTemplate");
    char name[GOOG_NAME_BYTES + 40];

    goog_version_name(key->name, number, name);
    TRY(goog_node_new(GOOG_VERSION, name, &n));
    TRY(goog_set(n->doc, "state", json_string("ENABLED")));
    TRY(goog_set(n->doc, "protectionLevel",
                 json_copy(json_object_get(template, "protectionLevel"))));
    TRY(goog_set(n->doc, "algorithm", json_copy(json_object_get(template, "algorithm"))));
    TRY(goog_set(n->doc, "createTime", goog_time(c->now_s)));
    TRY(goog_set(n->doc, "generateTime", goog_time(c->now_s)));
    TRY(secret_new(GOOG_MATERIAL_BYTES, &material));
    TRY(random_fill(c->realm->random, secret_bytes(material), GOOG_MATERIAL_BYTES));
    TRY(goog_version_material(c, n, secret_view(material)));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

static ks_rc next_version(struct goog_call *c, struct goog_node *ret[2])
{
    int64_t number = goog_number(c->node, "last") + 1;

    TRY(goog_node_copy(c->node, &ret[0]));
    TRY(goog_set(ret[0]->own, "last", json_integer(number)));
    return goog_version_node(c, c->node, number, &ret[1]);
}

bool goog_op_version_create(struct goog_call *c)
{
    struct goog_node *nodes[2] = {NULL, NULL};
    char name[GOOG_NAME_BYTES];

    if (json_is_true(json_object_get(c->node->doc, "importOnly")))
        return goog_fail(c, GOOG_FAILED_PRECONDITION,
                         "The CryptoKey %s is import only: import a version.", c->node->name);
    if (!goog_fail_rc(c, next_version(c, nodes))) {
        goog_node_free(nodes[0]);
        return false;
    }
    memcpy(name, nodes[1]->name, sizeof name);
    return goog_save(c, nodes, 2) &&
           goog_reply(c, goog_show(c->realm, goog_find(c->realm, name), c->now_s));
}

/* --- moving between states --- */

static const char *find_move(const char *verb, const char *from)
{
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        if (strcmp(moves[i].verb, verb) == 0 && strcmp(moves[i].from, from) == 0)
            return moves[i].to;
    return NULL;
}

static const struct goog_node *key_of(struct goog_call *c, const struct goog_node *version)
{
    char name[GOOG_NAME_BYTES];

    memcpy(name, version->name, sizeof name);
    return goog_name_parent(name) ? goog_find(c->realm, name) : NULL;
}

static ks_rc set_state(struct goog_call *c, struct goog_node *n, const char *to)
{
    const struct goog_node *key = key_of(c, n);

    TRY(goog_set(n->doc, "state", json_string(to)));
    if (strcmp(to, "DESTROY_SCHEDULED") == 0)
        return goog_set(n->doc, "destroyTime",
                        goog_time(c->now_s + (key ? goog_number(key, "destroySeconds") : 0)));
    json_object_del(n->doc, "destroyTime");
    return KS_SUCCESS;
}

static bool move(struct goog_call *c, const char *verb)
{
    const char *from = goog_state(c->node, c->now_s);
    const char *to = find_move(verb, from);
    struct goog_node *node = NULL;

    if (!to)
        return goog_fail(c, GOOG_FAILED_PRECONDITION,
                         "%s cannot be changed so, current state is: %s.", c->node->name, from);
    if (!goog_fail_rc(c, goog_node_copy(c->node, &node)))
        return false;
    if (!goog_fail_rc(c, set_state(c, node, to))) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1) &&
           goog_reply(c, goog_show(c->realm, goog_find(c->realm, c->name.text), c->now_s));
}

bool goog_op_version_patch(struct goog_call *c)
{
    const char *mask = http_query(c->x, "updateMask");
    const char *state = goog_enum(goog_member(c, "state"), states);

    if (!mask)
        mask = http_query(c->x, "update_mask");
    if (!mask || strcmp(mask, "state") != 0)
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "updateMask must be \"state\".");
    if (!state || (strcmp(state, "ENABLED") != 0 && strcmp(state, "DISABLED") != 0))
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "state must be ENABLED or DISABLED.");
    return move(c, state);
}

bool goog_op_version_destroy(struct goog_call *c)
{
    return move(c, "destroy");
}

bool goog_op_version_restore(struct goog_call *c)
{
    return move(c, "restore");
}

/* --- destruction --- */

struct due {
    struct goog_node *nodes[16];
    size_t count;
    int64_t now_s;
    ks_rc rc;
};

static ks_rc destroyed(const struct goog_node *n, struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *copy = NULL;

    TRY(goog_node_copy(n, &copy));
    TRY(goog_set(copy->doc, "state", json_string("DESTROYED")));
    TRY(goog_set(copy->doc, "destroyEventTime", json_string(goog_text(n, "destroyTime"))));
    secret_free(TAKE(copy->secret));
    *ret = TAKE(copy);
    return KS_SUCCESS;
}

static void look_at(void *arg, const struct goog_node *n)
{
    struct due *d = arg;

    if (n->secret && n->kind == GOOG_VERSION && ks_ok(d->rc) &&
        d->count < sizeof d->nodes / sizeof *d->nodes &&
        strcmp(goog_state(n, d->now_s), "DESTROYED") == 0) {
        d->rc = destroyed(n, &d->nodes[d->count]);
        d->count += ks_ok(d->rc);
    }
}

ks_rc goog_settle(struct realm *r)
{
    struct lk_event event = {.operation = "keystead:destroy", .outcome = "ok"};
    struct due d = {.now_s = realm_now_s(r)};

    goog_each_node(r, look_at, &d);
    if (ks_ok(d.rc) && d.count > 0)
        return goog_commit(r, d.nodes, d.count, &event, 0);
    for (size_t i = 0; i < d.count; i++)
        goog_node_free(d.nodes[i]);
    return d.rc;
}

static void look_for_any(void *arg, const struct goog_node *n)
{
    struct due *d = arg;

    d->count +=
        n->secret && n->kind == GOOG_VERSION && strcmp(goog_state(n, d->now_s), "DESTROYED") == 0;
}

ks_rc goog_tick(struct realm *r)
{
    struct due d = {.now_s = realm_now_s(r)};

    realm_read(r);
    goog_each_node(r, look_for_any, &d);
    realm_unlock(r);
    if (d.count == 0)
        return KS_SUCCESS;
    realm_turn(r);
    ks_rc rc = goog_settle(r);
    realm_turn_end(r);
    return rc;
}
