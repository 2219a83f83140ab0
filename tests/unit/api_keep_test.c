/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a kept reply is found for what it was the reply to, and for nothing else.
 */
#include "api/keep.h"
#include "check.h"

#define ONE "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"
#define TWO "2f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"

static const int route, other_route;

static struct keep_key key_of(const void *to, const char *cluster, const char *organisation,
                              uint64_t version)
{
    return (struct keep_key){to, cluster, organisation, version};
}

static bool is_found(struct keeper *k, struct keep_key key)
{
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    int64_t revision = 0;
    bool found = keeper_find(k, &key, &text, &revision);

    if (found) {
        check_bytes(buf_view(&text), view_text("{}"));
        assert_int_equal(revision, 7);
    } else {
        assert_int_equal(text.len, 0);
    }
    return found;
}

static void reply__kept__is_found_for_its_own_key_only(void **state)
{
    struct keep_key key = key_of(&route, ONE, TWO, 3);
    struct keeper *k;

    (void)state;
    check_ok(keeper_new(1, &k)); /* everything shares one place */
    assert_false(is_found(k, key));
    keeper_put(k, &key, view_text("{}"), 7);
    assert_true(is_found(k, key));
    assert_false(is_found(k, key_of(&other_route, ONE, TWO, 3)));
    assert_false(is_found(k, key_of(&route, TWO, TWO, 3)));
    assert_false(is_found(k, key_of(&route, ONE, ONE, 3)));
    assert_false(is_found(k, key_of(&route, ONE, TWO, 4)));
    assert_true(is_found(k, key));
    keeper_free(k);
}

static void newer_reply__put__takes_the_place(void **state)
{
    struct keep_key old = key_of(&route, ONE, TWO, 3), new = key_of(&route, ONE, TWO, 4);
    struct keeper *k;

    (void)state;
    check_ok(keeper_new(4, &k));
    keeper_put(k, &old, view_text("[]"), 6);
    keeper_put(k, &new, view_text("{}"), 7);
    assert_false(is_found(k, old));
    assert_true(is_found(k, new));
    keeper_free(k);
}

static void what_is_too_long__put__is_not_kept(void **state)
{
    static const uint8_t text[8 * 1024 + 1];
    struct keep_key key = key_of(&route, ONE, TWO, 3);
    struct keep_key wrong = key_of(&route, ONE "x", TWO, 3);
    struct keeper *k;

    (void)state;
    check_ok(keeper_new(4, &k));
    keeper_put(k, &key, view_of(text, sizeof text), 7);
    keeper_put(k, &wrong, view_text("{}"), 7);
    assert_false(is_found(k, key));
    assert_false(is_found(k, wrong));
    keeper_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply__kept__is_found_for_its_own_key_only),
        cmocka_unit_test(newer_reply__put__takes_the_place),
        cmocka_unit_test(what_is_too_long__put__is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
