/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/files.c - which backing files are open.
 *
 * Nobody tells us when a program opens or closes a file, so a backing file is opened when it is first needed and stays
 * open for who comes next. Those that are open stand in a ring; when there are too many, a hand goes round it and
 * closes the first one that nobody has used since it came by last.
 *
 * Invariant: an inode is in the ring exactly while it has an open backing file; a file in use is never closed; what
 * files_may_stay says is exceeded only by files in use. What closing leaves to be done (the modification time) is done by who closes.
 */
#include "base/mem.h"
#include "volume/volume_int.h"

enum { FILES_MIN = 16 };

/* files_may_stay(v): how many may be open now. Known objects, which cannot be closed, go first. */
static size_t files_may_stay(struct volume *v)
{
    size_t objects = volume_inode_count(v), descriptors = v->conf.descriptors_max;

    if (descriptors == 0 || objects + v->conf.files_max <= descriptors)
        return v->conf.files_max;
    return objects + FILES_MIN < descriptors ? descriptors - objects : FILES_MIN;
}

/* --- the ring: with open_mutex of the inode held --- */

static void ring_put(struct volume *v, struct inode *i)
{
    pthread_mutex_lock(&v->files_mutex);
    if (v->files_hand) { /* behind the hand: it comes by last */
        i->file_next = v->files_hand;
        i->file_prev = v->files_hand->file_prev;
        i->file_prev->file_next = i;
        i->file_next->file_prev = i;
    } else {
        i->file_next = i->file_prev = v->files_hand = i;
    }
    v->files_open++;
    pthread_mutex_unlock(&v->files_mutex);
}

static void ring_take(struct volume *v, struct inode *i)
{
    pthread_mutex_lock(&v->files_mutex);
    i->file_prev->file_next = i->file_next;
    i->file_next->file_prev = i->file_prev;
    if (v->files_hand == i)
        v->files_hand = i->file_next == i ? NULL : i->file_next;
    i->file_next = i->file_prev = NULL;
    v->files_open--;
    pthread_mutex_unlock(&v->files_mutex);
}

/* --- closing --- */

/* close_unused(v, i): closes its backing file unless somebody uses it. Whoever uses a key uses the file. */
static void close_unused(struct volume *v, struct inode *i)
{
    struct io_file *file = NULL;

    pthread_mutex_lock(&i->open_mutex);
    if (i->file && i->users == 0) {
        ring_take(v, i);
        file = TAKE(i->file);
        inode_drop_keys(v, i);
    }
    pthread_mutex_unlock(&i->open_mutex);
    if (!file)
        return;
    v->conf.io->ops->close(v->conf.io, file);
    IGNORE(inode_flush_mtime(v, i)); /* the backing file's own time is nearly right */
}

/* step(v, ret_is_idle): moves the hand on. The inode it has left, with a reference; NULL when that one is going away, or
 * nothing is open. Idle: not used since the hand came by last. */
static struct inode *step(struct volume *v, bool *ret_is_idle)
{
    pthread_mutex_lock(&v->files_mutex);
    struct inode *i = v->files_hand;
    if (i) {
        v->files_hand = i->file_next;
        *ret_is_idle = !atomic_exchange(&i->is_touched, false) && atomic_load(&i->users) == 0;
        if (!inode_ref_living(v, i))
            i = NULL;
    }
    pthread_mutex_unlock(&v->files_mutex);
    return i;
}

/* visit_next(v, is_resting): closes the file under the hand when it is idle; when it is not, and all of them rest, writes what it keeps back. */
static void visit_next(struct volume *v, bool is_resting)
{
    bool is_idle = false;
    struct inode *i = step(v, &is_idle);

    if (!i)
        return;
    if (is_idle)
        close_unused(v, i);
    else if (is_resting)
        IGNORE(inode_flush_mtime(v, i)); /* tried again when it is closed */
    volume_forget(v, i, 1);
}

/* close_down_to(v, count): closes files that nobody uses until so many are left, those first that were not used lately. */
static void close_down_to(struct volume *v, size_t count)
{
    /* Twice round: the first time nobody may be found idle. */
    for (size_t n = 2 * atomic_load(&v->files_open); n > 0 && atomic_load(&v->files_open) > count;
         n--)
        visit_next(v, false);
}

void volume_rest(struct volume *v)
{
    ahead_rest(v);
    volume_drop_lost_keys(v);
    for (size_t n = atomic_load(&v->files_open); n > 0; n--)
        visit_next(v, true);
}

void inode_close(struct volume *v, struct inode *i)
{
    close_unused(v, i);
}

bool inode_is_open(struct inode *i)
{
    pthread_mutex_lock(&i->open_mutex);
    bool is_open = i->file != NULL;
    pthread_mutex_unlock(&i->open_mutex);
    return is_open;
}

/* --- using --- */

/* With open_mutex held. */
static void begin_use(struct volume *v, struct inode *i, struct io_file *file)
{
    if (!i->file) {
        i->file = file;
        ring_put(v, i);
    }
    atomic_fetch_add(&i->users, 1);
}

static ks_rc use(struct volume *v, struct inode *i, struct io_file **ret)
{
    struct io_file *file = NULL;
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&i->open_mutex);
    if (!i->file)
        rc = v->conf.io->ops->open(v->conf.io, i->node, false, &file);
    if (ks_ok(rc)) {
        begin_use(v, i, file);
        *ret = i->file;
    }
    pthread_mutex_unlock(&i->open_mutex);
    return rc;
}

/* The ring may have what others need: descriptors are for objects, too. */
ks_rc inode_use(struct volume *v, struct inode *i, struct io_file **ret)
{
    ks_rc rc = use(v, i, ret);

    if (!ks_is_os(rc, EMFILE) && !ks_is_os(rc, ENFILE))
        return rc;
    close_down_to(v, atomic_load(&v->files_open) / 2);
    return use(v, i, ret);
}

void inode_give_file(struct volume *v, struct inode *i, struct io_file *file)
{
    pthread_mutex_lock(&i->open_mutex);
    bool is_taken = i->file == NULL;
    begin_use(v, i, file);
    pthread_mutex_unlock(&i->open_mutex);
    if (!is_taken)
        v->conf.io->ops->close(v->conf.io, file);
}

void inode_unuse(struct volume *v, struct inode *i)
{
    pthread_mutex_lock(&i->open_mutex);
    atomic_fetch_sub(&i->users, 1);
    atomic_store(&i->is_touched, true);
    pthread_mutex_unlock(&i->open_mutex);
    size_t most = files_may_stay(v);
    if (atomic_load(&v->files_open) > most)
        close_down_to(v, most);
}
