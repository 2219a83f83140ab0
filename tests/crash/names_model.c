/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/names_model.c - the model of a tree, and the steps.
 */
#include "names_model.h"

#include <fcntl.h>
#include <stdio.h>

#include "io/crash.h"

/* Longer than fits in place: records in long/. */
#define LONG_A                                                                                     \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_B "b" LONG_A

/* --- the model --- */

static struct snapshot *now(struct world *w)
{
    return &w->snapshots[w->snapshot_count - 1];
}

static uint64_t bit(size_t object)
{
    return (uint64_t)1 << object;
}

/* The tree of the step under way, to be changed. */
static struct snapshot *change(struct world *w, uint64_t concerned, uint64_t is_making)
{
    assert_true(w->snapshot_count < SNAPSHOTS_MAX);
    struct snapshot *s = &w->snapshots[w->snapshot_count++];
    *s = s[-1];
    s->time = SIZE_MAX;
    s->concerned = concerned;
    s->is_making = is_making;
    return s;
}

static struct entry *find(struct snapshot *s, size_t dir, const char *name)
{
    for (size_t n = 0; n < s->count; n++)
        if (s->entries[n].dir == dir && strcmp(s->entries[n].name, name) == 0)
            return &s->entries[n];
    return NULL;
}

static void add(struct snapshot *s, size_t dir, const char *name, size_t object)
{
    assert_true(s->count < ENTRIES_MAX);
    s->entries[s->count++] = (struct entry){dir, object, name};
}

static void drop(struct snapshot *s, struct entry *e)
{
    *e = s->entries[--s->count];
}

static bool is_empty(const struct snapshot *s, size_t dir)
{
    for (size_t n = 0; n < s->count; n++)
        if (s->entries[n].dir == dir)
            return false;
    return true;
}

/* A place in the tree as it is now: "a" or "d/a". */
struct place {
    size_t dir, object; /* object NONE: nothing has that name */
    const char *name;
};

static bool resolve(struct world *w, const char *path, struct place *ret)
{
    const char *slash = strchr(path, '/');

    *ret = (struct place){ROOT, NONE, path};
    if (slash) {
        char first[2] = {path[0], 0};
        const struct entry *dir = find(now(w), ROOT, first);
        if (!dir || !S_ISDIR(w->objects[dir->object].type))
            return false;
        *ret = (struct place){dir->object, NONE, slash + 1};
    }
    const struct entry *e = find(now(w), ret->dir, ret->name);
    if (e)
        ret->object = e->object;
    return true;
}

/* "#n" is an object of the start, whatever its name is now; else a path. NONE when there is none. */
static size_t object_of(struct world *w, const char *what)
{
    struct place p;

    if (what[0] == '#')
        return (size_t)(what[1] - '0');
    return resolve(w, what, &p) ? p.object : NONE;
}

static size_t file_of(struct world *w, const char *what)
{
    size_t object = object_of(w, what);

    return object != NONE && S_ISREG(w->objects[object].type) ? object : NONE;
}

static size_t object_new(struct world *w, mode_t type)
{
    assert_true(w->object_count < OBJECTS_MAX);
    struct object *o = &w->objects[w->object_count];
    o->type = type;
    o->owner = w->who.uid;
    o->target = NULL;
    o->i = NULL;
    o->h = NULL;
    versions_begin(&o->data);
    return w->object_count++;
}

static struct inode *dir_inode(struct world *w, size_t object)
{
    return object == ROOT ? volume_root(w->f->v) : w->objects[object].i;
}

/* --- steps --- */

/* A new object at a free place; false when it is not free. */
static bool make(struct world *w, const struct step *s, mode_t type, struct place *ret_place,
                 struct object **ret)
{
    if (!resolve(w, s->what, ret_place) || ret_place->object != NONE)
        return false;
    size_t object = object_new(w, type);
    struct snapshot *next = change(w, bit(object) | bit(ret_place->dir), bit(object));
    add(next, ret_place->dir, ret_place->name, object);
    next->attrs[object] = (struct attrs){.mode = S_ISDIR(type) ? 0700 : 0600};
    *ret = &w->objects[object];
    return true;
}

static void do_create(struct world *w, const struct step *s)
{
    struct object *o;
    struct place p;
    struct stat st;

    if (make(w, s, S_IFREG, &p, &o))
        check_ok(
            volume_create(w->f->v, dir_inode(w, p.dir), p.name, 0600, &w->who, &o->i, &st, &o->h));
}

static void do_mkdir(struct world *w, const struct step *s)
{
    struct object *o;
    struct place p;
    struct stat st;

    if (make(w, s, S_IFDIR, &p, &o))
        check_ok(volume_mkdir(w->f->v, dir_inode(w, p.dir), p.name, 0700, &w->who, &o->i, &st));
}

static void do_symlink(struct world *w, const struct step *s)
{
    struct object *o;
    struct place p;
    struct stat st;

    if (!make(w, s, S_IFLNK, &p, &o))
        return;
    o->target = s->to;
    check_ok(volume_symlink(w->f->v, dir_inode(w, p.dir), p.name, s->to, &w->who, &o->i, &st));
}

static void do_link(struct world *w, const struct step *s)
{
    struct place from, to;
    struct stat st;

    if (!resolve(w, s->what, &from) || !resolve(w, s->to, &to) || to.object != NONE ||
        from.object == NONE || S_ISDIR(w->objects[from.object].type))
        return;
    add(change(w, bit(from.object) | bit(to.dir), 0), to.dir, to.name, from.object);
    struct inode *i = w->objects[from.object].i;
    check_ok(volume_link(w->f->v, i, dir_inode(w, to.dir), to.name, &st));
    volume_forget(w->f->v, i, 1);
}

static void do_unlink(struct world *w, const struct step *s)
{
    struct place p;

    if (!resolve(w, s->what, &p) || p.object == NONE || S_ISDIR(w->objects[p.object].type))
        return;
    struct snapshot *next = change(w, bit(p.object) | bit(p.dir), 0);
    drop(next, find(next, p.dir, p.name));
    check_ok(volume_unlink(w->f->v, dir_inode(w, p.dir), p.name));
}

static void do_rmdir(struct world *w, const struct step *s)
{
    struct place p;

    if (!resolve(w, s->what, &p) || p.object == NONE || !S_ISDIR(w->objects[p.object].type) ||
        !is_empty(now(w), p.object))
        return;
    struct snapshot *next = change(w, bit(p.object) | bit(p.dir), 0);
    drop(next, find(next, p.dir, p.name));
    check_ok(volume_rmdir(w->f->v, dir_inode(w, p.dir), p.name));
}

/* Whether the rename is one that does something and that is allowed. */
static bool may_rename(struct world *w, const struct place *from, const struct place *to)
{
    if (from->object == NONE || from->object == to->object || from->object == to->dir)
        return false;
    return to->object == NONE ||
           (S_ISREG(w->objects[from->object].type) && S_ISREG(w->objects[to->object].type));
}

static void rename_in_model(struct world *w, const struct place *from, const struct place *to)
{
    uint64_t concerned = bit(from->object) | bit(from->dir) | bit(to->dir);

    if (to->object != NONE)
        concerned |= bit(to->object);
    struct snapshot *next = change(w, concerned, 0);
    if (to->object != NONE)
        drop(next, find(next, to->dir, to->name));
    drop(next, find(next, from->dir, from->name));
    add(next, to->dir, to->name, from->object);
}

void names_do_rename(struct world *w, const struct step *s)
{
    struct place from, to;

    if (!resolve(w, s->what, &from) || !resolve(w, s->to, &to) || !may_rename(w, &from, &to))
        return;
    rename_in_model(w, &from, &to);
    check_ok(volume_rename(w->f->v, dir_inode(w, from.dir), from.name, dir_inode(w, to.dir),
                           to.name, 0));
}

/* What must be seen to be wrong: the target is removed first. */
void names_do_rename_in_two_steps(struct world *w, const struct step *s)
{
    struct place from, to;

    assert_true(resolve(w, s->what, &from) && resolve(w, s->to, &to) && to.object != NONE);
    rename_in_model(w, &from, &to);
    check_ok(volume_unlink(w->f->v, dir_inode(w, to.dir), to.name));
    check_ok(volume_rename(w->f->v, dir_inode(w, from.dir), from.name, dir_inode(w, to.dir),
                           to.name, 0));
}

static void do_exchange(struct world *w, const struct step *s)
{
    struct place a, b;

    if (!resolve(w, s->what, &a) || !resolve(w, s->to, &b) || a.object == NONE ||
        b.object == NONE || a.object == b.object)
        return;
    struct snapshot *next = change(w, bit(a.object) | bit(b.object) | bit(a.dir) | bit(b.dir), 0);
    find(next, a.dir, a.name)->object = b.object;
    find(next, b.dir, b.name)->object = a.object;
    check_ok(volume_rename(w->f->v, dir_inode(w, a.dir), a.name, dir_inode(w, b.dir), b.name,
                           RENAME_EXCHANGE));
}

/* The file, whose contents are about to change and with them its time, in whatever tree they survive; NULL when
 * there is none. */
static struct object *file_to_change(struct world *w, const struct step *s)
{
    size_t object = file_of(w, s->what);

    if (object == NONE)
        return NULL;
    for (size_t n = 0; n < w->snapshot_count; n++)
        w->snapshots[n].attrs[object].mtime = 0;
    return &w->objects[object];
}

void names_do_write(struct world *w, const struct step *s)
{
    struct object *o = file_to_change(w, s);

    if (!o)
        return;
    size_t at = s->at == NONE ? versions_newest(&o->data)->size : s->at;
    const struct version *v = versions_write(&o->data, at, s->len, ++w->filler);
    check_ok(volume_write(w->f->v, handle_inode(o->h), v->bytes + at, s->len, at));
}

static void do_truncate(struct world *w, const struct step *s)
{
    struct object *o = file_to_change(w, s);

    if (!o)
        return;
    versions_resize(&o->data, s->len);
    check_ok(volume_truncate(w->f->v, o->i, s->len));
}

/* fallocate(2): in the model it zeros, makes longer, both or neither. */
static void allocate(struct world *w, const struct step *s, int mode)
{
    struct object *o = file_to_change(w, s);
    size_t end = s->at + s->len;

    if (!o)
        return;
    bool is_zeroing = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    struct version *v = versions_zero(&o->data, s->at, is_zeroing ? s->len : 0);
    if (!(mode & FALLOC_FL_KEEP_SIZE) && v->size < end)
        v->size = end;
    check_ok(volume_fallocate(w->f->v, handle_inode(o->h), mode, s->at, s->len));
}

static void do_allocate(struct world *w, const struct step *s)
{
    allocate(w, s, 0);
}

static void do_preallocate(struct world *w, const struct step *s)
{
    allocate(w, s, FALLOC_FL_KEEP_SIZE);
}

static void do_punch(struct world *w, const struct step *s)
{
    allocate(w, s, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static void do_zero(struct world *w, const struct step *s)
{
    allocate(w, s, FALLOC_FL_ZERO_RANGE);
}

/* The attributes of an object in the tree of the step under way; NULL when there is no such object. */
static struct attrs *attrs_to_change(struct world *w, const struct step *s, struct inode **ret)
{
    size_t object = object_of(w, s->what);

    if (object == NONE || S_ISLNK(w->objects[object].type))
        return NULL;
    *ret = dir_inode(w, object);
    return &change(w, bit(object), 0)->attrs[object];
}

static void do_chmod(struct world *w, const struct step *s)
{
    struct inode *i;
    struct attrs *a = attrs_to_change(w, s, &i);
    struct stat st = {.st_mode = (mode_t)s->at}, got;

    if (!a)
        return;
    a->mode = st.st_mode;
    check_ok(volume_setattr(w->f->v, i, IO_ATTR_MODE, &st, &got));
}

static void do_utimens(struct world *w, const struct step *s)
{
    struct inode *i;
    struct attrs *a = attrs_to_change(w, s, &i);
    struct stat st = {.st_mtim.tv_sec = (time_t)s->at}, got;

    if (!a)
        return;
    a->mtime = st.st_mtim.tv_sec;
    check_ok(volume_setattr(w->f->v, i, IO_ATTR_MTIME, &st, &got));
}

static void do_setxattr(struct world *w, const struct step *s)
{
    struct inode *i;
    struct attrs *a = attrs_to_change(w, s, &i);

    if (!a)
        return;
    a->note = s->to;
    check_ok(volume_setxattr(w->f->v, i, "user.note", view_text(s->to), 0));
}

/* Everything up to the newest change that the sync concerns is durable now. */
void names_claim_durable(struct world *w, size_t object, bool is_data_only)
{
    for (size_t n = w->durable + 1; n < w->snapshot_count; n++) {
        const struct snapshot *s = &w->snapshots[n];
        if ((is_data_only ? s->is_making : s->concerned) & bit(object))
            w->durable = n;
    }
}

static void sync_file(struct world *w, const char *what, bool is_data_only)
{
    size_t object = file_of(w, what);

    if (object == NONE)
        return;
    check_ok(volume_fsync(w->f->v, handle_inode(w->objects[object].h), is_data_only));
    versions_synced(&w->objects[object].data);
    names_claim_durable(w, object, is_data_only);
}

static void do_fsync(struct world *w, const struct step *s)
{
    sync_file(w, s->what, false);
}

static void do_fdatasync(struct world *w, const struct step *s)
{
    sync_file(w, s->what, true);
}

static void do_fsync_dir(struct world *w, const struct step *s)
{
    size_t object = s->what[0] ? object_of(w, s->what) : ROOT;
    struct handle *h;

    if (object == NONE || !S_ISDIR(w->objects[object].type))
        return;
    check_ok(volume_opendir(w->f->v, dir_inode(w, object), &h));
    check_ok(volume_fsyncdir(w->f->v, h));
    volume_close(w->f->v, h);
    names_claim_durable(w, object, false);
}

const struct step names_steps[] = {
    {"create n", do_create, "n"},
    {"create long", do_create, LONG_B},
    {"create d/n", do_create, "d/n"},
    {"write n", names_do_write, "n", NULL, 0, 300},
    {"write A", names_do_write, "#2", NULL, 1000, 4096},
    {"append A", names_do_write, "#2", NULL, NONE, 5000},
    {"append B", names_do_write, "#3", NULL, NONE, 200},
    {"cut A", do_truncate, "#2", NULL, 0, 100},
    {"empty A", do_truncate, "#2", NULL, 0, 0},
    {"extend B", do_truncate, "#3", NULL, 0, 4500},
    {"allocate B", do_allocate, "#3", NULL, 0, 9000},
    {"preallocate A", do_preallocate, "#2", NULL, 2000, 14000},
    {"punch A", do_punch, "#2", NULL, 500, 4000},
    {"zero A", do_zero, "#2", NULL, 500, 6000},
    {"chmod A", do_chmod, "#2", NULL, 0640, 0},
    {"chmod d", do_chmod, "d", NULL, 0750, 0},
    {"utimens A", do_utimens, "#2", NULL, 1000000000, 0},
    {"setxattr A", do_setxattr, "#2", "a note"},
    {"rename a n", names_do_rename, "a", "n"},
    {"rename a b", names_do_rename, "a", "b"},
    {"rename b a", names_do_rename, "b", "a"},
    {"rename n a", names_do_rename, "n", "a"},
    {"rename a long", names_do_rename, "a", LONG_A},
    {"rename long longer", names_do_rename, LONG_A, LONG_B},
    {"rename a d/c", names_do_rename, "a", "d/c"},
    {"rename d/c c", names_do_rename, "d/c", "c"},
    {"rename d e", names_do_rename, "d", "e"},
    {"exchange a b", do_exchange, "a", "b"},
    {"exchange a d", do_exchange, "a", "d"},
    {"link a n", do_link, "a", "n"},
    {"link long d/n", do_link, LONG_A, "d/n"},
    {"unlink a", do_unlink, "a"},
    {"unlink b", do_unlink, "b"},
    {"unlink d/c", do_unlink, "d/c"},
    {"mkdir e", do_mkdir, "e"},
    {"rmdir d", do_rmdir, "d"},
    {"rmdir e", do_rmdir, "e"},
    {"symlink s", do_symlink, "s", "target"},
    {"fsync A", do_fsync, "#2"},
    {"fsync B", do_fsync, "#3"},
    {"fsync n", do_fsync, "n"},
    {"fdatasync A", do_fdatasync, "#2"},
    {"fdatasync n", do_fdatasync, "n"},
    {"fsync dir", do_fsync_dir, ""},
    {"fsync dir d", do_fsync_dir, "d"},
};

const size_t names_step_count = sizeof names_steps / sizeof *names_steps;

/* --- the volume at the start --- */

static void add_file(struct world *w, size_t dir, const char *name, size_t size)
{
    size_t object = object_new(w, S_IFREG);
    struct object *o = &w->objects[object];
    struct stat st;

    check_ok(volume_create(w->f->v, dir_inode(w, dir), name, 0600, &w->who, &o->i, &st, &o->h));
    const struct version *v = versions_write(&o->data, 0, size, ++w->filler);
    check_ok(volume_write(w->f->v, handle_inode(o->h), v->bytes, size, 0));
    versions_synced(&o->data);
    now(w)->attrs[object] = (struct attrs){.mode = 0600};
    add(now(w), dir, name, object);
}

void names_begin(struct world *w)
{
    struct io_node *root;
    struct stat st;

    w->object_count = w->durable = 0;
    w->snapshot_count = 1;
    w->snapshots[0].count = 0;
    w->filler = 0;
    w->steps[0] = 0;
    check_ok(crash_new(&w->io));
    check_ok(fixture_layout(w->io, "/"));
    check_ok(fixture_open(w->io, "/", w->keys, &w->f));
    assert_int_equal(object_new(w, S_IFDIR), ROOT);
    assert_int_equal(object_new(w, S_IFDIR), DIR_D);
    check_ok(
        volume_mkdir(w->f->v, volume_root(w->f->v), "d", 0700, &w->who, &w->objects[DIR_D].i, &st));
    now(w)->attrs[DIR_D] = (struct attrs){.mode = 0700};
    add(now(w), ROOT, "d", DIR_D);
    add_file(w, ROOT, "a", 5000);
    add_file(w, ROOT, "b", 100);
    add_file(w, ROOT, LONG_A, 3584);
    add_file(w, DIR_D, "c", 10);
    assert_int_equal(w->object_count, FIRST_NEW);
    check_ok(w->io->ops->open_root(w->io, "/", &root));
    check_ok(w->io->ops->sync_all(w->io, root));
    w->io->ops->node_close(w->io, root);
    w->snapshots[0].time = crash_time(w->io);
    for (size_t n = 0; n < w->object_count; n++)
        versions_done(&w->objects[n].data, crash_time(w->io));
}

void names_end(struct world *w)
{
    for (size_t n = 0; n < w->object_count; n++) {
        struct object *o = &w->objects[n];
        if (o->h)
            volume_close(w->f->v, o->h);
        if (o->i)
            volume_forget(w->f->v, o->i, 1);
    }
    fixture_close(w->f);
    crash_free(w->io);
}

/* Whether the newest version or tree is one that the step under way made. */
bool names_step_done(struct world *w)
{
    size_t time = crash_time(w->io);
    bool has = now(w)->time == SIZE_MAX;

    if (has)
        now(w)->time = time;
    for (size_t n = 0; n < w->object_count; n++) {
        struct version *v = versions_newest(&w->objects[n].data);
        has |= v->time == SIZE_MAX;
        if (v->time == SIZE_MAX)
            v->time = time;
    }
    return has;
}
