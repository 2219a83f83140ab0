/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/resize.c - the size of a file, its holes, and how both are found again.
 *
 * The order of steps in shrink is what keeps old bytes readable until they are legally gone: the
 * shorter last block may only be written when the blocks behind it are durably cut off, since it would
 * read as zeros in the middle of the old, longer file.
 */
#include "base/mem.h"
#include "volume/volume_int.h"

/* linux/falloc.h, which has no feature test of its own */
enum { MODE_KEEP_SIZE = 1, MODE_PUNCH_HOLE = 2, MODE_ZERO_RANGE = 16 };

/* --- finding size and id of a backing file --- */

static ks_rc load_header(struct volume *v, struct inode *i, const uint8_t *page)
{
    enum page_kind kind;
    struct file_header h;

    TRY(header_parse(page, secret_view(v->header_mac_key), &kind, &h));
    i->is_stale = kind == PAGE_ZERO;
    if (kind == PAGE_ZERO)
        return KS_SUCCESS;
    ENSURE(memcmp(h.volume_id, v->conf.volume_id, BLOCK_ID_BYTES) == 0, KS_E_FOREIGN,
           "the file belongs to another volume");
    ENSURE(h.payload == v->conf.block_payload, KS_E_FOREIGN, "the file has another block geometry");
    memcpy(i->file_id, h.file_id, BLOCK_ID_BYTES);
    i->has_header = true;
    return KS_SUCCESS;
}

static ks_rc read_last(const struct file_op *op, uint64_t blocks, uint8_t *page)
{
    struct io *io = op->v->conf.io;
    size_t len;

    return io->ops->pread(io, op->file, page, BLOCK_BYTES, block_offset(blocks - 1), &len);
}

/*
 * After a power loss a file may end in a very long hole. Data extents are few, so the end of the last
 * one that lies within the file is found first, and only from there page by page.
 */
static ks_rc skip_trailing_hole(const struct file_op *op, uint64_t *blocks)
{
    struct io *io = op->v->conf.io;
    uint64_t at = BLOCK_BYTES, end = 0, data, hole;

    while (at < block_offset(*blocks)) {
        ks_rc rc = io->ops->seek(io, op->file, at, IO_SEEK_DATA, &data);
        if (ks_is_os(rc, ENXIO))
            break;
        TRY(rc);
        TRY(io->ops->seek(io, op->file, data, IO_SEEK_HOLE, &hole));
        end = at = hole;
    }
    uint64_t found = end > BLOCK_BYTES ? (end - BLOCK_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES : 0;
    if (found < *blocks)
        *blocks = found;
    return KS_SUCCESS;
}

/* The last page that is not zero, searched from the end; none: *blocks is 0. Most often it is the last one. */
static ks_rc find_last_block(const struct file_op *op, uint64_t *blocks, uint8_t *page)
{
    if (*blocks == 0)
        return KS_SUCCESS;
    TRY(read_last(op, *blocks, page));
    if (!mem_is_zero(page, BLOCK_BYTES))
        return KS_SUCCESS;
    TRY(skip_trailing_hole(op, blocks));
    for (; *blocks > 0; --*blocks) {
        TRY(read_last(op, *blocks, page));
        if (!mem_is_zero(page, BLOCK_BYTES))
            break;
    }
    return KS_SUCCESS;
}

/* The length of a last block that fails authentication is not believed: the file is as long as it can be, so
 * that whoever reads to the end meets the error. */
static ks_rc load_size(const struct file_op *op, uint64_t backing_bytes)
{
    uint32_t payload = op->v->conf.block_payload, length = payload;
    uint64_t blocks = backing_bytes / BLOCK_BYTES - 1;
    uint8_t page[BLOCK_BYTES];

    TRY(find_last_block(op, &blocks, page));
    op->i->size = 0;
    if (blocks == 0)
        return KS_SUCCESS;
    ks_rc rc = file_block_decode(op, blocks - 1, page, op->s->edge, &length);
    if (!ks_ok(rc) && rc.cls != KS_CLASS_CORRUPT)
        return rc;
    if (!ks_ok(rc))
        length = payload;
    op->i->size = (blocks - 1) * payload + length;
    return KS_SUCCESS;
}

ks_rc file_load(struct volume *v, struct inode *i, struct io_file *file)
{
    struct io *io = v->conf.io;
    uint8_t page[BLOCK_BYTES];
    struct stat st;
    size_t len;

    TRY(io->ops->file_stat(io, file, &st));
    i->size = 0;
    i->has_header = i->is_stale = false;
    if (st.st_size > 0) {
        ENSURE(st.st_size % BLOCK_BYTES == 0, KS_E_CORRUPT,
               "inode %llu: the backing file is not made of whole pages",
               (unsigned long long)i->ino);
        TRY(io->ops->pread(io, file, page, BLOCK_BYTES, 0, &len));
        TRY(load_header(v, i, page));
    }
    if (i->has_header) {
        struct file_op op = {.v = v, .i = i, .file = file};
        TRY(volume_space_get(v, &op.s));
        ks_rc rc = load_size(&op, (uint64_t)st.st_size);
        volume_space_put(v, op.s);
        TRY(rc);
    }
    atomic_store(&i->size_shown, i->size);
    i->growths = 1; /* nobody knows whether the last block is durable */
    atomic_store(&i->growths_durable, 0);
    i->is_loaded = true;
    return KS_SUCCESS;
}

/* --- changing the size --- */

/* A block rewritten to another length: what belongs to the file is kept, zeros behind. */
static ks_rc set_block_length(const struct file_op *op, uint64_t index, uint32_t length)
{
    uint32_t payload = op->v->conf.block_payload, old;
    uint32_t share = block_share(op->i->size, index, payload);
    uint32_t kept = share < length ? share : length;
    uint8_t plain[BLOCK_BYTES];

    ks_rc rc = file_block_read(op, index, plain, &old);
    if (ks_ok(rc)) {
        memset(plain + kept, 0, payload - kept);
        rc = file_block_write(op, index, plain, length);
    }
    mem_wipe(plain, sizeof plain);
    return rc;
}

/* The size becomes larger; what is between reads as zeros. */
static ks_rc grow(const struct file_op *op, uint64_t size)
{
    static const uint8_t zeros[BLOCK_BYTES];
    uint32_t payload = op->v->conf.block_payload;
    uint64_t last = block_count_of(size, payload) - 1;
    uint32_t length = block_share(size, last, payload);

    if (block_share(op->i->size, last, payload) > 0)
        TRY(set_block_length(op, last, length));
    else
        TRY(file_block_write(op, last, zeros, length));
    file_set_size(op->i, size);
    return KS_SUCCESS;
}

/* The block that becomes the last must be there, full, and durable before the rest may go: one that is full but was
 * written over a hole may be lost, and the hole ends no file. */
static ks_rc make_block_full(const struct file_op *op, uint64_t index)
{
    uint32_t payload = op->v->conf.block_payload, length;
    uint8_t plain[BLOCK_BYTES];

    ks_rc rc = file_block_read(op, index, plain, &length);
    if (ks_ok(rc) && length != payload)
        rc = file_block_write(op, index, plain, payload);
    if (ks_ok(rc))
        rc = file_sync(op->v, op->i, op->file, true);
    mem_wipe(plain, sizeof plain);
    return rc;
}

static ks_rc cut_blocks(const struct file_op *op, uint64_t size)
{
    struct io *io = op->v->conf.io;
    uint32_t payload = op->v->conf.block_payload;
    uint64_t last = block_count_of(size, payload) - 1;
    uint32_t length = block_share(size, last, payload);

    TRY(make_block_full(op, last));
    TRY(io->ops->truncate(io, op->file, block_offset(last + 1)));
    op->i->size = (last + 1) * payload;
    if (length == payload)
        return KS_SUCCESS;
    TRY(file_sync(op->v, op->i, op->file, false));
    TRY(set_block_length(op, last, length));
    op->i->size = size;
    return KS_SUCCESS;
}

static ks_rc shrink(const struct file_op *op, uint64_t size)
{
    struct io *io = op->v->conf.io;
    uint32_t payload = op->v->conf.block_payload;
    uint64_t last = size ? block_count_of(size, payload) - 1 : 0;

    op->i->room_end = 0;
    if (size == 0) {
        TRY(io->ops->truncate(io, op->file, BLOCK_BYTES)); /* the header stays */
    } else if (block_count_of(op->i->size, payload) - 1 == last) {
        TRY(set_block_length(op, last, block_share(size, last, payload)));
    } else {
        return cut_blocks(op, size);
    }
    op->i->size = size;
    return KS_SUCCESS;
}

static ks_rc resize(const struct file_op *op, uint64_t size)
{
    TRY(file_change_begin(op));
    if (size > op->i->size)
        return grow(op, size);
    return size < op->i->size ? shrink(op, size) : KS_SUCCESS;
}

ks_rc volume_truncate(struct volume *v, struct inode *i, uint64_t size)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(file_op_end) struct file_op op = {0};

    if (i->type != S_IFREG)
        return ks_os(i->type == S_IFDIR ? EISDIR : EINVAL);
    if (!range_is_legal(0, size, v->conf.block_payload))
        return ks_os(EFBIG);
    TRY(file_op_begin(v, i, &op));
    pthread_rwlock_wrlock(&i->data_lock);
    ks_rc rc = resize(&op, size);
    file_unlock_changed(i);
    return rc;
}

/* --- holes and reservations --- */

/* Zeros over a part of one block; the block keeps its length. */
static ks_rc zero_part(const struct file_op *op, uint64_t index, uint32_t from, uint32_t to)
{
    uint32_t payload = op->v->conf.block_payload, old;
    uint32_t length = block_share(op->i->size, index, payload);
    uint8_t plain[BLOCK_BYTES];

    ks_rc rc = file_block_read(op, index, plain, &old);
    bool is_needed = ks_ok(rc) && old != 0 && length > 0;
    if (is_needed) {
        memset(plain + from, 0, to - from);
        rc = file_block_write(op, index, plain, length);
    }
    mem_wipe(plain, sizeof plain);
    return rc;
}

static uint32_t offset_in(uint64_t at, uint64_t index, uint32_t payload)
{
    uint64_t start = index * payload;

    if (at <= start)
        return 0;
    return at - start < payload ? (uint32_t)(at - start) : payload;
}

/* The last block carries the size. Were a block before it punched that was the last durable one, and the
 * new last one lost, the file would end too early. */
static ks_rc punch(const struct file_op *op, uint64_t first, uint64_t end)
{
    struct io *io = op->v->conf.io;

    if (op->i->growths != atomic_load(&op->i->growths_durable)) {
        TRY(file_sync(op->v, op->i, op->file, true));
        atomic_store(&op->i->growths_durable, op->i->growths);
    }
    return io->ops->fallocate(io, op->file, MODE_PUNCH_HOLE | MODE_KEEP_SIZE, block_offset(first),
                              (end - first) * BLOCK_BYTES);
}

/* The last block of a file is never a hole. */
static ks_rc zero_range(const struct file_op *op, uint64_t at, uint64_t end)
{
    uint32_t payload = op->v->conf.block_payload;
    uint64_t last = block_count_of(op->i->size, payload) - 1; /* size is not 0 */
    uint64_t first_whole = block_count_of(at, payload), end_whole = end / payload;

    if (end_whole > last)
        end_whole = last;
    if (at % payload != 0)
        TRY(zero_part(op, at / payload, offset_in(at, at / payload, payload),
                      offset_in(end, at / payload, payload)));
    if (first_whole < end_whole)
        TRY(punch(op, first_whole, end_whole));
    if (end_whole < first_whole || end <= end_whole * payload)
        return KS_SUCCESS;
    return zero_part(op, end_whole, 0, offset_in(end, end_whole, payload));
}

static ks_rc reserve(const struct file_op *op, uint64_t at, uint64_t end)
{
    struct io *io = op->v->conf.io;
    uint32_t payload = op->v->conf.block_payload;
    uint64_t first = at / payload, count = block_count_of(end, payload) - first;

    return io->ops->fallocate(io, op->file, MODE_KEEP_SIZE, block_offset(first),
                              count * BLOCK_BYTES);
}

static ks_rc fallocate_locked(const struct file_op *op, int mode, uint64_t at, uint64_t end)
{
    uint64_t size = op->i->size;
    bool is_zeroing = (mode & (MODE_PUNCH_HOLE | MODE_ZERO_RANGE)) != 0;

    TRY(file_change_begin(op));
    if (is_zeroing && at < size)
        TRY(zero_range(op, at, end < size ? end : size));
    if (mode & MODE_PUNCH_HOLE)
        return KS_SUCCESS;
    TRY(reserve(op, at, end));
    if (!(mode & MODE_KEEP_SIZE) && end > size)
        return grow(op, end);
    return KS_SUCCESS;
}

static bool mode_is_known(int mode)
{
    return mode == 0 || mode == MODE_KEEP_SIZE || mode == (MODE_PUNCH_HOLE | MODE_KEEP_SIZE) ||
           mode == MODE_ZERO_RANGE || mode == (MODE_ZERO_RANGE | MODE_KEEP_SIZE);
}

ks_rc volume_fallocate(struct volume *v, struct inode *i, int mode, uint64_t at, uint64_t len)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(file_op_end) struct file_op op = {0};

    if (!mode_is_known(mode))
        return ks_os(EOPNOTSUPP);
    if (len == 0)
        return ks_os(EINVAL);
    if (!range_is_legal(at, len, v->conf.block_payload))
        return ks_os(EFBIG);
    TRY(file_op_begin(v, i, &op));
    pthread_rwlock_wrlock(&op.i->data_lock);
    ks_rc rc = fallocate_locked(&op, mode, at, at + len);
    file_unlock_changed(op.i);
    return rc;
}

static ks_rc seek_locked(const struct file_op *op, uint64_t at, enum io_seek what, uint64_t *ret)
{
    struct io *io = op->v->conf.io;
    uint32_t payload = op->v->conf.block_payload;
    uint64_t size = op->i->size, found;

    if (at >= size)
        return ks_os(ENXIO);
    ks_rc rc = io->ops->seek(io, op->file, block_offset(at / payload), what, &found);
    if (ks_is_os(rc, ENXIO) && what == IO_SEEK_HOLE) {
        *ret = size;
        return KS_SUCCESS;
    }
    TRY(rc);
    uint64_t logical = (found - BLOCK_BYTES) / BLOCK_BYTES * payload;
    if (logical < at)
        logical = at;
    if (logical >= size && what == IO_SEEK_DATA)
        return ks_os(ENXIO);
    *ret = logical < size ? logical : size;
    return KS_SUCCESS;
}

ks_rc volume_seek(struct volume *v, struct inode *i, uint64_t at, enum io_seek what, uint64_t *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(file_op_end) struct file_op op = {0};

    TRY(file_op_begin(v, i, &op));
    pthread_rwlock_rdlock(&op.i->data_lock);
    ks_rc rc = seek_locked(&op, at, what, ret);
    pthread_rwlock_unlock(&op.i->data_lock);
    return rc;
}
