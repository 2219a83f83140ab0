/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/run_dir.h - where the processes of a user on this host share what they know of key services.
 */
#pragma once

#include "base/rc.h"

enum { KMS_RUN_DIR_BYTES = 256 };

/* kms_run_dir(room): KEYSTEAD_RUN_DIR/kms, /run/keystead/kms for root, XDG_RUNTIME_DIR/keystead/kms; NULL when there is no
 * such place. Made by who uses it. */
const char *kms_run_dir(char room[KMS_RUN_DIR_BYTES]);
