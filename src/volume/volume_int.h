/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/volume_int.h - the insides of a volume, for the files of this folder and their tests only.
 *
 * Lock order: door and era (an operation is counted) < volume.keys_mutex < inode.data_lock < volume.block_locks < inode.open_mutex
 * < volume.files_mutex < volume.ahead_mutex < volume.table_mutex < volume.pool_mutex < inode.keys_mutex; inode.sync_mutex,
 * inode.flush.mutex, volume.spaces_mutex, volume.moves_mutex, volume.spots_mutex, volume.eras_mutex (leaves).
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/secret.h"
#include "crypto/xaes.h"
#include "volume/ahead.h"
#include "volume/ahead_names.h"
#include "volume/block.h"
#include "volume/block_locks.h"
#include "volume/foresight.h"
#include "volume/names.h"
#include "volume/stream.h"
#include "volume/volume.h"

enum {
    SPACE_BLOCKS = 304, /* blocks per round: 1 MiB of a request and its edges */
    ROOM_BLOCKS = 32,   /* behind the end of a log */
    TABLE_SLOTS_FIRST = 1024,
    MAKING_SPOTS = 256,
    ALERTS_MAX = 1000, /* per mount; what comes later is only counted */
};

/* What one request works in: cipher state and buffers. Pooled, wiped when the volume locks. */
struct space {
    struct space *next;
    struct xaes_ctx *cipher;
    uint8_t *pages;  /* 1 + SPACE_BLOCKS pages: room for a header in front */
    uint8_t *nonces; /* SPACE_BLOCKS nonces */
    uint8_t edge[BLOCK_BYTES];
};

/* A file's key of one generation. */
struct file_key {
    struct file_key *next;
    uint32_t generation;
    struct xaes_key *key; /* slot of volume.key_pool */
};

/* The flush of a file that was begun before it was asked for: see filesync.c. */
enum flush_state { FLUSH_NONE, FLUSH_PROMISED, FLUSH_DONE };

struct file_flush {
    pthread_mutex_t mutex;
    uint64_t changes; /* of the contents; each counts when it has ended */
    enum flush_state state;
    uint64_t covers; /* the changes that had ended when it began */
    int failure;     /* why it failed, while no sync was told; 0: it did not */
    struct sync_waiter *waiters;
    struct foresight foresight;
    bool is_foreseen; /* a sync, at the last write */
    bool may_begin;   /* the disk, at one of the last writes */
    struct stream stream;
};

struct inode {
    struct inode *next; /* in its table slot */
    struct io_node *node;
    dev_t dev;
    ino_t ino;
    mode_t type;     /* S_IFMT bits */
    uint64_t refs;   /* under volume.table_mutex */
    uint64_t walked; /* the same; the last walk it had its turn in */

    /* Size and contents. Writes that stay within the blocks there are only share it, and take the locks of those blocks. */
    pthread_rwlock_t data_lock;
    /* What is known of a regular file; under data_lock once is_loaded. Who only wants to know the size waits for no write:
     * size_shown is there once is_loaded, which is set last and for ever. */
    atomic_bool is_loaded;
    atomic_bool has_header; /* once set, it and file_id stay */
    atomic_bool
        is_overgrown; /* a failed write left something behind the end; changes under data_lock */
    bool is_stale;    /* pages that were never durable stand there without a header */
    uint8_t file_id[BLOCK_ID_BYTES];
    _Atomic uint64_t size;
    _Atomic uint64_t size_shown; /* to who takes no lock: as when the last change ended */
    /* Each growth counts; while the last one is not durable the blocks before the last must not be punched. */
    uint64_t growths;
    _Atomic uint64_t growths_durable;
    uint64_t
        room_end; /* the backing file had pages up to this block when the last zeros were put behind the end */

    pthread_mutex_t open_mutex;
    struct io_file *file; /* files.c; NULL: not open */
    _Atomic unsigned users;
    atomic_bool is_touched;              /* used since the hand came by */
    struct inode *file_next, *file_prev; /* in the ring; under volume.files_mutex */

    pthread_mutex_t keys_mutex;
    struct file_key *keys;

    pthread_mutex_t times_mutex;
    bool has_mtime; /* mtime is newer than the backing file's */
    struct timespec mtime;
    struct stat *seen; /* once a time was kept: what the backing file's attributes were then */

    struct file_flush flush;
    _Atomic uint64_t
        written_ms; /* of the boot clock: when the last write began; 0: none since it is known */
    pthread_mutex_t sync_mutex; /* held while the backing file is synced */

    /* The last sweep that is done with it, and the last that it is noted for: see volume/moves.h. */
    _Atomic uint64_t swept, noted;

    atomic_bool is_poisoned; /* a sync failed; for ever */
    atomic_bool is_placed;   /* renamed after it was made, which a sync of data may not cover */

    atomic_bool is_ahead; /* loaded, or about to be, before anybody has asked for it */
    struct inode *held_next, *held_prev; /* among volume.held; under volume.table_mutex */
};

/* The directory whose files are loaded ahead; of the thread that does it. */
struct ahead_run {
    struct inode *dir;     /* referenced; NULL: none */
    struct io_dir *stream; /* while it is listed */
    uint64_t listed;       /* entries, in all */
    bool is_listed;
    bool may_list; /* anew: something came of the list, or it is looked for elsewhere now */
    struct ahead_names names;
};

struct handle {
    struct inode *inode;
    struct io_dir *dir; /* NULL for a file */
    uint64_t dir_at;    /* where the stream stands; UINT64_MAX: unknown */
    pthread_mutex_t dir_mutex;
};

struct volume {
    struct volume_conf conf;

    atomic_int door; /* enum volume_door */
    atomic_uint in_progress;
    pthread_mutex_t drain_mutex;
    pthread_cond_t drained;

    /* eras.c: operations by when they began, and the keys that they may use */
    struct keyset *_Atomic keys; /* NULL when wiped */
    struct era *_Atomic era;     /* the newest */
    struct era *era_oldest, *eras_idle;
    pthread_mutex_t eras_mutex;
    pthread_cond_t era_ended;

    pthread_mutex_t keys_mutex; /* held while keys are set or wiped */
    bool
        has_lost_keys; /* files may have keys of generations that volume.keys has not; under keys_mutex */
    struct names *names;
    struct secret_pool *key_pool;
    pthread_mutex_t pool_mutex; /* held while a key leaves its file for the pool */
    struct secret *header_mac_key;
    struct secret *attribute_key;
    struct space *spaces; /* idle ones */
    pthread_mutex_t spaces_mutex;

    struct block_locks block_locks;
    /* A thread gives a piece of a file to the disk, which may keep it for long: never more than one of them. */
    atomic_bool is_writing_out;

    pthread_mutex_t table_mutex;
    struct inode **slots;
    size_t slot_count;
    uint64_t walks;             /* begun */
    _Atomic size_t inode_count; /* changes under table_mutex */
    struct inode *root;
    struct inode
        *held; /* a ring: loaded ahead and not asked for yet; each has a reference by that */
    size_t held_count;

    /* ahead_load.c */
    pthread_mutex_t ahead_mutex;
    struct ahead ahead;
    struct inode *ahead_chosen; /* referenced; its files are to be loaded ahead next */
    struct inode *ahead_served; /* the directory that the thread was at when it stopped */
    bool is_ahead_running;      /* the thread is at work, or was woken */
    bool is_ahead_spent;        /* it stopped because there are no more names in that direction */
    uint64_t ahead_events, ahead_events_seen; /* in all; when nobody used the volume last */
    struct ahead_run ahead_run;

    /* files.c: those whose backing file is open */
    pthread_mutex_t files_mutex;
    struct inode *files_hand;
    _Atomic size_t files_open; /* changes under files_mutex */

    /* moves.c: what moved while a sweep watches; is_watched is also the right to sweep */
    atomic_bool is_watched;
    _Atomic uint64_t sweeps; /* the number of the sweep that watches, or did last */
    pthread_mutex_t moves_mutex;
    struct move *moves;
    atomic_ulong moves_missed;

    /* How long users' reads, writes and syncs take; counted while a sweep watches. */
    atomic_ulong foreground_ms, foreground_count;
    atomic_ulong rekey_pauses; /* of sweeps, because of that */

    /* making.c: places aside for objects that are being made */
    pthread_mutex_t spots_mutex;
    struct {
        bool is_taken, is_clean;
    } spots[MAKING_SPOTS];

    atomic_ulong alerts;
    atomic_ulong reads, writes, syncs, bytes_read, bytes_written, blocks_corrupt, files_poisoned,
        refused;
};

/* --- volume.c: admission, keys, spaces --- */

/* fair_lock_init(lock): a lock on which readers do not overtake a waiting writer; never taken twice by one
 * thread. */
void fair_lock_init(pthread_rwlock_t *lock);

/* What an operation needs to pass the door. */
enum volume_need { NEED_OPEN, NEED_FLUSH }; /* FLUSH: also while draining */

/* volume_enter(v, need, ret): counts the operation in, so that keys stay; LOCKED. Every success is paired with
 * volume_leave, by any thread. Waits for nobody. */
ks_rc volume_enter(struct volume *v, enum volume_need need, struct era **ret) KS_MUST;
void volume_leave(struct volume *v, struct era *e);
/* VOLUME_OPERATION: enters, and leaves at the end of the scope. */
struct operation {
    struct volume *v;
    struct era *era;
};
void volume_leavep(struct operation *op);
#define VOLUME_OPERATION(v, need)                                                                  \
    struct era *era_;                                                                              \
    TRY(volume_enter((v), (need), &era_));                                                         \
    CLEANUP(volume_leavep) struct operation operation_ = {(v), era_}

/* FOREGROUND: notes how long the scope takes, while a sweep watches. The mean of many is exact though each is counted in
 * whole milliseconds. */
struct foreground {
    struct volume *v; /* NULL: nobody wants to know */
    uint64_t began_ms;
};
struct foreground foreground_begin(struct volume *v);
void foreground_end(struct foreground *f);
#define FOREGROUND(v) CLEANUP(foreground_end) struct foreground foreground_ = foreground_begin(v)

ks_rc volume_space_get(struct volume *v, struct space **ret) KS_MUST;
void volume_space_put(struct volume *v, struct space *s);
/* volume_drop_lost_keys(v): wipes what was made for files from data keys that are destroyed, once nobody is inside who began when
 * they were there; until then it does nothing. */
void volume_drop_lost_keys(struct volume *v);
void volume_alert(struct volume *v, const char *fmt, ...) KS_PRINTF(2, 3);
/* volume_seal(v, kind, plain, max, is_storing, ret): as names_seal; a record that is damaged is alerted. */
ks_rc volume_seal(struct volume *v, enum name_kind kind, const char *plain, size_t max,
                  bool is_storing, struct buf *ret) KS_MUST;

/* --- inode.c: the table of known objects, and what is known of a file --- */

ks_rc table_init(struct volume *v) KS_MUST;
void table_done(struct volume *v);
/* inode_get(v, node, st, ret): the inode of an object, with one more reference; takes node over in any case. */
ks_rc inode_get(struct volume *v, struct io_node *node, const struct stat *st,
                struct inode **ret) KS_MUST;
void inode_ref(struct volume *v, struct inode *i);
/* inode_ref_living(v, i): the same unless nobody refers to it, that is, it may be going away. */
bool inode_ref_living(struct volume *v, struct inode *i);
/* inode_is_known(v, dev, ino): whether there is an inode of that number. */
bool inode_is_known(struct volume *v, dev_t dev, ino_t ino);
/* inode_get_ahead(v, node, st, ret): as inode_get of an object that is not known, for loading it ahead; EEXIST when it is. */
ks_rc inode_get_ahead(struct volume *v, struct io_node *node, const struct stat *st,
                      struct inode **ret) KS_MUST;
/* table_hold(v, i): the caller's reference, which must be the only one, becomes that of volume.held. False when it is not the only
 * one or somebody has asked for i: then it stays the caller's. table_unhold(v, i): gives it up, if there is one; the caller has
 * another. table_take_held(v, most): gives the oldest one to the caller; NULL when no more than most are held. */
bool table_hold(struct volume *v, struct inode *i);
void table_unhold(struct volume *v, struct inode *i);
struct inode *table_take_held(struct volume *v, size_t most);
void inode_drop_keys(struct volume *v, struct inode *i);
/* inode_poison(v, i, why): a sync of it failed, so that nothing that is asked of it later may succeed; counted and told the
 * first time. */
void inode_poison(struct volume *v, struct inode *i, ks_rc why);
/* table_drop_keys(v): no known file has a key any more; nobody may be inside the volume. */
void table_drop_keys(struct volume *v);
/* table_drop_lost_keys(v): no known file has a key of a generation that volume.keys has not; nobody may be inside who began with
 * other keys. volume.keys_mutex is held. */
void table_drop_lost_keys(struct volume *v);
/* table_collect(v, ret, ret_count): one reference to every known inode, the root last. */
ks_rc table_collect(struct volume *v, struct inode ***ret, size_t *ret_count) KS_MUST;

/* --- files.c: which backing files are open --- */

/* inode_use(v, i, ret) and inode_unuse: the open backing file, shared by all users. It stays open for a while. */
ks_rc inode_use(struct volume *v, struct inode *i, struct io_file **ret) KS_MUST;
void inode_unuse(struct volume *v, struct inode *i);
/* inode_give_file(v, i, file): as inode_use, with a backing file that is open already; takes it over. */
void inode_give_file(struct volume *v, struct inode *i, struct io_file *file);
/* inode_close(v, i): closes the backing file when nobody uses it. Takes no reference. */
void inode_close(struct volume *v, struct inode *i);
/* inode_is_open(i): whether somebody will close the backing file, and do then what was put off until then. */
bool inode_is_open(struct inode *i);

/* --- inode.c --- */

/* inode_load(v, i): header and size are known afterwards; cheap when they are already, and then without data_lock. */
ks_rc inode_load(struct volume *v, struct inode *i) KS_MUST;

/* inode_show_mtime(i, st): the modification time that is not on the backing file yet, if any.
 * inode_flush_mtime(v, i): puts it there. */
void inode_show_mtime(struct inode *i, struct stat *st);
ks_rc inode_flush_mtime(struct volume *v, struct inode *i) KS_MUST;
/* inode_forget_seen(i): its attributes have changed in another way than by its times. */
void inode_forget_seen(struct inode *i);

/* inode_load_empty(i): the same, without opening it, for a backing file that was seen to have no bytes while the caller had a reference to i:
 * before that another inode of it may have come and gone. */
ks_rc inode_load_empty(struct inode *i) KS_MUST;

/* --- ahead_load.c: loading files before they are asked for --- */

/* inode_note_lookup(v, dir, i, st): i was asked for by a name in dir; st as on the backing file. Before it is loaded. */
void inode_note_lookup(struct volume *v, struct inode *dir, struct inode *i, const struct stat *st);
/* ahead_stop(v): nothing is loaded ahead or held any more, until there is reason anew. ahead_rest(v): the same when nobody has asked
 * for anything since the last call. ahead_done(v): at the end of the volume; the thread has ended. */
void ahead_stop(struct volume *v);
void ahead_rest(struct volume *v);
void ahead_done(struct volume *v);

/* --- filedata.c, filekey.c: blocks of one file --- */

/* One request on one file: everything the block functions need. */
struct file_op {
    struct volume *v;
    struct inode *i;
    struct io_file *file;
    struct space *s;
};

ks_rc file_op_begin(struct volume *v, struct inode *i, struct file_op *ret) KS_MUST;
void file_op_end(struct file_op *op);

/* file_key_get(op, generation, ret): the key of the file for a generation; CORRUPT for one that there is not, or not any more. */
ks_rc file_key_get(const struct file_op *op, uint32_t generation,
                   const struct xaes_key **ret) KS_MUST;
/* file_block_decode(op, index, page, ret_plain, ret_length): a page read from the file: payload bytes of plain
 * text; length 0 and zeros for a hole. Damage is alerted. */
ks_rc file_block_decode(const struct file_op *op, uint64_t index, const uint8_t *page,
                        uint8_t *ret_plain, uint32_t *ret_length) KS_MUST;
/* file_block_take(op, index, page, ret_plain, ret_length): the same for who shares data_lock with writes in place: a page that does
 * not open may have been read in the middle of one, and is read once more into page without them. */
ks_rc file_block_take(const struct file_op *op, uint64_t index, uint8_t *page, uint8_t *ret_plain,
                      uint32_t *ret_length) KS_MUST;
/* file_block_read(op, index, ret_plain, ret_length): one block from the backing file; nobody may be writing it. */
ks_rc file_block_read(const struct file_op *op, uint64_t index, uint8_t *ret_plain,
                      uint32_t *ret_length) KS_MUST;

/* --- filewrite.c --- */

/* file_change_begin(op): what comes before every change of the contents, with data_lock held for writing: EIO for a
 * poisoned file; removes what a failed write has left behind the end. */
ks_rc file_change_begin(const struct file_op *op) KS_MUST;
/* file_block_write(op, index, plain, length): seals and writes one block, with the header if it is missing. */
ks_rc file_block_write(const struct file_op *op, uint64_t index, const uint8_t *plain,
                       uint32_t length) KS_MUST;
/* file_set_size(i, size): notes a new size, and a growth as such. */
void file_set_size(struct inode *i, uint64_t size);

/* --- filesync.c --- */

/* file_sync(v, i, file, is_data_only): a failure poisons the file, and a poisoned file fails. */
ks_rc file_sync(struct volume *v, struct inode *i, struct io_file *file, bool is_data_only) KS_MUST;
/* file_unlock_changed(i): gives data_lock back under which something was written, and counts the change: before that moment
 * nobody must be told of it. file_unlock_written(i, at, len): the same after a whole write, which a sync may follow. */
void file_unlock_written(struct inode *i, uint64_t at, uint64_t len);
void file_unlock_changed(struct inode *i);
/* file_is_log(i): whether its writes have been synced one after the other lately. */
bool file_is_log(struct inode *i);

/* inode_stat(v, i, ret): as volume_getattr, inside an operation. */
ks_rc inode_stat(struct volume *v, struct inode *i, struct stat *ret) KS_MUST;
/* inode_sync_dir(v, dir): a failure poisons the directory, and a poisoned one fails. */
ks_rc inode_sync_dir(struct volume *v, struct inode *dir) KS_MUST;
/* volume_target(v, i, ret): as volume_readlink, inside an operation. node_target(v, node, ret): the same of an object that has no inode. */
ks_rc volume_target(struct volume *v, struct inode *i, struct buf *ret) KS_MUST;
ks_rc node_target(struct volume *v, struct io_node *node, struct buf *ret) KS_MUST;
/* node_check_attributes(v, node, damaged, arg): opens every attribute that is encrypted; damaged(arg, why) for each whose name or value is
 * damaged, which is no error. Outside any operation: enters for each attribute, and damaged may wait. */
ks_rc node_check_attributes(struct volume *v, struct io_node *node,
                            void (*damaged)(void *arg, ks_rc why), void *arg) KS_MUST;

/* file_load(v, i, file): header, file id and size from the backing file. data_lock is held. */
ks_rc file_load(struct volume *v, struct inode *i, struct io_file *file) KS_MUST;

static inline uint64_t block_offset(uint64_t index)
{
    return (index + 1) * BLOCK_BYTES; /* behind the header page */
}

static inline uint64_t block_count_of(uint64_t size, uint32_t payload)
{
    return size / payload + (size % payload != 0);
}

/* How many of the first size bytes stand in block index. */
static inline uint32_t block_share(uint64_t size, uint64_t index, uint32_t payload)
{
    uint64_t from = index * payload;

    if (size <= from)
        return 0;
    return size - from < payload ? (uint32_t)(size - from) : payload;
}

static inline struct block_place file_place(const struct file_op *op, uint64_t index)
{
    return (struct block_place){op->v->conf.volume_id, op->i->file_id, index,
                                op->v->conf.block_payload};
}

/* What one request reads or writes. */
struct file_slice {
    uint64_t at; /* in the file */
    size_t len;
};

/* The part of a slice that stands in block index: from..to within the payload. */
static inline void file_slice_in_block(const struct file_slice *s, uint64_t index, uint32_t payload,
                                       uint32_t *from, uint32_t *to)
{
    uint64_t start = index * payload, end = s->at + s->len;

    *from = s->at > start ? (uint32_t)(s->at - start) : 0;
    *to = end - start < payload ? (uint32_t)(end - start) : payload;
}

enum { FILE_SIZE_MAX_BLOCKS_SHIFT = 50 }; /* 2^50 blocks; larger offsets are EFBIG */

static inline bool range_is_legal(uint64_t at, uint64_t len, uint32_t payload)
{
    uint64_t max = ((uint64_t)payload << FILE_SIZE_MAX_BLOCKS_SHIFT);

    return len <= max && at <= max - len;
}
