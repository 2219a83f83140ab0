/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a sweep brings every sound block to the newest generation and changes nothing else; it can be
 * stopped at any round and started again; it stops by itself when the volume locks.
 */
#include "check.h"

#include <stdio.h> /* RENAME_EXCHANGE */
#include <unistd.h>

#include "base/mem.h"
#include "io/crash.h"
#include "io/fault.h"
#include "io_help.h"
#include "volume/rekey.h"
#include "volume/survey.h"
#include "volume/volume_int.h"
#include "volume_fixture.h"

enum { FILE_BYTES = 600000, BLOCKS = (FILE_BYTES + 3583) / 3584 };

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct clock_manual clock;
    uint8_t bytes[FILE_BYTES];
    unsigned rounds, rounds_max; /* rounds_max 0: no bound */
};

static void write_file(struct bench *b, const char *name)
{
    check_ok(fixture_write(b->f, name, true, b->bytes, FILE_BYTES));
}

static void rotate(struct bench *b)
{
    check_ok(fixture_rotate(b->f, b->keys));
}

/* A file whose blocks are all under a key that is an older one then. */
static void write_old_file(struct bench *b, const char *name)
{
    write_file(b, name);
    rotate(b);
}

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_in_memory(3584, &b->io, &b->keys, &b->f));
    check_ok(random_fill(random_system(), b->bytes, FILE_BYTES));
    clock_manual_init(&b->clock, 1000, 1900000000);
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

static bool count_round(void *arg, const struct rekey_progress *p)
{
    struct bench *b = arg;

    (void)p;
    b->rounds++;
    return b->rounds_max == 0 || b->rounds < b->rounds_max;
}

static struct rekey_conf conf_of(struct bench *b)
{
    return (struct rekey_conf){
        .volume = b->f->v, .clock = &b->clock.clock, .progress = count_round, .arg = b};
}

/* How many blocks each generation has: [0] the first, [1] the second. */
static void count(struct bench *b, uint64_t ret[2])
{
    struct survey_conf conf = {.io = b->io,
                               .tree = b->f->tree,
                               .long_names = b->f->long_names,
                               .block_payload = 3584,
                               .volume = b->f->v};
    struct survey s;

    memcpy(conf.volume_id, b->keys->keyring->volume_id, sizeof conf.volume_id);
    check_ok(survey_run(&conf, &s));
    ret[0] = ret[1] = 0;
    for (size_t n = 0; n < s.generation_count; n++)
        ret[s.generations[n].generation - 1] = s.generations[n].blocks;
    survey_done(&s);
}

static void check_contents(struct bench *b, const char *name)
{
    static uint8_t got[FILE_BYTES + 1];
    struct inode *i;
    struct handle *h;
    size_t len;

    check_ok(fixture_file(b->f, name, false, &i, &h));
    check_ok(volume_read(b->f->v, handle_inode(h), got, sizeof got, 0, &len));
    check_bytes(view_of(got, len), view_of(b->bytes, FILE_BYTES));
    fixture_file_close(b->f, i, h);
}

static void sweep__after_a_rotation__leaves_no_old_block(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;
    struct inode *i;
    struct stat before, after;
    uint64_t blocks[2];

    write_old_file(b, "ledger");
    check_ok(volume_lookup(b->f->v, volume_root(b->f->v), "ledger", &i, &before));
    count(b, blocks);
    assert_int_equal(blocks[0], BLOCKS);
    check_ok(rekey_run(&conf, &p));
    assert_int_equal(p.blocks_rewritten, BLOCKS);
    assert_int_equal(p.bytes_rewritten, (uint64_t)BLOCKS * 4096);
    count(b, blocks);
    assert_int_equal(blocks[0], 0);
    assert_int_equal(blocks[1], BLOCKS);
    check_contents(b, "ledger");
    check_ok(volume_getattr(b->f->v, i, &after));
    assert_int_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
    assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    volume_forget(b->f->v, i, 1);
}

static void sweep__with_nothing_to_do__writes_nothing(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;

    write_file(b, "ledger");
    check_ok(rekey_run(&conf, &p));
    assert_int_equal(p.blocks_seen, BLOCKS);
    assert_int_equal(p.blocks_rewritten, 0);
}

static void sweep__stopped_and_started_again__goes_on(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress first, second;
    uint64_t blocks[2];

    write_file(b, "a");
    write_old_file(b, "b");
    b->rounds_max = 3;
    check_rc(rekey_run(&conf, &first), BUSY);
    count(b, blocks);
    assert_int_equal(blocks[1], first.blocks_rewritten);
    assert_true(blocks[0] > 0 && blocks[1] > 0);
    b->rounds_max = 0;
    check_ok(rekey_run(&conf, &second));
    assert_int_equal(first.blocks_rewritten + second.blocks_rewritten, 2 * BLOCKS);
    check_contents(b, "a");
    check_contents(b, "b");
}

static void sweep__of_a_removed_open_file__keeps_it_readable(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;
    struct inode *i;
    struct handle *h;

    write_file(b, "temporary");
    check_ok(fixture_file(b->f, "temporary", false, &i, &h));
    check_ok(volume_unlink(b->f->v, volume_root(b->f->v), "temporary"));
    rotate(b);
    check_ok(rekey_run(&conf, &p));
    assert_int_equal(p.blocks_rewritten, BLOCKS);
    fixture_file_close(b->f, i, h);
}

/* Right after a directory with one file was walked everything moves there from the other one, which is being walked;
 * two runs, as the order of the walk is not known. */
enum { ROUNDS_OF_A_FILE = (BLOCKS + 63) / 64 };

struct mover {
    struct bench *b;
    const char *from, *to;
    unsigned rounds;
};

static bool move_things(void *arg, const struct rekey_progress *p)
{
    struct mover *m = arg;
    struct volume *v = m->b->f->v;
    struct inode *root = volume_root(v), *from, *to, *linked;
    struct stat st;

    (void)p;
    if (++m->rounds != ROUNDS_OF_A_FILE + 1)
        return true;
    check_ok(volume_lookup(v, root, m->from, &from, &st));
    check_ok(volume_lookup(v, root, m->to, &to, &st));
    check_ok(volume_rename(v, from, "renamed", to, "renamed", 0));
    check_ok(volume_lookup(v, from, "linked", &linked, &st));
    check_ok(volume_link(v, linked, to, "linked", &st));
    check_ok(volume_unlink(v, from, "linked"));
    volume_forget(v, linked, 2);
    check_ok(volume_rename(v, from, "subdirectory", to, "subdirectory", 0));
    check_ok(volume_rename(v, from, "swapped", to, "swapped", RENAME_EXCHANGE));
    volume_forget(v, from, 1);
    volume_forget(v, to, 1);
    return true;
}

static struct inode *make_directory(struct bench *b, struct inode *in, const char *name)
{
    const struct caller who = {getuid(), getgid()};
    struct inode *i;
    struct stat st;

    check_ok(volume_mkdir(b->f->v, in, name, 0700, &who, &i, &st));
    return i;
}

static void write_in(struct bench *b, struct inode *dir, const char *name)
{
    const struct caller who = {getuid(), getgid()};
    struct inode *i;
    struct handle *h;
    struct stat st;

    check_ok(volume_create(b->f->v, dir, name, 0600, &who, &i, &st, &h));
    check_ok(volume_write(b->f->v, handle_inode(h), b->bytes, FILE_BYTES, 0));
    fixture_file_close(b->f, i, h);
}

static void check_moves(struct bench *b, const char *from_name, const char *to_name)
{
    struct inode *root = volume_root(b->f->v), *first = make_directory(b, root, "a"),
                 *second = make_directory(b, root, "b"), *below;
    struct inode *from = from_name[0] == 'a' ? first : second, *to = from == first ? second : first;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;
    struct mover mover = {.b = b, .from = from_name, .to = to_name};
    uint64_t blocks[2];

    below = make_directory(b, from, "subdirectory");
    write_in(b, to, "swapped");
    write_in(b, from, "renamed");
    write_in(b, from, "linked");
    write_in(b, from, "swapped");
    write_in(b, below, "deep");
    rotate(b);
    conf.progress = move_things;
    conf.arg = &mover;
    check_ok(rekey_run(&conf, &p));
    assert_true(mover.rounds > ROUNDS_OF_A_FILE);
    assert_int_equal(p.missed, 0);
    count(b, blocks);
    assert_int_equal(blocks[0], 0);
    assert_int_equal(blocks[1], 5 * BLOCKS);
    volume_forget(b->f->v, from, 1);
    volume_forget(b->f->v, to, 1);
    volume_forget(b->f->v, below, 1);
}

static void sweep__while_things_move__misses_nothing(void **state)
{
    check_moves(*state, "a", "b");
}

static void sweep__while_things_move_the_other_way__misses_nothing(void **state)
{
    check_moves(*state, "b", "a");
}

static bool start_another(void *arg, const struct rekey_progress *p)
{
    struct bench *b = arg;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress second;

    (void)p;
    check_rc(rekey_run(&conf, &second), BUSY);
    b->rounds++;
    return true;
}

static void sweep__while_another_one_runs__is_busy(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;

    write_old_file(b, "ledger");
    conf.progress = start_another;
    check_ok(rekey_run(&conf, &p));
    assert_true(b->rounds > 0);
    assert_int_equal(p.blocks_rewritten, BLOCKS);
}

static void sweep__over_a_damaged_block__counts_and_leaves_it(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;
    struct io_dirent e;
    struct io_node *node;
    struct io_file *raw;
    struct io_dir *d;
    struct stat st;
    uint64_t blocks[2];

    write_old_file(b, "ledger");
    check_ok(b->io->ops->dir_open(b->io, b->f->tree, &d));
    do
        check_ok(b->io->ops->dir_next(b->io, d, &e));
    while (e.name[0] == '.');
    b->io->ops->dir_close(b->io, d);
    check_ok(b->io->ops->lookup(b->io, b->f->tree, e.name, &node, &st));
    check_ok(b->io->ops->open(b->io, node, false, &raw));
    check_ok(b->io->ops->pwrite(b->io, raw, "damage", 6, 10 * 4096 + 5));
    b->io->ops->close(b->io, raw);
    b->io->ops->node_close(b->io, node);
    check_ok(rekey_run(&conf, &p));
    assert_int_equal(p.blocks_damaged, 1);
    assert_int_equal(p.blocks_rewritten, BLOCKS - 1);
    count(b, blocks);
    assert_int_equal(blocks[0], 1);
}

static void sweep__with_a_rate__takes_its_time(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;
    uint64_t before = b->clock.now_ms;

    write_old_file(b, "ledger");
    conf.bytes_per_s = 100000;
    check_ok(rekey_run(&conf, &p));
    assert_true(b->clock.now_ms - before >= p.bytes_rewritten * 1000 / 100000);
}

/* What users of the volume see while the sweep runs. */
static bool hold_others_up(void *arg, const struct rekey_progress *p)
{
    struct bench *b = arg;

    (void)p;
    b->rounds++;
    atomic_fetch_add(&b->f->v->foreground_count, 10);
    atomic_fetch_add(&b->f->v->foreground_ms, b->rounds <= 5 ? 10 * 8 : 10 * 2);
    return true;
}

static uint64_t slept_with(struct bench *b, uint32_t latency_ms_max)
{
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;
    uint64_t before = b->clock.now_ms;

    rotate(b);
    b->rounds = 0;
    conf.progress = hold_others_up;
    conf.arg = b;
    conf.latency_ms_max = latency_ms_max;
    check_ok(rekey_run(&conf, &p));
    assert_int_equal(p.blocks_rewritten, 4 * BLOCKS);
    assert_true(b->rounds > 10);
    return b->clock.now_ms - before;
}

static void sweep__others_are_held_up__rests_more_and_then_less(void **state)
{
    struct bench *b = *state;

    for (unsigned n = 0; n < 4; n++) {
        char name[2] = {(char)('a' + n), '\0'};
        write_file(b, name);
    }
    assert_int_equal(slept_with(b, 0), 0);
    assert_int_equal(slept_with(b, 9), 0);
    assert_int_equal(volume_counters_get(b->f->v).rekey_pauses, 0);
    /* five rounds above the bound: 1, 2, 4, 8, 16; then 8, 4, 2, 1 */
    assert_int_equal(slept_with(b, 5), 46);
    assert_int_equal(volume_counters_get(b->f->v).rekey_pauses, 9);
}

static void sweep__others_were_held_up_before_it__rests_for_nobody(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;
    uint64_t before = b->clock.now_ms;

    write_old_file(b, "ledger");
    atomic_store(&b->f->v->foreground_ms, 1000);
    atomic_store(&b->f->v->foreground_count, 1);
    conf.latency_ms_max = 5;
    check_ok(rekey_run(&conf, &p));
    assert_int_equal(p.blocks_rewritten, BLOCKS);
    assert_int_equal(b->clock.now_ms, before);
    assert_int_equal(volume_counters_get(b->f->v).rekey_pauses, 0);
}

static void foreground__counted_only_while_a_sweep_watches(void **state)
{
    struct bench *b = *state;

    write_file(b, "ledger");
    assert_int_equal(atomic_load(&b->f->v->foreground_count), 0);
    atomic_store(&b->f->v->is_watched, true);
    write_file(b, "other");
    atomic_store(&b->f->v->is_watched, false);
    assert_int_equal(atomic_load(&b->f->v->foreground_count), 1);
}

/* --- directories that cannot be synced --- */

static ks_rc sync_directory(struct fixture *f, struct inode *dir)
{
    struct handle *h;

    check_ok(volume_opendir(f->v, dir, &h));
    ks_rc rc = volume_fsyncdir(f->v, h);
    volume_close(f->v, h);
    return rc;
}

static ks_rc sweep_of(struct bench *b, struct fixture *f)
{
    struct rekey_conf conf = {.volume = f->v, .clock = &b->clock.clock};
    struct rekey_progress p;

    return rekey_run(&conf, &p);
}

/* The next sync of it would succeed, and prove nothing. */
static void sweep__of_a_directory_whose_sync_failed__fails_for_ever(void **state)
{
    struct bench *b = *state;
    struct io *faulty;
    struct fixture *f;
    struct inode *dir;
    struct stat st;

    volume_forget(b->f->v, make_directory(b, volume_root(b->f->v), "dir"), 1);
    check_ok(fault_new(b->io, &faulty));
    check_ok(fixture_open(faulty, "/", b->keys, &f));
    check_ok(sweep_of(b, f));
    check_ok(volume_lookup(f->v, volume_root(f->v), "dir", &dir, &st));
    fault_arm(faulty, 2, EIO, false); /* behind the opening */
    check_os(sync_directory(f, dir), EIO);
    assert_string_equal(fault_name(faulty), "sync_dir");
    volume_forget(f->v, dir, 1);
    check_os(sweep_of(b, f), EIO);
    check_os(sweep_of(b, f), EIO);
    fixture_close(f);
    fault_free(faulty);
}

/* Whether the n-th call of a sweep was a sync of a directory, which then fails for all. */
static bool sweep_and_sync_again(struct bench *b, struct io *faulty, uint64_t n, bool *ret_is_end)
{
    struct fixture *f;

    check_ok(fixture_open(faulty, "/", b->keys, &f));
    fault_arm(faulty, n, EIO, false);
    ks_rc rc = sweep_of(b, f);
    const char *failed = fault_name(faulty);
    *ret_is_end = !failed;
    bool is_sync = failed && strcmp(failed, "sync_dir") == 0;
    fault_arm(faulty, 0, 0, false);
    if (is_sync) {
        check_os(rc, EIO);
        assert_int_equal(volume_counters_get(f->v).files_poisoned, 1);
        check_os(sweep_of(b, f), EIO);
    }
    fixture_close(f);
    return is_sync;
}

static void sweep__that_cannot_sync_a_directory__fails_from_then_on(void **state)
{
    struct bench *b = *state;
    struct io *faulty;
    unsigned syncs = 0;
    bool is_end = false;

    volume_forget(b->f->v, make_directory(b, volume_root(b->f->v), "dir"), 1);
    check_ok(fault_new(b->io, &faulty));
    for (uint64_t n = 1; !is_end; n++)
        syncs += sweep_and_sync_again(b, faulty, n, &is_end);
    assert_int_equal(syncs, 2);
    fault_free(faulty);
}

/* It may yet write under the older key, wherever it likes. */
static void sweep__beside_an_operation_that_began_before_it__looks_at_nothing(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;
    struct era *held;

    write_file(b, "ledger");
    check_ok(volume_enter(b->f->v, NEED_OPEN, &held));
    rotate(b);
    b->rounds_max = 2;
    check_rc(rekey_run(&conf, &p), BUSY);
    assert_int_equal(b->rounds, 2);
    assert_int_equal(p.files, 0);
    volume_leave(b->f->v, held);
    b->rounds_max = 0;
    check_ok(rekey_run(&conf, &p));
    assert_int_equal(p.blocks_rewritten, BLOCKS);
}

static void sweep__of_a_locked_volume__is_refused(void **state)
{
    struct bench *b = *state;
    struct rekey_conf conf = conf_of(b);
    struct rekey_progress p;

    write_old_file(b, "ledger");
    volume_set_door(b->f->v, VOLUME_CLOSED);
    assert_true(ks_is_os(rekey_run(&conf, &p), EKEYREVOKED));
    assert_int_equal(p.blocks_rewritten, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sweep__after_a_rotation__leaves_no_old_block),
        TEST(sweep__with_nothing_to_do__writes_nothing),
        TEST(sweep__stopped_and_started_again__goes_on),
        TEST(sweep__of_a_removed_open_file__keeps_it_readable),
        TEST(sweep__while_things_move__misses_nothing),
        TEST(sweep__while_things_move_the_other_way__misses_nothing),
        TEST(sweep__while_another_one_runs__is_busy),
        TEST(sweep__over_a_damaged_block__counts_and_leaves_it),
        TEST(sweep__with_a_rate__takes_its_time),
        TEST(sweep__others_are_held_up__rests_more_and_then_less),
        TEST(sweep__others_were_held_up_before_it__rests_for_nobody),
        TEST(foreground__counted_only_while_a_sweep_watches),
        TEST(sweep__of_a_directory_whose_sync_failed__fails_for_ever),
        TEST(sweep__that_cannot_sync_a_directory__fails_from_then_on),
        TEST(sweep__beside_an_operation_that_began_before_it__looks_at_nothing),
        TEST(sweep__of_a_locked_volume__is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
