/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: what was deleted is kept for as long as was said, whatever the clock, a restart, or a damaged note of ages does.
 */
#include "node/deleted.h"

#include <stdio.h>
#include <unistd.h>

#include "tmpdir.h"

enum { HOUR = 3600 * 1000 };

struct place {
    struct tmpdir tmp;
    struct path path;
    struct node_dir *dir;
    struct deleted_conf conf;
};

static int setup(void **state)
{
    static struct place p;

    p = (struct place){.tmp = tmpdir_make()};
    p.path = tmpdir_path(&p.tmp, "node");
    check_ok(node_dir_open(p.path.text, &p.dir));
    p.conf = (struct deleted_conf){p.dir, "boot-1", 5 * HOUR, 24 * HOUR};
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;

    node_dir_close(p->dir);
    tmpdir_remove(&p->tmp);
    return 0;
}

static struct path deleted(struct place *p, const char *name)
{
    struct path path;

    snprintf(path.text, sizeof path.text, "%.120s/deleted/%.50s", p->path.text, name);
    return path;
}

/* A backing directory with something in it. */
static void put(struct place *p, const char *name)
{
    struct path path = deleted(p, name), file;

    assert_int_equal(mkdir(path.text, 0700), 0);
    snprintf(file.text, sizeof file.text, "%.200s/x", path.text);
    file_put(file.text, view_text("x"));
}

static bool is_there(struct place *p, const char *name)
{
    return access(deleted(p, name).text, F_OK) == 0;
}

static unsigned sweep(struct place *p, uint64_t passed_ms)
{
    unsigned count = 77;

    p->conf.now_ms += passed_ms;
    check_ok(deleted_sweep(&p->conf, &count));
    return count;
}

static void sweep__time_that_the_host_ran__is_what_counts(void **state)
{
    struct place *p = *state;

    put(p, "a.1");
    put(p, "by-hand");
    assert_int_equal(sweep(p, 0), 0);
    assert_int_equal(sweep(p, 20 * HOUR), 0);
    put(p, "b.99999999999999"); /* when, by a clock that went wrong */
    assert_int_equal(sweep(p, HOUR), 0);
    assert_int_equal(sweep(p, 3 * HOUR - 1), 0);
    assert_int_equal(sweep(p, 1), 1);
    assert_false(is_there(p, "a.1"));
    assert_true(is_there(p, "b.99999999999999"));
    assert_int_equal(sweep(p, 24 * HOUR), 1);
    assert_int_equal(sweep(p, 24 * HOUR), 0);
    assert_true(is_there(p, "by-hand"));
}

static void sweep__often__ages_all_the_same(void **state)
{
    struct place *p = *state;

    put(p, "a.1");
    assert_int_equal(sweep(p, 0), 0);
    for (int i = 0; i < 24 * 60 - 1; i++)
        assert_int_equal(sweep(p, HOUR / 60), 0);
    assert_int_equal(sweep(p, HOUR / 60), 1);
}

/* The time of the new boot says nothing about the old one's. */
static void sweep__another_boot__goes_on_from_what_was_written(void **state)
{
    struct place *p = *state;

    put(p, "a.1");
    sweep(p, 0);
    sweep(p, 20 * HOUR);
    p->conf.boot = "boot-2";
    p->conf.now_ms = 400 * HOUR;
    assert_int_equal(sweep(p, 0), 0);
    put(p, "b.2"); /* has the ages written */
    assert_int_equal(sweep(p, 0), 0);
    assert_int_equal(sweep(p, 4 * HOUR), 1);
    assert_true(is_there(p, "b.2"));
}

static void sweep__boot_unknown_or_time_before__nothing_is_added(void **state)
{
    struct place *p = *state;

    p->conf.boot = "";
    put(p, "a.1");
    sweep(p, 0);
    assert_int_equal(sweep(p, 400 * HOUR), 0);
    p->conf.boot = "boot-1";
    put(p, "b.2");
    sweep(p, 0);
    p->conf.now_ms = 1;
    assert_int_equal(sweep(p, 0), 0);
    assert_true(is_there(p, "a.1") && is_there(p, "b.2"));
}

static void sweep__note_damaged__all_are_new(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"boot\":7}",
        "{\"boot\":\"boot-1\",\"at_ms\":0,\"ages_ms\":{\"a.1\":-5}}",
        "{\"boot\":\"boot-1\",\"at_ms\":-1,\"ages_ms\":[]}"};
    struct place *p = *state;
    struct path note = tmpdir_path(&p->tmp, "node/deleted.json");

    put(p, "a.1");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        file_put(note.text, view_text(texts[i]));
        assert_int_equal(sweep(p, 0), 0);
        assert_true(is_there(p, "a.1"));
    }
    sweep(p, 0);
    assert_int_equal(sweep(p, 24 * HOUR), 1);
}

static void sweep__cannot_be_written__told_and_nothing_lost(void **state)
{
    struct place *p = *state;
    struct path tmp = tmpdir_path(&p->tmp, "node/deleted.json.tmp");
    unsigned count;

    put(p, "a.1");
    assert_int_equal(mkdir(tmp.text, 0700), 0);
    assert_false(ks_ok(deleted_sweep(&p->conf, &count)));
    assert_true(is_there(p, "a.1"));
    assert_int_equal(rmdir(tmp.text), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(sweep__time_that_the_host_ran__is_what_counts),
        T(sweep__often__ages_all_the_same),
        T(sweep__another_boot__goes_on_from_what_was_written),
        T(sweep__boot_unknown_or_time_before__nothing_is_added),
        T(sweep__note_damaged__all_are_new),
        T(sweep__cannot_be_written__told_and_nothing_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
