/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/survey.c - walking a whole backing tree.
 *
 * Two passes over each file in one: every page is counted by what it says of itself; with a volume at hand
 * it is also decrypted, under the same locks that readers take. Changes nothing, ever.
 */
#include "volume/survey.h"

#include "base/mem.h"
#include "volume/volume_int.h"
#include "volume/walk.h"

enum {
    PATH_MAX_BYTES = 64 * 1024,
    ROUND_BLOCKS = 64, /* 256 KiB; also how long a lock is held at a time */
};

struct walk {
    const struct survey_conf *conf;
    struct survey *s;
    struct buf path; /* of the object at hand, "/a/b" */
    uint8_t *pages;  /* ROUND_BLOCKS pages */
    uint8_t plain[BLOCK_BYTES];
};

/* One file on its way. */
struct walk_file {
    struct walk *w;
    struct io_file *file;
    struct inode *inode; /* NULL when only counting */
};

static void damaged(struct walk *w, uint64_t block, const char *what)
{
    if (w->conf->damaged)
        w->conf->damaged(w->conf->arg, w->path.len ? buf_text(&w->path) : "/", block, what);
}

static ks_rc progress(struct walk *w, uint64_t bytes)
{
    uint64_t before = w->s->bytes_seen >> 20;

    w->s->bytes_seen += bytes;
    if (!w->conf->progress || before == w->s->bytes_seen >> 20)
        return KS_SUCCESS;
    ENSURE(w->conf->progress(w->conf->arg, w->s->bytes_seen), KS_E_BUSY, "interrupted");
    return KS_SUCCESS;
}

/* --- counting --- */

static ks_rc count_generation(struct survey *s, uint32_t generation)
{
    size_t n = 0;

    while (n < s->generation_count && s->generations[n].generation < generation)
        n++;
    if (n == s->generation_count || s->generations[n].generation != generation) {
        ENSURE(s->generation_count < SURVEY_GENERATIONS_MAX, KS_E_LIMIT,
               "blocks of more than %d generations", SURVEY_GENERATIONS_MAX);
        TRY(mem_grow(s->generation_count + 1, sizeof *s->generations, &s->generations));
        memmove(s->generations + n + 1, s->generations + n,
                (s->generation_count - n) * sizeof *s->generations);
        s->generations[n] = (struct survey_generation){.generation = generation};
        s->generation_count++;
    }
    s->generations[n].blocks++;
    s->generations[n].bytes += BLOCK_BYTES;
    return KS_SUCCESS;
}

static ks_rc count_page(struct walk *w, uint64_t index, const uint8_t *page, bool *ret_is_sound)
{
    struct block_meta meta;
    enum page_kind kind;
    ks_rc rc = block_parse(page, w->conf->block_payload, &kind, &meta);

    *ret_is_sound = ks_ok(rc);
    if (!ks_ok(rc)) {
        w->s->blocks_damaged++;
        damaged(w, index, ks_text(rc));
        return KS_SUCCESS;
    }
    if (kind == PAGE_ZERO) {
        w->s->holes++;
        return KS_SUCCESS;
    }
    w->s->blocks++;
    return count_generation(w->s, meta.generation);
}

/* --- verifying --- */

static ks_rc verify_page(struct walk_file *f, const struct file_op *op, uint64_t index,
                         const uint8_t *page)
{
    struct walk *w = f->w;
    uint32_t length;
    ks_rc rc = file_block_decode(op, index, page, w->plain, &length);

    mem_wipe(w->plain, sizeof w->plain);
    if (rc.cls != KS_CLASS_CORRUPT)
        return rc;
    w->s->blocks_damaged++;
    damaged(w, index, ks_text(rc));
    return KS_SUCCESS;
}

/* --- one round of pages, counted and verified --- */

static ks_rc take_pages(struct walk_file *f, const struct file_op *op, uint64_t first, size_t count)
{
    bool is_sound;

    for (size_t n = 0; n < count; n++) {
        const uint8_t *page = f->w->pages + n * BLOCK_BYTES;
        TRY(count_page(f->w, first + n, page, &is_sound));
        if (is_sound && op)
            TRY(verify_page(f, op, first + n, page));
    }
    return KS_SUCCESS;
}

static ks_rc read_and_take(struct walk_file *f, const struct file_op *op, uint64_t first,
                           size_t count, size_t *ret_taken)
{
    struct io *io = f->w->conf->io;
    size_t len;

    TRY(io->ops->pread(io, f->file, f->w->pages, count * BLOCK_BYTES, block_offset(first), &len));
    *ret_taken = len / BLOCK_BYTES;
    return take_pages(f, op, first, *ret_taken);
}

static ks_rc take_round(struct walk_file *f, uint64_t first, size_t count, size_t *ret_taken)
{
    struct volume *v = f->w->conf->volume;

    if (!f->inode)
        return read_and_take(f, NULL, first, count, ret_taken);
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(file_op_end) struct file_op op = {0};
    TRY(file_op_begin(v, f->inode, &op));
    pthread_rwlock_rdlock(&f->inode->data_lock);
    ks_rc rc = read_and_take(f, &op, first, count, ret_taken);
    pthread_rwlock_unlock(&f->inode->data_lock);
    return rc;
}

static ks_rc take_blocks(struct walk_file *f)
{
    struct io *io = f->w->conf->io;
    size_t taken;

    for (uint64_t first = 0, at;; first += taken) {
        ks_rc rc = io->ops->seek(io, f->file, block_offset(first), IO_SEEK_DATA, &at);
        if (ks_is_os(rc, ENXIO))
            return KS_SUCCESS;
        TRY(rc);
        uint64_t next = at / BLOCK_BYTES - 1;
        f->w->s->holes += next > first ? next - first : 0;
        first = next > first ? next : first;
        TRY(take_round(f, first, ROUND_BLOCKS, &taken));
        if (taken == 0)
            return KS_SUCCESS;
        TRY(progress(f->w, taken * BLOCK_BYTES));
    }
}

static ks_rc check_header(struct walk_file *f, uint64_t bytes, bool *ret_has_blocks)
{
    struct walk *w = f->w;
    struct io *io = w->conf->io;
    uint8_t page[BLOCK_BYTES];
    enum page_kind kind = PAGE_ZERO;
    struct file_header h;
    size_t len;

    *ret_has_blocks = false;
    if (bytes == 0)
        return KS_SUCCESS;
    TRY(io->ops->pread(io, f->file, page, BLOCK_BYTES, 0, &len));
    memset(page + len, 0, BLOCK_BYTES - len);
    ks_rc rc = header_parse(page, view_of(NULL, 0), &kind, &h);
    if (ks_ok(rc) && kind == PAGE_WRITTEN &&
        (memcmp(h.volume_id, w->conf->volume_id, BLOCK_ID_BYTES) != 0 ||
         h.payload != w->conf->block_payload))
        rc = ks_fail(KS_E_FOREIGN, "the file belongs to another volume");
    if (ks_ok(rc) && bytes % BLOCK_BYTES != 0)
        rc = ks_fail(KS_E_CORRUPT, "the backing file is not made of whole pages");
    if (!ks_ok(rc)) {
        w->s->files_damaged++;
        damaged(w, UINT64_MAX, ks_text(rc));
        return KS_SUCCESS;
    }
    w->s->files_unfinished += kind == PAGE_ZERO;
    *ret_has_blocks = kind == PAGE_WRITTEN;
    return KS_SUCCESS;
}

/* With keys the header's MAC is checked too, by loading the file as any reader would. */
static ks_rc load_inode(struct walk_file *f, bool *ret_is_sound)
{
    struct volume *v = f->w->conf->volume;

    VOLUME_OPERATION(v, NEED_OPEN);
    ks_rc rc = inode_load(v, f->inode);
    *ret_is_sound = rc.cls != KS_CLASS_CORRUPT;
    if (*ret_is_sound)
        return rc;
    f->w->s->files_damaged++;
    damaged(f->w, UINT64_MAX, ks_text(rc));
    return KS_SUCCESS;
}

static ks_rc walk_open_file(struct walk_file *f, uint64_t bytes)
{
    uint64_t before = f->w->s->blocks_damaged;
    bool has_blocks, is_sound = true;

    TRY(check_header(f, bytes, &has_blocks));
    if (has_blocks && f->inode)
        TRY(load_inode(f, &is_sound));
    if (has_blocks && is_sound)
        TRY(take_blocks(f));
    f->w->s->files_damaged += f->w->s->blocks_damaged > before;
    return KS_SUCCESS;
}

/* Takes node over. */
static ks_rc walk_file(void *arg, struct io_node *node, const struct stat *st)
{
    struct walk *w = arg;
    struct io *io = w->conf->io;
    struct walk_file f = {.w = w};

    w->s->files++;
    ks_rc rc = io->ops->open(io, node, true, &f.file);
    if (!ks_ok(rc)) {
        io->ops->node_close(io, node);
        return rc;
    }
    if (w->conf->volume)
        rc = inode_get(w->conf->volume, node, st, &f.inode);
    else
        io->ops->node_close(io, node);
    if (ks_ok(rc))
        rc = walk_open_file(&f, (uint64_t)st->st_size);
    if (f.inode)
        volume_forget(w->conf->volume, f.inode, 1);
    io->ops->close(io, f.file);
    return rc;
}

/* --- the walk --- */

/* Appends the entry's name, in clear where there are keys. */
static ks_rc push_name(struct walk *w, const char *sealed)
{
    struct volume *v = w->conf->volume;
    CLEANUP(buf_done) struct buf plain = buf_init(NAME_PLAIN_MAX);

    TRY(buf_append(&w->path, view_text("/")));
    if (!v)
        return buf_append(&w->path, view_text(sealed));
    VOLUME_OPERATION(v, NEED_OPEN);
    ks_rc rc = names_open(v->names, NAME_ENTRY, sealed, &plain);
    if (ks_ok(rc))
        return buf_append(&w->path, buf_view(&plain));
    TRY(buf_append(&w->path, view_text(sealed)));
    w->s->names_damaged++;
    damaged(w, UINT64_MAX, ks_text(rc));
    return KS_SUCCESS;
}

static void leave(void *arg)
{
    struct walk *w = arg;

    while (w->path.len > 0 && w->path.bytes[w->path.len - 1] != '/')
        w->path.len--;
    w->path.len -= w->path.len > 0;
    if (w->path.bytes)
        w->path.bytes[w->path.len] = 0;
}

static ks_rc enter(void *arg, const char *sealed)
{
    struct walk *w = arg;
    ks_rc rc = push_name(w, sealed);

    if (!ks_ok(rc))
        leave(w);
    return rc;
}

static void other(void *arg, const struct stat *st)
{
    struct walk *w = arg;

    w->s->directories += S_ISDIR(st->st_mode);
    w->s->other += !S_ISDIR(st->st_mode);
}

static const struct walk_visitor visitor = {enter, leave, walk_file, other, NULL};

ks_rc survey_run(const struct survey_conf *conf, struct survey *ret)
{
    CLEANUP(mem_freep) uint8_t *pages = NULL;
    struct survey s = {.directories = 1};
    struct walk w = {.conf = conf, .s = &s, .path = buf_init(PATH_MAX_BYTES)};

    TRY(mem_new(ROUND_BLOCKS, BLOCK_BYTES, &pages));
    w.pages = pages;
    ks_rc rc = walk_tree(conf->io, conf->tree, &visitor, &w);
    buf_done(&w.path);
    if (!ks_ok(rc)) {
        survey_done(&s);
        return rc;
    }
    *ret = s;
    return KS_SUCCESS;
}

void survey_done(struct survey *s)
{
    mem_free(s->generations);
    *s = (struct survey){0};
}
