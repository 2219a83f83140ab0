/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/waiters.c - a hash table of lists of waits.
 */
#include "api/waiters.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { LISTS = 4096 };

struct api_wait {
    char kind;
    char id[ID_BYTES];
    struct http_exchange *exchange;
    struct api_wait **at, *after; /* at: what points to it */
};

struct waiters {
    pthread_mutex_t mutex;
    size_t count, count_max;
    struct api_wait *lists[LISTS];
};

ks_rc waiters_new(size_t count_max, struct waiters **ret)
{
    struct waiters *w;

    TRY(mem_new(1, sizeof *w, &w));
    w->count_max = count_max;
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

static struct api_wait **list_of(struct waiters *w, char kind, const char *id)
{
    uint32_t hash = 0x811c9dc5u ^ (uint8_t)kind;

    for (; *id; id++)
        hash = (hash * 0x01000193u) ^ (uint8_t)*id;
    return &w->lists[(hash ^ hash >> 16) % LISTS];
}

ks_rc waiters_add(struct waiters *w, char kind, const char *id, struct http_exchange *x,
                  struct api_wait **ret)
{
    struct api_wait *wait;

    TRY(mem_new(1, sizeof *wait, &wait));
    wait->kind = kind;
    snprintf(wait->id, sizeof wait->id, "%s", id);
    wait->exchange = x;
    pthread_mutex_lock(&w->mutex);
    bool has_room = w->count < w->count_max;
    if (has_room) {
        w->count++;
        wait->at = list_of(w, kind, wait->id);
        wait->after = *wait->at;
        if (wait->after)
            wait->after->at = &wait->after;
        *wait->at = wait;
    }
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
