/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/commands.c - the table of commands and the one of options, out of cli/commands.def and cli/options.def.
 *
 * Help, man page, docs/CLI.md and completion are made from them; nothing about a command is said twice.
 */
#include "cli/cli.h"

const struct cli_option cli_options[OPTION_COUNT_ALL] = {
#define CLI_OPTION(id, name, letter, type, value, preset, allowed, required, help)                 \
    [OPT_##id] = {name, letter, type, value, preset, allowed, required, help},
#include "cli/options.def"
#undef CLI_OPTION
};

const struct cli_command cli_commands[CMD_COUNT] = {
#define CLI_COMMAND(id, run, name, args, arg_min, arg_max, summary, text, examples, json)          \
    [CMD_##id] = {name, args, arg_min, arg_max, run, summary, text, examples, json},
#include "cli/commands.def"
#undef CLI_COMMAND
};

_Static_assert(CMD_COUNT <= sizeof(cli_set) * 8, "a set has room for every command");
