/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/filesync.c - making the contents of a file durable, when it is asked for or a moment before.
 *
 * Invariant: a sync succeeds only by a flush that began after every change that ended before the sync came, and that
 * itself succeeded. A flush that fails poisons the file, whoever began it: what it did not write the kernel may have
 * dropped, and only a failure for ever is honest.
 */
#include <errno.h>

#include "base/mem.h"
#include "volume/volume_int.h"

/* With sync_mutex held. */
static ks_rc sync_once(struct volume *v, struct inode *i, struct io_file *file, bool is_data_only)
{
    struct io *io = v->conf.io;

    if (atomic_load(&i->is_poisoned))
        return ks_os(EIO);
    bool is_placed = atomic_load(&i->is_placed);
    ks_rc rc = io->ops->sync(io, file, is_data_only && !is_placed);
    if (ks_ok(rc)) {
        if (is_placed)
            atomic_store(&i->is_placed, false);
        return KS_SUCCESS;
    }
    inode_poison(v, i, rc);
    return rc;
}

/* One at a time: the kernel tells an error to one of those that sync a descriptor, and the others would take its success for theirs. */
ks_rc file_sync(struct volume *v, struct inode *i, struct io_file *file, bool is_data_only)
{
    pthread_mutex_lock(&i->sync_mutex);
    ks_rc rc = sync_once(v, i, file, is_data_only);
    pthread_mutex_unlock(&i->sync_mutex);
    return rc;
}

/* file_sync of all growth so far. */
static ks_rc sync_growth(struct volume *v, struct inode *i, struct io_file *file, bool is_data_only)
{
    pthread_rwlock_rdlock(&i->data_lock);
    uint64_t growths = i->growths;
    pthread_rwlock_unlock(&i->data_lock);
    TRY(file_sync(v, i, file, is_data_only));
    atomic_store(&i->growths_durable, growths);
    return KS_SUCCESS;
}

/* A change that is not a write has no length. */
static void unlock(struct inode *i, uint64_t at, uint64_t len)
{
    struct file_flush *f = &i->flush;

    if (i->size_shown != i->size) /* writes in place, beside each other, leave both alone */
        atomic_store(&i->size_shown, i->size);
    pthread_mutex_lock(&f->mutex);
    f->changes++;
    f->is_foreseen = len > 0 && foresight_write(&f->foresight);
    f->may_begin |= len > 0 && foresight_may_begin(&f->foresight);
    if (len > 0)
        stream_write(&f->stream, at, len);
    pthread_mutex_unlock(&f->mutex);
    pthread_rwlock_unlock(&i->data_lock);
}

void file_unlock_written(struct inode *i, uint64_t at, uint64_t len)
{
    unlock(i, at, len);
}

void file_unlock_changed(struct inode *i)
{
    unlock(i, 0, 0);
}

bool file_is_log(struct inode *i)
{
    pthread_mutex_lock(&i->flush.mutex);
    bool is_log = foresight_is_regular(&i->flush.foresight);
    pthread_mutex_unlock(&i->flush.mutex);
    return is_log;
}

/* --- before it is asked for --- */

/* The flush is promised before the write is answered: a sync that comes at once finds it. */
static bool promise(struct inode *i)
{
    struct file_flush *f = &i->flush;

    pthread_mutex_lock(&f->mutex);
    bool is_mine = f->state != FLUSH_PROMISED;
    if (is_mine) {
        f->state = FLUSH_PROMISED;
        f->covers = f->changes;
    }
    pthread_mutex_unlock(&f->mutex);
    return is_mine;
}

/* What a sync that comes later need not wait for: of a file in which many writes come before each sync all there is, else a piece
 * of what is written in order. With flush.mutex held. */
static bool take_piece(struct volume *v, struct file_flush *f, struct write_behind *behind)
{
    bool may_begin = f->may_begin;

    f->may_begin = false;
    if (!may_begin && !stream_is_due(&f->stream))
        return false;
    behind->is_piece = !atomic_exchange(&v->is_writing_out, true);
    if (behind->is_piece && !may_begin)
        stream_take(&f->stream, &behind->at, &behind->len);
    return behind->is_piece;
}

static bool is_flush_foreseen(struct volume *v, struct inode *i, struct write_behind *behind)
{
    struct file_flush *f = &i->flush;

    if (atomic_load(&i->is_poisoned))
        return false;
    pthread_mutex_lock(&f->mutex);
    bool is_foreseen = f->is_foreseen && f->state != FLUSH_PROMISED;
    f->is_foreseen = false;
    is_foreseen = is_foreseen || take_piece(v, f, behind);
    pthread_mutex_unlock(&f->mutex);
    return is_foreseen;
}

/* Holds what it needs. */
static bool begin_behind(struct write_behind *behind)
{
    if (!ks_ok(volume_enter(behind->v, NEED_FLUSH, &behind->era)))
        return false;
    if (!ks_ok(inode_use(behind->v, behind->i, &behind->file))) {
        volume_leave(behind->v, behind->era);
        return false;
    }
    inode_ref(behind->v, behind->i);
    return true;
}

static void end_behind(struct write_behind *behind)
{
    inode_unuse(behind->v, behind->i);
    volume_forget(behind->v, behind->i, 1);
    volume_leave(behind->v, behind->era);
}

bool volume_foresee_sync(struct volume *v, struct inode *i, struct write_behind *ret)
{
    struct write_behind behind = {.v = v, .i = i};

    if (!is_flush_foreseen(v, i, &behind))
        return false;
    bool is_begun = begin_behind(&behind);
    if (behind.is_piece && !is_begun)
        atomic_store(&v->is_writing_out, false);
    if (is_begun && !behind.is_piece && !promise(behind.i)) {
        end_behind(&behind);
        is_begun = false;
    }
    if (is_begun)
        *ret = behind;
    return is_begun;
}

/* What came since the promise is flushed too. */
static void begin(struct file_flush *f)
{
    pthread_mutex_lock(&f->mutex);
    f->covers = f->changes;
    pthread_mutex_unlock(&f->mutex);
}

/* Who waits for the flush; nobody else is told how it ended. */
static struct sync_waiter *end(struct file_flush *f, ks_rc rc)
{
    pthread_mutex_lock(&f->mutex);
    struct sync_waiter *all = TAKE(f->waiters);
    f->state = ks_ok(rc) ? FLUSH_DONE : FLUSH_NONE;
    f->failure = ks_ok(rc) || all ? 0 : ks_errno(rc);
    pthread_mutex_unlock(&f->mutex);
    return all;
}

/* Whether the file system said that it cannot do this at all, or not now; the bytes are as they were. */
static bool is_harmless(ks_rc rc)
{
    static const int harmless[] = {EINVAL, ESPIPE, ENOSYS, EOPNOTSUPP, ENOMEM, EINTR, EAGAIN};

    for (size_t n = 0; n < sizeof harmless / sizeof harmless[0]; n++)
        if (ks_is_os(rc, harmless[n]))
            return true;
    return ks_ok(rc);
}

static ks_rc write_range(const struct write_behind *behind)
{
    struct io *io = behind->v->conf.io;
    uint32_t payload = behind->v->conf.block_payload;
    uint64_t from = block_offset(behind->at / payload);
    uint64_t to = block_offset(block_count_of(behind->at + behind->len, payload));

    return behind->len > 0 ? io->ops->write_out(io, behind->file, from, to - from)
                           : io->ops->write_out(io, behind->file, 0, 0);
}

static void write_piece(struct write_behind *behind)
{
    ks_rc rc = write_range(behind);

    if (!is_harmless(rc))
        inode_poison(behind->v, behind->i, rc);
    atomic_store(&behind->v->is_writing_out, false);
}

static void flush_all(struct write_behind *behind)
{
    begin(&behind->i->flush);
    ks_rc rc = sync_growth(behind->v, behind->i, behind->file, true);
    for (struct sync_waiter *w = end(&behind->i->flush, rc), *next; w; w = next) {
        next = w->next;
        atomic_fetch_add(&behind->v->syncs, ks_ok(rc));
        w->done(w, rc);
    }
}

void volume_write_behind(struct write_behind *behind)
{
    if (behind->is_piece)
        write_piece(behind);
    else
        flush_all(behind);
    end_behind(behind);
}

/* --- when it is asked for --- */

bool volume_join_sync(struct volume *v, struct inode *i, struct sync_waiter *w)
{
    struct file_flush *f = &i->flush;

    (void)v;
    pthread_mutex_lock(&f->mutex);
    bool is_joined = f->state == FLUSH_PROMISED && f->covers == f->changes;
    if (is_joined) {
        foresight_sync(&f->foresight);
        stream_sync(&f->stream);
        w->next = f->waiters;
        f->waiters = w;
    }
    pthread_mutex_unlock(&f->mutex);
    return is_joined;
}

/* The flush that was begun ahead, if it covers everything or failed. It counts once: whoever syncs again wants to be sure. */
static ks_rc take_flush(struct inode *i, bool is_data_only, bool *ret_is_covered)
{
    struct file_flush *f = &i->flush;

    pthread_mutex_lock(&f->mutex);
    stream_sync(&f->stream);
    if (is_data_only)
        foresight_sync(&f->foresight);
    else
        foresight_break(&f->foresight);
    *ret_is_covered = is_data_only && f->state == FLUSH_DONE && f->covers == f->changes &&
                      !atomic_load(&i->is_poisoned);
    if (f->state == FLUSH_DONE)
        f->state = FLUSH_NONE;
    int failure = f->failure;
    f->failure = 0;
    pthread_mutex_unlock(&f->mutex);
    return failure ? ks_os(failure) : KS_SUCCESS;
}

static ks_rc sync_now(struct volume *v, struct inode *i, bool is_data_only)
{
    struct io_file *file;

    TRY(inode_use(v, i, &file));
    ks_rc rc = is_data_only ? KS_SUCCESS : inode_flush_mtime(v, i);
    if (ks_ok(rc))
        rc = sync_growth(v, i, file, is_data_only);
    inode_unuse(v, i);
    return rc;
}

ks_rc volume_fsync(struct volume *v, struct inode *i, bool is_data_only)
{
    FOREGROUND(v);
    VOLUME_OPERATION(v, NEED_FLUSH);
    bool is_covered;

    TRY(take_flush(i, is_data_only, &is_covered));
    if (!is_covered)
        TRY(sync_now(v, i, is_data_only));
    atomic_fetch_add(&v->syncs, 1);
    return KS_SUCCESS;
}
