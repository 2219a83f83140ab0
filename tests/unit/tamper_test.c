/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each structural attack on a backing directory is either seen (a read of what was touched fails, everything
 * else is right, a survey names the file) or is one of those that docs/THREAT-MODEL.md says are not seen, and then does
 * exactly what it says there: what is read was authentic once, or is zeros, and never anything else. Targets of symlinks,
 * attributes and records of long names: survey_object_test.c; the keyring: test_tamper.py.
 */
#include "tamper_bench.h"

enum { PAYLOAD = TAMPER_PAYLOAD, PAGE = TAMPER_PAGE, BLOCKS = TAMPER_BLOCKS, BYTES = TAMPER_BYTES };

/* --- the volume as its user sees it --- */

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
static void expect_seen(struct tamper *b, const char *name, const uint8_t *want, unsigned mask)
{
    static uint8_t got[BYTES];
    uint64_t size;

    assert_int_equal(readable(b->f, name, got, &size), mask);
    for (unsigned n = 0; n < BLOCKS; n++)
        if (mask >> n & 1)
            assert_memory_equal(got + n * PAYLOAD, want + n * PAYLOAD, PAYLOAD);
}

static void expect_all(struct tamper *b, const char *name, const uint8_t *want, uint64_t want_size)
{
    static uint8_t got[BYTES];
    uint64_t size;

    assert_int_equal(readable(b->f, name, got, &size), (1u << BLOCKS) - 1);
    assert_int_equal(size, want_size);
    assert_memory_equal(got, want, want_size);
}

/* --- the backing tree as the meddler sees it --- */

static struct io_file *raw_open(struct fixture *f, const char *name)
{
    return help_open(f->io, f->tree, tamper_cipher(f, NAME_ENTRY, name));
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

static void rename_raw(struct tamper *b, const char *from, const char *to, unsigned flags)
{
    const char *from_text = tamper_cipher(b->f, NAME_ENTRY, from),
               *to_text = tamper_cipher(b->f, NAME_ENTRY, to);

    check_ok(b->io->ops->rename(b->io, b->f->tree, from_text, b->f->tree, to_text, flags));
}

/* A file, or the lack of it, as it was at one time. */
struct copy {
    uint8_t bytes[(BLOCKS + 2) * PAGE];
    size_t len;
};

static void copy_take(struct tamper *b, const char *name, struct copy *ret)
{
    struct io_file *raw = raw_open(b->f, name);

    check_ok(b->io->ops->pread(b->io, raw, ret->bytes, sizeof ret->bytes, 0, &ret->len));
    b->io->ops->close(b->io, raw);
}

static void copy_put_back(struct tamper *b, const char *name, const struct copy *c)
{
    const char *sealed = tamper_cipher(b->f, NAME_ENTRY, name);

    if (help_exists(b->io, b->f->tree, sealed))
        check_ok(b->io->ops->unlink(b->io, b->f->tree, sealed));
    struct io_file *raw = help_create(b->io, b->f->tree, sealed);
    check_ok(b->io->ops->pwrite(b->io, raw, c->bytes, c->len, 0));
    b->io->ops->close(b->io, raw);
}

/* --- directories, for both of them --- */

static void make_dir(struct tamper *b, const char *name)
{
    static const struct caller me = {0, 0};
    struct inode *i;
    struct stat st;

    check_ok(volume_mkdir(b->f->v, volume_root(b->f->v), name, 0755, &me, &i, &st));
    volume_forget(b->f->v, i, 1);
}

/* Moves an entry of the root, in cipher. */
static void move_into(struct tamper *b, const char *name, const char *dir)
{
    const char *sealed = tamper_cipher(b->f, NAME_ENTRY, name);
    struct io_node *to = help_lookup(b->io, b->f->tree, tamper_cipher(b->f, NAME_ENTRY, dir));

    check_ok(b->io->ops->rename(b->io, b->f->tree, sealed, to, sealed, 0));
    b->io->ops->node_close(b->io, to);
}

static ks_rc find_in(struct tamper *b, const char *dir, const char *name, struct inode **ret)
{
    struct inode *d;
    struct stat st;

    TRY(volume_lookup(b->f->v, volume_root(b->f->v), dir, &d, &st));
    ks_rc rc = volume_lookup(b->f->v, d, name, ret, &st);
    volume_forget(b->f->v, d, 1);
    return rc;
}

static void expect_in(struct tamper *b, const char *dir, const char *name, const uint8_t *want)
{
    static uint8_t got[BYTES];
    struct inode *i;
    size_t len;

    check_ok(find_in(b, dir, name, &i));
    check_ok(volume_read(b->f->v, i, got, BYTES, 0, &len));
    volume_forget(b->f->v, i, 1);
    assert_int_equal(len, BYTES);
    assert_memory_equal(got, want, BYTES);
}

static void expect_gone(struct tamper *b, const char *name)
{
    struct inode *i;
    struct stat st;

    check_os(volume_lookup(b->f->v, volume_root(b->f->v), name, &i, &st), ENOENT);
}

/* --- what is seen --- */

static void blocks_swapped_within_a_file__both_fail(void **state)
{
    struct tamper *b = *state;
    uint8_t page[PAGE];

    page_get(b->f, "one", 2, page);
    page_copy(b->f, "one", 3, b->f, "one", 2);
    page_put(b->f, "one", 3, page);
    expect_seen(b, "one", b->one, 0x9);
    tamper_expect(b, 1, 2, 0);
}

static void block_copied_to_another_place__fails_there(void **state)
{
    struct tamper *b = *state;

    page_copy(b->f, "one", 1, b->f, "one", 3);
    expect_seen(b, "one", b->one, 0xb);
    tamper_expect(b, 1, 1, 0);
    tamper_expect_told(b, "/one", 2, "authentication");
}

static void block_of_another_file__fails(void **state)
{
    struct tamper *b = *state;

    page_copy(b->f, "two", 2, b->f, "one", 2);
    expect_seen(b, "one", b->one, 0xd);
    expect_all(b, "two", b->two, BYTES);
    tamper_expect(b, 1, 1, 0);
    tamper_expect_told(b, "/one", 1, "authentication");
}

static void block_of_another_volume__fails(void **state)
{
    struct tamper *b = *state;

    page_copy(b->other, "one", 2, b->f, "one", 2);
    expect_seen(b, "one", b->one, 0xd);
    tamper_expect(b, 1, 1, 0);
    tamper_expect_told(b, "/one", 1, "authentication");
}

static void header_of_another_file__every_block_fails(void **state)
{
    struct tamper *b = *state;

    page_copy(b->f, "two", 0, b->f, "one", 0);
    tamper_restart(b);
    expect_seen(b, "one", b->one, 0);
    tamper_expect(b, 1, BLOCKS, 0);
}

static void header_of_another_volume__the_file_fails(void **state)
{
    struct tamper *b = *state;

    page_copy(b->other, "one", 0, b->f, "one", 0);
    tamper_restart(b);
    expect_seen(b, "one", b->one, 0);
    tamper_expect(b, 1, 0, 0);
}

static void file_of_another_volume__fails(void **state)
{
    struct tamper *b = *state;

    for (uint64_t n = 0; n <= BLOCKS; n++)
        page_copy(b->other, "one", n, b->f, "one", n);
    tamper_restart(b);
    expect_seen(b, "one", b->one, 0);
    tamper_expect(b, 1, 0, 0);
    tamper_expect_told(b, "/one", UINT64_MAX, "");
}

/* The length of a last block that fails is not believed, so whoever reads to the end meets the error. */
static void block_appended__the_end_fails(void **state)
{
    static uint8_t got[PAYLOAD];
    struct tamper *b = *state;
    struct inode *i;
    struct handle *h;
    size_t len;

    page_copy(b->f, "one", 1, b->f, "one", BLOCKS + 1);
    tamper_restart(b);
    expect_seen(b, "one", b->one, 0xf);
    check_ok(fixture_file(b->f, "one", false, &i, &h));
    check_class(volume_read(b->f->v, handle_inode(h), got, sizeof got, BYTES, &len), CORRUPT);
    fixture_file_close(b->f, i, h);
    tamper_expect(b, 1, 1, 0);
}

static void cut_or_extended_within_a_page__the_file_fails(void **state)
{
    struct tamper *b = *state;

    cut(b->f, "one", 3 * PAGE + 100);
    cut(b->f, "two", (BLOCKS + 1) * PAGE + 1);
    tamper_restart(b);
    expect_seen(b, "one", b->one, 0);
    expect_seen(b, "two", b->two, 0);
    tamper_expect(b, 2, 0, 0);
}

static void name_changed__is_left_out_and_told(void **state)
{
    struct tamper *b = *state;
    struct io_dirent e = {0};
    struct handle *h;
    char changed[IO_NAME_BYTES + 1];
    unsigned names = 0;

    snprintf(changed, sizeof changed, "%s", tamper_cipher(b->f, NAME_ENTRY, "one"));
    changed[3] = changed[3] == 'A' ? 'B' : 'A';
    check_ok(b->io->ops->rename(b->io, b->f->tree, tamper_cipher(b->f, NAME_ENTRY, "one"),
                                b->f->tree, changed, 0));
    check_ok(volume_opendir(b->f->v, volume_root(b->f->v), &h));
    do {
        check_ok(volume_readdir(b->f->v, h, e.next, &e));
        names += e.name[0] && e.name[0] != '.';
    } while (e.name[0]);
    volume_close(b->f->v, h);
    assert_int_equal(names, 1);
    assert_int_equal(b->f->alerts, 1);
    tamper_expect(b, 0, 0, 1);
}

/* A name of another volume is no name here, whatever it leads to. */
static void link_under_a_name_of_another_volume__is_left_out_and_told(void **state)
{
    struct tamper *b = *state;
    struct io_node *node = help_lookup(b->io, b->f->tree, tamper_cipher(b->f, NAME_ENTRY, "one"));
    const char *foreign = tamper_cipher(b->other, NAME_ENTRY, "one");
    char path[IO_NAME_BYTES + 2];

    check_ok(b->io->ops->link(b->io, node, b->f->tree, foreign));
    b->io->ops->node_close(b->io, node);
    snprintf(path, sizeof path, "/%s", foreign);
    tamper_expect(b, 0, 0, 1);
    tamper_expect_told(b, path, UINT64_MAX, "");
    expect_all(b, "one", b->one, BYTES);
}

/* --- what is not seen: docs/THREAT-MODEL.md --- */

static void block_replaced_by_an_older_one_of_its_place__is_the_older_one(void **state)
{
    struct tamper *b = *state;
    uint8_t page[PAGE], newer[PAYLOAD];

    page_get(b->f, "one", 2, page);
    memset(newer, 7, sizeof newer);
    tamper_write(b->f, "one", false, newer, sizeof newer, PAYLOAD);
    page_put(b->f, "one", 2, page);
    expect_all(b, "one", b->one, BYTES);
    tamper_expect(b, 0, 0, 0);
}

static void block_zeroed__is_a_hole(void **state)
{
    static const uint8_t zeros[PAGE];
    struct tamper *b = *state;

    page_put(b->f, "one", 2, zeros);
    memset(b->one + PAYLOAD, 0, PAYLOAD);
    tamper_restart(b);
    expect_all(b, "one", b->one, BYTES);
    tamper_expect(b, 0, 0, 0);
}

static void file_cut_between_blocks__is_shorter(void **state)
{
    struct tamper *b = *state;

    cut(b->f, "one", 3 * PAGE);
    tamper_restart(b);
    expect_all(b, "one", b->one, 2 * PAYLOAD);
    tamper_expect(b, 0, 0, 0);
}

/* Also the last block made a hole, which is the same as cutting it off. */
static void last_block_zeroed__is_shorter(void **state)
{
    static const uint8_t zeros[PAGE];
    struct tamper *b = *state;

    page_put(b->f, "one", BLOCKS, zeros);
    tamper_restart(b);
    expect_all(b, "one", b->one, 3 * PAYLOAD);
}

/* It looks like a file of which nothing became durable, and verify tells it as such; what its blocks name still counts. */
static void header_zeroed__is_empty_and_told_as_unfinished(void **state)
{
    static const uint8_t zeros[PAGE];
    struct tamper *b = *state;

    page_put(b->f, "one", 0, zeros);
    tamper_restart(b);
    expect_all(b, "one", b->one, 0);
    struct survey s = tamper_survey(b);
    assert_int_equal(s.files_unfinished, 1);
    assert_int_equal(s.blocks_unfinished, BLOCKS);
    assert_true(survey_is_sound(&s));
    assert_string_equal(b->unfinished, "/one");
    assert_int_equal(tamper_count(b).blocks, s.blocks);
}

/* Behind the last block zeros are no part of the file, written or not. */
static void zero_pages_or_a_sparse_tail_put_behind__change_nothing(void **state)
{
    static const uint8_t zeros[PAGE];
    static uint8_t got[BYTES];
    struct tamper *b = *state;
    uint64_t size;

    page_put(b->f, "one", BLOCKS + 1, zeros);
    page_put(b->f, "one", BLOCKS + 2, zeros);
    cut(b->f, "two", (uint64_t)PAGE << 20);
    tamper_restart(b);
    expect_all(b, "one", b->one, BYTES);
    expect_all(b, "two", b->two, BYTES);
    tamper_expect(b, 0, 0, 0);
    tamper_write(b->f, "two", false, "more", 4, BYTES);
    readable(b->f, "two", got, &size);
    assert_int_equal(size, BYTES + 4);
    assert_memory_equal(got, b->two, BYTES);
}

static void file_cut_behind_or_before_the_header__is_empty(void **state)
{
    struct tamper *b = *state;

    cut(b->f, "one", PAGE);
    cut(b->f, "two", 0);
    tamper_restart(b);
    expect_all(b, "one", b->one, 0);
    expect_all(b, "two", b->two, 0);
    tamper_expect(b, 0, 0, 0);
}

static void file_removed__is_not_there(void **state)
{
    struct tamper *b = *state;

    check_ok(b->io->ops->unlink(b->io, b->f->tree, tamper_cipher(b->f, NAME_ENTRY, "one")));
    tamper_restart(b);
    expect_gone(b, "one");
    expect_all(b, "two", b->two, BYTES);
    tamper_expect(b, 0, 0, 0);
}

static void file_put_back__is_the_older_one(void **state)
{
    static struct copy old;
    static uint8_t newer[BYTES];
    struct tamper *b = *state;

    copy_take(b, "one", &old);
    memset(newer, 7, sizeof newer);
    tamper_write(b->f, "one", false, newer, sizeof newer, 0);
    tamper_write(b->f, "one", false, newer, 100, BYTES);
    copy_put_back(b, "one", &old);
    tamper_restart(b);
    expect_all(b, "one", b->one, BYTES);
    tamper_expect(b, 0, 0, 0);
}

static void removed_file_put_back__is_there_again(void **state)
{
    static struct copy old;
    struct tamper *b = *state;

    copy_take(b, "one", &old);
    check_ok(volume_unlink(b->f->v, volume_root(b->f->v), "one"));
    expect_gone(b, "one");
    copy_put_back(b, "one", &old);
    tamper_restart(b);
    expect_all(b, "one", b->one, BYTES);
    tamper_expect(b, 0, 0, 0);
}

static void file_moved_to_another_directory__is_found_there(void **state)
{
    struct tamper *b = *state;

    make_dir(b, "a");
    move_into(b, "one", "a");
    tamper_restart(b);
    expect_gone(b, "one");
    expect_in(b, "a", "one", b->one);
    tamper_expect(b, 0, 0, 0);
}

static void directory_moved_into_another__is_found_there(void **state)
{
    struct tamper *b = *state;
    struct inode *a;

    make_dir(b, "a");
    make_dir(b, "b");
    move_into(b, "one", "a");
    move_into(b, "a", "b");
    tamper_restart(b);
    expect_gone(b, "a");
    check_ok(find_in(b, "b", "a", &a));
    volume_forget(b->f->v, a, 1);
    tamper_expect(b, 0, 0, 0);
    assert_int_equal(tamper_survey(b).files, 2);
}

static void directories_exchanged__each_holds_what_the_other_did(void **state)
{
    struct tamper *b = *state;
    struct inode *i;

    make_dir(b, "a");
    make_dir(b, "b");
    move_into(b, "one", "a");
    move_into(b, "two", "b");
    rename_raw(b, "a", "b", RENAME_EXCHANGE);
    tamper_restart(b);
    expect_in(b, "a", "two", b->two);
    expect_in(b, "b", "one", b->one);
    check_os(find_in(b, "a", "one", &i), ENOENT);
    tamper_expect(b, 0, 0, 0);
}

/* Under any name that the volume has, anywhere. */
static void hard_link_added__is_the_same_file(void **state)
{
    struct tamper *b = *state;
    struct io_node *node = help_lookup(b->io, b->f->tree, tamper_cipher(b->f, NAME_ENTRY, "one"));
    struct io_node *dir;
    struct inode *i;
    struct stat st;

    make_dir(b, "a");
    dir = help_lookup(b->io, b->f->tree, tamper_cipher(b->f, NAME_ENTRY, "a"));
    check_ok(b->io->ops->link(b->io, node, dir, tamper_cipher(b->f, NAME_ENTRY, "two")));
    b->io->ops->node_close(b->io, node);
    b->io->ops->node_close(b->io, dir);
    tamper_restart(b);
    expect_in(b, "a", "two", b->one);
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "one", &i, &st));
    assert_int_equal(st.st_nlink, 2);
    volume_forget(b->f->v, i, 1);
    tamper_expect(b, 0, 0, 0);
}

static void files_exchanged__each_reads_as_the_other(void **state)
{
    struct tamper *b = *state;

    rename_raw(b, "one", "two", RENAME_EXCHANGE);
    tamper_restart(b);
    expect_all(b, "one", b->two, BYTES);
    expect_all(b, "two", b->one, BYTES);
    tamper_expect(b, 0, 0, 0);
}

static void mode_owner_and_time_changed__are_the_new_ones(void **state)
{
    struct tamper *b = *state;
    struct stat st,
        in = {.st_mode = 0777, .st_uid = 4711, .st_gid = 4712, .st_mtim = {.tv_sec = 1}};
    struct io_node *node = help_lookup(b->io, b->f->tree, tamper_cipher(b->f, NAME_ENTRY, "one"));
    struct inode *i;

    check_ok(b->io->ops->setattr(b->io, node,
                                 IO_ATTR_MODE | IO_ATTR_UID | IO_ATTR_GID | IO_ATTR_MTIME, &in));
    b->io->ops->node_close(b->io, node);
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "one", &i, &st));
    assert_int_equal(st.st_mode & 07777, 0777);
    assert_int_equal(st.st_uid, 4711);
    assert_int_equal(st.st_gid, 4712);
    assert_int_equal(st.st_mtim.tv_sec, 1);
    volume_forget(b->f->v, i, 1);
    tamper_expect(b, 0, 0, 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, tamper_setup, tamper_teardown)

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
        T(link_under_a_name_of_another_volume__is_left_out_and_told),
        T(block_replaced_by_an_older_one_of_its_place__is_the_older_one),
        T(block_zeroed__is_a_hole),
        T(file_cut_between_blocks__is_shorter),
        T(last_block_zeroed__is_shorter),
        T(header_zeroed__is_empty_and_told_as_unfinished),
        T(zero_pages_or_a_sparse_tail_put_behind__change_nothing),
        T(file_cut_behind_or_before_the_header__is_empty),
        T(file_removed__is_not_there),
        T(file_put_back__is_the_older_one),
        T(removed_file_put_back__is_there_again),
        T(file_moved_to_another_directory__is_found_there),
        T(directory_moved_into_another__is_found_there),
        T(directories_exchanged__each_holds_what_the_other_did),
        T(hard_link_added__is_the_same_file),
        T(files_exchanged__each_reads_as_the_other),
        T(mode_owner_and_time_changed__are_the_new_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
