/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/scene_write.c - what the reconciler made of a region, back into the store: only what has changed, with the events that tell
 * of it.
 */
#include <string.h>

#include "base/mem.h"
#include "control/check.h"
#include "control/message.h"
#include "control/scene.h"
#include "control/schedule.h"

static ks_rc tell(struct scene *s, const struct caller *by, const char *action, json_t *detail)
{
    char object[128] = "";

    message_put(object, sizeof object, "region/%s", s->region.name);
    struct store_event event = {
        .action = action,
        .organisation = s->cluster.organisation,
        .cluster = s->cluster.id,
        .object = object,
        .detail = detail,
    };
    return store_tx_audit(s->w->tx, by, &event);
}

/* -- keys --------------------------------------------------------------------------------------------------------------- */

static const char *version_on_volumes(const struct scene *s, size_t k)
{
    for (size_t i = 0; i < s->volume_count; i++) {
        const struct volume_key *wrap = &s->volume_keys[i * REC_KEYS_MAX + k];
        if (s->volumes[i].is_wanted && wrap->state == WRAP_ACTIVE && wrap->version[0])
            return wrap->version;
    }
    return s->keys[k].version;
}

static bool take_key_status(struct scene *s, size_t k)
{
    struct region_key *row = &s->keys[k];
    const struct rec_key *key = &s->rec.keys[k];

    if (row->status == key->status && row->is_wanted == key->is_wanted && !s->is_key_new[k])
        return false;
    if (row->status != key->status || s->is_key_new[k])
        row->updated = s->w->now;
    row->status = key->status;
    row->is_wanted = key->is_wanted;
    if (key->status == CMEK_DISABLED || key->status == CMEK_ENABLE_FAILED)
        row->retired = s->w->now;
    return true;
}

static ks_rc write_key(struct scene *s, size_t k, bool *is_seen)
{
    struct region_key *row = &s->keys[k];
    char version[KEY_VERSION_BYTES] = "", text[MESSAGE_BYTES] = "";
    bool is_changed = take_key_status(s, k);

    message_copy(version, sizeof version, version_on_volumes(s, k));
    is_changed |= message_copy(row->version, sizeof row->version, version);
    if (s->rec.keys[k].why.reason != REC_WHY_KEEP) {
        reason_put(s, s->rec.keys[k].why, text);
        is_changed |= message_copy(row->message, sizeof row->message, text);
    }
    if (!is_changed)
        return KS_SUCCESS;
    *is_seen = true;
    return store_region_key_put(s->w->tx, row);
}

/* -- the region ------------------------------------------------------------------------------------------------------------- */

static ks_rc tell_status(struct scene *s, const struct caller *by)
{
    return tell(s, by, "cmek.status",
                json_pack("{s:s, s:s, s:s, s:s}", "from", cmek_status_name(s->before.region.status),
                          "to", cmek_status_name(s->rec.region.status), "cause",
                          cause_name(s->rec.region.cause), "message", s->region.message));
}

static void take_region(struct scene *s)
{
    struct region *row = &s->region;
    const struct rec_region *from = &s->rec.region;

    row->status = from->status;
    row->is_revoked = from->is_revoked;
    row->is_platform_wanted = from->is_platform_wanted;
    row->serial_rewrap = from->serial[REC_REWRAP];
    row->serial_store = from->serial[REC_STORE];
    row->serial_data = from->serial[REC_DATA];
    row->serial_reencrypt = from->serial[REC_REENCRYPT];
    row->serial_restore = from->serial[REC_RESTORE];
    row->access = from->access;
    row->cause = from->cause;
}

static bool is_region_same(const struct region *a, const struct region *b)
{
    return a->status == b->status && a->is_revoked == b->is_revoked &&
           a->is_platform_wanted == b->is_platform_wanted && a->serial_rewrap == b->serial_rewrap &&
           a->serial_store == b->serial_store && a->serial_data == b->serial_data &&
           a->serial_reencrypt == b->serial_reencrypt && a->serial_restore == b->serial_restore &&
           a->access == b->access && a->cause == b->cause && strcmp(a->message, b->message) == 0;
}

static ks_rc write_region(struct scene *s, const struct caller *by, bool *is_seen)
{
    char text[MESSAGE_BYTES] = "";
    struct region was = s->region;

    take_region(s);
    if (s->rec.region.why.reason != REC_WHY_KEEP) {
        reason_put(s, s->rec.region.why, text);
        message_copy(s->region.message, sizeof s->region.message, text);
    }
    if (is_region_same(&was, &s->region))
        return KS_SUCCESS;
    *is_seen = true;
    s->region.updated = s->w->now;
    TRY(store_region_put(s->w->tx, &s->region));
    return was.status == s->region.status ? KS_SUCCESS : tell_status(s, by);
}

/* -- what volumes are to do ----------------------------------------------------------------------------------------------- */

static ks_rc write_wish(struct scene *s, const struct caller *by)
{
    if (rec_wish_is_same(&s->before, &s->rec))
        return KS_SUCCESS;
    TRY(wish_changed_of(s->w, s->volumes, s->volume_count));
    json_t *keys = json_array();
    for (size_t k = 0; k < s->rec.key_count; k++) {
        if (s->rec.keys[k].is_wanted)
            /* a detail that lacks memory is left out; the event itself is not */
            (void)json_array_append_new(keys, json_string(s->keys[k].id));
    }
    return tell(s, by, "cmek.wish",
                json_pack("{s:o, s:b, s:b}", "keys", keys, "platform",
                          (int)s->rec.region.is_platform_wanted, "revoked",
                          (int)s->rec.region.is_revoked));
}

/* -- operations ---------------------------------------------------------------------------------------------------------------- */

static ks_rc write_step(struct scene *s, size_t i)
{
    struct scene_step *at = &s->steps[i];
    const struct rec_step *from = &s->rec.steps[i];
    char text[MESSAGE_BYTES] = "";
    bool is_changed = at->step.state != from->state;

    at->step.state = from->state;
    if (from->why.reason != REC_WHY_KEEP) {
        reason_put(s, from->why, text);
        is_changed |= message_copy(at->step.message, sizeof at->step.message, text);
    }
    is_changed |= operation_count(&at->step, at->operation.kind, s->volumes, s->volume_count);
    if (from->state == OPERATION_FAILED && from->why.reason != REC_WHY_KEEP)
        reason_error(s, from->why, at->operation.error_class, at->operation.error_code);
    if (is_changed) {
        store_tx_observe(s->w->tx);
        TRY(store_operation_step_put(s->w->tx, &at->step));
    }
    return operation_settle(s->w, &at->operation);
}

static ks_rc begin_reencrypt(struct scene *s)
{
    struct operation_wish wish = {OPERATION_REENCRYPT, s->cluster.organisation, s->cluster.id};
    struct operation o;

    if (!s->rec.is_reencrypt_due || s->step_count == REC_STEPS_MAX)
        return KS_SUCCESS;
    s->rec.is_reencrypt_due = false;
    TRY(operation_begin(s->w, NULL, &wish, &o));
    TRY(scene_add_step(s, &o, s->rec.region.serial[REC_REENCRYPT]));
    return tell(s, NULL, "cmek.reencrypt", json_pack("{s:s}", "operation", o.id));
}

static ks_rc write_steps(struct scene *s)
{
    TRY(begin_reencrypt(s));
    for (size_t i = 0; i < s->step_count; i++)
        TRY(write_step(s, i));
    return KS_SUCCESS;
}

/* -- all of it -------------------------------------------------------------------------------------------------------------------- */

ks_rc scene_write(struct scene *s, const struct caller *by)
{
    bool is_seen = false; /* something that callers see */

    rec_settle(&s->rec);
    for (size_t k = 0; k < s->rec.key_count; k++)
        TRY(write_key(s, k, &is_seen));
    TRY(write_region(s, by, &is_seen));
    TRY(write_wish(s, by));
    TRY(write_steps(s));
    if (!is_seen)
        return KS_SUCCESS;
    store_tx_observe(s->w->tx);
    return cluster_touch(s->w, s->cluster.id);
}

ks_rc reconcile_region(struct work *w, const char *cluster, const char *region)
{
    CLEANUP(scene_freep) struct scene *s = NULL;

    TRY(scene_read(w, cluster, region, &s));
    check_expire(s);
    TRY(schedule_settle(w, &s->cluster));
    return scene_write(s, NULL);
}
