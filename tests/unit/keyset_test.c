/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a keyset gives the keys that were wrapped and no others: wrong store key, swapped, changed
 * and destroyed data keys, another volume.
 */
#include "key/local_key.h"
#include "key_stub.h"

static const char *const one_uri[] = {"a"};

struct world {
    struct stub_service service;
    struct keyring *k;
    struct keyset *keys;
};

static int begin(void **state)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    stub_init(&w.service);
    check_ok(secret_init());
    check_ok(stub_keyring(&w.service, one_uri, 1, &w.k, &w.keys));
    *state = &w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;

    keyset_free(w->keys);
    keyring_free(w->k);
    return 0;
}

/* Opens w->k once more with the store key of w->keys. */
static ks_rc reopen(struct world *w, struct keyset **ret)
{
    CLEANUP(secret_freep) struct secret *store_key = NULL;

    TRY(secret_copy(keyset_store_key(w->keys), &store_key));
    ks_rc rc = keyset_open(w->k, &store_key, ret);
    assert_int_equal(store_key == NULL, ks_ok(rc)); /* taken over on success only */
    return rc;
}

/* Adds a generation with the key 7, 7, 7, ... */
static void add_generation(struct world *w)
{
    uint8_t key[DATA_KEY_BYTES];
    struct keyring_data_key *d;

    memset(key, 7, sizeof key);
    check_ok(keyring_add_data_key(w->k, &d));
    check_ok(local_key_seal_data(w->k, keyset_store_key(w->keys), view_of(key, sizeof key),
                                 random_system(), d));
}

static void open__gives_every_generation(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    uint8_t seven[DATA_KEY_BYTES];

    memset(seven, 7, sizeof seven);
    add_generation(w);
    check_ok(reopen(w, &keys));
    assert_int_equal(keyset_newest(keys), 2);
    check_bytes(keyset_data_key(keys, 2), view_of(seven, sizeof seven));
    check_bytes(keyset_data_key(keys, 1), keyset_data_key(w->keys, 1));
    check_bytes(keyset_name_key(keys), keyset_name_key(w->keys));
    assert_int_equal(keyset_name_key(keys).len, NAME_KEY_BYTES);
    assert_int_equal(keyset_data_key(keys, 0).len, 0);
    assert_int_equal(keyset_data_key(keys, 3).len, 0);
}

static void open__destroyed_generation__is_left_out(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    add_generation(w);
    add_generation(w);
    w->k->data_keys[1].state = DATA_KEY_DESTROYED;
    memset(w->k->data_keys[1].wrapped, 0, sizeof w->k->data_keys[1].wrapped);
    check_ok(reopen(w, &keys));
    assert_int_equal(keyset_data_key(keys, 1).len, DATA_KEY_BYTES);
    assert_int_equal(keyset_data_key(keys, 2).len, 0);
    assert_int_equal(keyset_data_key(keys, 3).len, DATA_KEY_BYTES);
}

static void has_all_of__a_generation_more_or_less__is_told(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *two = NULL, *reduced = NULL;

    add_generation(w);
    check_ok(reopen(w, &two));
    w->k->data_keys[0].state = DATA_KEY_DESTROYED;
    memset(w->k->data_keys[0].wrapped, 0, sizeof w->k->data_keys[0].wrapped);
    check_ok(reopen(w, &reduced));
    assert_true(keyset_has_all_of(two, two));
    assert_true(keyset_has_all_of(two, w->keys));
    assert_true(keyset_has_all_of(two, reduced));
    assert_false(keyset_has_all_of(w->keys, two));
    assert_false(keyset_has_all_of(reduced, two));
}

static void open__another_store_key__is_wrong_key(void **state)
{
    struct world *w = *state;
    CLEANUP(secret_freep) struct secret *wrong = NULL;
    CLEANUP(secret_freep) struct secret *short_one = NULL;
    struct keyset *keys = NULL;

    check_ok(secret_new(STORE_KEY_BYTES, &wrong));
    check_rc(keyset_open(w->k, &wrong, &keys), WRONG_KEY);
    assert_non_null(wrong);
    check_ok(secret_new(16, &short_one));
    check_rc(keyset_open(w->k, &short_one, &keys), WRONG_KEY);
    assert_null(keys);
}

static void open__changed_data_key__names_the_generation(void **state)
{
    struct world *w = *state;
    struct keyset *keys = NULL;

    w->k->data_keys[0].wrapped[KEYWRAP_OVERHEAD] ^= 1;
    ks_rc rc = reopen(w, &keys);
    check_rc(rc, AUTH);
    check_text(rc, "generation 1");
    w->k->data_keys[0].wrapped[KEYWRAP_OVERHEAD] ^= 1;
    w->k->data_keys[0].wrapped[0] ^= 1;
    check_rc(reopen(w, &keys), WRONG_KEY);
}

static void open__swapped_generations__is_auth(void **state)
{
    struct world *w = *state;
    struct keyset *keys = NULL;
    uint8_t wrapped[sizeof w->k->data_keys[0].wrapped];

    add_generation(w);
    memcpy(wrapped, w->k->data_keys[0].wrapped, sizeof wrapped);
    memcpy(w->k->data_keys[0].wrapped, w->k->data_keys[1].wrapped, sizeof wrapped);
    memcpy(w->k->data_keys[1].wrapped, wrapped, sizeof wrapped);
    check_rc(reopen(w, &keys), AUTH);
}

static void open__changed_name_key__is_auth(void **state)
{
    struct world *w = *state;
    struct keyset *keys = NULL;

    w->k->name_key[sizeof w->k->name_key - 1] ^= 1;
    ks_rc rc = reopen(w, &keys);
    check_rc(rc, AUTH);
    check_text(rc, "name key");
}

static void open__keyring_of_another_volume__is_wrong_key(void **state)
{
    struct world *w = *state;
    struct keyset *keys = NULL;

    w->k->volume_id[3] ^= 1;
    check_rc(reopen(w, &keys), WRONG_KEY);
}

static void mac_key__depends_on_the_store_key_alone(void **state)
{
    struct world *w = *state;
    CLEANUP(secret_freep) struct secret *a = NULL;
    CLEANUP(secret_freep) struct secret *b = NULL;
    CLEANUP(secret_freep) struct secret *c = NULL;
    static const uint8_t other[STORE_KEY_BYTES] = {1};

    check_ok(keyset_mac_key(w->keys, &a));
    check_ok(keyring_mac_key(keyset_store_key(w->keys), &b));
    check_ok(keyring_mac_key(view_of(other, sizeof other), &c));
    assert_true(secret_is_equal(secret_view(a), secret_view(b)));
    assert_false(secret_is_equal(secret_view(a), secret_view(c)));
    assert_false(secret_is_equal(secret_view(a), keyset_store_key(w->keys)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open__gives_every_generation),
        TEST(open__destroyed_generation__is_left_out),
        TEST(has_all_of__a_generation_more_or_less__is_told),
        TEST(open__another_store_key__is_wrong_key),
        TEST(open__changed_data_key__names_the_generation),
        TEST(open__swapped_generations__is_auth),
        TEST(open__changed_name_key__is_auth),
        TEST(open__keyring_of_another_volume__is_wrong_key),
        TEST(mac_key__depends_on_the_store_key_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
