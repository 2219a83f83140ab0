/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: JSON from outside is read within its bounds, and members are what they should be.
 */
#include "base/json.h"
#include "check.h"

static const struct json_limits limits = {200, 4};

static json_t *read_ok(const char *text)
{
    json_t *value = NULL;

    check_ok(json_read(view_text(text), limits, "reply", &value));
    return value;
}

static void read__valid__value_of_any_kind(void **state)
{
    static const char *const good[] = {
        "{}", " [1,[2,[3,[4]]]] ", "\"[[[[[[\\\"[\"", "null", "-1.5e3", "true"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        json_decref(read_ok(good[i]));
}

static void read__not_json__usage_with_place_and_without_text(void **state)
{
    static const char *const bad[] = {
        "",    "{",       "{\"s3cret\":1,}", "{} x",           "{\"a\":1,\"a\":2}",
        "nul", "[1] [2]", "\"\xff\"",        "{\"s3cret\" 1}", "\"a\\u0000b\""};
    json_t *value = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ks_rc rc = json_read(view_text(bad[i]), limits, "reply", &value);
        check_rc(rc, USAGE);
        check_text(rc, "reply: no valid JSON at line");
        assert_null(strstr(ks_text(rc), "s3cret"));
    }
    assert_null(value);
}

static void read__too_long_or_deep__limit(void **state)
{
    char text[300];
    json_t *value = NULL;

    (void)state;
    memset(text, ' ', sizeof text);
    text[0] = '1';
    check_rc(json_read(view_of(text, 201), limits, "reply", &value), LIMIT);
    check_rc(json_read(view_text("[[[[[1]]]]]"), limits, "reply", &value), LIMIT);
    check_rc(json_read(view_text("{\"a\":[{\"b\":[{}]}]}"), limits, "reply", &value), LIMIT);
    assert_null(value);
}

static void members__right_types__values(void **state)
{
    CLEANUP(json_decrefp)
    json_t *j =
        read_ok("{\"s\":\"x\",\"i\":7,\"d\":\"-8\",\"b\":true,\"o\":{},\"a\":[1],\"n\":null}");
    const char *s = NULL, *absent = "as before";
    int64_t i = 0, d = 0;
    bool b = false;
    json_t *o = NULL, *a = NULL;

    (void)state;
    check_ok(json_get_text(j, "s", 1, &s));
    assert_string_equal(s, "x");
    check_ok(json_get_int(j, "i", 7, 7, &i));
    check_ok(json_may_int(j, "d", -8, 0, &d));
    assert_int_equal(i + d, -1);
    check_ok(json_may_bool(j, "b", &b));
    assert_true(b);
    check_ok(json_get_object(j, "o", &o));
    check_ok(json_get_array(j, "a", 1, &a));
    assert_int_equal(json_array_size(a), 1);
    check_ok(json_may_text(j, "n", 1, &absent));
    check_ok(json_may_text(NULL, "s", 1, &absent));
    assert_string_equal(absent, "as before");
}

static void members__wrong__usage_with_the_name(void **state)
{
    CLEANUP(json_decrefp)
    json_t *j = read_ok("{\"s\":\"xy\",\"i\":7,\"e\":\"\",\"r\":1.5,\"a\":[1,2]}");
    const char *s = NULL;
    int64_t i = 3;
    bool b = false;
    json_t *o = NULL;

    (void)state;
    ks_rc rc = json_get_text(j, "gone", 9, &s);
    check_rc(rc, USAGE);
    check_text(rc, "\"gone\" is missing");
    check_rc(json_get_text(j, "s", 1, &s), USAGE);
    check_rc(json_get_text(j, "i", 1, &s), USAGE);
    check_rc(json_get_int(j, "i", 8, 9, &i), USAGE);
    check_rc(json_get_int(j, "i", 1, 6, &i), USAGE);
    check_rc(json_get_int(j, "r", 0, 9, &i), USAGE);
    check_rc(json_get_int(j, "s", 0, 9, &i), USAGE);
    check_rc(json_get_int(j, "e", 0, 9, &i), USAGE);
    check_rc(json_may_bool(j, "i", &b), USAGE);
    check_rc(json_get_object(j, "s", &o), USAGE);
    check_rc(json_may_object(j, "a", &o), USAGE);
    check_rc(json_get_array(j, "a", 1, &o), USAGE);
    check_rc(json_may_array(j, "s", 1, &o), USAGE);
    assert_null(s);
    assert_null(o);
    assert_int_equal(i, 3);
}

static void write__sorted__compact(void **state)
{
    CLEANUP(json_decrefp) json_t *j = read_ok("{\"b\": [1, 2], \"a\": \"x\"}");
    CLEANUP(buf_done) struct buf out = buf_init(64);
    CLEANUP(buf_done) struct buf small = buf_init(5);

    (void)state;
    check_ok(json_write(j, true, &out));
    check_bytes(buf_view(&out), view_text("{\"a\":\"x\",\"b\":[1,2]}"));
    check_rc(json_write(j, true, &small), LIMIT);
    assert_int_equal(small.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__valid__value_of_any_kind),
        cmocka_unit_test(read__not_json__usage_with_place_and_without_text),
        cmocka_unit_test(read__too_long_or_deep__limit),
        cmocka_unit_test(members__right_types__values),
        cmocka_unit_test(members__wrong__usage_with_the_name),
        cmocka_unit_test(write__sorted__compact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
