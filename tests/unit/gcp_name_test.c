/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: paths of Google's API are taken for what they name, and nothing else is taken.
 */
#include "localkms/gcp_name.h"

#include "check.h"

#define RING "projects/p-1/locations/l/keyRings/R_1"
#define ACCOUNT "a-b@p-1.iam.gserviceaccount.com"

static const struct {
    const char *path, *text, *verb;
    enum goog_kind kind;
    bool is_collection;
} good[] = {
    {"projects/p-1:setIamPolicy", "projects/p-1", "setIamPolicy", GOOG_PROJECT, false},
    {"projects/p-1/locations/l/keyRings", "projects/p-1/locations/l", "", GOOG_KEY_RING, true},
    {RING, RING, "", GOOG_KEY_RING, false},
    {RING "/cryptoKeys/k:encrypt", RING "/cryptoKeys/k", "encrypt", GOOG_CRYPTO_KEY, false},
    {RING "/cryptoKeys/k%3Aencrypt", RING "/cryptoKeys/k", "encrypt", GOOG_CRYPTO_KEY, false},
    {RING "/cryptoKeys/k/cryptoKeyVersions:import", RING "/cryptoKeys/k", "import", GOOG_VERSION,
     true},
    {RING "/cryptoKeys/k/cryptoKeyVersions/12", RING "/cryptoKeys/k/cryptoKeyVersions/12", "",
     GOOG_VERSION, false},
    {RING "/importJobs/j", RING "/importJobs/j", "", GOOG_IMPORT_JOB, false},
    {"projects/-/serviceAccounts/" ACCOUNT ":generateAccessToken",
     "projects/p-1/serviceAccounts/" ACCOUNT, "generateAccessToken", GOOG_ACCOUNT, false},
    {"projects/-/serviceAccounts/a-b%40p-1.iam.gserviceaccount.com/keys",
     "projects/p-1/serviceAccounts/" ACCOUNT, "", GOOG_ACCOUNT_KEY, true},
};

static void parse__what_google_has__understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct goog_name n;
        if (!goog_name_parse(good[i].path, &n))
            fail_msg("%s is refused", good[i].path);
        assert_string_equal(n.text, good[i].text);
        assert_string_equal(n.verb, good[i].verb);
        assert_string_equal(n.project, "p-1");
        assert_int_equal(n.kind, good[i].kind);
        assert_int_equal(n.is_collection, good[i].is_collection);
    }
}

static void parse__anything_else__refused(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "projects",
        "projects/",
        "projects/P",
        "projects/-",
        "projects/p/",
        "projects/p//keyRings",
        "projects/p/keyRings/r",
        "projects/p/locations/l/keyRings/r/cryptoKeys/",
        "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/x",
        "projects/p/locations/l/keyRings/r/cryptoKeys/k/x/y",
        "projects/p/locations/../keyRings/r",
        "projects/p/locations/l/keyRings/r%2Fx",
        "projects/p/locations/l/keyRings/r%",
        "projects/p/locations/l/keyRings/r%0",
        "projects/p/locations/l/keyRings/r%00",
        "projects/p/locations/l/keyRings/r%zz",
        "projects/p:",
        "projects/p:a/b",
        "projects/p:averbthatismuchtoolongforanythingthere",
        "projects/-/serviceAccounts/someone@example.org",
        "projects/-/serviceAccounts/@p.iam.gserviceaccount.com",
        "projects/-/serviceAccounts/a@.iam.gserviceaccount.com",
        "locations/l",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct goog_name n;
        if (goog_name_parse(bad[i], &n))
            fail_msg("%s is taken for %s %s", bad[i], goog_kind_title(n.kind), n.text);
    }
}

static void parse__too_long__refused(void **state)
{
    char path[GOOG_NAME_BYTES + 64] = "projects/p/locations/l/keyRings/";
    struct goog_name n;

    (void)state;
    memset(path + strlen(path), 'r', 64);
    assert_false(goog_name_parse(path, &n));
    memset(path, 'p', sizeof path - 1);
    assert_false(goog_name_parse(path, &n));
}

static void parent__step_by_step__up_to_the_project(void **state)
{
    char name[GOOG_NAME_BYTES] = RING "/cryptoKeys/k";

    (void)state;
    assert_true(goog_name_parent(name));
    assert_string_equal(name, RING);
    assert_true(goog_name_parent(name));
    assert_true(goog_name_parent(name));
    assert_string_equal(name, "projects/p-1");
    assert_false(goog_name_parent(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__what_google_has__understood),
        cmocka_unit_test(parse__anything_else__refused),
        cmocka_unit_test(parse__too_long__refused),
        cmocka_unit_test(parent__step_by_step__up_to_the_project),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
