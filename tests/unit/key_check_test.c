/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: each right is tried, and told as granted, missing or not to be told; the verdict is that of the
 * worst right that is needed.
 */
#include "kms/key_check.h"

#include "check.h"
#include "kms/drv_fake.h"

static struct clock_manual manual;
static struct kms *kms;
static struct key_check check;
static const struct key_context context = {1, {{"purpose", "key-check"}}};

static int setup(void **state)
{
    static const struct key_spec spec = {"FAKE", "key", ""};
    const struct kms_conf conf = {.spec = &spec, .clock = &manual.clock};

    (void)state;
    fake_reset();
    clock_manual_init(&manual, 5000, 1800000000);
    check_ok(kms_driver_fake.open(&conf, &kms));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kms_driver_fake.close(kms);
    return 0;
}

static void run(enum fake_step step)
{
    fake_script("key", &step, 1, true);
    key_check_run(kms, &manual.clock, &context, &check);
}

static void check__all_granted__success(void **state)
{
    (void)state;
    run(FAKE_GRANT);
    assert_int_equal(check.count, 3);
    for (size_t i = 0; i < check.count; i++) {
        assert_int_equal(check.results[i].right, KEY_RIGHT_GRANTED);
        assert_string_equal(check.results[i].text, "");
    }
    check_ok(key_check_verdict(&check));
    assert_string_equal(key_right_name(KEY_RIGHT_UNKNOWN), "cannot tell");
}

static void check__access_denied__missing(void **state)
{
    (void)state;
    run(FAKE_DENY);
    assert_int_equal(check.results[0].right, KEY_RIGHT_MISSING);
    assert_string_equal(check.results[0].text, "access denied");
    check_rc(key_check_verdict(&check), DENIED);
}

static void check__disabled_or_silent__cannot_tell(void **state)
{
    (void)state;
    run(FAKE_DISABLED);
    assert_int_equal(check.results[0].right, KEY_RIGHT_UNKNOWN);
    check_rc(key_check_verdict(&check), KEY_DISABLED);
    run(FAKE_RESET);
    assert_int_equal(check.results[0].right, KEY_RIGHT_UNKNOWN);
    check_rc(key_check_verdict(&check), UNREACHABLE);
    run(FAKE_HANG);
    check_rc(key_check_verdict(&check), TIMEOUT);
}

static ks_rc say(struct kms *unused, const struct kms_call *call, const struct key_context *unused2)
{
    (void)unused, (void)unused2;
    memcpy(call->note->request_id, "id-7", 5);
    return ks_fail(KS_E_UNREACHABLE, "silence");
}

static ks_rc deny(struct kms *unused, const struct kms_call *call,
                  const struct key_context *unused2)
{
    (void)unused, (void)call, (void)unused2;
    return ks_fail(KS_E_DENIED, "no");
}

static ks_rc os(struct kms *unused, const struct kms_call *call, const struct key_context *unused2)
{
    (void)unused, (void)call, (void)unused2;
    return ks_fail_os(EACCES, "x");
}

static void check_rights(const struct kms_permission *permissions)
{
    struct kms_driver driver = kms_driver_fake;
    const struct kms_driver *before = kms->driver;

    driver.permissions = permissions;
    kms->driver = &driver;
    key_check_run(kms, &manual.clock, &context, &check);
    kms->driver = before;
}

static void verdict__missing_before_silence_and_needed_only(void **state)
{
    static const struct kms_permission rights[] = {
        {"a", "", true, say}, {"b", "", true, deny}, {NULL, NULL, false, NULL}};
    static const struct kms_permission optional[] = {{"a", "", false, deny},
                                                     {NULL, NULL, false, NULL}};
    static const struct kms_permission broken[] = {{"a", "", true, os}, {NULL, NULL, false, NULL}};

    (void)state;
    check_rights(rights);
    assert_string_equal(check.results[0].request_id, "id-7");
    ks_rc rc = key_check_verdict(&check);
    check_rc(rc, DENIED);
    check_text(rc, "b: no");
    check_rights(optional);
    check_ok(key_check_verdict(&check));
    check_rights(broken);
    assert_true(ks_is_os(key_check_verdict(&check), EACCES));
}

static int group_setup(void **state)
{
    (void)state;
    check_ok(secret_init());
    return 0;
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(check__all_granted__success),
        T(check__access_denied__missing),
        T(check__disabled_or_silent__cannot_tell),
        T(verdict__missing_before_silence_and_needed_only),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
