/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/volume.c - the life of a volume: its door, its keys, its working spaces.
 *
 * Invariant: keys are touched only between volume_enter and volume_leave, and wiped only when the
 * door is closed and nobody is inside; those that a rotation replaced, when nobody is who began before (eras.h).
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "volume/eras.h"
#include "volume/volume_int.h"

enum { SUBKEY_BYTES = 32, FILES_MAX_DEFAULT = 256 };

void fair_lock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;

    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attr);
    pthread_rwlockattr_destroy(&attr);
}

ks_rc volume_new(const struct volume_conf *conf, struct volume **ret)
{
    struct volume *v = NULL;

    TRY(mem_new(1, sizeof *v, &v));
    v->conf = *conf;
    if (v->conf.files_max == 0)
        v->conf.files_max = FILES_MAX_DEFAULT;
    pthread_mutex_init(&v->drain_mutex, NULL);
    clock_cond_init(&v->drained);
    pthread_mutex_init(&v->keys_mutex, NULL);
    pthread_mutex_init(&v->spaces_mutex, NULL);
    pthread_mutex_init(&v->table_mutex, NULL);
    pthread_mutex_init(&v->files_mutex, NULL);
    pthread_mutex_init(&v->pool_mutex, NULL);
    pthread_mutex_init(&v->ahead_mutex, NULL);
    pthread_mutex_init(&v->moves_mutex, NULL);
    pthread_mutex_init(&v->spots_mutex, NULL);
    block_locks_init(&v->block_locks);
    ks_rc rc = eras_init(v);
    if (ks_ok(rc))
        rc = table_init(v);
    if (!ks_ok(rc)) {
        volume_free(v);
        return rc;
    }
    *ret = v;
    return KS_SUCCESS;
}

static void space_free(struct space *s)
{
    if (!s)
        return;
    xaes_ctx_free(s->cipher);
    mem_free(s->pages); /* cipher text only */
    mem_free(s->nonces);
    mem_wipe(s->edge, sizeof s->edge);
    mem_free(s);
}

static void spaces_free(struct volume *v)
{
    pthread_mutex_lock(&v->spaces_mutex);
    struct space *all = TAKE(v->spaces);
    pthread_mutex_unlock(&v->spaces_mutex);
    for (struct space *next; all; all = next) {
        next = all->next;
        space_free(all);
    }
}

/* Everything made from the keyset that is not a file's. Nobody is inside. */
static void keys_forget(struct volume *v)
{
    names_free(TAKE(v->names));
    secret_free(TAKE(v->header_mac_key));
    secret_free(TAKE(v->attribute_key));
}

static ks_rc subkey(const struct keyset *keys, const char *info, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *s = NULL;

    TRY(secret_new(SUBKEY_BYTES, &s));
    TRY(kdf_derive(keyset_name_key(keys), view_of(NULL, 0), view_text(info), secret_bytes(s),
                   SUBKEY_BYTES));
    *ret = TAKE(s);
    return KS_SUCCESS;
}

/* The name key never changes, so what is made from it survives rotations. */
static ks_rc keys_prepare(struct volume *v, const struct keyset *keys)
{
    if (!v->key_pool)
        TRY(secret_pool_new(sizeof(struct xaes_key), &v->key_pool));
    if (!v->names)
        TRY(names_new(keyset_name_key(keys), v->conf.io, v->conf.long_names, &v->names));
    if (!v->header_mac_key)
        TRY(subkey(keys, "keystead file header v1", &v->header_mac_key));
    if (!v->attribute_key)
        TRY(subkey(keys, "keystead attributes v1", &v->attribute_key));
    return KS_SUCCESS;
}

/* keys_mutex is held. A cipher state remembers the key that it was used with last. */
static void drop_lost_keys(struct volume *v)
{
    if (!v->has_lost_keys || !eras_have_one_keyset(v))
        return;
    table_drop_lost_keys(v);
    spaces_free(v);
    v->has_lost_keys = false;
}

void volume_drop_lost_keys(struct volume *v)
{
    pthread_mutex_lock(&v->keys_mutex);
    drop_lost_keys(v);
    pthread_mutex_unlock(&v->keys_mutex);
}

/* keys_mutex is held. */
static ks_rc change_keys(struct volume *v, struct keyset **keys)
{
    bool is_losing = v->keys && !keyset_has_all_of(*keys, v->keys);

    TRY(keys_prepare(v, *keys));
    TRY(era_begin_with(v, keys));
    v->has_lost_keys = v->has_lost_keys || is_losing;
    drop_lost_keys(v);
    return KS_SUCCESS;
}

ks_rc volume_set_keys(struct volume *v, struct keyset **keys)
{
    pthread_mutex_lock(&v->keys_mutex);
    ks_rc rc = change_keys(v, keys);
    pthread_mutex_unlock(&v->keys_mutex);
    return rc;
}

const struct keyset *volume_keys(struct volume *v)
{
    return v->keys;
}

void volume_set_door(struct volume *v, enum volume_door door)
{
    int open = VOLUME_OPEN;

    if (door == VOLUME_DRAINING)
        atomic_compare_exchange_strong(&v->door, &open, VOLUME_DRAINING);
    else
        atomic_store(&v->door, (int)door);
}

static bool door_admits(struct volume *v, enum volume_need need)
{
    int door = atomic_load(&v->door);

    return door == VOLUME_OPEN || (door == VOLUME_DRAINING && need == NEED_FLUSH);
}

static void count_out(struct volume *v)
{
    if (atomic_fetch_sub(&v->in_progress, 1) != 1 || atomic_load(&v->door) == VOLUME_OPEN)
        return;
    pthread_mutex_lock(&v->drain_mutex);
    pthread_cond_broadcast(&v->drained);
    pthread_mutex_unlock(&v->drain_mutex);
}

/* Counted first, asked second: whoever closes the door and then sees zero inside can be sure. */
ks_rc volume_enter(struct volume *v, enum volume_need need, struct era **ret)
{
    atomic_fetch_add(&v->in_progress, 1);
    if (!door_admits(v, need)) {
        count_out(v);
        atomic_fetch_add(&v->refused, 1);
        return ks_os(EKEYREVOKED);
    }
    *ret = era_enter(v);
    return KS_SUCCESS;
}

void volume_leave(struct volume *v, struct era *e)
{
    era_leave(v, e);
    count_out(v);
}

struct foreground foreground_begin(struct volume *v)
{
    if (!atomic_load_explicit(&v->is_watched, memory_order_relaxed))
        return (struct foreground){0};
    return (struct foreground){v, clock_boot_ms(v->conf.clock)};
}

void foreground_end(struct foreground *f)
{
    if (!f->v)
        return;
    atomic_fetch_add(&f->v->foreground_ms, clock_boot_ms(f->v->conf.clock) - f->began_ms);
    atomic_fetch_add(&f->v->foreground_count, 1);
}

void volume_leavep(struct operation *op)
{
    volume_leave(op->v, op->era);
}

ks_rc volume_drain(struct volume *v, uint32_t timeout_ms)
{
    struct timespec deadline = clock_deadline(timeout_ms);
    int err = 0;

    pthread_mutex_lock(&v->drain_mutex);
    while (atomic_load(&v->in_progress) != 0 && err == 0)
        err = pthread_cond_timedwait(&v->drained, &v->drain_mutex, &deadline);
    unsigned left = atomic_load(&v->in_progress);
    pthread_mutex_unlock(&v->drain_mutex);
    ENSURE(left == 0, KS_E_BUSY, "%u operations are still in progress", left);
    return KS_SUCCESS;
}

void volume_wipe(struct volume *v)
{
    pthread_mutex_lock(&v->keys_mutex);
    spaces_free(v);
    table_drop_keys(v);
    pthread_mutex_lock(&v->pool_mutex);
    secret_pool_free(TAKE(v->key_pool));
    pthread_mutex_unlock(&v->pool_mutex);
    keys_forget(v);
    eras_wipe(v);
    v->has_lost_keys = false;
    pthread_mutex_unlock(&v->keys_mutex);
    ahead_stop(v); /* closes files, which a disk may hold up: the keys are gone by now */
}

void volume_free(struct volume *v)
{
    if (!v)
        return;
    volume_set_door(v, VOLUME_CLOSED);
    ahead_done(v);
    table_done(v);
    spaces_free(v);
    secret_pool_free(v->key_pool);
    keys_forget(v);
    pthread_mutex_destroy(&v->drain_mutex);
    pthread_cond_destroy(&v->drained);
    eras_done(v);
    pthread_mutex_destroy(&v->keys_mutex);
    pthread_mutex_destroy(&v->spaces_mutex);
    pthread_mutex_destroy(&v->table_mutex);
    pthread_mutex_destroy(&v->pool_mutex);
    pthread_mutex_destroy(&v->files_mutex);
    pthread_mutex_destroy(&v->ahead_mutex);
    pthread_mutex_destroy(&v->moves_mutex);
    pthread_mutex_destroy(&v->spots_mutex);
    block_locks_done(&v->block_locks);
    mem_free(v);
}

static ks_rc space_new(struct space **ret)
{
    struct space *s = NULL;

    TRY(mem_new(1, sizeof *s, &s));
    ks_rc rc = mem_new_pages(1 + SPACE_BLOCKS, &s->pages);
    if (ks_ok(rc))
        rc = mem_new(SPACE_BLOCKS, XAES_NONCE_BYTES, &s->nonces);
    if (ks_ok(rc))
        rc = xaes_ctx_new(&s->cipher);
    if (!ks_ok(rc)) {
        space_free(s);
        return rc;
    }
    *ret = s;
    return KS_SUCCESS;
}

ks_rc volume_space_get(struct volume *v, struct space **ret)
{
    pthread_mutex_lock(&v->spaces_mutex);
    struct space *s = v->spaces;
    if (s)
        v->spaces = s->next;
    pthread_mutex_unlock(&v->spaces_mutex);
    if (!s)
        return space_new(ret);
    *ret = s;
    return KS_SUCCESS;
}

void volume_space_put(struct volume *v, struct space *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&v->spaces_mutex);
    s->next = v->spaces;
    v->spaces = s;
    pthread_mutex_unlock(&v->spaces_mutex);
}

void volume_alert(struct volume *v, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (!v->conf.alert || atomic_fetch_add(&v->alerts, 1) >= ALERTS_MAX)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    v->conf.alert(v->conf.alert_arg, text);
}

ks_rc volume_seal(struct volume *v, enum name_kind kind, const char *plain, size_t max,
                  bool is_storing, struct buf *ret)
{
    ks_rc rc = names_seal(v->names, kind, plain, max, is_storing, ret);

    if (rc.cls == KS_CLASS_CORRUPT)
        volume_alert(v,
                     "a name that needs it is refused: %s; once it is moved out of long/ of the "
                     "backing directory, it is written anew when it is needed",
                     ks_text(rc));
    return rc;
}

size_t volume_inode_count(struct volume *v)
{
    return atomic_load_explicit(&v->inode_count, memory_order_relaxed);
}

struct volume_counters volume_counters_get(struct volume *v)
{
    return (struct volume_counters){
        .reads = atomic_load(&v->reads),
        .writes = atomic_load(&v->writes),
        .syncs = atomic_load(&v->syncs),
        .bytes_read = atomic_load(&v->bytes_read),
        .bytes_written = atomic_load(&v->bytes_written),
        .blocks_corrupt = atomic_load(&v->blocks_corrupt),
        .files_poisoned = atomic_load(&v->files_poisoned),
        .requests_refused = atomic_load(&v->refused),
        .rekey_pauses = atomic_load(&v->rekey_pauses),
    };
}

struct inode *volume_root(struct volume *v)
{
    return v->root;
}
