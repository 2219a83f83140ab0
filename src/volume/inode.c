/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/inode.c - the table of known objects.
 *
 * Invariant: an object of the backing tree (device and inode number) has at most one struct inode;
 * while it lives its node keeps the backing inode number from being used again.
 */
#include "base/mem.h"
#include "volume/volume_int.h"

static size_t slot_of(const struct volume *v, dev_t dev, ino_t ino)
{
    uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15u;

    return (size_t)(h >> 32) & (v->slot_count - 1);
}

static void inode_free(struct volume *v, struct inode *i)
{
    if (!i)
        return;
    atomic_store(&i->users, 0); /* handles that are open at the end of the volume */
    inode_close(v, i);
    if (i->node)
        IGNORE(inode_flush_mtime(v, i)); /* the backing file's own time is nearly right */
    inode_drop_keys(v, i);
    if (i->node)
        v->conf.io->ops->node_close(v->conf.io, i->node);
    pthread_rwlock_destroy(&i->data_lock);
    pthread_mutex_destroy(&i->open_mutex);
    pthread_mutex_destroy(&i->keys_mutex);
    pthread_mutex_destroy(&i->times_mutex);
    pthread_mutex_destroy(&i->flush.mutex);
    pthread_mutex_destroy(&i->sync_mutex);
    mem_free(i->seen);
    mem_free(i);
}

static ks_rc inode_new(struct io_node *node, const struct stat *st, struct inode **ret)
{
    struct inode *i;

    TRY(mem_new(1, sizeof *i, &i));
    i->node = node;
    i->dev = st->st_dev;
    i->ino = st->st_ino;
    i->type = st->st_mode & S_IFMT;
    i->refs = 1;
    fair_lock_init(&i->data_lock); /* readers one after another must not keep a write out */
    pthread_mutex_init(&i->open_mutex, NULL);
    pthread_mutex_init(&i->keys_mutex, NULL);
    pthread_mutex_init(&i->times_mutex, NULL);
    pthread_mutex_init(&i->flush.mutex, NULL);
    pthread_mutex_init(&i->sync_mutex, NULL);
    *ret = i;
    return KS_SUCCESS;
}

ks_rc table_init(struct volume *v)
{
    struct io *io = v->conf.io;
    struct io_node *node;
    struct stat st;

    TRY(mem_new(TABLE_SLOTS_FIRST, sizeof(struct inode *), &v->slots));
    v->slot_count = TABLE_SLOTS_FIRST;
    TRY(io->ops->stat(io, v->conf.tree, &st));
    node = v->conf.tree;
    ks_rc rc =
        inode_new(node, &st, &v->root); /* not in the table: the tree node stays the caller's */
    return rc;
}

void table_done(struct volume *v)
{
    for (size_t s = 0; s < v->slot_count && v->slots; s++) {
        for (struct inode *i = v->slots[s], *next; i; i = next) {
            next = i->next;
            inode_free(v, i);
        }
    }
    if (v->root)
        v->root->node = NULL;
    inode_free(v, v->root);
    mem_free(v->slots);
    v->slots = NULL;
}

static void table_double(struct volume *v)
{
    struct inode **slots, **old = v->slots;
    size_t old_count = v->slot_count;

    if (!ks_ok(mem_new(2 * old_count, sizeof *slots, &slots)))
        return; /* longer chains are slower, not wrong */
    v->slots = slots;
    v->slot_count = 2 * old_count;
    for (size_t s = 0; s < old_count; s++) {
        for (struct inode *i = old[s], *next; i; i = next) {
            size_t to = slot_of(v, i->dev, i->ino);
            next = i->next;
            i->next = slots[to];
            slots[to] = i;
        }
    }
    mem_free(old);
}

static struct inode *table_find(struct volume *v, dev_t dev, ino_t ino)
{
    struct inode *i = v->slots[slot_of(v, dev, ino)];

    while (i && (i->ino != ino || i->dev != dev))
        i = i->next;
    return i;
}

static void table_insert(struct volume *v, struct inode *i)
{
    if (v->inode_count >= v->slot_count)
        table_double(v);
    size_t s = slot_of(v, i->dev, i->ino);
    i->next = v->slots[s];
    v->slots[s] = i;
    v->inode_count++;
}

static void table_remove(struct volume *v, struct inode *i)
{
    struct inode **at = &v->slots[slot_of(v, i->dev, i->ino)];

    while (*at != i)
        at = &(*at)->next;
    *at = i->next;
    v->inode_count--;
}

static ks_rc get(struct volume *v, struct io_node *node, const struct stat *st, bool is_ahead,
                 struct inode **ret)
{
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&v->table_mutex);
    struct inode *i = table_find(v, st->st_dev, st->st_ino);
    if (i && is_ahead) {
        rc = ks_os(EEXIST);
    } else if (i) {
        i->refs++;
    } else if (v->conf.objects_max && v->inode_count >= v->conf.objects_max) {
        rc = ks_os(EMFILE);
    } else {
        rc = inode_new(node, st, &i);
        if (ks_ok(rc)) {
            atomic_init(&i->is_ahead, is_ahead);
            table_insert(v, i);
            node = NULL; /* the inode has it now */
        }
    }
    pthread_mutex_unlock(&v->table_mutex);
    if (node)
        v->conf.io->ops->node_close(v->conf.io, node);
    if (ks_ok(rc))
        *ret = i;
    return rc;
}

ks_rc inode_get(struct volume *v, struct io_node *node, const struct stat *st, struct inode **ret)
{
    return get(v, node, st, false, ret);
}

ks_rc inode_get_ahead(struct volume *v, struct io_node *node, const struct stat *st,
                      struct inode **ret)
{
    return get(v, node, st, true, ret);
}

bool inode_is_known(struct volume *v, dev_t dev, ino_t ino)
{
    pthread_mutex_lock(&v->table_mutex);
    bool is_known = table_find(v, dev, ino) != NULL;
    pthread_mutex_unlock(&v->table_mutex);
    return is_known;
}

/* --- held: with table_mutex --- */

static void held_put(struct volume *v, struct inode *i)
{
    struct inode *first = v->held;

    i->held_next = first ? first : i;
    i->held_prev = first ? first->held_prev : i;
    i->held_next->held_prev = i->held_prev->held_next = i;
    v->held = first ? first : i;
    v->held_count++;
}

static void held_take(struct volume *v, struct inode *i)
{
    i->held_prev->held_next = i->held_next;
    i->held_next->held_prev = i->held_prev;
    if (v->held == i)
        v->held = i->held_next == i ? NULL : i->held_next;
    i->held_next = i->held_prev = NULL;
    v->held_count--;
}

bool table_hold(struct volume *v, struct inode *i)
{
    pthread_mutex_lock(&v->table_mutex);
    bool is_ours = i->refs == 1 && atomic_load(&i->is_ahead);
    if (is_ours)
        held_put(v, i);
    pthread_mutex_unlock(&v->table_mutex);
    return is_ours;
}

void table_unhold(struct volume *v, struct inode *i)
{
    pthread_mutex_lock(&v->table_mutex);
    if (i->held_next) {
        held_take(v, i);
        i->refs--;
    }
    pthread_mutex_unlock(&v->table_mutex);
}

struct inode *table_take_held(struct volume *v, size_t most)
{
    pthread_mutex_lock(&v->table_mutex);
    struct inode *i = v->held_count > most ? v->held : NULL;
    if (i) {
        held_take(v, i);
        atomic_store(&i->is_ahead, false);
    }
    pthread_mutex_unlock(&v->table_mutex);
    return i;
}

/* --- references --- */

void inode_ref(struct volume *v, struct inode *i)
{
    pthread_mutex_lock(&v->table_mutex);
    i->refs++;
    pthread_mutex_unlock(&v->table_mutex);
}

bool inode_ref_living(struct volume *v, struct inode *i)
{
    pthread_mutex_lock(&v->table_mutex);
    bool is_living = i->refs > 0;
    i->refs += is_living;
    pthread_mutex_unlock(&v->table_mutex);
    return is_living;
}

void volume_forget(struct volume *v, struct inode *i, uint64_t n)
{
    bool is_dead = false, is_unknown;

    if (i == v->root)
        return;
    pthread_mutex_lock(&v->table_mutex);
    i->refs -= n < i->refs ? n : i->refs;
    /* A poisoned file stays known for ever, so that its failed sync is never forgotten; one with something behind its end until
     * that is gone. */
    is_unknown = i->refs == 0;
    if (is_unknown && !atomic_load(&i->is_poisoned) && !atomic_load(&i->is_overgrown)) {
        inode_drop_keys(v, i); /* a wipe finds them only as long as it is in the table */
        table_remove(v, i);
        is_dead = true;
    }
    pthread_mutex_unlock(&v->table_mutex);
    if (is_dead)
        inode_free(v, i);
    else if (is_unknown)
        inode_close(v, i);
}

void inode_poison(struct volume *v, struct inode *i, ks_rc why)
{
    if (atomic_exchange(&i->is_poisoned, true))
        return;
    atomic_fetch_add(&v->files_poisoned, 1);
    volume_alert(v, "sync of inode %llu failed (%s): every later %ssync of it fails",
                 (unsigned long long)i->ino, ks_text(why), inode_is_regular(i) ? "write and " : "");
}

/* drop_keys_but(v, i, keys): those of generations that keys has stay; NULL: none. pool_mutex is held. */
static void drop_keys_but(struct volume *v, struct inode *i, const struct keyset *keys)
{
    struct file_key **at = &i->keys, *k;

    pthread_mutex_lock(&i->keys_mutex);
    while ((k = *at)) {
        if (keys && keyset_data_key(keys, k->generation).len != 0) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        secret_pool_put(v->key_pool, k->key);
        mem_free(k);
    }
    pthread_mutex_unlock(&i->keys_mutex);
}

/* Files are closed and forgotten behind a closed door, too: a wipe must not take the pool away from under a key that is on its way. */
void inode_drop_keys(struct volume *v, struct inode *i)
{
    pthread_mutex_lock(&v->pool_mutex);
    drop_keys_but(v, i, NULL);
    pthread_mutex_unlock(&v->pool_mutex);
}

void table_drop_keys(struct volume *v)
{
    pthread_mutex_lock(&v->table_mutex);
    for (size_t s = 0; s < v->slot_count; s++)
        for (struct inode *i = v->slots[s]; i; i = i->next)
            inode_drop_keys(v, i);
    pthread_mutex_unlock(&v->table_mutex);
}

void table_drop_lost_keys(struct volume *v)
{
    pthread_mutex_lock(&v->table_mutex);
    pthread_mutex_lock(&v->pool_mutex);
    for (size_t s = 0; s < v->slot_count; s++)
        for (struct inode *i = v->slots[s]; i; i = i->next)
            drop_keys_but(v, i, v->keys);
    pthread_mutex_unlock(&v->pool_mutex);
    pthread_mutex_unlock(&v->table_mutex);
}

void volume_walk_begin(struct volume *v, struct volume_walk *ret)
{
    pthread_mutex_lock(&v->table_mutex);
    *ret = (struct volume_walk){.number = ++v->walks};
    pthread_mutex_unlock(&v->table_mutex);
}

static struct inode *unwalked(struct inode *chain, uint64_t number)
{
    while (chain && chain->walked == number)
        chain = chain->next;
    return chain;
}

/* A table that doubles meanwhile moves what is in a slot to the same or a later one, and whose turn it was is marked. */
const struct inode *volume_walk_next(struct volume *v, struct volume_walk *walk)
{
    struct inode *i = NULL;

    pthread_mutex_lock(&v->table_mutex);
    for (; !i && walk->slot < v->slot_count; walk->slot += !i)
        i = unwalked(v->slots[walk->slot], walk->number);
    if (i) {
        i->walked = walk->number;
    } else if (!walk->is_over) {
        walk->is_over = true;
        i = v->root;
    }
    pthread_mutex_unlock(&v->table_mutex);
    return i;
}

ks_rc table_collect(struct volume *v, struct inode ***ret, size_t *ret_count)
{
    struct inode **all = NULL;
    size_t n = 0;

    pthread_mutex_lock(&v->table_mutex);
    ks_rc rc = mem_new(v->inode_count + 1, sizeof(struct inode *), &all);
    for (size_t s = 0; s < v->slot_count && ks_ok(rc); s++) {
        for (struct inode *i = v->slots[s]; i; i = i->next) {
            i->refs++;
            all[n++] = i;
        }
    }
    pthread_mutex_unlock(&v->table_mutex);
    TRY(rc);
    all[n++] = v->root;
    *ret = all;
    *ret_count = n;
    return KS_SUCCESS;
}

ks_rc inode_load(struct volume *v, struct inode *i)
{
    struct io_file *file;

    if (atomic_load(&i->is_loaded))
        return KS_SUCCESS;
    TRY(inode_use(v, i, &file));
    pthread_rwlock_wrlock(&i->data_lock);
    ks_rc rc = i->is_loaded ? KS_SUCCESS : file_load(v, i, file);
    pthread_rwlock_unlock(&i->data_lock);
    inode_unuse(v, i);
    return rc;
}

/* Whoever has written to the file meanwhile has loaded it first. */
ks_rc inode_load_empty(struct inode *i)
{
    if (atomic_load(&i->is_loaded))
        return KS_SUCCESS;
    pthread_rwlock_wrlock(&i->data_lock);
    if (!i->is_loaded) {
        i->size = 0;
        i->size_shown = 0;
        i->has_header = i->is_stale = false;
        i->growths = 1;
        i->is_loaded = true;
    }
    pthread_rwlock_unlock(&i->data_lock);
    return KS_SUCCESS;
}

struct inode *handle_inode(struct handle *h)
{
    return h->inode;
}

bool inode_is_regular(const struct inode *i)
{
    return i->type == S_IFREG;
}
