/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/ask.h - asking the person at the terminal: for a passphrase, and for a confirmation.
 *
 * A passphrase goes from the terminal or a file straight into guarded memory, and nowhere else.
 */
#pragma once

#include "base/secret.h"
#include "cli/cli.h"

enum { ASK_PASSPHRASE_MAX = 1024 };

/* ask_passphrase(cli, what, ret): what is the "passphrase of ..."; cli is the struct cli. From --passphrase-file when given, else
 * from the terminal with echo off. CREDENTIAL when there is no terminal, or nothing was typed. */
ks_rc ask_passphrase(void *cli, const char *what, struct secret **ret) KS_MUST;
/* ask_new_passphrase: the same, asked twice; USAGE when they differ. */
ks_rc ask_new_passphrase(void *cli, const char *what, struct secret **ret) KS_MUST;

/* ask_confirmation(cli, name, warning): prints the warning and asks for name to be typed, unless --yes was given. USAGE
 * when something else is typed or nobody can be asked. */
ks_rc ask_confirmation(const struct cli *cli, const char *name, const char *warning) KS_MUST;
