/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/args.h - from argv to struct cli, by the tables.
 *
 * Nothing is run or opened here. Everything that is wrong is USAGE, with the nearest right thing.
 */
#pragma once

#include "cli/cli.h"

/*
 * args_parse(argc, argv, ret): options may stand anywhere behind the command, as --name VALUE, --name=VALUE,
 * -o VALUE; "--" ends them. ret->command is NULL when there is no command at all. With is_help set, arguments
 * and required options are not checked.
 */
ks_rc args_parse(int argc, char *const argv[], struct cli *ret) KS_MUST;

/* args_find(words, count, ret_used): the command whose name is made of the first words; NULL. *ret_used:
 * how many words its name has. */
const struct cli_command *args_find(const char *const words[], size_t count, size_t *ret_used);

/* args_is_group(name): whether commands start with this, e.g. "volume", "kms key". */
bool args_is_group(const char *name);

/* args_unknown(text): the USAGE error for words that are no command. */
ks_rc args_unknown(const char *text) KS_MUST;

/* args_has(cli, opt): whether the option was given. */
bool args_has(const struct cli *cli, enum cli_opt opt);
