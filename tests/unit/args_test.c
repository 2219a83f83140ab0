/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the command line means what its tables say in every spelling; --key-file belongs to its --key; each option is
 * refused where the table does not allow it. (Texts of errors: tests/cli/t_usage.sh.)
 */
#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/suggest.h"

enum { WORDS_MAX = 40 };

static struct cli cli;

/* Parses a line whose words are separated by single blanks. */
static ks_rc parse(const char *line)
{
    static char text[2048];
    char *argv[WORDS_MAX + 1] = {NULL};
    int argc = 0;

    snprintf(text, sizeof text, "%s", line);
    for (char *at = strtok_r(text, " ", &argv[WORDS_MAX]); at && argc < WORDS_MAX;
         at = strtok_r(NULL, " ", &argv[WORDS_MAX]))
        argv[argc++] = at;
    argv[WORDS_MAX] = NULL;
    return args_parse(argc, argv, &cli);
}

static void parse__options_in_every_spelling__same(void **state)
{
    static const char *const lines[] = {
        "keystead volume status /v --output json --run-dir /r",
        "keystead volume status --output=json /v --run-dir=/r",
        "keystead volume status -o json --run-dir /r /v",
        "keystead volume status -ojson --run-dir /r -- /v",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_true(ks_ok(parse(lines[i])));
        assert_ptr_equal(cli.command, &cli_commands[CMD_VOLUME_STATUS]);
        assert_true(cli.is_json);
        assert_string_equal(cli.args[0], "/v");
        assert_string_equal(cli.texts[OPT_RUN_DIR], "/r");
    }
}

static void parse__behind_two_dashes__arguments(void **state)
{
    (void)state;
    assert_true(ks_ok(parse("keystead volume mount -- --foreground -x")));
    assert_string_equal(cli.args[0], "--foreground");
    assert_string_equal(cli.args[1], "-x");
    assert_false(args_has(&cli, OPT_FOREGROUND));
}

static void parse__principals__belong_to_the_key_before(void **state)
{
    (void)state;
    assert_true(ks_ok(parse("keystead volume create v --key aws_kms:a --auth-principal r "
                            "--key file:b#2 --key-file f --key aws_kms:c --auth-principal=s")));
    assert_string_equal(cli.keys[0].principal, "r");
    assert_null(cli.keys[0].key_file);
    assert_null(cli.keys[1].principal);
    assert_string_equal(cli.keys[1].key_file, "f");
    assert_string_equal(cli.keys[2].principal, "s");
    assert_false(ks_ok(parse("keystead volume create v --auth-principal r --key aws_kms:a")));
    assert_false(
        ks_ok(parse("keystead volume create v --key aws_kms:a --auth-principal r --key-file f")));
    assert_false(ks_ok(parse("keystead volume create v --key aws_kms:a --auth-principal r "
                             "--auth-principal r")));
    assert_false(ks_ok(parse("keystead volume mount v m --auth-principal r")));
}

static void parse__key_files__belong_to_the_key_before(void **state)
{
    (void)state;
    assert_true(ks_ok(parse("keystead volume create v --key file:a#1 --key-file f --key file:b#2 "
                            "--key file:c#3 --key-file g")));
    assert_int_equal(cli.key_count, 3);
    assert_string_equal(cli.keys[0].key_file, "f");
    assert_null(cli.keys[1].key_file);
    assert_string_equal(cli.keys[2].key_file, "g");
}

static void parse__more_keys_than_a_keyring_has__usage(void **state)
{
    char line[1024] = "keystead volume create v";

    (void)state;
    for (int i = 0; i < CLI_KEYS_MAX; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), " --key file:a#%d", i);
    assert_true(ks_ok(parse(line)));
    snprintf(line + strlen(line), sizeof line - strlen(line), " --key file:a#x");
    assert_true(ks_is(parse(line), KS_E_USAGE));
}

/* Options of one name may mean different things to different commands, never to one. */
static size_t meanings_of(const char *name, const struct cli_command *command)
{
    size_t count = 0;

    for (size_t o = 0; o < OPTION_COUNT_ALL; o++)
        count += strcmp(cli_options[o].name, name) == 0 && cli_is_allowed(&cli_options[o], command);
    return count;
}

static void parse__every_option_with_every_command__as_the_table_says(void **state)
{
    (void)state;
    for (size_t c = 0; c < CMD_COUNT; c++) {
        for (size_t o = 0; o < OPTION_COUNT_ALL; o++) {
            char line[256];
            const struct cli_option *option = &cli_options[o];
            size_t meanings = meanings_of(option->name, &cli_commands[c]);
            assert_true(meanings <= 1);
            /* A value that is never right tells "no such option" from "wrong value" by the text. */
            snprintf(line, sizeof line, "keystead %s --%s", cli_commands[c].name, option->name);
            ks_rc rc = parse(line);
            bool is_unknown = !ks_ok(rc) && strstr(ks_text(rc), "has no option") != NULL;
            assert_int_equal(is_unknown, meanings == 0);
        }
    }
}

static void parse__output__each_command_its_forms(void **state)
{
    (void)state;
    assert_true(ks_ok(parse("keystead volume status v -o json")));
    assert_true(cli.is_json);
    assert_true(ks_ok(parse("keystead volume inspect v --output json")));
    assert_true(cli.is_json);
    assert_true(ks_ok(parse("keystead volume status v -o prometheus")));
    assert_false(cli.is_json);
    assert_string_equal(cli.texts[OPT_STATUS_OUTPUT], "prometheus");
    assert_true(ks_is(parse("keystead volume inspect v -o prometheus"), KS_E_USAGE));
    assert_true(ks_is(parse("keystead volume status v -o xml"), KS_E_USAGE));
}

static void parse__required_options__missing_is_usage(void **state)
{
    (void)state;
    for (size_t c = 0; c < CMD_COUNT; c++) {
        char line[256];
        bool is_needing = cli_commands[c].arg_min > 0;
        for (size_t o = 0; o < OPTION_COUNT_ALL; o++)
            is_needing |= cli_is_required(&cli_options[o], &cli_commands[c]);
        snprintf(line, sizeof line, "keystead %s", cli_commands[c].name);
        assert_int_equal(!ks_ok(parse(line)), is_needing);
        snprintf(line, sizeof line, "keystead %s --help", cli_commands[c].name);
        assert_true(ks_ok(parse(line)));
        assert_true(cli.is_help);
    }
}

static void tables__each_row__complete_and_unique(void **state)
{
    (void)state;
    for (size_t c = 0; c < CMD_COUNT; c++) {
        const struct cli_command *command = &cli_commands[c];
        assert_non_null(command->name);
        assert_non_null(command->run);
        assert_non_null(strstr(command->examples, command->name));
        assert_true(command->arg_max <= CLI_ARGS_MAX);
        assert_int_equal(meanings_of("output", command), command->json != NULL);
        for (size_t d = 0; d < c; d++)
            assert_string_not_equal(command->name, cli_commands[d].name);
    }
    for (size_t o = 0; o < OPTION_COUNT_ALL; o++) {
        assert_int_equal(cli_options[o].required & ~cli_options[o].allowed, 0);
        assert_int_equal(cli_options[o].value == NULL, cli_options[o].type == OPTION_FLAG);
    }
}

static void distance__known_pairs(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("", ""), 0);
    assert_int_equal(suggest_distance("mount", "mount"), 0);
    assert_int_equal(suggest_distance("moutn", "mount"), 1);
    assert_int_equal(suggest_distance("umount", "unmount"), 1);
    assert_int_equal(suggest_distance("abc", ""), 3);
    assert_int_equal(suggest_distance("abc", "xyz"), 3);
    char huge[200];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_true(suggest_distance(huge, "a") == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__options_in_every_spelling__same),
        cmocka_unit_test(parse__behind_two_dashes__arguments),
        cmocka_unit_test(parse__key_files__belong_to_the_key_before),
        cmocka_unit_test(parse__principals__belong_to_the_key_before),
        cmocka_unit_test(parse__more_keys_than_a_keyring_has__usage),
        cmocka_unit_test(parse__every_option_with_every_command__as_the_table_says),
        cmocka_unit_test(parse__output__each_command_its_forms),
        cmocka_unit_test(parse__required_options__missing_is_usage),
        cmocka_unit_test(tables__each_row__complete_and_unique),
        cmocka_unit_test(distance__known_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
