/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a flush that was begun before it was asked for answers exactly the syncs that it covers, and its failure is theirs.
 * That the data are durable then is shown by tests/crash/volume_crash_test.c.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/crash.h"
#include "io/fault.h"
#include "volume/foresight.h"
#include "volume_fixture.h"

struct bench {
    struct io *disk, *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
};

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_keys_new(3584, &b->keys));
    check_ok(crash_new(&b->disk));
    check_ok(fixture_layout(b->disk, "/"));
    check_ok(fault_new(b->disk, &b->io));
    check_ok(fixture_open(b->io, "/", b->keys, &b->f));
    check_ok(fixture_file(b->f, "log", true, &b->i, &b->h));
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    if (b->h)
        fixture_file_close(b->f, b->i, b->h);
    fixture_close(b->f);
    fault_free(b->io);
    crash_free(b->disk);
    fixture_keys_free(b->keys);
    mem_free(b);
    return 0;
}

static void check_errno(ks_rc rc, int want)
{
    assert_false(ks_ok(rc));
    assert_int_equal(ks_errno(rc), want);
}

static void write_some(struct bench *b)
{
    static const uint8_t data[300] = {7};

    check_ok(volume_write(b->f->v, handle_inode(b->h), data, sizeof data, 0));
}

static bool foresee(struct bench *b, struct write_behind *ret)
{
    return volume_foresee_sync(b->f->v, handle_inode(b->h), ret);
}

/* write_foreseen(b, ret): a write of a file whose writes have all been synced so far. */
static void write_foreseen(struct bench *b, struct write_behind *ret)
{
    write_some(b);
    while (!foresee(b, ret)) {
        check_ok(volume_fsync(b->f->v, handle_inode(b->h), true));
        write_some(b);
    }
}

/* A sync of its own shows when the disk takes the next call amiss. */
static void check_makes_own(struct bench *b, bool is_data_only)
{
    fault_arm(b->io, 1, EIO, false);
    check_errno(volume_fsync(b->f->v, handle_inode(b->h), is_data_only), EIO);
    assert_non_null(fault_name(b->io));
}

struct waiting {
    struct sync_waiter w; /* first */
    unsigned calls;
    ks_rc rc;
};

static void on_done(struct sync_waiter *w, ks_rc rc)
{
    struct waiting *x = (struct waiting *)(void *)w;

    x->calls++;
    x->rc = rc;
}

/* --- syncs that come after the flush --- */

static void flush__ended_before_the_sync__answers_it_once(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    volume_write_behind(&behind);
    fault_arm(b->io, 1, EIO, true);
    check_ok(volume_fsync(b->f->v, handle_inode(b->h), true));
    assert_null(fault_name(b->io));
    check_makes_own(b, true);
}

static void flush__of_data__is_not_enough_for_a_full_sync(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    volume_write_behind(&behind);
    check_makes_own(b, false);
}

static void write__after_the_flush__is_not_covered(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    volume_write_behind(&behind);
    write_some(b);
    check_makes_own(b, true);
}

static void cut__after_the_flush__is_not_covered(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    volume_write_behind(&behind);
    check_ok(volume_truncate(b->f->v, b->i, 0));
    check_makes_own(b, true);
}

static void allocation__after_the_flush__is_not_covered(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    volume_write_behind(&behind);
    check_ok(volume_fallocate(b->f->v, handle_inode(b->h), 0, 0, 9000));
    check_makes_own(b, true);
}

static void full_syncs__of_every_write__are_not_foreseen(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    for (unsigned k = 0; k < 20; k++) {
        write_some(b);
        assert_false(foresee(b, &behind));
        check_ok(volume_fsync(b->f->v, handle_inode(b->h), false));
    }
}

/* --- syncs that come while it runs --- */

/* What a thread of the mount does with a write whose sync is foreseen. */
static void *run_write(void *arg)
{
    struct bench *b = arg;
    struct write_behind behind;

    write_some(b);
    if (foresee(b, &behind))
        volume_write_behind(&behind);
    return NULL;
}

/* The flush of the thread has begun, on a disk that stands still. */
static pthread_t flush_held(struct bench *b)
{
    struct write_behind behind;
    pthread_t thread;

    write_foreseen(b, &behind);
    volume_write_behind(&behind);
    check_ok(volume_fsync(b->f->v, b->i, true));
    fault_hold(b->io, "sync");
    assert_int_equal(pthread_create(&thread, NULL, run_write, b), 0);
    fault_wait_held(b->io, 1);
    return thread;
}

static void sync__while_the_flush_runs__ends_with_it(void **state)
{
    struct bench *b = *state;
    struct waiting one = {.w.done = on_done}, two = one;
    pthread_t thread = flush_held(b);
    uint64_t before = volume_counters_get(b->f->v).syncs;

    assert_true(volume_join_sync(b->f->v, handle_inode(b->h), &one.w));
    assert_true(volume_join_sync(b->f->v, handle_inode(b->h), &two.w));
    assert_int_equal(one.calls + two.calls, 0);
    fault_release(b->io);
    pthread_join(thread, NULL);
    assert_int_equal(one.calls, 1);
    assert_int_equal(two.calls, 1);
    check_ok(one.rc);
    assert_int_equal(volume_counters_get(b->f->v).syncs, before + 2);
}

static void sync__before_the_promised_flush_runs__waits_for_it(void **state)
{
    struct bench *b = *state;
    struct waiting one = {.w.done = on_done};
    struct write_behind behind;

    write_foreseen(b, &behind);
    assert_true(volume_join_sync(b->f->v, handle_inode(b->h), &one.w));
    volume_write_behind(&behind);
    assert_int_equal(one.calls, 1);
    check_ok(one.rc);
}

static void sync__of_a_write_after_the_flush_began__does_not_join(void **state)
{
    struct bench *b = *state;
    struct waiting one = {.w.done = on_done};
    pthread_t thread = flush_held(b);
    struct write_behind other;

    write_some(b);
    assert_false(foresee(b, &other));
    assert_false(volume_join_sync(b->f->v, handle_inode(b->h), &one.w));
    fault_release(b->io);
    pthread_join(thread, NULL);
    assert_int_equal(one.calls, 0);
    check_makes_own(b, true);
}

static void sync__without_a_flush__does_not_join(void **state)
{
    struct bench *b = *state;
    struct waiting one = {.w.done = on_done};

    write_some(b);
    assert_false(volume_join_sync(b->f->v, handle_inode(b->h), &one.w));
}

static void file__closed_after_the_promise__is_flushed(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    fixture_file_close(b->f, b->i, TAKE(b->h));
    volume_write_behind(&behind);
    check_ok(fixture_file(b->f, "log", false, &b->i, &b->h));
}

/* --- failures --- */

static void check_poisoned(struct bench *b)
{
    static const uint8_t data[300] = {8};
    struct write_behind behind;

    fault_arm(b->io, 0, 0, false);
    check_errno(volume_fsync(b->f->v, handle_inode(b->h), true), EIO);
    check_errno(volume_fsync(b->f->v, handle_inode(b->h), false), EIO);
    check_errno(volume_write(b->f->v, handle_inode(b->h), data, sizeof data, 0), EIO);
    assert_false(foresee(b, &behind));
    assert_int_equal(volume_counters_get(b->f->v).files_poisoned, 1);
}

static void flush__fails__so_do_the_syncs_that_joined_and_all_later_ones(void **state)
{
    struct bench *b = *state;
    struct waiting one = {.w.done = on_done};
    struct write_behind behind;

    write_foreseen(b, &behind);
    assert_true(volume_join_sync(b->f->v, handle_inode(b->h), &one.w));
    fault_arm(b->io, 1, EIO, false);
    volume_write_behind(&behind);
    assert_string_equal(fault_name(b->io), "sync");
    assert_int_equal(one.calls, 1);
    check_errno(one.rc, EIO);
    check_poisoned(b);
}

static void flush__fails_before_the_sync__the_sync_fails(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    fault_arm(b->io, 1, ENOSPC, false);
    volume_write_behind(&behind);
    check_errno(volume_fsync(b->f->v, handle_inode(b->h), true), ENOSPC);
    check_poisoned(b);
}

/* --- many writes before each sync --- */

enum { MANY = 32 };

static atomic_uint begun;

static ks_rc result_of_begin;

static ks_rc count_begin(struct io *io, struct io_file *file, uint64_t at, uint64_t len)
{
    (void)io, (void)file;
    assert_int_equal(at + len, 0); /* all there is */
    atomic_fetch_add(&begun, 1);
    return result_of_begin;
}

/* From now on the disk of b counts how often it began. */
static void count_begins(struct bench *b)
{
    static struct io_ops counting; /* in use until the disk is freed */

    counting = *b->io->ops;
    counting.write_out = count_begin;
    b->io->ops = &counting;
    atomic_store(&begun, 0);
    result_of_begin = KS_SUCCESS;
}

static void write_many(struct bench *b)
{
    struct write_behind behind;

    for (unsigned k = 0; k < MANY; k++) {
        write_some(b);
        if (foresee(b, &behind))
            volume_write_behind(&behind);
    }
}

static void many_writes__before_each_sync__are_begun_meanwhile(void **state)
{
    struct bench *b = *state;

    count_begins(b);
    write_many(b);
    assert_int_equal(atomic_load(&begun), 0); /* perhaps nobody ever syncs */
    check_ok(volume_fsync(b->f->v, b->i, true));
    write_many(b);
    assert_int_equal(atomic_load(&begun), MANY / FORESIGHT_BATCH);
    check_makes_own(b, true); /* and the sync is one all the same */
}

static void begin__of_a_file_that_is_forgotten_meanwhile__holds_it(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    count_begins(b);
    write_many(b);
    check_ok(volume_fsync(b->f->v, b->i, true));
    write_some(b);
    while (!foresee(b, &behind))
        write_some(b);
    fixture_file_close(b->f, b->i, b->h);
    b->h = NULL;
    volume_write_behind(&behind);
    assert_int_equal(atomic_load(&begun), 1);
}

/* The kernel may have dropped what it could not begin with, and tell nobody else. */
static void begin__fails__so_does_every_later_sync(void **state)
{
    struct bench *b = *state;

    count_begins(b);
    write_many(b);
    check_ok(volume_fsync(b->f->v, b->i, true));
    result_of_begin = ks_os(EUCLEAN);
    for (unsigned k = 0; k < FORESIGHT_BATCH - 1; k++)
        write_some(b);
    struct write_behind behind;
    write_some(b);
    assert_true(foresee(b, &behind));
    volume_write_behind(&behind);
    check_poisoned(b);
}

static void begin__that_cannot_be_had__does_no_harm(void **state)
{
    struct bench *b = *state;

    count_begins(b);
    result_of_begin = ks_os(EINVAL);
    write_many(b);
    check_ok(volume_fsync(b->f->v, b->i, true));
    write_many(b);
    assert_int_equal(atomic_load(&begun), MANY / FORESIGHT_BATCH);
    check_ok(volume_fsync(b->f->v, b->i, true));
}

static void begin__of_a_locked_volume__is_left_out(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    count_begins(b);
    write_many(b);
    check_ok(volume_fsync(b->f->v, b->i, true));
    for (unsigned k = 0; k < FORESIGHT_BATCH; k++)
        write_some(b);
    volume_set_door(b->f->v, VOLUME_CLOSED);
    assert_false(foresee(b, &behind));
    volume_set_door(b->f->v, VOLUME_OPEN);
}

/* --- two at a time --- */

struct syncing {
    struct bench *b;
    _Atomic pid_t tid;
    ks_rc rc;
};

static void *run_sync(void *arg)
{
    struct syncing *s = arg;

    atomic_store(&s->tid, (pid_t)syscall(SYS_gettid));
    s->rc = volume_fsync(s->b->f->v, handle_inode(s->b->h), true);
    return NULL;
}

/* Until the thread waits for something. */
static void wait_asleep(struct syncing *s)
{
    char path[64], state = 0;

    while (!atomic_load(&s->tid))
        sched_yield();
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)atomic_load(&s->tid));
    while (state != 'S') {
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
        fclose(f);
    }
}

/* The kernel tells a failure to one of two calls only. */
static void sync__beside_a_flush_that_fails__fails_too(void **state)
{
    struct bench *b = *state;
    struct syncing s = {.b = b};
    pthread_t other, thread = flush_held(b);

    write_some(b);
    fault_arm(b->io, 1, EIO, false);
    assert_int_equal(pthread_create(&other, NULL, run_sync, &s), 0);
    wait_asleep(&s);
    fault_release(b->io);
    pthread_join(thread, NULL);
    pthread_join(other, NULL);
    check_errno(s.rc, EIO);
    assert_int_equal(fault_count(b->io), 1);
    check_poisoned(b);
}

static void volume__closed__foresees_nothing(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    volume_write_behind(&behind);
    check_ok(volume_fsync(b->f->v, handle_inode(b->h), true));
    write_some(b);
    volume_set_door(b->f->v, VOLUME_CLOSED);
    assert_false(foresee(b, &behind));
    check_errno(volume_fsync(b->f->v, handle_inode(b->h), true), EKEYREVOKED);
    volume_set_door(b->f->v, VOLUME_OPEN);
    check_ok(volume_fsync(b->f->v, handle_inode(b->h), true));
}

static void lock__while_a_flush_runs__waits_for_it(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    write_foreseen(b, &behind);
    volume_set_door(b->f->v, VOLUME_CLOSED);
    check_rc(volume_drain(b->f->v, 20), BUSY);
    volume_write_behind(&behind);
    check_ok(volume_drain(b->f->v, 20));
    volume_set_door(b->f->v, VOLUME_OPEN);
}

/* --- room for a log that grows --- */

static void append(struct bench *b, size_t *size)
{
    static uint8_t data[3000];

    memset(data, 9, sizeof data);
    check_ok(volume_write(b->f->v, handle_inode(b->h), data, sizeof data, *size));
    *size += sizeof data;
}

/* The pages of the one backing file. */
static uint64_t backing_pages(struct bench *b)
{
    struct io_dirent e;
    struct io_node *node;
    struct io_dir *d;
    struct stat st;

    check_ok(b->disk->ops->dir_open(b->disk, b->f->tree, &d));
    do
        check_ok(b->disk->ops->dir_next(b->disk, d, &e));
    while (e.name[0] == '.');
    check_ok(b->disk->ops->lookup(b->disk, b->f->tree, e.name, &node, &st));
    b->disk->ops->node_close(b->disk, node);
    b->disk->ops->dir_close(b->disk, d);
    return (uint64_t)st.st_size / 4096;
}

static uint64_t pages_needed(size_t size)
{
    return 1 + (size + 3583) / 3584;
}

static void append_as_a_log(struct bench *b, size_t *size)
{
    for (unsigned k = 0; k < 8; k++) {
        append(b, size);
        check_ok(volume_fsync(b->f->v, handle_inode(b->h), true));
    }
}

static void check_contents(struct bench *b, size_t size)
{
    static uint8_t got[100000];
    size_t len;

    check_ok(volume_read(b->f->v, handle_inode(b->h), got, sizeof got, 0, &len));
    assert_int_equal(len, size);
    for (size_t n = 0; n < len; n++)
        assert_int_equal(got[n], 9);
}

static void log__that_grows__has_room_that_is_no_part_of_it(void **state)
{
    struct bench *b = *state;
    size_t size = 0;

    append_as_a_log(b, &size);
    assert_true(backing_pages(b) > pages_needed(size));
    assert_true(backing_pages(b) <= 2 * pages_needed(size));
    fixture_file_close(b->f, b->i, TAKE(b->h));
    fixture_close(b->f);
    check_ok(fixture_open(b->io, "/", b->keys, &b->f));
    check_ok(fixture_file(b->f, "log", false, &b->i, &b->h));
    check_contents(b, size);
    append(b, &size);
    check_contents(b, size);
}

static void log__cut__gets_room_again(void **state)
{
    struct bench *b = *state;
    size_t size = 0;

    append_as_a_log(b, &size);
    check_ok(volume_truncate(b->f->v, b->i, 0));
    assert_int_equal(backing_pages(b), 1);
    size = 0;
    append_as_a_log(b, &size);
    assert_true(backing_pages(b) > pages_needed(size));
    check_contents(b, size);
}

static void file__that_is_no_log__has_no_room(void **state)
{
    struct bench *b = *state;
    size_t size = 0;

    for (unsigned k = 0; k < 6; k++)
        append(b, &size);
    assert_int_equal(backing_pages(b), pages_needed(size));
}

/* The disk is full for the zeros, which follow the write itself. */
static void room__that_there_is_not__does_no_harm(void **state)
{
    struct bench *b = *state;
    size_t size = 0;
    unsigned refused = 0;

    for (unsigned k = 0; k < 12; k++) {
        append(b, &size);
        check_ok(volume_fsync(b->f->v, handle_inode(b->h), true));
        fault_arm(b->io, 3, ENOSPC, false); /* after the edge was read and the pages were written */
        append(b, &size);
        refused += fault_name(b->io) != NULL;
        fault_arm(b->io, 0, 0, false);
        check_ok(volume_fsync(b->f->v, handle_inode(b->h), true));
        check_contents(b, size);
    }
    assert_true(refused > 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(flush__ended_before_the_sync__answers_it_once),
        T(flush__of_data__is_not_enough_for_a_full_sync),
        T(write__after_the_flush__is_not_covered),
        T(cut__after_the_flush__is_not_covered),
        T(allocation__after_the_flush__is_not_covered),
        T(full_syncs__of_every_write__are_not_foreseen),
        T(sync__while_the_flush_runs__ends_with_it),
        T(sync__before_the_promised_flush_runs__waits_for_it),
        T(sync__of_a_write_after_the_flush_began__does_not_join),
        T(sync__without_a_flush__does_not_join),
        T(file__closed_after_the_promise__is_flushed),
        T(flush__fails__so_do_the_syncs_that_joined_and_all_later_ones),
        T(flush__fails_before_the_sync__the_sync_fails),
        T(many_writes__before_each_sync__are_begun_meanwhile),
        T(begin__of_a_file_that_is_forgotten_meanwhile__holds_it),
        T(begin__fails__so_does_every_later_sync),
        T(begin__that_cannot_be_had__does_no_harm),
        T(begin__of_a_locked_volume__is_left_out),
        T(sync__beside_a_flush_that_fails__fails_too),
        T(volume__closed__foresees_nothing),
        T(lock__while_a_flush_runs__waits_for_it),
        T(log__that_grows__has_room_that_is_no_part_of_it),
        T(log__cut__gets_room_again),
        T(file__that_is_no_log__has_no_room),
        T(room__that_there_is_not__does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
