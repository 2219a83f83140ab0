/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/probe_share.c - takes another volume's probe of the same key for our own, where that is as good.
 *
 * Only for key services in the network, only while the volume is open, only a grant that began in the last half of the
 * probe period, and only as long as a real probe of our own was granted not long ago: a service may
 * refuse one volume by its context. A failure is never taken from others; it makes all of them ask. The lease counts
 * from the beginning of the probe that was taken.
 */
#include "fuse/process.h"
#include "kms/board.h"
#include "kms/run_dir.h"

enum { OWN_MS_MAX = 30 * 1000 }; /* a period more, an answer and a lock: within 60 s */

static ks_rc open_board(struct process *p, const struct keyring_wrap *w, struct board **ret)
{
    const struct kms_driver *driver;
    char room[KMS_RUN_DIR_BYTES];
    const char *dir = kms_run_dir(room);

    TRY(kms_driver_find(w->spec.type, &driver));
    ENSURE(w->state == KEYRING_WRAP_ACTIVE && driver->scope && dir, KS_E_UNSUPPORTED, "not shared");
    return board_open(dir, &w->spec, p->clock, ret);
}

/* What a probe that ended with rc says about one wrap: they are asked in order until one is granted. */
static void note_wrap(struct process *p, const struct keyring_wrap *w, uint64_t began_ms,
                      bool is_granted)
{
    CLEANUP(board_closep) struct board *b = NULL;

    if (!ks_ok(open_board(p, w, &b)))
        return;
    if (is_granted)
        board_granted(b, began_ms);
    else
        board_failed(b);
}

void probe_share_note(struct process *p, uint64_t began_ms, ks_rc rc, uint32_t wrap_id)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    if (ks_ok(rc))
        p->own_grant_ms = began_ms;
    if (!ks_ok(backing_keyring(p->backing, &k)))
        return;
    for (size_t i = 0; i < k->wrap_count; i++) {
        bool is_granted = ks_ok(rc) && k->wraps[i].id == wrap_id;
        note_wrap(p, &k->wraps[i], began_ms, is_granted);
        if (is_granted)
            return;
    }
}

bool probe_share_is_own_recent(uint64_t own_grant_ms, uint64_t now_ms, uint32_t lease_ms_max)
{
    uint32_t most = lease_ms_max < OWN_MS_MAX ? lease_ms_max : OWN_MS_MAX;

    return own_grant_ms != 0 && now_ms - own_grant_ms < most;
}

bool lockdown_peek(void *arg, uint32_t *ret_wrap_id, uint64_t *ret_shared_ms)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    struct process *p = arg;
    uint64_t now = clock_boot_ms(p->clock);
    struct guard_status g;

    guard_status(p->guard, &g);
    if (g.state != LEASE_OPEN || !ks_ok(backing_keyring(p->backing, &k)) ||
        !probe_share_is_own_recent(p->own_grant_ms, now, k->settings.lease_ms_max))
        return false;
    for (size_t i = 0; i < k->wrap_count; i++) {
        CLEANUP(board_closep) struct board *b = NULL;
        if (!ks_ok(open_board(p, &k->wraps[i], &b)))
            continue;
        if (board_grant_since(b, now - k->settings.probe_ms / 2, ret_shared_ms)) {
            *ret_wrap_id = k->wraps[i].id;
            return true;
        }
    }
    return false;
}
