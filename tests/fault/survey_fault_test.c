/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever call of the file system below fails under a survey, with keys or without, by one thread or by two, the
 * survey ends with that errno: what could not be read is told neither as sound nor as damaged. The next one, in the same mount, finds
 * all as it is.
 */
#include "check.h"

#include <string.h>

#include "fault_each.h"
#include "io/crash.h"
#include "volume/survey.h"
#include "volume_fixture.h"

enum { PAYLOAD = 3584, FILE_BYTES = 3 * PAYLOAD + 100 };

static const struct caller me = {7, 8};

struct bench {
    struct fixture_keys *keys;
    struct io *disk;
    bool has_keys;
    unsigned threads, damaged;
    unsigned met; /* bits of watched */
};

/* Calls that only one kind of object makes. */
static const char *const watched[] = {"xattr_get", "readlink"};
enum { WATCHED_ALL = 3 };

static void make_file(struct fixture *f, struct inode *dir, const char *name, uint64_t at)
{
    static const uint8_t data[FILE_BYTES] = {7};
    struct inode *i;
    struct stat st;

    check_ok(volume_create(f->v, dir, name, 0600, &me, &i, &st, NULL));
    check_ok(volume_write(f->v, i, data, sizeof data, at));
    check_ok(volume_setxattr(f->v, i, "user.x", view_text("value"), 0));
    volume_forget(f->v, i, 1);
}

/* One of each that a survey looks at: contents, with and without holes, attributes of all kinds of objects, a target, a name with a
 * record of its own. */
static void make_tree(struct bench *b)
{
    struct fixture *f;
    struct inode *dir, *i;
    struct stat st;
    char name[251];

    memset(name, 'n', 250);
    name[250] = '\0';
    check_ok(fixture_open(b->disk, "/", b->keys, &f));
    check_ok(volume_setxattr(f->v, volume_root(f->v), "user.x", view_text("value"), 0));
    check_ok(volume_mkdir(f->v, volume_root(f->v), "dir", 0700, &me, &dir, &st));
    check_ok(volume_setxattr(f->v, dir, "user.x", view_text("value"), 0));
    make_file(f, dir, "file", 0);
    make_file(f, dir, name, 0);
    make_file(f, volume_root(f->v), "with a hole", 100000);
    check_ok(volume_symlink(f->v, dir, "link", "target", &me, &i, &st));
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
    assert_true(survey_is_sound(&s));
    assert_int_equal(b->damaged, 0);
}

static void note_met(struct bench *b, const char *call)
{
    for (size_t n = 0; n < sizeof watched / sizeof watched[0]; n++)
        if (strcmp(call, watched[n]) == 0)
            b->met |= 1u << n;
}

static void check_is_told(ks_rc rc, const char *failed, const struct fault_case *c)
{
    if (ks_ok(rc) || ks_errno(rc) != c->err || rc.cls != ks_os(c->err).cls)
        fail_msg("%s at call %u, with errno %d: %s", failed, (unsigned)c->n, c->err,
                 ks_ok(rc) ? "told" : ks_text(rc));
}

static bool try_one(void *arg, const struct fault_case *c)
{
    CLEANUP(survey_done) struct survey s = {0};
    struct bench *b = arg;
    struct fixture *f;
    struct io *faulty;

    check_ok(fault_new(b->disk, &faulty));
    check_ok(fixture_open(faulty, "/", b->keys, &f)); /* nothing is known of any file */
    fault_arm_case(faulty, c);
    ks_rc rc = survey(b, f, &s);
    const char *failed = fault_name(faulty);
    fault_arm(faulty, 0, 0, false);
    if (failed) {
        check_is_told(rc, failed, c);
        note_met(b, failed);
    } else {
        check_ok(rc);
        assert_true(survey_is_sound(&s));
    }
    assert_int_equal(b->damaged, 0);
    check_sound(b, f);
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
    assert_true(tried > 6 * (has_keys ? 60 : 25));
    assert_int_equal(b.met, has_keys ? WATCHED_ALL : 0);
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
