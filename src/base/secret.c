/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/secret.c - secrets on libsodium's guarded heap.
 *
 * sodium_malloc locks its pages but does not say when that failed, so each allocation is locked
 * once more here: mlock of locked pages is harmless and tells the truth.
 *
 * A guarded allocation and its end take eleven system calls, each of which changes the memory map of all threads. Of
 * secrets that were freed some are therefore kept on a shelf for the next one of the same length: wiped, and out of
 * anybody's reach until then. Their own canary stands before the bytes, as libsodium looks at its only when the
 * memory is given back.
 */
#include "base/secret.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/random.h"

enum { SLAB_BYTES = 64 * 1024, CANARY_BYTES = 16, SHELF_PLACES = 16, SHELVED_BYTES_MAX = 512 };

struct secret {
    uint8_t *block; /* guarded: the canary, then the bytes up to the end of the page */
    size_t len;
};

struct slab {
    struct slab *next;
    uint8_t *bytes; /* guarded, SLAB_BYTES */
};

struct free_slot {
    struct free_slot *next;
};

struct secret_pool {
    pthread_mutex_t mutex;
    size_t slot_bytes;
    struct slab *slabs;
    struct free_slot *free_slots; /* the links live in the wiped slots */
};

static bool may_swap;
static uint8_t canary[CANARY_BYTES];
static pthread_once_t canary_once = PTHREAD_ONCE_INIT;
static ks_rc canary_drawn;

static struct {
    pthread_mutex_t mutex;
    size_t count;
    struct secret places[SHELF_PLACES]; /* wiped, and not accessible */
} shelf = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void draw_canary(void)
{
    canary_drawn = random_fill(random_system(), canary, sizeof canary);
}

ks_rc secret_init(void)
{
    ENSURE(sodium_init() >= 0, KS_E_BUG, "libsodium cannot start");
    return KS_SUCCESS;
}

void secret_allow_swap(bool allow)
{
    may_swap = allow;
}

static ks_rc not_locked(void)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_MEMLOCK, &limit);
    return ks_fail(KS_E_MEMLOCK,
                   "key memory cannot be locked: the limit is %llu KiB; raise it (ulimit -l, "
                   "LimitMEMLOCK= in the unit) or allow swap with --allow-swap",
                   (unsigned long long)limit.rlim_cur / 1024);
}

static ks_rc guarded_new(size_t len, uint8_t **ret)
{
    uint8_t *bytes = sodium_malloc(len);

    ENSURE(bytes, KS_E_NO_MEMORY, "no guarded memory for %zu bytes", len);
    if (mlock(bytes, len) != 0 && !may_swap) {
        sodium_free(bytes);
        return not_locked();
    }
    sodium_memzero(bytes, len);
    *ret = bytes;
    return KS_SUCCESS;
}

/* --- the shelf ------------------------------------------------------------------------------ */

/* shelf_take(len): a block for a secret of that length; NULL when there is none. */
static uint8_t *shelf_take(size_t len)
{
    uint8_t *block = NULL;

    pthread_mutex_lock(&shelf.mutex);
    for (size_t i = 0; i < shelf.count && !block; i++)
        if (shelf.places[i].len == len) {
            block = shelf.places[i].block;
            shelf.places[i] = shelf.places[--shelf.count];
        }
    pthread_mutex_unlock(&shelf.mutex);
    return block;
}

static bool shelf_put(const struct secret *s)
{
    pthread_mutex_lock(&shelf.mutex);
    bool has_place = s->len <= SHELVED_BYTES_MAX && shelf.count < SHELF_PLACES;
    has_place = has_place && sodium_mprotect_noaccess(s->block) == 0;
    if (has_place)
        shelf.places[shelf.count++] = *s;
    pthread_mutex_unlock(&shelf.mutex);
    return has_place;
}

/* A fork takes the block along without its lock, so it is locked anew. */
static bool make_usable(uint8_t *block, size_t len)
{
    return sodium_mprotect_readwrite(block) == 0 &&
           (mlock(block, CANARY_BYTES + len) == 0 || may_swap);
}

static void shelf_clear(void)
{
    pthread_mutex_lock(&shelf.mutex);
    while (shelf.count > 0)
        sodium_free(shelf.places[--shelf.count].block);
    pthread_mutex_unlock(&shelf.mutex);
}

/* What lies on the shelf counts where little may be locked. */
static ks_rc guarded_or_clear(size_t len, uint8_t **ret)
{
    ks_rc rc = guarded_new(len, ret);

    if (ks_ok(rc))
        return rc;
    shelf_clear();
    return guarded_new(len, ret);
}

static ks_rc block_new(size_t len, uint8_t **ret)
{
    pthread_once(&canary_once, draw_canary);
    TRY(canary_drawn);
    uint8_t *block = shelf_take(len);
    if (block && make_usable(block, len)) {
        *ret = block;
        return KS_SUCCESS;
    }
    sodium_free(block);
    TRY(guarded_or_clear(CANARY_BYTES + len, &block));
    memcpy(block, canary, sizeof canary);
    *ret = block;
    return KS_SUCCESS;
}

/* --- secrets -------------------------------------------------------------------------------- */

ks_rc secret_new(size_t len, struct secret **ret)
{
    CLEANUP(mem_freep) struct secret *s = NULL;

    ENSURE(len <= SIZE_MAX - CANARY_BYTES, KS_E_NO_MEMORY, "no guarded memory for %zu bytes", len);
    TRY(mem_new(1, sizeof *s, &s));
    TRY(block_new(len, &s->block));
    s->len = len;
    *ret = TAKE(s);
    return KS_SUCCESS;
}

ks_rc secret_copy(struct view v, struct secret **ret)
{
    struct secret *s;

    TRY(secret_new(v.len, &s));
    if (v.len)
        memcpy(secret_bytes(s), v.bytes, v.len);
    *ret = s;
    return KS_SUCCESS;
}

void secret_free(struct secret *s)
{
    if (!s)
        return;
    if (sodium_memcmp(s->block, canary, sizeof canary) != 0)
        abort(); /* somebody wrote before the bytes; what else is wrong nobody knows */
    sodium_memzero(secret_bytes(s), s->len);
    if (!shelf_put(s))
        sodium_free(s->block);
    mem_free(s);
}

void secret_freep(struct secret **s)
{
    secret_free(*s);
}

uint8_t *secret_bytes(struct secret *s)
{
    return s->block + CANARY_BYTES;
}

struct view secret_view(const struct secret *s)
{
    return view_of(s->block + CANARY_BYTES, s->len);
}

bool secret_is_equal(struct view a, struct view b)
{
    return a.len == b.len && sodium_memcmp(a.bytes, b.bytes, a.len) == 0;
}

ks_rc secret_pool_new(size_t slot_bytes, struct secret_pool **ret)
{
    struct secret_pool *p;

    ENSURE(slot_bytes >= 1 && slot_bytes <= 4096, KS_E_BUG, "slots of %zu bytes", slot_bytes);
    TRY(mem_new(1, sizeof *p, &p));
    pthread_mutex_init(&p->mutex, NULL);
    p->slot_bytes = (slot_bytes + 15) & ~(size_t)15;
    *ret = p;
    return KS_SUCCESS;
}

static void pool_push(struct secret_pool *p, void *slot)
{
    struct free_slot *s = slot;

    s->next = p->free_slots;
    p->free_slots = s;
}

static ks_rc pool_grow(struct secret_pool *p)
{
    CLEANUP(mem_freep) struct slab *slab = NULL;

    TRY(mem_new(1, sizeof *slab, &slab));
    TRY(guarded_or_clear(SLAB_BYTES, &slab->bytes));
    for (size_t at = 0; at + p->slot_bytes <= SLAB_BYTES; at += p->slot_bytes)
        pool_push(p, slab->bytes + at);
    slab->next = p->slabs;
    p->slabs = TAKE(slab);
    return KS_SUCCESS;
}

ks_rc secret_pool_get(struct secret_pool *p, void **ret_slot)
{
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&p->mutex);
    if (!p->free_slots)
        rc = pool_grow(p);
    if (ks_ok(rc)) {
        struct free_slot *slot = p->free_slots;
        assert(slot); /* a slot is never larger than a slab */
        p->free_slots = slot->next;
        slot->next = NULL;
        *ret_slot = slot;
    }
    pthread_mutex_unlock(&p->mutex);
    return rc;
}

void secret_pool_put(struct secret_pool *p, void *slot)
{
    if (!slot)
        return;
    sodium_memzero(slot, p->slot_bytes);
    pthread_mutex_lock(&p->mutex);
    pool_push(p, slot);
    pthread_mutex_unlock(&p->mutex);
}

void secret_pool_free(struct secret_pool *p)
{
    if (!p)
        return;
    for (struct slab *slab = p->slabs, *next; slab; slab = next) {
        next = slab->next;
        sodium_free(slab->bytes); /* wipes */
        mem_free(slab);
    }
    pthread_mutex_destroy(&p->mutex);
    mem_free(p);
}
