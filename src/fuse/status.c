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
    return json_pack("{s:o, s:s, s:o, s:o}", "at", json_moment(r.at_s), "result", probe_name(r.rc),
                     "wrap", r.wrap_id ? number(r.wrap_id) : json_null(), "message",
                     json_text(r.text));
}

static json_t *receipt(const struct guard_receipt *r)
{
    if (r->at_s == 0)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}", "at", json_moment(r->at_s), "reason",
                     json_text(r->reason), "duration_ms", number(r->duration_ms), "handles_cut",
                     number(r->handles_cut));
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

ks_rc status_report(struct process *p, json_t **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(surveyor_result_done) struct surveyor_result counted = {0};
    struct guard_status g;

    TRY(backing_keyring(p->backing, &k));
    TRY(surveyor_last(p->surveyor, &counted));
    guard_status(p->guard, &g);
    struct counted_generations generations = {counted.generations, counted.count,
                                              counted.as_of_s != 0};
    json_t *status = json_pack(
        "{s:b, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ok", 1, "volume",
        volume(p, k), "state", lease_state_name(g.state), "revoked", (int)g.is_revoked, "lease",
        lease(&g, k), "last_probe", last_probe(p), "wraps", keyring_wraps_json(k), "generations",
        keyring_generations_json(k, &generations, false), "generations_as_of",
        json_moment(counted.as_of_s), "next_data_rotation",
        json_moment(atomic_load(&p->rotation_due)), "rekey", rekey_status(p), "handles",
        number(volume_handle_count(p->volume)), "counters", counters(p), "receipt",
        receipt(&g.receipt));
    ENSURE(status, KS_E_NO_MEMORY, "no memory for the status");
    *ret = status;
    return KS_SUCCESS;
}
