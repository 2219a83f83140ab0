/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/keywrap.h - a key sealed under another key that we hold.
 *
 * Layout of a wrapped key: commitment 32 | nonce 24 | tag 16 | ciphertext. The commitment is
 * HKDF-SHA-256(kek, salt = nonce, info = "keystead key commitment v1") and is checked, in constant
 * time, before anything is decrypted: another kek gives WRONG_KEY, a changed byte behind it AUTH.
 */
#pragma once

#include "base/random.h"
#include "base/rc.h"
#include "base/secret.h"
#include "base/view.h"

enum { KEYWRAP_COMMIT_BYTES = 32, KEYWRAP_OVERHEAD = 32 + 24 + 16, KEYWRAP_KEY_MAX = 4096 };

/* keywrap_bytes(n): the length of a wrapped key of n bytes. */
static inline size_t keywrap_bytes(size_t key_bytes)
{
    return key_bytes + KEYWRAP_OVERHEAD;
}

/* keywrap_seal(kek, aad, key, random, ret): kek is 32 bytes; ret gets keywrap_bytes(key.len). */
ks_rc keywrap_seal(struct view kek, struct view aad, struct view key, struct random *random,
                   uint8_t *ret) KS_MUST;

/* keywrap_open(kek, aad, blob, ret): WRONG_KEY, AUTH, FORMAT (too short or too long). */
ks_rc keywrap_open(struct view kek, struct view aad, struct view blob, struct secret **ret) KS_MUST;

/* keywrap_commit(key, info, ret): a public 32-byte commitment to a key for the purpose info. */
ks_rc keywrap_commit(struct view key, struct view info, uint8_t ret[KEYWRAP_COMMIT_BYTES]) KS_MUST;
