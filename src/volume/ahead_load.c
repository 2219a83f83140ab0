/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/ahead_load.c - loading files before they are asked for: ahead.h says whether, ahead_names.h which.
 *
 * A file that is loaded ahead is an inode like every other, with one reference of ours until it is asked for or nobody is
 * interested any more; so there is nothing that could be out of date. Only what is not known yet is loaded: a file that
 * somebody may be removing has been asked for before. All that is read in one batch is on its way from the disk at once.
 *
 * volume.ahead_run belongs to the one thread that calls volume_look_ahead. Failures are silent, but for damage: that is alerted
 * when it is found.
 */
#include "base/mem.h"
#include "volume/volume_int.h"

enum {
    BATCH = 32,
    LISTED_AT_ONCE = 4096, /* entries; between, a lock may come */
    HELD_MAX = 2 * AHEAD_MOST,
    WHOLE_BYTES =
        8 *
        BLOCK_BYTES, /* so much is read in one go; of longer files the first page and the last */
};

/* --- what is held --- */

static void drop_held(struct volume *v)
{
    struct inode *i;

    while ((i = table_take_held(v, 0)))
        volume_forget(v, i, 1);
}

/* --- those who ask --- */

/* With ahead_mutex held. Whether the thread that loads has something to do and does not know. */
static bool must_wake(struct volume *v)
{
    bool is_new = v->ahead_chosen || v->ahead.dir != v->ahead_served;
    bool is_ready = !v->is_ahead_spent || v->ahead.is_moved;

    if (v->is_ahead_running || !(is_new || (is_ready && ahead_is_due(&v->ahead))))
        return false;
    v->is_ahead_running = true;
    return true;
}

static void note(struct volume *v, struct inode *dir, struct inode *i, bool is_hit)
{
    struct inode *other = NULL;

    pthread_mutex_lock(&v->ahead_mutex);
    v->ahead_events++;
    if (is_hit) {
        ahead_hit(&v->ahead, dir, i->ino);
    } else if (ahead_cold(&v->ahead, dir, i->ino)) {
        other = v->ahead_chosen;
        v->ahead_chosen = dir;
        inode_ref(v, dir);
    }
    bool is_waking = must_wake(v);
    pthread_mutex_unlock(&v->ahead_mutex);
    if (other)
        volume_forget(v, other, 1);
    if (is_waking)
        v->conf.want_ahead(v->conf.want_ahead_arg);
}

void inode_note_lookup(struct volume *v, struct inode *dir, struct inode *i, const struct stat *st)
{
    if (!v->conf.want_ahead || !S_ISREG(st->st_mode) || st->st_size == 0)
        return;
    if (atomic_exchange(&i->is_ahead, false)) {
        table_unhold(v, i);
        note(v, dir, i, true);
    } else if (!atomic_load(&i->is_loaded)) {
        note(v, dir, i, false);
    }
}

/* --- loading --- */

struct loading {
    struct inode *i;
    struct io_file *file;
};

static void tell_disk(struct volume *v, struct io_file *file, uint64_t size)
{
    struct io *io = v->conf.io;

    if (size <= WHOLE_BYTES) {
        io->ops->will_read(io, file, (size_t)size, 0);
        return;
    }
    io->ops->will_read(io, file, BLOCK_BYTES, 0);
    io->ops->will_read(io, file, BLOCK_BYTES, (size - 1) / BLOCK_BYTES * BLOCK_BYTES);
}

static ks_rc begin_node(struct volume *v, struct io_node *node, const struct stat *st,
                        struct loading *ret)
{
    struct loading l;

    if (!S_ISREG(st->st_mode) || st->st_size == 0) {
        v->conf.io->ops->node_close(v->conf.io, node);
        return ks_os(ENOENT);
    }
    TRY(inode_get_ahead(v, node, st, &l.i));
    ks_rc rc = inode_use(v, l.i, &l.file);
    if (!ks_ok(rc)) {
        volume_forget(v, l.i, 1);
        return rc;
    }
    tell_disk(v, l.file, (uint64_t)st->st_size);
    *ret = l;
    return KS_SUCCESS;
}

static ks_rc begin_one(struct volume *v, struct inode *dir, const char *name, struct loading *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    struct io_node *node;
    struct stat st;

    TRY(v->conf.io->ops->lookup(v->conf.io, dir->node, name, &node, &st));
    return begin_node(v, node, &st, ret);
}

static ks_rc load_one(struct volume *v, struct inode *i)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    return inode_load(v, i);
}

/* It may have been removed since its name was looked up, and the kernel have forgotten it: then nobody will ask for it. */
static bool is_removed(struct volume *v, struct inode *i)
{
    struct stat st;

    return !ks_ok(v->conf.io->ops->stat(v->conf.io, i->node, &st)) || st.st_nlink == 0;
}

static void finish_one(struct volume *v, const struct loading *l)
{
    struct inode *oldest;
    ks_rc rc = load_one(v, l->i);

    inode_unuse(v, l->i);
    if (!ks_ok(rc) || is_removed(v, l->i) || !table_hold(v, l->i)) {
        atomic_store(&l->i->is_ahead, false);
        volume_forget(v, l->i, 1);
    }
    if ((oldest = table_take_held(v, HELD_MAX)))
        volume_forget(v, oldest, 1);
}

/* begin_batch(v, all, count): count, or as many as there are names left. */
static unsigned begin_batch(struct volume *v, struct loading *all, unsigned count)
{
    struct ahead_run *run = &v->ahead_run;
    const char *name;
    unsigned begun = 0;
    uint64_t ino;

    while (begun < count && (name = ahead_names_next(&run->names, &ino))) {
        run->may_list = true;
        if (!inode_is_known(v, run->dir->dev, ino) &&
            ks_ok(begin_one(v, run->dir, name, &all[begun])))
            begun++;
    }
    return begun;
}

static void load_batch(struct volume *v, unsigned count)
{
    struct loading all[BATCH];
    unsigned begun = begin_batch(v, all, count);

    for (unsigned n = 0; n < begun; n++)
        finish_one(v, &all[n]);
    pthread_mutex_lock(&v->ahead_mutex);
    ahead_give_back(&v->ahead, count - begun);
    v->ahead_events++;
    pthread_mutex_unlock(&v->ahead_mutex);
}

/* --- the directory --- */

static void close_stream(struct volume *v)
{
    struct io_dir *stream = TAKE(v->ahead_run.stream);

    if (stream)
        v->conf.io->ops->dir_close(v->conf.io, stream);
}

static ks_rc list_one(struct volume *v, bool *ret_is_end)
{
    struct ahead_run *run = &v->ahead_run;
    struct io *io = v->conf.io;
    struct io_dirent e;

    TRY(io->ops->dir_next(io, run->stream, &e));
    *ret_is_end = e.name[0] == 0;
    run->listed++;
    bool is_file = e.type == S_IFREG || e.type == 0;
    return *ret_is_end || !is_file ? KS_SUCCESS : ahead_names_add(&run->names, e.ino, e.name);
}

/* list(v, entries): goes on with listing for a while, until so many were listed in all. */
static ks_rc list(struct volume *v, uint64_t entries)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    struct ahead_run *run = &v->ahead_run;
    uint64_t now = run->listed + LISTED_AT_ONCE, stop = now < entries ? now : entries;
    bool is_end = false;

    if (!run->stream)
        TRY(v->conf.io->ops->dir_open(v->conf.io, run->dir->node, &run->stream));
    while (!is_end && run->listed < stop)
        TRY(list_one(v, &is_end));
    if (!is_end)
        return KS_SUCCESS;
    close_stream(v);
    ahead_names_sort(&run->names);
    run->is_listed = true;
    return KS_SUCCESS;
}

/* --- the run through it --- */

static void run_end(struct volume *v)
{
    struct ahead_run *run = &v->ahead_run;

    close_stream(v);
    ahead_names_done(&run->names);
    if (run->dir)
        volume_forget(v, run->dir, 1);
    *run = (struct ahead_run){0};
}

static void run_list_anew(struct ahead_run *run, uint64_t from)
{
    ahead_names_begin(&run->names, from);
    run->is_listed = run->may_list = false;
}

/* What the others want, at one moment. */
struct orders {
    struct inode *chosen; /* referenced */
    bool is_over;         /* with the directory that the thread is at */
    struct ahead now;
};

static struct orders take_orders(struct volume *v)
{
    pthread_mutex_lock(&v->ahead_mutex);
    struct orders o = {
        .chosen = TAKE(v->ahead_chosen),
        .is_over = v->ahead_run.dir && v->ahead.dir != v->ahead_run.dir,
        .now = v->ahead,
    };
    pthread_mutex_unlock(&v->ahead_mutex);
    return o;
}

static void follow(struct volume *v, const struct orders *o)
{
    if (!o->chosen && !o->is_over)
        return;
    run_end(v);
    drop_held(v);
    if (!o->chosen)
        return;
    v->ahead_run.dir = o->chosen;
    run_list_anew(&v->ahead_run, o->now.last);
}

static bool is_crowded(struct volume *v)
{
    return v->conf.objects_max && volume_inode_count(v) + 2 * HELD_MAX > v->conf.objects_max;
}

/* take(v): where to go on, and how many may be loaded now. */
static unsigned take(struct volume *v)
{
    struct ahead_run *run = &v->ahead_run;
    unsigned count = 0;

    pthread_mutex_lock(&v->ahead_mutex);
    if (v->ahead.dir == run->dir && !is_crowded(v)) {
        if (ahead_begin(&v->ahead)) {
            ahead_names_seek(&run->names, v->ahead.last, v->ahead.is_down);
            run->may_list = true;
        }
        count = ahead_take(&v->ahead, BATCH);
    }
    pthread_mutex_unlock(&v->ahead_mutex);
    return count;
}

static bool has_names(const struct ahead_run *run)
{
    return run->names.at < run->names.count;
}

/* What was left out of a long list is around the place that was asked for last, unless nothing of this list was of use there. */
static void load_some(struct volume *v, uint64_t last)
{
    struct ahead_run *run = &v->ahead_run;

    load_batch(v, take(v));
    if (!has_names(run) && run->names.is_cut && run->may_list)
        run_list_anew(run, last);
}

static void fail(struct volume *v)
{
    pthread_mutex_lock(&v->ahead_mutex);
    ahead_end(&v->ahead);
    pthread_mutex_unlock(&v->ahead_mutex);
    run_end(v);
    drop_held(v);
}

/* step(v): a batch, or some of the list. */
static void step(struct volume *v)
{
    struct orders o = take_orders(v);
    struct ahead_run *run = &v->ahead_run;

    follow(v, &o);
    if (!run->dir)
        return;
    if (atomic_load(&v->door) != VOLUME_OPEN || is_crowded(v) ||
        (!run->is_listed && !ks_ok(list(v, ahead_entries(&o.now)))))
        fail(v);
    if (run->is_listed)
        load_some(v, o.now.last);
}

/* has_work(v): with ahead_mutex held. */
static bool has_work(const struct volume *v)
{
    const struct ahead_run *run = &v->ahead_run;
    const struct ahead *a = &v->ahead;

    if (v->ahead_chosen || a->dir != run->dir)
        return v->ahead_chosen || run->dir;
    if (!run->dir || !run->is_listed)
        return ahead_entries(a) > run->listed;
    return ahead_is_due(a) && (has_names(run) || a->is_moved);
}

/* is_done(v): nothing to do until somebody asks for the next file, who then wakes the thread. */
static bool is_done(struct volume *v)
{
    pthread_mutex_lock(&v->ahead_mutex);
    v->ahead_served = v->ahead_run.dir;
    v->is_ahead_spent = v->ahead_run.is_listed && !has_names(&v->ahead_run);
    v->is_ahead_running = has_work(v) && !is_crowded(v);
    bool is_done = !v->is_ahead_running;
    pthread_mutex_unlock(&v->ahead_mutex);
    return is_done;
}

void ahead_stop(struct volume *v)
{
    pthread_mutex_lock(&v->ahead_mutex);
    ahead_end(&v->ahead);
    bool is_waking = must_wake(v);
    pthread_mutex_unlock(&v->ahead_mutex);
    drop_held(v);
    if (is_waking)
        v->conf.want_ahead(v->conf.want_ahead_arg);
}

void ahead_rest(struct volume *v)
{
    pthread_mutex_lock(&v->ahead_mutex);
    bool is_idle = v->ahead_events == v->ahead_events_seen;
    v->ahead_events_seen = v->ahead_events;
    pthread_mutex_unlock(&v->ahead_mutex);
    if (is_idle)
        ahead_stop(v);
}

void ahead_done(struct volume *v)
{
    close_stream(v);
    ahead_names_done(&v->ahead_run.names);
}

void volume_look_ahead(struct volume *v)
{
    do
        step(v);
    while (!is_done(v));
}
