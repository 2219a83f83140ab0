/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/sts_op.c - operations of STS: who am I, and becoming somebody else for a while.
 *
 * Whoever may not assume a role is told the same, whether the role is not there, does not trust him, or wants another
 * ExternalId.
 */
#include <stdio.h>
#include <string.h>

#include "localkms/aws_query_int.h"

enum {
    ROLE_S_PRESET = 3600,
    CHAINED_S_MAX = 3600,
    USER_S_PRESET = 43200,
    ROOT_S_MAX = 3600,
    POLICY_BYTES = 2048,
    TAGS_MAX = 50,
    TOKEN_BYTES_MAX = 8192,
};

static bool get_caller_identity(struct query_call *c)
{
    xml_text(&c->xml, "Arn", c->who.arn);
    xml_text(&c->xml, "UserId", c->who.user_id);
    xml_text(&c->xml, "Account", c->who.account);
    return true;
}

static bool get_access_key_info(struct query_call *c)
{
    char account[AWS_ACCOUNT_BYTES] = "";

    pthread_rwlock_rdlock(&c->iam->lock);
    const struct iam_object *key = iam_find(c->iam, IAM_KEY, query_text(c, "AccessKeyId"));
    if (key)
        snprintf(account, sizeof account, "%s", key->account);
    pthread_rwlock_unlock(&c->iam->lock);
    if (!account[0])
        return query_fail(c, QUERY_VALIDATION, "The access key is not known.");
    xml_text(&c->xml, "Account", account);
    return true;
}

/* ---- the answer ---- */

static bool write_credentials(struct query_call *c, const struct iam_session_wish *wish)
{
    CLEANUP(iam_key_pair_wipe) struct iam_key_pair pair = {{0}, {0}};
    CLEANUP(buf_done) struct buf token = buf_init(TOKEN_BYTES_MAX);
    ks_rc rc = iam_session_make(c->iam, wish, &pair, &token);

    if (ks_is(rc, KS_E_LIMIT))
        return query_fail(c, QUERY_PACKED_TOO_LARGE,
                          "Packed size of session tags and policies is larger than allowed.");
    if (!query_done(c, rc))
        return false;
    xml_open(&c->xml, "Credentials");
    xml_text(&c->xml, "AccessKeyId", pair.id);
    xml_text(&c->xml, "SecretAccessKey", pair.secret);
    xml_text(&c->xml, "SessionToken", buf_text(&token));
    xml_time(&c->xml, "Expiration", wish->expires_s);
    xml_close(&c->xml);
    return true;
}

/* ---- AssumeRole ---- */

/* What the trust policy may ask about. */
struct assuming {
    json_t *conditions, *policy_arns;
    const struct iam_object *role;
    bool has_tags;
};

static void assuming_done(struct assuming *a)
{
    json_decref(a->conditions);
    json_decref(a->policy_arns);
}

static bool refuse_silently(struct query_call *c, const char *action)
{
    return query_fail(c, QUERY_ACCESS_DENIED,
                      "User: %.800s is not authorized to perform: %s on resource: %.800s",
                      c->who.arn, action, c->resource);
}

static bool add_tags(struct query_call *c, struct assuming *a)
{
    json_t *keys = json_array();

    if (json_object_set_new(a->conditions, "aws:TagKeys", keys) != 0)
        return query_fail(c, QUERY_INTERNAL, "no memory");
    for (unsigned n = 1;; n++) {
        const char *key = form_member(c->form, "Tags", n, "Key");
        const char *value = form_member(c->form, "Tags", n, "Value");
        char name[160];
        if (!key)
            break;
        if (n > TAGS_MAX || !value || strlen(key) > 128 || strlen(value) > 256)
            return query_fail(c, QUERY_VALIDATION, "The session tags are not valid.");
        snprintf(name, sizeof name, "aws:RequestTag/%s", key);
        if (json_array_append_new(keys, json_string(key)) != 0 ||
            json_object_set_new(a->conditions, name, json_string(value)) != 0)
            return query_fail(c, QUERY_INTERNAL, "no memory");
        a->has_tags = true;
    }
    if (!a->has_tags)
        json_object_del(a->conditions, "aws:TagKeys");
    return true;
}

static bool read_conditions(struct query_call *c, struct assuming *a)
{
    a->conditions =
        json_pack("{s:s, s:s*, s:s*}", "sts:RoleSessionName", query_text(c, "RoleSessionName"),
                  "sts:ExternalId", query_text(c, "ExternalId"), "sts:SourceIdentity",
                  query_text(c, "SourceIdentity"));
    return (a->conditions || query_fail(c, QUERY_INTERNAL, "no memory")) && add_tags(c, a);
}

static bool read_session_policies(struct query_call *c, struct assuming *a)
{
    const char *text = query_text(c, "Policy");

    if (text && !query_policy(c, text, POLICY_IDENTITY, POLICY_BYTES))
        return false;
    for (unsigned n = 1;; n++) {
        const char *arn = form_member(c->form, "PolicyArns", n, "arn");
        if (!arn)
            return true;
        if (n > 10)
            return query_fail(c, QUERY_VALIDATION, "At most 10 managed policies may be given.");
        if (!a->policy_arns)
            a->policy_arns = json_array();
        if (json_array_append_new(a->policy_arns, json_string(arn)) != 0)
            return query_fail(c, QUERY_INTERNAL, "no memory");
    }
}

/* Under the lock of IAM. */
static bool permit(struct query_call *c, const struct assuming *a, const char *action)
{
    struct aws_refusal refusal;
    struct aws_access access = {
        .action = action,
        .resource = a->role->arn,
        .account = a->role->account,
        .resource_policy = iam_seen(c->iam, a->role)->document,
        .conditions = a->conditions,
    };

    return iam_authorize_locked(c->iam, &c->who, &access, &refusal) || refuse_silently(c, action);
}

static bool check_duration(struct query_call *c, const struct assuming *a, int64_t wished_s)
{
    const json_t *own = json_object_get(a->role->record, "session");
    int64_t max = own ? (int64_t)json_integer_value(own) : ROLE_S_PRESET;

    if (c->who.kind == AWS_ROLE_SESSION && wished_s > CHAINED_S_MAX)
        return query_fail(
            c, QUERY_VALIDATION,
            "The requested DurationSeconds exceeds the 1 hour session limit for roles "
            "assumed by role chaining");
    return wished_s <= max || query_fail(c, QUERY_VALIDATION,
                                         "The requested DurationSeconds exceeds the "
                                         "MaxSessionDuration set for this role.");
}

static bool check_policy_arns(struct query_call *c, const struct assuming *a)
{
    for (size_t i = 0; i < json_array_size(a->policy_arns); i++) {
        const char *arn = json_string_value(json_array_get(a->policy_arns, i));
        const struct iam_object *policy = iam_find_arn(c->iam, arn);
        if (!policy || policy->kind != IAM_POLICY ||
            (strcmp(policy->account, "aws") != 0 && strcmp(policy->account, a->role->account) != 0))
            return query_fail(c, QUERY_MALFORMED_POLICY,
                              "The managed policy %.512s is not there, or of another account.",
                              arn);
    }
    return true;
}

/* Under the lock of IAM. */
static bool assume(struct query_call *c, struct assuming *a)
{
    const char *name = query_text(c, "RoleSessionName");
    int64_t now_s = c->who.now_s, wished_s = query_number(c, "DurationSeconds", ROLE_S_PRESET);
    char text[IAM_ARN_MAX];

    a->role = iam_find_arn(c->iam, query_text(c, "RoleArn"));
    if (!a->role || a->role->kind != IAM_ROLE ||
        strcmp(a->role->arn, query_text(c, "RoleArn")) != 0)
        return refuse_silently(c, "sts:AssumeRole");
    if (!permit(c, a, "sts:AssumeRole") || (a->has_tags && !permit(c, a, "sts:TagSession")) ||
        (query_text(c, "SourceIdentity") && !permit(c, a, "sts:SetSourceIdentity")))
        return false;
    if (!check_duration(c, a, wished_s) || !check_policy_arns(c, a))
        return false;
    struct iam_session_wish wish = {
        a->role, a->role->account, name, query_text(c, "Policy"), a->policy_arns,
        now_s,   now_s + wished_s,
    };
    if (!write_credentials(c, &wish))
        return false;
    xml_open(&c->xml, "AssumedRoleUser");
    snprintf(text, sizeof text, "%s:%s", a->role->unique_id, name);
    xml_text(&c->xml, "AssumedRoleId", text);
    snprintf(text, sizeof text, "arn:aws:sts::%s:assumed-role/%s/%s", a->role->account,
             a->role->name, name);
    xml_text(&c->xml, "Arn", text);
    xml_close(&c->xml);
    xml_text(&c->xml, "SourceIdentity", query_text(c, "SourceIdentity"));
    return true;
}

static bool assume_role(struct query_call *c)
{
    CLEANUP(assuming_done) struct assuming a = {0};
    const char *policy = query_text(c, "Policy");

    snprintf(c->resource, sizeof c->resource, "%.*s", IAM_ARN_MAX - 1, query_text(c, "RoleArn"));
    if (c->who.kind == AWS_ROOT)
        return query_fail(c, QUERY_ACCESS_DENIED, "Roles may not be assumed by root accounts.");
    if (!read_conditions(c, &a) || !read_session_policies(c, &a))
        return false;
    pthread_rwlock_rdlock(&c->iam->lock);
    bool is_done = assume(c, &a);
    pthread_rwlock_unlock(&c->iam->lock);
    if (is_done && (policy || a.policy_arns))
        xml_number(&c->xml, "PackedPolicySize",
                   (int64_t)(policy ? 1 + strlen(policy) * 100 / POLICY_BYTES : 1));
    return is_done;
}

/* ---- GetSessionToken ---- */

static bool get_session_token(struct query_call *c)
{
    bool is_root = c->who.kind == AWS_ROOT;
    int64_t preset = is_root ? ROOT_S_MAX : USER_S_PRESET;
    int64_t wished_s = query_number(c, "DurationSeconds", preset);

    if (c->who.kind == AWS_ROLE_SESSION || c->who.token_issued_s)
        return query_fail(c, QUERY_ACCESS_DENIED,
                          "Cannot call GetSessionToken with session credentials");
    if (is_root && wished_s > ROOT_S_MAX)
        wished_s = ROOT_S_MAX;
    pthread_rwlock_rdlock(&c->iam->lock);
    struct iam_session_wish wish = {
        .of = is_root ? NULL : iam_find_arn(c->iam, c->who.principal),
        .account = c->who.account,
        .issued_s = c->who.now_s,
        .expires_s = c->who.now_s + wished_s,
    };
    bool is_done = is_root || wish.of ? write_credentials(c, &wish)
                                      : query_fail(c, QUERY_ACCESS_DENIED, "The user is gone.");
    pthread_rwlock_unlock(&c->iam->lock);
    return is_done;
}

const struct query_op sts_ops[] = {
    {"GetCallerIdentity", get_caller_identity, QUERY_SELF, .has_result = true},
    {"GetAccessKeyInfo", get_access_key_info, QUERY_SELF, .has_result = true,
     .params = {{"AccessKeyId", 16, 128, QUERY_WORD, true}}},
    {"AssumeRole", assume_role, QUERY_SELF, .has_result = true,
     .params = {{"RoleArn", 20, 2048, QUERY_ANY, true},
                {"RoleSessionName", 2, 64, QUERY_NAME, true},
                {"ExternalId", 2, 1224, QUERY_EXTERNAL_ID, false},
                {"DurationSeconds", 900, 43200, QUERY_NUMBER, false},
                {"Policy", 1, 131072, QUERY_ANY, false},
                {"SourceIdentity", 2, 64, QUERY_NAME, false}}},
    {"GetSessionToken", get_session_token, QUERY_SELF, .has_result = true,
     .params = {{"DurationSeconds", 900, 129600, QUERY_NUMBER, false}}},
    {NULL},
};
