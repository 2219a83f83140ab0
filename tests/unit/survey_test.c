/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a survey with many threads finds what one thread finds, also in files that several look at, and ends at
 * once when it is told to.
 */
#include "volume/survey.h"

#include <stdio.h>
#include <unistd.h>

#include "tmpdir.h"
#include "volume_fixture.h"

enum { MIB = 1 << 20, FILES = 60, LARGE = 200 * MIB };

struct bench {
    struct tmpdir tmp;
    struct fixture_keys *keys;
    struct fixture *f;
    unsigned told, calls, calls_max;
};

static void write_at(struct bench *b, const char *name, uint64_t at, size_t len)
{
    static uint8_t bytes[MIB];
    struct inode *i;
    struct handle *h;
    ks_rc rc = fixture_file(b->f, name, true, &i, &h);

    if (!ks_ok(rc))
        check_ok(fixture_file(b->f, name, false, &i, &h));
    check_ok(volume_write(b->f->v, handle_inode(h), bytes, len, at));
    fixture_file_close(b->f, i, h);
}

/* Small files, and a large one with something in each of its four parts. */
static int bench_new(void **state)
{
    static struct bench bench;
    struct bench *b = &bench;
    char name[16];

    *b = (struct bench){.tmp = tmpdir_make()};
    check_ok(fixture_keys_new(3584, &b->keys));
    check_ok(fixture_layout(io_posix(), b->tmp.path));
    check_ok(fixture_open(io_posix(), b->tmp.path, b->keys, &b->f));
    for (unsigned n = 0; n < FILES; n++) {
        snprintf(name, sizeof name, "file-%u", n);
        write_at(b, name, 0, n * 500 + 1);
    }
    for (uint64_t at = 0; at < LARGE; at += 40 * MIB)
        write_at(b, "large", at, MIB);
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    fixture_close(b->f);
    fixture_keys_free(b->keys);
    tmpdir_remove(&b->tmp);
    return 0;
}

static void on_damage(void *arg, const char *path, uint64_t block, const char *what)
{
    struct bench *b = arg;

    (void)block;
    (void)what;
    assert_string_equal(path, "/large");
    b->told++;
}

static bool on_progress(void *arg, uint64_t bytes_seen)
{
    struct bench *b = arg;

    (void)bytes_seen;
    return b->calls_max == 0 || ++b->calls < b->calls_max;
}

static ks_rc survey(struct bench *b, unsigned threads, struct survey *ret)
{
    struct survey_conf conf = {.io = b->f->io,
                               .tree = b->f->tree,
                               .long_names = b->f->long_names,
                               .block_payload = 3584,
                               .volume = b->f->v,
                               .threads = threads,
                               .damaged = on_damage,
                               .progress = on_progress,
                               .arg = b};

    memcpy(conf.volume_id, b->keys->keyring->volume_id, sizeof conf.volume_id);
    return survey_run(&conf, ret);
}

static void check_same(const struct survey *a, const struct survey *b)
{
    assert_int_equal(a->files, b->files);
    assert_int_equal(a->directories, b->directories);
    assert_int_equal(a->blocks, b->blocks);
    assert_int_equal(a->holes, b->holes);
    assert_int_equal(a->bytes_seen, b->bytes_seen);
    assert_int_equal(a->files_damaged, b->files_damaged);
    assert_int_equal(a->blocks_damaged, b->blocks_damaged);
    assert_int_equal(a->generation_count, b->generation_count);
    assert_int_equal(a->generations[0].blocks, b->generations[0].blocks);
}

static void survey__with_many_threads__finds_what_one_finds(void **state)
{
    struct survey one, many;
    struct bench *b = *state;

    check_ok(survey(b, 1, &one));
    check_ok(survey(b, 4, &many));
    assert_int_equal(one.files, FILES + 1);
    assert_true(one.blocks > 5 * MIB / 3584 - 6);
    check_same(&one, &many);
    survey_done(&one);
    survey_done(&many);
}

static char large_path[256];

static int note_large(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)type;
    (void)ftw;
    if (st->st_size > 100 * (off_t)MIB)
        snprintf(large_path, sizeof large_path, "%s", path);
    return 0;
}

/* In the last part of the large file: two blocks. */
static void spoil(struct bench *b)
{
    assert_int_equal(nftw(tmpdir_path(&b->tmp, "tree").text, note_large, 8, FTW_PHYS), 0);
    for (unsigned n = 0; n < 2; n++) {
        FILE *f = fopen(large_path, "r+b");
        assert_non_null(f);
        off_t block = (off_t)(160 * (uint64_t)MIB / 3584 + 5 + n * 7);
        assert_int_equal(fseeko(f, (block + 1) * 4096 + 300, SEEK_SET), 0);
        assert_int_equal(fwrite("damage", 1, 6, f), 6);
        fclose(f);
    }
}

static void survey__of_damage__is_told_once_and_counts_one_file(void **state)
{
    struct survey one, many;
    struct bench *b = *state;

    spoil(b);
    check_ok(survey(b, 1, &one));
    assert_int_equal(b->told, 2);
    check_ok(survey(b, 4, &many));
    assert_int_equal(b->told, 4);
    assert_int_equal(one.files_damaged, 1);
    assert_int_equal(one.blocks_damaged, 2);
    check_same(&one, &many);
    survey_done(&one);
    survey_done(&many);
}

static void survey__told_to_stop__ends_with_busy(void **state)
{
    struct survey s;
    struct bench *b = *state;

    for (unsigned threads = 1; threads <= 4; threads += 3) {
        b->calls = 0;
        b->calls_max = 2;
        ks_rc rc = survey(b, threads, &s);
        check_rc(rc, BUSY);
        check_text(rc, "interrupted");
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(survey__with_many_threads__finds_what_one_finds),
        TEST(survey__of_damage__is_told_once_and_counts_one_file),
        TEST(survey__told_to_stop__ends_with_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
