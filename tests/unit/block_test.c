/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no page is accepted that was not written for exactly this place: every bit of a block and of a
 * header counts, and so does every field that a block is bound to.
 */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "volume/block.h"

static const uint8_t volume_id[BLOCK_ID_BYTES] = "volume-0123456";
static const uint8_t file_id[BLOCK_ID_BYTES] = "file-01234567";
static const uint8_t mac_key[32] = "a key for the header's mac";

struct bench {
    struct xaes_ctx *cipher;
    struct xaes_key key;
    struct block_place place;
    uint8_t plain[BLOCK_BYTES], block[BLOCK_BYTES], out[BLOCK_BYTES];
};

static void bench_seal(struct bench *b, uint16_t length)
{
    uint8_t nonce[XAES_NONCE_BYTES];

    memset(b->plain, 0, sizeof b->plain);
    memset(b->plain, 0x42, length);
    check_ok(random_fill(random_system(), nonce, sizeof nonce));
    check_ok(block_seal(b->cipher, &b->key, &b->place, 7, length, nonce, b->plain, b->block));
}

static int bench_new(void **state)
{
    struct bench *b;
    uint8_t key[32];

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(xaes_ctx_new(&b->cipher));
    check_ok(random_fill(random_system(), key, sizeof key));
    check_ok(xaes_key_init(&b->key, b->cipher, view_of(key, sizeof key)));
    b->place = (struct block_place){volume_id, file_id, 3, BLOCK_PAYLOAD_SECTORS};
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    xaes_ctx_free(b->cipher);
    mem_free(b);
    return 0;
}

static ks_rc open_block(struct bench *b, const struct block_place *place)
{
    enum page_kind kind;
    struct block_meta meta;

    TRY(block_parse(b->block, place->payload, &kind, &meta));
    ENSURE(kind == PAGE_WRITTEN, KS_E_STATE, "a hole");
    return block_open(b->cipher, &b->key, place, &meta, b->block, b->out);
}

static void block__sealed_and_opened__is_the_same(void **state)
{
    struct bench *b = *state;
    uint16_t lengths[] = {1, 511, 512, 3583, 3584};

    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        bench_seal(b, lengths[n]);
        check_ok(open_block(b, &b->place));
        assert_memory_equal(b->out, b->plain, BLOCK_PAYLOAD_SECTORS);
    }
}

static void block__dense_geometry__is_the_same(void **state)
{
    struct bench *b = *state;

    b->place.payload = BLOCK_PAYLOAD_DENSE;
    bench_seal(b, BLOCK_PAYLOAD_DENSE);
    check_ok(open_block(b, &b->place));
    assert_memory_equal(b->out, b->plain, BLOCK_PAYLOAD_DENSE);
}

static void block__each_bit_flipped__is_refused_and_nothing_released(void **state)
{
    struct bench *b = *state;
    unsigned refused = 0;

    bench_seal(b, 3000);
    for (size_t bit = 0; bit < 8 * BLOCK_BYTES; bit++) {
        b->block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(b->out, 0, sizeof b->out);
        ks_rc rc = open_block(b, &b->place);
        refused += rc.cls == KS_CLASS_CORRUPT;
        assert_true(mem_is_zero(b->out, sizeof b->out));
        b->block[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(refused, 8 * BLOCK_BYTES);
    check_ok(open_block(b, &b->place)); /* and whole again */
}

static void block__at_another_place__is_refused(void **state)
{
    struct bench *b = *state;
    uint8_t other[BLOCK_ID_BYTES] = "another";

    bench_seal(b, 3584);
    struct block_place p = b->place;
    p.index++;
    check_rc(open_block(b, &p), AUTH);
    p = b->place;
    p.file_id = other;
    check_rc(open_block(b, &p), AUTH);
    p = b->place;
    p.volume_id = other;
    check_rc(open_block(b, &p), AUTH);
}

static void block__all_zero__is_a_hole(void **state)
{
    struct bench *b = *state;
    enum page_kind kind = PAGE_WRITTEN;
    struct block_meta meta;

    memset(b->block, 0, sizeof b->block);
    check_ok(block_parse(b->block, BLOCK_PAYLOAD_SECTORS, &kind, &meta));
    assert_int_equal(kind, PAGE_ZERO);
}

static struct file_header sample_header(void)
{
    struct file_header h = {.version = 1, .suite = 1, .payload = BLOCK_PAYLOAD_SECTORS};

    memcpy(h.volume_id, volume_id, BLOCK_ID_BYTES);
    memcpy(h.file_id, file_id, BLOCK_ID_BYTES);
    return h;
}

static void header__written_and_parsed__is_the_same(void **state)
{
    struct file_header h = sample_header(), back = {0};
    uint8_t page[BLOCK_BYTES];
    enum page_kind kind;

    (void)state;
    check_ok(header_write(&h, view_of(mac_key, 32), page));
    check_ok(header_parse(page, view_of(mac_key, 32), &kind, &back));
    assert_int_equal(kind, PAGE_WRITTEN);
    assert_int_equal(back.payload, h.payload);
    assert_memory_equal(back.file_id, file_id, BLOCK_ID_BYTES);
    assert_memory_equal(back.volume_id, volume_id, BLOCK_ID_BYTES);
}

static void header__each_bit_flipped__is_refused(void **state)
{
    struct file_header h = sample_header(), back = {0};
    uint8_t page[BLOCK_BYTES];
    enum page_kind kind;

    (void)state;
    check_ok(header_write(&h, view_of(mac_key, 32), page));
    for (size_t bit = 0; bit < 8 * BLOCK_BYTES; bit++) {
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ks_rc rc = header_parse(page, view_of(mac_key, 32), &kind, &back);
        if (ks_ok(rc))
            fail_msg("bit %zu has no effect", bit);
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void header__of_a_newer_version__says_so(void **state)
{
    struct file_header h = sample_header(), back;
    uint8_t page[BLOCK_BYTES];
    enum page_kind kind;

    (void)state;
    h.version = 2;
    check_ok(header_write(&h, view_of(mac_key, 32), page));
    check_rc(header_parse(page, view_of(mac_key, 32), &kind, &back), NEWER_VERSION);
}

static void header__under_another_key__is_refused(void **state)
{
    struct file_header h = sample_header(), back;
    uint8_t page[BLOCK_BYTES], other[32] = "another key";
    enum page_kind kind;

    (void)state;
    check_ok(header_write(&h, view_of(mac_key, 32), page));
    check_rc(header_parse(page, view_of(other, 32), &kind, &back), AUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(block__sealed_and_opened__is_the_same, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(block__dense_geometry__is_the_same, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(block__each_bit_flipped__is_refused_and_nothing_released,
                                        bench_new, bench_free),
        cmocka_unit_test_setup_teardown(block__at_another_place__is_refused, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(block__all_zero__is_a_hole, bench_new, bench_free),
        cmocka_unit_test(header__written_and_parsed__is_the_same),
        cmocka_unit_test(header__each_bit_flipped__is_refused),
        cmocka_unit_test(header__of_a_newer_version__says_so),
        cmocka_unit_test(header__under_another_key__is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
