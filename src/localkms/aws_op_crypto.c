/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_op_crypto.c - using keys: Encrypt, Decrypt, ReEncrypt, GenerateDataKey, GenerateRandom.
 *
 * Plain texts live in buffers that are wiped; nothing of them is in errors or in the audit.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "localkms/aws_blob.h"
#include "localkms/aws_ops.h"

enum { PLAIN_BYTES_MAX = 4096, BLOB_BYTES_MAX = 6144, RANDOM_BYTES_MAX = 1024 };
static const char ALGORITHM[] = "SYMMETRIC_DEFAULT";

/* Bytes as a JSON string of base64; NULL without memory. */
static json_t *encode(struct view bytes)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(2 * BLOB_BYTES_MAX);

    if (!ks_ok(base64_write(bytes, BASE64_STANDARD, &text)))
        return NULL;
    return json_stringn_nocheck(buf_text(&text), text.len);
}

/* What every use has to get through beyond permission and state. */
static bool check_use(struct aws_call *c)
{
    static const char *const algorithms[] = {"EncryptionAlgorithm", "SourceEncryptionAlgorithm",
                                             "DestinationEncryptionAlgorithm"};

    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        const char *given = aws_text(c, algorithms[i]);
        if (given && strcmp(given, ALGORITHM) != 0)
            return aws_fail(c, AWS_INVALID_KEY_USAGE,
                            "The algorithm %.40s is incompatible with key spec SYMMETRIC_DEFAULT.",
                            given);
    }
    if (aws_member(c, "Recipient"))
        return aws_fail(c, AWS_UNSUPPORTED, "Recipient is not supported.");
    if (aws_boolean(c, "DryRun"))
        return aws_fail(c, AWS_DRY_RUN,
                        "The request would have succeeded, but the DryRun option is set.");
    return true;
}

static bool seal(struct aws_call *c, const struct aws_key *key, const json_t *context,
                 struct view plain, struct buf *ret)
{
    ks_rc rc = aws_blob_seal(key, context, plain, c->realm->random, ret);

    if (rc.cls == KS_CLASS_LIMIT && !ks_is(rc, KS_E_NO_MEMORY))
        return aws_fail(c, AWS_VALIDATION, "%s", ks_text(rc));
    return aws_fail_rc(c, rc);
}

bool aws_encrypt(struct aws_call *c)
{
    CLEANUP(buf_done) struct buf plain = buf_init_wiping(PLAIN_BYTES_MAX);
    CLEANUP(buf_done) struct buf blob = buf_init(BLOB_BYTES_MAX);

    if (!check_use(c) || !aws_blob(c, "Plaintext", &plain) ||
        !seal(c, c->key, aws_member(c, "EncryptionContext"), buf_view(&plain), &blob))
        return false;
    return aws_reply(c, json_pack("{s:o, s:s, s:s}", "CiphertextBlob", encode(buf_view(&blob)),
                                  "KeyId", c->key->arn, "EncryptionAlgorithm", ALGORITHM));
}

/* ---- opening ---- */

/* A ciphertext that is to be opened, and how. */
struct opening {
    const char *key_param, *action; /* of the key that must have sealed it */
    const json_t *context;
    struct buf blob, plain;
    const struct aws_key *key;
    const struct aws_material *material;
};

static void opening_done(struct opening *o)
{
    buf_done(&o->blob);
    buf_done(&o->plain);
}

static bool is_same(const struct aws_key *key, const char *id)
{
    return strcmp(key->id, id) == 0;
}

/* Without a key in the request, the ciphertext says which one. Who may not use it learns nothing about it. */
static bool find_by_blob(struct aws_call *c, const char *id, const struct aws_key **ret)
{
    const struct aws_key *key = aws_keys_find(c->realm->aws_keys, id);

    if (!key || strcmp(key->region, c->who.region) != 0 ||
        aws_key_state(key, c->now_s) == AWS_KEY_GONE)
        return aws_fail(c, AWS_ACCESS_DENIED,
                        "The ciphertext refers to a customer master key that does not exist, does "
                        "not exist in this region, or you are not allowed to access.");
    *ret = aws_seen(c, key);
    return true;
}

static bool find_opening_key(struct aws_call *c, struct opening *o, const char *id)
{
    const char *named = aws_text(c, o->key_param);

    if (named ? !aws_resolve(c, named, &o->key) : !find_by_blob(c, id, &o->key))
        return false;
    snprintf(c->resource, sizeof c->resource, "%s", o->key->arn);
    return aws_permit(c, o->action, o->key, o->context) &&
           aws_check_state(c, o->key, AWS_IN(ENABLED));
}

static bool open_blob(struct aws_call *c, struct opening *o)
{
    char id[AWS_KEY_NAME_BYTES] = "", material_id[AWS_MATERIAL_ID_BYTES] = "";

    o->blob = buf_init(BLOB_BYTES_MAX);
    o->plain = buf_init_wiping(BLOB_BYTES_MAX);
    if (!aws_blob(c, "CiphertextBlob", &o->blob))
        return false;
    bool is_ours = ks_ok(aws_blob_names(buf_view(&o->blob), id, material_id));
    if (!is_ours && !aws_text(c, o->key_param))
        return aws_fail(c, AWS_INVALID_CIPHERTEXT, "%s", "");
    if (!find_opening_key(c, o, id))
        return false;
    if (!is_ours)
        return aws_fail(c, AWS_INVALID_CIPHERTEXT, "%s", "");
    if (!is_same(o->key, id))
        return aws_fail(c, AWS_INCORRECT_KEY,
                        "The key ID in the request does not identify a CMK that can perform this "
                        "operation.");
    o->material = aws_key_find_material(o->key, material_id);
    if (!o->material || !o->material->key ||
        !ks_ok(aws_blob_open(o->material, o->context, buf_view(&o->blob), &o->plain)))
        return aws_fail(c, AWS_INVALID_CIPHERTEXT, "%s", "");
    return true;
}

bool aws_decrypt(struct aws_call *c)
{
    CLEANUP(opening_done)
    struct opening o = {.key_param = "KeyId",
                        .action = "kms:Decrypt",
                        .context = aws_member(c, "EncryptionContext")};

    if (!open_blob(c, &o) || !check_use(c))
        return false;
    return aws_reply(c, json_pack("{s:s, s:o, s:s, s:s}", "KeyId", o.key->arn, "Plaintext",
                                  encode(buf_view(&o.plain)), "EncryptionAlgorithm", ALGORITHM,
                                  "KeyMaterialId", o.material->id));
}

bool aws_re_encrypt(struct aws_call *c)
{
    CLEANUP(opening_done)
    struct opening o = {.key_param = "SourceKeyId",
                        .action = "kms:ReEncryptFrom",
                        .context = aws_member(c, "SourceEncryptionContext")};
    CLEANUP(buf_done) struct buf blob = buf_init(BLOB_BYTES_MAX);
    const json_t *to_context = aws_member(c, "DestinationEncryptionContext");
    const struct aws_key *to = NULL;

    if (!open_blob(c, &o) || !aws_resolve(c, aws_text(c, "DestinationKeyId"), &to) ||
        !aws_permit(c, "kms:ReEncryptTo", to, to_context) ||
        !aws_check_state(c, to, AWS_IN(ENABLED)) || !check_use(c) ||
        !seal(c, to, to_context, buf_view(&o.plain), &blob))
        return false;
    return aws_reply(c, json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:s}", "CiphertextBlob",
                                  encode(buf_view(&blob)), "SourceKeyId", o.key->arn, "KeyId",
                                  to->arn, "SourceEncryptionAlgorithm", ALGORITHM,
                                  "DestinationEncryptionAlgorithm", ALGORITHM,
                                  "SourceKeyMaterialId", o.material->id, "DestinationKeyMaterialId",
                                  aws_key_current(to)->id));
}

/* ---- new keys ---- */

static bool data_key_bytes(struct aws_call *c, size_t *ret)
{
    const char *spec = aws_text(c, "KeySpec");
    int64_t bytes = aws_integer(c, "NumberOfBytes", 0);

    if ((spec != NULL) == (bytes != 0))
        return aws_fail(c, AWS_VALIDATION, "Please specify either number of bytes or key spec.");
    if (spec)
        bytes = strcmp(spec, "AES_256") == 0 ? 32 : 16;
    *ret = (size_t)bytes;
    return true;
}

static bool generate(struct aws_call *c, bool is_shown)
{
    CLEANUP(buf_done) struct buf plain = buf_init_wiping(RANDOM_BYTES_MAX);
    CLEANUP(buf_done) struct buf blob = buf_init(BLOB_BYTES_MAX);
    size_t bytes = 0; /* aws_fail always refuses, which the analyzer does not see */
    uint8_t *tail;

    if (!data_key_bytes(c, &bytes) || !check_use(c) ||
        !aws_fail_rc(c, buf_extend(&plain, bytes, &tail)) ||
        !aws_fail_rc(c, random_fill(c->realm->random, tail, bytes)) ||
        !seal(c, c->key, aws_member(c, "EncryptionContext"), buf_view(&plain), &blob))
        return false;
    json_t *reply = json_pack("{s:o, s:s, s:s}", "CiphertextBlob", encode(buf_view(&blob)), "KeyId",
                              c->key->arn, "KeyMaterialId", aws_key_current(c->key)->id);
    if (is_shown && json_object_set_new(reply, "Plaintext", encode(buf_view(&plain))) != 0) {
        json_decref(reply);
        reply = NULL;
    }
    return aws_reply(c, reply);
}

bool aws_generate_data_key(struct aws_call *c)
{
    return generate(c, true);
}

bool aws_generate_data_key_without_plaintext(struct aws_call *c)
{
    return generate(c, false);
}

bool aws_generate_random(struct aws_call *c)
{
    uint8_t bytes[RANDOM_BYTES_MAX];
    size_t len = (size_t)aws_integer(c, "NumberOfBytes", 0);

    if (len == 0)
        return aws_fail(c, AWS_VALIDATION,
                        "1 validation error detected: Value null at 'numberOfBytes' failed to "
                        "satisfy constraint: Member must not be null");
    if (aws_member(c, "Recipient"))
        return aws_fail(c, AWS_UNSUPPORTED, "Recipient is not supported.");
    if (!aws_permit_account(c, c->op->action, "*") ||
        !aws_fail_rc(c, random_fill(c->realm->random, bytes, len)))
        return false;
    bool is_done = aws_reply(c, json_pack("{s:o}", "Plaintext", encode(view_of(bytes, len))));
    mem_wipe(bytes, sizeof bytes);
    return is_done;
}
