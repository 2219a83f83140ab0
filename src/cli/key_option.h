/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/key_option.h - from the options --key, --key-file, --auth-principal and the four spans of time to what the volume keeps.
 */
#pragma once

#include <jansson.h>

#include "base/key_spec.h"
#include "cli/cli.h"
#include "key/keyring.h"

/* key_option_spec(key, ret): the key spec; paths in it become absolute, because the volume process and later
 * commands run elsewhere. USAGE with an example for another form, NOT_FOUND for a store or file that is not there. */
ks_rc key_option_spec(const struct cli_key *key, struct key_spec *ret) KS_MUST;
/* key_option_json(spec): as the control socket takes it. */
json_t *key_option_json(const struct key_spec *spec);

/* key_option_settings(cli, s): changes what was given; USAGE for values out of range. */
ks_rc key_option_settings(const struct cli *cli, struct keyring_settings *s) KS_MUST;
