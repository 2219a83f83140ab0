/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/moves.c - what gets another name while somebody walks the tree.
 *
 * Invariant: an object is on the list, referenced, before it moves.
 */
#include "volume/moves.h"

#include "base/mem.h"

struct move {
    struct move *next;
    struct inode *inode;
};

ks_rc moves_watch(struct volume *v)
{
    bool is_free = false;

    ENSURE(atomic_compare_exchange_strong(&v->is_watched, &is_free, true), KS_E_BUSY,
           "the volume is being re-encrypted already");
    atomic_store(&v->moves_missed, 0);
    atomic_fetch_add(&v->sweeps, 1);
    return KS_SUCCESS;
}

void moves_end(struct volume *v)
{
    struct inode *i;

    atomic_store(&v->is_watched, false);
    while ((i = moves_take(v)))
        volume_forget(v, i, 1);
}

bool moves_is_done(struct volume *v, struct inode *i)
{
    return atomic_load(&i->swept) == atomic_load(&v->sweeps);
}

void moves_set_done(struct volume *v, struct inode *i)
{
    atomic_store(&i->swept, atomic_load(&v->sweeps));
}

/* Takes the reference over. What the sweep is done with or has on its list already needs no other look, so a
 * sweep ends however much is moved. */
static void push(struct volume *v, struct inode *i)
{
    uint64_t sweep = atomic_load(&v->sweeps);
    struct move *m;

    if (moves_is_done(v, i) || atomic_exchange(&i->noted, sweep) == sweep) {
        volume_forget(v, i, 1);
        return;
    }
    if (!ks_ok(mem_new(1, sizeof *m, &m))) {
        atomic_fetch_add(&v->moves_missed, 1);
        volume_forget(v, i, 1);
        return;
    }
    m->inode = i;
    pthread_mutex_lock(&v->moves_mutex);
    m->next = v->moves;
    v->moves = m;
    pthread_mutex_unlock(&v->moves_mutex);
}

void moves_note_inode(struct volume *v, struct inode *i)
{
    if (!atomic_load(&v->is_watched))
        return;
    inode_ref(v, i);
    push(v, i);
}

void moves_note(struct volume *v, struct inode *dir, const char *sealed)
{
    struct io *io = v->conf.io;
    struct io_node *node;
    struct inode *i;
    struct stat st;

    if (!atomic_load(&v->is_watched))
        return;
    ks_rc rc = io->ops->lookup(io, dir->node, sealed, &node, &st);
    if (ks_is_os(rc, ENOENT))
        return;
    if (ks_ok(rc))
        rc = inode_get(v, node, &st, &i);
    if (ks_ok(rc))
        push(v, i);
    else
        atomic_fetch_add(&v->moves_missed, 1);
}

struct inode *moves_take(struct volume *v)
{
    struct inode *i = NULL;

    pthread_mutex_lock(&v->moves_mutex);
    struct move *m = v->moves;
    if (m) {
        v->moves = m->next;
        i = m->inode;
    }
    pthread_mutex_unlock(&v->moves_mutex);
    if (i)
        atomic_store(&i->noted, 0);
    mem_free(m);
    return i;
}

uint64_t moves_missed(struct volume *v)
{
    return atomic_load(&v->moves_missed);
}
