/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/state_dir.h - the directory in which the control plane keeps everything: control.db, authority.pem, authority.key.
 */
#pragma once

#include "io/io.h"

/* state_dir_make(dir): makes the last part of the path, mode 0700, durably. One that is there is taken as it is. */
ks_rc state_dir_make(const char *dir) KS_MUST;
/* state_dir_open(dir, ret): give back with state_dir_close. */
ks_rc state_dir_open(const char *dir, struct io_node **ret) KS_MUST;
void state_dir_close(struct io_node **dir);
