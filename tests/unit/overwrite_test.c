/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: writes in the middle of a file go on beside each other and beside reads, and nobody ever sees or leaves half of one.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "tmpdir.h"
#include "volume/block_locks.h"
#include "volume/rekey.h"
#include "volume/survey.h"
#include "volume/volume_int.h"
#include "volume_fixture.h"

enum { PAYLOAD = 3584, BLOCKS = 64, FILE_BYTES = BLOCKS * PAYLOAD - 100, A = 10, B = 40 };

/* --- a disk that stands still, fails or tears where it is told to --- */

struct disk {
    struct io io;
    struct io_ops ops;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    uint64_t held_at; /* writes there wait, 0: none do */
    bool is_half;     /* with the first half of them on the disk */
    unsigned held;
    uint64_t fail_at;    /* writes there fail; 0: none */
    size_t fail_after;   /* with so much of them on the disk */
    bool is_cut_failing; /* truncations fail */
    uint64_t torn_at;    /* reads of the page there give zeros for a part; 0: none */
    size_t torn_from;
    unsigned tears; /* so many more times */
    atomic_uint syncs;
    atomic_bool is_halving; /* every write is made in two, in the middle of a page */
};

static struct disk *disk_of(struct io *io)
{
    return (struct disk *)(void *)io;
}

static ks_rc put(struct io_file *file, const void *in, size_t len, uint64_t at)
{
    return io_posix()->ops->pwrite(io_posix(), file, in, len, at);
}

static void wait_held(struct disk *d)
{
    d->held++;
    pthread_cond_broadcast(&d->changed);
    while (d->held_at)
        pthread_cond_wait(&d->changed, &d->mutex);
    d->held--;
}

/* How much of a write is made before the rest. */
static size_t first_part(struct disk *d, uint64_t at, size_t len, bool *ret_is_held)
{
    *ret_is_held = d->held_at && d->held_at == at;
    if (*ret_is_held)
        return d->is_half ? 2048 : 0;
    return atomic_load(&d->is_halving) && len > 2048 ? 2048 : 0;
}

static ks_rc disk_pwrite(struct io *io, struct io_file *file, const void *in, size_t len,
                         uint64_t at)
{
    struct disk *d = disk_of(io);
    bool is_held;

    pthread_mutex_lock(&d->mutex);
    bool is_failing = d->fail_at && d->fail_at == at;
    size_t first = is_failing ? d->fail_after : first_part(d, at, len, &is_held);
    pthread_mutex_unlock(&d->mutex);
    if (first > 0)
        TRY(put(file, in, first, at));
    if (is_failing)
        return ks_os(EIO);
    if (is_held) {
        pthread_mutex_lock(&d->mutex);
        wait_held(d);
        pthread_mutex_unlock(&d->mutex);
    } else if (first > 0) {
        sched_yield();
    }
    return put(file, (const uint8_t *)in + first, len - first, at + first);
}

static ks_rc disk_pread(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                        size_t *ret_len)
{
    struct disk *d = disk_of(io);

    TRY(io_posix()->ops->pread(io_posix(), file, out, len, at, ret_len));
    pthread_mutex_lock(&d->mutex);
    if (d->tears > 0 && d->torn_at >= at && d->torn_at + 4096 <= at + *ret_len) {
        memset((uint8_t *)out + (d->torn_at - at) + d->torn_from, 0, 2048);
        d->tears--;
    }
    pthread_mutex_unlock(&d->mutex);
    return KS_SUCCESS;
}

static ks_rc disk_truncate(struct io *io, struct io_file *file, uint64_t size)
{
    struct disk *d = disk_of(io);

    pthread_mutex_lock(&d->mutex);
    bool is_failing = d->is_cut_failing;
    pthread_mutex_unlock(&d->mutex);
    return is_failing ? ks_os(EIO) : io_posix()->ops->truncate(io_posix(), file, size);
}

static ks_rc disk_sync(struct io *io, struct io_file *file, bool is_data_only)
{
    atomic_fetch_add(&disk_of(io)->syncs, 1);
    return io_posix()->ops->sync(io_posix(), file, is_data_only);
}

/* What is not replaced looks at no struct io. */
static void disk_init(struct disk *d)
{
    *d = (struct disk){.ops = *io_posix()->ops};
    d->ops.pread = disk_pread;
    d->ops.pwrite = disk_pwrite;
    d->ops.truncate = disk_truncate;
    d->ops.sync = disk_sync;
    d->io.ops = &d->ops;
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->changed, NULL);
}

static uint64_t place_of(unsigned block)
{
    return (block + 1) * (uint64_t)4096;
}

static void hold(struct disk *d, unsigned block, bool is_half)
{
    pthread_mutex_lock(&d->mutex);
    d->held_at = place_of(block);
    d->is_half = is_half;
    pthread_mutex_unlock(&d->mutex);
}

static unsigned held_now(struct disk *d)
{
    pthread_mutex_lock(&d->mutex);
    unsigned held = d->held;
    pthread_mutex_unlock(&d->mutex);
    return held;
}

static void let_go(struct disk *d)
{
    pthread_mutex_lock(&d->mutex);
    d->held_at = 0;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->mutex);
}

static void inject(struct disk *d, uint64_t at, size_t after, bool is_cut_failing)
{
    pthread_mutex_lock(&d->mutex);
    d->fail_at = at;
    d->fail_after = after;
    d->is_cut_failing = is_cut_failing;
    pthread_mutex_unlock(&d->mutex);
}

/* --- nonces that are counted --- */

struct dice {
    struct random random;
    atomic_uint throws;
};

static ks_rc dice_fill(struct random *r, void *out, size_t len)
{
    struct dice *dice = (struct dice *)(void *)r;

    atomic_fetch_add(&dice->throws, 1);
    return random_fill(random_system(), out, len);
}

/* --- a file of blocks that each hold one letter --- */

/* A thread that does one thing. What came of it is checked by who waits for its end: a check that fails ends the test. */
struct doing {
    struct bench *b;
    ks_rc (*what)(struct bench *b);
    pthread_t thread;
    bool is_running; /* not joined yet */
    _Atomic pid_t tid;
    atomic_bool is_done; /* changes under disk.mutex */
    ks_rc rc;            /* once it is done */
};

struct bench {
    struct tmpdir tmp;
    struct disk disk;
    struct dice dice;
    struct fixture_keys *keys;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    struct doing writing, other;
    atomic_uint damaged;
};

static int bench_new(void **state)
{
    static uint8_t old[FILE_BYTES];
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    b->tmp = tmpdir_make();
    disk_init(&b->disk);
    check_ok(fixture_keys_new(PAYLOAD, &b->keys));
    check_ok(fixture_layout(&b->disk.io, b->tmp.path));
    check_ok(fixture_open(&b->disk.io, b->tmp.path, b->keys, &b->f));
    b->dice.random.fill = dice_fill;
    b->f->v->conf.random = &b->dice.random;
    check_ok(fixture_file(b->f, "f", true, &b->i, &b->h));
    memset(old, 'o', sizeof old);
    check_ok(volume_write(b->f->v, b->i, old, sizeof old, 0));
    *state = b;
    return 0;
}

static void join(struct doing *d)
{
    if (d->is_running)
        pthread_join(d->thread, NULL);
    d->is_running = false;
}

/* Also in the middle of a test, where a check has failed. */
static int bench_free(void **state)
{
    struct bench *b = *state;

    let_go(&b->disk);
    join(&b->writing);
    join(&b->other);
    fixture_file_close(b->f, b->i, b->h);
    fixture_close(b->f);
    fixture_keys_free(b->keys);
    tmpdir_remove(&b->tmp);
    pthread_mutex_destroy(&b->disk.mutex);
    pthread_cond_destroy(&b->disk.changed);
    mem_free(b);
    return 0;
}

static ks_rc write_at(struct bench *b, char c, uint64_t at, size_t len)
{
    uint8_t bytes[12 * PAYLOAD];

    assert_true(len <= sizeof bytes);
    memset(bytes, c, len);
    return volume_write(b->f->v, b->i, bytes, len, at);
}

static ks_rc write_block(struct bench *b, char c, unsigned block)
{
    return write_at(b, c, block * (uint64_t)PAYLOAD, PAYLOAD);
}

static void check_range(struct bench *b, char c, uint64_t at, size_t len)
{
    uint8_t got[4 * PAYLOAD];
    size_t got_len;

    assert_true(len <= sizeof got);
    check_ok(volume_read(b->f->v, b->i, got, len, at, &got_len));
    assert_int_equal(got_len, len);
    for (size_t n = 0; n < len; n++)
        assert_int_equal(got[n], c);
}

static void check_block(struct bench *b, char c, unsigned block)
{
    check_range(b, c, block * (uint64_t)PAYLOAD, PAYLOAD);
}

static uint64_t size_of(struct bench *b)
{
    struct stat st;

    check_ok(volume_getattr(b->f->v, b->i, &st));
    return (uint64_t)st.st_size;
}

static void check_errno(ks_rc rc, int want)
{
    assert_false(ks_ok(rc));
    assert_int_equal(ks_errno(rc), want);
}

static void check_no_damage(struct bench *b)
{
    assert_int_equal(b->f->alerts, 0);
    assert_int_equal(volume_counters_get(b->f->v).blocks_corrupt, 0);
}

/* --- threads that do one thing --- */

static void *run_doing(void *arg)
{
    struct doing *d = arg;
    struct disk *disk = &d->b->disk;

    atomic_store(&d->tid, (pid_t)syscall(SYS_gettid));
    d->rc = d->what(d->b);
    pthread_mutex_lock(&disk->mutex);
    atomic_store(&d->is_done, true);
    pthread_cond_broadcast(&disk->changed);
    pthread_mutex_unlock(&disk->mutex);
    return NULL;
}

static void start(struct doing *d, struct bench *b, ks_rc (*what)(struct bench *b))
{
    *d = (struct doing){.b = b, .what = what};
    assert_int_equal(pthread_create(&d->thread, NULL, run_doing, d), 0);
    d->is_running = true;
}

static void finish(struct doing *d)
{
    join(d);
    check_ok(d->rc);
}

static char state_of(pid_t tid)
{
    char path[64], state = 0;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0; /* it has ended */
    assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
    fclose(f);
    return state;
}

/* Until the thread waits for something, which is not that its own write is held. */
static void check_waits(struct doing *d)
{
    while (!atomic_load(&d->tid) ||
           (!atomic_load(&d->is_done) && state_of(atomic_load(&d->tid)) != 'S'))
        sched_yield();
    assert_false(atomic_load(&d->is_done));
    assert_int_equal(held_now(&d->b->disk), 1);
}

static void wait_for_held(struct bench *b)
{
    struct disk *d = &b->disk;

    pthread_mutex_lock(&d->mutex);
    while (d->held == 0 && !atomic_load(&b->writing.is_done))
        pthread_cond_wait(&d->changed, &d->mutex);
    unsigned held = d->held;
    pthread_mutex_unlock(&d->mutex);
    assert_int_equal(held, 1);
}

static ks_rc overwrite_a(struct bench *b)
{
    return write_block(b, 'a', A);
}

/* A write of block A stands still on the disk: before anything of it is there, or in the middle of the page. */
static void begin_write(struct bench *b, bool is_half)
{
    hold(&b->disk, A, is_half);
    start(&b->writing, b, overwrite_a);
    wait_for_held(b);
}

static void end_write(struct bench *b)
{
    let_go(&b->disk);
    finish(&b->writing);
}

/* What waits while a write of block A is on its way, and comes after it. */
static void check_is_kept_out(struct bench *b, ks_rc (*what)(struct bench *b))
{
    begin_write(b, false);
    start(&b->other, b, what);
    check_waits(&b->other);
    end_write(b);
    finish(&b->other);
    check_no_damage(b);
}

/* --- who waits for a write in place, and who does not --- */

static void write__of_another_block__ends_meanwhile(void **state)
{
    struct bench *b = *state;

    begin_write(b, false);
    check_ok(write_block(b, 'b', B));
    check_ok(write_at(b, 'c', (B + 3) * (uint64_t)PAYLOAD + 7, 2 * PAYLOAD));
    check_block(b, 'b', B);
    check_range(b, 'c', (B + 3) * (uint64_t)PAYLOAD + 7, 2 * PAYLOAD);
    assert_false(atomic_load(&b->writing.is_done));
    end_write(b);
    check_block(b, 'a', A);
    check_block(b, 'b', B);
}

static ks_rc again(struct bench *b)
{
    return write_block(b, 'n', A);
}

static void write__of_the_same_block__comes_after_it(void **state)
{
    check_is_kept_out(*state, again);
    check_block(*state, 'n', A);
}

static ks_rc overlap(struct bench *b)
{
    return write_at(b, 'n', (A - 1) * (uint64_t)PAYLOAD + 100, PAYLOAD);
}

/* It keeps the end of block A, which it must not have read before. */
static void write__that_meets_it_in_a_part__keeps_the_rest_of_it(void **state)
{
    check_is_kept_out(*state, overlap);
    check_range(*state, 'n', (A - 1) * (uint64_t)PAYLOAD + 100, PAYLOAD);
    check_range(*state, 'a', A * (uint64_t)PAYLOAD + 100, PAYLOAD - 100);
}

static ks_rc grow(struct bench *b)
{
    return write_at(b, 'g', FILE_BYTES - 10, 500);
}

static void write__that_grows_the_file__comes_after_it(void **state)
{
    struct bench *b = *state;

    check_is_kept_out(b, grow);
    assert_int_equal(size_of(b), FILE_BYTES + 490);
    check_block(b, 'a', A);
    check_range(b, 'g', FILE_BYTES - 10, 500);
}

static ks_rc add_whole(struct bench *b)
{
    return write_at(b, 'p', BLOCKS * PAYLOAD, 3 * PAYLOAD);
}

/* Whole blocks are the same whatever comes before them. */
static void write__that_grows_the_file__is_sealed_meanwhile(void **state)
{
    struct bench *b = *state;

    begin_write(b, false);
    unsigned before = atomic_load(&b->dice.throws);
    start(&b->other, b, add_whole);
    check_waits(&b->other);
    assert_int_equal(atomic_load(&b->dice.throws), before + 1);
    end_write(b);
    finish(&b->other);
    assert_int_equal(atomic_load(&b->dice.throws), before + 1);
    check_range(b, 'p', BLOCKS * PAYLOAD, 3 * PAYLOAD);
    check_block(b, 'a', A);
    check_no_damage(b);
}

static ks_rc write_many(struct bench *b)
{
    return write_at(b, 'm', 20 * PAYLOAD, (BLOCK_HOLD_MAX + 1) * PAYLOAD);
}

static void write__of_many_blocks__comes_after_it(void **state)
{
    check_is_kept_out(*state, write_many);
    check_block(*state, 'm', 20 + BLOCK_HOLD_MAX);
}

static ks_rc cut(struct bench *b)
{
    return volume_truncate(b->f->v, b->i, A * PAYLOAD + 5);
}

static void truncation__comes_after_it(void **state)
{
    struct bench *b = *state;

    check_is_kept_out(b, cut);
    assert_int_equal(size_of(b), A * PAYLOAD + 5);
    check_range(b, 'a', A * PAYLOAD, 5);
}

static ks_rc punch(struct bench *b)
{
    return volume_fallocate(b->f->v, b->i, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, A * PAYLOAD,
                            PAYLOAD);
}

static void hole__that_is_punched__comes_after_it(void **state)
{
    check_is_kept_out(*state, punch);
    check_block(*state, 0, A);
}

static ks_rc sweep(struct bench *b, struct rekey_progress *ret)
{
    struct rekey_conf conf = {.volume = b->f->v, .clock = clock_system()};

    return rekey_run(&conf, ret);
}

static ks_rc rotate(struct bench *b)
{
    return fixture_rotate(b->f, b->keys);
}

static ks_rc sweep_once(struct bench *b)
{
    struct rekey_progress p;

    TRY(sweep(b, &p));
    ENSURE(p.blocks_damaged == 0, KS_E_CORRUPT, "the sweep found damage");
    return KS_SUCCESS;
}

static void sweep__comes_after_it(void **state)
{
    check_ok(rotate(*state));
    check_is_kept_out(*state, sweep_once);
    check_block(*state, 'a', A);
}

static void remount(struct bench *b)
{
    fixture_file_close(b->f, b->i, b->h);
    fixture_close(TAKE(b->f));
    check_ok(fixture_open(&b->disk.io, b->tmp.path, b->keys, &b->f));
    check_ok(fixture_file(b->f, "f", false, &b->i, &b->h));
}

/* The keys of the write that stands still stay, those of all others are the new ones. */
static void rotation__waits_for_nobody_and_nobody_for_it(void **state)
{
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;

    begin_write(b, false);
    check_ok(rotate(b));
    check_block(b, 'o', B);
    check_ok(write_block(b, 'b', B));
    check_block(b, 'b', B);
    check_ok(fixture_file(b->f, "another", true, &i, &h));
    check_ok(volume_write(b->f->v, i, "accounts", 8, 0));
    check_ok(volume_fsync(b->f->v, i, false));
    fixture_file_close(b->f, i, h);
    assert_false(atomic_load(&b->writing.is_done));
    end_write(b);
    check_block(b, 'a', A);
    check_ok(sweep_once(b));
    check_ok(fixture_keys_destroy(b->keys, 1));
    remount(b);
    check_block(b, 'a', A);
    check_block(b, 'b', B);
    check_block(b, 'o', A + 1);
    check_no_damage(b);
}

static void read__meanwhile__gives_what_was_there(void **state)
{
    struct bench *b = *state;

    begin_write(b, false);
    check_block(b, 'o', A);
    check_block(b, 'o', B);
    end_write(b);
    check_block(b, 'a', A);
    check_no_damage(b);
}

static ks_rc read_new(struct bench *b)
{
    uint8_t got[PAYLOAD], want[PAYLOAD];
    size_t len = 0;

    memset(want, 'a', sizeof want);
    TRY(volume_read(b->f->v, b->i, got, sizeof got, A * PAYLOAD, &len));
    ENSURE(len == sizeof got && memcmp(got, want, len) == 0, KS_E_CORRUPT, "not what was written");
    return KS_SUCCESS;
}

static void read__in_the_middle_of_it__waits_for_the_whole(void **state)
{
    struct bench *b = *state;

    begin_write(b, true);
    start(&b->other, b, read_new);
    check_waits(&b->other);
    check_block(b, 'o', B);
    end_write(b);
    finish(&b->other);
    check_no_damage(b);
}

/* --- failures --- */

static void write__that_fails__leaves_the_one_beside_it_alone(void **state)
{
    struct bench *b = *state;

    begin_write(b, true);
    inject(&b->disk, place_of(B), 0, false);
    check_errno(write_block(b, 'b', B), EIO);
    inject(&b->disk, 0, 0, false);
    end_write(b);
    check_block(b, 'a', A);
    check_block(b, 'o', B);
    assert_int_equal(size_of(b), FILE_BYTES);
    check_ok(write_block(b, 'b', B));
    check_block(b, 'b', B);
    check_no_damage(b);
}

/* Two pages behind the end stay on the disk, since they cannot be cut off either. */
static void fail_to_grow(struct bench *b)
{
    inject(&b->disk, place_of(BLOCKS), 2 * 4096, true);
    check_errno(write_at(b, 'g', BLOCKS * PAYLOAD, 3 * PAYLOAD), EIO);
    assert_int_equal(size_of(b), FILE_BYTES);
    assert_int_equal(b->f->alerts, 1);
}

static void write_in_the_middle__after_a_failed_growth__first_cuts_off_what_it_left(void **state)
{
    struct bench *b = *state;

    fail_to_grow(b);
    check_errno(write_block(b, 'b', B), EIO);
    check_block(b, 'o', B);
    inject(&b->disk, 0, 0, false);
    check_ok(write_block(b, 'b', B));
    remount(b);
    assert_int_equal(size_of(b), FILE_BYTES);
    check_block(b, 'b', B);
    check_range(b, 'o', FILE_BYTES - PAYLOAD, PAYLOAD);
    check_no_damage(b);
}

/* Mending makes the last block shorter again, in the space where the blocks of the write stand sealed. */
static void write_at_the_end__after_a_failed_growth__is_sealed_anew(void **state)
{
    struct bench *b = *state;

    inject(&b->disk, place_of(BLOCKS - 1), 2 * 4096, true);
    check_errno(write_at(b, 'g', FILE_BYTES - 10, 3 * PAYLOAD), EIO);
    inject(&b->disk, 0, 0, false);
    check_ok(add_whole(b));
    remount(b);
    assert_int_equal(size_of(b), (BLOCKS + 3) * PAYLOAD);
    check_range(b, 'p', BLOCKS * PAYLOAD, 3 * PAYLOAD);
    check_range(b, 'o', FILE_BYTES - PAYLOAD, PAYLOAD - 10);
    check_range(b, 0, FILE_BYTES, 100);
    check_no_damage(b);
}

/* --- syncs --- */

enum { PAIRS_MAX = 1000 }; /* of a write and a sync, until the next sync is foreseen */

static void write_foreseen(struct bench *b, struct write_behind *ret)
{
    bool is_foreseen = false;

    for (unsigned n = 0; n < PAIRS_MAX && !is_foreseen; n++) {
        if (n > 0)
            check_ok(volume_fsync(b->f->v, b->i, true));
        check_ok(write_block(b, 'b', B));
        is_foreseen = volume_foresee_sync(b->f->v, b->i, ret);
    }
    assert_true(is_foreseen);
}

/* What is on its way when a flush begins may have missed it. */
static void flush__during_it__does_not_answer_the_sync_after_it(void **state)
{
    struct bench *b = *state;
    struct write_behind behind;

    begin_write(b, false);
    write_foreseen(b, &behind);
    volume_write_behind(&behind);
    end_write(b);
    unsigned before = atomic_load(&b->disk.syncs);
    check_ok(volume_fsync(b->f->v, b->i, true));
    assert_int_equal(atomic_load(&b->disk.syncs), before + 1);
}

/* --- pages read in halves --- */

/* from 0: the tag is wrong; from 2048: what the block says of itself is gone too. */
static void tear(struct bench *b, unsigned times, size_t from)
{
    b->disk.torn_at = place_of(B);
    b->disk.torn_from = from;
    b->disk.tears = times;
}

static void check_torn_once(struct bench *b, size_t from)
{
    tear(b, 1, from);
    check_block(b, 'o', B);
    assert_int_equal(b->disk.tears, 0);
    tear(b, 1, from);
    check_range(b, 'o', (B - 1) * PAYLOAD + 50, 2 * PAYLOAD);
    assert_int_equal(b->disk.tears, 0);
    check_no_damage(b);
}

static void page__torn_once__is_read_again(void **state)
{
    check_torn_once(*state, 0);
    check_torn_once(*state, 2048);
}

static void page__torn_always__is_damaged_and_alerted_once(void **state)
{
    struct bench *b = *state;
    uint8_t got[PAYLOAD];
    size_t len;

    for (unsigned n = 0; n < 2; n++) {
        tear(b, 2, n * 2048);
        check_errno(volume_read(b->f->v, b->i, got, sizeof got, B * PAYLOAD, &len), EIO);
        assert_int_equal(b->disk.tears, 0);
        assert_int_equal(b->f->alerts, n + 1);
        assert_int_equal(volume_counters_get(b->f->v).blocks_corrupt, n + 1);
    }
}

static void on_damage(void *arg, const char *path, uint64_t block, const char *what)
{
    struct bench *b = arg;

    (void)path;
    (void)block;
    (void)what;
    atomic_fetch_add(&b->damaged, 1);
}

static ks_rc verify(struct bench *b, struct survey *ret)
{
    struct survey_conf conf = {.io = &b->disk.io,
                               .tree = b->f->tree,
                               .long_names = b->f->long_names,
                               .block_payload = PAYLOAD,
                               .volume = b->f->v,
                               .threads = 1,
                               .damaged = on_damage,
                               .arg = b};

    memcpy(conf.volume_id, b->keys->keyring->volume_id, sizeof conf.volume_id);
    return survey_run(&conf, ret);
}

static void verify_torn(struct bench *b, unsigned times, size_t from, unsigned damaged)
{
    struct survey s;

    atomic_store(&b->damaged, 0);
    tear(b, times, from);
    check_ok(verify(b, &s));
    assert_int_equal(b->disk.tears, 0);
    assert_int_equal(s.blocks_damaged, damaged);
    assert_int_equal(s.files_damaged, damaged);
    assert_int_equal(atomic_load(&b->damaged), damaged);
    /* Who does not say what it is is not counted. */
    assert_int_equal(s.blocks, damaged && from > 0 ? BLOCKS - 1 : BLOCKS);
    assert_int_equal(s.generations[0].blocks, s.blocks);
    survey_done(&s);
}

static void survey__of_a_page_torn_once__finds_no_damage(void **state)
{
    verify_torn(*state, 1, 0, 0);
    verify_torn(*state, 1, 2048, 0);
    check_no_damage(*state);
}

static void survey__of_a_page_torn_always__tells_it_once(void **state)
{
    struct bench *b = *state;

    verify_torn(b, 2, 0, 1);
    assert_int_equal(b->f->alerts, 1);
    verify_torn(b, 2, 2048, 1);
    assert_int_equal(b->f->alerts, 2);
}

static ks_rc verify_sound(struct bench *b)
{
    struct survey s;

    TRY(verify(b, &s));
    bool is_sound = survey_is_sound(&s);
    survey_done(&s);
    ENSURE(is_sound && atomic_load(&b->damaged) == 0, KS_E_CORRUPT, "damage was found");
    return KS_SUCCESS;
}

static ks_rc append(struct bench *b)
{
    return write_at(b, 'g', BLOCKS * PAYLOAD, PAYLOAD);
}

/* The backing file ends within a page meanwhile. */
static void survey__of_a_file_that_grows__finds_no_damage(void **state)
{
    struct bench *b = *state;

    hold(&b->disk, BLOCKS, true);
    start(&b->writing, b, append);
    wait_for_held(b);
    start(&b->other, b, verify_sound);
    check_waits(&b->other);
    end_write(b);
    finish(&b->other);
    check_no_damage(b);
}

/* --- all at once --- */

enum {
    PAGE = 4096,
    SECTOR = 512,
    PAGES = 40, /* less than the file: few, so that they meet */
    WRITERS = 4,
    WRITES = 1500,
    READERS = 2,
    ROTATIONS = 4,
    AREA = PAGES * PAGE
};

/* A write of a page: what its sectors say, and when it was, by a clock of its own. */
struct written {
    atomic_uint page;
    atomic_ulong ended; /* ULONG_MAX: not yet */
};

struct stress {
    struct bench *b;
    struct written writes[WRITERS][WRITES + 1]; /* [0]: there at first */
    atomic_ulong now;
    atomic_ulong newest[PAGES]; /* the latest beginning of a write that has ended */
    atomic_uint writers_left, writer_ids;
    atomic_uint
        failed_at; /* the line of a check that did not hold in one of the threads; 0: all did */
};

/* expect(s, holds): as assert_true, which only the thread of the test may use. */
static void note(struct stress *s, bool holds, unsigned line)
{
    if (!holds)
        atomic_store(&s->failed_at, line);
}

#define expect(s, holds) note((s), (holds), __LINE__)

struct sector {
    uint32_t place, writer, number, again[SECTOR / 4 - 3];
};

static void fill(uint8_t *page, uint32_t index, uint32_t writer, uint32_t number)
{
    for (uint32_t n = 0; n < PAGE / SECTOR; n++) {
        struct sector s = {index * (PAGE / SECTOR) + n, writer, number, {0}};
        for (size_t k = 0; k < SECTOR / 4 - 3; k++)
            s.again[k] = s.place ^ writer << 24 ^ number;
        memcpy(page + n * SECTOR, &s, SECTOR);
    }
}

static void raise_to(atomic_ulong *at, unsigned long to)
{
    unsigned long is = atomic_load(at);

    while (is < to && !atomic_compare_exchange_weak(at, &is, to))
        ;
}

static uint32_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static void write_page(struct stress *s, uint32_t writer, uint32_t number, uint32_t page)
{
    struct written *w = &s->writes[writer][number];
    struct write_behind behind;
    uint8_t bytes[PAGE];

    fill(bytes, page, writer, number);
    atomic_store(&w->page, page);
    unsigned long began = atomic_fetch_add(&s->now, 1);
    expect(s, ks_ok(volume_write(s->b->f->v, s->b->i, bytes, PAGE, page * (uint64_t)PAGE)));
    atomic_store(&w->ended, atomic_fetch_add(&s->now, 1));
    raise_to(&s->newest[page], began);
    if (volume_foresee_sync(s->b->f->v, s->b->i, &behind))
        volume_write_behind(&behind);
}

static void *run_writer(void *arg)
{
    struct stress *s = arg;
    uint32_t writer = atomic_fetch_add(&s->writer_ids, 1);
    uint64_t seed = writer + 1;

    for (uint32_t number = 1; number <= WRITES; number++)
        write_page(s, writer, number, next(&seed) % PAGES);
    atomic_fetch_sub(&s->writers_left, 1);
    return NULL;
}

/* The sector is whole, was written there, and not before another write of its page had begun that has ended. */
static void check_sector(struct stress *s, const uint8_t *at, uint32_t place, unsigned long newest)
{
    struct sector got;

    memcpy(&got, at, SECTOR);
    bool is_known = got.writer < WRITERS && got.number <= WRITES;
    expect(s, got.place == place && is_known);
    for (size_t k = 0; k < SECTOR / 4 - 3; k++)
        expect(s, got.again[k] == (got.place ^ got.writer << 24 ^ got.number));
    if (!is_known)
        return;
    const struct written *w = &s->writes[got.writer][got.number];
    expect(s, got.number == 0 || atomic_load(&w->page) == place / (PAGE / SECTOR));
    expect(s, atomic_load(&w->ended) > newest);
}

static void check_pages(struct stress *s, uint32_t first, uint32_t count)
{
    unsigned long newest[PAGES];
    uint8_t got[4 * PAGE] = {0};
    size_t len = 0;

    for (uint32_t n = 0; n < count; n++)
        newest[n] = atomic_load(&s->newest[first + n]);
    expect(s, ks_ok(volume_read(s->b->f->v, s->b->i, got, count * (size_t)PAGE,
                                first * (uint64_t)PAGE, &len)));
    expect(s, len == count * PAGE);
    for (uint32_t n = 0; n < count * (PAGE / SECTOR); n++)
        check_sector(s, got + n * SECTOR, first * (PAGE / SECTOR) + n, newest[n / (PAGE / SECTOR)]);
}

static void *run_reader(void *arg)
{
    struct stress *s = arg;
    uint64_t seed = 99;

    while (atomic_load(&s->writers_left) > 0) {
        uint32_t count = 1 + next(&seed) % 4;
        check_pages(s, next(&seed) % (PAGES - count + 1), count);
    }
    return NULL;
}

/* Grows the file and cuts it again in the middle of a block that others write. */
static void *run_tail(void *arg)
{
    struct stress *s = arg;
    struct bench *b = s->b;
    uint64_t seed = 7;

    while (atomic_load(&s->writers_left) > 0) {
        expect(s, ks_ok(write_at(b, 't', AREA, 1 + next(&seed) % (3 * PAYLOAD))));
        expect(s, ks_ok(volume_truncate(b->f->v, b->i, AREA)));
    }
    return NULL;
}

static void *run_syncs(void *arg)
{
    struct stress *s = arg;

    for (unsigned n = 0; atomic_load(&s->writers_left) > 0; n++)
        expect(s, ks_ok(volume_fsync(s->b->f->v, s->b->i, n % 4 != 0)));
    return NULL;
}

static void *run_sweeps(void *arg)
{
    struct stress *s = arg;

    for (unsigned n = 0; n < ROTATIONS; n++) {
        expect(s, ks_ok(rotate(s->b)));
        expect(s, ks_ok(sweep_once(s->b)));
    }
    return NULL;
}

static void *run_verify(void *arg)
{
    struct stress *s = arg;
    struct survey found;

    do {
        bool is_done = ks_ok(verify(s->b, &found));
        expect(s, is_done && found.blocks_damaged + found.files_damaged == 0);
        if (is_done)
            survey_done(&found);
    } while (atomic_load(&s->writers_left) > 0);
    return NULL;
}

static void stress_begin(struct stress *s)
{
    static uint8_t first[AREA];

    for (unsigned w = 0; w < WRITERS; w++)
        for (unsigned n = 0; n <= WRITES; n++)
            atomic_store(&s->writes[w][n].ended, n ? ULONG_MAX : 1);
    for (uint32_t page = 0; page < PAGES; page++)
        fill(first + page * PAGE, page, 0, 0);
    atomic_store(&s->now, 2);
    atomic_store(&s->writers_left, WRITERS);
    check_ok(volume_write(s->b->f->v, s->b->i, first, AREA, 0));
    check_ok(volume_truncate(s->b->f->v, s->b->i, AREA));
    atomic_store(&s->b->disk.is_halving, true);
}

static void threads__that_do_everything__lose_and_tear_nothing(void **state)
{
    static void *(*const jobs[])(void *) = {run_writer, run_writer, run_writer, run_writer,
                                            run_reader, run_reader, run_tail,   run_syncs,
                                            run_sweeps, run_verify};
    enum { JOBS = sizeof jobs / sizeof *jobs };
    pthread_t threads[JOBS];
    struct stress *s;

    check_ok(mem_new(1, sizeof *s, &s));
    s->b = *state;
    stress_begin(s);
    for (unsigned n = 0; n < JOBS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, jobs[n], s), 0);
    for (unsigned n = 0; n < JOBS; n++)
        pthread_join(threads[n], NULL);
    assert_int_equal(atomic_load(&s->failed_at), 0);
    for (uint32_t page = 0; page < PAGES; page++)
        check_pages(s, page, 1);
    assert_int_equal(atomic_load(&s->failed_at), 0);
    assert_int_equal(size_of(s->b), AREA);
    check_no_damage(s->b);
    mem_free(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(write__of_another_block__ends_meanwhile),
        T(write__of_the_same_block__comes_after_it),
        T(write__that_meets_it_in_a_part__keeps_the_rest_of_it),
        T(write__that_grows_the_file__comes_after_it),
        T(write__that_grows_the_file__is_sealed_meanwhile),
        T(write__of_many_blocks__comes_after_it),
        T(truncation__comes_after_it),
        T(hole__that_is_punched__comes_after_it),
        T(sweep__comes_after_it),
        T(rotation__waits_for_nobody_and_nobody_for_it),
        T(read__meanwhile__gives_what_was_there),
        T(read__in_the_middle_of_it__waits_for_the_whole),
        T(write__that_fails__leaves_the_one_beside_it_alone),
        T(write_in_the_middle__after_a_failed_growth__first_cuts_off_what_it_left),
        T(write_at_the_end__after_a_failed_growth__is_sealed_anew),
        T(flush__during_it__does_not_answer_the_sync_after_it),
        T(page__torn_once__is_read_again),
        T(page__torn_always__is_damaged_and_alerted_once),
        T(survey__of_a_page_torn_once__finds_no_damage),
        T(survey__of_a_page_torn_always__tells_it_once),
        T(survey__of_a_file_that_grows__finds_no_damage),
        T(threads__that_do_everything__lose_and_tear_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
