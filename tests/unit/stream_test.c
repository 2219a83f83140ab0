/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is written in order for long is given to the disk once, piece by piece, and nothing else is.
 */
#include "check.h"

#include "volume/stream.h"

enum { MIB = 1024 * 1024 };

/* Writes [from, to) in order; the bytes that fell due, which must follow each other from *next on. */
static uint64_t write_on(struct stream *s, uint64_t from, uint64_t to, uint64_t *next)
{
    uint64_t at, len, due = 0;

    for (uint64_t n = from; n < to; n += MIB) {
        stream_write(s, n, MIB);
        if (!stream_is_due(s))
            continue;
        stream_take(s, &at, &len);
        assert_int_equal(at, *next);
        *next += len;
        due += len;
    }
    return due;
}

static void short_file__is_left_alone(void **state)
{
    struct stream s = {0};
    uint64_t next = 0;

    (void)state;
    assert_int_equal(write_on(&s, 0, STREAM_LONG - MIB, &next), 0);
}

static void long_file__falls_due_once_in_pieces(void **state)
{
    struct stream s = {0};
    uint64_t next = 0;

    (void)state;
    assert_int_equal(write_on(&s, 0, STREAM_LONG, &next), STREAM_LONG);
    assert_int_equal(write_on(&s, STREAM_LONG, STREAM_LONG + STREAM_PIECE, &next), STREAM_PIECE);
    assert_int_equal(write_on(&s, next, next + STREAM_PIECE - MIB, &next), 0);
}

static void place__written_again_and_again__is_no_stream(void **state)
{
    struct stream s = {0};

    (void)state;
    for (unsigned k = 0; k < 1000; k++) {
        stream_write(&s, 0, MIB);
        assert_false(stream_is_due(&s));
    }
}

static void writes__here_and_there__are_no_stream(void **state)
{
    struct stream s = {0};

    (void)state;
    for (uint64_t k = 0; k < 1000; k++) {
        stream_write(&s, k * 37 % 64 * 16 * MIB, MIB);
        assert_false(stream_is_due(&s));
    }
}

static void writes__a_little_out_of_order__are_one_stream(void **state)
{
    struct stream s = {0};
    uint64_t at, len;

    (void)state;
    for (uint64_t k = 0; k < STREAM_LONG; k += 2 * MIB) {
        assert_false(stream_is_due(&s));
        stream_write(&s, k + MIB, MIB);
        if (k + 2 * MIB < STREAM_LONG)
            stream_write(&s, k, MIB);
    }
    assert_true(stream_is_due(&s));
    stream_take(&s, &at, &len);
    assert_int_equal(at, 0);
    assert_int_equal(len, STREAM_LONG);
    stream_write(&s, STREAM_LONG - 2 * MIB,
                 MIB); /* the one that was late goes with the next piece */
    stream_write(&s, STREAM_LONG, STREAM_PIECE);
    assert_true(stream_is_due(&s));
    stream_take(&s, &at, &len);
    assert_int_equal(at, STREAM_LONG - 2 * MIB);
}

static void sync__begins_a_new_stream(void **state)
{
    struct stream s = {0};
    uint64_t next = 0;

    (void)state;
    assert_int_equal(write_on(&s, 0, STREAM_LONG - MIB, &next), 0);
    stream_sync(&s);
    next = STREAM_LONG - MIB;
    assert_int_equal(write_on(&s, next, next + STREAM_LONG - MIB, &next), 0);
    assert_int_equal(write_on(&s, next + STREAM_LONG - MIB, next + STREAM_LONG, &next),
                     STREAM_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_file__is_left_alone),
        cmocka_unit_test(long_file__falls_due_once_in_pieces),
        cmocka_unit_test(place__written_again_and_again__is_no_stream),
        cmocka_unit_test(writes__here_and_there__are_no_stream),
        cmocka_unit_test(writes__a_little_out_of_order__are_one_stream),
        cmocka_unit_test(sync__begins_a_new_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
