/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/crash_tree.c - all objects of a crash file system, and what each event does to them.
 *
 * Invariant: st_nlink counts the names of a file, and for a directory 2 + its subdirectories (0 once
 * removed). Applies what it is told; whether the request was allowed is decided before.
 */
#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "io/crash_int.h"

void crash_tree_free(struct crash_tree *tree)
{
    if (!tree)
        return;
    for (size_t i = 0; i < tree->count; i++)
        crash_inode_free(tree->inodes[i]);
    mem_free(tree->inodes);
    mem_free(tree);
}

void crash_tree_freep(struct crash_tree **tree)
{
    crash_tree_free(*tree);
}

struct crash_inode *crash_tree_inode(const struct crash_tree *tree, uint64_t ino)
{
    return ino <= tree->count ? tree->inodes[ino - 1] : NULL;
}

static ks_rc add_inode(struct crash_tree *tree, struct crash_inode **ret)
{
    TRY(mem_grow(tree->count + 1, sizeof(struct crash_inode *), &tree->inodes));
    TRY(crash_inode_new(tree->count + 1, &tree->inodes[tree->count]));
    *ret = tree->inodes[tree->count++];
    return KS_SUCCESS;
}

ks_rc crash_tree_new(struct crash_tree **ret)
{
    CLEANUP(crash_tree_freep) struct crash_tree *tree = NULL;
    struct crash_inode *root;

    TRY(mem_new(1, sizeof *tree, &tree));
    TRY(add_inode(tree, &root));
    root->st.st_mode = S_IFDIR | 0755;
    root->st.st_nlink = 2;
    root->st.st_size = IO_PAGE_BYTES;
    root->parent = CRASH_ROOT_INO;
    *ret = TAKE(tree);
    return KS_SUCCESS;
}

ks_rc crash_tree_clone(const struct crash_tree *from, struct crash_tree **ret)
{
    CLEANUP(crash_tree_freep) struct crash_tree *to = NULL;

    TRY(mem_new(1, sizeof *to, &to));
    TRY(mem_new(from->count, sizeof(struct crash_inode *), &to->inodes));
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++)
        if (from->inodes[i] && from->inodes[i]->st.st_nlink)
            TRY(crash_inode_clone(from->inodes[i], &to->inodes[i]));
    *ret = TAKE(to);
    return KS_SUCCESS;
}

static struct timespec time_of(const struct crash_event *e)
{
    return (struct timespec){.tv_sec = (time_t)e->time};
}

static void touch(struct crash_inode *inode, const struct crash_event *e, bool is_content)
{
    inode->st.st_ctim = time_of(e);
    if (is_content)
        inode->st.st_mtim = time_of(e);
}

static ks_rc apply_make(struct crash_tree *tree, const struct crash_event *e)
{
    struct crash_inode *dir = crash_tree_inode(tree, e->dir), *inode;
    bool is_dir = S_ISDIR(e->st.st_mode);

    assert(e->ino == tree->count + 1);
    TRY(add_inode(tree, &inode));
    inode->st.st_mode = e->st.st_mode;
    inode->st.st_rdev = e->st.st_rdev;
    inode->st.st_nlink = is_dir ? 2 : 1;
    inode->st.st_size = is_dir ? IO_PAGE_BYTES : (off_t)e->value.len;
    inode->st.st_atim = time_of(e);
    inode->parent = e->dir;
    TRY(buf_append(&inode->target, e->value));
    touch(inode, e, true);
    TRY(crash_inode_entry_add(dir, e->name, e->ino));
    dir->st.st_nlink += is_dir;
    touch(dir, e, true);
    return KS_SUCCESS;
}

static ks_rc apply_link(struct crash_tree *tree, const struct crash_event *e)
{
    struct crash_inode *dir = crash_tree_inode(tree, e->dir);
    struct crash_inode *inode = crash_tree_inode(tree, e->ino);

    TRY(crash_inode_entry_add(dir, e->name, e->ino));
    inode->st.st_nlink++;
    touch(inode, e, false);
    touch(dir, e, true);
    return KS_SUCCESS;
}

/* inode loses a name in dir; the entry is the caller's. */
static void lose_name(struct crash_inode *dir, struct crash_inode *inode,
                      const struct crash_event *e)
{
    if (S_ISDIR(inode->st.st_mode)) {
        inode->st.st_nlink = 0;
        dir->st.st_nlink--;
    } else {
        inode->st.st_nlink--;
    }
    touch(inode, e, false);
}

static void apply_unlink(struct crash_tree *tree, const struct crash_event *e)
{
    struct crash_inode *dir = crash_tree_inode(tree, e->dir);
    struct crash_entry *entry = crash_inode_entry(dir, e->name);

    lose_name(dir, crash_tree_inode(tree, entry->ino), e);
    crash_inode_entry_remove(dir, entry);
    touch(dir, e, true);
}

/* A directory that moves takes its ".." along. */
static void move_parent(struct crash_tree *tree, struct crash_inode *inode, uint64_t from,
                        uint64_t to)
{
    if (!S_ISDIR(inode->st.st_mode))
        return;
    crash_tree_inode(tree, from)->st.st_nlink--;
    crash_tree_inode(tree, to)->st.st_nlink++;
    inode->parent = to;
}

static void exchange(struct crash_tree *tree, const struct crash_event *e, struct crash_entry *a,
                     struct crash_entry *b)
{
    struct crash_inode *from = crash_tree_inode(tree, a->ino);
    struct crash_inode *to = crash_tree_inode(tree, b->ino);

    a->ino = to->st.st_ino;
    b->ino = from->st.st_ino;
    move_parent(tree, from, e->dir, e->to_dir);
    move_parent(tree, to, e->to_dir, e->dir);
    touch(from, e, false);
    touch(to, e, false);
}

/* The new name first, so that want of memory leaves the old one. */
static ks_rc move(struct crash_tree *tree, const struct crash_event *e, struct crash_inode *from,
                  struct crash_inode *to)
{
    uint64_t ino = crash_inode_entry(from, e->name)->ino;
    struct crash_entry *over = crash_inode_entry(to, e->to_name);

    if (over) {
        lose_name(to, crash_tree_inode(tree, over->ino), e);
        over->ino = ino;
    } else {
        TRY(crash_inode_entry_add(to, e->to_name, ino));
    }
    crash_inode_entry_remove(from, crash_inode_entry(from, e->name));
    move_parent(tree, crash_tree_inode(tree, ino), e->dir, e->to_dir);
    touch(crash_tree_inode(tree, ino), e, false);
    return KS_SUCCESS;
}

static ks_rc apply_rename(struct crash_tree *tree, const struct crash_event *e)
{
    struct crash_inode *from = crash_tree_inode(tree, e->dir);
    struct crash_inode *to = crash_tree_inode(tree, e->to_dir);

    if (e->flags & RENAME_EXCHANGE)
        exchange(tree, e, crash_inode_entry(from, e->name), crash_inode_entry(to, e->to_name));
    else
        TRY(move(tree, e, from, to));
    touch(from, e, true);
    touch(to, e, true);
    return KS_SUCCESS;
}

static void apply_attrs(struct crash_inode *inode, const struct crash_event *e)
{
    struct stat *st = &inode->st;

    touch(inode, e, false);
    if (e->flags & IO_ATTR_MODE)
        st->st_mode = (st->st_mode & S_IFMT) | (e->st.st_mode & 07777);
    if (e->flags & IO_ATTR_UID)
        st->st_uid = e->st.st_uid;
    if (e->flags & IO_ATTR_GID)
        st->st_gid = e->st.st_gid;
    if (e->flags & (IO_ATTR_ATIME | IO_ATTR_ATIME_NOW))
        st->st_atim = e->flags & IO_ATTR_ATIME_NOW ? time_of(e) : e->st.st_atim;
    if (e->flags & (IO_ATTR_MTIME | IO_ATTR_MTIME_NOW))
        st->st_mtim = e->flags & IO_ATTR_MTIME_NOW ? time_of(e) : e->st.st_mtim;
}

static ks_rc apply_truncate(struct crash_inode *inode, const struct crash_event *e)
{
    TRY(crash_inode_zero(inode, e->end, UINT64_MAX));
    inode->st.st_size = (off_t)e->end;
    touch(inode, e, true);
    return KS_SUCCESS;
}

static void extend(struct crash_inode *inode, uint64_t end)
{
    if (end > (uint64_t)inode->st.st_size)
        inode->st.st_size = (off_t)end;
}

static ks_rc apply_page(struct crash_inode *inode, const struct crash_event *e)
{
    uint64_t page_end = (e->at + 1) * IO_PAGE_BYTES;

    TRY(crash_inode_page_set(inode, e->at, e->page));
    extend(inode, e->end < page_end ? e->end : page_end);
    touch(inode, e, true);
    return KS_SUCCESS;
}

static ks_rc apply_to_inode(struct crash_inode *inode, const struct crash_event *e)
{
    touch(inode, e, e->kind == CRASH_ALLOCATE || e->kind == CRASH_PUNCH);
    if (e->kind == CRASH_PUNCH)
        return crash_inode_zero(inode, e->at, e->end);
    if (e->kind == CRASH_XATTR_SET)
        return crash_inode_xattr_set(inode, e->name, e->value);
    if (e->kind == CRASH_XATTR_REMOVE)
        crash_inode_xattr_remove(inode, crash_inode_xattr(inode, e->name));
    else
        extend(inode, e->end);
    return KS_SUCCESS;
}

ks_rc crash_tree_apply(struct crash_tree *tree, const struct crash_event *e)
{
    switch (e->kind) {
    case CRASH_SYNC:
    case CRASH_SYNC_DIR:
    case CRASH_SYNC_ALL:
        return KS_SUCCESS;
    case CRASH_MAKE:
        return apply_make(tree, e);
    case CRASH_LINK:
        return apply_link(tree, e);
    case CRASH_UNLINK:
        apply_unlink(tree, e);
        return KS_SUCCESS;
    case CRASH_RENAME:
        return apply_rename(tree, e);
    case CRASH_ATTRS:
        apply_attrs(crash_tree_inode(tree, e->ino), e);
        return KS_SUCCESS;
    case CRASH_TRUNCATE:
        return apply_truncate(crash_tree_inode(tree, e->ino), e);
    case CRASH_PAGE:
        return apply_page(crash_tree_inode(tree, e->ino), e);
    case CRASH_ALLOCATE:
    case CRASH_PUNCH:
    case CRASH_XATTR_SET:
    case CRASH_XATTR_REMOVE:
        return apply_to_inode(crash_tree_inode(tree, e->ino), e);
    }
    return ks_fail(KS_E_BUG, "an unknown kind of event");
}
