/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: every result has one status and code, what went wrong inside is not told to clients, and an error is always
 * valid JSON, whatever text it quotes.
 */
#include <stdio.h>
#include <string.h>

#include "api/error.h"
#include "check.h"

static void from__results_of_the_caller__text_is_told(void **state)
{
    struct api_error e = {0};

    (void)state;
    api_error_from(ks_fail(KS_E_NOT_FOUND, "cluster %s", "x"), &e);
    assert_int_equal(e.status, 404);
    assert_string_equal(e.code, "NOT_FOUND");
    assert_string_equal(e.detail, "cluster x");
    api_error_from(ks_fail(KS_E_STATE, "it is REVOKED"), &e);
    assert_int_equal(e.status, 409);
    api_error_from(ks_fail(KS_E_BUSY, "ROTATING"), &e);
    assert_int_equal(e.status, 409);
    assert_string_equal(e.code, "BUSY");
}

static void from__what_happened_inside__is_not_told(void **state)
{
    struct api_error e = {0};

    (void)state;
    api_error_from(ks_fail(KS_E_CORRUPT, "/var/lib/x: page 7"), &e);
    assert_int_equal(e.status, 500);
    assert_string_equal(e.code, "INTERNAL");
    assert_null(strstr(e.detail, "page"));
    api_error_from(ks_os(EIO), &e);
    assert_int_equal(e.status, 500);
    api_error_from(ks_fail(KS_E_BUG, "assert"), &e);
    assert_int_equal(e.status, 500);
}

static void from__every_code__is_in_the_table(void **state)
{
    (void)state;
    for (int code = 1; code < KS_E_COUNT; code++) {
        struct api_error e = {0};
        api_error_from(ks_fail((enum ks_code)code, "x"), &e);
        assert_true(api_error_is_known(e.status, e.code));
        assert_true(e.status >= 400);
    }
}

static void refuse__bad_utf8__is_made_valid(void **state)
{
    struct api_call call = {.caller.request = "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"};

    (void)state;
    ks_rc rc = api_refuse(&call, 400, "BAD_REQUEST", "region \"%s\"", "a\xff\xc3");
    assert_false(ks_ok(rc));
    assert_string_equal(call.error.detail, "region \"a\?\?\"");
    json_t *body = problem_body(&call, &call.error);
    assert_non_null(body);
    assert_string_equal(json_string_value(json_object_get(body, "type")),
                        "urn:keystead:error:BAD_REQUEST");
    assert_string_equal(json_string_value(json_object_get(body, "instance")),
                        "urn:uuid:1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11");
    assert_int_equal(json_integer_value(json_object_get(body, "status")), 400);
    json_decref(body);
}

static void refuse__long_text__is_cut(void **state)
{
    struct api_call call = {0};
    char text[2 * API_DETAIL_BYTES];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_false(ks_ok(api_refuse(&call, 400, "BAD_REQUEST", "%s", text)));
    assert_int_equal(strlen(call.error.detail), API_DETAIL_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from__results_of_the_caller__text_is_told),
        cmocka_unit_test(from__what_happened_inside__is_not_told),
        cmocka_unit_test(from__every_code__is_in_the_table),
        cmocka_unit_test(refuse__bad_utf8__is_made_valid),
        cmocka_unit_test(refuse__long_text__is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
