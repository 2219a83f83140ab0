/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/history.c - all keys that a cluster ever had, and whether deleting one at its service would lose data.
 *
 * A key is safe to delete when no volume has a wrap under it any more, and that is known: a volume whose node has not been heard, or
 * that has not reached its wish, may still have a wrap that nobody has told of. When in doubt: not safe.
 *
 * A key is a type and a uri, and what is deleted at the service is that: each time it came in force, in each region and with each principal,
 * is a row of its own, and one that is needed makes all of them unsafe. Other clusters are not looked at: there is no index by uri, and
 * to go through all clusters of an organisation has no bound.
 *
 * A cluster may have thousands of volumes and of past keys: each pair of a region is looked at, by a search among sorted wraps; rows of the
 * same key are found by sorting.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/message.h"

/* What speaks against deleting a key, the greatest last. */
enum need { NEED_NONE, NEED_UNKNOWN, NEED_ACTIVE, NEED_IN_FORCE };

/* How much one row of a key is needed, by itself. */
struct standing {
    enum need need;
    int64_t active, unknown;
    const struct region_key *key;
    const struct cluster_volume *doubt; /* the first of the unknown */
};

struct past_key {
    struct standing own, same; /* same: that of the row of the same key that is needed most */
};

struct history {
    struct control *c;
    struct store_view *v;
    size_t volume_count, wrap_count, key_count;
    struct cluster_volume *volumes; /* of the cluster */
    struct volume_key *wraps;       /* of all of them, by volume and key */
    bool *are_unknown;              /* for each volume: what it has is not known for sure */
    struct region_key *rows;        /* as they are stored */
    struct past_key *keys;          /* one for each */
};

static void history_done(struct history *h)
{
    mem_free(h->volumes);
    mem_free(h->wraps);
    mem_free(h->are_unknown);
    mem_free(h->rows);
    mem_free(h->keys);
    store_view_end(&h->v);
}

static int compare_wrap(const void *a, const void *b)
{
    const struct volume_key *x = a, *y = b;
    int order = strcmp(x->volume, y->volume);

    return order ? order : strcmp(x->key, y->key);
}

static bool has_wrap(const struct history *h, const char *volume, const char *key)
{
    struct volume_key wanted = {.state = WRAP_ABSENT};
    const struct volume_key *found = NULL;

    memcpy(wanted.volume, volume, ID_BYTES);
    memcpy(wanted.key, key, ID_BYTES);
    if (h->wrap_count)
        found = bsearch(&wanted, h->wraps, h->wrap_count, sizeof wanted, compare_wrap);
    return found && found->state == WRAP_ACTIVE;
}

/* Asked once for each volume, not for each of its region's keys. */
static ks_rc read_unknown(struct history *h)
{
    TRY(mem_new(h->volume_count + 1, sizeof *h->are_unknown, &h->are_unknown));
    for (size_t i = 0; i < h->volume_count; i++) {
        const struct cluster_volume *v = &h->volumes[i];
        struct node node;
        TRY(store_node_get(h->v, v->node, &node));
        h->are_unknown[i] = node_is_away(h->c, &node) || v->reached < v->goal;
    }
    return KS_SUCCESS;
}

/* -- how much a key is needed ---------------------------------------------------------------------------------------- */

static void count_volumes(const struct history *h, struct standing *s)
{
    for (size_t i = 0; i < h->volume_count; i++) {
        const struct cluster_volume *v = &h->volumes[i];
        if (strcmp(v->region, s->key->region) != 0)
            continue;
        if (has_wrap(h, v->id, s->key->id))
            s->active++;
        else if (h->are_unknown[i] && s->unknown++ == 0)
            s->doubt = v;
    }
}

static struct standing stand_alone(const struct history *h, const struct region_key *key)
{
    struct standing s = {.key = key};

    count_volumes(h, &s);
    if (key->is_wanted)
        s.need = NEED_IN_FORCE;
    else if (s.active)
        s.need = NEED_ACTIVE;
    else if (s.unknown)
        s.need = NEED_UNKNOWN;
    return s;
}

static int compare_age(const void *a, const void *b)
{
    int64_t x = ((const struct past_key *)a)->own.key->number,
            y = ((const struct past_key *)b)->own.key->number;

    return x < y ? 1 : x > y ? -1 : 0;
}

static int compare_spec(const void *a, const void *b)
{
    const struct key_spec *x = &((const struct past_key *)a)->own.key->spec,
                          *y = &((const struct past_key *)b)->own.key->spec;
    int order = strcmp(x->type, y->type);

    if (order == 0)
        order = strcmp(x->uri, y->uri);
    return order ? order : compare_age(a, b);
}

/* Rows of one key. */
static void stand_together(struct past_key *keys, size_t count)
{
    struct standing most = keys[0].own;

    for (size_t i = 1; i < count; i++)
        if (keys[i].own.need > most.need)
            most = keys[i].own;
    for (size_t i = 0; i < count; i++)
        keys[i].same = most;
}

/* Leaves them newest first. */
static void judge_keys(struct history *h)
{
    size_t end;

    for (size_t i = 0; i < h->key_count; i++)
        h->keys[i].own = stand_alone(h, &h->rows[i]);
    if (h->key_count)
        qsort(h->keys, h->key_count, sizeof *h->keys, compare_spec);
    for (size_t i = 0; i < h->key_count; i = end) {
        const struct key_spec *spec = &h->keys[i].own.key->spec;
        for (end = i + 1; end < h->key_count && key_spec_is_same(spec, &h->keys[end].own.key->spec);
             end++)
            ;
        stand_together(&h->keys[i], end - i);
    }
    if (h->key_count)
        qsort(h->keys, h->key_count, sizeof *h->keys, compare_age);
}

/* -- what is told ---------------------------------------------------------------------------------------------------- */

static ks_rc tell_doubt(const struct history *h, const struct cluster_volume *v,
                        char ret[MESSAGE_BYTES])
{
    struct node node;
    char seen[NAME_BYTES] = "";

    TRY(store_node_get(h->v, v->node, &node));
    node_seen_text(h->c, &node, seen);
    message_put(ret, MESSAGE_BYTES,
                "what volume %u of region %s on node %s (%s) has is not known: it has not reached "
                "what is asked of it",
                v->ordinal, v->region, node.name, seen);
    return KS_SUCCESS;
}

static void tell_own(const struct standing *s, char ret[MESSAGE_BYTES])
{
    if (s->need == NEED_IN_FORCE)
        message_put(ret, MESSAGE_BYTES, "the key is in force");
    else
        message_put(ret, MESSAGE_BYTES, "%lld volumes can still be opened by it",
                    (long long)s->active);
}

static void tell_same(const struct standing *s, char ret[MESSAGE_BYTES])
{
    if (s->need == NEED_IN_FORCE)
        message_put(ret, MESSAGE_BYTES, "the same key is in force in region %s", s->key->region);
    else
        message_put(ret, MESSAGE_BYTES, "%lld volumes of region %s can still be opened by it",
                    (long long)s->active, s->key->region);
}

static ks_rc tell_because(const struct history *h, const struct past_key *k,
                          char ret[MESSAGE_BYTES])
{
    if (k->same.need == NEED_NONE)
        message_put(ret, MESSAGE_BYTES,
                    "no volume of this cluster has it any more; other clusters are not looked at, "
                    "and copies that were made of volumes while it was in force need it");
    else if (k->same.need == NEED_UNKNOWN)
        return tell_doubt(h, k->own.doubt ? k->own.doubt : k->same.doubt, ret);
    else if (k->own.need == k->same.need)
        tell_own(&k->own, ret);
    else
        tell_same(&k->same, ret);
    return KS_SUCCESS;
}

static json_t *time_json(int64_t at)
{
    char text[CLOCK_TEXT_BYTES];

    clock_format(at, text);
    return at ? json_string(text) : json_null();
}

static json_t *spec_json(const struct key_spec *spec)
{
    return json_pack("{s:s, s:s, s:s}", "type", spec->type, "uri", spec->uri, "auth_principal",
                     spec->auth_principal);
}

static json_t *key_json(const struct past_key *past, const char *because)
{
    const struct region_key *k = past->own.key;

    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:b, s:s}", "id", k->id,
                     "region", k->region, "key", spec_json(&k->spec), "status",
                     cmek_status_name(k->status), "version", k->version, "user_message", k->message,
                     "created_at", time_json(k->created), "retired_at", time_json(k->retired),
                     "volumes_active", (json_int_t)past->own.active, "volumes_unknown",
                     (json_int_t)past->own.unknown, "is_safe_to_delete",
                     past->same.need == NEED_NONE, "because", because);
}

static ks_rc fill(const struct history *h, json_t *list)
{
    for (size_t i = 0; i < h->key_count; i++) {
        char because[MESSAGE_BYTES] = "";
        TRY(tell_because(h, &h->keys[i], because));
        ENSURE(json_array_append_new(list, key_json(&h->keys[i], because)) == 0, KS_E_NO_MEMORY,
               "no memory for the history");
    }
    return KS_SUCCESS;
}

static ks_rc read_history(struct history *h, const struct caller *by, const char *cluster)
{
    CLEANUP(mem_freep) struct cluster *row = NULL;

    TRY(mem_new(1, sizeof *row, &row));
    TRY(store_view_begin(h->c->store, &h->v));
    TRY(cluster_find(h->v, by, cluster, row));
    TRY(store_volumes(h->v, cluster, NULL, &h->volumes, &h->volume_count));
    TRY(store_volume_keys_of_cluster(h->v, cluster, &h->wraps, &h->wrap_count));
    TRY(read_unknown(h));
    TRY(store_region_keys(h->v, cluster, NULL, &h->rows, &h->key_count));
    TRY(mem_new(h->key_count + 1, sizeof *h->keys, &h->keys));
    judge_keys(h);
    return KS_SUCCESS;
}

ks_rc control_cmek_history(struct control *c, const struct caller *by, const char *cluster,
                           json_t **ret)
{
    CLEANUP(history_done) struct history h = {.c = c};

    TRY(read_history(&h, by, cluster));
    json_t *list = json_array();
    ENSURE(list, KS_E_NO_MEMORY, "no memory for the history");
    ks_rc rc = fill(&h, list);
    if (!ks_ok(rc)) {
        json_decref(list);
        return rc;
    }
    *ret = list;
    return KS_SUCCESS;
}
