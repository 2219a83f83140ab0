/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_query_target.c - what a request of IAM is about: found, and permitted.
 *
 * Permission comes first: who may not look learns nothing about what is there.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "localkms/aws_query_int.h"

/* The ARN of what is there, or would be. */
static void name_target(struct query_call *c, enum iam_kind kind, const char *name)
{
    const char *path = query_text(c, "Path");

    c->target = iam_find_name(c->iam, kind, c->who.account, name);
    if (c->target)
        snprintf(c->resource, sizeof c->resource, "%s", c->target->arn);
    else
        iam_arn(kind, c->who.account, path ? path : "/", name, c->resource);
}

static void find_user(struct query_call *c)
{
    const char *name = query_text(c, "UserName");

    if (name) {
        name_target(c, IAM_USER, name);
        return;
    }
    snprintf(c->resource, sizeof c->resource, "%.*s", IAM_ARN_MAX - 1, c->who.principal);
    if (c->who.kind == AWS_USER)
        c->target = iam_find_arn(c->iam, c->who.principal);
}

static void find_policy(struct query_call *c)
{
    const char *arn = query_text(c, "PolicyArn"), *name = query_text(c, "PolicyName");

    if (!arn) {
        name_target(c, IAM_POLICY, name);
        return;
    }
    snprintf(c->resource, sizeof c->resource, "%.*s", IAM_ARN_MAX - 1, arn);
    struct iam_object *o = iam_find_arn(c->iam, arn);
    bool is_ours = o && (strcmp(o->account, c->who.account) == 0 || strcmp(o->account, "aws") == 0);
    c->target = is_ours && o->kind == IAM_POLICY ? o : NULL;
}

static void find_target(struct query_call *c)
{
    switch (c->op->target) {
    case QUERY_SELF:
        break;
    case QUERY_ALL:
        snprintf(c->resource, sizeof c->resource, "arn:aws:iam::%s:*", c->who.account);
        break;
    case QUERY_USER:
        find_user(c);
        break;
    case QUERY_ROLE:
        name_target(c, IAM_ROLE, query_text(c, "RoleName"));
        break;
    case QUERY_POLICY:
        find_policy(c);
        break;
    }
}

static bool is_permitted(struct query_call *c)
{
    struct aws_refusal refusal;
    struct aws_access access = {
        .action = c->action, .resource = c->resource, .account = c->who.account};

    if (c->who.is_limited)
        return query_fail(c, QUERY_ACCESS_DENIED,
                          "Temporary credentials of GetSessionToken cannot call IAM.");
    if (aws_authorize(c->iam, &c->who, &access, &refusal))
        return true;
    return query_fail(c, QUERY_ACCESS_DENIED, "%s", refusal.message);
}

static bool refuse_missing(struct query_call *c)
{
    if (c->op->target == QUERY_POLICY)
        return query_fail(c, QUERY_NO_SUCH_ENTITY, "Policy %s does not exist or is not attachable.",
                          c->resource);
    return query_fail(c, QUERY_NO_SUCH_ENTITY, "The %s with name %s cannot be found.",
                      c->op->target == QUERY_USER ? "user" : "role",
                      query_text(c, c->op->target == QUERY_USER ? "UserName" : "RoleName"));
}

static bool refuse_existing(struct query_call *c)
{
    static const char *const words[IAM_KINDS] = {[IAM_USER] = "User with name",
                                                 [IAM_ROLE] = "Role with name",
                                                 [IAM_POLICY] = "A policy called"};

    return query_fail(c, QUERY_EXISTS, "%s %s already exists.", words[c->target->kind],
                      c->target->name);
}

bool query_permit(struct query_call *c)
{
    bool is_named = c->op->target == QUERY_USER ? query_text(c, "UserName") != NULL
                                                : c->op->target >= QUERY_ROLE;

    find_target(c);
    if (c->op->target == QUERY_SELF)
        return true;
    if (!is_permitted(c))
        return false;
    if (c->op->makes_it)
        return !c->target || refuse_existing(c);
    return c->target || !is_named || refuse_missing(c);
}

/* ---- what several operations share ---- */

static bool is_listed(const struct query_call *c, const struct iam_object *o)
{
    const char *prefix = query_text(c, "PathPrefix");

    return strcmp(o->account, c->who.account) == 0 &&
           (!prefix || strncmp(o->path, prefix, strlen(prefix)) == 0);
}

bool query_page(struct query_call *c, enum iam_kind kind, const char *list,
                void (*each)(struct query_call *c, const struct iam_object *o))
{
    const struct iam_table *t = &c->iam->tables[kind];
    int64_t left = query_number(c, "MaxItems", 100);
    const char *marker = query_text(c, "Marker"), *next = NULL;
    char from[IAM_ID_BYTES];

    iam_record_id(c->who.account, marker ? marker : "", from);
    xml_open(&c->xml, list);
    for (size_t i = iam_from(c->iam, kind, from); i < t->count && !next; i++) {
        const struct iam_object *o = t->items[i];
        if (strcmp(o->account, c->who.account) != 0)
            break;
        if (!is_listed(c, o))
            continue;
        if (left-- == 0) {
            next = o->name;
            continue;
        }
        xml_open(&c->xml, "member");
        each(c, o);
        xml_close(&c->xml);
    }
    xml_close(&c->xml);
    xml_bool(&c->xml, "IsTruncated", next != NULL);
    xml_text(&c->xml, "Marker", next);
    return true;
}

static ks_rc check_principal(void *arg, const char *text)
{
    ENSURE(iam_principal_exists(arg, text), KS_E_USAGE,
           "Invalid principal in policy: \"AWS\":\"%s\"", text);
    return KS_SUCCESS;
}

bool query_policy(struct query_call *c, const char *text, enum policy_kind kind, size_t bytes_max)
{
    struct aws_policy *policy = NULL;
    size_t bytes = 0;

    for (const char *p = text; *p; p++)
        bytes += !isspace((uint8_t)*p);
    if (bytes > bytes_max)
        return query_fail(c, QUERY_LIMIT, "Cannot exceed quota for %s: %zu",
                          kind == POLICY_TRUST ? "ACLSizePerRole" : "PolicySize", bytes_max);
    ks_rc rc = policy_parse(view_text(text), kind, &policy);
    if (ks_ok(rc) && kind == POLICY_TRUST)
        rc = policy_each_principal(policy, check_principal, c->iam);
    policy_free(policy);
    return ks_ok(rc) || query_fail(c, QUERY_MALFORMED_POLICY, "%s", ks_text(rc));
}

bool query_change(struct query_call *c, enum iam_kind kind, json_t *record)
{
    CLEANUP(json_freep) json_t *own = record;
    struct lk_event event = query_event(c);

    if (!own)
        return query_fail(c, QUERY_INTERNAL, "no memory");
    return query_done(c, iam_put(c->iam, kind, own, NULL, &event));
}
