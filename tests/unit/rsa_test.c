/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: RSA keys, wraps and signatures are those of the openssl command, the AES key wrap is that
 * of RFC 5649, and what was not made for a key does not open.
 */
#include "crypto/rsa.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "tmpdir.h"

enum { FILE_MAX = 16 * 1024, ARGS_MAX = 24 };

/* Runs the openssl command in dir with blank-separated arguments; must succeed. */
static void openssl(const struct tmpdir *dir, const char *args)
{
    char text[512], *argv[ARGS_MAX] = {NULL};
    size_t count = 0;
    int status = 0;

    argv[count++] = text;
    snprintf(text, sizeof text, "openssl %s", args);
    for (char *at = text; *at; at++)
        if (*at == ' ' && count + 1 < ARGS_MAX) {
            *at = 0;
            argv[count++] = at + 1;
        }
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (chdir(dir->path) == 0 && dup2(null, 2) == 2)
            execvp(argv[0], argv);
        _exit(127);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("openssl %s: status %d", args, status);
}

static void file_read(const struct tmpdir *dir, const char *name, struct buf *ret)
{
    struct path p = tmpdir_path(dir, name);
    uint8_t bytes[FILE_MAX];

    ret->len = 0;
    check_ok(buf_append(ret, view_of(bytes, file_get(p.text, bytes, sizeof bytes))));
}

static struct rsa *key_2048;

static int one_key(void **state)
{
    (void)state;
    if (!ks_ok(secret_init()) || !ks_ok(rsa_generate(2048, &key_2048)))
        return -1;
    return 0;
}

static int drop_key(void **state)
{
    (void)state;
    rsa_free(key_2048);
    return 0;
}

static void keys__there_and_back__the_same_key(void **state)
{
    CLEANUP(secret_freep) struct secret *der = NULL, *again = NULL;
    CLEANUP(buf_done) struct buf a = buf_init(FILE_MAX), b = buf_init(FILE_MAX);
    CLEANUP(rsa_freep) struct rsa *copy = NULL;
    CLEANUP(rsa_freep) struct rsa *public = NULL;

    (void)state;
    assert_int_equal(rsa_bits(key_2048), 2048);
    check_ok(rsa_private_der(key_2048, &der));
    check_ok(rsa_from_der(secret_view(der), &copy));
    check_ok(rsa_private_der(copy, &again));
    assert_true(secret_is_equal(secret_view(der), secret_view(again)));
    check_ok(rsa_public_pem(copy, &a));
    check_ok(rsa_from_pem(buf_view(&a), &public));
    a.len = 0;
    check_ok(rsa_public_der(key_2048, &a));
    check_ok(rsa_public_der(public, &b));
    check_bytes(buf_view(&a), buf_view(&b));
}

static void from_pem__both_private_forms__read(void **state)
{
    static const char *const forms[] = {"genrsa -traditional -out key.pem 3072",
                                        "genpkey -algorithm RSA -out key.pem"};
    static const unsigned bits[] = {3072, 2048};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tmpdir dir = tmpdir_make();
        CLEANUP(buf_done) struct buf pem = buf_init(FILE_MAX);
        CLEANUP(rsa_freep) struct rsa *r = NULL;
        CLEANUP(secret_freep) struct secret *der = NULL;
        openssl(&dir, forms[i]);
        file_read(&dir, "key.pem", &pem);
        check_ok(rsa_from_pem(buf_view(&pem), &r));
        assert_int_equal(rsa_bits(r), bits[i]);
        check_ok(rsa_private_der(r, &der));
        tmpdir_remove(&dir);
    }
}

static void from_pem__other_keys__refused(void **state)
{
    static const char *const commands[] = {
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out key.pem",
        "genpkey -algorithm RSA -aes128 -pass pass:secret -out key.pem",
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tmpdir dir = tmpdir_make();
        CLEANUP(buf_done) struct buf pem = buf_init(FILE_MAX);
        struct rsa *r = NULL;
        openssl(&dir, commands[i]);
        file_read(&dir, "key.pem", &pem);
        check_rc(rsa_from_pem(buf_view(&pem), &r), USAGE);
        assert_null(r);
        tmpdir_remove(&dir);
    }
}

static void from_bytes__nonsense__refused(void **state)
{
    CLEANUP(secret_freep) struct secret *der = NULL;
    struct rsa *r = NULL;

    (void)state;
    check_rc(rsa_from_pem(view_text(""), &r), USAGE);
    check_rc(rsa_from_pem(view_text("-----BEGIN PRIVATE KEY-----\nAAAA\n"), &r), USAGE);
    check_rc(rsa_from_der(view_text(""), &r), USAGE);
    check_rc(rsa_from_der(view_text("\x30\x01"), &r), USAGE);
    check_ok(rsa_private_der(key_2048, &der));
    struct view cut = secret_view(der);
    cut.len--;
    check_rc(rsa_from_der(cut, &r), USAGE);
    check_rc(rsa_generate(1024, &r), USAGE);
    assert_null(r);
}

static void private_uses__public_key__refused(void **state)
{
    CLEANUP(buf_done) struct buf pem = buf_init(FILE_MAX), out = buf_init(FILE_MAX);
    CLEANUP(rsa_freep) struct rsa *public = NULL;
    struct secret *secret = NULL;

    (void)state;
    check_ok(rsa_public_pem(key_2048, &pem));
    check_ok(rsa_from_pem(buf_view(&pem), &public));
    check_rc(rsa_private_der(public, &secret), USAGE);
    check_rc(rsa_sign_rs256(public, view_text("x"), &out), USAGE);
    check_rc(rsa_oaep_unwrap(public, RSA_SHA256, view_text("x"), &secret), USAGE);
    assert_null(secret);
    assert_int_equal(out.len, 0);
}

static const struct {
    enum rsa_hash hash;
    const char *encrypt, *decrypt;
} oaep[] = {
    {RSA_SHA1,
     "pkeyutl -encrypt -pubin -inkey pub.pem -in plain -out theirs -pkeyopt rsa_padding_mode:oaep",
     "pkeyutl -decrypt -inkey key.der -keyform DER -in ours -out back -pkeyopt "
     "rsa_padding_mode:oaep"},
    {RSA_SHA256,
     "pkeyutl -encrypt -pubin -inkey pub.pem -in plain -out theirs -pkeyopt rsa_padding_mode:oaep "
     "-pkeyopt rsa_oaep_md:sha256",
     "pkeyutl -decrypt -inkey key.der -keyform DER -in ours -out back -pkeyopt "
     "rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256"},
};

static void put_key(const struct tmpdir *dir)
{
    CLEANUP(secret_freep) struct secret *der = NULL;
    CLEANUP(buf_done) struct buf pem = buf_init(FILE_MAX);

    check_ok(rsa_private_der(key_2048, &der));
    file_put(tmpdir_path(dir, "key.der").text, secret_view(der));
    check_ok(rsa_public_pem(key_2048, &pem));
    file_put(tmpdir_path(dir, "pub.pem").text, buf_view(&pem));
}

static void oaep__with_the_openssl_command__both_ways(void **state)
{
    struct view plain = view_text("0123456789abcdef0123456789abcdef");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tmpdir dir = tmpdir_make();
        CLEANUP(buf_done) struct buf ours = buf_init(FILE_MAX), theirs = buf_init(FILE_MAX);
        CLEANUP(secret_freep) struct secret *open = NULL;
        put_key(&dir);
        file_put(tmpdir_path(&dir, "plain").text, plain);
        check_ok(rsa_oaep_wrap(key_2048, oaep[i].hash, plain, &ours));
        file_put(tmpdir_path(&dir, "ours").text, buf_view(&ours));
        openssl(&dir, oaep[i].encrypt);
        openssl(&dir, oaep[i].decrypt);
        file_read(&dir, "theirs", &theirs);
        check_ok(rsa_oaep_unwrap(key_2048, oaep[i].hash, buf_view(&theirs), &open));
        check_bytes(secret_view(open), plain);
        file_read(&dir, "back", &theirs);
        check_bytes(buf_view(&theirs), plain);
        tmpdir_remove(&dir);
    }
}

static void oaep__wrong_hash_key_or_bytes__auth(void **state)
{
    CLEANUP(buf_done) struct buf wrapped = buf_init(FILE_MAX);
    CLEANUP(rsa_freep) struct rsa *other = NULL;
    struct secret *open = NULL;
    uint8_t big[256 - 2 * 32 - 1] = {0};

    (void)state;
    check_ok(rsa_generate(2048, &other));
    check_ok(rsa_oaep_wrap(key_2048, RSA_SHA256, view_text("key"), &wrapped));
    check_rc(rsa_oaep_unwrap(key_2048, RSA_SHA1, buf_view(&wrapped), &open), AUTH);
    check_rc(rsa_oaep_unwrap(other, RSA_SHA256, buf_view(&wrapped), &open), AUTH);
    wrapped.bytes[7] ^= 1;
    check_rc(rsa_oaep_unwrap(key_2048, RSA_SHA256, buf_view(&wrapped), &open), AUTH);
    check_rc(rsa_oaep_unwrap(key_2048, RSA_SHA256, view_text("short"), &open), AUTH);
    assert_null(open);
    check_rc(rsa_oaep_wrap(key_2048, RSA_SHA256, view_of(big, sizeof big), &wrapped), LIMIT);
    check_ok(rsa_oaep_wrap(key_2048, RSA_SHA256, view_of(big, sizeof big - 1), &wrapped));
}

static void rs256__with_the_openssl_command__the_same_signature(void **state)
{
    CLEANUP(buf_done) struct buf ours = buf_init(FILE_MAX), theirs = buf_init(FILE_MAX);
    struct view text = view_text("header.claims");
    struct tmpdir dir = tmpdir_make();

    (void)state;
    put_key(&dir);
    file_put(tmpdir_path(&dir, "text").text, text);
    openssl(&dir, "dgst -sha256 -sign key.der -keyform DER -out theirs text");
    check_ok(rsa_sign_rs256(key_2048, text, &ours));
    file_read(&dir, "theirs", &theirs);
    check_bytes(buf_view(&ours), buf_view(&theirs));
    check_ok(rsa_verify_rs256(key_2048, text, buf_view(&theirs)));
    tmpdir_remove(&dir);
}

static void rs256__other_text_or_bytes__auth(void **state)
{
    CLEANUP(buf_done) struct buf signature = buf_init(FILE_MAX);

    (void)state;
    check_ok(rsa_sign_rs256(key_2048, view_text("a"), &signature));
    check_rc(rsa_verify_rs256(key_2048, view_text("b"), buf_view(&signature)), AUTH);
    signature.bytes[0] ^= 1;
    check_rc(rsa_verify_rs256(key_2048, view_text("a"), buf_view(&signature)), AUTH);
    check_rc(rsa_verify_rs256(key_2048, view_text("a"), view_text("")), AUTH);
}

/* RFC 5649, section 6. */
static const struct {
    const char *plain, *wrapped;
} rfc5649[] = {
    {"c37b7e6492584340bed12207808941155068f738",
     "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
    {"466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
};

static void kwp__vectors_of_the_rfc__as_published(void **state)
{
    struct hex kek = hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(buf_done) struct buf out = buf_init(64);
        CLEANUP(secret_freep) struct secret *open = NULL;
        struct hex plain = hex(rfc5649[i].plain), wrapped = hex(rfc5649[i].wrapped);
        check_ok(kwp_wrap(hex_view(&kek), hex_view(&plain), &out));
        check_bytes(buf_view(&out), hex_view(&wrapped));
        check_ok(kwp_unwrap(hex_view(&kek), hex_view(&wrapped), &open));
        check_bytes(secret_view(open), hex_view(&plain));
    }
}

static void kwp__every_length__there_and_back(void **state)
{
    uint8_t kek[32] = {9}, plain[70];

    (void)state;
    memset(plain, 0x5a, sizeof plain);
    for (size_t n = 1; n <= sizeof plain; n++) {
        CLEANUP(buf_done) struct buf out = buf_init(128);
        CLEANUP(secret_freep) struct secret *open = NULL;
        check_ok(kwp_wrap(view_of(kek, n % 2 ? 16 : 32), view_of(plain, n), &out));
        check_ok(kwp_unwrap(view_of(kek, n % 2 ? 16 : 32), buf_view(&out), &open));
        check_bytes(secret_view(open), view_of(plain, n));
    }
}

static void kwp__wrong_key_bytes_or_sizes__refused(void **state)
{
    CLEANUP(buf_done) struct buf out = buf_init(64), small = buf_init(8);
    uint8_t kek[32] = {1}, other[32] = {2};
    struct secret *open = NULL;

    (void)state;
    check_ok(kwp_wrap(view_of(kek, 32), view_text("key"), &out));
    check_rc(kwp_unwrap(view_of(other, 32), buf_view(&out), &open), AUTH);
    check_rc(kwp_unwrap(view_of(kek, 31), buf_view(&out), &open), USAGE);
    check_rc(kwp_unwrap(view_of(kek, 32), view_of(out.bytes, 8), &open), AUTH);
    check_rc(kwp_unwrap(view_of(kek, 32), view_of(out.bytes, 15), &open), AUTH);
    out.bytes[3] ^= 1;
    check_rc(kwp_unwrap(view_of(kek, 32), buf_view(&out), &open), AUTH);
    assert_null(open);
    check_rc(kwp_wrap(view_of(kek, 32), view_text(""), &out), LIMIT);
    check_rc(kwp_wrap(view_of(kek, 32), view_text("key"), &small), LIMIT);
    assert_int_equal(small.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys__there_and_back__the_same_key),
        cmocka_unit_test(from_pem__both_private_forms__read),
        cmocka_unit_test(from_pem__other_keys__refused),
        cmocka_unit_test(from_bytes__nonsense__refused),
        cmocka_unit_test(private_uses__public_key__refused),
        cmocka_unit_test(oaep__with_the_openssl_command__both_ways),
        cmocka_unit_test(oaep__wrong_hash_key_or_bytes__auth),
        cmocka_unit_test(rs256__with_the_openssl_command__the_same_signature),
        cmocka_unit_test(rs256__other_text_or_bytes__auth),
        cmocka_unit_test(kwp__vectors_of_the_rfc__as_published),
        cmocka_unit_test(kwp__every_length__there_and_back),
        cmocka_unit_test(kwp__wrong_key_bytes_or_sizes__refused),
    };

    return cmocka_run_group_tests(tests, one_key, drop_key);
}
