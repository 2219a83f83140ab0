/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: which key specs are taken, for each key service, and what is said of those that are not; and that no spec makes a node read or
 * send what is not the customer's.
 */
#include "control/cmek_spec.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

#define ORGANISATION "0a000000-0000-4000-8000-000000000001"
#define ROLE "arn:aws:iam::111122223333:role/keys"
#define ARN "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define GCP "projects/p-1/locations/global/keyRings/r/cryptoKeys/k"
#define ACCOUNT "keys@p-1.iam.gserviceaccount.com"
#define VAULT "https://orders.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef"
#define TENANT "0A000000-0000-4000-8000-00000000000f"
#define TRANSIT "https://vault.example.com:8200/v1/transit/keys/orders"

struct row {
    const char *provider, *type, *uri, *principal;
    const char *fault; /* part of it; NULL: it is taken */
};

static const struct row rows[] = {
    {"AWS", "AWS_KMS", ARN, ROLE, NULL},
    {"", "AWS_KMS", ARN, "", "needs an auth_principal"},
    {"", "GCP_CLOUD_KMS", GCP, "", "needs an auth_principal"},
    {"", "AZURE_KEY_VAULT", VAULT, "", "needs an auth_principal"},
    {"", "AWS_KMS", ARN, ROLE, NULL},
    {"AWS", "AWS_KMS", ARN, "", "needs an auth_principal"},
    {"AWS", "AWS_KMS",
     "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", ROLE, NULL},
    {"AWS", "AWS_KMS",
     "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab", ROLE, NULL},
    {"AWS", "AWS_KMS", "arn:aws:kms:us-west-2:111122223333:alias/orders", ROLE, "is an alias"},
    {"AWS", "AWS_KMS", ROLE, ROLE, "is an IAM role"},
    {"AWS", "AWS_KMS", "arn:aws:iam::111122223333:user/me", ROLE, "is an IAM user"},
    {"AWS", "AWS_KMS", "arn:aws:s3:::bucket", ROLE, "is a bucket"},
    {"AWS", "AWS_KMS", "arn:aws:iam::111122223333:root", ROLE, "is an account"},
    {"AWS", "AWS_KMS", "1234abcd-12ab-34cd-56ef-1234567890ab", ROLE, "is no ARN of a key"},
    {"AWS", "AWS_KMS", "", ROLE, "is no ARN of a key"},
    {"AWS", "AWS_KMS", ARN, "arn:aws:iam::111122223333:user/me", "is no role"},
    {"AWS", "AWS_KMS", ARN " x", ROLE, "blanks"},
    {"AWS", "GCP_CLOUD_KMS", GCP, ACCOUNT, "a cluster at AWS takes no key of type GCP_CLOUD_KMS"},
    {"GCP", "GCP_CLOUD_KMS", GCP, ACCOUNT, NULL},
    {"GCP", "GCP_CLOUD_KMS", GCP, "a@b.com," ACCOUNT, NULL},
    {"GCP", "GCP_CLOUD_KMS", GCP "/cryptoKeyVersions/1", ACCOUNT, "names a version"},
    {"GCP", "GCP_CLOUD_KMS", GCP "/", ACCOUNT, "is no key"},
    {"GCP", "GCP_CLOUD_KMS", "projects/p/locations/l/keyRings//cryptoKeys/k", ACCOUNT, "is no key"},
    {"GCP", "GCP_CLOUD_KMS", "projects/p/locations/l/keyRings/r", ACCOUNT, "is no key"},
    {"GCP", "GCP_CLOUD_KMS", GCP, "nobody", "is no service account"},
    {"GCP", "GCP_CLOUD_KMS", GCP, "@b.com", "is no service account"},
    {"AZURE", "AZURE_KEY_VAULT", VAULT, TENANT, NULL},
    {"AZURE", "AZURE_KEY_VAULT", "https://orders.managedhsm.azure.net/keys/k", TENANT, NULL},
    {"AZURE", "AZURE_KEY_VAULT", "https://evil.example.com/keys/k/1", TENANT, "is no key"},
    {"AZURE", "AZURE_KEY_VAULT", "https://evil.example.com?.vault.azure.net/keys/k", TENANT,
     "is no key"},
    {"AZURE", "AZURE_KEY_VAULT", "https://evil.example.com:443?x=.vault.azure.net/keys/k", TENANT,
     "is no key"},
    {"AZURE", "AZURE_KEY_VAULT", "https://vault.azure.net/keys/k", TENANT, "is no key"},
    {"AZURE", "AZURE_KEY_VAULT", "https://orders.vault.azure.net/secrets/k", TENANT, "is no key"},
    {"AZURE", "AZURE_KEY_VAULT", VAULT, "contoso", "is no tenant id"},
    {"AZURE", "AZURE_KEY_VAULT", VAULT, TENANT ";secret=/etc/shadow", "may not name a secret"},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "credential:" ORGANISATION ".vault", NULL},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "approle:r@credential:" ORGANISATION, NULL},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "", "has to name a credential"},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "/etc/shadow", "has to name a credential"},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "credential:other", "has to name a credential"},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "approle:r@credential:" ORGANISATION ";mount=a/b", NULL},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "kubernetes:r@credential:" ORGANISATION, NULL},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "approle:credential:" ORGANISATION "@/etc/shadow",
     "has to name a credential"},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "approle:credential:" ORGANISATION "@credential:other",
     "has to name a credential"},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "kubernetes:credential:" ORGANISATION,
     "has to name a credential"},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "kubernetes:r;mount=@credential:" ORGANISATION,
     "has to name a credential"},
    {"AWS", "VAULT_TRANSIT", TRANSIT, "/srv/credential:" ORGANISATION, "has to name a credential"},
    {"AWS", "VAULT_TRANSIT", "http://vault/v1/transit/keys/orders", "credential:" ORGANISATION,
     "is no key"},
    {"AWS", "VAULT_TRANSIT", "https://vault/v1/transit/keys/", "credential:" ORGANISATION,
     "is no key"},
    {"", "PKCS11", "pkcs11:token=x;module-path=/tmp/evil.so", "", "is no type of key here"},
    {"", "FILE", "/srv/kms#orders", "", "is no type of key here"},
    {"", "NULL_KMS", "null:one", "", "is no type of key here"},
    {"", "aws_kms", ARN, ROLE, "is no type of key here"},
};

static struct key_spec spec_of(const char *type, const char *uri, const char *principal)
{
    struct key_spec s = {0};

    snprintf(s.type, sizeof s.type, "%s", type);
    snprintf(s.uri, sizeof s.uri, "%s", uri);
    snprintf(s.auth_principal, sizeof s.auth_principal, "%s", principal);
    return s;
}

static void specs__of_each_service__are_taken_or_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct spec_rules rules = {rows[i].provider, "us-west-2", ORGANISATION, false, false};
        struct key_spec spec = spec_of(rows[i].type, rows[i].uri, rows[i].principal);
        struct faults f = {0};
        spec_check(&rules, &spec, &f);
        if (rows[i].fault ? !strstr(f.text, rows[i].fault) : f.count > 0)
            fail_msg("row %zu (%s %s): \"%s\"", i, rows[i].type, rows[i].uri, f.text);
    }
}

static void specs__in_development__may_be_of_this_host(void **state)
{
    static const char *const specs[][3] = {
        {"FILE", "/srv/kms#orders", "/srv/key"},
        {"NULL_KMS", "null:one", ""},
        {"VAULT_TRANSIT", "http://127.0.0.1:8200/v1/transit/keys/orders", "/tmp/token"},
        {"AZURE_KEY_VAULT", "https://localhost:8443/keys/k", TENANT ";secret=/tmp/secret"},
    };
    struct spec_rules rules = {"", "east", ORGANISATION, true, false};

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct key_spec spec = spec_of(specs[i][0], specs[i][1], specs[i][2]);
        struct faults f = {0};
        spec_check(&rules, &spec, &f);
        if (f.count)
            fail_msg("%s: %s", specs[i][0], f.text);
    }
}

static void specs__without_a_principal_where_the_operator_allows_it__are_taken(void **state)
{
    struct spec_rules rules = {"", "us-west-2", ORGANISATION, false, true};
    struct key_spec spec = spec_of("AWS_KMS", ARN, "");
    struct faults f = {0};

    (void)state;
    spec_check(&rules, &spec, &f);
    assert_int_equal(f.count, 0);
    rules.provider = "AWS";
    spec_check(&rules, &spec, &f);
    assert_non_null(strstr(f.text, "needs an auth_principal"));
}

static void lists_of_specs__too_long_or_double__are_told(void **state)
{
    static struct key_spec keys[REGION_KEYS_MAX];
    struct spec_rules rules = {"", "us-west-2", ORGANISATION, false, false};
    struct faults f = {0};

    (void)state;
    for (size_t i = 0; i < REGION_KEYS_MAX; i++)
        keys[i] = spec_of("AWS_KMS", ARN, ROLE);
    specs_check(&rules, keys, 2, &f);
    assert_non_null(strstr(f.text, "the same key twice"));
    f = (struct faults){0};
    specs_check(&rules, keys, 0, &f);
    assert_non_null(strstr(f.text, "1 to 4 keys"));
    f = (struct faults){0};
    specs_check(&rules, keys, REGION_KEYS_MAX + 1, &f);
    assert_int_equal(f.count, 1);
    assert_true(spec_is_equal(&keys[0], &keys[1]));
    keys[1].auth_principal[0] = 0;
    assert_false(spec_is_equal(&keys[0], &keys[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs__of_each_service__are_taken_or_told),
        cmocka_unit_test(specs__in_development__may_be_of_this_host),
        cmocka_unit_test(specs__without_a_principal_where_the_operator_allows_it__are_taken),
        cmocka_unit_test(lists_of_specs__too_long_or_double__are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
