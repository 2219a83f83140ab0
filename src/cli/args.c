/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/args.c - from argv to struct cli, by the tables.
 *
 * Own code instead of getopt_long: the table knows which command takes which option, --key-file belongs to
 * the --key before it, and errors say what would have been right.
 */
#include "cli/args.h"

#include <stdio.h>
#include <string.h>

#include "cli/duration.h"
#include "cli/suggest.h"
#include "key/keyring.h"

enum { WORDS_MAX = 3, NAME_BYTES = 64, HEX_ID_DIGITS = 2 * KEYRING_ID_BYTES };

bool args_has(const struct cli *cli, enum cli_opt opt)
{
    return cli->texts[opt] != NULL;
}

/* Joins the first count words; a name too long to be one is cut, so that it matches nothing. */
static void join(const char *const words[], size_t count, char out[NAME_BYTES])
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && used < NAME_BYTES - 1; i++) {
        int n = snprintf(out + used, NAME_BYTES - used, "%s%s", i > 0 ? " " : "", words[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

const struct cli_command *args_find(const char *const words[], size_t count, size_t *ret_used)
{
    char name[NAME_BYTES];

    for (size_t used = count < WORDS_MAX ? count : WORDS_MAX; used > 0; used--) {
        join(words, used, name);
        for (size_t i = 0; i < CMD_COUNT; i++) {
            if (strcmp(cli_commands[i].name, name) == 0) {
                *ret_used = used;
                return &cli_commands[i];
            }
        }
    }
    return NULL;
}

bool args_is_group(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < CMD_COUNT; i++)
        if (strncmp(cli_commands[i].name, name, len) == 0 && cli_commands[i].name[len] == ' ')
            return true;
    return false;
}

static const char *command_name(void *arg, size_t i)
{
    (void)arg;
    return cli_commands[i].name;
}

/* A single word may be the last one of a name: "mount" means "volume mount". */
static const char *command_verb(const char *word)
{
    for (size_t i = 0; i < CMD_COUNT; i++) {
        const char *space = strrchr(cli_commands[i].name, ' ');
        if (space && strcmp(space + 1, word) == 0)
            return cli_commands[i].name;
    }
    return NULL;
}

ks_rc args_unknown(const char *text)
{
    if (args_is_group(text))
        return ks_fail(KS_E_USAGE, "\"%s\" needs a verb behind it; see: keystead help %s", text,
                       text);
    const char *meant = command_verb(text);
    if (!meant)
        meant = suggest_nearest(text, command_name, NULL, CMD_COUNT);
    if (meant)
        return ks_fail(KS_E_USAGE, "there is no command \"%s\"; did you mean \"%s\"?", text, meant);
    return ks_fail(KS_E_USAGE, "there is no command \"%s\"; see: keystead help", text);
}

/* ---- options ---- */

struct parse {
    int argc, at;
    char *const *argv;
    struct cli *cli;
};

static const char *option_name(void *arg, size_t i)
{
    const struct cli_command *command = arg;

    return cli_is_allowed(&cli_options[i], command) ? cli_options[i].name : NULL;
}

static ks_rc unknown_option(const struct cli_command *command, const char *given, const char *word)
{
    union { /* the callback's argument is not const; the table is */
        const struct cli_command *in;
        void *out;
    } pass = {.in = command};
    const char *meant = suggest_nearest(word, option_name, pass.out, OPTION_COUNT_ALL);

    if (meant)
        return ks_fail(KS_E_USAGE, "\"%s\" has no option %s; did you mean --%s?", command->name,
                       given, meant);
    return ks_fail(KS_E_USAGE, "\"%s\" has no option %s; see: keystead help %s", command->name,
                   given, command->name);
}

static ks_rc find_option(const struct cli_command *command, const char *given, const char *word,
                         size_t len, enum cli_opt *ret)
{
    bool is_letter = given[1] != '-';
    char name[NAME_BYTES];

    for (size_t i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct cli_option *o = &cli_options[i];
        bool is_named = is_letter ? len == 1 && o->letter == word[0]
                                  : strlen(o->name) == len && memcmp(o->name, word, len) == 0;
        if (is_named && cli_is_allowed(o, command)) {
            *ret = (enum cli_opt)i;
            return KS_SUCCESS;
        }
    }
    snprintf(name, sizeof name, "%.*s", (int)(len < NAME_BYTES ? len : NAME_BYTES - 1), word);
    return unknown_option(command, given, name);
}

static ks_rc check_choice(const struct cli_option *o, const char *text)
{
    size_t len = strlen(text);

    for (const char *at = o->value; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (len > 0 && strcspn(at, "|") == len && memcmp(at, text, len) == 0)
            return KS_SUCCESS;
    }
    return ks_fail(KS_E_USAGE, "--%s cannot be \"%.60s\"; it is one of %s", o->name, text,
                   o->value);
}

/* At most 19 digits, which 64 bits have room for. */
static bool parse_whole(const char *text, uint64_t max, uint64_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t n = 0;

    for (size_t i = 0; i < digits && i < 19; i++)
        n = n * 10 + (uint64_t)(text[i] - '0');
    *ret = n;
    return digits > 0 && digits <= 19 && text[digits] == '\0' && n <= max;
}

static ks_rc parse_count(const struct cli_option *o, const char *text, uint64_t *ret)
{
    ENSURE(parse_whole(text, UINT32_MAX, ret), KS_E_USAGE,
           "--%s needs a whole number, not \"%.60s\"", o->name, text);
    return KS_SUCCESS;
}

static ks_rc parse_sequence(const struct cli_option *o, const char *text, uint64_t *ret)
{
    ENSURE(parse_whole(text, INT64_MAX, ret), KS_E_USAGE,
           "--%s needs a whole number from 0 to %lld, not \"%.60s\"", o->name, (long long)INT64_MAX,
           text);
    return KS_SUCCESS;
}

static ks_rc check_hex_id(const struct cli_option *o, const char *text)
{
    ENSURE(strlen(text) == HEX_ID_DIGITS && strspn(text, "0123456789abcdef") == HEX_ID_DIGITS,
           KS_E_USAGE,
           "--%s needs the %d lower-case hexadecimal digits that status shows, not \"%.60s\"",
           o->name, HEX_ID_DIGITS, text);
    return KS_SUCCESS;
}

static ks_rc add_key(struct cli *cli, const char *spec)
{
    size_t max = cli->command == &cli_commands[CMD_VOLUME_CREATE] ? CLI_KEYS_MAX : 1;

    ENSURE(cli->key_count < max, KS_E_USAGE, "\"%s\" takes %zu --key at most", cli->command->name,
           max);
    cli->keys[cli->key_count++] = (struct cli_key){spec, NULL, NULL};
    return KS_SUCCESS;
}

/* With commands that take --key, each --key-file and --auth-principal belongs to the --key before it. */
static ks_rc add_to_key(struct cli *cli, enum cli_opt id, const char *text)
{
    ENSURE(cli->key_count > 0, KS_E_USAGE, "--%s belongs behind the --key that it opens",
           cli_options[id].name);
    struct cli_key *key = &cli->keys[cli->key_count - 1];
    ENSURE(!key->key_file && !key->principal, KS_E_USAGE,
           "--key %.200s has more than one --key-file or --auth-principal", key->spec);
    *(id == OPT_KEY_FILE ? &key->key_file : &key->principal) = text;
    return KS_SUCCESS;
}

static bool is_of_key(const struct cli *cli, enum cli_opt id)
{
    return (id == OPT_KEY_FILE || id == OPT_AUTH_PRINCIPAL) &&
           cli_is_allowed(&cli_options[OPT_KEY], cli->command);
}

static bool is_output(enum cli_opt id)
{
    return id == OPT_OUTPUT || id == OPT_STATUS_OUTPUT;
}

static ks_rc set_option(struct cli *cli, enum cli_opt id, const char *text)
{
    const struct cli_option *o = &cli_options[id];
    bool is_repeatable = o->type == OPTION_KEY || id == OPT_KEY_FILE || id == OPT_AUTH_PRINCIPAL;

    ENSURE(is_repeatable || !cli->texts[id], KS_E_USAGE, "--%s is given twice", o->name);
    cli->texts[id] = text;
    switch (o->type) {
    case OPTION_FLAG:
        return KS_SUCCESS;
    case OPTION_TEXT:
    case OPTION_PATH:
        ENSURE(text[0] != '\0', KS_E_USAGE, "--%s needs a value that is not empty", o->name);
        return is_of_key(cli, id) ? add_to_key(cli, id, text) : KS_SUCCESS;
    case OPTION_DURATION:
        return ks_wrap(duration_parse(text, &cli->numbers[id]), "--%s", o->name);
    case OPTION_COUNT:
        return parse_count(o, text, &cli->numbers[id]);
    case OPTION_SEQUENCE:
        return parse_sequence(o, text, &cli->numbers[id]);
    case OPTION_HEX_ID:
        return check_hex_id(o, text);
    case OPTION_CHOICE:
        TRY(check_choice(o, text));
        cli->is_json |= is_output(id) && strcmp(text, "json") == 0;
        return KS_SUCCESS;
    case OPTION_KEY:
        return add_key(cli, text);
    }
    return ks_fail(KS_E_BUG, "option --%s has no type", o->name);
}

/* One argument that starts with '-': finds its value, in itself or in the next argument. */
static ks_rc parse_option(struct parse *p, const char *given)
{
    bool is_letter = given[1] != '-';
    const char *word = given + (is_letter ? 1 : 2);
    size_t len = is_letter ? 1 : strcspn(word, "=");
    const char *value = word[len] == '\0' ? NULL : word + len + !is_letter;
    enum cli_opt id = OPT_NONE;

    TRY(find_option(p->cli->command, given, word, len, &id));
    if (cli_options[id].type == OPTION_FLAG) {
        ENSURE(!value, KS_E_USAGE, "--%s takes no value", cli_options[id].name);
        return set_option(p->cli, id, "");
    }
    if (!value) {
        ENSURE(p->at + 1 < p->argc, KS_E_USAGE, "--%s needs a value: --%s %s", cli_options[id].name,
               cli_options[id].name, cli_options[id].value);
        value = p->argv[++p->at];
    }
    return set_option(p->cli, id, value);
}

static ks_rc add_argument(struct cli *cli, const char *text)
{
    ENSURE(cli->command->arg_max > 0, KS_E_USAGE,
           "\"%.80s\": \"%s\" takes options only; see: keystead help %s", text, cli->command->name,
           cli->command->name);
    ENSURE(cli->arg_count < (size_t)cli->command->arg_max, KS_E_USAGE,
           "\"%.80s\" is one argument too many; write: keystead %s %s", text, cli->command->name,
           cli->command->args);
    cli->args[cli->arg_count++] = text;
    return KS_SUCCESS;
}

static bool is_help(const char *text)
{
    return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

static ks_rc parse_rest(struct parse *p)
{
    bool is_over = false;

    for (; p->at < p->argc; p->at++) {
        const char *text = p->argv[p->at];
        if (!is_over && strcmp(text, "--") == 0)
            is_over = true;
        else if (!is_over && is_help(text))
            p->cli->is_help = true;
        else if (!is_over && text[0] == '-' && text[1] != '\0')
            TRY(parse_option(p, text));
        else
            TRY(add_argument(p->cli, text));
    }
    return KS_SUCCESS;
}

static ks_rc check_complete(const struct cli *cli)
{
    const struct cli_command *c = cli->command;

    ENSURE(cli->arg_count >= (size_t)c->arg_min, KS_E_USAGE, "%s is missing; write: keystead %s %s",
           cli->arg_count == 0 ? "an argument" : "a further argument", c->name, c->args);
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        ENSURE(!cli_is_required(&cli_options[i], c) || cli->texts[i], KS_E_USAGE,
               "\"%s\" needs --%s %s; see: keystead help %s", c->name, cli_options[i].name,
               cli_options[i].value, c->name);
    return KS_SUCCESS;
}

/* How many of the words say what was meant: those of a group, and the one behind them. */
static size_t telling_words(const char *const words[], size_t count)
{
    char name[NAME_BYTES];

    for (size_t used = 1; used <= count; used++) {
        join(words, used, name);
        if (!args_is_group(name))
            return used;
    }
    return count;
}

static ks_rc without_command(struct parse *p, const char *const words[], size_t count)
{
    char name[NAME_BYTES];
    bool is_asking = p->at == p->argc || is_help(p->argv[p->at]);

    join(words, telling_words(words, count), name);
    if (count == 0 && is_asking)
        return KS_SUCCESS;
    if (is_asking && args_is_group(name)) { /* "volume" and "volume --help" are "help volume" */
        p->cli->command = &cli_commands[CMD_HELP];
        for (size_t i = 0; i < count; i++)
            p->cli->args[p->cli->arg_count++] = words[i];
        return KS_SUCCESS;
    }
    ENSURE(count > 0, KS_E_USAGE,
           "\"%.60s\" stands where a command is expected; see: keystead help", p->argv[p->at]);
    return args_unknown(name);
}

ks_rc args_parse(int argc, char *const argv[], struct cli *ret)
{
    struct parse p = {argc, 1, argv, ret};
    const char *words[WORDS_MAX];
    size_t count = 0, used = 0;

    memset(ret, 0, sizeof *ret);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        ret->command = &cli_commands[CMD_VERSION];
        return KS_SUCCESS;
    }
    while (count < WORDS_MAX && p.at < argc && argv[p.at][0] != '-')
        words[count++] = argv[p.at++];
    ret->command = args_find(words, count, &used);
    if (!ret->command)
        return without_command(&p, words, count);
    p.at = 1 + (int)used;
    TRY(parse_rest(&p));
    return ret->is_help ? KS_SUCCESS : check_complete(ret);
}
