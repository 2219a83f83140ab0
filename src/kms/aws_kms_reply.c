/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_kms_reply.c - the replies of AWS KMS, read strictly.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "kms/aws_kms.h"

enum { DEPTH_MAX = 6, STATE_MAX = 64, BASE64_MAX = 2 * KEY_BLOB_MAX };

/* What a reply says wrong is no usage of ours. */
static ks_rc as_bad_reply(ks_rc rc)
{
    if (ks_ok(rc) || (rc.cls != KS_CLASS_USAGE && !ks_is(rc, KS_E_LIMIT)))
        return rc;
    return ks_fail(KS_E_BAD_REPLY, "the reply cannot be understood: %s", ks_text(rc));
}

static ks_rc read_object(struct view body, json_t **ret)
{
    const struct json_limits limits = {AWS_REPLY_BYTES_MAX, DEPTH_MAX};

    return as_bad_reply(json_read(body, limits, "AWS KMS", ret));
}

static ks_rc check_key(const struct aws_key *key, const json_t *object, const char *name,
                       const char **ret_arn)
{
    TRY(as_bad_reply(json_get_text(object, name, KEY_VERSION_BYTES - 1, ret_arn)));
    return aws_key_check_answer(key, *ret_arn);
}

/* The one algorithm of symmetric keys; an RSA key would have encrypted without a context. */
static ks_rc check_algorithm(const json_t *object)
{
    const char *algorithm = "SYMMETRIC_DEFAULT";

    TRY(as_bad_reply(json_may_text(object, "EncryptionAlgorithm", STATE_MAX, &algorithm)));
    ENSURE(strcmp(algorithm, "SYMMETRIC_DEFAULT") == 0, KS_E_BAD_REPLY,
           "the reply is about algorithm %s, which was not asked for", algorithm);
    return KS_SUCCESS;
}

ks_rc aws_kms_read_encrypt(const struct aws_key *key, struct view body, struct buf *ret,
                           char ret_arn[KEY_VERSION_BYTES])
{
    CLEANUP(json_decrefp) json_t *object = NULL;
    const char *arn, *blob;

    TRY(read_object(body, &object));
    TRY(check_key(key, object, "KeyId", &arn));
    TRY(check_algorithm(object));
    TRY(as_bad_reply(json_get_text(object, "CiphertextBlob", BASE64_MAX, &blob)));
    ENSURE(blob[0], KS_E_BAD_REPLY, "the reply holds an empty ciphertext");
    TRY(as_bad_reply(base64_read(view_text(blob), BASE64_STANDARD, ret)));
    snprintf(ret_arn, KEY_VERSION_BYTES, "%s", arn);
    return KS_SUCCESS;
}

ks_rc aws_kms_read_decrypt(const struct aws_key *key, struct view body, struct secret **ret)
{
    CLEANUP(json_decrefp) json_t *object = NULL;
    CLEANUP(secret_freep) struct secret *plain = NULL;
    const char *arn, *text;

    TRY(read_object(body, &object));
    TRY(check_key(key, object, "KeyId", &arn));
    TRY(check_algorithm(object));
    TRY(as_bad_reply(json_get_text(object, "Plaintext", BASE64_MAX, &text)));
    TRY(as_bad_reply(base64_read_secret(view_text(text), BASE64_STANDARD, &plain)));
    ENSURE(secret_view(plain).len <= KEY_PLAIN_MAX, KS_E_BAD_REPLY,
           "the reply holds a plaintext of %zu bytes; none was wrapped that is longer than %d",
           secret_view(plain).len, KEY_PLAIN_MAX);
    *ret = TAKE(plain);
    return KS_SUCCESS;
}

static ks_rc check_kind(const json_t *metadata)
{
    const char *usage = "ENCRYPT_DECRYPT", *spec = NULL;

    TRY(as_bad_reply(json_may_text(metadata, "KeyUsage", STATE_MAX, &usage)));
    TRY(as_bad_reply(json_may_text(metadata, "KeySpec", STATE_MAX, &spec)));
    if (!spec)
        TRY(as_bad_reply(json_may_text(metadata, "CustomerMasterKeySpec", STATE_MAX, &spec)));
    ENSURE(strcmp(usage, "ENCRYPT_DECRYPT") == 0 && (!spec || !strcmp(spec, "SYMMETRIC_DEFAULT")),
           KS_E_USAGE,
           "the key is of kind %s for %s; volumes need a symmetric key for encryption "
           "(SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT)",
           spec ? spec : "unknown", usage);
    return KS_SUCCESS;
}

/* "Key states of AWS KMS keys" in the developer guide. */
static ks_rc check_state(const json_t *metadata)
{
    static const struct {
        const char *name;
        enum ks_code code;
    } states[] = {
        {"Enabled", KS_E_OK},
        {"Creating", KS_E_OK},
        {"Updating", KS_E_OK},
        {"Disabled", KS_E_KEY_DISABLED},
        {"PendingDeletion", KS_E_KEY_PENDING_DELETION},
        {"PendingReplicaDeletion", KS_E_KEY_PENDING_DELETION},
        {"PendingImport", KS_E_DENIED},
        {"Unavailable", KS_E_DENIED},
    };
    const char *state;

    TRY(as_bad_reply(json_get_text(metadata, "KeyState", STATE_MAX, &state)));
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i].name, state) != 0)
            continue;
        return states[i].code == KS_E_OK ? KS_SUCCESS
                                         : ks_fail(states[i].code, "the key is in state %s", state);
    }
    return ks_fail(KS_E_BAD_REPLY, "the key is in a state that is not known: %s", state);
}

ks_rc aws_kms_read_describe(const struct aws_key *key, struct view body,
                            char ret[KEY_VERSION_BYTES])
{
    CLEANUP(json_decrefp) json_t *object = NULL;
    const char *arn, *material = "";
    json_t *metadata;

    TRY(read_object(body, &object));
    TRY(as_bad_reply(json_get_object(object, "KeyMetadata", &metadata)));
    TRY(check_key(key, metadata, "Arn", &arn));
    TRY(check_kind(metadata));
    TRY(check_state(metadata));
    TRY(as_bad_reply(
        json_may_text(metadata, "CurrentKeyMaterialId", KEY_VERSION_BYTES - 1, &material)));
    snprintf(ret, KEY_VERSION_BYTES, "%s", material[0] ? material : arn);
    return KS_SUCCESS;
}
