/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_routes.c - what can be asked of Google's services here: the one table.
 */
#include <string.h>

#include "localkms/gcp_call.h"

#define CRC(name) name "|" name "Crc32c"

static const struct goog_route routes[] = {
    /* key rings */
    {"POST", GOOG_KEY_RING, true, "", "cloudkms.keyRings.create", GOOG_TURN, goog_op_ring_create,
     "name", NULL},
    {"GET", GOOG_KEY_RING, true, "", "cloudkms.keyRings.list", GOOG_READ, goog_op_list, NULL, NULL},
    {"GET", GOOG_KEY_RING, false, "", "cloudkms.keyRings.get", GOOG_READ, goog_op_get, NULL, NULL},
    /* keys */
    {"POST", GOOG_CRYPTO_KEY, true, "", "cloudkms.cryptoKeys.create", GOOG_TURN, goog_op_key_create,
     "name|purpose|versionTemplate|labels|importOnly|destroyScheduledDuration|rotationPeriod|"
     "nextRotationTime",
     NULL},
    {"GET", GOOG_CRYPTO_KEY, true, "", "cloudkms.cryptoKeys.list", GOOG_READ, goog_op_list, NULL,
     NULL},
    {"GET", GOOG_CRYPTO_KEY, false, "", "cloudkms.cryptoKeys.get", GOOG_READ, goog_op_get, NULL,
     NULL},
    {"PATCH", GOOG_CRYPTO_KEY, false, "", "cloudkms.cryptoKeys.update", GOOG_TURN,
     goog_op_key_patch,
     "name|purpose|versionTemplate|labels|importOnly|destroyScheduledDuration|rotationPeriod|"
     "nextRotationTime|primary|createTime",
     NULL},
    {"POST", GOOG_CRYPTO_KEY, false, "updatePrimaryVersion", "cloudkms.cryptoKeys.update",
     GOOG_TURN, goog_op_key_primary, "name|cryptoKeyVersionId", NULL},
    {"POST", GOOG_CRYPTO_KEY, false, "encrypt", "cloudkms.cryptoKeyVersions.useToEncrypt",
     GOOG_READ, goog_op_encrypt, "name|" CRC("plaintext") "|" CRC("additionalAuthenticatedData"),
     NULL},
    {"POST", GOOG_VERSION, false, "encrypt", "cloudkms.cryptoKeyVersions.useToEncrypt", GOOG_READ,
     goog_op_encrypt, "name|" CRC("plaintext") "|" CRC("additionalAuthenticatedData"), NULL},
    {"POST", GOOG_CRYPTO_KEY, false, "decrypt", "cloudkms.cryptoKeyVersions.useToDecrypt",
     GOOG_READ, goog_op_decrypt, "name|" CRC("ciphertext") "|" CRC("additionalAuthenticatedData"),
     NULL},
    /* versions */
    {"POST", GOOG_VERSION, true, "", "cloudkms.cryptoKeyVersions.create", GOOG_TURN,
     goog_op_version_create, "name|state", NULL},
    {"GET", GOOG_VERSION, true, "", "cloudkms.cryptoKeyVersions.list", GOOG_READ, goog_op_list,
     NULL, NULL},
    {"GET", GOOG_VERSION, false, "", "cloudkms.cryptoKeyVersions.get", GOOG_READ, goog_op_get, NULL,
     NULL},
    {"PATCH", GOOG_VERSION, false, "", "cloudkms.cryptoKeyVersions.update", GOOG_TURN,
     goog_op_version_patch, "name|state", NULL},
    {"POST", GOOG_VERSION, false, "destroy", "cloudkms.cryptoKeyVersions.destroy", GOOG_TURN,
     goog_op_version_destroy, "name", NULL},
    {"POST", GOOG_VERSION, false, "restore", "cloudkms.cryptoKeyVersions.restore", GOOG_TURN,
     goog_op_version_restore, "name", NULL},
    {"POST", GOOG_VERSION, true, "import", "cloudkms.cryptoKeyVersions.create", GOOG_TURN,
     goog_op_import, "parent|cryptoKeyVersion|algorithm|importJob|wrappedKey|rsaAesWrappedKey",
     NULL},
    /* import jobs */
    {"POST", GOOG_IMPORT_JOB, true, "", "cloudkms.importJobs.create", GOOG_TURN, goog_op_job_create,
     "name|importMethod|protectionLevel", goog_prepare_job},
    {"GET", GOOG_IMPORT_JOB, true, "", "cloudkms.importJobs.list", GOOG_READ, goog_op_list, NULL,
     NULL},
    {"GET", GOOG_IMPORT_JOB, false, "", "cloudkms.importJobs.get", GOOG_READ, goog_op_get, NULL,
     NULL},
    /* policies */
    {"GET", GOOG_KEY_RING, false, "getIamPolicy", "cloudkms.keyRings.getIamPolicy", GOOG_READ,
     goog_op_policy_get, NULL, NULL},
    {"GET", GOOG_CRYPTO_KEY, false, "getIamPolicy", "cloudkms.cryptoKeys.getIamPolicy", GOOG_READ,
     goog_op_policy_get, NULL, NULL},
    {"GET", GOOG_IMPORT_JOB, false, "getIamPolicy", "cloudkms.importJobs.getIamPolicy", GOOG_READ,
     goog_op_policy_get, NULL, NULL},
    {"POST", GOOG_PROJECT, false, "getIamPolicy", "resourcemanager.projects.getIamPolicy",
     GOOG_READ, goog_op_policy_get, "options|resource", NULL},
    {"POST", GOOG_ACCOUNT, false, "getIamPolicy", "iam.serviceAccounts.getIamPolicy", GOOG_READ,
     goog_op_policy_get, "options|resource", NULL},
    {"POST", GOOG_KEY_RING, false, "setIamPolicy", "cloudkms.keyRings.setIamPolicy", GOOG_TURN,
     goog_op_policy_set, "policy|updateMask|resource", NULL},
    {"POST", GOOG_CRYPTO_KEY, false, "setIamPolicy", "cloudkms.cryptoKeys.setIamPolicy", GOOG_TURN,
     goog_op_policy_set, "policy|updateMask|resource", NULL},
    {"POST", GOOG_IMPORT_JOB, false, "setIamPolicy", "cloudkms.importJobs.setIamPolicy", GOOG_TURN,
     goog_op_policy_set, "policy|updateMask|resource", NULL},
    {"POST", GOOG_PROJECT, false, "setIamPolicy", "resourcemanager.projects.setIamPolicy",
     GOOG_TURN, goog_op_policy_set, "policy|updateMask|resource", NULL},
    {"POST", GOOG_ACCOUNT, false, "setIamPolicy", "iam.serviceAccounts.setIamPolicy", GOOG_TURN,
     goog_op_policy_set, "policy|updateMask|resource", NULL},
    {"POST", GOOG_KEY_RING, false, "testIamPermissions", NULL, GOOG_READ, goog_op_policy_test,
     "permissions|resource", NULL},
    {"POST", GOOG_CRYPTO_KEY, false, "testIamPermissions", NULL, GOOG_READ, goog_op_policy_test,
     "permissions|resource", NULL},
    {"POST", GOOG_IMPORT_JOB, false, "testIamPermissions", NULL, GOOG_READ, goog_op_policy_test,
     "permissions|resource", NULL},
    {"POST", GOOG_PROJECT, false, "testIamPermissions", NULL, GOOG_READ, goog_op_policy_test,
     "permissions|resource", NULL},
    {"POST", GOOG_ACCOUNT, false, "testIamPermissions", NULL, GOOG_READ, goog_op_policy_test,
     "permissions|resource", NULL},
    /* service accounts */
    {"POST", GOOG_ACCOUNT, true, "", "iam.serviceAccounts.create", GOOG_TURN,
     goog_op_account_create, "accountId|serviceAccount|name", NULL},
    {"GET", GOOG_ACCOUNT, true, "", "iam.serviceAccounts.list", GOOG_READ, goog_op_list, NULL,
     NULL},
    {"GET", GOOG_ACCOUNT, false, "", "iam.serviceAccounts.get", GOOG_READ, goog_op_get, NULL, NULL},
    {"POST", GOOG_ACCOUNT, false, "disable", "iam.serviceAccounts.disable", GOOG_TURN,
     goog_op_account_switch, "name", NULL},
    {"POST", GOOG_ACCOUNT, false, "enable", "iam.serviceAccounts.enable", GOOG_TURN,
     goog_op_account_switch, "name", NULL},
    {"DELETE", GOOG_ACCOUNT, false, "", "iam.serviceAccounts.delete", GOOG_TURN,
     goog_op_account_delete, NULL, NULL},
    /* who may is a matter of its hops, too */
    {"POST", GOOG_ACCOUNT, false, "generateAccessToken", NULL, GOOG_READ, goog_op_generate_token,
     "name|delegates|scope|lifetime", NULL},
    {"POST", GOOG_ACCOUNT_KEY, true, "", "iam.serviceAccountKeys.create", GOOG_TURN,
     goog_op_account_key_create, "name|privateKeyType|keyAlgorithm", goog_prepare_account_key},
    {"GET", GOOG_ACCOUNT_KEY, true, "", "iam.serviceAccountKeys.list", GOOG_READ, goog_op_list,
     NULL, NULL},
    {"GET", GOOG_ACCOUNT_KEY, false, "", "iam.serviceAccountKeys.get", GOOG_READ, goog_op_get, NULL,
     NULL},
    {"DELETE", GOOG_ACCOUNT_KEY, false, "", "iam.serviceAccountKeys.delete", GOOG_TURN,
     goog_op_account_delete, NULL, NULL},
};

const struct goog_route *goog_route_find(const char *method, const struct goog_name *name)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct goog_route *r = &routes[i];
        if (r->kind == name->kind && r->is_collection == name->is_collection &&
            strcmp(r->verb, name->verb) == 0 && strcmp(r->method, method) == 0)
            return r;
    }
    return NULL;
}
