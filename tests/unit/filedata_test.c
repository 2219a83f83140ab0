/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: long pieces of a file are read past the host's page cache where their reader keeps them, short ones and those of other
 * readers are not; either way the bytes are the same, and damage is damage.
 */
#include "check.h"

#include <errno.h>

#include "base/mem.h"
#include "io/crash.h"
#include "volume/volume_int.h"
#include "volume_fixture.h"

enum { PAYLOAD = 3584, BLOCKS = 100, BYTES = BLOCKS * PAYLOAD - 77, KERNEL_BYTES = 128 * 1024 };

/* The disk in memory, which counts how it is read. */
static struct {
    const struct io_ops *below;
    struct io_ops ops;
    unsigned past, plain;
    size_t past_len;
    int fails_with; /* 0: not */
} disk;

static ks_rc disk_pread(struct io *io, struct io_file *file, void *out, size_t len, uint64_t at,
                        size_t *ret_len)
{
    disk.plain++;
    return disk.below->pread(io, file, out, len, at, ret_len);
}

static ks_rc disk_pread_past(struct io *io, struct io_file *file, void *out, size_t len,
                             uint64_t at, size_t *ret_len)
{
    assert_int_equal(at % IO_PAGE_BYTES, 0);
    assert_int_equal(len % IO_PAGE_BYTES, 0);
    assert_int_equal((uintptr_t)out % IO_PAGE_BYTES, 0);
    disk.past++;
    disk.past_len += len;
    if (disk.fails_with)
        return ks_os(disk.fails_with);
    return disk.below->pread_past(io, file, out, len, at, ret_len);
}

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    uint8_t wrote[BYTES], got[BYTES];
};

static int setup(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_in_memory(PAYLOAD, &b->io, &b->keys, &b->f));
    for (size_t n = 0; n < BYTES; n++)
        b->wrote[n] = (uint8_t)(n / PAYLOAD + n);
    check_ok(fixture_write(b->f, "file", true, b->wrote, BYTES));
    check_ok(fixture_file(b->f, "file", false, &b->i, &b->h));
    disk.below = b->io->ops;
    disk.ops = *b->io->ops;
    disk.ops.pread = disk_pread;
    disk.ops.pread_past = disk_pread_past;
    disk.past = disk.plain = 0;
    disk.fails_with = 0;
    disk.past_len = 0;
    b->io->ops = &disk.ops;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    b->io->ops = disk.below;
    fixture_file_close(b->f, b->i, b->h);
    fixture_in_memory_free(b->io, b->keys, b->f);
    mem_free(b);
    return 0;
}

static void read_and_compare(struct bench *b, size_t len, uint64_t at)
{
    size_t got = 0;

    check_ok(volume_read(b->f->v, b->i, b->got, len, at, &got));
    assert_int_equal(got, len);
    assert_memory_equal(b->got, b->wrote + at, len);
}

static void read__long_by_who_reads_ahead__goes_past_the_cache(void **state)
{
    struct bench *b = *state;

    b->f->v->conf.is_read_ahead = true;
    read_and_compare(b, BYTES, 0);
    assert_int_equal(disk.past, 1);
    assert_int_equal(disk.past_len, BLOCKS * BLOCK_BYTES);
    assert_int_equal(disk.plain, 0);
}

static void read__long_from_the_middle_of_a_block__whole_pages(void **state)
{
    struct bench *b = *state;

    b->f->v->conf.is_read_ahead = true;
    read_and_compare(b, 80 * PAYLOAD, 10 * PAYLOAD + 100);
    assert_int_equal(disk.past_len, 81 * BLOCK_BYTES);
}

/* As long as what the kernel asks for where nobody has given it a longer stretch. */
static void read__short__comes_from_the_cache(void **state)
{
    struct bench *b = *state;

    b->f->v->conf.is_read_ahead = true;
    read_and_compare(b, KERNEL_BYTES, 100);
    assert_int_equal(disk.past, 0);
    assert_int_equal(disk.plain, 1);
}

static void read__written_to_lately__comes_from_the_cache(void **state)
{
    struct bench *b = *state;

    b->f->v->conf.is_read_ahead = true;
    check_ok(volume_write(b->f->v, b->i, b->wrote, 10, 0));
    disk.plain = 0;
    read_and_compare(b, BYTES, 0);
    assert_int_equal(disk.past, 0);
    assert_int_equal(disk.plain, 1);
    atomic_fetch_sub(&b->i->written_ms, 5000);
    read_and_compare(b, BYTES, 0);
    assert_int_equal(disk.past, 1);
}

static void read__after_a_failed_sync__comes_from_the_cache(void **state)
{
    struct bench *b = *state;

    b->f->v->conf.is_read_ahead = true;
    inode_poison(b->f->v, b->i, ks_os(EIO));
    read_and_compare(b, BYTES, 0);
    assert_int_equal(disk.past, 0);
}

/* The host has found no place for what was written meanwhile, and tells only whoever read. */
static void read__write_lost_meanwhile__the_file_is_given_up(void **state)
{
    const int lost[] = {ENOSPC, EDQUOT};
    struct bench *b = *state;
    size_t len;

    b->f->v->conf.is_read_ahead = true;
    for (size_t n = 0; n < 2; n++) {
        atomic_store(&b->i->is_poisoned, false);
        disk.fails_with = lost[n];
        assert_true(ks_is_os(volume_read(b->f->v, b->i, b->got, BYTES, 0, &len), lost[n]));
        assert_true(atomic_load(&b->i->is_poisoned));
    }
}

static void read__fails_otherwise__the_file_is_as_before(void **state)
{
    struct bench *b = *state;
    size_t len;

    b->f->v->conf.is_read_ahead = true;
    disk.fails_with = EIO;
    assert_true(ks_is_os(volume_read(b->f->v, b->i, b->got, BYTES, 0, &len), EIO));
    assert_false(atomic_load(&b->i->is_poisoned));
}

static void read__long_by_anybody_else__comes_from_the_cache(void **state)
{
    struct bench *b = *state;

    read_and_compare(b, BYTES, 0);
    assert_int_equal(disk.past, 0);
    assert_int_equal(disk.plain, 1);
}

/* Whoever shares the file with a writer may read a page in halves. It is read once more by itself, from where the writer put it. */
static void read__page_in_halves__is_read_again_from_the_cache(void **state)
{
    struct bench *b = *state;
    struct file_op op = {0};
    uint8_t page[BLOCK_BYTES] = {1}, plain[PAYLOAD];
    uint32_t length;

    check_ok(file_op_begin(b->f->v, b->i, &op));
    b->f->v->conf.is_read_ahead = true;
    check_ok(file_block_take(&op, 3, page, plain, &length));
    file_op_end(&op);
    assert_memory_equal(plain, b->wrote + 3 * PAYLOAD, PAYLOAD);
    assert_int_equal(disk.plain, 1);
    assert_int_equal(disk.past, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(read__long_by_who_reads_ahead__goes_past_the_cache),
        T(read__long_from_the_middle_of_a_block__whole_pages),
        T(read__short__comes_from_the_cache),
        T(read__written_to_lately__comes_from_the_cache),
        T(read__after_a_failed_sync__comes_from_the_cache),
        T(read__write_lost_meanwhile__the_file_is_given_up),
        T(read__fails_otherwise__the_file_is_as_before),
        T(read__long_by_anybody_else__comes_from_the_cache),
        T(read__page_in_halves__is_read_again_from_the_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
