/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_op_policy.c - operations of IAM on policies: inline ones of users and roles, managed ones, and their attaching.
 */
#include <stdio.h>
#include <string.h>

#include "localkms/iam_op.h"

enum { USER_BYTES_MAX = 2048, ROLE_BYTES_MAX = 10240, MANAGED_BYTES_MAX = 6144 };

static const char *name_element(const struct query_call *c)
{
    return c->op->target == QUERY_USER ? "UserName" : "RoleName";
}

/* ---- inline ---- */

static json_t *inlines(const struct query_call *c)
{
    return json_object_get(c->target->record, "policies");
}

static bool put_inline(struct query_call *c)
{
    const char *name = query_text(c, "PolicyName"), *text = query_text(c, "PolicyDocument");
    bool is_user = c->target->kind == IAM_USER;
    CLEANUP(json_freep) json_t *record = NULL;

    if (!query_policy(c, text, POLICY_IDENTITY, is_user ? USER_BYTES_MAX : ROLE_BYTES_MAX))
        return false;
    if (c->target->inline_count >= IAM_INLINE_MAX && !json_object_get(inlines(c), name))
        return query_fail(c, QUERY_LIMIT, "Cannot exceed %d inline policies", IAM_INLINE_MAX);
    record = json_deep_copy(c->target->record);
    return iam_op_set(c, json_object_get(record, "policies"), name, text) &&
           query_change(c, c->target->kind, json_incref(record));
}

static bool find_inline(struct query_call *c, const char **ret)
{
    const char *name = query_text(c, "PolicyName");

    *ret = json_string_value(json_object_get(inlines(c), name));
    return *ret ||
           query_fail(c, QUERY_NO_SUCH_ENTITY, "The %s policy with name %s cannot be found.",
                      c->target->kind == IAM_USER ? "user" : "role", name);
}

static bool get_inline(struct query_call *c)
{
    const char *text = NULL;

    if (!find_inline(c, &text))
        return false;
    xml_text(&c->xml, name_element(c), c->target->name);
    xml_text(&c->xml, "PolicyName", query_text(c, "PolicyName"));
    xml_encoded(&c->xml, "PolicyDocument", text);
    return true;
}

static bool list_inlines(struct query_call *c)
{
    const char *name;
    json_t *text;

    xml_open(&c->xml, "PolicyNames");
    json_object_foreach(inlines(c), name, text) xml_text(&c->xml, "member", name);
    xml_close(&c->xml);
    xml_bool(&c->xml, "IsTruncated", false);
    return true;
}

static bool delete_inline(struct query_call *c)
{
    CLEANUP(json_freep) json_t *record = NULL;
    const char *text = NULL;

    if (!find_inline(c, &text))
        return false;
    record = json_deep_copy(c->target->record);
    json_object_del(json_object_get(record, "policies"), query_text(c, "PolicyName"));
    return query_change(c, c->target->kind, json_incref(record));
}

/* ---- attached ---- */

/* Its place among the attached ones; their count when it is not there. */
static size_t attached_at(const struct iam_object *o, const char *arn)
{
    size_t i = 0;

    while (i < o->attached_count && strcmp(o->attached[i], arn) != 0)
        i++;
    return i;
}

static bool attach(struct query_call *c)
{
    const char *arn = query_text(c, "PolicyArn");
    const struct iam_object *policy = iam_find_arn(c->iam, arn), *o = c->target;
    CLEANUP(json_freep) json_t *record = NULL;

    if (!policy || policy->kind != IAM_POLICY ||
        (strcmp(policy->account, "aws") != 0 && strcmp(policy->account, o->account) != 0))
        return query_fail(c, QUERY_NO_SUCH_ENTITY, "Policy %s does not exist or is not attachable.",
                          arn);
    if (attached_at(o, arn) < o->attached_count)
        return true;
    if (o->attached_count == IAM_ATTACHED_MAX)
        return query_fail(c, QUERY_LIMIT, "Cannot exceed quota for PoliciesPerRole: %d",
                          IAM_ATTACHED_MAX);
    record = json_deep_copy(o->record);
    if (json_array_append_new(json_object_get(record, "attached"), json_string(arn)) != 0)
        return query_fail(c, QUERY_INTERNAL, "no memory");
    return query_change(c, o->kind, json_incref(record));
}

static bool detach(struct query_call *c)
{
    const char *arn = query_text(c, "PolicyArn");
    size_t at = attached_at(c->target, arn);
    CLEANUP(json_freep) json_t *record = NULL;

    if (at == c->target->attached_count)
        return query_fail(c, QUERY_NO_SUCH_ENTITY, "Policy %s was not found.", arn);
    record = json_deep_copy(c->target->record);
    json_array_remove(json_object_get(record, "attached"), at);
    return query_change(c, c->target->kind, json_incref(record));
}

static bool list_attached(struct query_call *c)
{
    const struct iam_object *o = c->target;

    xml_open(&c->xml, "AttachedPolicies");
    for (size_t i = 0; i < o->attached_count; i++) {
        xml_open(&c->xml, "member");
        xml_text(&c->xml, "PolicyName", strrchr(o->attached[i], '/') + 1);
        xml_text(&c->xml, "PolicyArn", o->attached[i]);
        xml_close(&c->xml);
    }
    xml_close(&c->xml);
    xml_bool(&c->xml, "IsTruncated", false);
    return true;
}

/* ---- managed ---- */

static size_t count_attached(const struct query_call *c, const struct iam_object *policy)
{
    size_t n = 0;

    for (enum iam_kind kind = IAM_USER; kind <= IAM_ROLE; kind++)
        for (size_t i = 0; i < c->iam->tables[kind].count; i++) {
            const struct iam_object *o = c->iam->tables[kind].items[i];
            n += attached_at(o, policy->arn) < o->attached_count;
        }
    return n;
}

static void write_policy(struct query_call *c, const struct iam_object *o)
{
    xml_text(&c->xml, "PolicyName", o->name);
    xml_text(&c->xml, "PolicyId", o->unique_id);
    xml_text(&c->xml, "Arn", o->arn);
    xml_text(&c->xml, "Path", o->path);
    xml_text(&c->xml, "DefaultVersionId", "v1");
    xml_number(&c->xml, "AttachmentCount", (int64_t)count_attached(c, o));
    xml_number(&c->xml, "PermissionsBoundaryUsageCount", 0);
    xml_bool(&c->xml, "IsAttachable", true);
    xml_text(&c->xml, "Description", json_string_value(json_object_get(o->record, "description")));
    xml_time(&c->xml, "CreateDate", o->created_s ? o->created_s : 1);
    xml_time(&c->xml, "UpdateDate", o->created_s ? o->created_s : 1);
}

static bool write_one(struct query_call *c, const struct iam_object *o)
{
    xml_open(&c->xml, "Policy");
    write_policy(c, o);
    iam_op_write_tags(c, o);
    xml_close(&c->xml);
    return true;
}

static bool create_policy(struct query_call *c)
{
    const char *text = query_text(c, "PolicyDocument"), *about = query_text(c, "Description");
    CLEANUP(json_freep) json_t *record = NULL;

    if (!query_policy(c, text, POLICY_IDENTITY, MANAGED_BYTES_MAX))
        return false;
    record = iam_op_new_entity(c, "PolicyName", "ANPA");
    if (!record || !iam_op_set(c, record, "text", text) ||
        (about && !iam_op_set(c, record, "description", about)) ||
        !query_change(c, IAM_POLICY, json_incref(record)))
        return false;
    return write_one(
        c, iam_find_name(c->iam, IAM_POLICY, c->who.account, query_text(c, "PolicyName")));
}

static bool get_policy(struct query_call *c)
{
    return write_one(c, c->target);
}

static bool list_policies(struct query_call *c)
{
    return query_page(c, IAM_POLICY, "Policies", write_policy);
}

static void write_version(struct query_call *c, bool has_document)
{
    if (has_document)
        xml_encoded(&c->xml, "Document", policy_text(c->target->document));
    xml_text(&c->xml, "VersionId", "v1");
    xml_bool(&c->xml, "IsDefaultVersion", true);
    xml_time(&c->xml, "CreateDate", c->target->created_s ? c->target->created_s : 1);
}

static bool get_policy_version(struct query_call *c)
{
    const char *version = query_text(c, "VersionId");

    if (strcmp(version, "v1") != 0)
        return query_fail(c, QUERY_NO_SUCH_ENTITY, "Policy %s version %s does not exist.",
                          c->target->arn, version);
    xml_open(&c->xml, "PolicyVersion");
    write_version(c, true);
    xml_close(&c->xml);
    return true;
}

static bool list_policy_versions(struct query_call *c)
{
    xml_open(&c->xml, "Versions");
    xml_open(&c->xml, "member");
    write_version(c, false);
    xml_close(&c->xml);
    xml_close(&c->xml);
    xml_bool(&c->xml, "IsTruncated", false);
    return true;
}

static bool delete_policy(struct query_call *c)
{
    struct lk_event event = query_event(c);

    if (strcmp(c->target->account, c->who.account) != 0)
        return query_fail(c, QUERY_ACCESS_DENIED, "Policy %s is managed by AWS.", c->target->arn);
    if (count_attached(c, c->target) > 0)
        return query_fail(c, QUERY_DELETE_CONFLICT, "Cannot delete a policy attached to entities.");
    return query_done(c, iam_remove(c->iam, c->target, &event));
}

#define USER_NAME                                                                                  \
    {                                                                                              \
        "UserName", 1, 128, QUERY_NAME, true                                                       \
    }
#define ROLE_NAME                                                                                  \
    {                                                                                              \
        "RoleName", 1, 64, QUERY_NAME, true                                                        \
    }
#define POLICY_ARN                                                                                 \
    {                                                                                              \
        "PolicyArn", 20, 2048, QUERY_ANY, true                                                     \
    }

const struct query_op iam_policy_ops[] = {
    {"PutUserPolicy", put_inline, QUERY_USER, .is_change = true,
     .params = {USER_NAME, IAM_OP_POLICY_NAME, IAM_OP_DOCUMENT("PolicyDocument")}},
    {"GetUserPolicy", get_inline, QUERY_USER, .has_result = true,
     .params = {USER_NAME, IAM_OP_POLICY_NAME}},
    {"ListUserPolicies", list_inlines, QUERY_USER, .has_result = true,
     .params = {USER_NAME, IAM_OP_PAGE}},
    {"DeleteUserPolicy", delete_inline, QUERY_USER, .is_change = true,
     .params = {USER_NAME, IAM_OP_POLICY_NAME}},
    {"PutRolePolicy", put_inline, QUERY_ROLE, .is_change = true,
     .params = {ROLE_NAME, IAM_OP_POLICY_NAME, IAM_OP_DOCUMENT("PolicyDocument")}},
    {"GetRolePolicy", get_inline, QUERY_ROLE, .has_result = true,
     .params = {ROLE_NAME, IAM_OP_POLICY_NAME}},
    {"ListRolePolicies", list_inlines, QUERY_ROLE, .has_result = true,
     .params = {ROLE_NAME, IAM_OP_PAGE}},
    {"DeleteRolePolicy", delete_inline, QUERY_ROLE, .is_change = true,
     .params = {ROLE_NAME, IAM_OP_POLICY_NAME}},
    {"AttachUserPolicy", attach, QUERY_USER, .is_change = true, .params = {USER_NAME, POLICY_ARN}},
    {"DetachUserPolicy", detach, QUERY_USER, .is_change = true, .params = {USER_NAME, POLICY_ARN}},
    {"ListAttachedUserPolicies", list_attached, QUERY_USER, .has_result = true,
     .params = {USER_NAME, IAM_OP_PAGE}},
    {"AttachRolePolicy", attach, QUERY_ROLE, .is_change = true, .params = {ROLE_NAME, POLICY_ARN}},
    {"DetachRolePolicy", detach, QUERY_ROLE, .is_change = true, .params = {ROLE_NAME, POLICY_ARN}},
    {"ListAttachedRolePolicies", list_attached, QUERY_ROLE, .has_result = true,
     .params = {ROLE_NAME, IAM_OP_PAGE}},
    {"CreatePolicy", create_policy, QUERY_POLICY, .makes_it = true, .has_result = true,
     .is_change = true,
     .params = {IAM_OP_POLICY_NAME,
                IAM_OP_DOCUMENT("PolicyDocument"),
                IAM_OP_PATH,
                {"Description", 0, 1000, QUERY_ANY, false}}},
    {"GetPolicy", get_policy, QUERY_POLICY, .has_result = true, .params = {POLICY_ARN}},
    {"ListPolicies", list_policies, QUERY_ALL, .has_result = true, .params = {IAM_OP_PAGE}},
    {"GetPolicyVersion", get_policy_version, QUERY_POLICY, .has_result = true,
     .params = {POLICY_ARN, {"VersionId", 1, 32, QUERY_ANY, true}}},
    {"ListPolicyVersions", list_policy_versions, QUERY_POLICY, .has_result = true,
     .params = {POLICY_ARN, IAM_OP_PAGE}},
    {"DeletePolicy", delete_policy, QUERY_POLICY, .is_change = true, .params = {POLICY_ARN}},
    {NULL},
};
