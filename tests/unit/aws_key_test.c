/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a key of AWS KMS is known by each form of its name, and an answer about another key is noticed.
 */
#include "kms/aws_key.h"

#include "check.h"

#define UUID "1234abcd-12ab-34cd-56ef-1234567890ab"
#define KEY "arn:aws:kms:eu-west-1:111122223333:key/" UUID

static void parse__key_arn__all_parts(void **state)
{
    struct aws_key k;

    (void)state;
    check_ok(aws_key_parse(KEY, NULL, &k));
    assert_string_equal(k.id, KEY);
    assert_string_equal(k.partition, "aws");
    assert_string_equal(k.region, "eu-west-1");
    assert_string_equal(k.account, "111122223333");
    assert_string_equal(k.resource, "key/" UUID);
    assert_true(k.is_arn && !k.is_alias);
}

static void parse__other_forms__known(void **state)
{
    struct aws_key k;

    (void)state;
    check_ok(aws_key_parse("arn:aws-cn:kms:cn-north-1:111122223333:alias/team/orders", NULL, &k));
    assert_true(k.is_arn && k.is_alias);
    assert_string_equal(k.resource, "alias/team/orders");
    check_ok(aws_key_parse("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/"
                           "mrk-1234abcd12ab34cd56ef1234567890ab",
                           "eu-west-1", &k));
    assert_string_equal(k.region, "us-gov-west-1"); /* the ARN's, not the default */
    check_ok(aws_key_parse(UUID, "eu-west-3", &k));
    assert_true(!k.is_arn && !k.is_alias);
    assert_string_equal(k.region, "eu-west-3");
    assert_string_equal(k.partition, "aws");
    assert_string_equal(k.account, "");
}

static void parse__no_key__usage_and_output_untouched(void **state)
{
    static const char *const wrong[] = {
        "",
        "arn:",
        "arn:aws:kms:eu-west-1:111122223333",
        "arn:aws:kms:eu-west-1:111122223333:",
        "arn:aws:kms:eu-west-1:111122223333:key/",
        "arn:aws:kms:eu-west-1:111122223333:key/a b",
        "arn:aws:kms:eu-west-1:111122223333:key/a/b",
        "arn:aws:kms:eu-west-1:111122223333:alias/",
        "arn:aws:kms:eu-west-1:111122223333:grant/x",
        "arn:aws:kms:eu-west-1:11112222333:key/" UUID,
        "arn:aws:kms:eu-west-1:11112222333x:key/" UUID,
        "arn:aws:kms::111122223333:key/" UUID,
        "arn:aws:kms:eu.west:111122223333:key/" UUID,
        "arn:aws:kms:eu-west-1/../:111122223333:key/" UUID,
        "arn:awx:kms:eu-west-1:111122223333:key/" UUID,
        "arn:aws:s3:eu-west-1:111122223333:key/" UUID,
        "arnx:aws:kms:eu-west-1:111122223333:key/" UUID,
        "alias/orders",
        "key/" UUID,
        "a key",
        "https://kms.eu-west-1.amazonaws.com/",
        "0123456789012345678901234567890123456789012345678901234567890123456789",
    };
    struct aws_key k = {.id = "as it was"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_rc(aws_key_parse(wrong[i], "eu-west-1", &k), USAGE);
    check_rc(aws_key_parse(UUID, NULL, &k), USAGE);
    check_rc(aws_key_parse(UUID, "not a region", &k), USAGE);
    assert_string_equal(k.id, "as it was");
}

static void parse__too_long__limit(void **state)
{
    char text[KEY_URI_BYTES + 1];
    struct aws_key k;

    (void)state;
    memset(text, 'a', sizeof text);
    text[KEY_URI_BYTES] = '\0';
    check_rc(aws_key_parse(text, "eu-west-1", &k), LIMIT);
}

static void parse__wrong_service__told_by_name(void **state)
{
    struct aws_key k;
    ks_rc rc = aws_key_parse("arn:aws:s3:eu-west-1:111122223333:bucket", NULL, &k);

    (void)state;
    check_text(rc, "names a s3, not a key");
    check_text(rc, "aws_kms:arn:aws:kms:");
}

static void check_answers(const char *asked, const char *const *right, const char *const *wrong)
{
    struct aws_key k;

    check_ok(aws_key_parse(asked, "eu-west-1", &k));
    for (; *right; right++)
        check_ok(aws_key_check_answer(&k, *right));
    for (; *wrong; wrong++)
        check_rc(aws_key_check_answer(&k, *wrong), BAD_REPLY);
}

static void answer__of_an_arn__that_arn_only(void **state)
{
    static const char *const right[] = {KEY, NULL};
    static const char *const wrong[] = {
        "",
        UUID,
        "arn:aws:kms:eu-west-2:111122223333:key/" UUID,
        "arn:aws:kms:eu-west-1:444455556666:key/" UUID,
        "arn:aws-cn:kms:eu-west-1:111122223333:key/" UUID,
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ac",
        "arn:aws:kms:eu-west-1:111122223333:alias/orders",
        KEY "0",
        NULL};

    (void)state;
    check_answers(KEY, right, wrong);
}

static void answer__of_a_multi_region_key__any_replica(void **state)
{
#define MRK "key/mrk-1234abcd12ab34cd56ef1234567890ab"
    static const char *const right[] = {"arn:aws:kms:eu-west-1:111122223333:" MRK,
                                        "arn:aws:kms:us-east-1:111122223333:" MRK, NULL};
    static const char *const wrong[] = {"arn:aws:kms:us-east-1:444455556666:" MRK,
                                        "arn:aws:kms:us-east-1:111122223333:" MRK "0", KEY, NULL};

    (void)state;
    check_answers("arn:aws:kms:eu-west-1:111122223333:" MRK, right, wrong);
}

static void answer__of_an_alias__any_key_of_its_account_and_region(void **state)
{
    static const char *const right[] = {KEY, NULL};
    static const char *const wrong[] = {"arn:aws:kms:eu-west-1:111122223333:alias/orders",
                                        "arn:aws:kms:eu-west-2:111122223333:key/" UUID,
                                        "arn:aws:kms:eu-west-1:444455556666:key/" UUID, NULL};

    (void)state;
    check_answers("arn:aws:kms:eu-west-1:111122223333:alias/orders", right, wrong);
}

static void answer__of_a_key_id__that_key_of_any_account(void **state)
{
    static const char *const right[] = {KEY, "arn:aws:kms:eu-west-1:444455556666:key/" UUID, NULL};
    static const char *const wrong[] = {"arn:aws:kms:eu-west-1:111122223333:key/other", UUID, NULL};

    (void)state;
    check_answers(UUID, right, wrong);
}

static void partition__of_a_region__its_suffix(void **state)
{
    (void)state;
    assert_string_equal(aws_partition_of("eu-west-1"), "aws");
    assert_string_equal(aws_partition_of("cn-northwest-1"), "aws-cn");
    assert_string_equal(aws_partition_of("us-gov-east-1"), "aws-us-gov");
    assert_string_equal(aws_partition_of("us-isob-east-1"), "aws-iso-b");
    assert_string_equal(aws_partition_suffix("aws"), "amazonaws.com");
    assert_string_equal(aws_partition_suffix("aws-cn"), "amazonaws.com.cn");
    assert_string_equal(aws_partition_suffix("aws-us-gov"), "amazonaws.com");
    assert_null(aws_partition_suffix("azure"));
}

static void role__arns__account_or_usage(void **state)
{
    static const char *const wrong[] = {
        "",
        "cmek",
        "arn:aws:iam::111122223333:user/cmek",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::1111:role/cmek",
        "arn:aws:iam:eu-west-1:111122223333:role/cmek",
        "arn:aws:sts::111122223333:assumed-role/cmek/x",
        "arn:aws:iam::111122223333:role/a b",
    };
    char account[AWS_ACCOUNT_ID_BYTES] = "untouched";

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_rc(aws_role_account(wrong[i], account), USAGE);
    assert_string_equal(account, "untouched");
    check_ok(aws_role_account("arn:aws:iam::111122223333:role/path/to/cmek-1", account));
    assert_string_equal(account, "111122223333");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__key_arn__all_parts),
        cmocka_unit_test(parse__other_forms__known),
        cmocka_unit_test(parse__no_key__usage_and_output_untouched),
        cmocka_unit_test(parse__too_long__limit),
        cmocka_unit_test(parse__wrong_service__told_by_name),
        cmocka_unit_test(answer__of_an_arn__that_arn_only),
        cmocka_unit_test(answer__of_a_multi_region_key__any_replica),
        cmocka_unit_test(answer__of_an_alias__any_key_of_its_account_and_region),
        cmocka_unit_test(answer__of_a_key_id__that_key_of_any_account),
        cmocka_unit_test(partition__of_a_region__its_suffix),
        cmocka_unit_test(role__arns__account_or_usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
