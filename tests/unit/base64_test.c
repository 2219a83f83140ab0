/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: base64 and hexadecimal agree with the vectors of RFC 4648, and refuse all else.
 */
#include "base/base64.h"
#include "check.h"

static const struct {
    const char *plain, *standard, *url, *hex;
} vectors[] = {
    {"f", "Zg==", "Zg", "66"},
    {"fo", "Zm8=", "Zm8", "666f"},
    {"foo", "Zm9v", "Zm9v", "666f6f"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172"},
    {"\xfb\xff\xfe", "+//+", "-__-", "fbfffe"},
};

static void both_ways__vectors__as_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        CLEANUP(buf_done) struct buf a = buf_init(64), b = buf_init(64), c = buf_init(64);
        struct view plain = view_text(vectors[i].plain);
        check_ok(base64_write(plain, BASE64_STANDARD, &a));
        check_bytes(buf_view(&a), view_text(vectors[i].standard));
        a.len = 0;
        check_ok(base64_read(view_text(vectors[i].standard), BASE64_STANDARD, &a));
        check_bytes(buf_view(&a), plain);
        check_ok(base64_write(plain, BASE64_URL, &b));
        check_bytes(buf_view(&b), view_text(vectors[i].url));
        b.len = 0;
        check_ok(base64_read(view_text(vectors[i].url), BASE64_URL, &b));
        check_bytes(buf_view(&b), plain);
        check_ok(hex_write(plain, &c));
        check_bytes(buf_view(&c), view_text(vectors[i].hex));
        c.len = 0;
        check_ok(hex_read(view_text(vectors[i].hex), &c));
        check_bytes(buf_view(&c), plain);
        buf_done(&b);
        buf_done(&c);
    }
}

static void read__standard__takes_the_padded_url_alphabet_too(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(64);

    (void)state;
    check_ok(base64_read(view_text("-__-Zg=="), BASE64_STANDARD, &b));
    check_bytes(buf_view(&b), view_text("\xfb\xff\xfe"
                                        "f"));
}

static void read__empty__nothing(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(64);
    struct secret *secret = NULL;

    (void)state;
    check_ok(base64_read(view_text(""), BASE64_STANDARD, &b));
    check_ok(hex_read(view_text(""), &b));
    assert_int_equal(b.len, 0);
    check_rc(base64_read_secret(view_text(""), BASE64_STANDARD, &secret), USAGE);
}

static void read__not_base64__usage_and_unchanged(void **state)
{
    static const char *const bad[] = {"Zg=",  "Zg",    "Zg==\n", " Zg==", "Z",
                                      "Zh==", "Zm9v!", "+-/_",   "===="};
    CLEANUP(buf_done) struct buf b = buf_init(64);
    struct secret *secret = NULL;

    (void)state;
    check_ok(buf_append(&b, view_text("x")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_rc(base64_read(view_text(bad[i]), BASE64_STANDARD, &b), USAGE);
        check_rc(base64_read_secret(view_text(bad[i]), BASE64_STANDARD, &secret), USAGE);
    }
    check_rc(hex_read(view_text("abc"), &b), USAGE);
    check_rc(hex_read(view_text("zz"), &b), USAGE);
    check_bytes(buf_view(&b), view_text("x"));
    assert_null(secret);
}

static void read__any_length__is_a_text_of_its_own_length(void **state)
{
    static const char *const texts[] = {"Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE="};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CLEANUP(buf_done) struct buf b = buf_init(64), h = buf_init(64);
        check_ok(base64_read(view_text(texts[i]), BASE64_STANDARD, &b));
        assert_int_equal(strlen(buf_text(&b)), b.len);
        check_ok(hex_read(view_text("666f6f"), &h));
        assert_string_equal(buf_text(&h), "foo");
    }
}

static void read_secret__every_length__bytes(void **state)
{
    uint8_t bytes[100];

    (void)state;
    for (size_t len = 1; len < sizeof bytes; len++) {
        for (int form = BASE64_STANDARD; form <= BASE64_URL; form++) {
            CLEANUP(buf_done) struct buf text = buf_init(200);
            CLEANUP(secret_freep) struct secret *secret = NULL;
            memset(bytes, (int)(255 - len), len);
            check_ok(base64_write(view_of(bytes, len), (enum base64_form)form, &text));
            check_ok(base64_read_secret(buf_view(&text), (enum base64_form)form, &secret));
            check_bytes(secret_view(secret), view_of(bytes, len));
        }
    }
}

static void read_secret__good__bytes(void **state)
{
    CLEANUP(secret_freep) struct secret *secret = NULL;

    (void)state;
    check_ok(base64_read_secret(view_text("Zm9vYg=="), BASE64_STANDARD, &secret));
    check_bytes(secret_view(secret), view_text("foob"));
}

static void write__no_room__limit_and_unchanged(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(6);

    (void)state;
    check_ok(buf_append(&b, view_text("abc")));
    check_rc(base64_write(view_text("foobar"), BASE64_STANDARD, &b), LIMIT);
    check_rc(hex_write(view_text("foobar"), &b), LIMIT);
    check_rc(base64_read(view_text("Zm9vYmFyZm9v"), BASE64_STANDARD, &b), LIMIT);
    check_bytes(buf_view(&b), view_text("abc"));
}

static int start(void **state)
{
    (void)state;
    return ks_ok(secret_init()) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways__vectors__as_published),
        cmocka_unit_test(read__standard__takes_the_padded_url_alphabet_too),
        cmocka_unit_test(read__empty__nothing),
        cmocka_unit_test(read__not_base64__usage_and_unchanged),
        cmocka_unit_test(read__any_length__is_a_text_of_its_own_length),
        cmocka_unit_test(read_secret__good__bytes),
        cmocka_unit_test(read_secret__every_length__bytes),
        cmocka_unit_test(write__no_room__limit_and_unchanged),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
