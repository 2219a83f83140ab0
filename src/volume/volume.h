/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/volume.h - an encrypted directory tree as file system operations. Knows nothing of FUSE.
 *
 * An inode is an object of the tree while somebody refers to it (lookup count). Files are read and written by inode,
 * without being opened; a handle is an open directory, or keeps a file open for who works on it for long. All functions are thread-safe. Results carry errnos (ks_errno) as POSIX wants
 * them; damaged data is CORRUPT (EIO) and reported once to the conf's alert function.
 *
 * Admission: while the volume is not open every operation gives LOCKED (EKEYREVOKED). Three doors:
 * closed; open; draining = only writes are still admitted, so that the kernel can flush its cache.
 */
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/rc.h"
#include "io/io.h"
#include "key/keyset.h"

struct volume;
struct inode;
struct handle;
struct era;

enum volume_door { VOLUME_CLOSED, VOLUME_OPEN, VOLUME_DRAINING };

struct volume_conf {
    struct io *io;
    struct clock *clock;
    struct random *random;
    struct io_node *tree, *long_names; /* borrowed; outlive the volume */
    uint8_t volume_id[KEYRING_ID_BYTES];
    uint32_t block_payload;
    bool
        is_read_ahead; /* whoever reads a file in order asks for long pieces, several at a time, and keeps what it got, as the kernel does */
    size_t files_max;  /* backing files that stay open for the next use; 0: a few hundred */
    size_t
        descriptors_max; /* for these and known objects: the more objects, the fewer files; 0: no limit */
    size_t
        objects_max; /* known at once; more are refused with EMFILE, so that those that are can be written back. 0: no limit */
    /* want_ahead(arg): volume_look_ahead is to be called soon, by a thread that may wait for the disk, and always the same one. Called by any thread; must not wait. NULL:
     * nothing is read ahead. */
    void (*want_ahead)(void *arg);
    void *want_ahead_arg;
    /* alert(arg, text): something the operator must know: damage found, a failed sync. Any thread. NULL: none. */
    void (*alert)(void *arg, const char *text);
    void *alert_arg;
};

/* volume_new(conf, ret): a volume without keys, door closed. */
ks_rc volume_new(const struct volume_conf *conf, struct volume **ret) KS_MUST;
/* volume_free(v): no operation may be in progress; wipes the keys. */
void volume_free(struct volume *v);

/* volume_set_keys(v, keys): takes the keyset over (also in place of an older one: a rotation) and prepares it. The door stays as it
 * is. Does not wait: operations in progress may yet use the older one, which is wiped when they have ended.
 * A block of a generation that is gone is damage from now on, also to files in use; what was made from its key is wiped when they have
 * ended, by volume_rest at the latest. On failure keys stays the caller's. */
ks_rc volume_set_keys(struct volume *v, struct keyset **keys) KS_MUST;
/* volume_keys(v): the keyset in use, for rotations; NULL when wiped. Valid until the next set or wipe. */
const struct keyset *volume_keys(struct volume *v);
/* volume_set_door(v, door): takes effect for every operation that starts afterwards. A closed door stays closed when it is to be
 * draining: two may be closing it, and the keys may be gone. */
void volume_set_door(struct volume *v, enum volume_door door);
/* volume_drain(v, timeout_ms): waits until no operation is in progress; BUSY after the time-out. */
ks_rc volume_drain(struct volume *v, uint32_t timeout_ms) KS_MUST;
/* volume_wipe(v): wipes keyset, file keys and cipher states; the door must be closed and drained. */
void volume_wipe(struct volume *v);
/* A walk over every known inode, each once, the root last. Takes no memory. Several threads may be on it; there is one walk at a
 * time. What becomes known meanwhile may be passed by. */
struct volume_walk {
    uint64_t number;
    size_t slot;
    bool is_over;
};
void volume_walk_begin(struct volume *v, struct volume_walk *ret);
/* volume_walk_next(v, walk): whose turn it is, NULL at the end. Only its address counts: it may have gone already. Makes no
 * admission check. */
const struct inode *volume_walk_next(struct volume *v, struct volume_walk *walk);
/* volume_inode_count(v): known inodes without the root; each holds a descriptor. Takes no lock. */
size_t volume_inode_count(struct volume *v);

struct volume_counters {
    uint64_t reads, writes, syncs, bytes_read, bytes_written, blocks_corrupt, files_poisoned,
        requests_refused, rekey_pauses; /* pauses: of sweeps, because others were held up */
};
struct volume_counters volume_counters_get(struct volume *v);

/* Who asks, for the ownership of new objects. */
struct caller {
    uid_t uid;
    gid_t gid;
};

/* volume_root(v): the root; referenced for ever. volume_forget(v, i, n): n references less. */
struct inode *volume_root(struct volume *v);
void volume_forget(struct volume *v, struct inode *i, uint64_t n);

/* Each successful lookup, create, mkdir, ... that gives an inode gives one reference. */
ks_rc volume_lookup(struct volume *v, struct inode *dir, const char *name, struct inode **ret,
                    struct stat *ret_stat) KS_MUST;
ks_rc volume_getattr(struct volume *v, struct inode *i, struct stat *ret) KS_MUST;
/* attrs as in io/io.h */
ks_rc volume_setattr(struct volume *v, struct inode *i, unsigned attrs, const struct stat *in,
                     struct stat *ret) KS_MUST;
/* volume_keep_mtime(v, i, mtime, ret): the modification time of a regular file, which the kernel tells before a sync of what
 * it caches: a second change of metadata for each write of a log. It is kept here until the file is fully synced or its
 * backing file closed, which is soon after its last use; of a file that is not open below it is made the backing file's at once. Else the backing file is not even looked at: its file system would give it another time at the next write, and
 * write that out at the next sync. So *ret may be old in all but type and mtime, and must not be cached. */
ks_rc volume_keep_mtime(struct volume *v, struct inode *i, const struct timespec *mtime,
                        struct stat *ret) KS_MUST;
ks_rc volume_truncate(struct volume *v, struct inode *i, uint64_t size) KS_MUST;
ks_rc volume_readlink(struct volume *v, struct inode *i, struct buf *ret) KS_MUST;
ks_rc volume_statfs(struct volume *v, struct statvfs *ret) KS_MUST;

/* volume_create(...): a regular file that was not there; ret_handle as by volume_open, or NULL. */
ks_rc volume_create(struct volume *v, struct inode *dir, const char *name, mode_t mode,
                    const struct caller *who, struct inode **ret, struct stat *ret_stat,
                    struct handle **ret_handle) KS_MUST;
ks_rc volume_mknod(struct volume *v, struct inode *dir, const char *name, mode_t mode, dev_t rdev,
                   const struct caller *who, struct inode **ret, struct stat *ret_stat) KS_MUST;
ks_rc volume_mkdir(struct volume *v, struct inode *dir, const char *name, mode_t mode,
                   const struct caller *who, struct inode **ret, struct stat *ret_stat) KS_MUST;
ks_rc volume_symlink(struct volume *v, struct inode *dir, const char *name, const char *target,
                     const struct caller *who, struct inode **ret, struct stat *ret_stat) KS_MUST;
ks_rc volume_link(struct volume *v, struct inode *i, struct inode *dir, const char *name,
                  struct stat *ret_stat) KS_MUST; /* one more reference to i */
ks_rc volume_unlink(struct volume *v, struct inode *dir, const char *name) KS_MUST;
ks_rc volume_rmdir(struct volume *v, struct inode *dir, const char *name) KS_MUST;
ks_rc volume_rename(struct volume *v, struct inode *from_dir, const char *from,
                    struct inode *to_dir, const char *to, unsigned flags) KS_MUST;

/* volume_open(v, i, is_truncating, ret): its backing file stays open until volume_close; is_truncating: O_TRUNC. What
 * cannot be read fails here already. volume_close is for files and directories. */
ks_rc volume_open(struct volume *v, struct inode *i, bool is_truncating,
                  struct handle **ret) KS_MUST;
void volume_close(struct volume *v, struct handle *h);
/* volume_rest(v): to be called every few seconds: closes backing files that were not used since the call before, and
 * makes modification times that were kept back those of the backing files. Wipes what was made from data keys that are gone.
 * Asks for no door and no key. */
void volume_rest(struct volume *v);

/* volume_look_ahead(v): loads files that will be asked for next, until there are enough of them. */
void volume_look_ahead(struct volume *v);

/* Files, whether or not they have a name any more.
 * volume_read(v, i, out, len, at, ret_len): short only at the end of the file. */
ks_rc volume_read(struct volume *v, struct inode *i, void *out, size_t len, uint64_t at,
                  size_t *ret_len) KS_MUST;
/* volume_write(v, i, in, len, at): all or an error; earlier bytes of the file stay readable. */
ks_rc volume_write(struct volume *v, struct inode *i, const void *in, size_t len,
                   uint64_t at) KS_MUST;
/* volume_fsync(v, i, is_data_only): every write that has ended is durable. A failure is for ever. */
ks_rc volume_fsync(struct volume *v, struct inode *i, bool is_data_only) KS_MUST;

/*
 * What is written to the disk behind the answer to a write: all of a file whose sync is foreseen, and what makes a later sync shorter, which is all
 * of a file in which many writes come before each sync, or a piece of a long one that is written in order. After a write and before it is answered,
 * volume_foresee_sync(v, i, ret) says whether there is such a thing; then volume_write_behind must be called by the same thread, right after the
 * answer, and holds whatever it needs, also when the kernel forgets i meanwhile. A sync of data that comes before it has ended joins it with volume_join_sync(v, i, w):
 * true means that w->done(w, rc) is called once, by the flushing thread, which then owes w nothing more; false that nothing
 * joins, and volume_fsync is to be called as ever. That one finds a flush that has ended and covers all, too.
 */
struct write_behind {
    struct volume *v;
    struct inode *i;
    struct io_file *file;
    struct era *era;
    bool is_piece;
    uint64_t at, len; /* the piece; len 0: all of the file */
};
struct sync_waiter {
    struct sync_waiter *next;
    void (*done)(struct sync_waiter *w, ks_rc rc);
};
bool volume_foresee_sync(struct volume *v, struct inode *i, struct write_behind *ret);
void volume_write_behind(struct write_behind *behind);
bool volume_join_sync(struct volume *v, struct inode *i, struct sync_waiter *w);
/* mode as fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE with or without KEEP_SIZE */
ks_rc volume_fallocate(struct volume *v, struct inode *i, int mode, uint64_t at,
                       uint64_t len) KS_MUST;
/* volume_seek(v, i, at, what, ret): next data or hole; ENXIO behind the end. */
ks_rc volume_seek(struct volume *v, struct inode *i, uint64_t at, enum io_seek what,
                  uint64_t *ret) KS_MUST;

/* Directories. An entry's name is in clear; entries that cannot be decrypted are left out and alerted. */
ks_rc volume_opendir(struct volume *v, struct inode *dir, struct handle **ret) KS_MUST;
ks_rc volume_readdir(struct volume *v, struct handle *h, uint64_t cookie,
                     struct io_dirent *ret) KS_MUST; /* empty name at the end */
/* volume_fsyncdir(v, h): what was done to its entries is durable. A failure is for ever. */
ks_rc volume_fsyncdir(struct volume *v, struct handle *h) KS_MUST;

/* Extended attributes: user.* are encrypted, names and values; security.* and trusted.* pass as they are. */
ks_rc volume_getxattr(struct volume *v, struct inode *i, const char *name, struct buf *ret) KS_MUST;
ks_rc volume_setxattr(struct volume *v, struct inode *i, const char *name, struct view value,
                      int flags) KS_MUST;
/* volume_listxattr(v, i, ret): names that cannot be decrypted are left out and alerted. volume_listxattr_whole: the first of them is
 * CORRUPT, for who takes what is listed for all that there is. */
ks_rc volume_listxattr(struct volume *v, struct inode *i, struct buf *ret) KS_MUST;
ks_rc volume_listxattr_whole(struct volume *v, struct inode *i, struct buf *ret) KS_MUST;
ks_rc volume_removexattr(struct volume *v, struct inode *i, const char *name) KS_MUST;

struct inode *handle_inode(struct handle *h);
bool inode_is_regular(const struct inode *i);
