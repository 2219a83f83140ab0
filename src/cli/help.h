/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/help.h - what the tables say, as text, man page, Markdown and bash completion; to standard output.
 */
#pragma once

#include <stdio.h>

#include "cli/cli.h"

/* help_overview(out, group): all commands, or those of a group ("volume"); group NULL: all. */
void help_overview(FILE *out, const char *group);
/* help_command(command): everything about one command. */
void help_command(const struct cli_command *command);
/* help_usage(command, out, bytes): its usage line without "keystead", e.g. "volume status PATH [-o table|json]". */
void help_usage(const struct cli_command *command, char *out, size_t bytes);

void help_man(void);
void help_markdown(void);
void help_bash(void);

/* The exit codes, in order; the last entry has a NULL text. */
struct help_exit {
    int code;
    const char *name, *text;
};
extern const struct help_exit help_exits[];
