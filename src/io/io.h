/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/io.h - the seam between us and the file system that keeps the ciphertext.
 *
 * Everything that must survive a crash goes through here. Back ends:
 *   posix  the real thing
 *   crash  a file system in memory that holds back every write since the last sync and can
 *          rebuild any state that a power loss may leave (io/crash.h)
 *   fault  wraps another back end and lets its n-th call fail (io/fault.h)
 *
 * Contract of the device below, which the crash back end plays: a page of 4096 bytes at an
 * aligned offset is written whole or not at all; a sync that returned success has flushed; metadata
 * operations of one file system become durable in the order in which they were made (a journal),
 * at the latest with a sync of the file or directory they concern.
 *
 * A node is a reference to an object (file, directory, symlink, ...), whatever its name is now; a
 * file is an open regular file. All functions may be called from any thread, on different objects
 * at the same time; on one file reads and writes may run in parallel.
 * Results are ks_os(errno) without text where a caller asks for things in bulk; callers add the
 * object's name with ks_wrap. A failed call changes nothing and writes no output.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/view.h"

enum { IO_PAGE_BYTES = 4096, IO_NAME_BYTES = 255 };

struct io;
struct io_node;
struct io_file;
struct io_dir;

struct io_dirent {
    uint64_t ino;
    uint32_t type; /* S_IFMT bits, 0 when unknown */
    char name[IO_NAME_BYTES + 1];
    uint64_t next; /* cookie for io_dir_seek: the place behind this entry */
};

/* What io_setattr changes. */
enum io_attr {
    IO_ATTR_MODE = 1,
    IO_ATTR_UID = 2,
    IO_ATTR_GID = 4,
    IO_ATTR_ATIME = 8,
    IO_ATTR_MTIME = 16,
    IO_ATTR_ATIME_NOW = 32,
    IO_ATTR_MTIME_NOW = 64,
};

enum io_seek { IO_SEEK_DATA, IO_SEEK_HOLE };

struct io_ops {
    const char *name;

    /* Nodes. Every returned node is given back with node_close. lookup never follows symlinks and
     * takes one name, not a path; open_root takes a path of the host. */
    ks_rc (*open_root)(struct io *, const char *path, struct io_node **ret) KS_MUST;
    ks_rc (*lookup)(struct io *, struct io_node *dir, const char *name, struct io_node **ret,
                    struct stat *ret_stat) KS_MUST;
    void (*node_close)(struct io *, struct io_node *);
    ks_rc (*stat)(struct io *, struct io_node *, struct stat *ret) KS_MUST;
    /* Owner, then mode, then times; what was done before a failure stays done. */
    ks_rc (*setattr)(struct io *, struct io_node *, unsigned attrs, const struct stat *) KS_MUST;
    ks_rc (*readlink)(struct io *, struct io_node *, struct buf *ret) KS_MUST;
    ks_rc (*statfs)(struct io *, struct io_node *, struct statvfs *ret) KS_MUST;

    /* Names: one name each; empty, ".", ".." and names with '/' are USAGE. create makes a regular file
     * that must not exist and opens it for reading and writing; ret may be NULL. Modes are cut by the
     * umask of the process. */
    ks_rc (*create)(struct io *, struct io_node *dir, const char *name, mode_t mode,
                    struct io_node **ret, struct io_file **ret_file) KS_MUST;
    ks_rc (*mknod)(struct io *, struct io_node *dir, const char *name, mode_t mode,
                   dev_t rdev) KS_MUST;
    ks_rc (*mkdir)(struct io *, struct io_node *dir, const char *name, mode_t mode) KS_MUST;
    ks_rc (*symlink)(struct io *, struct io_node *dir, const char *name,
                     const char *target) KS_MUST;
    ks_rc (*link)(struct io *, struct io_node *node, struct io_node *dir, const char *name) KS_MUST;
    ks_rc (*unlink)(struct io *, struct io_node *dir, const char *name) KS_MUST;
    ks_rc (*rmdir)(struct io *, struct io_node *dir, const char *name) KS_MUST;
    /* flags: RENAME_NOREPLACE, RENAME_EXCHANGE or 0 */
    ks_rc (*rename)(struct io *, struct io_node *from_dir, const char *from, struct io_node *to_dir,
                    const char *to, unsigned flags) KS_MUST;
    ks_rc (*sync_dir)(struct io *, struct io_node *dir) KS_MUST;
    /* sync_all: everything done so far on the file system that dir is on, files and names, is durable. A failed
     * write-back that nobody was told of yet fails it. */
    ks_rc (*sync_all)(struct io *, struct io_node *dir) KS_MUST;

    /* Directory streams; "." and ".." are included. At the end dir_next gives an empty name. */
    ks_rc (*dir_open)(struct io *, struct io_node *dir, struct io_dir **ret) KS_MUST;
    ks_rc (*dir_next)(struct io *, struct io_dir *, struct io_dirent *ret) KS_MUST;
    ks_rc (*dir_seek)(struct io *, struct io_dir *, uint64_t cookie) KS_MUST;
    void (*dir_close)(struct io *, struct io_dir *);

    /* Open files. open gives reading and writing, or reading only with is_read_only. pread reads
     * until len bytes or the end of the file (*ret_len tells); pwrite writes all or fails, and a
     * failed one may have written a part. open is ELOOP, EISDIR or ENXIO for what is no regular file.
     * After a failed sync nothing is known about earlier writes: a second sync proves nothing. */
    ks_rc (*open)(struct io *, struct io_node *, bool is_read_only, struct io_file **ret) KS_MUST;
    void (*close)(struct io *, struct io_file *);
    ks_rc (*pread)(struct io *, struct io_file *, void *out, size_t len, uint64_t at,
                   size_t *ret_len) KS_MUST;
    /* pread_past: as pread, for pieces that nobody will want to read again: where the host has next to nothing of it in its page cache, it
     * goes past that cache and leaves nothing in it, but then does not read ahead either. Wants whole pages: at, len and out divide by IO_PAGE_BYTES.
     * ENOSPC and EDQUOT: what was written there meanwhile is lost, and no later sync has to know of it. */
    ks_rc (*pread_past)(struct io *, struct io_file *, void *out, size_t len, uint64_t at,
                        size_t *ret_len) KS_MUST;
    /* will_read: a pread of that is to come; so that the disk can begin. Waits for nothing, or not long, and cannot fail. */
    void (*will_read)(struct io *, struct io_file *, size_t len, uint64_t at);
    ks_rc (*pwrite)(struct io *, struct io_file *, const void *in, size_t len, uint64_t at) KS_MUST;
    ks_rc (*truncate)(struct io *, struct io_file *, uint64_t size) KS_MUST;
    /* mode: 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */
    ks_rc (*fallocate)(struct io *, struct io_file *, int mode, uint64_t at, uint64_t len) KS_MUST;
    /* seek: the next data or hole at or behind at; ENXIO when there is none */
    ks_rc (*seek)(struct io *, struct io_file *, uint64_t at, enum io_seek what,
                  uint64_t *ret) KS_MUST;
    /* write_out: has what was written there (len 0: anywhere behind at) begin to go to the disk. Success promises nothing. A failure may be
     * all that is ever said of bytes that are lost: no later sync has to know of it. */
    ks_rc (*write_out)(struct io *, struct io_file *, uint64_t at, uint64_t len) KS_MUST;
    ks_rc (*sync)(struct io *, struct io_file *, bool is_data_only) KS_MUST;
    ks_rc (*file_stat)(struct io *, struct io_file *, struct stat *ret) KS_MUST;
    /* lock: an exclusive lock on the open file that ends with it; BUSY when another has it. */
    ks_rc (*lock)(struct io *, struct io_file *) KS_MUST;

    /* Extended attributes, raw; ENOTSUP on symlinks. get and list append to ret; flags: XATTR_CREATE, XATTR_REPLACE. */
    ks_rc (*xattr_get)(struct io *, struct io_node *, const char *name, struct buf *ret) KS_MUST;
    ks_rc (*xattr_set)(struct io *, struct io_node *, const char *name, struct view value,
                       int flags) KS_MUST;
    ks_rc (*xattr_list)(struct io *, struct io_node *, struct buf *ret) KS_MUST;
    ks_rc (*xattr_remove)(struct io *, struct io_node *, const char *name) KS_MUST;
};

/* Back ends embed this first. */
struct io {
    const struct io_ops *ops;
};

/* io_posix(): the host's file systems; static storage. */
struct io *io_posix(void);
