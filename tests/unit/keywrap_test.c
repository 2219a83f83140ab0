/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a wrapped key opens under its own key and context only, and the answer tells a
 * wrong key from damage.
 */
#include "crypto/keywrap.h"

#include "base/mem.h"
#include "check.h"
#include "crypto/kdf.h"

enum { KEY = 32, WRAPPED = KEY + KEYWRAP_OVERHEAD };

static uint8_t kek_bytes[32], other_bytes[32], key_bytes[KEY];
static const struct view kek = {kek_bytes, 32}, other = {other_bytes, 32}, key = {key_bytes, KEY};

/* Fails, as the kernel's generator does before it is seeded. */
static ks_rc no_random(struct random *r, void *out, size_t len)
{
    (void)r, (void)out, (void)len;
    return ks_fail(KS_E_IO, "no random bytes");
}

static int setup(void **state)
{
    (void)state;
    memset(kek_bytes, 1, sizeof kek_bytes);
    memset(other_bytes, 2, sizeof other_bytes);
    memset(key_bytes, 3, sizeof key_bytes);
    check_ok(secret_init());
    return 0;
}

static void seal(uint8_t blob[WRAPPED])
{
    check_ok(keywrap_seal(kek, view_text("aad"), key, random_system(), blob));
}

static void open__own_key__same_bytes(void **state)
{
    uint8_t blob[WRAPPED];
    struct secret *got;

    (void)state;
    seal(blob);
    check_ok(keywrap_open(kek, view_text("aad"), view_of(blob, sizeof blob), &got));
    check_bytes(secret_view(got), key);
    secret_free(got);
}

static void open__other_key__wrong_key(void **state)
{
    uint8_t blob[WRAPPED];
    struct secret *got = NULL;

    (void)state;
    seal(blob);
    check_rc(keywrap_open(other, view_text("aad"), view_of(blob, sizeof blob), &got), WRONG_KEY);
    assert_null(got);
}

static void open__other_context__auth(void **state)
{
    uint8_t blob[WRAPPED];
    struct secret *got = NULL;

    (void)state;
    seal(blob);
    check_rc(keywrap_open(kek, view_text("aae"), view_of(blob, sizeof blob), &got), AUTH);
    assert_null(got);
}

/* Commitment and nonce (the first 56 bytes) are covered by the commitment, the rest by the tag. */
static void open__any_bit_flipped__wrong_key_or_auth(void **state)
{
    uint8_t blob[WRAPPED];
    struct secret *got = NULL;

    (void)state;
    seal(blob);
    for (size_t bit = 0; bit < 8 * sizeof blob; bit++) {
        blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ks_rc rc = keywrap_open(kek, view_text("aad"), view_of(blob, sizeof blob), &got);
        assert_true(ks_is(rc, bit / 8 < 56 ? KS_E_WRONG_KEY : KS_E_AUTH));
        blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_null(got);
}

static void open__truncated__refused(void **state)
{
    uint8_t blob[WRAPPED];
    struct secret *got = NULL;

    (void)state;
    seal(blob);
    for (size_t len = 0; len < sizeof blob; len++) {
        ks_rc rc = keywrap_open(kek, view_text("aad"), view_of(blob, len), &got);
        assert_true(ks_is(rc, len < KEYWRAP_OVERHEAD ? KS_E_FORMAT : KS_E_AUTH));
    }
    assert_null(got);
}

static void open__longer_than_any_key__format(void **state)
{
    static uint8_t blob[KEYWRAP_KEY_MAX + KEYWRAP_OVERHEAD + 1];
    struct secret *got = NULL;

    (void)state;
    check_rc(keywrap_open(kek, view_text("aad"), view_of(blob, sizeof blob), &got), FORMAT);
}

static void seal__twice__different_bytes(void **state)
{
    uint8_t one[WRAPPED], two[WRAPPED];

    (void)state;
    seal(one);
    seal(two);
    for (size_t at = 0; at + 8 <= WRAPPED; at += 8)
        assert_memory_not_equal(one + at, two + at, 8);
}

static void seal__no_random__fails_and_output_untouched(void **state)
{
    struct random broken = {no_random};
    uint8_t blob[WRAPPED] = {0};

    (void)state;
    check_rc(keywrap_seal(kek, view_text("aad"), key, &broken, blob), IO);
    assert_true(mem_is_zero(blob, sizeof blob));
}

static void seal__wrong_lengths__bug(void **state)
{
    static uint8_t big[KEYWRAP_KEY_MAX + 1], blob[KEYWRAP_KEY_MAX + 1 + KEYWRAP_OVERHEAD];
    struct secret *got = NULL;

    (void)state;
    check_rc(keywrap_seal(view_of(kek_bytes, 16), view_text("aad"), key, random_system(), blob),
             BUG);
    check_rc(keywrap_seal(kek, view_text("aad"), view_of(big, sizeof big), random_system(), blob),
             BUG);
    check_rc(keywrap_open(view_of(kek_bytes, 16), view_text("aad"), view_of(blob, 100), &got), BUG);
}

/* The layout is a format: recompute the commitment from the parts. */
static void seal__layout__commitment_as_documented(void **state)
{
    uint8_t blob[WRAPPED], want[32];

    (void)state;
    seal(blob);
    check_ok(kdf_derive(kek, view_of(blob + 32, 24), view_text("keystead key commitment v1"), want,
                        sizeof want));
    assert_memory_equal(blob, want, sizeof want);
}

static void commit__key_and_purpose__each_changes_it(void **state)
{
    uint8_t one[32], same[32], other_key[32], other_info[32];

    (void)state;
    check_ok(keywrap_commit(kek, view_text("a"), one));
    check_ok(keywrap_commit(kek, view_text("a"), same));
    check_ok(keywrap_commit(other, view_text("a"), other_key));
    check_ok(keywrap_commit(kek, view_text("b"), other_info));
    assert_memory_equal(one, same, 32);
    assert_memory_not_equal(one, other_key, 32);
    assert_memory_not_equal(one, other_info, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__own_key__same_bytes),
        cmocka_unit_test(open__other_key__wrong_key),
        cmocka_unit_test(open__other_context__auth),
        cmocka_unit_test(open__any_bit_flipped__wrong_key_or_auth),
        cmocka_unit_test(open__truncated__refused),
        cmocka_unit_test(open__longer_than_any_key__format),
        cmocka_unit_test(seal__twice__different_bytes),
        cmocka_unit_test(seal__no_random__fails_and_output_untouched),
        cmocka_unit_test(seal__wrong_lengths__bug),
        cmocka_unit_test(seal__layout__commitment_as_documented),
        cmocka_unit_test(commit__key_and_purpose__each_changes_it),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
