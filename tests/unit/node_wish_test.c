/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: wishes, deeds and checks are read as they were written, and what is wrong is told by its member.
 */
#include "node/wish.h"

#include <string.h>

#include "check.h"

static const char SAMPLE[] =
    "{\"volume\": \"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11\", \"goal\": 41, \"state\": \"PRESENT\","
    " \"organisation\": \"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a12\", \"cluster\": "
    "\"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a13\","
    " \"cluster_name\": \"orders\", \"region\": \"us-west-2\", \"ordinal\": 2, \"engine\": "
    "\"postgresql\","
    " \"keys\": [{\"id\": \"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a14\", \"type\": \"AWS_KMS\", "
    "\"uri\": \"arn:x\","
    " \"auth_principal\": \"role\"}], \"platform\": true, \"revoked\": true,"
    " \"serials\": {\"rewrap\": 1, \"store\": 2, \"data\": 3, \"reencrypt\": 4, \"restore\": 5},"
    " \"lease\": {\"lease_ms\": 60000, \"probe_ms\": 15000, \"grace_ms\": 0}, "
    "\"rewrap_automatically\": true,"
    " \"keyring\": {\"volume\": \"00112233445566778899aabbccddeeff\", \"sequence\": 9, "
    "\"accepted\": 1},"
    " \"unknown\": [1]}";

static json_t *sample(void)
{
    json_t *value = json_loads(SAMPLE, 0, NULL);

    assert_non_null(value);
    return value;
}

static void check_sample(const struct wish *w)
{
    assert_string_equal(w->volume, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11");
    assert_int_equal(w->goal, 41);
    assert_true(w->is_present && w->is_platform && w->is_revoked && w->is_rewrap_automatic);
    assert_string_equal(w->cluster_name, "orders");
    assert_string_equal(w->engine, "postgresql");
    assert_int_equal(w->ordinal, 2);
    assert_int_equal(w->key_count, 1);
    assert_string_equal(w->keys[0].spec.uri, "arn:x");
    assert_string_equal(w->keys[0].spec.auth_principal, "role");
    assert_int_equal(w->serials.rewrap, 1);
    assert_int_equal(w->serials.restore, 5);
    assert_int_equal(w->lease.probe_ms, 15000);
    assert_int_equal(w->lease.grace_ms, 0);
    assert_string_equal(w->anchor.volume, "00112233445566778899aabbccddeeff");
    assert_int_equal(w->anchor.sequence, 9);
    assert_int_equal(w->anchor.accepted, 1);
}

static void wish__written_and_read__the_same(void **state)
{
    struct wish w = {0}, again = {0};
    json_t *value = sample();

    (void)state;
    check_ok(wish_read(value, &w));
    check_sample(&w);
    json_decref(value);
    value = wish_write(&w);
    check_ok(wish_read(value, &again));
    check_sample(&again);
    json_decref(value);
}

static void wish__wrong_member__named_and_output_untouched(void **state)
{
    static const struct {
        const char *name, *value;
    } faults[] = {
        {"volume", "\"no id\""},
        {"volume", "null"},
        {"goal", "-1"},
        {"goal", "\"x\""},
        {"state", "\"GONE\""},
        {"keys", "{}"},
        {"keys", "[{\"id\": \"x\", \"type\": \"FILE\", \"uri\": \"u\"}]"},
        {"revoked", "1"},
        {"serials", "[]"},
        {"lease", "{\"lease_ms\": -5}"},
        {"ordinal", "4294967296"},
        {"keyring", "7"},
        {"keyring", "{\"sequence\": -1}"},
        {"keyring", "{\"accepted\": 2147483648}"},
        {"keyring", "{\"volume\": \"00112233445566778899aabbccddeeff0\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        json_t *value = sample();
        struct wish w = {.goal = 7};
        json_object_set_new(value, faults[i].name,
                            json_loads(faults[i].value, JSON_DECODE_ANY, NULL));
        check_rc(wish_read(value, &w), USAGE);
        assert_int_equal(w.goal, 7);
        json_decref(value);
    }
}

/* A region with as many keys as it may have gets as many others: until those open, the old ones stay. */
static void wish__all_keys_are_changed__taken(void **state)
{
    json_t *value = sample(), *keys = json_object_get(value, "keys");
    struct wish w;

    (void)state;
    while (json_array_size(keys) < 2 * REGION_KEYS_MAX)
        json_array_append_new(keys, json_deep_copy(json_array_get(keys, 0)));
    check_ok(wish_read(value, &w));
    assert_int_equal(w.key_count, 2 * REGION_KEYS_MAX);
    json_decref(value);
}

static void wish__too_many_keys__refused(void **state)
{
    json_t *value = sample(), *keys = json_object_get(value, "keys");
    struct wish w;

    (void)state;
    for (int i = 0; i < WISH_KEYS_MAX; i++)
        json_array_append_new(keys, json_deep_copy(json_array_get(keys, 0)));
    check_class(wish_read(value, &w), USAGE);
    json_decref(value);
}

static void deed__written_and_read__the_same(void **state)
{
    const struct deed d = {.is_made = true,
                           .is_receipted = true,
                           .reached = 12,
                           .port = 26001,
                           .last_lock = "17 2026-11-22T05:20:00Z 31 0",
                           .done = {1, 2, 3, 4, 5},
                           .anchor = {"00112233445566778899aabbccddeeff", 1LL << 40, 3}};
    struct deed again = {0};
    json_t *value = deed_write(&d);

    (void)state;
    check_ok(deed_read(value, &again));
    assert_true(again.is_made && again.is_receipted);
    assert_int_equal(again.reached, -1); /* it is to be verified again */
    assert_int_equal(again.port, 26001);
    assert_string_equal(again.last_lock, d.last_lock);
    assert_int_equal(again.done.reencrypt, 4);
    assert_string_equal(again.anchor.volume, d.anchor.volume);
    assert_int_equal(again.anchor.sequence, d.anchor.sequence);
    assert_int_equal(again.anchor.accepted, 3);
    json_decref(value);
}

static void deed__no_object_or_wrong_member__refused(void **state)
{
    struct deed d = {.port = 9};
    json_t *list = json_array(), *wrong = json_pack("{s:i}", "port", 70000);

    (void)state;
    check_rc(deed_read(list, &d), USAGE);
    check_rc(deed_read(wrong, &d), USAGE);
    assert_int_equal(d.port, 9);
    json_decref(list);
    json_decref(wrong);
}

static void check__without_keys_or_id__refused(void **state)
{
    struct wish_check c;
    json_t *none = json_pack("{s:s}", "check", "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11");
    json_t *good =
        json_pack("{s:s, s:[{s:s, s:s}]}", "check", "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11", "keys",
                  "type", "FILE", "uri", "/s#k");

    (void)state;
    check_rc(wish_check_read(none, &c), USAGE);
    check_ok(wish_check_read(good, &c));
    assert_int_equal(c.key_count, 1);
    assert_string_equal(c.keys[0].uri, "/s#k");
    json_object_del(good, "check");
    check_rc(wish_check_read(good, &c), USAGE);
    json_decref(none);
    json_decref(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wish__written_and_read__the_same),
        cmocka_unit_test(wish__wrong_member__named_and_output_untouched),
        cmocka_unit_test(wish__all_keys_are_changed__taken),
        cmocka_unit_test(wish__too_many_keys__refused),
        cmocka_unit_test(deed__written_and_read__the_same),
        cmocka_unit_test(deed__no_object_or_wrong_member__refused),
        cmocka_unit_test(check__without_keys_or_id__refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
