/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a volume behaves as a plain file system does, whatever the sizes and offsets, over rotations and
 * reopenings; a closed door lets nothing through; damage is an error and never wrong data.
 */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/crash.h"
#include "io/fault.h"
#include "volume/survey.h"
#include "volume_fixture.h"

enum { MODEL_MAX = 40000, OPERATIONS = 4000 };

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
};

static int bench_new_payload(void **state, uint32_t payload)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_in_memory(payload, &b->io, &b->keys, &b->f));
    *state = b;
    return 0;
}

static int bench_new(void **state)
{
    return bench_new_payload(state, 3584);
}

static int bench_new_dense(void **state)
{
    return bench_new_payload(state, 4032);
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    fixture_in_memory_free(b->io, b->keys, b->f);
    mem_free(b);
    return 0;
}

static void bench_reopen(struct bench *b)
{
    fixture_close(b->f);
    b->f = NULL;
    check_ok(fixture_open(b->io, "/", b->keys, &b->f));
}

/* --- one file against a model in memory --- */

struct model {
    struct bench *b;
    struct random_seeded random;
    struct inode *i;
    struct handle *h;
    uint8_t bytes[MODEL_MAX], got[MODEL_MAX], in[MODEL_MAX];
    size_t size;
};

static size_t below(struct model *m, size_t n)
{
    uint64_t v;

    check_ok(random_fill(&m->random.random, &v, sizeof v));
    return (size_t)(v % n);
}

/* Offsets and lengths that like the edges of blocks. */
static size_t place(struct model *m, size_t max)
{
    static const size_t edges[] = {0, 1, 511, 512, 3583, 3584, 3585, 4032, 4096, 7168, 8064, 14336};
    size_t at = below(m, 2) ? edges[below(m, sizeof edges / sizeof *edges)] : below(m, max);

    return at < max ? at : max - 1;
}

static void model_compare(struct model *m)
{
    size_t len = 0;
    struct stat st;

    check_ok(volume_getattr(m->b->f->v, m->i, &st));
    assert_int_equal(st.st_size, m->size);
    check_ok(volume_read(m->b->f->v, handle_inode(m->h), m->got, sizeof m->got, 0, &len));
    assert_int_equal(len, m->size);
    assert_memory_equal(m->got, m->bytes, m->size);
}

static void do_write(struct model *m)
{
    size_t at = place(m, MODEL_MAX / 2), len = 1 + place(m, MODEL_MAX / 2);

    check_ok(random_fill(&m->random.random, m->in, len));
    check_ok(volume_write(m->b->f->v, handle_inode(m->h), m->in, len, at));
    memcpy(m->bytes + at, m->in, len);
    if (at + len > m->size)
        m->size = at + len;
}

static void do_read(struct model *m)
{
    size_t at = place(m, MODEL_MAX), len = 1 + place(m, MODEL_MAX), got = 0;
    size_t want = at >= m->size ? 0 : (len < m->size - at ? len : m->size - at);

    check_ok(volume_read(m->b->f->v, handle_inode(m->h), m->got, len, at, &got));
    assert_int_equal(got, want);
    assert_memory_equal(m->got, m->bytes + at, want);
}

static void do_truncate(struct model *m)
{
    size_t size = place(m, MODEL_MAX);

    check_ok(volume_truncate(m->b->f->v, m->i, size));
    if (size < m->size)
        memset(m->bytes + size, 0, m->size - size);
    m->size = size;
}

static void do_fallocate(struct model *m)
{
    static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    int mode = modes[below(m, 5)];
    size_t at = place(m, MODEL_MAX / 2), len = 1 + place(m, MODEL_MAX / 2), end = at + len;

    check_ok(volume_fallocate(m->b->f->v, handle_inode(m->h), mode, at, len));
    if (!(mode & FALLOC_FL_KEEP_SIZE) && end > m->size)
        m->size = end;
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        memset(m->bytes + at, 0, at < m->size ? (end < m->size ? len : m->size - at) : 0);
}

static void do_sync(struct model *m)
{
    check_ok(volume_fsync(m->b->f->v, handle_inode(m->h), below(m, 2)));
}

static void do_rotate(struct model *m)
{
    if (below(m, 8) == 0)
        check_ok(fixture_keys_rotate(m->b->keys));
}

static void do_reopen(struct model *m)
{
    fixture_file_close(m->b->f, m->i, m->h);
    bench_reopen(m->b);
    check_ok(fixture_file(m->b->f, "file", false, &m->i, &m->h));
}

static void run_model(void **state, uint64_t seed)
{
    static void (*const operations[])(struct model *) = {do_write, do_write,    do_write,
                                                         do_read,  do_truncate, do_fallocate,
                                                         do_sync,  do_rotate,   do_reopen};
    static struct model m;

    memset(&m, 0, sizeof m);
    m.b = *state;
    random_seeded_init(&m.random, seed);
    check_ok(fixture_file(m.b->f, "file", true, &m.i, &m.h));
    for (int n = 0; n < OPERATIONS; n++) {
        operations[below(&m, sizeof operations / sizeof *operations)](&m);
        model_compare(&m);
    }
    assert_int_equal(m.b->f->alerts, 0);
    fixture_file_close(m.b->f, m.i, m.h);
}

static void file__random_operations__are_as_the_model(void **state)
{
    run_model(state, 1);
}

static void file__random_operations_dense__are_as_the_model(void **state)
{
    run_model(state, 2);
}

/* --- the tree --- */

static const struct caller me = {0, 0};

static void names__long_and_many__are_listed(void **state)
{
    struct bench *b = *state;
    struct inode *i, *root = volume_root(b->f->v);
    struct handle *h;
    struct stat st;
    struct io_dirent e = {0};
    char name[256];
    unsigned seen = 0;

    for (int n = 1; n <= 255; n++) {
        memset(name, 'a' + n % 26, sizeof name);
        name[n] = 0;
        check_ok(volume_mkdir(b->f->v, root, name, 0755, &me, &i, &st));
        volume_forget(b->f->v, i, 1);
    }
    check_ok(volume_opendir(b->f->v, root, &h));
    do {
        check_ok(volume_readdir(b->f->v, h, e.next, &e));
        seen += e.name[0] >= 'a' && strspn(e.name, (char[]){e.name[0], 0}) == strlen(e.name);
    } while (e.name[0]);
    volume_close(b->f->v, h);
    assert_int_equal(seen, 255);
}

static void symlink__short_and_4000_bytes__is_read_back(void **state)
{
    struct bench *b = *state;
    char target[4001];
    struct inode *i;
    struct stat st;

    for (size_t len = 5; len <= 4000; len += 3995) {
        CLEANUP(buf_done) struct buf back = buf_init(5000);
        memset(target, 't', len);
        target[len] = 0;
        check_ok(volume_symlink(b->f->v, volume_root(b->f->v), len == 5 ? "short" : "long", target,
                                &me, &i, &st));
        assert_int_equal(st.st_size, len);
        check_ok(volume_readlink(b->f->v, i, &back));
        assert_string_equal(buf_text(&back), target);
        volume_forget(b->f->v, i, 1);
    }
}

static void file__unlinked_while_open__is_still_read(void **state)
{
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;
    uint8_t got[5];
    size_t len;

    check_ok(fixture_file(b->f, "gone", true, &i, &h));
    check_ok(volume_write(b->f->v, handle_inode(h), "hello", 5, 0));
    check_ok(volume_unlink(b->f->v, volume_root(b->f->v), "gone"));
    check_ok(volume_read(b->f->v, handle_inode(h), got, 5, 0, &len));
    assert_memory_equal(got, "hello", 5);
    fixture_file_close(b->f, i, h);
    assert_true(ks_is_os(fixture_file(b->f, "gone", false, &i, &h), ENOENT));
}

static void file__renamed_and_linked__is_the_same_file(void **state)
{
    struct bench *b = *state;
    struct inode *root = volume_root(b->f->v), *i, *again;
    struct handle *h;
    struct stat st;

    check_ok(fixture_file(b->f, "a", true, &i, &h));
    check_ok(volume_rename(b->f->v, root, "a", root, "b", 0));
    check_ok(volume_link(b->f->v, i, root, "c", &st));
    volume_forget(b->f->v, i, 1);
    check_ok(volume_lookup(b->f->v, root, "c", &again, &st));
    assert_ptr_equal(again, i);
    assert_int_equal(st.st_nlink, 2);
    volume_forget(b->f->v, again, 1);
    fixture_file_close(b->f, i, h);
}

static void mtime__kept__is_shown_at_once_and_survives_reopening(void **state)
{
    const struct timespec earlier = {7654321, 9}, mtime = {1234567, 89};
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;
    struct stat st;

    check_ok(fixture_file(b->f, "file", true, &i, &h));
    check_ok(volume_keep_mtime(b->f->v, i, &earlier, &st));
    check_ok(volume_keep_mtime(b->f->v, i, &mtime, &st));
    assert_int_equal(st.st_mtim.tv_sec, 1234567);
    assert_true(S_ISREG(st.st_mode));
    check_ok(volume_getattr(b->f->v, i, &st));
    assert_int_equal(st.st_mtim.tv_sec, 1234567);
    fixture_file_close(b->f, i, h);
    bench_reopen(b);
    check_ok(fixture_file(b->f, "file", false, &i, &h));
    check_ok(volume_getattr(b->f->v, i, &st));
    assert_int_equal(st.st_mtim.tv_sec, 1234567);
    assert_int_equal(st.st_mtim.tv_nsec, 89);
    fixture_file_close(b->f, i, h);
}

static void mtime__kept__tells_the_mode_that_was_set_before(void **state)
{
    const struct timespec mtime = {1234567, 89};
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;
    struct stat st, in = {.st_mode = S_IFREG | 0640};

    check_ok(fixture_file(b->f, "file", true, &i, &h));
    check_ok(volume_keep_mtime(b->f->v, i, &mtime, &st));
    check_ok(volume_setattr(b->f->v, i, IO_ATTR_MODE, &in, &st));
    check_ok(volume_keep_mtime(b->f->v, i, &mtime, &st));
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    fixture_file_close(b->f, i, h);
}

static void mtime__of_a_locked_volume__is_refused(void **state)
{
    const struct timespec mtime = {1234567, 89};
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;
    struct stat st;

    check_ok(fixture_file(b->f, "file", true, &i, &h));
    volume_set_door(b->f->v, VOLUME_CLOSED);
    assert_int_equal(ks_errno(volume_keep_mtime(b->f->v, i, &mtime, &st)), EKEYREVOKED);
    volume_set_door(b->f->v, VOLUME_OPEN);
    fixture_file_close(b->f, i, h);
}

static void attribute__set__comes_back_and_is_not_in_clear(void **state)
{
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;
    CLEANUP(buf_done) struct buf got = buf_init(100), list = buf_init(100), raw = buf_init(1000);
    struct io_node *node;
    struct stat st;

    check_ok(fixture_file(b->f, "file", true, &i, &h));
    check_ok(volume_setxattr(b->f->v, i, "user.owner", view_text("alice"), 0));
    check_ok(volume_getxattr(b->f->v, i, "user.owner", &got));
    assert_string_equal(buf_text(&got), "alice");
    check_ok(volume_listxattr(b->f->v, i, &list));
    check_bytes(buf_view(&list), view_of("user.owner", 11));
    struct io_dir *d;
    struct io_dirent e;
    check_ok(b->io->ops->dir_open(b->io, b->f->tree, &d));
    do
        check_ok(b->io->ops->dir_next(b->io, d, &e));
    while (e.name[0] == '.');
    check_ok(b->io->ops->lookup(b->io, b->f->tree, e.name, &node, &st));
    check_ok(b->io->ops->xattr_list(b->io, node, &raw));
    assert_null(strstr(buf_text(&raw), "owner"));
    b->io->ops->node_close(b->io, node);
    b->io->ops->dir_close(b->io, d);
    check_ok(volume_removexattr(b->f->v, i, "user.owner"));
    assert_false(ks_ok(volume_getxattr(b->f->v, i, "user.owner", &got)));
    assert_int_equal(ks_errno(volume_setxattr(b->f->v, i, "system.x", view_text("1"), 0)),
                     EOPNOTSUPP);
    fixture_file_close(b->f, i, h);
}

/* --- the door --- */

static void door__closed__lets_nothing_through(void **state)
{
    struct bench *b = *state;
    struct volume *v = b->f->v;
    struct inode *i, *other;
    struct handle *h;
    struct stat st;
    uint8_t byte;
    size_t len;

    check_ok(fixture_file(b->f, "file", true, &i, &h));
    check_ok(volume_write(v, handle_inode(h), "x", 1, 0));
    volume_set_door(v, VOLUME_DRAINING);
    assert_true(ks_is_os(volume_read(v, handle_inode(h), &byte, 1, 0, &len), EKEYREVOKED));
    check_ok(
        volume_write(v, handle_inode(h), "y", 1, 0)); /* what the kernel still has to write back */
    volume_set_door(v, VOLUME_CLOSED);
    check_ok(volume_drain(v, 1000));
    volume_wipe(v);
    assert_null(volume_keys(v));
    assert_true(ks_is_os(volume_write(v, handle_inode(h), "z", 1, 0), EKEYREVOKED));
    assert_true(ks_is_os(volume_read(v, handle_inode(h), &byte, 1, 0, &len), EKEYREVOKED));
    assert_true(ks_is_os(volume_getattr(v, i, &st), EKEYREVOKED));
    assert_true(ks_is_os(volume_fsync(v, handle_inode(h), true), EKEYREVOKED));
    assert_true(ks_is_os(volume_truncate(v, i, 0), EKEYREVOKED));
    assert_true(ks_is_os(volume_lookup(v, volume_root(v), "file", &other, &st), EKEYREVOKED));
    fixture_file_close(b->f, i, h); /* closing needs no key */
}

/* Who begins to close it comes behind who has. */
static void door__closed__is_not_opened_for_writes(void **state)
{
    struct bench *b = *state;
    struct volume *v = b->f->v;
    struct inode *i;
    struct handle *h;

    check_ok(fixture_file(b->f, "file", true, &i, &h));
    volume_set_door(v, VOLUME_CLOSED);
    volume_set_door(v, VOLUME_DRAINING);
    assert_true(ks_is_os(volume_write(v, handle_inode(h), "x", 1, 0), EKEYREVOKED));
    volume_set_door(v, VOLUME_OPEN);
    check_ok(volume_write(v, handle_inode(h), "x", 1, 0));
    fixture_file_close(b->f, i, h);
}

static void door__opened_again_with_keys__serves_open_files(void **state)
{
    struct bench *b = *state;
    struct volume *v = b->f->v;
    struct keyset *keys;
    struct inode *i;
    struct handle *h;
    uint8_t got[3];
    size_t len;

    check_ok(fixture_file(b->f, "file", true, &i, &h));
    check_ok(volume_write(v, handle_inode(h), "abc", 3, 0));
    volume_set_door(v, VOLUME_CLOSED);
    check_ok(volume_drain(v, 1000));
    volume_wipe(v);
    check_ok(fixture_keys_again(b->keys, &keys));
    check_ok(volume_set_keys(v, &keys));
    volume_set_door(v, VOLUME_OPEN);
    check_ok(volume_read(v, handle_inode(h), got, 3, 0, &len));
    assert_memory_equal(got, "abc", 3);
    fixture_file_close(b->f, i, h);
}

/* --- failures --- */

static void sync__failed_once__fails_for_ever(void **state)
{
    struct bench *b = *state;
    struct io *faulty;
    struct fixture *f;
    struct inode *i;
    struct handle *h;

    check_ok(fault_new(b->io, &faulty));
    check_ok(fixture_open(faulty, "/", b->keys, &f));
    check_ok(fixture_file(f, "file", true, &i, &h));
    check_ok(volume_write(f->v, handle_inode(h), "abc", 3, 0));
    fault_arm(faulty, 1, EIO, false);
    assert_int_equal(ks_errno(volume_fsync(f->v, handle_inode(h), true)), EIO);
    assert_string_equal(fault_name(faulty), "sync");
    assert_int_equal(ks_errno(volume_fsync(f->v, handle_inode(h), true)), EIO);
    assert_int_equal(ks_errno(volume_write(f->v, handle_inode(h), "d", 1, 3)), EIO);
    fixture_file_close(f, i, h);
    check_ok(fixture_file(f, "file", false, &i, &h)); /* known again, still poisoned */
    assert_int_equal(ks_errno(volume_fsync(f->v, handle_inode(h), true)), EIO);
    fixture_file_close(f, i, h);
    assert_true(f->alerts > 0);
    fixture_close(f);
    fault_free(faulty);
}

static ks_rc sync_root(struct volume *v)
{
    struct handle *h;

    TRY(volume_opendir(v, volume_root(v), &h));
    ks_rc rc = volume_fsyncdir(v, h);
    volume_close(v, h);
    return rc;
}

static void sync_of_a_directory__failed_once__fails_for_ever(void **state)
{
    struct bench *b = *state;
    struct io *faulty;
    struct fixture *f;

    check_ok(fault_new(b->io, &faulty));
    check_ok(fixture_open(faulty, "/", b->keys, &f));
    fault_arm(faulty, 2, EMFILE, false); /* behind the opening */
    assert_int_equal(ks_errno(sync_root(f->v)), EMFILE);
    assert_string_equal(fault_name(faulty), "sync_dir");
    check_ok(sync_root(f->v)); /* nothing was tried */
    fault_arm(faulty, 2, ENOSPC, false);
    assert_int_equal(ks_errno(sync_root(f->v)), ENOSPC);
    assert_int_equal(ks_errno(sync_root(f->v)), EIO);
    assert_int_equal(ks_errno(sync_root(f->v)), EIO);
    assert_int_equal(volume_counters_get(f->v).files_poisoned, 1);
    assert_int_equal(f->alerts, 1);
    fixture_close(f);
    fault_free(faulty);
}

static void write__out_of_space__leaves_the_old_contents(void **state)
{
    struct bench *b = *state;
    struct io *faulty;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    static uint8_t big[20000], got[30000];
    size_t len;

    check_ok(fault_new(b->io, &faulty));
    check_ok(fixture_open(faulty, "/", b->keys, &f));
    check_ok(fixture_file(f, "file", true, &i, &h));
    memset(big, 1, sizeof big);
    check_ok(volume_write(f->v, handle_inode(h), big, 5000, 0));
    for (uint64_t n = 1; n <= 3; n++) { /* read of the edge, then the write */
        fault_arm(faulty, n, ENOSPC, false);
        ks_rc rc = volume_write(f->v, handle_inode(h), big, sizeof big, 4000);
        uint64_t calls = fault_count(faulty);
        fault_arm(faulty, 0, 0, false);
        if (ks_ok(rc) && calls < n)
            break;
        assert_int_equal(ks_errno(rc), ENOSPC);
        check_ok(volume_read(f->v, handle_inode(h), got, sizeof got, 0, &len));
        assert_int_equal(len, 5000);
    }
    check_ok(volume_write(f->v, handle_inode(h), big, sizeof big, 4000));
    check_ok(volume_read(f->v, handle_inode(h), got, sizeof got, 0, &len));
    assert_int_equal(len, 24000);
    fixture_file_close(f, i, h);
    fixture_close(f);
    fault_free(faulty);
}

/* --- damage --- */

static ks_rc open_raw(struct bench *b, struct io_node **ret_node, struct io_file **ret)
{
    struct io_dir *d;
    struct io_dirent e;
    struct stat st;

    TRY(b->io->ops->dir_open(b->io, b->f->tree, &d));
    do
        TRY(b->io->ops->dir_next(b->io, d, &e));
    while (e.name[0] == '.');
    b->io->ops->dir_close(b->io, d);
    TRY(b->io->ops->lookup(b->io, b->f->tree, e.name, ret_node, &st));
    return b->io->ops->open(b->io, *ret_node, false, ret);
}

static void flip_bit(struct bench *b, struct io_file *raw, size_t bit)
{
    uint8_t byte;
    size_t len;

    check_ok(b->io->ops->pread(b->io, raw, &byte, 1, bit / 8, &len));
    byte ^= (uint8_t)(1u << bit % 8);
    check_ok(b->io->ops->pwrite(b->io, raw, &byte, 1, bit / 8));
}

/* Reads block by block, as an application that goes on after an error; counts errors; bytes that do come must be right. */
static unsigned read_with_errors(struct bench *b, const uint8_t *want, size_t size)
{
    static uint8_t got[3584];
    struct inode *i;
    struct handle *h;
    unsigned errors = 0;

    ks_rc rc = fixture_file(b->f, "file", false, &i, &h);
    if (!ks_ok(rc)) {
        assert_int_equal(rc.cls, KS_CLASS_CORRUPT);
        return 1;
    }
    for (size_t at = 0; at < size; at += sizeof got) {
        size_t len = 0, expect = size - at < sizeof got ? size - at : sizeof got;
        rc = volume_read(b->f->v, handle_inode(h), got, sizeof got, at, &len);
        if (ks_ok(rc)) {
            assert_int_equal(len, expect);
            assert_memory_equal(got, want + at, len);
        } else {
            assert_int_equal(rc.cls, KS_CLASS_CORRUPT);
            errors++;
        }
    }
    fixture_file_close(b->f, i, h);
    return errors;
}

static void file__each_bit_flipped__is_an_error_never_wrong_data(void **state)
{
    struct bench *b = *state;
    static uint8_t want[8000];
    struct io_node *node;
    struct io_file *raw;
    struct inode *i;
    struct handle *h;
    struct stat st;

    check_ok(random_fill(random_system(), want, sizeof want));
    check_ok(fixture_file(b->f, "file", true, &i, &h));
    check_ok(volume_write(b->f->v, handle_inode(h), want, sizeof want, 0));
    fixture_file_close(b->f, i, h);
    check_ok(open_raw(b, &node, &raw));
    check_ok(b->io->ops->file_stat(b->io, raw, &st));
    assert_int_equal(st.st_size, 4 * 4096);
    /* every bit of the metadata, every 13th of the payloads: all of them in block_test */
    for (size_t bit = 0; bit < (size_t)st.st_size * 8;
         bit += (bit / 8 % 4096 >= 3584 && bit / 8 % 4096 < 3640) || bit / 8 < 100 ? 1 : 13) {
        flip_bit(b, raw, bit);
        if (read_with_errors(b, want, sizeof want) == 0)
            fail_msg("bit %zu flipped has no effect", bit);
        flip_bit(b, raw, bit);
    }
    assert_int_equal(read_with_errors(b, want, sizeof want), 0);
    b->io->ops->close(b->io, raw);
    b->io->ops->node_close(b->io, node);
}

struct damage {
    unsigned blocks, files;
    uint64_t block;
    char path[64];
};

static void note_damage(void *arg, const char *path, uint64_t block, const char *what)
{
    struct damage *d = arg;

    assert_true(strlen(what) > 0);
    snprintf(d->path, sizeof d->path, "%s", path);
    d->blocks += block != UINT64_MAX;
    d->files += block == UINT64_MAX;
    d->block = block;
}

static void survey__damaged_block__is_named(void **state)
{
    struct bench *b = *state;
    static uint8_t data[9000];
    struct damage d = {0};
    struct io_node *node;
    struct io_file *raw;
    struct inode *i;
    struct handle *h;
    struct survey s;

    check_ok(fixture_file(b->f, "ledger", true, &i, &h));
    check_ok(volume_write(b->f->v, handle_inode(h), data, sizeof data, 0));
    fixture_file_close(b->f, i, h);
    struct survey_conf conf = {.io = b->io,
                               .tree = b->f->tree,
                               .long_names = b->f->long_names,
                               .block_payload = 3584,
                               .volume = b->f->v,
                               .damaged = note_damage,
                               .arg = &d};
    memcpy(conf.volume_id, b->keys->keyring->volume_id, sizeof conf.volume_id);
    check_ok(survey_run(&conf, &s));
    assert_int_equal(s.files, 1);
    assert_int_equal(s.blocks, 3);
    assert_int_equal(s.blocks_damaged, 0);
    assert_int_equal(s.generation_count, 1);
    assert_int_equal(s.generations[0].bytes, 3 * 4096);
    survey_done(&s);
    check_ok(open_raw(b, &node, &raw));
    flip_bit(b, raw, (4096 + 4096 + 77) * 8);
    check_ok(survey_run(&conf, &s));
    assert_int_equal(s.blocks_damaged, 1);
    assert_int_equal(s.files_damaged, 1);
    assert_int_equal(d.block, 1);
    assert_string_equal(d.path, "/ledger");
    survey_done(&s);
    b->io->ops->close(b->io, raw);
    b->io->ops->node_close(b->io, node);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file__random_operations__are_as_the_model),
        cmocka_unit_test_setup_teardown(file__random_operations_dense__are_as_the_model,
                                        bench_new_dense, bench_free),
        TEST(names__long_and_many__are_listed),
        TEST(symlink__short_and_4000_bytes__is_read_back),
        TEST(file__unlinked_while_open__is_still_read),
        TEST(file__renamed_and_linked__is_the_same_file),
        TEST(mtime__kept__is_shown_at_once_and_survives_reopening),
        TEST(mtime__kept__tells_the_mode_that_was_set_before),
        TEST(mtime__of_a_locked_volume__is_refused),
        TEST(attribute__set__comes_back_and_is_not_in_clear),
        TEST(door__closed__lets_nothing_through),
        TEST(door__closed__is_not_opened_for_writes),
        TEST(door__opened_again_with_keys__serves_open_files),
        TEST(sync__failed_once__fails_for_ever),
        TEST(sync_of_a_directory__failed_once__fails_for_ever),
        TEST(write__out_of_space__leaves_the_old_contents),
        TEST(file__each_bit_flipped__is_an_error_never_wrong_data),
        TEST(survey__damaged_block__is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
