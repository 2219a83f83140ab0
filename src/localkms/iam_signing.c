/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_signing.c - signing keys of the day, remembered: deriving one costs five times as much as using it.
 *
 * A slot is chosen by what the key is for, secret and all; another key that falls on it takes it over. So a key that was deleted, or an
 * id that came back with another secret, can never be answered from here.
 */
#include <string.h>

#include "base/mem.h"
#include "localkms/iam_int.h"

enum { SLOTS = 1024, LOCKS = 64, NAME_BYTES = 200 };

struct signing_key {
    uint8_t purpose[HASH_BYTES]; /* digest of secret, day, region and service */
    uint8_t key[HASH_BYTES];
    uint64_t is_set;
};

struct key_cache {
    pthread_mutex_t locks[LOCKS];
    struct secret *room; /* of the slots */
};

ks_rc key_cache_new(struct key_cache **ret)
{
    CLEANUP(mem_freep) struct key_cache *c = NULL;

    TRY(mem_new(1, sizeof *c, &c));
    TRY(secret_new(SLOTS * sizeof(struct signing_key), &c->room));
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&c->locks[i], NULL);
    *ret = TAKE(c);
    return KS_SUCCESS;
}

void key_cache_free(struct key_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&c->locks[i]);
    secret_free(c->room);
    mem_free(c);
}

static void text_wipe(char (*text)[NAME_BYTES + IAM_SECRET_LEN])
{
    mem_wipe(text, sizeof *text);
}

static ks_rc purpose_of(const struct sigv4_claim *claim, const char *secret,
                        uint8_t ret[HASH_BYTES])
{
    CLEANUP(text_wipe) char text[NAME_BYTES + IAM_SECRET_LEN] = {0};
    const char *const parts[] = {claim->day, claim->region, claim->service};
    size_t at = IAM_SECRET_LEN;

    _Static_assert(NAME_BYTES > sizeof claim->day + 2 * SIGV4_NAME_BYTES, "all parts fit");
    memcpy(text, secret, IAM_SECRET_LEN);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t len = strlen(parts[i]) + 1;
        memcpy(text + at, parts[i], len);
        at += len;
    }
    return hash_sha256(view_of(text, at), ret);
}

ks_rc iam_signing_key(struct iam *iam, const struct sigv4_claim *claim, const char *secret,
                      uint8_t ret[HASH_BYTES])
{
    struct key_cache *c = iam->signing_keys;
    uint8_t purpose[HASH_BYTES];

    TRY(purpose_of(claim, secret, purpose));
    size_t at = (size_t)(purpose[0] | purpose[1] << 8) % SLOTS;
    struct signing_key *slot = (void *)(secret_bytes(c->room) + at * sizeof *slot);
    pthread_mutex_t *lock = &c->locks[at % LOCKS];

    pthread_mutex_lock(lock);
    bool is_known = slot->is_set && secret_is_equal(view_of(slot->purpose, HASH_BYTES),
                                                    view_of(purpose, HASH_BYTES));
    if (is_known)
        memcpy(ret, slot->key, HASH_BYTES);
    pthread_mutex_unlock(lock);
    if (is_known)
        return KS_SUCCESS;
    TRY(sigv4_key(view_of(secret, IAM_SECRET_LEN), claim, ret));
    pthread_mutex_lock(lock);
    memcpy(slot->purpose, purpose, HASH_BYTES);
    memcpy(slot->key, ret, HASH_BYTES);
    slot->is_set = 1;
    pthread_mutex_unlock(lock);
    return KS_SUCCESS;
}
