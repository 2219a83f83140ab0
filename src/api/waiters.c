/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/waiters.c - a hash table of lists of waits.
 */
#include "api/waiters.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { LISTS = 4096, OWNERS = 4096 };

struct api_wait {
    char kind;
    char id[ID_BYTES];
    struct http_exchange *exchange;
    uint32_t *owned;              /* how many its owner has; NULL: not counted */
    struct api_wait **at, *after; /* at: what points to it */
};

struct waiters {
    pthread_mutex_t mutex;
    size_t count, count_max;
    uint32_t of_owner_max;
    uint32_t owned[OWNERS];
    struct api_wait *lists[LISTS];
};

ks_rc waiters_new(size_t count_max, uint32_t of_owner_max, struct waiters **ret)
{
    struct waiters *w;

    TRY(mem_new(1, sizeof *w, &w));
    w->count_max = count_max;
    w->of_owner_max = of_owner_max;
    pthread_mutex_init(&w->mutex, NULL);
    *ret = w;
    return KS_SUCCESS;
}

void waiters_free(struct waiters *w)
{
    if (!w)
        return;
    pthread_mutex_destroy(&w->mutex);
    mem_free(w);
}

static uint32_t hash_of(char kind, const char *id)
{
    uint32_t hash = 0x811c9dc5u ^ (uint8_t)kind;

    for (; *id; id++)
        hash = (hash * 0x01000193u) ^ (uint8_t)*id;
    return hash ^ hash >> 16;
}

static struct api_wait **list_of(struct waiters *w, char kind, const char *id)
{
    return &w->lists[hash_of(kind, id) % LISTS];
}

/* With the mutex held; false when there is no room. */
static bool enter(struct waiters *w, struct api_wait *wait)
{
    if (w->count >= w->count_max || (wait->owned && *wait->owned >= w->of_owner_max))
        return false;
    w->count++;
    if (wait->owned)
        ++*wait->owned;
    wait->at = list_of(w, wait->kind, wait->id);
    wait->after = *wait->at;
    if (wait->after)
        wait->after->at = &wait->after;
    *wait->at = wait;
    return true;
}

ks_rc waiters_add(struct waiters *w, const struct wait_for *what, struct http_exchange *x,
                  struct api_wait **ret)
{
    struct api_wait *wait;

    TRY(mem_new(1, sizeof *wait, &wait));
    wait->kind = what->kind;
    snprintf(wait->id, sizeof wait->id, "%s", what->id);
    wait->exchange = x;
    if (what->owner[0])
        wait->owned = &w->owned[hash_of(0, what->owner) % OWNERS];
    pthread_mutex_lock(&w->mutex);
    bool has_room = enter(w, wait);
    pthread_mutex_unlock(&w->mutex);
    if (!has_room)
        mem_free(wait);
    ENSURE(has_room, KS_E_BUSY, "too many requests wait");
    *ret = wait;
    return KS_SUCCESS;
}

void waiters_remove(struct waiters *w, struct api_wait *wait)
{
    if (!wait)
        return;
    pthread_mutex_lock(&w->mutex);
    *wait->at = wait->after;
    if (wait->after)
        wait->after->at = wait->at;
    w->count--;
    if (wait->owned)
        --*wait->owned;
    pthread_mutex_unlock(&w->mutex);
    mem_free(wait);
}

bool api_wait_is_for(const struct api_wait *wait, char kind, const char *id)
{
    return wait->kind == kind && strcmp(wait->id, id) == 0;
}

static void wake_all(struct waiters *w, char kind)
{
    for (size_t i = 0; i < LISTS; i++)
        for (struct api_wait *wait = w->lists[i]; wait; wait = wait->after)
            if (wait->kind == kind)
                http_wake(wait->exchange);
}

void waiters_tell(struct waiters *w, char kind, const char *id)
{
    pthread_mutex_lock(&w->mutex);
    if (!*id)
        wake_all(w, kind);
    else
        for (struct api_wait *wait = *list_of(w, kind, id); wait; wait = wait->after)
            if (api_wait_is_for(wait, kind, id))
                http_wake(wait->exchange);
    pthread_mutex_unlock(&w->mutex);
}

size_t waiters_count(struct waiters *w)
{
    pthread_mutex_lock(&w->mutex);
    size_t count = w->count;
    pthread_mutex_unlock(&w->mutex);
    return count;
}
