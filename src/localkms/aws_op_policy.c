/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_op_policy.c - key policies and tags.
 */
#include <string.h>

#include "base/mem.h"
#include "localkms/aws_ops.h"
#include "localkms/iam.h"

enum { TAGS_MAX = 50, TAG_KEY_BYTES_MAX = 128, TAG_VALUE_BYTES_MAX = 256 };

/* ---- policies ---- */

static ks_rc check_principal(void *arg, const char *text)
{
    struct aws_call *c = arg;

    ENSURE(iam_principal_exists(c->realm->iam, text), KS_E_USAGE,
           "Policy contains a statement with one or more invalid principals.");
    return KS_SUCCESS;
}

/* Whoever sets a policy must be able to set the next one. */
static bool is_locked_out(struct aws_call *c, const struct aws_policy *policy, const char *arn)
{
    struct aws_refusal refusal;
    struct aws_access access = {.action = "kms:PutKeyPolicy",
                                .resource = arn,
                                .account = c->who.account,
                                .resource_policy = policy};

    return !aws_boolean(c, "BypassPolicyLockoutSafetyCheck") &&
           !aws_authorize(c->realm->iam, &c->who, &access, &refusal);
}

bool aws_policy_accept(struct aws_call *c, const char *text, const char *arn)
{
    CLEANUP(policy_freep) struct aws_policy *policy = NULL;
    ks_rc rc = policy_parse(view_text(text), POLICY_KEY, &policy);

    if (ks_ok(rc))
        rc = policy_each_principal(policy, check_principal, c);
    if (!ks_ok(rc))
        return aws_fail(c, AWS_MALFORMED_POLICY, "%s", ks_text(rc));
    if (is_locked_out(c, policy, arn))
        return aws_fail(c, AWS_MALFORMED_POLICY,
                        "The new key policy will not allow you to update the key policy in the "
                        "future.");
    return true;
}

static bool check_name(struct aws_call *c)
{
    const char *name = aws_text(c, "PolicyName");

    return !name || strcmp(name, "default") == 0 ||
           aws_fail(c, AWS_NOT_FOUND, "No such policy exists");
}

bool aws_get_key_policy(struct aws_call *c)
{
    return check_name(c) &&
           aws_reply(c, json_pack("{s:O, s:s}", "Policy", json_object_get(c->key->record, "policy"),
                                  "PolicyName", "default"));
}

bool aws_put_key_policy(struct aws_call *c)
{
    const char *text = aws_text(c, "Policy");

    if (!check_name(c) || !aws_policy_accept(c, text, c->key->arn))
        return false;
    json_t *record = aws_edit(c);
    if (!record)
        return false;
    json_object_set_new(record, "policy", json_string(text));
    return aws_publish(c, record);
}

bool aws_list_key_policies(struct aws_call *c)
{
    return aws_reply(c, json_pack("{s:[s], s:b}", "PolicyNames", "default", "Truncated", 0));
}

/* ---- tags ---- */

static bool read_tag(struct aws_call *c, const json_t *tag, json_t *tags)
{
    const json_t *key = json_object_get(tag, "TagKey"), *value = json_object_get(tag, "TagValue");
    size_t key_len = json_string_length(key);

    if (!json_is_string(key) || !json_is_string(value))
        return aws_fail(c, AWS_TAG, "A tag has a TagKey and a TagValue.");
    if (key_len == 0 || key_len > TAG_KEY_BYTES_MAX ||
        json_string_length(value) > TAG_VALUE_BYTES_MAX)
        return aws_fail(c, AWS_TAG, "The length of a tag key or value is not allowed.");
    if (strncmp(json_string_value(key), "aws:", 4) == 0)
        return aws_fail(c, AWS_TAG, "Tag keys that begin with aws: are reserved.");
    return json_object_set_new(tags, json_string_value(key),
                               json_string(json_string_value(value))) == 0 ||
           aws_fail(c, AWS_INTERNAL_FAULT, "no memory for tags");
}

bool aws_tags_read(struct aws_call *c, const json_t *list, json_t *tags)
{
    size_t i;
    json_t *tag;

    json_array_foreach(list, i, tag) if (!read_tag(c, tag, tags)) return false;
    return json_object_size(tags) <= TAGS_MAX ||
           aws_fail(c, AWS_LIMIT_EXCEEDED, "More than %d tags.", TAGS_MAX);
}

bool aws_tag_resource(struct aws_call *c)
{
    json_t *record = aws_edit(c);

    if (!record)
        return false;
    if (aws_tags_read(c, aws_member(c, "Tags"), json_object_get(record, "tags")))
        return aws_publish(c, record);
    json_decref(record);
    return false;
}

bool aws_untag_resource(struct aws_call *c)
{
    json_t *record = aws_edit(c), *key;
    size_t i;

    if (!record)
        return false;
    json_t *tags = json_object_get(record, "tags");
    json_array_foreach(aws_member(c, "TagKeys"), i,
                       key) if (json_is_string(key)) /* one that is not there is as removed */
        json_object_del(tags, json_string_value(key));
    return aws_publish(c, record);
}

bool aws_list_resource_tags(struct aws_call *c)
{
    struct aws_page page = {json_array(), TAGS_MAX, NULL};
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(c->key->record, "tags"), name, value) json_array_append_new(
        page.list, json_pack("{s:s, s:O}", "TagKey", name, "TagValue", value));
    return aws_page_reply(c, "Tags", &page);
}
