/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an older data key is destroyed exactly when a whole sweep left nothing that could need it; whatever stops
 * or disturbs the sweep keeps it, with the reason, and the next sweep goes on.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/crash.h"
#include "kms/drv_fake.h"
#include "volume/block.h"
#include "volume/reencrypt.h"
#include "volume/volume_int.h"

enum { FILE_BYTES = 600000, BLOCKS = (FILE_BYTES + 3583) / 3584 };

struct bench {
    struct io *io;
    struct clock_manual clock;
    struct backing *b;
    struct volume *v;
    uint8_t bytes[FILE_BYTES];

    enum reencrypt_phase stop_at; /* with is_stopping */
    bool is_stopping, is_rotating;
    struct reencrypt_progress last;
    unsigned told;
    unsigned stay; /* of who enters while blocks are rewritten: so often it is told of the rest */
    struct era *inside;
    unsigned changes,
        refused_from; /* changes begun; the one from which they are refused, 0: none */
};

static int add_drivers(void **state)
{
    (void)state;
    return ks_ok(kms_driver_add(&kms_driver_fake)) ? 0 : -1;
}

static void make_volume(struct bench *b)
{
    static const struct key_spec spec = {"FAKE", "k1", ""};
    const struct backing_conf conf = {
        .io = b->io, .clock = &b->clock.clock, .random = random_system(), .path = "/vol"};
    const struct backing_create create = {.label = "orders",
                                          .block_payload = 3584,
                                          .settings = {60000, 15000, 3600000, 0},
                                          .specs = &spec,
                                          .spec_count = 1};
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    check_ok(backing_create(&conf, &create));
    check_ok(backing_open(&conf, true, &b->b));
    check_ok(backing_unlock(b->b, &keys));
    check_ok(backing_keyring(b->b, &k));
    struct volume_conf volume = {.io = b->io,
                                 .clock = &b->clock.clock,
                                 .random = random_system(),
                                 .tree = backing_tree(b->b),
                                 .long_names = backing_long(b->b),
                                 .block_payload = 3584};
    memcpy(volume.volume_id, k->volume_id, sizeof volume.volume_id);
    check_ok(volume_new(&volume, &b->v));
    check_ok(volume_set_keys(b->v, &keys));
    volume_set_door(b->v, VOLUME_OPEN);
}

static int begin(void **state)
{
    struct bench *b;

    fake_reset();
    check_ok(secret_init());
    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(crash_new(&b->io));
    clock_manual_init(&b->clock, 1000, 1900000000);
    check_ok(random_fill(random_system(), b->bytes, FILE_BYTES));
    make_volume(b);
    *state = b;
    return 0;
}

static int end(void **state)
{
    struct bench *b = *state;

    volume_free(b->v);
    backing_close(b->b);
    crash_free(b->io);
    mem_free(b);
    return 0;
}

static void write_file(struct bench *b, const char *name)
{
    const struct caller who = {getuid(), getgid()};
    struct inode *i;
    struct handle *h;
    struct stat st;

    check_ok(volume_create(b->v, volume_root(b->v), name, 0600, &who, &i, &st, &h));
    check_ok(volume_write(b->v, handle_inode(h), b->bytes, FILE_BYTES, 0));
    volume_close(b->v, h);
    volume_forget(b->v, i, 1);
}

static void check_contents(struct bench *b, const char *name)
{
    static uint8_t got[FILE_BYTES + 1];
    struct inode *i;
    struct handle *h;
    struct stat st;
    size_t len;

    check_ok(volume_lookup(b->v, volume_root(b->v), name, &i, &st));
    check_ok(volume_open(b->v, i, false, &h));
    check_ok(volume_read(b->v, handle_inode(h), got, sizeof got, 0, &len));
    check_bytes(view_of(got, len), view_of(b->bytes, FILE_BYTES));
    volume_close(b->v, h);
    volume_forget(b->v, i, 1);
}

static void rotate(struct bench *b)
{
    CLEANUP(keyset_freep) struct keyset *newer = NULL;

    check_ok(backing_rotate_data(b->b, volume_keys(b->v), &newer));
    check_ok(volume_set_keys(b->v, &newer));
}

static enum keyring_data_key_state state_of(struct bench *b, uint32_t generation)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    check_ok(backing_keyring(b->b, &k));
    return keyring_find_data_key(k, generation)->state;
}

/* An operation that began in the middle of the sweep and does not end for a while. */
static void linger(struct bench *b, const struct reencrypt_progress *p)
{
    if (p->phase == REENCRYPT_REWRITING && !b->inside)
        check_ok(volume_enter(b->v, NEED_OPEN, &b->inside));
    if (p->phase != REENCRYPT_CHECKING || b->stay == 0)
        return;
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
    assert_int_equal(keyset_data_key(volume_keys(b->v), 1).len, 32);
    if (--b->stay == 0)
        volume_leave(b->v, b->inside);
}

static bool on_progress(void *arg, const struct reencrypt_progress *p)
{
    struct bench *b = arg;

    b->told++;
    b->last = *p;
    if (b->stay > 0)
        linger(b, p);
    if (p->phase == REENCRYPT_REWRITING && b->is_rotating) {
        b->is_rotating = false;
        rotate(b);
    }
    return !b->is_stopping || p->phase != b->stop_at;
}

static ks_rc change_begin(void *arg)
{
    struct bench *b = arg;

    b->changes++;
    ENSURE(b->refused_from == 0 || b->changes < b->refused_from, KS_E_STATE, "in grace just now");
    return KS_SUCCESS;
}

static void change_end(void *arg)
{
    (void)arg;
}

static ks_rc run(struct bench *b, struct reencrypt_result *ret)
{
    const struct reencrypt_conf conf = {.backing = b->b,
                                        .volume = b->v,
                                        .io = b->io,
                                        .clock = &b->clock.clock,
                                        .bytes_per_s = 1 << 20,
                                        .progress = on_progress,
                                        .change_begin = change_begin,
                                        .change_end = change_end,
                                        .arg = b};

    return reencrypt_run(&conf, ret);
}

/* The only file in the backing tree. */
static struct io_file *open_raw(struct bench *b)
{
    struct io_dirent e;
    struct io_node *node;
    struct io_file *raw;
    struct io_dir *d;
    struct stat st;

    check_ok(b->io->ops->dir_open(b->io, backing_tree(b->b), &d));
    do
        check_ok(b->io->ops->dir_next(b->io, d, &e));
    while (e.name[0] == '.');
    b->io->ops->dir_close(b->io, d);
    check_ok(b->io->ops->lookup(b->io, backing_tree(b->b), e.name, &node, &st));
    check_ok(b->io->ops->open(b->io, node, false, &raw));
    b->io->ops->node_close(b->io, node);
    return raw;
}

static void put(struct bench *b, const void *bytes, size_t len, uint64_t at)
{
    struct io_file *raw = open_raw(b);

    check_ok(b->io->ops->pwrite(b->io, raw, bytes, len, at));
    b->io->ops->close(b->io, raw);
}

/* Makes its first page zeros; ret: as it was. */
static void lose_header(struct bench *b, uint8_t ret[BLOCK_BYTES])
{
    static const uint8_t zeros[BLOCK_BYTES];
    struct io_file *raw = open_raw(b);
    size_t len;

    check_ok(b->io->ops->pread(b->io, raw, ret, BLOCK_BYTES, 0, &len));
    check_ok(b->io->ops->pwrite(b->io, raw, zeros, BLOCK_BYTES, 0));
    b->io->ops->close(b->io, raw);
}

static void damage(struct bench *b, uint64_t at)
{
    put(b, "damage", 6, at);
}

/* What the block says in clear of the key that sealed it. */
static void put_generation(struct bench *b, uint64_t block, uint8_t generation)
{
    put(b, (uint8_t[]){generation, 0, 0, 0}, 4,
        (block + 1) * BLOCK_BYTES + 3584 + XAES_TAG_BYTES + XAES_NONCE_BYTES);
}

static void reencrypt__all_is_sound__destroys_every_older_key(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "first");
    rotate(b);
    write_file(b, "second");
    rotate(b);
    write_file(b, "third");
    check_ok(run(b, &r));
    assert_int_equal(r.swept.blocks_rewritten, 2 * BLOCKS);
    assert_int_equal(b->last.bytes_total, 2 * (uint64_t)BLOCKS * BLOCK_BYTES);
    assert_int_equal(b->last.bytes_rewritten, b->last.bytes_total);
    assert_int_equal(b->last.eta_s, 0);
    assert_in_range(b->last.rate, 1, 2 << 20);
    assert_int_equal(r.count, 2);
    for (uint32_t n = 0; n < 2; n++) {
        assert_int_equal(r.generations[n].generation, n + 1);
        assert_int_equal(r.generations[n].fate, FATE_DESTROYED);
        assert_int_equal(state_of(b, n + 1), DATA_KEY_DESTROYED);
        assert_int_equal(keyset_data_key(volume_keys(b->v), n + 1).len, 0);
    }
    assert_int_equal(state_of(b, 3), DATA_KEY_NEWEST);
    check_contents(b, "first");
    check_contents(b, "second");
    check_contents(b, "third");
}

static void reencrypt__no_older_key__does_nothing(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "ledger");
    check_ok(run(b, &r));
    assert_int_equal(r.count, 0);
    assert_int_equal(b->told, 0);
    assert_int_equal(r.swept.blocks_seen, 0);
}

static void reencrypt__stopped_in_any_phase__destroys_nothing_and_goes_on(void **state)
{
    static const enum reencrypt_phase phases[] = {REENCRYPT_COUNTING, REENCRYPT_REWRITING,
                                                  REENCRYPT_CHECKING};
    struct bench *b = *state;
    uint64_t rewritten = 0;

    write_file(b, "ledger");
    rotate(b);
    b->is_stopping = true;
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(reencrypt_done) struct reencrypt_result r = {0};
        b->stop_at = phases[i];
        check_rc(run(b, &r), BUSY);
        assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
        assert_int_equal(r.count, 1);
        assert_int_equal(r.generations[0].fate, FATE_UNKNOWN);
        rewritten += r.swept.blocks_rewritten;
    }
    assert_int_equal(rewritten, BLOCKS);
    b->is_stopping = false;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};
    check_ok(run(b, &r));
    assert_int_equal(r.swept.blocks_rewritten, 0);
    assert_int_equal(r.generations[0].fate, FATE_DESTROYED);
    check_contents(b, "ledger");
}

static void reencrypt__damaged_block__keeps_its_key(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "ledger");
    damage(b, 10 * BLOCK_BYTES + 5);
    rotate(b);
    check_ok(run(b, &r));
    assert_int_equal(r.swept.blocks_damaged, 1);
    assert_int_equal(r.generations[0].blocks, 1);
    assert_int_equal(r.generations[0].fate, FATE_HAS_BLOCKS);
    assert_non_null(strstr(reencrypt_because(&r, &r.generations[0]), "volume verify"));
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
}

/* The block says nothing of its generation any more, so any key may be the one it needs. */
static void reencrypt__block_without_a_generation__keeps_every_key(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "ledger");
    rotate(b);
    rotate(b);
    damage(b, 11 * BLOCK_BYTES - 6);
    check_ok(run(b, &r));
    assert_int_equal(r.blocks_damaged, 1);
    assert_int_equal(r.count, 2);
    for (size_t n = 0; n < 2; n++) {
        assert_int_equal(r.generations[n].blocks, 0);
        assert_int_equal(r.generations[n].fate, FATE_DAMAGE);
    }
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
    assert_int_equal(state_of(b, 2), DATA_KEY_OLDER);
}

/* Who mends the number has the block again, as long as its key is there. */
static void check_number(struct bench *b, uint8_t number)
{
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};
    CLEANUP(reencrypt_done) struct reencrypt_result again = {0};

    write_file(b, "ledger");
    rotate(b);
    put_generation(b, 10, number);
    check_ok(run(b, &r));
    assert_int_equal(r.swept.blocks_damaged, 1);
    assert_int_equal(r.swept.blocks_rewritten, BLOCKS - 1);
    assert_int_equal(r.generations[0].fate, FATE_DAMAGE);
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
    put_generation(b, 10, 1);
    check_ok(run(b, &again));
    assert_int_equal(again.generations[0].fate, FATE_DESTROYED);
    check_contents(b, "ledger");
}

static void reencrypt__old_block_that_names_the_newest_key__keeps_its_key(void **state)
{
    check_number(*state, 2);
}

static void reencrypt__old_block_that_names_a_key_to_come__keeps_its_key(void **state)
{
    check_number(*state, 9);
}

static void reencrypt__damaged_block_of_the_newest_key__keeps_every_key(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    rotate(b);
    write_file(b, "ledger");
    damage(b, 10 * BLOCK_BYTES + 5);
    check_ok(run(b, &r));
    assert_int_equal(r.generations[0].fate, FATE_DAMAGE);
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
}

static void reencrypt__damaged_header__keeps_every_key(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "ledger");
    rotate(b);
    damage(b, 0);
    check_ok(run(b, &r));
    assert_int_equal(r.files_damaged, 1);
    assert_int_equal(r.generations[0].fate, FATE_DAMAGE);
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
}

static void reencrypt__lost_header__keeps_the_key_until_it_is_back(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};
    CLEANUP(reencrypt_done) struct reencrypt_result again = {0};
    uint8_t header[BLOCK_BYTES];

    write_file(b, "ledger");
    lose_header(b, header);
    rotate(b);
    check_ok(run(b, &r));
    assert_int_equal(r.blocks_unfinished, BLOCKS);
    assert_int_equal(r.generations[0].blocks, BLOCKS);
    assert_int_equal(r.generations[0].fate, FATE_HAS_BLOCKS);
    assert_non_null(strstr(reencrypt_because(&r, &r.generations[0]), "never made durable"));
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
    put(b, header, sizeof header, 0);
    check_ok(run(b, &again));
    assert_int_equal(again.generations[0].fate, FATE_DESTROYED);
    check_contents(b, "ledger");
}

/* As a crash before the first sync leaves it: who writes to the file gives it a new header, and what was there is gone. */
static void reencrypt__never_durable_file_is_written_to__destroys_the_key(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};
    uint8_t header[BLOCK_BYTES];
    struct inode *i;
    struct stat st;

    write_file(b, "ledger");
    lose_header(b, header);
    rotate(b);
    check_ok(volume_lookup(b->v, volume_root(b->v), "ledger", &i, &st));
    assert_int_equal(st.st_size, 0);
    check_ok(volume_write(b->v, i, b->bytes, 1, 0));
    volume_forget(b->v, i, 1);
    check_ok(run(b, &r));
    assert_int_equal(r.blocks_unfinished, 0);
    assert_int_equal(r.generations[0].fate, FATE_DESTROYED);
}

static void reencrypt__number_without_a_key_behind_a_lost_header__keeps_every_key(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};
    uint8_t header[BLOCK_BYTES];

    rotate(b);
    write_file(b, "ledger");
    put_generation(b, 10, 9);
    lose_header(b, header);
    check_ok(run(b, &r));
    assert_int_equal(r.swept.blocks_damaged, 0);
    assert_int_equal(r.blocks_damaged, 1);
    assert_int_equal(r.generations[0].fate, FATE_DAMAGE);
}

static void reencrypt__rotation_meanwhile__keeps_what_became_old(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};
    CLEANUP(reencrypt_done) struct reencrypt_result again = {0};

    write_file(b, "ledger");
    rotate(b);
    b->is_rotating = true;
    check_ok(run(b, &r));
    assert_int_equal(r.count, 1);
    assert_int_equal(r.generations[0].fate, FATE_DESTROYED);
    assert_int_equal(state_of(b, 2), DATA_KEY_OLDER);
    check_contents(b, "ledger");
    check_ok(run(b, &again));
    assert_int_equal(state_of(b, 2), DATA_KEY_DESTROYED);
    check_contents(b, "ledger");
}

static void reencrypt__change_is_refused_at_the_end__keeps_the_key(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "ledger");
    rotate(b);
    b->refused_from = 2;
    check_ok(run(b, &r));
    assert_int_equal(r.swept.blocks_rewritten, BLOCKS);
    assert_int_equal(r.generations[0].fate, FATE_REFUSED);
    assert_string_equal(reencrypt_because(&r, &r.generations[0]), "in grace just now");
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
}

static void reencrypt__change_is_refused_at_the_beginning__is_told(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "ledger");
    rotate(b);
    b->refused_from = 1;
    check_rc(run(b, &r), STATE);
    assert_int_equal(r.swept.blocks_rewritten, 0);
}

static void reencrypt__operation_that_may_hold_an_old_page__destroys_after_it(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "ledger");
    rotate(b);
    b->stay = 5;
    check_ok(run(b, &r));
    assert_int_equal(b->stay, 0);
    assert_int_equal(r.generations[0].fate, FATE_DESTROYED);
    check_contents(b, "ledger");
}

static void reencrypt__volume_locks__ends_and_keeps(void **state)
{
    struct bench *b = *state;
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};

    write_file(b, "ledger");
    rotate(b);
    volume_set_door(b->v, VOLUME_CLOSED);
    assert_true(ks_is_os(run(b, &r), EKEYREVOKED));
    assert_int_equal(state_of(b, 1), DATA_KEY_OLDER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reencrypt__all_is_sound__destroys_every_older_key),
        TEST(reencrypt__no_older_key__does_nothing),
        TEST(reencrypt__stopped_in_any_phase__destroys_nothing_and_goes_on),
        TEST(reencrypt__damaged_block__keeps_its_key),
        TEST(reencrypt__block_without_a_generation__keeps_every_key),
        TEST(reencrypt__old_block_that_names_the_newest_key__keeps_its_key),
        TEST(reencrypt__old_block_that_names_a_key_to_come__keeps_its_key),
        TEST(reencrypt__damaged_block_of_the_newest_key__keeps_every_key),
        TEST(reencrypt__damaged_header__keeps_every_key),
        TEST(reencrypt__lost_header__keeps_the_key_until_it_is_back),
        TEST(reencrypt__never_durable_file_is_written_to__destroys_the_key),
        TEST(reencrypt__number_without_a_key_behind_a_lost_header__keeps_every_key),
        TEST(reencrypt__rotation_meanwhile__keeps_what_became_old),
        TEST(reencrypt__change_is_refused_at_the_end__keeps_the_key),
        TEST(reencrypt__change_is_refused_at_the_beginning__is_told),
        TEST(reencrypt__operation_that_may_hold_an_old_page__destroys_after_it),
        TEST(reencrypt__volume_locks__ends_and_keeps),
    };

    return cmocka_run_group_tests(tests, add_drivers, NULL);
}
