/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/help.c - what the tables say, as text for people, and the help command.
 */
#include "cli/help.h"

#include <string.h>

#include "cli/args.h"

enum { WIDTH = 92, NAME_COLUMN = 28, OPTION_COLUMN = 28, USAGE_BYTES = 1024 };

const struct help_exit help_exits[] = {
    {0, "OK", "done"},
    {2, "USAGE", "wrong usage, or the request does not fit the state of things; nothing changed"},
    {3, "DENIED", "the key service says no about the key, or the volume is locked"},
    {4, "UNREACHABLE", "no answer about the key: service, network, credential or passphrase"},
    {5, "BUSY", "somebody else holds it; try again later"},
    {6, "CORRUPT", "damaged or forged data, or another key than the one it was made with"},
    {7, "IO", "the operating system failed"},
    {8, "LIMIT", "a bound was reached: space, memory, locked memory, size"},
    {70, "BUG", "an error of keystead itself; please report it"},
    {EXIT_INTERRUPTED, "INTERRUPTED", "stopped with Ctrl-C"},
    {0, NULL, NULL},
};

/* Prints text in lines of at most WIDTH, each after indent spaces; the cursor stands at column at. */
static void print_wrapped(FILE *out, const char *text, int indent, int at)
{
    while (*text) {
        int len = (int)strcspn(text, " \n");
        if (at > indent && at + 1 + len > WIDTH) {
            fputc('\n', out);
            at = 0;
        }
        if (at < indent)
            at += fprintf(out, "%*s", indent - at, "");
        else if (at > indent)
            at += fprintf(out, " ");
        at += fprintf(out, "%.*s", len, text);
        text += len;
        if (*text == '\n') {
            fputc('\n', out);
            at = 0;
        }
        text += *text != '\0';
    }
    if (at > 0)
        fputc('\n', out);
}

static void add_usage(char *out, size_t bytes, const char *before, const struct cli_option *o,
                      const char *after)
{
    size_t used = strlen(out);

    snprintf(out + used, bytes - used, " %s--%s%s%s%s", before, o->name, o->value ? " " : "",
             o->value ? o->value : "", after);
}

void help_usage(const struct cli_command *command, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s%s%s", command->name, command->args[0] ? " " : "", command->args);
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (cli_is_required(&cli_options[i], command))
            add_usage(out, bytes, "", &cli_options[i], "");
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (cli_is_allowed(&cli_options[i], command) && !cli_is_required(&cli_options[i], command))
            add_usage(out, bytes, "[", &cli_options[i], "]");
}

static bool is_in_group(const struct cli_command *command, const char *group)
{
    size_t len = group ? strlen(group) : 0;

    return len == 0 || (strncmp(command->name, group, len) == 0 && command->name[len] == ' ');
}

void help_overview(FILE *out, const char *group)
{
    if (!group)
        fprintf(
            out,
            "keystead - encrypted volumes under unmodified databases, with keys their owner can "
            "take away\n\n");
    fprintf(out, "Commands:\n");
    for (size_t i = 0; i < CMD_COUNT; i++)
        if (is_in_group(&cli_commands[i], group))
            fprintf(out, "  %-*s%s\n", NAME_COLUMN, cli_commands[i].name, cli_commands[i].summary);
    if (!group)
        fprintf(out, "\nFirst steps:\n"
                     "  keystead kms init --store /srv/kms --key-file /root/kms.key\n"
                     "  keystead kms key create orders --store /srv/kms --key-file /root/kms.key\n"
                     "  keystead volume create /srv/orders --key file:/srv/kms#orders --key-file "
                     "/root/kms.key\n"
                     "  keystead volume mount /srv/orders /var/lib/orders\n"
                     "  keystead volume status /var/lib/orders\n");
    fprintf(out, "\nkeystead help COMMAND explains one of them, with examples.\n");
}

static void print_option(const struct cli_option *o)
{
    int at = printf("  ");

    if (o->letter)
        at += printf("-%c, ", o->letter);
    at += printf("--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    if (at >= OPTION_COLUMN) {
        putchar('\n');
        at = 0;
    }
    char text[512];
    snprintf(text, sizeof text, "%s%s%s%s", o->help, o->preset ? " (default: " : "",
             o->preset ? o->preset : "", o->preset ? ")" : "");
    print_wrapped(stdout, text, OPTION_COLUMN, at);
}

static void print_lines(const char *text, const char *before)
{
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        printf("%s%.*s\n", before, (int)len, at);
        at += len + (at[len] == '\n');
    }
}

void help_command(const struct cli_command *command)
{
    char usage[USAGE_BYTES];

    help_usage(command, usage, sizeof usage);
    printf("keystead %s - %s\n\nUsage:\n", command->name, command->summary);
    print_wrapped(stdout, usage, 6, printf("  keystead"));
    printf("\n");
    print_wrapped(stdout, command->text, 0, 0);
    printf("\nOptions:\n");
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (cli_is_allowed(&cli_options[i], command))
            print_option(&cli_options[i]);
    printf("  -h, --help%*sshow this text\n", OPTION_COLUMN - 12, "");
    printf("\nExamples:\n");
    print_lines(command->examples, "  ");
    if (command->json) {
        printf("\nKeys of --output json (times as 2026-11-21T22:07:55Z):\n");
        print_lines(command->json, "  ");
    }
}

static ks_rc help_all(const char *format)
{
    if (strcmp(format, "man") == 0)
        help_man();
    else if (strcmp(format, "markdown") == 0)
        help_markdown();
    else
        help_overview(stdout, NULL);
    return KS_SUCCESS;
}

ks_rc cmd_help(struct cli *cli)
{
    char name[128] = "";
    size_t used = 0;

    if (cli->arg_count == 0)
        return help_all(args_has(cli, OPT_FORMAT) ? cli->texts[OPT_FORMAT] : "text");
    const struct cli_command *command = args_find(cli->args, cli->arg_count, &used);
    if (command && used == cli->arg_count) {
        help_command(command);
        return KS_SUCCESS;
    }
    for (size_t i = 0; i < cli->arg_count; i++) {
        size_t len = strlen(name);
        snprintf(name + len, sizeof name - len, "%s%s", i > 0 ? " " : "", cli->args[i]);
    }
    if (!args_is_group(name))
        return args_unknown(name);
    help_overview(stdout, name);
    return KS_SUCCESS;
}
