/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each structural attack on a backing directory is either seen (a read of what was touched fails, everything
 * else is right, a survey names the file) or is one of those that docs/THREAT-MODEL.md says are not seen, and then does
 * exactly what it says there: what is read was authentic once, or is zeros, and never anything else.
 */
#include "io_help.h"

#include "base/mem.h"
#include "io/crash.h"
#include "volume/survey.h"
#include "volume/volume_int.h"
#include "volume_fixture.h"

enum { PAYLOAD = 3584, PAGE = 4096, BLOCKS = 4, BYTES = BLOCKS * PAYLOAD };

struct bench {
    struct io *io;
    struct fixture_keys *keys, *other_keys;
    struct fixture *f, *other; /* two volumes, with keys of their own */
    uint8_t one[BYTES], two[BYTES];
};

/* --- the volume as its user sees it --- */

static void write_at(struct fixture *f, const char *name, bool is_new, const uint8_t *bytes,
                     size_t len, uint64_t at)
{
    struct inode *i;
    struct handle *h;

    check_ok(fixture_file(f, name, is_new, &i, &h));
    check_ok(volume_write(f->v, handle_inode(h), bytes, len, at));
    check_ok(volume_fsync(f->v, handle_inode(h), false));
    fixture_file_close(f, i, h);
}

/* Which blocks can be read, bit by bit; what is read goes to got (BYTES, zeros elsewhere). */
static unsigned readable(struct fixture *f, const char *name, uint8_t *got, uint64_t *ret_size)
{
    struct inode *i;
    struct handle *h;
    struct stat st;
    unsigned mask = 0;

    memset(got, 0, BYTES);
    ks_rc rc = fixture_file(f, name, false, &i, &h);
    if (!ks_ok(rc)) {
        assert_int_equal(rc.cls, KS_CLASS_CORRUPT);
        *ret_size = UINT64_MAX;
        return 0;
    }
    check_ok(volume_getattr(f->v, i, &st));
    *ret_size = (uint64_t)st.st_size;
    for (unsigned b = 0; b < BLOCKS; b++) {
        size_t len = 0;
        rc = volume_read(f->v, handle_inode(h), got + b * PAYLOAD, PAYLOAD, b * PAYLOAD, &len);
        if (ks_ok(rc))
            mask |= 1u << b;
        else
            assert_int_equal(rc.cls, KS_CLASS_CORRUPT);
    }
    fixture_file_close(f, i, h);
    return mask;
}

/* The blocks that can be read are those of mask, and right. */
static void expect_seen(struct bench *b, const char *name, const uint8_t *want, unsigned mask)
{
    static uint8_t got[BYTES];
    uint64_t size;

    assert_int_equal(readable(b->f, name, got, &size), mask);
    for (unsigned n = 0; n < BLOCKS; n++)
        if (mask >> n & 1)
            assert_memory_equal(got + n * PAYLOAD, want + n * PAYLOAD, PAYLOAD);
}

static void expect_all(struct bench *b, const char *name, const uint8_t *want, uint64_t want_size)
{
    static uint8_t got[BYTES];
    uint64_t size;

    assert_int_equal(readable(b->f, name, got, &size), (1u << BLOCKS) - 1);
    assert_int_equal(size, want_size);
    assert_memory_equal(got, want, want_size);
}

static struct survey survey(struct bench *b)
{
    struct survey s;
    struct survey_conf conf = {.io = b->io,
                               .tree = b->f->tree,
                               .long_names = b->f->long_names,
                               .block_payload = PAYLOAD,
                               .volume = b->f->v};

    memcpy(conf.volume_id, b->keys->keyring->volume_id, sizeof conf.volume_id);
    check_ok(survey_run(&conf, &s));
    mem_free(s.generations);
    s.generations = NULL;
    return s;
}

static void expect_survey(struct bench *b, uint64_t files, uint64_t blocks, uint64_t names)
{
    struct survey s = survey(b);

    assert_int_equal(s.files_damaged, files);
    assert_int_equal(s.blocks_damaged, blocks);
    assert_int_equal(s.names_damaged, names);
}

/* --- the backing tree as the meddler sees it --- */

/* The name in cipher, found as a meddler who knows the plain one would by trying. */
static const char *cipher(struct fixture *f, enum name_kind kind, const char *name)
{
    static char text[2][IO_NAME_BYTES + 1];
    static unsigned turn;
    CLEANUP(buf_done) struct buf sealed = buf_init(IO_NAME_BYTES + 1);
    char *out = text[turn++ % 2];

    check_ok(names_seal(f->v->names, kind, name, IO_NAME_BYTES, false, &sealed));
    snprintf(out, sizeof text[0], "%s", buf_text(&sealed));
    return out;
}

static struct io_file *raw_open(struct fixture *f, const char *name)
{
    return help_open(f->io, f->tree, cipher(f, NAME_ENTRY, name));
}

/* Page 0 is the header, page n + 1 block n. */
static void page_get(struct fixture *f, const char *name, uint64_t page, uint8_t out[PAGE])
{
    struct io_file *raw = raw_open(f, name);
    size_t len;

    check_ok(f->io->ops->pread(f->io, raw, out, PAGE, page * PAGE, &len));
    assert_int_equal(len, PAGE);
    f->io->ops->close(f->io, raw);
}

static void page_put(struct fixture *f, const char *name, uint64_t page, const uint8_t in[PAGE])
{
    struct io_file *raw = raw_open(f, name);

    check_ok(f->io->ops->pwrite(f->io, raw, in, PAGE, page * PAGE));
    f->io->ops->close(f->io, raw);
}

static void page_copy(struct fixture *from, const char *from_name, uint64_t from_page,
                      struct fixture *to, const char *to_name, uint64_t to_page)
{
    uint8_t page[PAGE];

    page_get(from, from_name, from_page, page);
    page_put(to, to_name, to_page, page);
}

static void cut(struct fixture *f, const char *name, uint64_t size)
{
    struct io_file *raw = raw_open(f, name);

    check_ok(f->io->ops->truncate(f->io, raw, size));
    f->io->ops->close(f->io, raw);
}

static void rename_raw(struct bench *b, const char *from, const char *to, unsigned flags)
{
    const char *from_text = cipher(b->f, NAME_ENTRY, from), *to_text = cipher(b->f, NAME_ENTRY, to);

    check_ok(b->io->ops->rename(b->io, b->f->tree, from_text, b->f->tree, to_text, flags));
}

/* A restart, after which nothing is known of any file. */
static void restart(struct bench *b)
{
    fixture_close(b->f);
    check_ok(fixture_open(b->io, "/v", b->keys, &b->f));
}

/* --- what is seen --- */

static void blocks_swapped_within_a_file__both_fail(void **state)
{
    struct bench *b = *state;
    uint8_t page[PAGE];

    page_get(b->f, "one", 2, page);
    page_copy(b->f, "one", 3, b->f, "one", 2);
    page_put(b->f, "one", 3, page);
    expect_seen(b, "one", b->one, 0x9);
    expect_survey(b, 1, 2, 0);
}

static void block_copied_to_another_place__fails_there(void **state)
{
    struct bench *b = *state;

    page_copy(b->f, "one", 1, b->f, "one", 3);
    expect_seen(b, "one", b->one, 0xb);
    expect_survey(b, 1, 1, 0);
}

static void block_of_another_file__fails(void **state)
{
    struct bench *b = *state;

    page_copy(b->f, "two", 2, b->f, "one", 2);
    expect_seen(b, "one", b->one, 0xd);
    expect_all(b, "two", b->two, BYTES);
    expect_survey(b, 1, 1, 0);
}

static void block_of_another_volume__fails(void **state)
{
    struct bench *b = *state;

    page_copy(b->other, "one", 2, b->f, "one", 2);
    expect_seen(b, "one", b->one, 0xd);
    expect_survey(b, 1, 1, 0);
}

static void header_of_another_file__every_block_fails(void **state)
{
    struct bench *b = *state;

    page_copy(b->f, "two", 0, b->f, "one", 0);
    restart(b);
    expect_seen(b, "one", b->one, 0);
    expect_survey(b, 1, BLOCKS, 0);
}

static void header_of_another_volume__the_file_fails(void **state)
{
    struct bench *b = *state;

    page_copy(b->other, "one", 0, b->f, "one", 0);
    restart(b);
    expect_seen(b, "one", b->one, 0);
    expect_survey(b, 1, 0, 0);
}

static void file_of_another_volume__fails(void **state)
{
    struct bench *b = *state;

    for (uint64_t n = 0; n <= BLOCKS; n++)
        page_copy(b->other, "one", n, b->f, "one", n);
    restart(b);
    expect_seen(b, "one", b->one, 0);
}

/* The length of a last block that fails is not believed, so whoever reads to the end meets the error. */
static void block_appended__the_end_fails(void **state)
{
    static uint8_t got[PAYLOAD];
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;
    size_t len;

    page_copy(b->f, "one", 1, b->f, "one", BLOCKS + 1);
    restart(b);
    expect_seen(b, "one", b->one, 0xf);
    check_ok(fixture_file(b->f, "one", false, &i, &h));
    check_class(volume_read(b->f->v, handle_inode(h), got, sizeof got, BYTES, &len), CORRUPT);
    fixture_file_close(b->f, i, h);
    expect_survey(b, 1, 1, 0);
}

static void cut_or_extended_within_a_page__the_file_fails(void **state)
{
    struct bench *b = *state;

    cut(b->f, "one", 3 * PAGE + 100);
    cut(b->f, "two", (BLOCKS + 1) * PAGE + 1);
    restart(b);
    expect_seen(b, "one", b->one, 0);
    expect_seen(b, "two", b->two, 0);
    expect_survey(b, 2, 0, 0);
}

static void name_changed__is_left_out_and_told(void **state)
{
    struct bench *b = *state;
    struct io_dirent e = {0};
    struct handle *h;
    char changed[IO_NAME_BYTES + 1];
    unsigned names = 0;

    snprintf(changed, sizeof changed, "%s", cipher(b->f, NAME_ENTRY, "one"));
    changed[3] = changed[3] == 'A' ? 'B' : 'A';
    check_ok(b->io->ops->rename(b->io, b->f->tree, cipher(b->f, NAME_ENTRY, "one"), b->f->tree,
                                changed, 0));
    check_ok(volume_opendir(b->f->v, volume_root(b->f->v), &h));
    do {
        check_ok(volume_readdir(b->f->v, h, e.next, &e));
        names += e.name[0] && e.name[0] != '.';
    } while (e.name[0]);
    volume_close(b->f->v, h);
    assert_int_equal(names, 1);
    assert_int_equal(b->f->alerts, 1);
    expect_survey(b, 0, 0, 1);
}

/* A name in cipher says what it is for. */
static void name_used_as_the_target_of_a_link__fails(void **state)
{
    struct bench *b = *state;
    CLEANUP(buf_done) struct buf target = buf_init(TARGET_PLAIN_MAX + 1);
    struct inode *i;
    struct stat st;

    check_ok(b->io->ops->symlink(b->io, b->f->tree, cipher(b->f, NAME_ENTRY, "link"),
                                 cipher(b->f, NAME_ENTRY, "one")));
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "link", &i, &st));
    check_class(volume_readlink(b->f->v, i, &target), CORRUPT);
    volume_forget(b->f->v, i, 1);
}

static void set_attribute(struct bench *b, const char *file, const char *name, const char *value)
{
    struct inode *i;
    struct stat st;

    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), file, &i, &st));
    check_ok(volume_setxattr(b->f->v, i, name, view_text(value), 0));
    volume_forget(b->f->v, i, 1);
}

/* Copies the value of one attribute over another, in cipher, and reads the latter. */
static ks_rc transplant_attribute(struct bench *b, const char *from_file, const char *from,
                                  const char *to_file, const char *to, struct buf *ret)
{
    CLEANUP(buf_done) struct buf value = buf_init(1024);
    char kept[2 * IO_NAME_BYTES];
    struct inode *i;
    struct stat st;

    struct io_node *node = help_lookup(b->io, b->f->tree, cipher(b->f, NAME_ENTRY, from_file));
    snprintf(kept, sizeof kept, "user.ks.%s", cipher(b->f, NAME_ATTRIBUTE, from));
    check_ok(b->io->ops->xattr_get(b->io, node, kept, &value));
    b->io->ops->node_close(b->io, node);
    node = help_lookup(b->io, b->f->tree, cipher(b->f, NAME_ENTRY, to_file));
    snprintf(kept, sizeof kept, "user.ks.%s", cipher(b->f, NAME_ATTRIBUTE, to));
    check_ok(b->io->ops->xattr_set(b->io, node, kept, buf_view(&value), 0));
    b->io->ops->node_close(b->io, node);
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), to_file, &i, &st));
    snprintf(kept, sizeof kept, "user.%s", to);
    ks_rc rc = volume_getxattr(b->f->v, i, kept, ret);
    volume_forget(b->f->v, i, 1);
    return rc;
}

static void attribute_value_of_another_attribute__fails(void **state)
{
    struct bench *b = *state;
    CLEANUP(buf_done) struct buf got = buf_init(1024);

    set_attribute(b, "one", "user.x", "the value of x");
    set_attribute(b, "one", "user.y", "the value of y");
    check_class(transplant_attribute(b, "one", "x", "one", "y", &got), CORRUPT);
}

/* --- what is not seen: docs/THREAT-MODEL.md --- */

static void block_replaced_by_an_older_one_of_its_place__is_the_older_one(void **state)
{
    struct bench *b = *state;
    uint8_t page[PAGE], newer[PAYLOAD];

    page_get(b->f, "one", 2, page);
    memset(newer, 7, sizeof newer);
    write_at(b->f, "one", false, newer, sizeof newer, PAYLOAD);
    page_put(b->f, "one", 2, page);
    expect_all(b, "one", b->one, BYTES);
    expect_survey(b, 0, 0, 0);
}

static void block_zeroed__is_a_hole(void **state)
{
    static const uint8_t zeros[PAGE];
    struct bench *b = *state;

    page_put(b->f, "one", 2, zeros);
    memset(b->one + PAYLOAD, 0, PAYLOAD);
    restart(b);
    expect_all(b, "one", b->one, BYTES);
    expect_survey(b, 0, 0, 0);
}

static void file_cut_between_blocks__is_shorter(void **state)
{
    struct bench *b = *state;

    cut(b->f, "one", 3 * PAGE);
    restart(b);
    expect_all(b, "one", b->one, 2 * PAYLOAD);
    expect_survey(b, 0, 0, 0);
}

/* Also the last block made a hole, which is the same as cutting it off. */
static void last_block_zeroed__is_shorter(void **state)
{
    static const uint8_t zeros[PAGE];
    struct bench *b = *state;

    page_put(b->f, "one", BLOCKS, zeros);
    restart(b);
    expect_all(b, "one", b->one, 3 * PAYLOAD);
}

/* It looks like a file of which nothing became durable, and verify counts it as such. */
static void header_zeroed__is_empty_and_counted_as_unfinished(void **state)
{
    static const uint8_t zeros[PAGE];
    struct bench *b = *state;

    page_put(b->f, "one", 0, zeros);
    restart(b);
    expect_all(b, "one", b->one, 0);
    assert_int_equal(survey(b).files_unfinished, 1);
}

static void files_exchanged__each_reads_as_the_other(void **state)
{
    struct bench *b = *state;

    rename_raw(b, "one", "two", RENAME_EXCHANGE);
    restart(b);
    expect_all(b, "one", b->two, BYTES);
    expect_all(b, "two", b->one, BYTES);
    expect_survey(b, 0, 0, 0);
}

static void attribute_value_of_the_same_attribute_of_another_file__is_taken(void **state)
{
    struct bench *b = *state;
    CLEANUP(buf_done) struct buf got = buf_init(1024);

    set_attribute(b, "one", "user.x", "one's");
    set_attribute(b, "two", "user.x", "two's");
    check_ok(transplant_attribute(b, "one", "x", "two", "x", &got));
    check_bytes(buf_view(&got), view_text("one's"));
}

static void mode_changed__is_the_new_mode(void **state)
{
    struct bench *b = *state;
    struct stat st, in = {.st_mode = 0777};
    struct io_node *node = help_lookup(b->io, b->f->tree, cipher(b->f, NAME_ENTRY, "one"));
    struct inode *i;

    check_ok(b->io->ops->setattr(b->io, node, IO_ATTR_MODE, &in));
    b->io->ops->node_close(b->io, node);
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "one", &i, &st));
    assert_int_equal(st.st_mode & 07777, 0777);
    volume_forget(b->f->v, i, 1);
}

/* --- --- */

static void volume_at(struct bench *b, const char *dir, struct fixture_keys **ret_keys,
                      struct fixture **ret)
{
    struct io_node *root = help_root(b->io, "/");
    char path[8];

    check_ok(b->io->ops->mkdir(b->io, root, dir, 0700));
    b->io->ops->node_close(b->io, root);
    snprintf(path, sizeof path, "/%s", dir);
    check_ok(fixture_keys_new(PAYLOAD, ret_keys));
    check_ok(fixture_layout(b->io, path));
    check_ok(fixture_open(b->io, path, *ret_keys, ret));
    write_at(*ret, "one", true, b->one, BYTES, 0);
    write_at(*ret, "two", true, b->two, BYTES, 0);
}

static int setup(void **state)
{
    static struct bench b;

    check_ok(crash_new(&b.io));
    check_ok(random_fill(random_system(), b.one, BYTES));
    check_ok(random_fill(random_system(), b.two, BYTES));
    volume_at(&b, "v", &b.keys, &b.f);
    volume_at(&b, "w", &b.other_keys, &b.other);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    fixture_close(b->f);
    fixture_close(b->other);
    crash_free(b->io);
    fixture_keys_free(b->keys);
    fixture_keys_free(b->other_keys);
    return 0;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(blocks_swapped_within_a_file__both_fail),
        T(block_copied_to_another_place__fails_there),
        T(block_of_another_file__fails),
        T(block_of_another_volume__fails),
        T(header_of_another_file__every_block_fails),
        T(header_of_another_volume__the_file_fails),
        T(file_of_another_volume__fails),
        T(block_appended__the_end_fails),
        T(cut_or_extended_within_a_page__the_file_fails),
        T(name_changed__is_left_out_and_told),
        T(name_used_as_the_target_of_a_link__fails),
        T(attribute_value_of_another_attribute__fails),
        T(block_replaced_by_an_older_one_of_its_place__is_the_older_one),
        T(block_zeroed__is_a_hole),
        T(file_cut_between_blocks__is_shorter),
        T(last_block_zeroed__is_shorter),
        T(header_zeroed__is_empty_and_counted_as_unfinished),
        T(files_exchanged__each_reads_as_the_other),
        T(attribute_value_of_the_same_attribute_of_another_file__is_taken),
        T(mode_changed__is_the_new_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
