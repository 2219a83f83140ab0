/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_op_alias.c - aliases: names of keys in an account and region.
 */
#include <stdio.h>
#include <string.h>

#include "localkms/aws_ops.h"

enum { LIMIT_PRESET = 50 };
static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/_-";

static bool check_name(struct aws_call *c, const char *name)
{
    if (strncmp(name, "alias/", 6) != 0 || !name[6] || strspn(name, LETTERS) != strlen(name))
        return aws_fail(c, AWS_INVALID_ALIAS_NAME, "Invalid alias name %.256s", name);
    if (strncmp(name, "alias/aws/", 10) == 0)
        return aws_fail(c, AWS_INVALID_ALIAS_NAME,
                        "Aliases that begin with alias/aws/ are reserved.");
    snprintf(c->resource, sizeof c->resource, "arn:aws:kms:%s:%s:%s", c->who.region, c->who.account,
             name);
    return true;
}

/* Both the alias and the key must be allowed. */
static bool find_target(struct aws_call *c, const struct aws_key **ret)
{
    const char *text = aws_text(c, "TargetKeyId");

    if (strstr(text, "alias/"))
        return aws_fail(c, AWS_VALIDATION, "Aliases must refer to keys. Not aliases");
    if (!aws_permit_account(c, c->op->action, c->resource) || !aws_resolve(c, text, ret))
        return false;
    if (strcmp((*ret)->account, c->who.account) != 0)
        return aws_fail(c, AWS_NOT_FOUND, "Key '%s' does not exist", (*ret)->arn);
    return aws_permit(c, c->op->action, *ret, NULL) &&
           aws_check_state(c, *ret, AWS_IN_ANY & ~AWS_IN(PENDING_DELETION));
}

static bool put(struct aws_call *c, const char *name, const struct aws_key *target,
                int64_t created_s)
{
    struct lk_event event = aws_event(c);
    struct aws_alias alias = {.created_s = created_s, .changed_s = c->now_s};

    snprintf(alias.account, sizeof alias.account, "%s", c->who.account);
    snprintf(alias.region, sizeof alias.region, "%s", c->who.region);
    snprintf(alias.name, sizeof alias.name, "%s", name);
    snprintf(alias.target, sizeof alias.target, "%s", target->id);
    return aws_fail_rc(c, aws_alias_put(c->realm, &alias, &event));
}

static const struct aws_alias *find(struct aws_call *c, const char *name)
{
    return aws_alias_find(c->realm->aws_keys, c->who.account, c->who.region, name);
}

static bool not_found(struct aws_call *c)
{
    return aws_fail(c, AWS_NOT_FOUND, "Alias %s is not found.", c->resource);
}

bool aws_create_alias(struct aws_call *c)
{
    const char *name = aws_text(c, "AliasName");
    const struct aws_key *target = NULL;

    if (!check_name(c, name) || !find_target(c, &target))
        return false;
    if (find(c, name))
        return aws_fail(c, AWS_ALREADY_EXISTS, "An alias with the name %s already exists",
                        c->resource);
    return put(c, name, target, c->now_s);
}

bool aws_update_alias(struct aws_call *c)
{
    const char *name = aws_text(c, "AliasName");
    const struct aws_key *target = NULL;

    if (!check_name(c, name) || !find_target(c, &target))
        return false;
    const struct aws_alias *alias = find(c, name);
    return alias ? put(c, name, target, alias->created_s) : not_found(c);
}

bool aws_delete_alias(struct aws_call *c)
{
    const char *name = aws_text(c, "AliasName");

    if (!check_name(c, name) || !aws_permit_account(c, c->op->action, c->resource))
        return false;
    const struct aws_alias *alias = find(c, name);
    if (!alias)
        return not_found(c);
    const struct aws_key *key = aws_keys_find(c->realm->aws_keys, alias->target);
    if (key && !aws_permit(c, c->op->action, key, NULL))
        return false;
    struct lk_event event = aws_event(c);
    return aws_fail_rc(c, aws_alias_delete(c->realm, alias, &event));
}

static json_t *show(const struct aws_alias *a)
{
    char arn[AWS_KEY_ARN_BYTES + AWS_ALIAS_BYTES];

    snprintf(arn, sizeof arn, "arn:aws:kms:%s:%s:%s", a->region, a->account, a->name);
    return json_pack("{s:s, s:s, s:s, s:I, s:I}", "AliasName", a->name, "AliasArn", arn,
                     "TargetKeyId", a->target, "CreationDate", (json_int_t)a->created_s,
                     "LastUpdatedDate", (json_int_t)a->changed_s);
}

static bool is_listed(const struct aws_call *c, const struct aws_alias *a,
                      const struct aws_key *only)
{
    return strcmp(a->account, c->who.account) == 0 && strcmp(a->region, c->who.region) == 0 &&
           (!only || strcmp(a->target, only->id) == 0);
}

bool aws_list_aliases(struct aws_call *c)
{
    const struct aws_keys *keys = c->realm->aws_keys;
    const char *marker = aws_text(c, "Marker"), *only_text = aws_text(c, "KeyId");
    const struct aws_key *only = NULL;
    const struct aws_alias *a;

    if (!aws_permit_account(c, c->op->action, "*") ||
        (only_text && !aws_resolve(c, only_text, &only)))
        return false;
    struct aws_page page = {json_array(), (size_t)aws_integer(c, "Limit", LIMIT_PRESET), NULL};
    size_t place = aws_alias_from(keys, c->who.account, c->who.region, marker ? marker : "");
    for (; !page.next && (a = aws_alias_at(keys, place)); place++) {
        if (!is_listed(c, a, only))
            continue;
        if (json_array_size(page.list) == page.limit)
            page.next = a->name;
        else
            json_array_append_new(page.list, show(a));
    }
    return aws_page_reply(c, "Aliases", &page);
}
