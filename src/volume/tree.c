/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/tree.c - names: finding, making, moving and removing objects, and listing them.
 *
 * The backing tree has the same shape as the plain one, so every operation is one operation there, as
 * atomic and as ordered as the host's file system makes it; what takes several is made aside (making.h).
 */
#include <stdio.h> /* RENAME_EXCHANGE */

#include "base/mem.h"
#include "volume/making.h"
#include "volume/moves.h"
#include "volume/volume_int.h"

/* A name in cipher, as a C string. */
static ks_rc seal(struct volume *v, const char *name, bool is_storing, struct buf *ret)
{
    return volume_seal(v, NAME_ENTRY, name, IO_NAME_BYTES, is_storing, ret);
}

#define SEALED(v, var, name, is_storing)                                                           \
    CLEANUP(buf_done) struct buf var = buf_init(NAME_CIPHER_BYTES);                                \
    TRY(seal((v), (name), (is_storing), &(var)))

/*
 * The kernel keeps the number of blocks while a file is open, and programs that save sparse files (tar -S) take a
 * file of no blocks for one of no data: so the header page counts before it is there.
 *
 * Without a working key for it a file's size is unknown, but its name still works: so that damaged files can be
 * seen and removed. Reading such a file fails.
 */
static ks_rc known_stat(struct volume *v, struct inode *i, struct stat *st)
{
    uint32_t payload = v->conf.block_payload;

    if (i->type == S_IFREG) {
        ks_rc rc = st->st_size == 0 ? inode_load_empty(i) : inode_load(v, i);
        if (!ks_ok(rc) && rc.cls != KS_CLASS_CORRUPT)
            return rc;
        st->st_size = ks_ok(rc) ? (off_t)i->size_shown : st->st_size / BLOCK_BYTES * (off_t)payload;
        inode_show_mtime(i, st);
        if (st->st_blocks == 0)
            st->st_blocks = BLOCK_BYTES / 512;
    }
    if (i->type == S_IFLNK) {
        CLEANUP(buf_done) struct buf target = buf_init(TARGET_PLAIN_MAX + 1);
        ks_rc rc = volume_target(v, i, &target);
        if (!ks_ok(rc) && rc.cls != KS_CLASS_CORRUPT)
            return rc;
        if (ks_ok(rc))
            st->st_size = (off_t)target.len;
    }
    st->st_blksize = BLOCK_BYTES;
    return KS_SUCCESS;
}

ks_rc inode_stat(struct volume *v, struct inode *i, struct stat *ret)
{
    struct io *io = v->conf.io;
    struct stat st;

    TRY(io->ops->stat(io, i->node, &st));
    TRY(known_stat(v, i, &st));
    *ret = st;
    return KS_SUCCESS;
}

/*
 * known_stat of an object that was looked at before its inode was there. By then it may have been written to, synced and
 * forgotten in another thread, so emptiness is believed only when it is seen now that nobody can have another inode of it.
 */
static ks_rc known_stat_since(struct volume *v, struct inode *i, struct stat *st)
{
    bool is_old = i->type == S_IFREG && st->st_size == 0 && !atomic_load(&i->is_loaded);

    return is_old ? inode_stat(v, i, st) : known_stat(v, i, st);
}

/* The object of a name in cipher, referenced. */
static ks_rc find(struct volume *v, struct inode *dir, const char *sealed, struct inode **ret,
                  struct stat *ret_stat)
{
    struct io *io = v->conf.io;
    struct io_node *node;
    struct inode *i;
    struct stat st;

    TRY(io->ops->lookup(io, dir->node, sealed, &node, &st));
    TRY(inode_get(v, node, &st, &i));
    inode_note_lookup(v, dir, i, &st);
    ks_rc rc = known_stat_since(v, i, &st);
    if (!ks_ok(rc)) {
        volume_forget(v, i, 1);
        return rc;
    }
    *ret = i;
    *ret_stat = st;
    return KS_SUCCESS;
}

ks_rc volume_lookup(struct volume *v, struct inode *dir, const char *name, struct inode **ret,
                    struct stat *ret_stat)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    SEALED(v, sealed, name, false);
    return find(v, dir, buf_text(&sealed), ret, ret_stat);
}

/* --- making --- */

/* An object on its way into the tree. */
struct birth {
    struct making making;
    struct inode *dir;
    mode_t mode;
    const struct caller *who;
};

/* Gives a new object to its maker and puts it in its place; *st is what is known of it and is kept right. A directory
 * with the set-group-id bit hands on its group, and to directories the bit. */
static ks_rc give_and_place(struct birth *b, struct io_node *node, struct stat *st)
{
    struct io *io = b->making.v->conf.io;
    struct stat parent, in = {.st_uid = b->who->uid, .st_gid = b->who->gid, .st_mode = b->mode};

    if (!making_is_aside(&b->making) && st->st_uid == in.st_uid && st->st_gid == in.st_gid)
        return KS_SUCCESS;
    TRY(io->ops->stat(io, b->dir->node, &parent));
    if (parent.st_mode & S_ISGID) {
        in.st_gid = parent.st_gid;
        in.st_mode |= S_ISDIR(b->mode) ? S_ISGID : 0;
    }
    TRY(io->ops->setattr(io, node, IO_ATTR_UID | IO_ATTR_GID, &in));
    if (!S_ISLNK(st->st_mode) && (in.st_mode & (S_ISUID | S_ISGID)))
        TRY(io->ops->setattr(io, node, IO_ATTR_MODE, &in)); /* the change of owner took them away */
    TRY(making_finish(&b->making));
    return io->ops->stat(io, node, st);
}

/* The inode of an object that was just made, in its maker's hands. Takes node over in any case. */
static ks_rc settle(struct birth *b, struct io_node *node, struct inode **ret, struct stat *st)
{
    struct volume *v = b->making.v;
    ks_rc rc = give_and_place(b, node, st);
    struct inode *i;

    if (!ks_ok(rc)) {
        v->conf.io->ops->node_close(v->conf.io, node);
        return rc;
    }
    TRY(inode_get(v, node, st, &i));
    rc = known_stat_since(v, i, st);
    if (!ks_ok(rc)) {
        volume_forget(v, i, 1);
        return rc;
    }
    atomic_store(&i->is_placed, making_is_aside(&b->making));
    *ret = i;
    return KS_SUCCESS;
}

/* Finds what was just made and gives it to its maker; removes it again when that fails. */
static ks_rc adopt(struct birth *b, struct inode **ret, struct stat *ret_stat)
{
    struct io *io = b->making.v->conf.io;
    struct io_node *node;
    struct stat st;

    ks_rc rc = io->ops->lookup(io, b->making.at, b->making.name, &node, &st);
    if (ks_ok(rc))
        rc = settle(b, node, ret, &st);
    if (ks_ok(rc))
        *ret_stat = st;
    else
        making_take_back(&b->making, b->mode);
    return rc;
}

static void birth_done(struct birth *b)
{
    making_end(&b->making);
}

static ks_rc birth_begin(struct volume *v, struct inode *dir, const char *sealed, mode_t mode,
                         const struct caller *who, struct birth *ret)
{
    ret->dir = dir;
    ret->mode = mode;
    ret->who = who;
    return making_begin(v, dir, sealed, who, &ret->making);
}

static ks_rc handle_new(struct volume *v, struct inode *i, struct io_dir *dir, struct handle **ret)
{
    struct handle *h;

    TRY(mem_new(1, sizeof *h, &h));
    h->inode = i;
    h->dir = dir;
    pthread_mutex_init(&h->dir_mutex, NULL);
    inode_ref(v, i);
    *ret = h;
    return KS_SUCCESS;
}

/* The open file of a new handle; the handle counts as one user of it until it is closed. */
static ks_rc handle_open(struct volume *v, struct inode *i, struct handle **ret)
{
    struct io_file *file;

    TRY(inode_use(v, i, &file));
    ks_rc rc = handle_new(v, i, NULL, ret);
    if (!ks_ok(rc))
        inode_unuse(v, i);
    return rc;
}

/* A new inode, from an object that was just made and opened: empty, and nobody else has seen it. Takes node and
 * file over in any case. */
static ks_rc settle_open(struct birth *b, struct io_node *node, struct io_file *file,
                         struct inode **ret, struct stat *ret_stat)
{
    struct volume *v = b->making.v;
    struct io *io = v->conf.io;
    struct inode *i = NULL;
    struct stat st;

    ks_rc rc = io->ops->stat(io, node, &st);
    if (!ks_ok(rc))
        io->ops->node_close(io, node);
    else
        rc = settle(b, node, &i, &st);
    if (!ks_ok(rc)) {
        io->ops->close(io, file);
        return rc;
    }
    inode_give_file(v, i, file);
    *ret = i;
    *ret_stat = st;
    return KS_SUCCESS;
}

/* A handle for who wants one. Without it, too, the file stays open for its next user. */
static ks_rc hand_out(struct volume *v, struct inode *i, struct handle **ret)
{
    ks_rc rc = ret ? handle_new(v, i, NULL, ret) : KS_SUCCESS;

    if (!ret || !ks_ok(rc))
        inode_unuse(v, i);
    return rc;
}

/* What volume_create, mknod, mkdir and symlink begin with: the name in cipher, and where to make the object. */
#define BIRTH(v, var, dir, name, mode, who)                                                        \
    SEALED(v, sealed_, name, true);                                                                \
    CLEANUP(birth_done) struct birth var = {.making = {.v = NULL}};                                \
    TRY(birth_begin((v), (dir), buf_text(&sealed_), (mode), (who), &(var)))

ks_rc volume_create(struct volume *v, struct inode *dir, const char *name, mode_t mode,
                    const struct caller *who, struct inode **ret, struct stat *ret_stat,
                    struct handle **ret_handle)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    BIRTH(v, b, dir, name, S_IFREG | (mode & 07777), who);
    struct io *io = v->conf.io;
    struct io_node *node;
    struct io_file *file;
    struct inode *i;
    struct stat st;

    TRY(io->ops->create(io, b.making.at, b.making.name, mode & 07777, &node, &file));
    ks_rc rc = settle_open(&b, node, file, &i, &st);
    if (ks_ok(rc)) {
        rc = hand_out(v, i, ret_handle);
        if (!ks_ok(rc))
            volume_forget(v, i, 1);
    }
    if (!ks_ok(rc)) {
        making_take_back(&b.making, S_IFREG);
        return rc;
    }
    *ret = i;
    *ret_stat = st;
    return KS_SUCCESS;
}

ks_rc volume_mknod(struct volume *v, struct inode *dir, const char *name, mode_t mode, dev_t rdev,
                   const struct caller *who, struct inode **ret, struct stat *ret_stat)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    BIRTH(v, b, dir, name, mode, who);

    TRY(v->conf.io->ops->mknod(v->conf.io, b.making.at, b.making.name, mode, rdev));
    return adopt(&b, ret, ret_stat);
}

ks_rc volume_mkdir(struct volume *v, struct inode *dir, const char *name, mode_t mode,
                   const struct caller *who, struct inode **ret, struct stat *ret_stat)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    BIRTH(v, b, dir, name, S_IFDIR | (mode & 07777), who);

    TRY(v->conf.io->ops->mkdir(v->conf.io, b.making.at, b.making.name, mode & 07777));
    return adopt(&b, ret, ret_stat);
}

ks_rc volume_symlink(struct volume *v, struct inode *dir, const char *name, const char *target,
                     const struct caller *who, struct inode **ret, struct stat *ret_stat)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    BIRTH(v, b, dir, name, S_IFLNK, who);
    CLEANUP(buf_done) struct buf to = buf_init(TARGET_PLAIN_MAX + 1);

    TRY(volume_seal(v, NAME_TARGET, target, TARGET_PLAIN_MAX, true, &to));
    TRY(v->conf.io->ops->symlink(v->conf.io, b.making.at, b.making.name, buf_text(&to)));
    return adopt(&b, ret, ret_stat);
}

ks_rc volume_link(struct volume *v, struct inode *i, struct inode *dir, const char *name,
                  struct stat *ret_stat)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    SEALED(v, sealed, name, true);

    moves_note_inode(v, i);
    TRY(v->conf.io->ops->link(v->conf.io, i->node, dir->node, buf_text(&sealed)));
    inode_forget_seen(i);
    TRY(inode_stat(v, i, ret_stat));
    inode_ref(v, i);
    return KS_SUCCESS;
}

/* --- removing and moving --- */

ks_rc volume_unlink(struct volume *v, struct inode *dir, const char *name)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    SEALED(v, sealed, name, false);
    return v->conf.io->ops->unlink(v->conf.io, dir->node, buf_text(&sealed));
}

ks_rc volume_rmdir(struct volume *v, struct inode *dir, const char *name)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    SEALED(v, sealed, name, false);
    return v->conf.io->ops->rmdir(v->conf.io, dir->node, buf_text(&sealed));
}

ks_rc volume_rename(struct volume *v, struct inode *from_dir, const char *from,
                    struct inode *to_dir, const char *to, unsigned flags)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    SEALED(v, sealed_from, from, false);
    SEALED(v, sealed_to, to, true);
    moves_note(v, from_dir, buf_text(&sealed_from));
    if (flags & RENAME_EXCHANGE)
        moves_note(v, to_dir, buf_text(&sealed_to));
    return v->conf.io->ops->rename(v->conf.io, from_dir->node, buf_text(&sealed_from), to_dir->node,
                                   buf_text(&sealed_to), flags);
}

/* --- open files and directories --- */

ks_rc volume_open(struct volume *v, struct inode *i, bool is_truncating, struct handle **ret)
{
    struct handle *h;
    struct era *era;

    TRY(volume_enter(v, NEED_OPEN, &era));
    ks_rc rc = inode_load(v, i);
    if (ks_ok(rc))
        rc = handle_open(v, i, &h);
    volume_leave(v, era);
    TRY(rc);
    if (is_truncating) {
        rc = volume_truncate(v, i, 0);
        if (!ks_ok(rc)) {
            volume_close(v, h);
            return rc;
        }
    }
    *ret = h;
    return KS_SUCCESS;
}

void volume_close(struct volume *v, struct handle *h)
{
    struct inode *i = h->inode;

    if (h->dir)
        v->conf.io->ops->dir_close(v->conf.io, h->dir);
    else
        inode_unuse(v, i);
    pthread_mutex_destroy(&h->dir_mutex);
    mem_free(h);
    volume_forget(v, i, 1);
}

ks_rc volume_opendir(struct volume *v, struct inode *dir, struct handle **ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    struct io_dir *stream;

    TRY(v->conf.io->ops->dir_open(v->conf.io, dir->node, &stream));
    ks_rc rc = handle_new(v, dir, stream, ret);
    if (!ks_ok(rc))
        v->conf.io->ops->dir_close(v->conf.io, stream);
    return rc;
}

static bool is_dot_name(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* *ret_is_ours is false for a name that this volume did not write. */
static ks_rc open_name(struct volume *v, struct io_dirent *e, bool *ret_is_ours)
{
    CLEANUP(buf_done) struct buf plain = buf_init(NAME_PLAIN_MAX);

    *ret_is_ours = true;
    if (e->name[0] == 0 || is_dot_name(e->name))
        return KS_SUCCESS;
    ks_rc rc = names_open(v->names, NAME_ENTRY, e->name, &plain);
    if (rc.cls == KS_CLASS_CORRUPT) {
        volume_alert(v, "entry %s is left out: %s", e->name, ks_text(rc));
        *ret_is_ours = false;
        return KS_SUCCESS;
    }
    TRY(rc);
    memcpy(e->name, plain.bytes, plain.len);
    e->name[plain.len] = 0;
    return KS_SUCCESS;
}

static ks_rc next_entry(struct volume *v, struct handle *h, uint64_t cookie, struct io_dirent *ret)
{
    struct io *io = v->conf.io;
    bool is_ours = false;

    /* A seek throws away what the host has read ahead; reading on needs none. */
    if (cookie != h->dir_at)
        TRY(io->ops->dir_seek(io, h->dir, cookie));
    h->dir_at = UINT64_MAX; /* unknown, should one of these fail */
    while (!is_ours) {
        TRY(io->ops->dir_next(io, h->dir, ret));
        TRY(open_name(v, ret, &is_ours));
    }
    if (ret->name[0])
        h->dir_at = ret->next;
    return KS_SUCCESS;
}

ks_rc volume_readdir(struct volume *v, struct handle *h, uint64_t cookie, struct io_dirent *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);

    pthread_mutex_lock(&h->dir_mutex);
    ks_rc rc = next_entry(v, h, cookie, ret);
    pthread_mutex_unlock(&h->dir_mutex);
    return rc;
}

/* Without memory or descriptors nothing was tried, and nothing is lost. */
static bool is_want(ks_rc rc)
{
    return ks_is_os(rc, ENOMEM) || ks_is_os(rc, EMFILE) || ks_is_os(rc, ENFILE);
}

/* As of a file. ext4 and XFS stop for good when their journal fails; others may have dropped what they could not write, and a
 * second sync would know nothing of it. Not one at a time, as of a file: a journal has all who wait for one write of it. */
ks_rc inode_sync_dir(struct volume *v, struct inode *dir)
{
    if (atomic_load(&dir->is_poisoned))
        return ks_os(EIO);
    ks_rc rc = v->conf.io->ops->sync_dir(v->conf.io, dir->node);
    if (!ks_ok(rc) && !is_want(rc))
        inode_poison(v, dir, rc);
    return ks_ok(rc) && atomic_load(&dir->is_poisoned) ? ks_os(EIO) : rc;
}

ks_rc volume_fsyncdir(struct volume *v, struct handle *h)
{
    VOLUME_OPERATION(v, NEED_FLUSH);
    return inode_sync_dir(v, h->inode);
}
