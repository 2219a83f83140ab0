/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/ops_names.c - requests about names and directories.
 */
#include <errno.h>
#include <string.h>

#include "fuse/reply.h"

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct inode *i = NULL;
    struct stat st;
    ks_rc rc = volume_lookup(req_volume(req), req_inode(req, parent), name, &i, &st);

    /* The kernel may remember that there is no such name, as nobody but it can make one. */
    if (ks_errno(rc) == ENOENT) {
        struct fuse_entry_param none = {.entry_timeout = OPS_CACHE_SECONDS};
        fuse_reply_entry(req, &none);
        return;
    }
    reply_entry(req, rc, i, &st);
}

static void forget(struct volume *v, fuse_ino_t ino, uint64_t n)
{
    if (ino != FUSE_ROOT_ID)
        volume_forget(v, (struct inode *)(uintptr_t)ino, n);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
    forget(req_volume(req), ino, n);
    fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t k = 0; k < count; k++)
        forget(req_volume(req), forgets[k].ino, forgets[k].nlookup);
    fuse_reply_none(req);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    struct caller who = req_caller(req);
    struct inode *i = NULL;
    struct stat st;
    struct volume *v = req_volume(req);
    struct inode *dir = req_inode(req, parent);
    ks_rc rc = S_ISREG(mode) ? volume_create(v, dir, name, mode, &who, &i, &st, NULL)
                             : volume_mknod(v, dir, name, mode, rdev, &who, &i, &st);

    reply_entry(req, rc, i, &st);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct caller who = req_caller(req);
    struct inode *i = NULL;
    struct stat st;
    ks_rc rc = volume_mkdir(req_volume(req), req_inode(req, parent), name, mode, &who, &i, &st);

    reply_entry(req, rc, i, &st);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    struct caller who = req_caller(req);
    struct inode *i = NULL;
    struct stat st;
    ks_rc rc = volume_symlink(req_volume(req), req_inode(req, parent), name, target, &who, &i, &st);

    reply_entry(req, rc, i, &st);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    struct inode *i = req_inode(req, ino);
    struct stat st;
    ks_rc rc = volume_link(req_volume(req), i, req_inode(req, parent), name, &st);

    reply_entry(req, rc, i, &st);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    reply_rc(req, volume_unlink(req_volume(req), req_inode(req, parent), name));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    reply_rc(req, volume_rmdir(req_volume(req), req_inode(req, parent), name));
}

void op_rename(fuse_req_t req, fuse_ino_t from_dir, const char *from, fuse_ino_t to_dir,
               const char *to, unsigned flags)
{
    reply_rc(req, volume_rename(req_volume(req), req_inode(req, from_dir), from,
                                req_inode(req, to_dir), to, flags));
}

static struct handle *dir_handle(const struct fuse_file_info *fi)
{
    return (struct handle *)(uintptr_t)fi->fh;
}

/* Directories, unlike files, are opened: the kernel's place in a listing is the place in one stream of the file system
 * below, and not all of those find it again in another. */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct handle *h = NULL;
    ks_rc rc = volume_opendir(req_volume(req), req_inode(req, ino), &h);

    if (!ks_ok(rc)) {
        reply_rc(req, rc);
        return;
    }
    fi->fh = (uintptr_t)h;
    if (fuse_reply_open(req, fi) == -ENOENT)
        volume_close(req_volume(req), h);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    volume_close(req_volume(req), dir_handle(fi));
    fuse_reply_err(req, 0);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int is_data_only, struct fuse_file_info *fi)
{
    (void)ino;
    (void)is_data_only;
    reply_rc(req, volume_fsyncdir(req_volume(req), dir_handle(fi)));
}

/* A reply to READDIR being filled. */
struct listing {
    fuse_req_t req;
    struct handle *dir;
    char *bytes;
    size_t room, len;
    bool is_plus;
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static size_t add_plain(struct listing *l, const struct io_dirent *d)
{
    struct stat st = {.st_ino = d->ino, .st_mode = d->type};

    return fuse_add_direntry(l->req, l->bytes + l->len, l->room - l->len, d->name, &st,
                             (off_t)d->next);
}

/* With attributes: the kernel gets a reference, unless the entry does not fit. An entry that cannot be
 * looked up (it went away meanwhile) is listed without. */
static size_t add_plus(struct listing *l, const struct io_dirent *d)
{
    struct volume *v = req_volume(l->req);
    struct inode *i = NULL;
    struct stat st = {.st_ino = d->ino, .st_mode = d->type};
    struct fuse_entry_param e = {.attr = st};

    if (!is_dots(d->name) && ks_ok(volume_lookup(v, handle_inode(l->dir), d->name, &i, &st)))
        e = entry_of(v, i, &st);
    size_t n = fuse_add_direntry_plus(l->req, l->bytes + l->len, l->room - l->len, d->name, &e,
                                      (off_t)d->next);
    if (i && n > l->room - l->len)
        volume_forget(v, i, 1);
    return n;
}

/* fill(l, cookie): as many entries as fit. An error counts only when nothing was listed before it. */
static ks_rc fill(struct listing *l, uint64_t cookie)
{
    struct io_dirent d;

    for (;;) {
        ks_rc rc = volume_readdir(req_volume(l->req), l->dir, cookie, &d);
        if (!ks_ok(rc))
            return l->len ? KS_SUCCESS : rc;
        if (!d.name[0])
            return KS_SUCCESS;
        size_t n = l->is_plus ? add_plus(l, &d) : add_plain(l, &d);
        if (n > l->room - l->len)
            return KS_SUCCESS;
        l->len += n;
        cookie = d.next;
    }
}

static void list(struct listing *l, off_t off)
{
    if (!l->bytes) {
        reply_rc(l->req, ks_os(ENOMEM));
        return;
    }
    ks_rc rc = fill(l, (uint64_t)off);
    if (ks_ok(rc))
        fuse_reply_buf(l->req, l->bytes, l->len);
    else
        reply_rc(l->req, rc);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    struct listing l = {req, dir_handle(fi), ops_scratch(size), size, 0, false};

    (void)ino;
    list(&l, off);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    struct listing l = {req, dir_handle(fi), ops_scratch(size), size, 0, true};

    (void)ino;
    list(&l, off);
}
