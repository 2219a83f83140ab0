/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_ops.c - the one table of the operations of AWS KMS.
 *
 * The states follow "Key states of AWS KMS keys" (AWS KMS developer guide), the parameters and their bounds the API
 * reference.
 */
#include "localkms/aws_ops.h"

#include <stdlib.h>
#include <string.h>

enum { YES = 1, NO = 0 };

#define ENABLED_ONLY AWS_IN(ENABLED)
#define EXISTING (AWS_IN(ENABLED) | AWS_IN(DISABLED) | AWS_IN(PENDING_IMPORT))
#define WITH_MATERIAL (AWS_IN(ENABLED) | AWS_IN(DISABLED))

/* Parameters that many have. */
#define KEY_ID                                                                                     \
    {                                                                                              \
        "KeyId", AWS_TEXT, 1, 2048, YES, NULL                                                      \
    }
#define MAY_KEY_ID                                                                                 \
    {                                                                                              \
        "KeyId", AWS_TEXT, 1, 2048, NO, NULL                                                       \
    }
#define CONTEXT                                                                                    \
    {                                                                                              \
        "EncryptionContext", AWS_MAP, 0, 256, NO, NULL                                             \
    }
#define GRANT_TOKENS                                                                               \
    {                                                                                              \
        "GrantTokens", AWS_LIST, 0, 10, NO, NULL                                                   \
    }
#define ALGORITHM(name)                                                                            \
    {                                                                                              \
        name, AWS_TEXT, 1, 64, NO, "SYMMETRIC_DEFAULT|RSAES_OAEP_SHA_1|RSAES_OAEP_SHA_256|SM2PKE"  \
    }
#define DRY_RUN                                                                                    \
    {                                                                                              \
        "DryRun", AWS_BOOLEAN, 0, 0, NO, NULL                                                      \
    }
#define RECIPIENT                                                                                  \
    {                                                                                              \
        "Recipient", AWS_MAP, 0, 8, NO, NULL                                                       \
    }
#define LIMIT(max)                                                                                 \
    {                                                                                              \
        "Limit", AWS_INTEGER, 1, max, NO, NULL                                                     \
    }
#define MARKER                                                                                     \
    {                                                                                              \
        "Marker", AWS_TEXT, 1, 1024, NO, NULL                                                      \
    }
#define TAGS(is_required)                                                                          \
    {                                                                                              \
        "Tags", AWS_LIST, 0, 50, is_required, NULL                                                 \
    }
#define POLICY(is_required)                                                                        \
    {                                                                                              \
        "Policy", AWS_TEXT, 1, POLICY_BYTES_MAX, is_required, NULL                                 \
    }
#define POLICY_NAME                                                                                \
    {                                                                                              \
        "PolicyName", AWS_TEXT, 1, 128, NO, NULL                                                   \
    }
#define BYPASS                                                                                     \
    {                                                                                              \
        "BypassPolicyLockoutSafetyCheck", AWS_BOOLEAN, 0, 0, NO, NULL                              \
    }
#define ALIAS_NAME                                                                                 \
    {                                                                                              \
        "AliasName", AWS_TEXT, 1, 256, YES, NULL                                                   \
    }
#define TARGET                                                                                     \
    {                                                                                              \
        "TargetKeyId", AWS_TEXT, 1, 2048, YES, NULL                                                \
    }
#define PRINCIPAL(name, is_required)                                                               \
    {                                                                                              \
        name, AWS_TEXT, 1, 256, is_required, NULL                                                  \
    }
#define GRANT_ID(is_required)                                                                      \
    {                                                                                              \
        "GrantId", AWS_TEXT, 1, 128, is_required, NULL                                             \
    }
#define MATERIAL_ID                                                                                \
    {                                                                                              \
        "KeyMaterialId", AWS_TEXT, 64, 64, NO, NULL                                                \
    }
#define DATA_KEY                                                                                   \
    {"KeySpec", AWS_TEXT, 1, 16, NO, "AES_256|AES_128"},                                           \
    {                                                                                              \
        "NumberOfBytes", AWS_INTEGER, 1, 1024, NO, NULL                                            \
    }

/* In order of name. clang-format would put each member on its own line. */
/* clang-format off */
static const struct aws_op ops[] = {
    {"CancelKeyDeletion", "kms:CancelKeyDeletion", aws_cancel_key_deletion, AWS_TURN,
     AWS_IN(PENDING_DELETION), "KeyId", NO, NO, NULL, {KEY_ID}},
    {"CreateAlias", "kms:CreateAlias", aws_create_alias, AWS_TURN, 0, NULL, NO, NO, NULL,
     {ALIAS_NAME, TARGET}},
    {"CreateGrant", "kms:CreateGrant", aws_create_grant, AWS_TURN,
     AWS_IN(ENABLED) | AWS_IN(PENDING_IMPORT), "KeyId", YES, YES, NULL,
     {KEY_ID, PRINCIPAL("GranteePrincipal", YES), PRINCIPAL("RetiringPrincipal", NO),
      {"Operations", AWS_LIST, 1, 32, YES, NULL}, {"Constraints", AWS_MAP, 0, 8, NO, NULL},
      GRANT_TOKENS, {"Name", AWS_TEXT, 1, 256, NO, NULL}, DRY_RUN}},
    {"CreateKey", "kms:CreateKey", aws_create_key, AWS_TURN, 0, NULL, NO, NO, NULL,
     {POLICY(NO), {"Description", AWS_TEXT, 0, 8192, NO, NULL},
      {"KeyUsage", AWS_TEXT, 1, 64, NO, "SIGN_VERIFY|ENCRYPT_DECRYPT|GENERATE_VERIFY_MAC|KEY_AGREEMENT"},
      {"CustomerMasterKeySpec", AWS_TEXT, 1, 64, NO, NULL}, {"KeySpec", AWS_TEXT, 1, 64, NO, NULL},
      {"Origin", AWS_TEXT, 1, 64, NO, "AWS_KMS|EXTERNAL"}, BYPASS, TAGS(NO),
      {"MultiRegion", AWS_BOOLEAN, 0, 0, NO, NULL}}},
    {"Decrypt", "kms:Decrypt", aws_decrypt, AWS_READ, 0, NULL, YES, YES, "EncryptionContext",
     {{"CiphertextBlob", AWS_BLOB, 1, 6144, YES, NULL}, MAY_KEY_ID, CONTEXT, GRANT_TOKENS,
      ALGORITHM("EncryptionAlgorithm"), RECIPIENT, DRY_RUN}},
    {"DeleteAlias", "kms:DeleteAlias", aws_delete_alias, AWS_TURN, 0, NULL, NO, NO, NULL,
     {ALIAS_NAME}},
    {"DeleteImportedKeyMaterial", "kms:DeleteImportedKeyMaterial", aws_delete_imported_key_material,
     AWS_TURN, EXISTING, "KeyId", NO, NO, NULL, {KEY_ID, MATERIAL_ID}},
    {"DescribeKey", "kms:DescribeKey", aws_describe_key, AWS_READ, AWS_IN_ANY, "KeyId", YES, YES, NULL,
     {KEY_ID, GRANT_TOKENS}},
    {"DisableKey", "kms:DisableKey", aws_disable_key, AWS_TURN, WITH_MATERIAL, "KeyId", NO, NO, NULL,
     {KEY_ID}},
    {"DisableKeyRotation", "kms:DisableKeyRotation", aws_disable_key_rotation, AWS_TURN, ENABLED_ONLY,
     "KeyId", NO, NO, NULL, {KEY_ID}},
    {"EnableKey", "kms:EnableKey", aws_enable_key, AWS_TURN, WITH_MATERIAL, "KeyId", NO, NO, NULL,
     {KEY_ID}},
    {"EnableKeyRotation", "kms:EnableKeyRotation", aws_enable_key_rotation, AWS_TURN, ENABLED_ONLY,
     "KeyId", NO, NO, NULL, {KEY_ID, {"RotationPeriodInDays", AWS_INTEGER, 90, 2560, NO, NULL}}},
    {"Encrypt", "kms:Encrypt", aws_encrypt, AWS_READ, ENABLED_ONLY, "KeyId", YES, YES,
     "EncryptionContext",
     {KEY_ID, {"Plaintext", AWS_BLOB, 1, 4096, YES, NULL}, CONTEXT, GRANT_TOKENS,
      ALGORITHM("EncryptionAlgorithm"), DRY_RUN}},
    {"GenerateDataKey", "kms:GenerateDataKey", aws_generate_data_key, AWS_READ, ENABLED_ONLY, "KeyId",
     YES, YES, "EncryptionContext", {KEY_ID, CONTEXT, DATA_KEY, GRANT_TOKENS, RECIPIENT, DRY_RUN}},
    {"GenerateDataKeyWithoutPlaintext", "kms:GenerateDataKeyWithoutPlaintext",
     aws_generate_data_key_without_plaintext, AWS_READ, ENABLED_ONLY, "KeyId", YES, YES,
     "EncryptionContext", {KEY_ID, CONTEXT, DATA_KEY, GRANT_TOKENS, DRY_RUN}},
    {"GenerateRandom", "kms:GenerateRandom", aws_generate_random, AWS_READ, 0, NULL, NO, NO, NULL,
     {{"NumberOfBytes", AWS_INTEGER, 1, 1024, NO, NULL}, RECIPIENT}},
    {"GetKeyPolicy", "kms:GetKeyPolicy", aws_get_key_policy, AWS_READ, AWS_IN_ANY, "KeyId", NO, NO,
     NULL, {KEY_ID, POLICY_NAME}},
    {"GetKeyRotationStatus", "kms:GetKeyRotationStatus", aws_get_key_rotation_status, AWS_READ,
     AWS_IN_ANY, "KeyId", YES, NO, NULL, {KEY_ID}},
    {"GetParametersForImport", "kms:GetParametersForImport", aws_get_parameters_for_import, AWS_FREE, 0,
     NULL, NO, NO, NULL,
     {KEY_ID,
      {"WrappingAlgorithm", AWS_TEXT, 1, 64, YES,
       "RSAES_OAEP_SHA_256|RSAES_OAEP_SHA_1|RSA_AES_KEY_WRAP_SHA_256|RSA_AES_KEY_WRAP_SHA_1"},
      {"WrappingKeySpec", AWS_TEXT, 1, 64, YES, "RSA_2048|RSA_3072|RSA_4096"}}},
    {"ImportKeyMaterial", "kms:ImportKeyMaterial", aws_import_key_material, AWS_TURN, EXISTING, "KeyId",
     NO, NO, NULL,
     {KEY_ID, {"ImportToken", AWS_BLOB, 1, 6144, YES, NULL},
      {"EncryptedKeyMaterial", AWS_BLOB, 1, 6144, YES, NULL}, {"ValidTo", AWS_TIME, 0, 0, NO, NULL},
      {"ExpirationModel", AWS_TEXT, 1, 64, NO, "KEY_MATERIAL_EXPIRES|KEY_MATERIAL_DOES_NOT_EXPIRE"},
      {"ImportType", AWS_TEXT, 1, 64, NO, "NEW_KEY_MATERIAL|EXISTING_KEY_MATERIAL"},
      {"KeyMaterialDescription", AWS_TEXT, 0, 256, NO, NULL}, MATERIAL_ID}},
    {"ListAliases", "kms:ListAliases", aws_list_aliases, AWS_READ, 0, NULL, NO, NO, NULL,
     {MAY_KEY_ID, LIMIT(100), MARKER}},
    {"ListGrants", "kms:ListGrants", aws_list_grants, AWS_READ, AWS_IN_ANY, "KeyId", YES, NO, NULL,
     {KEY_ID, LIMIT(100), MARKER, GRANT_ID(NO), PRINCIPAL("GranteePrincipal", NO)}},
    {"ListKeyPolicies", "kms:ListKeyPolicies", aws_list_key_policies, AWS_READ, AWS_IN_ANY, "KeyId", NO,
     NO, NULL, {KEY_ID, LIMIT(1000), MARKER}},
    {"ListKeyRotations", "kms:ListKeyRotations", aws_list_key_rotations, AWS_READ, AWS_IN_ANY, "KeyId",
     NO, NO, NULL,
     {KEY_ID, {"IncludeKeyMaterial", AWS_TEXT, 1, 64, NO, "ALL_KEY_MATERIAL|ROTATIONS_ONLY"},
      LIMIT(1000), MARKER}},
    {"ListKeys", "kms:ListKeys", aws_list_keys, AWS_READ, 0, NULL, NO, NO, NULL, {LIMIT(1000), MARKER}},
    {"ListResourceTags", "kms:ListResourceTags", aws_list_resource_tags, AWS_READ, AWS_IN_ANY, "KeyId",
     NO, NO, NULL, {KEY_ID, LIMIT(50), MARKER}},
    {"ListRetirableGrants", "kms:ListRetirableGrants", aws_list_retirable_grants, AWS_READ, 0, NULL, NO,
     NO, NULL, {LIMIT(100), MARKER, PRINCIPAL("RetiringPrincipal", YES)}},
    {"PutKeyPolicy", "kms:PutKeyPolicy", aws_put_key_policy, AWS_TURN, AWS_IN_ANY, "KeyId", NO, NO, NULL,
     {KEY_ID, POLICY_NAME, POLICY(YES), BYPASS}},
    {"ReEncrypt", "kms:ReEncryptFrom", aws_re_encrypt, AWS_READ, 0, NULL, YES, YES,
     "SourceEncryptionContext",
     {{"CiphertextBlob", AWS_BLOB, 1, 6144, YES, NULL}, {"SourceKeyId", AWS_TEXT, 1, 2048, NO, NULL},
      {"SourceEncryptionContext", AWS_MAP, 0, 256, NO, NULL},
      {"DestinationKeyId", AWS_TEXT, 1, 2048, YES, NULL},
      {"DestinationEncryptionContext", AWS_MAP, 0, 256, NO, NULL},
      ALGORITHM("SourceEncryptionAlgorithm"), ALGORITHM("DestinationEncryptionAlgorithm"), GRANT_TOKENS,
      DRY_RUN}},
    {"RetireGrant", "kms:RetireGrant", aws_retire_grant, AWS_TURN, 0, NULL, YES, NO, NULL,
     {{"GrantToken", AWS_TEXT, 1, 8192, NO, NULL}, MAY_KEY_ID, GRANT_ID(NO), DRY_RUN}},
    {"RevokeGrant", "kms:RevokeGrant", aws_revoke_grant, AWS_TURN, AWS_IN_ANY, "KeyId", YES, NO, NULL,
     {KEY_ID, GRANT_ID(YES), DRY_RUN}},
    {"RotateKeyOnDemand", "kms:RotateKeyOnDemand", aws_rotate_key_on_demand, AWS_TURN, ENABLED_ONLY,
     "KeyId", NO, NO, NULL, {KEY_ID}},
    {"ScheduleKeyDeletion", "kms:ScheduleKeyDeletion", aws_schedule_key_deletion, AWS_TURN, EXISTING,
     "KeyId", NO, NO, NULL, {KEY_ID, {"PendingWindowInDays", AWS_INTEGER, 7, 30, NO, NULL}}},
    {"TagResource", "kms:TagResource", aws_tag_resource, AWS_TURN, EXISTING, "KeyId", NO, NO, NULL,
     {KEY_ID, TAGS(YES)}},
    {"UntagResource", "kms:UntagResource", aws_untag_resource, AWS_TURN, EXISTING, "KeyId", NO, NO, NULL,
     {KEY_ID, {"TagKeys", AWS_LIST, 0, 50, YES, NULL}}},
    {"UpdateAlias", "kms:UpdateAlias", aws_update_alias, AWS_TURN, 0, NULL, NO, NO, NULL,
     {ALIAS_NAME, TARGET}},
    {"UpdateKeyDescription", "kms:UpdateKeyDescription", aws_update_key_description, AWS_TURN, EXISTING,
     "KeyId", NO, NO, NULL, {KEY_ID, {"Description", AWS_TEXT, 0, 8192, YES, NULL}}},
};
/* clang-format on */

static int compare(const void *name, const void *op)
{
    return strcmp(name, ((const struct aws_op *)op)->name);
}

const struct aws_op *aws_op_find(const char *name)
{
    return bsearch(name, ops, sizeof ops / sizeof *ops, sizeof *ops, compare);
}
