/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/kdf.h - keys from keys (HKDF-SHA-256, RFC 5869), message authentication and digests.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

enum { KDF_HASH_BYTES = 32 };

/* kdf_derive(key, salt, info, ret, len): HKDF-SHA-256; len <= 255 * 32. */
ks_rc kdf_derive(struct view key, struct view salt, struct view info, uint8_t *ret,
                 size_t len) KS_MUST;
/* kdf_mac(key, data, ret): HMAC-SHA-256. */
ks_rc kdf_mac(struct view key, struct view data, uint8_t ret[KDF_HASH_BYTES]) KS_MUST;
/* kdf_hash(data, ret): SHA-256. */
ks_rc kdf_hash(struct view data, uint8_t ret[KDF_HASH_BYTES]) KS_MUST;
