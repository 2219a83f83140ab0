/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/filewrite.c - writing the contents of a file.
 *
 * Invariant: every page is written whole and in place, so each byte that was durable stays
 * readable as its old or its new version whatever subset of pages a power loss lets through. The
 * bytes of a payload behind a block's length are always zero.
 */
#include "base/mem.h"
#include "volume/volume_int.h"

/* A file gets its id with its first page; what an unsynced header left behind must be gone first. */
static ks_rc header_make(const struct file_op *op, uint8_t *ret_page)
{
    struct volume *v = op->v;
    struct io *io = v->conf.io;
    struct file_header h = {
        .version = HEADER_VERSION, .suite = HEADER_SUITE, .payload = v->conf.block_payload};

    if (op->i->is_stale) {
        TRY(io->ops->truncate(io, op->file, 0));
        TRY(file_sync(op->v, op->i, op->file, false));
        op->i->is_stale = false;
        op->i->room_end = 0;
    }
    memcpy(h.volume_id, v->conf.volume_id, BLOCK_ID_BYTES);
    TRY(random_fill(v->conf.random, h.file_id, BLOCK_ID_BYTES));
    TRY(header_write(&h, secret_view(v->header_mac_key), ret_page));
    memcpy(op->i->file_id, h.file_id, BLOCK_ID_BYTES);
    return KS_SUCCESS;
}

/* Pages [first, first + count) stand sealed behind the header slot of op->s->pages. */
static ks_rc write_pages(const struct file_op *op, uint64_t first, size_t count,
                         bool is_with_header)
{
    struct io *io = op->v->conf.io;
    uint8_t *pages = op->s->pages;

    if (is_with_header && first == 0)
        return io->ops->pwrite(io, op->file, pages, (1 + count) * BLOCK_BYTES, 0);
    if (is_with_header)
        TRY(io->ops->pwrite(io, op->file, pages, BLOCK_BYTES, 0));
    return io->ops->pwrite(io, op->file, pages + BLOCK_BYTES, count * BLOCK_BYTES,
                           block_offset(first));
}

static ks_rc write_block(const struct file_op *op, uint64_t index, const uint8_t *plain,
                         uint32_t length)
{
    struct block_place place = file_place(op, index);
    uint32_t generation = keyset_newest(op->v->keys);
    bool is_with_header = !op->i->has_header;
    const struct xaes_key *key;

    if (is_with_header)
        TRY(header_make(op, op->s->pages));
    TRY(file_key_get(op, generation, &key));
    TRY(random_fill(op->v->conf.random, op->s->nonces, XAES_NONCE_BYTES));
    TRY(block_seal(op->s->cipher, key, &place, generation, (uint16_t)length, op->s->nonces, plain,
                   op->s->pages + BLOCK_BYTES));
    TRY(write_pages(op, index, 1, is_with_header));
    op->i->has_header = true;
    return KS_SUCCESS;
}

/* The last block may have been written as a longer one. What was cut off behind it must not come back behind the shorter one: see
 * resize.c. */
static ks_rc shorten_last_block(const struct file_op *op, bool was_cut)
{
    uint32_t payload = op->v->conf.block_payload, length;
    uint64_t last = block_count_of(op->i->size, payload) - 1;
    uint32_t share = op->i->size ? block_share(op->i->size, last, payload) : payload;
    uint8_t plain[BLOCK_BYTES];

    if (share == payload)
        return KS_SUCCESS;
    ks_rc rc = file_block_read(op, last, plain, &length);
    bool is_long = ks_ok(rc) && length > share;
    if (is_long && was_cut)
        rc = file_sync(op->v, op->i, op->file, false);
    if (is_long && ks_ok(rc)) {
        memset(plain + share, 0, payload - share);
        rc = write_block(op, last, plain, share);
    }
    mem_wipe(plain, sizeof plain);
    return rc.cls == KS_CLASS_CORRUPT ? KS_SUCCESS : rc; /* then it holds nothing of the write */
}

static ks_rc cut_back(const struct file_op *op)
{
    struct io *io = op->v->conf.io;
    uint64_t blocks = block_count_of(op->i->size, op->v->conf.block_payload);
    uint64_t bytes = op->i->has_header ? block_offset(blocks) : 0;
    struct stat st;

    op->i->room_end = 0;
    TRY(io->ops->file_stat(io, op->file, &st));
    bool is_longer = (uint64_t)st.st_size > bytes;
    if (is_longer)
        TRY(io->ops->truncate(io, op->file, bytes));
    return shorten_last_block(op, is_longer);
}

/* A failed write must not leave anything behind the end, where it would count as contents later. */
static void undo_growth(const struct file_op *op)
{
    ks_rc rc = cut_back(op);

    op->i->is_overgrown = !ks_ok(rc);
    if (op->i->is_overgrown)
        volume_alert(
            op->v,
            "a failed write left something behind the end of inode %llu (%s): it is tried again "
            "before the file changes",
            (unsigned long long)op->i->ino, ks_text(rc));
}

ks_rc file_change_begin(const struct file_op *op)
{
    if (atomic_load(&op->i->is_poisoned))
        return ks_os(EIO);
    if (op->i->is_overgrown)
        TRY(cut_back(op));
    op->i->is_overgrown = false;
    return KS_SUCCESS;
}

struct seal_job {
    const struct file_slice *s;
    const uint8_t *in;
    uint64_t new_size;
    uint32_t generation;
    const struct xaes_key *key;
    uint64_t ahead_from, ahead_to; /* these blocks stand sealed in the space, and all nonces */
};

/* The whole payload of a block that the slice covers in part: old bytes around the new ones. */
static ks_rc merge_edge(const struct file_op *op, const struct seal_job *job, uint64_t index,
                        uint32_t from, uint32_t to)
{
    uint32_t payload = op->v->conf.block_payload, length;
    uint32_t old = block_share(op->i->size, index, payload);

    if (old > 0 && (from > 0 || to < old))
        TRY(file_block_read(op, index, op->s->edge, &length));
    else
        old = 0;
    memset(op->s->edge + old, 0, payload - old); /* also what a failed write left behind the end */
    memcpy(op->s->edge + from, job->in + (index * payload + from - job->s->at), to - from);
    return KS_SUCCESS;
}

static ks_rc seal_one(const struct file_op *op, const struct seal_job *job, uint64_t index,
                      const uint8_t *nonce, uint8_t *page)
{
    struct block_place place = file_place(op, index);
    const uint8_t *plain;
    uint32_t from, to;

    file_slice_in_block(job->s, index, place.payload, &from, &to);
    if (to - from == place.payload) {
        plain = job->in + (index * place.payload - job->s->at);
    } else {
        TRY(merge_edge(op, job, index, from, to));
        plain = op->s->edge;
    }
    return block_seal(op->s->cipher, job->key, &place, job->generation,
                      (uint16_t)block_share(job->new_size, index, place.payload), nonce, plain,
                      page);
}

static ks_rc seal_range(const struct file_op *op, const struct seal_job *job, uint64_t from,
                        uint64_t to, uint64_t first)
{
    for (uint64_t n = from - first; n < to - first; n++)
        TRY(seal_one(op, job, first + n, op->s->nonces + n * XAES_NONCE_BYTES,
                     op->s->pages + (1 + n) * BLOCK_BYTES));
    return KS_SUCCESS;
}

/* The key, and a nonce for each of count blocks. */
static ks_rc seal_begin(const struct file_op *op, struct seal_job *job, size_t count)
{
    TRY(file_key_get(op, job->generation, &job->key));
    return random_fill(op->v->conf.random, op->s->nonces, count * XAES_NONCE_BYTES);
}

static bool is_ahead(const struct seal_job *job)
{
    return job->ahead_from < job->ahead_to;
}

static ks_rc seal_round(const struct file_op *op, struct seal_job *job, uint64_t first,
                        uint64_t end)
{
    if (!is_ahead(job)) {
        TRY(seal_begin(op, job, (size_t)(end - first)));
        return seal_range(op, job, first, end, first);
    }
    TRY(seal_range(op, job, first, job->ahead_from, first));
    return seal_range(op, job, job->ahead_to, end, first);
}

static ks_rc write_round(const struct file_op *op, struct seal_job *job, uint64_t first,
                         size_t count)
{
    bool is_with_header = !op->i->has_header;

    if (is_with_header)
        TRY(header_make(op, op->s->pages));
    TRY(seal_round(op, job, first, first + count));
    TRY(write_pages(op, first, count, is_with_header));
    if (is_with_header)
        op->i->has_header = true;
    return KS_SUCCESS;
}

static ks_rc write_rounds(const struct file_op *op, struct seal_job *job)
{
    uint32_t payload = op->v->conf.block_payload;
    uint64_t first = job->s->at / payload, end = block_count_of(job->s->at + job->s->len, payload);

    for (uint64_t count; first < end; first += count) {
        count = end - first < SPACE_BLOCKS ? end - first : SPACE_BLOCKS;
        TRY(write_round(op, job, first, (size_t)count));
    }
    return KS_SUCCESS;
}

/*
 * A block that a write covers whole depends on nothing that may change but the id of the file, and that is there for good once the
 * file has a header. So it is sealed before the file is locked, and writes that make a file grow take turns only for the rest. A
 * write of several rounds needs its space again for the second.
 */
static ks_rc seal_ahead(const struct file_op *op, struct seal_job *job)
{
    uint32_t payload = op->v->conf.block_payload;
    uint64_t first = job->s->at / payload, behind = job->s->at + job->s->len;
    uint64_t from = block_count_of(job->s->at, payload), to = behind / payload;
    size_t count = (size_t)(block_count_of(behind, payload) - first);

    if (from >= to || count > SPACE_BLOCKS || !atomic_load(&op->i->has_header))
        return KS_SUCCESS;
    job->new_size = behind;
    TRY(seal_begin(op, job, count));
    TRY(seal_range(op, job, from, to, first));
    job->ahead_from = from;
    job->ahead_to = to;
    return KS_SUCCESS;
}

void file_set_size(struct inode *i, uint64_t size)
{
    i->growths += size > i->size;
    i->size = size;
}

/*
 * A log that is synced at every write grows with every write, and each sync has to make the new length of the backing file
 * durable too, which costs as much again. So pages of zeros, which are no part of the file, are put behind its end, for the
 * next writes to go over. They are at most as many as the file has; without them it is slower, not wrong.
 */
static void make_room(const struct file_op *op, uint64_t old_size)
{
    struct io *io = op->v->conf.io;
    struct inode *i = op->i;
    uint64_t end = block_count_of(i->size, op->v->conf.block_payload);
    size_t count = end < ROOM_BLOCKS ? (size_t)end : ROOM_BLOCKS;

    if (i->size <= old_size || end <= i->room_end || !file_is_log(i))
        return;
    memset(op->s->pages, 0, count * BLOCK_BYTES);
    if (ks_ok(io->ops->pwrite(io, op->file, op->s->pages, count * BLOCK_BYTES, block_offset(end))))
        i->room_end = end + count;
    else
        undo_growth(op);
}

/* data_lock is held for writing. */
static ks_rc write_slice(const struct file_op *op, struct seal_job *job)
{
    uint64_t end = job->s->at + job->s->len, old_size = op->i->size;

    job->new_size = end > old_size ? end : old_size;
    if (op->i->is_overgrown)
        job->ahead_to = job->ahead_from; /* what mends the file works in the same space */
    TRY(file_change_begin(op));
    ks_rc rc = write_rounds(op, job);
    if (!ks_ok(rc)) {
        if (!op->i->has_header)
            inode_drop_keys(op->v, op->i); /* they belong to a file id that was never written */
        undo_growth(op);
        return rc;
    }
    file_set_size(op->i, job->new_size);
    make_room(op, old_size);
    return KS_SUCCESS;
}

/* Whether a write leaves everything as it is but the contents of a few blocks. */
static bool stays_in_place(const struct file_op *op, const struct file_slice *s)
{
    uint32_t payload = op->v->conf.block_payload;

    return op->i->has_header && !op->i->is_overgrown && s->at + s->len <= op->i->size &&
           block_count_of(s->at + s->len, payload) - s->at / payload <= BLOCK_HOLD_MAX;
}

/* data_lock is held for reading. Nothing grows, so what fails leaves nothing behind. */
static ks_rc overwrite_slice(const struct file_op *op, struct seal_job *job)
{
    const struct file_slice *s = job->s;
    uint32_t payload = op->v->conf.block_payload;
    uint64_t first = s->at / payload, end = block_count_of(s->at + s->len, payload);
    struct block_hold hold;

    if (atomic_load(&op->i->is_poisoned))
        return ks_os(EIO);
    job->new_size = op->i->size;
    block_locks_take(&op->v->block_locks, op->i->ino, first, (size_t)(end - first), &hold);
    ks_rc rc = write_rounds(op, job);
    block_locks_give(&op->v->block_locks, &hold);
    return rc;
}

/* Gives data_lock back, which is held in either way. */
static void unlock_after(struct inode *i, const struct seal_job *job, ks_rc rc)
{
    if (ks_ok(rc))
        file_unlock_written(i, job->s->at, job->s->len);
    else
        file_unlock_changed(i);
}

/* *ret_is_done is false when the write does more than that: nothing has happened then. */
static ks_rc write_in_place(const struct file_op *op, struct seal_job *job, bool *ret_is_done)
{
    *ret_is_done = false;
    if (!stays_in_place(op, job->s)) /* then it does not wait here either */
        return KS_SUCCESS;
    pthread_rwlock_rdlock(&op->i->data_lock);
    *ret_is_done = stays_in_place(op, job->s);
    if (!*ret_is_done) {
        pthread_rwlock_unlock(&op->i->data_lock);
        return KS_SUCCESS;
    }
    ks_rc rc = overwrite_slice(op, job);
    unlock_after(op->i, job, rc);
    return rc;
}

static ks_rc write_alone(const struct file_op *op, struct seal_job *job)
{
    TRY(seal_ahead(op, job));
    pthread_rwlock_wrlock(&op->i->data_lock);
    ks_rc rc = write_slice(op, job);
    unlock_after(op->i, job, rc);
    return rc;
}

ks_rc volume_write(struct volume *v, struct inode *i, const void *in, size_t len, uint64_t at)
{
    FOREGROUND(v);
    VOLUME_OPERATION(v, NEED_FLUSH);
    CLEANUP(file_op_end) struct file_op op = {0};
    struct file_slice s = {at, len};
    bool is_done;

    if (!range_is_legal(at, len, v->conf.block_payload))
        return ks_os(EFBIG);
    if (len == 0)
        return KS_SUCCESS;
    TRY(file_op_begin(v, i, &op));
    atomic_store(&i->written_ms, clock_boot_ms(v->conf.clock));
    struct seal_job job = {.s = &s, .in = in, .generation = keyset_newest(v->keys)};
    TRY(write_in_place(&op, &job, &is_done));
    if (!is_done)
        TRY(write_alone(&op, &job));
    atomic_fetch_add(&v->writes, 1);
    atomic_fetch_add(&v->bytes_written, len);
    return KS_SUCCESS;
}

ks_rc file_block_write(const struct file_op *op, uint64_t index, const uint8_t *plain,
                       uint32_t length)
{
    if (atomic_load(&op->i->is_poisoned))
        return ks_os(EIO);
    ks_rc rc = write_block(op, index, plain, length);
    if (ks_ok(rc))
        return rc;
    if (!op->i->has_header)
        inode_drop_keys(op->v, op->i); /* they belong to a file id that was never written */
    undo_growth(op);
    return rc;
}
