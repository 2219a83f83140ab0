/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever bit of whichever page of a file of 1 MiB is flipped, that block fails, nothing of it is given out, and a
 * survey names exactly it. All pages are hit, in each field; which bit of the field is drawn for each page. (All bits of a small file:
 * volume_test.c; of a page: block_test.c.)
 */
#include "tamper_bench.h"

enum {
    BYTES = 1 << 20,
    BLOCKS = (BYTES + TAMPER_PAYLOAD - 1) / TAMPER_PAYLOAD,
    UNTOUCHED = 0xee,
    SEED = 20260707,
};

/* Of a page, and how many times all pages are hit there. */
struct field {
    const char *name;
    size_t at, len;
    unsigned rounds;
};

static const struct field block_fields[] = {
    {"payload", 0, TAMPER_PAYLOAD, 8},
    {"tag", TAMPER_PAYLOAD, 16, 2},
    {"nonce", TAMPER_PAYLOAD + 16, 24, 2},
    {"generation", TAMPER_PAYLOAD + 40, 4, 2},
    {"length", TAMPER_PAYLOAD + 44, 2, 2},
    {"flags", TAMPER_PAYLOAD + 46, 2, 2},
    {"reserved", TAMPER_PAYLOAD + 48, TAMPER_PAGE - TAMPER_PAYLOAD - 48, 2},
};

static const struct field header_fields[] = {
    {"magic", 0, 8, 8},    {"version", 8, 2, 8},   {"suite", 10, 2, 8}, {"payload", 12, 4, 8},
    {"volume", 16, 16, 8}, {"file id", 32, 16, 8}, {"mac", 48, 32, 16}, {"reserved", 80, 4016, 32},
};

static uint8_t plain[BYTES];
static struct random_seeded draw;

static size_t drawn_bit(const struct field *f)
{
    uint32_t n;

    check_ok(random_fill(&draw.random, &n, sizeof n));
    return 8 * f->at + n % (8 * f->len);
}

static struct io_file *raw_sample(struct tamper *t)
{
    return help_open(t->io, t->f->tree, tamper_cipher(t->f, NAME_ENTRY, "sample"));
}

/* bit counts from the page's beginning */
static void flip(struct tamper *t, struct io_file *raw, uint64_t page, size_t bit)
{
    uint64_t at = page * TAMPER_PAGE + bit / 8;
    uint8_t byte;
    size_t len;

    check_ok(t->io->ops->pread(t->io, raw, &byte, 1, at, &len));
    byte ^= (uint8_t)(1u << bit % 8);
    check_ok(t->io->ops->pwrite(t->io, raw, &byte, 1, at));
}

static void expect_untouched(const uint8_t *out, size_t len, const char *field, uint64_t block)
{
    for (size_t n = 0; n < len; n++)
        if (out[n] != UNTOUCHED && out[n] != 0)
            fail_msg("byte %zu of block %llu was given out, with a wrong %s", n,
                     (unsigned long long)block, field);
}

static void expect_all_fail(struct tamper *t, const char *field)
{
    static uint8_t out[TAMPER_PAYLOAD];
    struct inode *i;
    struct handle *h;
    size_t len;

    check_ok(fixture_file(t->f, "sample", false, &i, &h));
    for (uint64_t block = 0; block < BLOCKS; block++) {
        memset(out, UNTOUCHED, sizeof out);
        ks_rc rc = volume_read(t->f->v, i, out, sizeof out, block * TAMPER_PAYLOAD, &len);
        if (rc.cls != KS_CLASS_CORRUPT)
            fail_msg("block %llu is read with a wrong %s", (unsigned long long)block, field);
        expect_untouched(out, sizeof out, field, block);
    }
    fixture_file_close(t->f, i, h);
}

static void expect_right(struct tamper *t)
{
    static uint8_t got[BYTES];
    struct inode *i;
    struct handle *h;
    size_t len;

    check_ok(fixture_file(t->f, "sample", false, &i, &h));
    check_ok(volume_read(t->f->v, i, got, BYTES, 0, &len));
    fixture_file_close(t->f, i, h);
    assert_int_equal(len, BYTES);
    assert_memory_equal(got, plain, BYTES);
    tamper_expect(t, 0, 0, 0);
}

static void hit_all_blocks(struct tamper *t, struct io_file *raw, const struct field *f)
{
    static size_t bits[BLOCKS];

    for (uint64_t n = 0; n < BLOCKS; n++)
        flip(t, raw, n + 1, bits[n] = drawn_bit(f));
    expect_all_fail(t, f->name);
    tamper_expect(t, 1, BLOCKS, 0);
    assert_int_equal(t->told, BLOCKS);
    assert_string_equal(t->path, "/sample");
    for (uint64_t n = 0; n < BLOCKS; n++)
        flip(t, raw, n + 1, bits[n]);
    check_ok(t->io->ops->sync(t->io, raw, false)); /* what is in memory for a crash is let go */
}

static void bit_of_each_page_flipped__that_block_fails_and_is_named(void **state)
{
    struct tamper *t = *state;
    struct io_file *raw = raw_sample(t);

    for (size_t f = 0; f < sizeof block_fields / sizeof block_fields[0]; f++)
        for (unsigned n = 0; n < block_fields[f].rounds; n++)
            hit_all_blocks(t, raw, &block_fields[f]);
    t->io->ops->close(t->io, raw);
    expect_right(t);
}

/* One at a time, so that the numbers of the blocks are seen to be right. */
static void bit_of_one_page_flipped__only_that_block_is_named(void **state)
{
    struct tamper *t = *state;
    struct io_file *raw = raw_sample(t);

    for (uint64_t block = 0; block < BLOCKS; block += 17) {
        size_t bit = drawn_bit(&block_fields[0]);
        flip(t, raw, block + 1, bit);
        tamper_expect(t, 1, 1, 0);
        tamper_expect_told(t, "/sample", block, "authentication");
        flip(t, raw, block + 1, bit);
    }
    t->io->ops->close(t->io, raw);
    expect_right(t);
}

static void expect_file_fails(struct tamper *t, const char *field)
{
    uint8_t byte = UNTOUCHED;
    struct inode *i;
    struct stat st;
    size_t len;

    check_ok(volume_lookup(t->f->v, volume_root(t->f->v), "sample", &i, &st));
    ks_rc rc = volume_read(t->f->v, i, &byte, 1, 0, &len);
    volume_forget(t->f->v, i, 1);
    if (rc.cls != KS_CLASS_CORRUPT || byte != UNTOUCHED)
        fail_msg("the file is read with a wrong %s in its header", field);
}

static void bit_of_the_header_flipped__the_file_fails_and_is_named(void **state)
{
    struct tamper *t = *state;
    struct io_file *raw = raw_sample(t);

    for (size_t f = 0; f < sizeof header_fields / sizeof header_fields[0]; f++) {
        for (unsigned n = 0; n < header_fields[f].rounds; n++) {
            size_t bit = drawn_bit(&header_fields[f]);
            flip(t, raw, 0, bit);
            tamper_restart(t);
            expect_file_fails(t, header_fields[f].name);
            tamper_expect(t, 1, 0, 0);
            tamper_expect_told(t, "/sample", UINT64_MAX, "");
            flip(t, raw, 0, bit);
        }
    }
    t->io->ops->close(t->io, raw);
    tamper_restart(t);
    expect_right(t);
}

static int setup(void **state)
{
    assert_int_equal(tamper_setup(state), 0);
    struct tamper *t = *state;
    random_seeded_init(&draw, SEED);
    check_ok(random_fill(random_system(), plain, BYTES));
    tamper_write(t->f, "sample", true, plain, BYTES, 0);
    return 0;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, tamper_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(bit_of_each_page_flipped__that_block_fails_and_is_named),
        T(bit_of_one_page_flipped__only_that_block_is_named),
        T(bit_of_the_header_flipped__the_file_fails_and_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
