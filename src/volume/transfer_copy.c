/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/transfer_copy.c - one object of a transfer: copied whole, and compared with its copy.
 */
#include <string.h>

#include "base/mem.h"
#include "volume/transfer_int.h"

enum { TARGET_MAX = 4096, XATTR_LIST_MAX = 64 << 10, XATTR_VALUE_MAX = 64 << 10 };

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- contents --- */

static ks_rc changed(void)
{
    return ks_fail(KS_E_BUSY, "changed while it was copied; stop what uses it and start again");
}

/* Where the next data are, at or behind at; both are size when there are none. */
static ks_rc next_data(struct side *side, struct side_file *file, uint64_t at, uint64_t size,
                       uint64_t *ret_from, uint64_t *ret_to)
{
    ks_rc rc = side->ops->seek(side, file, at, IO_SEEK_DATA, ret_from);

    if (ks_is_os(rc, ENXIO) || (ks_ok(rc) && *ret_from >= size)) {
        *ret_from = *ret_to = size;
        return KS_SUCCESS;
    }
    TRY(rc);
    rc = side->ops->seek(side, file, *ret_from, IO_SEEK_HOLE, ret_to);
    if (ks_is_os(rc, ENXIO) || (ks_ok(rc) && *ret_to > size)) {
        *ret_to = size;
        return KS_SUCCESS;
    }
    return rc;
}

/* The holes of the file are left out, and so stay holes. */
static ks_rc copy_contents(struct transfer *t, struct side_file *in, struct side_file *out,
                           uint64_t size, uint64_t *ret_end)
{
    uint64_t at = 0, end = 0;
    size_t len;

    while (at < size) {
        uint64_t data, data_end;
        TRY(next_data(t->from, in, at, size, &data, &data_end));
        t->result->progress.bytes += data - at;
        at = data;
        if (at == size)
            break;
        size_t want = (size_t)min_u64(TRANSFER_CHUNK, data_end - at);
        TRY(t->from->ops->read(t->from, in, t->chunk, want, at, &len));
        if (len == 0)
            return changed();
        TRY(t->to->ops->write(t->to, out, t->chunk, len, at));
        end = at += len;
        t->result->progress.bytes += len;
        TRY(transfer_report(t));
    }
    *ret_end = end;
    return KS_SUCCESS;
}

static ks_rc copy_opened(struct transfer *t, struct side_node *node, const struct stat *st,
                         struct side_file *out, uint64_t *ret_end)
{
    struct side_file *in;

    TRY(t->from->ops->open(t->from, node, &in));
    ks_rc rc = copy_contents(t, in, out, (uint64_t)st->st_size, ret_end);
    t->from->ops->close(t->from, in);
    return rc;
}

static ks_rc copy_file(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                       const struct stat *st, const char *temp)
{
    uint64_t before = t->result->progress.bytes, end = 0;
    struct side_node *made;
    struct side_file *out;

    TRY(t->to->ops->create(t->to, spot->to, temp, &made, &out));
    ks_rc rc = copy_opened(t, node, st, out, &end);
    t->to->ops->close(t->to, out);
    if (ks_ok(rc) && end < (uint64_t)st->st_size)
        rc = t->to->ops->resize(t->to, made, (uint64_t)st->st_size);
    t->to->ops->release(t->to, made);
    if (!ks_ok(rc))
        t->result->progress.bytes = before;
    return rc;
}

static ks_rc copy_symlink(struct transfer *t, const struct transfer_spot *spot,
                          struct side_node *node, const char *temp)
{
    CLEANUP(buf_done) struct buf target = buf_init(TARGET_MAX);

    TRY(t->from->ops->readlink(t->from, node, &target));
    return t->to->ops->symlink(t->to, spot->to, temp, buf_text(&target));
}

static ks_rc copy_kind(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                       const struct stat *st, const char *temp)
{
    if (S_ISREG(st->st_mode))
        return copy_file(t, spot, node, st, temp);
    if (S_ISLNK(st->st_mode))
        return copy_symlink(t, spot, node, temp);
    return t->to->ops->mknod(t->to, spot->to, temp, (st->st_mode & S_IFMT) | 0600, st->st_rdev);
}

/* --- attributes --- */

static ks_rc copy_xattr(struct transfer *t, struct side_node *from, struct side_node *to,
                        const char *name)
{
    CLEANUP(buf_done) struct buf value = buf_init(XATTR_VALUE_MAX);

    TRY(ks_wrap(t->from->ops->xattr_get(t->from, from, name, &value), "attribute %s", name));
    ks_rc rc = t->to->ops->xattr_set(t->to, to, name, buf_view(&value));
    ENSURE(
        !ks_is_os(rc, EOPNOTSUPP), KS_E_UNSUPPORTED,
        "its extended attribute %.100s cannot be kept on the other side; remove it (setfattr -x) "
        "or move the file away, and start again",
        name);
    return rc;
}

static ks_rc copy_xattrs(struct transfer *t, struct side_node *from, struct side_node *to)
{
    CLEANUP(buf_done) struct buf list = buf_init(XATTR_LIST_MAX);
    ks_rc rc = t->from->ops->xattr_list(t->from, from, &list);

    if (ks_is_os(rc, EOPNOTSUPP))
        return KS_SUCCESS;
    TRY(rc);
    const char *names = buf_text(&list);
    for (size_t at = 0; at < list.len; at += strlen(names + at) + 1)
        TRY(copy_xattr(t, from, to, names + at));
    return KS_SUCCESS;
}

/* Owner first: a change of owner takes bits of the mode and capabilities away. Times last. */
ks_rc copy_attributes(struct transfer *t, struct side_node *from, struct side_node *to,
                      const struct stat *st)
{
    const unsigned times = IO_ATTR_ATIME | IO_ATTR_MTIME;
    unsigned owner = IO_ATTR_UID | IO_ATTR_GID;

    if (S_ISLNK(st->st_mode))
        return t->to->ops->setattr(t->to, to, owner | times, st);
    TRY(t->to->ops->setattr(t->to, to, owner, st));
    TRY(t->to->ops->setattr(t->to, to, IO_ATTR_MODE, st));
    TRY(copy_xattrs(t, from, to));
    return t->to->ops->setattr(t->to, to, times, st);
}

static ks_rc copy_with_attributes(struct transfer *t, const struct transfer_spot *spot,
                                  struct side_node *node, const struct stat *st, const char *temp)
{
    struct side_node *made;
    struct stat made_st;

    TRY(copy_kind(t, spot, node, st, temp));
    TRY(t->to->ops->lookup(t->to, spot->to, temp, &made, &made_st));
    ks_rc rc = copy_attributes(t, node, made, st);
    t->to->ops->release(t->to, made);
    return rc;
}

ks_rc copy_object(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                  const struct stat *st, const char *temp)
{
    ks_rc rc = copy_with_attributes(t, spot, node, st, temp);

    if (ks_ok(rc))
        return rc;
    /* A rest that cannot be removed now is removed by the next transfer. */
    IGNORE(t->to->ops->unlink(t->to, spot->to, temp));
    return rc;
}

/* --- comparison --- */

static ks_rc compare_contents(struct transfer *t, struct side_file *a, struct side_file *b,
                              uint64_t size, bool *ret_is_same)
{
    uint64_t at = 0, data_a, data_b, end;
    size_t len_a, len_b;

    *ret_is_same = true;
    while (at < size && *ret_is_same) {
        TRY(next_data(t->from, a, at, size, &data_a, &end));
        TRY(next_data(t->to, b, at, size, &data_b, &end));
        at = min_u64(data_a, data_b);
        if (at == size)
            break;
        size_t want = (size_t)min_u64(TRANSFER_CHUNK, size - at);
        TRY(t->from->ops->read(t->from, a, t->chunk, want, at, &len_a));
        TRY(t->to->ops->read(t->to, b, t->other, want, at, &len_b));
        *ret_is_same = len_a == want && len_b == want && memcmp(t->chunk, t->other, want) == 0;
        at += want;
    }
    return KS_SUCCESS;
}

static ks_rc compare_files(struct transfer *t, struct side_node *from, struct side_node *to,
                           uint64_t size, bool *ret_is_same)
{
    struct side_file *a, *b;

    TRY(t->from->ops->open(t->from, from, &a));
    ks_rc rc = t->to->ops->open(t->to, to, &b);
    if (ks_ok(rc)) {
        rc = compare_contents(t, a, b, size, ret_is_same);
        t->to->ops->close(t->to, b);
    }
    t->from->ops->close(t->from, a);
    return rc;
}

static ks_rc compare_symlinks(struct transfer *t, struct side_node *from, struct side_node *to,
                              bool *ret_is_same)
{
    CLEANUP(buf_done) struct buf a = buf_init(TARGET_MAX);
    CLEANUP(buf_done) struct buf b = buf_init(TARGET_MAX);

    TRY(t->from->ops->readlink(t->from, from, &a));
    TRY(t->to->ops->readlink(t->to, to, &b));
    *ret_is_same = view_is_equal(buf_view(&a), buf_view(&b));
    return KS_SUCCESS;
}

ks_rc copy_compare(struct transfer *t, struct side_node *from, const struct stat *from_st,
                   struct side_node *to, const struct stat *to_st, bool *ret_is_same)
{
    *ret_is_same = false;
    if ((from_st->st_mode & S_IFMT) != (to_st->st_mode & S_IFMT))
        return KS_SUCCESS;
    if (S_ISLNK(from_st->st_mode))
        return compare_symlinks(t, from, to, ret_is_same);
    if (!S_ISREG(from_st->st_mode)) {
        *ret_is_same = from_st->st_rdev == to_st->st_rdev;
        return KS_SUCCESS;
    }
    if (from_st->st_size != to_st->st_size)
        return KS_SUCCESS;
    return compare_files(t, from, to, (uint64_t)from_st->st_size, ret_is_same);
}
