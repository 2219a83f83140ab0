/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/history.c - all keys that a cluster ever had, and whether deleting one at its service would lose data.
 *
 * A key is safe to delete when no volume has a wrap under it any more, and that is known: a volume whose node has not been heard, or
 * that has not reached its wish, may still have a wrap that nobody has told of. When in doubt: not safe.
 *
 * A cluster may have thousands of volumes and of past keys: each pair of a region is looked at, by a search among sorted wraps.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/message.h"

struct history {
    struct control *c;
    struct store_view *v;
    size_t volume_count, wrap_count;
    struct cluster_volume *volumes; /* of the cluster */
    struct volume_key *wraps;       /* of all of them, by volume and key */
    bool *are_unknown;              /* for each volume: what it has is not known for sure */
};

static void history_done(struct history *h)
{
    mem_free(h->volumes);
    mem_free(h->wraps);
    mem_free(h->are_unknown);
    store_view_end(&h->v);
}

struct verdict {
    int64_t active, unknown;
    char because[MESSAGE_BYTES];
};

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

/* The first of them is told. */
static ks_rc count_unknown(const struct history *h, const struct cluster_volume *v,
                           struct verdict *ret)
{
    struct node node;
    char seen[NAME_BYTES] = "";

    if (ret->unknown++)
        return KS_SUCCESS;
    TRY(store_node_get(h->v, v->node, &node));
    node_seen_text(h->c, &node, seen);
    message_put(ret->because, sizeof ret->because,
                "what volume %u on node %s (%s) has is not known: it has not reached what is asked "
                "of it",
                v->ordinal, node.name, seen);
    return KS_SUCCESS;
}

static ks_rc judge(const struct history *h, const struct region_key *k, struct verdict *ret)
{
    for (size_t i = 0; i < h->volume_count; i++) {
        const struct cluster_volume *v = &h->volumes[i];
        if (strcmp(v->region, k->region) != 0)
            continue;
        if (has_wrap(h, v->id, k->id))
            ret->active++;
        else if (h->are_unknown[i])
            TRY(count_unknown(h, v, ret));
    }
    if (k->is_wanted)
        message_put(ret->because, sizeof ret->because, "the key is in force");
    else if (ret->active)
        message_put(ret->because, sizeof ret->because, "%lld volumes can still be opened by it",
                    (long long)ret->active);
    else if (!ret->unknown)
        message_put(ret->because, sizeof ret->because,
                    "no volume has it any more; only copies that were made of volumes while it was "
                    "in force do");
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

static json_t *key_json(const struct region_key *k, const struct verdict *verdict)
{
    bool is_safe = !k->is_wanted && !verdict->active && !verdict->unknown;

    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:b, s:s}", "id", k->id,
                     "region", k->region, "key", spec_json(&k->spec), "status",
                     cmek_status_name(k->status), "version", k->version, "user_message", k->message,
                     "created_at", time_json(k->created), "retired_at", time_json(k->retired),
                     "volumes_active", (json_int_t)verdict->active, "volumes_unknown",
                     (json_int_t)verdict->unknown, "is_safe_to_delete", (int)is_safe, "because",
                     verdict->because);
}

static int compare_age(const void *a, const void *b)
{
    int64_t x = ((const struct region_key *)a)->number, y = ((const struct region_key *)b)->number;

    return x < y ? 1 : x > y ? -1 : 0;
}

static ks_rc fill(const struct history *h, const char *cluster, json_t *list)
{
    CLEANUP(mem_freep) struct region_key *keys = NULL;
    size_t count;

    TRY(store_region_keys(h->v, cluster, NULL, &keys, &count));
    if (count)
        qsort(keys, count, sizeof *keys, compare_age);
    for (size_t i = 0; i < count; i++) {
        struct verdict verdict = {0};
        TRY(judge(h, &keys[i], &verdict));
        ENSURE(json_array_append_new(list, key_json(&keys[i], &verdict)) == 0, KS_E_NO_MEMORY,
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
    return read_unknown(h);
}

ks_rc control_cmek_history(struct control *c, const struct caller *by, const char *cluster,
                           json_t **ret)
{
    CLEANUP(history_done) struct history h = {.c = c};

    TRY(read_history(&h, by, cluster));
    json_t *list = json_array();
    ENSURE(list, KS_E_NO_MEMORY, "no memory for the history");
    ks_rc rc = fill(&h, cluster, list);
    if (!ks_ok(rc)) {
        json_decref(list);
        return rc;
    }
    *ret = list;
    return KS_SUCCESS;
}
