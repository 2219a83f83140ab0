/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_model.c - one array of nodes in order of name.
 *
 * Invariant: the array holds exactly what the store holds under "gcp". Room is made before a change is committed, so
 * bringing the array in line cannot fail.
 */
#include "localkms/gcp_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

enum { RECORD_MAX = 1 << 20, DEPTH_MAX = 16, CHANGES_MAX = 64, TOKEN_KEY_BYTES = 32 };

static const char KIND[] = "gcp", OWN_KIND[] = "gcp-own", TOKEN_KEY[] = "token-key";

struct gcp {
    struct goog_node **nodes;
    size_t count, room;
    struct secret *token_key;
};

/* --- nodes --- */

ks_rc goog_node_new(enum goog_kind kind, const char *name, struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;

    ENSURE(strlen(name) < GOOG_NAME_BYTES, KS_E_LIMIT, "a resource name of %zu bytes",
           strlen(name));
    TRY(mem_new(1, sizeof *n, &n));
    memcpy(n->name, name, strlen(name) + 1);
    n->kind = kind;
    n->doc = json_object();
    n->own = json_object();
    ENSURE(n->doc && n->own, KS_E_NO_MEMORY, "no memory for a resource");
    TRY(goog_set(n->doc, "name", json_string(name)));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

static ks_rc copy_json(const json_t *from, json_t **ret)
{
    json_t *copy = from ? json_deep_copy(from) : NULL;

    ENSURE(copy || !from, KS_E_NO_MEMORY, "no memory for a resource");
    json_decref(*ret);
    *ret = copy;
    return KS_SUCCESS;
}

ks_rc goog_node_copy(const struct goog_node *node, struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;

    TRY(goog_node_new(node->kind, node->name, &n));
    TRY(copy_json(node->doc, &n->doc));
    TRY(copy_json(node->own, &n->own));
    TRY(copy_json(node->policy, &n->policy));
    if (node->secret)
        TRY(secret_copy(secret_view(node->secret), &n->secret));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

void goog_node_free(struct goog_node *n)
{
    if (!n)
        return;
    goog_node_free(n->before);
    json_decref(n->doc);
    json_decref(n->own);
    json_decref(n->policy);
    secret_free(n->secret);
    mem_free(n);
}

void goog_node_freep(struct goog_node **n)
{
    goog_node_free(*n);
}

const char *goog_text(const struct goog_node *n, const char *member)
{
    const char *text = json_string_value(json_object_get(n->doc, member));

    return text ? text : "";
}

int64_t goog_number(const struct goog_node *n, const char *member)
{
    return (int64_t)json_integer_value(json_object_get(n->own, member));
}

ks_rc goog_set(json_t *object, const char *member, json_t *value)
{
    ENSURE(value && json_object_set_new(object, member, value) == 0, KS_E_NO_MEMORY,
           "no memory for a resource");
    return KS_SUCCESS;
}

/* --- reading the array --- */

/* The place of the first node whose name is not before name. */
static size_t place_of(const struct gcp *g, const char *name)
{
    size_t low = 0, high = g->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(g->nodes[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct gcp *g, size_t place, const char *name)
{
    return place < g->count && strcmp(g->nodes[place]->name, name) == 0;
}

const struct goog_node *goog_find(const struct realm *r, const char *name)
{
    size_t place = place_of(r->gcp, name);

    return is_at(r->gcp, place, name) ? r->gcp->nodes[place] : NULL;
}

const struct goog_node *goog_seen(struct realm *r, const struct goog_node *node)
{
    return node && node->before && realm_now_ms(r) < node->seen_ms ? node->before : node;
}

/* Below name: "name/...". Names with other characters behind name may stand between. */
static bool is_below(const char *name, const char *parent)
{
    size_t len = strlen(parent);

    return strncmp(name, parent, len) == 0 && name[len] == '/';
}

static bool is_child(const struct goog_node *n, const char *parent, enum goog_kind kind)
{
    char above[GOOG_NAME_BYTES];

    if (n->kind != kind || !is_below(n->name, parent))
        return false;
    memcpy(above, n->name, sizeof above);
    return goog_name_parent(above) && strcmp(above, parent) == 0;
}

/* Numbers are in order of length first: "9" stands before "10". */
static void each_version(const struct gcp *g, const char *parent,
                         void (*each)(void *arg, const struct goog_node *node), void *arg)
{
    for (size_t digits = 1; digits < 10; digits++)
        for (size_t i = place_of(g, parent); i < g->count; i++) {
            const struct goog_node *n = g->nodes[i];
            if (strncmp(n->name, parent, strlen(parent)) != 0)
                break;
            if (is_child(n, parent, GOOG_VERSION) && strlen(strrchr(n->name, '/')) == digits + 1)
                each(arg, n);
        }
}

void goog_each(const struct realm *r, const char *parent, enum goog_kind kind,
               void (*each)(void *arg, const struct goog_node *node), void *arg)
{
    const struct gcp *g = r->gcp;

    if (kind == GOOG_VERSION) {
        each_version(g, parent, each, arg);
        return;
    }
    for (size_t i = place_of(g, parent); i < g->count; i++) {
        if (strncmp(g->nodes[i]->name, parent, strlen(parent)) != 0)
            break;
        if (is_child(g->nodes[i], parent, kind))
            each(arg, g->nodes[i]);
    }
}

void goog_each_node(const struct realm *r, void (*each)(void *arg, const struct goog_node *node),
                    void *arg)
{
    for (size_t i = 0; i < r->gcp->count; i++)
        each(arg, r->gcp->nodes[i]);
}

struct view goog_token_key(const struct realm *r)
{
    return secret_view(r->gcp->token_key);
}

/* --- changing it --- */

static ks_rc make_room(struct gcp *g, size_t more)
{
    size_t room = g->room ? g->room : 64;

    if (g->count + more <= g->room)
        return KS_SUCCESS;
    while (room < g->count + more)
        room *= 2;
    TRY(mem_grow(room, sizeof *g->nodes, &g->nodes));
    g->room = room;
    return KS_SUCCESS;
}

/* Room was made before. */
static void put(struct gcp *g, struct goog_node *n, uint64_t seen_ms)
{
    size_t place = place_of(g, n->name);

    if (!is_at(g, place, n->name)) {
        memmove(g->nodes + place + 1, g->nodes + place, (g->count - place) * sizeof *g->nodes);
        g->count++;
    } else if (seen_ms) {
        n->before = g->nodes[place];
        n->seen_ms = seen_ms;
        goog_node_free(TAKE(n->before->before));
    } else {
        goog_node_free(g->nodes[place]);
    }
    g->nodes[place] = n;
}

static ks_rc write_record(const struct goog_node *n, struct buf *text, struct lk_change *ret)
{
    /* a version without material may have had some until now */
    enum lk_verb verb = n->kind == GOOG_VERSION && !n->secret ? LK_PUT_ANEW : LK_PUT;
    CLEANUP(json_decrefp)
    json_t *doc = json_pack("{s:i,s:O,s:O,s:O?}", "kind", (int)n->kind, "doc", n->doc, "own",
                            n->own, "policy", n->policy);

    ENSURE(doc, KS_E_NO_MEMORY, "no memory for a resource");
    TRY(json_write(doc, true, text));
    *ret = (struct lk_change){verb, {KIND, n->name, buf_view(text), n->secret}};
    return KS_SUCCESS;
}

static void free_nodes(struct goog_node **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        goog_node_free(TAKE(nodes[i]));
}

static ks_rc commit_nodes(struct realm *r, struct goog_node **nodes, size_t count,
                          const struct lk_event *event)
{
    struct lk_change changes[CHANGES_MAX];
    struct buf texts[CHANGES_MAX];
    ks_rc rc = KS_SUCCESS;

    for (size_t i = 0; i < count; i++)
        texts[i] = buf_init(RECORD_MAX);
    for (size_t i = 0; i < count && ks_ok(rc); i++)
        rc = write_record(nodes[i], &texts[i], &changes[i]);
    if (ks_ok(rc))
        rc = realm_commit(r, changes, count, event);
    for (size_t i = 0; i < count; i++)
        buf_done(&texts[i]);
    return rc;
}

ks_rc goog_commit(struct realm *r, struct goog_node **nodes, size_t count,
                  const struct lk_event *event, uint64_t lag_ms)
{
    ks_rc rc;

    ENSURE(count <= CHANGES_MAX, KS_E_BUG, "%zu changes at once", count);
    realm_write(r);
    rc = make_room(r->gcp, count);
    realm_unlock(r);
    if (ks_ok(rc))
        rc = commit_nodes(r, nodes, count, event);
    if (!ks_ok(rc)) {
        free_nodes(nodes, count);
        return rc;
    }
    realm_write(r);
    for (size_t i = 0; i < count; i++)
        put(r->gcp, TAKE(nodes[i]), lag_ms ? realm_now_ms(r) + lag_ms : 0);
    realm_unlock(r);
    return KS_SUCCESS;
}

static bool is_doomed(const struct goog_node *n, const char *name)
{
    return strcmp(n->name, name) == 0 || is_below(n->name, name);
}

static void drop(struct gcp *g, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->count; i++)
        if (is_doomed(g->nodes[i], name))
            goog_node_free(g->nodes[i]);
        else
            g->nodes[kept++] = g->nodes[i];
    g->count = kept;
}

ks_rc goog_remove(struct realm *r, const char *name, const struct lk_event *event)
{
    struct lk_change changes[CHANGES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < r->gcp->count; i++) {
        if (!is_doomed(r->gcp->nodes[i], name))
            continue;
        ENSURE(count < CHANGES_MAX, KS_E_LIMIT, "there is too much below %.200s", name);
        changes[count++] =
            (struct lk_change){LK_DELETE, {.kind = KIND, .id = r->gcp->nodes[i]->name}};
    }
    TRY(realm_commit(r, changes, count, event));
    realm_write(r);
    drop(r->gcp, name);
    realm_unlock(r);
    return KS_SUCCESS;
}

/* --- opening --- */

static ks_rc read_record(const struct lk_record *record, struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;
    CLEANUP(json_decrefp) json_t *all = NULL;
    json_t *doc, *own, *policy = NULL;
    int64_t kind;

    TRY(json_read(record->json, (struct json_limits){RECORD_MAX, DEPTH_MAX}, record->id, &all));
    TRY(json_get_int(all, "kind", 0, GOOG_KINDS - 1, &kind));
    TRY(json_get_object(all, "doc", &doc));
    TRY(json_get_object(all, "own", &own));
    TRY(json_may_object(all, "policy", &policy));
    TRY(goog_node_new((enum goog_kind)kind, record->id, &n));
    TRY(copy_json(doc, &n->doc));
    TRY(copy_json(own, &n->own));
    TRY(copy_json(policy, &n->policy));
    if (record->secret)
        TRY(secret_copy(secret_view(record->secret), &n->secret));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

static ks_rc load_one(void *arg, const struct lk_record *record)
{
    struct gcp *g = arg;
    struct goog_node *n = NULL;
    ks_rc rc = read_record(record, &n);

    if (rc.cls == KS_CLASS_USAGE)
        rc = ks_fail(KS_E_CORRUPT, "the record of %.200s is none of a resource", record->id);
    TRY(rc);
    rc = make_room(g, 1);
    if (!ks_ok(rc)) {
        goog_node_free(n);
        return rc;
    }
    put(g, n, 0);
    return KS_SUCCESS;
}

static ks_rc load_token_key(void *arg, const struct lk_record *record)
{
    struct gcp *g = arg;

    ENSURE(record->secret && !g->token_key, KS_E_CORRUPT, "the record of the token key is bad");
    return secret_copy(secret_view(record->secret), &g->token_key);
}

static ks_rc make_token_key(struct realm *r)
{
    CLEANUP(secret_freep) struct secret *key = NULL;
    struct lk_event event = {.operation = "keystead:makeTokenKey", .outcome = "ok"};

    TRY(secret_new(TOKEN_KEY_BYTES, &key));
    TRY(random_fill(r->random, secret_bytes(key), TOKEN_KEY_BYTES));
    struct lk_change change = {LK_PUT, {OWN_KIND, TOKEN_KEY, view_text("{}"), key}};
    TRY(realm_commit(r, &change, 1, &event));
    r->gcp->token_key = TAKE(key);
    return KS_SUCCESS;
}

ks_rc goog_open(struct realm *r)
{
    TRY(mem_new(1, sizeof *r->gcp, &r->gcp));
    TRY(lk_store_load(r->store, KIND, load_one, r->gcp));
    TRY(lk_store_load(r->store, OWN_KIND, load_token_key, r->gcp));
    return r->gcp->token_key ? KS_SUCCESS : make_token_key(r);
}

void goog_close(struct realm *r)
{
    struct gcp *g = TAKE(r->gcp);

    if (!g)
        return;
    for (size_t i = 0; i < g->count; i++)
        goog_node_free(g->nodes[i]);
    mem_free(g->nodes);
    secret_free(g->token_key);
    mem_free(g);
}
