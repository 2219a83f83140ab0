/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/status.c - a running volume as JSON: what "status" replies.
 *
 * Names of members are part of the documented interface (docs/CONTROL.md). Holds nothing secret.
 */
#include <unistd.h>

#include "fuse/process.h"

static json_t *text(const char *s)
{
    /* labels and paths may be no UTF-8: then nothing rather than no reply */
    json_t *j = json_string(s);

    return j ? j : json_null();
}

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *moment(int64_t wall_s)
{
    char when[CLOCK_TEXT_BYTES];

    if (wall_s == 0)
        return json_null();
    clock_format(wall_s, when);
    return json_string(when);
}

static const char *wrap_state_name(enum keyring_wrap_state state)
{
    switch (state) {
    case WRAP_ACTIVE:
        return "ACTIVE";
    case WRAP_RETIRED:
        return "RETIRED";
    }
    return "?";
}

static const char *data_key_state_name(enum keyring_data_key_state state)
{
    switch (state) {
    case DATA_KEY_NEWEST:
        return "NEWEST";
    case DATA_KEY_OLDER:
        return "OLDER";
    case DATA_KEY_DESTROYED:
        return "DESTROYED";
    }
    return "?";
}

static json_t *wraps(const struct keyring *k)
{
    json_t *array = json_array();

    for (size_t i = 0; i < k->wrap_count; i++) {
        const struct keyring_wrap *w = &k->wraps[i];
        json_array_append_new(
            array, json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id", number(w->id),
                             "state", wrap_state_name(w->state), "type", w->spec.type, "uri",
                             text(w->spec.uri), "auth_principal", text(w->spec.auth_principal),
                             "key_version", text(w->key_version), "created", moment(w->created_s),
                             "retired", moment(w->retired_s)));
    }
    return array;
}

/* Bytes under a generation as last counted; null while nothing was counted. */
static json_t *counted_bytes(const struct surveyor_result *counted, uint32_t generation)
{
    if (counted->as_of_s == 0)
        return json_null();
    for (size_t i = 0; i < counted->count; i++)
        if (counted->generations[i].generation == generation)
            return number(counted->generations[i].bytes);
    return json_integer(0);
}

static json_t *generations(const struct keyring *k, const struct surveyor_result *counted)
{
    json_t *array = json_array();

    for (size_t i = 0; i < k->data_key_count; i++) {
        const struct keyring_data_key *d = &k->data_keys[i];
        json_array_append_new(
            array, json_pack("{s:o, s:s, s:o, s:o}", "generation", number(d->generation), "state",
                             data_key_state_name(d->state), "created", moment(d->created_s),
                             "bytes", counted_bytes(counted, d->generation)));
    }
    return array;
}

static const char *probe_name(ks_rc rc)
{
    if (ks_ok(rc))
        return "GRANT";
    return rc.cls == KS_CLASS_DENIED ? "DENY" : "UNREACH";
}

static json_t *last_probe(struct process *p)
{
    struct prober_result r;

    prober_last(p->prober, &r);
    if (r.sequence == 0)
        return json_null();
    return json_pack("{s:o, s:s, s:o, s:o}", "at", moment(r.at_s), "result", probe_name(r.rc),
                     "wrap", r.wrap_id ? number(r.wrap_id) : json_null(), "message", text(r.text));
}

static json_t *receipt(const struct guard_receipt *r)
{
    if (r->at_s == 0)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}", "at", moment(r->at_s), "reason", text(r->reason),
                     "duration_ms", number(r->duration_ms), "handles_cut", number(r->handles_cut));
}

static json_t *counters(struct process *p)
{
    struct volume_counters c = volume_counters_get(p->volume);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "reads", number(c.reads), "writes",
                     number(c.writes), "syncs", number(c.syncs), "bytes_read", number(c.bytes_read),
                     "bytes_written", number(c.bytes_written), "blocks_corrupt",
                     number(c.blocks_corrupt), "requests_refused", number(c.requests_refused));
}

static json_t *volume(struct process *p, const struct keyring *k)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:i}", "id", p->volume_id, "label", text(k->label),
                     "backing", text(p->backing_path), "mountpoint", text(p->mountpoint), "pid",
                     (int)getpid());
}

static json_t *lease(const struct guard_status *g, const struct keyring *k)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "left_ms", number(g->left_ms), "max_ms",
                     number(g->lease.lease_ms_max), "grace_ms", number(g->lease.grace_ms),
                     "probe_ms", number(k->settings.probe_ms));
}

static void counted_done(struct surveyor_result *r)
{
    surveyor_result_done(r);
}

ks_rc status_report(struct process *p, json_t **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(counted_done) struct surveyor_result counted = {0};
    struct guard_status g;

    TRY(backing_keyring(p->backing, &k));
    TRY(surveyor_last(p->surveyor, &counted));
    guard_status(p->guard, &g);
    json_t *status = json_pack(
        "{s:b, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ok", 1, "volume",
        volume(p, k), "state", lease_state_name(g.state), "revoked", (int)g.is_revoked, "lease",
        lease(&g, k), "last_probe", last_probe(p), "wraps", wraps(k), "generations",
        generations(k, &counted), "generations_as_of", moment(counted.as_of_s),
        "next_data_rotation", moment(atomic_load(&p->rotation_due)), "rekey", rekey_status(p),
        "handles", number(volume_handle_count(p->volume)), "counters", counters(p), "receipt",
        receipt(&g.receipt));
    ENSURE(status, KS_E_NO_MEMORY, "no memory for the status");
    *ret = status;
    return KS_SUCCESS;
}
