/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: each condition operator of AWS policies decides as AWS documents it, for one value, several, none, and
 * for the keys that follow from the caller; what cannot be understood is refused.
 */
#include "aws_ask.h"

/* operator, key, values of the policy; values of the request ("-": the key is absent); does it hold */
struct decision {
    const char *operator, * key, *wanted, *given;
    bool holds;
};

static const struct decision decisions[] = {
    /* strings */
    {"StringEquals", "a:k", "\"x\"", "\"x\"", true},
    {"StringEquals", "a:k", "\"x\"", "\"X\"", false},
    {"StringEquals", "a:k", "\"x*\"", "\"xy\"", false},
    {"StringEquals", "a:k", "\"x*\"", "\"x*\"", true},
    {"StringEquals", "a:k", "\"x\"", "-", false},
    {"StringEquals", "a:k", "[\"x\",\"y\"]", "\"y\"", true},
    {"StringEquals", "a:k", "[\"x\",\"y\"]", "\"z\"", false},
    {"StringEquals", "A:K", "\"x\"", "\"x\"", true},
    {"stringequals", "a:k", "\"x\"", "\"x\"", true},
    {"StringNotEquals", "a:k", "\"x\"", "\"y\"", true},
    {"StringNotEquals", "a:k", "\"x\"", "\"x\"", false},
    {"StringNotEquals", "a:k", "\"x\"", "-", true},
    {"StringNotEquals", "a:k", "[\"x\",\"y\"]", "\"y\"", false},
    {"StringNotEquals", "a:k", "[\"x\",\"y\"]", "\"z\"", true},
    {"StringEqualsIgnoreCase", "a:k", "\"x\"", "\"X\"", true},
    {"StringEqualsIgnoreCase", "a:k", "\"x\"", "\"y\"", false},
    {"StringNotEqualsIgnoreCase", "a:k", "\"x\"", "\"X\"", false},
    {"StringNotEqualsIgnoreCase", "a:k", "\"x\"", "\"y\"", true},
    {"StringLike", "a:k", "\"x*\"", "\"xyz\"", true},
    {"StringLike", "a:k", "\"x*\"", "\"ax\"", false},
    {"StringLike", "a:k", "\"*\"", "\"\"", true},
    {"StringLike", "a:k", "\"?\"", "\"\"", false},
    {"StringLike", "a:k", "\"a?c\"", "\"abc\"", true},
    {"StringLike", "a:k", "\"*b*b*\"", "\"abcb\"", true},
    {"StringLike", "a:k", "\"*b*b*\"", "\"abc\"", false},
    {"StringLike", "a:k", "\"*ab\"", "\"aab\"", true},
    {"StringLike", "a:k", "\"x*\"", "-", false},
    {"StringNotLike", "a:k", "\"x*\"", "\"xyz\"", false},
    {"StringNotLike", "a:k", "\"x*\"", "\"y\"", true},
    {"StringNotLike", "a:k", "\"x*\"", "-", true},
    {"StringLike", "a:k", "\"a${*}c\"", "\"abc\"", false},
    {"StringLike", "a:k", "\"a${*}c\"", "\"a*c\"", true},
    {"StringLike", "a:k", "\"a${?}${$}\"", "\"a?$\"", true},
    {"BinaryEquals", "a:k", "\"QQ==\"", "\"QQ==\"", true},
    {"BinaryEquals", "a:k", "\"QQ==\"", "\"QR==\"", false},
    /* if exists */
    {"StringEqualsIfExists", "a:k", "\"x\"", "-", true},
    {"StringEqualsIfExists", "a:k", "\"x\"", "\"x\"", true},
    {"StringEqualsIfExists", "a:k", "\"x\"", "\"y\"", false},
    {"StringNotEqualsIfExists", "a:k", "\"x\"", "-", true},
    {"BoolIfExists", "a:k", "\"true\"", "-", true},
    {"NumericLessThanIfExists", "a:k", "\"1\"", "-", true},
    /* presence */
    {"Null", "a:k", "\"true\"", "-", true},
    {"Null", "a:k", "\"true\"", "\"x\"", false},
    {"Null", "a:k", "\"false\"", "-", false},
    {"Null", "a:k", "false", "\"x\"", true},
    {"Null", "a:k", "true", "-", true},
    /* truth */
    {"Bool", "a:k", "\"true\"", "\"true\"", true},
    {"Bool", "a:k", "true", "\"true\"", true},
    {"Bool", "a:k", "\"TRUE\"", "\"true\"", true},
    {"Bool", "a:k", "\"false\"", "\"true\"", false},
    {"Bool", "a:k", "\"false\"", "-", false},
    /* numbers */
    {"NumericEquals", "a:k", "\"10\"", "\"10\"", true},
    {"NumericEquals", "a:k", "10", "\"10.0\"", true},
    {"NumericEquals", "a:k", "\"10\"", "\"11\"", false},
    {"NumericEquals", "a:k", "\"10\"", "\"ten\"", false},
    {"NumericNotEquals", "a:k", "\"10\"", "\"11\"", true},
    {"NumericNotEquals", "a:k", "\"10\"", "\"10\"", false},
    {"NumericLessThan", "a:k", "\"10\"", "\"9\"", true},
    {"NumericLessThan", "a:k", "\"10\"", "\"10\"", false},
    {"NumericLessThanEquals", "a:k", "\"10\"", "\"10\"", true},
    {"NumericLessThanEquals", "a:k", "\"10\"", "\"10.5\"", false},
    {"NumericLessThanEquals", "a:k", "\"10\"", "\"nan\"", false},
    {"NumericEquals", "a:k", "\"10\"", "\"nan\"", false},
    {"NumericLessThan", "a:k", "\"10\"", "\"-inf\"", false},
    {"NumericGreaterThan", "a:k", "\"10\"", "\"11\"", true},
    {"NumericGreaterThan", "a:k", "\"10\"", "\"10\"", false},
    {"NumericGreaterThanEquals", "a:k", "\"-1\"", "\"-1\"", true},
    {"NumericGreaterThanEquals", "a:k", "\"10\"", "\"9\"", false},
    {"NumericGreaterThan", "a:k", "\"10\"", "-", false},
    /* dates */
    {"DateEquals", "a:k", "\"2030-01-01T00:00:00Z\"", "\"2030-01-01T00:00:00Z\"", true},
    {"DateEquals", "a:k", "\"2030-01-01\"", "\"2030-01-01T00:00:00Z\"", true},
    {"DateEquals", "a:k", "\"1893456000\"", "\"2030-01-01T00:00:00Z\"", true},
    {"DateNotEquals", "a:k", "\"2030-01-01\"", "\"2030-01-02\"", true},
    {"DateLessThan", "a:k", "\"2030-01-01\"", "\"2029-12-31T23:59:59Z\"", true},
    {"DateLessThan", "a:k", "\"2030-01-01\"", "\"2030-01-01\"", false},
    {"DateLessThanEquals", "a:k", "\"2030-01-01\"", "\"2030-01-01\"", true},
    {"DateGreaterThan", "a:k", "\"2030-01-01\"", "\"2030-01-01T00:00:01Z\"", true},
    {"DateGreaterThanEquals", "a:k", "\"2030-01-01\"", "\"2029-12-31\"", false},
    {"DateGreaterThan", "aws:CurrentTime", "\"2030-01-01T00:00:00Z\"", "-", true},
    {"DateLessThan", "aws:CurrentTime", "\"2030-01-01T00:00:00Z\"", "-", false},
    {"NumericGreaterThan", "aws:EpochTime", "\"1899999999\"", "-", true},
    /* addresses */
    {"IpAddress", "aws:SourceIp", "\"192.0.2.0/24\"", "-", true},
    {"IpAddress", "aws:SourceIp", "\"192.0.2.16/28\"", "-", true},
    {"IpAddress", "aws:SourceIp", "\"192.0.2.32/28\"", "-", false},
    {"IpAddress", "aws:SourceIp", "\"192.0.2.17\"", "-", true},
    {"IpAddress", "aws:SourceIp", "\"0.0.0.0/0\"", "-", true},
    {"IpAddress", "aws:SourceIp", "\"::/0\"", "-", false},
    {"IpAddress", "aws:SourceIp", "[\"10.0.0.0/8\",\"192.0.2.17/32\"]", "-", true},
    {"NotIpAddress", "aws:SourceIp", "\"192.0.2.0/24\"", "-", false},
    {"NotIpAddress", "aws:SourceIp", "\"10.0.0.0/8\"", "-", true},
    {"IpAddress", "a:k", "\"2001:db8::/33\"", "\"2001:db8:7fff::1\"", true},
    {"IpAddress", "a:k", "\"2001:db8::/33\"", "\"2001:db8:8000::1\"", false},
    {"IpAddress", "a:k", "\"10.0.0.0/8\"", "\"nonsense\"", false},
    /* ARNs */
    {"ArnEquals", "a:k", "\"arn:aws:iam::1:role/x\"", "\"arn:aws:iam::1:role/x\"", true},
    {"ArnLike", "a:k", "\"arn:aws:iam::*:role/*\"", "\"arn:aws:iam::1:role/x/y\"", true},
    {"ArnEquals", "a:k", "\"arn:aws:iam::*:role/*\"", "\"arn:aws:iam::1:role/x\"", true},
    {"ArnLike", "a:k", "\"arn:aws:iam::*\"", "\"arn:aws:iam::1:role/x\"", false},
    {"ArnLike", "a:k", "\"arn:aws:*:*:*:*\"", "\"arn:aws:iam::1:role/x\"", true},
    {"ArnLike", "a:k", "\"arn:aws:iam::1:role/x\"", "\"nonsense\"", false},
    {"ArnNotEquals", "a:k", "\"arn:aws:iam::1:role/x\"", "\"arn:aws:iam::1:role/y\"", true},
    {"ArnNotLike", "a:k", "\"arn:aws:iam::1:role/*\"", "\"arn:aws:iam::1:role/y\"", false},
    {"ArnLike", "aws:PrincipalArn", "\"arn:aws:iam::111122223333:role/cm*\"", "-", true},
    {"ArnLike", "aws:PrincipalArn", "\"arn:aws:iam::111122223333:role/x*\"", "-", false},
    /* sets */
    {"ForAnyValue:StringEquals", "a:k", "[\"x\",\"y\"]", "[\"z\",\"y\"]", true},
    {"ForAnyValue:StringEquals", "a:k", "[\"x\",\"y\"]", "[\"z\"]", false},
    {"ForAnyValue:StringEquals", "a:k", "\"x\"", "-", false},
    {"ForAllValues:StringEquals", "a:k", "[\"x\",\"y\"]", "[\"y\",\"x\"]", true},
    {"ForAllValues:StringEquals", "a:k", "[\"x\",\"y\"]", "[\"y\",\"z\"]", false},
    {"ForAllValues:StringEquals", "a:k", "\"x\"", "-", true},
    {"ForAllValues:StringLike", "a:k", "\"x*\"", "[\"x1\",\"x2\"]", true},
    {"ForAnyValue:StringNotEquals", "a:k", "\"x\"", "[\"x\",\"y\"]", true},
    {"ForAllValues:StringNotEquals", "a:k", "\"x\"", "[\"x\",\"y\"]", false},
    {"ForAllValues:StringNotEquals", "a:k", "\"x\"", "[\"z\",\"y\"]", true},
    {"StringEquals", "a:k", "\"x\"", "[\"x\",\"y\"]", true},
    {"StringNotEquals", "a:k", "\"x\"", "[\"x\",\"y\"]", false},
    /* the caller, a session of role cmek */
    {"StringEquals", "aws:PrincipalAccount", "\"111122223333\"", "-", true},
    {"StringEquals", "kms:CallerAccount", "\"999988887777\"", "-", false},
    {"StringEquals", "aws:PrincipalType", "\"AssumedRole\"", "-", true},
    {"StringLike", "aws:userid", "\"AROAcmek*:s1\"", "-", true},
    {"Null", "aws:username", "\"true\"", "-", true},
    {"Bool", "aws:SecureTransport", "\"false\"", "-", true},
    {"StringEquals", "aws:RequestedRegion", "\"eu-west-1\"", "-", true},
    {"StringEquals", "aws:ResourceAccount", "\"${aws:PrincipalAccount}\"", "-", true},
    {"Null", "kms:ViaService", "\"true\"", "-", true},
    {"StringEquals", "a:k", "\"${aws:username}\"", "\"\"", false},
    {"StringEquals", "a:k", "\"${aws:username, 'nobody'}\"", "\"nobody\"", true},
    {"StringEquals", "a:k", "\"${aws:PrincipalAccount, 'nobody'}\"", "\"111122223333\"", true},
    {"StringEquals", "a:k", "\"${aws:username, nobody}\"", "\"nobody\"", false},
    {"StringNotEquals", "a:k", "\"${aws:username}\"", "\"x\"", true},
    {"StringLike", "a:k", "\"x-${aws:RequestedRegion}-*\"", "\"x-eu-west-1-z\"", true},
};

static void build(const struct decision *d, char *room, size_t bytes)
{
    snprintf(room, bytes,
             "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
             "\"Resource\":\"*\",\"Condition\":{\"%s\":{\"%s\":%s}}}}",
             d->operator, d->key, d->wanted);
}

static void operators__each_combination__as_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decisions / sizeof *decisions; i++) {
        const struct decision *d = &decisions[i];
        char policy[1024], given[512];
        build(d, policy, sizeof policy);
        snprintf(given, sizeof given, "{\"a:k\":%s}", d->given);
        struct ask ask = {.who = 'r', .action = "kms:Decrypt"};
        ask.conditions = strcmp(d->given, "-") == 0 ? NULL : given;
        struct policy_answer answer = ask_policy(policy, POLICY_IDENTITY, &ask);
        if (answer.allows_principal != d->holds || answer.is_denied)
            fail_msg("%zu: %s %s %s with %s", i, d->operator, d->key, d->wanted, d->given);
    }
}

static void encryption_context__keys_and_values__as_documented(void **state)
{
    static const struct {
        const char *operator, * key, *wanted, *context;
        bool holds;
    } cases[] = {
        {"StringEquals", "kms:EncryptionContext:tenant", "\"t1\"", "{\"tenant\":\"t1\"}", true},
        {"StringEquals", "kms:EncryptionContext:Tenant", "\"t1\"", "{\"tenant\":\"t1\"}", true},
        {"StringEquals", "kms:EncryptionContext:tenant", "\"t1\"", "{\"tenant\":\"t2\"}", false},
        {"StringEquals", "kms:EncryptionContext:tenant", "\"t1\"", "{\"other\":\"t1\"}", false},
        {"StringEquals", "kms:EncryptionContext:tenant", "\"t1\"", NULL, false},
        {"StringLike", "kms:EncryptionContext:tenant", "\"t*\"", "{\"tenant\":\"t2\"}", true},
        {"ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "\"a\"",
         "{\"a\":\"1\",\"b\":\"2\"}", true},
        {"ForAllValues:StringEquals", "kms:EncryptionContextKeys", "\"a\"",
         "{\"a\":\"1\",\"b\":\"2\"}", false},
        {"ForAllValues:StringEquals", "kms:EncryptionContextKeys", "[\"a\",\"b\"]",
         "{\"a\":\"1\",\"b\":\"2\"}", true},
        {"Null", "kms:EncryptionContextKeys", "\"false\"", NULL, false},
        {"Null", "kms:EncryptionContext:a", "\"false\"", "{\"a\":\"1\"}", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct decision d = {cases[i].operator, cases[i].key, cases[i].wanted, NULL, false};
        struct ask ask = {.who = 'r', .action = "kms:Decrypt", .context = cases[i].context};
        char policy[1024];
        build(&d, policy, sizeof policy);
        if (ask_policy(policy, POLICY_IDENTITY, &ask).allows_principal != cases[i].holds)
            fail_msg("%zu: %s", i, policy);
    }
}

/* What does not fit into memory set aside for it is no reason to let somebody in. */
static void values__more_than_fit__denied(void **state)
{
    static const char policy[] =
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
        "\"Resource\":\"*\",\"Condition\":{\"ForAllValues:StringEquals\":{\"a:k\":\"x\"}}}}";
    struct aws_identity who = caller('r');
    struct aws_policy *p = NULL;
    struct policy_answer answer = {0};
    json_t *values = json_array();

    (void)state;
    for (int i = 0; i < 600; i++)
        json_array_append_new(values, json_string("x"));
    json_t *conditions = json_pack("{s:o}", "a:k", values);
    struct aws_access access = {.action = "kms:Decrypt", .resource = KEY_ARN, .account = CUSTOMER};
    access.conditions = conditions;
    check_ok(policy_parse(view_text(policy), POLICY_IDENTITY, &p));
    policy_ask(p, &who, &access, &answer);
    assert_true(answer.is_denied);
    policy_free(p);
    json_decref(conditions);
}

static void parse__unsound__refused(void **state)
{
    static const struct {
        const char *operator, * key, *wanted, *text;
    } cases[] = {
        {"StringEqual", "a:k", "\"x\"", "Invalid Condition type : StringEqual."},
        {"StringEqualsIfexist", "a:k", "\"x\"", "Invalid Condition type"},
        {"ForSomeValues:StringEquals", "a:k", "\"x\"", "Invalid Condition type"},
        {"NullIfExists", "a:k", "\"true\"", "Invalid Condition type"},
        {"StringEquals", "k", "\"x\"", "must be prefaced by a vendor"},
        {"StringEquals", "a:k", "[]", "Syntax errors in policy."},
        {"StringEquals", "a:k", "{}", "Syntax errors in policy."},
        {"StringEquals", "a:k", "[null]", "Syntax errors in policy."},
        {"StringEquals", "a:k", "\"a\\u0001b\"", "Syntax errors in policy."},
        {"StringEquals", "a:k", "\"${aws:username\"", "Syntax errors in policy."},
        {"NumericEquals", "a:k", "\"ten\"", "Invalid value in condition NumericEquals"},
        {"DateEquals", "a:k", "\"tomorrow\"", "Invalid value in condition DateEquals"},
        {"IpAddress", "a:k", "\"10.0.0.0/33\"", "Invalid value in condition IpAddress"},
        {"IpAddress", "a:k", "\"10.0.0/8\"", "Invalid value in condition IpAddress"},
        {"IpAddress", "a:k", "\"10.0.0.0/\"", "Invalid value in condition IpAddress"},
        {"Bool", "a:k", "\"yes\"", "Invalid value in condition Bool"},
        {"Null", "a:k", "[\"true\",\"false\"]", "Syntax errors in policy."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct decision d = {cases[i].operator, cases[i].key, cases[i].wanted, NULL, false};
        struct aws_policy *p = NULL;
        char policy[1024];
        build(&d, policy, sizeof policy);
        ks_rc rc = policy_parse(view_text(policy), POLICY_IDENTITY, &p);
        check_rc(rc, USAGE);
        check_text(rc, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators__each_combination__as_documented),
        cmocka_unit_test(encryption_context__keys_and_values__as_documented),
        cmocka_unit_test(values__more_than_fit__denied),
        cmocka_unit_test(parse__unsound__refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
