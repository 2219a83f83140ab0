/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the shared files of AWS's tools are read as those tools read them.
 */
#include "kms/aws_ini.h"

#include "check.h"

static const char config[] = "# comment\n"
                             "top = nowhere\n"
                             "[default]\r\n"
                             "region=eu-west-1\r\n"
                             "[profile dev]\n"
                             "Region = us-east-1 ; comment\n"
                             "output = json#no comment\n"
                             "empty =\n"
                             "services = local\n"
                             "\trole_arn = indented, so of services\n"
                             "twice = 1\n"
                             "twice = 2\n"
                             "no equals sign\n"
                             "= no name\n"
                             "[ profile   \"with blank\" ]\n"
                             "region = eu-north-1\n"
                             "[services local]\n"
                             "kms =\n"
                             "  endpoint_url = http://127.0.0.1:1 # comment\n"
                             "  other = x=y\n"
                             "sts =\n"
                             "  endpoint_url = http://127.0.0.1:2\n"
                             "[broken\n"
                             "region = lost\n"
                             "[dev]\n"
                             "region = not a profile of this file\n"
                             "[profile dev]\n"
                             "late = here";

static void check_value(const char *kind, const char *section, const char *name, const char *sub,
                        const char *want)
{
    const struct aws_ini_key key = {kind, section, name, sub};
    struct view got = view_text("as it was");
    bool is_found = aws_ini_find(view_text(config), &key, &got);

    if (is_found != (want != NULL))
        fail_msg("[%s %s] %s: %sfound", kind, section, name, is_found ? "" : "not ");
    check_bytes(got, view_text(want ? want : "as it was"));
}

static void find__values__without_blanks_and_comments(void **state)
{
    (void)state;
    check_value("profile", "default", "region", NULL, "eu-west-1");
    check_value("profile", "dev", "region", NULL, "us-east-1");
    check_value("profile", "dev", "output", NULL, "json#no comment");
    check_value("profile", "dev", "empty", NULL, "");
    check_value("profile", "with blank", "region", NULL, "eu-north-1");
}

static void find__several__last(void **state)
{
    (void)state;
    check_value("profile", "dev", "twice", NULL, "2");
    check_value("profile", "dev", "late", NULL, "here");
}

static void find__indented__of_the_name_above(void **state)
{
    (void)state;
    check_value("services", "local", "kms", "endpoint_url", "http://127.0.0.1:1");
    check_value("services", "local", "sts", "endpoint_url", "http://127.0.0.1:2");
    check_value("services", "local", "kms", "other", "x=y");
    check_value("profile", "dev", "role_arn", NULL, NULL);
    check_value("services", "local", "endpoint_url", NULL, NULL);
}

static void find__not_there__false_and_output_untouched(void **state)
{
    (void)state;
    check_value("profile", "dev", "top", NULL, NULL);
    check_value("profile", "other", "region", NULL, NULL);
    check_value("services", "dev", "region", NULL, NULL);
    check_value("profile", "broken", "region", NULL, NULL);
    check_value("profile", "dev", "", NULL, "no name");
    check_value("", "default", "region", NULL, "eu-west-1");
    check_value("", "dev", "region", NULL, "not a profile of this file");
    check_value("services", "default", "region", NULL, NULL);
}

static void has__sections__by_kind(void **state)
{
    struct view text = view_text(config);

    (void)state;
    assert_true(aws_ini_has(text, "profile", "dev"));
    assert_true(aws_ini_has(text, "profile", "default"));
    assert_true(aws_ini_has(text, "", "default"));
    assert_true(aws_ini_has(text, "services", "local"));
    assert_false(aws_ini_has(text, "profile", "local"));
    assert_false(aws_ini_has(text, "services", "dev"));
    assert_false(aws_ini_has(text, "", "profile dev"));
    assert_false(aws_ini_has(view_of(NULL, 0), "profile", "default"));
}

static void find__any_prefix_of_the_file__no_overrun(void **state)
{
    const struct aws_ini_key key = {"services", "local", "sts", "endpoint_url"};
    struct view got;

    (void)state;
    for (size_t len = 0; len < sizeof config; len++) {
        char *copy = malloc(len ? len : 1); /* so that the sanitizer sees its end */
        assert_non_null(copy);
        memcpy(copy, config, len);
        aws_ini_find(view_of(copy, len), &key, &got);
        aws_ini_has(view_of(copy, len), "profile", "none");
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find__values__without_blanks_and_comments),
        cmocka_unit_test(find__several__last),
        cmocka_unit_test(find__indented__of_the_name_above),
        cmocka_unit_test(find__not_there__false_and_output_untouched),
        cmocka_unit_test(has__sections__by_kind),
        cmocka_unit_test(find__any_prefix_of_the_file__no_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
