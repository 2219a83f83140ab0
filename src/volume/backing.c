/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/backing.c - a backing directory in use: its keyring, its directories, its key services.
 *
 * Changes of the keyring are made one after another, but none waits for a key service that another
 * asks. The record of a revocation is no part of the keyring and has a mutex of its own. The snapshot that
 * probes and reports work on is an immutable keyring that they hold a reference to; its own mutex is held
 * only to take one. Never holds a key in clear.
 */
#include "volume/backing.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "key/hierarchy.h"
#include "kms/stretched.h"
#include "volume/backing_int.h"
#include "volume/key_access.h"
#include "volume/revoked.h"

struct backing {
    struct io *io;
    struct clock *clock;
    struct random *random;
    uint64_t sequence_min;
    char *path;
    bool is_exclusive;
    struct io_node *dir, *tree, *long_names;

    /* Order: change, file_mutex, snapshot_mutex. A change that asks a key service holds change all the
     * time and file_mutex in short; one that does not holds file_mutex alone. */
    pthread_mutex_t change;
    pthread_mutex_t file_mutex; /* guards file */
    struct keyring_file *file;
    struct key_access *access;
    struct key_access *probe_access;
    struct stretched *stretched; /* what the one stretched from a passphrase, for the other */

    pthread_mutex_t record_mutex; /* one writer of the record; never held with the others */

    pthread_mutex_t snapshot_mutex;
    struct keyring *snapshot;
    bool is_authentic; /* the snapshot */
    const char *stale; /* the copy that is not the snapshot; NULL */
};

struct io_node *backing_dir(struct backing *b, struct io **ret_io)
{
    *ret_io = b->io;
    return b->dir;
}

ks_rc backing_sync(struct backing *b)
{
    return ks_wrap(b->io->ops->sync_all(b->io, b->dir), "%s", b->path);
}

const char *backing_path(const struct backing *b)
{
    return b->path;
}

bool backing_is_mended(const struct backing *b)
{
    return keyring_file_is_mended(b->file);
}

struct io_node *backing_tree(struct backing *b)
{
    return b->tree;
}

struct io_node *backing_long(struct backing *b)
{
    return b->long_names;
}

static void node_close(struct backing *b, struct io_node *node)
{
    if (node)
        b->io->ops->node_close(b->io, node);
}

void backing_close(struct backing *b)
{
    if (!b)
        return;
    keyring_file_close(b->file);
    key_access_free(b->access);
    key_access_free(b->probe_access);
    stretched_free(b->stretched);
    keyring_free(b->snapshot);
    node_close(b, b->tree);
    node_close(b, b->long_names);
    node_close(b, b->dir);
    pthread_mutex_destroy(&b->change);
    pthread_mutex_destroy(&b->file_mutex);
    pthread_mutex_destroy(&b->record_mutex);
    pthread_mutex_destroy(&b->snapshot_mutex);
    mem_free(b->path);
    mem_free(b);
}

void backing_closep(struct backing **b)
{
    backing_close(*b);
}

/* --- the snapshot --------------------------------------------------------------------------- */

/* Cannot fail, so that a change that is durable is never told as a failure. */
static void snapshot_renew(struct backing *b)
{
    struct keyring *fresh = keyring_ref(keyring_file_current(b->file));

    pthread_mutex_lock(&b->snapshot_mutex);
    struct keyring *old = b->snapshot;
    b->snapshot = fresh;
    b->is_authentic = keyring_file_is_authentic(b->file);
    b->stale = keyring_file_stale(b->file);
    pthread_mutex_unlock(&b->snapshot_mutex);
    keyring_free(old);
}

static struct keyring *snapshot_get(struct backing *b)
{
    pthread_mutex_lock(&b->snapshot_mutex);
    struct keyring *k = keyring_ref(b->snapshot);
    pthread_mutex_unlock(&b->snapshot_mutex);
    return k;
}

ks_rc backing_keyring(struct backing *b, struct keyring **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = snapshot_get(b);

    return keyring_copy(k, ret);
}

const char *backing_keyring_name(const struct backing *b)
{
    return keyring_file_name(b->file);
}

const char *backing_foreign_name(const struct backing *b)
{
    return keyring_file_foreign(b->file);
}

uint64_t backing_sequence(struct backing *b)
{
    pthread_mutex_lock(&b->snapshot_mutex);
    uint64_t sequence = b->is_authentic ? b->snapshot->sequence : 0;
    pthread_mutex_unlock(&b->snapshot_mutex);
    return sequence;
}

/* --- opening -------------------------------------------------------------------------------- */

static ks_rc open_dirs(struct backing *b)
{
    ks_rc rc = b->io->ops->open_root(b->io, b->path, &b->dir);

    if (ks_is_os(rc, ENOENT) || ks_is_os(rc, ENOTDIR))
        return ks_fail(KS_E_NOT_FOUND, "there is no such directory");
    if (ks_is_os(rc, EACCES))
        return ks_fail(KS_E_PERMISSION, "this user may not open it; run as its owner");
    return rc;
}

static ks_rc open_subdir(struct backing *b, const char *name, struct io_node **ret)
{
    ks_rc rc = b->io->ops->lookup(b->io, b->dir, name, ret, NULL);

    if (ks_is_os(rc, ENOENT))
        return ks_fail(KS_E_CORRUPT, "%s/ is missing; put it back from a backup", name);
    return ks_wrap(rc, "%s/", name);
}

static ks_rc open_keyring(struct backing *b, const char *volume_id)
{
    ks_rc rc = keyring_file_open(b->io, b->dir, b->is_exclusive, &b->file);

    if (ks_is(rc, KS_E_NOT_FOUND))
        return ks_fail(
            KS_E_NOT_FOUND,
            "is not a volume: it holds no keyring; make one with keystead volume create");
    if (ks_is_os(rc, EACCES))
        return ks_fail(KS_E_PERMISSION, "this user may not read it; run as its owner");
    TRY(rc);
    if (volume_id)
        TRY(keyring_file_keep_to(b->file, volume_id));
    /* also where no key is asked for: what is revoked would be found out at its restore only */
    TRY(hierarchy_check_newest(keyring_file_current(b->file), b->sequence_min));
    TRY(open_subdir(b, BACKING_TREE, &b->tree));
    TRY(open_subdir(b, BACKING_LONG, &b->long_names));
    snapshot_renew(b);
    return KS_SUCCESS;
}

ks_rc backing_access(const struct backing_conf *conf, struct stretched *stretched,
                     uint32_t attempts_max, struct key_access **ret)
{
    struct kms_options options = {
        .clock = conf->clock,
        .random = conf->random,
        .timeout_ms = conf->kms_timeout_ms,
        .attempts_max = attempts_max,
        .passphrase = conf->passphrase,
        .passphrase_arg = conf->passphrase_arg,
        .stretched = stretched,
        .is_development = conf->is_development,
        .is_sharing = true,
    };

    return key_access_new(&options, ret);
}

static ks_rc backing_new(const struct backing_conf *conf, bool is_exclusive, struct backing **ret)
{
    CLEANUP(backing_closep) struct backing *b = NULL;

    TRY(mem_new(1, sizeof *b, &b));
    pthread_mutex_init(&b->change, NULL);
    pthread_mutex_init(&b->file_mutex, NULL);
    pthread_mutex_init(&b->record_mutex, NULL);
    pthread_mutex_init(&b->snapshot_mutex, NULL);
    b->io = conf->io;
    b->clock = conf->clock;
    b->random = conf->random;
    b->sequence_min = conf->sequence_min;
    b->is_exclusive = is_exclusive;
    TRY(mem_text(conf->path, &b->path));
    TRY(stretched_new(&b->stretched));
    TRY(backing_access(conf, b->stretched, 0, &b->access));
    TRY(backing_access(conf, b->stretched, 1, &b->probe_access));
    *ret = TAKE(b);
    return KS_SUCCESS;
}

ks_rc backing_open(const struct backing_conf *conf, bool is_exclusive, struct backing **ret)
{
    CLEANUP(backing_closep) struct backing *b = NULL;

    TRY(backing_new(conf, is_exclusive, &b));
    TRY(ks_wrap(open_dirs(b), "%s", conf->path));
    TRY(ks_wrap(open_keyring(b, conf->volume_id), "%s", conf->path));
    *ret = TAKE(b);
    return KS_SUCCESS;
}

ks_rc backing_probe(struct backing *b, uint32_t *ret_wrap_id)
{
    CLEANUP(keyring_freep) struct keyring *k = snapshot_get(b);

    return ks_wrap(hierarchy_probe(k, key_access_service(b->probe_access), ret_wrap_id), "%s",
                   b->path);
}

void backing_each_key(struct backing *b, const struct backing_key_visit *visit)
{
    key_access_each(b->access, visit->used, visit->arg);
    key_access_each(b->probe_access, visit->probed, visit->arg);
}

/* --- changes -------------------------------------------------------------------------------- */

/* A change that asks key services. Ends with its scope. */
struct slow_change {
    struct backing *b;
    struct hierarchy h;
};

static struct hierarchy hierarchy_of(struct backing *b, pthread_mutex_t *file_mutex)
{
    return (struct hierarchy){
        .file = b->file,
        .service = key_access_service(b->access),
        .clock = b->clock,
        .random = b->random,
        .sequence_min = b->sequence_min,
        .file_mutex = file_mutex,
    };
}

static struct slow_change slow_begin(struct backing *b)
{
    pthread_mutex_lock(&b->change);
    return (struct slow_change){b, hierarchy_of(b, &b->file_mutex)};
}

static void slow_end(struct slow_change *c)
{
    pthread_mutex_lock(&c->b->file_mutex);
    snapshot_renew(c->b);
    pthread_mutex_unlock(&c->b->file_mutex);
    pthread_mutex_unlock(&c->b->change);
}

/* A change that asks nobody. */
struct quick_change {
    struct backing *b;
    struct hierarchy h;
};

static struct quick_change quick_begin(struct backing *b)
{
    pthread_mutex_lock(&b->file_mutex);
    return (struct quick_change){b, hierarchy_of(b, NULL)};
}

static void quick_end(struct quick_change *c)
{
    snapshot_renew(c->b);
    pthread_mutex_unlock(&c->b->file_mutex);
}

ks_rc backing_check_exclusive(const struct backing *b)
{
    ENSURE(b->is_exclusive, KS_E_STATE, "%s: it was opened for reading only", b->path);
    return KS_SUCCESS;
}

ks_rc backing_unlock(struct backing *b, struct keyset **ret)
{
    CLEANUP(slow_end) struct slow_change slow = slow_begin(b);
    CLEANUP(quick_end) struct quick_change c = quick_begin(b); /* works on the file throughout */

    return ks_wrap(hierarchy_open(&c.h, ret), "%s", b->path);
}

ks_rc backing_rotate_cmek(struct backing *b, const struct keyset *keys, uint32_t wrap_id,
                          const struct key_spec *spec)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(slow_end) struct slow_change c = slow_begin(b);
    return ks_wrap(hierarchy_rotate_cmek(&c.h, keys, wrap_id, spec), "%s", b->path);
}

ks_rc backing_rotate_store(struct backing *b, const struct keyset *keys, struct keyset **ret)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(slow_end) struct slow_change c = slow_begin(b);
    return ks_wrap(hierarchy_rotate_store(&c.h, keys, ret), "%s", b->path);
}

ks_rc backing_rotate_data(struct backing *b, const struct keyset *keys, struct keyset **ret)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(slow_end) struct slow_change c = slow_begin(b);
    return ks_wrap(hierarchy_rotate_data(&c.h, keys, ret), "%s", b->path);
}

ks_rc backing_destroy_data_keys(struct backing *b, const struct keyset *keys,
                                const uint32_t *generations, size_t count, struct keyset **ret)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(quick_end) struct quick_change c = quick_begin(b);
    return ks_wrap(hierarchy_destroy_data_keys(&c.h, keys, generations, count, ret), "%s", b->path);
}

ks_rc backing_add_wrap(struct backing *b, const struct keyset *keys, const struct key_spec *spec,
                       uint32_t *ret_id)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(slow_end) struct slow_change c = slow_begin(b);
    return ks_wrap(hierarchy_add_wrap(&c.h, keys, spec, ret_id), "%s", b->path);
}

ks_rc backing_remove_wrap(struct backing *b, const struct keyset *keys, uint32_t id)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(quick_end) struct quick_change c = quick_begin(b);
    return ks_wrap(hierarchy_remove_wrap(&c.h, keys, id), "%s", b->path);
}

ks_rc backing_set_settings(struct backing *b, const struct keyset *keys,
                           const struct keyring_settings *settings)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(quick_end) struct quick_change c = quick_begin(b);
    return ks_wrap(hierarchy_set_settings(&c.h, keys, settings), "%s", b->path);
}

ks_rc backing_settle(struct backing *b)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(quick_end) struct quick_change c = quick_begin(b);
    return ks_wrap(hierarchy_settle(&c.h), "%s", b->path);
}

ks_rc backing_mend(struct backing *b)
{
    TRY(backing_check_exclusive(b));
    CLEANUP(quick_end) struct quick_change c = quick_begin(b);
    return ks_wrap(keyring_file_mend(c.h.file), "%s", b->path);
}

const char *backing_stale(struct backing *b)
{
    pthread_mutex_lock(&b->snapshot_mutex);
    const char *stale = b->is_authentic ? b->stale : NULL;
    pthread_mutex_unlock(&b->snapshot_mutex);
    return stale;
}

/* --- revocation ----------------------------------------------------------------------------- */

ks_rc backing_set_revoked(struct backing *b, bool is_revoked)
{
    TRY(backing_check_exclusive(b));
    pthread_mutex_lock(&b->record_mutex);
    ks_rc rc = is_revoked ? revoked_set(b->io, b->dir, clock_wall_s(b->clock))
                          : revoked_clear(b->io, b->dir);
    pthread_mutex_unlock(&b->record_mutex);
    return ks_wrap(rc, "%s", b->path);
}

ks_rc backing_is_revoked(struct backing *b, bool *ret)
{
    return ks_wrap(revoked_check(b->io, b->dir, ret), "%s", b->path);
}

ks_rc backing_revoked_s(struct backing *b, int64_t *ret)
{
    return ks_wrap(revoked_time(b->io, b->dir, ret), "%s", b->path);
}
