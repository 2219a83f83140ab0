/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a target of a symlink, an attribute or a record of a long name that was changed gives an error to who uses it, never something
 * else, and a survey with keys tells each with the path that it belongs to; without keys it looks at none of them. What of
 * this is not seen is what docs/THREAT-MODEL.md says.
 */
#include "tamper_bench.h"

#include "io/atomic_file.h"
#include "volume/volume_int.h"

enum { VALUE_BYTES = 1024 };

static const struct caller me = {0, 0};

/* --- as the user sees it --- */

static struct inode *lookup(struct tamper *t, const char *name)
{
    struct inode *i = volume_root(t->f->v);
    struct stat st;

    if (name[0])
        check_ok(volume_lookup(t->f->v, volume_root(t->f->v), name, &i, &st));
    return i;
}

static void make_dir(struct tamper *t, const char *name)
{
    struct inode *i;
    struct stat st;

    check_ok(volume_mkdir(t->f->v, volume_root(t->f->v), name, 0755, &me, &i, &st));
    volume_forget(t->f->v, i, 1);
}

static void make_link(struct fixture *f, const char *name, const char *target)
{
    struct inode *i;
    struct stat st;

    check_ok(volume_symlink(f->v, volume_root(f->v), name, target, &me, &i, &st));
    volume_forget(f->v, i, 1);
}

static ks_rc read_link(struct tamper *t, const char *name, struct buf *ret)
{
    struct inode *i = lookup(t, name);
    ks_rc rc = volume_readlink(t->f->v, i, ret);

    volume_forget(t->f->v, i, 1);
    return rc;
}

/* Its name in cipher stands in a record. */
static const char *long_attribute(void)
{
    static char name[IO_NAME_BYTES + 1];

    snprintf(name, sizeof name, "user.%0240d", 7);
    return name;
}

/* name "": the root */
static void set_attribute(struct fixture *f, const char *file, const char *name, const char *value)
{
    struct inode *i = volume_root(f->v);
    struct stat st;

    if (file[0])
        check_ok(volume_lookup(f->v, volume_root(f->v), file, &i, &st));
    check_ok(volume_setxattr(f->v, i, name, view_text(value), 0));
    volume_forget(f->v, i, 1);
}

static ks_rc get_attribute(struct tamper *t, const char *file, const char *name, struct buf *ret)
{
    struct inode *i = lookup(t, file);
    ks_rc rc = volume_getxattr(t->f->v, i, name, ret);

    volume_forget(t->f->v, i, 1);
    return rc;
}

/* The attributes of "one" are these, as listxattr(2) gives them. */
static void check_attributes(struct tamper *t, struct view want)
{
    CLEANUP(buf_done) struct buf list = buf_init(VALUE_BYTES);
    struct inode *i = lookup(t, "one");

    check_ok(volume_listxattr(t->f->v, i, &list));
    check_bytes(buf_view(&list), want);
    volume_forget(t->f->v, i, 1);
}

static unsigned listed(struct tamper *t)
{
    struct io_dirent e = {0};
    struct handle *h;
    unsigned count = 0;

    check_ok(volume_opendir(t->f->v, volume_root(t->f->v), &h));
    do {
        check_ok(volume_readdir(t->f->v, h, e.next, &e));
        count += e.name[0] && e.name[0] != '.';
    } while (e.name[0]);
    volume_close(t->f->v, h);
    return count;
}

/* --- as the meddler does --- */

static struct io_node *node_of(struct fixture *f, const char *name)
{
    if (!name[0])
        return help_root(f->io, "/v/tree");
    return help_lookup(f->io, f->tree, tamper_cipher(f, NAME_ENTRY, name));
}

static void retarget(struct tamper *t, const char *name, const char *raw)
{
    const char *sealed = tamper_cipher(t->f, NAME_ENTRY, name);

    check_ok(t->io->ops->unlink(t->io, t->f->tree, sealed));
    check_ok(t->io->ops->symlink(t->io, t->f->tree, sealed, raw));
}

static void raw_target(struct fixture *f, const char *name, struct buf *ret)
{
    struct io_node *node = node_of(f, name);

    check_ok(f->io->ops->readlink(f->io, node, ret));
    f->io->ops->node_close(f->io, node);
}

static void kept_name(struct fixture *f, const char *name, char out[IO_NAME_BYTES + 1])
{
    snprintf(out, IO_NAME_BYTES + 1, "user.ks.%.240s", tamper_cipher(f, NAME_ATTRIBUTE, name));
}

static void raw_get(struct fixture *f, const char *file, const char *name, struct buf *ret)
{
    char kept[IO_NAME_BYTES + 1];
    struct io_node *node = node_of(f, file);

    kept_name(f, name, kept);
    check_ok(f->io->ops->xattr_get(f->io, node, kept, ret));
    f->io->ops->node_close(f->io, node);
}

static void raw_set(struct tamper *t, const char *file, const char *name, struct view value)
{
    char kept[IO_NAME_BYTES + 1];
    struct io_node *node = node_of(t->f, file);

    kept_name(t->f, name, kept);
    check_ok(t->io->ops->xattr_set(t->io, node, kept, value, 0));
    t->io->ops->node_close(t->io, node);
}

static void flip_value(struct tamper *t, const char *file, const char *name, size_t at)
{
    CLEANUP(buf_done) struct buf value = buf_init(VALUE_BYTES);

    raw_get(t->f, file, name, &value);
    value.bytes[at] ^= 1;
    raw_set(t, file, name, buf_view(&value));
}

/* Byte 100 of a page of the backing file. */
static void flip_page(struct tamper *t, const char *name, uint64_t page)
{
    struct io_node *node = node_of(t->f, name);
    struct io_file *file;
    uint8_t byte;
    size_t len;

    check_ok(t->io->ops->open(t->io, node, false, &file));
    check_ok(t->io->ops->pread(t->io, file, &byte, 1, page * TAMPER_PAGE + 100, &len));
    byte ^= 1;
    check_ok(t->io->ops->pwrite(t->io, file, &byte, 1, page * TAMPER_PAGE + 100));
    t->io->ops->close(t->io, file);
    t->io->ops->node_close(t->io, node);
}

/* The record that a long text stands in. */
static const char *record_of(struct tamper *t, enum name_kind kind, const char *plain)
{
    const char *text = tamper_cipher(t->f, kind, plain);

    assert_int_equal(text[0], '~');
    return text + 1;
}

static void flip_record(struct tamper *t, const char *record)
{
    CLEANUP(buf_done) struct buf bytes = buf_init(NAME_LONG_MAX);

    check_ok(atomic_file_read(t->io, t->f->long_names, record, NAME_LONG_MAX, &bytes));
    bytes.bytes[bytes.len / 2] ^= 1;
    check_ok(atomic_file_write(t->io, t->f->long_names, record, 0600, buf_view(&bytes)));
}

static const char *long_text(char letter, size_t len)
{
    static char text[2][NAME_LONG_MAX];
    char *out = text[letter % 2];

    memset(out, letter, len);
    out[len] = 0;
    return out;
}

/* --- what comes of it --- */

/* raw in the place of the target of "link" leads nowhere, and is told. */
static void check_target_fails(struct tamper *t, const char *raw)
{
    CLEANUP(buf_done) struct buf got = buf_init(NAME_LONG_MAX);

    retarget(t, "link", raw);
    check_class(read_link(t, "link", &got), CORRUPT);
    assert_int_equal(got.len, 0);
    tamper_expect_beside(t, 1, 0, 0);
}

static void check_value_fails(struct tamper *t, const char *file, const char *name)
{
    CLEANUP(buf_done) struct buf got = buf_init(VALUE_BYTES);

    check_class(get_attribute(t, file, name, &got), CORRUPT);
    tamper_expect_beside(t, 0, 1, 0);
}

static void check_value_is(struct tamper *t, const char *file, const char *name, const char *value)
{
    CLEANUP(buf_done) struct buf got = buf_init(VALUE_BYTES);

    check_ok(get_attribute(t, file, name, &got));
    check_bytes(buf_view(&got), view_text(value));
    tamper_expect(t, 0, 0, 0);
}

struct value_place {
    const char *file, *name; /* without "user." */
};

static void set_at(struct fixture *f, struct value_place place, const char *value)
{
    char name[16];

    snprintf(name, sizeof name, "user.%s", place.name);
    set_attribute(f, place.file, name, value);
}

/* The encrypted value of an attribute, "from there", in the place of another one. */
static void put_elsewhere(struct fixture *from, struct value_place source, struct tamper *t,
                          struct value_place target)
{
    CLEANUP(buf_done) struct buf value = buf_init(VALUE_BYTES);

    set_at(from, source, "from there");
    set_at(t->f, target, "what stood here");
    raw_get(from, source.file, source.name, &value);
    raw_set(t, target.file, target.name, buf_view(&value));
}

/* --- targets of symlinks --- */

static void target_changed__reading_it_fails_and_verify_names_the_link(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf raw = buf_init(NAME_LONG_MAX);

    make_link(t->f, "link", "/etc/ledger");
    tamper_expect(t, 0, 0, 0);
    raw_target(t->f, "link", &raw);
    raw.bytes[5] = raw.bytes[5] == 'A' ? 'B' : 'A';
    check_target_fails(t, buf_text(&raw));
    tamper_expect_told(t, "/link", UINT64_MAX, "the target of the symlink");
}

/* Plain text in the place of a sealed one leads nobody there. */
static void target_in_clear__fails(void **state)
{
    struct tamper *t = *state;

    make_link(t->f, "link", "/etc/ledger");
    check_target_fails(t, "/etc/passwd");
}

/* A text in cipher says what it is for. */
static void name_used_as_the_target_of_a_link__fails(void **state)
{
    struct tamper *t = *state;

    make_link(t->f, "link", "/etc/ledger");
    check_target_fails(t, tamper_cipher(t->f, NAME_ENTRY, "one"));
}

static void target_of_another_volume__fails(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf raw = buf_init(NAME_LONG_MAX);

    make_link(t->f, "link", "here");
    make_link(t->other, "link", "there");
    raw_target(t->other, "link", &raw);
    check_target_fails(t, buf_text(&raw));
}

static void targets_exchanged__each_leads_where_the_other_did(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf got = buf_init(NAME_LONG_MAX);

    make_link(t->f, "a", "to a");
    make_link(t->f, "b", "to b");
    const char *a = tamper_cipher(t->f, NAME_ENTRY, "a"), *b = tamper_cipher(t->f, NAME_ENTRY, "b");
    check_ok(t->io->ops->rename(t->io, t->f->tree, a, t->f->tree, b, RENAME_EXCHANGE));
    tamper_restart(t);
    check_ok(read_link(t, "a", &got));
    assert_string_equal(buf_text(&got), "to b");
    tamper_expect(t, 0, 0, 0);
}

/* --- attributes --- */

/* Nonce, tag, contents; on a file, a directory and the root. */
static void value_changed__reading_it_fails_and_verify_names_both(void **state)
{
    static const size_t places[] = {0, 24, 41};
    static const char *const files[] = {"one", "dir", ""};
    static const char *const paths[] = {"/one", "/dir", "/"};
    struct tamper *t = *state;

    make_dir(t, "dir");
    for (size_t n = 0; n < sizeof files / sizeof files[0]; n++) {
        for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
            set_attribute(t->f, files[n], "user.x", "the value");
            tamper_expect(t, 0, 0, 0);
            flip_value(t, files[n], "x", places[p]);
            check_value_fails(t, files[n], "user.x");
            tamper_expect_told(t, paths[n], UINT64_MAX, "attribute user.x: its value");
            set_attribute(t->f, files[n], "user.x", "the value");
        }
    }
}

static void value_cut__fails(void **state)
{
    struct tamper *t = *state;

    set_attribute(t->f, "one", "user.x", "the value");
    raw_set(t, "one", "x", view_text("short"));
    check_value_fails(t, "one", "user.x");
}

static void value_of_another_attribute__fails(void **state)
{
    struct tamper *t = *state;

    put_elsewhere(t->f, (struct value_place){"one", "x"}, t, (struct value_place){"one", "y"});
    check_value_fails(t, "one", "user.y");
    tamper_expect_told(t, "/one", UINT64_MAX, "attribute user.y");
}

static void value_of_another_volume__fails(void **state)
{
    struct tamper *t = *state;

    put_elsewhere(t->other, (struct value_place){"one", "x"}, t, (struct value_place){"one", "x"});
    check_value_fails(t, "one", "user.x");
}

static void value_of_the_same_attribute_of_another_file__is_taken(void **state)
{
    struct tamper *t = *state;

    put_elsewhere(t->f, (struct value_place){"one", "x"}, t, (struct value_place){"two", "x"});
    check_value_is(t, "two", "user.x", "from there");
}

static void older_value__is_taken(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf value = buf_init(VALUE_BYTES);

    set_attribute(t->f, "one", "user.x", "old");
    raw_get(t->f, "one", "x", &value);
    set_attribute(t->f, "one", "user.x", "new");
    raw_set(t, "one", "x", buf_view(&value));
    check_value_is(t, "one", "user.x", "old");
}

/* As when it was removed; the one that stands there instead is told. */
static void name_changed__is_gone_and_told(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf value = buf_init(VALUE_BYTES), got = buf_init(VALUE_BYTES);
    char kept[IO_NAME_BYTES + 1];

    set_attribute(t->f, "one", "user.x", "the value");
    raw_get(t->f, "one", "x", &value);
    struct io_node *node = node_of(t->f, "one");
    kept_name(t->f, "x", kept);
    check_ok(t->io->ops->xattr_remove(t->io, node, kept));
    kept[10] = kept[10] == 'A' ? 'B' : 'A';
    check_ok(t->io->ops->xattr_set(t->io, node, kept, buf_view(&value), 0));
    t->io->ops->node_close(t->io, node);
    check_os(get_attribute(t, "one", "user.x", &got), ENODATA);
    check_attributes(t, view_of(NULL, 0));
    tamper_expect_beside(t, 0, 1, 0);
    tamper_expect_told(t, "/one", UINT64_MAX, kept);
}

/* Labels of the kernel, and what others put on the backing files. */
static void attributes_that_are_not_encrypted__are_no_damage(void **state)
{
    struct tamper *t = *state;
    struct io_node *node = node_of(t->f, "one");

    check_ok(t->io->ops->xattr_set(t->io, node, "security.label", view_text("a label"), 0));
    check_ok(t->io->ops->xattr_set(t->io, node, "trusted.x", view_text("?"), 0));
    check_ok(t->io->ops->xattr_set(t->io, node, "user.backup.time", view_text("now"), 0));
    t->io->ops->node_close(t->io, node);
    tamper_expect(t, 0, 0, 0);
}

static void each_of_several__is_told(void **state)
{
    struct tamper *t = *state;

    set_attribute(t->f, "one", "user.x", "x");
    set_attribute(t->f, "one", "user.y", "y");
    set_attribute(t->f, "one", "user.z", "z");
    set_attribute(t->f, "two", "user.x", "x");
    flip_value(t, "one", "x", 0);
    flip_value(t, "one", "z", 0);
    flip_value(t, "two", "x", 0);
    tamper_expect_beside(t, 0, 3, 0);
}

/* --- records of long names --- */

static void record_of_a_name_changed__both_are_told_and_the_name_still_leads_there(void **state)
{
    struct tamper *t = *state;
    const char *name = long_text('n', 250);

    tamper_write(t->f, name, true, "x", 1, 0);
    assert_int_equal(listed(t), 3);
    tamper_expect(t, 0, 0, 0);
    flip_record(t, record_of(t, NAME_ENTRY, name));
    assert_int_equal(listed(t), 2);
    volume_forget(t->f->v, lookup(t, name), 1);
    struct survey s = tamper_survey(t);
    assert_int_equal(s.names_damaged, 1);
    assert_int_equal(s.records_damaged, 1);
    assert_int_equal(t->told, 2);
    assert_false(survey_is_sound(&s));
}

static void record_removed__its_name_is_told(void **state)
{
    struct tamper *t = *state;
    const char *name = long_text('n', 250);

    tamper_write(t->f, name, true, "x", 1, 0);
    check_ok(t->io->ops->unlink(t->io, t->f->long_names, record_of(t, NAME_ENTRY, name)));
    assert_int_equal(listed(t), 2);
    tamper_expect(t, 0, 0, 1);
}

static void records_exchanged__are_never_taken_for_each_other(void **state)
{
    struct tamper *t = *state;
    const char *m = long_text('m', 250), *n = long_text('n', 250);

    tamper_write(t->f, m, true, "m", 1, 0);
    tamper_write(t->f, n, true, "n", 1, 0);
    const char *a = record_of(t, NAME_ENTRY, m), *b = record_of(t, NAME_ENTRY, n);
    check_ok(t->io->ops->rename(t->io, t->f->long_names, a, t->f->long_names, b, RENAME_EXCHANGE));
    assert_int_equal(listed(t), 2);
    struct survey s = tamper_survey(t);
    assert_int_equal(s.names_damaged, 2);
    assert_int_equal(s.records_damaged, 2);
}

static void record_of_a_target_removed__reading_it_fails(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf got = buf_init(NAME_LONG_MAX), raw = buf_init(NAME_LONG_MAX);

    make_link(t->f, "link", long_text('t', 4000));
    raw_target(t->f, "link", &raw);
    assert_int_equal(raw.bytes[0], '~');
    check_ok(t->io->ops->unlink(t->io, t->f->long_names, buf_text(&raw) + 1));
    check_class(read_link(t, "link", &got), CORRUPT);
    tamper_expect_beside(t, 1, 0, 0);
    tamper_expect_told(t, "/link", UINT64_MAX, "is lost");
}

/* The other attributes are still listed. */
static void record_of_an_attribute_removed__that_one_is_left_out(void **state)
{
    struct tamper *t = *state;
    const char *name = long_attribute();

    set_attribute(t->f, "one", name, "long");
    set_attribute(t->f, "one", "user.x", "short");
    const char *record = record_of(t, NAME_ATTRIBUTE, name + strlen("user."));
    check_ok(t->io->ops->unlink(t->io, t->f->long_names, record));
    check_attributes(t, view_of("user.x", sizeof "user.x"));
    tamper_expect_beside(t, 0, 1, 0);
}

/* The record of a long target, referred to where names stand, which are shorter: those are left out, and nothing else. */
static void record_of_a_long_target__as_a_name__is_left_out_and_told(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf raw = buf_init(NAME_LONG_MAX);
    char kept[IO_NAME_BYTES + 1];

    make_link(t->f, "link", long_text('t', 4000));
    raw_target(t->f, "link", &raw);
    set_attribute(t->f, "one", "user.x", "short");
    struct io_node *node = node_of(t->f, "one");
    snprintf(kept, sizeof kept, "user.ks.%s", buf_text(&raw));
    check_ok(t->io->ops->xattr_set(t->io, node, kept, view_text("a value"), 0));
    t->io->ops->node_close(t->io, node);
    check_attributes(t, view_of("user.x", sizeof "user.x"));
    tamper_expect_beside(t, 0, 1, 0);
    tamper_expect_told(t, "/one", UINT64_MAX, kept);

    help_put(t->io, t->f->tree, buf_text(&raw), "");
    assert_int_equal(listed(t), 3);
    struct survey s = tamper_survey(t);
    assert_int_equal(s.names_damaged, 1);
    assert_int_equal(s.attributes_damaged, 1);
    assert_int_equal(t->told, 2);
}

/* Nobody could find out what it is called. */
static void record_changed__no_other_object_gets_a_name_that_needs_it(void **state)
{
    struct tamper *t = *state;
    struct inode *root = volume_root(t->f->v), *one = lookup(t, "one"), *i;
    const char *name = long_text('n', 250), *target = long_text('s', 4000);
    struct stat st;

    tamper_write(t->f, name, true, "x", 1, 0);
    make_link(t->f, "link", target);
    flip_record(t, record_of(t, NAME_ENTRY, name));
    flip_record(t, record_of(t, NAME_TARGET, target));
    check_ok(volume_rename(t->f->v, root, name, root, "short", 0));
    assert_int_equal(t->f->alerts, 0);
    check_class(volume_rename(t->f->v, root, "two", root, name, 0), CORRUPT);
    check_class(volume_mkdir(t->f->v, root, name, 0755, &me, &i, &st), CORRUPT);
    check_class(volume_link(t->f->v, one, root, name, &st), CORRUPT);
    check_class(volume_symlink(t->f->v, root, "link2", target, &me, &i, &st), CORRUPT);
    assert_int_equal(t->f->alerts, 4);
    volume_forget(t->f->v, one, 1);
    assert_int_equal(listed(t), 4);
    check_ok(t->io->ops->unlink(t->io, t->f->long_names, record_of(t, NAME_ENTRY, name)));
    check_ok(volume_rename(t->f->v, root, "two", root, name, 0));
    assert_int_equal(listed(t), 4);
}

/* Reading and removing it needs no record, setting it does. */
static void record_of_an_attribute_changed__no_value_is_set_that_could_not_be_listed(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf got = buf_init(VALUE_BYTES);
    const char *name = long_attribute();

    set_attribute(t->f, "one", name, "long");
    flip_record(t, record_of(t, NAME_ATTRIBUTE, name + strlen("user.")));
    struct inode *i = lookup(t, "one");
    check_class(volume_setxattr(t->f->v, i, name, view_text("new"), 0), CORRUPT);
    check_ok(volume_getxattr(t->f->v, i, name, &got));
    check_bytes(buf_view(&got), view_text("long"));
    check_ok(volume_removexattr(t->f->v, i, name));
    check_os(volume_getxattr(t->f->v, i, name, &got), ENODATA);
    volume_forget(t->f->v, i, 1);
}

static void attribute_that_is_not_there__asking_for_it_writes_nothing(void **state)
{
    struct tamper *t = *state;
    CLEANUP(buf_done) struct buf got = buf_init(VALUE_BYTES);
    const char *name = long_attribute();
    struct io_node *node;
    struct stat st;

    check_os(get_attribute(t, "one", name, &got), ENODATA);
    const char *record = record_of(t, NAME_ATTRIBUTE, name + strlen("user."));
    check_os(t->io->ops->lookup(t->io, t->f->long_names, record, &node, &st), ENOENT);
}

/* A later object of that name would find it there. */
static void record_that_nothing_refers_to__is_looked_at_too(void **state)
{
    struct tamper *t = *state;
    const char *name = long_text('n', 250);

    tamper_write(t->f, name, true, "x", 1, 0);
    check_ok(volume_unlink(t->f->v, volume_root(t->f->v), name));
    tamper_expect(t, 0, 0, 0);
    const char *record = record_of(t, NAME_ENTRY, name);
    flip_record(t, record);
    tamper_expect_beside(t, 0, 0, 1);
    assert_memory_equal(t->path, "long/", strlen("long/"));
    assert_string_equal(t->path + strlen("long/"), record);
}

/* Objects on their way, and what a power loss left of a record. */
static void other_things_in_long__are_no_damage(void **state)
{
    struct tamper *t = *state;

    help_put(t->io, t->f->long_names, "new.0", "");
    help_put(t->io, t->f->long_names, "AAAA.tmp", "half a rec");
    tamper_expect(t, 0, 0, 0);
}

/* --- whoever wants it to stop --- */

enum { MANY = 600 };

/* Who is told may be a client that does not listen: a lock must not have to wait for it. */
static void note_told(void *arg, const char *path, uint64_t block, const char *what)
{
    struct tamper *t = arg;

    assert_int_equal(atomic_load(&t->f->v->in_progress), 0);
    (void)path;
    (void)block;
    (void)what;
    t->told++;
}

static bool go_on(void *arg, uint64_t bytes_seen)
{
    (void)arg;
    (void)bytes_seen;
    return true;
}

static bool stop(void *arg, uint64_t bytes_seen)
{
    (void)arg;
    (void)bytes_seen;
    return false;
}

static ks_rc survey_with(struct tamper *t, bool (*progress)(void *arg, uint64_t bytes_seen))
{
    CLEANUP(survey_done) struct survey s = {0};
    struct survey_conf conf = {.io = t->io,
                               .tree = t->f->tree,
                               .long_names = t->f->long_names,
                               .block_payload = TAMPER_PAYLOAD,
                               .volume = t->f->v,
                               .threads = 1,
                               .damaged = note_told,
                               .progress = progress,
                               .arg = t};

    t->told = 0;
    memcpy(conf.volume_id, t->keys->keyring->volume_id, sizeof conf.volume_id);
    return survey_run(&conf, &s);
}

/* The two files are too small for a telling of their own. */
static void walk_of_objects_without_bytes__told_to_stop__ends(void **state)
{
    struct tamper *t = *state;
    char name[16];

    check_ok(survey_with(t, stop));
    for (unsigned n = 0; n < MANY; n++) {
        snprintf(name, sizeof name, "link-%u", n);
        make_link(t->f, name, "x");
    }
    check_rc(survey_with(t, stop), BUSY);
}

static void walk_of_records__told_to_stop__ends_among_them(void **state)
{
    struct tamper *t = *state;
    char name[44];

    for (unsigned n = 0; n < MANY; n++) {
        snprintf(name, sizeof name, "%043u", n);
        help_put(t->io, t->f->long_names, name, "no record");
    }
    check_rc(survey_with(t, stop), BUSY);
    assert_in_range(t->told, 1, MANY / 2);
}

/* A target, an attribute, a record, and with it the name that it was of. */
static void damage_objects(struct tamper *t)
{
    const char *name = long_text('n', 250);

    make_link(t->f, "link", "/etc/ledger");
    tamper_write(t->f, name, true, "x", 1, 0);
    set_attribute(t->f, "one", "user.x", "x");
    retarget(t, "link", "/etc/passwd");
    flip_value(t, "one", "x", 0);
    flip_record(t, record_of(t, NAME_ENTRY, name));
}

/* A block, a header, a target, an attribute, a record, and the name that it was of. */
static void damage_of_each_kind__told_outside_of_the_volume(void **state)
{
    struct tamper *t = *state;

    damage_objects(t);
    flip_page(t, "one", 1);
    flip_page(t, "two", 0);
    tamper_restart(t);
    check_ok(survey_with(t, go_on));
    assert_int_equal(t->told, 6);
}

/* --- without keys, and behind a closed door --- */

static void count_without_keys__looks_at_none_of_it(void **state)
{
    struct tamper *t = *state;

    damage_objects(t);
    struct survey s = tamper_count(t);
    assert_true(survey_is_sound(&s));
    assert_int_equal(t->told, 0);
    assert_int_equal(s.files, 3);
    assert_int_equal(s.other, 1);
    s = tamper_survey(t);
    assert_int_equal(s.targets_damaged + s.attributes_damaged + s.records_damaged, 3);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, tamper_setup, tamper_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(target_changed__reading_it_fails_and_verify_names_the_link),
        T(target_in_clear__fails),
        T(name_used_as_the_target_of_a_link__fails),
        T(target_of_another_volume__fails),
        T(targets_exchanged__each_leads_where_the_other_did),
        T(value_changed__reading_it_fails_and_verify_names_both),
        T(value_cut__fails),
        T(value_of_another_attribute__fails),
        T(value_of_another_volume__fails),
        T(value_of_the_same_attribute_of_another_file__is_taken),
        T(older_value__is_taken),
        T(name_changed__is_gone_and_told),
        T(attributes_that_are_not_encrypted__are_no_damage),
        T(each_of_several__is_told),
        T(record_of_a_name_changed__both_are_told_and_the_name_still_leads_there),
        T(record_removed__its_name_is_told),
        T(records_exchanged__are_never_taken_for_each_other),
        T(record_of_a_target_removed__reading_it_fails),
        T(record_of_an_attribute_removed__that_one_is_left_out),
        T(record_of_a_long_target__as_a_name__is_left_out_and_told),
        T(record_changed__no_other_object_gets_a_name_that_needs_it),
        T(record_of_an_attribute_changed__no_value_is_set_that_could_not_be_listed),
        T(attribute_that_is_not_there__asking_for_it_writes_nothing),
        T(record_that_nothing_refers_to__is_looked_at_too),
        T(other_things_in_long__are_no_damage),
        T(walk_of_objects_without_bytes__told_to_stop__ends),
        T(walk_of_records__told_to_stop__ends_among_them),
        T(damage_of_each_kind__told_outside_of_the_volume),
        T(count_without_keys__looks_at_none_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
