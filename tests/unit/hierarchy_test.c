/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any one active wrap opens the volume and no retired one does; what is told when none opens is
 * what revocation stands on; each rotation changes what it says, keeps every data key, and leaves
 * everything as it was when the key service fails in the middle.
 */
#include "key_stub.h"

static const char *const two_uris[] = {"a", "b"};

struct world {
    struct test_dir dir;
    struct stub_service service;
    struct clock_manual clock;
    struct hierarchy h;
    struct keyset *keys;
};

static int begin(void **state)
{
    static struct world w;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(secret_freep) struct secret *mac_key = NULL;

    memset(&w, 0, sizeof w);
    stub_init(&w.service);
    check_ok(secret_init());
    dir_begin(&w.dir);
    clock_manual_init(&w.clock, 5000, 1900000000);
    check_ok(stub_keyring(&w.service, two_uris, 2, &k, &w.keys));
    check_ok(keyset_mac_key(w.keys, &mac_key));
    w.h = (struct hierarchy){
        .service = &w.service.service, .clock = &w.clock.clock, .random = random_system()};
    check_ok(keyring_file_create(w.dir.io, w.dir.node, k, secret_view(mac_key), &w.h.file));
    *state = &w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;

    keyring_file_close(w->h.file);
    keyset_free(w->keys);
    dir_end(&w->dir);
    return 0;
}

static const struct keyring *current(const struct world *w)
{
    return keyring_file_current(w->h.file);
}

static void reread(struct world *w)
{
    keyring_file_close(w->h.file);
    w->h.file = NULL;
    check_ok(keyring_file_open(w->dir.io, w->dir.node, true, &w->h.file));
}

static void check_keys_survived(const struct world *w, const struct keyset *keys)
{
    check_bytes(keyset_data_key(keys, 1), keyset_data_key(w->keys, 1));
    check_bytes(keyset_name_key(keys), keyset_name_key(w->keys));
}

/* The volume opens from the disk, with the data keys it had at first. */
static void check_opens(struct world *w)
{
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    reread(w);
    check_ok(hierarchy_open(&w->h, &keys));
    check_keys_survived(w, keys);
}

static void open__any_one_wrap__is_enough(void **state)
{
    struct world *w = *state;

    check_opens(w);
    stub_answer(&w->service, "a", KS_E_KEY_DISABLED);
    check_opens(w);
    stub_answer(&w->service, "a", KS_E_OK);
    stub_answer(&w->service, "b", KS_E_UNREACHABLE);
    check_opens(w);
}

static const struct {
    enum ks_code a, b;
    enum ks_class told;
} answers[] = {
    {KS_E_DENIED, KS_E_KEY_DISABLED, KS_CLASS_DENIED},
    {KS_E_KEY_DESTROYED, KS_E_KEY_DESTROYED, KS_CLASS_DENIED},
    {KS_E_DENIED, KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE},
    {KS_E_TIMEOUT, KS_E_DENIED, KS_CLASS_UNREACHABLE},
    {KS_E_CREDENTIAL, KS_E_WRONG_KEY, KS_CLASS_UNREACHABLE},
    {KS_E_DENIED, KS_E_AUTH, KS_CLASS_DENIED},
    {KS_E_AUTH, KS_E_DENIED, KS_CLASS_DENIED},
    {KS_E_AUTH, KS_E_WRONG_KEY, KS_CLASS_CORRUPT},
    {KS_E_USAGE, KS_E_AUTH, KS_CLASS_CORRUPT},
    {KS_E_DENIED, KS_E_NO_MEMORY, KS_CLASS_LIMIT},
    {KS_E_IO, KS_E_DENIED, KS_CLASS_IO},
    {KS_E_MEMLOCK, KS_E_UNREACHABLE, KS_CLASS_UNREACHABLE},
};

static void open_and_probe__none_opens__tell_the_most_hopeful_class(void **state)
{
    struct world *w = *state;
    struct keyset *keys = NULL;
    uint32_t id = 77;

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        stub_answer(&w->service, "a", answers[i].a);
        stub_answer(&w->service, "b", answers[i].b);
        ks_rc rc = hierarchy_open(&w->h, &keys);
        assert_int_equal(rc.cls, answers[i].told);
        check_text(rc, "wrap 1: stub says a; wrap 2: stub says b");
        assert_int_equal(hierarchy_probe(current(w), w->h.service, &id).cls, answers[i].told);
    }
    assert_null(keys);
    assert_int_equal(id, 77);
}

static void probe__unwraps_a_canary_really(void **state)
{
    struct world *w = *state;
    unsigned before = w->service.unwraps;
    uint32_t id = 0;

    check_ok(hierarchy_probe(current(w), w->h.service, &id));
    assert_int_equal(id, 1);
    assert_int_equal(w->service.unwraps, before + 1);
    stub_answer(&w->service, "a", KS_E_KEY_DISABLED);
    check_ok(hierarchy_probe(current(w), w->h.service, &id));
    assert_int_equal(id, 2);
}

static void probe__service_gives_other_bytes__is_wrong_key(void **state)
{
    struct world *w = *state;
    uint32_t id = 0;

    w->service.keys[0].lies = w->service.keys[1].lies = 1;
    check_rc(hierarchy_probe(current(w), w->h.service, &id), WRONG_KEY);
}

static void open__service_gives_another_store_key__is_wrong_key(void **state)
{
    struct world *w = *state;
    struct keyset *keys = NULL;

    w->service.keys[0].lies = w->service.keys[1].lies = 1;
    check_rc(hierarchy_open(&w->h, &keys), WRONG_KEY);
    assert_null(keys);
}

static void open__wrap_of_another_volume__does_not_open(void **state)
{
    struct world *w = *state;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    uint32_t id = 0;

    check_ok(keyring_copy(current(w), &k));
    k->volume_id[0] ^= 1; /* the same wraps in a keyring of another volume */
    check_class(hierarchy_probe(k, w->h.service, &id), CORRUPT);
}

/* The newest copy whole but with wraps that do not open: the older one is used, and mends it. */
static void open__newest_copy_is_garbage_with_a_right_sum__falls_back(void **state)
{
    struct world *w = *state;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    static const uint8_t forger[32] = {1};

    check_ok(keyring_copy(current(w), &k));
    k->sequence = 50;
    k->wraps[0].blob[40] ^= 1;
    k->wraps[1].blob[40] ^= 1;
    check_ok(keyring_write(k, view_of(forger, 32), &b));
    file_put(&w->dir, "keyring.0", buf_view(&b));
    check_opens(w);
    reread(w);
    assert_int_equal(current(w)->sequence, 1);
}

static void open__both_copies_garbage__tells_about_the_newest(void **state)
{
    struct world *w = *state;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    static const uint8_t forger[32] = {1};
    struct keyset *keys = NULL;

    check_ok(keyring_copy(current(w), &k));
    for (int i = 0; i < 2; i++) {
        CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);

        k->sequence = 50 + (uint64_t)i;
        check_ok(keyring_write(k, view_of(forger, 32), &b));
        file_put(&w->dir, i ? "keyring.1" : "keyring.0", buf_view(&b));
    }
    reread(w);
    check_rc(hierarchy_open(&w->h, &keys), AUTH);
    assert_int_equal(current(w)->sequence, 51);
    assert_null(keys);
}

/* --- a keyring that was put back --- */

static const char *const copy_names[] = {"keyring.0", "keyring.1"};

/* Puts the bytes of an earlier time in place of both copies. */
static void put_back(struct world *w, const struct buf *earlier)
{
    for (size_t i = 0; i < 2; i++)
        file_put(&w->dir, copy_names[i], buf_view(earlier));
    reread(w);
}

static void open__at_or_above_the_minimum__opens(void **state)
{
    struct world *w = *state;

    check_ok(hierarchy_remove_wrap(&w->h, w->keys, 2));
    for (w->h.sequence_min = 0; w->h.sequence_min <= 2; w->h.sequence_min++)
        check_opens(w);
}

static void open__below_the_minimum__is_rolled_back_and_asks_nobody(void **state)
{
    struct world *w = *state;
    CLEANUP(buf_done) struct buf earlier = buf_init(KEYRING_BYTES_MAX);
    struct keyset *keys = NULL;

    file_get(&w->dir, "keyring.0", &earlier);
    check_ok(hierarchy_remove_wrap(&w->h, w->keys, 2));
    put_back(w, &earlier);
    w->h.sequence_min = 2;
    w->service.unwraps = 0;
    stub_answer(&w->service, "a", KS_E_DENIED);
    ks_rc rc = hierarchy_open(&w->h, &keys);
    check_rc(rc, ROLLED_BACK);
    check_text(rc, "sequence 1, but one with 2");
    assert_int_equal(w->service.unwraps, 0);
    assert_null(keys);
    stub_answer(&w->service, "a", KS_E_OK);
    w->h.sequence_min = 1; /* accepted */
    check_opens(w);
}

/* A number that no key vouches for is worth nothing: neither with wraps that open nor with others. */
static void open__forged_high_sequence_beside_an_old_copy__is_rolled_back(void **state)
{
    struct world *w = *state;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    static const uint8_t forger[32] = {1};
    struct keyset *keys = NULL;

    check_ok(keyring_copy(current(w), &k));
    k->sequence = UINT64_MAX;
    w->h.sequence_min = 7;
    for (int i = 0; i < 2; i++) {
        CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);

        check_ok(keyring_write(k, view_of(forger, 32), &b));
        file_put(&w->dir, "keyring.0", buf_view(&b));
        reread(w);
        check_rc(hierarchy_open(&w->h, &keys), ROLLED_BACK);
        assert_null(keys);
        k->wraps[0].blob[40] ^= 1;
        k->wraps[1].blob[40] ^= 1;
    }
}

static void rotate_cmek__one_wrap_to_a_new_key__retires_the_old(void **state)
{
    struct world *w = *state;
    struct key_spec c = stub_spec("c");

    check_ok(hierarchy_rotate_cmek(&w->h, w->keys, 1, &c));
    assert_int_equal(current(w)->wraps[0].state, KEYRING_WRAP_RETIRED);
    assert_int_equal(current(w)->wraps[0].retired_s, 1900000000);
    assert_int_equal(current(w)->wraps[0].blob_len, 0);
    assert_string_equal(keyring_find_wrap(current(w), 3)->spec.uri, "c");
    stub_answer(&w->service, "b", KS_E_DENIED);
    check_opens(w);
    stub_answer(&w->service, "c", KS_E_DENIED); /* a is fine, but has no wrap any more */
    struct keyset *keys = NULL;
    check_class(hierarchy_open(&w->h, &keys), DENIED);
}

static void rotate_cmek__all__takes_the_current_versions(void **state)
{
    struct world *w = *state;

    w->service.keys[0].version = w->service.keys[1].version = 4;
    check_ok(hierarchy_rotate_cmek(&w->h, w->keys, 0, NULL));
    assert_int_equal(keyring_active_count(current(w)), 2);
    assert_string_equal(keyring_find_wrap(current(w), 3)->key_version, "v4");
    assert_string_equal(keyring_find_wrap(current(w), 4)->key_version, "v4");
    assert_string_equal(keyring_find_wrap(current(w), 1)->key_version, "v1");
    check_opens(w);
}

static void rotate_cmek__wrong_arguments__are_told(void **state)
{
    struct world *w = *state;
    struct key_spec b = stub_spec("b"), c = stub_spec("c");

    check_rc(hierarchy_rotate_cmek(&w->h, w->keys, 9, NULL), NOT_FOUND);
    check_rc(hierarchy_rotate_cmek(&w->h, w->keys, 0, &c), USAGE);
    check_rc(hierarchy_rotate_cmek(&w->h, w->keys, 1, &b), EXISTS);
    check_ok(hierarchy_rotate_cmek(&w->h, w->keys, 1, NULL));
    check_rc(hierarchy_rotate_cmek(&w->h, w->keys, 1, NULL), STATE);
}

static void rotate_cmek__only_wrap_and_no_number__replaces_it(void **state)
{
    struct world *w = *state;
    struct key_spec c = stub_spec("c");

    check_ok(hierarchy_remove_wrap(&w->h, w->keys, 2));
    check_ok(hierarchy_rotate_cmek(&w->h, w->keys, 0, &c));
    assert_int_equal(keyring_active_count(current(w)), 1);
    check_opens(w);
}

/* Whatever goes wrong at the key service, the keyring on disk is the old one. */
static void check_untouched(struct world *w, uint64_t sequence)
{
    stub_answer(&w->service, "a", KS_E_OK);
    stub_answer(&w->service, "b", KS_E_OK);
    assert_int_equal(current(w)->sequence, sequence);
    check_opens(w);
    assert_int_equal(current(w)->sequence, sequence);
}

static void rotations__service_fails__leave_everything_as_it_was(void **state)
{
    struct world *w = *state;
    struct keyset *keys = NULL;
    struct key_spec d = stub_spec("d");
    uint32_t id = 0;

    stub_answer(&w->service, "b", KS_E_THROTTLED);
    check_rc(hierarchy_rotate_cmek(&w->h, w->keys, 0, NULL), THROTTLED);
    check_untouched(w, 1);
    stub_answer(&w->service, "b", KS_E_UNREACHABLE);
    check_rc(hierarchy_rotate_store(&w->h, w->keys, &keys), UNREACHABLE);
    check_untouched(w, 1);
    stub_answer(&w->service, "d", KS_E_DENIED);
    check_rc(hierarchy_add_wrap(&w->h, w->keys, &d, &id), DENIED);
    check_untouched(w, 1);
    assert_null(keys);
    assert_int_equal(id, 0);
}

static void rotate_cmek__wrap_does_not_open_again__is_not_believed(void **state)
{
    struct world *w = *state;

    w->service.keys[0].lies = 1;
    check_rc(hierarchy_rotate_cmek(&w->h, w->keys, 1, NULL), BAD_REPLY);
    w->service.keys[0].lies = 0;
    w->service.keys[0].has_empty_blob = true;
    check_rc(hierarchy_rotate_cmek(&w->h, w->keys, 1, NULL), BAD_REPLY);
    w->service.keys[0].has_empty_blob = false;
    check_untouched(w, 1);
}

static void rotate_store__new_store_key_old_data_keys(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    check_ok(hierarchy_rotate_store(&w->h, w->keys, &keys));
    assert_int_equal(current(w)->store_key_id, 2);
    assert_int_equal(current(w)->store_key_created_s, 1900000000);
    assert_false(secret_is_equal(keyset_store_key(keys), keyset_store_key(w->keys)));
    assert_int_equal(keyring_active_count(current(w)), 2);
    check_keys_survived(w, keys);
    check_opens(w);
    /* the keys from before would bury the keyring under a MAC that nobody can check */
    check_rc(hierarchy_remove_wrap(&w->h, w->keys, 3), WRONG_KEY);
}

static void rotate_data__new_generation_old_ones_stay(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    check_ok(hierarchy_rotate_data(&w->h, w->keys, &keys));
    assert_int_equal(keyset_newest(keys), 2);
    assert_int_equal(current(w)->data_keys[0].state, DATA_KEY_OLDER);
    assert_int_equal(current(w)->data_keys[0].retired_s, 1900000000);
    assert_int_equal(current(w)->data_keys[1].created_s, 1900000000);
    assert_false(secret_is_equal(keyset_data_key(keys, 1), keyset_data_key(keys, 2)));
    check_keys_survived(w, keys);
    check_opens(w);
}

/* Generations 1, 2 and 3; 3 is the newest. */
static void rotate_data_twice(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        struct keyset *keys;

        check_ok(hierarchy_rotate_data(&w->h, w->keys, &keys));
        keyset_free(w->keys);
        w->keys = keys;
    }
}

static void destroy_data_keys__older_ones__are_gone_for_ever(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyset_freep) struct keyset *reopened = NULL;
    const uint32_t generations[] = {2, 1};

    rotate_data_twice(w);
    uint64_t before = current(w)->sequence;
    w->clock.now_s = 1900000777;
    check_ok(hierarchy_destroy_data_keys(&w->h, w->keys, generations, 2, &keys));
    assert_int_equal(keyset_data_key(keys, 1).len, 0);
    assert_int_equal(keyset_data_key(keys, 2).len, 0);
    check_bytes(keyset_data_key(keys, 3), keyset_data_key(w->keys, 3));
    check_bytes(keyset_name_key(keys), keyset_name_key(w->keys));
    assert_int_equal(current(w)->sequence, before + 1);
    reread(w);
    check_ok(hierarchy_open(&w->h, &reopened));
    for (size_t i = 0; i < 2; i++) {
        const struct keyring_data_key *d = &current(w)->data_keys[i];
        assert_int_equal(d->state, DATA_KEY_DESTROYED);
        assert_int_equal(d->destroyed_s, 1900000777);
        assert_true(mem_is_zero(d->wrapped, sizeof d->wrapped));
    }
    assert_int_equal(keyset_newest(reopened), 3);
    assert_int_equal(keyset_data_key(reopened, 1).len, 0);
}

static void destroy_data_keys__wrong_arguments__change_nothing(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyset_freep) struct keyset *unused = NULL;
    const uint32_t newest[] = {1, 3}, unknown[] = {1, 4}, twice[] = {1, 1}, none = 0, first = 1,
                   second = 2;

    rotate_data_twice(w);
    uint64_t before = current(w)->sequence;
    check_rc(hierarchy_destroy_data_keys(&w->h, w->keys, newest, 2, &unused), STATE);
    check_rc(hierarchy_destroy_data_keys(&w->h, w->keys, unknown, 2, &unused), NOT_FOUND);
    check_rc(hierarchy_destroy_data_keys(&w->h, w->keys, &none, 1, &unused), NOT_FOUND);
    check_rc(hierarchy_destroy_data_keys(&w->h, w->keys, twice, 2, &unused), STATE);
    check_rc(hierarchy_destroy_data_keys(&w->h, w->keys, &first, 0, &unused), USAGE);
    assert_int_equal(current(w)->sequence, before);
    assert_int_equal(current(w)->data_keys[0].state, DATA_KEY_OLDER);
    check_opens(w);
    check_ok(hierarchy_destroy_data_keys(&w->h, w->keys, &second, 1, &keys));
    check_rc(hierarchy_destroy_data_keys(&w->h, keys, &second, 1, &unused), STATE);
    assert_null(unused);
    check_opens(w);
}

static void rotate_store__with_a_destroyed_data_key__keeps_it_destroyed(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyset_freep) struct keyset *newer = NULL;
    const uint32_t second = 2;

    rotate_data_twice(w);
    check_ok(hierarchy_destroy_data_keys(&w->h, w->keys, &second, 1, &keys));
    check_ok(hierarchy_rotate_store(&w->h, keys, &newer));
    assert_int_equal(current(w)->data_keys[1].state, DATA_KEY_DESTROYED);
    assert_int_equal(keyset_data_key(newer, 2).len, 0);
    check_opens(w);
}

static void add_wrap__another_key__opens_alone(void **state)
{
    struct world *w = *state;
    struct key_spec c = stub_spec("c"), a = stub_spec("a");
    uint32_t id = 0;

    check_ok(hierarchy_add_wrap(&w->h, w->keys, &c, &id));
    assert_int_equal(id, 3);
    stub_answer(&w->service, "a", KS_E_KEY_DESTROYED);
    stub_answer(&w->service, "b", KS_E_KEY_DESTROYED);
    check_opens(w);
    check_rc(hierarchy_add_wrap(&w->h, w->keys, &a, &id), EXISTS);
}

static void add_wrap__too_many__is_limit(void **state)
{
    struct world *w = *state;
    uint32_t id;

    for (int i = 2; i < KEYRING_ACTIVE_MAX; i++) {
        char uri[8];
        snprintf(uri, sizeof uri, "x%d", i);
        struct key_spec spec = stub_spec(uri);
        check_ok(hierarchy_add_wrap(&w->h, w->keys, &spec, &id));
    }
    struct key_spec spec = stub_spec("one too many");
    check_rc(hierarchy_add_wrap(&w->h, w->keys, &spec, &id), LIMIT);
    check_ok(hierarchy_rotate_cmek(&w->h, w->keys, 0, NULL)); /* all of them at the limit */
    check_opens(w);
}

static void remove_wrap__last_one__is_refused(void **state)
{
    struct world *w = *state;

    check_rc(hierarchy_remove_wrap(&w->h, w->keys, 5), NOT_FOUND);
    check_ok(hierarchy_remove_wrap(&w->h, w->keys, 1));
    check_rc(hierarchy_remove_wrap(&w->h, w->keys, 1), STATE);
    check_rc(hierarchy_remove_wrap(&w->h, w->keys, 2), STATE);
    check_opens(w);
}

static void set_settings__out_of_range__is_refused(void **state)
{
    struct world *w = *state;
    struct keyring_settings s = current(w)->settings;

    s.grace_ms = 5;
    check_ok(hierarchy_set_settings(&w->h, w->keys, &s));
    s.probe_ms = 1;
    check_rc(hierarchy_set_settings(&w->h, w->keys, &s), USAGE);
    check_opens(w);
    assert_int_equal(current(w)->settings.grace_ms, 5);
    assert_int_equal(current(w)->settings.probe_ms, 15000);
}

static void build__bad_lists_of_keys__are_refused(void **state)
{
    static const char *const twice[] = {"a", "b", "a"};
    static const char *const nine[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
    struct world *w = *state;
    struct keyring *k = NULL;
    struct keyset *keys = NULL;

    check_rc(stub_keyring(&w->service, twice, 0, &k, &keys), USAGE);
    check_rc(stub_keyring(&w->service, twice, 3, &k, &keys), USAGE);
    check_rc(stub_keyring(&w->service, nine, 9, &k, &keys), LIMIT);
    assert_null(k);
    assert_null(keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open__any_one_wrap__is_enough),
        TEST(open_and_probe__none_opens__tell_the_most_hopeful_class),
        TEST(probe__unwraps_a_canary_really),
        TEST(probe__service_gives_other_bytes__is_wrong_key),
        TEST(open__service_gives_another_store_key__is_wrong_key),
        TEST(open__wrap_of_another_volume__does_not_open),
        TEST(open__newest_copy_is_garbage_with_a_right_sum__falls_back),
        TEST(open__both_copies_garbage__tells_about_the_newest),
        TEST(open__at_or_above_the_minimum__opens),
        TEST(open__below_the_minimum__is_rolled_back_and_asks_nobody),
        TEST(open__forged_high_sequence_beside_an_old_copy__is_rolled_back),
        TEST(rotate_cmek__one_wrap_to_a_new_key__retires_the_old),
        TEST(rotate_cmek__all__takes_the_current_versions),
        TEST(rotate_cmek__wrong_arguments__are_told),
        TEST(rotate_cmek__only_wrap_and_no_number__replaces_it),
        TEST(rotations__service_fails__leave_everything_as_it_was),
        TEST(rotate_cmek__wrap_does_not_open_again__is_not_believed),
        TEST(rotate_store__new_store_key_old_data_keys),
        TEST(rotate_data__new_generation_old_ones_stay),
        TEST(destroy_data_keys__older_ones__are_gone_for_ever),
        TEST(destroy_data_keys__wrong_arguments__change_nothing),
        TEST(rotate_store__with_a_destroyed_data_key__keeps_it_destroyed),
        TEST(add_wrap__another_key__opens_alone),
        TEST(add_wrap__too_many__is_limit),
        TEST(remove_wrap__last_one__is_refused),
        TEST(set_settings__out_of_range__is_refused),
        TEST(build__bad_lists_of_keys__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
