/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/fault.c - counts calls and lets one of them fail.
 *
 * Objects are those of the back end below, passed through untouched. A call that fails never reaches
 * it, so it has changed nothing, but for a pwrite that is told to write a part first. For tests only.
 */
#include "io/fault.h"

#include <pthread.h>

#include "base/mem.h"

struct fault {
    struct io io;
    struct io *below;
    pthread_mutex_t mutex; /* guards the rest */
    uint64_t count, fail_at, part_pages;
    int err;
    bool is_lasting;
    const char *failed;
    const char *held_name; /* calls of this name wait */
    unsigned held;
    pthread_cond_t changed; /* held_name or held */
};

static struct fault *fault_of(struct io *io)
{
    return (struct fault *)(void *)io;
}

static struct io *below(struct io *io)
{
    return fault_of(io)->below;
}

/* Waits while calls of that name are held. */
static void hold_back(struct fault *f, const char *name)
{
    if (!f->held_name || strcmp(f->held_name, name) != 0)
        return;
    f->held++;
    pthread_cond_broadcast(&f->changed);
    while (f->held_name)
        pthread_cond_wait(&f->changed, &f->mutex);
    f->held--;
}

/* Counts the call name; its result when it is the one to fail. */
static ks_rc fault_step(struct io *io, const char *name)
{
    struct fault *f = fault_of(io);

    pthread_mutex_lock(&f->mutex);
    hold_back(f, name);
    uint64_t n = ++f->count;
    bool is_failing = f->fail_at && (n == f->fail_at || (f->is_lasting && n > f->fail_at));
    int err = f->err;
    if (is_failing && !f->failed)
        f->failed = name;
    pthread_mutex_unlock(&f->mutex);
    return is_failing ? ks_os(err) : KS_SUCCESS;
}

static ks_rc fault_open_root(struct io *io, const char *path, struct io_node **ret)
{
    TRY(fault_step(io, "open_root"));
    return below(io)->ops->open_root(below(io), path, ret);
}

static ks_rc fault_lookup(struct io *io, struct io_node *dir, const char *name,
                          struct io_node **ret, struct stat *ret_stat)
{
    TRY(fault_step(io, "lookup"));
    return below(io)->ops->lookup(below(io), dir, name, ret, ret_stat);
}

static void fault_node_close(struct io *io, struct io_node *node)
{
    below(io)->ops->node_close(below(io), node);
}

static ks_rc fault_stat(struct io *io, struct io_node *node, struct stat *ret)
{
    TRY(fault_step(io, "stat"));
    return below(io)->ops->stat(below(io), node, ret);
}

static ks_rc fault_setattr(struct io *io, struct io_node *node, unsigned attrs,
                           const struct stat *st)
{
    TRY(fault_step(io, "setattr"));
    return below(io)->ops->setattr(below(io), node, attrs, st);
}

static ks_rc fault_readlink(struct io *io, struct io_node *node, struct buf *ret)
{
    TRY(fault_step(io, "readlink"));
    return below(io)->ops->readlink(below(io), node, ret);
}

static ks_rc fault_statfs(struct io *io, struct io_node *node, struct statvfs *ret)
{
    TRY(fault_step(io, "statfs"));
    return below(io)->ops->statfs(below(io), node, ret);
}

static ks_rc fault_create(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                          struct io_node **ret, struct io_file **ret_file)
{
    TRY(fault_step(io, "create"));
    return below(io)->ops->create(below(io), dir, name, mode, ret, ret_file);
}

static ks_rc fault_mknod(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                         dev_t rdev)
{
    TRY(fault_step(io, "mknod"));
    return below(io)->ops->mknod(below(io), dir, name, mode, rdev);
}

static ks_rc fault_mkdir(struct io *io, struct io_node *dir, const char *name, mode_t mode)
{
    TRY(fault_step(io, "mkdir"));
    return below(io)->ops->mkdir(below(io), dir, name, mode);
}

static ks_rc fault_symlink(struct io *io, struct io_node *dir, const char *name, const char *target)
{
    TRY(fault_step(io, "symlink"));
    return below(io)->ops->symlink(below(io), dir, name, target);
}

static ks_rc fault_link(struct io *io, struct io_node *node, struct io_node *dir, const char *name)
{
    TRY(fault_step(io, "link"));
    return below(io)->ops->link(below(io), node, dir, name);
}

static ks_rc fault_unlink(struct io *io, struct io_node *dir, const char *name)
{
    TRY(fault_step(io, "unlink"));
    return below(io)->ops->unlink(below(io), dir, name);
}

static ks_rc fault_rmdir(struct io *io, struct io_node *dir, const char *name)
{
    TRY(fault_step(io, "rmdir"));
    return below(io)->ops->rmdir(below(io), dir, name);
}

static ks_rc fault_rename(struct io *io, struct io_node *from_dir, const char *from,
                          struct io_node *to_dir, const char *to, unsigned flags)
{
    TRY(fault_step(io, "rename"));
    return below(io)->ops->rename(below(io), from_dir, from, to_dir, to, flags);
}

static ks_rc fault_sync_dir(struct io *io, struct io_node *dir)
{
    TRY(fault_step(io, "sync_dir"));
    return below(io)->ops->sync_dir(below(io), dir);
}

static ks_rc fault_sync_all(struct io *io, struct io_node *dir)
{
    TRY(fault_step(io, "sync_all"));
    return below(io)->ops->sync_all(below(io), dir);
}

static ks_rc fault_dir_open(struct io *io, struct io_node *dir, struct io_dir **ret)
{
    TRY(fault_step(io, "dir_open"));
    return below(io)->ops->dir_open(below(io), dir, ret);
}

static ks_rc fault_dir_next(struct io *io, struct io_dir *dir, struct io_dirent *ret)
{
    TRY(fault_step(io, "dir_next"));
    return below(io)->ops->dir_next(below(io), dir, ret);
}

static ks_rc fault_dir_seek(struct io *io, struct io_dir *dir, uint64_t cookie)
{
    TRY(fault_step(io, "dir_seek"));
    return below(io)->ops->dir_seek(below(io), dir, cookie);
}

static void fault_dir_close(struct io *io, struct io_dir *dir)
{
    below(io)->ops->dir_close(below(io), dir);
}

static ks_rc fault_open(struct io *io, struct io_node *node, bool is_read_only,
                        struct io_file **ret)
{
    TRY(fault_step(io, "open"));
    return below(io)->ops->open(below(io), node, is_read_only, ret);
}

static void fault_close(struct io *io, struct io_file *file)
{
    below(io)->ops->close(below(io), file);
}

static ks_rc fault_pread(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                         size_t *ret_len)
{
    TRY(fault_step(io, "pread"));
    return below(io)->ops->pread(below(io), file, out, len, at, ret_len);
}

static ks_rc fault_pread_past(struct io *io, struct io_file *file, void *out, size_t len,
                              uint64_t at, size_t *ret_len)
{
    TRY(fault_step(io, "pread_past"));
    return below(io)->ops->pread_past(below(io), file, out, len, at, ret_len);
}

/* How many of len bytes at at stand in the first pages of them; never all. */
static size_t part_of(size_t len, uint64_t at, uint64_t pages)
{
    uint64_t first = at / IO_PAGE_BYTES, more = len ? (at + len - 1) / IO_PAGE_BYTES - first : 0;

    if (pages > more)
        pages = more;
    return pages ? (size_t)((first + pages) * IO_PAGE_BYTES - at) : 0;
}

static uint64_t part_pages(struct fault *f)
{
    pthread_mutex_lock(&f->mutex);
    uint64_t pages = f->part_pages;
    pthread_mutex_unlock(&f->mutex);
    return pages;
}

static void fault_will_read(struct io *io, struct io_file *file, size_t len, uint64_t at)
{
    below(io)->ops->will_read(below(io), file, len, at);
}

static ks_rc fault_pwrite(struct io *io, struct io_file *file, const void *in, size_t len,
                          uint64_t at)
{
    ks_rc rc = fault_step(io, "pwrite");

    if (!ks_ok(rc))
        len = part_of(len, at, part_pages(fault_of(io)));
    if (len > 0 || ks_ok(rc))
        TRY(below(io)->ops->pwrite(below(io), file, in, len, at));
    return rc;
}

static ks_rc fault_truncate(struct io *io, struct io_file *file, uint64_t size)
{
    TRY(fault_step(io, "truncate"));
    return below(io)->ops->truncate(below(io), file, size);
}

static ks_rc fault_fallocate(struct io *io, struct io_file *file, int mode, uint64_t at,
                             uint64_t len)
{
    TRY(fault_step(io, "fallocate"));
    return below(io)->ops->fallocate(below(io), file, mode, at, len);
}

static ks_rc fault_seek(struct io *io, struct io_file *file, uint64_t at, enum io_seek what,
                        uint64_t *ret)
{
    TRY(fault_step(io, "seek"));
    return below(io)->ops->seek(below(io), file, at, what, ret);
}

static ks_rc fault_write_out(struct io *io, struct io_file *file, uint64_t at, uint64_t len)
{
    return below(io)->ops->write_out(below(io), file, at, len);
}

static ks_rc fault_sync(struct io *io, struct io_file *file, bool is_data_only)
{
    TRY(fault_step(io, "sync"));
    return below(io)->ops->sync(below(io), file, is_data_only);
}

static ks_rc fault_file_stat(struct io *io, struct io_file *file, struct stat *ret)
{
    TRY(fault_step(io, "file_stat"));
    return below(io)->ops->file_stat(below(io), file, ret);
}

static ks_rc fault_lock(struct io *io, struct io_file *file)
{
    TRY(fault_step(io, "lock"));
    return below(io)->ops->lock(below(io), file);
}

static ks_rc fault_xattr_get(struct io *io, struct io_node *node, const char *name, struct buf *ret)
{
    TRY(fault_step(io, "xattr_get"));
    return below(io)->ops->xattr_get(below(io), node, name, ret);
}

static ks_rc fault_xattr_set(struct io *io, struct io_node *node, const char *name,
                             struct view value, int flags)
{
    TRY(fault_step(io, "xattr_set"));
    return below(io)->ops->xattr_set(below(io), node, name, value, flags);
}

static ks_rc fault_xattr_list(struct io *io, struct io_node *node, struct buf *ret)
{
    TRY(fault_step(io, "xattr_list"));
    return below(io)->ops->xattr_list(below(io), node, ret);
}

static ks_rc fault_xattr_remove(struct io *io, struct io_node *node, const char *name)
{
    TRY(fault_step(io, "xattr_remove"));
    return below(io)->ops->xattr_remove(below(io), node, name);
}

static const struct io_ops fault_ops = {
    .name = "fault",
    .open_root = fault_open_root,
    .lookup = fault_lookup,
    .node_close = fault_node_close,
    .stat = fault_stat,
    .setattr = fault_setattr,
    .readlink = fault_readlink,
    .statfs = fault_statfs,
    .create = fault_create,
    .mknod = fault_mknod,
    .mkdir = fault_mkdir,
    .symlink = fault_symlink,
    .link = fault_link,
    .unlink = fault_unlink,
    .rmdir = fault_rmdir,
    .rename = fault_rename,
    .sync_dir = fault_sync_dir,
    .sync_all = fault_sync_all,
    .dir_open = fault_dir_open,
    .dir_next = fault_dir_next,
    .dir_seek = fault_dir_seek,
    .dir_close = fault_dir_close,
    .open = fault_open,
    .close = fault_close,
    .pread = fault_pread,
    .pread_past = fault_pread_past,
    .will_read = fault_will_read,
    .pwrite = fault_pwrite,
    .truncate = fault_truncate,
    .fallocate = fault_fallocate,
    .seek = fault_seek,
    .write_out = fault_write_out,
    .sync = fault_sync,
    .file_stat = fault_file_stat,
    .lock = fault_lock,
    .xattr_get = fault_xattr_get,
    .xattr_set = fault_xattr_set,
    .xattr_list = fault_xattr_list,
    .xattr_remove = fault_xattr_remove,
};

ks_rc fault_new(struct io *below_io, struct io **ret)
{
    struct fault *f;

    TRY(mem_new(1, sizeof *f, &f));
    f->io.ops = &fault_ops;
    f->below = below_io;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    *ret = &f->io;
    return KS_SUCCESS;
}

void fault_free(struct io *io)
{
    if (!io)
        return;
    pthread_cond_destroy(&fault_of(io)->changed);
    pthread_mutex_destroy(&fault_of(io)->mutex);
    mem_free(io);
}

void fault_arm(struct io *io, uint64_t n, int err, bool is_lasting)
{
    struct fault *f = fault_of(io);

    pthread_mutex_lock(&f->mutex);
    f->count = 0;
    f->fail_at = n;
    f->err = err;
    f->is_lasting = is_lasting;
    f->failed = NULL;
    pthread_mutex_unlock(&f->mutex);
}

void fault_write_part(struct io *io, uint64_t pages)
{
    struct fault *f = fault_of(io);

    pthread_mutex_lock(&f->mutex);
    f->part_pages = pages;
    pthread_mutex_unlock(&f->mutex);
}

void fault_hold(struct io *io, const char *name)
{
    struct fault *f = fault_of(io);

    pthread_mutex_lock(&f->mutex);
    f->held_name = name;
    pthread_mutex_unlock(&f->mutex);
}

void fault_release(struct io *io)
{
    struct fault *f = fault_of(io);

    pthread_mutex_lock(&f->mutex);
    f->held_name = NULL;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

void fault_wait_held(struct io *io, unsigned n)
{
    struct fault *f = fault_of(io);

    pthread_mutex_lock(&f->mutex);
    while (f->held < n)
        pthread_cond_wait(&f->changed, &f->mutex);
    pthread_mutex_unlock(&f->mutex);
}

uint64_t fault_count(struct io *io)
{
    struct fault *f = fault_of(io);

    pthread_mutex_lock(&f->mutex);
    uint64_t count = f->count;
    pthread_mutex_unlock(&f->mutex);
    return count;
}

const char *fault_name(struct io *io)
{
    struct fault *f = fault_of(io);

    pthread_mutex_lock(&f->mutex);
    const char *name = f->failed;
    pthread_mutex_unlock(&f->mutex);
    return name;
}
