/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_op_key.c - making keys, showing them, and moving them between their states.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/keywrap.h"
#include "localkms/aws_ops.h"

enum { LIMIT_PRESET = 100, DAY_S = 86400, DAYS_PRESET = 30 };

/* ---- edited copies ---- */

json_t *aws_edit(struct aws_call *c)
{
    json_t *record = json_deep_copy(c->key->record);

    if (!record)
        (void)aws_fail(c, AWS_INTERNAL_FAULT, "no memory for a key"); /* NULL says it */
    return record;
}

static bool publish(struct aws_call *c, json_t *record, const struct secret *material,
                    bool is_destroying)
{
    struct lk_event event = aws_event(c);

    c->key = NULL;
    return aws_fail_rc(c, aws_keys_put(c->realm, record, material, is_destroying, &event));
}

bool aws_publish(struct aws_call *c, json_t *record)
{
    CLEANUP(secret_freep) struct secret *material = NULL;

    if (!aws_fail_rc(c, aws_key_material(c->key, &material))) {
        json_decref(record);
        return false;
    }
    return publish(c, record, material, false);
}

bool aws_publish_material(struct aws_call *c, json_t *record, const struct secret *material)
{
    return publish(c, record, material, true);
}

/* ---- material ---- */

ks_rc aws_material_new(const char *key_id, struct view material, int64_t now_s, json_t **ret)
{
    CLEANUP(buf_done) struct buf id = buf_init(AWS_MATERIAL_ID_BYTES);
    uint8_t commitment[KEYWRAP_COMMIT_BYTES];

    TRY(keywrap_commit(material, view_text(key_id), commitment));
    TRY(hex_write(view_of(commitment, sizeof commitment), &id));
    json_t *record =
        json_pack("{s:s, s:s, s:b, s:I}", "id", buf_text(&id), "state",
                  aws_material_state_name(AWS_CURRENT), "present", 1, "date", (json_int_t)now_s);
    ENSURE(record, KS_E_NO_MEMORY, "no memory for a key");
    *ret = record;
    return KS_SUCCESS;
}

static ks_rc join(const struct secret *first, const struct secret *second, struct secret **ret)
{
    struct view a = first ? secret_view(first) : view_of(NULL, 0), b = secret_view(second);
    CLEANUP(secret_freep) struct secret *all = NULL;

    TRY(secret_new(a.len + b.len, &all));
    if (a.len)
        memcpy(secret_bytes(all), a.bytes, a.len);
    memcpy(secret_bytes(all) + a.len, b.bytes, b.len);
    *ret = TAKE(all);
    return KS_SUCCESS;
}

ks_rc aws_material_rotate(json_t *record, const struct secret *present, const struct secret *fresh,
                          const char *how, int64_t now_s, struct secret **ret)
{
    json_t *list = json_object_get(record, "materials"), *one;
    const char *id = json_string_value(json_object_get(record, "id"));
    size_t i;

    ENSURE(json_array_size(list) < AWS_MATERIALS_MAX, KS_E_LIMIT, "the key has %d materials",
           AWS_MATERIALS_MAX);
    TRY(join(present, fresh, ret));
    json_array_foreach(list, i, one)
        json_object_set_new(one, "state", json_string(aws_material_state_name(AWS_NON_CURRENT)));
    TRY(aws_material_new(id, secret_view(fresh), now_s, &one));
    json_object_set_new(one, "type", json_string(how));
    ENSURE(json_array_append_new(list, one) == 0, KS_E_NO_MEMORY, "no memory for a key");
    return KS_SUCCESS;
}

/* ---- showing ---- */

/* Names that are in the record as they are shown; those it lacks are left out. */
static void show_expiry(const struct aws_key *key, json_t *to)
{
    const struct aws_material *current = aws_key_current(key);

    if (!key->is_external || !current || !current->key)
        return;
    json_object_set_new(
        to, "ExpirationModel",
        json_string(current->expires_s ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE"));
    if (current->expires_s)
        json_object_set_new(to, "ValidTo", json_integer((json_int_t)current->expires_s));
}

static void show_multi_region(const struct aws_key *key, json_t *to)
{
    bool is_multi_region = strncmp(key->id, "mrk-", 4) == 0;

    json_object_set_new(to, "MultiRegion", json_boolean(is_multi_region));
    if (is_multi_region)
        json_object_set_new(to, "MultiRegionConfiguration",
                            json_pack("{s:s, s:{s:s, s:s}, s:[]}", "MultiRegionKeyType", "PRIMARY",
                                      "PrimaryKey", "Arn", key->arn, "Region", key->region,
                                      "ReplicaKeys"));
}

static json_t *metadata(const struct aws_key *key, int64_t now_s)
{
    enum aws_key_state state = aws_key_state(key, now_s);
    const struct aws_material *current = aws_key_current(key);
    json_t *to = json_pack(
        "{s:s, s:s, s:s, s:O, s:b, s:O, s:s, s:s, s:s, s:s, s:s, s:s, s:[s]}", "AWSAccountId",
        key->account, "KeyId", key->id, "Arn", key->arn, "CreationDate",
        json_object_get(key->record, "created"), "Enabled", state == AWS_KEY_ENABLED, "Description",
        json_object_get(key->record, "description"), "KeyUsage", "ENCRYPT_DECRYPT", "KeyState",
        aws_key_state_name(state), "Origin", key->is_external ? "EXTERNAL" : "AWS_KMS",
        "KeyManager", "CUSTOMER", "CustomerMasterKeySpec", "SYMMETRIC_DEFAULT", "KeySpec",
        "SYMMETRIC_DEFAULT", "EncryptionAlgorithms", "SYMMETRIC_DEFAULT");

    if (!to)
        return NULL;
    if (state == AWS_KEY_PENDING_DELETION)
        json_object_set_new(to, "DeletionDate", json_integer((json_int_t)key->deletion_s));
    if (current)
        json_object_set_new(to, "CurrentKeyMaterialId", json_string(current->id));
    show_expiry(key, to);
    show_multi_region(key, to);
    return to;
}

bool aws_describe_key(struct aws_call *c)
{
    return aws_reply(c, json_pack("{s:o}", "KeyMetadata", metadata(c->key, c->now_s)));
}

bool aws_page_reply(struct aws_call *c, const char *name, struct aws_page *page)
{
    json_t *reply = json_pack("{s:o, s:b}", name, page->list, "Truncated", page->next != NULL);

    if (page->next && json_object_set_new(reply, "NextMarker", json_string(page->next)) != 0) {
        json_decref(reply);
        reply = NULL;
    }
    return aws_reply(c, reply);
}

bool aws_list_keys(struct aws_call *c)
{
    const char *marker = aws_text(c, "Marker");
    struct aws_page page = {json_array(), (size_t)aws_integer(c, "Limit", LIMIT_PRESET), NULL};
    const struct aws_key *key;

    if (!aws_permit_account(c, c->op->action, "*")) {
        json_decref(page.list);
        return false;
    }
    size_t place = aws_keys_from(c->realm->aws_keys, marker ? marker : "");
    for (; !page.next && (key = aws_keys_at(c->realm->aws_keys, place)); place++) {
        if (strcmp(key->account, c->who.account) != 0 || strcmp(key->region, c->who.region) != 0 ||
            aws_key_state(key, c->now_s) == AWS_KEY_GONE)
            continue;
        if (json_array_size(page.list) == page.limit)
            page.next = key->id;
        else
            json_array_append_new(page.list,
                                  json_pack("{s:s, s:s}", "KeyId", key->id, "KeyArn", key->arn));
    }
    return aws_page_reply(c, "Keys", &page);
}

/* ---- making ---- */

static bool make_id(struct aws_call *c, char out[AWS_KEY_NAME_BYTES])
{
    char id[REALM_ID_BYTES];
    size_t len = 0;

    if (!aws_fail_rc(c, realm_make_id(c->realm, id)))
        return false;
    if (!aws_boolean(c, "MultiRegion")) {
        snprintf(out, AWS_KEY_NAME_BYTES, "%s", id);
        return true;
    }
    memcpy(out, "mrk-", 5);
    len = 4;
    for (const char *at = id; *at; at++)
        if (*at != '-')
            out[len++] = *at;
    out[len] = 0;
    return true;
}

static bool preset_policy(struct aws_call *c, char **ret)
{
    return aws_fail_rc(
        c, mem_format(ret,
                      "{\"Version\":\"2012-10-17\",\"Id\":\"key-default-1\",\"Statement\":[{"
                      "\"Sid\":\"Enable IAM User Permissions\",\"Effect\":\"Allow\","
                      "\"Principal\":{\"AWS\":\"arn:aws:iam::%s:root\"},\"Action\":\"kms:*\","
                      "\"Resource\":\"*\"}]}",
                      c->who.account));
}

static json_t *new_record(struct aws_call *c, const char *id, const char *policy)
{
    const char *description = aws_text(c, "Description"), *origin = aws_text(c, "Origin");

    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:b, s:s, s:s, s:{}, s:[], s:[]}", "id", id,
                     "account", c->who.account, "region", c->who.region, "created",
                     (json_int_t)c->now_s, "description", description ? description : "",
                     "external", origin && strcmp(origin, "EXTERNAL") == 0, "state",
                     aws_key_state_name(AWS_KEY_ENABLED), "policy", policy, "tags", "materials",
                     "grants");
}

/* The first material of a key that is not imported. */
static bool add_material(struct aws_call *c, json_t *record, struct secret **ret)
{
    const char *id = json_string_value(json_object_get(record, "id"));
    json_t *material = NULL;

    if (json_is_true(json_object_get(record, "external")))
        return true;
    return aws_fail_rc(c, secret_new(AWS_MATERIAL_BYTES, ret)) &&
           aws_fail_rc(c, random_fill(c->realm->random, secret_bytes(*ret), AWS_MATERIAL_BYTES)) &&
           aws_fail_rc(c, aws_material_new(id, secret_view(*ret), c->now_s, &material)) &&
           (json_array_append_new(json_object_get(record, "materials"), material) == 0 ||
            aws_fail(c, AWS_INTERNAL_FAULT, "no memory for a key"));
}

static bool check_spec(struct aws_call *c)
{
    static const struct {
        const char *param, *only;
    } fixed[] = {{"KeySpec", "SYMMETRIC_DEFAULT"},
                 {"CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"},
                 {"KeyUsage", "ENCRYPT_DECRYPT"}};

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        const char *given = aws_text(c, fixed[i].param);
        if (given && strcmp(given, fixed[i].only) != 0)
            return aws_fail(c, AWS_UNSUPPORTED, "%s %.40s is not supported here.", fixed[i].param,
                            given);
    }
    return true;
}

static bool store_new(struct aws_call *c, json_t *record, const struct secret *material)
{
    struct lk_event event = aws_event(c);

    return aws_fail_rc(c, aws_keys_put(c->realm, record, material, false, &event));
}

bool aws_create_key(struct aws_call *c)
{
    CLEANUP(secret_freep) struct secret *material = NULL;
    CLEANUP(mem_freep) char *own_policy = NULL;
    CLEANUP(json_decrefp) json_t *record = NULL;
    char id[AWS_KEY_NAME_BYTES];
    const char *policy = aws_text(c, "Policy");

    if (!check_spec(c) || !aws_permit_account(c, c->op->action, "*") || !make_id(c, id) ||
        (!policy && !preset_policy(c, &own_policy)))
        return false;
    snprintf(c->resource, sizeof c->resource, "arn:aws:kms:%s:%s:key/%s", c->who.region,
             c->who.account, id);
    if (policy && !aws_policy_accept(c, policy, c->resource))
        return false;
    record = new_record(c, id, policy ? policy : own_policy);
    if (!record)
        return aws_fail(c, AWS_INTERNAL_FAULT, "no memory for a key");
    if (!aws_tags_read(c, aws_member(c, "Tags"), json_object_get(record, "tags")) ||
        !add_material(c, record, &material) || !store_new(c, TAKE(record), material))
        return false;
    const struct aws_key *key = aws_keys_find(c->realm->aws_keys, id);
    return aws_reply(c, json_pack("{s:o}", "KeyMetadata", metadata(key, c->now_s)));
}

/* ---- states: which may be left with which operation is in the table of operations ---- */

static bool move_to(struct aws_call *c, enum aws_key_state state, int64_t deletion_s)
{
    json_t *record = aws_edit(c);

    if (!record)
        return false;
    json_object_set_new(record, "state", json_string(aws_key_state_name(state)));
    json_object_set_new(record, "deletion", json_integer((json_int_t)deletion_s));
    return aws_publish(c, record);
}

bool aws_enable_key(struct aws_call *c)
{
    return move_to(c, AWS_KEY_ENABLED, 0);
}

bool aws_disable_key(struct aws_call *c)
{
    return move_to(c, AWS_KEY_DISABLED, 0);
}

bool aws_schedule_key_deletion(struct aws_call *c)
{
    int64_t days = aws_integer(c, "PendingWindowInDays", DAYS_PRESET);
    int64_t deletion_s = c->now_s + days * DAY_S;

    return aws_reply(c, json_pack("{s:s, s:I, s:s, s:I}", "KeyId", c->key->arn, "DeletionDate",
                                  (json_int_t)deletion_s, "KeyState",
                                  aws_key_state_name(AWS_KEY_PENDING_DELETION),
                                  "PendingWindowInDays", (json_int_t)days)) &&
           move_to(c, AWS_KEY_PENDING_DELETION, deletion_s);
}

bool aws_cancel_key_deletion(struct aws_call *c)
{
    return aws_reply(c, json_pack("{s:s}", "KeyId", c->key->arn)) &&
           move_to(c, AWS_KEY_DISABLED, 0);
}

bool aws_update_key_description(struct aws_call *c)
{
    json_t *record = aws_edit(c);

    if (!record)
        return false;
    json_object_set_new(record, "description", json_string(aws_text(c, "Description")));
    return aws_publish(c, record);
}
