/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_resolve.c - which key a request names, whether its caller may, whether its state allows it.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "localkms/aws_call.h"

/* arn:aws:kms:REGION:ACCOUNT:key/ID or :alias/NAME, taken apart. */
struct arn {
    char region[64], account[AWS_ACCOUNT_BYTES];
    const char *resource; /* "key/..." or "alias/..." */
};

static bool read_arn(const char *text, struct arn *ret)
{
    int end = 0;

    if (sscanf(text, "arn:aws:kms:%63[a-z0-9-]:%12[0-9]:%n", ret->region, ret->account, &end) !=
            2 ||
        end == 0)
        return false;
    ret->resource = text + end;
    return true;
}

const struct aws_key *aws_seen(struct aws_call *c, const struct aws_key *key)
{
    return key->past && realm_now_ms(c->realm) < key->past_until_ms ? key->past : key;
}

/* Ends the search: a key that is gone is as none at all. */
static bool take(struct aws_call *c, const struct aws_key *key, const struct arn *where,
                 const char *id, const struct aws_key **ret)
{
    if (key && c->op->lock == AWS_READ)
        key = aws_seen(c, key);
    bool is_there = key && strcmp(key->region, where->region) == 0 &&
                    strcmp(key->account, where->account) == 0 &&
                    aws_key_state(key, c->now_s) != AWS_KEY_GONE;
    if (!is_there)
        return aws_fail(c, AWS_NOT_FOUND, "Key 'arn:aws:kms:%s:%s:key/%.200s' does not exist",
                        where->region, where->account, id);
    *ret = key;
    return true;
}

static bool resolve_alias(struct aws_call *c, const struct arn *where, const char *name,
                          const struct aws_key **ret)
{
    const struct aws_alias *alias =
        aws_alias_find(c->realm->aws_keys, where->account, where->region, name);

    if (!alias)
        return aws_fail(c, AWS_NOT_FOUND, "Alias arn:aws:kms:%s:%s:%.300s is not found.",
                        where->region, where->account, name);
    return take(c, aws_keys_find(c->realm->aws_keys, alias->target), where, alias->target, ret);
}

static bool is_key_id(const char *text)
{
    size_t len = strlen(text);

    return len == 36 && strspn(text, "0123456789abcdef-mrk") == len;
}

bool aws_resolve(struct aws_call *c, const char *text, const struct aws_key **ret)
{
    struct arn where = {0};

    snprintf(where.region, sizeof where.region, "%s", c->who.region);
    snprintf(where.account, sizeof where.account, "%s", c->who.account);
    where.resource = text;
    bool is_arn = strncmp(text, "arn:", 4) == 0;
    if (is_arn && !read_arn(text, &where))
        return aws_fail(c, AWS_INVALID_ARN, "Invalid arn %.300s", text);
    if (strcmp(where.region, c->who.region) != 0)
        return aws_fail(c, AWS_NOT_FOUND, "Invalid arn %s", where.region);
    if (strncmp(where.resource, "alias/", 6) == 0)
        return resolve_alias(c, &where, where.resource, ret);
    if (is_arn && strncmp(where.resource, "key/", 4) != 0)
        return aws_fail(c, AWS_INVALID_ARN, "Invalid arn %.300s", text);
    const char *id = is_arn ? where.resource + 4 : text;
    if (!is_key_id(id))
        return aws_fail(c, AWS_NOT_FOUND, "Invalid keyId '%.300s'", id);
    return take(c, aws_keys_find(c->realm->aws_keys, id), &where, id, ret);
}

bool aws_check_state(struct aws_call *c, const struct aws_key *key, unsigned states)
{
    enum aws_key_state state = aws_key_state(key, c->now_s);

    if (states >> state & 1)
        return true;
    if (states == AWS_IN(PENDING_DELETION))
        return aws_fail(c, AWS_INVALID_STATE, "%s is not pending deletion.", key->arn);
    switch (state) {
    case AWS_KEY_DISABLED:
        return aws_fail(c, AWS_DISABLED, "%s is disabled.", key->arn);
    case AWS_KEY_PENDING_DELETION:
        return aws_fail(c, AWS_INVALID_STATE, "%s is pending deletion.", key->arn);
    case AWS_KEY_PENDING_IMPORT:
        return aws_fail(c, AWS_INVALID_STATE, "%s is pending import.", key->arn);
    case AWS_KEY_ENABLED:
    case AWS_KEY_GONE:
    case AWS_KEY_STATE_COUNT:
        break;
    }
    return aws_fail(c, AWS_NOT_FOUND, "Key '%s' does not exist", key->arn);
}

static bool refuse(struct aws_call *c, const struct aws_refusal *refusal)
{
    c->other_code = refusal->code;
    c->other_status = refusal->status;
    return aws_fail(c, AWS_ACCESS_DENIED, "%s", refusal->message);
}

bool aws_permit(struct aws_call *c, const char *action, const struct aws_key *key,
                const json_t *context)
{
    CLEANUP(json_decrefp) json_t *conditions = aws_asked(c, action, key);
    struct aws_refusal refusal = {0};

    if (!conditions)
        return aws_fail(c, AWS_INTERNAL_FAULT, "no memory for a decision");
    c->is_granted = c->op->has_grant && aws_granted(key, &c->who, action, context);
    struct aws_access access = {.action = action,
                                .resource = key->arn,
                                .account = key->account,
                                .resource_policy = key->policy,
                                .is_granted = c->is_granted,
                                .encryption_context = context,
                                .conditions = conditions};
    return aws_authorize(c->realm->iam, &c->who, &access, &refusal) || refuse(c, &refusal);
}

bool aws_permit_account(struct aws_call *c, const char *action, const char *resource)
{
    CLEANUP(json_decrefp) json_t *conditions = aws_asked(c, action, NULL);
    struct aws_refusal refusal = {0};
    struct aws_access access = {.action = action,
                                .resource = resource,
                                .account = c->who.account,
                                .conditions = conditions};

    if (!conditions)
        return aws_fail(c, AWS_INTERNAL_FAULT, "no memory for a decision");
    return aws_authorize(c->realm->iam, &c->who, &access, &refusal) || refuse(c, &refusal);
}
