/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_op_grant.c - grants: who may do what with a key, without an edit of its policy.
 *
 * A grant counts from the moment it is answered, so a grant token, which bridges the time until then at AWS, has nothing to do
 * here; a malformed one is refused.
 */
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "localkms/aws_ops.h"
#include "localkms/iam.h"

enum { GRANTS_MAX = 5000, LIMIT_PRESET = 50, ID_BYTES = 32 };
static const char TOKEN_PREFIX[] = "ksgt.";

static const char *const operations[] = {
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "Sign",
    "Verify",
    "GetPublicKey",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
};

/* ---- whether a grant allows something ---- */

static bool holds_all(const json_t *pairs, const json_t *context)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)pairs, name,
                        value) if (!json_equal(value, json_object_get(context, name))) return false;
    return true;
}

static bool meets_constraints(const json_t *grant, const json_t *context)
{
    const json_t *constraints = json_object_get(grant, "constraints");
    const json_t *subset = json_object_get(constraints, "EncryptionContextSubset");
    const json_t *equals = json_object_get(constraints, "EncryptionContextEquals");

    if (subset && !holds_all(subset, context))
        return false;
    return !equals ||
           (holds_all(equals, context) && json_object_size(equals) == json_object_size(context));
}

static bool names(const json_t *grant, const char *member, const struct aws_identity *who)
{
    const char *text = json_string_value(json_object_get(grant, member));

    return text && (strcmp(text, who->principal) == 0 || strcmp(text, who->arn) == 0);
}

static bool has_operation(const json_t *grant, const char *operation)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(grant, "operations"), i,
                       one) if (strcmp(json_string_value(one), operation) == 0) return true;
    return false;
}

/* Constraints are about uses that have an encryption context; the others are not bound by them. */
static bool is_about_context(const char *operation)
{
    return strcmp(operation, "DescribeKey") != 0 && strcmp(operation, "RetireGrant") != 0 &&
           strcmp(operation, "CreateGrant") != 0;
}

bool aws_granted(const struct aws_key *key, const struct aws_identity *who, const char *action,
                 const json_t *context)
{
    const char *operation = strncmp(action, "kms:", 4) == 0 ? action + 4 : action;
    const json_t *grant;
    size_t i;

    json_array_foreach(
        json_object_get(key->record, "grants"), i,
        grant) if (names(grant, "grantee", who) && has_operation(grant, operation) &&
                   (!is_about_context(operation) || meets_constraints(grant, context))) return true;
    return false;
}

/* ---- making ---- */

/* What was granted under constraints could be passed on without them: it is not passed on at all. */
static bool may_pass_on(const struct aws_call *c, const char *operation)
{
    const json_t *grant;
    size_t i;

    json_array_foreach(json_object_get(c->key->record, "grants"), i,
                       grant) if (names(grant, "grantee", &c->who) &&
                                  has_operation(grant, operation) &&
                                  (!is_about_context(operation) ||
                                   !json_object_get(grant, "constraints"))) return true;
    return false;
}

static bool check_operations(struct aws_call *c)
{
    const json_t *one;
    size_t i;

    json_array_foreach(aws_member(c, "Operations"), i, one)
    {
        const char *text = json_string_value(one);
        bool is_known = false;
        for (size_t k = 0; text && k < sizeof operations / sizeof *operations; k++)
            is_known |= strcmp(operations[k], text) == 0;
        if (!is_known)
            return aws_fail(
                c, AWS_VALIDATION,
                "1 validation error detected: Value '[%.60s]' at 'operations' failed to "
                "satisfy constraint: Member must satisfy enum value set",
                text ? text : "null");
        /* Who was only granted the right to grant can pass on no more than he has. */
        if (c->is_granted && !may_pass_on(c, text))
            return aws_fail(c, AWS_ACCESS_DENIED,
                            "User: %s is not authorized to grant: %s because no grant gives it to "
                            "him",
                            c->who.arn, text);
    }
    return true;
}

static bool check_principal(struct aws_call *c, const char *name)
{
    const char *text = aws_text(c, name);

    return !text || iam_principal_exists(c->realm->iam, text) ||
           aws_fail(c, AWS_INVALID_ARN, "ARN does not refer to a valid principal: %.300s", text);
}

static bool check_constraints(struct aws_call *c)
{
    const char *name, *pair_name;
    json_t *pairs, *value;

    json_object_foreach((json_t *)(uintptr_t)aws_member(c, "Constraints"), name, pairs)
    {
        if (strcmp(name, "EncryptionContextSubset") != 0 &&
            strcmp(name, "EncryptionContextEquals") != 0)
            return aws_fail(c, AWS_UNSUPPORTED, "The constraint %.60s is not supported.", name);
        if (!json_is_object(pairs))
            return aws_fail(c, AWS_SERIALIZATION, "%s is no map", name);
        json_object_foreach(pairs, pair_name, value) if (!json_is_string(value)) return aws_fail(
            c, AWS_SERIALIZATION, "%s holds what is no string", name);
    }
    return true;
}

static bool check_tokens(struct aws_call *c)
{
    const json_t *one;
    size_t i;

    json_array_foreach(
        aws_member(c, "GrantTokens"), i,
        one) if (!json_is_string(one) ||
                 strncmp(json_string_value(one), TOKEN_PREFIX, strlen(TOKEN_PREFIX)) !=
                     0) return aws_fail(c, AWS_INVALID_GRANT_TOKEN,
                                        "The grant token is not valid.");
    return true;
}

static const json_t *find(const struct aws_key *key, const char *member, const char *text)
{
    const json_t *grant;
    size_t i;

    json_array_foreach(json_object_get(key->record, "grants"), i, grant)
    {
        const char *own = json_string_value(json_object_get(grant, member));
        if (text && own && strcmp(own, text) == 0)
            return grant;
    }
    return NULL;
}

static json_t *make_token(const char *id)
{
    CLEANUP(mem_freep) char *text = NULL;

    return ks_ok(mem_format(&text, "%s%s", TOKEN_PREFIX, id)) ? json_string(text) : NULL;
}

static bool reply_grant(struct aws_call *c, const char *id)
{
    return aws_reply(c, json_pack("{s:s, s:o}", "GrantId", id, "GrantToken", make_token(id)));
}

/* The same request under the same name is the same grant. */
static bool is_same(struct aws_call *c, const json_t *grant)
{
    const json_t *constraints = aws_member(c, "Constraints");

    return strcmp(json_string_value(json_object_get(grant, "grantee")),
                  aws_text(c, "GranteePrincipal")) == 0 &&
           json_equal(json_object_get(grant, "operations"), aws_member(c, "Operations")) &&
           (!constraints || json_equal(json_object_get(grant, "constraints"), constraints));
}

static bool make_id(struct aws_call *c, struct buf *ret)
{
    uint8_t bytes[ID_BYTES];

    return aws_fail_rc(c, random_fill(c->realm->random, bytes, sizeof bytes)) &&
           aws_fail_rc(c, hex_write(view_of(bytes, sizeof bytes), ret));
}

static bool add(struct aws_call *c, const char *id)
{
    const json_t *constraints = aws_member(c, "Constraints");
    json_t *record = aws_edit(c);

    if (!record)
        return false;
    json_t *list = json_object_get(record, "grants");
    json_t *grant =
        json_pack("{s:s, s:s, s:O, s:s, s:I}", "id", id, "grantee", aws_text(c, "GranteePrincipal"),
                  "operations", aws_member(c, "Operations"), "issuer", c->who.arn, "created",
                  (json_int_t)c->now_s);
    if (aws_text(c, "Name"))
        json_object_set_new(grant, "name", json_string(aws_text(c, "Name")));
    if (aws_text(c, "RetiringPrincipal"))
        json_object_set_new(grant, "retiring", json_string(aws_text(c, "RetiringPrincipal")));
    if (constraints)
        json_object_set_new(grant, "constraints", json_deep_copy(constraints));
    bool is_added = json_array_append_new(list, grant) == 0 && json_array_size(list) <= GRANTS_MAX;
    if (is_added)
        return aws_publish(c, record);
    json_decref(record);
    return aws_fail(c, AWS_LIMIT_EXCEEDED, "A key can have %d grants.", GRANTS_MAX);
}

bool aws_create_grant(struct aws_call *c)
{
    CLEANUP(buf_done) struct buf id = buf_init(4 * ID_BYTES);

    if (!check_operations(c) || !check_principal(c, "GranteePrincipal") ||
        !check_principal(c, "RetiringPrincipal") || !check_constraints(c) || !check_tokens(c))
        return false;
    if (aws_boolean(c, "DryRun"))
        return aws_fail(c, AWS_DRY_RUN,
                        "The request would have succeeded, but the DryRun option is set.");
    const json_t *same = find(c->key, "name", aws_text(c, "Name"));
    if (same && is_same(c, same))
        return reply_grant(c, json_string_value(json_object_get(same, "id")));
    return make_id(c, &id) && reply_grant(c, buf_text(&id)) && add(c, buf_text(&id));
}

/* ---- listing ---- */

static void set(json_t *to, const char *name, const json_t *grant, const char *member)
{
    json_t *value = json_object_get(grant, member);

    if (value)
        json_object_set(to, name, value);
}

static json_t *show(const struct aws_key *key, const json_t *grant)
{
    json_t *to = json_pack("{s:s}", "KeyId", key->arn);

    set(to, "GrantId", grant, "id");
    set(to, "Name", grant, "name");
    set(to, "CreationDate", grant, "created");
    set(to, "GranteePrincipal", grant, "grantee");
    set(to, "RetiringPrincipal", grant, "retiring");
    set(to, "IssuingAccount", grant, "issuer");
    set(to, "Operations", grant, "operations");
    set(to, "Constraints", grant, "constraints");
    return to;
}

static bool is_wanted(const json_t *grant, const char *member, const char *wanted)
{
    const char *text = json_string_value(json_object_get(grant, member));

    return !wanted || (text && strcmp(text, wanted) == 0);
}

/* Adds what a page still holds; *is_found: the place of the marker has been passed. */
static void list_key(struct aws_page *page, const struct aws_key *key, const json_t *filter,
                     const char *marker, bool *is_found)
{
    const json_t *grant;
    size_t i;

    json_array_foreach(json_object_get(key->record, "grants"), i, grant)
    {
        const char *id = json_string_value(json_object_get(grant, "id"));
        *is_found |= !marker || strcmp(marker, id) == 0;
        if (page->next || !*is_found ||
            !is_wanted(grant, "id", json_string_value(json_object_get(filter, "GrantId"))) ||
            !is_wanted(grant, "grantee",
                       json_string_value(json_object_get(filter, "GranteePrincipal"))) ||
            !is_wanted(grant, "retiring",
                       json_string_value(json_object_get(filter, "RetiringPrincipal"))))
            continue;
        if (json_array_size(page->list) == page->limit)
            page->next = id;
        else
            json_array_append_new(page->list, show(key, grant));
    }
}

static bool end_list(struct aws_call *c, struct aws_page *page, const char *marker, bool is_found)
{
    if (!marker || is_found)
        return aws_page_reply(c, "Grants", page);
    json_decref(page->list);
    return aws_fail(c, AWS_INVALID_MARKER, "The marker is not valid.");
}

bool aws_list_grants(struct aws_call *c)
{
    struct aws_page page = {json_array(), (size_t)aws_integer(c, "Limit", LIMIT_PRESET), NULL};
    const char *marker = aws_text(c, "Marker");
    bool is_found = false;

    list_key(&page, c->key, c->params, marker, &is_found);
    return end_list(c, &page, marker, is_found);
}

bool aws_list_retirable_grants(struct aws_call *c)
{
    const char *marker = aws_text(c, "Marker");
    const struct aws_key *key;
    bool is_found = false;

    if (!aws_permit_account(c, c->op->action, "*"))
        return false;
    struct aws_page page = {json_array(), (size_t)aws_integer(c, "Limit", LIMIT_PRESET), NULL};
    for (size_t i = 0; (key = aws_keys_at(c->realm->aws_keys, i)); i++)
        if (strcmp(key->account, c->who.account) == 0 && strcmp(key->region, c->who.region) == 0)
            list_key(&page, key, c->params, marker, &is_found);
    return end_list(c, &page, marker, is_found);
}

/* ---- ending ---- */

static bool remove_grant(struct aws_call *c, const char *id)
{
    json_t *record = aws_edit(c);
    const json_t *grant;
    size_t i;

    if (!record)
        return false;
    json_t *list = json_object_get(record, "grants");
    json_array_foreach(list, i,
                       grant) if (strcmp(json_string_value(json_object_get(grant, "id")), id) == 0)
    {
        json_array_remove(list, i);
        break;
    }
    return aws_publish(c, record);
}

bool aws_revoke_grant(struct aws_call *c)
{
    const char *id = aws_text(c, "GrantId");

    if (!find(c->key, "id", id))
        return aws_fail(c, AWS_NOT_FOUND, "Grant ID %.128s not found", id);
    return remove_grant(c, id);
}

static bool find_retired(struct aws_call *c, const char *id)
{
    const char *key_id = aws_text(c, "KeyId");

    if (key_id)
        return aws_resolve(c, key_id, &c->key);
    for (size_t i = 0; (c->key = aws_keys_at(c->realm->aws_keys, i)); i++)
        if (strcmp(c->key->region, c->who.region) == 0 && find(c->key, "id", id))
            return true;
    return aws_fail(c, AWS_INVALID_GRANT_TOKEN, "The grant token is not valid.");
}

/* By the retiring principal, by the grantee when it was granted, by whoever the policies let. */
static bool may_retire(struct aws_call *c, const json_t *grant)
{
    if (names(grant, "retiring", &c->who) ||
        (names(grant, "grantee", &c->who) && has_operation(grant, "RetireGrant")))
        return true;
    return aws_permit(c, c->op->action, c->key, NULL);
}

bool aws_retire_grant(struct aws_call *c)
{
    const char *token = aws_text(c, "GrantToken"), *id = aws_text(c, "GrantId");
    size_t prefix = strlen(TOKEN_PREFIX);

    if (token) {
        if (strncmp(token, TOKEN_PREFIX, prefix) != 0)
            return aws_fail(c, AWS_INVALID_GRANT_TOKEN, "The grant token is not valid.");
        id = token + prefix;
    }
    if (!id || (!token && !aws_text(c, "KeyId")))
        return aws_fail(c, AWS_VALIDATION,
                        "Either the grant token, or the key and the ID of the grant are needed.");
    if (!find_retired(c, id))
        return false;
    const json_t *grant = find(c->key, "id", id);
    if (!grant)
        return aws_fail(c, AWS_NOT_FOUND, "Grant ID %.128s not found", id);
    return may_retire(c, grant) && remove_grant(c, id);
}
