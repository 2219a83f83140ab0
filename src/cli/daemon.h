/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/daemon.h - starting the volume process in the background and waiting until it is ready.
 *
 * The child never touches the terminal. When it needs a passphrase it asks its parent through a
 * socket pair; the answer is read from there straight into guarded memory. Once the parent has gone nobody
 * can be asked any more.
 */
#pragma once

#include "base/secret.h"
#include "cli/cli.h"
#include "fuse/mount.h"

/*
 * daemon_start(cli, conf, log_path): forks; the child runs mount_run(conf) with its own ready_fd and
 * passphrase function. Returns in the parent when the mount is ready, or with the child's error. Does not
 * return in the child.
 */
ks_rc daemon_start(struct cli *cli, const struct mount_conf *conf, const char *log_path) KS_MUST;
