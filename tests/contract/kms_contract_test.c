/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: every key service driver keeps the contract of kms/driver.h. One suite; each
 * driver brings a subject that says how to put its keys into a state. A new driver adds a subject,
 * not a test. With KEYSTEAD_CONTRACT_TYPE in the environment the suite runs against a service that is
 * running somewhere instead (contract/external.h).
 */
#include "base/mem.h"
#include "external.h"
#include "kms/drv_fake.h"
#include "kms/file_store.h"
#include "kms/policy.h"
#include "tmpdir.h"

enum { WALL = 1800000000 };

enum condition { DISABLED, PENDING, DESTROYED, UNREACHABLE, NO_CREDENTIAL, CONDITIONS };

enum { CALL_MS = 1000, EXTERNAL_CALL_MS = 20000 };

/* Two usable keys, "one" and "two", of a driver, a key that is not there, and ways to change "one". */
struct subject {
    const char *name;
    const struct kms_driver *driver;
    void (*setup)(void);
    void (*teardown)(void);
    struct key_spec (*spec)(const char *key);
    struct key_spec (*missing)(void);
    bool (*put)(
        enum condition condition); /* key "one" into this condition; false: cannot be done */
    bool (*rotate)(void);          /* key "one" */
    bool is_external; /* the system's clock, and codes may differ where classes may not */
};

static struct clock_manual manual;
static struct clock *the_clock; /* of the subject */

/* --- the fake driver --- */

static struct key_spec fake_spec(const char *key)
{
    struct key_spec s = {"FAKE", "", ""};

    snprintf(s.uri, sizeof s.uri, "%s", key);
    return s;
}

static struct key_spec fake_missing(void)
{
    const enum fake_step step = FAKE_NOT_FOUND;

    fake_script("missing", &step, 1, true);
    return fake_spec("missing");
}

static bool fake_put(enum condition condition)
{
    static const enum fake_step steps[CONDITIONS] = {FAKE_DISABLED, FAKE_PENDING, FAKE_DESTROYED,
                                                     FAKE_RESET, FAKE_EXPIRED};

    fake_script("one", &steps[condition], 1, true);
    return true;
}

static bool fake_rotate_one(void)
{
    fake_rotate("one");
    return true;
}

/* --- the file driver --- */

static struct tmpdir tmp;
static struct path store_path, key_path;
static struct file_store *store;

static void file_setup(void)
{
    struct file_key_info info;

    tmp = tmpdir_make();
    store_path = tmpdir_path(&tmp, "store");
    key_path = tmpdir_path(&tmp, "key");
    struct file_store_conf conf = {.io = io_posix(),
                                   .path = store_path.text,
                                   .key_file = key_path.text,
                                   .clock = &manual.clock,
                                   .random = random_system()};
    check_ok(file_store_create(&conf));
    check_ok(file_store_open(&conf, &store));
    check_ok(file_store_key_create(store, "one", &info));
    check_ok(file_store_key_create(store, "two", &info));
}

static void file_teardown(void)
{
    file_store_close(TAKE(store));
    tmpdir_remove(&tmp);
}

static struct key_spec file_spec(const char *key)
{
    struct key_spec s = {"FILE", "", ""};

    snprintf(s.uri, sizeof s.uri, "%s#%s", store_path.text, key);
    snprintf(s.auth_principal, sizeof s.auth_principal, "%s", key_path.text);
    return s;
}

static struct key_spec file_missing(void)
{
    return file_spec("missing");
}

static bool file_put_condition(enum condition condition)
{
    switch (condition) {
    case DISABLED:
        check_ok(file_store_key_disable(store, "one"));
        break;
    case PENDING:
        check_ok(file_store_key_schedule_deletion(store, "one", 1));
        break;
    case DESTROYED:
        check_ok(file_store_key_schedule_deletion(store, "one", 0));
        break;
    case UNREACHABLE:
        assert_int_equal(rename(store_path.text, tmpdir_path(&tmp, "away").text), 0);
        break;
    case NO_CREDENTIAL:
        assert_int_equal(unlink(key_path.text), 0);
        break;
    case CONDITIONS:
        break;
    }
    return true;
}

static bool file_rotate_one(void)
{
    check_ok(file_store_key_rotate(store, "one"));
    return true;
}

/* --- a service that is running --- */

static bool external_put(enum condition condition)
{
    static const char *const words[CONDITIONS] = {"disable", "pending", "destroy", "unreachable",
                                                  "no-credential"};

    return external_hook(words[condition]);
}

static bool external_rotate(void)
{
    return external_hook("rotate");
}

static struct key_spec external_missing(void)
{
    return external_spec("missing");
}

/* --- the suite --- */

static const struct subject subjects[] = {
    {"fake", &kms_driver_fake, fake_reset, fake_reset, fake_spec, fake_missing, fake_put,
     fake_rotate_one},
    {"file", &kms_driver_file, file_setup, file_teardown, file_spec, file_missing,
     file_put_condition, file_rotate_one},
    {"external", NULL, external_setup, external_teardown, external_spec, external_missing,
     external_put, external_rotate, true},
};

struct fixture {
    const struct subject *subject;
    const struct kms_driver *driver;
    struct kms *one, *two;
    struct secret *plain;
    struct buf blob;
    char version[KEY_VERSION_BYTES];
    struct key_context context;
};

static struct fixture f;

static struct kms *open_key(struct key_spec spec)
{
    struct kms_conf conf = {.spec = &spec, .clock = the_clock, .is_development = true};
    struct kms *kms = NULL;

    check_ok(f.driver->open(&conf, &kms));
    assert_ptr_equal(kms->driver, f.driver);
    return kms;
}

static int begin(const struct subject *subject)
{
    f = (struct fixture){
        .subject = subject, .driver = subject->driver, .blob = buf_init(KEY_BLOB_MAX)};
    clock_manual_init(&manual, 50000, WALL);
    the_clock = subject->is_external ? clock_system() : &manual.clock;
    if (!f.driver)
        check_ok(kms_driver_find(external_type(), &f.driver));
    subject->setup();
    f.one = open_key(subject->spec("one"));
    f.two = open_key(subject->spec("two"));
    f.context.count = 2;
    f.context.pairs[0].name = "purpose";
    f.context.pairs[0].value = "store-key";
    f.context.pairs[1].name = "volume";
    f.context.pairs[1].value = "0011";
    check_ok(secret_copy(view_text("0123456789abcdef0123456789abcdef"), &f.plain));
    return 0;
}

static int end(void **state)
{
    (void)state;
    f.driver->close(f.one);
    f.driver->close(f.two);
    f.driver->close(NULL);
    secret_free(f.plain);
    buf_done(&f.blob);
    f.subject->teardown();
    return 0;
}

static struct kms_call call(void)
{
    uint32_t ms = f.subject->is_external ? EXTERNAL_CALL_MS : CALL_MS;

    return (struct kms_call){clock_boot_ms(the_clock) + ms, the_clock, NULL};
}

/* What the service cannot do cannot be tested with it. */
static void put(enum condition condition)
{
    if (!f.subject->put(condition))
        skip();
}

static ks_rc wrap(struct kms *kms)
{
    struct kms_call c = call();

    f.blob.len = 0;
    return kms->driver->wrap(kms, &c, &f.context, f.plain, &f.blob, f.version);
}

/* Opens a blob; what comes out must be right, and a failure must not have written anything. */
static ks_rc unwrap(struct kms *kms, struct view blob)
{
    struct kms_call c = call();
    struct secret *got = NULL;
    ks_rc rc = kms->driver->unwrap(kms, &c, &f.context, blob, &got);

    if (ks_ok(rc))
        check_bytes(secret_view(got), secret_view(f.plain));
    else
        assert_null(got);
    secret_free(got);
    return rc;
}

static void wrap__own_key_and_context__opens(void **state)
{
    (void)state;
    check_ok(wrap(f.one));
    assert_true(f.blob.len > 0 && f.blob.len <= KEY_BLOB_MAX && f.version[0]);
    check_ok(unwrap(f.one, buf_view(&f.blob)));
}

static void wrap__every_allowed_length__opens(void **state)
{
    (void)state;
    for (size_t len = 1; len <= KEY_PLAIN_MAX; len++) {
        secret_free(TAKE(f.plain));
        check_ok(secret_new(len, &f.plain));
        memset(secret_bytes(f.plain), (int)len, len);
        check_ok(wrap(f.one));
        check_ok(unwrap(f.one, buf_view(&f.blob)));
    }
}

static void wrap__same_plaintext_twice__different_ciphertexts(void **state)
{
    struct buf first = buf_init(KEY_BLOB_MAX);

    (void)state;
    check_ok(wrap(f.one));
    check_ok(buf_append(&first, buf_view(&f.blob)));
    check_ok(wrap(f.one));
    assert_false(view_is_equal(buf_view(&first), buf_view(&f.blob)));
    buf_done(&first);
}

static void unwrap__other_context__corrupt(void **state)
{
    (void)state;
    check_ok(wrap(f.one));
    f.context.pairs[1].value = "0012";
    check_class(unwrap(f.one, buf_view(&f.blob)), CORRUPT);
    f.context.count = 1;
    check_class(unwrap(f.one, buf_view(&f.blob)), CORRUPT);
    f.context.count = 0;
    check_class(unwrap(f.one, buf_view(&f.blob)), CORRUPT);
}

static void unwrap__other_key__corrupt(void **state)
{
    (void)state;
    check_ok(wrap(f.one));
    check_class(unwrap(f.two, buf_view(&f.blob)), CORRUPT);
}

static void unwrap__truncated__corrupt(void **state)
{
    (void)state;
    check_ok(wrap(f.one));
    for (size_t len = 0; len < f.blob.len; len++)
        check_class(unwrap(f.one, view_of(f.blob.bytes, len)), CORRUPT);
}

/* A format version in the first byte may be told as a newer one. */
static void unwrap__any_bit_flipped__refused_and_no_denial(void **state)
{
    (void)state;
    check_ok(wrap(f.one));
    for (size_t bit = 0; bit < 8 * f.blob.len; bit++) {
        f.blob.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ks_rc rc = unwrap(f.one, buf_view(&f.blob));
        assert_true(rc.cls == KS_CLASS_CORRUPT || (bit < 8 && ks_is(rc, KS_E_NEWER_VERSION)));
        f.blob.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void unwrap__bytes_behind_the_end__corrupt(void **state)
{
    (void)state;
    check_ok(wrap(f.one));
    check_ok(buf_append(&f.blob, view_text("x")));
    check_class(unwrap(f.one, buf_view(&f.blob)), CORRUPT);
}

/* A service may tell a destroyed key as one that it does not have; what follows from it is the same. */
static void check_same(ks_rc rc, ks_rc want)
{
    assert_int_equal(rc.cls, want.cls);
    if (!f.subject->is_external)
        assert_int_equal(rc.code, want.code);
}

/* All three calls for key "one" answer the same, and write nothing. */
static void check_all_fail(struct kms *kms, struct view blob, ks_rc want)
{
    struct kms_call c = call();
    struct buf out = buf_init(KEY_BLOB_MAX);
    char version[KEY_VERSION_BYTES] = "untouched";

    ks_rc rc = kms->driver->wrap(kms, &c, &f.context, f.plain, &out, version);
    check_same(rc, want);
    assert_int_equal(out.len, 0);
    check_same(unwrap(kms, blob), want);
    check_same(kms->driver->version(kms, &c, &f.context, version), want);
    assert_string_equal(version, "untouched");
    buf_done(&out);
}

static void check_condition(enum condition condition, enum ks_code code, enum ks_class cls)
{
    check_ok(wrap(f.one));
    put(condition);
    ks_rc rc = unwrap(f.one, buf_view(&f.blob));
    check_same(rc, (ks_rc){(uint16_t)cls, (uint16_t)code});
    check_all_fail(f.one, buf_view(&f.blob), rc);
}

static void use__disabled__denied(void **state)
{
    (void)state;
    check_condition(DISABLED, KS_E_KEY_DISABLED, KS_CLASS_DENIED);
    check_ok(wrap(f.two)); /* and only that key */
}

static void use__pending_deletion__denied(void **state)
{
    (void)state;
    check_condition(PENDING, KS_E_KEY_PENDING_DELETION, KS_CLASS_DENIED);
}

static void use__destroyed__denied(void **state)
{
    (void)state;
    check_condition(DESTROYED, KS_E_KEY_DESTROYED, KS_CLASS_DENIED);
}

static void use__no_such_key__denied(void **state)
{
    struct kms *kms = open_key(f.subject->missing());

    (void)state;
    ks_rc rc = wrap(kms);
    check_same(rc, (ks_rc){KS_CLASS_DENIED, KS_E_KEY_NOT_FOUND});
    kms->driver->close(kms);
}

static void use__out_of_reach__unreachable_and_no_denial(void **state)
{
    (void)state;
    check_condition(UNREACHABLE, KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE);
}

static void use__no_credential__unreachable_and_no_denial(void **state)
{
    (void)state;
    check_condition(NO_CREDENTIAL, KS_E_CREDENTIAL, KS_CLASS_UNREACHABLE);
}

/* A driver that was never reached must not fail to open: it may be reached later. */
static void open__out_of_reach__opens_and_calls_fail(void **state)
{
    (void)state;
    put(UNREACHABLE);
    struct kms *kms = open_key(f.subject->spec("one"));
    check_class(wrap(kms), UNREACHABLE);
    kms->driver->close(kms);
}

static void use__deadline_passed__timeout_and_nothing_written(void **state)
{
    struct kms_call c = {clock_boot_ms(the_clock), the_clock, NULL};
    struct secret *got = NULL;

    (void)state;
    check_ok(wrap(f.one));
    size_t len = f.blob.len;
    ks_rc rc = f.one->driver->unwrap(f.one, &c, &f.context, buf_view(&f.blob), &got);
    check_rc(rc, TIMEOUT);
    assert_null(got);
    check_rc(f.one->driver->wrap(f.one, &c, &f.context, f.plain, &f.blob, f.version), TIMEOUT);
    assert_int_equal(f.blob.len, len);
    check_rc(f.one->driver->version(f.one, &c, &f.context, f.version), TIMEOUT);
}

static void use__no_deadline__works(void **state)
{
    struct kms_call c = {0, the_clock, NULL};
    char version[KEY_VERSION_BYTES];

    (void)state;
    check_ok(f.one->driver->version(f.one, &c, &f.context, version));
}

static void version__after_rotation__new_one_and_old_blobs_open(void **state)
{
    struct kms_call c = call();
    struct buf old = buf_init(KEY_BLOB_MAX);
    char before[KEY_VERSION_BYTES], after[KEY_VERSION_BYTES];

    (void)state;
    check_ok(wrap(f.one));
    check_ok(buf_append(&old, buf_view(&f.blob)));
    check_ok(f.one->driver->version(f.one, &c, &f.context, before));
    assert_string_equal(before, f.version);
    if (!f.subject->rotate()) {
        buf_done(&old);
        skip();
    }
    check_ok(f.one->driver->version(f.one, &c, &f.context, after));
    assert_string_not_equal(before, after);
    check_ok(wrap(f.one));
    assert_string_equal(after, f.version);
    check_ok(unwrap(f.one, buf_view(&f.blob)));
    check_ok(unwrap(f.one, buf_view(&old)));
    buf_done(&old);
}

static int setup_fake(void **state)
{
    (void)state;
    return begin(&subjects[0]);
}

static int setup_file(void **state)
{
    (void)state;
    return begin(&subjects[1]);
}

static int setup_external(void **state)
{
    (void)state;
    return begin(&subjects[2]);
}

/* What every driver must pass, given the setup that chooses its subject. */
#define SUITE(setup)                                                                               \
    cmocka_unit_test_setup_teardown(wrap__own_key_and_context__opens, setup, end),                 \
        cmocka_unit_test_setup_teardown(wrap__every_allowed_length__opens, setup, end),            \
        cmocka_unit_test_setup_teardown(wrap__same_plaintext_twice__different_ciphertexts, setup,  \
                                        end),                                                      \
        cmocka_unit_test_setup_teardown(unwrap__other_context__corrupt, setup, end),               \
        cmocka_unit_test_setup_teardown(unwrap__other_key__corrupt, setup, end),                   \
        cmocka_unit_test_setup_teardown(unwrap__truncated__corrupt, setup, end),                   \
        cmocka_unit_test_setup_teardown(unwrap__any_bit_flipped__refused_and_no_denial, setup,     \
                                        end),                                                      \
        cmocka_unit_test_setup_teardown(unwrap__bytes_behind_the_end__corrupt, setup, end),        \
        cmocka_unit_test_setup_teardown(use__disabled__denied, setup, end),                        \
        cmocka_unit_test_setup_teardown(use__pending_deletion__denied, setup, end),                \
        cmocka_unit_test_setup_teardown(use__destroyed__denied, setup, end),                       \
        cmocka_unit_test_setup_teardown(use__no_such_key__denied, setup, end),                     \
        cmocka_unit_test_setup_teardown(use__out_of_reach__unreachable_and_no_denial, setup, end), \
        cmocka_unit_test_setup_teardown(use__no_credential__unreachable_and_no_denial, setup,      \
                                        end),                                                      \
        cmocka_unit_test_setup_teardown(open__out_of_reach__opens_and_calls_fail, setup, end),     \
        cmocka_unit_test_setup_teardown(use__deadline_passed__timeout_and_nothing_written, setup,  \
                                        end),                                                      \
        cmocka_unit_test_setup_teardown(use__no_deadline__works, setup, end),                      \
        cmocka_unit_test_setup_teardown(version__after_rotation__new_one_and_old_blobs_open,       \
                                        setup, end)

int main(void)
{
    const struct CMUnitTest own[] = {SUITE(setup_fake), SUITE(setup_file)};
    struct CMUnitTest external[] = {SUITE(setup_external)};

    check_ok(secret_init());
    if (!external_type())
        return cmocka_run_group_tests(own, NULL, NULL);
    external_leave_out(external, sizeof external / sizeof external[0]);
    return cmocka_run_group_tests(external, NULL, NULL);
}
