/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/keyset.c - the keys of a volume in clear, all of them in guarded memory.
 *
 * The data keys lie side by side in one secret, because a secret of its own for each of up to 4096
 * generations would cost four pages of locked memory apiece.
 */
#include "key/keyset.h"

#include <string.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "key/local_key.h"

struct keyset {
    struct secret *store_key, *name_key;
    struct secret *data_keys; /* count * DATA_KEY_BYTES */
    uint32_t *generations;    /* ascending; destroyed ones are left out */
    size_t count;
};

void keyset_free(struct keyset *s)
{
    if (!s)
        return;
    secret_free(s->store_key);
    secret_free(s->name_key);
    secret_free(s->data_keys);
    mem_free(s->generations);
    mem_free(s);
}

void keyset_freep(struct keyset **s)
{
    keyset_free(*s);
}

static ks_rc open_data_key(const struct keyring *k, struct view store_key,
                           const struct keyring_data_key *d, struct keyset *s)
{
    CLEANUP(secret_freep) struct secret *key = NULL;

    TRY(local_key_open_data(k, store_key, d, &key));
    memcpy(secret_bytes(s->data_keys) + s->count * DATA_KEY_BYTES, secret_view(key).bytes,
           DATA_KEY_BYTES);
    s->generations[s->count++] = d->generation;
    return KS_SUCCESS;
}

static ks_rc open_data_keys(const struct keyring *k, struct view store_key, struct keyset *s)
{
    TRY(mem_new(k->data_key_count, sizeof *s->generations, &s->generations));
    TRY(secret_new(k->data_key_count * DATA_KEY_BYTES, &s->data_keys));
    for (size_t i = 0; i < k->data_key_count; i++)
        if (k->data_keys[i].state != DATA_KEY_DESTROYED)
            TRY(open_data_key(k, store_key, &k->data_keys[i], s));
    return KS_SUCCESS;
}

ks_rc keyset_open(const struct keyring *k, struct secret **store_key, struct keyset **ret)
{
    CLEANUP(keyset_freep) struct keyset *s = NULL;
    struct view store = secret_view(*store_key);

    TRY(local_key_check(k, store));
    TRY(mem_new(1, sizeof *s, &s));
    TRY(open_data_keys(k, store, s));
    TRY(local_key_open_name(k, store, &s->name_key));
    s->store_key = TAKE(*store_key);
    *ret = TAKE(s);
    return KS_SUCCESS;
}

struct view keyset_store_key(const struct keyset *s)
{
    return secret_view(s->store_key);
}

struct view keyset_name_key(const struct keyset *s)
{
    return secret_view(s->name_key);
}

uint32_t keyset_newest(const struct keyset *s)
{
    return s->generations[s->count - 1]; /* a keyring's last generation is never destroyed */
}

struct view keyset_data_key(const struct keyset *s, uint32_t generation)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->generations[middle] < generation)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == s->count || s->generations[low] != generation)
        return view_of(NULL, 0);
    return view_of(secret_view(s->data_keys).bytes + low * DATA_KEY_BYTES, DATA_KEY_BYTES);
}

bool keyset_has_all_of(const struct keyset *s, const struct keyset *older)
{
    for (size_t n = 0; n < older->count; n++)
        if (keyset_data_key(s, older->generations[n]).len == 0)
            return false;
    return true;
}

ks_rc keyring_mac_key(struct view store_key, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *key = NULL;

    TRY(secret_new(KDF_HASH_BYTES, &key));
    TRY(kdf_derive(store_key, view_of(NULL, 0), view_text("keystead keyring mac v1"),
                   secret_bytes(key), KDF_HASH_BYTES));
    *ret = TAKE(key);
    return KS_SUCCESS;
}

ks_rc keyset_mac_key(const struct keyset *s, struct secret **ret)
{
    return keyring_mac_key(keyset_store_key(s), ret);
}
