/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/hash.h - SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), for protocols.
 *
 * Never for keys of volumes (crypto/kdf.h is). Thread-safe.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

enum { HASH_BYTES = 32 };

/* hash_sha256(data, ret): BUG when the library fails. */
ks_rc hash_sha256(struct view data, uint8_t ret[HASH_BYTES]) KS_MUST;
/* hash_hmac(key, data, ret): key of any length. */
ks_rc hash_hmac(struct view key, struct view data, uint8_t ret[HASH_BYTES]) KS_MUST;
/* hash_crc32c(data): CRC-32C (Castagnoli, RFC 3720 B.4), with the processor's instruction where it has one. */
uint32_t hash_crc32c(struct view data);
