/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: accounts and their root keys are there after a restart, and what cannot be is refused.
 */
#include "localkms/iam.h"

#include "realm_fixture.h"

static const struct lk_event event = {.principal = "operator", .operation = "test"};

static void account_add__again_or_malformed__refused(void **state)
{
    static const char *const bad[] = {"", "12345678901", "1234567890123", "12345678901x"};
    struct iam_key_pair pair;
    struct realm_fixture f;

    (void)state;
    realm_fixture_start(&f);
    check_ok(iam_account_add(f.realm->iam, "111122223333", &event, &pair));
    assert_int_equal(strlen(pair.id), 20);
    assert_int_equal(strlen(pair.secret), 40);
    check_rc(iam_account_add(f.realm->iam, "111122223333", &event, &pair), EXISTS);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_rc(iam_account_add(f.realm->iam, bad[i], &event, &pair), USAGE);
    realm_fixture_stop(&f);
}

static ks_rc append(void *arg, const char *account)
{
    return buf_printf(arg, "%s ", account);
}

static void accounts__after_a_restart__still_there(void **state)
{
    CLEANUP(buf_done) struct buf all = buf_init(100), small = buf_init(4);
    struct iam_key_pair pair;
    struct realm_fixture f;

    (void)state;
    realm_fixture_start(&f);
    check_ok(iam_account_add(f.realm->iam, "999988887777", &event, &pair));
    check_ok(iam_account_add(f.realm->iam, "111122223333", &event, &pair));
    realm_fixture_open(&f);
    check_ok(iam_account_each(f.realm->iam, append, &all));
    assert_string_equal(buf_text(&all), "111122223333 999988887777 ");
    check_rc(iam_account_each(f.realm->iam, append, &small), LIMIT);
    assert_true(iam_account_has(f.realm->iam, "111122223333"));
    assert_false(iam_account_has(f.realm->iam, "111122223334"));
    realm_fixture_stop(&f);
}

static void new_key__third_or_no_account__refused(void **state)
{
    struct iam_key_pair pair, other;
    struct realm_fixture f;

    (void)state;
    realm_fixture_start(&f);
    check_rc(iam_account_new_key(f.realm->iam, "111122223333", &event, &pair), NOT_FOUND);
    check_ok(iam_account_add(f.realm->iam, "111122223333", &event, &pair));
    check_ok(iam_account_new_key(f.realm->iam, "111122223333", &event, &other));
    assert_string_not_equal(pair.id, other.id);
    assert_string_not_equal(pair.secret, other.secret);
    check_rc(iam_account_new_key(f.realm->iam, "111122223333", &event, &pair), LIMIT);
    iam_key_pair_wipe(&pair);
    assert_int_equal(pair.secret[0], 0);
    realm_fixture_stop(&f);
}

static void principal__of_an_account__exists_with_it(void **state)
{
    struct iam_key_pair pair;
    struct realm_fixture f;

    (void)state;
    realm_fixture_start(&f);
    check_ok(iam_account_add(f.realm->iam, "111122223333", &event, &pair));
    assert_true(iam_principal_exists(f.realm->iam, "111122223333"));
    assert_true(iam_principal_exists(f.realm->iam, "arn:aws:iam::111122223333:root"));
    assert_false(iam_principal_exists(f.realm->iam, "arn:aws:iam::111122223334:root"));
    assert_false(iam_principal_exists(f.realm->iam, "arn:aws:iam::111122223333:user/alice"));
    assert_false(iam_principal_exists(f.realm->iam, "arn:aws:sts::111122223333:assumed-role/x"));
    assert_false(iam_principal_exists(f.realm->iam, "arn:aws:iam::aws:policy/IAMFullAccess"));
    assert_false(iam_principal_exists(f.realm->iam, ""));
    realm_fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(account_add__again_or_malformed__refused),
        cmocka_unit_test(accounts__after_a_restart__still_there),
        cmocka_unit_test(new_key__third_or_no_account__refused),
        cmocka_unit_test(principal__of_an_account__exists_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
