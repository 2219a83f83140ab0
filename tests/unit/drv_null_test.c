/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the driver that protects nothing opens in development mode only, and keeps what it can of the
 * contract there: contexts, damage, other keys.
 */
#include "check.h"
#include "kms/driver.h"

static struct key_context context = {.count = 1, .pairs = {{"volume", "one"}}};

static ks_rc open_key(const char *uri, bool is_development, struct kms **ret)
{
    struct key_spec spec = {"NULL_KMS", "", ""};
    struct kms_conf conf = {
        .spec = &spec, .clock = clock_system(), .is_development = is_development};

    memcpy(spec.uri, uri, strlen(uri) + 1);
    return kms_driver_null.open(&conf, ret);
}

static struct kms *open_ok(const char *uri)
{
    struct kms *kms = NULL;

    check_ok(open_key(uri, true, &kms));
    return kms;
}

static void wrap(struct kms *kms, struct buf *ret)
{
    struct kms_call call = {0, clock_system(), NULL};
    struct secret *plain;
    char version[KEY_VERSION_BYTES];

    *ret = buf_init(KEY_BLOB_MAX);
    check_ok(secret_copy(view_text("0123456789abcdef"), &plain));
    check_ok(kms_driver_null.wrap(kms, &call, &context, plain, ret, version));
    assert_string_equal(version, "0");
    secret_free(plain);
}

static ks_rc unwrap(struct kms *kms, struct view blob)
{
    struct kms_call call = {0, clock_system(), NULL};
    struct secret *got = NULL;
    ks_rc rc = kms_driver_null.unwrap(kms, &call, &context, blob, &got);

    if (ks_ok(rc))
        check_bytes(secret_view(got), view_text("0123456789abcdef"));
    else
        assert_null(got);
    secret_free(got);
    return rc;
}

static void open__not_in_development__usage_with_the_way_out(void **state)
{
    struct kms *kms = NULL;

    (void)state;
    ks_rc rc = open_key("a", false, &kms);
    check_rc(rc, USAGE);
    check_text(rc, "--dev");
    assert_null(kms);
}

static void wrap__in_development__opens_under_its_context_and_key_only(void **state)
{
    struct kms *kms = open_ok("a"), *other = open_ok("b");
    struct buf blob;

    (void)state;
    wrap(kms, &blob);
    check_ok(unwrap(kms, buf_view(&blob)));
    check_rc(unwrap(other, buf_view(&blob)), WRONG_KEY);
    context.pairs[0].value = "two";
    check_rc(unwrap(kms, buf_view(&blob)), AUTH);
    context.pairs[0].value = "one";
    blob.bytes[blob.len - 20] ^= 1;
    check_rc(unwrap(kms, buf_view(&blob)), AUTH);
    buf_done(&blob);
    kms_driver_null.close(kms);
    kms_driver_null.close(other);
}

static void use__deadline_passed__timeout(void **state)
{
    struct kms_call call = {1, clock_system(), NULL};
    struct kms *kms = open_ok("a");
    char version[KEY_VERSION_BYTES];

    (void)state;
    check_rc(kms_driver_null.version(kms, &call, &context, version), TIMEOUT);
    call.deadline_ms = 0;
    check_ok(kms_driver_null.version(kms, &call, &context, version));
    kms_driver_null.close(kms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__not_in_development__usage_with_the_way_out),
        cmocka_unit_test(wrap__in_development__opens_under_its_context_and_key_only),
        cmocka_unit_test(use__deadline_passed__timeout),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
