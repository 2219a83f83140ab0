/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/ops.h - requests of the kernel, answered by volume operations.
 *
 * One small function per request: translate, call, reply exactly once. No policy here. An inode's number
 * for the kernel is its address; the root's is FUSE_ROOT_ID.
 */
#pragma once

#include <fuse_lowlevel.h>
#include <stdatomic.h>

#include "fuse/trouble.h"
#include "volume/volume.h"

/* What requests are answered with: the userdata of the fuse session. */
struct ops_env {
    struct volume *volume;
    struct trouble *trouble;
    unsigned max_background;
    atomic_bool may_skip_open; /* from INIT on */
};

/* The longest read request; libfuse wants the mount option max_read to say the same. Small enough that one
 * stretch of read-ahead is several requests, which are decrypted side by side. */
enum { OPS_READ_MAX = 512 * 1024 };

/* Long, because nobody but us changes the tree; a lock invalidates what the kernel holds. */
#define OPS_CACHE_SECONDS 3600.0

/* ops_table(): all requests we answer. What is left out makes the kernel do it itself (locks, lseek,
 * flush, release) or say ENOSYS. */
const struct fuse_lowlevel_ops *ops_table(void);

/* ops_scratch(len): len bytes of this thread for a reply's data, or NULL; valid until its next call.
 * ops_scratch_wipe(): zeroes them. ops_scratch_done(): wipes and frees them, at the thread's end. */
void *ops_scratch(size_t len);
void ops_scratch_wipe(void);
void ops_scratch_done(void);

/* ops_nodeid(v, i): what the kernel calls an inode. */
fuse_ino_t ops_nodeid(struct volume *v, const struct inode *i);
