/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/pwhash.c - Argon2id on libsodium. Keeps nothing.
 */
#include "crypto/pwhash.h"

#include <sodium.h>

_Static_assert((int)PWHASH_SALT_BYTES == (int)crypto_pwhash_SALTBYTES, "salts have one length");

struct pwhash_cost pwhash_cost_default(void)
{
    return (struct pwhash_cost){crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE};
}

bool pwhash_cost_is_valid(struct pwhash_cost cost)
{
    return cost.ops >= crypto_pwhash_OPSLIMIT_MIN && cost.ops <= PWHASH_OPS_MAX &&
           cost.mem_bytes >= crypto_pwhash_MEMLIMIT_MIN && cost.mem_bytes <= PWHASH_MEM_MAX;
}

ks_rc pwhash_derive(struct view passphrase, const uint8_t salt[PWHASH_SALT_BYTES],
                    struct pwhash_cost cost, uint8_t *ret, size_t len)
{
    ENSURE(pwhash_cost_is_valid(cost) && len >= crypto_pwhash_BYTES_MIN, KS_E_BUG,
           "Argon2id with %llu passes over %llu bytes", (unsigned long long)cost.ops,
           (unsigned long long)cost.mem_bytes);
    ENSURE(crypto_pwhash(ret, len, (const char *)passphrase.bytes, passphrase.len, salt, cost.ops,
                         (size_t)cost.mem_bytes, crypto_pwhash_ALG_ARGON2ID13) == 0,
           KS_E_NO_MEMORY, "no memory to derive a key from a passphrase: it takes %llu MiB",
           (unsigned long long)cost.mem_bytes >> 20);
    return KS_SUCCESS;
}
