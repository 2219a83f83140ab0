/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a template with any malformed member is refused with the name of that member, a secret can stand only where nobody else
 * sees it, and the templates that we ship are good.
 */
#include "node/engine_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "check.h"
#include "tmpdir.h"

#define HEAD "name: db\nhint: install it\nusers: [nobody]\nprograms:\n  sh: [/bin/sh]\n"

static ks_rc parse(const char *text, struct engine_template **ret)
{
    return engine_template_parse("db", view_text(text), ret);
}

static void check_refused(const char *text, const char *why)
{
    struct engine_template *t = NULL;

    ks_rc rc = parse(text, &t);
    check_rc(rc, USAGE);
    check_text(rc, "db");
    check_text(rc, why);
    assert_null(t);
}

static void parse__everything__is_taken(void **state)
{
    struct engine_template *t = NULL;

    (void)state;
    check_ok(parse(HEAD "password: true\n"
                        "open_files: 1000\n"
                        "environment: {TZ: UTC, WHERE: \"{home}\"}\n"
                        "directories: [data, log]\n"
                        "files:\n  - {name: db.conf, text: \"pw {password}\"}\n"
                        "initialise:\n  - {program: sh, arguments: [-c, \"{home}\"], seconds: 7}\n"
                        "prepare:\n  - {program: sh, input: \"{password}\", expect: ok}\n"
                        "start: {program: sh, arguments: [a, b]}\n"
                        "ready: {program: sh, seconds: 9}\n"
                        "stop:\n  - {signal: INT, seconds: 3}\n  - {signal: QUIT}\n"
                        "connection: \"db://{host}:{port}\"\n",
                   &t));
    assert_string_equal(engine_template_name(t), "db");
    assert_true(t->has_password && t->has_process);
    assert_int_equal(t->files_max, 1000);
    assert_int_equal(t->initialise.count, 1);
    assert_int_equal(t->initialise.steps[0].seconds, 7);
    assert_string_equal(t->initialise.steps[0].args[1], "{home}");
    assert_string_equal(t->prepare.steps[0].expect, "ok");
    assert_int_equal(t->start.arg_count, 2);
    assert_int_equal(t->ready.seconds, 9);
    assert_int_equal(t->stop_count, 2);
    assert_int_equal(t->stops[0].number, SIGINT);
    assert_int_equal(t->stops[1].seconds, 10);
    check_ok(engine_template_check(t));
    engine_template_free(t);
}

static void parse__least__has_no_process(void **state)
{
    struct engine_template *t = NULL;

    (void)state;
    check_ok(parse(HEAD, &t));
    assert_false(t->has_process || t->has_password);
    engine_template_free(t);
}

static void parse__malformed_member__is_named(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[]", "a template is an object"},
        {"a: [", "line 2, column 1"},
        {"name: db\nhint: h\nshared_user: true\n", "\"users\""},
        {HEAD "shared_user: 7\n", "\"shared_user\""},
        {"name: other\nhint: h\nusers: [x]\n", "\"name\" is the name of the file"},
        {"name: 7\nhint: h\nusers: [x]\n", "\"name\""},
        {"name: db\nusers: [x]\n", "\"hint\" is missing"},
        {"name: db\nhint: h\nusers: x\n", "\"users\""},
        {"name: db\nhint: h\nusers: [7]\n", "\"users\" is a list of texts"},
        {"name: db\nhint: h\nusers: []\n", "\"users\" names at least one"},
        {HEAD "ports: 7\n", "there is no member \"ports\""},
        {HEAD "nam: 7\n", "there is no member \"nam\""},
        {HEAD "password: maybe\n", "\"password\""},
        {HEAD "open_files: 1\n", "\"open_files\""},
        {HEAD "connection: [x]\n", "\"connection\""},
        {HEAD "connection: \"{nothing}\"\n", "\"connection\": there is no value {nothing}"},
        {HEAD "connection: \"db://:{password}@x\"\n", "stands only in files and input"},
        {HEAD "connection: \"{host\"\n", "a brace that belongs to no {value}"},
        {HEAD "connection: \"host}\"\n", "a brace that belongs to no {value}"},
        {HEAD "environment: [x]\n", "\"environment\""},
        {HEAD "environment: {TZ: 7}\n", "\"environment\": TZ is a text"},
        {HEAD "environment: {7A: x}\n", "is no name of a variable"},
        {HEAD "environment: {A=B: x}\n", "is no name of a variable"},
        {HEAD "environment: {PW: \"{password}\"}\n", "stands only in files and input"},
        {HEAD "directories: [a/b]\n", "single names"},
        {HEAD "directories: [..]\n", "single names"},
        {HEAD "files: [x]\n", "\"files\", 1: each is an object"},
        {HEAD "files:\n  - {name: ../x, text: a}\n", "\"files\", 1: \"name\""},
        {HEAD "files:\n  - {name: .x, text: a}\n", "\"files\", 1: \"name\""},
        {HEAD "files:\n  - {name: x}\n", "\"text\" is missing"},
        {HEAD "files:\n  - {name: x, text: a, mode: b}\n", "there is no member \"mode\""},
        {HEAD "start: sh\n", "\"start\""},
        {HEAD "start: {program: bash}\n", "there is no bash in \"programs\""},
        {HEAD "start: {program: sh, seconds: 7}\n", "there is no member \"seconds\""},
        {HEAD "start: {program: sh, arguments: [\"{password}\"]}\n",
         "stands only in files and input"},
        {HEAD "start: {program: sh, arguments: [\"{password_sha256}\"]}\n",
         "stands only in files and input"},
        {HEAD "start: {program: sh, arguments: [7]}\n", "put number 1 in quotes"},
        {HEAD "ready: {program: sh, expect: \"{password}\"}\n", "stands only in files and input"},
        {HEAD "ready: {second: 7}\n", "there is no member \"second\""},
        {HEAD "ready: {seconds: 0}\n", "\"seconds\""},
        {HEAD "initialise:\n  - {arguments: [x]}\n",
         "\"initialise\", step 1: \"program\" is missing"},
        {HEAD "prepare:\n  - sh\n", "\"prepare\", step 1: a step is an object"},
        {HEAD "prepare:\n  - {program: sh, seconds: 4000}\n", "\"seconds\""},
        {HEAD "stop:\n  - {signal: KILL}\n", "\"stop\", 1: \"signal\" is one of"},
        {HEAD "stop:\n  - {seconds: 3}\n", "\"signal\" is missing"},
        {HEAD "stop:\n  - TERM\n", "each is an object with \"signal\""},
        {"name: db\nhint: h\nusers: [x]\nprograms: {sh: /bin/sh}\n", "sh is a list"},
        {"name: db\nhint: h\nusers: [x]\nprograms: {sh: []}\n", "sh is a list"},
        {"name: db\nhint: h\nusers: [x]\nprograms: {sh: [bin/sh]}\n", "begins with /"},
        {"name: db\nhint: h\nusers: [x]\nprograms: {\"s h\": [/bin/sh]}\n", "a name has"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(cases[i].text, cases[i].why);
}

static void check__program_or_user_missing__says_what_to_install(void **state)
{
    struct engine_template *t = NULL;

    (void)state;
    check_ok(
        parse("name: db\nhint: install it\nusers: [nobody]\nprograms: {x: [/no/such/*]}\n", &t));
    ks_rc rc = engine_template_check(t);
    check_rc(rc, NOT_FOUND);
    check_text(rc, "db needs the program x, which is not here: install it");
    engine_template_free(t);
    if (geteuid() != 0)
        return; /* who is not root runs engines as itself */
    check_ok(parse("name: db\nhint: add one\nusers: [no-such-user-1, no-such-user-2]\n", &t));
    rc = engine_template_check(t);
    check_rc(rc, NOT_FOUND);
    check_text(rc, "add one");
    engine_template_free(t);
    check_ok(parse("name: db\nhint: h\nusers: [root]\n", &t));
    check_rc(engine_template_check(t), USAGE);
    engine_template_free(t);
}

static void find_program__several_versions__the_newest(void **state)
{
    static const char *const names[] = {"9", "15", "9.6", "noexec-99"};
    struct tmpdir dir = tmpdir_make();
    char text[512], *path = NULL;
    struct engine_template *t = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct path p = tmpdir_path(&dir, names[i]);
        file_put(p.text, view_text("#!/bin/sh\n"));
        assert_int_equal(chmod(p.text, i == 3 ? 0644 : 0755), 0);
    }
    snprintf(text, sizeof text,
             "name: db\nhint: h\nusers: [nobody]\nprograms: {x: [/no/such, \"%s/*\"]}\n", dir.path);
    check_ok(parse(text, &t));
    if (geteuid() == 0)
        unlink(tmpdir_path(&dir, "noexec-99").text);
    check_ok(engine_find_program(t, "x", &path));
    assert_string_equal(strrchr(path, '/'), "/15");
    mem_free(path);
    engine_template_free(t);
    tmpdir_remove(&dir);
}

static void load__not_there__lists_those_that_are(void **state)
{
    struct tmpdir dir = tmpdir_make();
    struct path db = tmpdir_path(&dir, "db.yml"), other = tmpdir_path(&dir, "README");
    struct engine_template *t = NULL;

    (void)state;
    file_put(db.text, view_text(HEAD));
    file_put(other.text, view_text("x"));
    ks_rc rc = engine_template_load(dir.path, "mysql", &t);
    check_rc(rc, NOT_FOUND);
    check_text(rc, "there is no engine mysql");
    check_text(rc, "there are: none db");
    check_rc(engine_template_load(dir.path, "../db", &t), USAGE);
    check_rc(engine_template_load(dir.path, "", &t), USAGE);
    check_ok(engine_template_load(dir.path, "db", &t));
    engine_template_free(t);
    check_ok(engine_template_load("/no/such", "none", &t));
    check_ok(engine_template_check(t));
    engine_template_free(t);
    assert_false(ks_ok(engine_template_load("/no/such", "db", &t)));
    engine_template_free(NULL);
    tmpdir_remove(&dir);
}

static void count_good(void *arg, const struct engine_template *t, ks_rc check)
{
    int *good = arg;

    (*good)++;
    assert_true(ks_ok(check) || ks_is(check, KS_E_NOT_FOUND));
    assert_true(t->name[0] != 0);
}

static void shipped__all__are_good(void **state)
{
    static const char *const names[] = {"clickhouse", "cockroachdb", "postgresql",
                                        "redis",      "sqlite",      "valkey"};
    struct engine_template *t = NULL;
    char *dir = NULL;
    int good = 0;

    (void)state;
    check_ok(engine_templates_find(&dir));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_ok(engine_template_load(dir, names[i], &t));
        engine_template_free(t);
    }
    check_ok(engine_templates(dir, count_good, &good));
    assert_int_equal(good, sizeof names / sizeof *names);
    assert_false(ks_ok(engine_templates("/no/such", count_good, &good)));
    mem_free(dir);
}

static void expand__values_and_braces__put_in(void **state)
{
    const struct engine_values values = {{{"home", "/v/h"}, {"port", "7"}}, 2};
    CLEANUP(buf_done) struct buf b = buf_init(100), small = buf_init(3);

    (void)state;
    check_ok(engine_text_check("a{home}b{{x}}{port}{port}", false));
    check_ok(engine_text_expand("a{home}b{{x}}{port}{port}", &values, &b));
    assert_string_equal(buf_text(&b), "a/v/hb{x}77");
    check_rc(engine_text_expand("{conf}", &values, &b), USAGE);
    check_rc(engine_text_expand("{home}", &values, &small), LIMIT);
    check_ok(engine_text_check("{password}", true));
    check_rc(engine_text_check("{password}", false), USAGE);
    check_rc(engine_text_check("{}", true), USAGE);
    check_rc(engine_text_check("{home\n}", true), USAGE);
    check_ok(engine_text_check("", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__everything__is_taken),
        cmocka_unit_test(parse__least__has_no_process),
        cmocka_unit_test(parse__malformed_member__is_named),
        cmocka_unit_test(check__program_or_user_missing__says_what_to_install),
        cmocka_unit_test(find_program__several_versions__the_newest),
        cmocka_unit_test(load__not_there__lists_those_that_are),
        cmocka_unit_test(shipped__all__are_good),
        cmocka_unit_test(expand__values_and_braces__put_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
