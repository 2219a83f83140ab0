/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/local_key.c - wrapping and unwrapping under the store key, bound to volume and generation.
 */
#include "key/local_key.h"

#include <string.h>

#include "base/codec.h"

enum { AAD_TEXT_BYTES = 24, AAD_BYTES = AAD_TEXT_BYTES + KEYRING_ID_BYTES + 4 };

/* What a wrapped key is for: a text padded with zeros, the volume, the generation (0: none). */
static struct view aad(const struct keyring *k, const char *text, uint32_t generation,
                       uint8_t out[AAD_BYTES])
{
    memset(out, 0, AAD_BYTES);
    memcpy(out, text, strnlen(text, AAD_TEXT_BYTES));
    memcpy(out + AAD_TEXT_BYTES, k->volume_id, KEYRING_ID_BYTES);
    put_u32(out + AAD_TEXT_BYTES + KEYRING_ID_BYTES, generation);
    return view_of(out, AAD_BYTES);
}

ks_rc local_key_commit(const struct keyring *k, struct view store_key,
                       uint8_t ret[KEYWRAP_COMMIT_BYTES])
{
    uint8_t info[AAD_BYTES];

    return keywrap_commit(store_key, aad(k, "keystead store key v1", 0, info), ret);
}

ks_rc local_key_check(const struct keyring *k, struct view store_key)
{
    uint8_t commit[KEYWRAP_COMMIT_BYTES];

    ENSURE(store_key.len == STORE_KEY_BYTES, KS_E_WRONG_KEY,
           "the store key has %zu bytes instead of %d", store_key.len, STORE_KEY_BYTES);
    TRY(local_key_commit(k, store_key, commit));
    ENSURE(secret_is_equal(view_of(commit, sizeof commit),
                           view_of(k->store_commit, sizeof k->store_commit)),
           KS_E_WRONG_KEY, "the store key is not the one that this keyring was made with");
    return KS_SUCCESS;
}

ks_rc local_key_seal_data(const struct keyring *k, struct view store_key, struct view key,
                          struct random *random, struct keyring_data_key *d)
{
    uint8_t bound[AAD_BYTES];

    ENSURE(key.len == DATA_KEY_BYTES, KS_E_BUG, "a data key of %zu bytes", key.len);
    return keywrap_seal(store_key, aad(k, "keystead data key v1", d->generation, bound), key,
                        random, d->wrapped);
}

ks_rc local_key_open_data(const struct keyring *k, struct view store_key,
                          const struct keyring_data_key *d, struct secret **ret)
{
    uint8_t bound[AAD_BYTES];

    return ks_wrap(keywrap_open(store_key, aad(k, "keystead data key v1", d->generation, bound),
                                view_of(d->wrapped, sizeof d->wrapped), ret),
                   "data key of generation %u", d->generation);
}

ks_rc local_key_seal_name(struct keyring *k, struct view store_key, struct view key,
                          struct random *random)
{
    uint8_t bound[AAD_BYTES];

    ENSURE(key.len == NAME_KEY_BYTES, KS_E_BUG, "a name key of %zu bytes", key.len);
    return keywrap_seal(store_key, aad(k, "keystead name key v1", 0, bound), key, random,
                        k->name_key);
}

ks_rc local_key_open_name(const struct keyring *k, struct view store_key, struct secret **ret)
{
    uint8_t bound[AAD_BYTES];

    return ks_wrap(keywrap_open(store_key, aad(k, "keystead name key v1", 0, bound),
                                view_of(k->name_key, sizeof k->name_key), ret),
                   "name key");
}
