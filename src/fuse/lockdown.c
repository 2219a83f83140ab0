/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/lockdown.c - what the guard does to a mounted volume: stop, drain, wipe, unlock.
 *
 * Order of a lock: only writes are admitted; the kernel writes back and drops its cache; nothing is
 * admitted; requests end; buffers and keys are wiped; the kernel drops what is left or was brought in meanwhile, and what that sent
 * to us is wiped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "fuse/mount_point.h"
#include "fuse/process.h"

enum {
    WRITE_BACK_MS_MAX = 2500, /* of GUARD_DRAIN_MS_MAX, for the kernel's dirty pages */
    SCRUB_MS_MAX = 200,
    AGAIN_MS = 50, /* between rounds, when the kernel could not do its part */
    LOG_MS_MAX = 100,
    HANDLES_MS_MAX = 2000, /* that the report of a lock, not the lock, may wait for the count */
    HANDLES_AGE_MS_MAX = 60000, /* of a count that is told again */
    GIVE_UP_STATUS = 70,
};

static void on_refuse(void *arg)
{
    struct process *p = arg;

    volume_set_door(p->volume, VOLUME_DRAINING);
}

static void on_open(void *arg)
{
    struct process *p = arg;

    volume_set_door(p->volume, VOLUME_OPEN);
}

/* left(p, deadline, most): milliseconds until the deadline, but not more than most. */
static uint32_t left(struct process *p, uint64_t deadline_ms, uint32_t most)
{
    uint64_t now = clock_boot_ms(p->clock);
    uint64_t ms = deadline_ms > now ? deadline_ms - now : 0;

    return ms < most ? (uint32_t)ms : most;
}

static void scrub(struct process *p, uint64_t deadline_ms)
{
    ks_rc rc = session_scrub(p->session, left(p, deadline_ms, SCRUB_MS_MAX));

    if (!ks_ok(rc))
        log_line(LOG_WARNING, "locking: contents may be left in a buffer: %s", ks_text(rc));
}

static void on_drain(void *arg, uint64_t deadline_ms)
{
    struct process *p = arg;

    holders_count(p->holders); /* beside the rest: who is cut off closes its files soon */
    if (!sweeper_round(p->sweeper, left(p, deadline_ms, WRITE_BACK_MS_MAX)))
        log_line(LOG_ERROR,
                 "the kernel has not finished writing back and dropping its cache: unsynced "
                 "writes may be lost");
    volume_set_door(p->volume, VOLUME_CLOSED);
    ks_rc rc = volume_drain(p->volume, left(p, deadline_ms, GUARD_DRAIN_MS_MAX));
    if (!ks_ok(rc)) {
        log_line(LOG_ERROR, "locking: %s", ks_text(rc));
        return;
    }
    scrub(p, deadline_ms);
}

static ks_rc on_wipe(void *arg)
{
    struct process *p = arg;

    volume_set_door(p->volume, VOLUME_CLOSED);
    TRY(volume_drain(p->volume, 0));
    volume_wipe(p->volume);
    return KS_SUCCESS;
}

/* A whole round that begins behind the closed door. A page that is being read meanwhile is waited for by the kernel, and a page
 * that is written back now is refused, but its contents came to us. */
static ks_rc on_clean(void *arg, uint64_t deadline_ms)
{
    struct process *p = arg;

    while (sweeper_round(p->sweeper, left(p, deadline_ms, UINT32_MAX))) {
        if (atomic_load(&p->is_swept)) {
            scrub(p, deadline_ms);
            return KS_SUCCESS;
        }
        clock_sleep_ms(p->clock, AGAIN_MS);
    }
    return ks_fail(KS_E_BUSY, "the kernel does not drop all that it caches");
}

static ks_rc on_unlock(void *arg)
{
    struct process *p = arg;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    TRY(backing_unlock(p->backing, &keys));
    return volume_set_keys(p->volume, &keys);
}

static ks_rc on_record(void *arg, bool is_revoked)
{
    struct process *p = arg;

    return backing_set_revoked(p->backing, is_revoked);
}

static void on_announce(void *arg, bool is_locking)
{
    struct process *p = arg;

    hook_run(p->hook, is_locking ? HOOK_LOCK : HOOK_UNLOCK);
    if (p->surveyor)
        surveyor_ask(p->surveyor);
}

static void on_changed(void *arg)
{
    struct process *p = arg;

    watcher_note(p->watcher);
}

static void on_handles(void *arg, uint64_t deadline_ms, struct guard_handles *ret)
{
    struct process *p = arg;
    struct holders_found found;

    holders_take(p->holders, left(p, deadline_ms, HANDLES_MS_MAX), &found);
    *ret = (struct guard_handles){.count = found.handles, .is_partial = found.is_partial};
    snprintf(ret->names, sizeof ret->names, "%s", found.names);
}

uint64_t lockdown_handles(struct process *p, bool may_count)
{
    struct holders_found found;

    if (may_count)
        holders_look(p->holders, HANDLES_AGE_MS_MAX, &found);
    else
        holders_peek(p->holders, &found);
    return found.handles;
}

/* Files need no process to be opened again while the kernel has them in memory. Once the path is free another volume may be
 * mounted there. */
static ks_rc cut_off(struct process *p)
{
    if (atomic_load(&p->is_detached))
        return mount_point_abort(session_device(p->session), session_fd(p->session));
    bool is_there = session_abort(p->session);
    return is_there ? mount_point_cut_off(p->mountpoint) : KS_SUCCESS;
}

static const char *last_words(struct process *p)
{
    return volume_keys(p->volume)
               ? "the keys cannot be wiped in time, so this process ends with them"
               : "the keys are wiped, but contents may be read through files that were open, and "
                 "this process ends";
}

/* The keys are in use and the bound is over. Wiping them under a running request could write garbage;
 * the end of the process takes them too, and cuts every file with it. Or the kernel keeps what it caches: maybe for a request
 * that hangs. A thread stuck in the kernel can delay that
 * end, so the kernel is told first to fail everything. */
static void on_give_up(void *arg, const char *why)
{
    struct process *p = arg;

    ks_rc rc = cut_off(p);
    if (!ks_ok(rc) && !ks_is_os(rc, ENOENT))
        log_line(LOG_ERROR, "the mount stays: %s", ks_text(rc));
    log_line(LOG_ERROR, "%s: %s", last_words(p), why);
    log_flush(LOG_MS_MAX);
    _exit(GIVE_UP_STATUS);
}

const struct guard_ops lockdown_ops = {
    .refuse = on_refuse,
    .open = on_open,
    .drain = on_drain,
    .wipe = on_wipe,
    .clean = on_clean,
    .unlock = on_unlock,
    .record = on_record,
    .announce = on_announce,
    .handles = on_handles,
    .changed = on_changed,
    .give_up = on_give_up,
};

ks_rc lockdown_probe(void *arg, uint32_t *ret_wrap_id)
{
    struct process *p = arg;

    return backing_probe(p->backing, ret_wrap_id);
}

/* Only an answer about the key locks. Damage to the keyring or wrong use is neither a grant nor a
 * denial: the lease runs on and ends when the grace does. */
void lockdown_tell(void *arg, const struct prober_result *result)
{
    struct process *p = arg;

    if (!result->shared_ms)
        probe_share_note(p, result->began_ms, result->rc, result->wrap_id);
    switch ((enum ks_class)result->rc.cls) {
    case KS_CLASS_OK:
        if (result->shared_ms)
            guard_extend(p->guard, result->shared_ms);
        else
            guard_grant(p->guard, result->began_ms);
        return;
    case KS_CLASS_DENIED:
        guard_deny(p->guard, result->text);
        return;
    case KS_CLASS_UNREACHABLE:
    case KS_CLASS_BUSY:
    case KS_CLASS_IO:
    case KS_CLASS_LIMIT:
        guard_unreach(p->guard, guard_cause_of(result->rc), result->text);
        return;
    case KS_CLASS_USAGE:
    case KS_CLASS_CORRUPT:
    case KS_CLASS_BUG:
        log_line(LOG_ERROR, "the probe of the key fails: %s", result->text);
        guard_unreach(p->guard, GUARD_CAUSE_ERROR, result->text);
        return;
    }
}

void lockdown_sweep(void *arg)
{
    struct process *p = arg;

    ks_rc rc = session_invalidate(p->session);
    if (!ks_ok(rc))
        log_line(LOG_ERROR, "the kernel may keep something cached: %s", ks_text(rc));
    atomic_store(&p->is_swept, ks_ok(rc));
}
