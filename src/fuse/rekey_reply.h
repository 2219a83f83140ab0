/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/rekey_reply.h - how a re-encryption ended, as JSON: the reply to "rekey" (docs/CONTROL.md), and what the
 * command says that did it without a volume process.
 */
#pragma once

#include <jansson.h>

#include "volume/reencrypt.h"

/* rekey_reply(r): bytes_rewritten, blocks_damaged, destroyed, kept. NULL without memory. */
json_t *rekey_reply(const struct reencrypt_result *r);
/* rekey_phase(phase): its name in progress lines. */
const char *rekey_phase(enum reencrypt_phase phase);
