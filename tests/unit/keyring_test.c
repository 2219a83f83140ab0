/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the keyring in memory: limits of its lists, history that stays bounded, copies that share
 * nothing, settings that are refused by name, contexts in the order that key services want.
 */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "key/keyring.h"

static struct keyring *fresh(void)
{
    struct keyring *k = NULL;

    check_ok(keyring_new(&k));
    return k;
}

static void new__has_the_defaults_of_the_book(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();

    (void)state;
    assert_int_equal(k->settings.lease_ms_max, 60000);
    assert_int_equal(k->settings.probe_ms, 15000);
    assert_int_equal(k->settings.grace_ms, 3600000);
    assert_int_equal(k->settings.data_rotation_s, 30 * 24 * 3600);
    assert_int_equal(k->block_payload, 3584);
    check_ok(keyring_settings_check(&k->settings));
}

static void add_wrap__gives_ascending_ids(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    struct keyring_wrap *w;

    (void)state;
    for (uint32_t id = 1; id <= 3; id++) {
        check_ok(keyring_add_wrap(k, &w));
        assert_int_equal(w->id, id);
        assert_int_equal(w->state, KEYRING_WRAP_ACTIVE);
    }
    assert_int_equal(keyring_active_count(k), 3);
    assert_int_equal(keyring_find_wrap(k, 2)->id, 2);
    assert_null(keyring_find_wrap(k, 4));
}

static void add_wrap__history_is_full__drops_the_oldest_retired_one(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    struct keyring_wrap *w;

    (void)state;
    for (int i = 0; i < KEYRING_WRAPS_MAX; i++) {
        check_ok(keyring_add_wrap(k, &w));
        check_ok(keyring_wrap_set(w, view_text("blob"), view_text("canary")));
        if (i > 0 && i < 5)
            keyring_wrap_retire(w, 7);
    }
    check_ok(keyring_add_wrap(k, &w));
    assert_int_equal(w->id, KEYRING_WRAPS_MAX + 1);
    assert_int_equal(k->wrap_count, KEYRING_WRAPS_MAX);
    assert_null(keyring_find_wrap(k, 2));
    assert_non_null(keyring_find_wrap(k, 1));
    assert_non_null(keyring_find_wrap(k, 3));
}

static void add_wrap__all_are_active__is_limit(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    struct keyring_wrap *w;

    (void)state;
    for (int i = 0; i < KEYRING_WRAPS_MAX; i++)
        check_ok(keyring_add_wrap(k, &w));
    check_rc(keyring_add_wrap(k, &w), LIMIT);
    k->wraps[0].state = KEYRING_WRAP_RETIRED;
    k->next_wrap_id = UINT32_MAX;
    check_rc(keyring_add_wrap(k, &w), LIMIT);
}

static void wrap_retire__drops_every_ciphertext(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    struct keyring_wrap *w;

    (void)state;
    check_ok(keyring_add_wrap(k, &w));
    check_ok(keyring_wrap_set(w, view_text("blob"), view_text("canary")));
    memset(w->canary_hash, 1, sizeof w->canary_hash);
    keyring_wrap_retire(w, 77);
    assert_int_equal(w->state, KEYRING_WRAP_RETIRED);
    assert_int_equal(w->retired_s, 77);
    assert_null(w->blob);
    assert_null(w->canary_blob);
    assert_int_equal(w->blob_len + w->canary_len, 0);
    assert_true(mem_is_zero(w->canary_hash, sizeof w->canary_hash));
}

static void add_data_key__newest_moves_on(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    struct keyring_data_key *d;

    (void)state;
    check_ok(keyring_add_data_key(k, &d));
    check_ok(keyring_add_data_key(k, &d));
    assert_int_equal(d->generation, 2);
    assert_int_equal(d->state, DATA_KEY_NEWEST);
    assert_int_equal(keyring_find_data_key(k, 1)->state, DATA_KEY_OLDER);
    assert_null(keyring_find_data_key(k, 3));
}

static void add_data_key__full__is_limit(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    struct keyring_data_key *d;

    (void)state;
    for (int i = 0; i < KEYRING_DATA_KEYS_MAX; i++)
        check_ok(keyring_add_data_key(k, &d));
    check_rc(keyring_add_data_key(k, &d), LIMIT);
    assert_int_equal(k->data_keys[KEYRING_DATA_KEYS_MAX - 1].state, DATA_KEY_NEWEST);
}

static void copy__shares_nothing(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    CLEANUP(keyring_freep) struct keyring *copy = NULL;
    struct keyring_wrap *w;
    struct keyring_data_key *d;

    (void)state;
    check_ok(keyring_add_wrap(k, &w));
    check_ok(keyring_wrap_set(w, view_text("blob"), view_text("canary")));
    check_ok(keyring_add_data_key(k, &d));
    check_ok(keyring_copy(k, &copy));
    k->wraps[0].blob[0] = 'B';
    k->data_keys[0].generation = 9;
    check_bytes(view_of(copy->wraps[0].blob, copy->wraps[0].blob_len), view_text("blob"));
    check_bytes(view_of(copy->wraps[0].canary_blob, copy->wraps[0].canary_len),
                view_text("canary"));
    assert_int_equal(copy->data_keys[0].generation, 1);
}

static void copy__of_an_empty_one__is_empty(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    CLEANUP(keyring_freep) struct keyring *copy = NULL;

    (void)state;
    check_ok(keyring_copy(k, &copy));
    assert_int_equal(copy->wrap_count + copy->data_key_count, 0);
}

/* That it is freed once, and only then, is what the address sanitizer sees here. */
static void ref__lives_until_the_last_one_goes(void **state)
{
    struct keyring *k = fresh();
    struct keyring *shared = keyring_ref(k);

    (void)state;
    keyring_free(k);
    assert_int_equal(shared->block_payload, 3584);
    keyring_free(shared);
    keyring_free(NULL);
}

static void settings_check__each_bound__is_refused_by_name(void **state)
{
    static const struct {
        struct keyring_settings s;
        const char *part; /* NULL: allowed */
    } cases[] = {
        {{200, 100, 0, 0}, NULL},
        {{199, 99, 0, 0}, "lease"},
        {{3600000, 1800000, 86400000, 315360000}, NULL},
        {{3600001, 15000, 0, 0}, "lease"},
        {{60000, 99, 0, 0}, "probe"},
        {{60000, 30001, 0, 0}, "probe"},
        {{60000, 15000, 86400001, 0}, "grace"},
        {{60000, 15000, 0, 315360001}, "rotation"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ks_rc rc = keyring_settings_check(&cases[i].s);

        assert_int_equal(ks_ok(rc), cases[i].part == NULL);
        if (cases[i].part)
            check_text(rc, cases[i].part);
    }
}

static void context__is_sorted_and_leaves_empty_ones_out(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = fresh();
    struct keyring_context_ids ids;
    struct key_context c;

    (void)state;
    memset(k->volume_id, 0xab, sizeof k->volume_id);
    snprintf(k->cluster, sizeof k->cluster, "c1");
    snprintf(k->region, sizeof k->region, "eu");
    keyring_context(k, 12, "canary", &ids, &c);
    assert_int_equal(c.count, 5);
    for (size_t i = 1; i < c.count; i++)
        assert_true(strcmp(c.pairs[i - 1].name, c.pairs[i].name) < 0);
    assert_string_equal(c.pairs[1].name, "purpose");
    assert_string_equal(c.pairs[1].value, "canary");
    assert_string_equal(c.pairs[3].value, "12");
    assert_string_equal(c.pairs[4].value, "abababababababababababababababab");
    snprintf(k->organisation, sizeof k->organisation, "acme");
    keyring_context(k, UINT32_MAX, "canary", &ids, &c);
    assert_int_equal(c.count, 6);
    assert_string_equal(c.pairs[4].value, "4294967295");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new__has_the_defaults_of_the_book),
        cmocka_unit_test(add_wrap__gives_ascending_ids),
        cmocka_unit_test(add_wrap__history_is_full__drops_the_oldest_retired_one),
        cmocka_unit_test(add_wrap__all_are_active__is_limit),
        cmocka_unit_test(wrap_retire__drops_every_ciphertext),
        cmocka_unit_test(add_data_key__newest_moves_on),
        cmocka_unit_test(add_data_key__full__is_limit),
        cmocka_unit_test(copy__shares_nothing),
        cmocka_unit_test(copy__of_an_empty_one__is_empty),
        cmocka_unit_test(ref__lives_until_the_last_one_goes),
        cmocka_unit_test(settings_check__each_bound__is_refused_by_name),
        cmocka_unit_test(context__is_sorted_and_leaves_empty_ones_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
