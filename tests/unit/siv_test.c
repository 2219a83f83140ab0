/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: AES-256-SIV gives the published results, is deterministic, refuses what was
 * changed, and may be used by several threads at once.
 */
#include "crypto/siv.h"

#include <pthread.h>

#include "base/mem.h"
#include "check.h"

static const struct {
    const char *key, *aad, *pt, *ct; /* ct begins with the tag */
} vectors[] = {
    /* the example of RFC 5297 A.1 with a key of 64 bytes, as in OpenSSL's test suite */
    {"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
     "f0f1f2f3f4f5f6f7f8f9fafbfcfdfefffffefdfcfbfaf9f8f7f6f5f4f3f2f1f0",
     "101112131415161718191a1b1c1d1e1f2021222324252627", "112233445566778899aabbccddee",
     "724dfb2eaf94dbb19b0ba3a299a0801ef3b05a55498ec2552690b89810e4"},
    /* Wycheproof: one block, edge cases of the synthetic nonce (the counter must not carry) */
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
     "000102030405060708090a0b0c0d0e0f", "bfa1733d07afa03cb3f2eeb81bbde037",
     "000000000000000000000000000000004ce637d6ca9cdf1c2feb0d140865cddb"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
     "000102030405060708090a0b0c0d0e0f", "404aa73280eb830afde284ba6b18d48a",
     "ffffffffffffffffffffffffffffffff0fae016c086fc20546b374c24f3ebad0"},
    /* Wycheproof: longer than two blocks */
    {"cd8689f821817f59bfaa755131f2565161c7f4489f89b657ac9fa127a9768535"
     "a702d001b9b99cc11c3976467b1b45865ff417dc256ebb5079b7f1b3e08307b5",
     "b3edffbb89b373fe04da244b",
     "ebcfb2ffb681cc5dfa0c5c524c1b1cc87cc6b2bfa35dc36d15e80505118b84a072a78a157b4d1837",
     "1ac78aae2ede04eb47924d8f9f99fe75"
     "deb61bf693da7f3a2147c05f6d29d17392356fe00f82b24cdbce774fd864561548f33dd3192d806f"},
    /* Wycheproof: two bytes, the smallest with a counter block of its own */
    {"6d43cfc930a1e0051f607d0c4a76ad5bec77d9f98bbd9ae5e56a1d65fcf1bf68"
     "c7780f727bfe690497bae478afbc4ebf7a89943ee146f72d352940794ff202f4",
     "c2b75c998f4cac28b4b69dfb", "1d25f833", "0d1e1981da44a7d9eda60e48e7ae4f8505d8ba98"},
};

static int setup(void **state)
{
    static struct siv *s;
    uint8_t key[SIV_KEY_BYTES];

    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    check_ok(secret_init());
    check_ok(siv_new(view_of(key, sizeof key), &s));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    siv_free(*state);
    return 0;
}

static void seal__published_vectors__same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct hex key = hex(vectors[i].key), aad = hex(vectors[i].aad), pt = hex(vectors[i].pt);
        struct hex want = hex(vectors[i].ct);
        uint8_t out[256], back[256];
        struct siv *s;

        check_ok(siv_new(hex_view(&key), &s));
        check_ok(siv_seal(s, hex_view(&aad), hex_view(&pt), out));
        check_bytes(view_of(out, pt.len + SIV_TAG_BYTES), hex_view(&want));
        check_ok(siv_open(s, hex_view(&aad), hex_view(&want), back));
        check_bytes(view_of(back, pt.len), hex_view(&pt));
        siv_free(s);
    }
}

static void seal__same_name_often__same_bytes(void **state)
{
    uint8_t first[24], again[24];

    check_ok(siv_seal(*state, view_text("dir"), view_text("file.txt"), first));
    for (int i = 0; i < 9; i++) { /* more often than there are contexts */
        check_ok(siv_seal(*state, view_text("dir"), view_text("file.txt"), again));
        assert_memory_equal(first, again, sizeof first);
    }
    check_ok(siv_seal(*state, view_text("dir2"), view_text("file.txt"), again));
    assert_memory_not_equal(first, again, sizeof first);
}

static void open__any_bit_flipped__auth_and_zeros(void **state)
{
    uint8_t ct[24], out[8];

    check_ok(siv_seal(*state, view_text("dir"), view_text("file.txt"), ct));
    for (size_t bit = 0; bit < 8 * sizeof ct; bit++) {
        ct[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(out, 0xee, sizeof out);
        check_rc(siv_open(*state, view_text("dir"), view_of(ct, sizeof ct), out), AUTH);
        assert_true(mem_is_zero(out, sizeof out));
        ct[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_ok(siv_open(*state, view_text("dir"), view_of(ct, sizeof ct), out));
}

static void open__other_aad__auth(void **state)
{
    uint8_t ct[24], out[8];

    check_ok(siv_seal(*state, view_text("dir"), view_text("file.txt"), ct));
    check_rc(siv_open(*state, view_text("dis"), view_of(ct, sizeof ct), out), AUTH);
    check_rc(siv_open(*state, view_of(NULL, 0), view_of(ct, sizeof ct), out), AUTH);
}

static void seal__no_aad__round_trip(void **state)
{
    uint8_t ct[17], out[1];

    check_ok(siv_seal(*state, view_of(NULL, 0), view_text("a"), ct));
    check_ok(siv_open(*state, view_of(NULL, 0), view_of(ct, sizeof ct), out));
    assert_int_equal(out[0], 'a');
}

static void open__too_short__format(void **state)
{
    uint8_t ct[SIV_TAG_BYTES] = {0}, out[1];

    check_rc(siv_open(*state, view_of(NULL, 0), view_of(ct, sizeof ct), out), FORMAT);
    check_rc(siv_open(*state, view_of(NULL, 0), view_of(ct, 3), out), FORMAT);
    check_rc(siv_seal(*state, view_of(NULL, 0), view_of(ct, 0), out), FORMAT);
}

static void new__wrong_key_length__bug(void **state)
{
    uint8_t key[32] = {0};
    struct siv *s = NULL;

    (void)state;
    check_rc(siv_new(view_of(key, sizeof key), &s), BUG);
    assert_null(s);
    siv_free(NULL);
}

struct worker {
    pthread_t thread;
    struct siv *siv;
    size_t wrong;
};

/* Counts instead of asserting: cmocka's checks may only be used in the main thread. */
static void *work(void *arg)
{
    struct worker *w = arg;
    uint8_t ct[8 + SIV_TAG_BYTES], out[8];

    for (uint64_t i = 0; i < 500; i++) {
        uint64_t name = i * 8 + (uint64_t)(uintptr_t)w;
        struct view pt = view_of(&name, sizeof name);
        ks_rc rc = siv_seal(w->siv, view_text("dir"), pt, ct);
        if (ks_ok(rc))
            rc = siv_open(w->siv, view_text("dir"), view_of(ct, sizeof ct), out);
        w->wrong += !ks_ok(rc) || memcmp(out, &name, sizeof name) != 0;
    }
    return NULL;
}

static void seal__many_threads__no_mixture(void **state)
{
    struct worker workers[6];

    for (int i = 0; i < 6; i++) {
        workers[i] = (struct worker){.siv = *state};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seal__published_vectors__same_bytes),
        cmocka_unit_test(seal__same_name_often__same_bytes),
        cmocka_unit_test(open__any_bit_flipped__auth_and_zeros),
        cmocka_unit_test(open__other_aad__auth),
        cmocka_unit_test(seal__no_aad__round_trip),
        cmocka_unit_test(open__too_short__format),
        cmocka_unit_test(new__wrong_key_length__bug),
        cmocka_unit_test(seal__many_threads__no_mixture),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
