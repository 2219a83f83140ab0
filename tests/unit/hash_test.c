/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: SHA-256, HMAC-SHA-256 and CRC-32C give the published results, and both ways to compute a
 * CRC-32C agree on every length and alignment.
 */
#include "crypto/hash.h"

#include <string.h>

#include "base/random.h"
#include "check.h"
#include "crypto/hash_int.h"

static void check_hash(struct view data, const char *want)
{
    struct hex digest = hex(want);
    uint8_t got[HASH_BYTES];

    check_ok(hash_sha256(data, got));
    check_bytes(view_of(got, sizeof got), hex_view(&digest));
}

/* FIPS 180-4, the examples published with it. */
static void sha256__published_vectors__same_bytes(void **state)
{
    static uint8_t many[1000000];

    (void)state;
    check_hash(view_of(NULL, 0),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_hash(view_text("abc"),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_hash(view_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(many, 'a', sizeof many);
    check_hash(view_of(many, sizeof many),
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void check_hmac(struct view key, struct view data, const char *want)
{
    struct hex mac = hex(want);
    uint8_t got[HASH_BYTES];

    check_ok(hash_hmac(key, data, got));
    check_bytes(view_of(got, sizeof got), hex_view(&mac));
}

/* RFC 4231, test cases 1, 2, 3, 6 and 7; the last two with a key longer than a block. */
static void hmac__published_vectors__same_bytes(void **state)
{
    uint8_t b[20], aa[131], dd[50];

    (void)state;
    memset(b, 0x0b, sizeof b);
    memset(aa, 0xaa, sizeof aa);
    memset(dd, 0xdd, sizeof dd);
    check_hmac(view_of(b, sizeof b), view_text("Hi There"),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac(view_text("Jefe"), view_text("what do ya want for nothing?"),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_hmac(view_of(aa, 20), view_of(dd, sizeof dd),
               "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    check_hmac(view_of(aa, sizeof aa),
               view_text("Test Using Larger Than Block-Size Key - Hash Key First"),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    check_hmac(
        view_of(aa, sizeof aa),
        view_text("This is a test using a larger than block-size key and a larger than "
                  "block-size data. The key needs to be hashed before being used by the HMAC "
                  "algorithm."),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    check_hmac(view_of(NULL, 0), view_of(NULL, 0),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 3720 B.4, and the check value of the polynomial. */
static void crc32c__published_vectors__same_value(void **state)
{
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];

    (void)state;
    for (uint8_t i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = i;
        down[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(hash_crc32c(view_of(zeros, 32)), 0x8a9136aa);
    assert_int_equal(hash_crc32c(view_of(ones, 32)), 0x62a8ab43);
    assert_int_equal(hash_crc32c(view_of(up, 32)), 0x46dd794e);
    assert_int_equal(hash_crc32c(view_of(down, 32)), 0x113fdb5c);
    assert_int_equal(hash_crc32c(view_text("123456789")), 0xe3069283);
    assert_int_equal(hash_crc32c(view_text("hello")), 2591144780U);
    assert_int_equal(hash_crc32c(view_of(NULL, 0)), 0);
}

static void crc32c__both_ways__agree(void **state)
{
    struct random_seeded random;
    uint8_t bytes[600];

    (void)state;
    random_seeded_init(&random, 1);
    check_ok(random_fill(&random.random, bytes, sizeof bytes));
    for (size_t from = 0; from < 9; from++)
        for (size_t len = 0; from + len <= sizeof bytes; len++)
            assert_int_equal(hash_crc32c(view_of(bytes + from, len)),
                             hash_crc32c_portable(view_of(bytes + from, len)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256__published_vectors__same_bytes),
        cmocka_unit_test(hmac__published_vectors__same_bytes),
        cmocka_unit_test(crc32c__published_vectors__same_value),
        cmocka_unit_test(crc32c__both_ways__agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
