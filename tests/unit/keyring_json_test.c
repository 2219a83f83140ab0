/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a keyring says comes out under the documented names, with null for what is not known, and no byte of
 * outside text can make a reply impossible.
 */
#include "check.h"

#include "fuse/keyring_json.h"

static struct keyring *sample(void)
{
    struct keyring *k;
    struct keyring_wrap *w;
    struct keyring_data_key *d;

    check_ok(keyring_new(&k));
    check_ok(keyring_add_wrap(k, &w));
    w->id = 7;
    w->state = KEYRING_WRAP_RETIRED;
    w->spec = (struct key_spec){"FILE", "/srv/\xff#k", ""};
    w->created_s = 1900000000;
    for (uint32_t generation = 1; generation <= 2; generation++) {
        check_ok(keyring_add_data_key(k, &d));
        d->generation = generation;
        d->state = DATA_KEY_NEWEST;
    }
    k->data_keys[0].state = DATA_KEY_DESTROYED;
    k->data_keys[0].destroyed_s = 1900000001;
    return k;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void wraps__of_any_text__are_all_there(void **state)
{
    struct keyring *k = sample();
    json_t *wraps = keyring_wraps_json(k), *one = json_array_get(wraps, 0);

    (void)state;
    assert_int_equal(json_array_size(wraps), 1);
    assert_int_equal(json_integer_value(json_object_get(one, "id")), 7);
    assert_string_equal(text_of(one, "state"), "RETIRED");
    assert_string_equal(text_of(one, "uri"), "/srv/?#k");
    assert_string_equal(text_of(one, "created"), "2030-03-17T17:46:40Z");
    assert_true(json_is_null(json_object_get(one, "retired")));
    json_decref(wraps);
    keyring_free(k);
}

static void generations__not_counted__have_null_bytes(void **state)
{
    struct counted_generations counted = {NULL, 0, false};
    struct keyring *k = sample();
    json_t *all = keyring_generations_json(k, &counted, false);

    (void)state;
    assert_int_equal(json_array_size(all), 2);
    assert_true(json_is_null(json_object_get(json_array_get(all, 0), "bytes")));
    assert_null(json_object_get(json_array_get(all, 0), "destroyed"));
    json_decref(all);
    keyring_free(k);
}

static void generations__counted__have_bytes_or_zero(void **state)
{
    struct survey_generation counts[] = {{.generation = 2, .blocks = 3, .bytes = 3 * 4096}};
    struct counted_generations counted = {counts, 1, true};
    struct keyring *k = sample();
    json_t *all = keyring_generations_json(k, &counted, true);
    json_t *first = json_array_get(all, 0), *second = json_array_get(all, 1);

    (void)state;
    assert_string_equal(text_of(first, "state"), "DESTROYED");
    assert_int_equal(json_integer_value(json_object_get(first, "bytes")), 0);
    assert_string_equal(text_of(first, "destroyed"), "2030-03-17T17:46:41Z");
    assert_string_equal(text_of(second, "state"), "NEWEST");
    assert_int_equal(json_integer_value(json_object_get(second, "bytes")), 3 * 4096);
    assert_true(json_is_null(json_object_get(second, "retired")));
    json_decref(all);
    keyring_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wraps__of_any_text__are_all_there),
        cmocka_unit_test(generations__not_counted__have_null_bytes),
        cmocka_unit_test(generations__counted__have_bytes_or_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
