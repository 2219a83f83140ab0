/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: HKDF-SHA-256, HMAC-SHA-256 and SHA-256 give the published results.
 */
#include "crypto/kdf.h"

#include "check.h"

static const struct {
    const char *key, *salt, *info, *want;
} vectors[] = {
    /* RFC 5869 A.1, A.2, A.3 */
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
     "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d"
     "2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d"
     "8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdd"
     "dedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e59"
     "0e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
    /* Wycheproof: empty salt with info, salt without info, both */
    {"2d43e54bf0c94c9cbff4300f4aa69ab8", "", "d674da3bb47d5c7e38b501e5251d9348af601c44",
     "3d36966f29c0561b4e50f9325c7c98292b6d28bc"},
    {"467403c2ec02a235bf730ff37e8d8ff3", "41f0f173d307d40436c25856cf559f96", "",
     "4b1c4f54615e31f713f2364bf194d3f14f68e704"},
    {"8677dc79233ef3480777c4c601ef4f0b", "ad88db718244e2cb60e35f874d7ad81f",
     "a38f634d947819a9bfa792174b42baa20c9fce15",
     "17c2b03dc593fe9bb94f5b9bf646ff15749e82cd4bf569f7806275c241c83e1fe0615663a628ecfd7c1b700215a4"
     "50f9f42529800424c4707d54488150299f11"},
};

static void derive__published_vectors__same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct hex key = hex(vectors[i].key), salt = hex(vectors[i].salt);
        struct hex info = hex(vectors[i].info), want = hex(vectors[i].want);
        uint8_t out[128];

        check_ok(kdf_derive(hex_view(&key), hex_view(&salt), hex_view(&info), out, want.len));
        check_bytes(view_of(out, want.len), hex_view(&want));
    }
}

static void derive__length_out_of_bounds__bug(void **state)
{
    static uint8_t out[255 * KDF_HASH_BYTES + 1];
    struct view key = view_text("a key"), none = view_of(NULL, 0);

    (void)state;
    check_ok(kdf_derive(key, none, none, out, 255 * KDF_HASH_BYTES));
    check_rc(kdf_derive(key, none, none, out, sizeof out), BUG);
    check_rc(kdf_derive(key, none, none, out, 0), BUG);
    check_rc(kdf_derive(none, none, none, out, 32), BUG);
}

/* RFC 4231, test cases 2 and 6 (a key longer than the block of the hash). */
static void mac__published_vectors__same_bytes(void **state)
{
    struct hex want = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    struct hex want6 = hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    uint8_t long_key[131], out[KDF_HASH_BYTES];

    (void)state;
    check_ok(kdf_mac(view_text("Jefe"), view_text("what do ya want for nothing?"), out));
    check_bytes(view_of(out, sizeof out), hex_view(&want));
    memset(long_key, 0xaa, sizeof long_key);
    check_ok(kdf_mac(view_of(long_key, sizeof long_key),
                     view_text("Test Using Larger Than Block-Size Key - Hash Key First"), out));
    check_bytes(view_of(out, sizeof out), hex_view(&want6));
}

/* FIPS 180-4 examples. */
static void hash__published_vectors__same_bytes(void **state)
{
    struct hex abc = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct hex none = hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    uint8_t out[KDF_HASH_BYTES];

    (void)state;
    check_ok(kdf_hash(view_text("abc"), out));
    check_bytes(view_of(out, sizeof out), hex_view(&abc));
    check_ok(kdf_hash(view_of(NULL, 0), out));
    check_bytes(view_of(out, sizeof out), hex_view(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derive__published_vectors__same_bytes),
        cmocka_unit_test(derive__length_out_of_bounds__bug),
        cmocka_unit_test(mac__published_vectors__same_bytes),
        cmocka_unit_test(hash__published_vectors__same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
