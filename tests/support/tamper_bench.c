/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/tamper_bench.c - two volumes on one disk in memory.
 */
#include "tamper_bench.h"

#include "base/mem.h"
#include "io/crash.h"
#include "volume/volume_int.h"

/* --- the volume as its user sees it --- */

void tamper_write(struct fixture *f, const char *name, bool is_new, const void *bytes, size_t len,
                  uint64_t at)
{
    struct inode *i;
    struct handle *h;

    check_ok(fixture_file(f, name, is_new, &i, &h));
    check_ok(volume_write(f->v, handle_inode(h), bytes, len, at));
    check_ok(volume_fsync(f->v, handle_inode(h), false));
    fixture_file_close(f, i, h);
}

void tamper_restart(struct tamper *t)
{
    fixture_close(t->f);
    check_ok(fixture_open(t->io, "/v", t->keys, &t->f));
}

/* --- as the meddler sees it --- */

const char *tamper_cipher(struct fixture *f, enum name_kind kind, const char *name)
{
    static char text[2][IO_NAME_BYTES + 1];
    static unsigned turn;
    CLEANUP(buf_done) struct buf sealed = buf_init(IO_NAME_BYTES + 1);
    char *out = text[turn++ % 2];
    size_t room = kind == NAME_ATTRIBUTE ? IO_NAME_BYTES - strlen("user.ks.") : IO_NAME_BYTES;

    check_ok(names_seal(f->v->names, kind, name, room, false, &sealed));
    snprintf(out, sizeof text[0], "%s", buf_text(&sealed));
    return out;
}

/* --- as a survey sees it --- */

static void note(void *arg, const char *path, uint64_t block, const char *what)
{
    struct tamper *t = arg;

    t->told++;
    t->block = block;
    snprintf(t->path, sizeof t->path, "%s", path);
    snprintf(t->what, sizeof t->what, "%s", what);
}

static void note_unfinished(void *arg, const char *path)
{
    struct tamper *t = arg;

    snprintf(t->unfinished, sizeof t->unfinished, "%s", path);
}

static struct survey run(struct tamper *t, struct volume *v)
{
    struct survey s;
    struct survey_conf conf = {.io = t->io,
                               .tree = t->f->tree,
                               .long_names = t->f->long_names,
                               .block_payload = TAMPER_PAYLOAD,
                               .volume = v,
                               .damaged = note,
                               .unfinished = note_unfinished,
                               .arg = t};

    t->told = 0;
    t->unfinished[0] = 0;
    memcpy(conf.volume_id, t->keys->keyring->volume_id, sizeof conf.volume_id);
    check_ok(survey_run(&conf, &s));
    mem_free(s.generations);
    s.generations = NULL;
    return s;
}

struct survey tamper_survey(struct tamper *t)
{
    return run(t, t->f->v);
}

struct survey tamper_count(struct tamper *t)
{
    return run(t, NULL);
}

void tamper_expect(struct tamper *t, uint64_t files, uint64_t blocks, uint64_t names)
{
    struct survey s = tamper_survey(t);

    assert_int_equal(s.files_damaged, files);
    assert_int_equal(s.blocks_damaged, blocks);
    assert_int_equal(s.names_damaged, names);
    assert_int_equal(s.targets_damaged + s.attributes_damaged + s.records_damaged, 0);
    assert_int_equal(survey_is_sound(&s), files + blocks + names == 0);
    assert_int_equal(t->told == 0, survey_is_sound(&s));
}

void tamper_expect_beside(struct tamper *t, uint64_t targets, uint64_t attributes, uint64_t records)
{
    struct survey s = tamper_survey(t);

    assert_int_equal(s.targets_damaged, targets);
    assert_int_equal(s.attributes_damaged, attributes);
    assert_int_equal(s.records_damaged, records);
    assert_int_equal(s.files_damaged + s.blocks_damaged + s.names_damaged, 0);
    assert_int_equal(survey_is_sound(&s), targets + attributes + records == 0);
    assert_int_equal(t->told, targets + attributes + records);
}

void tamper_expect_told(const struct tamper *t, const char *path, uint64_t block, const char *what)
{
    assert_int_equal(t->told, 1);
    assert_string_equal(t->path, path);
    assert_int_equal(t->block, block);
    if (!strstr(t->what, what))
        fail_msg("\"%s\" says nothing of \"%s\"", t->what, what);
}

/* --- --- */

static void volume_at(struct tamper *t, const char *dir, struct fixture_keys **ret_keys,
                      struct fixture **ret)
{
    struct io_node *root = help_root(t->io, "/");
    char path[8];

    check_ok(t->io->ops->mkdir(t->io, root, dir, 0700));
    t->io->ops->node_close(t->io, root);
    snprintf(path, sizeof path, "/%s", dir);
    check_ok(fixture_keys_new(TAMPER_PAYLOAD, ret_keys));
    check_ok(fixture_layout(t->io, path));
    check_ok(fixture_open(t->io, path, *ret_keys, ret));
    tamper_write(*ret, "one", true, t->one, TAMPER_BYTES, 0);
    tamper_write(*ret, "two", true, t->two, TAMPER_BYTES, 0);
}

int tamper_setup(void **state)
{
    static struct tamper t;

    t = (struct tamper){0};
    check_ok(crash_new(&t.io));
    check_ok(random_fill(random_system(), t.one, TAMPER_BYTES));
    check_ok(random_fill(random_system(), t.two, TAMPER_BYTES));
    volume_at(&t, "v", &t.keys, &t.f);
    volume_at(&t, "w", &t.other_keys, &t.other);
    *state = &t;
    return 0;
}

int tamper_teardown(void **state)
{
    struct tamper *t = *state;

    fixture_close(t->f);
    fixture_close(t->other);
    crash_free(t->io);
    fixture_keys_free(t->keys);
    fixture_keys_free(t->other_keys);
    return 0;
}
