/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the name of a key is read or refused with an example of how to write it, and two
 * different contexts never give the same bytes to be authenticated.
 */
#include "base/key_spec.h"

#include "base/mem.h"
#include "check.h"

static void parse__type_and_uri__type_in_upper_case(void **state)
{
    struct key_spec spec;

    (void)state;
    check_ok(key_spec_parse("file:/srv/kms#orders", &spec));
    assert_string_equal(spec.type, "FILE");
    assert_string_equal(spec.uri, "/srv/kms#orders");
    assert_string_equal(spec.auth_principal, "");
}

static void parse__uri_with_colons__all_of_it(void **state)
{
    struct key_spec spec;

    (void)state;
    check_ok(key_spec_parse("aws_kms:arn:aws:kms:eu-1:1:key/2", &spec));
    assert_string_equal(spec.type, "AWS_KMS");
    assert_string_equal(spec.uri, "arn:aws:kms:eu-1:1:key/2");
}

static void parse__not_type_colon_uri__usage_with_an_example(void **state)
{
    static const char *const wrong[] = {"", "orders", ":/srv", "fi le:/srv", "../kms:x"};
    struct key_spec spec;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ks_rc rc = key_spec_parse(wrong[i], &spec);
        check_rc(rc, USAGE);
        check_text(rc, "file:/srv/kms#orders");
    }
}

static void parse__no_uri_or_control_bytes__usage(void **state)
{
    struct key_spec spec;

    (void)state;
    check_rc(key_spec_parse("file:", &spec), USAGE);
    check_rc(key_spec_parse("file:/srv\n/kms", &spec), USAGE);
}

static void parse__type_too_long__usage(void **state)
{
    struct key_spec spec;

    (void)state;
    check_rc(key_spec_parse("abcdefghijklmnopqrstuvwxyz0123456789:x", &spec), USAGE);
}

static void parse__uri_at_and_beyond_the_bound__ok_and_limit(void **state)
{
    char text[5 + KEY_URI_BYTES + 1] = "file:";
    struct key_spec spec;

    (void)state;
    memset(text + 5, 'u', KEY_URI_BYTES - 1);
    check_ok(key_spec_parse(text, &spec));
    assert_int_equal(strlen(spec.uri), KEY_URI_BYTES - 1);
    text[5 + KEY_URI_BYTES - 1] = 'u';
    check_rc(key_spec_parse(text, &spec), LIMIT);
}

static void parse__refused__leaves_the_output_alone(void **state)
{
    struct key_spec spec = {"T", "U", "P"};

    (void)state;
    check_rc(key_spec_parse("file:", &spec), USAGE);
    assert_string_equal(spec.type, "T");
    assert_string_equal(spec.uri, "U");
}

static void is_same__other_principal__same_key(void **state)
{
    struct key_spec a = {"FILE", "/a#k", "one"}, b = {"FILE", "/a#k", "two"};
    struct key_spec c = {"FILE", "/a#l", "one"}, d = {"FAKE", "/a#k", "one"};

    (void)state;
    assert_true(key_spec_is_same(&a, &b));
    assert_false(key_spec_is_same(&a, &c));
    assert_false(key_spec_is_same(&a, &d));
}

static void aad__of(const struct key_context *context, struct buf *ret)
{
    *ret = buf_init(4096);
    check_ok(key_context_aad(context, ret));
}

static void aad__contexts_that_read_alike__differ(void **state)
{
    static const struct key_context contexts[] = {
        {0, {{0}}},
        {1, {{"ab", "c"}}},
        {1, {{"a", "bc"}}},
        {1, {{"abc", ""}}},
        {2, {{"a", "b"}, {"c", "d"}}},
        {2, {{"a", "bc"}, {"", "d"}}},
        {2, {{"c", "d"}, {"a", "b"}}},
    };
    enum { COUNT = sizeof contexts / sizeof contexts[0] };

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < i; k++) {
            CLEANUP(buf_done) struct buf a, b;
            aad__of(&contexts[i], &a);
            aad__of(&contexts[k], &b);
            assert_false(view_is_equal(buf_view(&a), buf_view(&b)));
        }
}

static void aad__does_not_fit__limit(void **state)
{
    CLEANUP(buf_done) struct buf small = buf_init(4);
    struct key_context context = {1, {{"volume", "0123"}}};

    (void)state;
    check_rc(key_context_aad(&context, &small), LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__type_and_uri__type_in_upper_case),
        cmocka_unit_test(parse__uri_with_colons__all_of_it),
        cmocka_unit_test(parse__not_type_colon_uri__usage_with_an_example),
        cmocka_unit_test(parse__no_uri_or_control_bytes__usage),
        cmocka_unit_test(parse__type_too_long__usage),
        cmocka_unit_test(parse__uri_at_and_beyond_the_bound__ok_and_limit),
        cmocka_unit_test(parse__refused__leaves_the_output_alone),
        cmocka_unit_test(is_same__other_principal__same_key),
        cmocka_unit_test(aad__contexts_that_read_alike__differ),
        cmocka_unit_test(aad__does_not_fit__limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
