/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a passphrase gives the same key again, any other input another one, and costs
 * out of bounds are refused.
 */
#include "crypto/pwhash.h"

#include "base/secret.h"
#include "check.h"

static const struct pwhash_cost cheap = {1, 8192};
static const uint8_t salt[PWHASH_SALT_BYTES] = "0123456789abcde";

static int setup(void **state)
{
    (void)state;
    check_ok(secret_init());
    return 0;
}

static void derive__same_inputs__same_key(void **state)
{
    uint8_t a[32], b[32];

    (void)state;
    check_ok(pwhash_derive(view_text("passphrase"), salt, cheap, a, sizeof a));
    check_ok(pwhash_derive(view_text("passphrase"), salt, cheap, b, sizeof b));
    assert_memory_equal(a, b, sizeof a);
}

static void derive__other_passphrase_salt_or_cost__other_key(void **state)
{
    const struct pwhash_cost slower = {2, 8192}, larger = {1, 16384};
    uint8_t other_salt[PWHASH_SALT_BYTES] = "0123456789abcdf", a[32], b[32];

    (void)state;
    check_ok(pwhash_derive(view_text("passphrase"), salt, cheap, a, sizeof a));
    check_ok(pwhash_derive(view_text("passphrasf"), salt, cheap, b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    check_ok(pwhash_derive(view_text("passphrase"), other_salt, cheap, b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    check_ok(pwhash_derive(view_text("passphrase"), salt, slower, b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    check_ok(pwhash_derive(view_text("passphrase"), salt, larger, b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
}

static void derive__cost_out_of_bounds__bug(void **state)
{
    const struct pwhash_cost costs[] = {
        {0, 8192}, {1, 8191}, {PWHASH_OPS_MAX + 1, 8192}, {1, PWHASH_MEM_MAX + 1}};
    uint8_t out[32];

    (void)state;
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++) {
        assert_false(pwhash_cost_is_valid(costs[i]));
        check_rc(pwhash_derive(view_text("x"), salt, costs[i], out, sizeof out), BUG);
    }
    check_rc(pwhash_derive(view_text("x"), salt, cheap, out, 15), BUG);
}

static void cost_default__is_valid_and_not_cheap(void **state)
{
    struct pwhash_cost cost = pwhash_cost_default();

    (void)state;
    assert_true(pwhash_cost_is_valid(cost));
    assert_true(cost.mem_bytes >= 64 << 20 && cost.ops >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derive__same_inputs__same_key),
        cmocka_unit_test(derive__other_passphrase_salt_or_cost__other_key),
        cmocka_unit_test(derive__cost_out_of_bounds__bug),
        cmocka_unit_test(cost_default__is_valid_and_not_cheap),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
