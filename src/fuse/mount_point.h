/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/mount_point.h - the directory a volume is mounted on, seen from outside the mount.
 *
 * Everything here looks at the list of mounts, because touching a mount whose process died or is busy
 * fails or blocks.
 */
#pragma once

#include <sys/types.h>

#include "base/rc.h"

/* mount_point_absolute(path, ret): the absolute path, also when a dead mount lies on it. */
ks_rc mount_point_absolute(const char *path, char **ret) KS_MUST;

/*
 * mount_point_prepare(path, source): path is a directory that nothing of ours is mounted on. A mount
 * that a killed volume process of the same source left behind is taken away. The caller holds the volume's
 * lock, so such a process cannot be alive. BUSY when another volume is mounted there, USAGE.
 */
ks_rc mount_point_prepare(const char *path, const char *source) KS_MUST;

/*
 * mount_point_drop_names(path): the kernel drops every name of the mount that nobody uses, and then forgets the objects.
 * It may write back before: never from a thread that serves requests. PERM (EPERM) where we are not root, EINVAL where
 * nothing is mounted.
 */
ks_rc mount_point_drop_names(const char *path) KS_MUST;

/*
 * mount_point_cut_off(path): takes a mount away whose process is dead or does not answer: every request fails, and nobody
 * finds a file by its path any more, though the kernel may have its contents in memory. What has not been written back is lost. Nothing
 * mounted there is fine.
 */
ks_rc mount_point_cut_off(const char *path) KS_MUST;

/*
 * mount_point_abort(device, fuse_fd): the kernel fails every request of the mount that shows this device, now and later, also when it
 * was unmounted lazily and nothing finds it by a path any more. Nothing is written back. fuse_fd is the connection by which we serve that mount:
 * when it has ended, nothing is done, since the device's number may be another mount's by now. PERM where we are not root,
 * NOT_FOUND (ENOENT) when there is no such mount.
 */
ks_rc mount_point_abort(dev_t device, int fuse_fd) KS_MUST;

/* mount_point_unmount(path, is_lazy): BUSY while files are open, unless lazy. Through fusermount3 where
 * we are not root. Never from a thread that serves requests. */
ks_rc mount_point_unmount(const char *path, bool is_lazy) KS_MUST;
