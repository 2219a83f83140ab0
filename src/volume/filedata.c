/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/filedata.c - reading the contents of a file.
 *
 * Invariant: no byte of a block is handed out that does not authenticate. Who shares data_lock with a write in place may read a page
 * in halves, which then does not open: file_block_take.
 */
#include <errno.h>

#include "base/mem.h"
#include "volume/volume_int.h"

enum {
    PAST_BLOCKS_MIN =
        64, /* more than the kernel's own 128 KiB: where nobody could give it a longer stretch, the host reads ahead */
    SETTLED_MS = 5000,
};

ks_rc file_op_begin(struct volume *v, struct inode *i, struct file_op *ret)
{
    struct file_op op = {.v = v, .i = i};

    TRY(inode_load(v, i));
    TRY(inode_use(v, i, &op.file));
    ks_rc rc = volume_space_get(v, &op.s);
    if (!ks_ok(rc)) {
        inode_unuse(v, i);
        return rc;
    }
    *ret = op;
    return KS_SUCCESS;
}

void file_op_end(struct file_op *op)
{
    if (!op->i)
        return;
    volume_space_put(op->v, op->s);
    inode_unuse(op->v, op->i);
}

static ks_rc report_damage(const struct file_op *op, uint64_t index, ks_rc rc)
{
    if (rc.cls != KS_CLASS_CORRUPT)
        return rc;
    atomic_fetch_add(&op->v->blocks_corrupt, 1);
    volume_alert(op->v, "block %llu of the file with inode %llu: %s", (unsigned long long)index,
                 (unsigned long long)op->i->ino, ks_text(rc));
    return rc;
}

static ks_rc decode(const struct file_op *op, uint64_t index, const uint8_t *page,
                    uint8_t *ret_plain, uint32_t *ret_length)
{
    struct block_place place = file_place(op, index);
    const struct xaes_key *key;
    enum page_kind kind;
    struct block_meta meta;

    TRY(block_parse(page, place.payload, &kind, &meta));
    if (kind == PAGE_ZERO) {
        memset(ret_plain, 0, place.payload);
        *ret_length = 0;
        return KS_SUCCESS;
    }
    TRY(file_key_get(op, meta.generation, &key));
    TRY(block_open(op->s->cipher, key, &place, &meta, page, ret_plain));
    *ret_length = meta.length;
    return KS_SUCCESS;
}

ks_rc file_block_decode(const struct file_op *op, uint64_t index, const uint8_t *page,
                        uint8_t *ret_plain, uint32_t *ret_length)
{
    return report_damage(op, index, decode(op, index, page, ret_plain, ret_length));
}

/* Not while somebody writes to the file: the host keeps writers out for as long as it reads past its cache. And not what a failed
 * sync has left, of which the cache may have the better copy. */
static bool is_settled(const struct file_op *op)
{
    uint64_t written = atomic_load(&op->i->written_ms);

    return !atomic_load(&op->i->is_poisoned) &&
           (written == 0 || clock_boot_ms(op->v->conf.clock) - written >= SETTLED_MS);
}

/* A long piece is in the cache of whoever asked once it was read: in the host's it would only take room, and time to get there. */
static bool goes_past(const struct file_op *op, size_t count)
{
    return op->v->conf.is_read_ahead && count >= PAST_BLOCKS_MIN && is_settled(op);
}

static ks_rc read_past(const struct file_op *op, void *ret, size_t len, uint64_t at,
                       size_t *ret_len)
{
    struct io *io = op->v->conf.io;
    ks_rc rc = io->ops->pread_past(io, op->file, ret, len, at, ret_len);

    if (ks_is_os(rc, ENOSPC) || ks_is_os(rc, EDQUOT))
        inode_poison(op->v, op->i, rc); /* what was written is lost, and no sync would say so */
    return rc;
}

/* Pages behind the end of the backing file read as zeros: holes. */
static ks_rc read_pages(const struct file_op *op, uint64_t index, size_t count, uint8_t *ret)
{
    struct io *io = op->v->conf.io;
    size_t len = 0, bytes = count * BLOCK_BYTES;
    uint64_t at = block_offset(index);

    TRY(goes_past(op, count) ? read_past(op, ret, bytes, at, &len)
                             : io->ops->pread(io, op->file, ret, bytes, at, &len));
    memset(ret + len, 0, bytes - len);
    return KS_SUCCESS;
}

static ks_rc read_alone(const struct file_op *op, uint64_t index, uint8_t *ret)
{
    struct block_hold hold;

    block_locks_take(&op->v->block_locks, op->i->ino, index, 1, &hold);
    ks_rc rc = read_pages(op, index, 1, ret);
    block_locks_give(&op->v->block_locks, &hold);
    return rc;
}

ks_rc file_block_take(const struct file_op *op, uint64_t index, uint8_t *page, uint8_t *ret_plain,
                      uint32_t *ret_length)
{
    ks_rc rc = decode(op, index, page, ret_plain, ret_length);

    if (rc.cls != KS_CLASS_CORRUPT)
        return rc;
    TRY(read_alone(op, index, page));
    return file_block_decode(op, index, page, ret_plain, ret_length);
}

ks_rc file_block_read(const struct file_op *op, uint64_t index, uint8_t *ret_plain,
                      uint32_t *ret_length)
{
    uint8_t page[BLOCK_BYTES];

    TRY(read_pages(op, index, 1, page));
    return file_block_decode(op, index, page, ret_plain, ret_length);
}

/* --- reading --- */

static ks_rc read_block(const struct file_op *op, const struct file_slice *s, uint64_t index,
                        uint8_t *page, uint8_t *out)
{
    uint32_t payload = op->v->conf.block_payload, from, to, length;
    uint8_t *to_out;

    file_slice_in_block(s, index, payload, &from, &to);
    to_out = out + (index * payload + from - s->at);
    if (to - from == payload)
        return file_block_take(op, index, page, to_out, &length);
    TRY(file_block_take(op, index, page, op->s->edge, &length));
    memcpy(to_out, op->s->edge + from, to - from);
    return KS_SUCCESS;
}

static ks_rc read_round(const struct file_op *op, const struct file_slice *s, uint64_t first,
                        size_t count, uint8_t *out)
{
    TRY(read_pages(op, first, count, op->s->pages));
    for (size_t n = 0; n < count; n++)
        TRY(read_block(op, s, first + n, op->s->pages + n * BLOCK_BYTES, out));
    return KS_SUCCESS;
}

static ks_rc read_slice(const struct file_op *op, const struct file_slice *s, uint8_t *out)
{
    uint32_t payload = op->v->conf.block_payload;
    uint64_t first = s->at / payload, end = block_count_of(s->at + s->len, payload);

    for (uint64_t count; first < end; first += count) {
        count = end - first < SPACE_BLOCKS ? end - first : SPACE_BLOCKS;
        TRY(read_round(op, s, first, (size_t)count, out));
    }
    return KS_SUCCESS;
}

ks_rc volume_read(struct volume *v, struct inode *i, void *out, size_t len, uint64_t at,
                  size_t *ret_len)
{
    FOREGROUND(v);
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(file_op_end) struct file_op op = {0};

    TRY(file_op_begin(v, i, &op));
    pthread_rwlock_rdlock(&op.i->data_lock);
    uint64_t left = at < op.i->size ? op.i->size - at : 0;
    struct file_slice s = {at, len < left ? len : (size_t)left};
    ks_rc rc = s.len ? read_slice(&op, &s, out) : KS_SUCCESS;
    pthread_rwlock_unlock(&op.i->data_lock);
    TRY(rc);
    atomic_fetch_add(&v->reads, 1);
    atomic_fetch_add(&v->bytes_read, s.len);
    *ret_len = s.len;
    return KS_SUCCESS;
}
