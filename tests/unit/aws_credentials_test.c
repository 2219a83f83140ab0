/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: credentials are made only of what can be credentials, and are shared without being copied.
 */
#include "kms/aws_credentials.h"

#include "check.h"

static struct aws_credentials_parts parts(void)
{
    return (struct aws_credentials_parts){view_text("AKIDEXAMPLE"), view_text("secret/+"),
                                          view_text("token=="), "2030-01-01T00:00:00Z"};
}

static struct aws_credentials *make(const struct aws_credentials_parts *p)
{
    struct aws_credentials *c = NULL;

    check_ok(aws_credentials_new(p, &c));
    return c;
}

static void new__all_parts__kept(void **state)
{
    struct aws_credentials_parts p = parts();
    struct aws_credentials *c = make(&p);

    (void)state;
    assert_string_equal(c->access_key, "AKIDEXAMPLE");
    check_bytes(secret_view(c->secret_key), view_text("secret/+"));
    assert_string_equal((char *)secret_bytes(c->token), "token==");
    assert_int_equal(c->expires_s, 1893456000);
    aws_credentials_unref(c);
}

static void new__long_term__no_token_and_no_end(void **state)
{
    struct aws_credentials_parts p = parts();

    (void)state;
    p.token = view_text("");
    p.expiration = NULL;
    struct aws_credentials *c = make(&p);
    assert_null(c->token);
    assert_int_equal(c->expires_s, 0);
    aws_credentials_unref(c);
}

static void new__what_cannot_be__credential_without_the_secret_in_the_text(void **state)
{
    static char huge[AWS_TOKEN_BYTES + 1];
    struct aws_credentials_parts wrong[8];
    struct aws_credentials *c = NULL;

    (void)state;
    memset(huge, 'x', sizeof huge - 1);
    for (size_t i = 0; i < 8; i++)
        wrong[i] = parts();
    wrong[0].access_key = view_text("");
    wrong[1].access_key = view_text("AK\r\nX-Evil: 1");
    wrong[2].secret_key = view_text("");
    wrong[3].secret_key = view_text("has a blank");
    wrong[4].token = view_text("line\nbreak");
    wrong[5].token = view_text(huge);
    wrong[6].expiration = "tomorrow";
    wrong[7].secret_key = view_text(huge);
    for (size_t i = 0; i < 8; i++) {
        ks_rc rc = aws_credentials_new(&wrong[i], &c);
        check_rc(rc, CREDENTIAL);
        check_class(rc, UNREACHABLE);
        assert_null(strstr(ks_text(rc), "has a blank"));
        assert_null(c);
    }
}

static void json__of_the_metadata_service__read(void **state)
{
    static const char text[] =
        "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIAX\",\"SecretAccessKey\":"
        "\"s\",\"Token\":\"t\",\"Expiration\":\"2030-01-01T00:00:00Z\"}";
    struct aws_credentials *c = NULL;

    (void)state;
    check_ok(aws_credentials_from_json(view_text(text), "Token", &c));
    assert_string_equal(c->access_key, "ASIAX");
    assert_string_equal((char *)secret_bytes(c->token), "t");
    aws_credentials_unref(c);
}

static void json__anything_else__credential(void **state)
{
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"AccessKeyId\":\"a\"}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":7}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Token\":[]}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Expiration\":1893456000}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}",
        "{\"AccessKeyId\":\"a\",\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\"}",
    };
    struct aws_credentials *c = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_rc(aws_credentials_from_json(view_text(wrong[i]), "Token", &c), CREDENTIAL);
    assert_null(c);
}

static void same__differs_in_one_part__not_the_same(void **state)
{
    struct aws_credentials_parts p[5];
    struct aws_credentials *c[5];

    (void)state;
    for (size_t i = 0; i < 5; i++)
        p[i] = parts();
    p[1].expiration = NULL;
    p[2].access_key = view_text("AKIDOTHER");
    p[3].secret_key = view_text("secret/-");
    p[4].token = view_text("");
    for (size_t i = 0; i < 5; i++)
        c[i] = make(&p[i]);
    assert_true(aws_credentials_is_same(c[0], c[1]));
    for (size_t i = 2; i < 5; i++)
        assert_false(aws_credentials_is_same(c[0], c[i]));
    assert_false(aws_credentials_is_same(c[0], NULL));
    assert_true(aws_credentials_is_same(NULL, NULL));
    for (size_t i = 0; i < 5; i++)
        aws_credentials_unref(c[i]);
}

static void unref__one_of_two__still_there(void **state)
{
    struct aws_credentials_parts p = parts();
    struct aws_credentials *c = make(&p), *also = aws_credentials_ref(c);

    (void)state;
    aws_credentials_unref(c);
    check_bytes(secret_view(also->secret_key), view_text("secret/+"));
    aws_credentials_unref(also);
    aws_credentials_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new__all_parts__kept),
        cmocka_unit_test(new__long_term__no_token_and_no_end),
        cmocka_unit_test(new__what_cannot_be__credential_without_the_secret_in_the_text),
        cmocka_unit_test(json__of_the_metadata_service__read),
        cmocka_unit_test(json__anything_else__credential),
        cmocka_unit_test(same__differs_in_one_part__not_the_same),
        cmocka_unit_test(unref__one_of_two__still_there),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
