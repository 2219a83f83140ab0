/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/block_locks.c - locks of single blocks.
 */
#include "volume/block_locks.h"

#include <stdbool.h>

void block_locks_init(struct block_locks *l)
{
    for (size_t n = 0; n < BLOCK_LISTS; n++) {
        l->at[n] = (struct block_list){0};
        pthread_mutex_init(&l->at[n].mutex, NULL);
        pthread_cond_init(&l->at[n].given, NULL);
    }
}

void block_locks_done(struct block_locks *l)
{
    for (size_t n = 0; n < BLOCK_LISTS; n++) {
        pthread_cond_destroy(&l->at[n].given);
        pthread_mutex_destroy(&l->at[n].mutex);
    }
}

static struct block_list *list_of(struct block_locks *l, uint64_t file)
{
    return &l->at[(file * 0x9e3779b97f4a7c15u >> 32) % BLOCK_LISTS];
}

static bool meets(const struct block_hold *a, const struct block_hold *b)
{
    return a->file == b->file && a->first < b->first + b->count && b->first < a->first + a->count;
}

static bool is_held(const struct block_list *list, const struct block_hold *wanted)
{
    for (const struct block_hold *h = list->holds; h; h = h->next)
        if (meets(h, wanted))
            return true;
    return false;
}

void block_locks_take(struct block_locks *l, uint64_t file, uint64_t first, size_t count,
                      struct block_hold *ret)
{
    struct block_list *list = list_of(l, file);

    *ret = (struct block_hold){.file = file, .first = first, .count = count};
    pthread_mutex_lock(&list->mutex);
    list->waiting++;
    while (is_held(list, ret))
        pthread_cond_wait(&list->given, &list->mutex);
    list->waiting--;
    ret->next = list->holds;
    list->holds = ret;
    pthread_mutex_unlock(&list->mutex);
}

void block_locks_give(struct block_locks *l, struct block_hold *h)
{
    struct block_list *list = list_of(l, h->file);

    pthread_mutex_lock(&list->mutex);
    struct block_hold **at = &list->holds;
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    if (list->waiting > 0)
        pthread_cond_broadcast(&list->given);
    pthread_mutex_unlock(&list->mutex);
}
