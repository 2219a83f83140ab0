/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/scene_read.c - a region out of the store, as the reconciler looks at it.
 */
#include <string.h>

#include "base/mem.h"
#include "control/scene.h"

enum { STEPS_READ_MAX = 200 }; /* running operations of a cluster */

void scene_freep(struct scene **s)
{
    if (!*s)
        return;
    mem_free((*s)->volumes);
    mem_free((*s)->nodes);
    mem_free((*s)->volume_keys);
    mem_freep(s);
}

/* -- keys -------------------------------------------------------------------------------------------------------------- */

static bool is_past(const struct region_key *k)
{
    return k->status == CMEK_DISABLED || k->status == CMEK_ENABLE_FAILED;
}

/* The oldest first: new ones are appended behind. */
static ks_rc read_keys(struct scene *s)
{
    CLEANUP(mem_freep) struct region_key *rows = NULL;
    struct rec *r = &s->rec;
    size_t count;

    TRY(store_region_keys(store_tx_view(s->w->tx), s->cluster.id, s->region.name, &rows, &count));
    for (size_t i = count; i--;) {
        if (is_past(&rows[i]))
            continue;
        ENSURE(r->key_count < REC_KEYS_MAX, KS_E_CORRUPT, "region %s has too many keys at work",
               s->region.name);
        s->keys[r->key_count] = rows[i];
        r->keys[r->key_count++] = (struct rec_key){
            .status = rows[i].status, .is_wanted = rows[i].is_wanted, .since = rows[i].updated};
    }
    return KS_SUCCESS;
}

/* -- volumes ----------------------------------------------------------------------------------------------------------- */

enum rec_error scene_error(const char *error_class)
{
    static const struct {
        const char *name;
        enum rec_error error;
    } table[] = {
        {"", REC_ERROR_NONE},    {"OK", REC_ERROR_NONE},    {"DENIED", REC_ERROR_NO},
        {"USAGE", REC_ERROR_NO}, {"CORRUPT", REC_ERROR_NO}, {"UNREACHABLE", REC_ERROR_SILENT},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, error_class) == 0)
            return table[i].error;
    }
    return REC_ERROR_OTHER;
}

static enum rec_level level_of(const char *name)
{
    static const char *const names[] = {
        [REC_REWRAP] = "rewrap", [REC_STORE] = "store", [REC_DATA] = "data"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0)
            return (enum rec_level)i;
    }
    return REC_REENCRYPT;
}

static struct rec_volume volume_facts(const struct scene *s, const struct cluster_volume *row,
                                      const struct node *node)
{
    struct rec_volume v = {
        .is_wanted = row->is_wanted,
        .is_current = row->reached >= row->goal,
        .is_away = node_is_away(s->w->c, node),
        .has_receipt = row->receipt[0] != 0,
        .is_platform = row->is_platform,
        .access = row->access,
        .cause = row->cause,
        .done = {row->done_rewrap, row->done_store, row->done_data, row->done_reencrypt,
                 row->done_restore},
        .bytes_done = row->bytes_done,
        .bytes_total = row->bytes_total,
        .rate = row->rate,
    };

    if (row->failed_level[0]) {
        v.failed_level = level_of(row->failed_level);
        v.failed_error = scene_error(row->failed_class[0] ? row->failed_class : "IO");
    }
    return v;
}

static ks_rc read_wraps(struct scene *s, size_t i)
{
    CLEANUP(mem_freep) struct volume_key *rows = NULL;
    struct volume_key *own = &s->volume_keys[i * REC_KEYS_MAX];
    size_t count;

    TRY(store_volume_keys(store_tx_view(s->w->tx), s->volumes[i].id, &rows, &count));
    for (size_t n = 0; n < count; n++) {
        for (size_t k = 0; k < s->rec.key_count; k++) {
            if (strcmp(rows[n].key, s->keys[k].id) != 0)
                continue;
            own[k] = rows[n];
            s->rec.volumes[i].wraps[k].state = rows[n].state;
            if (rows[n].state == WRAP_FAILED)
                s->rec.volumes[i].wraps[k].error =
                    scene_error(rows[n].error_class[0] ? rows[n].error_class : "IO");
        }
    }
    return KS_SUCCESS;
}

static ks_rc read_node(struct scene *s, size_t i)
{
    for (size_t other = 0; other < i; other++) {
        if (strcmp(s->volumes[other].node, s->volumes[i].node) == 0) {
            s->nodes[i] = s->nodes[other];
            return KS_SUCCESS;
        }
    }
    return store_node_get(store_tx_view(s->w->tx), s->volumes[i].node, &s->nodes[i]);
}

static ks_rc read_volumes(struct scene *s)
{
    TRY(store_volumes(store_tx_view(s->w->tx), s->cluster.id, s->region.name, &s->volumes,
                      &s->volume_count));
    ENSURE(s->volume_count <= REC_VOLUMES_MAX, KS_E_CORRUPT, "region %s has too many volumes",
           s->region.name);
    TRY(mem_new(s->volume_count + 1, sizeof *s->nodes, &s->nodes));
    TRY(mem_new(s->volume_count * REC_KEYS_MAX + 1, sizeof *s->volume_keys, &s->volume_keys));
    for (size_t i = 0; i < s->volume_count; i++) {
        TRY(read_node(s, i));
        s->rec.volumes[i] = volume_facts(s, &s->volumes[i], &s->nodes[i]);
        TRY(read_wraps(s, i));
    }
    s->rec.volume_count = s->volume_count;
    return KS_SUCCESS;
}

/* -- operations ---------------------------------------------------------------------------------------------------------- */

static bool is_of_cmek(enum operation_kind kind)
{
    return kind >= OPERATION_CMEK_ENABLE && kind < OPERATION_KIND_COUNT;
}

static void take_step(struct scene *s, const struct operation *o, const struct operation_step *step)
{
    s->steps[s->step_count++] = (struct scene_step){*o, *step};
    s->rec.steps[s->rec.step_count++] = (struct rec_step){
        .kind = o->kind, .state = step->state, .serial = step->serial, .began = o->created};
}

static ks_rc read_steps_of(struct scene *s, const struct operation *o)
{
    CLEANUP(mem_freep) struct operation_step *rows = NULL;
    size_t count;

    if (!is_of_cmek(o->kind))
        return KS_SUCCESS;
    TRY(store_operation_steps(store_tx_view(s->w->tx), o->id, &rows, &count));
    for (size_t i = 0; i < count && s->step_count < REC_STEPS_MAX; i++) {
        if (rows[i].state == OPERATION_RUNNING && strcmp(rows[i].region, s->region.name) == 0)
            take_step(s, o, &rows[i]);
    }
    return KS_SUCCESS;
}

static ks_rc read_steps(struct scene *s)
{
    CLEANUP(mem_freep) struct operation *rows = NULL;
    struct store_page page = {.count_max = STEPS_READ_MAX};
    size_t count;

    TRY(store_operations_running(store_tx_view(s->w->tx), s->cluster.id, &page, &rows, &count));
    for (size_t i = 0; i < count; i++)
        TRY(read_steps_of(s, &rows[i]));
    return KS_SUCCESS;
}

ks_rc scene_add_step(struct scene *s, const struct operation *o, uint32_t serial)
{
    struct operation_step step = {.state = OPERATION_RUNNING, .serial = serial};

    ENSURE(s->step_count < REC_STEPS_MAX, KS_E_LIMIT,
           "region %s: too many operations are running; wait for some of them", s->region.name);
    memcpy(step.operation, o->id, ID_BYTES);
    memcpy(step.region, s->region.name, NAME_BYTES);
    TRY(store_operation_step_put(s->w->tx, &step));
    take_step(s, o, &step);
    return KS_SUCCESS;
}

ks_rc scene_add_key(struct scene *s, size_t at, const struct key_spec *spec)
{
    struct region_key *k = &s->keys[at];

    memset(k, 0, sizeof *k);
    TRY(store_tx_id(s->w->tx, k->id));
    TRY(store_tx_next(s->w->tx, STORE_KEY, &k->number));
    memcpy(k->cluster, s->cluster.id, ID_BYTES);
    memcpy(k->region, s->region.name, NAME_BYTES);
    k->spec = *spec;
    k->created = s->w->now;
    s->is_key_new[at] = true;
    return KS_SUCCESS;
}

/* -- all of it ------------------------------------------------------------------------------------------------------------ */

static void read_region(struct scene *s)
{
    const struct region *from = &s->region;

    s->rec.now = s->w->now;
    s->rec.region = (struct rec_region){
        .is_removing = from->state == REGION_REMOVING,
        .status = from->status,
        .is_revoked = from->is_revoked,
        .is_platform_wanted = from->is_platform_wanted,
        .serial = {from->serial_rewrap, from->serial_store, from->serial_data,
                   from->serial_reencrypt, from->serial_restore},
        .access = from->access,
        .cause = from->cause,
    };
}

ks_rc scene_read(struct work *w, const char *cluster, const char *region, struct scene **ret)
{
    CLEANUP(scene_freep) struct scene *s = NULL;
    struct store_view *v = store_tx_view(w->tx);

    TRY(mem_new(1, sizeof *s, &s));
    s->w = w;
    TRY(store_cluster_get(v, cluster, &s->cluster));
    TRY(store_region_get(v, cluster, region, &s->region));
    read_region(s);
    TRY(read_keys(s));
    TRY(read_volumes(s));
    TRY(read_steps(s));
    s->before = s->rec;
    *ret = TAKE(s);
    return KS_SUCCESS;
}
