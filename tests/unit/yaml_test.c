/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: YAML gives the values that a person means who writes it, and whatever could mean two things is refused with its
 * place and without its text.
 */
#include "base/yaml.h"

#include "check.h"

enum { TEXT_MAX = 16 * 1024 };

static const struct json_limits limits = {TEXT_MAX, 8};

static ks_rc read_it(const char *text, json_t **ret)
{
    return yaml_read(view_text(text), limits, "manifest", ret);
}

static void check_reads(const char *text, const char *json)
{
    CLEANUP(buf_done) struct buf got = buf_init(TEXT_MAX);
    json_t *value = NULL;

    check_ok(read_it(text, &value));
    check_ok(json_write(value, true, &got));
    assert_string_equal(buf_text(&got), json);
    json_decref(value);
}

static void check_refused(const char *text, const char *why)
{
    json_t *value = NULL;

    ks_rc rc = read_it(text, &value);
    check_rc(rc, USAGE);
    check_text(rc, why);
    assert_null(value);
}

static void read__block_style__as_meant(void **state)
{
    (void)state;
    check_reads(
        "name: orders\n"
        "# a comment\n"
        "regions:\n"
        "  - name: us-west-2\n"
        "    nodes: 3\n"
        "  - {name: eu, nodes: 1}\n"
        "note: |\n"
        "  two\n"
        "  lines\n"
        "folded: >-\n"
        "  one\n"
        "  line\n",
        "{\"folded\":\"one line\",\"name\":\"orders\",\"note\":\"two\\nlines\\n\","
        "\"regions\":[{\"name\":\"us-west-2\",\"nodes\":3},{\"name\":\"eu\",\"nodes\":1}]}");
    check_reads("--- text\n...\n", "\"text\"");
    check_reads("%YAML 1.2\n---\n- a\n", "[\"a\"]");
}

static void read__plain_scalars__of_the_core_schema_only(void **state)
{
    (void)state;
    check_reads("[no, yes, on, off, y, n, NO]",
                "[\"no\",\"yes\",\"on\",\"off\",\"y\",\"n\",\"NO\"]");
    check_reads("[true, True, FALSE, null, ~, tRUE]", "[true,true,false,null,null,\"tRUE\"]");
    check_reads("a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}");
    check_reads("[0, -0, 7, -12, 9223372036854775807, -9223372036854775808]",
                "[0,0,7,-12,9223372036854775807,-9223372036854775808]");
    check_reads("[2026-11-22, 10.0.0.1, 1.2.3, 12:30, 0x, e3, -, 1_000, 5s, +a, 0b1]",
                "[\"2026-11-22\",\"10.0.0.1\",\"1.2.3\",\"12:30\",\"0x\",\"e3\",\"-\",\"1_000\","
                "\"5s\",\"+a\",\"0b1\"]");
}

static void read__quoted__always_a_text(void **state)
{
    (void)state;
    check_reads("['true', \"12\", '007', \"null\", '1.5']",
                "[\"true\",\"12\",\"007\",\"null\",\"1.5\"]");
    check_reads("true: 1\n12: 2\n", "{\"12\":2,\"true\":1}");
}

static void read__number_in_a_doubtful_form__refused_with_advice(void **state)
{
    static const char *const texts[] = {"1.10", "1e3",  "1.5E-3", "007",  "-01", "+5", "0x1F",
                                        "0o17", ".inf", "-.INF",  ".NaN", ".5",  "5.", "-0.5"};
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(text, sizeof text, "a:\n  - %s\n", texts[i]);
        check_refused(text, "line 2, column 5: a number of a form that is read in several ways");
    }
    check_refused("[9223372036854775808]", "column 2: a number beyond 64 bits");
    check_refused("[-9223372036854775809]", "column 2: a number beyond 64 bits");
}

static void read__json__is_yaml(void **state)
{
    (void)state;
    check_reads("{\"a\":[1,true,null,\"\\ud83d\\ude00\\/\\u0041\"],\n\t\"b\":{\"c\":\"no\"}}",
                "{\"a\":[1,true,null,\"\xf0\x9f\x98\x80/A\"],\"b\":{\"c\":\"no\"}}");
    check_reads(" [ ] ", "[]");
    check_reads("{}", "{}");
}

static void read__what_is_left_out_of_yaml__refused(void **state)
{
    (void)state;
    check_refused("a: &x 1\nb: 2\n", "line 1, column 4: anchors are not supported");
    check_refused("a: &x [1]\n", "anchors are not supported");
    check_refused("a: &x {b: 1}\n", "anchors are not supported");
    check_refused("&x a: 1\n", "anchors are not supported");
    check_refused("a: *x\n", "line 1, column 4: aliases are not supported");
    check_refused("*x : 1\n", "the name of a member must be a text");
    check_refused("a: !!str 1\n", "tags are not supported");
    check_refused("a: ! 1\n", "tags are not supported");
    check_refused("a: !x [1]\n", "tags are not supported");
    check_refused("%TAG !e! tag:example:\n---\na: 1\n", "tags are not supported");
    check_refused("a: 1\n---\nb: 2\n", "line 2, column 1: one document only");
    check_refused("? [a]\n: 1\n", "the name of a member must be a text");
}

static void read__name_twice__refused(void **state)
{
    (void)state;
    check_refused("a: 1\nb: 2\na: 3\n", "line 3, column 1: a member of this name was there before");
    check_refused("{\"a\": 1, \"a\": 2}", "column 10: a member of this name was there before");
}

static void read__malformed__place_and_no_text(void **state)
{
    static const char *const texts[] = {
        "a: [secret",  "a: b: secret", "\"secret",   "a: 'secret\n", "- secret\nb",
        "{secret: 1,", "\tsecret: 1",  "a: @secret", "\"\\secret\"", "a: \"\\0secret\""};
    json_t *value = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ks_rc rc = read_it(texts[i], &value);
        check_rc(rc, USAGE);
        check_text(rc, "manifest: line ");
        assert_null(strstr(ks_text(rc), "secret"));
    }
    check_refused("a: \xff\xfe", "manifest: byte 3: ");
    check_refused("a: \x01", "manifest: byte 3: ");
    check_refused("", "manifest: is empty");
    check_refused("# nothing\n", "manifest: is empty");
}

static void read__nul_in_a_text__refused(void **state)
{
    (void)state;
    check_refused("a: \"x\\0y\"\n", "column 4: a text with a NUL character");
    check_refused("\"x\\0y\": 1\n", "column 1: a text with a NUL character");
}

static void read__break_of_another_unicode_kind__refused_unless_escaped(void **state)
{
    (void)state;
    check_refused("a: 1\nb: 'x\xc2\x85y'\n", "line 2, column 6: a separator of lines");
    check_refused("a: \xe2\x80\xa8y", "column 4: a separator of lines");
    check_refused("a: \xe2\x80\xa9y", "column 4: a separator of lines");
    check_reads("{\"a\":\"\xe2\x80\xa8\"}", "{\"a\":\"\xe2\x80\xa8\"}");
    check_reads("a: \"\\N\"", "{\"a\":\"\xc2\x85\"}");
}

static void read__beyond_the_limits__limit(void **state)
{
    static char text[TEXT_MAX + 2];
    json_t *value = NULL;

    (void)state;
    check_reads("[[[[[[[[1]]]]]]]]", "[[[[[[[[1]]]]]]]]");
    check_rc(read_it("[[[[[[[[[1]]]]]]]]]", &value), LIMIT);
    check_rc(read_it("a: [[[[[[[[x]]]]]]]]", &value), LIMIT);
    check_rc(read_it("- - - - - - - - - x", &value), LIMIT);
    memset(text, 'x', sizeof text - 1);
    check_rc(read_it(text, &value), LIMIT);
    assert_null(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__block_style__as_meant),
        cmocka_unit_test(read__plain_scalars__of_the_core_schema_only),
        cmocka_unit_test(read__quoted__always_a_text),
        cmocka_unit_test(read__number_in_a_doubtful_form__refused_with_advice),
        cmocka_unit_test(read__json__is_yaml),
        cmocka_unit_test(read__what_is_left_out_of_yaml__refused),
        cmocka_unit_test(read__name_twice__refused),
        cmocka_unit_test(read__malformed__place_and_no_text),
        cmocka_unit_test(read__nul_in_a_text__refused),
        cmocka_unit_test(read__break_of_another_unicode_kind__refused_unless_escaped),
        cmocka_unit_test(read__beyond_the_limits__limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
