/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_key_grants.c - keystead key grants: what the owner of a key pastes at the provider.
 */
#include <stdio.h>

#include "cli/args.h"
#include "cli/key_option.h"
#include "kms/grants.h"

enum { TEXT_MAX = 65536 };

ks_rc cmd_key_grants(struct cli *cli)
{
    const struct cli_key key = {cli->args[0], cli->texts[OPT_KEY_FILE],
                                cli->texts[OPT_AUTH_PRINCIPAL]};
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct key_spec spec;

    TRY(key_option_spec(&key, &spec));
    const struct grants_values values = {.spec = &spec,
                                         .external_id = cli->texts[OPT_ORGANISATION],
                                         .trusted = cli->texts[OPT_TRUSTED]};
    TRY(grants_write(&values, cli->texts[OPT_AS], &text));
    fputs(buf_text(&text), stdout);
    return KS_SUCCESS;
}
