/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_op_role.c - operations of IAM on roles; and what users and roles have in common.
 */
#include <stdio.h>
#include <string.h>

#include "localkms/iam_op.h"

enum { TAGS_MAX = 50, TRUST_BYTES_MAX = 2048, SESSION_S_PRESET = 3600 };

/* ---- users and roles ---- */

static bool read_tags(struct query_call *c, json_t *record)
{
    json_t *tags = json_array();

    if (json_object_set_new(record, "tags", tags) != 0)
        return query_fail(c, QUERY_INTERNAL, "no memory");
    for (unsigned n = 1;; n++) {
        const char *key = form_member(c->form, "Tags", n, "Key");
        const char *value = form_member(c->form, "Tags", n, "Value");
        if (!key)
            return true;
        if (n > TAGS_MAX)
            return query_fail(c, QUERY_LIMIT, "Cannot exceed quota for TagsPerResource: %d",
                              TAGS_MAX);
        if (strlen(key) > 128 || (value && strlen(value) > 256))
            return query_fail(c, QUERY_VALIDATION, "A tag is too long.");
        if (json_array_append_new(tags,
                                  json_pack("{s:s, s:s}", "k", key, "v", value ? value : "")) != 0)
            return query_fail(c, QUERY_INTERNAL, "no memory");
    }
}

json_t *iam_op_new_entity(struct query_call *c, const char *name_param, const char *prefix)
{
    const char *path = query_text(c, "Path");
    char id[IAM_UNIQUE_BYTES];
    json_t *record;

    if (query_text(c, "PermissionsBoundary")) {
        query_fail(c, QUERY_INVALID_INPUT, "Permissions boundaries are not supported here.");
        return NULL;
    }
    if (!query_done(c, iam_make_id(c->iam, prefix, sizeof id - 1, id)))
        return NULL;
    record = json_pack("{s:s, s:s, s:s, s:s, s:I, s:{}, s:[]}", "account", c->who.account, "name",
                       query_text(c, name_param), "path", path ? path : "/", "id", id, "created",
                       (json_int_t)realm_now_s(c->realm), "policies", "attached");
    if (!record) {
        query_fail(c, QUERY_INTERNAL, "no memory");
        return NULL;
    }
    if (read_tags(c, record))
        return record;
    json_decref(record);
    return NULL;
}

void iam_op_write_tags(struct query_call *c, const struct iam_object *o)
{
    const json_t *tags = json_object_get(o->record, "tags");

    if (json_array_size(tags) == 0)
        return;
    xml_open(&c->xml, "Tags");
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);
        xml_open(&c->xml, "member");
        xml_text(&c->xml, "Key", json_string_value(json_object_get(tag, "k")));
        xml_text(&c->xml, "Value", json_string_value(json_object_get(tag, "v")));
        xml_close(&c->xml);
    }
    xml_close(&c->xml);
}

bool iam_op_check_bare(struct query_call *c)
{
    if (c->target->attached_count > 0)
        return query_fail(c, QUERY_DELETE_CONFLICT,
                          "Cannot delete entity, must detach all policies first.");
    if (c->target->inline_count > 0)
        return query_fail(c, QUERY_DELETE_CONFLICT,
                          "Cannot delete entity, must delete policies first.");
    return true;
}

bool iam_op_set(struct query_call *c, json_t *record, const char *name, const char *text)
{
    return json_object_set_new(record, name, json_string(text)) == 0 ||
           query_fail(c, QUERY_INTERNAL, "no memory, or a text that is not UTF-8");
}

/* ---- roles ---- */

static int64_t session_s_max(const struct iam_object *role)
{
    const json_t *value = json_object_get(role->record, "session");

    return value ? (int64_t)json_integer_value(value) : SESSION_S_PRESET;
}

static void write_role(struct query_call *c, const struct iam_object *o)
{
    xml_text(&c->xml, "Path", o->path);
    xml_text(&c->xml, "RoleName", o->name);
    xml_text(&c->xml, "RoleId", o->unique_id);
    xml_text(&c->xml, "Arn", o->arn);
    xml_time(&c->xml, "CreateDate", o->created_s);
    xml_encoded(&c->xml, "AssumeRolePolicyDocument", policy_text(o->document));
    xml_text(&c->xml, "Description", json_string_value(json_object_get(o->record, "description")));
    xml_number(&c->xml, "MaxSessionDuration", session_s_max(o));
}

static bool write_one(struct query_call *c, const struct iam_object *o)
{
    xml_open(&c->xml, "Role");
    write_role(c, o);
    iam_op_write_tags(c, o);
    xml_close(&c->xml);
    return true;
}

/* The parameters that CreateRole and UpdateRole share. */
static bool set_details(struct query_call *c, json_t *record)
{
    const char *description = query_text(c, "Description");
    int64_t session_s = query_number(c, "MaxSessionDuration", 0);

    if (description && !iam_op_set(c, record, "description", description))
        return false;
    return session_s == 0 ||
           json_object_set_new(record, "session", json_integer((json_int_t)session_s)) == 0 ||
           query_fail(c, QUERY_INTERNAL, "no memory");
}

static bool create_role(struct query_call *c)
{
    const char *trust = query_text(c, "AssumeRolePolicyDocument");
    CLEANUP(json_freep) json_t *record = NULL;

    if (!query_policy(c, trust, POLICY_TRUST, TRUST_BYTES_MAX))
        return false;
    record = iam_op_new_entity(c, "RoleName", "AROA");
    if (!record || !iam_op_set(c, record, "trust", trust) || !set_details(c, record) ||
        !query_change(c, IAM_ROLE, json_incref(record)))
        return false;
    return write_one(c, iam_find_name(c->iam, IAM_ROLE, c->who.account, query_text(c, "RoleName")));
}

static bool get_role(struct query_call *c)
{
    return write_one(c, c->target);
}

static bool list_roles(struct query_call *c)
{
    return query_page(c, IAM_ROLE, "Roles", write_role);
}

static bool update_assume_role_policy(struct query_call *c)
{
    const char *trust = query_text(c, "PolicyDocument");
    CLEANUP(json_freep) json_t *record = NULL;

    if (!query_policy(c, trust, POLICY_TRUST, TRUST_BYTES_MAX))
        return false;
    record = json_deep_copy(c->target->record);
    return iam_op_set(c, record, "trust", trust) && query_change(c, IAM_ROLE, json_incref(record));
}

static bool update_role(struct query_call *c)
{
    CLEANUP(json_freep) json_t *record = json_deep_copy(c->target->record);

    return set_details(c, record) && query_change(c, IAM_ROLE, json_incref(record));
}

static bool delete_role(struct query_call *c)
{
    struct lk_event event = query_event(c);

    return iam_op_check_bare(c) && query_done(c, iam_remove(c->iam, c->target, &event));
}

/* Tools that delete a role ask for these first. */
static bool list_instance_profiles(struct query_call *c)
{
    xml_open(&c->xml, "InstanceProfiles");
    xml_close(&c->xml);
    xml_bool(&c->xml, "IsTruncated", false);
    return true;
}

static bool list_role_tags(struct query_call *c)
{
    if (json_array_size(json_object_get(c->target->record, "tags")) > 0) {
        iam_op_write_tags(c, c->target);
    } else {
        xml_open(&c->xml, "Tags");
        xml_close(&c->xml);
    }
    xml_bool(&c->xml, "IsTruncated", false);
    return true;
}

#define ROLE_NAME                                                                                  \
    {                                                                                              \
        "RoleName", 1, 64, QUERY_NAME, true                                                        \
    }
#define DETAILS                                                                                    \
    {"Description", 0, 1000, QUERY_ANY, false},                                                    \
    {                                                                                              \
        "MaxSessionDuration", 3600, 43200, QUERY_NUMBER, false                                     \
    }

const struct query_op iam_role_ops[] = {
    {"CreateRole",
     create_role,
     QUERY_ROLE,
     .makes_it = true,
     .has_result = true,
     .is_change = true,
     {ROLE_NAME, IAM_OP_DOCUMENT("AssumeRolePolicyDocument"), IAM_OP_PATH, DETAILS,
      IAM_OP_BOUNDARY}},
    {"GetRole", get_role, QUERY_ROLE, .has_result = true, .params = {ROLE_NAME}},
    {"ListRoles", list_roles, QUERY_ALL, .has_result = true, .params = {IAM_OP_PAGE}},
    {"UpdateAssumeRolePolicy", update_assume_role_policy, QUERY_ROLE, .is_change = true,
     .params = {ROLE_NAME, IAM_OP_DOCUMENT("PolicyDocument")}},
    {"UpdateRole", update_role, QUERY_ROLE, .has_result = true, .is_change = true,
     .params = {ROLE_NAME, DETAILS}},
    {"DeleteRole", delete_role, QUERY_ROLE, .is_change = true, .params = {ROLE_NAME}},
    {"ListInstanceProfilesForRole", list_instance_profiles, QUERY_ROLE, .has_result = true,
     .params = {ROLE_NAME, IAM_OP_PAGE}},
    {"ListRoleTags", list_role_tags, QUERY_ROLE, .has_result = true,
     .params = {ROLE_NAME, IAM_OP_PAGE}},
    {NULL},
};
