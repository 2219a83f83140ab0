/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_key.c - from the record of a key to the key, and the state it is in.
 */
#include "localkms/aws_key.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static const char *const state_names[AWS_KEY_STATE_COUNT] = {
    [AWS_KEY_ENABLED] = "Enabled",
    [AWS_KEY_DISABLED] = "Disabled",
    [AWS_KEY_PENDING_DELETION] = "PendingDeletion",
    [AWS_KEY_PENDING_IMPORT] = "PendingImport",
    [AWS_KEY_GONE] = "PendingDeletion",
};

static const char *const material_names[AWS_MATERIAL_STATE_COUNT] = {
    [AWS_CURRENT] = "CURRENT",
    [AWS_NON_CURRENT] = "NON_CURRENT",
    [AWS_PENDING_ROTATION] = "PENDING_ROTATION",
};

const char *aws_key_state_name(enum aws_key_state state)
{
    return state_names[state];
}

const char *aws_material_state_name(enum aws_material_state state)
{
    return material_names[state];
}

static ks_rc find_name(const char *const *names, int count, const char *text, int *ret)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0) {
            *ret = i;
            return KS_SUCCESS;
        }
    return ks_fail(KS_E_FORMAT, "\"%.40s\" is no state of a key", text);
}

/* ---- reading ---- */

static ks_rc copy_text(const json_t *record, const char *name, char *out, size_t room)
{
    const char *text;

    TRY(json_get_text(record, name, room - 1, &text));
    memcpy(out, text, strlen(text) + 1);
    return KS_SUCCESS;
}

static ks_rc read_head(struct aws_key *k)
{
    const char *state, *policy;
    int stored = 0;

    TRY(copy_text(k->record, "id", k->id, sizeof k->id));
    TRY(copy_text(k->record, "account", k->account, sizeof k->account));
    TRY(copy_text(k->record, "region", k->region, sizeof k->region));
    snprintf(k->arn, sizeof k->arn, "arn:aws:kms:%s:%s:key/%s", k->region, k->account, k->id);
    TRY(json_get_text(k->record, "state", 32, &state));
    TRY(find_name(state_names, AWS_KEY_PENDING_IMPORT, state, &stored));
    k->stored_state = (enum aws_key_state)stored;
    TRY(json_may_bool(k->record, "external", &k->is_external));
    TRY(json_may_int(k->record, "deletion", 0, INT64_MAX, &k->deletion_s));
    TRY(json_may_int(k->record, "rotation_next", 0, INT64_MAX, &k->rotation_s));
    TRY(json_get_text(k->record, "policy", POLICY_BYTES_MAX, &policy));
    return policy_parse(view_text(policy), POLICY_KEY, &k->policy);
}

static ks_rc read_one_material(const struct aws_vault *vault, const json_t *from,
                               struct view *material, struct aws_material *ret)
{
    const char *state;
    bool is_present = false;
    void *slot;
    int found = 0;

    TRY(copy_text(from, "id", ret->id, sizeof ret->id));
    TRY(json_get_text(from, "state", 32, &state));
    TRY(find_name(material_names, AWS_MATERIAL_STATE_COUNT, state, &found));
    ret->state = (enum aws_material_state)found;
    TRY(json_may_int(from, "expires", 0, INT64_MAX, &ret->expires_s));
    TRY(json_may_bool(from, "present", &is_present));
    if (!is_present)
        return KS_SUCCESS;
    ENSURE(material->len >= AWS_MATERIAL_BYTES, KS_E_FORMAT, "key material is missing");
    TRY(secret_pool_get(vault->pool, &slot));
    ret->key = slot;
    TRY(xaes_key_init(ret->key, vault->ctx, view_of(material->bytes, AWS_MATERIAL_BYTES)));
    *material = view_of(material->bytes + AWS_MATERIAL_BYTES, material->len - AWS_MATERIAL_BYTES);
    return KS_SUCCESS;
}

static ks_rc read_materials(const struct aws_vault *vault, struct aws_key *k, struct view material)
{
    json_t *list;

    TRY(json_get_array(k->record, "materials", AWS_MATERIALS_MAX, &list));
    size_t count = json_array_size(list);
    TRY(mem_new(count + 1, sizeof *k->materials, &k->materials));
    k->material_count = count;
    for (size_t i = 0; i < count; i++)
        TRY(read_one_material(vault, json_array_get(list, i), &material, &k->materials[i]));
    ENSURE(material.len == 0, KS_E_FORMAT, "there is more key material than the record names");
    return KS_SUCCESS;
}

ks_rc aws_key_make(const struct aws_vault *vault, json_t *record, const struct secret *material,
                   struct aws_key **ret)
{
    CLEANUP(aws_key_freep) struct aws_key *k = NULL;

    ks_rc rc = record ? mem_new(1, sizeof *k, &k) : ks_fail(KS_E_NO_MEMORY, "no memory for a key");
    if (!ks_ok(rc)) {
        json_decref(record);
        return rc;
    }
    k->record = record;
    k->pool = vault->pool;
    TRY(read_head(k));
    TRY(read_materials(vault, k, material ? secret_view(material) : view_of(NULL, 0)));
    *ret = TAKE(k);
    return KS_SUCCESS;
}

void aws_key_free(struct aws_key *k)
{
    while (k) {
        struct aws_key *past = k->past;
        for (size_t i = 0; i < k->material_count; i++)
            if (k->materials[i].key)
                secret_pool_put(k->pool, k->materials[i].key);
        mem_free(k->materials);
        policy_free(k->policy);
        json_decref(k->record);
        mem_free(k);
        k = past;
    }
}

void aws_key_freep(struct aws_key **k)
{
    aws_key_free(*k);
    *k = NULL;
}

ks_rc aws_key_material(const struct aws_key *k, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *all = NULL;
    size_t present = 0;

    for (size_t i = 0; i < k->material_count; i++)
        present += k->materials[i].key != NULL;
    if (present > 0) {
        TRY(secret_new(present * AWS_MATERIAL_BYTES, &all));
        uint8_t *to = secret_bytes(all);
        for (size_t i = 0; i < k->material_count; i++)
            if (k->materials[i].key) {
                memcpy(to, k->materials[i].key->key, AWS_MATERIAL_BYTES);
                to += AWS_MATERIAL_BYTES;
            }
    }
    *ret = TAKE(all);
    return KS_SUCCESS;
}

/* ---- asking ---- */

static bool is_usable(const struct aws_material *m, int64_t now_s)
{
    return m->key && (m->expires_s == 0 || now_s < m->expires_s);
}

/* A material that waits for its rotation is not needed yet. */
static bool is_material_missing(const struct aws_key *k, int64_t now_s)
{
    if (!aws_key_current(k))
        return true;
    for (size_t i = 0; i < k->material_count; i++)
        if (k->materials[i].state != AWS_PENDING_ROTATION && !is_usable(&k->materials[i], now_s))
            return true;
    return false;
}

enum aws_key_state aws_key_state(const struct aws_key *k, int64_t now_s)
{
    if (k->stored_state == AWS_KEY_PENDING_DELETION)
        return now_s >= k->deletion_s ? AWS_KEY_GONE : AWS_KEY_PENDING_DELETION;
    return is_material_missing(k, now_s) ? AWS_KEY_PENDING_IMPORT : k->stored_state;
}

const struct aws_material *aws_key_current(const struct aws_key *k)
{
    for (size_t i = 0; i < k->material_count; i++)
        if (k->materials[i].state == AWS_CURRENT)
            return &k->materials[i];
    return NULL;
}

const struct aws_material *aws_key_find_material(const struct aws_key *k, const char *id)
{
    size_t len = strlen(id);

    for (size_t i = 0; i < k->material_count && len >= 32; i++)
        if (strncmp(k->materials[i].id, id, len) == 0)
            return &k->materials[i];
    return NULL;
}
