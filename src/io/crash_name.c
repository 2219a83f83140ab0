/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/crash_name.c - names and directory streams of the crash back end.
 *
 * Each operation checks its request in the order in which Linux does, so that the errnos are those
 * of the posix back end, and then does one event.
 */
#include <stdio.h>

#include "base/mem.h"
#include "io/crash_int.h"
#include "io/name.h"

enum { FIRST_COOKIE = 3, TARGET_BYTES = 4096 };

static struct crash_inode *inode_of(const struct crash *c, uint64_t ino)
{
    return crash_tree_inode(c->live, ino);
}

static ks_rc check_dir(const struct crash *c, const struct io_node *node)
{
    return S_ISDIR(inode_of(c, node->ino)->st.st_mode) ? KS_SUCCESS : ks_os(ENOTDIR);
}

/* The directory that node is, with name found in it or not: *ret_entry is NULL then. */
static ks_rc find_name(const struct crash *c, const struct io_node *node, const char *name,
                       struct crash_inode **ret, struct crash_entry **ret_entry)
{
    struct crash_inode *dir = inode_of(c, node->ino);

    TRY(io_name_check(name));
    TRY(check_dir(c, node));
    if (dir->st.st_nlink == 0)
        return ks_os(ENOENT);
    if (strlen(name) > IO_NAME_BYTES)
        return ks_os(ENAMETOOLONG);
    *ret = dir;
    *ret_entry = crash_inode_entry(dir, name);
    return KS_SUCCESS;
}

/* The object that name is in the directory node. */
static ks_rc find_inode(const struct crash *c, const struct io_node *node, const char *name,
                        struct crash_inode **ret)
{
    struct crash_inode *dir;
    struct crash_entry *entry;

    TRY(find_name(c, node, name, &dir, &entry));
    if (!entry)
        return ks_os(ENOENT);
    *ret = inode_of(c, entry->ino);
    return KS_SUCCESS;
}

static ks_rc find_free_name(const struct crash *c, const struct io_node *node, const char *name)
{
    struct crash_inode *dir;
    struct crash_entry *entry;

    TRY(find_name(c, node, name, &dir, &entry));
    return entry ? ks_os(EEXIST) : KS_SUCCESS;
}

static ks_rc node_new(uint64_t ino, struct io_node **ret)
{
    struct io_node *node;

    TRY(mem_new(1, sizeof *node, &node));
    node->ino = ino;
    *ret = node;
    return KS_SUCCESS;
}

/* Cuts the next component off *path; false when there is none left. */
static bool next_component(const char **path, char name[static IO_NAME_BYTES + 1])
{
    *path += strspn(*path, "/");
    size_t len = strcspn(*path, "/");
    size_t kept = len <= IO_NAME_BYTES ? len : IO_NAME_BYTES;

    memcpy(name, *path, kept);
    name[kept] = '\0';
    *path += len;
    return len > 0;
}

ks_rc crash_open_root(struct io *io, const char *path, struct io_node **ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    char name[IO_NAME_BYTES + 1];
    const char *rest = path;
    struct crash_inode *inode = inode_of(c, CRASH_ROOT_INO);

    while (next_component(&rest, name)) {
        struct io_node at = {inode->st.st_ino};
        TRY(ks_wrap(find_inode(c, &at, name, &inode), "cannot open the directory %s", path));
    }
    if (!S_ISDIR(inode->st.st_mode))
        return ks_fail_os(ENOTDIR, "cannot open the directory %s", path);
    return node_new(inode->st.st_ino, ret);
}

ks_rc crash_lookup(struct io *io, struct io_node *dir, const char *name, struct io_node **ret,
                   struct stat *ret_stat)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct crash_inode *inode;

    TRY(find_inode(c, dir, name, &inode));
    TRY(node_new(inode->st.st_ino, ret));
    if (ret_stat)
        crash_inode_stat(inode, ret_stat);
    return KS_SUCCESS;
}

static ks_rc make(struct crash *c, const struct io_node *dir, const char *name, struct stat st,
                  const char *target, uint64_t *ret_ino)
{
    struct crash_event e = {
        .kind = CRASH_MAKE,
        .ino = c->live->count + 1,
        .dir = dir->ino,
        .name = name,
        .st = st,
        .value = view_text(target),
    };

    TRY(find_free_name(c, dir, name));
    TRY(crash_do(c, &e));
    *ret_ino = e.ino;
    return KS_SUCCESS;
}

ks_rc crash_create(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                   struct io_node **ret, struct io_file **ret_file)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    CLEANUP(mem_freep) struct io_file *file = NULL;
    CLEANUP(mem_freep) struct io_node *node = NULL;
    struct stat st = {.st_mode = S_IFREG | (mode & 07777)};

    TRY(mem_new(1, sizeof *file, &file));
    TRY(node_new(0, &node));
    TRY(make(c, dir, name, st, "", &file->ino));
    node->ino = file->ino;
    if (ret)
        *ret = TAKE(node);
    *ret_file = TAKE(file);
    return KS_SUCCESS;
}

ks_rc crash_mknod(struct io *io, struct io_node *dir, const char *name, mode_t mode, dev_t rdev)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    mode_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
    bool is_device = S_ISCHR(type) || S_ISBLK(type);
    struct stat st = {.st_mode = type | (mode & 07777), .st_rdev = is_device ? rdev : 0};
    uint64_t ino;

    TRY(io_name_check(name));
    if (S_ISDIR(type))
        return ks_os(EPERM);
    if (!is_device && !S_ISREG(type) && !S_ISFIFO(type) && !S_ISSOCK(type))
        return ks_os(EINVAL);
    return make(c, dir, name, st, "", &ino);
}

ks_rc crash_mkdir(struct io *io, struct io_node *dir, const char *name, mode_t mode)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct stat st = {.st_mode = S_IFDIR | (mode & 07777)};
    uint64_t ino;

    return make(c, dir, name, st, "", &ino);
}

ks_rc crash_symlink(struct io *io, struct io_node *dir, const char *name, const char *target)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct stat st = {.st_mode = S_IFLNK | 0777};
    uint64_t ino;

    TRY(io_name_check(name));
    if (target[0] == '\0')
        return ks_os(ENOENT);
    if (strlen(target) >= TARGET_BYTES)
        return ks_os(ENAMETOOLONG);
    return make(c, dir, name, st, target, &ino);
}

ks_rc crash_link(struct io *io, struct io_node *node, struct io_node *dir, const char *name)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    const struct crash_inode *inode = inode_of(c, node->ino);

    TRY(find_free_name(c, dir, name));
    if (S_ISDIR(inode->st.st_mode))
        return ks_os(EPERM);
    if (inode->st.st_nlink == 0)
        return ks_os(ENOENT);
    return crash_do(c, &(struct crash_event){
                           .kind = CRASH_LINK, .ino = node->ino, .dir = dir->ino, .name = name});
}

static ks_rc remove_name(struct crash *c, const struct io_node *dir, const char *name,
                         const struct crash_inode *inode)
{
    return crash_do(
        c, &(struct crash_event){
               .kind = CRASH_UNLINK, .ino = inode->st.st_ino, .dir = dir->ino, .name = name});
}

ks_rc crash_unlink(struct io *io, struct io_node *dir, const char *name)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct crash_inode *inode;

    TRY(find_inode(c, dir, name, &inode));
    if (S_ISDIR(inode->st.st_mode))
        return ks_os(EISDIR);
    return remove_name(c, dir, name, inode);
}

ks_rc crash_rmdir(struct io *io, struct io_node *dir, const char *name)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct crash_inode *inode;

    TRY(find_inode(c, dir, name, &inode));
    if (!S_ISDIR(inode->st.st_mode))
        return ks_os(ENOTDIR);
    if (inode->entry_count)
        return ks_os(ENOTEMPTY);
    return remove_name(c, dir, name, inode);
}

/* Whether the directory at is inode or stands below it. */
static bool is_inside(const struct crash *c, const struct crash_inode *at,
                      const struct crash_inode *inode)
{
    while (at != inode && at->st.st_ino != CRASH_ROOT_INO)
        at = inode_of(c, at->parent);
    return at == inode;
}

/* What rename finds: the objects and the directories; to_inode is NULL when the new name is free. */
struct renaming {
    struct crash_inode *from_dir, *to_dir, *inode, *to_inode;
    unsigned flags;
};

static ks_rc check_loops(const struct crash *c, const struct renaming *r)
{
    bool is_exchange = r->flags & RENAME_EXCHANGE;

    if (S_ISDIR(r->inode->st.st_mode) && is_inside(c, r->to_dir, r->inode))
        return ks_os(EINVAL);
    if (r->to_inode && S_ISDIR(r->to_inode->st.st_mode) && is_inside(c, r->from_dir, r->to_inode))
        return ks_os(is_exchange ? EINVAL : ENOTEMPTY);
    return KS_SUCCESS;
}

static ks_rc check_replaced(const struct renaming *r)
{
    bool is_dir = S_ISDIR(r->inode->st.st_mode);

    if (!r->to_inode || (r->flags & RENAME_EXCHANGE))
        return KS_SUCCESS;
    if (is_dir && !S_ISDIR(r->to_inode->st.st_mode))
        return ks_os(ENOTDIR);
    if (!is_dir && S_ISDIR(r->to_inode->st.st_mode))
        return ks_os(EISDIR);
    return r->to_inode->entry_count ? ks_os(ENOTEMPTY) : KS_SUCCESS;
}

static ks_rc check_rename(const struct crash *c, const struct renaming *r)
{
    if ((r->flags & RENAME_NOREPLACE) && r->to_inode)
        return ks_os(EEXIST);
    if ((r->flags & RENAME_EXCHANGE) && !r->to_inode)
        return ks_os(ENOENT);
    TRY(check_loops(c, r));
    /* two names of one file: nothing happens */
    return r->inode == r->to_inode ? KS_SUCCESS : check_replaced(r);
}

ks_rc crash_rename(struct io *io, struct io_node *from_dir, const char *from,
                   struct io_node *to_dir, const char *to, unsigned flags)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct renaming r = {.flags = flags};
    struct crash_entry *entry, *to_entry;

    TRY(io_name_check(from));
    TRY(io_name_check(to));
    if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return ks_os(EINVAL);
    TRY(check_dir(c, from_dir));
    TRY(check_dir(c, to_dir));
    TRY(find_name(c, from_dir, from, &r.from_dir, &entry));
    if (!entry)
        return ks_os(ENOENT);
    TRY(find_name(c, to_dir, to, &r.to_dir, &to_entry));
    r.inode = inode_of(c, entry->ino);
    r.to_inode = to_entry ? inode_of(c, to_entry->ino) : NULL;
    TRY(check_rename(c, &r));
    if (r.inode == r.to_inode)
        return KS_SUCCESS;
    return crash_do(c, &(struct crash_event){.kind = CRASH_RENAME,
                                             .ino = r.inode->st.st_ino,
                                             .other_ino = r.to_inode ? r.to_inode->st.st_ino : 0,
                                             .dir = from_dir->ino,
                                             .name = from,
                                             .to_dir = to_dir->ino,
                                             .to_name = to,
                                             .flags = flags});
}

ks_rc crash_sync_dir(struct io *io, struct io_node *dir)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    TRY(check_dir(c, dir));
    return crash_do(c, &(struct crash_event){.kind = CRASH_SYNC_DIR, .ino = dir->ino});
}

ks_rc crash_sync_all(struct io *io, struct io_node *dir)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    TRY(check_dir(c, dir));
    return crash_do(c, &(struct crash_event){.kind = CRASH_SYNC_ALL});
}

ks_rc crash_dir_open(struct io *io, struct io_node *node, struct io_dir **ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    struct io_dir *dir;

    TRY(check_dir(c, node));
    TRY(mem_new(1, sizeof *dir, &dir));
    dir->ino = node->ino;
    *ret = dir;
    return KS_SUCCESS;
}

static void fill_dirent(const struct crash *c, uint64_t ino, const char *name, uint64_t cookie,
                        struct io_dirent *ret)
{
    ret->ino = ino;
    ret->type = inode_of(c, ino)->st.st_mode & S_IFMT;
    ret->next = cookie;
    snprintf(ret->name, sizeof ret->name, "%s", name);
}

/* Cookies stay with their entries, so others may come and go between two calls. */
ks_rc crash_dir_next(struct io *io, struct io_dir *dir, struct io_dirent *ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    const struct crash_inode *inode = inode_of(c, dir->ino);
    size_t i = 0;

    if (inode->st.st_nlink == 0)
        return ks_os(ENOENT);
    if (dir->at < FIRST_COOKIE - 1) {
        bool is_self = dir->at == 0;
        dir->at++;
        fill_dirent(c, is_self ? dir->ino : inode->parent, is_self ? "." : "..", dir->at, ret);
        return KS_SUCCESS;
    }
    while (i < inode->entry_count && inode->entries[i].cookie <= dir->at)
        i++;
    ret->name[0] = '\0';
    if (i == inode->entry_count)
        return KS_SUCCESS;
    const struct crash_entry *entry = &inode->entries[i];
    dir->at = entry->cookie;
    fill_dirent(c, entry->ino, entry->name, entry->cookie, ret);
    return KS_SUCCESS;
}

ks_rc crash_dir_seek(struct io *io, struct io_dir *dir, uint64_t cookie)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    (void)c;
    dir->at = cookie;
    return KS_SUCCESS;
}

void crash_dir_close(struct io *io, struct io_dir *dir)
{
    (void)io;
    mem_free(dir);
}
