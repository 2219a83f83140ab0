/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a power failure leaves a volume's tree as a journalling file system would leave a plain one. For every
 * pair of operations on names and contents, at every time, for every prefix of pending metadata and subset of
 * pending pages:
 *   - the tree is exactly the tree after some step; not one before the last sync that covers a change, not one
 *     that had not begun: so a rename leaves the old or the new, never neither, and what was synced with its
 *     directory is there under its name;
 *   - whatever is there belongs to who made it, also when the volume's process made it for somebody else, and has the
 *     permissions, the time and the extended attribute of that same step;
 *   - two names are one file exactly when they were; each file reads as its old or one of its newer versions;
 *   - a survey of the volume finds no damage, and every file that is there can be appended to.
 *
 * The model and the steps are in names_model.h. The oracle itself is tested on a rename that is made of two
 * steps, and on syncs that are not made.
 */
#include "names_model.h"

#include <stdio.h>
#include <unistd.h>

#include "enumerate.h"
#include "volume/survey.h"

enum { APPENDED_BYTES = 100 };

static struct world world;

/* --- what a restart finds --- */

struct seen {
    size_t dir; /* of seen; NONE: the root */
    char name[IO_NAME_BYTES + 1];
    mode_t type;
    uid_t owner;
    ino_t ino;
    struct attrs attrs;
    char note[16];
    size_t len;
    uint8_t bytes[VERSION_BYTES_MAX + 1];
};

static struct {
    struct seen all[ENTRIES_MAX];
    size_t count;
} found;

static ks_rc read_contents(struct fixture *f, struct inode *i, struct seen *s)
{
    struct buf target = buf_init(VERSION_BYTES_MAX);
    struct handle *h;

    if (S_ISLNK(s->type)) {
        ks_rc rc = volume_readlink(f->v, i, &target);
        s->len = target.len;
        if (ks_ok(rc))
            memcpy(s->bytes, target.bytes, target.len);
        buf_done(&target);
        return rc;
    }
    TRY(volume_open(f->v, i, false, &h));
    ks_rc rc = volume_read(f->v, handle_inode(h), s->bytes, sizeof s->bytes, 0, &s->len);
    volume_close(f->v, h);
    return rc;
}

static ks_rc read_note(struct fixture *f, struct inode *i, struct seen *s)
{
    CLEANUP(buf_done) struct buf value = buf_init(sizeof s->note - 1);

    s->attrs.note = NULL;
    ks_rc rc = volume_getxattr(f->v, i, "user.note", &value);
    if (ks_is_os(rc, ENODATA))
        return KS_SUCCESS;
    TRY(rc);
    snprintf(s->note, sizeof s->note, "%s", buf_text(&value));
    s->attrs.note = s->note;
    return KS_SUCCESS;
}

static ks_rc read_attrs(struct fixture *f, struct inode *i, const struct stat *st, struct seen *s)
{
    s->type = st->st_mode & S_IFMT;
    s->owner = st->st_uid;
    s->ino = st->st_ino;
    s->attrs.mode = st->st_mode & 07777;
    s->attrs.mtime = st->st_mtim.tv_sec;
    return S_ISLNK(s->type) ? KS_SUCCESS : read_note(f, i, s);
}

static ks_rc read_dir(struct fixture *f, struct inode *dir, size_t dir_seen);

static ks_rc read_entry(struct fixture *f, struct inode *dir, size_t dir_seen, const char *name)
{
    struct seen *s = &found.all[found.count];
    struct inode *i;
    struct stat st;

    ENSURE(found.count < ENTRIES_MAX, KS_E_CORRUPT, "more entries than ever");
    TRY(volume_lookup(f->v, dir, name, &i, &st));
    s->dir = dir_seen;
    snprintf(s->name, sizeof s->name, "%s", name);
    size_t number = found.count++;
    ks_rc rc = read_attrs(f, i, &st, s);
    if (ks_ok(rc))
        rc = S_ISDIR(s->type) ? read_dir(f, i, number) : read_contents(f, i, s);
    volume_forget(f->v, i, 1);
    return ks_wrap(rc, "%.20s", name);
}

static ks_rc read_dir(struct fixture *f, struct inode *dir, size_t dir_seen)
{
    struct io_dirent e = {0};
    struct handle *h;
    ks_rc rc;

    TRY(volume_opendir(f->v, dir, &h));
    do {
        rc = volume_readdir(f->v, h, e.next, &e);
        if (ks_ok(rc) && e.name[0] && strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0)
            rc = read_entry(f, dir, dir_seen, e.name);
    } while (ks_ok(rc) && e.name[0]);
    volume_close(f->v, h);
    return rc;
}

/* --- the oracle --- */

static const struct seen *seen_at(size_t dir, const char *name)
{
    for (size_t n = 0; n < found.count; n++)
        if (found.all[n].dir == dir && strcmp(found.all[n].name, name) == 0)
            return &found.all[n];
    return NULL;
}

static ks_rc check_contents(const struct object *o, size_t time, const struct seen *s)
{
    if (S_ISREG(o->type))
        return versions_check(&o->data, time, view_of(s->bytes, s->len));
    if (S_ISLNK(o->type))
        ENSURE(view_is_equal(view_of(s->bytes, s->len), view_text(o->target)), KS_E_CORRUPT,
               "another target");
    return KS_SUCCESS;
}

static ks_rc check_attrs(const struct attrs *a, const struct seen *s)
{
    if (S_ISLNK(s->type))
        return KS_SUCCESS;
    ENSURE(s->attrs.mode == a->mode, KS_E_CORRUPT, "mode %o", (unsigned)s->attrs.mode);
    ENSURE(a->mtime == 0 || s->attrs.mtime == a->mtime, KS_E_CORRUPT, "another time");
    ENSURE(!a->note == !s->attrs.note && (!a->note || strcmp(a->note, s->note) == 0), KS_E_CORRUPT,
           "another note");
    return KS_SUCCESS;
}

/* Which seen entry stands for each object; a second name must be the same file. */
static ks_rc check_entry(const struct world *w, const struct snapshot *in, const struct entry *e,
                         size_t time, const struct seen **seen_as)
{
    size_t dir = e->dir == ROOT ? NONE : (size_t)(seen_as[e->dir] - found.all);
    const struct seen *s = seen_at(dir, e->name);

    ENSURE(s, KS_E_CORRUPT, "%.20s is missing", e->name);
    ENSURE(s->type == w->objects[e->object].type, KS_E_CORRUPT, "%.20s is something else", e->name);
    ENSURE(s->owner == w->objects[e->object].owner, KS_E_CORRUPT, "%.20s belongs to %u", e->name,
           (unsigned)s->owner);
    ENSURE(!seen_as[e->object] || seen_as[e->object]->ino == s->ino, KS_E_CORRUPT,
           "%.20s is another file", e->name);
    seen_as[e->object] = s;
    TRY(ks_wrap(check_attrs(&in->attrs[e->object], s), "%.20s", e->name));
    return ks_wrap(check_contents(&w->objects[e->object], time, s), "%.20s", e->name);
}

static ks_rc check_snapshot(const struct world *w, const struct snapshot *s, size_t time)
{
    const struct seen *seen_as[OBJECTS_MAX] = {NULL};

    ENSURE(s->count == found.count, KS_E_CORRUPT, "%zu entries, not %zu", found.count, s->count);
    for (int is_below = 0; is_below < 2; is_below++)
        for (size_t n = 0; n < s->count; n++)
            if ((s->entries[n].dir != ROOT) == is_below)
                TRY(check_entry(w, s, &s->entries[n], time, seen_as));
    return KS_SUCCESS;
}

/* The trees that may show are those from the durable one to the one of the step under way. */
static ks_rc check_tree(const struct world *w, size_t time)
{
    ks_rc rc = KS_SUCCESS;

    for (size_t n = w->durable; n < w->snapshot_count; n++) {
        if (n > w->durable && w->snapshots[n - 1].time > time)
            break;
        rc = check_snapshot(w, &w->snapshots[n], time);
        if (ks_ok(rc))
            return rc;
    }
    return ks_wrap(rc, "no legal tree, not the last one either");
}

static void note_damage(void *arg, const char *path, uint64_t block, const char *what)
{
    (void)arg;
    print_message("%s, block %lld: %s\n", path, (long long)block, what);
}

static ks_rc check_survey(struct world *w, struct fixture *f)
{
    struct survey s;
    struct survey_conf conf = {.io = f->io,
                               .tree = f->tree,
                               .long_names = f->long_names,
                               .block_payload = w->keys->keyring->block_payload,
                               .volume = f->v,
                               .threads = 1,
                               .damaged = note_damage};

    memcpy(conf.volume_id, w->keys->keyring->volume_id, sizeof conf.volume_id);
    TRY(survey_run(&conf, &s));
    bool is_sound = survey_is_sound(&s);
    survey_done(&s);
    ENSURE(is_sound, KS_E_CORRUPT, "the survey finds damage");
    return KS_SUCCESS;
}

/* Life goes on: what is there stays readable behind something new. */
static ks_rc append_and_read(struct fixture *f, struct inode *i, struct seen *s)
{
    static uint8_t got[VERSION_BYTES_MAX + APPENDED_BYTES + 1];
    static const uint8_t tail[APPENDED_BYTES] = "a tail";
    struct handle *h;
    size_t len = 0;

    TRY(volume_open(f->v, i, false, &h));
    ks_rc rc = volume_write(f->v, handle_inode(h), tail, sizeof tail, s->len);
    if (ks_ok(rc))
        rc = volume_fsync(f->v, handle_inode(h), false);
    if (ks_ok(rc))
        rc = volume_read(f->v, handle_inode(h), got, sizeof got, 0, &len);
    volume_close(f->v, h);
    TRY(rc);
    memcpy(s->bytes + s->len, tail, sizeof tail);
    s->len += sizeof tail;
    ENSURE(len == s->len && memcmp(got, s->bytes, len) == 0, KS_E_CORRUPT,
           "the file does not read as it was after an append");
    return KS_SUCCESS;
}

static ks_rc check_life(struct fixture *f)
{
    struct inode *root = volume_root(f->v), *i;
    struct stat st;

    for (size_t n = 0; n < found.count; n++) {
        struct seen *s = &found.all[n];
        bool is_other_name = false;
        for (size_t k = 0; k < n; k++)
            is_other_name |= found.all[k].ino == s->ino;
        if (s->dir != NONE || !S_ISREG(s->type) || is_other_name)
            continue;
        TRY(volume_lookup(f->v, root, s->name, &i, &st));
        ks_rc rc = append_and_read(f, i, s);
        volume_forget(f->v, i, 1);
        TRY(ks_wrap(rc, "%.20s", s->name));
    }
    return KS_SUCCESS;
}

static ks_rc check_opened(struct world *w, struct fixture *f, size_t time)
{
    found.count = 0;
    TRY(read_dir(f, volume_root(f->v), NONE));
    TRY(check_tree(w, time));
    TRY(check_survey(w, f));
    TRY(check_life(f));
    ENSURE(f->alerts == 0, KS_E_CORRUPT, "%u reports of damage", f->alerts);
    return KS_SUCCESS;
}

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    struct world *w = arg;
    struct fixture *f;

    TRY(fixture_open(rebuilt, "/", w->keys, &f));
    ks_rc rc = ks_wrap(check_opened(w, f, state->time), "%s", w->steps);
    fixture_close(f);
    w->mismatches += !ks_ok(rc);
    return w->is_counting ? KS_SUCCESS : rc;
}

/* --- sequences --- */

static void note_step(struct world *w, const struct step *s)
{
    size_t used = strlen(w->steps);

    snprintf(w->steps + used, sizeof w->steps - used, "%s%s", used ? ", " : "", s->text);
}

/* States are checked after each step, so that a sync later in the sequence does not hide them. What is
 * possible while a sync runs was checked before it. */
static void run_step(struct world *w, const struct step *s, size_t samples)
{
    size_t from = crash_time(w->io);

    note_step(w, s);
    s->run(w, s);
    if (!names_step_done(w)) {
        if (crash_time(w->io) == from)
            return;
        from = crash_time(w->io);
    }
    w->states += crash_enumerate(w->io, from, 5, samples, w->filler, check_state, w);
}

static void tree__each_step_alone__is_old_or_new(void **state)
{
    struct world *w = *state;

    for (size_t a = 0; a < names_step_count; a++) {
        names_begin(w);
        run_step(w, &names_steps[a], 12);
        names_end(w);
    }
    print_message("%zu states checked\n", w->states);
    assert_true(w->states > 100);
}

/* False when the first step does nothing to the tree as it is, and every second one is as if it were alone. The states of
 * each step alone are checked above. */
static bool run_pair(struct world *w, const struct step *a, const struct step *b)
{
    names_begin(w);
    size_t before = crash_time(w->io);
    note_step(w, a);
    a->run(w, a);
    names_step_done(w);
    bool is_something = crash_time(w->io) != before;
    if (is_something)
        run_step(w, b, 12);
    names_end(w);
    return is_something;
}

static void tree__every_pair_of_steps__is_old_or_new(void **state)
{
    struct world *w = *state;

    for (size_t a = 0; a < names_step_count; a++)
        for (size_t b = 0; b < names_step_count; b++)
            if (!run_pair(w, &names_steps[a], &names_steps[b]))
                break;
    print_message("%zu states checked\n", w->states);
    assert_true(w->states > 7000);
}

static void tree__sampled_longer_sequences__are_old_or_new(void **state)
{
    enum { LENGTH = 8 };
    struct world *w = *state;
    struct random_seeded random;
    uint8_t draw[LENGTH];

    random_seeded_init(&random, crash_seed(11));
    for (size_t n = crash_sequences(60); n > 0; n--) {
        check_ok(random_fill(&random.random, draw, sizeof draw));
        names_begin(w);
        w->who = n % 2 ? (struct caller){7, 8} : (struct caller){geteuid(), getegid()};
        for (size_t s = 0; s < LENGTH; s++)
            run_step(w, &names_steps[draw[s] % names_step_count], 4);
        names_end(w);
    }
    print_message("%zu states checked\n", w->states);
    assert_true(w->states > 0);
}

/* The oracle must be able to fail. */
static void oracle__rename_in_two_steps__is_seen(void **state)
{
    static const struct step broken = {"rename in two steps", names_do_rename_in_two_steps, "a",
                                       "b"};
    static const struct step sound = {"rename", names_do_rename, "a", "b"};
    struct world *w = *state;

    w->is_counting = true;
    names_begin(w);
    run_step(w, &sound, 0);
    names_end(w);
    assert_int_equal(w->mismatches, 0);
    names_begin(w);
    run_step(w, &broken, 0);
    names_end(w);
    assert_true(w->mismatches > 0);
}

/* A sync that is claimed and not made must show, for contents and for names. */
static void oracle__sync_that_is_not_made__is_seen(void **state)
{
    struct world *w = *state;

    w->is_counting = true;
    names_begin(w);
    names_do_write(w, &(struct step){.what = "#2", .at = 0, .len = 100});
    names_step_done(w);
    versions_synced(&w->objects[FILE_A].data);
    w->states += crash_enumerate(w->io, crash_time(w->io), 5, 0, 1, check_state, w);
    names_end(w);
    assert_int_equal(w->mismatches, 1);
    names_begin(w);
    names_do_rename(w, &(struct step){.what = "a", .to = "n"});
    names_step_done(w);
    names_claim_durable(w, ROOT, false);
    w->states += crash_enumerate(w->io, crash_time(w->io), 5, 0, 1, check_state, w);
    names_end(w);
    assert_int_equal(w->mismatches, 2);
}

static int set_up(void **state)
{
    world.who = (struct caller){7, 8}; /* not the one that runs the volume */
    world.states = world.mismatches = 0;
    world.is_counting = false;
    check_ok(fixture_keys_new(3584, &world.keys));
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    fixture_keys_free(w->keys);
    return 0;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(tree__each_step_alone__is_old_or_new),
        T(tree__every_pair_of_steps__is_old_or_new),
        T(tree__sampled_longer_sequences__are_old_or_new),
        T(oracle__rename_in_two_steps__is_seen),
        T(oracle__sync_that_is_not_made__is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
