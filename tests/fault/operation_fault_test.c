/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever call of the file system below fails under one operation of a volume, before it has done anything or
 * after a write of some of its pages, the operation says so with that errno; the volume is as it was or as it was to
 * become, a file that was being written block by block; nothing behind its end counts as contents later; and with a
 * healthy disk the same operation works, in the same mount.
 */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fault_each.h"
#include "io/crash.h"
#include "volume/survey.h"
#include "volume_shot.h"

enum { PAYLOAD = 3584, WORK_BYTES = 9000, OTHER_BYTES = 100, GROWN_BYTES = 63000 };

static const struct caller maker = {
    7, 8};                   /* so that objects are made aside, and given to somebody else */
static uint8_t fives[50000]; /* what is written */

/* --- the operations: on the object of a name, or on the root --- */

static ks_rc link_second(struct volume *v, struct inode *i)
{
    struct stat st;

    TRY(volume_link(v, i, volume_root(v), "second", &st));
    volume_forget(v, i, 1);
    return KS_SUCCESS;
}

static ks_rc unlink_other(struct volume *v, struct inode *root)
{
    return volume_unlink(v, root, "other");
}

static ks_rc rmdir_sub(struct volume *v, struct inode *root)
{
    return volume_rmdir(v, root, "sub");
}

static ks_rc rename_over(struct volume *v, struct inode *root)
{
    return volume_rename(v, root, "other", root, SHOT_FILE, 0);
}

static ks_rc rename_exchange(struct volume *v, struct inode *root)
{
    return volume_rename(v, root, "other", root, SHOT_FILE, RENAME_EXCHANGE);
}

static ks_rc rename_to_long(struct volume *v, struct inode *root)
{
    return volume_rename(v, root, "other", root, SHOT_LONG_NAME, RENAME_NOREPLACE);
}

static ks_rc rename_into_sub(struct volume *v, struct inode *sub)
{
    return volume_rename(v, volume_root(v), "other", sub, "moved", 0);
}

static ks_rc made(struct volume *v, ks_rc rc, struct inode *i)
{
    if (ks_ok(rc))
        volume_forget(v, i, 1);
    return rc;
}

static ks_rc mknod_fifo(struct volume *v, struct inode *root)
{
    struct inode *i = NULL;
    struct stat st;
    ks_rc rc = volume_mknod(v, root, "fifo", S_IFIFO | 0600, 0, &maker, &i, &st);

    return made(v, rc, i);
}

static ks_rc mkdir_new(struct volume *v, struct inode *root)
{
    struct inode *i = NULL;
    struct stat st;
    ks_rc rc = volume_mkdir(v, root, "newdir", 0750, &maker, &i, &st);

    return made(v, rc, i);
}

static ks_rc mkdir_long(struct volume *v, struct inode *root)
{
    struct inode *i = NULL;
    struct stat st;
    ks_rc rc = volume_mkdir(v, root, SHOT_LONG_NAME, 0750, &maker, &i, &st);

    return made(v, rc, i);
}

static ks_rc symlink_new(struct volume *v, struct inode *root)
{
    struct inode *i = NULL;
    struct stat st;
    ks_rc rc = volume_symlink(v, root, "newlink", "to/there", &maker, &i, &st);

    return made(v, rc, i);
}

static ks_rc create_new(struct volume *v, struct inode *root)
{
    struct inode *i = NULL;
    struct handle *h;
    struct stat st;
    ks_rc rc = volume_create(v, root, "new", 0640, &maker, &i, &st, &h);

    if (ks_ok(rc))
        volume_close(v, h);
    return made(v, rc, i);
}

static ks_rc chmod_it(struct volume *v, struct inode *i)
{
    struct stat in = {.st_mode = 0400}, st;

    return volume_setattr(v, i, IO_ATTR_MODE, &in, &st);
}

static ks_rc chown_it(struct volume *v, struct inode *i)
{
    struct stat in = {.st_uid = 3, .st_gid = 4}, st;

    return volume_setattr(v, i, IO_ATTR_UID | IO_ATTR_GID, &in, &st);
}

static ks_rc utimens_it(struct volume *v, struct inode *i)
{
    struct stat in = {.st_mtim.tv_sec = SHOT_MTIME_S}, st;

    return volume_setattr(v, i, IO_ATTR_MTIME, &in, &st);
}

static ks_rc keep_mtime(struct volume *v, struct inode *i)
{
    const struct timespec mtime = {.tv_sec = SHOT_MTIME_S};
    struct stat st;

    TRY(volume_keep_mtime(v, i, &mtime, &st));
    return volume_fsync(v, i, false);
}

static ks_rc setxattr_new(struct volume *v, struct inode *i)
{
    return volume_setxattr(v, i, "user.b", view_text("two"), 0);
}

static ks_rc setxattr_replace(struct volume *v, struct inode *i)
{
    return volume_setxattr(v, i, "user.a", view_text("another"), 0);
}

static ks_rc removexattr_it(struct volume *v, struct inode *i)
{
    return volume_removexattr(v, i, "user.a");
}

static ks_rc getxattr_it(struct volume *v, struct inode *i)
{
    CLEANUP(buf_done) struct buf value = buf_init(100);

    TRY(volume_getxattr(v, i, "user.a", &value));
    check_bytes(buf_view(&value), view_text("one"));
    return KS_SUCCESS;
}

static ks_rc listxattr_it(struct volume *v, struct inode *i)
{
    CLEANUP(buf_done) struct buf list = buf_init(100);

    TRY(volume_listxattr(v, i, &list));
    check_bytes(buf_view(&list), view_of("user.a", sizeof "user.a"));
    return KS_SUCCESS;
}

static ks_rc readlink_it(struct volume *v, struct inode *i)
{
    CLEANUP(buf_done) struct buf target = buf_init(100);

    TRY(volume_readlink(v, i, &target));
    check_bytes(buf_view(&target), view_text("a/target"));
    return KS_SUCCESS;
}

static ks_rc stat_link(struct volume *v, struct inode *i)
{
    struct stat st;

    TRY(volume_getattr(v, i, &st));
    assert_int_equal(st.st_size, strlen("a/target"));
    return KS_SUCCESS;
}

static ks_rc seek_it(struct volume *v, struct inode *i)
{
    uint64_t at;

    TRY(volume_seek(v, i, 10, IO_SEEK_DATA, &at));
    assert_int_equal(at, 10);
    TRY(volume_seek(v, i, 0, IO_SEEK_HOLE, &at));
    assert_int_equal(at, WORK_BYTES);
    return KS_SUCCESS;
}

static ks_rc read_it(struct volume *v, struct inode *i)
{
    uint8_t got[WORK_BYTES];
    size_t len;

    TRY(volume_read(v, i, got, sizeof got, 0, &len));
    assert_int_equal(len, sizeof got);
    for (size_t n = 0; n < len; n++)
        assert_int_equal(got[n], 7);
    return KS_SUCCESS;
}

static ks_rc fsync_it(struct volume *v, struct inode *i)
{
    return volume_fsync(v, i, false);
}

#define TRUNCATE(name, size)                                                                       \
    static ks_rc name(struct volume *v, struct inode *i)                                           \
    {                                                                                              \
        return volume_truncate(v, i, (size));                                                      \
    }
TRUNCATE(truncate_to_nothing, 0)
TRUNCATE(truncate_within_block, 8000)
TRUNCATE(truncate_blocks_away, 1000)
TRUNCATE(truncate_at_block, PAYLOAD)
TRUNCATE(grow_within_block, WORK_BYTES + 100)
TRUNCATE(grow_far, 40000)

#define FALLOCATE(name, mode, at, len)                                                             \
    static ks_rc name(struct volume *v, struct inode *i)                                           \
    {                                                                                              \
        return volume_fallocate(v, i, (mode), (at), (len));                                        \
    }
FALLOCATE(fallocate_grow, 0, 5000, 20000)
FALLOCATE(fallocate_keep, FALLOC_FL_KEEP_SIZE, 5000, 20000)
FALLOCATE(fallocate_punch, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 8000)
FALLOCATE(fallocate_zero, FALLOC_FL_ZERO_RANGE, 100, 20000)
FALLOCATE(fallocate_zero_keep, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 100, 20000)

#define WRITE(name, len, at)                                                                       \
    static ks_rc name(struct volume *v, struct inode *i)                                           \
    {                                                                                              \
        return volume_write(v, i, fives, (len), (at));                                             \
    }
WRITE(write_over, 6000, 1000)
WRITE(write_append, 20000, WORK_BYTES)
WRITE(write_over_and_append, 20000, 100)
WRITE(write_sparse, 9000, 30000)

/* --- the table --- */

enum kind {
    WHOLE,  /* as it was, or as it is to be */
    BLOCKS, /* contents: each block of the file on its own; the size is one of the two */
    CUTS,   /* the same, and the size may be that of the block at which the file was cut first */
};

struct operation {
    const char *name, *target; /* target NULL: the root */
    ks_rc (*run)(struct volume *v, struct inode *i);
    enum kind kind;
};

static const struct operation operations[] = {
    {"link", SHOT_FILE, link_second, WHOLE},
    {"unlink", NULL, unlink_other, WHOLE},
    {"rmdir", NULL, rmdir_sub, WHOLE},
    {"rename over", NULL, rename_over, WHOLE},
    {"rename exchange", NULL, rename_exchange, WHOLE},
    {"rename to a long name", NULL, rename_to_long, WHOLE},
    {"rename into another directory", "sub", rename_into_sub, WHOLE},
    {"mknod", NULL, mknod_fifo, WHOLE},
    {"mkdir", NULL, mkdir_new, WHOLE},
    {"mkdir of a long name", NULL, mkdir_long, WHOLE},
    {"symlink", NULL, symlink_new, WHOLE},
    {"create", NULL, create_new, WHOLE},
    {"chmod", SHOT_FILE, chmod_it, WHOLE},
    {"chown", SHOT_FILE, chown_it, WHOLE},
    {"utimens", SHOT_FILE, utimens_it, WHOLE},
    {"kept mtime and sync", SHOT_FILE, keep_mtime, WHOLE},
    {"setxattr", SHOT_FILE, setxattr_new, WHOLE},
    {"setxattr over", SHOT_FILE, setxattr_replace, WHOLE},
    {"removexattr", SHOT_FILE, removexattr_it, WHOLE},
    {"getxattr", SHOT_FILE, getxattr_it, WHOLE},
    {"listxattr", SHOT_FILE, listxattr_it, WHOLE},
    {"readlink", "link", readlink_it, WHOLE},
    {"stat of a symlink", "link", stat_link, WHOLE},
    {"seek", SHOT_FILE, seek_it, WHOLE},
    {"read", SHOT_FILE, read_it, WHOLE},
    {"fsync", SHOT_FILE, fsync_it, WHOLE},
    {"truncate to nothing", SHOT_FILE, truncate_to_nothing, BLOCKS},
    {"truncate within a block", SHOT_FILE, truncate_within_block, BLOCKS},
    {"truncate blocks away", SHOT_FILE, truncate_blocks_away, CUTS},
    {"truncate at a block", SHOT_FILE, truncate_at_block, CUTS},
    {"grow within a block", SHOT_FILE, grow_within_block, BLOCKS},
    {"grow far", SHOT_FILE, grow_far, BLOCKS},
    {"fallocate", SHOT_FILE, fallocate_grow, BLOCKS},
    {"fallocate KEEP_SIZE", SHOT_FILE, fallocate_keep, BLOCKS},
    {"fallocate PUNCH_HOLE", SHOT_FILE, fallocate_punch, BLOCKS},
    {"fallocate ZERO_RANGE", SHOT_FILE, fallocate_zero, BLOCKS},
    {"fallocate ZERO_RANGE KEEP_SIZE", SHOT_FILE, fallocate_zero_keep, BLOCKS},
    {"write over", SHOT_FILE, write_over, BLOCKS},
    {"write behind the end", SHOT_FILE, write_append, BLOCKS},
    {"write over the end", SHOT_FILE, write_over_and_append, BLOCKS},
    {"write far behind the end", SHOT_FILE, write_sparse, BLOCKS},
};

/* --- one attempt --- */

struct bench;

/* What comes after the failure, with a healthy disk in the same mount. Returns whether it is known exactly what the
 * volume holds then, and what. */
typedef bool (*follow_fn)(struct bench *b, struct fixture *f, const struct shot *left,
                          struct shot *ret);

struct bench {
    const struct operation *op;
    struct fixture_keys *keys;
    struct io *template, *disk, *faulty; /* disk: a copy of the template */
    struct shot old, fresh;              /* before, and after a run without a fault */
    bool is_from_nothing;                /* the file has no block, and no header, before */
    follow_fn follow;
    char attempt[160]; /* what is tried, for messages */
};

/* The object stays known, as while a program has it open: *held is given back with volume_forget; NULL: none. */
static ks_rc run_operation(const struct operation *op, struct fixture *f, struct inode **held)
{
    struct stat st;

    *held = NULL;
    if (!op->target)
        return op->run(f->v, volume_root(f->v));
    TRY(volume_lookup(f->v, volume_root(f->v), op->target, held, &st));
    return op->run(f->v, *held);
}

static void let_go(struct fixture *f, struct inode *held)
{
    if (held)
        volume_forget(f->v, held, 1);
}

static void make_file(struct fixture *f, const char *name, uint8_t byte, size_t bytes)
{
    static uint8_t data[WORK_BYTES];
    struct inode *i;
    struct handle *h;

    memset(data, byte, bytes);
    check_ok(fixture_file(f, name, true, &i, &h));
    check_ok(volume_write(f->v, i, data, bytes, 0));
    check_ok(volume_setxattr(f->v, i, "user.a", view_text("one"), 0));
    check_ok(volume_fsync(f->v, i, false));
    fixture_file_close(f, i, h);
}

static void make_tree(struct bench *b)
{
    const struct caller root = {0, 0};
    struct fixture *f;
    struct inode *i;
    struct stat st;

    check_ok(fixture_open(b->template, "/", b->keys, &f));
    make_file(f, SHOT_FILE, 7, b->is_from_nothing ? 0 : WORK_BYTES);
    make_file(f, "other", 3, OTHER_BYTES);
    check_ok(volume_mkdir(f->v, volume_root(f->v), "sub", 0700, &root, &i, &st));
    volume_forget(f->v, i, 1);
    check_ok(volume_symlink(f->v, volume_root(f->v), "link", "a/target", &root, &i, &st));
    volume_forget(f->v, i, 1);
    fixture_close(f);
}

static void bench_begin(struct bench *b)
{
    b->disk = fault_copy_of(b->template);
    check_ok(fault_new(b->disk, &b->faulty));
}

static void bench_end(struct bench *b)
{
    fault_free(b->faulty);
    crash_free(b->disk);
}

static void template_begin(struct bench *b)
{
    check_ok(fixture_keys_new(PAYLOAD, &b->keys));
    check_ok(crash_new(&b->template));
    check_ok(fixture_layout(b->template, "/"));
    make_tree(b);
}

static void template_end(struct bench *b)
{
    crash_free(b->template);
    fixture_keys_free(b->keys);
}

/* What the operation does without a fault. */
static void learn(struct bench *b)
{
    struct inode *held;
    struct fixture *f;

    bench_begin(b);
    check_ok(fixture_open(b->disk, "/", b->keys, &f));
    shot_take(f, &b->old);
    check_ok(run_operation(b->op, f, &held));
    shot_take(f, &b->fresh);
    let_go(f, held);
    fixture_close(f);
    bench_end(b);
}

/* --- what may be left --- */

static bool is_block_of(const struct shot *got, const struct shot *want, size_t at)
{
    size_t len = got->len - at < PAYLOAD ? got->len - at : PAYLOAD;

    return memcmp(got->bytes + at, want->bytes + at, len) == 0;
}

static bool is_size_legal(const struct bench *b, const struct shot *got, bool is_undone)
{
    if (got->len == b->old.len || got->len == b->fresh.len)
        return true;
    if (b->op->kind == CUTS)
        return got->len == (b->fresh.len + PAYLOAD - 1) / PAYLOAD * PAYLOAD;
    return !is_undone && got->len > b->old.len && got->len < b->fresh.len;
}

/* is_undone: what a failed write added could be taken back; else the blocks that it added may be there. */
static void check_left(const struct bench *b, const struct shot *got, bool is_undone)
{
    if (shot_is_same(got, &b->old) || shot_is_same(got, &b->fresh))
        return;
    if (b->op->kind == WHOLE)
        fail_msg("%s: neither as it was\n%snor as it was to be\n%sbut\n%s", b->attempt, b->old.text,
                 b->fresh.text, got->text);
    assert_string_equal(got->text, b->old.text);
    if (!is_size_legal(b, got, is_undone))
        fail_msg("%s: %zu bytes, before %zu, to be %zu", b->attempt, got->len, b->old.len,
                 b->fresh.len);
    for (size_t at = 0; at < got->len; at += PAYLOAD)
        if (!is_block_of(got, &b->old, at) && !is_block_of(got, &b->fresh, at))
            fail_msg("%s: the block at %zu is neither the old nor the new one", b->attempt, at);
}

static void check_same(const struct bench *b, const struct shot *got, const struct shot *want,
                       const char *when)
{
    if (!shot_is_same(got, want))
        fail_msg("%s: %s it holds %zu bytes\n%sinstead of %zu bytes\n%s", b->attempt, when,
                 got->len, got->text, want->len, want->text);
}

static ks_rc survey_all(struct bench *b, struct fixture *f)
{
    struct survey_conf conf = {.io = b->disk,
                               .tree = f->tree,
                               .long_names = f->long_names,
                               .block_payload = PAYLOAD,
                               .volume = f->v,
                               .threads = 1};
    CLEANUP(survey_done) struct survey s = {0};

    memcpy(conf.volume_id, b->keys->keyring->volume_id, sizeof conf.volume_id);
    TRY(survey_run(&conf, &s));
    assert_int_equal(s.files_damaged + s.blocks_damaged + s.names_damaged, 0);
    return KS_SUCCESS;
}

/* With a healthy disk and another mount. */
static void check_disk(struct bench *b, struct shot *ret)
{
    struct fixture *f;

    check_ok(fixture_open(b->disk, "/", b->keys, &f));
    shot_take(f, ret);
    check_ok(survey_all(b, f));
    assert_int_equal(f->alerts, 0);
    fixture_close(f);
}

/* After a sync that failed every change of the file fails. */
static bool is_poisoned(struct fixture *f)
{
    return volume_counters_get(f->v).files_poisoned > 0;
}

/* --- what may follow --- */

static bool do_nothing(struct bench *b, struct fixture *f, const struct shot *left,
                       struct shot *ret)
{
    (void)b;
    (void)f;
    (void)left;
    (void)ret;
    return false;
}

static bool run_again(struct bench *b, struct fixture *f, const struct shot *left, struct shot *ret)
{
    struct inode *held;

    *ret = b->fresh;
    if (shot_is_same(left, &b->fresh))
        return true;
    ks_rc rc = run_operation(b->op, f, &held);
    let_go(f, held);
    if (is_poisoned(f) && ks_is_os(rc, EIO))
        return false;
    check_ok(rc);
    return true;
}

static bool grow(struct bench *b, struct fixture *f, const struct shot *left, struct shot *ret)
{
    struct inode *i;
    struct stat st;

    (void)b;
    *ret = *left;
    ret->len = GROWN_BYTES;
    check_ok(volume_lookup(f->v, volume_root(f->v), SHOT_FILE, &i, &st));
    ks_rc rc = volume_truncate(f->v, i, GROWN_BYTES);
    volume_forget(f->v, i, 1);
    if (is_poisoned(f) && ks_is_os(rc, EIO))
        return false;
    check_ok(rc);
    return true;
}

/* In the mount, and in the next one. */
static void check_follow(struct bench *b, struct fixture *f, struct inode *held, bool is_lasting)
{
    static struct shot left, want, got;

    shot_take(f, &left);
    check_left(b, &left, true);
    bool is_exact = b->follow(b, f, &left, &want);

    shot_take(f, &got);
    if (is_exact)
        check_same(b, &got, &want, "afterwards");
    let_go(f, held);
    fixture_close(f);
    check_disk(b, &got);
    if (is_exact)
        check_same(b, &got, &want, "in the next mount");
    else
        check_left(b, &got, !is_lasting);
}

static bool try_one(void *arg, const struct fault_case *c)
{
    static struct shot got;
    struct bench *b = arg;
    struct inode *held;
    struct fixture *f;

    bench_begin(b);
    check_ok(fixture_open(b->faulty, "/", b->keys, &f));
    fault_arm_case(b->faulty, c);
    ks_rc rc = run_operation(b->op, f, &held);
    const char *failed = fault_name(b->faulty);
    fault_arm(b->faulty, 0, 0, false);
    snprintf(b->attempt, sizeof b->attempt, "%s, errno %d at call %u (%s), %s, %u pages written",
             b->op->name, c->err, (unsigned)c->n, failed ? failed : "none",
             c->is_lasting ? "lasting" : "once", (unsigned)c->pages);
    if (!ks_ok(rc) && (!failed || ks_errno(rc) != c->err))
        fail_msg("%s: %s", b->attempt, ks_text(rc));
    if (ks_ok(rc)) {
        shot_take(f, &got);
        check_same(b, &got, &b->fresh, "though it succeeded");
    }
    check_follow(b, f, held, c->is_lasting);
    bench_end(b);
    return failed != NULL;
}

/* How the operation fails does not change what may follow: there one errno is enough. */
static size_t try_operation(struct bench *b, const struct operation *op)
{
    static const follow_fn follows[] = {run_again, grow};
    size_t tried, count = op->kind == WHOLE ? 1 : 2;

    b->op = op;
    learn(b);
    b->follow = do_nothing;
    tried = fault_each_kind(try_one, b) + fault_each_part(try_one, b);
    for (size_t n = 0; n < count; n++) {
        b->follow = follows[n];
        tried += fault_each(try_one, b, EIO, false) + fault_each_part(try_one, b);
    }
    assert_true(tried > 0);
    return tried;
}

/* --- the tests --- */

static void operation__each_call_fails__was_or_becomes_and_works_again(void **state)
{
    static struct bench b;
    size_t tried = 0;

    (void)state;
    template_begin(&b);
    for (size_t n = 0; n < sizeof operations / sizeof operations[0]; n++)
        tried += try_operation(&b, &operations[n]);
    print_message("%zu calls failed in turn\n", tried);
    template_end(&b);
}

/* The header of the file is made, too. */
static void operation__on_an_empty_file__was_or_becomes_and_works_again(void **state)
{
    static struct bench b = {.is_from_nothing = true};
    size_t tried = 0;

    (void)state;
    template_begin(&b);
    for (size_t n = 0; n < sizeof operations / sizeof operations[0]; n++)
        if (operations[n].kind == BLOCKS)
            tried += try_operation(&b, &operations[n]);
    print_message("%zu calls failed in turn\n", tried);
    template_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operation__each_call_fails__was_or_becomes_and_works_again),
        cmocka_unit_test(operation__on_an_empty_file__was_or_becomes_and_works_again),
    };

    memset(fives, 5, sizeof fives);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
