/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_asked.c - the condition keys of a request to KMS: what policies may ask about its parameters and its key.
 *
 * Invariant: a key that is in the tables is there whenever AWS has it. One that were left out would turn an Allow with
 * ForAllValues, IfExists or a negated operator into an Allow without a condition, and a Deny into none.
 */
#include <stdio.h>
#include <string.h>

#include "localkms/aws_call.h"

enum { NAME_BYTES = 256 };

static const struct {
    const char *action, *param, *key;
} asked[] = {
    {"kms:CreateGrant", "Operations", "kms:GrantOperations"},
    {"kms:CreateGrant", "GranteePrincipal", "kms:GranteePrincipal"},
    {"kms:CreateGrant", "RetiringPrincipal", "kms:RetiringPrincipal"},
    {"kms:CreateKey", "BypassPolicyLockoutSafetyCheck", "kms:BypassPolicyLockoutSafetyCheck"},
    {"kms:PutKeyPolicy", "BypassPolicyLockoutSafetyCheck", "kms:BypassPolicyLockoutSafetyCheck"},
    {"kms:ScheduleKeyDeletion", "PendingWindowInDays",
     "kms:ScheduleKeyDeletionPendingWindowInDays"},
    {"kms:EnableKeyRotation", "RotationPeriodInDays", "kms:RotationPeriodInDays"},
    {"kms:GetParametersForImport", "WrappingAlgorithm", "kms:WrappingAlgorithm"},
    {"kms:GetParametersForImport", "WrappingKeySpec", "kms:WrappingKeySpec"},
    {"kms:ImportKeyMaterial", "ExpirationModel", "kms:ExpirationModel"},
    {"kms:ImportKeyMaterial", "ValidTo", "kms:ValidTo"},
};

/* Values are texts, or lists of texts; what is neither never gets past the operation. */
static json_t *as_text(const json_t *value)
{
    char room[32];

    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "true" : "false");
    if (!json_is_number(value))
        return json_deep_copy(value);
    snprintf(room, sizeof room, "%.17g", json_number_value(value));
    return json_string(room);
}

static bool put(json_t *to, const char *name, json_t *value)
{
    return json_object_set_new(to, name, value) == 0;
}

static bool add_params(const struct aws_call *c, const char *action, json_t *to)
{
    bool is_done = true;

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const json_t *value = aws_member(c, asked[i].param);
        if (value && strcmp(asked[i].action, action) == 0)
            is_done = is_done && put(to, asked[i].key, as_text(value));
    }
    return is_done;
}

/* The kinds of constraints of a grant. */
static bool add_constraints(const struct aws_call *c, const char *action, json_t *to)
{
    const json_t *constraints = aws_member(c, "Constraints");
    json_t *list = strcmp(action, "kms:CreateGrant") == 0 ? json_array() : NULL;
    bool is_done = true;

    if (!list || json_object_size(constraints) == 0) {
        json_decref(list);
        return true;
    }
    if (json_object_get(constraints, "EncryptionContextEquals"))
        is_done = json_array_append_new(list, json_string("EncryptionContextEquals")) == 0;
    if (json_object_get(constraints, "EncryptionContextSubset"))
        is_done =
            is_done && json_array_append_new(list, json_string("EncryptionContextSubset")) == 0;
    return put(to, "kms:GrantConstraintType", list) && is_done;
}

/* Tags that come with the request, or whose names do. */
static bool add_tags(const struct aws_call *c, json_t *to)
{
    const json_t *lists[] = {aws_member(c, "Tags"), aws_member(c, "TagKeys")};
    json_t *names = json_array(), *tag;
    bool is_done = names != NULL;
    char name[NAME_BYTES];
    size_t i;

    json_array_foreach(lists[0], i, tag)
    {
        const char *key = json_string_value(json_object_get(tag, "TagKey"));
        const char *value = json_string_value(json_object_get(tag, "TagValue"));
        if (!key || !value || snprintf(name, sizeof name, "aws:RequestTag/%s", key) >= NAME_BYTES)
            continue; /* the operation refuses it */
        is_done = is_done && put(to, name, json_string(value)) &&
                  json_array_append_new(names, json_string(key)) == 0;
    }
    json_array_foreach(lists[1], i, tag) is_done = is_done && json_array_append(names, tag) == 0;
    if (json_array_size(names) > 0)
        return put(to, "aws:TagKeys", names) && is_done;
    json_decref(names);
    return is_done;
}

static bool add_kind(json_t *to, bool is_external, bool is_multi_region)
{
    return put(to, "kms:KeySpec", json_string("SYMMETRIC_DEFAULT")) &&
           put(to, "kms:KeyUsage", json_string("ENCRYPT_DECRYPT")) &&
           put(to, "kms:KeyOrigin", json_string(is_external ? "EXTERNAL" : "AWS_KMS")) &&
           put(to, "kms:MultiRegion", json_string(is_multi_region ? "true" : "false"));
}

static bool add_new_key(const struct aws_call *c, json_t *to)
{
    const char *origin = aws_text(c, "Origin");

    return strcmp(c->op->action, "kms:CreateKey") != 0 ||
           add_kind(to, origin && strcmp(origin, "EXTERNAL") == 0, aws_boolean(c, "MultiRegion"));
}

/* The alias by which a request names its key. */
static bool add_alias(const struct aws_call *c, const char *action, json_t *to)
{
    bool is_from = strcmp(action, "kms:ReEncryptFrom") == 0;
    bool is_to = strcmp(action, "kms:ReEncryptTo") == 0;
    const char *named = aws_text(c, is_from ? "SourceKeyId" : is_to ? "DestinationKeyId" : "KeyId");
    const char *alias = named ? strstr(named, "alias/") : NULL;

    return !alias || put(to, "kms:RequestAlias", json_string(alias));
}

static bool add_key(const struct aws_key *key, json_t *to)
{
    bool is_done = add_kind(to, key->is_external, strncmp(key->id, "mrk-", 4) == 0);
    const char *tag;
    char name[NAME_BYTES];
    json_t *value;

    json_object_foreach(json_object_get(key->record, "tags"), tag, value)
    {
        snprintf(name, sizeof name, "aws:ResourceTag/%s", tag);
        is_done = is_done && json_object_set(to, name, value) == 0;
    }
    return is_done;
}

json_t *aws_asked(const struct aws_call *c, const char *action, const struct aws_key *key)
{
    json_t *to = json_object();

    if (to && add_params(c, action, to) && add_constraints(c, action, to) && add_tags(c, to) &&
        (key ? add_key(key, to) && add_alias(c, action, to) : add_new_key(c, to)))
        return to;
    json_decref(to);
    return NULL;
}
