/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/keep.c - a table of replies; each has one place that it can be in.
 */
#include "api/keep.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

enum { LOCKS = 64, TEXT_BYTES_MAX = 8 * 1024 };

struct kept {
    const void *route;
    char cluster[ID_BYTES], organisation[ID_BYTES];
    uint64_t version;
    int64_t revision;
    size_t len;
    uint8_t *text; /* NULL: nothing is kept here */
};

struct keeper {
    pthread_mutex_t locks[LOCKS]; /* of the places that are the same modulo LOCKS */
    size_t count;
    struct kept *places;
};

ks_rc keeper_new(size_t count, struct keeper **ret)
{
    CLEANUP(mem_freep) struct keeper *k = NULL;

    TRY(mem_new(1, sizeof *k, &k));
    TRY(mem_new(count, sizeof *k->places, &k->places));
    k->count = count;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&k->locks[i], NULL);
    *ret = TAKE(k);
    return KS_SUCCESS;
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++)
        mem_free(k->places[i].text);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&k->locks[i]);
    mem_free(k->places);
    mem_free(k);
}

/* FNV-1a over the id, which is random already, and the route. */
static size_t place_of(const struct keeper *k, const struct keep_key *key)
{
    uint64_t h = 0xcbf29ce484222325u ^ (uint64_t)(uintptr_t)key->route;

    for (const char *p = key->cluster; *p; p++)
        h = (h ^ (uint8_t)*p) * 0x100000001b3u;
    return (size_t)(h % k->count);
}

static bool is_of(const struct kept *p, const struct keep_key *key)
{
    return p->text && p->route == key->route && strcmp(p->cluster, key->cluster) == 0 &&
           strcmp(p->organisation, key->organisation) == 0;
}

bool keeper_find(struct keeper *k, const struct keep_key *key, struct buf *ret,
                 int64_t *ret_revision)
{
    size_t n = place_of(k, key);
    const struct kept *p = &k->places[n];

    pthread_mutex_lock(&k->locks[n % LOCKS]);
    bool is_found = is_of(p, key) && p->version == key->version &&
                    ks_ok(buf_append(ret, view_of(p->text, p->len)));
    if (is_found)
        *ret_revision = p->revision;
    pthread_mutex_unlock(&k->locks[n % LOCKS]);
    return is_found;
}

void keeper_put(struct keeper *k, const struct keep_key *key, struct view text, int64_t revision)
{
    size_t n = place_of(k, key);
    struct kept *p = &k->places[n];
    uint8_t *copy;

    if (text.len > TEXT_BYTES_MAX || strlen(key->cluster) >= ID_BYTES ||
        strlen(key->organisation) >= ID_BYTES || !ks_ok(mem_new(text.len + 1, 1, &copy)))
        return;
    memcpy(copy, text.bytes, text.len);
    pthread_mutex_lock(&k->locks[n % LOCKS]);
    mem_free(p->text);
    *p = (struct kept){.route = key->route,
                       .version = key->version,
                       .revision = revision,
                       .len = text.len,
                       .text = copy};
    memcpy(p->cluster, key->cluster, strlen(key->cluster) + 1);
    memcpy(p->organisation, key->organisation, strlen(key->organisation) + 1);
    pthread_mutex_unlock(&k->locks[n % LOCKS]);
}
