/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is written in order for long is given to the disk by one thread at a time, whole and once, and no sync is answered by that.
 */
#include "check.h"

#include "base/mem.h"
#include "tmpdir.h"
#include "volume_fixture.h"

enum { PAYLOAD = 3584, MIB = 1024 * 1024, LONG = 32 * MIB, PIECE = 4 * MIB, FILES = 2 };

/* A disk that notes what it is given. */
struct disk {
    struct io io;
    struct io_ops ops;
    uint64_t at, end; /* of the last piece */
    unsigned pieces, syncs;
};

static ks_rc disk_write_out(struct io *io, struct io_file *file, uint64_t at, uint64_t len)
{
    struct disk *d = (struct disk *)(void *)io;

    d->at = at;
    d->end = at + len;
    d->pieces++;
    return io_posix()->ops->write_out(io_posix(), file, at, len);
}

static ks_rc disk_sync(struct io *io, struct io_file *file, bool is_data_only)
{
    ((struct disk *)(void *)io)->syncs++;
    return io_posix()->ops->sync(io_posix(), file, is_data_only);
}

struct bench {
    struct tmpdir tmp;
    struct disk disk;
    struct fixture_keys *keys;
    struct fixture *f;
    struct inode *i[FILES];
    struct handle *h[FILES];
};

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    b->tmp = tmpdir_make();
    b->disk.ops = *io_posix()->ops; /* what is not replaced looks at no struct io */
    b->disk.ops.write_out = disk_write_out;
    b->disk.ops.sync = disk_sync;
    b->disk.io.ops = &b->disk.ops;
    check_ok(fixture_keys_new(PAYLOAD, &b->keys));
    check_ok(fixture_layout(&b->disk.io, b->tmp.path));
    check_ok(fixture_open(&b->disk.io, b->tmp.path, b->keys, &b->f));
    check_ok(fixture_file(b->f, "f", true, &b->i[0], &b->h[0]));
    check_ok(fixture_file(b->f, "g", true, &b->i[1], &b->h[1]));
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    for (unsigned n = 0; n < FILES; n++)
        fixture_file_close(b->f, b->i[n], b->h[n]);
    fixture_close(b->f);
    fixture_keys_free(b->keys);
    tmpdir_remove(&b->tmp);
    mem_free(b);
    return 0;
}

static void write_on(struct bench *b, unsigned file, uint64_t from, uint64_t to)
{
    static const uint8_t data[MIB] = {1};

    for (uint64_t at = from; at < to; at += MIB)
        check_ok(volume_write(b->f->v, b->i[file], data, sizeof data, at));
}

static bool foresee(struct bench *b, unsigned file, struct write_behind *ret)
{
    return volume_foresee_sync(b->f->v, b->i[file], ret);
}

/* What a thread of the mount does after a write; whether the disk was given something. */
static bool go_on(struct bench *b, unsigned file)
{
    struct write_behind behind;
    unsigned before = b->disk.pieces;

    if (foresee(b, file, &behind))
        volume_write_behind(&behind);
    return b->disk.pieces > before;
}

static void long_file__goes_to_the_disk_in_pieces(void **state)
{
    struct bench *b = *state;

    write_on(b, 0, 0, LONG - MIB);
    assert_false(go_on(b, 0));
    write_on(b, 0, LONG - MIB, LONG);
    assert_true(go_on(b, 0));
    assert_int_equal(b->disk.at, 4096); /* behind the header */
    assert_int_equal(b->disk.end, (1 + (LONG + PAYLOAD - 1) / PAYLOAD) * 4096);
    assert_false(go_on(b, 0));
    write_on(b, 0, LONG, LONG + PIECE);
    assert_true(go_on(b, 0));
    assert_int_equal(b->disk.at,
                     (1 + LONG / PAYLOAD) * 4096); /* with the block that was not full */
    assert_int_equal(b->disk.syncs, 0);
}

static void sync__after_a_piece__is_one_of_its_own(void **state)
{
    struct bench *b = *state;

    write_on(b, 0, 0, LONG);
    assert_true(go_on(b, 0));
    check_ok(volume_fsync(b->f->v, b->i[0], true));
    assert_int_equal(b->disk.syncs, 1);
    write_on(b, 0, LONG, LONG + PIECE); /* it begins anew */
    assert_false(go_on(b, 0));
}

static void piece__while_another_is_on_its_way__has_to_wait(void **state)
{
    struct bench *b = *state;
    struct write_behind first, second;

    write_on(b, 0, 0, LONG);
    assert_true(foresee(b, 0, &first));
    write_on(b, 1, 0, LONG);
    assert_false(foresee(b, 1, &second));
    write_on(b, 0, LONG, LONG + PIECE);
    assert_false(foresee(b, 0, &second));
    volume_write_behind(&first);
    assert_true(go_on(b, 1));
    assert_true(go_on(b, 0));
}

static void piece__that_cannot_go__leaves_the_way_free(void **state)
{
    struct bench *b = *state;

    write_on(b, 0, 0, LONG);
    volume_set_door(b->f->v, VOLUME_CLOSED);
    assert_false(go_on(b, 0));
    volume_set_door(b->f->v, VOLUME_OPEN);
    write_on(b, 1, 0, LONG);
    assert_true(go_on(b, 1));
}

#define T(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(long_file__goes_to_the_disk_in_pieces),
        T(sync__after_a_piece__is_one_of_its_own),
        T(piece__while_another_is_on_its_way__has_to_wait),
        T(piece__that_cannot_go__leaves_the_way_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
