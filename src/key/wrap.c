/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/wrap.c - one wrap: a store key and a canary under one customer-managed key.
 *
 * Never believes a wrap that it has not opened again: a ciphertext that the key service cannot
 * take back would lock the volume for ever.
 */
#include <string.h>

#include "crypto/kdf.h"
#include "key/hierarchy_int.h"
#include "key/local_key.h"

static ks_rc random_secret(struct random *random, size_t len, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *s = NULL;

    TRY(secret_new(len, &s));
    TRY(random_fill(random, secret_bytes(s), len));
    *ret = TAKE(s);
    return KS_SUCCESS;
}

ks_rc store_key_make(struct random *random, struct secret **ret)
{
    return random_secret(random, STORE_KEY_BYTES, ret);
}

ks_rc data_key_make(struct keyring *k, struct view store_key, int64_t now_s, struct random *random)
{
    CLEANUP(secret_freep) struct secret *key = NULL;
    struct keyring_data_key *d;

    TRY(random_secret(random, DATA_KEY_BYTES, &key));
    if (k->data_key_count)
        k->data_keys[k->data_key_count - 1].retired_s = now_s;
    TRY(keyring_add_data_key(k, &d));
    d->created_s = now_s;
    return local_key_seal_data(k, store_key, secret_view(key), random, d);
}

/* Wraps plain for the purpose, and unwraps it again. */
static ks_rc seal_verified(const struct keyring *k, const struct keyring_wrap *w,
                           const char *purpose, const struct secret *plain,
                           struct key_service *service, struct buf *ret_blob,
                           char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(secret_freep) struct secret *back = NULL;
    struct keyring_context_ids ids;
    struct key_context context;

    keyring_context(k, w->store_key_id, purpose, &ids, &context);
    TRY(service->wrap(service, &w->spec, &context, plain, ret_blob, ret_version));
    ENSURE(ret_blob->len > 0, KS_E_BAD_REPLY, "the key service gave an empty ciphertext");
    TRY(ks_wrap(service->unwrap(service, &w->spec, &context, buf_view(ret_blob), &back),
                "verifying the new wrap"));
    ENSURE(secret_is_equal(secret_view(plain), secret_view(back)), KS_E_BAD_REPLY,
           "the key service gives back other bytes than it wrapped; nothing was changed");
    return KS_SUCCESS;
}

ks_rc wrap_make(struct keyring *k, const struct key_spec *spec, const struct secret *store_key,
                struct key_service *service, int64_t now_s, struct random *random,
                struct keyring_wrap **ret)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(buf_done) struct buf canary_blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *canary = NULL;
    char canary_version[KEY_VERSION_BYTES] = "";
    struct keyring_wrap *w;

    TRY(random_secret(random, CANARY_BYTES, &canary));
    TRY(keyring_add_wrap(k, &w));
    w->spec = *spec;
    w->store_key_id = k->store_key_id;
    w->created_s = now_s;
    TRY(seal_verified(k, w, "store-key", store_key, service, &blob, w->key_version));
    TRY(seal_verified(k, w, "canary", canary, service, &canary_blob, canary_version));
    TRY(kdf_hash(secret_view(canary), w->canary_hash));
    TRY(keyring_wrap_set(w, buf_view(&blob), buf_view(&canary_blob)));
    *ret = w;
    return KS_SUCCESS;
}

ks_rc wrap_open(const struct keyring *k, const struct keyring_wrap *w, struct key_service *service,
                struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *store_key = NULL;
    struct keyring_context_ids ids;
    struct key_context context;

    keyring_context(k, w->store_key_id, "store-key", &ids, &context);
    TRY(service->unwrap(service, &w->spec, &context, view_of(w->blob, w->blob_len), &store_key));
    TRY(local_key_check(k, secret_view(store_key)));
    *ret = TAKE(store_key);
    return KS_SUCCESS;
}

ks_rc wrap_probe(const struct keyring *k, const struct keyring_wrap *w, struct key_service *service)
{
    CLEANUP(secret_freep) struct secret *canary = NULL;
    struct keyring_context_ids ids;
    struct key_context context;
    uint8_t hash[KDF_HASH_BYTES];

    keyring_context(k, w->store_key_id, "canary", &ids, &context);
    TRY(service->unwrap(service, &w->spec, &context, view_of(w->canary_blob, w->canary_len),
                        &canary));
    TRY(kdf_hash(secret_view(canary), hash));
    ENSURE(memcmp(hash, w->canary_hash, sizeof hash) == 0, KS_E_WRONG_KEY,
           "the key service gives another canary than was wrapped");
    return KS_SUCCESS;
}
