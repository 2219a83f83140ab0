/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/crash_file.c - open files of the crash back end.
 *
 * A write becomes one event for each page, with a new page image: old images belong to the log.
 */
#include <fcntl.h>

#include "base/mem.h"
#include "io/crash_int.h"
#include "io/name.h"

static struct crash_inode *inode_of(const struct crash *c, uint64_t ino)
{
    return crash_tree_inode(c->live, ino);
}

ks_rc crash_open(struct io *io, struct io_node *node, bool is_read_only, struct io_file **ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct io_file *file;

    TRY(io_regular_check(inode_of(c, node->ino)->st.st_mode));
    TRY(mem_new(1, sizeof *file, &file));
    file->ino = node->ino;
    file->is_read_only = is_read_only;
    *ret = file;
    return KS_SUCCESS;
}

void crash_close(struct io *io, struct io_file *file)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    if (!file)
        return;
    struct crash_inode *inode = inode_of(c, file->ino);
    if (inode->locked_by == file)
        inode->locked_by = NULL;
    mem_free(file);
}

static size_t smaller(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

ks_rc crash_pread(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                  size_t *ret_len)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    const struct crash_inode *inode = inode_of(c, file->ino);
    uint64_t size = (uint64_t)inode->st.st_size;

    if (at > INT64_MAX)
        return ks_os(EINVAL);
    len = at < size ? smaller(len, size - at) : 0;
    for (size_t done = 0, n; done < len; done += n) {
        size_t offset = (at + done) % IO_PAGE_BYTES;
        n = smaller(len - done, IO_PAGE_BYTES - offset);
        const struct crash_page *page = crash_inode_page(inode, (at + done) / IO_PAGE_BYTES);
        if (page)
            memcpy((uint8_t *)out + done, page->bytes + offset, n);
        else
            memset((uint8_t *)out + done, 0, n);
    }
    *ret_len = len;
    return KS_SUCCESS;
}

/* len bytes that all lie in one page. */
static ks_rc write_in_page(struct crash *c, uint64_t ino, const uint8_t *in, size_t len,
                           uint64_t at)
{
    CLEANUP(crash_page_unrefp) struct crash_page *page = NULL;
    const struct crash_inode *inode = inode_of(c, ino);
    const struct crash_page *old = crash_inode_page(inode, at / IO_PAGE_BYTES);
    uint64_t size = (uint64_t)inode->st.st_size;

    TRY(crash_page_new(&page));
    if (old)
        memcpy(page->bytes, old->bytes, sizeof page->bytes);
    memcpy(page->bytes + at % IO_PAGE_BYTES, in, len);
    bool is_hole = mem_is_zero(page->bytes, sizeof page->bytes);
    return crash_do(c, &(struct crash_event){.kind = CRASH_PAGE,
                                             .ino = ino,
                                             .at = at / IO_PAGE_BYTES,
                                             .end = at + len > size ? at + len : size,
                                             .page = is_hole ? NULL : page});
}

void crash_will_read(struct io *io, struct io_file *file, size_t len, uint64_t at)
{
    (void)io, (void)file, (void)len, (void)at; /* it is in memory */
}

ks_rc crash_pwrite(struct io *io, struct io_file *file, const void *in, size_t len, uint64_t at)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    if (file->is_read_only)
        return ks_os(EBADF);
    if (at > INT64_MAX)
        return ks_os(EINVAL);
    if (len > INT64_MAX - at)
        return ks_os(EFBIG);
    for (size_t done = 0, n; done < len; done += n) {
        n = smaller(len - done, IO_PAGE_BYTES - (at + done) % IO_PAGE_BYTES);
        TRY(write_in_page(c, file->ino, (const uint8_t *)in + done, n, at + done));
    }
    return KS_SUCCESS;
}

ks_rc crash_truncate(struct io *io, struct io_file *file, uint64_t size)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    if (file->is_read_only || size > INT64_MAX)
        return ks_os(EINVAL);
    return crash_do(c,
                    &(struct crash_event){.kind = CRASH_TRUNCATE, .ino = file->ino, .end = size});
}

ks_rc crash_fallocate(struct io *io, struct io_file *file, int mode, uint64_t at, uint64_t len)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct crash_event e = {.kind = CRASH_ALLOCATE, .ino = file->ino, .at = at, .end = at + len};

    if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE &&
        mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
        return ks_os(EOPNOTSUPP);
    if (at > INT64_MAX || len > INT64_MAX || len == 0)
        return ks_os(EINVAL);
    if (file->is_read_only)
        return ks_os(EBADF);
    if (len > INT64_MAX - at)
        return ks_os(EFBIG);
    if (mode & FALLOC_FL_PUNCH_HOLE)
        e.kind = CRASH_PUNCH;
    else if (mode & FALLOC_FL_KEEP_SIZE)
        e.end = 0; /* space is not counted here: all that is left is an operation that may fail */
    return crash_do(c, &e);
}

/* The start of the first page at or behind page index that is a hole. */
static uint64_t next_hole(const struct crash_inode *inode, uint64_t index)
{
    size_t i = crash_inode_slot_from(inode, index);

    while (i < inode->slot_count && inode->slots[i].index == index) {
        i++;
        index++;
    }
    return index * IO_PAGE_BYTES;
}

/* The start of the first page at or behind page index that has data; UINT64_MAX when there is none. */
static uint64_t next_data(const struct crash_inode *inode, uint64_t index)
{
    size_t i = crash_inode_slot_from(inode, index);

    return i < inode->slot_count ? inode->slots[i].index * IO_PAGE_BYTES : UINT64_MAX;
}

ks_rc crash_seek(struct io *io, struct io_file *file, uint64_t at, enum io_seek what, uint64_t *ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    const struct crash_inode *inode = inode_of(c, file->ino);
    uint64_t size = (uint64_t)inode->st.st_size, index = at / IO_PAGE_BYTES;

    if (at >= size)
        return ks_os(ENXIO);
    uint64_t found = what == IO_SEEK_DATA ? next_data(inode, index) : next_hole(inode, index);
    if (what == IO_SEEK_DATA && found >= size)
        return ks_os(ENXIO);
    if (found > size) /* there is always a hole behind the end */
        found = size;
    *ret = found > at ? found : at;
    return KS_SUCCESS;
}

/* Each page may reach the disk at any time, as it is. */
ks_rc crash_write_out(struct io *io, struct io_file *file, uint64_t at, uint64_t len)
{
    (void)io;
    (void)file;
    (void)at;
    (void)len;
    return KS_SUCCESS;
}

ks_rc crash_sync(struct io *io, struct io_file *file, bool is_data_only)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    return crash_do(
        c, &(struct crash_event){.kind = CRASH_SYNC, .ino = file->ino, .flags = is_data_only});
}

ks_rc crash_file_stat(struct io *io, struct io_file *file, struct stat *ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    crash_inode_stat(inode_of(c, file->ino), ret);
    return KS_SUCCESS;
}

ks_rc crash_file_lock(struct io *io, struct io_file *file)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct crash_inode *inode = inode_of(c, file->ino);

    if (inode->locked_by && inode->locked_by != file)
        return ks_fail(KS_E_BUSY, "another open file holds the lock");
    inode->locked_by = file;
    return KS_SUCCESS;
}
