/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/mount.h - the volume process: one volume, one mount, its lease and its control socket.
 *
 * mount_run is the whole life of that process. It hardens itself first (no core, not dumpable, memory
 * locked), takes the volume's lock, unlocks it, mounts, tells whoever waits that it is ready, and serves until
 * it is unmounted or told to end.
 */
#pragma once

#include "fuse/awake.h"
#include "volume/backing.h"

/* Bounds of what a re-encryption may be told. */
enum { REKEY_MB_PER_S_MAX = 1000 * 1000, REKEY_LATENCY_MS_MAX = 60 * 1000 };

struct mount_conf {
    struct backing_conf backing;
    const char *mountpoint;
    const char
        *run_dir; /* for the control socket; NULL: /run/keystead, or XDG_RUNTIME_DIR/keystead */
    const char *on_lock;   /* program started when the volume locks (stop the engine); NULL: none */
    const char *on_unlock; /* program started when it is open (start the engine); NULL: none */
    bool is_starting_locked; /* a denial at the start is not an error: come up locked and wait */
    bool is_swap_allowed;    /* go on when memory cannot be locked */
    bool is_allow_other;     /* other users may enter (default for root) */
    bool is_ring_wanted;     /* requests over io_uring, where the kernel offers it */
    enum awake_wish awake;   /* whether processors are kept awake while requests come */
    unsigned threads;        /* 0: default */
    bool
        is_rekeying; /* after a rotation of the data key everything older is re-encrypted by itself */
    uint32_t rekey_mb_per_s, rekey_latency_ms; /* bounds of that; 0: none */
    int ready_fd; /* readiness: "OK\n" or one JSON error line is written here, then closed; -1: none */
};

/* mount_run(conf): returns when the volume is unmounted; the result of the whole. */
ks_rc mount_run(const struct mount_conf *conf) KS_MUST;
