/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_version.c - keystead version, keystead completion.
 */
#include <fuse_lowlevel.h>
#include <sodium.h>
#include <string.h>

#include "base/version.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/output.h"
#include "crypto/library.h"

ks_rc cmd_version(struct cli *cli)
{
    const char *openssl = crypto_library_version();

    if (cli->is_json)
        return output_json(json_pack("{s:s, s:s, s:s, s:s}", "keystead", keystead_version,
                                     "openssl", openssl, "libfuse", fuse_pkgversion(), "libsodium",
                                     sodium_version_string()));
    printf("keystead %s\n", keystead_version);
    output_field("OpenSSL", "%s", openssl);
    output_field("libfuse", "%s", fuse_pkgversion());
    output_field("libsodium", "%s", sodium_version_string());
    return KS_SUCCESS;
}

ks_rc cmd_completion(struct cli *cli)
{
    ENSURE(strcmp(cli->args[0], "bash") == 0, KS_E_USAGE,
           "there is no completion for \"%.40s\"; write: keystead completion bash", cli->args[0]);
    help_bash();
    return KS_SUCCESS;
}
