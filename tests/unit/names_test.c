/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every legal name comes back from its cipher text, long ones through a durable record; nothing that
 * the volume did not write is taken for a name.
 */
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "io/atomic_file.h"
#include "io/crash.h"
#include "volume/names.h"

struct bench {
    struct io *io;
    struct io_node *dir;
    struct names *names;
};

static const uint8_t key[64] = "sixty-four bytes of a key that is the same in every test here..";

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(secret_init());
    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(crash_new(&b->io));
    check_ok(b->io->ops->open_root(b->io, "/", &b->dir));
    check_ok(names_new(view_of(key, sizeof key), b->io, b->dir, &b->names));
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    names_free(b->names);
    b->io->ops->node_close(b->io, b->dir);
    crash_free(b->io);
    mem_free(b);
    return 0;
}

static void name_of_length(size_t len, char out[NAME_LONG_MAX])
{
    for (size_t n = 0; n < len; n++)
        out[n] = (char)('a' + (n * 7 + len) % 26);
    out[len] = 0;
}

static void name__of_each_length__comes_back(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX];

    for (size_t len = 1; len <= NAME_PLAIN_MAX; len++) {
        CLEANUP(buf_done) struct buf sealed = buf_init(NAME_CIPHER_BYTES), back = buf_init(256);
        name_of_length(len, name);
        check_ok(names_seal(b->names, NAME_ENTRY, name, 255, true, &sealed));
        assert_true(sealed.len <= 255);
        assert_null(memchr(sealed.bytes, '/', sealed.len));
        check_ok(names_open(b->names, NAME_ENTRY, buf_text(&sealed), &back));
        assert_string_equal(buf_text(&back), name);
    }
}

static void target__of_4095_bytes__comes_back(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX];
    CLEANUP(buf_done) struct buf sealed = buf_init(4096), back = buf_init(4096);

    name_of_length(TARGET_PLAIN_MAX, name);
    check_ok(names_seal(b->names, NAME_TARGET, name, TARGET_PLAIN_MAX, true, &sealed));
    check_ok(names_open(b->names, NAME_TARGET, buf_text(&sealed), &back));
    assert_string_equal(buf_text(&back), name);
}

static void name__too_long_or_empty__is_refused(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX];
    CLEANUP(buf_done) struct buf sealed = buf_init(4096);

    name_of_length(NAME_PLAIN_MAX + 1, name);
    assert_int_equal(ks_errno(names_seal(b->names, NAME_ENTRY, name, 255, true, &sealed)),
                     ENAMETOOLONG);
    assert_int_equal(ks_errno(names_seal(b->names, NAME_ENTRY, "", 255, true, &sealed)), ENOENT);
}

static void name__as_another_kind__is_refused(void **state)
{
    struct bench *b = *state;
    CLEANUP(buf_done) struct buf sealed = buf_init(4096), back = buf_init(4096);

    check_ok(names_seal(b->names, NAME_ENTRY, "accounts", 255, true, &sealed));
    check_rc(names_open(b->names, NAME_TARGET, buf_text(&sealed), &back), AUTH);
    assert_int_equal(back.len, 0);
}

static void name__each_bit_flipped__is_never_another_name(void **state)
{
    struct bench *b = *state;
    CLEANUP(buf_done) struct buf sealed = buf_init(256);

    check_ok(names_seal(b->names, NAME_ENTRY, "pg_wal", 255, true, &sealed));
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        CLEANUP(buf_done) struct buf back = buf_init(256);
        sealed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ks_rc rc = names_open(b->names, NAME_ENTRY, buf_text(&sealed), &back);
        if (ks_ok(rc))
            fail_msg("bit %zu gives the name %s", bit, buf_text(&back));
        sealed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void long_name__looked_up_only__stores_nothing(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX];
    CLEANUP(buf_done) struct buf sealed = buf_init(256), back = buf_init(256);

    name_of_length(200, name);
    check_ok(names_seal(b->names, NAME_ENTRY, name, 255, false, &sealed));
    check_rc(names_open(b->names, NAME_ENTRY, buf_text(&sealed), &back), CORRUPT); /* it is lost */
}

static void long_name__record_changed__is_corrupt(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX];
    struct io_node *node;
    struct io_file *file;
    struct stat st;
    CLEANUP(buf_done) struct buf sealed = buf_init(256), back = buf_init(256);

    name_of_length(200, name);
    check_ok(names_seal(b->names, NAME_ENTRY, name, 255, true, &sealed));
    check_ok(b->io->ops->lookup(b->io, b->dir, buf_text(&sealed) + 1, &node, &st));
    check_ok(b->io->ops->open(b->io, node, false, &file));
    check_ok(b->io->ops->pwrite(b->io, file, "x", 1, 20));
    b->io->ops->close(b->io, file);
    b->io->ops->node_close(b->io, node);
    check_class(names_open(b->names, NAME_ENTRY, buf_text(&sealed), &back), CORRUPT);
}

/* What may stand where a record is referred to, and is none: longer than any, no file, and what is no name of one. */
static void long_name__of_what_is_no_record__is_corrupt(void **state)
{
    static const char *const texts[] = {"~", "~../../etc/passwd", "~.", "~/", "~short"};
    static uint8_t zeros[NAME_LONG_MAX + 1];
    struct bench *b = *state;
    char name[NAME_LONG_MAX];
    CLEANUP(buf_done) struct buf sealed = buf_init(256), back = buf_init(8192);

    name_of_length(200, name);
    check_ok(names_seal(b->names, NAME_ENTRY, name, 255, false, &sealed));
    const char *record = buf_text(&sealed) + 1;
    check_ok(atomic_file_write(b->io, b->dir, record, 0600, view_of(zeros, sizeof zeros)));
    check_class(names_open(b->names, NAME_ENTRY, buf_text(&sealed), &back), CORRUPT);
    check_class(names_check_record(b->names, record), CORRUPT);
    check_ok(b->io->ops->unlink(b->io, b->dir, record));
    check_ok(b->io->ops->mkdir(b->io, b->dir, record, 0700));
    check_class(names_open(b->names, NAME_ENTRY, buf_text(&sealed), &back), CORRUPT);
    check_ok(b->io->ops->rmdir(b->io, b->dir, record));
    check_ok(b->io->ops->symlink(b->io, b->dir, record, "/etc/passwd"));
    check_class(names_open(b->names, NAME_ENTRY, buf_text(&sealed), &back), CORRUPT);
    for (size_t n = 0; n < sizeof texts / sizeof texts[0]; n++)
        check_class(names_open(b->names, NAME_TARGET, texts[n], &back), CORRUPT);
}

/* A good record, but of a target that is longer than a name can be: damage, and no want of room in the caller's buffer. */
static void long_name__of_the_record_of_a_longer_target__is_corrupt(void **state)
{
    static const enum name_kind kinds[] = {NAME_ENTRY, NAME_ATTRIBUTE};
    struct bench *b = *state;
    char target[NAME_LONG_MAX];
    CLEANUP(buf_done) struct buf sealed = buf_init(256);

    name_of_length(NAME_PLAIN_MAX + 1, target);
    check_ok(names_seal(b->names, NAME_TARGET, target, 255, true, &sealed));
    for (size_t n = 0; n < sizeof kinds / sizeof kinds[0]; n++) {
        CLEANUP(buf_done) struct buf back = buf_init(NAME_PLAIN_MAX);
        check_class(names_open(b->names, kinds[n], buf_text(&sealed), &back), CORRUPT);
        assert_int_equal(back.len, 0);
    }
}

static void record__as_it_was_written__is_sound(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX];
    CLEANUP(buf_done) struct buf sealed = buf_init(256);

    name_of_length(200, name);
    check_ok(names_seal(b->names, NAME_ENTRY, name, 255, true, &sealed));
    assert_true(names_is_record(buf_text(&sealed) + 1));
    assert_false(names_is_record("new.17"));
    check_ok(names_check_record(b->names, buf_text(&sealed) + 1));
}

/* --- what stands already where a record is to be written --- */

static ks_rc store(struct bench *b, const char *name)
{
    CLEANUP(buf_done) struct buf sealed = buf_init(NAME_CIPHER_BYTES);

    return names_seal(b->names, NAME_ENTRY, name, 255, true, &sealed);
}

static void check_opens(struct bench *b, const char *name)
{
    CLEANUP(buf_done) struct buf sealed = buf_init(NAME_CIPHER_BYTES), back = buf_init(256);

    check_ok(names_seal(b->names, NAME_ENTRY, name, 255, false, &sealed));
    check_ok(names_open(b->names, NAME_ENTRY, buf_text(&sealed), &back));
    assert_string_equal(buf_text(&back), name);
}

/* Its name in long/, without storing anything. */
static void record_of(struct bench *b, const char *name, char out[IO_NAME_BYTES])
{
    CLEANUP(buf_done) struct buf sealed = buf_init(NAME_CIPHER_BYTES);

    check_ok(names_seal(b->names, NAME_ENTRY, name, 255, false, &sealed));
    snprintf(out, IO_NAME_BYTES, "%s", buf_text(&sealed) + 1);
}

static ino_t ino_of(struct bench *b, const char *record)
{
    struct io_node *node;
    struct stat st;

    check_ok(b->io->ops->lookup(b->io, b->dir, record, &node, &st));
    b->io->ops->node_close(b->io, node);
    return st.st_ino;
}

static void long_name__stored_again__changes_nothing(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX], record[IO_NAME_BYTES];

    name_of_length(200, name);
    check_ok(store(b, name));
    record_of(b, name, record);
    ino_t before = ino_of(b, record);
    check_ok(store(b, name));
    assert_int_equal(ino_of(b, record), before);
    check_opens(b, name);
}

/* Each is refused, stays as it is, and is written anew when it is gone. */
static void check_is_refused(struct bench *b, const char *name, struct view bytes)
{
    CLEANUP(buf_done) struct buf kept = buf_init(2 * NAME_LONG_MAX);
    char record[IO_NAME_BYTES];

    record_of(b, name, record);
    check_ok(atomic_file_write(b->io, b->dir, record, 0600, bytes));
    check_class(store(b, name), CORRUPT);
    check_ok(atomic_file_read(b->io, b->dir, record, 2 * NAME_LONG_MAX, &kept));
    check_bytes(buf_view(&kept), bytes);
    check_ok(b->io->ops->unlink(b->io, b->dir, record));
    check_ok(store(b, name));
    check_opens(b, name);
}

static void long_name__over_a_record_that_is_not_its_own__is_refused(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX], other[NAME_LONG_MAX], record[IO_NAME_BYTES];
    CLEANUP(buf_done) struct buf right = buf_init(NAME_LONG_MAX), another = buf_init(NAME_LONG_MAX);
    static uint8_t zeros[NAME_LONG_MAX + 1];

    name_of_length(200, name);
    name_of_length(201, other);
    check_ok(store(b, name));
    check_ok(store(b, other));
    record_of(b, name, record);
    check_ok(atomic_file_read(b->io, b->dir, record, NAME_LONG_MAX, &right));
    record_of(b, other, record);
    check_ok(atomic_file_read(b->io, b->dir, record, NAME_LONG_MAX, &another));
    check_is_refused(b, name, buf_view(&another));
    check_is_refused(b, name, view_of(NULL, 0));
    check_is_refused(b, name, view_of(right.bytes, right.len - 1));
    check_is_refused(b, name, view_of(zeros, sizeof zeros));
    right.bytes[right.len / 2] ^= 1;
    check_is_refused(b, name, buf_view(&right));
}

static void long_name__over_what_is_no_file__is_refused(void **state)
{
    struct bench *b = *state;
    char name[NAME_LONG_MAX], record[IO_NAME_BYTES];

    name_of_length(200, name);
    record_of(b, name, record);
    check_ok(b->io->ops->symlink(b->io, b->dir, record, "/etc/passwd"));
    check_class(store(b, name), CORRUPT);
    check_ok(b->io->ops->unlink(b->io, b->dir, record));
    check_ok(b->io->ops->mkdir(b->io, b->dir, record, 0700));
    check_class(store(b, name), CORRUPT);
    check_ok(b->io->ops->rmdir(b->io, b->dir, record));
    check_ok(store(b, name));
    check_opens(b, name);
}

/* Several workers that make the same long name at once. */
enum { WORKERS = 4, LONG_NAMES = 200 };

static void *store_many(void *arg)
{
    struct bench *b = arg;
    char name[251];

    memset(name, 'x', sizeof name - 1);
    name[250] = 0;
    for (unsigned n = 0; n < LONG_NAMES; n++) {
        struct buf sealed = buf_init(IO_NAME_BYTES + 1);
        snprintf(name, 8, "%06u", n);
        name[6] = 'x';
        ks_rc rc = names_seal(b->names, NAME_ENTRY, name, IO_NAME_BYTES, true, &sealed);
        buf_done(&sealed);
        if (!ks_ok(rc))
            return arg; /* not NULL: it failed */
    }
    return NULL;
}

static void long_name__stored_by_several_at_once__succeeds_for_all(void **state)
{
    pthread_t threads[WORKERS];
    void *failure;

    for (size_t n = 0; n < WORKERS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, store_many, *state), 0);
    for (size_t n = 0; n < WORKERS; n++) {
        assert_int_equal(pthread_join(threads[n], &failure), 0);
        assert_null(failure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(name__of_each_length__comes_back, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(target__of_4095_bytes__comes_back, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(name__too_long_or_empty__is_refused, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(name__as_another_kind__is_refused, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(name__each_bit_flipped__is_never_another_name, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(long_name__looked_up_only__stores_nothing, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(long_name__stored_again__changes_nothing, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(long_name__over_a_record_that_is_not_its_own__is_refused,
                                        bench_new, bench_free),
        cmocka_unit_test_setup_teardown(long_name__over_what_is_no_file__is_refused, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(long_name__stored_by_several_at_once__succeeds_for_all,
                                        bench_new, bench_free),
        cmocka_unit_test_setup_teardown(long_name__record_changed__is_corrupt, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(long_name__of_what_is_no_record__is_corrupt, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(long_name__of_the_record_of_a_longer_target__is_corrupt,
                                        bench_new, bench_free),
        cmocka_unit_test_setup_teardown(record__as_it_was_written__is_sound, bench_new, bench_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
