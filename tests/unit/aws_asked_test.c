/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: policies get to see what a request to KMS asks for, whether they allow under a condition or deny; and a
 * grant gives nobody more than was meant: not to retire the grants of others, not to pass on without its constraints.
 */
#include "aws_wire.h"

#define ACCOUNT "111122223333"
#define AGENT "arn:aws:iam::" ACCOUNT ":user/agent"
#define OTHER "arn:aws:iam::" ACCOUNT ":user/other"
#define POLICY(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"
#define ALLOW(action, condition)                                                                   \
    POLICY("{\"Effect\":\"Allow\",\"Action\":\"kms:" action                                        \
           "\",\"Resource\":\"*\",\"Condition\":{" condition "}}")
#define DENY(action, condition)                                                                    \
    POLICY("{\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"*\"},{\"Effect\":\"Deny\","  \
           "\"Action\":\"kms:" action "\",\"Resource\":\"*\",\"Condition\":{" condition "}}")
#define GRANT "\"GranteePrincipal\":\"" OTHER "\",\"Operations\":"

/* An account with two users, and a key that its IAM decides about. */
struct kms {
    struct wire w;
    struct creds root, agent, other;
    char key[64];
};

static struct creds new_user(struct kms *k, const char *name)
{
    struct wire *w = &k->w;

    check_status(w, wire_call(w, &k->root, "iam CreateUser", "UserName", name, NULL), 200);
    check_status(w, wire_call(w, &k->root, "iam CreateAccessKey", "UserName", name, NULL), 200);
    return wire_creds(w);
}

/* The text of a member of the answer. */
static void member(const struct wire *w, const char *name, char *room, size_t bytes)
{
    char open[64];

    snprintf(open, sizeof open, "\"%s\":\"", name);
    const char *at = strstr(buf_text(&w->reply.body), open);
    assert_non_null(at);
    at += strlen(open);
    snprintf(room, bytes, "%.*s", (int)strcspn(at, "\""), at);
}

static void kms_start(struct kms *k)
{
    struct wire *w = &k->w;

    wire_start(w);
    k->root = wire_account(w, ACCOUNT);
    k->agent = new_user(k, "agent");
    k->other = new_user(k, "other");
    check_status(w,
                 wire_kms(w, &k->root, "CreateKey",
                          "{\"Tags\":[{\"TagKey\":\"stage\",\"TagValue\":\"live\"}]}"),
                 200);
    member(w, "KeyId", k->key, sizeof k->key);
    check_status(w,
                 wire_kms(w, &k->root, "CreateAlias",
                          "{\"AliasName\":\"alias/one\",\"TargetKeyId\":\"%s\"}", k->key),
                 200);
}

static void set_policy(struct kms *k, const char *policy)
{
    check_status(&k->w,
                 wire_call(&k->w, &k->root, "iam PutUserPolicy", "UserName", "agent", "PolicyName",
                           "p", "PolicyDocument", policy, NULL),
                 200);
}

static const struct {
    const char *policy, *operation, *allowed, *refused; /* behind the key in the body */
} cases[] = {
    {ALLOW("CreateGrant", "\"ForAllValues:StringEquals\":{\"kms:GrantOperations\":[\"Decrypt\"]}"),
     "CreateGrant", GRANT "[\"Decrypt\"]", GRANT "[\"Decrypt\",\"Encrypt\"]"},
    {ALLOW("CreateGrant", "\"StringNotEquals\":{\"kms:GranteePrincipal\":\"" OTHER "\"}"),
     "CreateGrant", "\"GranteePrincipal\":\"" AGENT "\",\"Operations\":[\"Decrypt\"]",
     GRANT "[\"Decrypt\"]"},
    {DENY("CreateGrant", "\"StringEquals\":{\"kms:RetiringPrincipal\":\"" OTHER "\"}"),
     "CreateGrant", GRANT "[\"Decrypt\"]",
     GRANT "[\"Decrypt\"],\"RetiringPrincipal\":\"" OTHER "\""},
    {ALLOW("CreateGrant", "\"StringEquals\":{\"kms:GrantConstraintType\":"
                          "\"EncryptionContextEquals\"}"),
     "CreateGrant",
     GRANT "[\"Decrypt\"],\"Constraints\":{\"EncryptionContextEquals\":{\"a\":\"b\"}}",
     GRANT "[\"Decrypt\"],\"Constraints\":{\"EncryptionContextSubset\":{\"a\":\"b\"}}"},
    {DENY("EnableKeyRotation", "\"NumericGreaterThan\":{\"kms:RotationPeriodInDays\":\"365\"}"),
     "EnableKeyRotation", "\"RotationPeriodInDays\":365", "\"RotationPeriodInDays\":366"},
    {DENY("TagResource", "\"ForAnyValue:StringEquals\":{\"aws:TagKeys\":\"stage\"}"), "TagResource",
     "\"Tags\":[{\"TagKey\":\"x\",\"TagValue\":\"y\"}]",
     "\"Tags\":[{\"TagKey\":\"stage\",\"TagValue\":\"y\"}]"},
    {DENY("TagResource", "\"StringEquals\":{\"aws:RequestTag/x\":\"y\"}"), "TagResource",
     "\"Tags\":[{\"TagKey\":\"x\",\"TagValue\":\"z\"}]",
     "\"Tags\":[{\"TagKey\":\"x\",\"TagValue\":\"y\"}]"},
    {DENY("UntagResource", "\"ForAnyValue:StringEquals\":{\"aws:TagKeys\":\"stage\"}"),
     "UntagResource", "\"TagKeys\":[\"x\"]", "\"TagKeys\":[\"stage\"]"},
    {DENY("PutKeyPolicy", "\"Bool\":{\"kms:BypassPolicyLockoutSafetyCheck\":\"true\"}"),
     "PutKeyPolicy",
     "\"Policy\":\"{\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"kms:*\\\","
     "\\\"Resource\\\":\\\"*\\\",\\\"Principal\\\":{\\\"AWS\\\":\\\"" ACCOUNT "\\\"}}}\"",
     "\"Policy\":\"{}\",\"BypassPolicyLockoutSafetyCheck\":true"},
    {DENY("DescribeKey", "\"StringEquals\":{\"aws:ResourceTag/stage\":\"test\"}"), "DescribeKey",
     "\"GrantTokens\":[]", NULL},
    {DENY("DescribeKey", "\"StringEquals\":{\"aws:ResourceTag/stage\":\"live\"}"), "DescribeKey",
     NULL, "\"GrantTokens\":[]"},
    {DENY("DescribeKey", "\"StringEquals\":{\"kms:KeyOrigin\":\"AWS_KMS\"}"), "DescribeKey", NULL,
     "\"GrantTokens\":[]"},
    {DENY("DescribeKey", "\"Bool\":{\"kms:MultiRegion\":\"false\"}"), "DescribeKey", NULL,
     "\"GrantTokens\":[]"},
    {DENY("ScheduleKeyDeletion",
          "\"NumericLessThan\":{\"kms:ScheduleKeyDeletionPendingWindowInDays\":\"30\"}"),
     "ScheduleKeyDeletion", "\"PendingWindowInDays\":30", "\"PendingWindowInDays\":29"},
};

static void conditions__of_the_request_and_its_key__decide(void **state)
{
    struct kms k;
    (void)state;

    kms_start(&k);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_policy(&k, cases[i].policy);
        if (cases[i].refused) {
            check_status(&k.w,
                         wire_kms(&k.w, &k.agent, cases[i].operation, "{\"KeyId\":\"%s\",%s}",
                                  k.key, cases[i].refused),
                         400);
            assert_true(wire_has(&k.w, "AccessDeniedException"));
        }
        if (cases[i].allowed)
            check_status(&k.w,
                         wire_kms(&k.w, &k.agent, cases[i].operation, "{\"KeyId\":\"%s\",%s}",
                                  k.key, cases[i].allowed),
                         200);
    }
    wire_stop(&k.w);
}

static void conditions__of_a_key_to_be_made__decide(void **state)
{
    struct kms k;
    (void)state;

    kms_start(&k);
    set_policy(&k, DENY("CreateKey", "\"StringEquals\":{\"kms:KeyOrigin\":\"EXTERNAL\"}"));
    check_status(&k.w, wire_kms(&k.w, &k.agent, "CreateKey", "{\"Origin\":\"EXTERNAL\"}"), 400);
    check_status(&k.w, wire_kms(&k.w, &k.agent, "CreateKey", "{}"), 200);
    set_policy(&k, ALLOW("CreateKey", "\"StringEquals\":{\"aws:RequestTag/stage\":\"test\"}"));
    check_status(&k.w, wire_kms(&k.w, &k.agent, "CreateKey", "{}"), 400);
    check_status(&k.w,
                 wire_kms(&k.w, &k.agent, "CreateKey",
                          "{\"Tags\":[{\"TagKey\":\"stage\",\"TagValue\":\"test\"}]}"),
                 200);
    wire_stop(&k.w);
}

static void conditions__alias_of_the_request__decides(void **state)
{
    struct kms k;
    (void)state;

    kms_start(&k);
    set_policy(&k, ALLOW("DescribeKey", "\"StringEquals\":{\"kms:RequestAlias\":\"alias/one\"}"));
    check_status(&k.w, wire_kms(&k.w, &k.agent, "DescribeKey", "{\"KeyId\":\"%s\"}", k.key), 400);
    check_status(&k.w, wire_kms(&k.w, &k.agent, "DescribeKey", "{\"KeyId\":\"alias/one\"}"), 200);
    wire_stop(&k.w);
}

/* Grants made by the root user; the id is left in id. */
static void give(struct kms *k, const char *grantee, const char *rest, char id[128])
{
    check_status(&k->w,
                 wire_kms(&k->w, &k->root, "CreateGrant",
                          "{\"KeyId\":\"%s\",\"GranteePrincipal\":\"%s\",%s}", k->key, grantee,
                          rest),
                 200);
    member(&k->w, "GrantId", id, 128);
}

static void retire_grant__of_somebody_else__refused(void **state)
{
    struct kms k;
    char own[128], foreign[128];
    (void)state;

    kms_start(&k);
    give(&k, AGENT, "\"Operations\":[\"Decrypt\",\"RetireGrant\"]", own);
    give(&k, OTHER, "\"Operations\":[\"Decrypt\"]", foreign);
    check_status(&k.w,
                 wire_kms(&k.w, &k.agent, "RetireGrant", "{\"KeyId\":\"%s\",\"GrantId\":\"%s\"}",
                          k.key, foreign),
                 400);
    assert_true(wire_has(&k.w, "AccessDeniedException"));
    check_status(&k.w,
                 wire_kms(&k.w, &k.agent, "RetireGrant", "{\"KeyId\":\"%s\",\"GrantId\":\"%s\"}",
                          k.key, own),
                 200);
    wire_stop(&k.w);
}

static void create_grant__by_a_grantee_with_constraints__not_passed_on_without(void **state)
{
    struct kms k;
    char id[128];
    (void)state;

    kms_start(&k);
    give(&k, AGENT,
         "\"Operations\":[\"CreateGrant\",\"Decrypt\"],\"Constraints\":{"
         "\"EncryptionContextEquals\":{}}",
         id);
    check_status(
        &k.w,
        wire_kms(&k.w, &k.agent, "CreateGrant", "{\"KeyId\":\"%s\"," GRANT "[\"Decrypt\"]}", k.key),
        400);
    assert_true(wire_has(&k.w, "AccessDeniedException"));
    give(&k, AGENT, "\"Operations\":[\"CreateGrant\",\"Decrypt\"]", id);
    check_status(
        &k.w,
        wire_kms(&k.w, &k.agent, "CreateGrant", "{\"KeyId\":\"%s\"," GRANT "[\"Decrypt\"]}", k.key),
        200);
    wire_stop(&k.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions__of_the_request_and_its_key__decide),
        cmocka_unit_test(conditions__of_a_key_to_be_made__decide),
        cmocka_unit_test(conditions__alias_of_the_request__decides),
        cmocka_unit_test(retire_grant__of_somebody_else__refused),
        cmocka_unit_test(create_grant__by_a_grantee_with_constraints__not_passed_on_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
