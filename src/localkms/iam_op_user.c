/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_op_user.c - operations of IAM on users and their access keys.
 */
#include <stdio.h>
#include <string.h>

#include "localkms/iam_op.h"

/* ---- users ---- */

static void write_user(struct query_call *c, const struct iam_object *o)
{
    xml_text(&c->xml, "Path", o->path);
    xml_text(&c->xml, "UserName", o->name);
    xml_text(&c->xml, "UserId", o->unique_id);
    xml_text(&c->xml, "Arn", o->arn);
    xml_time(&c->xml, "CreateDate", o->created_s);
}

static bool write_one(struct query_call *c, const struct iam_object *o)
{
    xml_open(&c->xml, "User");
    write_user(c, o);
    iam_op_write_tags(c, o);
    xml_close(&c->xml);
    return true;
}

static bool create_user(struct query_call *c)
{
    json_t *record = iam_op_new_entity(c, "UserName", "AIDA");

    return record && query_change(c, IAM_USER, record) &&
           write_one(c, iam_find_name(c->iam, IAM_USER, c->who.account, query_text(c, "UserName")));
}

static bool refuse_no_user(struct query_call *c)
{
    return query_fail(c, QUERY_VALIDATION,
                      "Must specify userName when calling with non-User credentials");
}

static bool get_user(struct query_call *c)
{
    if (c->target)
        return write_one(c, c->target);
    if (c->who.kind != AWS_ROOT)
        return refuse_no_user(c);
    xml_open(&c->xml, "User");
    xml_text(&c->xml, "UserId", c->who.account);
    xml_text(&c->xml, "Arn", c->who.arn);
    xml_time(&c->xml, "CreateDate", iam_find(c->iam, IAM_ACCOUNT, c->who.account)->created_s);
    xml_close(&c->xml);
    return true;
}

static bool list_users(struct query_call *c)
{
    return query_page(c, IAM_USER, "Users", write_user);
}

static bool delete_user(struct query_call *c)
{
    struct lk_event event = query_event(c);

    if (!c->target)
        return refuse_no_user(c);
    if (iam_key_count(c->iam, c->target->account, c->target->name) > 0)
        return query_fail(c, QUERY_DELETE_CONFLICT,
                          "Cannot delete entity, must delete access keys first.");
    return iam_op_check_bare(c) && query_done(c, iam_remove(c->iam, c->target, &event));
}

/* ---- access keys ---- */

/* Whose keys: "" is the root user, who has no name. NULL: c has failed. */
static const char *find_owner(struct query_call *c)
{
    if (!c->target && c->who.kind != AWS_ROOT) {
        (void)refuse_no_user(c);
        return NULL;
    }
    return c->target ? c->target->name : "";
}

static void write_key(struct query_call *c, const struct iam_object *key)
{
    xml_text(&c->xml, "UserName", key->owner[0] ? key->owner : NULL);
    xml_text(&c->xml, "AccessKeyId", key->id);
    xml_text(&c->xml, "Status", key->is_active ? "Active" : "Inactive");
}

static bool create_access_key(struct query_call *c)
{
    CLEANUP(iam_key_pair_wipe) struct iam_key_pair pair = {{0}, {0}};
    struct lk_event event = query_event(c);
    const char *owner = find_owner(c);

    if (!owner || !query_done(c, iam_key_new(c->iam, c->who.account, owner, &event, &pair)))
        return false;
    const struct iam_object *key = iam_find(c->iam, IAM_KEY, pair.id);
    xml_open(&c->xml, "AccessKey");
    write_key(c, key);
    xml_text(&c->xml, "SecretAccessKey", pair.secret);
    xml_time(&c->xml, "CreateDate", key->created_s);
    xml_close(&c->xml);
    return true;
}

static bool list_access_keys(struct query_call *c)
{
    const struct iam_table *keys = &c->iam->tables[IAM_KEY];
    const char *owner = find_owner(c);

    if (!owner)
        return false;
    xml_open(&c->xml, "AccessKeyMetadata");
    for (size_t i = 0; i < keys->count; i++) {
        const struct iam_object *key = keys->items[i];
        if (strcmp(key->account, c->who.account) != 0 || strcmp(key->owner, owner) != 0)
            continue;
        xml_open(&c->xml, "member");
        write_key(c, key);
        xml_time(&c->xml, "CreateDate", key->created_s);
        xml_close(&c->xml);
    }
    xml_close(&c->xml);
    xml_bool(&c->xml, "IsTruncated", false);
    return true;
}

/* NULL: c has failed. */
static struct iam_object *find_key(struct query_call *c)
{
    const char *id = query_text(c, "AccessKeyId"), *owner = find_owner(c);
    struct iam_object *key = iam_find(c->iam, IAM_KEY, id);

    if (!owner)
        return NULL;
    if (key && strcmp(key->account, c->who.account) == 0 && strcmp(key->owner, owner) == 0)
        return key;
    query_fail(c, QUERY_NO_SUCH_ENTITY, "The Access Key with id %s cannot be found.", id);
    return NULL;
}

static bool update_access_key(struct query_call *c)
{
    const char *status = query_text(c, "Status");
    struct lk_event event = query_event(c);
    CLEANUP(json_freep) json_t *record = NULL;
    struct iam_object *key = NULL;
    bool is_active = strcmp(status, "Active") == 0;

    if (!is_active && strcmp(status, "Inactive") != 0)
        return query_fail(c, QUERY_VALIDATION,
                          "1 validation error detected: Value '%s' at 'status' failed to satisfy "
                          "constraint: Member must satisfy enum value set: [Active, Inactive]",
                          status);
    key = find_key(c);
    if (!key)
        return false;
    record = json_deep_copy(key->record);
    if (!record || json_object_set_new(record, "active", json_boolean(is_active)) != 0)
        return query_fail(c, QUERY_INTERNAL, "no memory");
    return query_done(c, iam_put(c->iam, IAM_KEY, record, key->secret, &event));
}

static bool delete_access_key(struct query_call *c)
{
    struct lk_event event = query_event(c);
    struct iam_object *key = find_key(c);

    return key && query_done(c, iam_remove(c->iam, key, &event));
}

#define USER_NAME                                                                                  \
    {                                                                                              \
        "UserName", 1, 64, QUERY_NAME, true                                                        \
    }
#define MAYBE_USER_NAME                                                                            \
    {                                                                                              \
        "UserName", 1, 128, QUERY_NAME, false                                                      \
    }
#define ACCESS_KEY_ID                                                                              \
    {                                                                                              \
        "AccessKeyId", 16, 128, QUERY_WORD, true                                                   \
    }

const struct query_op iam_user_ops[] = {
    {"CreateUser",
     create_user,
     QUERY_USER,
     .makes_it = true,
     .has_result = true,
     .is_change = true,
     {USER_NAME, IAM_OP_PATH, IAM_OP_BOUNDARY}},
    {"GetUser", get_user, QUERY_USER, .has_result = true, .params = {MAYBE_USER_NAME}},
    {"ListUsers", list_users, QUERY_ALL, .has_result = true, .params = {IAM_OP_PAGE}},
    {"DeleteUser", delete_user, QUERY_USER, .is_change = true, .params = {USER_NAME}},
    {"CreateAccessKey", create_access_key, QUERY_USER, .has_result = true, .is_change = true,
     .params = {MAYBE_USER_NAME}},
    {"ListAccessKeys", list_access_keys, QUERY_USER, .has_result = true,
     .params = {MAYBE_USER_NAME, IAM_OP_PAGE}},
    {"UpdateAccessKey", update_access_key, QUERY_USER, .is_change = true,
     .params = {MAYBE_USER_NAME, ACCESS_KEY_ID, {"Status", 1, 16, QUERY_ANY, true}}},
    {"DeleteAccessKey", delete_access_key, QUERY_USER, .is_change = true,
     .params = {MAYBE_USER_NAME, ACCESS_KEY_ID}},
    {NULL},
};
