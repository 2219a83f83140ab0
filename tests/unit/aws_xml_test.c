/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: whatever a text holds, the XML around it is what was meant; and forms are read within bounds.
 */
#include "localkms/aws_xml.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "localkms/aws_form.h"

static void check_xml(struct xml *x, const char *want)
{
    struct view got = {0};

    check_ok(xml_end(x, &got));
    check_bytes(got, view_text(want));
    xml_done(x);
}

static void write__markup_and_control_characters__escaped(void **state)
{
    struct xml x = xml_init();

    (void)state;
    xml_open(&x, "a");
    xml_attribute(&x, "n", "\"<&>");
    xml_text(&x, "t", "<x>&amp;\"]]>\t\n\r\001\x1f\xc3\xa9");
    xml_text(&x, "absent", NULL);
    xml_text(&x, "e", "");
    xml_close(&x);
    check_xml(&x, "<a n=\"&quot;&lt;&amp;&gt;\"><t>&lt;x&gt;&amp;amp;&quot;]]&gt;&#x9;&#xA;&#xD;"
                  "\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9</t><e></e></a>");
}

static void write__values_of_other_types__as_aws_writes_them(void **state)
{
    struct xml x = xml_init();

    (void)state;
    xml_number(&x, "n", -5);
    xml_bool(&x, "b", true);
    xml_time(&x, "t", 1900000000);
    xml_encoded(&x, "p", "{\"a\": \"~b-c_d.\"}");
    check_xml(&x, "<n>-5</n><b>true</b><t>2030-03-17T17:46:40Z</t>"
                  "<p>%7B%22a%22%3A%20%22~b-c_d.%22%7D</p>");
}

static void end__unbalanced_or_too_deep__bug(void **state)
{
    struct xml x = xml_init();
    struct view got = {0};

    (void)state;
    xml_open(&x, "a");
    check_rc(xml_end(&x, &got), BUG);
    xml_close(&x);
    check_ok(xml_end(&x, &got));
    xml_close(&x);
    check_rc(xml_end(&x, &got), BUG);
    xml_done(&x);
    x = xml_init();
    for (int i = 0; i <= XML_DEPTH_MAX; i++)
        xml_open(&x, "a");
    check_rc(xml_end(&x, &got), BUG);
    xml_done(&x);
}

static void end__beyond_the_bound__limit(void **state)
{
    static char large[XML_BYTES_MAX];
    struct xml x = xml_init();
    struct view got = {0};

    (void)state;
    memset(large, 'x', sizeof large - 1);
    xml_text(&x, "a", large);
    xml_attribute(&x, "n", "v");
    check_rc(xml_end(&x, &got), LIMIT);
    xml_done(&x);
}

static void form__fields__decoded(void **state)
{
    CLEANUP(form_freep) struct form *f = NULL;

    (void)state;
    check_ok(form_parse(view_text("a=1&b=x+y%2Fz&&c&Tags.member.2.Key=k&L.member.1=m"), &f));
    assert_string_equal(form_get(f, "a"), "1");
    assert_string_equal(form_get(f, "b"), "x y/z");
    assert_string_equal(form_get(f, "c"), "");
    assert_null(form_get(f, "d"));
    assert_string_equal(form_member(f, "Tags", 2, "Key"), "k");
    assert_null(form_member(f, "Tags", 1, "Key"));
    assert_string_equal(form_member(f, "L", 1, NULL), "m");
}

static void form__malformed_or_too_much__refused(void **state)
{
    static char large[FORM_BYTES_MAX + 2];
    struct form *f = NULL;
    char many[8 * (FORM_FIELDS_MAX + 1)] = "";

    (void)state;
    check_rc(form_parse(view_text("a=%zz"), &f), USAGE);
    check_rc(form_parse(view_text("a=%00"), &f), USAGE);
    check_rc(form_parse(view_text("a=%ff"), &f), USAGE);
    check_rc(form_parse(view_text("a=1&b=2&a=3"), &f), USAGE);
    memset(large, 'x', sizeof large - 1);
    check_rc(form_parse(view_text(large), &f), LIMIT);
    for (size_t i = 0; i <= FORM_FIELDS_MAX; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%zu&", i);
    check_rc(form_parse(view_text(many), &f), LIMIT);
    assert_null(f);
    form_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__markup_and_control_characters__escaped),
        cmocka_unit_test(write__values_of_other_types__as_aws_writes_them),
        cmocka_unit_test(end__unbalanced_or_too_deep__bug),
        cmocka_unit_test(end__beyond_the_bound__limit),
        cmocka_unit_test(form__fields__decoded),
        cmocka_unit_test(form__malformed_or_too_much__refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
