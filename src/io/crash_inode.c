/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/crash_inode.c - one object of the crash back end: pages, directory entries, attributes.
 *
 * Invariant: slots ascend and hold no zero page; pages are shared and never written once they are
 * in a slot or in the log.
 */
#include "base/mem.h"
#include "io/crash_int.h"

ks_rc crash_page_new(struct crash_page **ret)
{
    struct crash_page *page;

    TRY(mem_new(1, sizeof *page, &page));
    atomic_init(&page->refs, 1);
    *ret = page;
    return KS_SUCCESS;
}

struct crash_page *crash_page_ref(struct crash_page *page)
{
    if (page)
        atomic_fetch_add(&page->refs, 1);
    return page;
}

void crash_page_unref(struct crash_page *page)
{
    if (page && atomic_fetch_sub(&page->refs, 1) == 1)
        mem_free(page);
}

void crash_page_unrefp(struct crash_page **page)
{
    crash_page_unref(*page);
}

/* Room for one more in an array of count elements: it doubles at each power of two, so arrays that
 * only ever grow through here need not remember their room. */
static ks_rc grow(size_t count, size_t bytes, void *array_ptr)
{
    if (count & (count - 1))
        return KS_SUCCESS;
    return mem_grow(count ? 2 * count : 1, bytes, array_ptr);
}

/* Takes element i of count out of an array. */
static void take_out(void *array, size_t i, size_t count, size_t bytes)
{
    uint8_t *at = (uint8_t *)array + i * bytes;

    memmove(at, at + bytes, (count - i - 1) * bytes);
}

ks_rc crash_inode_new(uint64_t ino, struct crash_inode **ret)
{
    struct crash_inode *inode;

    TRY(mem_new(1, sizeof *inode, &inode));
    inode->st.st_ino = ino;
    inode->st.st_dev = 1;
    inode->st.st_blksize = IO_PAGE_BYTES;
    inode->target = buf_init(IO_PAGE_BYTES);
    inode->last_cookie = 2; /* "." and ".." have 1 and 2 */
    *ret = inode;
    return KS_SUCCESS;
}

void crash_inode_free(struct crash_inode *inode)
{
    if (!inode)
        return;
    for (size_t i = 0; i < inode->slot_count; i++)
        crash_page_unref(inode->slots[i].page);
    for (size_t i = 0; i < inode->entry_count; i++)
        mem_free(inode->entries[i].name);
    while (inode->xattr_count)
        crash_inode_xattr_remove(inode, &inode->xattrs[inode->xattr_count - 1]);
    mem_free(inode->slots);
    mem_free(inode->entries);
    mem_free(inode->xattrs);
    buf_done(&inode->target);
    mem_free(inode);
}

static void inode_freep(struct crash_inode **inode)
{
    crash_inode_free(*inode);
}

ks_rc crash_inode_clone(const struct crash_inode *from, struct crash_inode **ret)
{
    CLEANUP(inode_freep) struct crash_inode *to = NULL;

    TRY(crash_inode_new(from->st.st_ino, &to));
    to->st = from->st;
    to->parent = from->parent;
    for (size_t i = 0; i < from->slot_count; i++)
        TRY(crash_inode_page_set(to, from->slots[i].index, from->slots[i].page));
    for (size_t i = 0; i < from->entry_count; i++)
        TRY(crash_inode_entry_add(to, from->entries[i].name, from->entries[i].ino));
    for (size_t i = 0; i < from->xattr_count; i++)
        TRY(crash_inode_xattr_set(to, from->xattrs[i].name, buf_view(&from->xattrs[i].value)));
    TRY(buf_append(&to->target, buf_view(&from->target)));
    *ret = TAKE(to);
    return KS_SUCCESS;
}

struct crash_entry *crash_inode_entry(const struct crash_inode *dir, const char *name)
{
    for (size_t i = 0; i < dir->entry_count; i++)
        if (strcmp(dir->entries[i].name, name) == 0)
            return &dir->entries[i];
    return NULL;
}

ks_rc crash_inode_entry_add(struct crash_inode *dir, const char *name, uint64_t ino)
{
    TRY(grow(dir->entry_count, sizeof *dir->entries, &dir->entries));
    struct crash_entry *entry = &dir->entries[dir->entry_count];
    TRY(mem_text(name, &entry->name));
    entry->ino = ino;
    entry->cookie = ++dir->last_cookie;
    dir->entry_count++;
    return KS_SUCCESS;
}

void crash_inode_entry_remove(struct crash_inode *dir, struct crash_entry *entry)
{
    mem_free(entry->name);
    take_out(dir->entries, (size_t)(entry - dir->entries), dir->entry_count--, sizeof *entry);
}

size_t crash_inode_slot_from(const struct crash_inode *inode, uint64_t index)
{
    size_t low = 0, high = inode->slot_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (inode->slots[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct crash_page *crash_inode_page(const struct crash_inode *inode, uint64_t index)
{
    size_t i = crash_inode_slot_from(inode, index);

    return i < inode->slot_count && inode->slots[i].index == index ? inode->slots[i].page : NULL;
}

static void slot_remove(struct crash_inode *inode, size_t i)
{
    crash_page_unref(inode->slots[i].page);
    take_out(inode->slots, i, inode->slot_count--, sizeof *inode->slots);
}

static ks_rc slot_insert(struct crash_inode *inode, size_t i, uint64_t index,
                         struct crash_page *page)
{
    TRY(grow(inode->slot_count, sizeof *inode->slots, &inode->slots));
    struct crash_slot *slot = &inode->slots[i];
    memmove(slot + 1, slot, (inode->slot_count++ - i) * sizeof *slot);
    *slot = (struct crash_slot){index, crash_page_ref(page)};
    return KS_SUCCESS;
}

ks_rc crash_inode_page_set(struct crash_inode *inode, uint64_t index, struct crash_page *page)
{
    size_t i = crash_inode_slot_from(inode, index);
    bool is_there = i < inode->slot_count && inode->slots[i].index == index;

    if (is_there && page) {
        crash_page_unref(inode->slots[i].page);
        inode->slots[i].page = crash_page_ref(page);
    } else if (is_there) {
        slot_remove(inode, i);
    } else if (page) {
        return slot_insert(inode, i, index, page);
    }
    return KS_SUCCESS;
}

/* A copy of the page in slot i with the bytes from..to-1 zeroed takes its place. */
static ks_rc zero_part(struct crash_inode *inode, size_t i, size_t from, size_t to)
{
    CLEANUP(crash_page_unrefp) struct crash_page *page = NULL;
    uint64_t index = inode->slots[i].index;

    TRY(crash_page_new(&page));
    memcpy(page->bytes, inode->slots[i].page->bytes, sizeof page->bytes);
    memset(page->bytes + from, 0, to - from);
    bool is_hole = mem_is_zero(page->bytes, sizeof page->bytes);
    return crash_inode_page_set(inode, index, is_hole ? NULL : page);
}

/* Backwards, because slots may go while we walk. */
ks_rc crash_inode_zero(struct crash_inode *inode, uint64_t from, uint64_t to)
{
    for (size_t i = inode->slot_count; i-- > 0;) {
        uint64_t start = inode->slots[i].index * IO_PAGE_BYTES, end = start + IO_PAGE_BYTES;
        uint64_t first = from > start ? from : start, last = to < end ? to : end;
        if (first < last)
            TRY(zero_part(inode, i, (size_t)(first - start), (size_t)(last - start)));
    }
    return KS_SUCCESS;
}

struct crash_xattr *crash_inode_xattr(const struct crash_inode *inode, const char *name)
{
    for (size_t i = 0; i < inode->xattr_count; i++)
        if (strcmp(inode->xattrs[i].name, name) == 0)
            return &inode->xattrs[i];
    return NULL;
}

static ks_rc xattr_add(struct crash_inode *inode, const char *name, struct buf value)
{
    TRY(grow(inode->xattr_count, sizeof *inode->xattrs, &inode->xattrs));
    struct crash_xattr *xattr = &inode->xattrs[inode->xattr_count];
    TRY(mem_text(name, &xattr->name));
    xattr->value = value;
    inode->xattr_count++;
    return KS_SUCCESS;
}

ks_rc crash_inode_xattr_set(struct crash_inode *inode, const char *name, struct view value)
{
    struct crash_xattr *old = crash_inode_xattr(inode, name);
    struct buf copy = buf_init(value.len);

    TRY(buf_append(&copy, value));
    if (old) {
        buf_done(&old->value);
        old->value = copy;
        return KS_SUCCESS;
    }
    ks_rc rc = xattr_add(inode, name, copy);
    if (!ks_ok(rc))
        buf_done(&copy);
    return rc;
}

void crash_inode_xattr_remove(struct crash_inode *inode, struct crash_xattr *xattr)
{
    mem_free(xattr->name);
    buf_done(&xattr->value);
    take_out(inode->xattrs, (size_t)(xattr - inode->xattrs), inode->xattr_count--, sizeof *xattr);
}

void crash_inode_stat(const struct crash_inode *inode, struct stat *ret)
{
    *ret = inode->st;
    ret->st_blocks = (blkcnt_t)(inode->slot_count * (IO_PAGE_BYTES / 512));
}
