/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/record.c - the recording back end.
 *
 * Invariant: an entry is in the record before the operation returns, and entries stand in the order in which
 * the operations were made, because both happen under one mutex.
 */
#include "io/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/record_int.h"

struct record {
    struct io io;
    struct io *below;
    pthread_mutex_t mutex; /* held over each change and its entry */
    int fd;
};

static struct record *record_of(struct io *io)
{
    return (struct record *)(void *)io;
}

static struct io *below(struct io *io)
{
    return record_of(io)->below;
}

static struct record *record_lock(struct io *io)
{
    struct record *r = record_of(io);

    pthread_mutex_lock(&r->mutex);
    return r;
}

static void record_unlockp(struct record **r)
{
    pthread_mutex_unlock(&(*r)->mutex);
}

/* --- entries --- */

/* What goes with an entry. */
struct parts {
    const char *name, *to_name;
    struct view value;
};

static uint32_t text_bytes(const char *text)
{
    return text ? (uint32_t)strlen(text) + 1 : 0;
}

static ks_rc note(struct record *r, struct record_entry e, struct parts p)
{
    e.name_bytes = text_bytes(p.name);
    e.to_name_bytes = text_bytes(p.to_name);
    e.value_bytes = (uint32_t)p.value.len;
    struct iovec parts[] = {{&e, sizeof e},
                            {(void *)(uintptr_t)p.name, e.name_bytes},
                            {(void *)(uintptr_t)p.to_name, e.to_name_bytes},
                            {(void *)(uintptr_t)p.value.bytes, e.value_bytes}};
    size_t total = sizeof e + e.name_bytes + e.to_name_bytes + e.value_bytes;

    if (writev(r->fd, parts, 4) != (ssize_t)total)
        return ks_fail(KS_E_IO, "a change could not be recorded");
    return KS_SUCCESS;
}

static ks_rc ino_of(struct record *r, struct io_node *node, uint64_t *ret)
{
    struct stat st;

    TRY(r->below->ops->stat(r->below, node, &st));
    *ret = st.st_ino;
    return KS_SUCCESS;
}

static ks_rc file_ino(struct record *r, struct io_file *file, uint64_t *ret)
{
    struct stat st;

    TRY(r->below->ops->file_stat(r->below, file, &st));
    *ret = st.st_ino;
    return KS_SUCCESS;
}

/* --- names --- */

/* The object that was just made under that name. */
static ks_rc note_made(struct record *r, struct io_node *dir, const char *name, const char *target)
{
    struct record_entry e = {.kind = RECORD_MAKE};
    struct io_node *node;
    struct stat st;

    TRY(ino_of(r, dir, &e.dir));
    TRY(r->below->ops->lookup(r->below, dir, name, &node, &st));
    r->below->ops->node_close(r->below, node);
    e.ino = st.st_ino;
    e.mode = st.st_mode;
    e.rdev = st.st_rdev;
    return note(r, e, (struct parts){.name = name, .value = view_text(target)});
}

static ks_rc record_create(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                           struct io_node **ret, struct io_file **ret_file)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);

    TRY(below(io)->ops->create(below(io), dir, name, mode, ret, ret_file));
    return note_made(r, dir, name, "");
}

static ks_rc record_mknod(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                          dev_t rdev)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);

    TRY(below(io)->ops->mknod(below(io), dir, name, mode, rdev));
    return note_made(r, dir, name, "");
}

static ks_rc record_mkdir(struct io *io, struct io_node *dir, const char *name, mode_t mode)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);

    TRY(below(io)->ops->mkdir(below(io), dir, name, mode));
    return note_made(r, dir, name, "");
}

static ks_rc record_symlink(struct io *io, struct io_node *dir, const char *name,
                            const char *target)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);

    TRY(below(io)->ops->symlink(below(io), dir, name, target));
    return note_made(r, dir, name, target);
}

static ks_rc record_link(struct io *io, struct io_node *node, struct io_node *dir, const char *name)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_LINK};

    TRY(ino_of(r, node, &e.ino));
    TRY(ino_of(r, dir, &e.dir));
    TRY(below(io)->ops->link(below(io), node, dir, name));
    return note(r, e, (struct parts){.name = name});
}

static ks_rc record_unlink(struct io *io, struct io_node *dir, const char *name)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_UNLINK};

    TRY(ino_of(r, dir, &e.dir));
    TRY(below(io)->ops->unlink(below(io), dir, name));
    return note(r, e, (struct parts){.name = name});
}

static ks_rc record_rmdir(struct io *io, struct io_node *dir, const char *name)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_RMDIR};

    TRY(ino_of(r, dir, &e.dir));
    TRY(below(io)->ops->rmdir(below(io), dir, name));
    return note(r, e, (struct parts){.name = name});
}

static ks_rc record_rename(struct io *io, struct io_node *from_dir, const char *from,
                           struct io_node *to_dir, const char *to, unsigned flags)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_RENAME, .flags = flags};

    TRY(ino_of(r, from_dir, &e.dir));
    TRY(ino_of(r, to_dir, &e.to_dir));
    TRY(below(io)->ops->rename(below(io), from_dir, from, to_dir, to, flags));
    return note(r, e, (struct parts){.name = from, .to_name = to});
}

/* --- attributes --- */

static ks_rc record_setattr(struct io *io, struct io_node *node, unsigned attrs,
                            const struct stat *st)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_SETATTR,
                             .flags = attrs & (IO_ATTR_MODE | IO_ATTR_UID | IO_ATTR_GID),
                             .mode = st->st_mode,
                             .uid = st->st_uid,
                             .gid = st->st_gid};

    TRY(ino_of(r, node, &e.ino));
    TRY(below(io)->ops->setattr(below(io), node, attrs, st));
    return note(r, e, (struct parts){0});
}

static ks_rc record_xattr_set(struct io *io, struct io_node *node, const char *name,
                              struct view value, int flags)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_XATTR_SET, .flags = (uint32_t)flags};

    TRY(ino_of(r, node, &e.ino));
    TRY(below(io)->ops->xattr_set(below(io), node, name, value, flags));
    return note(r, e, (struct parts){.name = name, .value = value});
}

static ks_rc record_xattr_remove(struct io *io, struct io_node *node, const char *name)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_XATTR_REMOVE};

    TRY(ino_of(r, node, &e.ino));
    TRY(below(io)->ops->xattr_remove(below(io), node, name));
    return note(r, e, (struct parts){.name = name});
}

static void record_will_read(struct io *io, struct io_file *file, size_t len, uint64_t at)
{
    below(io)->ops->will_read(below(io), file, len, at);
}

/* --- contents --- */

static ks_rc record_pwrite(struct io *io, struct io_file *file, const void *in, size_t len,
                           uint64_t at)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_WRITE, .at = at};

    TRY(file_ino(r, file, &e.ino));
    TRY(below(io)->ops->pwrite(below(io), file, in, len, at));
    return note(r, e, (struct parts){.value = view_of(in, len)});
}

static ks_rc record_truncate(struct io *io, struct io_file *file, uint64_t size)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_TRUNCATE, .at = size};

    TRY(file_ino(r, file, &e.ino));
    TRY(below(io)->ops->truncate(below(io), file, size));
    return note(r, e, (struct parts){0});
}

static ks_rc record_fallocate(struct io *io, struct io_file *file, int mode, uint64_t at,
                              uint64_t len)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {
        .kind = RECORD_FALLOCATE, .flags = (uint32_t)mode, .at = at, .len = len};

    TRY(file_ino(r, file, &e.ino));
    TRY(below(io)->ops->fallocate(below(io), file, mode, at, len));
    return note(r, e, (struct parts){0});
}

/* --- syncs: only told --- */

static ks_rc record_sync(struct io *io, struct io_file *file, bool is_data_only)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = RECORD_SYNC, .flags = is_data_only};

    TRY(file_ino(r, file, &e.ino));
    return note(r, e, (struct parts){0});
}

static ks_rc note_dir_sync(struct io *io, struct io_node *dir, enum record_kind kind)
{
    CLEANUP(record_unlockp) struct record *r = record_lock(io);
    struct record_entry e = {.kind = kind};

    TRY(ino_of(r, dir, &e.ino));
    return note(r, e, (struct parts){0});
}

static ks_rc record_sync_dir(struct io *io, struct io_node *dir)
{
    return note_dir_sync(io, dir, RECORD_SYNC_DIR);
}

static ks_rc record_sync_all(struct io *io, struct io_node *dir)
{
    return note_dir_sync(io, dir, RECORD_SYNC_ALL);
}

/* --- what changes nothing passes through --- */

static ks_rc record_open_root(struct io *io, const char *path, struct io_node **ret)
{
    return below(io)->ops->open_root(below(io), path, ret);
}

static ks_rc record_lookup(struct io *io, struct io_node *dir, const char *name,
                           struct io_node **ret, struct stat *ret_stat)
{
    return below(io)->ops->lookup(below(io), dir, name, ret, ret_stat);
}

static void record_node_close(struct io *io, struct io_node *node)
{
    below(io)->ops->node_close(below(io), node);
}

static ks_rc record_stat(struct io *io, struct io_node *node, struct stat *ret)
{
    return below(io)->ops->stat(below(io), node, ret);
}

static ks_rc record_readlink(struct io *io, struct io_node *node, struct buf *ret)
{
    return below(io)->ops->readlink(below(io), node, ret);
}

static ks_rc record_statfs(struct io *io, struct io_node *node, struct statvfs *ret)
{
    return below(io)->ops->statfs(below(io), node, ret);
}

static ks_rc record_dir_open(struct io *io, struct io_node *dir, struct io_dir **ret)
{
    return below(io)->ops->dir_open(below(io), dir, ret);
}

static ks_rc record_dir_next(struct io *io, struct io_dir *dir, struct io_dirent *ret)
{
    return below(io)->ops->dir_next(below(io), dir, ret);
}

static ks_rc record_dir_seek(struct io *io, struct io_dir *dir, uint64_t cookie)
{
    return below(io)->ops->dir_seek(below(io), dir, cookie);
}

static void record_dir_close(struct io *io, struct io_dir *dir)
{
    below(io)->ops->dir_close(below(io), dir);
}

static ks_rc record_open(struct io *io, struct io_node *node, bool is_read_only,
                         struct io_file **ret)
{
    return below(io)->ops->open(below(io), node, is_read_only, ret);
}

static void record_close(struct io *io, struct io_file *file)
{
    below(io)->ops->close(below(io), file);
}

static ks_rc record_pread(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                          size_t *ret_len)
{
    return below(io)->ops->pread(below(io), file, out, len, at, ret_len);
}

static ks_rc record_pread_past(struct io *io, struct io_file *file, void *out, size_t len,
                               uint64_t at, size_t *ret_len)
{
    return below(io)->ops->pread_past(below(io), file, out, len, at, ret_len);
}

static ks_rc record_seek(struct io *io, struct io_file *file, uint64_t at, enum io_seek what,
                         uint64_t *ret)
{
    return below(io)->ops->seek(below(io), file, at, what, ret);
}

static ks_rc record_write_out(struct io *io, struct io_file *file, uint64_t at, uint64_t len)
{
    return below(io)->ops->write_out(below(io), file, at, len);
}

static ks_rc record_file_stat(struct io *io, struct io_file *file, struct stat *ret)
{
    return below(io)->ops->file_stat(below(io), file, ret);
}

static ks_rc record_file_lock(struct io *io, struct io_file *file)
{
    return below(io)->ops->lock(below(io), file);
}

static ks_rc record_xattr_get(struct io *io, struct io_node *node, const char *name,
                              struct buf *ret)
{
    return below(io)->ops->xattr_get(below(io), node, name, ret);
}

static ks_rc record_xattr_list(struct io *io, struct io_node *node, struct buf *ret)
{
    return below(io)->ops->xattr_list(below(io), node, ret);
}

static const struct io_ops record_ops = {
    .name = "record",
    .open_root = record_open_root,
    .lookup = record_lookup,
    .node_close = record_node_close,
    .stat = record_stat,
    .setattr = record_setattr,
    .readlink = record_readlink,
    .statfs = record_statfs,
    .create = record_create,
    .mknod = record_mknod,
    .mkdir = record_mkdir,
    .symlink = record_symlink,
    .link = record_link,
    .unlink = record_unlink,
    .rmdir = record_rmdir,
    .rename = record_rename,
    .sync_dir = record_sync_dir,
    .sync_all = record_sync_all,
    .dir_open = record_dir_open,
    .dir_next = record_dir_next,
    .dir_seek = record_dir_seek,
    .dir_close = record_dir_close,
    .open = record_open,
    .close = record_close,
    .pread = record_pread,
    .pread_past = record_pread_past,
    .will_read = record_will_read,
    .pwrite = record_pwrite,
    .truncate = record_truncate,
    .fallocate = record_fallocate,
    .seek = record_seek,
    .write_out = record_write_out,
    .sync = record_sync,
    .file_stat = record_file_stat,
    .lock = record_file_lock,
    .xattr_get = record_xattr_get,
    .xattr_set = record_xattr_set,
    .xattr_list = record_xattr_list,
    .xattr_remove = record_xattr_remove,
};

ks_rc record_new(struct io *below_io, const char *path, struct io **ret)
{
    struct record *r;

    TRY(mem_new(1, sizeof *r, &r));
    r->io.ops = &record_ops;
    r->below = below_io;
    r->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (r->fd < 0) {
        int err = errno;
        mem_free(r);
        return ks_fail_os(err, "cannot make the record %s", path);
    }
    pthread_mutex_init(&r->mutex, NULL);
    *ret = &r->io;
    return KS_SUCCESS;
}

void record_free(struct io *io)
{
    if (!io)
        return;
    close(record_of(io)->fd);
    pthread_mutex_destroy(&record_of(io)->mutex);
    mem_free(io);
}
