/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/rekey.c - the re-encryption sweep.
 *
 * Invariant: a page is replaced only by the same plain text, length and place under a newer key, and
 * only while no one else can write to the file. What is not replaced was opened too: it is a hole, sound under the newest
 * key, or counted as damaged.
 */
#include "volume/rekey.h"

#include "base/mem.h"
#include "volume/eras.h"
#include "volume/moves.h"
#include "volume/volume_int.h"
#include "volume/walk.h"

enum { LATENCY_REST_MS_MAX = 1000 };
enum { ROUND_BLOCKS = 64 }; /* 256 KiB; also how long a file is locked at a time */

struct sweep {
    const struct rekey_conf *conf;
    struct rekey_progress *p;
    uint64_t started_ms;
    uint64_t foreground; /* reads and writes of others when the last round began */
    uint64_t latency_rest_ms;
    bool is_at_moves; /* looks at what has moved */
};

/* One file under sweep. */
struct sweep_file {
    struct sweep *s;
    struct inode *i;
};

/* --- one round of blocks --- */

/* page was decoded. */
static bool is_older(const struct file_op *op, const uint8_t *page)
{
    struct block_meta meta;
    enum page_kind kind;
    ks_rc rc = block_parse(page, op->v->conf.block_payload, &kind, &meta);

    return ks_ok(rc) && kind == PAGE_WRITTEN && meta.generation < keyset_newest(op->v->keys);
}

static ks_rc rewrite_block(struct sweep_file *f, const struct file_op *op, uint64_t index,
                           const uint8_t *plain, uint32_t length)
{
    struct rekey_progress *p = f->s->p;

    TRY(file_block_write(op, index, plain, length));
    p->blocks_rewritten++;
    p->bytes_rewritten += BLOCK_BYTES;
    return KS_SUCCESS;
}

/* What a block says of its generation is believed when it opens, not before: a damaged one may need a key that it does not name. */
static ks_rc sweep_page(struct sweep_file *f, const struct file_op *op, uint64_t index,
                        const uint8_t *page)
{
    uint8_t plain[BLOCK_BYTES];
    uint32_t length;
    ks_rc rc = file_block_decode(op, index, page, plain, &length);

    if (rc.cls == KS_CLASS_CORRUPT) {
        f->s->p->blocks_damaged++;
        return KS_SUCCESS;
    }
    if (ks_ok(rc) && is_older(op, page))
        rc = rewrite_block(f, op, index, plain, length);
    mem_wipe(plain, sizeof plain);
    return rc;
}

static ks_rc sweep_pages(struct sweep_file *f, const struct file_op *op, uint64_t first,
                         uint8_t *pages, size_t *ret_taken)
{
    struct io *io = op->v->conf.io;
    size_t len;

    TRY(io->ops->pread(io, op->file, pages, ROUND_BLOCKS * BLOCK_BYTES, block_offset(first), &len));
    *ret_taken = len / BLOCK_BYTES;
    for (size_t n = 0; n < *ret_taken; n++)
        TRY(sweep_page(f, op, first + n, pages + n * BLOCK_BYTES));
    f->s->p->blocks_seen += *ret_taken;
    f->s->p->bytes_seen += len;
    return KS_SUCCESS;
}

/* The modification time stays that of the users' own writes. */
static ks_rc sweep_locked(struct sweep_file *f, const struct file_op *op, uint64_t first,
                          uint8_t *pages, size_t *ret_taken)
{
    uint64_t before = f->s->p->blocks_rewritten;
    struct stat st;

    if (!f->i->has_header)
        return KS_SUCCESS;
    TRY(file_change_begin(op));
    TRY(op->v->conf.io->ops->stat(op->v->conf.io, f->i->node, &st));
    TRY(sweep_pages(f, op, first, pages, ret_taken));
    if (f->s->p->blocks_rewritten == before)
        return KS_SUCCESS;
    return op->v->conf.io->ops->setattr(op->v->conf.io, f->i->node, IO_ATTR_MTIME, &st);
}

static ks_rc sweep_round(struct sweep_file *f, uint64_t first, size_t *ret_taken)
{
    struct volume *v = f->s->conf->volume;
    CLEANUP(mem_freep) uint8_t *pages = NULL;

    TRY(mem_new(ROUND_BLOCKS, BLOCK_BYTES, &pages));
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(file_op_end) struct file_op op = {0};
    TRY(file_op_begin(v, f->i, &op));
    *ret_taken = 0;
    pthread_rwlock_wrlock(&f->i->data_lock);
    ks_rc rc = sweep_locked(f, &op, first, pages, ret_taken);
    file_unlock_changed(f->i);
    return rc;
}

/* --- between the rounds --- */

static bool tell(void *arg)
{
    struct sweep *s = arg;

    return !s->conf->progress || s->conf->progress(s->conf->arg, s->p);
}

static uint64_t foreground_now(struct volume *v)
{
    return atomic_load(&v->reads) + atomic_load(&v->writes);
}

/* How long to rest so that the bound on the rate holds. */
static uint64_t rate_rest_ms(const struct sweep *s, uint64_t now_ms)
{
    uint64_t rate = s->conf->bytes_per_s;
    uint64_t due_ms = rate ? s->p->bytes_rewritten * 1000 / rate : 0,
             spent = now_ms - s->started_ms;

    return due_ms > spent ? due_ms - spent : 0;
}

/* Doubles while others are held up, halves when they are not. */
static uint64_t latency_rest_ms(struct sweep *s)
{
    struct volume *v = s->conf->volume;
    uint64_t ms = atomic_exchange(&v->foreground_ms, 0),
             count = atomic_exchange(&v->foreground_count, 0);

    if (s->conf->latency_ms_max == 0)
        return 0;
    if (ms > count * s->conf->latency_ms_max)
        s->latency_rest_ms = s->latency_rest_ms ? s->latency_rest_ms * 2 : 1;
    else
        s->latency_rest_ms /= 2;
    if (s->latency_rest_ms > LATENCY_REST_MS_MAX)
        s->latency_rest_ms = LATENCY_REST_MS_MAX;
    return s->latency_rest_ms;
}

static ks_rc rest(struct sweep *s, uint64_t round_began_ms)
{
    uint64_t now_ms = clock_boot_ms(s->conf->clock), ms = rate_rest_ms(s, now_ms);
    uint64_t foreground = foreground_now(s->conf->volume), held_up_ms = latency_rest_ms(s);

    if (ms < held_up_ms)
        ms = held_up_ms;

    if (s->conf->is_polite && foreground != s->foreground && ms < now_ms - round_began_ms)
        ms = now_ms - round_began_ms;
    s->foreground = foreground;
    ENSURE(tell(s), KS_E_BUSY, "interrupted");
    if (held_up_ms > 0)
        atomic_fetch_add(&s->conf->volume->rekey_pauses, 1);
    if (ms > 0)
        clock_sleep_ms(s->conf->clock, ms);
    return KS_SUCCESS;
}

/* --- files --- */

/* The next block with data at or behind first; UINT64_MAX when there is none. */
static ks_rc next_data(struct sweep_file *f, uint64_t first, uint64_t *ret)
{
    struct volume *v = f->s->conf->volume;
    struct io *io = v->conf.io;
    struct io_file *file;
    uint64_t at = 0;

    TRY(inode_use(v, f->i, &file));
    ks_rc rc = io->ops->seek(io, file, block_offset(first), IO_SEEK_DATA, &at);
    inode_unuse(v, f->i);
    if (ks_is_os(rc, ENXIO)) {
        *ret = UINT64_MAX;
        return KS_SUCCESS;
    }
    TRY(rc);
    *ret = at / BLOCK_BYTES - 1;
    return KS_SUCCESS;
}

static ks_rc sync_file(struct sweep_file *f)
{
    struct volume *v = f->s->conf->volume;
    struct io_file *file;

    VOLUME_OPERATION(v, NEED_FLUSH);
    TRY(inode_use(v, f->i, &file));
    ks_rc rc = file_sync(v, f->i, file, true);
    inode_unuse(v, f->i);
    return rc;
}

static ks_rc sweep_inode(struct sweep *s, struct inode *i)
{
    struct sweep_file f = {s, i};
    size_t taken = 1;

    s->p->files++;
    for (uint64_t first = 0; taken > 0; first += taken) {
        uint64_t began_ms = clock_boot_ms(s->conf->clock);
        TRY(next_data(&f, first, &first));
        if (first == UINT64_MAX)
            break;
        TRY(sweep_round(&f, first, &taken));
        TRY(rest(s, began_ms));
    }
    return sync_file(&f);
}

/* A file that cannot be loaded is damaged; its blocks stay as they are. */
static ks_rc sweep_or_count(struct sweep *s, struct inode *i)
{
    ks_rc rc = sweep_inode(s, i);

    if (rc.cls == KS_CLASS_CORRUPT) {
        s->p->blocks_damaged++;
        rc = KS_SUCCESS;
    }
    if (ks_ok(rc))
        moves_set_done(s->conf->volume, i);
    return rc;
}

static ks_rc sweep_moved(struct sweep *s);

static ks_rc visit_file(void *arg, struct io_node *node, const struct stat *st)
{
    struct sweep *s = arg;
    struct volume *v = s->conf->volume;
    struct inode *i;

    TRY(inode_get(v, node, st, &i));
    ks_rc rc = sweep_or_count(s, i);
    volume_forget(v, i, 1);
    TRY(rc);
    return sweep_moved(s); /* now and then, so that the list stays short */
}

static ks_rc enter(void *arg, const char *sealed)
{
    (void)arg;
    (void)sealed;
    return KS_SUCCESS;
}

static void leave(void *arg)
{
    (void)arg;
}

static ks_rc other(void *arg, struct io_node *node, const struct stat *st)
{
    (void)arg;
    (void)node;
    (void)st;
    return KS_SUCCESS;
}

/* A removal that is not durable would bring the file back after a power loss. A sync that failed before, or for somebody else, has
 * told of it all that it ever will, so the sweep asks as the users do. */
static ks_rc done(void *arg, struct io_node *dir, const struct stat *st)
{
    struct sweep *s = arg;
    struct volume *v = s->conf->volume;
    struct inode *i;

    TRY(inode_get(v, dir, st, &i));
    ks_rc rc = inode_sync_dir(v, i);
    volume_forget(v, i, 1);
    return rc;
}

static const struct walk_visitor visitor = {enter, leave, visit_file, other, done};

static ks_rc sweep_below(struct sweep *s, struct inode *dir)
{
    struct volume *v = s->conf->volume;

    TRY(walk_tree(v->conf.io, dir->node, &visitor, s));
    return inode_sync_dir(v, dir);
}

/* --- what the walk may have missed --- */

static ks_rc sweep_one_moved(struct sweep *s, struct inode *i)
{
    struct volume *v = s->conf->volume;

    if (moves_is_done(v, i))
        return KS_SUCCESS;
    if (i->type == S_IFREG)
        return sweep_or_count(s, i);
    if (i->type == S_IFDIR)
        TRY(sweep_below(s, i));
    moves_set_done(v, i);
    return KS_SUCCESS;
}

/* Until nothing is noted any more. What moves within a moved directory is noted in its turn. */
static ks_rc sweep_moved(struct sweep *s)
{
    struct volume *v = s->conf->volume;
    ks_rc rc = KS_SUCCESS;
    struct inode *i;

    if (s->is_at_moves)
        return KS_SUCCESS;
    s->is_at_moves = true;
    while (ks_ok(rc) && (i = moves_take(v))) {
        rc = sweep_one_moved(s, i);
        volume_forget(v, i, 1);
    }
    s->is_at_moves = false;
    return rc;
}

static bool is_removed(struct volume *v, struct inode *i)
{
    struct stat st;

    return i->type == S_IFREG && ks_ok(v->conf.io->ops->stat(v->conf.io, i->node, &st)) &&
           st.st_nlink == 0;
}

/* Files without a name that somebody still has open. */
static ks_rc sweep_removed(struct sweep *s)
{
    struct volume *v = s->conf->volume;
    struct inode **all;
    ks_rc rc = KS_SUCCESS;
    size_t count;

    TRY(table_collect(v, &all, &count));
    for (size_t n = 0; n < count; n++) {
        if (ks_ok(rc) && is_removed(v, all[n]))
            rc = sweep_or_count(s, all[n]);
        volume_forget(v, all[n], 1);
    }
    mem_free(all);
    return rc;
}

static ks_rc sweep_all(struct sweep *s)
{
    struct volume *v = s->conf->volume;

    /* who is inside may yet write under an older key, or move something and believe that nobody watches */
    TRY(era_pass(v, tell, s));
    TRY(sweep_below(s, v->root));
    TRY(sweep_moved(s));
    TRY(sweep_removed(s));
    s->p->missed = moves_missed(v);
    return KS_SUCCESS;
}

ks_rc rekey_run(const struct rekey_conf *conf, struct rekey_progress *ret)
{
    struct sweep s = {.conf = conf, .p = ret, .started_ms = clock_boot_ms(conf->clock)};

    *ret = (struct rekey_progress){0};
    s.foreground = foreground_now(conf->volume);
    TRY(moves_watch(conf->volume));
    /* what is left of another sweep's end says nothing about this one */
    atomic_store(&conf->volume->foreground_ms, 0);
    atomic_store(&conf->volume->foreground_count, 0);
    ks_rc rc = sweep_all(&s);
    moves_end(conf->volume);
    return rc;
}
