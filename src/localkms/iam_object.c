/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_object.c - an object of IAM, made of its record.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "localkms/iam_int.h"

static const char *const arn_kinds[IAM_KINDS] = {
    [IAM_USER] = "user", [IAM_ROLE] = "role", [IAM_POLICY] = "policy"};

void iam_record_id(const char *account, const char *name, char ret[IAM_ID_BYTES])
{
    snprintf(ret, IAM_ID_BYTES, "%s/%s", account, name);
    for (char *p = ret; *p; p++)
        *p = (char)tolower((uint8_t)*p);
}

void iam_arn(enum iam_kind kind, const char *account, const char *path, const char *name,
             char ret[IAM_ARN_MAX])
{
    snprintf(ret, IAM_ARN_MAX, "arn:aws:iam::%s:%s%s%s", account, arn_kinds[kind], path, name);
}

ks_rc iam_make_id(struct iam *iam, const char *prefix, size_t len, char *ret)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t bytes[32];
    size_t at = strlen(prefix);

    ENSURE(len >= at && len - at <= sizeof bytes, KS_E_BUG, "an id of %zu characters", len);
    TRY(random_fill(iam->realm->random, bytes, sizeof bytes));
    memcpy(ret, prefix, at);
    for (size_t i = 0; at < len; i++)
        ret[at++] = letters[bytes[i] % 32];
    ret[len] = '\0';
    return KS_SUCCESS;
}

static void bytes_wipe(uint8_t (*bytes)[30])
{
    mem_wipe(bytes, sizeof *bytes);
}

static void wiped_done(struct buf *b)
{
    mem_wipe(b->bytes, b->room);
    buf_done(b);
}

ks_rc iam_make_secret(struct iam *iam, char ret[IAM_SECRET_BYTES])
{
    CLEANUP(bytes_wipe) uint8_t bytes[30] = {0};
    CLEANUP(wiped_done) struct buf text = buf_init(64);

    TRY(random_fill(iam->realm->random, bytes, sizeof bytes));
    TRY(base64_write(view_of(bytes, sizeof bytes), BASE64_STANDARD, &text));
    ENSURE(text.len == IAM_SECRET_LEN, KS_E_BUG, "a secret of %zu characters", text.len);
    memcpy(ret, text.bytes, IAM_SECRET_LEN);
    ret[IAM_SECRET_LEN] = '\0';
    return KS_SUCCESS;
}

void iam_key_pair_wipe(struct iam_key_pair *p)
{
    mem_wipe(p, sizeof *p);
}

void iam_object_free(struct iam *iam, struct iam_object *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->inline_count; i++)
        policy_free(o->inlines[i]);
    mem_free(o->inlines);
    policy_free(o->document);
    iam_object_free(iam, o->before);
    if (o->secret)
        secret_pool_put(iam->secrets, o->secret);
    json_decref(o->record);
    mem_free(o);
}

static ks_rc read_inlines(struct iam_object *o)
{
    json_t *policies = NULL, *text;
    const char *name;

    TRY(json_get_object(o->record, "policies", &policies));
    ENSURE(json_object_size(policies) <= IAM_INLINE_MAX, KS_E_LIMIT, "too many policies");
    TRY(mem_new(json_object_size(policies) + 1, sizeof(struct aws_policy *), &o->inlines));
    json_object_foreach(policies, name, text)
    {
        ENSURE(json_is_string(text), KS_E_CORRUPT, "policy %.128s is no text", name);
        TRY(policy_parse(view_text(json_string_value(text)), POLICY_IDENTITY,
                         &o->inlines[o->inline_count]));
        o->inline_count++;
    }
    return KS_SUCCESS;
}

static ks_rc read_attached(struct iam_object *o)
{
    json_t *list = NULL;

    TRY(json_get_array(o->record, "attached", IAM_ATTACHED_MAX, &list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *arn = json_string_value(json_array_get(list, i));
        ENSURE(arn, KS_E_CORRUPT, "an attached policy is no text");
        o->attached[o->attached_count++] = arn;
    }
    return KS_SUCCESS;
}

static ks_rc read_document(struct iam_object *o, const char *member, enum policy_kind kind)
{
    const char *text = NULL;

    TRY(json_get_text(o->record, member, POLICY_BYTES_MAX, &text));
    return policy_parse(view_text(text), kind, &o->document);
}

/* What users, roles and managed policies have in common. */
static ks_rc read_named(struct iam_object *o)
{
    TRY(json_get_text(o->record, "name", IAM_NAME_MAX, &o->name));
    TRY(json_get_text(o->record, "path", IAM_PATH_MAX, &o->path));
    TRY(json_get_text(o->record, "id", IAM_UNIQUE_BYTES - 1, &o->unique_id));
    iam_record_id(o->account, o->name, o->id);
    iam_arn(o->kind, o->account, o->path, o->name, o->arn);
    return KS_SUCCESS;
}

static ks_rc read_user(struct iam_object *o)
{
    TRY(read_named(o));
    TRY(read_inlines(o));
    return read_attached(o);
}

static ks_rc read_role(struct iam_object *o)
{
    TRY(read_user(o));
    return read_document(o, "trust", POLICY_TRUST);
}

static ks_rc read_policy(struct iam_object *o)
{
    TRY(read_named(o));
    return read_document(o, "text", POLICY_IDENTITY);
}

static ks_rc read_key(struct iam_object *o)
{
    const char *id = NULL;

    TRY(json_get_text(o->record, "id", IAM_KEY_ID_BYTES - 1, &id));
    TRY(json_get_text(o->record, "user", IAM_NAME_MAX, &o->owner));
    TRY(json_may_bool(o->record, "active", &o->is_active));
    snprintf(o->id, sizeof o->id, "%s", id);
    return KS_SUCCESS;
}

static ks_rc read_account(struct iam_object *o)
{
    snprintf(o->id, sizeof o->id, "%s", o->account);
    return KS_SUCCESS;
}

static ks_rc read_record(struct iam_object *o)
{
    static ks_rc (*const readers[IAM_KINDS])(struct iam_object *) = {
        [IAM_ACCOUNT] = read_account, [IAM_USER] = read_user, [IAM_ROLE] = read_role,
        [IAM_POLICY] = read_policy,   [IAM_KEY] = read_key,
    };

    TRY(json_get_text(o->record, "account", AWS_ACCOUNT_BYTES - 1, &o->account));
    TRY(json_get_int(o->record, "created", 0, INT64_MAX, &o->created_s));
    return readers[o->kind](o);
}

ks_rc iam_object_new(struct iam *iam, enum iam_kind kind, json_t *record, const char *secret,
                     struct iam_object **ret)
{
    struct iam_object *o = NULL;
    void *slot = NULL;

    TRY(mem_new(1, sizeof *o, &o));
    o->kind = kind;
    o->record = json_incref(record);
    ks_rc rc = secret ? secret_pool_get(iam->secrets, &slot) : KS_SUCCESS;
    if (slot) {
        o->secret = slot;
        memcpy(o->secret, secret, IAM_SECRET_LEN);
    }
    if (ks_ok(rc))
        rc = read_record(o);
    if (!ks_ok(rc)) {
        iam_object_free(iam, o);
        return rc;
    }
    *ret = o;
    return KS_SUCCESS;
}
