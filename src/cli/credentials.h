/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/credentials.h - the file in which an access key reaches its owner: AWS's shared credentials, mode 0600.
 */
#pragma once

#include "cli/cli.h"

/* credentials_path(cli, account, ret): --credentials, or DIR/ACCOUNT.credentials. */
ks_rc credentials_path(const struct cli *cli, const char *account, char **ret) KS_MUST;
/* credentials_check_new(path): EXISTS when there is something: checked before the key is made. */
ks_rc credentials_check_new(const char *path) KS_MUST;
/* credentials_write(path, id, secret): a new file; never overwrites one. */
ks_rc credentials_write(const char *path, const char *id, const char *secret) KS_MUST;
