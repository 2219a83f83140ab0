/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: what the writer wrote the reader reads back; the first problem sticks, and after it
 * nothing but zeros comes out; no read ever goes beyond the input, wherever the input ends.
 */
#include "base/codec.h"

#include "check.h"

enum { SAMPLE_BYTES = 8 + 1 + 2 + 4 + 8 + 2 + 3 + 2 + 5 + 7 };

struct sample {
    uint8_t small;
    uint16_t medium;
    uint32_t large;
    uint64_t huge;
    char text[8];
    struct view blob;
};

static void write_sample(struct buf *out)
{
    struct wr w = wr_init(out);

    wr_bytes(&w, view_text("KSSAMPLE"));
    wr_u8(&w, 0x12);
    wr_u16(&w, 0x3456);
    wr_u32(&w, 0x789abcde);
    wr_u64(&w, 0x0123456789abcdefu);
    wr_text16(&w, "abc");
    wr_blob16(&w, view_text("blob!"));
    wr_zero(&w, 7);
    check_ok(wr_done(&w));
}

static ks_rc read_sample(struct view in, struct sample *s)
{
    struct rd r = rd_init(in);

    rd_magic(&r, "KSSAMPLE");
    s->small = rd_u8(&r);
    s->medium = rd_u16(&r);
    s->large = rd_u32(&r);
    s->huge = rd_u64(&r);
    rd_text16(&r, s->text, sizeof s->text);
    s->blob = rd_blob16(&r, 5);
    rd_zero(&r, 7);
    return rd_done(&r);
}

static void round_trip__every_kind_of_field__same_values(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(100);
    struct sample s;

    (void)state;
    write_sample(&b);
    assert_int_equal(b.len, SAMPLE_BYTES);
    check_ok(read_sample(buf_view(&b), &s));
    assert_int_equal(s.small, 0x12);
    assert_int_equal(s.medium, 0x3456);
    assert_int_equal(s.large, 0x789abcde);
    assert_true(s.huge == 0x0123456789abcdefu);
    assert_string_equal(s.text, "abc");
    check_bytes(s.blob, view_text("blob!"));
}

static void write__integers__least_byte_first(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(100);

    (void)state;
    write_sample(&b);
    check_bytes(view_of(b.bytes + 8, 7), view_of("\x12\x56\x34\xde\xbc\x9a\x78", 7));
}

static void read__cut_anywhere__format(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(100);
    struct sample s;

    (void)state;
    write_sample(&b);
    for (size_t len = 0; len < b.len; len++) {
        /* a copy of exactly that size, so that the sanitizer sees a read beyond it */
        CLEANUP(buf_done) struct buf cut = buf_init(len + 1);
        check_ok(buf_append(&cut, view_of(b.bytes, len)));
        check_rc(read_sample(buf_view(&cut), &s), FORMAT);
    }
}

static void read__one_byte_more__format(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(100);
    struct sample s;

    (void)state;
    write_sample(&b);
    check_ok(buf_append(&b, view_text("x")));
    ks_rc rc = read_sample(buf_view(&b), &s);
    check_rc(rc, FORMAT);
    check_text(rc, "1 bytes too many");
}

static void read__wrong_magic_or_padding__format(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(100);
    struct sample s;

    (void)state;
    write_sample(&b);
    b.bytes[0] ^= 1;
    check_rc(read_sample(buf_view(&b), &s), FORMAT);
    b.bytes[0] ^= 1;
    b.bytes[b.len - 1] = 1;
    check_rc(read_sample(buf_view(&b), &s), FORMAT);
}

static void read__after_the_first_problem__zeros_and_the_first_problem(void **state)
{
    struct rd r = rd_init(view_of("\x01\x02\x03\x04", 4));
    uint8_t bytes[2] = {9, 9};

    (void)state;
    rd_expect(&r, false, "the first problem");
    rd_expect(&r, false, "the second problem");
    assert_int_equal(rd_u32(&r), 0);
    rd_bytes(&r, bytes, sizeof bytes);
    assert_int_equal(bytes[0] | bytes[1], 0);
    assert_int_equal(rd_view(&r, 1).len, 0);
    assert_false(rd_ok(&r));
    ks_rc rc = rd_done(&r);
    check_rc(rc, FORMAT);
    check_text(rc, "the first problem");
}

static void read_blob__longer_than_allowed__format(void **state)
{
    struct rd r = rd_init(view_of("\x03\x00xyz", 5));

    (void)state;
    assert_int_equal(rd_blob16(&r, 2).len, 0);
    check_rc(rd_done(&r), FORMAT);
}

static void read_text__does_not_fit_with_its_terminator__format(void **state)
{
    struct rd r = rd_init(view_of("\x03\x00xyz", 5));
    char text[3];

    (void)state;
    rd_text16(&r, text, sizeof text);
    assert_string_equal(text, "");
    check_rc(rd_done(&r), FORMAT);
}

static void read_text__control_bytes__format(void **state)
{
    static const char bad[] = {'\n', '\0', '\x1b', '\x7f'};
    char text[8];

    (void)state;
    for (size_t i = 0; i < sizeof bad; i++) {
        uint8_t in[] = {3, 0, 'a', (uint8_t)bad[i], 'b'};
        struct rd r = rd_init(view_of(in, sizeof in));
        rd_text16(&r, text, sizeof text);
        check_rc(rd_done(&r), FORMAT);
        assert_string_equal(text, "");
    }
}

static void write__beyond_the_buffer__limit_sticks(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(3);
    struct wr w = wr_init(&b);

    (void)state;
    wr_u32(&w, 1);
    wr_u8(&w, 1);
    check_rc(wr_done(&w), LIMIT);
    assert_int_equal(b.len, 0);
}

static void write_blob__longer_than_its_length_field__limit(void **state)
{
    static const uint8_t bytes[UINT16_MAX + 1];
    CLEANUP(buf_done) struct buf b = buf_init(1 << 20);
    struct wr w = wr_init(&b);

    (void)state;
    wr_blob16(&w, view_of(bytes, sizeof bytes));
    check_rc(wr_done(&w), LIMIT);
    assert_int_equal(b.len, 0);
}

static void put_and_get__any_value__same_value(void **state)
{
    uint8_t p[8];

    (void)state;
    put_u16(p, 0xfedc);
    assert_int_equal(get_u16(p), 0xfedc);
    put_u32(p, 0xfedcba98u);
    assert_true(get_u32(p) == 0xfedcba98u);
    put_u64(p, 0xfedcba9876543210u);
    assert_true(get_u64(p) == 0xfedcba9876543210u);
    assert_int_equal(p[0], 0x10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip__every_kind_of_field__same_values),
        cmocka_unit_test(write__integers__least_byte_first),
        cmocka_unit_test(read__cut_anywhere__format),
        cmocka_unit_test(read__one_byte_more__format),
        cmocka_unit_test(read__wrong_magic_or_padding__format),
        cmocka_unit_test(read__after_the_first_problem__zeros_and_the_first_problem),
        cmocka_unit_test(read_blob__longer_than_allowed__format),
        cmocka_unit_test(read_text__does_not_fit_with_its_terminator__format),
        cmocka_unit_test(read_text__control_bytes__format),
        cmocka_unit_test(write__beyond_the_buffer__limit_sticks),
        cmocka_unit_test(write_blob__longer_than_its_length_field__limit),
        cmocka_unit_test(put_and_get__any_value__same_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
