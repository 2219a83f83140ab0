/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: our signatures are those that AWS expects: known answers, the first of them of AWS's own test suite
 * ("get-vanilla"). A thousand random requests against another signer are in tests/peers.
 */
#include "kms/aws_sign.h"

#include "base/mem.h"
#include "check.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

enum { AUGUST_2015 = 1440938160 };

static struct aws_credentials *credentials(const char *token)
{
    const struct aws_credentials_parts parts = {view_text("AKIDEXAMPLE"), view_text(SECRET),
                                                view_text(token), NULL};
    struct aws_credentials *c = NULL;

    check_ok(aws_credentials_new(&parts, &c));
    return c;
}

static struct aws_signature sign(const struct aws_to_sign *request, const char *token)
{
    struct aws_credentials *c = credentials(token);
    struct aws_signature s;

    check_ok(aws_sign(request, c, &s));
    aws_credentials_unref(c);
    return s;
}

static void sign__get_vanilla__known_answer(void **state)
{
    const struct aws_to_sign request = {.service = "service",
                                        .region = "us-east-1",
                                        .method = "GET",
                                        .host = "example.amazonaws.com",
                                        .path = "/",
                                        .now_s = AUGUST_2015};
    struct aws_signature s = sign(&request, "");

    (void)state;
    assert_string_equal(s.date, "20150830T123600Z");
    assert_string_equal(
        s.authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static const struct http_header encrypt_headers[] = {{"Content-Type", "application/x-amz-json-1.1"},
                                                     {"X-Amz-Target", "TrentService.Encrypt"}};

static struct aws_to_sign encrypt_request(void)
{
    return (struct aws_to_sign){
        .service = "kms",
        .region = "us-east-1",
        .method = "POST",
        .host = "kms.us-east-1.amazonaws.com",
        .path = "/",
        .header_count = 2,
        .headers = encrypt_headers,
        .body = view_text("{\"KeyId\":\"alias/cmk\",\"Plaintext\":\"aGVsbG8=\"}"),
        .now_s = AUGUST_2015,
    };
}

static void sign__encrypt_with_token__known_answer(void **state)
{
    const struct aws_to_sign request = encrypt_request();
    struct aws_signature s = sign(&request, "TOKEN");

    (void)state;
    assert_string_equal(
        s.authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
        "Signature=1a76ba105cf7c410651606d8c839e65faab57e89e9f965a0dee9bb73caf9317c");
}

static void sign__any_part_changed__another_signature(void **state)
{
    static const struct http_header other_headers[] = {
        {"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", "TrentService.Decrypt"}};
    struct aws_to_sign requests[8];
    struct aws_signature first;

    (void)state;
    for (size_t i = 0; i < 8; i++)
        requests[i] = encrypt_request();
    requests[1].service = "sts";
    requests[2].region = "us-east-2";
    requests[3].host = "kms.us-east-1.amazonaws.com:8443";
    requests[4].path = "/kms";
    requests[5].headers = other_headers;
    requests[6].body = view_text("{}");
    requests[7].now_s++;
    first = sign(&requests[0], "TOKEN");
    for (size_t i = 1; i < 8; i++) {
        struct aws_signature s = sign(&requests[i], "TOKEN");
        assert_string_not_equal(s.authorization, first.authorization);
    }
    struct aws_signature s = sign(&requests[0], "OTHER");
    assert_string_not_equal(s.authorization, first.authorization);
}

static void sign__no_request__usage_and_output_untouched(void **state)
{
    struct aws_credentials *c = credentials("");
    struct aws_to_sign request = encrypt_request();
    struct aws_signature s = {.date = "as it was"};

    (void)state;
    request.now_s = INT64_MAX;
    check_rc(aws_sign(&request, c, &s), USAGE);
    request = encrypt_request();
    char region[AWS_AUTHORIZATION_BYTES];
    memset(region, 'r', sizeof region);
    region[sizeof region - 1] = '\0';
    request.region = region;
    check_rc(aws_sign(&request, c, &s), LIMIT);
    assert_string_equal(s.date, "as it was");
    aws_credentials_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign__get_vanilla__known_answer),
        cmocka_unit_test(sign__encrypt_with_token__known_answer),
        cmocka_unit_test(sign__any_part_changed__another_signature),
        cmocka_unit_test(sign__no_request__usage_and_output_untouched),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
