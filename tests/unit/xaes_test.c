/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: XAES-256-GCM gives the published results, refuses everything that was changed
 * without giving out a byte of it, never mixes up keys that share a context, and leaves no key
 * behind in memory.
 */
#include "crypto/xaes.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/secret.h"
#include "check.h"

static const uint8_t NONCE[XAES_NONCE_BYTES + 1] = "ABCDEFGHIJKLMNOPQRSTUVWX";

struct fixture {
    struct xaes_ctx *ctx;
    struct xaes_key key;
};

static int setup(void **state)
{
    static struct fixture f;
    uint8_t bytes[XAES_KEY_BYTES];

    memset(bytes, 7, sizeof bytes);
    check_ok(secret_init());
    check_ok(xaes_ctx_new(&f.ctx));
    check_ok(xaes_key_init(&f.key, f.ctx, view_of(bytes, sizeof bytes)));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    xaes_ctx_free(((struct fixture *)*state)->ctx);
    return 0;
}

static void check_vector(struct xaes_ctx *c, int key_byte, const char *aad, const char *want)
{
    struct hex wanted = hex(want);
    uint8_t bytes[XAES_KEY_BYTES], out[12 + XAES_TAG_BYTES], pt[12];
    struct xaes_key key;

    memset(bytes, key_byte, sizeof bytes);
    check_ok(xaes_key_init(&key, c, view_of(bytes, sizeof bytes)));
    check_ok(xaes_seal(c, &key, NONCE, view_text(aad), view_text("XAES-256-GCM"), out, out + 12));
    check_bytes(view_of(out, sizeof out), hex_view(&wanted));
    check_ok(xaes_open(c, &key, NONCE, view_text(aad), view_of(out, 12), out + 12, pt));
    check_bytes(view_of(pt, sizeof pt), view_text("XAES-256-GCM"));
}

/* The two vectors of the specification: the top bit of AES(0) is 0 for the first key, 1 for the
 * second, so that both ways through the doubling are taken. */
static void seal__published_vectors__same_bytes(void **state)
{
    struct fixture *f = *state;

    check_vector(f->ctx, 1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    check_vector(f->ctx, 3, "c2sp.org/XAES-256-GCM",
                 "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

static struct view stream_take(struct view *stream, size_t n)
{
    struct view v = view_of(stream->bytes, n);

    assert_true(n <= stream->len);
    *stream = view_of(stream->bytes + n, stream->len - n);
    return v;
}

static void accumulate_one(struct xaes_ctx *c, struct view *stream, EVP_MD_CTX *digest)
{
    uint8_t out[255 + XAES_TAG_BYTES], back[255];
    struct xaes_key key;

    check_ok(xaes_key_init(&key, c, stream_take(stream, XAES_KEY_BYTES)));
    const uint8_t *nonce = stream_take(stream, XAES_NONCE_BYTES).bytes;
    struct view pt = stream_take(stream, stream_take(stream, 1).bytes[0]);
    struct view aad = stream_take(stream, stream_take(stream, 1).bytes[0]);
    check_ok(xaes_seal(c, &key, nonce, aad, pt, out, out + pt.len));
    assert_int_equal(EVP_DigestUpdate(digest, out, pt.len + XAES_TAG_BYTES), 1);
    check_ok(xaes_open(c, &key, nonce, aad, view_of(out, pt.len), out + pt.len, back));
    check_bytes(view_of(back, pt.len), pt);
}

/* The accumulated test of the specification: inputs from SHAKE128, outputs into SHAKE128. */
static void seal__ten_thousand_random_inputs__published_digest(void **state)
{
    enum { ROUNDS = 10000, STREAM = ROUNDS * (32 + 24 + 2 * 256) };
    struct hex want = hex("e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
    EVP_MD_CTX *in = EVP_MD_CTX_new(), *out = EVP_MD_CTX_new();
    uint8_t *bytes, got[32];

    check_ok(mem_new(STREAM, 1, &bytes));
    assert_int_equal(EVP_DigestInit_ex(in, EVP_shake128(), NULL), 1);
    assert_int_equal(EVP_DigestInit_ex(out, EVP_shake128(), NULL), 1);
    assert_int_equal(EVP_DigestFinalXOF(in, bytes, STREAM), 1);
    struct view stream = view_of(bytes, STREAM);
    for (int i = 0; i < ROUNDS; i++)
        accumulate_one(((struct fixture *)*state)->ctx, &stream, out);
    assert_int_equal(EVP_DigestFinalXOF(out, got, sizeof got), 1);
    check_bytes(view_of(got, sizeof got), hex_view(&want));
    EVP_MD_CTX_free(in);
    EVP_MD_CTX_free(out);
    mem_free(bytes);
}

static void open__any_bit_flipped__auth_and_zeros(void **state)
{
    struct fixture *f = *state;
    uint8_t ct[20], tag[XAES_TAG_BYTES], nonce[XAES_NONCE_BYTES], aad[5] = "abcd", pt[20];
    const struct {
        uint8_t *bytes;
        size_t len;
    } parts[] = {{ct, sizeof ct}, {tag, sizeof tag}, {nonce, sizeof nonce}, {aad, sizeof aad}};

    memcpy(nonce, NONCE, sizeof nonce);
    check_ok(xaes_seal(f->ctx, &f->key, nonce, view_of(aad, 5), view_text("01234567890123456789"),
                       ct, tag));
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        for (size_t bit = 0; bit < 8 * parts[p].len; bit++) {
            parts[p].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            memset(pt, 0xee, sizeof pt);
            check_rc(xaes_open(f->ctx, &f->key, nonce, view_of(aad, 5), view_of(ct, 20), tag, pt),
                     AUTH);
            assert_true(mem_is_zero(pt, sizeof pt));
            parts[p].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    check_ok(xaes_open(f->ctx, &f->key, nonce, view_of(aad, 5), view_of(ct, 20), tag, pt));
}

static void open__in_place__works_and_is_zeroed_on_failure(void **state)
{
    struct fixture *f = *state;
    uint8_t block[3584], tag[XAES_TAG_BYTES];

    memset(block, 'x', sizeof block);
    struct view b = view_of(block, sizeof block), none = view_of(NULL, 0);
    check_ok(xaes_seal(f->ctx, &f->key, NONCE, none, b, block, tag));
    assert_false(block[0] == 'x' && block[1] == 'x' && block[2] == 'x');
    check_ok(xaes_open(f->ctx, &f->key, NONCE, none, b, tag, block));
    assert_true(block[0] == 'x' && memcmp(block, block + 1, sizeof block - 1) == 0);
    check_rc(xaes_open(f->ctx, &f->key, NONCE, none, b, tag, block), AUTH);
    assert_true(mem_is_zero(block, sizeof block));
}

static void open__empty_message__is_authenticated_too(void **state)
{
    struct fixture *f = *state;
    uint8_t tag[XAES_TAG_BYTES], out[1];
    struct view none = view_of(NULL, 0);

    check_ok(xaes_seal(f->ctx, &f->key, NONCE, none, none, out, tag));
    check_ok(xaes_open(f->ctx, &f->key, NONCE, none, none, tag, out));
    check_rc(xaes_open(f->ctx, &f->key, NONCE, view_text("x"), none, tag, out), AUTH);
}

/* A context remembers the key of its last call; two keys taken in turn must not be mixed up. */
static void seal__keys_in_turn__each_opens_its_own(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[XAES_KEY_BYTES] = {9}, ct[2][4], tag[2][XAES_TAG_BYTES], pt[4];
    struct xaes_key keys[2] = {f->key};

    check_ok(xaes_key_init(&keys[1], f->ctx, view_of(bytes, sizeof bytes)));
    for (int i = 0; i < 2; i++)
        check_ok(
            xaes_seal(f->ctx, &keys[i], NONCE, view_of(NULL, 0), view_text("data"), ct[i], tag[i]));
    assert_memory_not_equal(ct[0], ct[1], 4);
    for (int i = 0; i < 4; i++) {
        struct view c = view_of(ct[i % 2], 4);
        check_ok(xaes_open(f->ctx, &keys[i % 2], NONCE, view_of(NULL, 0), c, tag[i % 2], pt));
        check_rc(xaes_open(f->ctx, &keys[1 - i % 2], NONCE, view_of(NULL, 0), c, tag[i % 2], pt),
                 AUTH);
    }
}

static void key_init__wrong_length__bug_and_key_untouched(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[16] = {1};
    struct xaes_key before = f->key;

    check_rc(xaes_key_init(&f->key, f->ctx, view_of(bytes, sizeof bytes)), BUG);
    assert_memory_equal(&before, &f->key, sizeof before);
}

static void key_init__same_bytes_twice__different_serials(void **state)
{
    struct fixture *f = *state;
    struct xaes_key other;

    check_ok(xaes_key_init(&other, f->ctx, view_of(f->key.key, XAES_KEY_BYTES)));
    assert_true(other.serial != 0 && other.serial != f->key.serial);
}

static void ctx_free__null__nothing(void **state)
{
    (void)state;
    xaes_ctx_free(NULL);
}

/* How often the 32 bytes masked ^ 0xa5 stand in a piece of memory. The key itself is never written
 * down here, or the search would find itself. */
static size_t count_in(const uint8_t *bytes, size_t len, const uint8_t masked[XAES_KEY_BYTES])
{
    size_t found = 0;

    for (size_t at = 0; at + XAES_KEY_BYTES <= len; at++) {
        size_t same = 0;
        while (same < XAES_KEY_BYTES && bytes[at + same] == (uint8_t)(masked[same] ^ 0xa5))
            same++;
        found += same == XAES_KEY_BYTES;
    }
    return found;
}

/* Writable memory of this process but for the giant reservations of sanitizers. */
static size_t count_in_memory(const uint8_t *masked)
{
    enum { REGION_MAX = 256 << 20, PART = 64 * 1024 };
    static uint8_t part[PART];
    FILE *maps = fopen("/proc/self/maps", "r");
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    unsigned long from, to;
    size_t found = 0;
    char line[512], mode[8];

    assert_non_null(maps);
    assert_true(fd >= 0);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' ||
            to - from > REGION_MAX)
            continue;
        for (unsigned long at = from; at < to; at += PART - XAES_KEY_BYTES) {
            size_t want = to - at < PART ? to - at : PART;
            ssize_t n = pread(fd, part, want, (off_t)at);
            if (n > 0)
                found += count_in(part, (size_t)n, masked);
            mem_wipe(part, sizeof part);
        }
    }
    fclose(maps);
    close(fd);
    return found;
}

static void use_key_once(struct xaes_ctx *c, const uint8_t *masked)
{
    uint8_t bytes[XAES_KEY_BYTES], ct[64], tag[XAES_TAG_BYTES];
    struct xaes_key key;

    for (int i = 0; i < XAES_KEY_BYTES; i++)
        bytes[i] = masked[i] ^ 0xa5;
    check_ok(xaes_key_init(&key, c, view_of(bytes, sizeof bytes)));
    memset(ct, 0, sizeof ct);
    check_ok(xaes_seal(c, &key, NONCE, view_of(NULL, 0), view_of(ct, sizeof ct), ct, tag));
    check_ok(xaes_open(c, &key, NONCE, view_of(NULL, 0), view_of(ct, sizeof ct), tag, ct));
    mem_wipe(&key, sizeof key);
    mem_wipe(bytes, sizeof bytes);
}

static void ctx_free__after_use__no_key_left_in_memory(void **state)
{
    struct xaes_ctx *c;
    uint8_t masked[XAES_KEY_BYTES];

    (void)state;
    check_ok(random_fill(random_system(), masked, sizeof masked));
    check_ok(xaes_ctx_new(&c));
    use_key_once(c, masked);
    /* An AES schedule begins with the key, so the search must find it while the context lives. */
    assert_true(count_in_memory(masked) > 0);
    xaes_ctx_free(c);
    assert_int_equal(count_in_memory(masked), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seal__published_vectors__same_bytes),
        cmocka_unit_test(seal__ten_thousand_random_inputs__published_digest),
        cmocka_unit_test(open__any_bit_flipped__auth_and_zeros),
        cmocka_unit_test(open__in_place__works_and_is_zeroed_on_failure),
        cmocka_unit_test(open__empty_message__is_authenticated_too),
        cmocka_unit_test(seal__keys_in_turn__each_opens_its_own),
        cmocka_unit_test(key_init__wrong_length__bug_and_key_untouched),
        cmocka_unit_test(key_init__same_bytes_twice__different_serials),
        cmocka_unit_test(ctx_free__null__nothing),
        cmocka_unit_test(ctx_free__after_use__no_key_left_in_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
