/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: files are read and written without being opened: a backing file stays open while it is used, few others do, and
 * what closing one has to do (the modification time, the keys) is done whoever closes it.
 */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/crash.h"
#include "volume/volume_int.h"
#include "volume_fixture.h"

enum { FEW = 4, MANY = 40, THREADS = 8, ROUNDS = 2000 };

/* A back end that counts how many files are open, and may have a limit on them. */
static struct {
    struct io_ops ops;
    const struct io_ops *below;
    atomic_uint open, opened;
    unsigned limit; /* 0: none */
    struct fixture *
        meanwhile; /* whose file is written to in another thread, behind the next look at an object; NULL: none */
} counted;

static ks_rc counted_open(struct io *io, struct io_node *node, bool is_read_only,
                          struct io_file **ret)
{
    if (counted.limit && atomic_load(&counted.open) >= counted.limit)
        return ks_os(EMFILE);
    TRY(counted.below->open(io, node, is_read_only, ret));
    atomic_fetch_add(&counted.open, 1);
    atomic_fetch_add(&counted.opened, 1);
    return KS_SUCCESS;
}

static ks_rc counted_create(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                            struct io_node **ret, struct io_file **ret_file)
{
    TRY(counted.below->create(io, dir, name, mode, ret, ret_file));
    atomic_fetch_add(&counted.open, 1);
    return KS_SUCCESS;
}

static void counted_close(struct io *io, struct io_file *file)
{
    counted.below->close(io, file);
    atomic_fetch_sub(&counted.open, 1);
}

enum { MEANWHILE_BYTES = 9000 };

/* The file is looked up, written to, synced and forgotten. */
static void write_meanwhile(void)
{
    struct fixture *f = TAKE(counted.meanwhile);
    uint8_t bytes[MEANWHILE_BYTES];
    struct inode *i;
    struct stat st;

    if (!f)
        return;
    memset(bytes, 'A', sizeof bytes);
    check_ok(volume_lookup(f->v, volume_root(f->v), "file", &i, &st));
    assert_int_equal(st.st_size, 0);
    check_ok(volume_write(f->v, i, bytes, sizeof bytes, 0));
    check_ok(volume_fsync(f->v, i, false));
    volume_forget(f->v, i, 1);
}

static ks_rc counted_lookup(struct io *io, struct io_node *dir, const char *name,
                            struct io_node **ret, struct stat *ret_stat)
{
    TRY(counted.below->lookup(io, dir, name, ret, ret_stat));
    write_meanwhile();
    return KS_SUCCESS;
}

static ks_rc counted_stat(struct io *io, struct io_node *node, struct stat *ret)
{
    TRY(counted.below->stat(io, node, ret));
    if (ret->st_size == 0 && S_ISREG(ret->st_mode))
        write_meanwhile();
    return KS_SUCCESS;
}

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
};

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_in_memory(3584, &b->io, &b->keys, &b->f));
    counted.below = b->io->ops;
    counted.ops = *b->io->ops;
    counted.ops.open = counted_open;
    counted.ops.create = counted_create;
    counted.ops.close = counted_close;
    counted.ops.lookup = counted_lookup;
    counted.ops.stat = counted_stat;
    counted.limit = 0;
    counted.meanwhile = NULL;
    atomic_store(&counted.open, 0);
    atomic_store(&counted.opened, 0);
    b->io->ops = &counted.ops;
    b->f->v->conf.files_max = FEW;
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    fixture_in_memory_free(b->io, b->keys, b->f);
    mem_free(b);
    return 0;
}

static struct inode *make(struct bench *b, const char *name)
{
    struct caller me = {geteuid(), getegid()};
    struct inode *i;
    struct stat st;

    check_ok(volume_create(b->f->v, volume_root(b->f->v), name, 0644, &me, &i, &st, NULL));
    return i;
}

static void make_many(struct bench *b, struct inode *ret[MANY])
{
    char name[16];

    for (uint8_t n = 0; n < MANY; n++) {
        snprintf(name, sizeof name, "file-%u", n);
        ret[n] = make(b, name);
        check_ok(volume_write(b->f->v, ret[n], &n, 1, 0));
    }
}

static void forget_many(struct bench *b, struct inode *files[MANY])
{
    for (unsigned n = 0; n < MANY; n++)
        volume_forget(b->f->v, files[n], 1);
}

static uint8_t first_byte(struct bench *b, struct inode *i)
{
    uint8_t got = 0;
    size_t len;

    check_ok(volume_read(b->f->v, i, &got, 1, 0, &len));
    assert_int_equal(len, 1);
    return got;
}

static void file__used_again_and_again__is_opened_once(void **state)
{
    struct bench *b = *state;
    struct inode *i = make(b, "file");

    for (unsigned n = 0; n < 10; n++) {
        check_ok(volume_write(b->f->v, i, "x", 1, n));
        check_ok(volume_fsync(b->f->v, i, true));
        assert_int_equal(first_byte(b, i), 'x');
    }
    assert_int_equal(atomic_load(&counted.opened), 0); /* it is open since it was made */
    volume_forget(b->f->v, i, 1);
    assert_int_equal(atomic_load(&counted.open), 0);
}

static void files__more_than_may_be_open__few_are_and_all_are_right(void **state)
{
    struct bench *b = *state;
    struct inode *files[MANY];

    make_many(b, files);
    assert_int_equal(atomic_load(&counted.open), FEW);
    for (uint8_t n = 0; n < MANY; n++) {
        assert_int_equal(first_byte(b, files[n]), n);
        assert_true(atomic_load(&counted.open) <= FEW);
    }
    forget_many(b, files);
    assert_int_equal(atomic_load(&counted.open), 0);
}

static void file__used_all_the_time__stays_open_among_many(void **state)
{
    struct bench *b = *state;
    struct inode *files[MANY], *hot = make(b, "hot");

    check_ok(volume_write(b->f->v, hot, "h", 1, 0));
    make_many(b, files);
    unsigned before = atomic_load(&counted.opened), own = 0;
    for (uint8_t n = 0; n < MANY; n++) {
        unsigned opened = atomic_load(&counted.opened);
        assert_int_equal(first_byte(b, hot), 'h');
        own += atomic_load(&counted.opened) - opened;
        first_byte(b, files[n]);
    }
    assert_true(own <= 1);
    assert_true(atomic_load(&counted.opened) - before >= MANY - FEW);
    forget_many(b, files);
    volume_forget(b->f->v, hot, 1);
}

static void file__held_open__is_not_closed_by_others_or_by_rest(void **state)
{
    struct bench *b = *state;
    struct inode *files[MANY], *held = make(b, "held");
    struct handle *h;

    check_ok(volume_open(b->f->v, held, false, &h));
    make_many(b, files);
    volume_rest(b->f->v);
    volume_rest(b->f->v);
    assert_int_equal(atomic_load(&counted.open), 1);
    volume_close(b->f->v, h);
    volume_rest(b->f->v);
    volume_rest(b->f->v);
    assert_int_equal(atomic_load(&counted.open), 0);
    forget_many(b, files);
    volume_forget(b->f->v, held, 1);
}

static void rest__not_used_since__closes_and_the_file_opens_again(void **state)
{
    struct bench *b = *state;
    struct inode *i = make(b, "file");

    check_ok(volume_write(b->f->v, i, "x", 1, 0));
    volume_rest(b->f->v); /* used since the call before */
    assert_int_equal(atomic_load(&counted.open), 1);
    volume_rest(b->f->v);
    assert_int_equal(atomic_load(&counted.open), 0);
    assert_null(i->keys);
    assert_int_equal(first_byte(b, i), 'x');
    volume_forget(b->f->v, i, 1);
}

static void file__unlinked_and_closed_below__is_still_there_until_it_is_forgotten(void **state)
{
    struct bench *b = *state;
    struct inode *i = make(b, "file");
    struct stat st;

    check_ok(volume_write(b->f->v, i, "before", 6, 0));
    check_ok(volume_unlink(b->f->v, volume_root(b->f->v), "file"));
    volume_rest(b->f->v);
    volume_rest(b->f->v);
    assert_int_equal(atomic_load(&counted.open), 0);
    assert_int_equal(first_byte(b, i), 'b');
    check_ok(volume_write(b->f->v, i, "after", 5, 0));
    check_ok(volume_truncate(b->f->v, i, 5));
    check_ok(volume_fsync(b->f->v, i, false));
    assert_int_equal(first_byte(b, i), 'a');
    check_ok(volume_getattr(b->f->v, i, &st));
    assert_int_equal(st.st_size, 5);
    assert_int_equal(st.st_nlink, 0);
    volume_forget(b->f->v, i, 1);
    assert_int_equal(atomic_load(&counted.open), 0);
}

/* The time on the backing file, past what the volume knows. */
static time_t mtime_below(struct bench *b, struct inode *i)
{
    struct stat st;

    check_ok(b->io->ops->stat(b->io, i->node, &st));
    return st.st_mtim.tv_sec;
}

static void set_mtime(struct bench *b, struct inode *i, time_t when)
{
    struct timespec mtime = {when, 0};
    struct stat st;

    check_ok(volume_keep_mtime(b->f->v, i, &mtime, &st));
    check_ok(volume_getattr(b->f->v, i, &st));
    assert_int_equal(st.st_mtim.tv_sec, when);
}

static void mtime__kept_back__is_on_the_backing_file_after_rest(void **state)
{
    struct bench *b = *state;
    struct inode *i = make(b, "file");

    check_ok(volume_write(b->f->v, i, "x", 1, 0));
    set_mtime(b, i, 1234567);
    assert_int_not_equal(mtime_below(b, i), 1234567);
    volume_rest(b->f->v);
    assert_int_equal(mtime_below(b, i), 1234567);
    assert_int_equal(atomic_load(&counted.open), 1);
    volume_forget(b->f->v, i, 1);
}

static void mtime__of_a_file_that_is_not_open__is_told_at_once(void **state)
{
    struct bench *b = *state;
    struct inode *i = make(b, "file");

    volume_rest(b->f->v);
    volume_rest(b->f->v);
    assert_int_equal(atomic_load(&counted.open), 0);
    set_mtime(b, i, 7654321);
    assert_int_equal(mtime_below(b, i), 7654321);
    volume_forget(b->f->v, i, 1);
}

static void mtime__as_it_was__changes_nothing_below(void **state)
{
    struct bench *b = *state;
    struct inode *i = make(b, "file");
    struct stat before, after, st;

    check_ok(b->io->ops->stat(b->io, i->node, &before));
    check_ok(volume_keep_mtime(b->f->v, i, &before.st_mtim, &st)); /* as after a rename */
    volume_rest(b->f->v);
    volume_rest(b->f->v);
    check_ok(b->io->ops->stat(b->io, i->node, &after));
    assert_int_equal(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
    assert_int_equal(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    assert_false(i->has_mtime);
    volume_forget(b->f->v, i, 1);
}

static void descriptors__run_out__files_that_nobody_uses_are_closed(void **state)
{
    struct bench *b = *state;
    struct inode *files[MANY];

    b->f->v->conf.files_max = 2 * MANY;
    make_many(b, files);
    volume_rest(b->f->v);
    volume_rest(b->f->v);
    counted.limit = MANY / 2;
    for (uint8_t n = 0; n < MANY; n++)
        assert_int_equal(first_byte(b, files[n]), n);
    forget_many(b, files);
}

static void objects__many_are_known__fewer_files_stay_open(void **state)
{
    enum { ROOM = MANY / 2 + 1, MIN = 16 };
    struct bench *b = *state;
    struct inode *files[MANY];

    b->f->v->conf.files_max = 2 * MANY;
    b->f->v->conf.descriptors_max = MANY + ROOM;
    make_many(b, files);
    assert_int_equal(atomic_load(&counted.open), ROOM);
    b->f->v->conf.descriptors_max = MANY; /* nothing is left for files, but some there must be */
    for (uint8_t n = 0; n < MANY; n++)
        assert_int_equal(first_byte(b, files[n]), n);
    assert_int_equal(atomic_load(&counted.open), MIN);
    forget_many(b, files);
}

static void objects__as_many_as_there_may_be__more_are_refused_and_these_work(void **state)
{
    struct caller me = {geteuid(), getegid()};
    struct bench *b = *state;
    struct inode *i = make(b, "file"), *other;
    uint8_t byte = 7;
    struct stat st;

    b->f->v->conf.objects_max = volume_inode_count(b->f->v);
    assert_int_equal(ks_errno(volume_create(b->f->v, volume_root(b->f->v), "more", 0644, &me,
                                            &other, &st, NULL)),
                     EMFILE);
    assert_int_equal(ks_errno(volume_lookup(b->f->v, volume_root(b->f->v), "more", &other, &st)),
                     ENOENT);
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "file", &other, &st));
    check_ok(volume_write(b->f->v, i, &byte, 1, 0));
    check_ok(volume_fsync(b->f->v, i, true));
    volume_forget(b->f->v, i, 2);
    b->f->v->conf.objects_max = 0;
    check_ok(volume_create(b->f->v, volume_root(b->f->v), "more", 0644, &me, &other, &st, NULL));
    volume_forget(b->f->v, other, 1);
}

static void descriptors__all_in_use__is_an_error(void **state)
{
    struct bench *b = *state;
    struct inode *held = make(b, "held"), *i = make(b, "file");
    struct handle *h;
    uint8_t byte;
    size_t len;

    check_ok(volume_open(b->f->v, held, false, &h));
    volume_rest(b->f->v);
    volume_rest(b->f->v);
    counted.limit = 1;
    assert_int_equal(ks_errno(volume_read(b->f->v, i, &byte, 1, 0, &len)), EMFILE);
    counted.limit = 0;
    check_ok(volume_read(b->f->v, i, &byte, 1, 0, &len));
    volume_close(b->f->v, h);
    volume_forget(b->f->v, i, 1);
    volume_forget(b->f->v, held, 1);
}

static ks_rc fail_sync(struct io *io, struct io_file *file, bool is_data_only)
{
    (void)io, (void)file, (void)is_data_only;
    return ks_os(EIO);
}

static void file__poisoned_and_forgotten__is_closed_and_stays_poisoned(void **state)
{
    struct bench *b = *state;
    struct inode *i = make(b, "file"), *again;
    struct stat st;

    check_ok(volume_write(b->f->v, i, "x", 1, 0));
    counted.ops.sync = fail_sync;
    assert_int_equal(ks_errno(volume_fsync(b->f->v, i, true)), EIO);
    counted.ops.sync = counted.below->sync;
    volume_forget(b->f->v, i, 1);
    assert_int_equal(atomic_load(&counted.open), 0);
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "file", &again, &st));
    assert_int_equal(first_byte(b, again), 'x');
    assert_int_equal(ks_errno(volume_fsync(b->f->v, again, true)), EIO);
    assert_int_equal(ks_errno(volume_write(b->f->v, again, "y", 1, 0)), EIO);
    volume_forget(b->f->v, again, 1);
    assert_int_equal(atomic_load(&counted.open), 0);
}

/* --- seen empty, and written to before it is known --- */

static void check_is_whole(struct bench *b, struct inode *i, const struct stat *st)
{
    uint8_t got[MEANWHILE_BYTES + 1];
    size_t len;

    assert_null(counted.meanwhile);
    assert_int_equal(st->st_size, MEANWHILE_BYTES);
    check_ok(volume_write(b->f->v, i, "B", 1, 0));
    check_ok(volume_read(b->f->v, i, got, sizeof got, 0, &len));
    assert_int_equal(len, MEANWHILE_BYTES);
    assert_int_equal(got[0], 'B');
    for (size_t n = 1; n < len; n++)
        assert_int_equal(got[n], 'A');
}

static void empty_file__written_to_while_it_is_looked_up__is_not_taken_for_empty(void **state)
{
    struct bench *b = *state;
    struct inode *i = make(b, "file");
    struct stat st;

    volume_forget(b->f->v, i, 1);
    counted.meanwhile = b->f;
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "file", &i, &st));
    check_is_whole(b, i, &st);
    volume_forget(b->f->v, i, 1);
}

static void new_file__written_to_by_who_sees_it_first__is_not_taken_for_empty(void **state)
{
    struct caller me = {geteuid(), getegid()};
    struct bench *b = *state;
    struct inode *i;
    struct stat st;

    counted.meanwhile = b->f;
    check_ok(volume_create(b->f->v, volume_root(b->f->v), "file", 0644, &me, &i, &st, NULL));
    check_is_whole(b, i, &st);
    volume_forget(b->f->v, i, 1);
}

/* --- all at once --- */

struct crowd {
    struct bench *b;
    struct inode **files;
    unsigned seed;
    unsigned wrong;
};

static void *crowd_run(void *arg)
{
    struct crowd *c = arg;
    uint8_t got;
    size_t len;

    for (unsigned n = 0; n < ROUNDS; n++) {
        unsigned k = (n * 7 + c->seed * 13) % MANY;
        ks_rc rc = volume_read(c->b->f->v, c->files[k], &got, 1, 0, &len);
        c->wrong += !ks_ok(rc) || got != k;
        if (n % 100 == c->seed)
            volume_rest(c->b->f->v);
    }
    return NULL;
}

static void files__used_by_many_threads_while_they_are_closed__are_right(void **state)
{
    struct bench *b = *state;
    struct inode *files[MANY];
    struct crowd crowd[THREADS];
    pthread_t threads[THREADS];

    make_many(b, files);
    for (unsigned t = 0; t < THREADS; t++) {
        crowd[t] = (struct crowd){b, files, t, 0};
        assert_int_equal(pthread_create(&threads[t], NULL, crowd_run, &crowd[t]), 0);
    }
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        assert_int_equal(crowd[t].wrong, 0);
    }
    assert_true(atomic_load(&counted.open) <= FEW);
    forget_many(b, files);
    assert_int_equal(atomic_load(&counted.open), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file__used_again_and_again__is_opened_once),
        TEST(files__more_than_may_be_open__few_are_and_all_are_right),
        TEST(file__used_all_the_time__stays_open_among_many),
        TEST(file__held_open__is_not_closed_by_others_or_by_rest),
        TEST(rest__not_used_since__closes_and_the_file_opens_again),
        TEST(file__unlinked_and_closed_below__is_still_there_until_it_is_forgotten),
        TEST(mtime__kept_back__is_on_the_backing_file_after_rest),
        TEST(mtime__of_a_file_that_is_not_open__is_told_at_once),
        TEST(mtime__as_it_was__changes_nothing_below),
        TEST(descriptors__run_out__files_that_nobody_uses_are_closed),
        TEST(objects__many_are_known__fewer_files_stay_open),
        TEST(objects__as_many_as_there_may_be__more_are_refused_and_these_work),
        TEST(descriptors__all_in_use__is_an_error),
        TEST(file__poisoned_and_forgotten__is_closed_and_stays_poisoned),
        TEST(empty_file__written_to_while_it_is_looked_up__is_not_taken_for_empty),
        TEST(new_file__written_to_by_who_sees_it_first__is_not_taken_for_empty),
        TEST(files__used_by_many_threads_while_they_are_closed__are_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
