/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a power failure at any moment of a re-encryption sweep leaves every file readable and exactly as it was,
 * each block in the old generation or in the new one.
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
    ks_rc rc = volume_read(f->v, h, got, sizeof got, 0, &len);
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
    struct keyset *keys;
    struct fixture *f;
    struct inode *i;
    struct handle *h;
    struct io *io;

    (void)state;
    check_ok(fixture_keys_new(3584, &b.keys));
    check_ok(crash_new(&io));
    check_ok(fixture_layout(io, "/"));
    check_ok(fixture_open(io, "/", b.keys, &f));
    check_ok(random_fill(random_system(), b.bytes, FILE_BYTES));
    check_ok(fixture_file(f, "file", true, &i, &h));
    check_ok(volume_write(f->v, h, b.bytes, FILE_BYTES, 0));
    check_ok(volume_fsync(f->v, h, false));
    fixture_file_close(f, i, h);
    check_ok(fixture_keys_rotate(b.keys));
    check_ok(fixture_keys_again(b.keys, &keys));
    check_ok(volume_set_keys(f->v, &keys));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep__power_fails_at_any_time__changes_no_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
