/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: whichever call to the file system fails while a key store is used or changed, the
 * failure is never taken for a denial, and the key is in its old or its new state and usable again.
 */
#include "kms/file_store.h"
#include "tmpdir.h"

#include "fault_each.h"

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

/* What runs while a call fails. */
struct attempt {
    struct fixture *f;
    ks_rc (*run)(struct fixture *);
};

static bool try_fault(void *arg, const struct fault_case *c)
{
    const struct attempt *a = arg;

    fault_arm_case(a->f->io, c);
    ks_rc rc = a->run(a->f);
    bool has_failed = fault_name(a->f->io) != NULL;
    fault_arm(a->f->io, 0, 0, false);
    if (rc.cls == KS_CLASS_DENIED)
        fail_msg("call %u failed and was taken for %s", (unsigned)c->n, ks_name(rc));
    check_usable_again(a->f);
    return has_failed;
}

static void fail_each(struct fixture *f, ks_rc (*run)(struct fixture *), int err, bool is_lasting)
{
    struct attempt a = {f, run};

    assert_true(fault_each(try_fault, &a, err, is_lasting) > 0);
}

static void fail_each_kind(struct fixture *f, ks_rc (*run)(struct fixture *))
{
    struct attempt a = {f, run};

    assert_true(fault_each_kind(try_fault, &a) > 6);
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
    fail_each_kind(*state, rotate);
}

static void disable_enable__each_call_fails__old_or_new_and_usable(void **state)
{
    fail_each_kind(*state, disable_enable);
}

/* Every attempt is made in its own directory; the last try without a fault must succeed in each. */
static bool try_create(void *arg, const struct fault_case *c)
{
    struct fixture *f = arg;
    struct file_store *store;
    char name[48];

    snprintf(name, sizeof name, "store-%d-%d-%u", c->err, c->is_lasting, (unsigned)c->n);
    struct path dir = tmpdir_path(&f->tmp, name);
    f->conf.path = dir.text;
    fault_arm_case(f->io, c);
    ks_rc rc = file_store_create(&f->conf);
    bool has_failed = fault_name(f->io) != NULL;
    fault_arm(f->io, 0, 0, false);
    if (!ks_ok(rc)) { /* it may have been made all the same, when the last sync failed */
        rc = file_store_create(&f->conf);
        assert_true(ks_ok(rc) || ks_is(rc, KS_E_EXISTS));
    }
    check_ok(file_store_open(&f->conf, &store));
    file_store_close(store);
    return has_failed;
}

static void create_store__each_call_fails__made_at_the_second_try(void **state)
{
    assert_true(fault_each_kind(try_create, *state) > 6 * 4);
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
