/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/admin.h - what no cloud has a request for: paths below /keystead/v1/.
 */
#pragma once

#include "localkms/server.h"

extern const struct lk_wire admin_wire;
