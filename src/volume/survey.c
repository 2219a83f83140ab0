/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/survey.c - walking a whole backing tree, and handing its files to whoever looks at them.
 *
 * One thread walks, names are decrypted there; the files are looked at by a crew. What each thread found is its own
 * and is added up at the end.
 */
#include "volume/survey.h"

#include "base/mem.h"
#include "volume/survey_int.h"
#include "volume/walk.h"

enum { PATH_MAX_BYTES = 64 * 1024 };

struct walk {
    struct surveying *all;
    struct survey_hand *hand; /* of the walk itself */
    struct buf path;          /* of the object at hand, "/a/b" */
};

void survey_damaged(struct surveying *all, const char *path, uint64_t block, const char *what)
{
    if (!all->conf->damaged)
        return;
    pthread_mutex_lock(&all->tell);
    all->conf->damaged(all->conf->arg, path[0] ? path : "/", block, what);
    pthread_mutex_unlock(&all->tell);
}

void survey_unfinished(struct surveying *all, const char *path)
{
    if (!all->conf->unfinished)
        return;
    pthread_mutex_lock(&all->tell);
    all->conf->unfinished(all->conf->arg, path);
    pthread_mutex_unlock(&all->tell);
}

/* A walk of nothing but what has no bytes tells, too: it may be as long, and whoever wants it to stop waits for that. */
static bool is_due(struct surveying *all, uint64_t bytes)
{
    uint64_t before = all->bytes_seen >> 20;

    if (bytes == 0)
        return ++all->looks % SURVEY_LOOKS == 0;
    all->bytes_seen += bytes;
    return before != all->bytes_seen >> 20;
}

ks_rc survey_progress(struct surveying *all, uint64_t bytes)
{
    bool is_wanted = true;

    pthread_mutex_lock(&all->tell);
    if (is_due(all, bytes) && all->conf->progress)
        is_wanted = all->conf->progress(all->conf->arg, all->bytes_seen);
    pthread_mutex_unlock(&all->tell);
    ENSURE(is_wanted, KS_E_BUSY, "interrupted");
    return KS_SUCCESS;
}

ks_rc survey_count(struct survey *s, uint32_t generation, uint64_t blocks)
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
    s->generations[n].blocks += blocks;
    s->generations[n].bytes += blocks * BLOCK_BYTES;
    return KS_SUCCESS;
}

/* --- the walk --- */

static void drop_part(void *arg, void *job)
{
    struct surveying *all = arg;

    survey_part_drop(all->conf, job);
}

static ks_rc take_part(void *arg, unsigned worker, void *job)
{
    struct surveying *all = arg;

    return survey_part_take(&all->hands[worker], job);
}

/* Takes node over. */
static ks_rc new_part(struct walk *w, struct io_node *node, const struct stat *st,
                      struct survey_part **ret)
{
    const struct survey_conf *conf = w->all->conf;
    CLEANUP(mem_freep) struct survey_file *f = NULL;
    CLEANUP(mem_freep) struct survey_part *p = NULL;
    ks_rc rc = mem_new(1, sizeof *f, &f);

    if (ks_ok(rc))
        rc = mem_new(1, sizeof *p, &p);
    if (ks_ok(rc))
        rc = mem_text(buf_text(&w->path), &f->path);
    if (!ks_ok(rc)) {
        conf->io->ops->node_close(conf->io, node);
        return rc;
    }
    f->node = node;
    f->st = *st;
    atomic_store(&f->parts, 1);
    p->f = TAKE(f);
    *ret = TAKE(p);
    return KS_SUCCESS;
}

static ks_rc walk_file(void *arg, struct io_node *node, const struct stat *st)
{
    struct walk *w = arg;
    struct survey_part *p;

    TRY(new_part(w, node, st, &p));
    return w->all->crew ? crew_put(w->all->crew, p) : survey_part_take(w->hand, p);
}

static ks_rc open_name(struct volume *v, const char *sealed, struct buf *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    return names_open(v->names, NAME_ENTRY, sealed, ret);
}

/* Appends the entry's name, in clear where there are keys. */
static ks_rc push_name(struct walk *w, const char *sealed)
{
    struct volume *v = w->all->conf->volume;
    CLEANUP(buf_done) struct buf plain = buf_init(NAME_PLAIN_MAX);

    TRY(buf_append(&w->path, view_text("/")));
    if (!v)
        return buf_append(&w->path, view_text(sealed));
    ks_rc rc = open_name(v, sealed, &plain);
    if (ks_ok(rc))
        return buf_append(&w->path, buf_view(&plain));
    if (rc.cls != KS_CLASS_CORRUPT)
        return rc;
    TRY(buf_append(&w->path, view_text(sealed)));
    w->hand->s.names_damaged++;
    survey_damaged(w->all, buf_text(&w->path), UINT64_MAX, ks_text(rc));
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

    TRY(survey_progress(w->all, 0));
    ks_rc rc = push_name(w, sealed);
    if (!ks_ok(rc))
        leave(w);
    return rc;
}

static ks_rc other(void *arg, struct io_node *node, const struct stat *st)
{
    struct walk *w = arg;

    w->hand->s.directories += S_ISDIR(st->st_mode);
    w->hand->s.other += !S_ISDIR(st->st_mode);
    if (S_ISLNK(st->st_mode))
        return survey_target(w->hand, buf_text(&w->path), node);
    return survey_attributes(w->hand, buf_text(&w->path), node);
}

static const struct walk_visitor visitor = {enter, leave, walk_file, other, NULL};

static ks_rc walk(struct surveying *all)
{
    struct walk w = {all, &all->hands[all->hand_count - 1], buf_init(PATH_MAX_BYTES)};
    ks_rc rc = survey_records(w.hand);

    if (ks_ok(rc))
        rc = survey_attributes(w.hand, "/", all->conf->tree);
    if (ks_ok(rc))
        rc = walk_tree(all->conf->io, all->conf->tree, &visitor, &w);
    buf_done(&w.path);
    return rc;
}

/* --- many hands --- */

static void surveying_done(struct surveying *all)
{
    for (unsigned n = 0; n < all->hand_count; n++) {
        survey_done(&all->hands[n].s);
        mem_free(all->hands[n].pages);
    }
    mem_free(all->hands);
    pthread_mutex_destroy(&all->tell);
}

static ks_rc make_hands(struct surveying *all, unsigned threads)
{
    TRY(mem_new(threads + 1, sizeof *all->hands, &all->hands));
    for (unsigned n = 0; n <= threads; n++) {
        all->hands[n].all = all;
        TRY(mem_new(SURVEY_ROUND_BLOCKS, BLOCK_BYTES, &all->hands[n].pages));
        all->hand_count++;
    }
    return KS_SUCCESS;
}

static ks_rc walk_with_crew(struct surveying *all, unsigned threads)
{
    struct crew_conf conf = {threads, take_part, drop_part, all};

    TRY(crew_new(&conf, &all->crew));
    ks_rc rc = walk(all);
    ks_rc worked = crew_end(all->crew, !ks_ok(rc));
    /* A walk that was ended by the crew tells what the crew says. */
    return ks_ok(worked) ? rc : worked;
}

static ks_rc add_up(const struct surveying *all, struct survey *ret)
{
    ks_rc rc = KS_SUCCESS;

    for (unsigned n = 0; n < all->hand_count; n++) {
        const struct survey *s = &all->hands[n].s;
        ret->files += s->files;
        ret->directories += s->directories;
        ret->other += s->other;
        ret->blocks += s->blocks;
        ret->holes += s->holes;
        ret->files_damaged += s->files_damaged;
        ret->blocks_damaged += s->blocks_damaged;
        ret->names_damaged += s->names_damaged;
        ret->targets_damaged += s->targets_damaged;
        ret->attributes_damaged += s->attributes_damaged;
        ret->records_damaged += s->records_damaged;
        ret->files_unfinished += s->files_unfinished;
        ret->blocks_unfinished += s->blocks_unfinished;
        for (size_t g = 0; g < s->generation_count && ks_ok(rc); g++)
            rc = survey_count(ret, s->generations[g].generation, s->generations[g].blocks);
    }
    return rc;
}

/* A count without keys waits for the disk, and for little else. */
static unsigned threads_of(const struct survey_conf *conf)
{
    if (conf->threads)
        return conf->threads < CREW_THREADS_MAX ? conf->threads : CREW_THREADS_MAX;
    return conf->volume ? crew_threads_default() : 1;
}

ks_rc survey_run(const struct survey_conf *conf, struct survey *ret)
{
    CLEANUP(surveying_done) struct surveying all = {.conf = conf};
    struct survey s = {.directories = 1};
    unsigned threads = threads_of(conf);

    pthread_mutex_init(&all.tell, NULL);
    TRY(make_hands(&all, threads));
    TRY(threads > 1 ? walk_with_crew(&all, threads) : walk(&all));
    s.bytes_seen = all.bytes_seen;
    ks_rc rc = add_up(&all, &s);
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

bool survey_is_sound(const struct survey *s)
{
    return s->files_damaged == 0 && s->blocks_damaged == 0 && s->names_damaged == 0 &&
           s->targets_damaged == 0 && s->attributes_damaged == 0 && s->records_damaged == 0;
}
