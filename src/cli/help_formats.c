/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/help_formats.c - the tables as man page, Markdown and bash completion.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/help.h"

enum { USAGE_BYTES = 1024 };

/* Calls each(line, len) for every line of text. */
static void each_line(const char *text, void (*each)(const char *line, size_t len))
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        each(text, len);
        text += len + (text[len] == '\n');
    }
}

/* ---- man page ---- */

static void man_bytes(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else if (i == 0 && (text[i] == '.' || text[i] == '\''))
            printf("\\&%c", text[i]);
        else
            putchar(text[i]);
    }
}

static void man_text(const char *text)
{
    man_bytes(text, strlen(text));
}

static void man_paragraph(const char *line, size_t len)
{
    man_bytes(line, len);
    printf("\n.br\n");
}

static void man_example(const char *line, size_t len)
{
    man_bytes(line, len);
    putchar('\n');
}

static void man_option(const struct cli_option *o)
{
    printf(".TP\n.B ");
    if (o->letter)
        printf("\\-%c, ", o->letter);
    printf("\\-\\-");
    man_text(o->name);
    if (o->value) {
        printf(" \\fI");
        man_text(o->value);
        printf("\\fR");
    }
    putchar('\n');
    man_text(o->help);
    if (o->preset) {
        printf(" (default: ");
        man_text(o->preset);
        putchar(')');
    }
    putchar('\n');
}

static void man_command(const struct cli_command *c)
{
    char usage[USAGE_BYTES];

    help_usage(c, usage, sizeof usage);
    printf(".SS keystead ");
    man_text(c->name);
    printf("\n.B keystead\n");
    man_text(usage);
    printf("\n.PP\nTo ");
    man_text(c->summary);
    printf(".\n.PP\n");
    each_line(c->text, man_paragraph);
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (cli_is_allowed(&cli_options[i], c))
            man_option(&cli_options[i]);
    printf(".PP\nExamples:\n.PP\n.nf\n");
    each_line(c->examples, man_example);
    printf(".fi\n");
    if (c->json) {
        printf(".PP\nKeys of \\-\\-output json:\n.PP\n.nf\n");
        each_line(c->json, man_example);
        printf(".fi\n");
    }
}

void help_man(void)
{
    printf(
        ".TH KEYSTEAD 1 \"\" \"keystead\" \"User Commands\"\n.SH NAME\n"
        "keystead \\- encrypted volumes under unmodified databases, with keys their owner can take "
        "away\n.SH SYNOPSIS\n.B keystead\n.I COMMAND\n[\\fIARGUMENT\\fR]... "
        "[\\fIOPTION\\fR]...\n.SH DESCRIPTION\n"
        "A volume is a directory of ciphertext that keystead serves at a mount point. Its keys are "
        "wrapped by customer keys in a key service; when the service says no, the volume locks and "
        "nothing on it can be read until the service says yes again.\n.PP\n"
        "Spans of time are a whole number and ms, s, m, h or d. Secrets are never taken from the "
        "command line or the environment.\n.SH COMMANDS\n");
    for (size_t i = 0; i < CMD_COUNT; i++)
        man_command(&cli_commands[i]);
    printf(".SH EXIT STATUS\n");
    for (const struct help_exit *e = help_exits; e->text; e++) {
        printf(".TP\n.B %d %s\n", e->code, e->name);
        man_text(e->text);
        putchar('\n');
    }
    printf(".SH ENVIRONMENT\n.TP\n.B KEYSTEAD_RUN_DIR\ndirectory of the control sockets, when "
           "\\-\\-run\\-dir is not given\n");
}

/* ---- Markdown: the reference part of docs/CLI.md ---- */

static void markdown_bullet(const char *line, size_t len)
{
    printf("- %.*s\n", (int)len, line);
}

static void markdown_paragraph(const char *line, size_t len)
{
    printf("%.*s\n\n", (int)len, line);
}

static void markdown_plain(const char *line, size_t len)
{
    printf("%.*s\n", (int)len, line);
}

static void markdown_option(const struct cli_option *o, const struct cli_command *c)
{
    printf("| `");
    if (o->letter)
        printf("-%c`, `", o->letter);
    printf("--%s", o->name);
    for (const char *at = o->value ? o->value : ""; *at; at++)
        printf("%s%s%c", at == o->value ? " " : "", *at == '|' ? "\\" : "", *at);
    printf("` | %s | %s |\n",
           cli_is_required(o, c) ? "required"
           : o->preset           ? o->preset
                                 : "",
           o->help);
}

static void markdown_command(const struct cli_command *c)
{
    printf("### keystead %s%s%s\n\nTo %s.\n\n", c->name, c->args[0] ? " " : "", c->args,
           c->summary);
    each_line(c->text, markdown_paragraph);
    bool is_first = true;
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++) {
        if (!cli_is_allowed(&cli_options[i], c))
            continue;
        if (is_first)
            printf("| option | default | |\n|---|---|---|\n");
        is_first = false;
        markdown_option(&cli_options[i], c);
    }
    printf("%s```sh\n", is_first ? "" : "\n");
    each_line(c->examples, markdown_plain);
    printf("```\n\n");
    if (c->json) {
        printf("Keys of `--output json`:\n\n");
        each_line(c->json, markdown_bullet);
        putchar('\n');
    }
}

void help_markdown(void)
{
    printf("| exit code | class | |\n|---|---|---|\n");
    for (const struct help_exit *e = help_exits; e->text; e++)
        printf("| %d | %s | %s |\n", e->code, e->name, e->text);
    printf("\n");
    for (size_t i = 0; i < CMD_COUNT; i++)
        markdown_command(&cli_commands[i]);
}

/* ---- bash ---- */

static void bash_words(const char *words)
{
    for (const char *at = words; *at; at++)
        putchar(*at == '|' ? ' ' : *at);
}

/* Calls each(group, len) for each beginning of a command's name that is a group, "" as the first. */
static void each_group(void (*each)(const char *group, size_t len))
{
    each("", 0);
    for (size_t i = 0; i < CMD_COUNT; i++) {
        const char *name = cli_commands[i].name;
        const char *before = i > 0 ? cli_commands[i - 1].name : "";
        for (const char *at = strchr(name, ' '); at; at = strchr(at + 1, ' '))
            if (strncmp(name, before, (size_t)(at - name) + 1) != 0)
                each(name, (size_t)(at - name));
    }
}

static bool is_in_group(const char *name, const char *group, size_t len)
{
    return len == 0 || (strncmp(name, group, len) == 0 && name[len] == ' ');
}

/* The words that may follow a group, each once: commands of one group stand together. */
static void bash_words_after(const char *group, size_t len)
{
    const char *last = "";
    size_t last_len = 0;

    for (size_t i = 0; i < CMD_COUNT; i++) {
        if (!is_in_group(cli_commands[i].name, group, len))
            continue;
        const char *word = cli_commands[i].name + len + (len > 0);
        size_t word_len = strcspn(word, " ");
        if (word_len != last_len || strncmp(word, last, word_len) != 0)
            printf("%.*s ", (int)word_len, word);
        last = word;
        last_len = word_len;
    }
}

static void bash_options(const struct cli_command *c)
{
    printf("--help");
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (cli_is_allowed(&cli_options[i], c))
            printf(" --%s", cli_options[i].name);
}

/* A group; when it is a command too, with its options. */
static void bash_group(const char *group, size_t len)
{
    printf("    \"%.*s\") words=\"", (int)len, group);
    bash_words_after(group, len);
    for (size_t i = 0; i < CMD_COUNT; i++)
        if (strlen(cli_commands[i].name) == len && strncmp(cli_commands[i].name, group, len) == 0)
            bash_options(&cli_commands[i]);
    printf("\" ;;\n");
}

static void bash_group_pattern(const char *group, size_t len)
{
    printf("\"%.*s\"|", (int)len, group);
}

static void bash_command(const struct cli_command *c)
{
    if (args_is_group(c->name))
        return;
    printf("    \"%s\") words=\"", c->name);
    bash_options(c);
    printf("\" ;;\n");
}

/* The values of an option; those of another option of that name are the same. */
static void bash_value(const struct cli_option *o)
{
    printf("    --%s", o->name);
    if (o->letter)
        printf("|-%c", o->letter);
    printf(") ");
    if (o->type == OPTION_CHOICE) {
        printf("COMPREPLY=($(compgen -W \"");
        bash_words(o->value);
        printf("\" -- \"$cur\")); ");
    } else if (o->type == OPTION_PATH) {
        printf("COMPREPLY=($(compgen -f -- \"$cur\")); ");
    }
    printf("return ;;\n");
}

void help_bash(void)
{
    printf("# bash completion for keystead; made by: keystead completion bash\n_keystead() {\n"
           "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} name= words= i\n"
           "  compopt -o filenames 2>/dev/null\n  case $prev in\n");
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (cli_options[i].value)
            bash_value(&cli_options[i]);
    printf("  esac\n  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"$name\" in ");
    each_group(bash_group_pattern);
    printf("help*) ;; *) break ;; esac\n"
           "    [[ ${COMP_WORDS[i]} == -* ]] && break\n"
           "    name=\"${name:+$name }${COMP_WORDS[i]}\"\n  done\n"
           "  case \"${name#help }\" in\n");
    each_group(bash_group);
    for (size_t i = 0; i < CMD_COUNT; i++)
        bash_command(&cli_commands[i]);
    printf("  esac\n  [[ $name == help ]] && words=\"");
    bash_words_after("", 0);
    printf("\"\n  [[ $name == completion ]] && words=bash\n"
           "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "  [[ $cur == -* ]] && return\n  case \"$name\" in ");
    each_group(bash_group_pattern);
    printf("help*|completion) ;; *) COMPREPLY=($(compgen -f -- \"$cur\")) ;; esac\n}\n"
           "complete -F _keystead keystead\n");
}
