/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no durable byte of a file is ever lost to a power failure. For every short sequence of operations on
 * a file that was synced before, at every time and for every subset of pending pages: the file opens, all of
 * it can be read, and each byte that was durable is its old or one of its newer versions.
 *
 * The oracle keeps the contents after each step and knows which mixtures of them are legal: versions.h. Names
 * are the subject of names_crash_test.c.
 *
 * The oracle itself is tested on a layout that is known to lose data, blocks that straddle two pages
 * (straddling.h): the same steps and the same checks.
 */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/mem.h"
#include "enumerate.h"
#include "straddling.h"
#include "versions.h"
#include "volume/volume_int.h"
#include "volume_fixture.h"

struct layout;

struct history {
    struct io *io;
    const struct layout *layout;
    struct fixture_keys *keys; /* ours, of the volume */
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    struct straddling *straddling; /* of the other one */
    struct versions versions;
    uint32_t payload;
    uint8_t filler; /* each write has bytes of its own */
    size_t states, mismatches;
    bool is_counting;  /* mismatches are counted, not failures */
    const char *steps; /* for messages */
};

static struct history history;

/* --- layouts: what the steps of a history run on --- */

struct layout {
    void (*begin)(struct history *); /* a new, empty file on hy->io */
    void (*end)(struct history *);
    ks_rc (*write)(struct history *, const uint8_t *in, size_t len, size_t at);
    ks_rc (*resize)(struct history *, size_t size);
    ks_rc (*sync)(struct history *);
    /* all of the file as a restart on io finds it */
    ks_rc (*read)(struct history *, struct io *io, uint8_t *out, size_t len, size_t *ret_len);
};

static void ours_begin(struct history *hy)
{
    check_ok(fixture_layout(hy->io, "/"));
    check_ok(fixture_open(hy->io, "/", hy->keys, &hy->f));
    check_ok(fixture_file(hy->f, "file", true, &hy->i, &hy->h));
}

static void ours_end(struct history *hy)
{
    fixture_file_close(hy->f, hy->i, hy->h);
    fixture_close(hy->f);
}

static ks_rc ours_write(struct history *hy, const uint8_t *in, size_t len, size_t at)
{
    return volume_write(hy->f->v, handle_inode(hy->h), in, len, at);
}

static ks_rc ours_resize(struct history *hy, size_t size)
{
    return volume_truncate(hy->f->v, hy->i, size);
}

static ks_rc ours_sync(struct history *hy)
{
    return volume_fsync(hy->f->v, handle_inode(hy->h), true);
}

static ks_rc ours_read(struct history *hy, struct io *io, uint8_t *out, size_t len, size_t *ret_len)
{
    struct fixture *f;
    struct inode *i;
    struct handle *h;

    TRY(fixture_open(io, "/", hy->keys, &f));
    TRY(fixture_file(f, "file", false, &i, &h));
    ks_rc rc = volume_read(f->v, handle_inode(h), out, len, 0, ret_len);
    fixture_file_close(f, i, h);
    unsigned alerts = f->alerts;
    fixture_close(f);
    TRY(rc);
    ENSURE(alerts == 0, KS_E_CORRUPT, "%u blocks reported as damaged", alerts);
    return KS_SUCCESS;
}

static const struct layout ours = {ours_begin,  ours_end,  ours_write,
                                   ours_resize, ours_sync, ours_read};

static void other_begin(struct history *hy)
{
    struct io_node *root;

    check_ok(straddling_open(hy->io, true, &hy->straddling));
    check_ok(hy->io->ops->open_root(hy->io, "/", &root));
    check_ok(hy->io->ops->sync_dir(hy->io, root));
    hy->io->ops->node_close(hy->io, root);
}

static void other_end(struct history *hy)
{
    straddling_close(hy->straddling);
}

static ks_rc other_write(struct history *hy, const uint8_t *in, size_t len, size_t at)
{
    return straddling_write(hy->straddling, in, len, at);
}

static ks_rc other_resize(struct history *hy, size_t size)
{
    return straddling_resize(hy->straddling, size);
}

static ks_rc other_sync(struct history *hy)
{
    return straddling_sync(hy->straddling);
}

static ks_rc other_read(struct history *hy, struct io *io, uint8_t *out, size_t len,
                        size_t *ret_len)
{
    struct straddling *s;

    (void)hy;
    TRY(straddling_open(io, false, &s));
    ks_rc rc = straddling_read(s, out, len, ret_len);
    straddling_close(s);
    return rc;
}

static const struct layout other = {other_begin,  other_end,  other_write,
                                    other_resize, other_sync, other_read};

/* --- steps --- */

static size_t size_now(struct history *hy)
{
    return versions_newest(&hy->versions)->size;
}

static void step_write(struct history *hy, size_t at, size_t len)
{
    const struct version *v = versions_write(&hy->versions, at, len, ++hy->filler);

    check_ok(hy->layout->write(hy, v->bytes + at, len, at));
}

static void step_resize(struct history *hy, size_t size)
{
    versions_resize(&hy->versions, size);
    check_ok(hy->layout->resize(hy, size));
}

static void step_append_short(struct history *hy)
{
    step_write(hy, size_now(hy), 200);
}

static void step_append_long(struct history *hy)
{
    step_write(hy, size_now(hy), 5000);
}

static void step_overwrite(struct history *hy)
{
    step_write(hy, 1000, 4096);
}

static void step_write_behind(struct history *hy)
{
    step_write(hy, size_now(hy) + 6000, 10);
}

static void step_extend(struct history *hy)
{
    step_resize(hy, size_now(hy) + 4500);
}

static void step_cut(struct history *hy)
{
    size_t size = size_now(hy);

    step_resize(hy, size > 3000 ? size - 3000 : size / 2);
}

static void step_cut_to_block(struct history *hy)
{
    step_resize(hy, size_now(hy) > hy->payload ? hy->payload : 0);
}

static void step_empty(struct history *hy)
{
    step_resize(hy, 0);
}

static void step_sync(struct history *hy)
{
    check_ok(hy->layout->sync(hy));
    versions_synced(&hy->versions);
}

/* The rest is for ours only. */
static void allocate(struct history *hy, int mode, size_t at, size_t len)
{
    check_ok(volume_fallocate(hy->f->v, handle_inode(hy->h), mode, at, len));
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void step_punch(struct history *hy)
{
    versions_zero(&hy->versions, 500, 8000);
    allocate(hy, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 500, 8000);
}

static void step_allocate(struct history *hy)
{
    versions_resize(&hy->versions, larger(size_now(hy), 9000));
    allocate(hy, 0, 0, 9000);
}

/* Space behind the end, as a database takes it for its log: no byte and no size changes. */
static void step_preallocate(struct history *hy)
{
    versions_resize(&hy->versions, size_now(hy));
    allocate(hy, FALLOC_FL_KEEP_SIZE, 2000, 14000);
}

static void step_zero(struct history *hy)
{
    struct version *v = versions_zero(&hy->versions, 500, 8000);

    v->size = larger(v->size, 8500);
    allocate(hy, FALLOC_FL_ZERO_RANGE, 500, 8000);
}

static void step_zero_keep(struct history *hy)
{
    versions_zero(&hy->versions, 2000, 8000);
    allocate(hy, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 2000, 8000);
}

/* A write whose sync is foreseen, flushed before the sync comes. */
static void step_sync_foreseen(struct history *hy)
{
    struct write_behind behind;

    hy->i->flush.foresight = (struct foresight){.usual = 1, .streak = FORESIGHT_STREAK_MIN};
    step_write(hy, size_now(hy), 300);
    assert_true(volume_foresee_sync(hy->f->v, handle_inode(hy->h), &behind));
    volume_write_behind(&behind);
}

/* And one more write before the sync, which must not take the flush for enough. */
static void step_write_late(struct history *hy)
{
    step_sync_foreseen(hy);
    versions_done(&hy->versions, crash_time(hy->io));
    step_overwrite(hy);
}

/* Those up to SYNC are for every layout. */
enum {
    APPEND_SHORT,
    APPEND_LONG,
    OVERWRITE,
    WRITE_BEHIND,
    EXTEND,
    CUT,
    CUT_TO_BLOCK,
    EMPTY,
    SYNC,
    PUNCH,
    ALLOCATE,
    PREALLOCATE,
    ZERO,
    ZERO_KEEP,
    SYNC_FORESEEN,
    WRITE_LATE,
    STEPS
};

static const struct {
    const char *name;
    void (*run)(struct history *);
} steps[STEPS] = {
    [APPEND_SHORT] = {"append 200", step_append_short},
    [APPEND_LONG] = {"append 5000", step_append_long},
    [OVERWRITE] = {"overwrite 4096", step_overwrite},
    [WRITE_BEHIND] = {"write behind", step_write_behind},
    [EXTEND] = {"extend", step_extend},
    [CUT] = {"cut", step_cut},
    [CUT_TO_BLOCK] = {"cut to block", step_cut_to_block},
    [EMPTY] = {"empty", step_empty},
    [SYNC] = {"sync", step_sync},
    [PUNCH] = {"punch", step_punch},
    [ALLOCATE] = {"allocate", step_allocate},
    [PREALLOCATE] = {"preallocate", step_preallocate},
    [ZERO] = {"zero", step_zero},
    [ZERO_KEEP] = {"zero, keep size", step_zero_keep},
    [SYNC_FORESEEN] = {"sync foreseen", step_sync_foreseen},
    [WRITE_LATE] = {"write late", step_write_late},
};

/* --- the oracle --- */

static ks_rc check_contents(struct history *hy, struct io *rebuilt, size_t time)
{
    static uint8_t got[VERSION_BYTES_MAX + 1];
    size_t size = 0;

    TRY(hy->layout->read(hy, rebuilt, got, sizeof got, &size));
    return versions_check(&hy->versions, time, view_of(got, size));
}

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    struct history *hy = arg;
    ks_rc rc = ks_wrap(check_contents(hy, rebuilt, state->time), "%s", hy->steps);

    hy->mismatches += !ks_ok(rc);
    return hy->is_counting ? KS_SUCCESS : rc;
}

/* Without a power loss nothing but the newest version shows. */
static void check_live(struct history *hy)
{
    versions_synced(&hy->versions);
    check_ok(check_contents(hy, hy->io, crash_time(hy->io)));
}

/* --- sequences --- */

static void begin(struct history *hy, size_t size)
{
    versions_begin(&hy->versions);
    hy->filler = 0;
    check_ok(crash_new(&hy->io));
    hy->layout->begin(hy);
    if (size > 0)
        step_write(hy, 0, size);
    step_sync(hy);
    versions_done(&hy->versions, crash_time(hy->io));
}

static void end(struct history *hy)
{
    hy->layout->end(hy);
    check_live(hy);
    crash_free(hy->io);
}

static void run_step(struct history *hy, size_t n)
{
    steps[n].run(hy);
    versions_done(&hy->versions, crash_time(hy->io));
}

/* States are checked after each step, so that a sync later in the sequence does not hide them. */
static void run_step_checked(struct history *hy, size_t n)
{
    size_t from = crash_time(hy->io), before = hy->versions.count;

    run_step(hy, n);
    if (hy->versions.count == 1 && before > 1)
        from = crash_time(hy->io); /* what was possible during the sync was checked before it */
    hy->states += crash_enumerate(hy->io, from, 7, 24, 1, check_state, hy);
}

/* The states of the first `known` steps were checked in a sequence that began with the same ones. */
static void run_sequence(struct history *hy, size_t size, const size_t *which, size_t count,
                         size_t known)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%zu bytes", size);

    for (size_t s = 0; s < count; s++)
        n += snprintf(text + n, sizeof text - (size_t)n, ", %s", steps[which[s]].name);
    hy->steps = text;
    begin(hy, size);
    for (size_t s = 0; s < count; s++)
        (s < known ? run_step : run_step_checked)(hy, which[s]);
    end(hy);
}

/* The sizes to start with: the third is a whole block. */
static size_t start_size(const struct history *hy, size_t which)
{
    return (size_t[]){0, 100, hy->payload, 7000}[which];
}

static void file__every_pair_of_steps__loses_nothing(void **state)
{
    struct history *hy = *state;

    for (size_t z = 0; z < 4; z++)
        for (size_t a = 0; a < STEPS; a++)
            for (size_t b = 0; b < STEPS; b++)
                run_sequence(hy, start_size(hy, z), (size_t[]){a, b}, 2, b > 0);
    print_message("%zu states checked\n", hy->states);
    assert_true(hy->states > 7000);
}

/* The block that becomes the last one is not durable yet, and what is below it is a hole, which ends no file. */
static void file__cut_to_a_block_over_a_hole__is_not_too_short(void **state)
{
    struct history *hy = *state;

    run_sequence(hy, 7000, (size_t[]){APPEND_SHORT, PUNCH, OVERWRITE, CUT}, 4, 0);
    run_sequence(hy, 7000, (size_t[]){APPEND_SHORT, PUNCH, SYNC, OVERWRITE, CUT}, 5, 0);
    assert_true(hy->states > 0);
}

static void file__sampled_longer_sequences__lose_nothing(void **state)
{
    struct history *hy = *state;
    struct random_seeded random;
    size_t which[5];
    uint8_t draw[6];

    random_seeded_init(&random, crash_seed(7));
    for (size_t n = crash_sequences(60); n > 0; n--) {
        check_ok(random_fill(&random.random, draw, sizeof draw));
        for (size_t s = 0; s < 5; s++)
            which[s] = draw[s] % STEPS;
        run_sequence(hy, start_size(hy, draw[5] % 4), which, 5, 0);
    }
    print_message("%zu states checked\n", hy->states);
    assert_true(hy->states > 0);
}

/* --- the oracle must be able to fail --- */

/* How many states of a sequence the oracle finds to be wrong. */
static size_t mismatches(struct history *hy, const struct layout *layout, size_t size,
                         const size_t *which, size_t count)
{
    hy->layout = layout;
    hy->is_counting = true;
    hy->mismatches = 0;
    run_sequence(hy, size, which, count, 0);
    return hy->mismatches;
}

static void oracle__blocks_that_straddle_pages__are_seen_to_be_lost(void **state)
{
    static const size_t pairs[][2] = {
        {OVERWRITE, SYNC},         {APPEND_LONG, SYNC},         {OVERWRITE, APPEND_LONG},
        {APPEND_LONG, OVERWRITE},  {OVERWRITE, OVERWRITE},      {APPEND_LONG, APPEND_LONG},
        {APPEND_SHORT, OVERWRITE}, {APPEND_SHORT, APPEND_LONG}, {WRITE_BEHIND, OVERWRITE},
        {EXTEND, OVERWRITE},
    };
    struct history *hy = *state;
    size_t lost = 0;

    for (size_t n = 0; n < sizeof pairs / sizeof *pairs; n++) {
        size_t found = mismatches(hy, &other, 7000, pairs[n], 2);
        if (found == 0)
            fail_msg("%s, %s: no loss found", steps[pairs[n][0]].name, steps[pairs[n][1]].name);
        lost += found;
        assert_int_equal(mismatches(hy, &ours, 7000, pairs[n], 2), 0);
    }
    print_message("%zu losses found in %zu states of both layouts\n", lost, hy->states);
}

static int set_up_with(uint32_t payload, void **state)
{
    memset(&history, 0, sizeof history);
    history.payload = payload;
    history.layout = &ours;
    check_ok(fixture_keys_new(payload, &history.keys));
    *state = &history;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(3584, state);
}

static int set_up_dense(void **state)
{
    return set_up_with(4032, state);
}

static int tear_down(void **state)
{
    struct history *hy = *state;

    fixture_keys_free(hy->keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file__every_pair_of_steps__loses_nothing, set_up,
                                        tear_down),
        {"file__every_pair_of_steps_dense__loses_nothing", file__every_pair_of_steps__loses_nothing,
         set_up_dense, tear_down, NULL},
        cmocka_unit_test_setup_teardown(file__cut_to_a_block_over_a_hole__is_not_too_short, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(file__sampled_longer_sequences__lose_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(oracle__blocks_that_straddle_pages__are_seen_to_be_lost,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
