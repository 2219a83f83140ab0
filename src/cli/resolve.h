/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/resolve.h - which volume a path means: its mount point or its backing directory.
 *
 * The kernel's table of mounts is the authority: a volume process mounts with the source
 * "keystead:BACKING". A mount point is never touched for this, because a locked or dead mount refuses even that.
 */
#pragma once

#include "base/view.h"
#include "cli/cli.h"

struct place {
    char *backing;    /* absolute, without symlinks; owned */
    char *mountpoint; /* where it is mounted, or NULL; owned */
};
void place_done(struct place *p);

/* resolve_place(path, ret): NOT_FOUND with both ways to name a volume when path is neither. */
ks_rc resolve_place(const char *path, struct place *ret) KS_MUST;

/* resolve_absolute(path, what, ret): an existing path made absolute, symlinks followed; what names its role in
 * the error. */
ks_rc resolve_absolute(const char *path, const char *what, char **ret) KS_MUST;

/* resolve_run_dir(cli): --run-dir, KEYSTEAD_RUN_DIR, or the default for this user; absolute; owned by the caller. */
ks_rc resolve_run_dir(const struct cli *cli, char **ret) KS_MUST;

/* One mount of ours. */
enum { RESOLVE_PATH_BYTES = 4096 };
struct mount_entry {
    char point[RESOLVE_PATH_BYTES], backing[RESOLVE_PATH_BYTES];
};
/* mount_entry_next(text, ret): the next volume in the text of /proc/self/mountinfo, which is moved behind it; false at
 * the end. Lines that are malformed or too long are no volumes. */
bool mount_entry_next(struct view *text, struct mount_entry *ret);
