/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever call of the file system below fails, once or from then on, a volume gives a clear error,
 * does not crash, leak or hang, and afterwards everything can be read: what was synced is there, and what was
 * being written is whole.
 */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "fault_each.h"
#include "io/crash.h"
#include "volume_fixture.h"

enum { KEPT_BYTES = 9000, WORK_BYTES = 12000 };

static const struct caller me = {7, 8}; /* so that objects are made for somebody else */

struct bench {
    struct io *disk, *faulty;
    struct fixture_keys *keys;
    uint8_t kept[KEPT_BYTES];
    size_t listed; /* entries that the script saw; 0: the listing failed */
};

/* One of each operation; each may fail, none may be skipped because another failed. */
static ks_rc script_names(struct fixture *f)
{
    struct volume *v = f->v;
    struct inode *root = volume_root(v), *i;
    struct stat st;
    struct statvfs vfs;
    char long_name[251];
    ks_rc first = KS_SUCCESS, rc;

#define STEP(e)                                                                                    \
    do {                                                                                           \
        rc = (e);                                                                                  \
        if (ks_ok(first))                                                                          \
            first = rc;                                                                            \
    } while (0)

    memset(long_name, 'l', 250);
    long_name[250] = 0;
    STEP(volume_mkdir(v, root, "dir", 0755, &me, &i, &st));
    if (ks_ok(rc))
        volume_forget(v, i, 1);
    STEP(volume_mkdir(v, root, long_name, 0755, &me, &i, &st));
    if (ks_ok(rc))
        volume_forget(v, i, 1);
    STEP(volume_symlink(v, root, "link", "target", &me, &i, &st));
    if (ks_ok(rc))
        volume_forget(v, i, 1);
    STEP(volume_rename(v, root, "dir", root, "dir2", 0));
    STEP(volume_rmdir(v, root, "dir2"));
    STEP(volume_statfs(v, &vfs));
    return first;
}

static ks_rc script_listing(struct fixture *f, size_t *ret_count)
{
    struct io_dirent e = {0};
    struct handle *h;
    size_t count = 0;
    ks_rc rc;

    TRY(volume_opendir(f->v, volume_root(f->v), &h));
    do {
        rc = volume_readdir(f->v, h, e.next, &e);
        count += ks_ok(rc) && e.name[0];
    } while (ks_ok(rc) && e.name[0]);
    *ret_count = ks_ok(rc) ? count : 0;
    ks_rc synced = volume_fsyncdir(f->v, h);
    volume_close(f->v, h);
    return ks_ok(rc) ? synced : rc;
}

/* Writes and syncs in turn, until the syncs are foreseen, and flushed before they come. */
static ks_rc script_commits(struct volume *v, struct handle *h)
{
    static uint8_t data[200];
    struct write_behind behind;
    unsigned flushed = 0;
    ks_rc first = KS_SUCCESS, rc;

    memset(data, 9, sizeof data);
    for (unsigned k = 0; k < 6; k++) {
        STEP(volume_write(v, handle_inode(h), data, sizeof data, k * sizeof data));
        if (volume_foresee_sync(v, handle_inode(h), &behind)) {
            volume_write_behind(&behind);
            flushed++;
        }
        STEP(volume_fsync(v, handle_inode(h), true));
    }
    assert_true(flushed > 0 || !ks_ok(first));
    return first;
}

static ks_rc script_file(struct fixture *f)
{
    static uint8_t data[WORK_BYTES];
    struct volume *v = f->v;
    struct inode *i;
    struct handle *h;
    size_t len;
    ks_rc first = KS_SUCCESS, rc;

    memset(data, 9, sizeof data);
    TRY(fixture_file(f, "work", true, &i, &h));
    STEP(volume_write(v, handle_inode(h), data, 5000, 0));
    STEP(volume_fsync(v, handle_inode(h), true));
    STEP(script_commits(v, h));
    STEP(volume_write(v, handle_inode(h), data, 100, 5000));
    STEP(volume_truncate(v, i, 4000));
    STEP(volume_fallocate(v, handle_inode(h), 0, 0, WORK_BYTES));
    STEP(volume_fallocate(v, handle_inode(h), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100,
                          8000));
    STEP(volume_setxattr(v, i, "user.a", view_text("b"), 0));
    STEP(volume_read(v, handle_inode(h), data, sizeof data, 0, &len));
    STEP(volume_fsync(v, handle_inode(h), false));
    fixture_file_close(f, i, h);
    return first;
}

static ks_rc script(struct bench *b)
{
    struct fixture *f;
    ks_rc first, rc;

    TRY(fixture_open(b->faulty, "/", b->keys, &f));
    first = script_names(f);
    STEP(script_listing(f, &b->listed));
    STEP(script_file(f));
    fixture_close(f);
    return first;
}

static void check_all_readable(struct bench *b)
{
    static uint8_t got[2 * WORK_BYTES];
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    size_t len, listed = 0;

    check_ok(fixture_open(b->disk, "/", b->keys, &f));
    check_ok(fixture_file(f, "kept", false, &i, &h));
    check_ok(volume_read(f->v, handle_inode(h), got, sizeof got, 0, &len));
    check_bytes(view_of(got, len), view_of(b->kept, KEPT_BYTES));
    fixture_file_close(f, i, h);
    ks_rc rc = fixture_file(f, "work", false, &i, &h);
    if (ks_ok(rc)) {
        check_ok(volume_read(f->v, handle_inode(h), got, sizeof got, 0, &len));
        for (size_t n = 0; n < len; n++)
            assert_true(got[n] == 9 || got[n] == 0);
        fixture_file_close(f, i, h);
    }
    bool has_work = ks_ok(rc);
    assert_true(has_work || ks_is_os(rc, ENOENT));
    check_ok(script_listing(f, &listed));
    /* A listing is complete or fails: want of memory or descriptors hides nothing. */
    if (b->listed)
        assert_int_equal(listed, b->listed + has_work);
    assert_int_equal(f->alerts, 0); /* nothing damaged, nothing left out */
    fixture_close(f);
}

static int bench_new(void **state)
{
    struct bench *b;
    struct fixture *f;
    struct inode *i;
    struct handle *h;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_keys_new(3584, &b->keys));
    check_ok(crash_new(&b->disk));
    check_ok(fixture_layout(b->disk, "/"));
    memset(b->kept, 7, KEPT_BYTES);
    check_ok(fixture_open(b->disk, "/", b->keys, &f));
    check_ok(fixture_file(f, "kept", true, &i, &h));
    check_ok(volume_write(f->v, handle_inode(h), b->kept, KEPT_BYTES, 0));
    check_ok(volume_fsync(f->v, handle_inode(h), true));
    fixture_file_close(f, i, h);
    fixture_close(f);
    check_ok(fault_new(b->disk, &b->faulty));
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    fault_free(b->faulty);
    crash_free(b->disk);
    fixture_keys_free(b->keys);
    mem_free(b);
    return 0;
}

/* What the first operation that failed says is what the file system below said. */
static bool run_with_fault(void *arg, const struct fault_case *c)
{
    void *state;
    struct bench *b;

    (void)arg;
    bench_new(&state);
    b = state;
    fault_arm_case(b->faulty, c);
    ks_rc rc = script(b);
    bool has_failed = fault_name(b->faulty) != NULL;
    if (c->is_lasting && has_failed)
        assert_false(ks_ok(rc));
    if (!ks_ok(rc))
        assert_int_equal(ks_errno(rc), c->err);
    fault_arm(b->faulty, 0, 0, false);
    check_all_readable(b);
    bench_free(&state);
    return has_failed;
}

static void volume__each_call_fails__loses_nothing_and_says_what_it_was(void **state)
{
    (void)state;
    size_t tried = fault_each_kind(run_with_fault, NULL) + fault_each_part(run_with_fault, NULL);
    print_message("%zu calls failed in turn\n", tried);
    assert_true(tried > 10 * 40);
}

/* --- a disk that stands still --- */

struct writing {
    struct fixture *f;
    bool is_there; /* the file, before */
    ks_rc rc;
};

static void *write_work(void *arg)
{
    static const uint8_t data[5000] = {9};
    struct writing *w = arg;
    struct inode *i;
    struct handle *h;

    w->rc = fixture_file(w->f, "work", !w->is_there, &i, &h);
    if (!ks_ok(w->rc))
        return NULL;
    w->rc = volume_write(w->f->v, handle_inode(h), data, sizeof data, 0);
    fixture_file_close(w->f, i, h);
    return NULL;
}

static void disk__stands_still_in_a_write__others_go_on_and_nobody_waits_for_ever(void **state)
{
    static uint8_t got[KEPT_BYTES];
    struct bench *b = *state;
    struct writing w = {0};
    struct inode *i;
    struct handle *h;
    pthread_t thread;
    size_t len;

    check_ok(fixture_open(b->faulty, "/", b->keys, &w.f));
    fault_hold(b->faulty, "pwrite");
    assert_int_equal(pthread_create(&thread, NULL, write_work, &w), 0);
    fault_wait_held(b->faulty, 1);
    check_ok(fixture_file(w.f, "kept", false, &i, &h));
    check_ok(volume_read(w.f->v, handle_inode(h), got, sizeof got, 0, &len));
    check_bytes(view_of(got, len), view_of(b->kept, KEPT_BYTES));
    fixture_file_close(w.f, i, h);
    /* a lock does not wait for the disk for ever either: its caller decides */
    volume_set_door(w.f->v, VOLUME_DRAINING);
    check_rc(volume_drain(w.f->v, 20), BUSY);
    fault_release(b->faulty);
    pthread_join(thread, NULL);
    check_ok(w.rc);
    check_ok(volume_drain(w.f->v, 20));
    volume_set_door(w.f->v, VOLUME_OPEN);
    fixture_close(w.f);
    check_all_readable(b);
}

/* With a size of the backing file that says nothing yet, and with one that was looked into. */
static void disk__stands_still_in_a_write__the_file_is_looked_up_all_the_same(void **state)
{
    struct bench *b = *state;
    struct writing w = {0};
    struct inode *i;
    pthread_t thread;
    struct stat st;

    check_ok(fixture_open(b->faulty, "/", b->keys, &w.f));
    for (unsigned k = 0; k < 2; k++) {
        w.is_there = k == 1;
        fault_hold(b->faulty, "pwrite");
        assert_int_equal(pthread_create(&thread, NULL, write_work, &w), 0);
        fault_wait_held(b->faulty, 1);
        check_ok(volume_lookup(w.f->v, volume_root(w.f->v), "work", &i, &st));
        assert_int_equal(st.st_size, w.is_there ? 5000 : 0);
        check_ok(volume_getattr(w.f->v, i, &st));
        volume_forget(w.f->v, i, 1);
        fault_release(b->faulty);
        pthread_join(thread, NULL);
        check_ok(w.rc);
    }
    fixture_close(w.f);
    check_all_readable(b);
}

/* --- a write that fails on its way, on a disk that does not take it back either --- */

static void fail_append(struct bench *b, struct fixture *f)
{
    static uint8_t data[12000];
    struct inode *i;
    struct handle *h;

    check_ok(fixture_file(f, "work", true, &i, &h));
    memset(data, 9, sizeof data);
    check_ok(volume_write(f->v, handle_inode(h), data, 5000, 0));
    fault_write_part(b->faulty, 2);
    fault_arm(b->faulty, 2, EIO, true); /* the last block is read first */
    assert_true(ks_is_os(volume_write(f->v, handle_inode(h), data, sizeof data, 5000), EIO));
    assert_string_equal(fault_name(b->faulty), "pwrite");
    fault_arm(b->faulty, 0, 0, false);
    fixture_file_close(f, i, h);
}

static void write__failed_and_not_taken_back__is_not_believed_when_forgotten(void **state)
{
    struct bench *b = *state;
    struct fixture *f;
    struct inode *i;
    struct stat st;

    check_ok(fixture_open(b->faulty, "/", b->keys, &f));
    fail_append(b, f);
    check_ok(volume_lookup(f->v, volume_root(f->v), "work", &i, &st));
    assert_int_equal(st.st_size, 5000);
    check_ok(volume_write(f->v, i, "\t", 1, 0)); /* a nine; mends it first */
    volume_forget(f->v, i, 1);
    fixture_close(f);
    check_ok(fixture_open(b->disk, "/", b->keys, &f));
    check_ok(volume_lookup(f->v, volume_root(f->v), "work", &i, &st));
    assert_int_equal(st.st_size, 5000);
    volume_forget(f->v, i, 1);
    fixture_close(f);
    check_all_readable(b);
}

static void *shrink_work(void *arg)
{
    struct writing *w = arg;
    struct inode *i;
    struct handle *h;

    w->rc = fixture_file(w->f, "work", false, &i, &h);
    if (!ks_ok(w->rc))
        return NULL;
    w->rc = volume_truncate(w->f->v, i, 100);
    fixture_file_close(w->f, i, h);
    return NULL;
}

static off_t size_of_work(struct fixture *f)
{
    struct inode *i;
    struct stat st;

    check_ok(volume_lookup(f->v, volume_root(f->v), "work", &i, &st));
    volume_forget(f->v, i, 1);
    return st.st_size;
}

/* Its blocks are cut off before the last one is made shorter. */
static void disk__stands_still_in_a_truncation__the_size_is_the_old_or_the_new_one(void **state)
{
    struct bench *b = *state;
    struct writing w = {0};
    pthread_t thread;

    check_ok(fixture_open(b->faulty, "/", b->keys, &w.f));
    write_work(&w);
    check_ok(w.rc);
    fault_hold(b->faulty, "pwrite");
    assert_int_equal(pthread_create(&thread, NULL, shrink_work, &w), 0);
    fault_wait_held(b->faulty, 1);
    off_t meanwhile = size_of_work(w.f);
    fault_release(b->faulty);
    pthread_join(thread, NULL);
    check_ok(w.rc);
    assert_int_equal(meanwhile, 5000);
    assert_int_equal(size_of_work(w.f), 100);
    fixture_close(w.f);
    check_all_readable(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volume__each_call_fails__loses_nothing_and_says_what_it_was),
        cmocka_unit_test_setup_teardown(
            disk__stands_still_in_a_write__others_go_on_and_nobody_waits_for_ever, bench_new,
            bench_free),
        cmocka_unit_test_setup_teardown(
            disk__stands_still_in_a_write__the_file_is_looked_up_all_the_same, bench_new,
            bench_free),
        cmocka_unit_test_setup_teardown(
            write__failed_and_not_taken_back__is_not_believed_when_forgotten, bench_new,
            bench_free),
        cmocka_unit_test_setup_teardown(
            disk__stands_still_in_a_truncation__the_size_is_the_old_or_the_new_one, bench_new,
            bench_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
