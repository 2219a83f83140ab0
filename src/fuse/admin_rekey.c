/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/admin_rekey.c - re-encrypting a running volume (docs/CONTROL.md, "rekey").
 *
 * Runs in the thread of the conversation that asked for it, and ends with it: whoever goes away, a lock and
 * an unmount stop it at the next round. What was rewritten by then stays so.
 */
#include <errno.h>

#include "base/log.h"
#include "fuse/admin_int.h"
#include "fuse/rekey_reply.h"
#include "fuse/rekeyer.h"

enum {
    NEWS_MS = 250, /* how often progress is sent */
    BYTES_PER_MB = 1000 * 1000,
    AGAIN_SOON_MS = 60 * 1000, /* after a sweep of its own that was ended, by a lock say */
    AGAIN_MS = 10 * 60 * 1000, /* after one that had to keep a key */
};

struct rekeying {
    struct process *p;
    struct control_peer *peer; /* NULL: nobody asked */
    uint64_t bytes_per_s;
    uint32_t latency_ms_max;
    uint64_t told_ms; /* when progress was sent last; 0: never */
};

/* ---- progress ---- */

json_t *rekey_status(struct process *p)
{
    if (!atomic_load(&p->rekey.is_running))
        return json_null();
    int64_t eta_s = atomic_load(&p->rekey.eta_s);
    return json_pack("{s:I, s:I, s:I, s:o}", "bytes_rewritten",
                     (json_int_t)atomic_load(&p->rekey.bytes_rewritten), "bytes_total",
                     (json_int_t)atomic_load(&p->rekey.bytes_total), "rate",
                     (json_int_t)atomic_load(&p->rekey.rate), "eta_s",
                     eta_s < 0 ? json_null() : json_integer((json_int_t)eta_s));
}

static void keep(struct process *p, const struct reencrypt_progress *news)
{
    atomic_store(&p->rekey.bytes_rewritten, news->bytes_rewritten);
    atomic_store(&p->rekey.bytes_total, news->bytes_total);
    atomic_store(&p->rekey.rate, news->rate);
    atomic_store(&p->rekey.eta_s, news->eta_s);
}

static bool on_progress(void *arg, const struct reencrypt_progress *news)
{
    struct rekeying *r = arg;
    uint64_t now_ms = clock_boot_ms(r->p->clock);

    keep(r->p, news);
    if (atomic_load(&r->p->is_ending))
        return false;
    if (r->told_ms != 0 && now_ms - r->told_ms < NEWS_MS)
        return true;
    r->told_ms = now_ms;
    watcher_note(r->p->watcher);
    if (!r->peer)
        return true;
    json_t *what = rekey_status(r->p);
    json_object_set_new(what, "phase", json_string(rekey_phase(news->phase)));
    CLEANUP(json_freep) json_t *line = json_pack("{s:o}", "progress", what);
    /* Nobody listens any more: no need to go on. */
    return line && ks_ok(control_peer_send(r->peer, line));
}

static void log_result(const struct reencrypt_result *result)
{
    size_t destroyed = 0;

    for (size_t n = 0; n < result->count; n++)
        destroyed += result->generations[n].fate == FATE_DESTROYED;
    log_line(LOG_NOTICE, "re-encrypted: %llu bytes; %zu data keys destroyed, %zu older ones kept",
             (unsigned long long)result->swept.bytes_rewritten, destroyed,
             result->count - destroyed);
}

/* ---- the operation ---- */

static ks_rc change_begin(void *arg)
{
    struct rekeying *r = arg;

    return guard_change_begin(r->p->guard);
}

static void change_end(void *arg)
{
    struct rekeying *r = arg;

    guard_change_end(r->p->guard);
    watcher_note(r->p->watcher);
}

static ks_rc run(struct rekeying *r, json_t **ret)
{
    CLEANUP(reencrypt_done) struct reencrypt_result result = {0};
    const struct reencrypt_conf conf = {
        .backing = r->p->backing,
        .volume = r->p->volume,
        .io = r->p->io,
        .clock = r->p->clock,
        .bytes_per_s = r->bytes_per_s,
        .is_polite = true,
        .latency_ms_max = r->latency_ms_max,
        .progress = on_progress,
        .change_begin = change_begin,
        .change_end = change_end,
        .arg = r,
    };

    ks_rc rc = reencrypt_run(&conf, &result);
    if (!ks_ok(rc)) {
        log_line(LOG_NOTICE, "re-encryption ended after %llu bytes: %s",
                 (unsigned long long)result.swept.bytes_rewritten, ks_text(rc));
        return ks_is_os(rc, EKEYREVOKED)
                   ? ks_fail(KS_E_LOCKED,
                             "the volume was locked meanwhile; what was re-encrypted by "
                             "then stays so: start again when it is open")
                   : rc;
    }
    log_result(&result);
    *ret = rekey_reply(&result);
    return KS_SUCCESS;
}

/* One at a time, whoever asked. */
static ks_rc run_alone(struct rekeying *r, json_t **ret)
{
    static const struct reencrypt_progress none = {.eta_s = -1};
    struct process *p = r->p;
    bool is_free = false;

    ENSURE(atomic_compare_exchange_strong(&p->rekey.is_running, &is_free, true), KS_E_BUSY,
           "the volume is being re-encrypted already; see keystead volume status");
    keep(p, &none);
    watcher_note(p->watcher);
    ks_rc rc = run(r, ret);
    atomic_store(&p->rekey.is_running, false);
    watcher_note(p->watcher);
    admin_note_due(p);
    surveyor_ask(p->surveyor);
    return rc;
}

ks_rc admin_rekey(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    struct rekeying r = {.p = p, .peer = peer};
    json_int_t mb_per_s = 0, latency_ms = 0;
    const char *op;

    UNPACK(request, "{s:s, s?I, s?I}", "op", &op, "mb_per_s", &mb_per_s, "latency_ms", &latency_ms);
    ENSURE(mb_per_s >= 0 && mb_per_s <= REKEY_MB_PER_S_MAX, KS_E_USAGE,
           "mb_per_s is a number from 0 (no bound) to %d", REKEY_MB_PER_S_MAX);
    ENSURE(latency_ms >= 0 && latency_ms <= REKEY_LATENCY_MS_MAX, KS_E_USAGE,
           "latency_ms is a number from 0 (no bound) to %d", REKEY_LATENCY_MS_MAX);
    r.bytes_per_s = (uint64_t)mb_per_s * BYTES_PER_MB;
    r.latency_ms_max = (uint32_t)latency_ms;
    return run_alone(&r, ret);
}

/* ---- by itself ---- */

void rekey_by_itself(void *arg)
{
    struct process *p = arg;
    struct rekeying r = {.p = p,
                         .bytes_per_s = (uint64_t)p->conf->rekey_mb_per_s * BYTES_PER_MB,
                         .latency_ms_max = p->conf->rekey_latency_ms};
    CLEANUP(json_freep) json_t *reply = NULL;
    ks_rc rc = run_alone(&r, &reply);
    uint64_t pause_ms = ks_ok(rc) ? AGAIN_MS : AGAIN_SOON_MS;

    atomic_store(&p->rekey.next_ms, clock_boot_ms(p->clock) + pause_ms);
}

void rekey_when_due(struct process *p)
{
    if (p->rekeyer && atomic_load(&p->rekey.is_needed) && !atomic_load(&p->rekey.is_running) &&
        clock_boot_ms(p->clock) >= atomic_load(&p->rekey.next_ms))
        rekeyer_ask(p->rekeyer);
}
