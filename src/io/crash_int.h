/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/crash_int.h - the parts of the crash back end (private to crash*.c).
 *
 *   crash_inode.c  one object: its pages, directory entries and attributes
 *   crash_tree.c   all objects, and what an event does to them; knows nothing of logs or durability
 *   crash_log.c    the log, what is pending, and the rebuild
 *   crash.c crash_name.c crash_file.c   the operations: check the request, then do one event
 *
 * The same crash_tree_apply makes the live state and every rebuilt one, so they cannot disagree about
 * what an operation means.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "io/io.h"

enum { CRASH_ROOT_INO = 1 };

/* A page is never changed once others may see it, so the log and many trees can share it. */
struct crash_page {
    atomic_uint refs;
    uint8_t bytes[IO_PAGE_BYTES];
};

struct crash_slot {
    uint64_t index;
    struct crash_page *page; /* never all zeros: a zero page is a hole and has no slot */
};

struct crash_entry {
    char *name;
    uint64_t ino, cookie; /* cookies ascend within the array */
};

struct crash_xattr {
    char *name;
    struct buf value;
};

struct crash_inode {
    struct stat st; /* st_nlink 0: without a name, alive only while somebody has it open */
    struct crash_slot *slots; /* regular file; ascending */
    size_t slot_count;
    uint64_t parent; /* directory */
    struct crash_entry *entries;
    size_t entry_count;
    uint64_t last_cookie;
    struct buf target; /* symlink */
    struct crash_xattr *xattrs;
    size_t xattr_count;
    const struct io_file *locked_by; /* live state only */
};

/* inodes[ino - 1]; numbers are given in order and never again; NULL = gone in a power loss. */
struct crash_tree {
    struct crash_inode **inodes;
    size_t count;
};

enum crash_kind {
    CRASH_PAGE,     /* ino, at = page number, end, page (NULL = zeros) */
    CRASH_SYNC,     /* ino, flags = 1: data only */
    CRASH_SYNC_DIR, /* ino */
    CRASH_SYNC_ALL,
    CRASH_MAKE,      /* ino, dir, name, st (mode, rdev), value = target of a symlink */
    CRASH_LINK,      /* ino, dir, name */
    CRASH_UNLINK,    /* ino, dir, name; also rmdir */
    CRASH_RENAME,    /* ino, dir, name, other_ino (replaced or exchanged), to_dir, to_name, flags */
    CRASH_ATTRS,     /* ino, flags = enum io_attr, st */
    CRASH_TRUNCATE,  /* ino, end */
    CRASH_ALLOCATE,  /* ino, end */
    CRASH_PUNCH,     /* ino, at, end */
    CRASH_XATTR_SET, /* ino, name, value */
    CRASH_XATTR_REMOVE, /* ino, name */
};

/* What happened. The fields that a kind does not name are zero. */
struct crash_event {
    enum crash_kind kind;
    uint64_t ino, other_ino, dir, to_dir;
    const char *name, *to_name;
    struct view value;
    struct crash_page *page;
    uint64_t at, end;
    unsigned flags;
    struct stat st;
    uint64_t time;
    size_t covered_at; /* durable in a power loss at this time or later; SIZE_MAX = never yet */
};

struct crash {
    struct io io;
    pthread_mutex_t mutex; /* guards everything below; every operation holds it */
    struct crash_tree *base, *live;
    struct crash_event *log; /* what made live out of base; owns names, values, pages */
    size_t log_count, log_room;
    size_t settled; /* every event before this one is a sync or durable */
    uint64_t clock;
};

struct io_node {
    uint64_t ino;
};

struct io_file {
    uint64_t ino;
    bool is_read_only;
};

struct io_dir {
    uint64_t ino, at;
};

/* Pages. new: zeros, one reference; ref and unref take NULL. */
ks_rc crash_page_new(struct crash_page **ret) KS_MUST;
struct crash_page *crash_page_ref(struct crash_page *page);
void crash_page_unref(struct crash_page *page);
void crash_page_unrefp(struct crash_page **page);

/* Inodes. clone copies all but the lock. */
ks_rc crash_inode_new(uint64_t ino, struct crash_inode **ret) KS_MUST;
ks_rc crash_inode_clone(const struct crash_inode *from, struct crash_inode **ret) KS_MUST;
void crash_inode_free(struct crash_inode *inode);
/* entry: NULL when there is none. entry_add: the name is not there yet. */
struct crash_entry *crash_inode_entry(const struct crash_inode *dir, const char *name);
ks_rc crash_inode_entry_add(struct crash_inode *dir, const char *name, uint64_t ino) KS_MUST;
void crash_inode_entry_remove(struct crash_inode *dir, struct crash_entry *entry);
/* page: NULL for a hole. page_set takes a reference of its own; NULL makes a hole. */
struct crash_page *crash_inode_page(const struct crash_inode *inode, uint64_t index);
ks_rc crash_inode_page_set(struct crash_inode *inode, uint64_t index,
                           struct crash_page *page) KS_MUST;
/* slot_from: the first slot at or behind a page number; slot_count when there is none. */
size_t crash_inode_slot_from(const struct crash_inode *inode, uint64_t index);
/* zero: the bytes from..to-1 become zeros (pages of it that are whole: holes). */
ks_rc crash_inode_zero(struct crash_inode *inode, uint64_t from, uint64_t to) KS_MUST;
struct crash_xattr *crash_inode_xattr(const struct crash_inode *inode, const char *name);
ks_rc crash_inode_xattr_set(struct crash_inode *inode, const char *name, struct view value) KS_MUST;
void crash_inode_xattr_remove(struct crash_inode *inode, struct crash_xattr *xattr);

/* Trees. clone leaves out what has no name. inode: NULL when it is gone or not made yet. apply: the
 * event was checked before and fits; it fails only for want of memory. */
ks_rc crash_tree_new(struct crash_tree **ret) KS_MUST;
ks_rc crash_tree_clone(const struct crash_tree *from, struct crash_tree **ret) KS_MUST;
void crash_tree_free(struct crash_tree *tree);
void crash_tree_freep(struct crash_tree **tree);
struct crash_inode *crash_tree_inode(const struct crash_tree *tree, uint64_t ino);
ks_rc crash_tree_apply(struct crash_tree *tree, const struct crash_event *e) KS_MUST;

/* crash_do(c, e): logs the event and applies it to the live state. Borrows everything in e. */
ks_rc crash_do(struct crash *c, struct crash_event *e) KS_MUST;
void crash_log_free(struct crash *c);

/* crash_adopt(live, clock, ret): an io around live, which it takes only on success. */
ks_rc crash_adopt(struct crash_tree *live, uint64_t clock, struct io **ret) KS_MUST;

/* The lock of one operation: CLEANUP(crash_unlockp) struct crash *c = crash_lock(io); */
struct crash *crash_lock(struct io *io);
void crash_unlockp(struct crash **c);

/* crash_name.c */
ks_rc crash_open_root(struct io *io, const char *path, struct io_node **ret) KS_MUST;
ks_rc crash_lookup(struct io *io, struct io_node *dir, const char *name, struct io_node **ret,
                   struct stat *ret_stat) KS_MUST;
ks_rc crash_create(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                   struct io_node **ret, struct io_file **ret_file) KS_MUST;
ks_rc crash_mknod(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                  dev_t rdev) KS_MUST;
ks_rc crash_mkdir(struct io *io, struct io_node *dir, const char *name, mode_t mode) KS_MUST;
ks_rc crash_symlink(struct io *io, struct io_node *dir, const char *name,
                    const char *target) KS_MUST;
ks_rc crash_link(struct io *io, struct io_node *node, struct io_node *dir,
                 const char *name) KS_MUST;
ks_rc crash_unlink(struct io *io, struct io_node *dir, const char *name) KS_MUST;
ks_rc crash_rmdir(struct io *io, struct io_node *dir, const char *name) KS_MUST;
ks_rc crash_rename(struct io *io, struct io_node *from_dir, const char *from,
                   struct io_node *to_dir, const char *to, unsigned flags) KS_MUST;
ks_rc crash_sync_dir(struct io *io, struct io_node *dir) KS_MUST;
ks_rc crash_sync_all(struct io *io, struct io_node *dir) KS_MUST;
ks_rc crash_dir_open(struct io *io, struct io_node *node, struct io_dir **ret) KS_MUST;
ks_rc crash_dir_next(struct io *io, struct io_dir *dir, struct io_dirent *ret) KS_MUST;
ks_rc crash_dir_seek(struct io *io, struct io_dir *dir, uint64_t cookie) KS_MUST;
void crash_dir_close(struct io *io, struct io_dir *dir);

/* crash_file.c */
ks_rc crash_open(struct io *io, struct io_node *node, bool is_read_only,
                 struct io_file **ret) KS_MUST;
void crash_close(struct io *io, struct io_file *file);
ks_rc crash_pread(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                  size_t *ret_len) KS_MUST;
void crash_will_read(struct io *io, struct io_file *file, size_t len, uint64_t at);
ks_rc crash_pwrite(struct io *io, struct io_file *file, const void *in, size_t len,
                   uint64_t at) KS_MUST;
ks_rc crash_truncate(struct io *io, struct io_file *file, uint64_t size) KS_MUST;
ks_rc crash_fallocate(struct io *io, struct io_file *file, int mode, uint64_t at,
                      uint64_t len) KS_MUST;
ks_rc crash_seek(struct io *io, struct io_file *file, uint64_t at, enum io_seek what,
                 uint64_t *ret) KS_MUST;
ks_rc crash_write_out(struct io *io, struct io_file *file, uint64_t at, uint64_t len) KS_MUST;
ks_rc crash_sync(struct io *io, struct io_file *file, bool is_data_only) KS_MUST;
ks_rc crash_file_stat(struct io *io, struct io_file *file, struct stat *ret) KS_MUST;
ks_rc crash_file_lock(struct io *io, struct io_file *file) KS_MUST;

/* crash_inode_stat(inode, ret): what stat says about it. */
void crash_inode_stat(const struct crash_inode *inode, struct stat *ret);
