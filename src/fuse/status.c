/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/status.c - a running volume as JSON: what "status" replies.
 *
 * Names of members are part of the documented interface (docs/CONTROL.md). Holds nothing secret.
 */
#include <unistd.h>

#include "fuse/keyring_json.h"
#include "fuse/process.h"

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
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
    return json_pack("{s:o, s:s, s:o, s:o, s:o}", "at", json_moment(r.at_s), "result",
                     probe_name(r.rc), "wrap", r.wrap_id ? number(r.wrap_id) : json_null(), "code",
                     ks_ok(r.rc) ? json_null() : json_string(ks_name(r.rc)), "message",
                     json_text(r.text));
}

static json_t *receipt(const struct guard_receipt *r)
{
    if (r->at_s == 0)
        return json_null();
    return json_pack("{s:o, s:s, s:o, s:o, s:o}", "at", json_moment(r->at_s), "cause",
                     guard_cause_name(r->cause), "reason", json_text(r->reason), "duration_ms",
                     number(r->duration_ms), "handles_cut", number(r->handles_cut));
}

static json_t *failed(struct process *p)
{
    json_t *by_kind = json_object();

    for (int k = 0; k < TROUBLE_KINDS && by_kind; k++)
        json_object_set_new(by_kind, trouble_name((enum trouble_kind)k),
                            number(trouble_count(p->trouble, (enum trouble_kind)k)));
    return by_kind;
}

static json_t *counters(struct process *p)
{
    struct volume_counters c = volume_counters_get(p->volume);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "reads",
                     number(c.reads), "writes", number(c.writes), "syncs", number(c.syncs),
                     "bytes_read", number(c.bytes_read), "bytes_written", number(c.bytes_written),
                     "blocks_corrupt", number(c.blocks_corrupt), "files_poisoned",
                     number(c.files_poisoned), "requests_refused", number(c.requests_refused),
                     "rekey_pauses", number(c.rekey_pauses), "awake_ms", number(awake_ms(p->awake)),
                     "failed", failed(p));
}

static json_t *volume(struct process *p, const struct keyring *k)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:i}", "id", p->volume_id, "label", json_text(k->label),
                     "backing", json_text(p->backing_path), "mountpoint", json_text(p->mountpoint),
                     "pid", (int)getpid());
}

static json_t *lease(const struct guard_status *g, const struct keyring *k)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "left_ms", number(g->left_ms), "max_ms",
                     number(g->lease.lease_ms_max), "grace_ms", number(g->lease.grace_ms),
                     "probe_ms", number(k->settings.probe_ms));
}

/* Only a number that a key has vouched for counts. */
static json_t *keyring(struct process *p)
{
    uint64_t sequence = backing_sequence(p->backing);

    return json_pack("{s:o, s:o, s:s?}", "sequence", sequence ? number(sequence) : json_null(),
                     "sequence_min", number(p->conf->backing.sequence_min), "stale",
                     backing_stale(p->backing));
}

/* --- key services --- */

struct key_list {
    json_t *list;
    const char *purpose;
};

static json_t *operations(const struct kms_report *r)
{
    json_t *all = json_object();

    for (int i = 0; i < KMS_OPERATIONS; i++) {
        const struct kms_counters *n = &r->operations[i];
        json_object_set_new(all, kms_operation_name((enum kms_operation)i),
                            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "calls", number(n->calls),
                                      "attempts", number(n->attempts), "granted",
                                      number(n->granted), "denied", number(n->denied),
                                      "unreachable", number(n->unreachable), "other",
                                      number(n->other)));
    }
    return all;
}

static json_t *breaker(const struct kms_report *r)
{
    if (!r->is_remote)
        return json_null();
    return json_pack("{s:s, s:i, s:o, s:o}", "state", breaker_state_name(r->breaker), "silences",
                     (int)r->silences, "left_ms", number(r->breaker_left_ms), "refused",
                     number(r->refused));
}

static void add_key(struct key_list *l, const struct key_spec *spec, const struct kms_report *r)
{
    json_t *key = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "purpose", l->purpose,
                            "type", spec->type, "uri", json_text(spec->uri), "operations",
                            operations(r), "breaker", breaker(r), "throttled", number(r->throttled),
                            "shared", number(r->shared), "last_answer", json_moment(r->answered_s),
                            "last_request_id", json_text(r->request_id));

    json_array_append_new(l->list, key);
}

static void add_used(void *arg, const struct key_spec *spec, const struct kms_report *r)
{
    ((struct key_list *)arg)->purpose = "USE";
    add_key(arg, spec, r);
}

static void add_probed(void *arg, const struct key_spec *spec, const struct kms_report *r)
{
    ((struct key_list *)arg)->purpose = "PROBE";
    add_key(arg, spec, r);
}

static json_t *key_services(struct process *p)
{
    struct key_list l = {json_array(), ""};
    const struct backing_key_visit visit = {add_used, add_probed, &l};

    backing_each_key(p->backing, &visit);
    return l.list;
}

ks_rc status_report(struct process *p, bool wants_handles, json_t **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(surveyor_result_done) struct surveyor_result counted = {0};
    struct guard_status g;

    TRY(backing_keyring(p->backing, &k));
    TRY(surveyor_last(p->surveyor, &counted));
    guard_status(p->guard, &g);
    bool is_open = g.state == LEASE_OPEN || g.state == LEASE_GRACE;
    uint64_t handles = lockdown_handles(p, wants_handles && is_open);
    struct counted_generations generations = {counted.generations, counted.count,
                                              counted.as_of_s != 0};
    json_t *status = json_pack(
        "{s:b, s:o, s:o, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, "
        "s:o, "
        "s:o}",
        "ok", 1, "volume", volume(p, k), "keyring", keyring(p), "state", lease_state_name(g.state),
        "revoked", (int)g.is_revoked, "cause", guard_cause_name(g.cause), "message",
        json_text(g.message), "lease", lease(&g, k), "last_probe", last_probe(p), "wraps",
        keyring_wraps_json(k), "generations", keyring_generations_json(k, &generations, false),
        "generations_as_of", json_moment(counted.as_of_s), "next_data_rotation",
        json_moment(atomic_load(&p->rotation_due)), "rekey", rekey_status(p), "transport",
        session_is_ring(p->session) ? "IO_URING" : "DEVICE", "handles", number(handles), "counters",
        counters(p), "key_services", key_services(p), "receipt", receipt(&g.receipt));
    ENSURE(status, KS_E_NO_MEMORY, "no memory for the status");
    *ret = status;
    return KS_SUCCESS;
}

json_t *status_watch(void *arg)
{
    struct process *p = arg;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    struct guard_status g;

    if (!ks_ok(backing_keyring(p->backing, &k)))
        return NULL;
    guard_status(p->guard, &g);
    return json_pack("{s:s, s:b, s:s, s:o, s:o, s:o, s:o}", "state", lease_state_name(g.state),
                     "revoked", (int)g.is_revoked, "cause", guard_cause_name(g.cause), "message",
                     json_text(g.message), "keyring", number(k->sequence), "receipt",
                     receipt(&g.receipt), "progress", rekey_status(p));
}
