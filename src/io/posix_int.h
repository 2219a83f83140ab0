/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/posix_int.h - the objects of the posix back end and its parts (private to posix*.c).
 *
 * A node is an O_PATH descriptor: it needs no permission on the object, opens no device and follows
 * the object through renames. System calls that refuse O_PATH descriptors take its name under
 * /proc/self/fd instead.
 */
#pragma once

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "io/io.h"

struct io_node {
    int fd;
    atomic_uint type; /* S_IFMT bits; 0 until somebody asked. It never changes. */
};

struct io_file {
    int fd;
};

struct io_dir {
    DIR *stream;
};

enum { POSIX_PROC_BYTES = 32 };

/* posix_result(n): success, or ks_os(errno) when n is negative. */
static inline ks_rc posix_result(long n)
{
    return n < 0 ? ks_os(errno) : KS_SUCCESS;
}

/* Held for writing while a file has another mode than its owner gave it (posix_open), for reading by whoever looks at modes
 * or sets them. */
extern pthread_rwlock_t posix_modes_lock;

/* posix_proc_path(fd, out): in out, and as result, the name of the object of fd that system calls can follow. */
const char *posix_proc_path(int fd, char out[static POSIX_PROC_BYTES]);
/* posix_node_type(node, ret): its S_IFMT bits; asks the kernel only the first time. */
ks_rc posix_node_type(struct io_node *node, mode_t *ret) KS_MUST;
/* posix_node_new(fd, type, ret): takes fd; closes it on failure. type 0 = not known yet. */
ks_rc posix_node_new(int fd, mode_t type, struct io_node **ret) KS_MUST;

/* posix_node.c */
ks_rc posix_open_root(struct io *io, const char *path, struct io_node **ret) KS_MUST;
ks_rc posix_lookup(struct io *io, struct io_node *dir, const char *name, struct io_node **ret,
                   struct stat *ret_stat) KS_MUST;
void posix_node_close(struct io *io, struct io_node *node);
ks_rc posix_stat(struct io *io, struct io_node *node, struct stat *ret) KS_MUST;
ks_rc posix_setattr(struct io *io, struct io_node *node, unsigned attrs,
                    const struct stat *st) KS_MUST;
ks_rc posix_readlink(struct io *io, struct io_node *node, struct buf *ret) KS_MUST;
ks_rc posix_statfs(struct io *io, struct io_node *node, struct statvfs *ret) KS_MUST;

/* posix_xattr.c */
ks_rc posix_xattr_get(struct io *io, struct io_node *node, const char *name,
                      struct buf *ret) KS_MUST;
ks_rc posix_xattr_set(struct io *io, struct io_node *node, const char *name, struct view value,
                      int flags) KS_MUST;
ks_rc posix_xattr_list(struct io *io, struct io_node *node, struct buf *ret) KS_MUST;
ks_rc posix_xattr_remove(struct io *io, struct io_node *node, const char *name) KS_MUST;

/* posix_dir.c */
ks_rc posix_create(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                   struct io_node **ret, struct io_file **ret_file) KS_MUST;
ks_rc posix_mknod(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                  dev_t rdev) KS_MUST;
ks_rc posix_mkdir(struct io *io, struct io_node *dir, const char *name, mode_t mode) KS_MUST;
ks_rc posix_symlink(struct io *io, struct io_node *dir, const char *name,
                    const char *target) KS_MUST;
ks_rc posix_link(struct io *io, struct io_node *node, struct io_node *dir,
                 const char *name) KS_MUST;
ks_rc posix_unlink(struct io *io, struct io_node *dir, const char *name) KS_MUST;
ks_rc posix_rmdir(struct io *io, struct io_node *dir, const char *name) KS_MUST;
ks_rc posix_rename(struct io *io, struct io_node *from_dir, const char *from,
                   struct io_node *to_dir, const char *to, unsigned flags) KS_MUST;
ks_rc posix_sync_dir(struct io *io, struct io_node *dir) KS_MUST;
ks_rc posix_sync_all(struct io *io, struct io_node *dir) KS_MUST;
ks_rc posix_dir_open(struct io *io, struct io_node *node, struct io_dir **ret) KS_MUST;
ks_rc posix_dir_next(struct io *io, struct io_dir *dir, struct io_dirent *ret) KS_MUST;
ks_rc posix_dir_seek(struct io *io, struct io_dir *dir, uint64_t cookie) KS_MUST;
void posix_dir_close(struct io *io, struct io_dir *dir);

/* posix_file.c */
ks_rc posix_open(struct io *io, struct io_node *node, bool is_read_only,
                 struct io_file **ret) KS_MUST;
void posix_close(struct io *io, struct io_file *file);
ks_rc posix_pread(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                  size_t *ret_len) KS_MUST;
ks_rc posix_pread_past(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                       size_t *ret_len) KS_MUST;
void posix_will_read(struct io *io, struct io_file *file, size_t len, uint64_t at);
ks_rc posix_pwrite(struct io *io, struct io_file *file, const void *in, size_t len,
                   uint64_t at) KS_MUST;
ks_rc posix_truncate(struct io *io, struct io_file *file, uint64_t size) KS_MUST;
ks_rc posix_fallocate_range(struct io *io, struct io_file *file, int mode, uint64_t at,
                            uint64_t len) KS_MUST;
ks_rc posix_seek(struct io *io, struct io_file *file, uint64_t at, enum io_seek what,
                 uint64_t *ret) KS_MUST;
ks_rc posix_write_out(struct io *io, struct io_file *file, uint64_t at, uint64_t len) KS_MUST;
ks_rc posix_sync(struct io *io, struct io_file *file, bool is_data_only) KS_MUST;
ks_rc posix_file_stat(struct io *io, struct io_file *file, struct stat *ret) KS_MUST;
ks_rc posix_lock(struct io *io, struct io_file *file) KS_MUST;
