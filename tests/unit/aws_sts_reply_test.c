/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the XML of STS is read for what it says, and nothing that is not such a reply gets through the parser.
 */
#include "kms/aws_sts_reply.h"

#include <stdio.h>

#include "check.h"

static const char good[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
    " <AssumeRoleResult>\n  <Credentials>\n   <AccessKeyId>ASIAX</AccessKeyId>\n"
    "   "
    "<SecretAccessKey>se/cr&amp;et</SecretAccessKey><SessionToken>tok<![CDATA[en]]></SessionToken>"
    "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>"
    "<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/a/b</Arn></AssumedRoleUser>"
    "<PackedPolicySize>6</PackedPolicySize></AssumeRoleResult>"
    "<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></AssumeRoleResponse>";

static struct aws_sts_reply reply;

static void parse__credentials__all_parts(void **state)
{
    (void)state;
    check_ok(aws_sts_reply_parse(view_text(good), &reply));
    assert_string_equal(reply.access_key, "ASIAX");
    assert_string_equal(reply.secret_key, "se/cr&et");
    assert_string_equal(reply.token, "token");
    assert_string_equal(reply.expiration, "2030-01-01T00:00:00Z");
    assert_string_equal(reply.request_id, "id-1");
    assert_string_equal(reply.error_type, "");
}

static void parse__error__code_and_message(void **state)
{
    (void)state;
    check_ok(aws_sts_reply_parse(
        view_text("<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                  "<Message>no &lt;way&gt;</Message></Error><RequestId>id-2</RequestId>"
                  "</ErrorResponse>"),
        &reply));
    assert_string_equal(reply.error_type, "AccessDenied");
    assert_string_equal(reply.error_message, "no <way>");
    assert_string_equal(reply.request_id, "id-2");
    assert_string_equal(reply.access_key, "");
}

static void parse__elements_in_other_places__passed_over(void **state)
{
    (void)state;
    check_ok(aws_sts_reply_parse(
        view_text("<a><AccessKeyId>x</AccessKeyId><b><Code>y</Code></b><Message/></a>"), &reply));
    assert_string_equal(reply.access_key, "");
    assert_string_equal(reply.error_type, "");
}

static void parse__no_such_reply__bad_reply_and_nothing_left(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
        "<a>&undefined;</a>",
        "<Credentials><AccessKeyId>a</AccessKeyId><AccessKeyId>b</AccessKeyId></Credentials>",
        "<Credentials><AccessKeyId>a<b/></AccessKeyId></Credentials>",
        "<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>",
        "<Credentials><AccessKeyId>\xff</AccessKeyId></Credentials>",
        "<Credentials><SecretAccessKey>s</SecretAccessKey>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_rc(aws_sts_reply_parse(view_text(wrong[i]), &reply), BAD_REPLY);
        assert_string_equal(reply.access_key, "");
        assert_string_equal(reply.secret_key, "");
    }
}

static void parse__every_prefix__bad_reply(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof good - 1; len++)
        check_rc(aws_sts_reply_parse(view_of(good, len), &reply), BAD_REPLY);
}

static void parse__more_than_fits__refused_but_a_message_is_cut(void **state)
{
    static char text[AWS_TOKEN_BYTES + 200], huge[AWS_STS_REPLY_BYTES_MAX + 1];

    (void)state;
    snprintf(text, sizeof text, "<Credentials><AccessKeyId>%0200d</AccessKeyId></Credentials>", 1);
    check_rc(aws_sts_reply_parse(view_text(text), &reply), BAD_REPLY);
    snprintf(text, sizeof text, "<Credentials><SessionToken>%0*d</SessionToken></Credentials>",
             AWS_TOKEN_BYTES, 1);
    check_rc(aws_sts_reply_parse(view_text(text), &reply), BAD_REPLY);
    snprintf(text, sizeof text, "<Error><Message>%04000d</Message></Error>", 1);
    check_ok(aws_sts_reply_parse(view_text(text), &reply));
    assert_int_equal(strlen(reply.error_message), AWS_ERROR_TEXT_BYTES - 1);
    memset(huge, ' ', sizeof huge);
    check_rc(aws_sts_reply_parse(view_of(huge, sizeof huge), &reply), BAD_REPLY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__credentials__all_parts),
        cmocka_unit_test(parse__error__code_and_message),
        cmocka_unit_test(parse__elements_in_other_places__passed_over),
        cmocka_unit_test(parse__no_such_reply__bad_reply_and_nothing_left),
        cmocka_unit_test(parse__every_prefix__bad_reply),
        cmocka_unit_test(parse__more_than_fits__refused_but_a_message_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
