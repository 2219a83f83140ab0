/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/process.h - the parts of a running volume process, for the files that put them together.
 *
 * Private to fuse/mount.c (which makes and ends them), fuse/lockdown.c, fuse/status.c and fuse/admin.c.
 */
#pragma once

#include <stdatomic.h>

#include "fuse/control_server.h"
#include "fuse/guard.h"
#include "fuse/holders.h"
#include "fuse/hook.h"
#include "fuse/mount.h"
#include "fuse/prober.h"
#include "fuse/session.h"
#include "fuse/shedder.h"
#include "fuse/surveyor.h"
#include "fuse/sweeper.h"
#include "fuse/trouble.h"
#include "fuse/watcher.h"

struct process {
    const struct mount_conf *conf;
    struct clock *clock;
    struct random *random;
    struct io *io;
    char *mountpoint;   /* absolute */
    char *backing_path; /* absolute */
    char volume_id[2 * KEYRING_ID_BYTES + 1];
    uint8_t volume_id_bytes[KEYRING_ID_BYTES];
    uint32_t block_payload;

    char *
        refusal; /* why the keys were not given at the start; NULL: they were, or nobody was asked */
    enum guard_cause refusal_cause;

    struct hook *hook;
    struct backing *backing;
    struct volume *volume;
    struct trouble *trouble;
    struct session *session;
    struct sweeper *sweeper; /* drops the kernel's cache */
    atomic_bool is_swept;    /* by its last round, all of it */
    struct sweeper *ahead;   /* calls volume_look_ahead */
    struct holders *holders;
    struct shedder *shedder;
    struct awake *awake; /* NULL: processors may sleep when they like */
    struct guard *guard;
    struct prober *prober;
    uint64_t
        own_grant_ms; /* the prober's thread: when its last real probe that was granted began; 0: none */
    struct surveyor *surveyor;
    struct rekeyer *rekeyer; /* NULL: volumes re-encrypt only on demand */
    struct watcher *watcher;
    struct control_server *control;

    atomic_bool is_ending;        /* from the moment an end was asked for */
    atomic_bool is_detached;      /* no path leads to the mount any more */
    _Atomic int farewell_fd;      /* who asked for the unmount hears when all is over; -1: nobody */
    _Atomic int64_t rotation_due; /* wall time; 0: never */
    atomic_bool is_rotating;
    bool
        is_stale_told; /* housekeeping: the log says that a copy of the keyring cannot be written */
    struct {           /* admin_rekey.c; the rest counts while it is running */
        atomic_bool is_running;
        atomic_bool is_needed;    /* there are older data keys */
        _Atomic uint64_t next_ms; /* boot time before which the rekeyer is not asked again */
        _Atomic uint64_t bytes_rewritten, bytes_total, rate;
        _Atomic int64_t eta_s; /* -1: not known */
    } rekey;
};

/* lockdown.c: what the guard does to this process's volume; arg is the process. */
extern const struct guard_ops lockdown_ops;
/* lockdown_probe, lockdown_tell: how the prober asks and whom it tells. */
ks_rc lockdown_probe(void *arg, uint32_t *ret_wrap_id) KS_MUST;
/* lockdown_peek: whether another volume's probe of the same key will do (fuse/probe_share.c). */
bool lockdown_peek(void *arg, uint32_t *ret_wrap_id, uint64_t *ret_shared_ms);
/* probe_share_note(p, began_ms, rc, wrap_id): tells the other volumes how a real probe ended. */
void probe_share_note(struct process *p, uint64_t began_ms, ks_rc rc, uint32_t wrap_id);
/* probe_share_is_own_recent(own_grant_ms, now_ms, lease_ms_max): whether our own real probe was granted so lately that others'
 * may be taken: within the lease, and within 30 s, so that a refusal of this volume alone is found in its bound too. */
bool probe_share_is_own_recent(uint64_t own_grant_ms, uint64_t now_ms, uint32_t lease_ms_max);
void lockdown_tell(void *arg, const struct prober_result *result);
/* lockdown_handles(p, may_count): how many files were open lately; unless it may count, when they were counted last, 0 before. */
uint64_t lockdown_handles(struct process *p, bool may_count);
/* lockdown_sweep(process): one round of clearing the kernel's cache. */
void lockdown_sweep(void *arg);

/* status.c: status_report(p, wants_handles, ret): the reply to "status" (docs/CONTROL.md). To count open files all processes of the
 * host are looked at. */
ks_rc status_report(struct process *p, bool wants_handles, json_t **ret) KS_MUST;
/* status_watch(process): a line of "watch", as a new object; NULL when it cannot be made now. */
json_t *status_watch(void *arg);

/* admin_rekey.c: rekey_status(p): a sweep in progress, for reports, or JSON null. */
json_t *rekey_status(struct process *p);
/* rekey_by_itself(process): one re-encryption by the rekeyer. rekey_when_due(p): asks it for one when the mount was told to
 * and older data keys are there; called now and then. */
void rekey_by_itself(void *arg);
void rekey_when_due(struct process *p);

/* admin.c: admin_handle(process, request, peer, ret): one request of the control socket. */
ks_rc admin_handle(void *arg, json_t *request, struct control_peer *peer, json_t **ret) KS_MUST;
/* admin_rotate_when_due(p): a new data key when the volume's settings say so; called now and then. */
void admin_rotate_when_due(struct process *p);
/* admin_note_due(p): works out anew when that is. */
void admin_note_due(struct process *p);
