/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the way from a provider's user into a customer's role and to his key, as vendors' guides lay it out: it
 * opens with both sides' consent and the right ExternalId only, and closes by each of the ways the customer has.
 */
#include "aws_wire.h"
#include "base/json.h"
#include "localkms/aws_policy.h"
#include "localkms/dial.h"

#define CUSTOMER "111122223333"
#define PROVIDER "999988887777"
#define ROLE "arn:aws:iam::" CUSTOMER ":role/cmek"
#define KEY "arn:aws:kms:eu-west-1:" CUSTOMER ":key/1234abcd-12ab-34cd-56ef-1234567890ab"

#define POLICY(statement) "{\"Version\":\"2012-10-17\",\"Statement\":[{" statement "}]}"
#define TRUST(id)                                                                                  \
    POLICY("\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":{\"AWS\":\"" PROVIDER \
           "\"},\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":\"" id "\"}}")
#define USE_KEY                                                                                    \
    POLICY("\"Effect\":\"Allow\",\"Action\":[\"kms:Encrypt\",\"kms:Decrypt\",\"kms:"               \
           "GenerateDataKey*\",\"kms:DescribeKey\",\"kms:ReEncrypt*\"],\"Resource\":\"" KEY "\"")
#define LIST POLICY("\"Effect\":\"Allow\",\"Action\":\"iam:ListUsers\",\"Resource\":\"*\"")
#define MAY_ASSUME POLICY("\"Effect\":\"Allow\",\"Action\":\"sts:*\",\"Resource\":\"*\"")

struct journey {
    struct wire w;
    struct creds customer, provider, agent;
};

/* Both accounts; a user agent of the provider who may assume roles; the customer's role cmek, which may use his key. */
static void journey_start(struct journey *j)
{
    struct wire *w = &j->w;

    wire_start(w);
    j->customer = wire_account(w, CUSTOMER);
    j->provider = wire_account(w, PROVIDER);
    check_status(w, wire_call(w, &j->provider, "iam CreateUser", "UserName", "agent", NULL), 200);
    check_status(w, wire_call(w, &j->provider, "iam CreateAccessKey", "UserName", "agent", NULL),
                 200);
    j->agent = wire_creds(w);
    check_status(w,
                 wire_call(w, &j->provider, "iam PutUserPolicy", "UserName", "agent", "PolicyName",
                           "p", "PolicyDocument", MAY_ASSUME, NULL),
                 200);
    check_status(w,
                 wire_call(w, &j->customer, "iam CreateRole", "RoleName", "cmek",
                           "AssumeRolePolicyDocument", TRUST("org-1234"), NULL),
                 200);
    check_status(w,
                 wire_call(w, &j->customer, "iam PutRolePolicy", "RoleName", "cmek", "PolicyName",
                           "key", "PolicyDocument", USE_KEY, NULL),
                 200);
}

static int assume(struct journey *j, const struct creds *who, const char *role,
                  const char *external_id)
{
    return wire_call(&j->w, who, "sts AssumeRole", "RoleArn", role, "RoleSessionName", "agent-1",
                     external_id ? "ExternalId" : NULL, external_id, NULL);
}

static struct creds assumed(struct journey *j)
{
    check_status(&j->w, assume(j, &j->agent, ROLE, "org-1234"), 200);
    return wire_creds(&j->w);
}

#define NO_MATTER_WHY(role)                                                                        \
    "<Message>User: arn:aws:iam::" PROVIDER                                                        \
    ":user/agent is not authorized to perform: sts:AssumeRole on resource: " role "</Message>"

static void assume_role__right_external_id__session(void **state)
{
    struct journey j;

    (void)state;
    journey_start(&j);
    check_status(&j.w, assume(&j, &j.agent, ROLE, "org-1234"), 200);
    assert_true(wire_has(&j.w, "<Arn>arn:aws:sts::" CUSTOMER ":assumed-role/cmek/agent-1</Arn>"));
    assert_true(wire_has(&j.w, "<Expiration>2030-03-17T18:46:40Z</Expiration>"));
    assert_true(wire_has(&j.w, ":agent-1</AssumedRoleId>"));
    assert_false(wire_has(&j.w, "PackedPolicySize"));
    struct creds session = wire_creds(&j.w);
    check_status(&j.w, wire_call(&j.w, &session, "sts GetCallerIdentity", NULL), 200);
    assert_true(wire_has(&j.w, "<Account>" CUSTOMER "</Account>"));
    wire_stop(&j.w);
}

static void assume_role__not_trusted_for_any_reason__same_words(void **state)
{
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    check_refused(w, assume(&j, &j.agent, ROLE, "org-1235"), 403, "AccessDenied",
                  NO_MATTER_WHY(ROLE));
    check_refused(w, assume(&j, &j.agent, ROLE, NULL), 403, "AccessDenied", NO_MATTER_WHY(ROLE));
    check_refused(w, assume(&j, &j.agent, ROLE "x", "org-1234"), 403, "AccessDenied",
                  NO_MATTER_WHY(ROLE "x"));
    check_refused(w, assume(&j, &j.agent, "arn:aws:iam::" CUSTOMER ":user/cmek", NULL), 403,
                  "AccessDenied", NO_MATTER_WHY("arn:aws:iam::" CUSTOMER ":user/cmek"));
    /* no longer trusted at all */
    check_status(w,
                 wire_call(w, &j.customer, "iam UpdateAssumeRolePolicy", "RoleName", "cmek",
                           "PolicyDocument",
                           POLICY("\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\","
                                  "\"Principal\":{\"AWS\":\"" CUSTOMER "\"}"),
                           NULL),
                 200);
    check_refused(w, assume(&j, &j.agent, ROLE, "org-1234"), 403, "AccessDenied",
                  NO_MATTER_WHY(ROLE));
    /* trusted, but not allowed by his own account */
    check_status(w,
                 wire_call(w, &j.customer, "iam UpdateAssumeRolePolicy", "RoleName", "cmek",
                           "PolicyDocument", TRUST("org-1234"), NULL),
                 200);
    check_status(w,
                 wire_call(w, &j.provider, "iam DeleteUserPolicy", "UserName", "agent",
                           "PolicyName", "p", NULL),
                 200);
    check_refused(w, assume(&j, &j.agent, ROLE, "org-1234"), 403, "AccessDenied",
                  NO_MATTER_WHY(ROLE));
    check_refused(w, assume(&j, &j.provider, ROLE, "org-1234"), 403, "AccessDenied",
                  "Roles may not be assumed by root accounts.");
    wire_stop(w);
}

static void assume_role__parameters_out_of_bounds__validation_error(void **state)
{
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    check_refused(
        w, wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "x", NULL),
        400, "ValidationError",
        "Value 'x' at 'roleSessionName' failed to satisfy constraint: Member must have "
        "length greater than or equal to 2");
    check_refused(w,
                  wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName",
                            "a b", "ExternalId", "<>", NULL),
                  400, "ValidationError", "2 validation errors detected");
    check_refused(w,
                  wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "s1",
                            "DurationSeconds", "899", NULL),
                  400, "ValidationError", "greater than or equal to 900");
    check_refused(w,
                  wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "s1",
                            "ExternalId", "org-1234", "DurationSeconds", "3601", NULL),
                  400, "ValidationError", "exceeds the MaxSessionDuration set for this role.");
    check_refused(w,
                  wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "s1",
                            "ExternalId", "org-1234", "Policy", "{", NULL),
                  400, "MalformedPolicyDocument", "This policy contains invalid Json");
    check_refused(w,
                  wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "s1",
                            "ExternalId", "org-1234", "PolicyArns.member.1.arn",
                            "arn:aws:iam::" PROVIDER ":policy/none", NULL),
                  400, "MalformedPolicyDocument", "is not there");
    check_refused(w,
                  wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "s1",
                            "ExternalId", "org-1234", "Tags.member.1.Key", "k", NULL),
                  400, "ValidationError", "session tags");
    wire_stop(w);
}

static void session__expired_or_tampered_with__refused(void **state)
{
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    struct creds session = assumed(&j), other = assumed(&j), bad = session;
    bad.token[20] = bad.token[20] == 'A' ? 'B' : 'A';
    check_refused(w, wire_call(w, &bad, "sts GetCallerIdentity", NULL), 403, "InvalidClientTokenId",
                  "invalid");
    memcpy(bad.token, other.token, sizeof bad.token);
    check_refused(w, wire_call(w, &bad, "sts GetCallerIdentity", NULL), 403, "InvalidClientTokenId",
                  "invalid");
    bad = session;
    bad.token[0] = '\0';
    check_refused(w, wire_call(w, &bad, "sts GetCallerIdentity", NULL), 403, "InvalidClientTokenId",
                  "invalid");
    w->f.clock.now_s += 3599;
    check_status(w, wire_call(w, &session, "sts GetCallerIdentity", NULL), 200);
    w->f.clock.now_s += 1;
    check_refused(w, wire_call(w, &session, "sts GetCallerIdentity", NULL), 403, "ExpiredToken",
                  "The security token included in the request is expired");
    w->f.clock.now_s += 86400;
    check_refused(w, wire_call(w, &other, "sts GetCallerIdentity", NULL), 403, "ExpiredToken", "");
    wire_stop(w);
}

static void session__role_deleted_and_made_anew__not_let_in(void **state)
{
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    struct creds session = assumed(&j);
    check_status(w,
                 wire_call(w, &j.customer, "iam DeleteRolePolicy", "RoleName", "cmek", "PolicyName",
                           "key", NULL),
                 200);
    check_status(w, wire_call(w, &j.customer, "iam DeleteRole", "RoleName", "cmek", NULL), 200);
    check_refused(w, wire_call(w, &session, "sts GetCallerIdentity", NULL), 403,
                  "InvalidClientTokenId", "invalid");
    check_status(w,
                 wire_call(w, &j.customer, "iam CreateRole", "RoleName", "cmek",
                           "AssumeRolePolicyDocument", TRUST("org-1234"), NULL),
                 200);
    check_refused(w, wire_call(w, &session, "sts GetCallerIdentity", NULL), 403,
                  "InvalidClientTokenId", "invalid");
    wire_stop(w);
}

static void session_policy__limits_the_role(void **state)
{
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    check_status(w,
                 wire_call(w, &j.customer, "iam AttachRolePolicy", "RoleName", "cmek", "PolicyArn",
                           "arn:aws:iam::aws:policy/IAMFullAccess", NULL),
                 200);
    struct creds whole = assumed(&j);
    check_status(w, wire_call(w, &whole, "iam ListRoles", NULL), 200);
    check_status(w,
                 wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "s1",
                           "ExternalId", "org-1234", "Policy", LIST, NULL),
                 200);
    assert_true(wire_has(w, "<PackedPolicySize>"));
    struct creds limited = wire_creds(w);
    check_status(w, wire_call(w, &limited, "iam ListUsers", NULL), 200);
    check_refused(w, wire_call(w, &limited, "iam ListRoles", NULL), 403, "AccessDenied",
                  "because no session policy allows the iam:ListRoles action");
    check_status(w,
                 wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "s1",
                           "ExternalId", "org-1234", "PolicyArns.member.1.arn",
                           "arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser", NULL),
                 200);
    limited = wire_creds(w);
    check_status(w, wire_call(w, &limited, "iam ListUsers", NULL), 200);
    check_refused(w, wire_call(w, &limited, "iam GetRole", "RoleName", "cmek", NULL), 403,
                  "AccessDenied", "because no session policy allows");
    wire_stop(w);
}

static void chained_role__longer_than_an_hour__refused(void **state)
{
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    check_status(w,
                 wire_call(w, &j.customer, "iam CreateRole", "RoleName", "second",
                           "AssumeRolePolicyDocument",
                           POLICY("\"Effect\":\"Allow\",\"Action\":[\"sts:AssumeRole\","
                                  "\"sts:TagSession\"],\"Principal\":{\"AWS\":\"" ROLE "\"}"),
                           "MaxSessionDuration", "43200", NULL),
                 200);
    struct creds session = assumed(&j);
    check_refused(w,
                  wire_call(w, &session, "sts AssumeRole", "RoleArn",
                            "arn:aws:iam::" CUSTOMER ":role/second", "RoleSessionName", "s2",
                            "DurationSeconds", "7200", NULL),
                  400, "ValidationError", "1 hour session limit");
    check_status(w,
                 wire_call(w, &session, "sts AssumeRole", "RoleArn",
                           "arn:aws:iam::" CUSTOMER ":role/second", "RoleSessionName", "s2",
                           "Tags.member.1.Key", "a", "Tags.member.1.Value", "b", NULL),
                 200);
    /* cmek does not let its sessions be tagged */
    check_refused(w,
                  wire_call(w, &j.agent, "sts AssumeRole", "RoleArn", ROLE, "RoleSessionName", "s2",
                            "ExternalId", "org-1234", "Tags.member.1.Key", "a",
                            "Tags.member.1.Value", "b", NULL),
                  403, "AccessDenied", "not authorized to perform: sts:TagSession");
    wire_stop(w);
}

static void session_token__of_a_user__is_the_user_without_iam(void **state)
{
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    check_status(w, wire_call(w, &j.agent, "sts GetSessionToken", NULL), 200);
    struct creds session = wire_creds(w);
    check_status(w, wire_call(w, &session, "sts GetCallerIdentity", NULL), 200);
    assert_true(wire_has(w, "<Arn>arn:aws:iam::" PROVIDER ":user/agent</Arn>"));
    check_refused(w, wire_call(w, &session, "iam GetUser", NULL), 403, "AccessDenied",
                  "cannot call IAM");
    check_refused(w, wire_call(w, &session, "sts GetSessionToken", NULL), 403, "AccessDenied",
                  "Cannot call GetSessionToken with session credentials");
    check_status(w, assume(&j, &session, ROLE, "org-1234"), 200);
    check_status(w, wire_call(w, &j.provider, "sts GetSessionToken", NULL), 200);
    session = wire_creds(w);
    check_status(w, wire_call(w, &session, "sts GetCallerIdentity", NULL), 200);
    assert_true(wire_has(w, "arn:aws:iam::" PROVIDER ":root"));
    check_status(
        w, wire_call(w, &j.agent, "sts GetAccessKeyInfo", "AccessKeyId", j.customer.id, NULL), 200);
    assert_true(wire_has(w, "<Account>" CUSTOMER "</Account>"));
    check_refused(
        w,
        wire_call(w, &j.agent, "sts GetAccessKeyInfo", "AccessKeyId", "AKIA0000000000000000", NULL),
        400, "ValidationError", "not known");
    wire_stop(w);
}

/* ---- to the key ---- */

static struct aws_identity identity_of(struct journey *j, const struct creds *who)
{
    struct aws_identity id = {.kind = AWS_ROLE_SESSION, .account = CUSTOMER, .principal = ROLE};

    check_status(&j->w, wire_call(&j->w, who, "sts GetCallerIdentity", NULL), 200);
    wire_element(&j->w, "Arn", id.arn, sizeof id.arn);
    wire_element(&j->w, "UserId", id.user_id, sizeof id.user_id);
    return id;
}

static bool may_decrypt(struct journey *j, const struct aws_identity *who, const char *key_policy,
                        struct aws_refusal *refusal)
{
    struct aws_policy *policy = NULL;

    check_ok(policy_parse(view_text(key_policy), POLICY_KEY, &policy));
    struct aws_access access = {"kms:Decrypt", KEY, CUSTOMER, .resource_policy = policy};
    bool may = aws_authorize(j->w.f.realm->iam, who, &access, refusal);
    policy_free(policy);
    return may;
}

#define DELEGATES                                                                                  \
    POLICY("\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" CUSTOMER                  \
           ":root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"")
#define NAMES_ROLE                                                                                 \
    POLICY("\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" ROLE                                   \
           "\"},\"Action\":\"kms:*\",\"Resource\":\"*\"")
#define DENIES_ROLE                                                                                \
    POLICY("\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"" ROLE                                    \
           "\"},\"Action\":\"kms:*\",\"Resource\":\"*\"")
#define NAMES_OTHER                                                                                \
    POLICY("\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" PROVIDER                  \
           ":root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"")

static void key__revoked_by_each_way__refused_at_once(void **state)
{
    struct aws_refusal refusal = {0};
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    struct creds session = assumed(&j);
    struct aws_identity who = identity_of(&j, &session);
    assert_true(may_decrypt(&j, &who, DELEGATES, &refusal));
    assert_true(may_decrypt(&j, &who, NAMES_ROLE, &refusal));
    /* by the key policy */
    assert_false(may_decrypt(&j, &who, NAMES_OTHER, &refusal));
    assert_string_equal(refusal.code, "AccessDeniedException");
    assert_int_equal(refusal.status, 400);
    assert_string_equal(refusal.message,
                        "User: arn:aws:sts::" CUSTOMER
                        ":assumed-role/cmek/agent-1 is not authorized to perform: kms:Decrypt on "
                        "resource: " KEY " because no resource-based policy allows the kms:Decrypt "
                        "action");
    assert_false(may_decrypt(&j, &who, DENIES_ROLE, &refusal));
    assert_non_null(strstr(refusal.message, "with an explicit deny in a resource-based policy"));
    /* by the role's own policy: what the key policy hands on is gone, what it gives by name stays */
    check_status(w,
                 wire_call(w, &j.customer, "iam DeleteRolePolicy", "RoleName", "cmek", "PolicyName",
                           "key", NULL),
                 200);
    assert_false(may_decrypt(&j, &who, DELEGATES, &refusal));
    assert_non_null(strstr(refusal.message, "because no identity-based policy allows the"));
    assert_true(may_decrypt(&j, &who, NAMES_ROLE, &refusal));
    check_status(w,
                 wire_call(w, &j.customer, "iam PutRolePolicy", "RoleName", "cmek", "PolicyName",
                           "no", "PolicyDocument",
                           POLICY("\"Effect\":\"Deny\",\"Action\":\"kms:*\",\"Resource\":\"*\""),
                           NULL),
                 200);
    assert_false(may_decrypt(&j, &who, NAMES_ROLE, &refusal));
    assert_non_null(strstr(refusal.message, "with an explicit deny in an identity-based policy"));
    /* by the role itself */
    check_status(w,
                 wire_call(w, &j.customer, "iam DeleteRolePolicy", "RoleName", "cmek", "PolicyName",
                           "no", NULL),
                 200);
    assert_true(may_decrypt(&j, &who, NAMES_ROLE, &refusal));
    check_status(w, wire_call(w, &j.customer, "iam DeleteRole", "RoleName", "cmek", NULL), 200);
    assert_false(may_decrypt(&j, &who, NAMES_ROLE, &refusal));
    wire_stop(w);
}

static void sessions__issued_before_a_moment__can_be_cut_off(void **state)
{
    struct aws_refusal refusal = {0};
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    struct creds session = assumed(&j);
    struct aws_identity who = identity_of(&j, &session);
    who.token_issued_s = w->f.clock.now_s;
    /* what the console of AWS writes into a role for "revoke active sessions" */
    check_status(w,
                 wire_call(w, &j.customer, "iam PutRolePolicy", "RoleName", "cmek", "PolicyName",
                           "AWSRevokeOlderSessions", "PolicyDocument",
                           POLICY("\"Effect\":\"Deny\",\"Action\":[\"*\"],\"Resource\":[\"*\"],"
                                  "\"Condition\":{\"DateLessThan\":{\"aws:TokenIssueTime\":"
                                  "\"2030-03-17T17:46:41Z\"}}"),
                           NULL),
                 200);
    assert_false(may_decrypt(&j, &who, NAMES_ROLE, &refusal));
    who.token_issued_s++;
    assert_true(may_decrypt(&j, &who, NAMES_ROLE, &refusal));
    wire_stop(w);
}

/* ---- faults made on purpose ---- */

static void dial(struct journey *j, const char *rule)
{
    json_t *value = NULL;
    int64_t id;

    check_ok(json_read(view_text(rule), (struct json_limits){1024, 4}, "rule", &value));
    check_ok(dial_add(j->w.f.realm->dial, value, &id));
    json_decref(value);
}

static void dial__throttle_error_deny__in_the_words_of_the_wire(void **state)
{
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    dial(&j, "{\"effect\":\"throttle\",\"operation\":\"sts:AssumeRole\"}");
    check_refused(w, assume(&j, &j.agent, ROLE, "org-1234"), 400, "Throttling", "Rate exceeded");
    check_status(w, wire_call(w, &j.agent, "sts GetCallerIdentity", NULL), 200);
    check_ok(dial_remove(w->f.realm->dial, 0));
    dial(&j, "{\"effect\":\"error\",\"key\":\"cmek\"}");
    check_refused(w, assume(&j, &j.agent, ROLE, "org-1234"), 500, "ServiceFailure", "dialled");
    check_refused(w, assume(&j, &j.agent, ROLE "x", "org-1234"), 403, "AccessDenied", "");
    check_ok(dial_remove(w->f.realm->dial, 0));
    dial(&j, "{\"effect\":\"deny\",\"account\":\"" PROVIDER "\"}");
    check_refused(w, assume(&j, &j.agent, ROLE, "org-1234"), 403, "AccessDenied", "dialled");
    check_status(w, wire_call(w, &j.customer, "iam ListUsers", NULL), 200);
    wire_stop(w);
}

static void dial__lag__old_policies_decide_until_then(void **state)
{
    struct aws_refusal refusal = {0};
    struct journey j;
    struct wire *w = &j.w;

    (void)state;
    journey_start(&j);
    struct creds session = assumed(&j);
    struct aws_identity who = identity_of(&j, &session);
    dial(&j, "{\"effect\":\"lag\",\"ms\":60000}");
    check_status(w,
                 wire_call(w, &j.customer, "iam UpdateAssumeRolePolicy", "RoleName", "cmek",
                           "PolicyDocument", TRUST("other"), NULL),
                 200);
    check_status(w, assume(&j, &j.agent, ROLE, "org-1234"), 200);
    w->f.clock.now_ms += 59999;
    check_status(w, assume(&j, &j.agent, ROLE, "org-1234"), 200);
    w->f.clock.now_ms += 1;
    check_refused(w, assume(&j, &j.agent, ROLE, "org-1234"), 403, "AccessDenied", "");
    check_status(w,
                 wire_call(w, &j.customer, "iam DeleteRolePolicy", "RoleName", "cmek", "PolicyName",
                           "key", NULL),
                 200);
    assert_true(may_decrypt(&j, &who, DELEGATES, &refusal));
    w->f.clock.now_ms += 60000;
    assert_false(may_decrypt(&j, &who, DELEGATES, &refusal));
    wire_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assume_role__right_external_id__session),
        cmocka_unit_test(assume_role__not_trusted_for_any_reason__same_words),
        cmocka_unit_test(assume_role__parameters_out_of_bounds__validation_error),
        cmocka_unit_test(session__expired_or_tampered_with__refused),
        cmocka_unit_test(session__role_deleted_and_made_anew__not_let_in),
        cmocka_unit_test(session_policy__limits_the_role),
        cmocka_unit_test(chained_role__longer_than_an_hour__refused),
        cmocka_unit_test(session_token__of_a_user__is_the_user_without_iam),
        cmocka_unit_test(key__revoked_by_each_way__refused_at_once),
        cmocka_unit_test(sessions__issued_before_a_moment__can_be_cut_off),
        cmocka_unit_test(dial__throttle_error_deny__in_the_words_of_the_wire),
        cmocka_unit_test(dial__lag__old_policies_decide_until_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
