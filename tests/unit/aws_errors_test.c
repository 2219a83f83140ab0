/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: every error of AWS gets the class that the table gives it, whatever form it comes in; and what is
 * unknown is never taken for a denial.
 */
#include "kms/aws_errors.h"

#include <stdio.h>

#include "check.h"

static struct http_reply reply(int status, const char *headers, const char *body)
{
    struct http_reply r = {.status = status, .body = buf_init(100000), .header = buf_init(10000)};

    check_ok(buf_append(&r.header, view_text("HTTP/1.1 400 Bad Request\r\n")));
    check_ok(buf_append(&r.header, view_text(headers)));
    check_ok(buf_append(&r.body, view_text(body)));
    return r;
}

static ks_rc result_of(int status, const char *headers, const char *body, enum aws_cure *cure)
{
    struct http_reply r = reply(status, headers, body);
    struct aws_error e;

    aws_error_read(&r, &e);
    http_reply_done(&r);
    return aws_error_result(&e, status, cure);
}

/* One of each class of the table, as the service sends them. */
static const struct {
    int status;
    const char *body;
    enum ks_code code;
    enum ks_class cls;
    enum aws_cure cure;
} answers[] = {
    {400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: x is not authorized\"}",
     KS_E_DENIED, KS_CLASS_DENIED, AWS_CURE_NONE},
    {403, "{\"__type\":\"AccessDeniedException\"}", KS_E_DENIED, KS_CLASS_DENIED, AWS_CURE_NONE},
    {400, "{\"__type\":\"DisabledException\",\"message\":\"arn is disabled.\"}", KS_E_KEY_DISABLED,
     KS_CLASS_DENIED, AWS_CURE_NONE},
    {400, "{\"__type\":\"KMSInvalidStateException\",\"message\":\"arn is pending deletion.\"}",
     KS_E_KEY_PENDING_DELETION, KS_CLASS_DENIED, AWS_CURE_NONE},
    {400, "{\"__type\":\"KMSInvalidStateException\",\"message\":\"arn is pending import.\"}",
     KS_E_DENIED, KS_CLASS_DENIED, AWS_CURE_NONE},
    {400, "{\"__type\":\"NotFoundException\",\"message\":\"Key 'arn' does not exist\"}",
     KS_E_KEY_NOT_FOUND, KS_CLASS_DENIED, AWS_CURE_NONE},
    {400, "{\"__type\":\"ThrottlingException\",\"message\":\"You have exceeded the rate\"}",
     KS_E_THROTTLED, KS_CLASS_UNREACHABLE, AWS_CURE_NONE},
    {500, "{\"__type\":\"KMSInternalException\"}", KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE,
     AWS_CURE_NONE},
    {500, "{\"__type\":\"KeyUnavailableException\"}", KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE,
     AWS_CURE_NONE},
    {503, "{\"__type\":\"DependencyTimeoutException\"}", KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE,
     AWS_CURE_NONE},
    {400, "{\"__type\":\"RequestExpired\"}", KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE,
     AWS_CURE_CLOCK},
    {400, "{\"__type\":\"RequestTimeTooSkewed\"}", KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE,
     AWS_CURE_CLOCK},
    {400,
     "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: 2015 is now "
     "earlier than 2016\"}",
     KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE, AWS_CURE_CLOCK},
    {400,
     "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature not yet current: ...\"}",
     KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE, AWS_CURE_CLOCK},
    {403,
     "{\"__type\":\"InvalidSignatureException\",\"message\":\"The request signature we calculated "
     "does not match\"}",
     KS_E_CREDENTIAL, KS_CLASS_UNREACHABLE, AWS_CURE_NONE},
    {400, "{\"__type\":\"ExpiredTokenException\"}", KS_E_CREDENTIAL, KS_CLASS_UNREACHABLE,
     AWS_CURE_CREDENTIALS},
    {400, "{\"__type\":\"UnrecognizedClientException\"}", KS_E_CREDENTIAL, KS_CLASS_UNREACHABLE,
     AWS_CURE_CREDENTIALS},
    {400, "{\"__type\":\"IncompleteSignatureException\"}", KS_E_CREDENTIAL, KS_CLASS_UNREACHABLE,
     AWS_CURE_NONE},
    {400, "{\"__type\":\"InvalidCiphertextException\",\"message\":null}", KS_E_AUTH,
     KS_CLASS_CORRUPT, AWS_CURE_NONE},
    {400, "{\"__type\":\"IncorrectKeyException\"}", KS_E_WRONG_KEY, KS_CLASS_CORRUPT,
     AWS_CURE_NONE},
    {400, "{\"__type\":\"InvalidKeyUsageException\"}", KS_E_USAGE, KS_CLASS_USAGE, AWS_CURE_NONE},
    {400, "{\"__type\":\"ValidationException\"}", KS_E_USAGE, KS_CLASS_USAGE, AWS_CURE_NONE},
    {400, "{\"__type\":\"SerializationException\"}", KS_E_USAGE, KS_CLASS_USAGE, AWS_CURE_NONE},
};

static void result__each_class__as_in_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        enum aws_cure cure = AWS_CURE_CREDENTIALS;
        ks_rc rc = result_of(answers[i].status, "", answers[i].body, &cure);
        if (rc.code != answers[i].code || rc.cls != answers[i].cls || cure != answers[i].cure)
            fail_msg("%s: %s %s, cure %d", answers[i].body, ks_class_name(rc), ks_name(rc), cure);
    }
}

static void read__header__before_the_body(void **state)
{
    struct http_reply r =
        reply(400, "X-Amzn-Errortype: DisabledException:http://internal.amazon.com/coral/\r\n",
              "{\"__type\":\"NotFoundException\",\"Message\":\"of the body\"}");
    struct aws_error e;

    (void)state;
    aws_error_read(&r, &e);
    assert_string_equal(e.type, "DisabledException");
    assert_string_equal(e.message, "of the body");
    http_reply_done(&r);
}

static void read__prefix_in_the_body__cut(void **state)
{
    struct http_reply r = reply(
        400, "", "{\"__type\":\"com.amazon.kms#v1#NotFoundException\",\"message\":\"a\\nb\"}");
    struct aws_error e;

    (void)state;
    aws_error_read(&r, &e);
    assert_string_equal(e.type, "NotFoundException");
    assert_string_equal(e.message, "a b");
    http_reply_done(&r);
}

static void read__no_error_in_it__no_type(void **state)
{
    static const char *const bodies[] = {"",
                                         "<html>502</html>",
                                         "{}",
                                         "[]",
                                         "null",
                                         "\"AccessDeniedException\"",
                                         "{\"__type\":7}",
                                         "{\"__type\":null}",
                                         "{\"type\":\"AccessDeniedException\"}",
                                         "{\"__type\":\"AccessDeniedException\"",
                                         "{\"__type\":\"AccessDeniedException\"} x"};
    enum aws_cure cure;

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        check_rc(result_of(403, "", bodies[i], &cure), BAD_REPLY);
        check_rc(result_of(502, "", bodies[i], &cure), UNREACHABLE);
    }
}

static void result__unknown_type__bad_reply_that_asks_for_a_report(void **state)
{
    enum aws_cure cure;
    ks_rc rc = result_of(400, "", "{\"__type\":\"NewException\",\"message\":\"hm\"}", &cure);

    (void)state;
    check_rc(rc, BAD_REPLY);
    check_text(rc, "unknown error NewException: hm");
    check_text(rc, "report it");
    check_rc(result_of(500, "", "{\"__type\":\"NewException\"}", &cure), UNREACHABLE);
}

static void read__endless_texts__cut(void **state)
{
    static char body[9000];
    struct http_reply r;
    struct aws_error e;

    (void)state;
    snprintf(body, sizeof body, "{\"__type\":\"%0200d\",\"message\":\"%04000d\"}", 1, 2);
    r = reply(400, "", body);
    aws_error_read(&r, &e);
    assert_int_equal(strlen(e.type), AWS_ERROR_TYPE_BYTES - 1);
    assert_int_equal(strlen(e.message), AWS_ERROR_TEXT_BYTES - 1);
    http_reply_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(result__each_class__as_in_the_table),
        cmocka_unit_test(read__header__before_the_body),
        cmocka_unit_test(read__prefix_in_the_body__cut),
        cmocka_unit_test(read__no_error_in_it__no_type),
        cmocka_unit_test(result__unknown_type__bad_reply_that_asks_for_a_report),
        cmocka_unit_test(read__endless_texts__cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
