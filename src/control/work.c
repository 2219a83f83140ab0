/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/work.c - a transaction, and the news that are told once it is durable.
 */
#include <stdio.h>
#include <string.h>

#include "control/control_int.h"
#include "control/store.h"

void control_tell(struct control *c, char kind, const char *id)
{
    pthread_mutex_lock(&c->watch_mutex);
    if (c->told)
        c->told(c->told_arg, kind, id);
    pthread_mutex_unlock(&c->watch_mutex);
}

void control_watch(struct control *c, void (*told)(void *arg, char kind, const char *id), void *arg)
{
    pthread_mutex_lock(&c->watch_mutex);
    c->told = told;
    c->told_arg = arg;
    pthread_mutex_unlock(&c->watch_mutex);
}

ks_rc work_begin(struct control *c, struct work *w)
{
    TRY(store_tx_begin(c->store, &w->tx));
    w->c = c;
    w->now = clock_wall_s(c->clock);
    w->news.count = 0;
    w->news.is_for_all = false;
    return KS_SUCCESS;
}

static void tell_all(struct work *w)
{
    const struct news *n = &w->news;

    if (n->is_for_all)
        control_tell(w->c, 'n', "");
    for (size_t i = 0; i < n->count; i++)
        if (!n->is_for_all || n->items[i].kind != 'n')
            control_tell(w->c, n->items[i].kind, n->items[i].id);
}

ks_rc work_end(struct work *w)
{
    TRY(store_tx_commit(&w->tx));
    tell_all(w);
    return KS_SUCCESS;
}

void work_abandon(struct work *w)
{
    store_tx_end(&w->tx);
}

/* What finds no place: nodes are told all together; who waits for an operation looks again by itself. */
void work_tell(struct work *w, char kind, const char *id)
{
    struct news *n = &w->news;

    for (size_t i = 0; i < n->count; i++)
        if (n->items[i].kind == kind && strcmp(n->items[i].id, id) == 0)
            return;
    if (n->count == NEWS_MAX) {
        n->is_for_all = n->is_for_all || kind == 'n';
        return;
    }
    n->items[n->count].kind = kind;
    snprintf(n->items[n->count].id, ID_BYTES, "%s", id);
    n->count++;
}
