/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/eras.c - which operations may still use which keys.
 *
 * Invariant: eras end in the order in which they began. volume.keys changes before volume.era, so whoever is counted
 * in an era finds its keys or later ones. An era that has ended is used again and never given back while the volume lives:
 * somebody may be about to count itself in by mistake.
 */
#include "volume/eras.h"

#include <assert.h>

#include "base/mem.h"

enum { PASS_NEWS_MS = 100 };

struct era {
    struct era *next; /* began after it; or is idle too */
    atomic_uint users;
    uint64_t number;
    struct keyset *keys; /* those of the next one, too, unless they changed */
};

/* eras_mutex is held. */
static void end_what_is_over(struct volume *v)
{
    while (v->era_oldest != atomic_load(&v->era) && atomic_load(&v->era_oldest->users) == 0) {
        struct era *over = v->era_oldest;
        v->era_oldest = over->next;
        if (over->keys != over->next->keys)
            keyset_free(over->keys);
        over->keys = NULL;
        over->next = v->eras_idle;
        v->eras_idle = over;
        pthread_cond_broadcast(&v->era_ended);
    }
}

/* Counted first, asked second: whoever begins another era and then sees nobody in this one can be sure. */
struct era *era_enter(struct volume *v)
{
    struct era *e = atomic_load(&v->era);

    atomic_fetch_add(&e->users, 1);
    for (struct era *now; (now = atomic_load(&v->era)) != e; e = now) {
        atomic_fetch_add(&now->users, 1);
        era_leave(v, e);
    }
    return e;
}

void era_leave(struct volume *v, struct era *e)
{
    if (atomic_fetch_sub(&e->users, 1) != 1 || e == atomic_load(&v->era))
        return;
    pthread_mutex_lock(&v->eras_mutex);
    end_what_is_over(v);
    pthread_mutex_unlock(&v->eras_mutex);
}

/* eras_mutex is held. */
static ks_rc era_get(struct volume *v, struct era **ret)
{
    struct era *e = v->eras_idle;

    if (!e)
        return mem_new(1, sizeof *e, ret);
    v->eras_idle = e->next;
    e->next = NULL;
    *ret = e;
    return KS_SUCCESS;
}

/* One is kept in reserve: after the keyring has changed nothing may fail any more. eras_mutex is held. */
static ks_rc keep_one(struct volume *v)
{
    return v->eras_idle ? KS_SUCCESS : mem_new(1, sizeof *v->eras_idle, &v->eras_idle);
}

/* eras_mutex is held. */
static ks_rc begin(struct volume *v, struct keyset *keys)
{
    struct era *last = atomic_load(&v->era), *e;

    TRY(era_get(v, &e));
    e->number = last->number + 1;
    e->keys = keys;
    last->next = e;
    atomic_store(&v->keys, keys);
    atomic_store(&v->era, e);
    end_what_is_over(v);
    IGNORE(keep_one(v)); /* tried again the next time */
    return KS_SUCCESS;
}

ks_rc era_begin_with(struct volume *v, struct keyset **keys)
{
    pthread_mutex_lock(&v->eras_mutex);
    ks_rc rc = begin(v, *keys);
    if (ks_ok(rc))
        *keys = NULL;
    pthread_mutex_unlock(&v->eras_mutex);
    return rc;
}

ks_rc era_begin(struct volume *v, uint64_t *ret)
{
    pthread_mutex_lock(&v->eras_mutex);
    ks_rc rc = begin(v, atomic_load(&v->keys));
    if (ks_ok(rc))
        *ret = atomic_load(&v->era)->number;
    pthread_mutex_unlock(&v->eras_mutex);
    return rc;
}

ks_rc era_wait(struct volume *v, uint64_t number, uint32_t timeout_ms)
{
    struct timespec deadline = clock_deadline(timeout_ms);
    int err = 0;

    pthread_mutex_lock(&v->eras_mutex);
    while (v->era_oldest->number < number && err == 0)
        err = pthread_cond_timedwait(&v->era_ended, &v->eras_mutex, &deadline);
    bool is_over = v->era_oldest->number >= number;
    pthread_mutex_unlock(&v->eras_mutex);
    ENSURE(is_over, KS_E_BUSY, "operations that began before are still in progress");
    return KS_SUCCESS;
}

ks_rc era_pass(struct volume *v, bool (*progress)(void *arg), void *arg)
{
    uint64_t number;

    TRY(era_begin(v, &number));
    while (!ks_ok(era_wait(v, number, PASS_NEWS_MS)))
        ENSURE(progress(arg), KS_E_BUSY, "interrupted");
    return KS_SUCCESS;
}

bool eras_have_one_keyset(struct volume *v)
{
    pthread_mutex_lock(&v->eras_mutex);
    bool is_one = v->era_oldest->keys == atomic_load(&v->keys);
    pthread_mutex_unlock(&v->eras_mutex);
    return is_one;
}

void eras_wipe(struct volume *v)
{
    pthread_mutex_lock(&v->eras_mutex);
    end_what_is_over(v);
    assert(v->era_oldest == v->era);
    v->era_oldest->keys = NULL;
    keyset_free(atomic_exchange(&v->keys, NULL));
    pthread_mutex_unlock(&v->eras_mutex);
}

ks_rc eras_init(struct volume *v)
{
    struct era *first;

    pthread_mutex_init(&v->eras_mutex, NULL);
    clock_cond_init(&v->era_ended);
    TRY(mem_new(1, sizeof *first, &first));
    v->era_oldest = first;
    atomic_store(&v->era, first);
    return keep_one(v);
}

void eras_done(struct volume *v)
{
    if (v->era_oldest)
        eras_wipe(v);
    mem_free(v->era_oldest);
    for (struct era *e = v->eras_idle, *next; e; e = next) {
        next = e->next;
        mem_free(e);
    }
    pthread_cond_destroy(&v->era_ended);
    pthread_mutex_destroy(&v->eras_mutex);
}
