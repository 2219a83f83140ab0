/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/pwhash.h - keys from passphrases (Argon2id v1.3, libsodium), slow and hungry on purpose.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

enum { PWHASH_SALT_BYTES = 16, PWHASH_OPS_MAX = 64 };

/* Bounds of what a record may ask for: a forged record must not eat the host's memory. */
#define PWHASH_MEM_MAX (2ull << 30)

struct pwhash_cost {
    uint64_t ops, mem_bytes;
};

/* pwhash_cost_default(): 256 MiB and three passes, most of a second. */
struct pwhash_cost pwhash_cost_default(void);
/* pwhash_cost_is_valid(cost): within the algorithm's bounds and ours. */
bool pwhash_cost_is_valid(struct pwhash_cost cost);
/* pwhash_derive(passphrase, salt, cost, ret, len): len bytes, 16 or more; NO_MEMORY when cost.mem_bytes
 * cannot be had. */
ks_rc pwhash_derive(struct view passphrase, const uint8_t salt[PWHASH_SALT_BYTES],
                    struct pwhash_cost cost, uint8_t *ret, size_t len) KS_MUST;
