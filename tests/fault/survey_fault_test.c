/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever call of the file system below fails under a survey, with keys or without, by one thread or by two, the
 * survey ends with that errno: what could not be read is told neither as sound nor as damaged.
 */
#include "check.h"

#include <string.h>

#include "fault_each.h"
#include "io/crash.h"
#include "volume/survey.h"
#include "volume_fixture.h"

enum { PAYLOAD = 3584, FILE_BYTES = 3 * PAYLOAD + 100 };

static const struct caller root_user = {0, 0};

struct bench {
    struct fixture_keys *keys;
    struct io *disk;
    bool has_keys;
    unsigned threads, damaged;
};

static void make_file(struct fixture *f, struct inode *dir, const char *name, uint64_t at)
{
    static const uint8_t data[FILE_BYTES] = {7};
    struct inode *i;
    struct stat st;

    check_ok(volume_create(f->v, dir, name, 0600, &root_user, &i, &st, NULL));
    check_ok(volume_write(f->v, i, data, sizeof data, at));
    volume_forget(f->v, i, 1);
}

static void make_tree(struct bench *b)
{
    struct fixture *f;
    struct inode *dir, *i;
    struct stat st;
    char name[251];

    memset(name, 'n', 250);
    name[250] = '\0';
    check_ok(fixture_open(b->disk, "/", b->keys, &f));
    check_ok(volume_mkdir(f->v, volume_root(f->v), "dir", 0700, &root_user, &dir, &st));
    make_file(f, dir, "file", 0);
    make_file(f, dir, name, 0); /* its name has a record of its own */
    make_file(f, volume_root(f->v), "with a hole", 100000);
    check_ok(volume_symlink(f->v, dir, "link", "target", &root_user, &i, &st));
    volume_forget(f->v, i, 1);
    volume_forget(f->v, dir, 1);
    fixture_close(f);
}

static void count_damaged(void *arg, const char *path, uint64_t block, const char *what)
{
    struct bench *b = arg;

    (void)path;
    (void)block;
    (void)what;
    b->damaged++;
}

static ks_rc survey(struct bench *b, struct fixture *f, struct survey *ret)
{
    struct survey_conf conf = {.io = f->io,
                               .tree = f->tree,
                               .long_names = f->long_names,
                               .block_payload = PAYLOAD,
                               .volume = b->has_keys ? f->v : NULL,
                               .threads = b->threads,
                               .damaged = count_damaged,
                               .arg = b};

    memcpy(conf.volume_id, b->keys->keyring->volume_id, sizeof conf.volume_id);
    b->damaged = 0;
    return survey_run(&conf, ret);
}

static void check_sound(struct bench *b, struct fixture *f)
{
    CLEANUP(survey_done) struct survey s = {0};

    check_ok(survey(b, f, &s));
    assert_int_equal(s.files, 3);
    assert_int_equal(s.directories, 2);
    assert_int_equal(s.files_damaged + s.blocks_damaged + s.names_damaged + b->damaged, 0);
}

static bool try_one(void *arg, const struct fault_case *c)
{
    CLEANUP(survey_done) struct survey s = {0};
    struct bench *b = arg;
    struct fixture *f;
    struct io *faulty;

    check_ok(fault_new(b->disk, &faulty));
    check_ok(fixture_open(faulty, "/", b->keys, &f));
    fault_arm_case(faulty, c);
    ks_rc rc = survey(b, f, &s);
    const char *failed = fault_name(faulty);
    fault_arm(faulty, 0, 0, false);
    if (failed && (ks_ok(rc) || ks_errno(rc) != c->err))
        fail_msg("%s at call %u: %s", failed, (unsigned)c->n, ks_ok(rc) ? "told" : ks_text(rc));
    assert_true(failed || ks_ok(rc));
    assert_int_equal(b->damaged, 0);
    check_sound(b, f); /* in the same mount */
    fixture_close(f);
    fault_free(faulty);
    return failed != NULL;
}

static void check_each(bool has_keys, unsigned threads)
{
    struct bench b = {.has_keys = has_keys, .threads = threads};

    check_ok(fixture_keys_new(PAYLOAD, &b.keys));
    check_ok(crash_new(&b.disk));
    check_ok(fixture_layout(b.disk, "/"));
    make_tree(&b);
    size_t tried = fault_each_kind(try_one, &b);
    print_message("%zu calls failed in turn\n", tried);
    assert_true(tried > 6 * 20);
    crash_free(b.disk);
    fixture_keys_free(b.keys);
}

static void verify__each_call_fails__is_told_as_the_failure_it_is(void **state)
{
    (void)state;
    check_each(true, 1);
    check_each(true, 2);
}

static void count__each_call_fails__is_told_as_the_failure_it_is(void **state)
{
    (void)state;
    check_each(false, 1);
    check_each(false, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify__each_call_fails__is_told_as_the_failure_it_is),
        cmocka_unit_test(count__each_call_fails__is_told_as_the_failure_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
