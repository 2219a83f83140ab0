/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/report_volume.c - what is reported of a volume, into its rows.
 *
 * Events are for transitions only: that data cannot be read any more, that it can again, that the key service is silent.
 */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/live.h"
#include "control/message.h"
#include "control/report_int.h"

static const char *transition(enum access from, enum access to)
{
    if (from == to)
        return NULL;
    switch (to) {
    case ACCESS_LOCKED:
        return "volume.locked";
    case ACCESS_OPEN:
        return "volume.opened";
    case ACCESS_GRACE:
        return "volume.grace";
    case ACCESS_FAILED:
        return "volume.failed";
    case ACCESS_NONE:
    case ACCESS_LOCKING:
    case ACCESS_COUNT:
        break;
    }
    return NULL;
}

/* A keyring that was put back is an event of its own, whatever became of the access. */
static const char *event_of(const struct cluster_volume *was, const struct cluster_volume *now)
{
    if (now->cause == CAUSE_ROLLED_BACK && was->cause != CAUSE_ROLLED_BACK)
        return "volume.rolled_back";
    return transition(was->access, now->access);
}

ks_rc taking_cluster(struct taking *t, const struct cluster_volume *v)
{
    if (strcmp(t->cluster.id, v->cluster) == 0)
        return KS_SUCCESS;
    return store_cluster_get(store_tx_view(t->w->tx), v->cluster, &t->cluster);
}

static ks_rc tell(struct taking *t, const struct cluster_volume *v, const char *action)
{
    char object[128] = "";

    TRY(taking_cluster(t, v));
    message_put(object, sizeof object, "volume/%s", v->id);
    struct store_event event = {
        .action = action,
        .organisation = t->cluster.organisation,
        .cluster = v->cluster,
        .object = object,
        .detail = json_pack("{s:s, s:s, s:s, s:s}", "region", v->region, "node", t->node, "cause",
                            cause_name(v->cause), "message", v->message),
    };
    return store_tx_audit(t->w->tx, NULL, &event);
}

/* Only the node's own notes make an anchor fall here (an acceptance does it before the node hears of it): who can write them can, so it is
 * told. */
static bool is_lowered(const struct anchor *was, const struct anchor *now)
{
    return was->volume[0] && !anchor_holds(was, now->volume, now->sequence);
}

static ks_rc tell_lowered(struct taking *t, const struct cluster_volume *was,
                          const struct cluster_volume *v)
{
    char object[128] = "";

    TRY(taking_cluster(t, v));
    message_put(object, sizeof object, "volume/%s", v->id);
    struct store_event event = {
        .action = "volume.keyring_lowered",
        .organisation = t->cluster.organisation,
        .cluster = v->cluster,
        .object = object,
        .detail =
            json_pack("{s:s, s:s, s:I, s:I, s:b}", "region", v->region, "node", t->node, "from",
                      (json_int_t)was->anchor.sequence, "to", (json_int_t)v->anchor.sequence,
                      "other_keyring", !anchor_is_of(&was->anchor, v->anchor.volume)),
    };
    return store_tx_audit(t->w->tx, NULL, &event);
}

/* -- facts ----------------------------------------------------------------------------------------------------------------- */

static void take_failure(const struct report_volume *from, struct cluster_volume *v)
{
    message_copy(v->failed_level, sizeof v->failed_level, from->failed_level);
    message_copy(v->failed_class, sizeof v->failed_class, from->failed.error_class);
    message_copy(v->failed_code, sizeof v->failed_code, from->failed.code);
    message_copy(v->failed_message, sizeof v->failed_message, from->failed.message);
}

static void take_facts(const struct report_volume *from, struct cluster_volume *v)
{
    v->reached = from->goal;
    v->access = from->access;
    v->cause = from->cause;
    message_copy(v->message, sizeof v->message, from->message);
    v->done_rewrap = (uint32_t)from->rewrap;
    v->done_store = (uint32_t)from->store;
    v->done_data = (uint32_t)from->data;
    v->done_reencrypt = (uint32_t)from->reencrypt;
    v->done_restore = (uint32_t)from->restore;
    v->is_platform = from->is_platform;
    take_failure(from, v);
    v->bytes_done = from->bytes_done;
    v->bytes_total = from->bytes_total;
    v->rate = from->rate;
}

/* A keyring that was accepted is not found any more, also while reports from before are still coming. And one that is not older than the
 * anchor is none that could be accepted: its number is a claim, and an anchor must not rise by it. */
static void take_keyring(const struct report_volume *from, struct cluster_volume *v)
{
    bool is_before = from->anchor.accepted < v->anchor.accepted;

    /* whether it is another one now is seen by comparing all of it */
    (void)anchor_take(&v->anchor, &from->anchor);
    v->found = is_before || from->found >= v->anchor.sequence ? 0 : from->found;
}

static void take_engine(const struct report_volume *from, struct cluster_volume *v)
{
    if (!from->has_engine)
        return;
    v->engine = from->engine;
    message_copy(v->engine_message, sizeof v->engine_message, from->engine_message);
    message_copy(v->host, sizeof v->host, from->host);
    message_copy(v->connection, sizeof v->connection, from->connection);
    v->port = (uint16_t)from->port;
}

/* -- keys ------------------------------------------------------------------------------------------------------------------ */

static void fill_key(struct volume_key *row, const char *volume, const struct report_key *from)
{
    memset(row, 0, sizeof *row);
    row->state = from->state;
    message_copy(row->volume, sizeof row->volume, volume);
    message_copy(row->key, sizeof row->key, from->id);
    message_copy(row->version, sizeof row->version, from->version);
    message_copy(row->error_class, sizeof row->error_class, from->error.error_class);
    message_copy(row->error_code, sizeof row->error_code, from->error.code);
    message_copy(row->message, sizeof row->message, from->error.message);
}

static bool is_key_same(const struct volume_key *a, const struct volume_key *b)
{
    return a->state == b->state && strcmp(a->version, b->version) == 0 &&
           strcmp(a->error_class, b->error_class) == 0 &&
           strcmp(a->error_code, b->error_code) == 0 && strcmp(a->message, b->message) == 0;
}

static const struct report_key *find_key(const struct report_volume *from, const char *id)
{
    for (size_t i = 0; i < from->key_count; i++) {
        if (strcmp(from->keys[i].id, id) == 0 && from->keys[i].state != WRAP_ABSENT)
            return &from->keys[i];
    }
    return NULL;
}

static const struct volume_key *find_row(const struct volume_key *rows, size_t count,
                                         const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].key, id) == 0)
            return &rows[i];
    }
    return NULL;
}

static ks_rc put_keys(struct taking *t, const struct report_volume *from,
                      const struct volume_key *rows, size_t count, bool *is_changed)
{
    for (size_t i = 0; i < from->key_count; i++) {
        const struct volume_key *was = find_row(rows, count, from->keys[i].id);
        struct volume_key now;
        if (from->keys[i].state == WRAP_ABSENT)
            continue;
        fill_key(&now, from->id, &from->keys[i]);
        if (was && is_key_same(was, &now))
            continue;
        *is_changed = true;
        TRY(store_volume_key_put(t->w->tx, &now));
    }
    return KS_SUCCESS;
}

/* Keys that are not reported any more are not there any more. */
static ks_rc take_keys(struct taking *t, const struct report_volume *from, bool *is_changed)
{
    CLEANUP(mem_freep) struct volume_key *rows = NULL;
    size_t count;

    TRY(store_volume_keys(store_tx_view(t->w->tx), from->id, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        if (find_key(from, rows[i].key))
            continue;
        *is_changed = true;
        TRY(store_volume_key_delete(t->w->tx, from->id, rows[i].key));
    }
    return put_keys(t, from, rows, count, is_changed);
}

/* -- what callers can look at and nobody decides by ----------------------------------------------------------------------- */

/* As it was taken last; empty when nothing was, or what was cannot be read, so that the next report mends it. */
static ks_rc read_detail(struct view was, json_t **ret)
{
    static const struct json_limits limits = {STORE_DOCUMENT_MAX, STORE_DETAIL_DEPTH_MAX};
    CLEANUP(json_decrefp) json_t *o = NULL;
    ks_rc rc = was.len ? json_read(was, limits, "what the node reported", &o) : KS_SUCCESS;

    if (ks_is(rc, KS_E_NO_MEMORY))
        return rc;
    *ret = json_is_object(o) ? json_incref(o) : json_object();
    return KS_SUCCESS;
}

static bool set_detail(json_t *o, const char *name, const json_t *value)
{
    return !value || json_object_set_new(o, name, json_deep_copy(value)) == 0;
}

/* A node tells of each only when it has changed. */
static ks_rc write_detail(const struct report_volume *from, struct view was, struct buf *ret)
{
    CLEANUP(json_decrefp) json_t *o = NULL;

    TRY(read_detail(was, &o));
    ENSURE(o && set_detail(o, "wraps", from->wraps) &&
               set_detail(o, "generations", from->generations),
           KS_E_NO_MEMORY, "no memory for a report");
    return json_write(o, true, ret);
}

static ks_rc take_detail(struct taking *t, const struct report_volume *from, const char *cluster)
{
    CLEANUP(buf_done) struct buf was = buf_init(STORE_DOCUMENT_MAX);
    CLEANUP(buf_done) struct buf now = buf_init(STORE_DOCUMENT_MAX);

    if (!from->wraps && !from->generations)
        return KS_SUCCESS;
    ks_rc rc = store_document_get(store_tx_view(t->w->tx), "volume", from->id, &was);
    if (!ks_ok(rc) && !ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    TRY(write_detail(from, buf_view(&was), &now));
    if (view_is_equal(buf_view(&was), buf_view(&now)))
        return KS_SUCCESS;
    struct store_document document = {"volume", from->id, cluster, buf_view(&now)};
    return store_document_put(t->w->tx, &document);
}

/* -- all of it ----------------------------------------------------------------------------------------------------------------- */

static bool are_texts_same(const struct cluster_volume *a, const struct cluster_volume *b)
{
    return strcmp(a->message, b->message) == 0 && strcmp(a->failed_level, b->failed_level) == 0 &&
           strcmp(a->failed_class, b->failed_class) == 0 &&
           strcmp(a->failed_code, b->failed_code) == 0 &&
           strcmp(a->failed_message, b->failed_message) == 0 &&
           strcmp(a->engine_message, b->engine_message) == 0 && strcmp(a->host, b->host) == 0 &&
           strcmp(a->connection, b->connection) == 0;
}

static bool is_anchor_same(const struct anchor *a, const struct anchor *b)
{
    return strcmp(a->volume, b->volume) == 0 && a->sequence == b->sequence &&
           a->accepted == b->accepted;
}

static bool is_volume_same(const struct cluster_volume *a, const struct cluster_volume *b)
{
    return a->goal == b->goal && a->reached == b->reached && a->access == b->access &&
           a->cause == b->cause && a->done_rewrap == b->done_rewrap &&
           a->done_store == b->done_store && a->done_data == b->done_data &&
           a->done_reencrypt == b->done_reencrypt && a->done_restore == b->done_restore &&
           a->is_platform == b->is_platform && a->bytes_done == b->bytes_done &&
           a->bytes_total == b->bytes_total && a->rate == b->rate && a->engine == b->engine &&
           a->port == b->port && is_anchor_same(&a->anchor, &b->anchor) && a->found == b->found &&
           are_texts_same(a, b);
}

static ks_rc write_volume(struct taking *t, struct cluster_volume *v,
                          const struct cluster_volume *was, bool is_changed)
{
    const char *action = event_of(was, v);

    if (!is_changed && is_volume_same(v, was))
        return KS_SUCCESS;
    v->reported = t->w->now;
    TRY(store_volume_put(t->w->tx, v));
    if (action)
        TRY(tell(t, v, action));
    if (is_lowered(&was->anchor, &v->anchor))
        TRY(tell_lowered(t, was, v));
    return taking_mark(t, v);
}

ks_rc taking_volume(struct taking *t, const struct report_volume *from, struct cluster_volume *v)
{
    CLEANUP(mem_freep) struct cluster_volume *was = NULL;
    bool is_changed = v->reported == 0;

    TRY(mem_new(1, sizeof *was, &was));
    *was = *v;
    take_facts(from, v);
    take_keyring(from, v);
    take_engine(from, v);
    TRY(take_keys(t, from, &is_changed));
    TRY(take_detail(t, from, v->cluster));
    if (from->password)
        TRY(live_set_password(t->w->c->live, v->id, from->password));
    TRY(live_set_failed(t->w->c->live, v->id, from->requests_failed));
    TRY(wish_renew_lost(t->w, v));
    return write_volume(t, v, was, is_changed);
}
