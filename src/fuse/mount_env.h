/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/mount_env.h - what the volume process takes from its surroundings: where its socket goes, and whom to tell
 * that it is ready.
 */
#pragma once

#include "base/rc.h"

/* mount_run_dir(ret): /run/keystead for root, else $XDG_RUNTIME_DIR/keystead; USAGE when there is none. */
ks_rc mount_run_dir(char **ret) KS_MUST;

/* mount_notify(text): tells the service manager ("READY=1"), if there is one; best effort. */
void mount_notify(const char *text);

/* mount_ready(fd, rc): "OK" or the error as one line, in the form of the control socket's; fd is closed; -1:
 * nothing. */
void mount_ready(int *fd, ks_rc rc);
