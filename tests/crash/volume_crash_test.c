/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no durable byte of a file is ever lost to a power failure. For every short sequence of operations on
 * a file that was synced before, at every time and for every subset of pending pages: the file opens, all of
 * it can be read, and each byte that was durable is its old or one of its newer versions.
 *
 * The oracle keeps the contents after each step and knows which mixtures of them are legal: versions.h. Names
 * are the subject of names_crash_test.c.
 *
 * The oracle itself is tested on a layout that is known to lose data: blocks that straddle two pages.
 */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/mem.h"
#include "enumerate.h"
#include "versions.h"
#include "volume/volume_int.h"
#include "volume_fixture.h"

struct history {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    struct versions versions;
    uint32_t payload;
    uint8_t filler; /* each write has bytes of its own */
    size_t states;
    const char *steps; /* for messages */
};

static struct history history;

/* --- steps --- */

static size_t size_now(struct history *hy)
{
    return versions_newest(&hy->versions)->size;
}

static void step_write(struct history *hy, size_t at, size_t len)
{
    const struct version *v = versions_write(&hy->versions, at, len, ++hy->filler);

    check_ok(volume_write(hy->f->v, handle_inode(hy->h), v->bytes + at, len, at));
}

static void step_resize(struct history *hy, size_t size)
{
    versions_resize(&hy->versions, size);
    check_ok(volume_truncate(hy->f->v, hy->i, size));
}

static void step_zero(struct history *hy, int mode, size_t at, size_t len)
{
    versions_zero(&hy->versions, at, len);
    check_ok(volume_fallocate(hy->f->v, handle_inode(hy->h), mode | FALLOC_FL_KEEP_SIZE, at, len));
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

static void step_punch(struct history *hy)
{
    step_zero(hy, FALLOC_FL_PUNCH_HOLE, 500, 8000);
}

static void step_allocate(struct history *hy)
{
    versions_resize(&hy->versions, size_now(hy) < 9000 ? 9000 : size_now(hy));
    check_ok(volume_fallocate(hy->f->v, handle_inode(hy->h), 0, 0, 9000));
}

static void step_sync(struct history *hy)
{
    check_ok(volume_fsync(hy->f->v, handle_inode(hy->h), true));
    versions_synced(&hy->versions);
}

/* A write whose sync is foreseen, flushed before the sync comes. */
static void step_flush_ahead(struct history *hy)
{
    struct flush_ahead ahead;

    hy->i->flush.foresight = (struct foresight){.usual = 1, .streak = FORESIGHT_STREAK_MIN};
    step_write(hy, size_now(hy), 300);
    assert_true(volume_foresee_sync(hy->f->v, handle_inode(hy->h), &ahead));
    volume_flush_ahead(&ahead);
}

/* And one more write before the sync, which must not take the flush for enough. */
static void step_write_late(struct history *hy)
{
    step_flush_ahead(hy);
    versions_done(&hy->versions, crash_time(hy->io));
    step_overwrite(hy);
}

static const struct {
    const char *name;
    void (*run)(struct history *);
} steps[] = {
    {"append 200", step_append_short},
    {"append 5000", step_append_long},
    {"overwrite 4096", step_overwrite},
    {"write behind", step_write_behind},
    {"extend", step_extend},
    {"cut", step_cut},
    {"cut to block", step_cut_to_block},
    {"empty", step_empty},
    {"punch", step_punch},
    {"allocate", step_allocate},
    {"sync", step_sync},
    {"flush ahead", step_flush_ahead},
    {"write late", step_write_late},
};

enum { STEPS = sizeof steps / sizeof *steps };

/* --- the oracle --- */

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    static uint8_t got[VERSION_BYTES_MAX + 1];
    struct history *hy = arg;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    size_t size = 0;

    TRY(fixture_open(rebuilt, "/", hy->keys, &f));
    TRY(fixture_file(f, "file", false, &i, &h));
    ks_rc rc = volume_read(f->v, handle_inode(h), got, sizeof got, 0, &size);
    fixture_file_close(f, i, h);
    unsigned alerts = f->alerts;
    fixture_close(f);
    TRY(ks_wrap(rc, "%s", hy->steps));
    ENSURE(alerts == 0, KS_E_CORRUPT, "%s: %u blocks reported as damaged", hy->steps, alerts);
    return ks_wrap(versions_check(&hy->versions, state->time, view_of(got, size)), "%s", hy->steps);
}

/* --- sequences --- */

static void begin(struct history *hy, size_t size)
{
    versions_begin(&hy->versions);
    hy->filler = 0;
    check_ok(crash_new(&hy->io));
    check_ok(fixture_layout(hy->io, "/"));
    check_ok(fixture_open(hy->io, "/", hy->keys, &hy->f));
    check_ok(fixture_file(hy->f, "file", true, &hy->i, &hy->h));
    if (size > 0)
        step_write(hy, 0, size);
    step_sync(hy);
    versions_done(&hy->versions, crash_time(hy->io));
}

static void end(struct history *hy)
{
    fixture_file_close(hy->f, hy->i, hy->h);
    fixture_close(hy->f);
    crash_free(hy->io);
}

/* States are checked after each step, so that a sync later in the sequence does not hide them. */
static void run_step(struct history *hy, size_t n)
{
    size_t from = crash_time(hy->io), before = hy->versions.count;

    steps[n].run(hy);
    versions_done(&hy->versions, crash_time(hy->io));
    if (hy->versions.count == 1 && before > 1)
        from = crash_time(hy->io); /* what was possible during the sync was checked before it */
    hy->states += crash_enumerate(hy->io, from, 7, 24, 1, check_state, hy);
}

static void run_sequence(struct history *hy, size_t size, const size_t *which, size_t count)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%zu bytes", size);

    for (size_t s = 0; s < count; s++)
        n += snprintf(text + n, sizeof text - (size_t)n, ", %s", steps[which[s]].name);
    hy->steps = text;
    begin(hy, size);
    for (size_t s = 0; s < count; s++)
        run_step(hy, which[s]);
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
                run_sequence(hy, start_size(hy, z), (size_t[]){a, b}, 2);
    print_message("%zu states checked\n", hy->states);
    assert_true(hy->states > 7000);
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
        run_sequence(hy, start_size(hy, draw[5] % 4), which, 5);
    }
    print_message("%zu states checked\n", hy->states);
    assert_true(hy->states > 0);
}

/* --- the oracle must be able to fail --- */

/* A layout as other file encryptors have it: blocks of 4096 + 32 bytes, one behind the other, each of which a
 * change rewrites as a whole; here the "cipher text" is the block's byte repeated, so half a block shows. */
static ks_rc straddling_check(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    static uint8_t got[3 * 4128];
    size_t *lost = arg, len;
    struct io_node *root, *node;
    struct io_file *file;
    struct stat st;

    (void)state;
    TRY(rebuilt->ops->open_root(rebuilt, "/", &root));
    TRY(rebuilt->ops->lookup(rebuilt, root, "file", &node, &st));
    TRY(rebuilt->ops->open(rebuilt, node, true, &file));
    TRY(rebuilt->ops->pread(rebuilt, file, got, sizeof got, 0, &len));
    for (size_t b = 0; b < 3; b++)
        *lost += memcmp(got + b * 4128, got + b * 4128 + 1, 4127) != 0;
    rebuilt->ops->close(rebuilt, file);
    rebuilt->ops->node_close(rebuilt, node);
    rebuilt->ops->node_close(rebuilt, root);
    return KS_SUCCESS;
}

static void oracle__blocks_that_straddle_pages__are_seen_to_be_lost(void **state)
{
    static uint8_t block[3 * 4128];
    struct io_node *root, *node;
    struct io_file *file;
    struct io *io;
    size_t lost = 0;

    (void)state;
    check_ok(crash_new(&io));
    check_ok(io->ops->open_root(io, "/", &root));
    check_ok(io->ops->create(io, root, "file", 0600, &node, &file));
    memset(block, 1, sizeof block);
    check_ok(io->ops->pwrite(io, file, block, sizeof block, 0));
    check_ok(io->ops->sync(io, file, false));
    size_t from = crash_time(io);
    memset(block, 2, 4128);
    check_ok(io->ops->pwrite(io, file, block, 4128, 4128)); /* the second block anew */
    assert_true(crash_enumerate(io, from, 7, 0, 1, straddling_check, &lost) > 0);
    assert_true(lost > 0);
    io->ops->close(io, file);
    io->ops->node_close(io, node);
    io->ops->node_close(io, root);
    crash_free(io);
}

static int set_up_with(uint32_t payload, void **state)
{
    memset(&history, 0, sizeof history);
    history.payload = payload;
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
        cmocka_unit_test_setup_teardown(file__sampled_longer_sequences__lose_nothing, set_up,
                                        tear_down),
        cmocka_unit_test(oracle__blocks_that_straddle_pages__are_seen_to_be_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
