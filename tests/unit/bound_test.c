/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the envelope around a ciphertext tells damage and another context apart from a key's answer, and a
 * plaintext that carries its context opens under that context only.
 */
#include "check.h"
#include "kms/bound.h"

static struct key_context context(const char *volume)
{
    struct key_context c = {.count = 1};

    c.pairs[0].name = "volume";
    c.pairs[0].value = volume;
    return c;
}

static void write(const char *reference, struct view ciphertext, struct buf *ret)
{
    struct envelope e = {.ciphertext = ciphertext};
    struct key_context c = context("one");

    memcpy(e.reference, reference, strlen(reference) + 1);
    *ret = buf_init(KEY_BLOB_MAX);
    check_ok(envelope_write(&e, &c, ret));
}

static void envelope__written__reads_back(void **state)
{
    struct key_context c = context("one");
    struct envelope e;
    struct buf blob;

    (void)state;
    write("vault:v3", view_text("ciphertext"), &blob);
    check_ok(envelope_read(buf_view(&blob), &c, &e));
    assert_string_equal(e.reference, "vault:v3");
    check_bytes(e.ciphertext, view_text("ciphertext"));
    buf_done(&blob);
}

static void envelope__any_bit_flipped_cut_or_longer__refused(void **state)
{
    struct key_context c = context("one");
    struct envelope e;
    struct buf blob;

    (void)state;
    write("v3", view_text("ciphertext"), &blob);
    for (size_t bit = 0; bit < 8 * blob.len; bit++) {
        blob.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ks_rc rc = envelope_read(buf_view(&blob), &c, &e);
        assert_true(rc.cls == KS_CLASS_CORRUPT || (bit < 8 && ks_is(rc, KS_E_NEWER_VERSION)));
        blob.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < blob.len; len++)
        check_class(envelope_read(view_of(blob.bytes, len), &c, &e), CORRUPT);
    check_ok(buf_append(&blob, view_text("x")));
    check_class(envelope_read(buf_view(&blob), &c, &e), CORRUPT);
    buf_done(&blob);
}

static void envelope__other_context__auth(void **state)
{
    struct key_context other = context("two"), none = {.count = 0};
    struct envelope e;
    struct buf blob;

    (void)state;
    write("v3", view_text("ciphertext"), &blob);
    check_rc(envelope_read(buf_view(&blob), &other, &e), AUTH);
    check_rc(envelope_read(buf_view(&blob), &none, &e), AUTH);
    buf_done(&blob);
}

static void envelope__too_large__limit(void **state)
{
    static uint8_t large[KEY_BLOB_MAX];
    struct envelope e = {.reference = "v", .ciphertext = view_of(large, sizeof large)};
    struct key_context c = context("one");
    struct buf blob = buf_init(KEY_BLOB_MAX);

    (void)state;
    check_rc(envelope_write(&e, &c, &blob), LIMIT);
    assert_int_equal(blob.len, 0);
    check_rc(envelope_read(view_of(large, sizeof large), &c, &e), FORMAT);
}

static void bound__every_length__opens_under_its_context_only(void **state)
{
    struct key_context one = context("one"), two = context("two");

    (void)state;
    for (size_t len = 1; len <= KEY_PLAIN_MAX; len++) {
        struct secret *plain, *bound, *got = NULL;
        check_ok(secret_new(len, &plain));
        memset(secret_bytes(plain), (int)len, len);
        check_ok(bound_plain(&one, plain, &bound));
        struct view b = secret_view(bound);
        assert_true(b.len % 8 == 0 && b.len <= BOUND_BYTES_MAX);
        check_rc(bound_open(&two, b, &got), AUTH);
        assert_null(got);
        check_ok(bound_open(&one, b, &got));
        check_bytes(secret_view(got), secret_view(plain));
        secret_free(got);
        secret_free(bound);
        secret_free(plain);
    }
}

static void bound__nothing_or_too_much__usage(void **state)
{
    struct key_context one = context("one");
    struct secret *plain, *bound = NULL;

    (void)state;
    check_ok(secret_new(KEY_PLAIN_MAX + 1, &plain));
    check_rc(bound_plain(&one, plain, &bound), USAGE);
    assert_null(bound);
    secret_free(plain);
}

static void bound__malformed__format(void **state)
{
    struct key_context one = context("one");
    struct secret *plain, *bound, *got = NULL;

    (void)state;
    check_ok(secret_new(32, &plain));
    check_ok(bound_plain(&one, plain, &bound));
    size_t len = secret_view(bound).len;
    uint8_t *at = secret_bytes(bound);
    at[0] = 2;
    check_rc(bound_open(&one, secret_view(bound), &got), FORMAT);
    at[0] = 1;
    at[1] = 0;
    check_rc(bound_open(&one, secret_view(bound), &got), FORMAT);
    at[1] = 255;
    check_rc(bound_open(&one, secret_view(bound), &got), FORMAT);
    at[1] = 32;
    at[len - 1] = 1; /* padding */
    check_rc(bound_open(&one, secret_view(bound), &got), FORMAT);
    at[len - 1] = 0;
    check_rc(bound_open(&one, view_of(at, len - 1), &got), FORMAT);
    check_rc(bound_open(&one, view_of(at, 10), &got), FORMAT);
    assert_null(got);
    secret_free(bound);
    secret_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelope__written__reads_back),
        cmocka_unit_test(envelope__any_bit_flipped_cut_or_longer__refused),
        cmocka_unit_test(envelope__other_context__auth),
        cmocka_unit_test(envelope__too_large__limit),
        cmocka_unit_test(bound__every_length__opens_under_its_context_only),
        cmocka_unit_test(bound__nothing_or_too_much__usage),
        cmocka_unit_test(bound__malformed__format),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
