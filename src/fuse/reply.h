/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/reply.h - what the request functions share: who asks for what, and the replies.
 *
 * The only place where a result becomes an errno for the kernel. Private to fuse/ops*.c.
 */
#pragma once

#include "fuse/ops.h"

struct volume *req_volume(fuse_req_t req);
struct inode *req_inode(fuse_req_t req, fuse_ino_t ino);
struct caller req_caller(fuse_req_t req);
/* req_may_skip_open(req): whether the kernel opens files without us once it is told that OPEN is not there. */
bool req_may_skip_open(fuse_req_t req);

/* entry_of(v, i, st): an entry the kernel may keep. */
struct fuse_entry_param entry_of(struct volume *v, const struct inode *i, const struct stat *st);

/* reply_rc(req, rc): success without data, or the errno. */
void reply_rc(fuse_req_t req, ks_rc rc);
/* reply_entry(req, rc, i, st): an entry with one reference to i, or the errno. */
void reply_entry(fuse_req_t req, ks_rc rc, struct inode *i, const struct stat *st);
void reply_attr(fuse_req_t req, ks_rc rc, const struct stat *st);
/* reply_xattr(req, rc, size, v): the value, or its length when size is 0. */
void reply_xattr(fuse_req_t req, ks_rc rc, size_t size, struct view v);

/* kill_suidgid(v, i): ends set-user-id and set-group-id bits as a write by an ordinary user does. */
ks_rc kill_suidgid(struct volume *v, struct inode *i) KS_MUST;

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t from_dir, const char *from, fuse_ino_t to_dir,
               const char *to, unsigned flags);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int is_data_only, struct fuse_file_info *fi);

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
              struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int is_data_only, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                  struct fuse_file_info *fi);

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *in, int to_set,
                struct fuse_file_info *fi);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
                 int flags);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
