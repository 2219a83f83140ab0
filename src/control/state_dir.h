/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/state_dir.h - the directory in which the control plane keeps everything: control.db, authority.pem, authority.key.
 */
#pragma once

#include "io/io.h"

/* state_dir_make(dir): makes the last part of the path, mode 0700, durably. One that is there is looked at when it is opened. */
ks_rc state_dir_make(const char *dir) KS_MUST;
/* state_dir_open(dir, ret): give back with state_dir_close. NOT_FOUND; PERMISSION unless it is this user's and nobody else's: what is in it
 * decides who is a node and who may do what. */
ks_rc state_dir_open(const char *dir, struct io_node **ret) KS_MUST;
void state_dir_close(struct io_node **dir);
