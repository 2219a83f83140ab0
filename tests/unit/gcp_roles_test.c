/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a policy of Google's IAM allows what its roles hold, to its members, and nothing more; what is not
 * understood cannot be set.
 */
#include "localkms/gcp_roles.h"

#include <jansson.h>

#include "check.h"

#define ENCRYPT "cloudkms.cryptoKeyVersions.useToEncrypt"
#define DECRYPT "cloudkms.cryptoKeyVersions.useToDecrypt"
#define TOKEN "iam.serviceAccounts.getAccessToken"

static bool allows(const char *role, const char *member, const char *permission)
{
    json_t *policy = json_pack("{s:[{s:s,s:[s,s]}]}", "bindings", "role", role, "members",
                               "serviceAccount:other@p.iam.gserviceaccount.com", member);
    bool is_allowed =
        goog_policy_allows(policy, "serviceAccount:me@p.iam.gserviceaccount.com", permission);

    assert_non_null(policy);
    json_decref(policy);
    return is_allowed;
}

static const struct {
    const char *role, *permission;
    bool is_allowed;
} table[] = {
    {"roles/owner", DECRYPT, true},
    {"roles/owner", "cloudkms.cryptoKeys.setIamPolicy", true},
    {"roles/owner", TOKEN, false},
    {"roles/viewer", "cloudkms.cryptoKeys.get", true},
    {"roles/viewer", ENCRYPT, false},
    {"roles/cloudkms.admin", "cloudkms.cryptoKeyVersions.destroy", true},
    {"roles/cloudkms.admin", "cloudkms.importJobs.useToImport", true},
    {"roles/cloudkms.admin", ENCRYPT, false},
    {"roles/cloudkms.admin", DECRYPT, false},
    {"roles/cloudkms.admin", "iam.serviceAccounts.create", false},
    {"roles/cloudkms.cryptoKeyEncrypterDecrypter", ENCRYPT, true},
    {"roles/cloudkms.cryptoKeyEncrypterDecrypter", DECRYPT, true},
    {"roles/cloudkms.cryptoKeyEncrypterDecrypter", "cloudkms.cryptoKeys.get", false},
    {"roles/cloudkms.cryptoKeyEncrypter", ENCRYPT, true},
    {"roles/cloudkms.cryptoKeyEncrypter", DECRYPT, false},
    {"roles/cloudkms.cryptoKeyDecrypter", DECRYPT, true},
    {"roles/cloudkms.cryptoKeyDecrypter", ENCRYPT, false},
    {"roles/cloudkms.viewer", "cloudkms.cryptoKeyVersions.list", true},
    {"roles/cloudkms.viewer", "cloudkms.cryptoKeys.update", false},
    {"roles/iam.serviceAccountTokenCreator", TOKEN, true},
    {"roles/iam.serviceAccountUser", TOKEN, false},
    {"roles/iam.serviceAccountAdmin", TOKEN, false},
    {"roles/iam.serviceAccountAdmin", "iam.serviceAccounts.create", true},
    {"roles/nosuch", ENCRYPT, false},
};

static void allows__each_role__its_permissions_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (allows(table[i].role, "serviceAccount:me@p.iam.gserviceaccount.com",
                   table[i].permission) != table[i].is_allowed)
            fail_msg("%s %s", table[i].role, table[i].permission);
}

static void allows__members__the_right_ones(void **state)
{
    static const char role[] = "roles/cloudkms.cryptoKeyDecrypter";

    (void)state;
    assert_true(allows(role, "allUsers", DECRYPT));
    assert_true(allows(role, "allAuthenticatedUsers", DECRYPT));
    assert_true(allows(role, "serviceAccount:ME@p.iam.gserviceaccount.com", DECRYPT));
    assert_false(allows(role, "user:me@p.iam.gserviceaccount.com", DECRYPT));
    assert_false(allows(role, "serviceAccount:me@p.iam.gserviceaccount.co", DECRYPT));
    assert_false(goog_policy_allows(NULL, "serviceAccount:me@p", DECRYPT));
}

static void check__what_is_not_understood__refused(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"bindings\":{}}",
        "{\"bindings\":[7]}",
        "{\"bindings\":[{}]}",
        "{\"bindings\":[{\"role\":\"roles/none\"}]}",
        "{\"bindings\":[{\"role\":7}]}",
        "{\"bindings\":[{\"role\":\"roles/owner\",\"members\":\"x\"}]}",
        "{\"bindings\":[{\"role\":\"roles/owner\",\"members\":[7]}]}",
        "{\"bindings\":[{\"role\":\"roles/owner\",\"members\":[\"x\"]}]}",
        "{\"bindings\":[{\"role\":\"roles/owner\",\"members\":[\"user:\"]}]}",
        "{\"bindings\":[{\"role\":\"roles/owner\",\"condition\":{}}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *policy = json_loads(bad[i], 0, NULL);
        char problem[GOOG_TEXT_BYTES] = "";
        assert_non_null(policy);
        if (goog_policy_check(policy, problem))
            fail_msg("%s is taken", bad[i]);
        assert_true(problem[0] != 0);
        json_decref(policy);
    }
}

static void check__good_ones__taken(void **state)
{
    static const char *const good[] = {
        "{}",
        "{\"bindings\":[],\"etag\":\"x\",\"version\":1}",
        ("{\"bindings\":[{\"role\":\"roles/owner\",\"members\":[\"user:a@b\",\"group:c@d\","
         "\"domain:e\",\"allUsers\"]}]}"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        json_t *policy = json_loads(good[i], 0, NULL);
        char problem[GOOG_TEXT_BYTES] = "";
        if (!goog_policy_check(policy, problem))
            fail_msg("%s: %s", good[i], problem);
        json_decref(policy);
    }
}

static bool count(void *arg, const char *member)
{
    size_t *n = arg;

    assert_non_null(member);
    return ++*n < 2;
}

static void each__ends_with_the_first_false(void **state)
{
    json_t *policy = json_pack("{s:[{s:[s,s,s]}]}", "bindings", "members", "a", "b", "c");
    size_t n = 0;

    (void)state;
    assert_false(goog_policy_each(policy, count, &n));
    assert_int_equal(n, 2);
    json_decref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows__each_role__its_permissions_only),
        cmocka_unit_test(allows__members__the_right_ones),
        cmocka_unit_test(check__what_is_not_understood__refused),
        cmocka_unit_test(check__good_ones__taken),
        cmocka_unit_test(each__ends_with_the_first_false),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
