/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/survey_file.c - looking at every page of one file, in one part or several.
 *
 * Every page is counted by what it says of itself; with a volume at hand it is also decrypted, under the same locks
 * that readers take. Pages without a header before them are counted only: whose they are is not known. Changes nothing, ever.
 */
#include <stdio.h>

#include "base/mem.h"
#include "volume/survey_int.h"

static void file_damaged(struct survey_hand *h, struct survey_file *f, ks_rc why)
{
    atomic_store(&f->is_damaged, true);
    survey_damaged(h->all, f->path, UINT64_MAX, ks_text(why));
}

/* Noted while the blocks are looked at, and told when nothing is held: who is told may take its time. */
static void note_block(struct survey_hand *h, uint64_t block, ks_rc why)
{
    struct survey_found *found = &h->found[h->found_count++];

    found->block = block;
    snprintf(found->what, sizeof found->what, "%s", ks_text(why));
}

static void tell_blocks(struct survey_hand *h, struct survey_file *f)
{
    for (size_t n = 0; n < h->found_count; n++) {
        atomic_store(&f->is_damaged, true);
        h->s.blocks_damaged++;
        survey_damaged(h->all, f->path, h->found[n].block, h->found[n].what);
    }
    h->found_count = 0;
}

/* --- one round of pages, counted and verified --- */

static ks_rc count_page(struct survey_hand *h, const uint8_t *page)
{
    struct block_meta meta;
    enum page_kind kind;

    TRY(block_parse(page, h->all->conf->block_payload, &kind, &meta));
    if (kind == PAGE_ZERO) {
        h->s.holes++;
        return KS_SUCCESS;
    }
    h->s.blocks++;
    return survey_count(&h->s, meta.generation, 1);
}

static ks_rc verify_page(struct survey_hand *h, const struct file_op *op, uint64_t index,
                         uint8_t *page)
{
    uint32_t length;
    ks_rc rc = file_block_take(op, index, page, h->plain, &length);

    mem_wipe(h->plain, sizeof h->plain);
    return rc;
}

/* First verified, which may read the page once more. */
static ks_rc take_page(struct survey_hand *h, const struct file_op *op, uint64_t index,
                       uint8_t *page)
{
    ks_rc verified = op ? verify_page(h, op, index, page) : KS_SUCCESS;

    if (!ks_ok(verified) && verified.cls != KS_CLASS_CORRUPT)
        return verified;
    ks_rc counted = count_page(h, page);
    if (!ks_ok(counted) && counted.cls != KS_CLASS_CORRUPT)
        return counted;
    if (!ks_ok(verified) || !ks_ok(counted))
        note_block(h, index, ks_ok(verified) ? counted : verified);
    return KS_SUCCESS;
}

static ks_rc read_and_take(struct survey_hand *h, struct survey_file *f, const struct file_op *op,
                           uint64_t first, size_t *count)
{
    struct io *io = h->all->conf->io;
    uint64_t before = h->s.blocks;
    size_t len;

    TRY(io->ops->pread(io, f->file, h->pages, *count * BLOCK_BYTES, block_offset(first), &len));
    *count = len / BLOCK_BYTES;
    for (size_t n = 0; n < *count; n++)
        TRY(take_page(h, op, first + n, h->pages + n * BLOCK_BYTES));
    if (f->is_unfinished)
        h->s.blocks_unfinished += h->s.blocks - before;
    return KS_SUCCESS;
}

static ks_rc take_round(struct survey_hand *h, struct survey_file *f, uint64_t first, size_t *count)
{
    struct volume *v = h->all->conf->volume;

    if (!f->inode)
        return read_and_take(h, f, NULL, first, count);
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(file_op_end) struct file_op op = {0};
    TRY(file_op_begin(v, f->inode, &op));
    pthread_rwlock_rdlock(&f->inode->data_lock);
    ks_rc rc = read_and_take(h, f, f->is_unfinished ? NULL : &op, first, count);
    pthread_rwlock_unlock(&f->inode->data_lock);
    return rc;
}

static ks_rc take_and_tell(struct survey_hand *h, struct survey_file *f, uint64_t first,
                           size_t *count)
{
    ks_rc rc = take_round(h, f, first, count);

    tell_blocks(h, f);
    return rc;
}

static ks_rc take_blocks(struct survey_hand *h, const struct survey_part *p)
{
    struct io *io = h->all->conf->io;
    uint64_t first = p->first, at;

    while (first < p->end) {
        ks_rc rc = io->ops->seek(io, p->f->file, block_offset(first), IO_SEEK_DATA, &at);
        if (ks_is_os(rc, ENXIO))
            return KS_SUCCESS;
        TRY(rc);
        uint64_t next = at / BLOCK_BYTES - 1;
        next = next < p->end ? next : p->end;
        h->s.holes += next > first ? next - first : 0;
        first = next > first ? next : first;
        uint64_t left = p->end - first;
        size_t count = left < SURVEY_ROUND_BLOCKS ? (size_t)left : SURVEY_ROUND_BLOCKS;
        if (count > 0)
            TRY(take_and_tell(h, p->f, first, &count));
        if (count == 0)
            return KS_SUCCESS;
        first += count;
        TRY(survey_progress(h->all, count * BLOCK_BYTES));
    }
    return KS_SUCCESS;
}

/* --- a file's beginning --- */

/* *ret_damage tells what is wrong with it. */
static ks_rc look_at_header(struct survey_hand *h, struct survey_file *f, enum page_kind *ret_kind,
                            ks_rc *ret_damage)
{
    const struct survey_conf *conf = h->all->conf;
    uint8_t page[BLOCK_BYTES];
    struct file_header header;
    size_t len;

    TRY(conf->io->ops->pread(conf->io, f->file, page, BLOCK_BYTES, 0, &len));
    memset(page + len, 0, BLOCK_BYTES - len);
    ks_rc rc = header_parse(page, view_of(NULL, 0), ret_kind, &header);
    if (ks_ok(rc) && *ret_kind == PAGE_WRITTEN &&
        (memcmp(header.volume_id, conf->volume_id, BLOCK_ID_BYTES) != 0 ||
         header.payload != conf->block_payload))
        rc = ks_fail(KS_E_FOREIGN, "the file belongs to another volume");
    if (ks_ok(rc) && f->st.st_size % BLOCK_BYTES != 0)
        rc = ks_fail(KS_E_CORRUPT, "the backing file is not made of whole pages");
    *ret_damage = rc;
    return KS_SUCCESS;
}

/* Not in the middle of a write that makes the file longer: what is there of it by then need not be whole pages. */
static ks_rc look_alone(struct survey_hand *h, struct survey_file *f, enum page_kind *ret_kind,
                        ks_rc *ret_damage)
{
    struct io *io = h->all->conf->io;

    pthread_rwlock_rdlock(&f->inode->data_lock);
    ks_rc rc = io->ops->file_stat(io, f->file, &f->st);
    if (ks_ok(rc) && f->st.st_size > 0)
        rc = look_at_header(h, f, ret_kind, ret_damage);
    pthread_rwlock_unlock(&f->inode->data_lock);
    return rc;
}

/* A file that is damaged already has no blocks. */
static ks_rc check_beginning(struct survey_hand *h, struct survey_file *f, bool *ret_has_blocks)
{
    enum page_kind kind = PAGE_ZERO;
    ks_rc damage = KS_SUCCESS;

    *ret_has_blocks = false;
    if (f->inode)
        TRY(look_alone(h, f, &kind, &damage));
    else if (f->st.st_size > 0)
        TRY(look_at_header(h, f, &kind, &damage));
    if (!ks_ok(damage)) {
        file_damaged(h, f, damage); /* told without the lock: who is told may not listen */
        return KS_SUCCESS;
    }
    *ret_has_blocks = f->st.st_size > 0;
    f->is_unfinished = *ret_has_blocks && kind == PAGE_ZERO;
    h->s.files_unfinished += f->is_unfinished;
    if (f->is_unfinished)
        survey_unfinished(h->all, f->path);
    return KS_SUCCESS;
}

static ks_rc enter_and_load(struct volume *v, struct inode *i)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    return inode_load(v, i);
}

/* With keys the header's MAC is checked too, by loading the file as any reader would. */
static ks_rc load_inode(struct survey_hand *h, struct survey_file *f, bool *ret_is_sound)
{
    ks_rc rc = enter_and_load(h->all->conf->volume, f->inode);

    *ret_is_sound = rc.cls != KS_CLASS_CORRUPT;
    if (*ret_is_sound)
        return rc;
    file_damaged(h, f, rc);
    return KS_SUCCESS;
}

/* The parts behind the first one become jobs of their own. */
static ks_rc split(struct survey_hand *h, struct survey_part *p)
{
    uint64_t end = p->end;

    if (!h->all->crew)
        return KS_SUCCESS;
    if (end > p->first + SURVEY_PART_BLOCKS)
        p->end = p->first + SURVEY_PART_BLOCKS;
    for (uint64_t first = p->end; first < end; first += SURVEY_PART_BLOCKS) {
        struct survey_part *more;
        TRY(mem_new(1, sizeof *more, &more));
        *more = (struct survey_part){p->f, first, end};
        if (end > first + SURVEY_PART_BLOCKS)
            more->end = first + SURVEY_PART_BLOCKS;
        atomic_fetch_add(&p->f->parts, 1);
        TRY(crew_put_more(h->all->crew, more));
    }
    return KS_SUCCESS;
}

static ks_rc open_file(struct survey_hand *h, struct survey_file *f)
{
    const struct survey_conf *conf = h->all->conf;
    struct io_node *node = TAKE(f->node);

    h->s.files++;
    ks_rc rc = conf->io->ops->open(conf->io, node, true, &f->file);
    if (!ks_ok(rc) || !conf->volume) {
        conf->io->ops->node_close(conf->io, node);
        return rc;
    }
    return inode_get(conf->volume, node, &f->st, &f->inode);
}

static ks_rc begin(struct survey_hand *h, struct survey_part *p)
{
    struct survey_file *f = p->f;
    bool has_blocks, is_sound = true;

    TRY(open_file(h, f));
    TRY(check_beginning(h, f, &has_blocks));
    if (f->inode)
        TRY(survey_attributes(h, f->path, f->inode->node));
    if (has_blocks && f->inode && !f->is_unfinished)
        TRY(load_inode(h, f, &is_sound));
    if (has_blocks && is_sound)
        p->end = (uint64_t)f->st.st_size / BLOCK_BYTES - 1;
    return split(h, p);
}

/* --- parts --- */

static void file_free(const struct survey_conf *conf, struct survey_file *f)
{
    if (f->inode)
        volume_forget(conf->volume, f->inode, 1);
    if (f->file)
        conf->io->ops->close(conf->io, f->file);
    if (f->node)
        conf->io->ops->node_close(conf->io, f->node);
    mem_free(f->path);
    mem_free(f);
}

/* count: who counts the file when this was its last part; NULL: nobody. */
static void part_free(const struct survey_conf *conf, struct survey *count, struct survey_part *p)
{
    if (atomic_fetch_sub(&p->f->parts, 1) == 1) {
        if (count)
            count->files_damaged += atomic_load(&p->f->is_damaged);
        file_free(conf, p->f);
    }
    mem_free(p);
}

void survey_part_drop(const struct survey_conf *conf, struct survey_part *p)
{
    part_free(conf, NULL, p);
}

ks_rc survey_part_take(struct survey_hand *h, struct survey_part *p)
{
    ks_rc rc = KS_SUCCESS;

    if (p->end == 0)
        rc = begin(h, p);
    if (ks_ok(rc))
        rc = take_blocks(h, p);
    part_free(h->all->conf, &h->s, p);
    return rc;
}
