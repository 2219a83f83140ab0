/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_op_import.c - key material from outside.
 *
 * An import token is a sealed text that holds everything about it, the private key included: this service keeps nothing
 * until the material comes, and a restart in between does no harm.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/codec.h"
#include "base/mem.h"
#include "crypto/rsa.h"
#include "localkms/aws_ops.h"

enum {
    TOKEN_BYTES_MAX = 6144,
    TOKEN_LIFE_S = 86400,
    TOKEN_HEAD_BYTES = 9, /* end of its life 8, algorithm 1; then the private key, DER */
    WRAPPED_BYTES_MAX = 6144,
    EXPIRY_S_MAX = 365 * 86400,
};

static const struct algorithm {
    const char *name;
    enum rsa_hash hash;
    bool has_aes; /* RSA wraps an AES key, which wraps the material */
} algorithms[] = {
    {"RSAES_OAEP_SHA_1", RSA_SHA1, false},
    {"RSAES_OAEP_SHA_256", RSA_SHA256, false},
    {"RSA_AES_KEY_WRAP_SHA_1", RSA_SHA1, true},
    {"RSA_AES_KEY_WRAP_SHA_256", RSA_SHA256, true},
};
enum { ALGORITHM_COUNT = sizeof algorithms / sizeof *algorithms };

static void wipe(struct buf *b)
{
    if (b->bytes)
        mem_wipe(b->bytes, b->len);
    buf_done(b);
}

/* ---- parameters ---- */

static void write_purpose(const char *key_arn, char out[AWS_KEY_ARN_BYTES + 32])
{
    snprintf(out, AWS_KEY_ARN_BYTES + 32, "aws import token %.255s", key_arn);
}

static bool check_origin(struct aws_call *c, const struct aws_key *key)
{
    return key->is_external ||
           aws_fail(c, AWS_UNSUPPORTED,
                    "%s origin is AWS_KMS which is not valid for this operation.", key->arn);
}

/* Only what is needed of the key: making an RSA key takes long, and is done without any lock. */
static bool check_importable(struct aws_call *c)
{
    unsigned states = AWS_IN(ENABLED) | AWS_IN(DISABLED) | AWS_IN(PENDING_IMPORT);
    const struct aws_key *key = NULL;

    realm_read(c->realm);
    bool is_fine = aws_resolve(c, aws_text(c, "KeyId"), &key);
    if (is_fine) {
        snprintf(c->resource, sizeof c->resource, "%s", key->arn);
        is_fine = aws_permit(c, c->op->action, key, NULL) && check_origin(c, key) &&
                  aws_check_state(c, key, states);
    }
    if (is_fine && strcmp(key->account, c->who.account) != 0)
        is_fine = aws_fail(c, AWS_ACCESS_DENIED, "The key belongs to another account.");
    realm_unlock(c->realm);
    return is_fine;
}

static uint8_t find_algorithm(const char *name)
{
    uint8_t i = 0;

    while (i < ALGORITHM_COUNT && strcmp(algorithms[i].name, name) != 0)
        i++;
    return i;
}

static ks_rc make_token(struct aws_call *c, const struct rsa *rsa, int64_t until_s, struct buf *ret)
{
    CLEANUP(secret_freep) struct secret *der = NULL;
    CLEANUP(wipe) struct buf plain = buf_init(TOKEN_BYTES_MAX);
    char purpose[AWS_KEY_ARN_BYTES + 32];
    uint8_t head[TOKEN_HEAD_BYTES];

    put_u64(head, (uint64_t)until_s);
    head[8] = find_algorithm(aws_text(c, "WrappingAlgorithm"));
    write_purpose(c->resource, purpose);
    TRY(rsa_private_der(rsa, &der));
    TRY(buf_append(&plain, view_of(head, sizeof head)));
    TRY(buf_append(&plain, secret_view(der)));
    return lk_store_seal(c->realm->store, view_text(purpose), buf_view(&plain), ret);
}

static json_t *encode(const struct buf *bytes)
{
    CLEANUP(buf_done) struct buf text = buf_init(2 * TOKEN_BYTES_MAX);

    return ks_ok(base64_write(buf_view(bytes), BASE64_STANDARD, &text))
               ? json_string(buf_text(&text))
               : NULL;
}

bool aws_get_parameters_for_import(struct aws_call *c)
{
    CLEANUP(rsa_freep) struct rsa *rsa = NULL;
    CLEANUP(buf_done) struct buf token = buf_init(TOKEN_BYTES_MAX);
    CLEANUP(buf_done) struct buf public_key = buf_init(TOKEN_BYTES_MAX);
    const char *spec = aws_text(c, "WrappingKeySpec");
    unsigned bits = spec[4] == '2' ? 2048 : spec[4] == '3' ? 3072 : 4096;
    int64_t until_s = c->now_s + TOKEN_LIFE_S;

    if (!check_importable(c) || !aws_fail_rc(c, rsa_generate(bits, &rsa)) ||
        !aws_fail_rc(c, make_token(c, rsa, until_s, &token)) ||
        !aws_fail_rc(c, rsa_public_der(rsa, &public_key)))
        return false;
    return aws_reply(c, json_pack("{s:s, s:o, s:o, s:I}", "KeyId", c->resource, "ImportToken",
                                  encode(&token), "PublicKey", encode(&public_key),
                                  "ParametersValidTo", (json_int_t)until_s));
}

/* ---- unwrapping ---- */

static bool open_token(struct aws_call *c, struct secret **ret)
{
    CLEANUP(buf_done) struct buf token = buf_init(TOKEN_BYTES_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;
    char purpose[AWS_KEY_ARN_BYTES + 32];

    write_purpose(c->key->arn, purpose);
    if (!aws_blob(c, "ImportToken", &token))
        return false;
    if (!ks_ok(lk_store_unseal(c->realm->store, view_text(purpose), buf_view(&token), &plain)) ||
        secret_view(plain).len <= TOKEN_HEAD_BYTES ||
        secret_view(plain).bytes[8] >= ALGORITHM_COUNT)
        return aws_fail(c, AWS_INVALID_IMPORT_TOKEN, "%s", "");
    if (c->now_s >= (int64_t)get_u64(secret_view(plain).bytes))
        return aws_fail(c, AWS_EXPIRED_IMPORT_TOKEN, "%s", "");
    *ret = TAKE(plain);
    return true;
}

static ks_rc unwrap(const struct algorithm *how, const struct rsa *rsa, struct view wrapped,
                    struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *aes = NULL;
    size_t head = rsa_bits(rsa) / 8;

    if (!how->has_aes)
        return rsa_oaep_unwrap(rsa, how->hash, wrapped, ret);
    ENSURE(wrapped.len > head, KS_E_AUTH, "the wrapped material is too short");
    TRY(rsa_oaep_unwrap(rsa, how->hash, view_of(wrapped.bytes, head), &aes));
    size_t len = secret_view(aes).len;
    ENSURE(len == 16 || len == 24 || len == 32, KS_E_AUTH,
           "the wrapped AES key has no valid length");
    return kwp_unwrap(secret_view(aes), view_of(wrapped.bytes + head, wrapped.len - head), ret);
}

static bool unwrap_material(struct aws_call *c, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *token = NULL, *material = NULL;
    CLEANUP(rsa_freep) struct rsa *rsa = NULL;
    CLEANUP(buf_done) struct buf wrapped = buf_init(WRAPPED_BYTES_MAX);

    if (!open_token(c, &token) || !aws_blob(c, "EncryptedKeyMaterial", &wrapped))
        return false;
    struct view all = secret_view(token);
    struct view der = view_of(all.bytes + TOKEN_HEAD_BYTES, all.len - TOKEN_HEAD_BYTES);
    if (!aws_fail_rc(c, rsa_from_der(der, &rsa)))
        return false;
    if (!ks_ok(unwrap(&algorithms[all.bytes[8]], rsa, buf_view(&wrapped), &material)) ||
        secret_view(material).len != AWS_MATERIAL_BYTES)
        return aws_fail(c, AWS_INVALID_CIPHERTEXT, "%s", "");
    *ret = TAKE(material);
    return true;
}

/* ---- importing ---- */

static bool read_expiry(struct aws_call *c, int64_t *ret)
{
    const char *model = aws_text(c, "ExpirationModel");
    const json_t *valid_to = aws_member(c, "ValidTo");
    bool expires = !model || strcmp(model, "KEY_MATERIAL_EXPIRES") == 0;

    *ret = 0;
    if (expires != (valid_to != NULL))
        return aws_fail(c, AWS_VALIDATION,
                        expires ? "A validTo date must be set if the ExpirationModel is "
                                  "KEY_MATERIAL_EXPIRES"
                                : "A validTo date must not be set if the ExpirationModel is "
                                  "KEY_MATERIAL_DOES_NOT_EXPIRE");
    if (!expires)
        return true;
    double when = json_number_value(valid_to);
    if (!(when > (double)c->now_s && when <= (double)(c->now_s + EXPIRY_S_MAX)))
        return aws_fail(c, AWS_VALIDATION, "ValidTo must be in the future, by at most 365 days.");
    *ret = (int64_t)when;
    return true;
}

static json_t *find_in(json_t *list, const char *member, const char *text)
{
    size_t i;
    json_t *one;

    json_array_foreach(list, i, one)
    {
        const char *own = json_string_value(json_object_get(one, member));
        if (own && strcmp(own, text) == 0)
            return one;
    }
    return NULL;
}

static bool is_new(struct aws_call *c, const json_t *list)
{
    const char *type = aws_text(c, "ImportType");

    return json_array_size(list) == 0 || (type && strcmp(type, "NEW_KEY_MATERIAL") == 0);
}

/* Puts the material's entry into the record; *ret_entry is it. */
static bool place(struct aws_call *c, json_t *record, json_t *fresh, json_t **ret_entry)
{
    json_t *list = json_object_get(record, "materials");
    const char *id = json_string_value(json_object_get(fresh, "id"));
    json_t *known = find_in(list, "id", id);
    bool is_first = json_array_size(list) == 0;

    if (aws_text(c, "KeyMaterialId") && strcmp(aws_text(c, "KeyMaterialId"), id) != 0)
        known = NULL;
    if (!known && !is_new(c, list))
        return aws_fail(c, AWS_INCORRECT_MATERIAL, "%s",
                        "The key material in the request is not the one that was imported before.");
    if (known) {
        *ret_entry = known;
        return true;
    }
    if (find_in(list, "state", aws_material_state_name(AWS_PENDING_ROTATION)))
        return aws_fail(c, AWS_INVALID_STATE, "%s has key material pending rotation already.",
                        c->key->arn);
    if (!is_first)
        json_object_set_new(fresh, "state",
                            json_string(aws_material_state_name(AWS_PENDING_ROTATION)));
    *ret_entry = fresh;
    return (json_array_size(list) < AWS_MATERIALS_MAX && json_array_append(list, fresh) == 0) ||
           aws_fail(c, AWS_LIMIT_EXCEEDED, "A key can have %d materials.", AWS_MATERIALS_MAX);
}

/* All material of the edited record in its order: what the key has, and the one that has just come. */
static ks_rc collect(const struct aws_key *key, const json_t *list, const char *fresh_id,
                     const struct secret *fresh, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *all = NULL;
    size_t present = 0, i;
    const json_t *one;

    json_array_foreach(list, i, one) present += json_is_true(json_object_get(one, "present"));
    if (present == 0)
        return KS_SUCCESS;
    TRY(secret_new(present * AWS_MATERIAL_BYTES, &all));
    uint8_t *to = secret_bytes(all);
    json_array_foreach(list, i, one)
    {
        if (!json_is_true(json_object_get(one, "present")))
            continue;
        const char *id = json_string_value(json_object_get(one, "id"));
        const struct aws_material *old = aws_key_find_material(key, id);
        bool is_fresh = fresh_id && strcmp(id, fresh_id) == 0;
        ENSURE(is_fresh || (old && old->key), KS_E_BUG, "key material is missing");
        memcpy(to, is_fresh ? secret_view(fresh).bytes : old->key->key, AWS_MATERIAL_BYTES);
        to += AWS_MATERIAL_BYTES;
    }
    *ret = TAKE(all);
    return KS_SUCCESS;
}

static void describe(struct aws_call *c, json_t *record, json_t *entry, int64_t expires_s)
{
    bool was_waiting = aws_key_state(c->key, c->now_s) == AWS_KEY_PENDING_IMPORT;

    json_object_set_new(entry, "present", json_true());
    json_object_del(entry, "expires");
    if (expires_s)
        json_object_set_new(entry, "expires", json_integer((json_int_t)expires_s));
    if (aws_text(c, "KeyMaterialDescription"))
        json_object_set_new(entry, "description",
                            json_string(aws_text(c, "KeyMaterialDescription")));
    if (was_waiting)
        json_object_set_new(record, "state", json_string(aws_key_state_name(AWS_KEY_ENABLED)));
}

bool aws_import_key_material(struct aws_call *c)
{
    CLEANUP(secret_freep) struct secret *material = NULL, *all = NULL;
    CLEANUP(json_decrefp) json_t *record = NULL, *fresh = NULL;
    json_t *entry = NULL;
    int64_t expires_s;

    if (!check_origin(c, c->key) || !read_expiry(c, &expires_s) || !unwrap_material(c, &material) ||
        !aws_fail_rc(c, aws_material_new(c->key->id, secret_view(material), c->now_s, &fresh)))
        return false;
    record = aws_edit(c);
    if (!record || !place(c, record, fresh, &entry))
        return false;
    const char *id = json_string_value(json_object_get(entry, "id"));
    describe(c, record, entry, expires_s);
    if (!aws_fail_rc(c, collect(c->key, json_object_get(record, "materials"), id, material, &all)))
        return false;
    return aws_reply(c, json_pack("{s:s, s:s}", "KeyId", c->key->arn, "KeyMaterialId", id)) &&
           aws_publish_material(c, TAKE(record), all);
}

/* ---- deleting ---- */

/* The entry stays, so that the same material can come again; one that waits for its rotation goes. */
static bool take_out(struct aws_call *c, json_t *record, char id[AWS_MATERIAL_ID_BYTES])
{
    json_t *list = json_object_get(record, "materials");
    const char *wanted = aws_text(c, "KeyMaterialId");
    const struct aws_material *current = aws_key_current(c->key);
    size_t i;
    json_t *one;

    if (!wanted && !current) /* there is nothing: as AWS, that is fine */
        return true;
    json_t *entry = find_in(list, "id", wanted ? wanted : current->id);
    if (!entry)
        return aws_fail(c, AWS_NOT_FOUND, "The key has no key material %.64s", wanted);
    snprintf(id, AWS_MATERIAL_ID_BYTES, "%s", json_string_value(json_object_get(entry, "id")));
    json_object_set_new(entry, "present", json_false());
    json_object_del(entry, "expires");
    const char *state = json_string_value(json_object_get(entry, "state"));
    if (strcmp(state, aws_material_state_name(AWS_PENDING_ROTATION)) != 0)
        return true;
    json_array_foreach(list, i, one) if (one == entry)
    {
        json_array_remove(list, i);
        break;
    }
    return true;
}

bool aws_delete_imported_key_material(struct aws_call *c)
{
    CLEANUP(json_decrefp) json_t *record = NULL;
    CLEANUP(secret_freep) struct secret *rest = NULL;
    char id[AWS_MATERIAL_ID_BYTES] = "";

    if (!check_origin(c, c->key))
        return false;
    record = aws_edit(c);
    if (!record || !take_out(c, record, id) ||
        !aws_fail_rc(c, collect(c->key, json_object_get(record, "materials"), NULL, NULL, &rest)))
        return false;
    return aws_reply(c, json_pack("{s:s, s:s}", "KeyId", c->key->arn, "KeyMaterialId", id)) &&
           aws_publish_material(c, TAKE(record), rest);
}
