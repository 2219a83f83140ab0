/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a stretched key is found under its own salt and cost and under no others, the oldest makes room,
 * but not for one that there is no memory for, and threads that use one set of keys never get bytes of two.
 */
#include "kms/stretched.h"

#include <pthread.h>
#include <string.h>

#include "check.h"

enum { KEY_BYTES = 32, THREADS = 4, ROUNDS = 2000 };

static const struct pwhash_cost cost = {3, 1 << 20};

static bool has_no_memory;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
ks_rc __real_secret_copy(struct view v, struct secret **ret);
ks_rc __wrap_secret_copy(struct view v, struct secret **ret);
/* NOLINTEND(bugprone-reserved-identifier) */

ks_rc __wrap_secret_copy(struct view v, struct secret **ret)
{
    return has_no_memory ? ks_fail(KS_E_MEMLOCK, "as told") : __real_secret_copy(v, ret);
}

struct salt {
    uint8_t bytes[PWHASH_SALT_BYTES];
};

static struct salt salt_of(uint8_t n)
{
    struct salt s = {{n, 1, 2, 3}};

    return s;
}

static int begin(void **state)
{
    struct stretched *s;

    check_ok(secret_init());
    check_ok(stretched_new(&s));
    has_no_memory = false;
    *state = s;
    return 0;
}

static int end(void **state)
{
    stretched_free(*state);
    return 0;
}

static void fill(struct secret *key, uint8_t byte)
{
    memset(secret_bytes(key), byte, secret_view(key).len);
}

static void keep(struct stretched *s, uint8_t salt, struct pwhash_cost with, uint8_t byte)
{
    CLEANUP(secret_freep) struct secret *key = NULL;

    check_ok(secret_new(KEY_BYTES, &key));
    fill(key, byte);
    check_ok(stretched_keep(s, salt_of(salt).bytes, with, key));
}

/* The byte that the key found consists of; -1: there is none, and nothing was written. */
static int find(struct stretched *s, uint8_t salt, struct pwhash_cost with)
{
    CLEANUP(secret_freep) struct secret *key = NULL;
    const uint8_t untouched = 0xee;

    check_ok(secret_new(KEY_BYTES, &key));
    fill(key, untouched);
    bool is_found = stretched_find(s, salt_of(salt).bytes, with, key);
    const uint8_t *bytes = secret_view(key).bytes;
    for (size_t i = 1; i < KEY_BYTES; i++)
        assert_int_equal(bytes[i], bytes[0]);
    assert_int_equal(is_found, bytes[0] != untouched);
    return is_found ? bytes[0] : -1;
}

static void find__same_salt_and_cost__the_key(void **state)
{
    struct stretched *s = *state;

    assert_int_equal(find(s, 1, cost), -1);
    keep(s, 1, cost, 11);
    keep(s, 2, cost, 22);
    assert_int_equal(find(s, 1, cost), 11);
    assert_int_equal(find(s, 2, cost), 22);
}

static void find__other_salt_or_cost__nothing(void **state)
{
    struct stretched *s = *state;

    keep(s, 1, cost, 11);
    assert_int_equal(find(s, 2, cost), -1);
    assert_int_equal(find(s, 1, (struct pwhash_cost){cost.ops + 1, cost.mem_bytes}), -1);
    assert_int_equal(find(s, 1, (struct pwhash_cost){cost.ops, cost.mem_bytes + 1}), -1);
}

static void find__other_salt_in_one_byte__nothing(void **state)
{
    struct stretched *s = *state;
    struct salt salt = salt_of(1);
    CLEANUP(secret_freep) struct secret *key = NULL;

    check_ok(secret_new(KEY_BYTES, &key));
    check_ok(stretched_keep(s, salt.bytes, cost, key));
    for (size_t i = 0; i < sizeof salt.bytes; i++) {
        salt.bytes[i] ^= 1;
        assert_false(stretched_find(s, salt.bytes, cost, key));
        salt.bytes[i] ^= 1;
    }
    assert_true(stretched_find(s, salt.bytes, cost, key));
}

static void find__key_of_another_length__nothing(void **state)
{
    struct stretched *s = *state;
    CLEANUP(secret_freep) struct secret *key = NULL;

    keep(s, 1, cost, 11);
    check_ok(secret_new(KEY_BYTES - 1, &key));
    assert_false(stretched_find(s, salt_of(1).bytes, cost, key));
    assert_int_equal(secret_view(key).bytes[0], 0);
}

static void keep__more_than_there_is_room_for__the_oldest_goes(void **state)
{
    struct stretched *s = *state;

    for (uint8_t n = 0; n <= STRETCHED_MAX; n++)
        keep(s, n, cost, n + 1);
    assert_int_equal(find(s, 0, cost), -1);
    for (uint8_t n = 1; n <= STRETCHED_MAX; n++)
        assert_int_equal(find(s, n, cost), n + 1);
}

static void keep__what_is_there__takes_no_room(void **state)
{
    struct stretched *s = *state;

    for (uint8_t n = 0; n < STRETCHED_MAX; n++)
        keep(s, n, cost, n + 1);
    keep(s, 5, cost, 6);
    for (uint8_t n = 0; n < STRETCHED_MAX; n++)
        assert_int_equal(find(s, n, cost), n + 1);
}

static void keep__no_memory__those_kept_before_stay(void **state)
{
    struct stretched *s = *state;
    CLEANUP(secret_freep) struct secret *key = NULL;

    for (uint8_t n = 0; n < STRETCHED_MAX; n++)
        keep(s, n, cost, n + 1);
    check_ok(secret_new(KEY_BYTES, &key));
    has_no_memory = true;
    check_rc(stretched_keep(s, salt_of(100).bytes, cost, key), MEMLOCK);
    assert_int_equal(find(s, 100, cost), -1);
    for (uint8_t n = 0; n < STRETCHED_MAX; n++)
        assert_int_equal(find(s, n, cost), n + 1);
    has_no_memory = false;
    keep(s, 100, cost, 101);
    assert_int_equal(find(s, 100, cost), 101);
    assert_int_equal(find(s, 0, cost), -1);
}

static void nothing_to_keep_in__nothing_is_kept(void **state)
{
    (void)state;
    keep(NULL, 1, cost, 11);
    assert_int_equal(find(NULL, 1, cost), -1);
    stretched_free(NULL);
}

/* find asserts that a key is of one piece, while places are taken again all the time. */
static void *keep_and_find(void *arg)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t n = (uint8_t)(round % (3 * STRETCHED_MAX));

        keep(arg, n, cost, n + 1);
        int found = find(arg, n, cost);
        assert_true(found == n + 1 || found == -1);
    }
    return NULL;
}

static void threads__side_by_side__whole_keys(void **state)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_and_find, *state), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    keep(*state, 200, cost, 201);
    assert_int_equal(find(*state, 200, cost), 201);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(find__same_salt_and_cost__the_key),
        TEST(find__other_salt_or_cost__nothing),
        TEST(find__other_salt_in_one_byte__nothing),
        TEST(find__key_of_another_length__nothing),
        TEST(keep__more_than_there_is_room_for__the_oldest_goes),
        TEST(keep__what_is_there__takes_no_room),
        TEST(keep__no_memory__those_kept_before_stay),
        TEST(nothing_to_keep_in__nothing_is_kept),
        TEST(threads__side_by_side__whole_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
