/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/rotation.c - every change of a volume's keyring.
 *
 * All follow one form: copy the current keyring, change the copy, prove that it opens, replace the old
 * one in one durable step. Never leaves a half-made change behind: there is none on disk.
 */
#include <string.h>

#include "base/mem.h"
#include "key/hierarchy.h"
#include "key/hierarchy_int.h"
#include "key/local_key.h"

static pthread_mutex_t *file_lock(const struct hierarchy *h)
{
    if (h->file_mutex)
        pthread_mutex_lock(h->file_mutex);
    return h->file_mutex;
}

static void file_unlockp(pthread_mutex_t **locked)
{
    if (*locked)
        pthread_mutex_unlock(*locked);
}

/* A copy of the current keyring to work on. keys must be the ones in it, or the change would bury
 * the keyring under a MAC that nobody can check. */
static ks_rc change_begin(struct hierarchy *h, const struct keyset *keys, struct keyring **ret)
{
    CLEANUP(file_unlockp) pthread_mutex_t *locked = file_lock(h);
    const struct keyring *current = keyring_file_current(h->file);

    (void)locked;
    TRY(local_key_check(current, keyset_store_key(keys)));
    return keyring_copy(current, ret);
}

/* k still has the sequence of the keyring that it is a copy of. */
static ks_rc change_commit(struct hierarchy *h, struct view store_key, const struct keyring *k)
{
    CLEANUP(secret_freep) struct secret *mac_key = NULL;

    TRY(keyring_mac_key(store_key, &mac_key));
    CLEANUP(file_unlockp) pthread_mutex_t *locked = file_lock(h);
    (void)locked;
    ENSURE(keyring_file_current(h->file)->sequence == k->sequence, KS_E_BUSY,
           "the keyring was changed meanwhile by another command; try again");
    return keyring_file_replace(h->file, k, secret_view(mac_key));
}

ks_rc hierarchy_settle(struct hierarchy *h)
{
    CLEANUP(file_unlockp) pthread_mutex_t *locked = file_lock(h);
    const char *stale = keyring_file_stale(h->file);

    (void)locked;
    if (!stale)
        return KS_SUCCESS;
    return ks_wrap(keyring_file_mend(h->file),
                   "the change stands in %s, but %s may still hold what it took away: make it "
                   "writable; a mounted volume then mends it by itself, else the next command "
                   "that opens the volume with its keys",
                   keyring_file_name(h->file), stale);
}

/* A change that takes something away and has no keyset to give. */
static ks_rc change_commit_both(struct hierarchy *h, struct view store_key, const struct keyring *k)
{
    TRY(change_commit(h, store_key, k));
    return hierarchy_settle(h);
}

/* Opens the changed keyring before it gets to the disk, which proves it, then makes it durable. */
static ks_rc change_commit_opened(struct hierarchy *h, struct view store_key,
                                  const struct keyring *k, struct keyset **ret)
{
    CLEANUP(secret_freep) struct secret *copy = NULL;
    CLEANUP(keyset_freep) struct keyset *opened = NULL;

    TRY(secret_copy(store_key, &copy));
    TRY(keyset_open(k, &copy, &opened));
    TRY(change_commit(h, store_key, k));
    *ret = TAKE(opened);
    return KS_SUCCESS;
}

/* --- wraps ---------------------------------------------------------------------------------- */

static ks_rc find_active(const struct keyring *k, uint32_t id, struct keyring_wrap **ret)
{
    struct keyring_wrap *w = keyring_find_wrap(k, id);

    ENSURE(w, KS_E_NOT_FOUND, "the volume has no wrap %u; keystead volume status lists them", id);
    ENSURE(w->state == KEYRING_WRAP_ACTIVE, KS_E_STATE, "wrap %u is retired already", id);
    *ret = w;
    return KS_SUCCESS;
}

/* One key must not have two active wraps: removing one would look like taking that key's access away. */
static ks_rc check_not_wrapped(const struct keyring *k, const struct key_spec *spec,
                               uint32_t except_id)
{
    for (size_t i = 0; i < k->wrap_count; i++) {
        const struct keyring_wrap *w = &k->wraps[i];

        ENSURE(w->state != KEYRING_WRAP_ACTIVE || w->id == except_id ||
                   !key_spec_is_same(&w->spec, spec),
               KS_E_EXISTS, "wrap %u is under the key %s %.200s already", w->id, spec->type,
               spec->uri);
    }
    return KS_SUCCESS;
}

/* Retires the wrap and puts one under spec in its place. spec must not point into k. */
static ks_rc replace_wrap(struct hierarchy *h, struct keyring *k, uint32_t id,
                          const struct key_spec *spec, const struct secret *store_key)
{
    int64_t now_s = clock_wall_s(h->clock);
    struct keyring_wrap *w;

    TRY(find_active(k, id, &w));
    keyring_wrap_retire(w, now_s);
    return wrap_make(k, spec, store_key, h->service, now_s, h->random, &w);
}

/* The active wraps as they are now; replacing one moves the array and adds others. */
static size_t active_ids(const struct keyring *k, uint32_t ids[KEYRING_ACTIVE_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < k->wrap_count && n < KEYRING_ACTIVE_MAX; i++)
        if (k->wraps[i].state == KEYRING_WRAP_ACTIVE)
            ids[n++] = k->wraps[i].id;
    return n;
}

/* Replaces every active wrap by one under the same key, at the key's current version. */
static ks_rc replace_all_wraps(struct hierarchy *h, struct keyring *k,
                               const struct secret *store_key)
{
    uint32_t ids[KEYRING_ACTIVE_MAX];
    size_t count = active_ids(k, ids);

    for (size_t i = 0; i < count; i++) {
        struct key_spec spec = keyring_find_wrap(k, ids[i])->spec;

        TRY(ks_wrap(replace_wrap(h, k, ids[i], &spec, store_key), "wrap %u", ids[i]));
    }
    return KS_SUCCESS;
}

static ks_rc replace_one_wrap(struct hierarchy *h, struct keyring *k, uint32_t id,
                              const struct key_spec *spec, const struct secret *store_key)
{
    struct keyring_wrap *w;

    TRY(find_active(k, id, &w));
    struct key_spec wanted = spec ? *spec : w->spec;
    TRY(check_not_wrapped(k, &wanted, id));
    return ks_wrap(replace_wrap(h, k, id, &wanted, store_key), "wrap %u", id);
}

ks_rc hierarchy_rotate_cmek(struct hierarchy *h, const struct keyset *keys, uint32_t wrap_id,
                            const struct key_spec *spec)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(secret_freep) struct secret *store_key = NULL;
    uint32_t ids[KEYRING_ACTIVE_MAX];

    TRY(change_begin(h, keys, &k));
    TRY(secret_copy(keyset_store_key(keys), &store_key));
    size_t active = active_ids(k, ids);
    ENSURE(wrap_id || !spec || active == 1, KS_E_USAGE,
           "the volume has %zu wraps; say which one the new key replaces", active);
    if (!wrap_id && spec)
        wrap_id = ids[0];
    if (wrap_id)
        TRY(replace_one_wrap(h, k, wrap_id, spec, store_key));
    else
        TRY(replace_all_wraps(h, k, store_key));
    return change_commit_both(h, secret_view(store_key), k);
}

ks_rc hierarchy_add_wrap(struct hierarchy *h, const struct keyset *keys,
                         const struct key_spec *spec, uint32_t *ret_id)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(secret_freep) struct secret *store_key = NULL;
    struct keyring_wrap *w;

    TRY(change_begin(h, keys, &k));
    TRY(check_not_wrapped(k, spec, 0));
    ENSURE(keyring_active_count(k) < KEYRING_ACTIVE_MAX, KS_E_LIMIT,
           "the volume has %d active wraps, more are not possible; remove one first",
           KEYRING_ACTIVE_MAX);
    TRY(secret_copy(keyset_store_key(keys), &store_key));
    TRY(wrap_make(k, spec, store_key, h->service, clock_wall_s(h->clock), h->random, &w));
    uint32_t id = w->id;
    TRY(change_commit(h, secret_view(store_key), k));
    *ret_id = id;
    return KS_SUCCESS;
}

ks_rc hierarchy_remove_wrap(struct hierarchy *h, const struct keyset *keys, uint32_t id)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    struct keyring_wrap *w;

    TRY(change_begin(h, keys, &k));
    TRY(find_active(k, id, &w));
    ENSURE(
        keyring_active_count(k) > 1, KS_E_STATE,
        "wrap %u is the last one: without it nobody could ever open the volume; add another first",
        id);
    keyring_wrap_retire(w, clock_wall_s(h->clock));
    return change_commit_both(h, keyset_store_key(keys), k);
}

/* --- keys below the wraps ------------------------------------------------------------------- */

/* Wraps what the old keyset holds under the new store key. */
static ks_rc rewrap_local_keys(struct keyring *k, const struct keyset *keys, struct view store_key,
                               struct random *random)
{
    for (size_t i = 0; i < k->data_key_count; i++) {
        struct keyring_data_key *d = &k->data_keys[i];

        if (d->state != DATA_KEY_DESTROYED)
            TRY(local_key_seal_data(k, store_key, keyset_data_key(keys, d->generation), random, d));
    }
    return local_key_seal_name(k, store_key, keyset_name_key(keys), random);
}

ks_rc hierarchy_rotate_store(struct hierarchy *h, const struct keyset *keys, struct keyset **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(secret_freep) struct secret *store_key = NULL;

    TRY(change_begin(h, keys, &k));
    ENSURE(k->store_key_id < UINT32_MAX, KS_E_LIMIT, "the numbers of store keys are used up");
    TRY(store_key_make(h->random, &store_key));
    k->store_key_id++;
    k->store_key_created_s = clock_wall_s(h->clock);
    TRY(local_key_commit(k, secret_view(store_key), k->store_commit));
    TRY(rewrap_local_keys(k, keys, secret_view(store_key), h->random));
    TRY(replace_all_wraps(h, k, store_key));
    return change_commit_opened(h, secret_view(store_key), k, ret);
}

ks_rc hierarchy_rotate_data(struct hierarchy *h, const struct keyset *keys, struct keyset **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    struct view store_key = keyset_store_key(keys);

    TRY(change_begin(h, keys, &k));
    TRY(data_key_make(k, store_key, clock_wall_s(h->clock), h->random));
    return change_commit_opened(h, store_key, k, ret);
}

static ks_rc destroy_one(struct keyring *k, uint32_t generation, int64_t now_s)
{
    struct keyring_data_key *d = keyring_find_data_key(k, generation);

    ENSURE(d, KS_E_NOT_FOUND, "the volume has no generation %u of data keys", generation);
    ENSURE(d->state != DATA_KEY_NEWEST, KS_E_STATE,
           "generation %u is the newest data key, which all writes use", generation);
    ENSURE(d->state != DATA_KEY_DESTROYED, KS_E_STATE,
           "the data key of generation %u is destroyed already", generation);
    mem_wipe(d->wrapped, sizeof d->wrapped);
    d->state = DATA_KEY_DESTROYED;
    d->destroyed_s = now_s;
    return KS_SUCCESS;
}

ks_rc hierarchy_destroy_data_keys(struct hierarchy *h, const struct keyset *keys,
                                  const uint32_t *generations, size_t count, struct keyset **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    int64_t now_s = clock_wall_s(h->clock);

    ENSURE(count > 0, KS_E_USAGE, "no generation to destroy is named");
    TRY(change_begin(h, keys, &k));
    for (size_t i = 0; i < count; i++)
        TRY(destroy_one(k, generations[i], now_s));
    return change_commit_opened(h, keyset_store_key(keys), k, ret);
}

/* --- values --------------------------------------------------------------------------------- */

ks_rc hierarchy_set_settings(struct hierarchy *h, const struct keyset *keys,
                             const struct keyring_settings *settings)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    TRY(keyring_settings_check(settings));
    TRY(change_begin(h, keys, &k));
    k->settings = *settings;
    return change_commit(h, keyset_store_key(keys), k);
}
