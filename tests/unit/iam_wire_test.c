/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: over the wire, IAM keeps users, keys, roles and policies as AWS does, with its errors; nothing is done for
 * who may not, and what is done is there after a restart.
 */
#include "aws_wire.h"

#define A "111122223333"
#define B "999988887777"
#define ALLOW_ALL                                                                                  \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\","           \
    "\"Resource\":\"*\"}]}"
#define TRUST(account)                                                                             \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":"                 \
    "\"sts:AssumeRole\",\"Principal\":{\"AWS\":\"" account "\"}}]}"

static void user__made_listed_and_deleted__as_aws(void **state)
{
    struct wire w;

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_status(&w,
                 wire_call(&w, &root, "iam CreateUser", "UserName", "alice", "Path", "/db/",
                           "Tags.member.1.Key", "team", "Tags.member.1.Value", "<&>", NULL),
                 200);
    assert_true(wire_has(&w, "<CreateUserResponse "
                             "xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">"
                             "<CreateUserResult><User><Path>/db/</Path><UserName>alice"));
    assert_true(wire_has(&w, "<Arn>arn:aws:iam::" A ":user/db/alice</Arn>"));
    assert_true(wire_has(&w, "<CreateDate>2030-03-17T17:46:40Z</CreateDate>"));
    assert_true(wire_has(&w, "<Key>team</Key><Value>&lt;&amp;&gt;</Value>"));
    assert_true(wire_has(&w, "<ResponseMetadata><RequestId>"));
    check_refused(&w, wire_call(&w, &root, "iam CreateUser", "UserName", "ALICE", NULL), 409,
                  "EntityAlreadyExists", "User with name alice already exists.");
    check_status(&w, wire_call(&w, &root, "iam CreateUser", "UserName", "bob", NULL), 200);
    check_status(&w, wire_call(&w, &root, "iam ListUsers", "MaxItems", "1", NULL), 200);
    assert_true(wire_has(&w, "<IsTruncated>true</IsTruncated><Marker>bob</Marker>"));
    check_status(&w, wire_call(&w, &root, "iam ListUsers", "Marker", "bob", NULL), 200);
    assert_true(wire_has(&w, "bob") && !wire_has(&w, "alice") && wire_has(&w, ">false<"));
    check_status(&w, wire_call(&w, &root, "iam ListUsers", "PathPrefix", "/db", NULL), 200);
    assert_true(wire_has(&w, "alice") && !wire_has(&w, "bob"));
    check_status(&w, wire_call(&w, &root, "iam GetUser", "UserName", "alice", NULL), 200);
    check_status(&w, wire_call(&w, &root, "iam GetUser", NULL), 200);
    assert_true(wire_has(&w, "arn:aws:iam::" A ":root"));
    check_status(&w, wire_call(&w, &root, "iam DeleteUser", "UserName", "alice", NULL), 200);
    check_refused(&w, wire_call(&w, &root, "iam GetUser", "UserName", "alice", NULL), 404,
                  "NoSuchEntity", "The user with name alice cannot be found.");
    wire_stop(&w);
}

static void user__with_keys_or_policies__not_deleted(void **state)
{
    struct wire w;
    char id[32];

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_status(&w, wire_call(&w, &root, "iam CreateUser", "UserName", "u", NULL), 200);
    check_status(&w, wire_call(&w, &root, "iam CreateAccessKey", "UserName", "u", NULL), 200);
    wire_element(&w, "AccessKeyId", id, sizeof id);
    check_refused(&w, wire_call(&w, &root, "iam DeleteUser", "UserName", "u", NULL), 409,
                  "DeleteConflict", "must delete access keys first");
    check_status(
        &w, wire_call(&w, &root, "iam DeleteAccessKey", "UserName", "u", "AccessKeyId", id, NULL),
        200);
    check_status(&w,
                 wire_call(&w, &root, "iam PutUserPolicy", "UserName", "u", "PolicyName", "p",
                           "PolicyDocument", ALLOW_ALL, NULL),
                 200);
    check_refused(&w, wire_call(&w, &root, "iam DeleteUser", "UserName", "u", NULL), 409,
                  "DeleteConflict", "must delete policies first");
    check_status(
        &w, wire_call(&w, &root, "iam DeleteUserPolicy", "UserName", "u", "PolicyName", "p", NULL),
        200);
    check_status(&w,
                 wire_call(&w, &root, "iam AttachUserPolicy", "UserName", "u", "PolicyArn",
                           "arn:aws:iam::aws:policy/AdministratorAccess", NULL),
                 200);
    check_refused(&w, wire_call(&w, &root, "iam DeleteUser", "UserName", "u", NULL), 409,
                  "DeleteConflict", "must detach all policies first");
    check_status(&w,
                 wire_call(&w, &root, "iam DetachUserPolicy", "UserName", "u", "PolicyArn",
                           "arn:aws:iam::aws:policy/AdministratorAccess", NULL),
                 200);
    check_status(&w, wire_call(&w, &root, "iam DeleteUser", "UserName", "u", NULL), 200);
    wire_stop(&w);
}

static void access_key__switched_off_or_deleted__stops_at_once(void **state)
{
    struct wire w;

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_status(&w, wire_call(&w, &root, "iam CreateUser", "UserName", "u", NULL), 200);
    check_status(&w, wire_call(&w, &root, "iam CreateAccessKey", "UserName", "u", NULL), 200);
    struct creds user = wire_creds(&w);
    assert_int_equal(strlen(user.secret), 40);
    check_status(&w, wire_call(&w, &user, "sts GetCallerIdentity", NULL), 200);
    assert_true(wire_has(&w, "<Arn>arn:aws:iam::" A ":user/u</Arn>"));
    check_status(&w,
                 wire_call(&w, &root, "iam UpdateAccessKey", "UserName", "u", "AccessKeyId",
                           user.id, "Status", "Inactive", NULL),
                 200);
    check_refused(&w, wire_call(&w, &user, "sts GetCallerIdentity", NULL), 403,
                  "InvalidClientTokenId", "The security token included in the request is invalid.");
    check_status(&w, wire_call(&w, &root, "iam ListAccessKeys", "UserName", "u", NULL), 200);
    assert_true(wire_has(&w, "<Status>Inactive</Status>") && !wire_has(&w, "Secret"));
    check_status(&w,
                 wire_call(&w, &root, "iam UpdateAccessKey", "UserName", "u", "AccessKeyId",
                           user.id, "Status", "Active", NULL),
                 200);
    check_status(&w, wire_call(&w, &user, "sts GetCallerIdentity", NULL), 200);
    check_refused(&w,
                  wire_call(&w, &root, "iam UpdateAccessKey", "UserName", "u", "AccessKeyId",
                            user.id, "Status", "Off", NULL),
                  400, "ValidationError", "enum value set: [Active, Inactive]");
    check_refused(&w, wire_call(&w, &root, "iam DeleteAccessKey", "AccessKeyId", user.id, NULL),
                  404, "NoSuchEntity", "cannot be found");
    check_status(
        &w,
        wire_call(&w, &root, "iam DeleteAccessKey", "UserName", "u", "AccessKeyId", user.id, NULL),
        200);
    check_refused(&w, wire_call(&w, &user, "sts GetCallerIdentity", NULL), 403,
                  "InvalidClientTokenId", "invalid");
    wire_stop(&w);
}

static void access_keys__third__limit(void **state)
{
    struct wire w;

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_status(&w, wire_call(&w, &root, "iam CreateAccessKey", NULL), 200);
    check_refused(&w, wire_call(&w, &root, "iam CreateAccessKey", NULL), 409, "LimitExceeded",
                  "Cannot exceed quota for AccessKeysPerUser: 2");
    wire_stop(&w);
}

static void role__made_changed_and_deleted__as_aws(void **state)
{
    struct wire w;

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_refused(&w,
                  wire_call(&w, &root, "iam CreateRole", "RoleName", "r",
                            "AssumeRolePolicyDocument", TRUST(B), NULL),
                  400, "MalformedPolicyDocument", "Invalid principal in policy: &quot;AWS&quot;");
    check_refused(&w,
                  wire_call(&w, &root, "iam CreateRole", "RoleName", "r",
                            "AssumeRolePolicyDocument", ALLOW_ALL, NULL),
                  400, "MalformedPolicyDocument", "Missing required field Principal");
    check_refused(&w,
                  wire_call(&w, &root, "iam CreateRole", "RoleName", "r",
                            "AssumeRolePolicyDocument", TRUST(A), "PermissionsBoundary",
                            "arn:aws:iam::aws:policy/IAMFullAccess", NULL),
                  400, "InvalidInput", "Permissions boundaries");
    check_status(&w,
                 wire_call(&w, &root, "iam CreateRole", "RoleName", "r", "Description", "d",
                           "AssumeRolePolicyDocument", TRUST(A), "MaxSessionDuration", "7200",
                           NULL),
                 200);
    assert_true(wire_has(&w, "<AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22"));
    assert_true(wire_has(&w, "<MaxSessionDuration>7200</MaxSessionDuration>"));
    check_refused(&w,
                  wire_call(&w, &root, "iam CreateRole", "RoleName", "r",
                            "AssumeRolePolicyDocument", TRUST(A), NULL),
                  409, "EntityAlreadyExists", "Role with name r already exists.");
    check_status(
        &w, wire_call(&w, &root, "iam UpdateRole", "RoleName", "r", "Description", "e", NULL), 200);
    check_status(&w, wire_call(&w, &root, "iam GetRole", "RoleName", "r", NULL), 200);
    assert_true(wire_has(&w, "<Description>e</Description>") && wire_has(&w, "7200"));
    check_status(&w,
                 wire_call(&w, &root, "iam UpdateAssumeRolePolicy", "RoleName", "r",
                           "PolicyDocument", TRUST("arn:aws:iam::" A ":root"), NULL),
                 200);
    check_refused(&w,
                  wire_call(&w, &root, "iam UpdateAssumeRolePolicy", "RoleName", "r",
                            "PolicyDocument", "{", NULL),
                  400, "MalformedPolicyDocument", "This policy contains invalid Json");
    check_status(&w, wire_call(&w, &root, "iam ListRoles", NULL), 200);
    assert_true(wire_has(&w, "arn:aws:iam::" A ":role/r"));
    check_status(&w, wire_call(&w, &root, "iam ListRoleTags", "RoleName", "r", NULL), 200);
    check_status(&w, wire_call(&w, &root, "iam ListInstanceProfilesForRole", "RoleName", "r", NULL),
                 200);
    check_status(&w, wire_call(&w, &root, "iam DeleteRole", "RoleName", "r", NULL), 200);
    check_refused(&w, wire_call(&w, &root, "iam DeleteRole", "RoleName", "r", NULL), 404,
                  "NoSuchEntity", "The role with name r cannot be found.");
    wire_stop(&w);
}

static void inline_policy__put_got_and_deleted__as_aws(void **state)
{
    static char large[12000];
    struct wire w;

    (void)state;
    memset(large, 'x', sizeof large - 1);
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_status(&w,
                 wire_call(&w, &root, "iam CreateRole", "RoleName", "r", "AssumeRolePolicyDocument",
                           TRUST(A), NULL),
                 200);
    check_status(&w,
                 wire_call(&w, &root, "iam PutRolePolicy", "RoleName", "r", "PolicyName", "p",
                           "PolicyDocument", ALLOW_ALL, NULL),
                 200);
    check_status(
        &w, wire_call(&w, &root, "iam GetRolePolicy", "RoleName", "r", "PolicyName", "p", NULL),
        200);
    assert_true(
        wire_has(&w, "<RoleName>r</RoleName><PolicyName>p</PolicyName><PolicyDocument>%7B"));
    check_status(&w, wire_call(&w, &root, "iam ListRolePolicies", "RoleName", "r", NULL), 200);
    assert_true(wire_has(&w, "<PolicyNames><member>p</member></PolicyNames>"));
    check_refused(&w,
                  wire_call(&w, &root, "iam PutRolePolicy", "RoleName", "r", "PolicyName", "p",
                            "PolicyDocument", large, NULL),
                  409, "LimitExceeded", "10240");
    check_refused(&w,
                  wire_call(&w, &root, "iam PutRolePolicy", "RoleName", "r", "PolicyName", "p",
                            "PolicyDocument", TRUST(A), NULL),
                  400, "MalformedPolicyDocument", "should not specify a principal");
    check_refused(
        &w, wire_call(&w, &root, "iam GetRolePolicy", "RoleName", "r", "PolicyName", "q", NULL),
        404, "NoSuchEntity", "The role policy with name q cannot be found.");
    check_refused(&w, wire_call(&w, &root, "iam DeleteRole", "RoleName", "r", NULL), 409,
                  "DeleteConflict", "must delete policies first");
    check_status(
        &w, wire_call(&w, &root, "iam DeleteRolePolicy", "RoleName", "r", "PolicyName", "p", NULL),
        200);
    check_refused(
        &w, wire_call(&w, &root, "iam DeleteRolePolicy", "RoleName", "r", "PolicyName", "p", NULL),
        404, "NoSuchEntity", "cannot be found");
    wire_stop(&w);
}

static void managed_policy__attached__counts_until_detached(void **state)
{
    static const char ARN[] = "arn:aws:iam::" A ":policy/p";
    struct wire w;

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_status(&w,
                 wire_call(&w, &root, "iam CreatePolicy", "PolicyName", "p", "PolicyDocument",
                           ALLOW_ALL, "Description", "all", NULL),
                 200);
    assert_true(wire_has(&w, "<Arn>arn:aws:iam::" A ":policy/p</Arn>"));
    check_refused(&w,
                  wire_call(&w, &root, "iam CreatePolicy", "PolicyName", "p", "PolicyDocument",
                            ALLOW_ALL, NULL),
                  409, "EntityAlreadyExists", "A policy called p already exists.");
    check_status(&w, wire_call(&w, &root, "iam CreateUser", "UserName", "u", NULL), 200);
    check_status(&w, wire_call(&w, &root, "iam CreateAccessKey", "UserName", "u", NULL), 200);
    struct creds user = wire_creds(&w);
    check_refused(&w, wire_call(&w, &user, "iam ListUsers", NULL), 403, "AccessDenied",
                  "User: arn:aws:iam::" A ":user/u is not authorized to perform: iam:ListUsers on "
                  "resource: arn:aws:iam::" A ":* because no identity-based policy allows the "
                  "iam:ListUsers action");
    check_status(
        &w, wire_call(&w, &root, "iam AttachUserPolicy", "UserName", "u", "PolicyArn", ARN, NULL),
        200);
    check_status(
        &w, wire_call(&w, &root, "iam AttachUserPolicy", "UserName", "u", "PolicyArn", ARN, NULL),
        200);
    check_status(&w, wire_call(&w, &user, "iam ListUsers", NULL), 200);
    check_status(&w, wire_call(&w, &user, "iam ListAttachedUserPolicies", "UserName", "u", NULL),
                 200);
    assert_true(wire_has(&w, "<PolicyName>p</PolicyName><PolicyArn>arn:aws:iam::" A ":policy/p"));
    check_status(&w, wire_call(&w, &root, "iam GetPolicy", "PolicyArn", ARN, NULL), 200);
    assert_true(wire_has(&w, "<AttachmentCount>1</AttachmentCount>"));
    check_status(
        &w, wire_call(&w, &root, "iam GetPolicyVersion", "PolicyArn", ARN, "VersionId", "v1", NULL),
        200);
    check_refused(
        &w, wire_call(&w, &root, "iam GetPolicyVersion", "PolicyArn", ARN, "VersionId", "v2", NULL),
        404, "NoSuchEntity", "version v2 does not exist");
    check_status(&w, wire_call(&w, &root, "iam ListPolicyVersions", "PolicyArn", ARN, NULL), 200);
    check_status(&w, wire_call(&w, &root, "iam ListPolicies", NULL), 200);
    check_refused(&w, wire_call(&w, &root, "iam DeletePolicy", "PolicyArn", ARN, NULL), 409,
                  "DeleteConflict", "attached to entities");
    check_refused(&w,
                  wire_call(&w, &root, "iam AttachUserPolicy", "UserName", "u", "PolicyArn",
                            "arn:aws:iam::" A ":policy/none", NULL),
                  404, "NoSuchEntity", "does not exist or is not attachable");
    check_status(
        &w, wire_call(&w, &root, "iam DetachUserPolicy", "UserName", "u", "PolicyArn", ARN, NULL),
        200);
    check_refused(
        &w, wire_call(&w, &root, "iam DetachUserPolicy", "UserName", "u", "PolicyArn", ARN, NULL),
        404, "NoSuchEntity", "was not found");
    check_refused(&w, wire_call(&w, &user, "iam ListUsers", NULL), 403, "AccessDenied", "");
    check_status(&w, wire_call(&w, &root, "iam DeletePolicy", "PolicyArn", ARN, NULL), 200);
    check_refused(&w,
                  wire_call(&w, &root, "iam DeletePolicy", "PolicyArn",
                            "arn:aws:iam::aws:policy/IAMFullAccess", NULL),
                  403, "AccessDenied", "managed by AWS");
    wire_stop(&w);
}

static void parameters__malformed__validation_error(void **state)
{
    struct wire w;

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_refused(&w, wire_call(&w, &root, "iam CreateUser", NULL), 400, "ValidationError",
                  "1 validation error detected: Value null at 'userName' failed to satisfy "
                  "constraint: Member must not be null");
    check_refused(&w, wire_call(&w, &root, "iam CreateUser", "UserName", "a/b", "Path", "x", NULL),
                  400, "ValidationError",
                  "2 validation errors detected: Value 'a/b' at 'userName' failed to satisfy "
                  "constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+; Value "
                  "'x' at 'path'");
    check_refused(&w, wire_call(&w, &root, "iam ListUsers", "MaxItems", "1001", NULL), 400,
                  "ValidationError", "Member must have value less than or equal to 1000");
    check_refused(&w, wire_call(&w, &root, "iam ListUsers", "MaxItems", "x", NULL), 400,
                  "ValidationError", "regular expression");
    check_refused(&w, wire_call(&w, &root, "iam Dance", NULL), 400, "InvalidAction",
                  "Could not find operation Dance for version 2010-05-08");
    check_refused(&w, wire_send(&w, &root, "sts", "Version=2011-06-15"), 400, "InvalidAction",
                  "Missing Action");
    check_refused(&w, wire_send(&w, &root, "sts", "Action=%zz"), 400, "MalformedQueryString", "");
    check_refused(&w, wire_send(&w, &root, "sts", "Action=a&Action=b"), 400, "MalformedQueryString",
                  "twice");
    wire_stop(&w);
}

static void signature__wrong_old_or_unknown__refused_as_aws(void **state)
{
    struct wire w;

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A), other = root;
    other.secret[0] ^= 1;
    check_refused(&w, wire_call(&w, &other, "sts GetCallerIdentity", NULL), 403,
                  "SignatureDoesNotMatch", "The request signature we calculated does not match");
    other = root;
    other.id[5] ^= 1;
    check_refused(&w, wire_call(&w, &other, "sts GetCallerIdentity", NULL), 403,
                  "InvalidClientTokenId", "");
    w.skew_s = -301;
    check_refused(&w, wire_call(&w, &root, "sts GetCallerIdentity", NULL), 403,
                  "SignatureDoesNotMatch", "Signature expired: ");
    w.skew_s = 301;
    check_refused(&w, wire_call(&w, &root, "sts GetCallerIdentity", NULL), 403,
                  "SignatureDoesNotMatch", "Signature not yet current: ");
    w.skew_s = 0;
    check_refused(&w, wire_send(&w, &root, "iam", "Action=GetCallerIdentity&Version=2011-06-15"),
                  403, "SignatureDoesNotMatch",
                  "Credential should be scoped to correct service: 'sts'.");
    snprintf(other.token, sizeof other.token, "bm8gdG9rZW4=");
    check_refused(&w, wire_call(&w, &other, "sts GetCallerIdentity", NULL), 403,
                  "InvalidClientTokenId", "");
    wire_stop(&w);
}

static void realm__opened_again__all_is_there(void **state)
{
    struct wire w;

    (void)state;
    wire_start(&w);
    struct creds root = wire_account(&w, A);
    check_status(&w, wire_call(&w, &root, "iam CreateUser", "UserName", "u", NULL), 200);
    check_status(&w,
                 wire_call(&w, &root, "iam PutUserPolicy", "UserName", "u", "PolicyName", "p",
                           "PolicyDocument", ALLOW_ALL, NULL),
                 200);
    check_status(&w, wire_call(&w, &root, "iam CreateAccessKey", "UserName", "u", NULL), 200);
    struct creds user = wire_creds(&w);
    check_status(&w,
                 wire_call(&w, &user, "iam CreateRole", "RoleName", "r", "AssumeRolePolicyDocument",
                           TRUST("arn:aws:iam::" A ":user/u"), NULL),
                 200);
    check_status(&w,
                 wire_call(&w, &user, "sts AssumeRole", "RoleArn", "arn:aws:iam::" A ":role/r",
                           "RoleSessionName", "s1", NULL),
                 200);
    struct creds session = wire_creds(&w);
    lk_server_stop(w.server);
    realm_fixture_open(&w.f);
    wire_serve(&w);
    check_status(&w, wire_call(&w, &user, "iam ListRoles", NULL), 200);
    assert_true(wire_has(&w, "role/r"));
    check_status(&w, wire_call(&w, &session, "sts GetCallerIdentity", NULL), 200);
    assert_true(wire_has(&w, "<Arn>arn:aws:sts::" A ":assumed-role/r/s1</Arn>"));
    wire_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user__made_listed_and_deleted__as_aws),
        cmocka_unit_test(user__with_keys_or_policies__not_deleted),
        cmocka_unit_test(access_key__switched_off_or_deleted__stops_at_once),
        cmocka_unit_test(access_keys__third__limit),
        cmocka_unit_test(role__made_changed_and_deleted__as_aws),
        cmocka_unit_test(inline_policy__put_got_and_deleted__as_aws),
        cmocka_unit_test(managed_policy__attached__counts_until_detached),
        cmocka_unit_test(parameters__malformed__validation_error),
        cmocka_unit_test(signature__wrong_old_or_unknown__refused_as_aws),
        cmocka_unit_test(realm__opened_again__all_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
