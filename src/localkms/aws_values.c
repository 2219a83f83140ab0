/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_values.c - the condition keys of a request and their values.
 *
 * Names are compared in any case, as AWS does; also the names inside of an encryption context.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "localkms/aws_policy_int.h"

static const char CONTEXT_PREFIX[] = "kms:EncryptionContext:";

static void add(struct question *q, struct values *ret, const char *value)
{
    if (!value)
        return;
    if (ret->count == VALUES_MAX)
        q->is_uncertain = true;
    else
        ret->items[ret->count++] = value;
}

/* ---- keys that follow from who asks ---- */

static const char *principal_arn(const struct question *q, struct values *v)
{
    (void)v;
    return q->identity->principal;
}

static const char *account(const struct question *q, struct values *v)
{
    (void)v;
    return q->identity->account;
}

static const char *principal_type(const struct question *q, struct values *v)
{
    static const char *const names[] = {
        [AWS_ROOT] = "Account", [AWS_USER] = "User", [AWS_ROLE_SESSION] = "AssumedRole"};

    (void)v;
    return names[q->identity->kind];
}

static const char *user_id(const struct question *q, struct values *v)
{
    (void)v;
    return q->identity->user_id;
}

/* Of a user only: what follows the last slash of his ARN. */
static const char *user_name(const struct question *q, struct values *v)
{
    const char *slash = strrchr(q->identity->arn, '/');

    (void)v;
    return q->identity->kind == AWS_USER && slash ? slash + 1 : NULL;
}

static const char *source_ip(const struct question *q, struct values *v)
{
    (void)v;
    return q->identity->source_ip[0] ? q->identity->source_ip : NULL;
}

static const char *secure_transport(const struct question *q, struct values *v)
{
    (void)v;
    return q->identity->is_tls ? "true" : "false";
}

static const char *region(const struct question *q, struct values *v)
{
    (void)v;
    return q->identity->region[0] ? q->identity->region : NULL;
}

static const char *current_time(const struct question *q, struct values *v)
{
    _Static_assert(sizeof v->room >= CLOCK_TEXT_BYTES, "a time fits");
    clock_format(q->identity->now_s, v->room);
    return v->room;
}

static const char *epoch_time(const struct question *q, struct values *v)
{
    snprintf(v->room, sizeof v->room, "%" PRId64, q->identity->now_s);
    return v->room;
}

static const char *token_issue_time(const struct question *q, struct values *v)
{
    clock_format(q->identity->token_issued_s, v->room);
    return q->identity->token_issued_s ? v->room : NULL;
}

static const char *via_service(const struct question *q, struct values *v)
{
    (void)v;
    return q->access->via_service;
}

static const char *resource_account(const struct question *q, struct values *v)
{
    (void)v;
    return q->access->account;
}

static const struct {
    const char *key;
    const char *(*find)(const struct question *q, struct values *v);
} keys[] = {
    {"aws:PrincipalArn", principal_arn},
    {"aws:PrincipalAccount", account},
    {"aws:PrincipalType", principal_type},
    {"aws:userid", user_id},
    {"aws:username", user_name},
    {"aws:SourceIp", source_ip},
    {"aws:SecureTransport", secure_transport},
    {"aws:RequestedRegion", region},
    {"aws:CurrentTime", current_time},
    {"aws:EpochTime", epoch_time},
    {"aws:TokenIssueTime", token_issue_time},
    {"aws:ResourceAccount", resource_account},
    {"kms:CallerAccount", account},
    {"kms:ViaService", via_service},
};

/* ---- keys that follow from the request ---- */

/* jansson iterates over objects that are not const, though it does not change them. */
static json_t *unconst(const json_t *value)
{
    union {
        const json_t *in;
        json_t *out;
    } u = {value};

    return u.out;
}

static void add_json(struct question *q, const json_t *value, struct values *ret)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        add(q, ret, json_string_value(json_array_get(value, i)));
    add(q, ret, json_string_value(value));
}

static void find_member(struct question *q, const json_t *object, const char *name,
                        struct values *ret)
{
    const char *each;
    json_t *value;

    json_object_foreach(unconst(object), each, value) if (strcasecmp(each, name) == 0)
        add_json(q, value, ret);
}

static void find_names(struct question *q, const json_t *object, struct values *ret)
{
    const char *each;
    json_t *value;

    json_object_foreach(unconst(object), each, value) add(q, ret, each);
}

void values_find(struct question *q, const char *key, struct values *ret)
{
    const struct aws_access *access = q->access;
    size_t prefix = strlen(CONTEXT_PREFIX);

    ret->count = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcasecmp(keys[i].key, key) == 0) {
            add(q, ret, keys[i].find(q, ret));
            return;
        }
    if (strncasecmp(key, CONTEXT_PREFIX, prefix) == 0)
        find_member(q, access->encryption_context, key + prefix, ret);
    else if (strcasecmp(key, "kms:EncryptionContextKeys") == 0)
        find_names(q, access->encryption_context, ret);
    else
        find_member(q, access->conditions, key, ret);
}
