/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: whichever call to the file system fails while a key store is used or changed, the
 * failure is never taken for a denial, and the key is in its old or its new state and usable again.
 */
#include "io/fault.h"
#include "kms/file_store.h"
#include "tmpdir.h"

enum { CALLS_MAX = 500 };

struct fixture {
    struct tmpdir tmp;
    struct path dir, key_file;
    struct clock_manual clock;
    struct io *io;
    struct file_store_conf conf;
    struct file_store *store;
    struct secret *plain;
    struct buf blob; /* made before anything failed */
};

static int setup(void **state)
{
    static struct fixture f;
    struct file_key_info info;
    uint32_t version;

    f = (struct fixture){.tmp = tmpdir_make(), .blob = buf_init(KEY_BLOB_MAX)};
    f.dir = tmpdir_path(&f.tmp, "store");
    f.key_file = tmpdir_path(&f.tmp, "key");
    clock_manual_init(&f.clock, 1000, 1800000000);
    check_ok(secret_init());
    check_ok(fault_new(io_posix(), &f.io));
    f.conf = (struct file_store_conf){.io = f.io,
                                      .path = f.dir.text,
                                      .key_file = f.key_file.text,
                                      .clock = &f.clock.clock,
                                      .random = random_system()};
    check_ok(file_store_create(&f.conf));
    check_ok(file_store_open(&f.conf, &f.store));
    check_ok(file_store_key_create(f.store, "orders", &info));
    check_ok(secret_copy(view_text("plain"), &f.plain));
    check_ok(file_store_wrap(f.store, "orders", view_text("x"), f.plain, &f.blob, &version));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    file_store_close(f->store);
    fault_free(f->io);
    secret_free(f->plain);
    buf_done(&f->blob);
    tmpdir_remove(&f->tmp);
    return 0;
}

static ks_rc unwrap(struct fixture *f)
{
    struct secret *got = NULL;
    ks_rc rc = file_store_unwrap(f->store, "orders", view_text("x"), buf_view(&f->blob), &got);

    if (ks_ok(rc))
        check_bytes(secret_view(got), view_text("plain"));
    else
        assert_null(got);
    secret_free(got);
    return rc;
}

static ks_rc wrap(struct fixture *f)
{
    struct buf out = buf_init(KEY_BLOB_MAX);
    uint32_t version = 77;
    ks_rc rc = file_store_wrap(f->store, "orders", view_text("x"), f->plain, &out, &version);

    assert_true(ks_ok(rc) || (out.len == 0 && version == 77));
    buf_done(&out);
    return rc;
}

static ks_rc rotate(struct fixture *f)
{
    return file_store_key_rotate(f->store, "orders");
}

/* Down and up again, so that the next round finds what this one found. */
static ks_rc disable_enable(struct fixture *f)
{
    ks_rc rc = file_store_key_disable(f->store, "orders");

    return ks_ok(rc) ? file_store_key_enable(f->store, "orders") : rc;
}

/* After a failure: whatever state it was left in is one of the table, and leads back to use. */
static void check_usable_again(struct fixture *f)
{
    struct file_key_info info;

    check_ok(file_store_key_show(f->store, "orders", &info));
    if (info.state == FILE_KEY_DISABLED)
        check_ok(file_store_key_enable(f->store, "orders"));
    check_ok(unwrap(f));
    check_ok(wrap(f));
}

/* Fails the first call, then the second, ... until the operation no longer makes that many. */
static void fail_each(struct fixture *f, ks_rc (*run)(struct fixture *), int err, bool is_lasting)
{
    uint64_t n = 1;

    for (; n < CALLS_MAX; n++) {
        fault_arm(f->io, n, err, is_lasting);
        ks_rc rc = run(f);
        bool has_failed = fault_name(f->io) != NULL;
        fault_arm(f->io, 0, 0, false);
        if (!has_failed)
            break;
        if (rc.cls == KS_CLASS_DENIED)
            fail_msg("call %u failed and was taken for %s", (unsigned)n, ks_name(rc));
        check_usable_again(f);
    }
    assert_in_range(n, 2, CALLS_MAX - 1);
}

static void use__each_call_fails__no_denial(void **state)
{
    static const int errors[] = {EIO, EACCES, ESTALE, ENOMEM, EMFILE};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        fail_each(*state, unwrap, errors[i], false);
        fail_each(*state, unwrap, errors[i], true);
        fail_each(*state, wrap, errors[i], true);
    }
}

static void rotate__each_call_fails__old_or_new_and_usable(void **state)
{
    fail_each(*state, rotate, EIO, false);
    fail_each(*state, rotate, ENOSPC, true);
}

static void disable_enable__each_call_fails__old_or_new_and_usable(void **state)
{
    fail_each(*state, disable_enable, EIO, false);
    fail_each(*state, disable_enable, ENOSPC, true);
}

/* Every attempt is made in its own directory; the last try without a fault must succeed in each. */
static void create_store__each_call_fails__made_at_the_second_try(void **state)
{
    struct fixture *f = *state;
    struct file_store *store;
    uint64_t n = 1;

    for (bool has_failed = true; has_failed && n < CALLS_MAX; n++) {
        char name[32];
        snprintf(name, sizeof name, "store-%u", (unsigned)n);
        struct path dir = tmpdir_path(&f->tmp, name);
        f->conf.path = dir.text;
        fault_arm(f->io, n, EIO, false);
        ks_rc rc = file_store_create(&f->conf);
        has_failed = fault_name(f->io) != NULL;
        fault_arm(f->io, 0, 0, false);
        if (!ks_ok(rc)) { /* it may have been made all the same, when the last sync failed */
            rc = file_store_create(&f->conf);
            assert_true(ks_ok(rc) || ks_is(rc, KS_E_EXISTS));
        }
        check_ok(file_store_open(&f->conf, &store));
        file_store_close(store);
    }
    assert_in_range(n, 5, CALLS_MAX - 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(use__each_call_fails__no_denial),
        T(rotate__each_call_fails__old_or_new_and_usable),
        T(disable_enable__each_call_fails__old_or_new_and_usable),
        T(create_store__each_call_fails__made_at_the_second_try),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
