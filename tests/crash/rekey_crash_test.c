/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a power failure at any moment of a re-encryption sweep leaves every file readable and exactly as it was,
 * each block in the old generation or in the new one; and once a sweep has ended, no power failure brings back
 * anything that needs an old key, whatever others had written, cut off, removed or replaced without a sync.
 */
#include "check.h"

#include "enumerate.h"
#include "volume/rekey.h"
#include "volume_fixture.h"

enum { FILE_BYTES = 3 * 3584 + 100 };

struct bench {
    struct fixture_keys *keys;
    uint8_t bytes[FILE_BYTES];
};

static ks_rc check_state(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    uint8_t got[FILE_BYTES + 1];
    struct bench *b = arg;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    size_t len = 0;

    (void)state;
    TRY(fixture_open(rebuilt, "/", b->keys, &f));
    TRY(fixture_file(f, "file", false, &i, &h));
    ks_rc rc = volume_read(f->v, handle_inode(h), got, sizeof got, 0, &len);
    fixture_file_close(f, i, h);
    fixture_close(f);
    TRY(rc);
    ENSURE(len == FILE_BYTES && memcmp(got, b->bytes, len) == 0, KS_E_CORRUPT, "other contents");
    return KS_SUCCESS;
}

static void sweep__power_fails_at_any_time__changes_no_byte(void **state)
{
    static struct bench b;
    struct rekey_progress p;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    struct io *io;

    (void)state;
    check_ok(fixture_in_memory(3584, &io, &b.keys, &f));
    check_ok(random_fill(random_system(), b.bytes, FILE_BYTES));
    check_ok(fixture_file(f, "file", true, &i, &h));
    check_ok(volume_write(f->v, handle_inode(h), b.bytes, FILE_BYTES, 0));
    check_ok(volume_fsync(f->v, handle_inode(h), false));
    fixture_file_close(f, i, h);
    check_ok(fixture_rotate(f, b.keys));
    size_t from = crash_time(io);
    struct rekey_conf conf = {.volume = f->v, .clock = clock_system()};
    check_ok(rekey_run(&conf, &p));
    assert_int_equal(p.blocks_rewritten, 4);
    size_t states = crash_enumerate(io, from, 10, 0, 1, check_state, &b);
    print_message("%zu states checked\n", states);
    assert_true(states > 30);
    fixture_close(f);
    crash_free(io);
    fixture_keys_free(b.keys);
}

static void write_file(struct fixture *f, const char *name, bool is_new, const uint8_t *bytes,
                       bool is_durable)
{
    struct inode *i;
    struct handle *h;

    check_ok(fixture_file(f, name, is_new, &i, &h));
    check_ok(volume_write(f->v, handle_inode(h), bytes, FILE_BYTES, 0));
    if (is_durable)
        check_ok(volume_fsync(f->v, handle_inode(h), false));
    fixture_file_close(f, i, h);
}

static const char *const victims[] = {"removed", "overwritten", "cut", "replaced", "other name"};
enum { VICTIMS = sizeof victims / sizeof victims[0] };

/* Each in a way that a power loss may still undo. */
static void remove_one(struct fixture *f, const uint8_t *bytes)
{
    (void)bytes;
    check_ok(volume_unlink(f->v, volume_root(f->v), "removed"));
}

static void change_all(struct fixture *f, const uint8_t *bytes)
{
    struct inode *root = volume_root(f->v), *i;
    struct stat st;

    write_file(f, "overwritten", false, bytes, false);
    check_ok(volume_lookup(f->v, root, "cut", &i, &st));
    check_ok(volume_truncate(f->v, i, 0));
    volume_forget(f->v, i, 1);
    check_ok(volume_unlink(f->v, root, "removed"));
    write_file(f, "new", true, bytes, true);
    check_ok(volume_rename(f->v, root, "new", root, "replaced", 0));
    check_ok(volume_rename(f->v, root, "other name", root, "another name", 0));
}

static ks_rc check_readable(void *arg, struct io *rebuilt, const struct crash_state *state)
{
    uint8_t got[FILE_BYTES + 1];
    struct bench *b = arg;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    ks_rc rc = KS_SUCCESS;
    size_t len;

    (void)state;
    TRY(fixture_open(rebuilt, "/", b->keys, &f));
    for (size_t n = 0; n < VICTIMS && ks_ok(rc); n++) {
        rc = fixture_file(f, victims[n], false, &i, &h);
        if (ks_is_os(rc, ENOENT)) {
            rc = KS_SUCCESS;
            continue;
        }
        if (ks_ok(rc)) {
            rc = ks_wrap(volume_read(f->v, handle_inode(h), got, sizeof got, 0, &len), "%s",
                         victims[n]);
            fixture_file_close(f, i, h);
        }
    }
    fixture_close(f);
    return rc;
}

static void check_swept(size_t count, void (*change)(struct fixture *, const uint8_t *))
{
    static struct bench b;
    struct rekey_progress p;
    struct fixture *f;
    struct io *io;

    check_ok(fixture_in_memory(3584, &io, &b.keys, &f));
    check_ok(random_fill(random_system(), b.bytes, FILE_BYTES));
    for (size_t n = 0; n < count; n++)
        write_file(f, victims[n], true, b.bytes, true);
    check_ok(fixture_rotate(f, b.keys));
    change(f, b.bytes);
    struct rekey_conf conf = {.volume = f->v, .clock = clock_system()};
    check_ok(rekey_run(&conf, &p));
    size_t from = crash_time(io);
    check_ok(fixture_keys_destroy(b.keys, 1));
    size_t states = crash_enumerate(io, from, 10, 0, 1, check_readable, &b);
    print_message("%zu states checked\n", states);
    assert_true(states > 0);
    fixture_close(f);
    crash_free(io);
    fixture_keys_free(b.keys);
}

static void swept__power_fails_afterwards__needs_no_old_key(void **state)
{
    (void)state;
    check_swept(VICTIMS, change_all);
}

/* There is no other file whose sync would take the removal along. */
static void swept__with_a_removal_alone__needs_no_old_key(void **state)
{
    (void)state;
    check_swept(1, remove_one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep__power_fails_at_any_time__changes_no_byte),
        cmocka_unit_test(swept__power_fails_afterwards__needs_no_old_key),
        cmocka_unit_test(swept__with_a_removal_alone__needs_no_old_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
