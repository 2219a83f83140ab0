/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever call of the file system below fails while everything is verified, verifying ends with that error: it is neither taken
 * for damage nor for soundness.
 */
#include "check.h"

#include "fault_each.h"
#include "io/crash.h"
#include "volume/survey.h"
#include "volume_fixture.h"

static const struct caller me = {7, 8};

struct bench {
    struct io *disk, *faulty;
    struct fixture_keys *keys;
    struct fixture *f;
    unsigned told;
};

static void note(void *arg, const char *path, uint64_t block, const char *what)
{
    struct bench *b = arg;

    (void)path;
    (void)block;
    (void)what;
    b->told++;
}

static ks_rc survey(struct bench *b, struct survey *ret)
{
    struct survey_conf conf = {.io = b->faulty,
                               .tree = b->f->tree,
                               .long_names = b->f->long_names,
                               .block_payload = 3584,
                               .volume = b->f->v,
                               .threads = 1,
                               .damaged = note,
                               .arg = b};

    memcpy(conf.volume_id, b->keys->keyring->volume_id, sizeof conf.volume_id);
    return survey_run(&conf, ret);
}

static bool try_one(void *arg, const struct fault_case *c)
{
    struct bench *b = arg;
    struct survey s;

    check_ok(fixture_open(b->faulty, "/", b->keys, &b->f)); /* nothing is known of any file */
    b->told = 0;
    fault_arm_case(b->faulty, c);
    ks_rc rc = survey(b, &s);
    bool has_failed = fault_name(b->faulty) != NULL;
    fault_arm(b->faulty, 0, 0, false);
    assert_int_equal(b->told, 0);
    if (has_failed && (rc.cls != KS_CLASS_IO || ks_errno(rc) != c->err))
        fail_msg("call %llu, with errno %d: %s", (unsigned long long)c->n, c->err, ks_name(rc));
    if (!has_failed) {
        check_ok(rc);
        assert_true(survey_is_sound(&s));
        survey_done(&s);
    }
    fixture_close(b->f);
    return has_failed;
}

static void call__each_fails_in_turn__is_the_error_of_the_survey(void **state)
{
    size_t tried = fault_each(try_one, *state, EIO, false) + fault_each(try_one, *state, EIO, true);

    assert_true(tried > 60);
}

/* One of each that a survey looks at: contents, attributes of all kinds of objects, a target, long texts. */
static void fill(struct bench *b)
{
    struct volume *v = b->f->v;
    struct inode *root = volume_root(v), *i;
    struct handle *h;
    struct stat st;
    char text[251];

    memset(text, 'l', 250);
    text[250] = 0;
    check_ok(fixture_file(b->f, text, true, &i, &h));
    check_ok(volume_write(v, handle_inode(h), text, 250, 0));
    check_ok(volume_setxattr(v, i, "user.x", view_text("value"), 0));
    fixture_file_close(b->f, i, h);
    check_ok(volume_mkdir(v, root, "dir", 0755, &me, &i, &st));
    check_ok(volume_setxattr(v, i, "user.x", view_text("value"), 0));
    volume_forget(v, i, 1);
    check_ok(volume_setxattr(v, root, "user.x", view_text("value"), 0));
    check_ok(volume_symlink(v, root, "link", "target", &me, &i, &st));
    volume_forget(v, i, 1);
}

static int bench_new(void **state)
{
    static struct bench bench;
    struct bench *b = &bench;

    check_ok(crash_new(&b->disk));
    check_ok(fault_new(b->disk, &b->faulty));
    check_ok(fixture_keys_new(3584, &b->keys));
    check_ok(fixture_layout(b->faulty, "/"));
    check_ok(fixture_open(b->faulty, "/", b->keys, &b->f));
    fill(b);
    fixture_close(b->f);
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    fault_free(b->faulty);
    crash_free(b->disk);
    fixture_keys_free(b->keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(call__each_fails_in_turn__is_the_error_of_the_survey,
                                        bench_new, bench_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
