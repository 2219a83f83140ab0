/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/keyring.c - the keyring in memory: making, copying, sharing and looking things up.
 * Its bytes are made and read in keyring_format.c.
 */
#include "key/keyring.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    LEASE_MS_MIN = 200,
    LEASE_MS_LIMIT = 3600 * 1000,
    PROBE_MS_MIN = 100,
    GRACE_MS_LIMIT = 24 * 3600 * 1000,
    DATA_ROTATION_S_LIMIT = 10 * 365 * 24 * 3600,
};

ks_rc keyring_new(struct keyring **ret)
{
    struct keyring *k;

    TRY(mem_new(1, sizeof *k, &k));
    k->refs = 1;
    k->suite = 1;
    k->block_payload = 3584;
    k->next_wrap_id = 1;
    k->settings = (struct keyring_settings){
        .lease_ms_max = 60 * 1000,
        .probe_ms = 15 * 1000,
        .grace_ms = 3600 * 1000,
        .data_rotation_s = 30 * 24 * 3600,
    };
    *ret = k;
    return KS_SUCCESS;
}

static void wrap_drop_blobs(struct keyring_wrap *w)
{
    mem_free(w->blob);
    mem_free(w->canary_blob);
    w->blob = w->canary_blob = NULL;
    w->blob_len = w->canary_len = 0;
}

void keyring_free(struct keyring *k)
{
    if (!k || __atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < k->wrap_count; i++)
        wrap_drop_blobs(&k->wraps[i]);
    mem_free(k->wraps);
    mem_free(k->data_keys);
    mem_free(k);
}

void keyring_freep(struct keyring **k)
{
    keyring_free(*k);
}

struct keyring *keyring_ref(const struct keyring *k)
{
    /* The count is not part of what the owner promises not to change. */
    struct keyring *shared = (struct keyring *)(uintptr_t)k;

    __atomic_add_fetch(&shared->refs, 1, __ATOMIC_RELAXED);
    return shared;
}

static ks_rc bytes_copy(struct view v, uint8_t **ret)
{
    uint8_t *copy = NULL;

    if (v.len) {
        TRY(mem_new(v.len, 1, &copy));
        memcpy(copy, v.bytes, v.len);
    }
    *ret = copy;
    return KS_SUCCESS;
}

ks_rc keyring_wrap_set(struct keyring_wrap *w, struct view blob, struct view canary)
{
    CLEANUP(mem_freep) uint8_t *blob_copy = NULL;
    CLEANUP(mem_freep) uint8_t *canary_copy = NULL;

    TRY(bytes_copy(blob, &blob_copy));
    TRY(bytes_copy(canary, &canary_copy));
    wrap_drop_blobs(w);
    w->blob = TAKE(blob_copy);
    w->blob_len = blob.len;
    w->canary_blob = TAKE(canary_copy);
    w->canary_len = canary.len;
    return KS_SUCCESS;
}

void keyring_wrap_retire(struct keyring_wrap *w, int64_t now_s)
{
    wrap_drop_blobs(w);
    memset(w->canary_hash, 0, sizeof w->canary_hash);
    w->state = KEYRING_WRAP_RETIRED;
    w->retired_s = now_s;
}

static ks_rc copy_wraps(const struct keyring *from, struct keyring *to)
{
    TRY(mem_new(from->wrap_count, sizeof *to->wraps, &to->wraps));
    for (size_t i = 0; i < from->wrap_count; i++) {
        const struct keyring_wrap *w = &from->wraps[i];
        struct keyring_wrap *copy = &to->wraps[i];

        *copy = *w;
        copy->blob = copy->canary_blob = NULL;
        copy->blob_len = copy->canary_len = 0;
        to->wrap_count = i + 1; /* keyring_free frees what is there so far */
        TRY(keyring_wrap_set(copy, view_of(w->blob, w->blob_len),
                             view_of(w->canary_blob, w->canary_len)));
    }
    return KS_SUCCESS;
}

ks_rc keyring_copy(const struct keyring *k, struct keyring **ret)
{
    CLEANUP(keyring_freep) struct keyring *copy = NULL;

    TRY(mem_new(1, sizeof *copy, &copy));
    memcpy(copy, k, offsetof(struct keyring, refs)); /* which others may be counting in */
    copy->refs = 1;
    copy->wraps = NULL;
    copy->data_keys = NULL;
    copy->wrap_count = copy->data_key_count = 0;
    TRY(copy_wraps(k, copy));
    TRY(mem_new(k->data_key_count, sizeof *copy->data_keys, &copy->data_keys));
    if (k->data_key_count)
        memcpy(copy->data_keys, k->data_keys, k->data_key_count * sizeof *k->data_keys);
    copy->data_key_count = k->data_key_count;
    *ret = TAKE(copy);
    return KS_SUCCESS;
}

/* The history of wraps is bounded: its oldest entry makes room for a new one. */
static bool drop_oldest_retired(struct keyring *k)
{
    for (size_t i = 0; i < k->wrap_count; i++) {
        if (k->wraps[i].state != KEYRING_WRAP_RETIRED)
            continue;
        wrap_drop_blobs(&k->wraps[i]);
        memmove(&k->wraps[i], &k->wraps[i + 1], (k->wrap_count - i - 1) * sizeof *k->wraps);
        k->wrap_count--;
        return true;
    }
    return false;
}

ks_rc keyring_add_wrap(struct keyring *k, struct keyring_wrap **ret)
{
    bool is_full = k->wrap_count >= KEYRING_WRAPS_MAX && !drop_oldest_retired(k);

    ENSURE(!is_full, KS_E_LIMIT, "the volume has %d wraps, more are not possible",
           KEYRING_WRAPS_MAX);
    ENSURE(k->next_wrap_id < UINT32_MAX, KS_E_LIMIT, "the volume has used up its wrap numbers");
    TRY(mem_grow(k->wrap_count + 1, sizeof *k->wraps, &k->wraps));
    struct keyring_wrap *w = &k->wraps[k->wrap_count++];
    memset(w, 0, sizeof *w);
    w->id = k->next_wrap_id++;
    w->state = KEYRING_WRAP_ACTIVE;
    *ret = w;
    return KS_SUCCESS;
}

ks_rc keyring_add_data_key(struct keyring *k, struct keyring_data_key **ret)
{
    uint32_t newest = k->data_key_count ? k->data_keys[k->data_key_count - 1].generation : 0;

    ENSURE(k->data_key_count < KEYRING_DATA_KEYS_MAX && newest < UINT32_MAX, KS_E_LIMIT,
           "the volume has %d generations of data keys, more are not possible",
           KEYRING_DATA_KEYS_MAX);
    TRY(mem_grow(k->data_key_count + 1, sizeof *k->data_keys, &k->data_keys));
    if (k->data_key_count)
        k->data_keys[k->data_key_count - 1].state = DATA_KEY_OLDER;
    struct keyring_data_key *d = &k->data_keys[k->data_key_count++];
    memset(d, 0, sizeof *d);
    d->generation = newest + 1;
    d->state = DATA_KEY_NEWEST;
    *ret = d;
    return KS_SUCCESS;
}

struct keyring_wrap *keyring_find_wrap(const struct keyring *k, uint32_t id)
{
    for (size_t i = 0; i < k->wrap_count; i++)
        if (k->wraps[i].id == id)
            return &k->wraps[i];
    return NULL;
}

struct keyring_data_key *keyring_find_data_key(const struct keyring *k, uint32_t generation)
{
    for (size_t i = 0; i < k->data_key_count; i++)
        if (k->data_keys[i].generation == generation)
            return &k->data_keys[i];
    return NULL;
}

size_t keyring_active_count(const struct keyring *k)
{
    size_t n = 0;

    for (size_t i = 0; i < k->wrap_count; i++)
        n += k->wraps[i].state == KEYRING_WRAP_ACTIVE;
    return n;
}

ks_rc keyring_settings_check(const struct keyring_settings *s)
{
    ENSURE(s->lease_ms_max >= LEASE_MS_MIN && s->lease_ms_max <= LEASE_MS_LIMIT, KS_E_USAGE,
           "a lease of %u ms; from %d ms to %d s are possible", s->lease_ms_max, LEASE_MS_MIN,
           LEASE_MS_LIMIT / 1000);
    ENSURE(s->probe_ms >= PROBE_MS_MIN && s->probe_ms <= s->lease_ms_max / 2, KS_E_USAGE,
           "a probe every %u ms; from %d ms to half of the lease (%u ms) are possible", s->probe_ms,
           PROBE_MS_MIN, s->lease_ms_max / 2);
    ENSURE(s->grace_ms <= GRACE_MS_LIMIT, KS_E_USAGE,
           "a grace of %u ms; from 0 to 24 hours are possible", s->grace_ms);
    ENSURE(s->data_rotation_s <= DATA_ROTATION_S_LIMIT, KS_E_USAGE,
           "a data key rotation every %u s; at most 10 years, or 0 for none, are possible",
           s->data_rotation_s);
    return KS_SUCCESS;
}

static void context_add(struct key_context *c, const char *name, const char *value)
{
    assert(c->count < KEY_CONTEXT_MAX);
    if (!value[0])
        return;
    c->pairs[c->count].name = name;
    c->pairs[c->count].value = value;
    c->count++;
}

void keyring_context(const struct keyring *k, uint32_t store_key_id, const char *purpose,
                     struct keyring_context_ids *ids, struct key_context *ret)
{
    for (size_t i = 0; i < KEYRING_ID_BYTES; i++)
        snprintf(ids->volume + 2 * i, 3, "%02x", k->volume_id[i]);
    snprintf(ids->store_key, sizeof ids->store_key, "%u", store_key_id);
    memset(ret, 0, sizeof *ret);
    /* in ascending order of name, as struct key_context demands */
    context_add(ret, "cluster", k->cluster);
    context_add(ret, "organisation", k->organisation);
    context_add(ret, "purpose", purpose);
    context_add(ret, "region", k->region);
    context_add(ret, "store_key", ids->store_key);
    context_add(ret, "volume", ids->volume);
}
