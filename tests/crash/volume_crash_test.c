/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no durable byte of a file is ever lost to a power failure. For every short sequence of operations on
 * a file that was synced before, at every time and for every subset of pending pages: the file opens, all of
 * it can be read, and each byte that was durable is its old or one of its newer versions.
 *
 * The oracle keeps the contents after each step. A state after k steps may show, byte by byte, any version
 * from the durable one to the one after step k (the step under way included). A byte that one of these versions
 * does not have may also be zero: what a longer, newer file has not got yet reads as a hole. After a completed
 * sync only one version is left.
 *
 * The oracle itself is tested on a layout that is known to lose data: blocks that straddle two pages.
 */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/mem.h"
#include "enumerate.h"
#include "volume_fixture.h"

enum { FILE_MAX = 24000, VERSIONS_MAX = 8 };

struct version {
    uint8_t bytes[FILE_MAX];
    size_t size;
    size_t time; /* crash_time when the step that made it was complete */
};

struct history {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    struct version versions[VERSIONS_MAX];
    size_t count;   /* versions since the last sync, the durable one first */
    uint8_t filler; /* each write has bytes of its own */
    size_t states;
    const char *steps; /* for messages */
};

static struct history history;

/* --- steps --- */

static struct version *next_version(struct history *hy)
{
    assert_true(hy->count < VERSIONS_MAX);
    hy->versions[hy->count] = hy->versions[hy->count - 1];
    return &hy->versions[hy->count++];
}

static void step_write(struct history *hy, size_t at, size_t len)
{
    struct version *v = next_version(hy);

    hy->filler++;
    memset(v->bytes + at, hy->filler, len);
    if (at + len > v->size)
        v->size = at + len;
    check_ok(volume_write(hy->f->v, hy->h, v->bytes + at, len, at));
}

static void step_resize(struct history *hy, size_t size)
{
    struct version *v = next_version(hy);

    if (size < v->size)
        memset(v->bytes + size, 0, v->size - size);
    v->size = size;
    check_ok(volume_truncate(hy->f->v, hy->i, size));
}

static void step_zero(struct history *hy, int mode, size_t at, size_t len)
{
    struct version *v = next_version(hy);
    size_t end = at + len < v->size ? at + len : v->size;

    if (at < end)
        memset(v->bytes + at, 0, end - at);
    check_ok(volume_fallocate(hy->f->v, hy->h, mode | FALLOC_FL_KEEP_SIZE, at, len));
}

static void step_append_short(struct history *hy)
{
    step_write(hy, hy->versions[hy->count - 1].size, 200);
}

static void step_append_long(struct history *hy)
{
    step_write(hy, hy->versions[hy->count - 1].size, 5000);
}

static void step_overwrite(struct history *hy)
{
    step_write(hy, 1000, 4096);
}

static void step_write_behind(struct history *hy)
{
    step_write(hy, hy->versions[hy->count - 1].size + 6000, 10);
}

static void step_extend(struct history *hy)
{
    step_resize(hy, hy->versions[hy->count - 1].size + 4500);
}

static void step_cut(struct history *hy)
{
    size_t size = hy->versions[hy->count - 1].size;

    step_resize(hy, size > 3000 ? size - 3000 : size / 2);
}

static void step_cut_to_block(struct history *hy)
{
    step_resize(hy, hy->versions[hy->count - 1].size > 3584 ? 3584 : 0);
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
    struct version *v = next_version(hy);

    if (v->size < 9000)
        v->size = 9000;
    check_ok(volume_fallocate(hy->f->v, hy->h, 0, 0, 9000));
}

static void step_sync(struct history *hy)
{
    check_ok(volume_fsync(hy->f->v, hy->h, true));
    hy->versions[0] = hy->versions[hy->count - 1];
    hy->count = 1;
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
};

enum { STEPS = sizeof steps / sizeof *steps };

/* --- the oracle --- */

/* The last version that may have begun to show at a time: one step is under way. */
static size_t newest_possible(const struct history *hy, size_t time)
{
    size_t n = 0;

    while (n + 1 < hy->count && hy->versions[n].time <= time)
        n++;
    return n;
}

static bool byte_is_legal(const struct history *hy, size_t newest, size_t at, const uint8_t *got,
                          size_t got_size)
{
    bool is_there = at < got_size;

    for (size_t n = 0; n <= newest; n++) {
        const struct version *v = &hy->versions[n];
        bool is_in_version = at < v->size;
        if (is_there && (is_in_version ? v->bytes[at] == got[at] : got[at] == 0))
            return true;
        if (!is_there && !is_in_version)
            return true;
    }
    return false;
}

static ks_rc compare(const struct history *hy, const struct crash_state *state, const uint8_t *got,
                     size_t size)
{
    size_t newest = newest_possible(hy, state->time);

    for (size_t at = 0; at < FILE_MAX; at++)
        ENSURE(byte_is_legal(hy, newest, at, got, size), KS_E_CORRUPT,
               "%s: byte %zu of %zu is %u, in no version up to %zu of %zu", hy->steps, at, size,
               at < size ? got[at] : 0, newest, hy->count);
    return KS_SUCCESS;
}

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    static uint8_t got[FILE_MAX + 1];
    struct history *hy = arg;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    size_t size = 0;

    TRY(fixture_open(rebuilt, "/", hy->keys, &f));
    TRY(fixture_file(f, "file", false, &i, &h));
    ks_rc rc = volume_read(f->v, h, got, sizeof got, 0, &size);
    fixture_file_close(f, i, h);
    unsigned alerts = f->alerts;
    fixture_close(f);
    TRY(ks_wrap(rc, "%s", hy->steps));
    ENSURE(alerts == 0, KS_E_CORRUPT, "%s: %u blocks reported as damaged", hy->steps, alerts);
    return compare(hy, state, got, size);
}

/* --- sequences --- */

static void begin(struct history *hy, size_t size)
{
    memset(hy->versions, 0, sizeof hy->versions);
    hy->count = 1;
    hy->filler = 0;
    check_ok(crash_new(&hy->io));
    check_ok(fixture_layout(hy->io, "/"));
    check_ok(fixture_open(hy->io, "/", hy->keys, &hy->f));
    check_ok(fixture_file(hy->f, "file", true, &hy->i, &hy->h));
    if (size > 0)
        step_write(hy, 0, size);
    step_sync(hy);
    hy->versions[0].time = crash_time(hy->io);
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
    size_t from = crash_time(hy->io), before = hy->count;

    steps[n].run(hy);
    hy->versions[hy->count - 1].time = crash_time(hy->io);
    if (hy->count == 1 && before > 1)
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

static const size_t sizes[] = {0, 100, 3584, 7000};

static void file__every_pair_of_steps__loses_nothing(void **state)
{
    struct history *hy = *state;

    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
        for (size_t a = 0; a < STEPS; a++)
            for (size_t b = 0; b < STEPS; b++)
                run_sequence(hy, sizes[z], (size_t[]){a, b}, 2);
    print_message("%zu states checked\n", hy->states);
    assert_true(hy->states > 8000);
}

static void file__sampled_longer_sequences__lose_nothing(void **state)
{
    struct history *hy = *state;
    struct random_seeded random;
    size_t which[5];
    uint8_t draw[6];

    random_seeded_init(&random, 7);
    for (int n = 0; n < 60; n++) {
        check_ok(random_fill(&random.random, draw, sizeof draw));
        for (size_t s = 0; s < 5; s++)
            which[s] = draw[s] % STEPS;
        run_sequence(hy, sizes[draw[5] % 4], which, 5);
    }
    print_message("%zu states checked\n", hy->states);
    assert_true(hy->states > 8000);
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

static int set_up(void **state)
{
    memset(&history, 0, sizeof history);
    check_ok(fixture_keys_new(3584, &history.keys));
    *state = &history;
    return 0;
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
        cmocka_unit_test_setup_teardown(file__sampled_longer_sequences__lose_nothing, set_up,
                                        tear_down),
        cmocka_unit_test(oracle__blocks_that_straddle_pages__are_seen_to_be_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
